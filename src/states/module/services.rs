//! `service.*`, of systemd, or of init scripts on a host without it; and `pkg.refresh_db`.

use std::path::Path;

use crate::formula::Data;
use crate::states::module::arguments::{Signature, takes};
use crate::states::module::functions::{Function, function};
use crate::states::{Args, Command, Failed, Host};

const NAME: Signature = takes(&["name"], &["no_block", "unmask", "unmask_runtime"]);
const OPEN: Signature = NAME.and_named();
const MASK: Signature = takes(&["name"], &["runtime"]);

pub(super) const FUNCTIONS: &[Function] = &[
    function("service.start", NAME, |host, args| act(host, args, "start")),
    function("service.stop", NAME, |host, args| act(host, args, "stop")),
    function("service.restart", NAME, |host, args| act(host, args, "restart")),
    function("service.reload", NAME, |host, args| act(host, args, "reload")),
    function("service.force_reload", NAME, |host, args| act(host, args, "force-reload")),
    function("service.enable", OPEN, |host, args| act(host, args, "enable")),
    function("service.disable", OPEN, |host, args| act(host, args, "disable")),
    function("service.mask", MASK, |host, args| act(host, args, "mask")),
    function("service.unmask", MASK, |host, args| act(host, args, "unmask")),
    function("service.systemctl_reload", takes(&[], &[]), |host, _| daemon_reload(host)),
    function("pkg.refresh_db", takes(&[], &["failhard"]).and_named(), refresh_packages),
];

/// Does something to a service. Stopping and disabling say `False` where the others fail, as in Salt.
fn act(host: &Host<'_>, args: &Args<'_>, verb: &str) -> Result<Data, Failed> {
    let name = args.required("name")?;
    if !Path::new("/run/systemd/system").is_dir() {
        return without_systemd(host, &name, verb);
    }
    let unit = if name.contains('.') { name.clone() } else { format!("{name}.service") };
    if host.ask("systemctl", &["show", "-P", "NeedDaemonReload", "--", &unit]).is_some_and(|need| need.trim() == "yes")
    {
        daemon_reload(host)?;
    }
    for (key, runtime) in [("unmask", None), ("unmask_runtime", Some("--runtime"))] {
        if args.flag(key, false) {
            let arguments = ["unmask"].into_iter().chain(runtime).chain(["--", &unit]);
            host.run(Command::new("systemctl", arguments))?;
        }
    }
    let mut arguments = vec![verb];
    if args.flag("runtime", false) {
        arguments.push("--runtime");
    }
    if args.flag("no_block", false) {
        arguments.push("--no-block");
    }
    arguments.extend(["--", &unit]);
    let output = host.run(Command::new("systemctl", arguments))?;
    match (output.is_success(), verb) {
        (true, _) => Ok(true.into()),
        (false, "stop" | "disable") => Ok(false.into()),
        (false, _) => Err(output.why().into()),
    }
}

fn without_systemd(host: &Host<'_>, name: &str, verb: &str) -> Result<Data, Failed> {
    let command = match verb {
        "enable" => Command::new("update-rc.d", [name, "enable"]),
        "disable" => Command::new("update-rc.d", [name, "disable"]),
        "mask" | "unmask" => return Err(format!("cannot {verb} {name}: this host has no systemd").into()),
        verb => Command::new("service", [name, verb]),
    };
    Ok(host.run(command)?.is_success().into())
}

fn daemon_reload(host: &Host<'_>) -> Result<Data, Failed> {
    let output = host.run(Command::new("systemctl", ["--system", "daemon-reload"]))?;
    if output.is_success() {
        return Ok(true.into());
    }
    Err(format!("Problem performing systemctl daemon-reload: {}", output.why()).into())
}

/// Reads anew what the package repositories have. apt says of each whether something was new there.
fn refresh_packages(host: &Host<'_>, args: &Args<'_>) -> Result<Data, Failed> {
    const MANAGERS: [(&str, &[&str]); 4] = [
        ("/usr/bin/apt-get", &["-q", "update"]),
        ("/usr/bin/dnf", &["--quiet", "makecache"]),
        ("/usr/bin/yum", &["--quiet", "makecache"]),
        ("/usr/bin/zypper", &["--non-interactive", "refresh", "--force"]),
    ];
    let (program, arguments) = MANAGERS
        .into_iter()
        .find(|(program, _)| Path::new(program).exists())
        .ok_or("upshift knows no package manager of this host")?;
    let output = host.run(Command::new(program, arguments).env("DEBIAN_FRONTEND", "noninteractive"))?;
    if !output.is_success() {
        return Err(output.why().into());
    }
    if !program.ends_with("apt-get") {
        return Ok(true.into());
    }
    let mut repositories = crate::formula::Dict::default();
    for line in output.stdout.lines() {
        let Some((what, rest)) = line.trim().split_once(' ') else { continue };
        // `Get:4 http://host suite InRelease [3156 B]`
        let (what, rest) = (what.split(':').next().unwrap_or_default(), rest.trim());
        let name = rest.rsplit_once(" [").filter(|(_, size)| size.ends_with("B]")).map_or(rest, |(name, _)| name);
        let news = match what {
            "Get" => Data::Bool(true),
            "Hit" => Data::None,
            "Ign" | "Err" => Data::Bool(false),
            _ => continue,
        };
        repositories.insert(name, news);
    }
    let failed: Vec<&str> = repositories
        .entries
        .iter()
        .filter(|(_, news)| **news == Data::Bool(false))
        .filter_map(|(name, _)| name.as_str())
        .collect();
    if args.flag("failhard", false) && !failed.is_empty() {
        return Err(format!("Error getting repos: {}", failed.join(", ")).into());
    }
    Ok(repositories.into())
}
