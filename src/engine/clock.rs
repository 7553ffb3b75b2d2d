//! The one place that reads the time.
//!
//! A run's clock starts at the real time and may then go faster: the journal, the pace and the
//! windows all live on it. It never goes backwards, whatever the machine's clock does.

#![expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Zoned};

use crate::model::record::between;

/// A run's clock.
#[derive(Debug, Clone)]
pub struct Clock {
    /// What it shows when it was last looked at.
    last: Timestamp,
    motion: Motion,
}

#[derive(Debug, Clone)]
enum Motion {
    /// Real time since the run was opened, times a factor.
    Steady { opened_at: Timestamp, scale: f64 },
    /// It stands still until there is something to wait for, and then is there at once.
    Jumping,
}

impl Clock {
    /// A clock for a run that was opened at `opened_at`, and whose last record, if there is one, is
    /// of `last`. Without a scale it jumps.
    #[must_use]
    pub fn new(opened_at: Timestamp, last: Timestamp, time_scale: Option<f64>) -> Self {
        let motion = time_scale.map_or(Motion::Jumping, |scale| Motion::Steady { opened_at, scale });
        Self { last, motion }
    }

    /// The time now.
    pub fn now(&mut self) -> Timestamp {
        if let Motion::Steady { opened_at, scale } = self.motion {
            let real = between(opened_at, Timestamp::now());
            self.last = self.last.max(opened_at.saturating_add(times(real, scale)).unwrap_or(Timestamp::MAX));
        }
        self.last
    }

    /// How long to sleep until then; `None` when the clock has jumped there already.
    pub fn sleep(&mut self, until: Timestamp) -> Option<Duration> {
        match self.motion {
            Motion::Steady { scale, .. } => {
                let left = times(between(self.now(), until), 1.0 / scale);
                Some(Duration::try_from(left).unwrap_or_default())
            }
            Motion::Jumping => {
                self.last = self.last.max(until);
                None
            }
        }
    }

    /// Whether it stands still while nothing is waited for.
    #[must_use]
    pub fn is_jumping(&self) -> bool {
        matches!(self.motion, Motion::Jumping)
    }
}

fn times(duration: SignedDuration, factor: f64) -> SignedDuration {
    if (factor - 1.0).abs() < f64::EPSILON {
        return duration;
    }
    SignedDuration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(SignedDuration::MAX)
}

/// The real time now.
#[must_use]
pub fn real_now() -> Timestamp {
    Timestamp::now()
}

/// The real time now, in the time zone of this machine.
#[must_use]
pub fn local_now() -> Zoned {
    Zoned::now()
}
