//! `retry`: how often a state is repeated, and how long it waits between.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use crate::formula::{Data, Dict};

/// How a state is repeated until it comes to what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Retry {
    until: bool,
    attempts: i128,
    interval: i128,
    splay: i128,
}

const DEFAULT: Retry = Retry { until: true, attempts: 2, interval: 30, splay: 0 };

impl Retry {
    /// What a chunk says. A value of the wrong type counts as Salt's default, and so does anything but a mapping or
    /// a boolean.
    pub(super) fn of(low: &Dict) -> Option<Self> {
        let given = match low.get("retry")? {
            Data::Bool(false) => return Some(Self { attempts: 0, ..DEFAULT }),
            Data::Dict(given) => given,
            _ => return Some(DEFAULT),
        };
        let number = |key: &str, default: i128| match given.get(key) {
            Some(Data::Int(number)) => *number,
            Some(Data::Bool(number)) => i128::from(*number),
            _ => default,
        };
        let until = if let Some(Data::Bool(until)) = given.get("until") { *until } else { DEFAULT.until };
        Some(Self {
            until,
            attempts: number("attempts", DEFAULT.attempts),
            interval: number("interval", DEFAULT.interval),
            splay: number("splay", DEFAULT.splay),
        })
    }

    /// Whether a state is to be repeated after so many attempts.
    pub(super) fn is_due(self, result: Option<bool>, attempts: u32) -> bool {
        result != Some(self.until) && self.attempts > i128::from(attempts)
    }

    /// How long to wait before the next attempt.
    pub(super) fn pause(self) -> Duration {
        let splay = u64::try_from(self.splay).unwrap_or_default();
        // Chance without a generator: every such state is seeded by the system.
        let chance = RandomState::new().build_hasher().finish();
        let splay = chance.checked_rem(splay.saturating_add(1)).unwrap_or_default();
        Duration::from_secs(u64::try_from(self.interval).unwrap_or_default().saturating_add(splay))
    }

    /// What a preview adds to the comment of a state.
    pub(super) fn announce(self, comment: &str) -> String {
        let Self { until, attempts, interval, splay } = self;
        let until = spell(Some(until));
        format!(
            "{comment}  The state would be retried every {interval} seconds (with a splay of up to {splay} seconds) \
             a maximum of {attempts} times or until a result of {until} is returned"
        )
    }
}

/// What the comment says of an attempt.
pub(super) fn attempt(number: u32, result: Option<bool>, comment: &str) -> String {
    let result = spell(result);
    format!("Attempt {number}: Returned a result of \"{result}\", with the following comment: \"{comment}\"")
}

/// A result in Python's words.
fn spell(result: Option<bool>) -> &'static str {
    match result {
        None => "None",
        Some(true) => "True",
        Some(false) => "False",
    }
}
