//! Processes as `/proc` shows them: which ones belong to a step that lost its agent.
//!
//! A process id alone proves nothing, since the kernel gives it out again: nothing is ended unless
//! boot, session and start time say that it is ours.

use std::io;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Deserialize, Serialize};

use crate::agent::spool::Started;

/// A command's process group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its id, which is the process id of the command.
    pub id: i32,
    /// When the command started, in clock ticks after the boot.
    pub since: u64,
}

/// One line of `/proc/<pid>/stat`, as far as it is needed here (`proc_pid_stat(5)`).
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    ended: bool,
    group: i32,
    session: i32,
    since: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name in parentheses may hold anything, parentheses and spaces included.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        Some(Self {
            ended: matches!(*fields.first()?, "Z" | "X"),
            group: fields.get(2)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            since: fields.get(19)?.parse().ok()?,
        })
    }

    fn of(pid: i32) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }
}

impl Group {
    /// The group of a command that was just started as the leader of one.
    pub(super) fn of_leader(pid: u32) -> io::Result<Self> {
        let id = i32::try_from(pid).map_err(io::Error::other)?;
        let stat = Stat::of(id).ok_or_else(|| io::Error::other(format!("cannot read `/proc/{id}/stat`")))?;
        Ok(Self { id, since: stat.since })
    }

    /// Sends a signal to all of the group. Whether anything was left to get it, is not an error.
    pub(super) fn signal(self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.id) {
            let _ = kill_process_group(pid, signal);
        }
    }

    /// Whether the process that leads the group is there, be it that it has ended.
    pub(super) fn has_leader(self) -> bool {
        Stat::of(self.id).is_some_and(|leader| leader.since == self.since)
    }

    /// Whether a process of the group, in that session, is alive.
    fn lives_in(self, session: i32) -> bool {
        if Stat::of(self.id).is_some_and(|leader| leader.since != self.since) {
            return false;
        }
        let Ok(entries) = std::fs::read_dir("/proc") else { return false };
        entries
            .flatten()
            .filter_map(|entry| Stat::of(entry.file_name().to_str()?.parse().ok()?))
            .any(|stat| !stat.ended && stat.group == self.id && stat.session == session && stat.since >= self.since)
    }
}

/// This boot's id.
///
/// # Errors
/// When the kernel does not say.
pub fn boot() -> io::Result<String> {
    Ok(fs_err::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// What was left of a step whose agent died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// The host restarted since, so nothing can be left.
    Restarted,
    /// No process.
    Nothing,
    /// Its command was still going and was ended with KILL.
    Ended,
    /// Its command was still going, and is still there a second after KILL.
    Stuck,
}

/// Ends what is left of a step that lost its agent.
pub async fn end_left(started: &Started) -> Left {
    // Unknown boot ids are taken to be the same: what is ended has to match in session and start too.
    if boot().is_ok_and(|boot| boot != started.boot) {
        return Left::Restarted;
    }
    let left: Vec<Group> = started.groups.iter().copied().filter(|group| group.lives_in(started.agent)).collect();
    if left.is_empty() {
        return Left::Nothing;
    }
    for group in &left {
        group.signal(Signal::KILL);
    }
    let killed = Instant::now();
    while left.iter().any(|group| group.lives_in(started.agent)) {
        if killed.elapsed() > Duration::from_secs(1) {
            return Left::Stuck;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Left::Ended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_confuse() {
        let line = "42 (a) R (b c) S 1 7 8 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 12345 1 2";
        assert_eq!(Stat::parse(line), Some(Stat { ended: false, group: 7, session: 8, since: 12345 }));
        assert_eq!(Stat::parse("42 (cut off) S 1"), None);
        assert_eq!(Stat::parse(""), None);
    }
}
