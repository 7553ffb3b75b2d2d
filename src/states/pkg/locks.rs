//! Runs programs that need the locks of `apt` and `dpkg`, which one process has at a time.
//!
//! A lock that another process has is waited for, and for no longer than [`PATIENCE`]; whoever waits knows for whom.

use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use crate::states::{Command, Failed, Host, Output};

/// How long a lock is waited for.
const PATIENCE: Duration = Duration::from_mins(10);

/// Time between two tries.
const PAUSE: Duration = Duration::from_millis(500);

impl Host<'_> {
    /// Runs a program as soon as nobody else has the locks.
    pub(in crate::states) fn run_alone(&self, command: impl Fn() -> Command) -> Result<Output, Failed> {
        let since = Instant::now();
        let mut is_known = false;
        loop {
            let output = self.run(command())?;
            let Some(lock) = refused(&output) else { return Ok(output) };
            let holder = holder(lock);
            if since.elapsed() >= PATIENCE {
                let minutes = PATIENCE.as_secs() / 60;
                return Err(
                    format!("{holder} has kept the package manager locked for {minutes} minutes: {lock}").into()
                );
            }
            if !is_known {
                self.listener().output(&format!("waiting for {holder}, which has the package manager locked"));
                is_known = true;
            }
            std::thread::sleep(PAUSE);
            if self.listener().is_stopped() {
                return Err("the wait for the lock of the package manager was ended".into());
            }
        }
    }
}

/// What a program that ended says of a lock that it did not get.
fn refused(output: &Output) -> Option<&str> {
    let is_it = |line: &&str| {
        line.contains("Could not get lock")
            || line.contains("was locked by another process")
            || line.contains("is locked by another process")
    };
    if output.is_success() { None } else { output.stderr.lines().find(is_it) }
}

/// Who has the lock that a message is about: `apt-get (process 123)`.
fn holder(message: &str) -> String {
    let said = ["process ", "pid "].iter().find_map(|word| {
        let rest = message.split(word).nth(1)?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    });
    let Some(process) = said.or_else(|| locker(message)) else { return "another process".to_owned() };
    let name = fs_err::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    match name.trim() {
        "" => format!("process {process}"),
        name => format!("{name} (process {process})"),
    }
}

/// The process that has a lock on the file that a message names: older tools do not say.
fn locker(message: &str) -> Option<u32> {
    let path = message.split_ascii_whitespace().find(|word| word.starts_with('/'))?;
    let inode = std::fs::metadata(path.trim_end_matches(['.', ','])).ok()?.ino().to_string();
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    // `1: POSIX  ADVISORY  WRITE 123 00:2f:4711 0 EOF`
    locks.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_it = fields.get(5)?.rsplit(':').next()? == inode;
        if is_it { fields.get(4)?.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(stderr: &str) -> Output {
        Output { code: 100, stderr: stderr.to_owned(), ..Output::default() }
    }

    #[test]
    fn a_lock_that_is_taken_is_told_from_other_failures() {
        for taken in [
            "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 4242 (apt-get)\nE: Unable to …",
            "E: Could not get lock /var/lib/apt/lists/lock - open (11: Resource temporarily unavailable)",
            "dpkg: error: dpkg frontend lock was locked by another process with pid 4242",
            "debconf: DbDriver \"config\": /var/cache/debconf/config.dat is locked by another process: Resource",
        ] {
            assert!(refused(&failed(taken)).is_some(), "{taken}");
        }
        assert_eq!(refused(&failed("E: Unable to locate package nothing")), None);
        assert_eq!(refused(&Output { code: 0, ..failed("Could not get lock") }), None);
    }

    #[test]
    fn the_process_that_a_message_names_is_the_one_that_is_waited_for() {
        let own = std::process::id();
        let named = holder(&format!("E: Could not get lock /var/lib/dpkg/lock. It is held by process {own} (x)"));
        assert!(named.ends_with(&format!("(process {own})")), "{named}");
        assert_eq!(holder("E: Could not get lock /nowhere/lock"), "another process");
    }
}
