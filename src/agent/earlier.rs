//! Tries of a unit that were given up, and may still be at it.
//!
//! A host that stays silent is unreachable to its controller, while its step goes on there. Whoever
//! comes back for that host never starts a second command beside it: the same step is followed to its
//! end, and before anything else is run on the host's behalf, it is ended.

use std::io;
use std::time::{Duration, Instant};

use camino::Utf8Path;

use crate::agent::spool::{Folder, State, folder_name, is_missing};

/// How long a step that is told to end may take.
const GRACE: Duration = Duration::from_secs(15);

/// Time between two looks whether it has.
const POLL: Duration = Duration::from_millis(50);

/// What a step's id says: `RUN.STAGE.HOST.SLOT.ATTEMPT`.
struct Parts<'a> {
    /// The run, the stage and the host, of which one unit at a time is under way.
    group: &'a str,
    slot: &'a str,
    attempt: u32,
}

impl<'a> Parts<'a> {
    fn of(id: &'a str) -> Option<Self> {
        let mut parts = id.rsplitn(3, '.');
        let attempt = parts.next()?.parse().ok()?;
        let slot = parts.next()?;
        Some(Self { attempt, slot, group: parts.next()? })
    }
}

/// The folder of an earlier try that is still under way, or that did what is asked for after all.
///
/// Steps of the same host that are in the way are ended first.
pub(super) async fn settle(spool: &Utf8Path, id: &str) -> io::Result<Option<Folder>> {
    let Some(own) = Parts::of(id) else { return Ok(None) };
    let mut others = Vec::new();
    let mut same = Vec::new();
    for (slot, attempt, folder) in of_group(spool, own.group)? {
        match slot == own.slot {
            true if attempt < own.attempt => same.push((attempt, folder)),
            true => {}
            false => others.push(folder),
        }
    }
    same.sort_by_key(|(attempt, _)| std::cmp::Reverse(*attempt));
    for (_, folder) in same {
        match folder.state()? {
            State::Preparing | State::Running => return Ok(Some(folder)),
            State::Ended(end) if !end.outcome.is_failure() => return Ok(Some(folder)),
            _ => {}
        }
    }
    for folder in others {
        end(&folder).await?;
    }
    Ok(None)
}

/// Tells every step of the unit's host to end.
pub(super) fn abort(spool: &Utf8Path, id: &str) -> io::Result<()> {
    let Some(own) = Parts::of(id) else { return Ok(()) };
    for (.., folder) in of_group(spool, own.group)? {
        if is_under_way(&folder)? {
            folder.abort()?;
        }
    }
    Ok(())
}

async fn end(folder: &Folder) -> io::Result<()> {
    let begun = Instant::now();
    while is_under_way(folder)? {
        folder.abort()?;
        if begun.elapsed() > GRACE {
            return Err(io::Error::other("an earlier step is still under way here and does not end"));
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

fn is_under_way(folder: &Folder) -> io::Result<bool> {
    Ok(matches!(folder.state()?, State::Preparing | State::Running))
}

/// Every step of a run, a stage and a host that has a folder: its slot, its attempt and the folder.
fn of_group(spool: &Utf8Path, group: &str) -> io::Result<Vec<(String, u32, Folder)>> {
    let prefix = folder_name(&format!("{group}."));
    let entries = match spool.read_dir_utf8() {
        Ok(entries) => entries,
        // Where no folder can be, nothing is under way; why, the step itself will say.
        Err(error) if is_missing(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        // The rest has one dot: a host whose name goes on behind this one's has more.
        let rest = entry.file_name().strip_prefix(&prefix).and_then(|rest| rest.split_once('.'));
        if let Some((slot, attempt)) = rest.and_then(|(slot, attempt)| Some((slot, attempt.parse().ok()?))) {
            found.push((slot.to_owned(), attempt, Folder::at(entry.path().to_owned())));
        }
    }
    Ok(found)
}
