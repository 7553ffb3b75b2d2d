//! What a reporter knows of a run: the fold of its records, and signs of life between them.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::engine::news::News;
use crate::engine::state::RunState;
use crate::model::probe::Standing;
use crate::model::record::Entry;
use crate::model::{Command, Outline, Record, UnitKey};

/// A run as one reporter sees it.
///
/// The records alone say how far the run is; what is heard between them only says that something
/// is alive.
#[derive(Debug, Clone)]
pub struct Watch {
    /// The run's id.
    pub run: String,
    /// Where the run stands.
    pub state: RunState,
    /// When it was resumed, if it was.
    pub resumed_at: Option<Timestamp>,
    /// When the last record was written.
    pub last_at: Timestamp,
    /// When the current stage and the run are expected to end.
    pub expected: Option<Expected>,
    /// How many hosts answered so far, of how many, while they are contacted.
    pub contacted: Option<(usize, usize)>,
    /// Until when nothing is due, when nothing is under way.
    pub idle_until: Option<Timestamp>,
    /// How the probes stand; empty while nothing was heard of them.
    pub probes: Vec<Standing>,
    /// What the gate asks that waits for a person.
    pub gate: Option<String>,
    signs: HashMap<UnitKey, Sign>,
}

/// When things are expected to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// The current stage.
    pub stage: Timestamp,
    /// The run.
    pub run: Timestamp,
}

/// The last that was heard of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign {
    /// When.
    pub at: Timestamp,
    /// The last line it wrote.
    pub line: Option<String>,
}

impl Watch {
    /// A run of this outline, as far as these records go.
    #[must_use]
    pub fn new(outline: Arc<Outline>, entries: &[Entry]) -> Self {
        let mut watch = Self {
            run: String::new(),
            state: RunState::new(outline),
            resumed_at: None,
            last_at: Timestamp::MIN,
            expected: None,
            contacted: None,
            idle_until: None,
            probes: Vec::new(),
            gate: None,
            signs: HashMap::new(),
        };
        for entry in entries {
            watch.record(entry);
        }
        watch
    }

    /// Takes in what the engine told; `now` is the run's time.
    pub fn take(&mut self, news: &News, now: Timestamp) {
        match news {
            News::Committed(committed) => self.record(&committed.entry),
            News::Output { unit, line } => self.heard(*unit, now, Some(line.clone())),
            News::Expected { stage, run } => self.expected = Some(Expected { stage: *stage, run: *run }),
            News::Contacted { answered, of } => self.contacted = Some((*answered, *of)),
            News::Probes(standings) => self.probes.clone_from(standings),
            News::Idle { until } => self.idle_until = Some(*until),
            News::Gate { question } => self.gate = Some(question.clone()),
            News::Notice(_) => {}
        }
    }

    /// Takes in a sign of life of a unit. A line that is missing leaves the one before.
    pub fn heard(&mut self, unit: UnitKey, at: Timestamp, line: Option<String>) {
        let sign = self.signs.entry(unit).or_insert_with(|| Sign { at, line: None });
        sign.at = sign.at.max(at);
        if line.is_some() {
            sign.line = line;
        }
    }

    /// The last that was heard of a unit that is under way.
    #[must_use]
    pub fn sign(&self, unit: UnitKey) -> Option<&Sign> {
        self.signs.get(&unit)
    }

    /// Takes in a record. The engine has applied it before it told anybody, so that one which cannot
    /// follow is never met; were it, a screen is no reason to end a run.
    pub fn record(&mut self, entry: &Entry) {
        self.last_at = self.last_at.max(entry.at);
        if self.state.apply(entry.at, &entry.record).is_err() {
            return;
        }
        match &entry.record {
            Record::Opened(opened) => self.run.clone_from(&opened.run),
            Record::Resumed { .. } => {
                self.resumed_at = Some(entry.at);
                self.expected = None;
                self.gate = None;
            }
            Record::UnitStarted { unit, .. } => {
                self.signs.remove(unit);
                self.idle_until = None;
            }
            Record::UnitEnded { unit, .. } => {
                self.signs.remove(unit);
                self.gate = None;
            }
            Record::Ordered { command: Command::Pass | Command::Refuse, .. } | Record::Ended { .. } => {
                self.gate = None;
            }
            _ => {}
        }
    }
}
