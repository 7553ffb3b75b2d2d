//! Which steps a run carried out, as far as its journal tells: what a rollback takes back.

use std::collections::{HashMap, HashSet};

use crate::model::plan::{Action, Plan};
use crate::model::record::Entry;
use crate::model::{Outcome, Record, Slot, UnitKey};

/// The steps that a run may have changed something with.
///
/// A step that was cut off, or that failed, may have. One that was not needed has not.
#[derive(Debug, Default)]
pub struct Done {
    tries: HashMap<UnitKey, u32>,
    /// Steps that came through in one of their tries.
    through: HashSet<UnitKey>,
}

impl Done {
    /// Reads them from a journal.
    pub fn of<'e>(entries: impl IntoIterator<Item = &'e Entry>) -> Self {
        let mut tries: HashMap<UnitKey, u32> = HashMap::new();
        let mut through = HashSet::new();
        for entry in entries {
            match &entry.record {
                Record::UnitStarted { unit, .. } => *tries.entry(*unit).or_default() += 1,
                Record::UnitEnded { unit, end, .. } if !end.outcome.is_failure() => {
                    through.insert(*unit);
                    if end.outcome == Outcome::Unchanged {
                        tries.entry(*unit).and_modify(|tries| *tries = tries.saturating_sub(1));
                    }
                }
                _ => {}
            }
        }
        tries.retain(|_, tries| *tries > 0);
        Self { tries, through }
    }

    /// Whether a step of a stage was carried out on a host: the stage, the host's place in it, the step.
    #[must_use]
    pub fn has(&self, plan: &Plan, stage: usize, place: usize, step: usize) -> bool {
        let (Ok(stage), Ok(host), Ok(step)) = (stage.try_into(), place.try_into(), step.try_into()) else {
            return false;
        };
        let unit = UnitKey { stage, host, slot: Slot::Step(step) };
        // A backup that did not come through is none, and there is nothing to restore.
        let has_to_be_whole = matches!(plan.unit(unit).action, Action::Backup(_));
        self.tries.contains_key(&unit) && (!has_to_be_whole || self.through.contains(&unit))
    }
}
