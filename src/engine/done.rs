//! Which steps a run carried out, as far as its journal tells: what a rollback takes back.

use std::collections::HashMap;

use crate::model::record::Entry;
use crate::model::{Outcome, Record, Slot, UnitKey};

/// The steps that a run may have changed something with.
///
/// A step that was cut off, or that failed, may have. One that was not needed has not.
#[derive(Debug, Default)]
pub struct Done(HashMap<UnitKey, u32>);

impl Done {
    /// Reads them from a journal.
    pub fn of<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Self {
        let mut tries: HashMap<UnitKey, u32> = HashMap::new();
        for entry in entries {
            match &entry.record {
                Record::UnitStarted { unit, .. } => *tries.entry(*unit).or_default() += 1,
                Record::UnitEnded { unit, end, .. } if end.outcome == Outcome::Unchanged => {
                    tries.entry(*unit).and_modify(|tries| *tries = tries.saturating_sub(1));
                }
                _ => {}
            }
        }
        tries.retain(|_, tries| *tries > 0);
        Self(tries)
    }

    /// Whether a step of a stage was carried out on a host: the stage, the host's place in it, the step.
    #[must_use]
    pub fn has(&self, stage: usize, place: usize, step: usize) -> bool {
        let (Ok(stage), Ok(host), Ok(step)) = (stage.try_into(), place.try_into(), step.try_into()) else {
            return false;
        };
        self.0.contains_key(&UnitKey { stage, host, slot: Slot::Step(step) })
    }
}
