//! When a step has to end early: its time is over, or somebody said so.
//!
//! Whatever a step waits for, it waits through a [`Watch`], so that no step outlasts its timeout or
//! misses an abort.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use jiff::SignedDuration;

use crate::agent::spool::Folder;
use crate::model::Outcome;
use crate::model::record::End;

/// Time between two looks for an abort.
const GLANCE: Duration = Duration::from_millis(100);

/// Why a step ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    TimedOut,
    Aborted,
}

/// The timeout and the abort of one step.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    since: Instant,
    timeout: SignedDuration,
    folder: Folder,
}

impl Watch {
    /// Starts the step's time.
    pub(super) fn new(timeout: SignedDuration, folder: Folder) -> Self {
        Self { since: Instant::now(), timeout, folder }
    }

    /// Why the step has to end now; `None` when it may go on.
    pub(super) fn stop(&self) -> Option<Stop> {
        if self.folder.is_aborted() {
            Some(Stop::Aborted)
        } else if self.left().is_zero() {
            Some(Stop::TimedOut)
        } else {
            None
        }
    }

    /// The time that is left.
    pub(super) fn left(&self) -> Duration {
        Duration::try_from(self.timeout).unwrap_or_default().saturating_sub(self.since.elapsed())
    }

    /// How a step ends that was stopped; `saw` is what a person should know besides.
    pub(super) fn end(&self, stop: Stop, saw: Option<&str>) -> End {
        let saw = saw.map(|saw| format!(": {saw}")).unwrap_or_default();
        match stop {
            Stop::TimedOut => End::noted(Outcome::TimedOut, format!("not done after {:#}{saw}", self.timeout)),
            Stop::Aborted => End::noted(Outcome::Interrupted, format!("aborted{saw}")),
        }
    }

    /// Waits for a value, for at most `limit`, calling `tick` now and then.
    pub(super) fn receive<T>(&self, from: &Receiver<T>, limit: Duration, mut tick: impl FnMut()) -> Received<T> {
        let begun = Instant::now();
        loop {
            let left = limit.saturating_sub(begun.elapsed());
            match from.recv_timeout(GLANCE.min(left).min(self.left())) {
                Ok(value) => return Received::Value(value),
                Err(RecvTimeoutError::Disconnected) => return Received::Nothing,
                Err(RecvTimeoutError::Timeout) => {}
            }
            tick();
            if let Some(stop) = self.stop() {
                return Received::Stop(stop);
            }
            if begun.elapsed() >= limit {
                return Received::Overdue;
            }
        }
    }

    /// Sleeps; whether the step has to end meanwhile.
    pub(super) fn sleep(&self, time: Duration) -> Option<Stop> {
        let begun = Instant::now();
        while begun.elapsed() < time {
            if let Some(stop) = self.stop() {
                return Some(stop);
            }
            std::thread::sleep(GLANCE.min(time.saturating_sub(begun.elapsed())).min(self.left()));
        }
        self.stop()
    }
}

/// What came of waiting for a value.
pub(super) enum Received<T> {
    /// It.
    Value(T),
    /// The sender is gone.
    Nothing,
    /// The step has to end.
    Stop(Stop),
    /// The limit is over.
    Overdue,
}
