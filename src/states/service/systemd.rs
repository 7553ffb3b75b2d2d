//! Units of systemd: what is known of them, and what is done with them.
//!
//! Nothing is kept from one question to the next, because any state may have changed a unit, and systemd answers in
//! less time than it takes to be sure of that. Unit files that were changed are read again before anything else.

use camino::Utf8PathBuf;
use fs_err as fs;

use super::bus::{Answer, Bus, Question};
use crate::states::{Command, Failed, Host};

/// The suffixes of unit names. A name without one is that of a service.
const SUFFIXES: [&str; 11] = [
    ".service",
    ".socket",
    ".device",
    ".mount",
    ".automount",
    ".swap",
    ".target",
    ".path",
    ".timer",
    ".slice",
    ".scope",
];

/// Folders in which a unit file hides an init script of the same name.
const UNITS: [&str; 3] = ["/lib/systemd/system", "/usr/lib/systemd/system", "/etc/systemd/system"];

const MANAGER: &str = "org.freedesktop.systemd1.Manager";
const UNIT: &str = "org.freedesktop.systemd1.Unit";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// Whether this host was booted with systemd.
pub(super) fn is_booted() -> bool {
    fs::metadata("/run/systemd/system").is_ok()
}

/// What systemd knows of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    /// Its own name, where it was asked for by another one.
    id: String,
    load: String,
    active: String,
    needs_reload: bool,
    /// What `systemctl is-enabled` says.
    enabled: String,
}

impl Unit {
    /// Whether there is such a unit.
    fn is_known(&self) -> bool {
        self.load != "not-found" || self.active != "inactive"
    }

    fn is_active(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading" | "refreshing")
    }
}

/// A unit by the name that an SLS gives it.
pub(super) struct Systemd<'a> {
    pub(super) host: &'a Host<'a>,
    /// The name as it was given.
    pub(super) given: &'a str,
    /// The name with its suffix.
    pub(super) name: String,
}

impl<'a> Systemd<'a> {
    pub(super) fn new(host: &'a Host<'a>, given: &'a str) -> Self {
        let is_whole = SUFFIXES.iter().any(|suffix| given.ends_with(suffix));
        let name = if is_whole { given.to_owned() } else { format!("{given}.service") };
        Self { host, given, name }
    }

    /// Whether it is there, runs, and starts with the host. Unit files that have changed are read first, except in a
    /// preview.
    pub(super) fn look(&self, preview: bool) -> Result<super::Look, Failed> {
        let mut unit = self.ask()?;
        let is_new = !unit.is_known() && fs::File::open(format!("/etc/systemd/system/{}", self.name)).is_ok();
        if (unit.needs_reload || is_new) && !preview {
            self.run("daemon-reload", &[])
                .map_err(|why| Failed::from(format!("Problem performing systemctl daemon-reload: {why}")))?;
            unit = self.ask()?;
        }
        Ok(super::Look {
            is_available: unit.is_known() || is_new,
            is_running: unit.is_active(),
            is_enabled: self.is_enabled(&unit),
        })
    }

    /// Whether the unit is masked, for good or until the host is booted again.
    pub(super) fn is_masked(&self, until_boot: bool) -> bool {
        let root = if until_boot { "/run" } else { "/etc" };
        let link = Utf8PathBuf::from(format!("{root}/systemd/system/{}", self.name));
        link.read_link_utf8().is_ok_and(|target| target == "/dev/null")
    }

    /// Has systemd do something with the unit; else its words why it did not.
    pub(super) fn act(&self, verb: &str, options: &[&str]) -> Result<(), String> {
        let options: Vec<&str> = options.iter().copied().chain([self.name.as_str()]).collect();
        self.run(verb, &options)
    }

    /// What the unit itself said last, or else how it ended: why it does not run.
    pub(super) fn last_words(&self) -> Option<String> {
        let properties = "--property=InvocationID,Result,ExecMainStatus";
        let shown = self.host.ask("systemctl", &["show", properties, "--", &self.name])?;
        let invocation = format!("_SYSTEMD_INVOCATION_ID={}", property(&shown, "InvocationID")?);
        let options = ["--quiet", "--no-pager", "--output=cat", "--lines=1", &invocation];
        let said = self.host.ask("journalctl", &options).map(|said| said.trim().to_owned());
        let result = || property(&shown, "Result").filter(|result| *result != "success");
        let ended = || Some(format!("{}, status {}", result()?, property(&shown, "ExecMainStatus")?));
        said.filter(|said| !said.is_empty()).or_else(ended)
    }

    /// The init script of the unit, if it has no unit file.
    pub(super) fn init_script(&self) -> Option<Utf8PathBuf> {
        super::sysv::script(self.given)
            .filter(|_| !UNITS.iter().any(|folder| fs::metadata(format!("{folder}/{}.service", self.given)).is_ok()))
    }

    fn run(&self, verb: &str, options: &[&str]) -> Result<(), String> {
        let command = Command::new("systemctl", [verb].iter().chain(options));
        let output = self.host.run(command).map_err(|failed| failed.comment)?;
        match output.stderr.trim() {
            _ if output.is_success() => Ok(()),
            "" => Err(output.why()),
            said => Err(said.to_owned()),
        }
    }

    fn ask(&self) -> Result<Unit, Failed> {
        ask_bus(&self.host.bus, &self.name).map_or_else(|| self.ask_systemctl(), Ok)
    }

    fn ask_systemctl(&self) -> Result<Unit, Failed> {
        let properties = "--property=Id,LoadState,ActiveState,NeedDaemonReload";
        let output = self.host.run(Command::new("systemctl", ["show", properties, "--", &self.name]).quiet())?;
        let value = |key| property(&output.stdout, key).unwrap_or_default().to_owned();
        if !output.is_success() || value("LoadState").is_empty() {
            return Err(format!("Failed to get information on unit '{}': {}", self.given, output.why()).into());
        }
        Ok(Unit {
            id: value("Id"),
            load: value("LoadState"),
            active: value("ActiveState"),
            needs_reload: value("NeedDaemonReload") == "yes",
            enabled: self.ask_is_enabled(&self.name).1,
        })
    }

    /// What `systemctl is-enabled` says, and whether it counts as enabled.
    fn ask_is_enabled(&self, name: &str) -> (bool, String) {
        let output = self.host.run(Command::new("systemctl", ["is-enabled", "--", name]).quiet()).unwrap_or_default();
        (output.is_success() && output.pid != 0, output.stdout.trim().to_owned())
    }

    fn is_enabled(&self, unit: &Unit) -> bool {
        match unit.enabled.as_str() {
            "enabled" | "enabled-runtime" | "static" | "indirect" => true,
            // The name is one more for another unit, which may start with the host or not.
            "alias" => self.ask_is_enabled(&unit.id).0,
            // `systemctl` knows where the distribution keeps the links to init scripts.
            "generated" | "" if self.init_script().is_some() => self.ask_is_enabled(&self.name).0,
            state => state == "generated",
        }
    }
}

fn ask_bus(bus: &Bus, name: &str) -> Option<Unit> {
    let path = format!("/org/freedesktop/systemd1/unit/{}", label(name));
    let property =
        |property| Question { path: &path, interface: PROPERTIES, member: "Get", arguments: vec![UNIT, property] };
    let is_enabled = Question {
        path: "/org/freedesktop/systemd1",
        interface: MANAGER,
        member: "GetUnitFileState",
        arguments: vec![name],
    };
    let questions =
        [property("Id"), property("LoadState"), property("ActiveState"), property("NeedDaemonReload"), is_enabled];
    let answers: [Answer; 5] = bus.ask(&questions)?.try_into().ok()?;
    let [Answer::Text(id), Answer::Text(load), Answer::Text(active), Answer::Flag(needs_reload), enabled] = answers
    else {
        return None;
    };
    let enabled = match enabled {
        Answer::Text(enabled) => enabled,
        // There is no unit file of this name.
        _ => String::new(),
    };
    Some(Unit { id, load, active, needs_reload, enabled })
}

/// A name as a part of a path on the bus: what is neither a letter nor a digit is written as its number.
fn label(name: &str) -> String {
    let byte = |(place, byte): (usize, u8)| match byte {
        b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
        b'0'..=b'9' if place > 0 => char::from(byte).to_string(),
        _ => format!("_{byte:02x}"),
    };
    name.bytes().enumerate().map(byte).collect()
}

/// A line `key=value` of what `systemctl show` says.
fn property<'a>(shown: &'a str, key: &str) -> Option<&'a str> {
    let value = shown.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    Some(value).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_name_is_a_path_on_the_bus() {
        assert_eq!(label("nova-compute@1.service"), "nova_2dcompute_401_2eservice");
        assert_eq!(label("3proxy.service"), "_33proxy_2eservice");
    }

    #[test]
    fn only_a_unit_that_nobody_has_heard_of_is_not_there() {
        let unit = |load: &str, active: &str| Unit {
            id: String::new(),
            load: load.into(),
            active: active.into(),
            needs_reload: false,
            enabled: String::new(),
        };
        assert!(!unit("not-found", "inactive").is_known());
        assert!(unit("masked", "inactive").is_known());
        // Its package was removed while it ran.
        assert!(unit("not-found", "active").is_known());
        assert!(!unit("loaded", "activating").is_active());
    }

    #[test]
    fn a_property_that_is_empty_is_not_there() {
        assert_eq!(property("Id=a.service\nResult=\n", "Id"), Some("a.service"));
        assert_eq!(property("Id=a.service\nResult=\n", "Result"), None);
    }
}
