//! What became of states, for people: what changed, would change or failed, with the same of many hosts said once.

use std::fmt::Write as _;
use std::time::Duration;

use indexmap::IndexMap;

use crate::formula::{Data, Dict};
use crate::model::pattern;
use crate::states::run::{How, Ran};

/// What became of the states of one host.
#[derive(Debug)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Its states, in the order in which they ended.
    pub ran: Vec<Ran>,
}

/// What one state came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Came {
    Failed,
    Changed,
    WouldChange,
    NotRun,
    Unchanged,
}

impl Came {
    fn of(ran: &Ran) -> Self {
        match ran.ret.result {
            _ if ran.how == How::NotRun => Self::NotRun,
            Some(false) => Self::Failed,
            None => Self::WouldChange,
            Some(true) if ran.is_changed() => Self::Changed,
            Some(true) => Self::Unchanged,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Changed => "changed",
            Self::WouldChange => "would change",
            Self::NotRun => "not run",
            Self::Unchanged => "unchanged",
        }
    }
}

/// What is said of a state: hosts of which the same is said stand together.
type Said<'a> = (String, Came, &'a str, String);

/// Tells what became of states; of those that were as they should be only if everything is asked for.
#[must_use]
pub fn text(hosts: &[Host], everything: bool) -> String {
    let mut groups: IndexMap<Said<'_>, Vec<&str>> = IndexMap::new();
    for host in hosts {
        for ran in &host.ran {
            let came = Came::of(ran);
            if came == Came::Unchanged && !everything {
                continue;
            }
            let title = format!("{}.{} {}", ran.state.module, ran.state.function, first_line(&ran.state.name));
            let said = (title, came, ran.ret.comment.as_str(), changes(&ran.ret.changes));
            groups.entry(said).or_default().push(&host.name);
        }
    }
    let mut out = String::new();
    for ((title, came, comment, changes), on) in &groups {
        let on = if hosts.len() > 1 { format!("   {}", pattern::fold(on.iter().copied())) } else { String::new() };
        let _ = writeln!(out, "{}: {title}{on}", came.word());
        // What went wrong is told in full; of the rest, the changes say more.
        let lines = if *came == Came::Failed { usize::MAX } else { 1 };
        for line in comment.lines().filter(|line| !line.trim().is_empty()).take(lines) {
            let _ = writeln!(out, "    {line}");
        }
        for line in changes.lines() {
            let _ = writeln!(out, "      {line}");
        }
    }
    out + &summary(hosts)
}

/// How many states came to what.
#[must_use]
pub fn summary(hosts: &[Host]) -> String {
    let all = || hosts.iter().flat_map(|host| &host.ran);
    let count = |came: Came| all().filter(|ran| Came::of(ran) == came).count();
    let came = [Came::Failed, Came::Changed, Came::WouldChange, Came::NotRun, Came::Unchanged];
    let counted = came.map(|came| (count(came), came));
    let counted =
        counted.iter().filter(|(count, _)| *count > 0).map(|(count, came)| format!("{count} {}", came.word()));
    let counted = counted.collect::<Vec<_>>().join(", ");
    let states = match all().count() {
        1 => "1 state".to_owned(),
        count => format!("{count} states"),
    };
    match hosts {
        [host] => {
            let took: Duration = host.ran.iter().map(|ran| ran.took).sum();
            format!("{states}: {counted}, in {:.2} s\n", took.as_secs_f64())
        }
        _ => format!("{states} on {} hosts: {counted}\n", hosts.len()),
    }
}

fn first_line(name: &str) -> String {
    let mut lines = name.lines();
    let first = lines.next().unwrap_or_default();
    if lines.next().is_some() { format!("{first} …") } else { first.to_owned() }
}

/// Changes as lines: a diff as it is, what was and is as `old -> new`.
fn changes(changes: &Dict) -> String {
    let mut out = String::new();
    for (key, value) in &changes.entries {
        write_change(&mut out, &plain(key), value, 0);
    }
    out
}

fn write_change(out: &mut String, key: &str, value: &Data, depth: usize) {
    let indent = "  ".repeat(depth);
    match value {
        Data::Str(text) if key == "diff" => {
            out.push_str(text.trim_end());
            out.push('\n');
        }
        Data::Str(text) if text.trim_end().contains('\n') => {
            let _ = writeln!(out, "{indent}{key}:");
            for line in text.trim_end().lines() {
                let _ = writeln!(out, "{indent}  {line}");
            }
        }
        Data::Dict(dict) => {
            if let (Some(old), Some(new), 2) = (dict.get("old"), dict.get("new"), dict.entries.len()) {
                let _ = writeln!(out, "{indent}{key}: {} -> {}", or_none(old), or_none(new));
                return;
            }
            let _ = writeln!(out, "{indent}{key}:");
            for (key, value) in &dict.entries {
                write_change(out, &plain(key), value, depth + 1);
            }
        }
        _ => {
            let _ = writeln!(out, "{indent}{key}: {}", plain(value));
        }
    }
}

fn or_none(value: &Data) -> String {
    if value.is_true() { plain(value) } else { "none".to_owned() }
}

fn plain(value: &Data) -> String {
    match value {
        Data::Str(text) => text.to_string(),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}
