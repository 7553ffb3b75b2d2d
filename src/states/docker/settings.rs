//! What a container is to be, and how that differs from one that is there.

use std::collections::BTreeSet;

use super::engine::{Engine, Thing};
use super::translate::{Kind, capability, items, translated};
use crate::formula::{Data, Dict};
use crate::states::Args;
use crate::states::arguments::text;
use crate::states::returns::{dict, old_new};

/// The arguments that may be there. Others are refused.
pub(super) const ARGUMENTS: &[&str] = &[
    "auto_remove",
    "binds",
    "cap_add",
    "cap_drop",
    "cmd",
    "command",
    "cpu_shares",
    "cpuset",
    "cpuset_cpus",
    "devices",
    "dns",
    "dns_opt",
    "dns_option",
    "dns_search",
    "domainname",
    "entrypoint",
    "env",
    "environment",
    "expose",
    "extra_hosts",
    "force",
    "hostname",
    "init",
    "interactive",
    "ipc",
    "ipc_mode",
    "label",
    "labels",
    "links",
    "log_driver",
    "log_opt",
    "mem_limit",
    "memory",
    "memory_swap",
    "memswap_limit",
    "network_mode",
    "networks",
    "oom_score_adj",
    "pid_mode",
    "pids_limit",
    "port_bindings",
    "ports",
    "privileged",
    "publish",
    "publish_all",
    "publish_all_ports",
    "read_only",
    "restart",
    "restart_policy",
    "rm",
    "security_opt",
    "security_opts",
    "shm_size",
    "shutdown_timeout",
    "start",
    "stdin_open",
    "sysctl",
    "sysctls",
    "tmpfs",
    "tty",
    "ulimit",
    "ulimits",
    "user",
    "user_ns_mode",
    "userns_mode",
    "volume",
    "volume_driver",
    "volumes",
    "volumes_from",
    "watch_action",
    "workdir",
    "working_dir",
];

/// What a setting is when an SLS does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Otherwise {
    /// Nothing: empty, off or zero.
    Nothing,
    /// What the image says.
    Image,
    /// Whatever the daemon makes of it.
    Any,
}

use Otherwise::{Any, Image, Nothing};

/// A setting: its names in an SLS, its name in the daemon's `Config` or `HostConfig`.
struct Setting {
    names: &'static [&'static str],
    section: &'static str,
    field: &'static str,
    kind: Kind,
    otherwise: Otherwise,
}

const fn config(names: &'static [&'static str], field: &'static str, kind: Kind, otherwise: Otherwise) -> Setting {
    Setting { names, section: CONFIG, field, kind, otherwise }
}

const fn host(names: &'static [&'static str], field: &'static str, kind: Kind, otherwise: Otherwise) -> Setting {
    Setting { names, section: HOST, field, kind, otherwise }
}

const CONFIG: &str = "Config";
const HOST: &str = "HostConfig";

const SETTINGS: &[Setting] = &[
    config(&["command", "cmd"], "Cmd", Kind::Words, Image),
    config(&["domainname"], "Domainname", Kind::Text, Nothing),
    config(&["entrypoint"], "Entrypoint", Kind::Words, Image),
    config(&["environment", "env"], "Env", Kind::Variables, Image),
    config(&["hostname"], "Hostname", Kind::Text, Any),
    config(&["labels", "label"], "Labels", Kind::Map, Image),
    config(&["ports", "expose"], "ExposedPorts", Kind::Ports, Image),
    config(&["stdin_open", "interactive"], "OpenStdin", Kind::Flag, Nothing),
    config(&["tty"], "Tty", Kind::Flag, Nothing),
    config(&["user"], "User", Kind::Text, Image),
    config(&["volumes", "volume"], "Volumes", Kind::Keys, Image),
    config(&["working_dir", "workdir"], "WorkingDir", Kind::Text, Image),
    host(&["auto_remove", "rm"], "AutoRemove", Kind::Flag, Nothing),
    host(&["binds"], "Binds", Kind::List, Nothing),
    host(&["cap_add"], "CapAdd", Kind::Capabilities, Nothing),
    host(&["cap_drop"], "CapDrop", Kind::Capabilities, Nothing),
    host(&["cpu_shares"], "CpuShares", Kind::Number, Nothing),
    host(&["cpuset_cpus", "cpuset"], "CpusetCpus", Kind::Text, Nothing),
    host(&["devices"], "Devices", Kind::Devices, Nothing),
    host(&["dns"], "Dns", Kind::List, Nothing),
    host(&["dns_opt", "dns_option"], "DnsOptions", Kind::List, Nothing),
    host(&["dns_search"], "DnsSearch", Kind::List, Nothing),
    host(&["extra_hosts"], "ExtraHosts", Kind::Hosts, Nothing),
    host(&["init"], "Init", Kind::Flag, Any),
    host(&["ipc_mode", "ipc"], "IpcMode", Kind::Text, Any),
    host(&["links"], "Links", Kind::Hosts, Nothing),
    host(&["mem_limit", "memory"], "Memory", Kind::Bytes, Nothing),
    host(&["memswap_limit", "memory_swap"], "MemorySwap", Kind::Bytes, Any),
    host(&["network_mode"], "NetworkMode", Kind::Text, Nothing),
    host(&["oom_score_adj"], "OomScoreAdj", Kind::Number, Nothing),
    host(&["pid_mode"], "PidMode", Kind::Text, Nothing),
    host(&["pids_limit"], "PidsLimit", Kind::Number, Nothing),
    host(&["port_bindings", "publish"], "PortBindings", Kind::Bindings, Nothing),
    host(&["privileged"], "Privileged", Kind::Flag, Nothing),
    host(&["publish_all_ports", "publish_all"], "PublishAllPorts", Kind::Flag, Nothing),
    host(&["read_only"], "ReadonlyRootfs", Kind::Flag, Nothing),
    host(&["restart_policy", "restart"], "RestartPolicy", Kind::Restart, Nothing),
    host(&["security_opt", "security_opts"], "SecurityOpt", Kind::List, Any),
    host(&["shm_size"], "ShmSize", Kind::Bytes, Any),
    host(&["sysctls", "sysctl"], "Sysctls", Kind::Map, Nothing),
    host(&["tmpfs"], "Tmpfs", Kind::Mounts, Nothing),
    host(&["ulimits", "ulimit"], "Ulimits", Kind::Limits, Any),
    host(&["userns_mode", "user_ns_mode"], "UsernsMode", Kind::Text, Nothing),
    host(&["volume_driver"], "VolumeDriver", Kind::Text, Nothing),
    host(&["volumes_from"], "VolumesFrom", Kind::List, Nothing),
];

/// What a container is to be: the settings that an SLS has.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) image: String,
    config: Dict,
    host: Dict,
    /// The networks that it is to be in, and no others.
    pub(super) networks: Option<Vec<String>>,
    /// Limits that its daemon does not keep.
    unkept: Vec<&'static str>,
}

/// Limits that a kernel may be without, and the daemon's words for that it has them.
const LIMITS: [(&str, &str); 5] = [
    ("CpuShares", "CPUShares"),
    ("CpusetCpus", "CPUSet"),
    ("Memory", "MemoryLimit"),
    ("MemorySwap", "SwapLimit"),
    ("PidsLimit", "PidsLimit"),
];

/// Says what upshift does not have.
pub(super) fn check(args: &Args<'_>) -> Result<(), String> {
    Settings::of(args).map(drop)
}

impl Settings {
    pub(super) fn of(args: &Args<'_>) -> Result<Self, String> {
        let (mut config, mut host) = (Dict::default(), Dict::default());
        for setting in SETTINGS {
            let mut given = setting.names.iter().filter_map(|name| Some((name, args.get(name)?)));
            let Some((name, value)) = given.next() else { continue };
            if let Some((other, _)) = given.next() {
                return Err(format!("`{name}` and `{other}` are the same"));
            }
            let value = translated(setting.kind, value).map_err(|why| format!("`{name}`: {why}"))?;
            if setting.section == CONFIG { &mut config } else { &mut host }.insert(setting.field, value);
        }
        if let Some(log) = log(args)? {
            host.insert("LogConfig", log);
        }
        // A port that is bound is open.
        if let Some(Data::Dict(bindings)) = host.get("PortBindings") {
            let mut open = config.get("ExposedPorts").and_then(Data::as_dict).cloned().unwrap_or_default();
            for port in bindings.entries.keys() {
                open.entries.entry(port.clone()).or_insert_with(|| Dict::default().into());
            }
            config.insert("ExposedPorts", open);
        }
        // As in Salt, and so that containers that Salt made are as they should be: what is bound is a volume.
        let bound = host.get("Binds").and_then(Data::as_list).unwrap_or_default();
        let places = bound.iter().filter_map(|bind| bind.as_str()?.split(':').nth(1));
        let mut volumes = config.get("Volumes").and_then(Data::as_dict).cloned().unwrap_or_default();
        volumes.entries.extend(places.map(|place| (place.into(), Dict::default().into())));
        if !volumes.entries.is_empty() {
            config.insert("Volumes", volumes);
        }
        let networks = match args.get("networks") {
            None => None,
            Some(Data::List(items)) if items.iter().any(|item| matches!(item, Data::Dict(_))) => {
                return Err("upshift has no settings for a network of `networks`, only names".to_owned());
            }
            Some(given) => Some(items(given).map_err(|why| format!("`networks`: {why}"))?),
        };
        let image = args.get("image").and_then(text).ok_or("`image` has to be text")?;
        Ok(Self { image, config, host, networks, unkept: Vec::new() })
    }

    /// Says what its daemon makes of some of them, so that a container that is right is seen to be.
    pub(super) fn adapt(&mut self, engine: &Engine) -> Result<(), String> {
        // It says the ID of a container whose network, processes or memory another one shares, not its name.
        for field in ["NetworkMode", "PidMode", "IpcMode"] {
            let Some(other) = self.host.get(field).and_then(|mode| mode.as_str()?.strip_prefix("container:")) else {
                continue;
            };
            if let Some(id) = engine.inspect(Thing::Container, other)?.and_then(|other| text(other.get("Id")?)) {
                self.host.insert(field, format!("container:{id}"));
            }
        }
        // It warns of a limit that it has no means for, and makes a container without it.
        if LIMITS.iter().any(|(field, _)| self.host.has(field)) {
            let info = engine.act("GET", "/info", None)?;
            let is_missing = |word: &str| info.get(word) == Some(&Data::Bool(false));
            self.unkept = LIMITS.iter().filter(|(_, word)| is_missing(word)).map(|(field, _)| *field).collect();
        }
        Ok(())
    }

    /// What the daemon is asked to create.
    pub(super) fn body(&self) -> Data {
        let mut body = self.config.clone();
        body.insert("Image", self.image.as_str());
        // What Salt's containers have: it takes one that has not for another.
        let is_open = self.config.get("OpenStdin").is_some_and(Data::is_true);
        for (field, is_so) in
            [("AttachStdin", is_open), ("StdinOnce", is_open), ("AttachStdout", true), ("AttachStderr", true)]
        {
            body.insert(field, is_so);
        }
        body.insert("HostConfig", self.host.clone());
        body.into()
    }

    /// How a container differs, as Salt shows it. `image` is what the daemon says of its image.
    pub(super) fn differences(&self, container: &Data, image: &Data) -> Dict {
        let mut differences = Dict::default();
        for (section, given) in [(CONFIG, &self.config), (HOST, &self.host)] {
            let there = container.get(section).cloned().unwrap_or_default();
            let of_section = SETTINGS.iter().filter(|setting| setting.section == section);
            let changed: Vec<(&str, Data)> = of_section
                .filter_map(|setting| {
                    let there = there.get(setting.field).cloned().unwrap_or_default();
                    let wanted = self.wanted(setting, given.get(setting.field), image)?;
                    let is_same = normal(setting, &there) == normal(setting, &wanted);
                    (!is_same).then(|| (setting.field, shown(setting, &there, &wanted)))
                })
                .chain(log_difference(section, given, &there))
                .collect();
            if !changed.is_empty() {
                differences.insert(section, dict(changed));
            }
        }
        differences
    }

    /// What a setting is to be; `None` if that does not matter.
    fn wanted(&self, setting: &Setting, given: Option<&Data>, image: &Data) -> Option<Data> {
        if self.unkept.contains(&setting.field) {
            return None;
        }
        let of_image = || image.get("Config").and_then(|config| config.get(setting.field)).cloned().unwrap_or_default();
        match (given, setting.otherwise) {
            (Some(given), Image) => Some(match setting.kind {
                Kind::Variables => with_variables(&of_image(), given),
                Kind::Map | Kind::Keys | Kind::Ports => {
                    let mut all = of_image().as_dict().cloned().unwrap_or_default();
                    all.entries.extend(given.as_dict().into_iter().flat_map(|given| given.entries.clone()));
                    all.into()
                }
                _ => given.clone(),
            }),
            (Some(given), _) if setting.field == "SecurityOpt" => Some(self.with_label(given)),
            (Some(given), _) => Some(given.clone()),
            // Another entry point has the image's command forgotten.
            (None, Image) if setting.field == "Cmd" && self.config.has("Entrypoint") => Some(Data::None),
            (None, Image) => Some(of_image()),
            (None, Nothing) => Some(Data::None),
            (None, Any) => None,
        }
    }

    /// Options of security as the daemon completes them: what shares the host's processes has no label, unless it says one.
    fn with_label(&self, given: &Data) -> Data {
        let is_host = |field| self.host.get(field).and_then(Data::as_str) == Some("host");
        let shares = self.host.get("Privileged").is_some_and(Data::is_true) || is_host("PidMode") || is_host("IpcMode");
        let mut options = given.as_list().unwrap_or_default().to_vec();
        let is_label = |option: &Data| option.as_str().is_some_and(|option| option.starts_with("label"));
        if shares && !options.iter().any(is_label) {
            options.push("label=disable".into());
        }
        options.into()
    }
}

/// Where the output goes: Salt's two arguments are one for the daemon.
fn log(args: &Args<'_>) -> Result<Option<Data>, String> {
    let driver = args.get("log_driver").and_then(text);
    let options = args.get("log_opt").map(|given| translated(Kind::Map, given)).transpose();
    let options = options.map_err(|why| format!("`log_opt`: {why}"))?;
    if driver.is_none() && options.is_none() {
        return Ok(None);
    }
    let driver = driver.unwrap_or_else(|| "none".to_owned());
    let options = options.unwrap_or_else(|| Dict::default().into());
    Ok(Some(dict([("Type", driver.into()), ("Config", options)]).into()))
}

fn log_difference(section: &str, given: &Dict, there: &Data) -> Option<(&'static str, Data)> {
    let wanted = given.get("LogConfig").filter(|_| section == HOST)?;
    let there = there.get("LogConfig").cloned().unwrap_or_default();
    let is_so = ["Type", "Config"].iter().all(|field| {
        let (one, two) =
            (there.get(field).cloned().unwrap_or_default(), wanted.get(field).cloned().unwrap_or_default());
        one == two || !(one.is_true() || two.is_true())
    });
    (!is_so).then(|| ("LogConfig", old_new(there, wanted.clone())))
}

/// Variables of an image with others over them.
fn with_variables(image: &Data, given: &Data) -> Data {
    let name = |variable: &Data| variable.as_str().unwrap_or_default().split('=').next().unwrap_or_default().to_owned();
    let given = given.as_list().unwrap_or_default();
    let overridden: BTreeSet<String> = given.iter().map(name).collect();
    let kept = image.as_list().unwrap_or_default().iter().filter(|variable| !overridden.contains(&name(variable)));
    kept.chain(given).cloned().collect()
}

/// A setting without what makes no difference: the order of a list, and the many ways to say nothing.
fn normal(setting: &Setting, value: &Data) -> Data {
    let sorted = |texts: BTreeSet<String>| texts.into_iter().map(Data::from).collect::<Data>();
    let texts = |plain: fn(&str) -> String| {
        let items = value.as_list().unwrap_or_default().iter().filter_map(Data::as_str);
        items.map(plain).collect::<BTreeSet<_>>()
    };
    let value = match (setting.field, setting.kind) {
        ("Binds", _) => sorted(texts(|bind| bind.strip_suffix(":rw").unwrap_or(bind).to_owned())),
        ("Links", _) => sorted(texts(link)),
        (_, Kind::Capabilities) => sorted(texts(capability)),
        (_, Kind::Variables | Kind::Hosts | Kind::List) if setting.field != "Dns" => sorted(texts(str::to_owned)),
        ("NetworkMode", _) if value.as_str() == Some("default") => "bridge".into(),
        ("NetworkMode", _) if !value.is_true() => "bridge".into(),
        ("RestartPolicy", _) => {
            let name = value.get("Name").and_then(Data::as_str).filter(|name| !matches!(*name, "" | "no"));
            let count = value.get("MaximumRetryCount").cloned().filter(Data::is_true);
            name.map(|name| dict([("Name", name.into()), ("Count", count.unwrap_or_default())]).into())
                .unwrap_or_default()
        }
        ("PidsLimit", _) if *value == Data::Int(-1) => Data::None,
        _ => value.clone(),
    };
    if value.is_true() { value } else { Data::None }
}

/// A link as an SLS has it: the daemon says `/db:/web/alias` of `db:alias`.
fn link(text: &str) -> String {
    let (other, alias) = text.split_once(':').unwrap_or((text, text));
    format!("{}:{}", other.trim_start_matches('/'), alias.rsplit('/').next().unwrap_or(alias))
}

/// A difference as it may be shown: values of variables are nobody's business, their names are.
fn shown(setting: &Setting, there: &Data, wanted: &Data) -> Data {
    if setting.kind != Kind::Variables {
        return old_new(there.clone(), wanted.clone());
    }
    let names = |from: &Data, without: &Data| -> Data {
        let without = without.as_list().unwrap_or_default();
        let changed = from.as_list().unwrap_or_default().iter().filter(|variable| !without.contains(variable));
        let names = changed.filter_map(|variable| variable.as_str()?.split('=').next());
        names.map(|name| Data::from(format!("{name}=<hidden>"))).collect()
    };
    old_new(names(there, wanted), names(wanted, there))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_an_argument_and_every_other_argument_is_known() {
        let named: BTreeSet<&str> = SETTINGS.iter().flat_map(|setting| setting.names).copied().collect();
        let others = ["force", "log_driver", "log_opt", "networks", "shutdown_timeout", "start", "watch_action"];
        let all: BTreeSet<&str> = named.into_iter().chain(others).collect();
        assert_eq!(all, ARGUMENTS.iter().copied().collect());
    }

    #[test]
    fn links_are_the_same_however_the_daemon_says_them() {
        assert_eq!([link("/db:/web/alias"), link("db:alias")], ["db:alias"; 2]);
    }
}
