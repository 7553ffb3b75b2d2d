//! The tools that change an account. Each is told only what has to change.

use super::wanted::{DAYS, Wanted};
use crate::states::{Command, Host};

/// Why something was not done: the last line of what a tool said.
pub(super) type Why = Option<String>;

/// Sets the hash of a password, which the tool reads where nobody sees it.
pub(super) fn password(host: &Host<'_>, name: &str, hash: &str) -> Why {
    run(host, Command::new("chpasswd", ["-e"]).stdin(format!("{name}:{hash}\n")).quiet())
}

/// Sets the days of the arguments of these names.
pub(super) fn days(host: &Host<'_>, wanted: &Wanted, keys: &[&str]) -> Why {
    let mut arguments = Vec::new();
    for ((key, option, ..), days) in DAYS.into_iter().zip(wanted.days) {
        if let Some(days) = days.filter(|_| keys.contains(&key)) {
            arguments.extend([option.to_owned(), days.to_string()]);
        }
    }
    if arguments.is_empty() {
        return None;
    }
    arguments.push(wanted.name.clone());
    run(host, Command::new("chage", arguments))
}

/// Empties, locks or unlocks a password: an option of `passwd(1)`.
pub(super) fn passwd(host: &Host<'_>, option: &str, name: &str) -> Why {
    run(host, Command::new("passwd", [option, name]))
}

/// Runs `usermod(8)` with options, if there are any.
pub(super) fn usermod(host: &Host<'_>, options: Vec<String>, name: &str) -> Why {
    if options.is_empty() {
        return None;
    }
    run(host, Command::new("usermod", options.into_iter().chain([name.to_owned()])))
}

fn run(host: &Host<'_>, command: Command) -> Why {
    match host.run(command) {
        Ok(output) if output.is_success() => None,
        Ok(output) => Some(output.why()),
        Err(failed) => Some(failed.comment),
    }
}
