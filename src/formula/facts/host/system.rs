//! What else formulas ask: environment, time zone, kernel, mounts, hosts file, alternatives, the mine.

use super::{Answer, Function, Refusal, failed, function, mapping, process, texts};
use crate::formula::template::functions::arguments::Default::{None, Required, Text};
use crate::formula::template::functions::arguments::{Arguments, Signature, takes};
use crate::formula::template::value::{is_list, items, text};
use crate::formula::{Data, Dict};

const MINE: Signature = takes(&[("tgt", Required), ("fun", Required), ("tgt_type", Text("glob"))]).and_more_named();

pub(super) const FUNCTIONS: &[Function] = &[
    function("environ.get", takes(&[("key", Required), ("default", Text(""))]), |arguments| {
        let Some(name) = arguments.get("key").as_str() else { return Ok(false.into()) };
        match variable(name) {
            Some(value) => Ok(value.into()),
            Option::None => Ok(crate::formula::template::value::to_data(arguments.get("default"))?),
        }
    }),
    function("environ.has_value", takes(&[("key", Required), ("value", None)]), |arguments| {
        let found = arguments.get("key").as_str().and_then(variable);
        let wanted = arguments.some("value").map(text);
        Ok(found.is_some_and(|found| wanted.is_none_or(|wanted| wanted == found)).into())
    }),
    function("timezone.get_zone", takes(&[]), |_| time_zone()),
    function("timezone.get_offset", takes(&[]), |_| Ok(said("date", &["+%z"]).into())),
    function("timezone.get_zonecode", takes(&[]), |_| Ok(said("date", &["+%Z"]).into())),
    function("sysctl.get", takes(&[("name", Required)]), |arguments| {
        let name = arguments.text("name")?;
        let mut command = std::process::Command::new("sysctl");
        process::clean(&mut command).args(["-n", "--", &name]);
        match process::run(&mut command, true, process::PATIENCE) {
            Ok(output) => Ok(output.out.trim_end().into()),
            Err(_) => failed("Unable to run command 'sysctl'"),
        }
    }),
    function("kmod.lsmod", takes(&[]), |_| Ok(modules())),
    function("kmod.mod_list", takes(&[("only_persist", None)]), |_| {
        let mut names = module_names();
        names.sort();
        Ok(texts(names))
    }),
    function("kmod.is_loaded", takes(&[("mod", Required)]), |arguments| {
        Ok(module_names().contains(&arguments.text("mod")?).into())
    }),
    function("mount.active", takes(&[("extended", None)]), |_| Ok(mounts()?.into())),
    function("mount.is_mounted", takes(&[("name", Required)]), |arguments| {
        Ok(mounts()?.has(&arguments.text("name")?).into())
    }),
    function("hosts.list_hosts", takes(&[]), |_| Ok(Dict { is_ordered: false, ..hosts() }.into())),
    function("hosts.get_ip", takes(&[("host", Required)]), |arguments| {
        let wanted = Data::from(arguments.text("host")?);
        let hosts = hosts();
        let found = hosts.entries.iter().find(|(_, host)| aliases(host).contains(&wanted));
        Ok(found.map_or_else(|| "".into(), |(address, _)| address.clone()))
    }),
    function("hosts.get_alias", takes(&[("ip", Required)]), |arguments| {
        let hosts = hosts();
        Ok(hosts.get(&arguments.text("ip")?).map(aliases).unwrap_or_default().to_vec().into())
    }),
    function("hosts.has_pair", takes(&[("ip", Required), ("alias", Required)]), |arguments| {
        let alias = arguments.get("alias");
        let wanted = if is_list(alias) { items(alias)? } else { vec![alias.clone()] };
        let hosts = hosts();
        let known = hosts.get(&arguments.text("ip")?).map(aliases);
        let has_all = |known: &[Data]| wanted.iter().all(|wanted| known.contains(&Data::from(text(wanted))));
        Ok(known.is_some_and(has_all).into())
    }),
    function("alternatives.show_current", takes(&[("name", Required)]), |arguments| {
        let name = arguments.text("name")?;
        let link =
            (!name.contains('/')).then(|| std::fs::read_link(format!("/etc/alternatives/{name}")).ok()).flatten();
        Ok(link.map_or_else(|| false.into(), |link| link.to_string_lossy().as_ref().into()))
    }),
    function("mine.get", MINE, |_| Ok(mapping([]))),
    function("status.uptime", takes(&[]), |_| Ok(uptime())),
    function("status.nproc", takes(&[]), |_| {
        let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(Data::Int(i128::try_from(count).unwrap_or(1)))
    }),
    function("disk.usage", takes(&[("args", None)]), disk_usage),
];

/// A variable of our own environment that is nobody's secret.
fn variable(name: &str) -> Option<String> {
    if name.is_empty() || name.contains(['=', '\0']) || process::is_secret(name) {
        return Option::None;
    }
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

fn said(program: &str, arguments: &[&str]) -> String {
    process::said(program, arguments).unwrap_or_default().trim_end().to_owned()
}

/// The zone that `/etc/localtime` points at, else the one `/etc/timezone` names.
fn time_zone() -> Answer {
    let link = std::fs::read_link("/etc/localtime").ok().map(|link| link.to_string_lossy().into_owned());
    if let Some((_, zone)) = link.as_deref().and_then(|link| link.split_once("zoneinfo/")) {
        return Ok(zone.into());
    }
    match fs_err::read_to_string("/etc/timezone") {
        Ok(zone) => Ok(zone.trim().into()),
        Err(_) => failed("Unable to get timezone"),
    }
}

fn module_names() -> Vec<String> {
    let modules = modules();
    let names = modules.as_list().unwrap_or_default().iter();
    names.filter_map(|module| module.get("module")?.as_str().map(str::to_owned)).collect()
}

fn modules() -> Data {
    let said = std::fs::read_to_string("/proc/modules").unwrap_or_default();
    let module = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [name, size, count, users, ..] = columns.as_slice() else { return Option::None };
        let users = users.split(',').filter(|user| !matches!(*user, "" | "-"));
        Some(mapping([
            ("size", (*size).into()),
            ("module", (*name).into()),
            ("depcount", (*count).into()),
            ("deps", texts(users)),
        ]))
    };
    said.lines().filter_map(module).collect()
}

fn mounts() -> Result<Dict, Refusal> {
    let all = fs_err::read_to_string("/proc/self/mounts").map_err(|error| Refusal::Failed(error.to_string()))?;
    let listed = process::said("mount", &["-l"]).unwrap_or_default();
    let mut found = Dict::default();
    for line in all.lines() {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [device, place, kind, options, ..] = columns.as_slice() else { continue };
        let alternative = listed.lines().rev().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let alternative =
            alternative.filter(|columns| columns.get(2) == Some(place)).find_map(|columns| columns.first().copied());
        let mount = mapping([
            ("device", (*device).into()),
            ("alt_device", alternative.map_or(Data::None, Data::from)),
            ("fstype", (*kind).into()),
            ("opts", texts(options.split(','))),
        ]);
        found.insert(*place, mount);
    }
    Ok(found)
}

/// The lines of `/etc/hosts` by address, comments by their number.
fn hosts() -> Dict {
    let said = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    let mut hosts = Dict::ordered();
    let mut comments = 0;
    for line in said.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line.starts_with('#') {
            hosts.insert(format!("comment-{comments}"), vec![Data::from(line)]);
            comments += 1;
            continue;
        }
        let (line, comment) =
            line.split_once('#').map_or((line, Option::None), |(line, comment)| (line, Some(comment.trim_start())));
        let mut words = line.split_whitespace();
        let Some(address) = words.next() else { continue };
        let mut host = hosts.get(address).and_then(Data::as_dict).cloned().unwrap_or_default();
        let mut aliases = host.get("aliases").and_then(Data::as_list).unwrap_or_default().to_vec();
        aliases.extend(words.map(Data::from));
        host.insert("aliases", aliases);
        if let Some(comment) = comment.filter(|comment| !comment.is_empty()) {
            host.insert("comment", comment);
        }
        hosts.insert(address, host);
    }
    hosts
}

fn aliases(host: &Data) -> &[Data] {
    host.get("aliases").and_then(Data::as_list).unwrap_or_default()
}

fn uptime() -> Data {
    let said = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds = said.split('.').next().and_then(|seconds| seconds.parse::<i64>().ok()).unwrap_or_default();
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let started =
        stat.lines().find_map(|line| line.strip_prefix("btime ")).and_then(|time| time.trim().parse::<i64>().ok());
    let started = started.unwrap_or_default();
    let since = jiff::Timestamp::from_second(started).map(|time| time.strftime("%Y-%m-%dT%H:%M:%S").to_string());
    let users = process::said("who", &["-s"]).unwrap_or_default().trim_end().split('\n').count();
    let today = seconds % 86_400;
    mapping([
        ("seconds", seconds.into()),
        ("since_iso", since.unwrap_or_default().into()),
        ("since_t", started.into()),
        ("days", (seconds / 86_400).into()),
        ("time", format!("{}:{}", today / 3600, today % 3600 / 60).into()),
        ("users", Data::Int(i128::try_from(users).unwrap_or_default())),
    ])
}

fn disk_usage(arguments: &Arguments) -> Answer {
    let flags = arguments.some("args").filter(|flags| flags.is_true()).map(text).unwrap_or_default();
    if !flags.chars().all(|flag| flag.is_ascii_alphabetic()) {
        return failed("Invalid flag passed to disk.usage");
    }
    let flags = format!("-P{flags}");
    let said = process::said("df", &[&flags]).unwrap_or_default();
    let mut found = Dict::default();
    for line in said.lines().filter(|line| !line.starts_with("Filesystem")) {
        let mut columns: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        // A name with spaces in it.
        while columns.len() >= 2 && !columns[1].bytes().all(|byte| byte.is_ascii_digit()) {
            let rest = columns.remove(1);
            columns[0] = format!("{} {rest}", columns[0]);
        }
        let [system, blocks, used, available, capacity, place, ..] = columns.as_slice() else { continue };
        let usage = [system, blocks, used, available, capacity].map(|text| Data::from(text.as_str()));
        let names = ["filesystem", "1K-blocks", "used", "available", "capacity"];
        found.insert(place.as_str(), mapping(names.into_iter().zip(usage)));
    }
    Ok(found.into())
}
