//! Whether a unit that did not come through is tried again, and when.

use jiff::{SignedDuration, Timestamp};

use crate::engine::state::{RunState, Stopping};
use crate::model::plan::Plan;
use crate::model::record::End;
use crate::model::{Outcome, Slot, UnitKey};

/// The longest time between two tries.
const LONGEST: SignedDuration = SignedDuration::from_mins(5);

/// When the next try of a unit starts that ended like this; `None` when there is none.
///
/// A step that was cut off is tried again only where the pipeline says that it may run twice. Putting
/// a host back may always run twice, so it always is.
#[must_use]
pub fn retry_at(
    plan: &Plan,
    state: &RunState,
    unit: UnitKey,
    attempt: u16,
    end: &End,
    now: Timestamp,
) -> Option<Timestamp> {
    if !end.outcome.is_failure() {
        return None;
    }
    let step = plan.step(unit);
    let host = &state.stages[usize::from(unit.stage)].hosts[unit.host as usize];
    let is_step = matches!(unit.slot, Slot::Step(_));
    if is_step && (host.cut.is_some() || state.stopping == Some(Stopping::Abort)) {
        return None;
    }
    let interrupted = end.outcome == Outcome::Interrupted;
    let tries = attempt - host.base;
    let retries = match (interrupted, is_step) {
        (true, true) if !step.retry_interrupted => 0,
        (true, _) => step.retries.max(1),
        (false, _) => step.retries,
    };
    if tries > retries {
        return None;
    }
    let doublings = u32::from(tries - 1).min(16);
    let delay = if interrupted { SignedDuration::ZERO } else { step.retry_delay.saturating_mul(1 << doublings) };
    now.checked_add(delay.min(LONGEST)).ok()
}
