//! What became of a copy: a line for hosts that went alike, a sum, and an exit code.

use std::io::Write as _;
use std::time::Duration;

use indexmap::IndexMap;

use super::tree::Tree;
use crate::error::Exit;
use crate::model::{Outcome, pattern};
use crate::transport::ssh::files::Copied;
use crate::transport::ssh::{Kind, Trouble};

/// How a copy ended on a host.
pub(super) struct Ending {
    host: String,
    outcome: Outcome,
    copied: Copied,
    /// Files that were to be there.
    files: usize,
    /// Files that are other than they were.
    changed: usize,
    trouble: Option<Trouble>,
}

impl Ending {
    pub(super) fn of(host: &str, tree: &Tree, done: Result<Copied, Trouble>) -> Self {
        let (outcome, copied, trouble) = match done {
            Ok(copied) if !copied.failed.is_empty() => (Outcome::Failed, copied, None),
            Ok(copied) if copied.changed.is_empty() => (Outcome::Unchanged, copied, None),
            Ok(copied) => (Outcome::Changed, copied, None),
            Err(trouble) if matches!(trouble.kind, Kind::Agent | Kind::Local) => {
                (Outcome::Failed, Copied::default(), Some(trouble))
            }
            Err(trouble) => (Outcome::Unreachable, Copied::default(), Some(trouble)),
        };
        let changed = tree.count_files(&copied.changed);
        let files = tree.places.iter().enumerate().map(|(at, _)| at).collect::<Vec<_>>();
        Self { host: host.to_owned(), outcome, changed, files: tree.count_files(&files), copied, trouble }
    }

    /// What is said of it, the same for hosts that went alike.
    fn text(&self) -> String {
        let Self { outcome, changed, files, .. } = self;
        match (outcome, &self.trouble, self.copied.failed.first()) {
            (_, Some(trouble), _) => format!("{outcome}: {trouble}"),
            (_, _, Some((_, why))) => match self.copied.failed.len() {
                1 => format!("{outcome}: {why}"),
                n => format!("{outcome}: {why}, and {} more", n - 1),
            },
            (Outcome::Changed, ..) if *changed == 0 => format!("changed folders, and none of {files} files"),
            (Outcome::Changed, ..) if *files > 1 => format!("changed {changed} of {files} files"),
            (Outcome::Unchanged, ..) if *files > 1 => format!("unchanged, {files} files"),
            _ => outcome.to_string(),
        }
    }

    fn hint(&self) -> Option<String> {
        if let Some(trouble) = &self.trouble {
            return trouble.hint.clone();
        }
        let why = &self.copied.failed.first()?.1;
        if why.starts_with("there is no folder") {
            return Some("`--parents` creates folders above DEST".into());
        }
        why.ends_with("is a folder there").then(|| "a DEST that ends in `/` is the folder to copy into".into())
    }
}

/// A line for hosts that went alike; those that went wrong come last.
pub(super) fn text(endings: &[Ending]) -> String {
    let mut groups: IndexMap<(bool, String), Vec<&str>> = IndexMap::new();
    for ending in endings {
        groups.entry((ending.outcome.is_failure(), ending.text())).or_default().push(&ending.host);
    }
    groups.sort_by(|(one, _), _, (other, _), _| one.cmp(other));
    let line = |((_, text), hosts): (&(bool, String), &Vec<&str>)| {
        format!("{}: {text}\n", pattern::fold(hosts.iter().copied()))
    };
    groups.iter().map(line).collect()
}

/// A line of JSON a host.
pub(super) fn json(endings: &[Ending]) -> String {
    let line = |ending: &Ending| {
        let Ending { host, outcome, copied, files, changed, trouble } = ending;
        let failed = copied.failed.iter().map(|(path, why)| serde_json::json!({ "path": path, "why": why }));
        let line = serde_json::json!({
            "host": host, "outcome": outcome, "files": files, "changed": changed, "sent_bytes": copied.sent,
            "failed": failed.collect::<Vec<_>>(),
            "kind": trouble.as_ref().map(|trouble| trouble.kind.to_string()),
            "why": trouble.as_ref().map(|trouble| &trouble.why),
            "hint": ending.hint(),
        });
        format!("{line}\n")
    };
    endings.iter().map(line).collect()
}

/// Says the sum on stderr, and for each cause what to do about it.
pub(super) fn summary(endings: &[Ending], took: Duration) -> Exit {
    let count = |outcome| endings.iter().filter(|ending| ending.outcome == outcome).count();
    let outcomes = [Outcome::Changed, Outcome::Unchanged, Outcome::Failed, Outcome::Unreachable];
    let counts = outcomes.map(|outcome| (outcome, count(outcome)));
    let counts = counts.iter().filter(|(_, count)| *count > 0).map(|(outcome, count)| format!("{count} {outcome}"));
    let bytes: u64 = endings.iter().map(|ending| ending.copied.sent).sum();
    let hosts = if endings.len() == 1 { "1 host".into() } else { format!("{} hosts", endings.len()) };
    let mut stderr = anstream::stderr().lock();
    let counts = counts.collect::<Vec<_>>().join(", ");
    let _ = writeln!(stderr, "{hosts}: {counts}; {} sent in {:.1}s", size(bytes), took.as_secs_f64());
    let mut hints: IndexMap<String, Vec<&str>> = IndexMap::new();
    for ending in endings {
        if let Some(hint) = ending.hint() {
            hints.entry(hint).or_default().push(&ending.host);
        }
    }
    for (hint, hosts) in hints {
        let _ = writeln!(stderr, "\nhint: {}: {hint}", pattern::fold(hosts));
    }
    // A host that was lost in the middle had begun.
    let lost = endings.iter().any(|ending| ending.trouble.as_ref().is_some_and(|trouble| trouble.kind == Kind::Lost));
    match (count(Outcome::Failed), count(Outcome::Unreachable)) {
        (0, 0) => Exit::Done,
        (0, _) if !lost => Exit::Unreachable,
        _ => Exit::Failed,
    }
}

/// A number of bytes for a person.
pub(super) fn size(bytes: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = units.into_iter().find(|(_, unit)| bytes >= *unit);
    unit.map_or_else(
        || format!("{bytes} B"),
        |(name, unit)| {
            let tenths = bytes.saturating_mul(10) / unit;
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        },
    )
}
