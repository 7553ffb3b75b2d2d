//! A unit: one step on one host, and how it can end.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How a try of a unit ended, and what a host came to.
///
/// Ordered by severity: a host's state is the worst of its units' outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing had to be done.
    Unchanged,
    /// It was done.
    Changed,
    /// It was left out, because a person or an earlier failure said so.
    Skipped,
    /// It was cut off and nobody knows how far it came.
    Interrupted,
    /// The host stopped answering.
    Unreachable,
    /// It was still going when its time was over, and was ended.
    TimedOut,
    /// It said that it failed.
    Failed,
}

impl Outcome {
    /// Every outcome, in order of severity.
    pub const ALL: [Self; 7] = [
        Self::Unchanged,
        Self::Changed,
        Self::Skipped,
        Self::Interrupted,
        Self::Unreachable,
        Self::TimedOut,
        Self::Failed,
    ];

    /// Whether a host that ends like this counts against a failure budget.
    #[must_use]
    pub fn is_failure(self) -> bool {
        self >= Self::Interrupted
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Skipped => "skipped",
            Self::Interrupted => "interrupted",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed out",
            Self::Failed => "failed",
        })
    }
}

/// Which action of a step a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// The step itself, by its place in the stage.
    Step(u16),
    /// What puts the host back after the step with that place, whatever happened.
    Always(u16),
}

impl Slot {
    /// The place in the stage of the step that this belongs to.
    #[must_use]
    pub fn step(self) -> usize {
        match self {
            Self::Step(step) | Self::Always(step) => usize::from(step),
        }
    }
}

/// Names a unit within a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitKey {
    /// The stage's place in the plan.
    pub stage: u16,
    /// The host's place in the stage.
    pub host: u32,
    /// Which action.
    pub slot: Slot,
}
