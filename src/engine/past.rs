//! What earlier runs of a pipeline teach: how long its steps took, and where its pulls left off.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::journal::{Journal, Runs};
use crate::model::plan::undo_title;
use crate::model::record::{Entry, between};
use crate::model::{History, Outcome, Plan, Record, Slot, UnitKey};

/// How many runs back are looked at.
const RUNS: usize = 10;

/// Learns from the newest runs of a pipeline and from the newest that took one back; `simulated` and real runs teach
/// nothing about each other.
///
/// A run that cannot be read teaches nothing and is no obstacle.
#[must_use]
pub fn learn(runs: &Runs, pipeline: &str, simulated: bool) -> History {
    let mut history = History::default();
    for pipeline in [pipeline, &format!("{pipeline}-rollback")] {
        let named = |run: &crate::journal::Run| run.id.contains(pipeline);
        let journals =
            runs.list().unwrap_or_default().into_iter().rev().filter(named).filter_map(|run| run.read().ok());
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
    }
    history
}

fn add(history: &mut History, journal: &Journal) {
    for Ended { unit, took, record } in ended(&journal.entries) {
        let Record::UnitEnded { end, .. } = record else { continue };
        if let Some(pulled) = &end.pulled {
            history.pulled.insert((pulled.repo.clone(), pulled.into.clone()), pulled.commit.clone());
        }
        let stage = &journal.outline.stages[usize::from(unit.stage)];
        let title = &stage.steps[unit.slot.step()];
        if let Some(takes) = end.undo_takes() {
            history.add(&stage.name, &undo_title(title), takes);
        }
        // A rollback has nothing to do on a host that never came to what it takes back on others.
        let is_undo = *title == undo_title(title.trim_start_matches("undo "));
        if let Some(took) = took.filter(|_| !is_undo || end.outcome == Outcome::Changed) {
            match unit.slot {
                Slot::Step(_) => history.add(&stage.name, title, took),
                Slot::Always(_) => history.add(&stage.name, &format!("put back: {title}"), took),
            }
        }
    }
}

/// A unit's try that ended, and how long it took if it came through.
struct Ended<'a> {
    unit: UnitKey,
    took: Option<SignedDuration>,
    record: &'a Record,
}

fn ended(entries: &[Entry]) -> impl Iterator<Item = Ended<'_>> {
    let mut started: HashMap<_, Timestamp> = HashMap::new();
    entries.iter().filter_map(move |entry| match &entry.record {
        Record::UnitStarted { unit, attempt } => {
            started.insert((*unit, *attempt), entry.at);
            None
        }
        record @ Record::UnitEnded { unit, attempt, end, .. } => {
            // A step that had nothing to do, which its note says, tells nothing about one that has.
            let came_through = match end.outcome {
                Outcome::Changed => true,
                Outcome::Unchanged => end.note.is_none(),
                _ => false,
            };
            let since = started.remove(&(*unit, *attempt)).filter(|_| came_through);
            Some(Ended { unit: *unit, took: since.map(|since| between(since, entry.at)), record })
        }
        _ => None,
    })
}

/// What a run teaches of taking it back: before anything else its own restore tests, and where nothing else is known
/// that its steps took as long, and so did those that are done again on the way back.
pub fn teach_undo(history: &mut History, plan: &Plan, entries: &[Entry]) {
    let mut tested: HashMap<_, Vec<SignedDuration>> = HashMap::new();
    let mut forward: HashMap<_, Vec<SignedDuration>> = HashMap::new();
    for Ended { unit, took, record } in ended(entries) {
        let Record::UnitEnded { end, .. } = record else { continue };
        if let Some(takes) = end.undo_takes() {
            tested.entry((unit.stage, unit.slot)).or_default().push(takes);
        }
        if let Some(took) = took.filter(|_| end.outcome == Outcome::Changed) {
            forward.entry((unit.stage, unit.slot)).or_default().push(took);
        }
    }
    for (n, stage) in (0..).zip(&plan.stages) {
        for (at, step) in (0..).zip(&stage.steps) {
            let title = if step.undo_parts() > 0 { step.undo_title(0) } else { step.title.clone() };
            let put_back = format!("put back: {title}");
            if let Some(times) = tested.remove(&(n, Slot::Step(at))) {
                history.set(&stage.name, &title, times);
            }
            for (slot, title) in [(Slot::Step(at), title), (Slot::Always(at), put_back)] {
                if let Some(times) = forward.remove(&(n, slot)).filter(|_| history.step(&stage.name, &title).is_empty())
                {
                    history.set(&stage.name, &title, times);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sample;
    use crate::model::record::{End, Kept};

    const fn minutes(minutes: i64) -> SignedDuration {
        SignedDuration::from_mins(minutes)
    }

    #[test]
    fn a_restore_test_says_how_long_taking_back_takes_before_anything_else() {
        let mut step = sample::step("back up nova", 2, minutes(3));
        step.units.iter_mut().for_each(|unit| unit.undo = vec![sample::undo()]);
        let plan = sample::plan(2, vec![sample::stage("backup", 2, vec![step])]);
        let ran = |undo_takes: [Option<i64>; 2]| {
            let units = (0..2).zip(undo_takes).flat_map(|(host, undo_takes)| {
                let unit = UnitKey { stage: 0, host, slot: Slot::Step(0) };
                let kept = Some(Box::new(Kept { size: 1, undo_takes: undo_takes.map(minutes) }));
                let end = End { kept, ..End::plain(Outcome::Changed) };
                let ended = Record::UnitEnded { unit, attempt: 1, end, retry_at: None };
                [(sample::start(), Record::UnitStarted { unit, attempt: 1 }), (sample::start() + minutes(4), ended)]
            });
            (0..).zip(units).map(|(n, (at, record))| Entry { n, at, record }).collect::<Vec<_>>()
        };
        let taught = |mut history: History, undo_takes| {
            teach_undo(&mut history, &plan, &ran(undo_takes));
            history.step("backup", "undo back up nova").to_vec()
        };
        let mut known = History::default();
        known.add("backup", "undo back up nova", minutes(20));
        assert_eq!(taught(known.clone(), [Some(9), Some(7)]), [minutes(7), minutes(9)]);
        assert_eq!(taught(known, [None, None]), [minutes(20)]);
        assert_eq!(taught(History::default(), [None, None]), [minutes(4), minutes(4)], "as long as the step took");
    }

    #[test]
    fn what_is_done_again_on_the_way_back_takes_as_long_as_it_took() {
        let plan = sample::plan(1, vec![sample::stage("computes", 1, vec![sample::step("out", 1, minutes(15))])]);
        let ran = [(Slot::Step(0), 1), (Slot::Always(0), 2)].into_iter().flat_map(|(slot, took)| {
            let unit = UnitKey { stage: 0, host: 0, slot };
            let end = Record::UnitEnded { unit, attempt: 1, end: End::plain(Outcome::Changed), retry_at: None };
            [(sample::start(), Record::UnitStarted { unit, attempt: 1 }), (sample::start() + minutes(took), end)]
        });
        let ran: Vec<_> = (0..).zip(ran).map(|(n, (at, record))| Entry { n, at, record }).collect();
        let mut history = History::default();
        teach_undo(&mut history, &plan, &ran);
        assert_eq!(history.step("computes", "out"), [minutes(1)]);
        assert_eq!(history.step("computes", "put back: out"), [minutes(2)]);
    }
}
