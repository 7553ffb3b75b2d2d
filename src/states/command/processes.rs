//! The processes that another one has started, also those that left its group.

use std::collections::{HashMap, HashSet};

use rustix::process::{Pid, Signal, kill_process};

/// A process, told from a later one of the same number by when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Process {
    id: i32,
    began: u64,
}

/// What `proc(5)` says of a process.
struct Status {
    process: Process,
    parent: i32,
    group: i32,
}

impl Process {
    /// Sends it a signal, if it is there still.
    pub(super) fn signal(self, signal: Signal) {
        if status(self.id).is_some_and(|status| status.process == self)
            && let Some(id) = Pid::from_raw(self.id)
        {
            let _ = kill_process(id, signal);
        }
    }
}

/// The processes below one that are not in its group, which a signal to the group would miss.
pub(super) fn astray(root: u32) -> HashSet<Process> {
    let Ok(root) = i32::try_from(root) else { return HashSet::new() };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut children: HashMap<i32, Vec<Status>> = HashMap::new();
    for status in ids.filter_map(status) {
        children.entry(status.parent).or_default().push(status);
    }
    let mut found = HashSet::new();
    let mut parents = vec![root];
    while let Some(children) = parents.pop().map(|parent| children.remove(&parent).unwrap_or_default()) {
        parents.extend(children.iter().map(|child| child.process.id));
        found.extend(children.iter().filter(|child| child.group != root).map(|child| child.process));
    }
    found
}

fn status(id: i32) -> Option<Status> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name of the program comes second, in parentheses, and may have anything in it.
    let mut fields = text.rsplit_once(") ")?.1.split(' ').skip(1);
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let began = fields.nth(16)?.parse().ok()?;
    Some(Status { process: Process { id, began }, parent, group })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_its_parent_and_when_it_began() {
        let own = i32::try_from(std::process::id()).unwrap();
        let status = status(own).unwrap();
        assert_eq!(status.parent, std::os::unix::process::parent_id().cast_signed());
        assert!(status.process.began > 0);
    }
}
