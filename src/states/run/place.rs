//! Where a state is that has begun: it has ended, or runs beside others on a thread of its own.

use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::call::Called;
use super::{How, Ran, State};
use crate::states::Return;

/// What became of a state so far.
pub(super) enum Place<'s> {
    Ended(Ran),
    UnderWay(UnderWay<'s>),
}

/// A state that runs beside others.
pub(super) struct UnderWay<'s> {
    pub(super) number: usize,
    pub(super) state: State,
    pub(super) began: Began,
    /// Says what it came to and how long that took.
    pub(super) thread: ScopedJoinHandle<'s, (Called, Duration)>,
}

/// When a state began, by the clock and for measuring.
#[derive(Clone, Copy)]
pub(super) struct Began(Timestamp, Instant);

impl Place<'_> {
    pub(super) fn as_ended(&self) -> Option<&Ran> {
        match self {
            Self::Ended(ran) => Some(ran),
            Self::UnderWay(_) => None,
        }
    }

    /// What became of it; waits for it if it is under way.
    pub(super) fn ended(self) -> Ran {
        let UnderWay { number, state, began, thread } = match self {
            Self::Ended(ran) => return ran,
            Self::UnderWay(under_way) => under_way,
        };
        let (called, took) = thread.join().unwrap_or_else(|_| {
            let ret = Return { result: Some(false), ..Return::unchanged("Parallel process failed to return") };
            (Called { ret, how: How::Ran }, began.elapsed())
        });
        Ran { took, ..began.ran(number, state, called) }
    }
}

impl Began {
    #[expect(clippy::disallowed_methods, reason = "a state says when it began by the clock of its host")]
    pub(super) fn now() -> Self {
        Self(Timestamp::now(), Instant::now())
    }

    pub(super) fn elapsed(self) -> Duration {
        self.1.elapsed()
    }

    pub(super) fn ran(self, number: usize, state: State, called: Called) -> Ran {
        let Called { ret, how } = called;
        Ran { number, state, how, ret, started: self.0, took: self.elapsed() }
    }
}
