//! What a live run answers to a command: whether it makes sense now, and what it means.

use std::collections::BTreeMap;

use crate::engine::state::{Fate, Phase, RunState, Stopping};
use crate::model::plan::Plan;
use crate::model::{Command, Slot, pattern};

/// Says what a command will do; or why it cannot be done now.
///
/// # Errors
///
/// The message for the person who gave the command.
pub fn check(plan: &Plan, state: &RunState, command: &Command, gate: bool) -> Result<String, String> {
    let stage = plan.stages.get(state.current).map(|stage| stage.name.as_str());
    let started = |stage: &str| match state.stages[state.current].started_at {
        Some(_) => format!("stage `{stage}`"),
        None => format!("stage `{stage}`, which is next,"),
    };
    match command {
        Command::Hold { .. } => match &state.held {
            Some(hold) => Err(format!("held already, by {}", hold.by)),
            None => Ok(format!("held: no further host starts; {}", going_on(plan, state))),
        },
        Command::Release => match state.held {
            Some(_) => Ok("released".into()),
            None => Err("the run is not held".into()),
        },
        Command::Pace { pace } => {
            stage.map(|stage| format!("{} now starts {pace}", started(stage))).ok_or_else(|| "no stage is left".into())
        }
        Command::FanOut { hosts: 0 } => Err("a fan-out of 0 would never end; `upshift hold` starts nothing new".into()),
        Command::FanOut { hosts } => stage
            .map(|stage| format!("{} now has up to {hosts} hosts under way", started(stage)))
            .ok_or_else(|| "no stage is left".into()),
        Command::Skip { hosts } => check_skip(state, hosts),
        Command::Stop => match state.stopping {
            Some(Stopping::Abort) => Err("aborting already".into()),
            Some(Stopping::Stop) => Err(format!("stopping already: {}", going_on(plan, state))),
            None => Ok(format!("stopping: no further host starts; {}", going_on(plan, state))),
        },
        Command::Abort => match state.stopping {
            Some(Stopping::Abort) => Err(format!("aborting already: {}", going_on(plan, state))),
            _ => Ok(match under_way(plan, state).as_str() {
                "" => "aborting: no step is under way".into(),
                hosts => format!("aborting: these may be in the middle of a step, and are put back now: {hosts}"),
            }),
        },
        Command::Pass | Command::Refuse if !gate => Err("no gate is waiting".into()),
        Command::Pass => Ok("passed".into()),
        Command::Refuse => Ok("refused: the run ends and can be resumed".into()),
    }
}

fn check_skip(state: &RunState, hosts: &[String]) -> Result<String, String> {
    let known = &state.outline.hosts;
    let fates = state.fates();
    let over = |host: &&String| {
        known.iter().position(|name| name == *host).is_some_and(|id| matches!(fates[id], Fate::Ended(_)))
    };
    if let Some(over) = hosts.iter().find(over) {
        return Err(format!("every stage is done with `{over}`: there is nothing to leave out"));
    }
    if let Some(unknown) = hosts.iter().find(|host| !known.contains(host)) {
        return Err(format!("the plan has no host `{unknown}`"));
    }
    Ok(format!("skipping {}; a host under way is put back after its step", fold(hosts.iter().map(String::as_str))))
}

fn fold<'a>(hosts: impl IntoIterator<Item = &'a str>) -> String {
    pattern::fold(hosts)
}

fn going_on(plan: &Plan, state: &RunState) -> String {
    match under_way(plan, state).as_str() {
        "" => "nothing is under way".into(),
        hosts => format!("still under way: {hosts}"),
    }
}

/// The hosts that are under way, folded by what they are doing: `cmp[001-004] (upgrade)`.
#[must_use]
pub fn under_way(plan: &Plan, state: &RunState) -> String {
    let mut by_step: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let hosts = state
        .stages
        .iter()
        .zip(&plan.stages)
        .flat_map(|(stage, planned)| stage.under_way.iter().map(move |&host| (stage, planned, host)));
    for (stage, planned, host) in hosts {
        let title = |slot: Slot| &planned.steps[slot.step()].title;
        let doing = match stage.hosts[host as usize].phase {
            Phase::Running { slot: slot @ Slot::Step(_), .. } => title(slot).clone(),
            Phase::Running { slot, .. } => format!("put back: {}", title(slot)),
            Phase::Retrying { slot, .. } => format!("before the next try of: {}", title(slot)),
            _ => "settling".to_owned(),
        };
        by_step.entry(doing).or_default().push(&plan.hosts[planned.hosts[host as usize] as usize].name);
    }
    by_step
        .iter()
        .map(|(doing, hosts)| format!("{} ({doing})", fold(hosts.iter().copied())))
        .collect::<Vec<_>>()
        .join(", ")
}
