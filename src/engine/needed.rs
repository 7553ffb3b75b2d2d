//! Which backups a gate depends on: those that taking the run back would restore, and those that steps after it restore.
//!
//! What is behind a gate may have no way back but a backup: it opens only when that is whole.

use crate::engine::copies::Env;
use crate::engine::state::RunState;
use crate::model::plan::{Action, Plan, Unit};
use crate::model::{Backup, Slot, UnitKey};

/// A backup that has to be whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needed {
    /// The id of the host that has it.
    pub(super) on: u32,
    /// Which.
    pub(super) backup: Backup,
    /// Whether the server has to be of its version now: nothing has been done there since that may have changed it.
    pub(super) fit: Option<Env>,
}

/// The backups that a gate depends on.
pub(super) fn at_gate(plan: &Plan, state: &RunState, gate: UnitKey) -> Vec<Needed> {
    let before = |unit: UnitKey| (unit.stage, unit.slot) < (gate.stage, gate.slot);
    let mut needed: Vec<Needed> = Vec::new();
    let kept = state.kept.keys().filter(|unit| before(**unit)).map(|key| (*key, plan.unit(*key)));
    for (key, unit) in kept {
        let Action::Backup(backup) = &unit.action else { continue };
        let is_restored = || restores(plan, unit.on, gate).any(|(_, restore)| is_same(restore, backup));
        if unit.is_undone_by_restore() || is_restored() {
            needed.push(of(plan, (key, unit), backup, &before));
        }
    }
    for (key, unit) in units(plan).filter(|(key, _)| !before(*key)) {
        if let Action::Restore(backup) = &unit.action
            && backup.run.is_some()
        {
            needed.push(of(plan, (gate, unit), backup, &|other| other < key && !before(other)));
        }
    }
    needed
}

/// A backup; its version counts unless steps came after it, among these, that may change what its host has.
fn of(plan: &Plan, (key, unit): (UnitKey, &Unit), backup: &Backup, among: &dyn Fn(UnitKey) -> bool) -> Needed {
    let changes =
        |action: &Action| matches!(action, Action::Run { .. } | Action::Apply(_) | Action::Restore(_) | Action::Reboot);
    let since = |other: UnitKey| (other.stage, other.slot) > (key.stage, key.slot) && among(other);
    let is_changed =
        units(plan).any(|(other, planned)| planned.on == unit.on && since(other) && changes(&planned.action));
    let backup = Backup { test: None, ..backup.clone() };
    Needed { on: unit.on, backup, fit: (!is_changed).then(|| unit.env.clone()) }
}

/// The restores on a host that come after a gate.
fn restores(plan: &Plan, on: u32, gate: UnitKey) -> impl Iterator<Item = (UnitKey, &Backup)> {
    let after = move |(key, unit): &(UnitKey, &Unit)| unit.on == on && (key.stage, key.slot) > (gate.stage, gate.slot);
    units(plan).filter(after).filter_map(|(key, unit)| match &unit.action {
        Action::Restore(backup) => Some((key, &**backup)),
        _ => None,
    })
}

/// Whether a restore is of a backup that this run makes.
fn is_same(restore: &Backup, backup: &Backup) -> bool {
    restore.run.is_none() && (&restore.name, &restore.folder) == (&backup.name, &backup.folder)
}

fn units(plan: &Plan) -> impl Iterator<Item = (UnitKey, &Unit)> {
    (0..).zip(&plan.stages).flat_map(|(stage, planned)| {
        (0..).zip(&planned.steps).flat_map(move |(step, planned)| {
            let key = move |host| UnitKey { stage, host, slot: Slot::Step(step) };
            (0..).zip(&planned.units).map(move |(host, unit)| (key(host), unit))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sample;
    use crate::model::backup::Data;
    use crate::model::plan::{Step, Undo};
    use crate::model::record::Kept;
    use jiff::SignedDuration;

    fn step(title: &str, action: &Action) -> Step {
        let mut step = sample::step(title, 2, SignedDuration::from_mins(1));
        for unit in &mut step.units {
            unit.action = action.clone();
            if let Action::Backup(backup) = action {
                unit.undo = vec![Undo { action: Action::Restore(backup.clone()), timeout: None }];
            }
        }
        step
    }

    fn backup(name: &str, run: Option<&str>) -> Box<Backup> {
        let data = Data::Files { paths: vec!["/etc".into()] };
        let run = run.map(str::to_owned);
        Box::new(Backup { name: name.into(), folder: None, run, to: None, of: None, data, test: None })
    }

    /// The hosts, names and whether versions count of what a gate needs, with these steps before it and behind it.
    fn needed(before: Vec<Step>, behind: Vec<Step>, kept: &[(u32, u16)]) -> Vec<(u32, String, bool)> {
        let gate = step("gate", &Action::Gate { question: "go on?".into() });
        let stages = vec![
            sample::stage("one", 2, before),
            sample::stage("gate", 1, vec![gate]),
            sample::stage("two", 2, behind),
        ];
        let plan = sample::plan(2, stages);
        let mut state = sample::opened(&plan);
        for (host, step) in kept {
            let unit = UnitKey { stage: 0, host: *host, slot: Slot::Step(*step) };
            state.kept.insert(unit, Kept { size: 1, undo_takes: None });
        }
        let gate = UnitKey { stage: 1, host: 0, slot: Slot::Step(0) };
        let needed = at_gate(&plan, &state, gate);
        needed.into_iter().map(|needed| (needed.on, needed.backup.name, needed.fit.is_some())).collect()
    }

    fn run() -> Step {
        step("run", &Action::Run { command: "true".into(), until: None })
    }

    #[test]
    fn a_gate_needs_the_backups_that_the_run_made_and_no_others() {
        let two = || vec![step("a", &Action::Backup(backup("a", None))), step("b", &Action::Backup(backup("b", None)))];
        assert_eq!(needed(two(), vec![run()], &[(0, 0), (1, 1)]), [(0, "a".into(), true), (1, "b".into(), true)]);
        assert_eq!(needed(two(), vec![run()], &[]), []);
        let mut other = two();
        other.iter_mut().flat_map(|step| &mut step.units).for_each(|unit| unit.undo = vec![sample::undo()]);
        assert_eq!(needed(other, vec![run()], &[(0, 0)]), [], "nothing restores it");
    }

    #[test]
    fn what_was_done_since_may_have_changed_the_server() {
        let steps =
            vec![step("a", &Action::Backup(backup("a", None))), run(), step("b", &Action::Backup(backup("b", None)))];
        let found = needed(steps, vec![run()], &[(0, 0), (0, 2)]);
        assert_eq!(found, [(0, "a".into(), false), (0, "b".into(), true)]);
    }

    #[test]
    fn a_restore_behind_the_gate_needs_its_backup_too() {
        let restore = |run| vec![step("restore", &Action::Restore(backup("a", run)))];
        assert_eq!(needed(Vec::new(), restore(Some("old")), &[]), [(0, "a".into(), true), (1, "a".into(), true)]);
        let mut made = step("a", &Action::Backup(backup("a", None)));
        made.units.iter_mut().for_each(|unit| unit.undo = Vec::new());
        assert_eq!(needed(vec![made], restore(None), &[(1, 0)]), [(1, "a".into(), true)]);
        let later = [vec![run()], restore(Some("old"))].concat();
        assert_eq!(needed(Vec::new(), later, &[])[0], (0, "a".into(), false), "its server may be another by then");
    }
}
