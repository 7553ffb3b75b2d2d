//! The one place that reads the time.
//!
//! A run's clock starts at the real time and may then go faster: the journal, the pace and the
//! windows all live on it. It never goes backwards, whatever the machine's clock does.

#![expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Zoned};

use crate::model::record::between;

/// The longest sleep: a machine may have slept meanwhile, which timers do not count.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// A run's clock.
#[derive(Debug, Clone)]
pub struct Clock {
    /// What it shows when it was last looked at.
    last: Timestamp,
    motion: Motion,
}

#[derive(Debug, Clone)]
enum Motion {
    /// So much run time passes in a second since the session began.
    Steady { began: Timestamp, since_boot: Duration, scale: f64 },
    /// It stands still until there is something to wait for, and then is there at once.
    Jumping,
}

impl Clock {
    /// A clock for a session that began `really` then, when the run's last record was of `last`.
    ///
    /// In a run that keeps real time, the time between two sessions passes; in any other it does not.
    /// Without a scale the clock jumps.
    #[must_use]
    pub fn new(last: Timestamp, really: Timestamp, time_scale: Option<f64>) -> Self {
        let motion = time_scale.map_or(Motion::Jumping, |scale| {
            let began = if is_real(scale) { really.max(last) } else { last };
            let ago = Duration::try_from(between(really, Timestamp::now())).unwrap_or_default();
            Motion::Steady { began, since_boot: since_boot().saturating_sub(ago), scale }
        });
        Self { last, motion }
    }

    /// The time now.
    pub fn now(&mut self) -> Timestamp {
        if let Motion::Steady { began, since_boot: start, scale } = self.motion {
            // The time since the machine started counts its sleep too, and nobody can set it.
            let elapsed = SignedDuration::try_from(since_boot().saturating_sub(start)).unwrap_or(SignedDuration::MAX);
            let passed = began.saturating_add(times(elapsed, scale)).unwrap_or(Timestamp::MAX);
            self.last = self.last.max(passed);
            if is_real(scale) {
                // A window is a promise in the time of day: a clock that was set forward counts.
                self.last = self.last.max(Timestamp::now());
            }
        }
        self.last
    }

    /// How long to sleep until then, or until it is worth looking again; `None` when the clock has
    /// jumped there already.
    pub fn sleep(&mut self, until: Timestamp) -> Option<Duration> {
        match self.motion {
            Motion::Steady { scale, .. } => {
                let left = times(between(self.now(), until), 1.0 / scale);
                Some(Duration::try_from(left).unwrap_or_default().min(LONGEST_SLEEP))
            }
            Motion::Jumping => {
                self.last = self.last.max(until);
                None
            }
        }
    }

    /// How far it goes in a time that somebody else has measured.
    #[must_use]
    pub fn of_real(&self, time: SignedDuration) -> SignedDuration {
        match self.motion {
            Motion::Steady { scale, .. } => times(time, scale),
            Motion::Jumping => time,
        }
    }

    /// Whether it stands still while nothing is waited for.
    #[must_use]
    pub fn is_jumping(&self) -> bool {
        matches!(self.motion, Motion::Jumping)
    }
}

fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(time).unwrap_or_default()
}

fn is_real(scale: f64) -> bool {
    (scale - 1.0).abs() < f64::EPSILON
}

fn times(duration: SignedDuration, factor: f64) -> SignedDuration {
    if is_real(factor) {
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
