//! `service.*`: systemd's units, or init scripts on a host without it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::process::{self, PATIENCE};
use super::{Function, function, texts};
use crate::formula::template::functions::arguments::Default::{None, Required};
use crate::formula::template::functions::arguments::{Signature, takes};
use crate::formula::{Dict, fnmatch};

const NAME: Signature = takes(&[("name", Required)]).and_more_named();

const UNIT_TYPES: &[&str] = &["service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer"];
const UNIT_PATHS: &[&str] = &[
    "/etc/systemd/system",
    "/run/systemd/system",
    "/run/systemd/generator",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

pub(super) const FUNCTIONS: &[Function] = &[
    function("service.status", takes(&[("name", Required), ("sig", None)]).and_more_named(), |arguments| {
        let name = arguments.text("name")?;
        if !name.contains(['*', '?']) && !name.contains('[') {
            return Ok(is_running(&name).into());
        }
        let matching = all().into_iter().filter(|service| fnmatch::is_match(&name, service));
        let entries = matching.map(|service| (service.as_str().into(), is_running(&service).into())).collect();
        Ok(Dict { entries, is_ordered: false }.into())
    }),
    function("service.available", NAME, |arguments| Ok(is_available(&arguments.text("name")?).into())),
    function("service.missing", NAME, |arguments| Ok((!is_available(&arguments.text("name")?)).into())),
    function("service.enabled", NAME, |arguments| Ok(is_enabled(&arguments.text("name")?).into())),
    function("service.disabled", NAME, |arguments| {
        let name = arguments.text("name")?;
        Ok((!is_enabled(&name) && (has_systemd() || all().contains(&name))).into())
    }),
    function("service.get_all", takes(&[("root", None)]), |_| Ok(texts(all()))),
];

fn has_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// The exit code and the text of a question to systemd.
fn ask(arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new("systemctl");
    process::clean(&mut command).args(arguments);
    match process::run(&mut command, false, PATIENCE) {
        Ok(output) => (output.code, output.out.trim_end().to_owned()),
        Err(_) => (1, String::new()),
    }
}

/// The name with its kind.
fn unit(name: &str) -> String {
    let has_kind = UNIT_TYPES.iter().any(|kind| name.strip_suffix(kind).is_some_and(|name| name.ends_with('.')));
    if has_kind { name.to_owned() } else { format!("{name}.service") }
}

fn is_running(name: &str) -> bool {
    if has_systemd() {
        return ask(&["is-active", "--", &unit(name)]).0 == 0;
    }
    let script = format!("/etc/init.d/{name}");
    let is_script = !name.contains('/') && Path::new(&script).is_file();
    is_script && process::said(&script, &["status"]).is_some()
}

fn is_available(name: &str) -> bool {
    if has_systemd() {
        return (0..4).contains(&ask(&["status", "--no-pager", "-n", "0", "--", &unit(name)]).0);
    }
    !name.contains('/') && all().contains(name)
}

fn is_enabled(name: &str) -> bool {
    if has_systemd() {
        let (code, said) = ask(&["is-enabled", "--", &unit(name)]);
        return match (code, said.as_str()) {
            (_, "alias") => {
                let (_, name) = ask(&["show", "-P", "Id", "--", &unit(name)]);
                ask(&["is-enabled", "--", &name]).0 == 0
            }
            (code, _) => code == 0 || (scripts().contains(name) && starts_at_boot(name)),
        };
    }
    starts_at_boot(name)
}

/// Whether an init script has a link among those that start.
fn starts_at_boot(name: &str) -> bool {
    let links = fs_err::read_dir("/etc/rc2.d").map(|links| links.flatten().collect::<Vec<_>>()).unwrap_or_default();
    links.iter().any(|link| {
        let link = link.file_name().to_string_lossy().into_owned();
        link.strip_prefix('S').is_some_and(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()) == name)
    })
}

fn scripts() -> BTreeSet<String> {
    names("/etc/init.d").into_iter().filter(|name| name != "README").collect()
}

fn names(directory: &str) -> Vec<String> {
    let entries = fs_err::read_dir(directory).map(|entries| entries.flatten().collect::<Vec<_>>()).unwrap_or_default();
    entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Every service, by its short name; units of another kind with theirs.
fn all() -> BTreeSet<String> {
    let mut all = scripts();
    if has_systemd() {
        for path in UNIT_PATHS.iter().filter(|path| !Path::new(path).is_symlink()) {
            for name in names(path) {
                match name.rsplit_once('.') {
                    Some((name, "service")) => all.insert(name.to_owned()),
                    Some((_, kind)) if UNIT_TYPES.contains(&kind) => all.insert(name),
                    _ => false,
                };
            }
        }
    }
    all
}
