//! The plan that takes a run back: its stages from the last to the first, on the hosts that it touched and no others.
//!
//! A host is taken out of service as the run did it, its steps are taken back from the last to the first, and it is put
//! back into service. Since stages go backwards, what came after a backup is taken back before the backup is restored.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use crate::model::inventory::Ssh;
use crate::model::plan::{Action, Domains, Expected, Formulas, Plan, Stage, Step, Undo, Unit, Window};
use crate::model::probe::{OnBreach, Probe};
use crate::model::{Budget, Takes};
use crate::plan::digest;

/// Whether a step of a stage was carried out on a host: the stage, the host's place in it, the step.
pub type Done<'a> = &'a dyn Fn(usize, usize, usize) -> bool;

/// The plan that takes back what `run` did of `plan`, with formulas as they are now.
#[must_use]
pub fn reverse(plan: &Plan, run: &str, done: Done<'_>, formulas: Option<Formulas>) -> Plan {
    let stages = plan.stages.iter().enumerate().rev();
    let mut stages: Vec<Stage> =
        stages.filter_map(|(at, stage)| undone(stage, &|place, step| done(at, place, step))).collect();
    let hosts = renumber(plan, &mut stages);
    for unit in stages.iter_mut().flat_map(|stage| &mut stage.steps).flat_map(|step| &mut step.units) {
        match (&mut unit.action, formulas) {
            (Action::Apply(apply), Some(formulas)) => (apply.formulas, apply.tree) = (formulas.files, formulas.tree),
            // The backup was made in the run, and not in the rollback.
            (Action::Restore(backup), _) => _ = backup.run.get_or_insert_with(|| run.to_owned()),
            _ => {}
        }
    }
    // What goes dark here is written down, and does not keep the cure from going on.
    let probes = plan.probes.iter().map(|probe| Probe { on_breach: OnBreach::Note, ..probe.clone() }).collect();
    let mut reverse = Plan {
        pipeline: format!("{}-rollback", plan.pipeline),
        summary: Some(format!("takes back what run {run} did")),
        undoes: Some(run.to_owned()),
        digest: String::new(),
        content: String::new(),
        pipeline_file: String::new(),
        inventory_file: String::new(),
        window: Window::default(),
        reserve: SignedDuration::ZERO,
        budget: Budget::default(),
        ssh: Ssh::default(),
        hosts,
        stages,
        probes,
    };
    reverse.digest = digest::digest(&reverse);
    reverse.ssh.clone_from(&plan.ssh);
    reverse.pipeline_file.clone_from(&plan.pipeline_file);
    reverse.inventory_file.clone_from(&plan.inventory_file);
    reverse
}

/// The first step that nothing takes back and that was carried out: its stage and its title.
#[must_use]
pub fn passed_no_return<'p>(plan: &'p Plan, done: Done<'_>) -> Option<(&'p str, &'p str)> {
    let stages = plan.stages.iter().enumerate();
    let mut steps =
        stages.flat_map(|(at, stage)| stage.steps.iter().enumerate().map(move |(n, step)| (at, stage, n, step)));
    steps
        .find(|(at, stage, n, step)| step.no_return && (0..stage.hosts.len()).any(|place| done(*at, place, *n)))
        .map(|(_, stage, _, step)| (stage.name.as_str(), step.title.as_str()))
}

/// The stage that takes a stage back; `None` when there is nothing to take back.
fn undone(stage: &Stage, done: &dyn Fn(usize, usize) -> bool) -> Option<Stage> {
    let has_undo = |place: usize, n: usize| done(place, n) && !stage.steps[n].units[place].undo.is_empty();
    let touched = |place: &usize| (0..stage.steps.len()).any(|n| has_undo(*place, n));
    let places: Vec<usize> = (0..stage.hosts.len()).filter(touched).collect();
    if places.is_empty() {
        return None;
    }
    let of_places = |step: &Step, unit: &dyn Fn(usize, &Unit) -> Unit| Step {
        expected: Expected::UNKNOWN,
        put_back: SignedDuration::ZERO,
        undo: Expected::UNKNOWN,
        no_return: false,
        units: places.iter().map(|&place| unit(place, &step.units[place])).collect(),
        ..step.clone()
    };
    let takes_out = |step: &&Step| step.units.iter().any(|unit| unit.always.is_some() && unit.undo.is_empty());
    let out = stage.steps.iter().filter(takes_out);
    let mut steps: Vec<Step> =
        out.map(|step| of_places(step, &|_, unit| Unit { undo: Vec::new(), ..unit.clone() })).collect();
    for (n, step) in stage.steps.iter().enumerate().rev() {
        for part in 0..step.undo_parts() {
            let unit = |place: usize, unit: &Unit| match unit.undo.get(part) {
                Some(undo) if done(place, n) => undoing(unit, undo, part == 0),
                _ => nothing(unit.on),
            };
            let timeout = step.units.iter().find_map(|unit| unit.undo.get(part)?.timeout);
            steps.push(Step {
                title: step.undo_title(part),
                timeout: timeout.unwrap_or(step.timeout),
                // What a person declared is for the step itself, and so for all parts of its undo together.
                takes: if part == 0 { step.takes } else { Some(Takes::default()) },
                ..of_places(step, &unit)
            });
        }
    }
    Some(Stage {
        window: None,
        pace: None,
        canary: Vec::new(),
        settle: SignedDuration::ZERO,
        rollback: false,
        budget: Budget { total: Some(1), ..Budget::default() },
        hosts: places.iter().map(|&place| stage.hosts[place]).collect(),
        domains: places.iter().filter_map(|&place| stage.domains.get(place).copied()).collect::<Domains>(),
        steps,
        ..stage.clone()
    })
}

fn undoing(unit: &Unit, undo: &Undo, is_first: bool) -> Unit {
    let always = unit.always.clone().filter(|_| is_first);
    Unit { action: undo.action.clone(), unless: None, undo: Vec::new(), always, ..unit.clone() }
}

/// Does nothing, on a host that never came to what others take back.
fn nothing(on: u32) -> Unit {
    let command = "true".to_owned();
    let unless = Some(command.clone());
    Unit {
        on,
        action: Action::Run { command, until: None },
        unless,
        env: indexmap::IndexMap::new(),
        undo: Vec::new(),
        always: None,
    }
}

/// Leaves out every host that nothing is done on, and gives the others the numbers that they have now.
fn renumber(plan: &Plan, stages: &mut [Stage]) -> Vec<crate::model::plan::Host> {
    let ons =
        |stage: &Stage| stage.steps.iter().flat_map(|step| step.units.iter().map(|unit| unit.on)).collect::<Vec<_>>();
    let named = |name: &str| plan.hosts.iter().position(|host| host.name == name);
    let units = stages.iter().flat_map(|stage| &stage.steps).flat_map(|step| &step.units);
    let copies = units.filter_map(|unit| match &unit.action {
        Action::Restore(backup) => named(backup.to.as_deref()?).and_then(|id| u32::try_from(id).ok()),
        _ => None,
    });
    let used = stages.iter().flat_map(|stage| stage.hosts.iter().copied().chain(ons(stage)));
    let used: BTreeSet<u32> = used.chain(copies).collect();
    let number = |id: &mut u32| *id = u32::try_from(used.range(..*id).count()).unwrap_or(u32::MAX);
    for stage in stages {
        stage.hosts.iter_mut().for_each(number);
        stage.steps.iter_mut().flat_map(|step| &mut step.units).for_each(|unit| number(&mut unit.on));
    }
    used.iter().filter_map(|&id| plan.hosts.get(id as usize).cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sample;

    const TAKES: SignedDuration = SignedDuration::from_mins(1);

    fn undoable(title: &str) -> Step {
        let mut step = sample::step(title, 3, TAKES);
        for unit in &mut step.units {
            unit.undo = vec![sample::undo()];
        }
        step
    }

    fn titles(plan: &Plan) -> Vec<(&str, Vec<&str>)> {
        plan.stages
            .iter()
            .map(|stage| (stage.name.as_str(), stage.steps.iter().map(|step| step.title.as_str()).collect()))
            .collect()
    }

    #[test]
    fn stages_and_steps_are_taken_back_from_the_last_to_the_first() {
        let out = sample::with_always(sample::step("out", 3, TAKES));
        let computes = sample::stage(
            "computes",
            3,
            vec![out, undoable("code"), undoable("database"), sample::step("look", 3, TAKES)],
        );
        let plan = sample::plan(3, vec![sample::stage("control", 3, vec![undoable("control")]), computes]);
        let back = reverse(&plan, "one", &|_, _, _| true, None);
        assert_eq!(
            titles(&back),
            [("computes", vec!["out", "undo database", "undo code"]), ("control", vec!["undo control"])]
        );
        assert!(back.stages[0].steps[0].units.iter().all(|unit| unit.always.is_some()));
        assert!(crate::plan::is_whole(&back));
    }

    #[test]
    fn only_what_was_done_is_taken_back_and_only_where() {
        let plan = sample::plan(3, vec![sample::stage("computes", 3, vec![undoable("code"), undoable("database")])]);
        // The first host came through, the second failed at its first step, and the third was never taken up.
        let back = reverse(&plan, "one", &|_, place, step| place == 0 || (place == 1 && step == 0), None);
        let names: Vec<_> = back.hosts.iter().map(|host| host.name.as_str()).collect();
        assert_eq!(names, [plan.hosts[0].name.as_str(), plan.hosts[1].name.as_str()]);
        let database = &back.stages[0].steps[0];
        assert_eq!((database.title.as_str(), &database.units[1].unless), ("undo database", &Some("true".to_owned())));
        assert_eq!(database.units[0].unless, None);
        assert!(reverse(&plan, "one", &|_, _, _| false, None).stages.is_empty());
    }

    #[test]
    fn the_point_of_no_return_counts_once_it_was_reached() {
        let mut schema = sample::step("schema", 1, TAKES);
        schema.no_return = true;
        let plan = sample::plan(1, vec![sample::stage("control", 1, vec![undoable("code"), schema])]);
        assert_eq!(passed_no_return(&plan, &|_, _, step| step == 0), None);
        assert_eq!(passed_no_return(&plan, &|_, _, _| true), Some(("control", "schema")));
    }
}
