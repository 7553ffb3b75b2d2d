//! Writes down what becomes of states while they run: lines for people, and every return in full.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::agent::spool::Groups;
use crate::agent::step::Carrying;
use crate::formula::{Data, Dict};
use crate::model::secrets::Secrets;
use crate::states::Listener;
use crate::states::Return;
use crate::states::run::{Progress, Ran, State};

/// Hears what becomes of states. No secret gets past it.
#[derive(Debug)]
pub struct Recorder {
    /// Lines for people.
    output: Mutex<File>,
    /// The returns, a JSON object a line.
    returns: Mutex<File>,
    groups: Groups,
    secrets: Secrets,
    stop: Arc<AtomicBool>,
}

impl Recorder {
    /// Writes to the files of a step. Once `stop` is true, everything is to end.
    pub(super) fn new(step: &Carrying, secrets: Secrets, stop: Arc<AtomicBool>) -> io::Result<Self> {
        Ok(Self {
            output: Mutex::new(step.output()?),
            returns: Mutex::new(step.folder.open_returns()?),
            groups: step.groups(),
            secrets,
            stop,
        })
    }

    /// Text without secrets.
    pub(super) fn redacted(&self, text: &str) -> String {
        self.secrets.redact(text).into_owned()
    }

    /// Writes a line. That a full disk has no room for it is no failure of a state.
    fn say(&self, line: &str) {
        let line = format!("{}\n", self.secrets.redact(line));
        let mut output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = output.write_all(line.as_bytes());
    }
}

impl Listener for Recorder {
    fn output(&self, line: &str) {
        self.say(&format!("      | {line}"));
    }

    fn started(&self, group: u32) {
        self.groups.add(group);
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl Progress for Recorder {
    fn began(&self, at: usize, of: usize, state: &State) {
        let name = state.name.lines().next().unwrap_or_default();
        self.say(&format!("{at}/{of} {}.{} {name}", state.module, state.function));
    }

    fn ended(&self, ran: &Ran) {
        let ret = &ran.ret;
        let what = match ret.result {
            Some(true) if ret.changes.entries.is_empty() => None,
            Some(true) => Some("changed"),
            Some(false) => Some("failed"),
            None => Some("would change"),
        };
        if let Some(what) = what {
            let comment = ret.comment.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
            self.say(&format!("      {what}: {comment}"));
        }
        if let Ok(line) = serde_json::to_vec(&without_secrets(ran, &self.secrets)) {
            let mut returns = self.returns.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = returns.write_all(&line).and_then(|()| returns.write_all(b"\n"));
        }
    }
}

/// How many states came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub states: usize,
    /// Those that changed something, or would.
    pub changed: usize,
    /// Those that failed.
    pub failed: usize,
}

impl Tally {
    /// Counts returns.
    pub fn of<'a>(ran: impl IntoIterator<Item = &'a Ran>) -> Self {
        let mut tally = Self::default();
        for ran in ran {
            tally.states += 1;
            tally.failed += usize::from(ran.is_failed());
            tally.changed += usize::from(ran.ret.result.is_none() || ran.is_changed());
        }
        tally
    }
}

/// What became of a state, for others to see.
#[must_use]
pub fn without_secrets(ran: &Ran, secrets: &Secrets) -> Ran {
    let Ran { state, ret, .. } = ran;
    let text = |text: &str| secrets.redact(text).into_owned();
    let changes = match redacted(&Data::from(ret.changes.clone()), secrets) {
        Data::Dict(changes) => Arc::unwrap_or_clone(changes),
        _ => Dict::default(),
    };
    Ran {
        state: State { id: text(&state.id), name: text(&state.name), ..state.clone() },
        ret: Return { changes, comment: text(&ret.comment), ..ret.clone() },
        ..ran.clone()
    }
}

/// A value without secrets.
fn redacted(data: &Data, secrets: &Secrets) -> Data {
    match data {
        Data::Str(text) => secrets.redact(text).into_owned().into(),
        Data::List(items) => items.iter().map(|item| redacted(item, secrets)).collect(),
        Data::Dict(dict) => {
            let entries = dict.entries.iter().map(|(key, value)| match (key.as_str(), value) {
                (Some("diff"), Data::Str(diff)) => (key.clone(), secrets.redact_diff(diff).into()),
                _ => (redacted(key, secrets), redacted(value, secrets)),
            });
            let mut shown: Dict = entries.collect();
            shown.is_ordered = dict.is_ordered;
            shown.into()
        }
        other => other.clone(),
    }
}
