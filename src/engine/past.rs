//! What earlier runs of a pipeline teach: how long its steps took, and where its pulls left off.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::journal::{Journal, Runs};
use crate::model::record::between;
use crate::model::{History, Outcome, Record, Slot};

/// How many runs back are looked at.
const RUNS: usize = 10;

/// Learns from the newest runs of a pipeline; `simulated` and real runs teach nothing about each other.
///
/// A run that cannot be read teaches nothing and is no obstacle.
#[must_use]
pub fn learn(runs: &Runs, pipeline: &str, simulated: bool) -> History {
    let mut history = History::default();
    let named = |run: &crate::journal::Run| run.id.contains(pipeline);
    let journals = runs.list().unwrap_or_default().into_iter().rev().filter(named).filter_map(|run| run.read().ok());
    let same = |journal: &Journal| {
        let opened = &journal.opened;
        let real_time = simulated || opened.time_scale == Some(1.0);
        opened.plan.pipeline == pipeline && opened.plan.simulated == simulated && real_time
    };
    let mut journals: Vec<_> = journals.filter(same).take(RUNS).collect();
    journals.reverse();
    for journal in &journals {
        add(&mut history, journal);
    }
    history
}

fn add(history: &mut History, journal: &Journal) {
    let mut started: HashMap<_, Timestamp> = HashMap::new();
    for entry in &journal.entries {
        match &entry.record {
            Record::UnitStarted { unit, attempt } => {
                started.insert((*unit, *attempt), entry.at);
            }
            Record::UnitEnded { unit, attempt, end, .. } => {
                if let Some(pulled) = &end.pulled {
                    history.pulled.insert((pulled.repo.clone(), pulled.into.clone()), pulled.commit.clone());
                }
                // A step that had nothing to do, which its note says, tells nothing about one that has.
                let came_through = match end.outcome {
                    Outcome::Changed => true,
                    Outcome::Unchanged => end.note.is_none(),
                    _ => false,
                };
                let Some(since) = started.remove(&(*unit, *attempt)).filter(|_| came_through) else { continue };
                let stage = &journal.outline.stages[usize::from(unit.stage)];
                let title = &stage.steps[unit.slot.step()];
                let title = match unit.slot {
                    Slot::Step(_) => title.clone(),
                    Slot::Always(_) => format!("put back: {title}"),
                };
                history.add(&stage.name, &title, between(since, entry.at));
            }
            _ => {}
        }
    }
}
