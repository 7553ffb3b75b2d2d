//! Programs that run as another user, with the environment that the user has after logging in.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::{Command, Variables};
use crate::states::Host;
use crate::states::accounts::{Group, User};

/// Around the environment in what a login says, which may greet the user first.
const MARK: &str = "<<<upshift-environment>>>";

/// How long a login may take.
const PATIENCE: Duration = Duration::from_secs(10);

impl Host<'_> {
    /// The environment of a user after logging in, read anew each time since a profile may have changed; what Salt sets
    /// besides is not in it. Empty if the user cannot log in.
    pub(in crate::states) fn login_environment(&self, user: &User, shell: &str) -> Variables {
        let text = format!("printf '%s\\0' '{MARK}'; env -0; printf '%s' '{MARK}'");
        let login = Command::new("su", ["-s", shell, "-", &user.name, "-c", &text]);
        let said = self.run(login.quiet().timeout(Some(PATIENCE)));
        said.map_or_else(|_| Variables::new(), |output| environment(&output.stdout))
    }
}

impl Command {
    /// Makes it run as a user, with all groups that the user is in; `group` is the first of them if it is given.
    ///
    /// The environment stays as it is.
    #[must_use]
    #[expect(clippy::wrong_self_convention, reason = "a builder: it runs as that user")]
    pub(in crate::states) fn as_user(self, user: &User, group: Option<&Group>) -> Self {
        let group = group.map_or(user.gid, |group| group.gid);
        if ["/usr/bin/setpriv", "/bin/setpriv"].into_iter().any(|path| Path::new(path).exists()) {
            let (user, group) = (format!("--reuid={}", user.uid), format!("--regid={group}"));
            return self.through("setpriv", [&user, &group, "--init-groups", "--"]);
        }
        let group = group.to_string();
        self.through("runuser", ["-u", &user.name, "-g", &group, "--"])
    }

    /// Variables of the environment.
    #[must_use]
    pub(in crate::states) fn envs(mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        self.process.envs(variables);
        self
    }
}

/// The variables between the marks; what a shell says of itself is not among them.
fn environment(said: &str) -> Variables {
    let between = said.split_once(&format!("{MARK}\0")).and_then(|(_, rest)| rest.rsplit_once(MARK));
    let entries = between.map_or("", |(text, _)| text).split('\0').filter_map(|entry| entry.split_once('='));
    entries.filter(|(name, _)| !matches!(*name, "" | "_")).map(|(name, value)| (name.into(), value.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_found_in_whatever_a_login_says() {
        let said = format!("Welcome!\n{MARK}\0HOME=/home/a\0TEXT=two\nlines=2\0_=/usr/bin/env\0{MARK}bye");
        let wanted =
            [("HOME", "/home/a"), ("TEXT", "two\nlines=2")].map(|(a, b)| (OsString::from(a), OsString::from(b)));
        assert_eq!(environment(&said), wanted);
        assert_eq!(environment("This account is currently not available."), []);
    }
}
