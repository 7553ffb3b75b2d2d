//! A run in no time: the same decision, over hosts that answer with drawn durations.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use jiff::{SignedDuration, Timestamp};

use crate::engine::retry::retry_at;
use crate::engine::schedule::decide;
use crate::engine::state::RunState;
use crate::model::plan::Plan;
use crate::model::record::End;
use crate::model::{Record, UnitKey, Verdict};

/// Units of hosts that do not exist, by when they end.
#[derive(Debug, Default)]
pub struct Due {
    heap: BinaryHeap<Reverse<Ending>>,
    removed: HashSet<(UnitKey, u16)>,
}

/// A unit that ends, ordered by when, and then by which it is, so that every run of a plan is the same.
#[derive(Debug)]
struct Ending {
    at: Timestamp,
    unit: UnitKey,
    attempt: u16,
    end: End,
}

impl Ending {
    fn key(&self) -> (Timestamp, UnitKey, u16) {
        (self.at, self.unit, self.attempt)
    }
}

impl Ord for Ending {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Ending {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ending {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Ending {}

impl Due {
    /// Adds a unit that ends at that time in that way.
    pub fn add(&mut self, at: Timestamp, unit: UnitKey, attempt: u16, end: End) {
        self.heap.push(Reverse(Ending { at, unit, attempt, end }));
    }

    /// When the next unit ends.
    #[must_use]
    pub fn next_at(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse(ending)| ending.at)
    }

    /// Takes a unit that has ended by now.
    pub fn take(&mut self, now: Timestamp) -> Option<(UnitKey, u16, End)> {
        while self.next_at().is_some_and(|at| at <= now) {
            let Reverse(Ending { unit, attempt, end, .. }) = self.heap.pop()?;
            if self.removed.is_empty() || !self.removed.remove(&(unit, attempt)) {
                return Some((unit, attempt, end));
            }
        }
        None
    }

    /// Ends a unit before its time: nothing more comes of it.
    pub fn remove(&mut self, unit: UnitKey, attempt: u16) {
        self.removed.insert((unit, attempt));
    }
}

/// How a simulated run came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outlook {
    /// When it ended, or when nothing more could happen without a person.
    pub end: Timestamp,
    /// When the stage that was current at the start ended.
    pub stage_end: Timestamp,
    /// How it ended; `None` when it waits for a person.
    pub verdict: Option<Verdict>,
}

/// Carries a run on from a state to its end, with durations and ends from `draw`.
///
/// `watch` sees every record before it is applied.
pub fn simulate(
    plan: &Plan,
    state: &mut RunState,
    start: Timestamp,
    mut draw: impl FnMut(UnitKey, u16) -> (SignedDuration, End),
    mut watch: impl FnMut(&RunState, Timestamp, &Record),
) -> Outlook {
    let mut now = start;
    let mut due = Due::default();
    let add = |due: &mut Due, since: Timestamp, now: Timestamp, unit, attempt, (took, end): (SignedDuration, End)| {
        due.add(since.saturating_add(took).unwrap_or(Timestamp::MAX).max(now), unit, attempt, end);
    };
    let running: Vec<_> = state.running().collect();
    for (unit, attempt, since) in running {
        add(&mut due, since, now, unit, attempt, draw(unit, attempt));
    }
    let first = state.current;
    let mut stage_end = None;
    loop {
        let decision = decide(plan, state, now);
        let idle = decision.records.is_empty();
        for record in decision.records {
            watch(state, now, &record);
            if let Record::UnitStarted { unit, attempt } = record {
                add(&mut due, now, now, unit, attempt, draw(unit, attempt));
            }
            state.apply(now, &record).unwrap_or_else(|error| unreachable!("decided an illegal record: {error}"));
        }
        if state.current != first {
            stage_end.get_or_insert(now);
        }
        if !idle {
            continue;
        }
        let next = [due.next_at(), decision.wake_at].into_iter().flatten().min();
        let Some(next) = next.filter(|_| state.verdict.is_none()) else {
            return Outlook { end: now, stage_end: stage_end.unwrap_or(now), verdict: state.verdict };
        };
        now = now.max(next);
        while let Some((unit, attempt, end)) = due.take(now) {
            let retry_at = retry_at(plan, state, unit, attempt, &end, now);
            let record = Record::UnitEnded { unit, attempt, end, retry_at };
            watch(state, now, &record);
            state.apply(now, &record).unwrap_or_else(|error| unreachable!("a unit ended twice: {error}"));
        }
    }
}
