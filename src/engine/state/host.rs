//! Where a host stands in a stage.

use jiff::Timestamp;

use crate::model::{Outcome, Slot};

/// Where a host stands in a stage.
#[derive(Debug, Clone, Default)]
pub struct HostState {
    /// What it is doing.
    pub phase: Phase,
    /// The next step to look at.
    pub cursor: u16,
    /// Steps before this one have come through at least once.
    pub reached: u16,
    /// The step whose `always` ran last; they run from the last step to the first.
    pub put_back: Option<u16>,
    /// Why its remaining steps are left out.
    pub cut: Option<Outcome>,
    /// Whether an `always` did not come through.
    pub stuck: bool,
    /// Tries used before this taking up; attempts are numbered on from here.
    pub base: u16,
    /// The highest attempt number used.
    pub highest: u16,
    /// Things changed.
    pub changes: u32,
    /// Whether a step changed anything.
    pub changed: bool,
    /// Tries beyond the first of a step.
    pub retries: u32,
    /// When it first started.
    pub started_at: Option<Timestamp>,
    /// When it last ended.
    pub ended_at: Option<Timestamp>,
    /// What the last unit that did not come through said.
    pub note: Option<String>,
    /// The unit that cut it short, or left it stuck.
    pub failed_at: Option<Slot>,
}

/// What a host is doing in a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// It has not started, or is to be taken up again.
    #[default]
    Waiting,
    /// Between two units, or settling.
    Idle {
        /// Since when.
        since: Timestamp,
    },
    /// A unit is under way.
    Running {
        /// Which.
        slot: Slot,
        /// Which try.
        attempt: u16,
        /// Since when.
        since: Timestamp,
    },
    /// A unit is tried again later.
    Retrying {
        /// Which.
        slot: Slot,
        /// The try to come.
        attempt: u16,
        /// When.
        at: Timestamp,
    },
    /// The stage is done with it.
    Ended(Outcome),
}

impl HostState {
    /// Whether a stage has it in hand.
    pub(super) fn is_under_way(&self) -> bool {
        !matches!(self.phase, Phase::Waiting | Phase::Ended(_))
    }
}
