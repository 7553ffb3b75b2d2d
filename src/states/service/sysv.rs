//! Init scripts, on a host that was not booted with systemd.
//!
//! Whether one runs is what its own `status` says.

use camino::Utf8PathBuf;
use fs_err as fs;

use crate::states::{Command, Failed, Host};

/// The init script of a service: a file that may be run.
pub(super) fn script(name: &str) -> Option<Utf8PathBuf> {
    let path = Utf8PathBuf::from(format!("/etc/init.d/{name}"));
    let may_run = rustix::fs::access(path.as_std_path(), rustix::fs::Access::EXEC_OK).is_ok();
    (may_run && !name.is_empty() && path.is_file()).then_some(path)
}

/// An init script by its name.
pub(super) struct SysV<'a> {
    pub(super) host: &'a Host<'a>,
    pub(super) name: &'a str,
    /// What the command line of its process has in it, where its `status` cannot be trusted.
    pub(super) signature: Option<String>,
}

impl SysV<'_> {
    pub(super) fn look(&self) -> Result<super::Look, Failed> {
        if script(self.name).is_none() {
            return Ok(super::Look::default());
        }
        let is_running = match &self.signature {
            Some(signature) => is_in_a_command_line(signature),
            None => self.host.run(Command::new("service", [self.name, "status"]).quiet())?.is_success(),
        };
        Ok(super::Look { is_available: true, is_running, is_enabled: self.is_enabled() })
    }

    /// Has the script do something; else its words why it did not.
    pub(super) fn act(&self, verb: &str) -> Result<(), String> {
        self.run("service", &[self.name, verb])
    }

    /// Makes it start with the host or not.
    pub(super) fn enable(&self, is_wanted: bool) -> Result<(), String> {
        if !is_wanted && has("update-rc.d") {
            return self.run("update-rc.d", &[self.name, "disable"]);
        }
        enable(self.host, self.name, is_wanted)?;
        if has("update-rc.d") { self.run("update-rc.d", &[self.name, "enable"]) } else { Ok(()) }
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        run(self.host, program, arguments)
    }

    fn is_enabled(&self) -> bool {
        // What `runlevel` prints is the level before and this one.
        let level = self.host.ask("runlevel", &[]).and_then(|said| said.split_whitespace().nth(1).map(str::to_owned));
        let level = level.unwrap_or_else(|| "2".to_owned());
        is_linked(self.name, &format!("/etc/rc{level}.d")) || is_linked(self.name, "/etc/rcS.d")
    }
}

/// Makes an init script start with the host or not, under systemd too, with whatever the distribution has for that. On
/// Debian one that is not to start has no links left.
pub(super) fn enable(host: &Host<'_>, name: &str, is_wanted: bool) -> Result<(), String> {
    match (has("update-rc.d"), is_wanted) {
        (true, true) => run(host, "update-rc.d", &["-f", name, "defaults", "99"]),
        (true, false) => run(host, "update-rc.d", &["-f", name, "remove"]),
        (false, _) => run(host, "chkconfig", &[name, if is_wanted { "on" } else { "off" }]),
    }
}

fn has(program: &str) -> bool {
    ["/usr/sbin", "/sbin"].iter().any(|folder| fs::metadata(format!("{folder}/{program}")).is_ok())
}

fn run(host: &Host<'_>, program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = host.run(Command::new(program, arguments)).map_err(|failed| failed.comment)?;
    if output.is_success() { Ok(()) } else { Err(output.why()) }
}

/// Whether a folder has a link that starts a script: `S20nginx`.
fn is_linked(name: &str, folder: &str) -> bool {
    let is_it = |link: &str| {
        let place = link.strip_prefix('S').and_then(|link| link.strip_suffix(name));
        place.is_some_and(|place| place.len() <= 2 && place.bytes().all(|byte| byte.is_ascii_digit()))
    };
    fs::read_dir(folder).is_ok_and(|links| links.flatten().any(|link| link.file_name().to_str().is_some_and(is_it)))
}

/// Whether a process other than this one has a text in its command line.
fn is_in_a_command_line(text: &str) -> bool {
    let own = std::process::id().to_string();
    let has = |process: fs::DirEntry| {
        let id = process.file_name().into_string().unwrap_or_default();
        // What cannot be read has ended, or is not a process.
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        id != own && String::from_utf8_lossy(&line).replace('\0', " ").contains(text)
    };
    fs::read_dir("/proc").is_ok_and(|processes| processes.flatten().any(has))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_link_of_just_this_name_starts_a_script() {
        let folder = tempfile::tempdir().unwrap();
        for link in ["S01anacron", "K01nginx"] {
            fs::write(folder.path().join(link), "").unwrap();
        }
        let path = folder.path().to_str().unwrap();
        assert_eq!(["anacron", "cron", "nginx"].map(|name| is_linked(name, path)), [true, false, false]);
    }
}
