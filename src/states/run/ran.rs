//! What became of every state.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::states::Return;

/// One state of a low state, by what Salt tells it from the others.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct State {
    /// The SLS that it comes from.
    pub sls: String,
    /// Its ID there. That of a listener begins with `listener_`.
    pub id: String,
    /// `file` of `file.managed`.
    pub module: String,
    /// `managed` of `file.managed`; `mod_watch` of a listener.
    pub function: String,
    /// What it is about: a path, a package, a command.
    pub name: String,
}

impl State {
    /// The key under which Salt reports it.
    #[must_use]
    pub fn tag(&self) -> String {
        format!("{}_|-{}_|-{}_|-{}", self.module, self.id, self.name, self.function)
    }
}

/// What became of one state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ran {
    /// Salt's `__run_num__`: states end in this order. Attempts that were repeated leave gaps.
    pub number: usize,
    /// Which one it is.
    pub state: State,
    /// How it came to what it returned.
    pub how: How,
    /// What it came to.
    pub ret: Return,
    /// When it began.
    pub started: Timestamp,
    /// How long it took with all its attempts.
    pub took: Duration,
}

/// How a state came to what it returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Its function ran.
    Ran,
    /// Its function found nothing to change; then it did what it does when something that it watches has changed.
    Watched,
    /// At the end, something that it listens to had changed.
    Listened,
    /// `unless`, `onlyif` or `creates` said that it need not run.
    Conditioned,
    /// A requisite failed or is not there, so it did not run, and counts as failed.
    Held,
    /// Nothing would change in what it is a `prereq` of, so it did not run.
    Idle,
    /// Nothing changed, or failed, that its `onchanges` or `onfail` waits for, so it did not run.
    Untriggered,
    /// Its turn never came: a state failed hard, or everything was to stop.
    NotRun,
}

impl Ran {
    /// Whether it failed. One whose turn never came did not.
    #[must_use]
    pub fn is_failed(&self) -> bool {
        self.how != How::NotRun && self.ret.result == Some(false)
    }

    /// Whether it changed something, or would.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        !self.ret.changes.entries.is_empty()
    }
}
