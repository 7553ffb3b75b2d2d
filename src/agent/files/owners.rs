//! Owners and groups of this host by their names.

use std::collections::HashMap;
use std::process::{Command, Stdio};

/// The names that were looked up, each once.
#[derive(Debug, Default)]
pub(super) struct Owners(HashMap<(&'static str, String), Result<u32, String>>);

impl Owners {
    /// The number of a user.
    pub(super) fn user(&mut self, name: &str) -> Result<u32, String> {
        self.find("passwd", "user", name)
    }

    /// The number of a group.
    pub(super) fn group(&mut self, name: &str) -> Result<u32, String> {
        self.find("group", "group", name)
    }

    fn find(&mut self, database: &'static str, kind: &str, name: &str) -> Result<u32, String> {
        if let Ok(number) = name.parse() {
            return Ok(number);
        }
        let look = || ask(database, name).ok_or_else(|| format!("there is no {kind} `{name}`"));
        self.0.entry((database, name.to_owned())).or_insert_with(look).clone()
    }
}

/// Asks `getent(1)`, which knows users that are not in `/etc/passwd` too.
fn ask(database: &str, name: &str) -> Option<u32> {
    let mut getent = Command::new("getent");
    getent.args([database, "--", name]).stdin(Stdio::null()).stderr(Stdio::null());
    let output = getent.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()?.split(':').nth(2)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_found() {
        let mut owners = Owners::default();
        assert_eq!(owners.user("root"), Ok(0));
        assert_eq!(owners.group("4711"), Ok(4711));
        assert_eq!(owners.user("no-such-user"), Err("there is no user `no-such-user`".into()));
        assert_eq!(owners.user("--help").unwrap_err(), "there is no user `--help`");
    }
}
