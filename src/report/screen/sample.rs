//! A small run for tests: the story of section 1 of the design, with what can go wrong in it.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::watch::{Expected, Watch};
use crate::engine::sample;
use crate::engine::simulate::simulate;
use crate::engine::state::RunState;
use crate::model::plan::{Plan, Stage, Step};
use crate::model::record::{End, Entry};
use crate::model::{Budget, Command, Outcome, Pace, Record, Slot, UnitKey};

fn mins(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// A stage over the hosts with these ids.
fn stage(name: &str, hosts: std::ops::Range<u32>, window: i64, steps: &[(&str, i64)]) -> Stage {
    let count = hosts.end - hosts.start;
    let step = |(title, minutes): &(&str, i64)| sample::step(title, count, mins(*minutes));
    let mut stage = sample::stage(name, count, steps.iter().map(step).collect::<Vec<Step>>());
    stage.hosts = hosts.collect();
    stage.window = Some(mins(window));
    stage.budget = Budget::default();
    stage
}

/// A plan with `computes` compute hosts.
pub(super) fn plan(computes: u32) -> Plan {
    let mut control = stage("control", 2..5, 60, &[("apply opencontrail.control", 15), ("wait for contrail", 3)]);
    control.fan_out = 1;
    let steps = [("out of scheduling", 1), ("apply opencontrail.compute", 10), ("wait for vrouter", 1)];
    let mut cascade = stage("computes", 5..5 + computes, i64::from(computes) * 3, &steps);
    cascade.pace = Pace::per_hour(20);
    cascade.fan_out = 8;
    cascade.canary = vec![1, 4];
    cascade.settle = mins(1);
    cascade.steps[0] = sample::with_always(cascade.steps[0].clone());
    cascade.steps[1].retries = 1;
    let stages = vec![
        stage("pull", 0..1, 10, &[("pull model.git", 9)]),
        stage("formula", 0..1, 2, &[("install opencontrail", 1)]),
        stage("backup", 1..2, 10, &[("backup mariadb", 11)]),
        control,
        cascade,
        stage("verify", 0..1, 5, &[("is everything up?", 2)]),
    ];
    let mut plan = sample::plan(5 + computes, stages);
    plan.pipeline = "opencontrail-3.1.1".into();
    let fixed = ["controller", "dbs01", "ctl01", "ctl02", "ctl03"].map(str::to_owned);
    let names = fixed.into_iter().chain((1..=computes).map(|n| format!("cmp{n:03}")));
    for (host, name) in plan.hosts.iter_mut().zip(names) {
        host.name = name;
    }
    plan
}

/// How long a unit takes and how it ends: hosts 7 and 11 fail, host 13 stops answering, host 5 needs
/// two tries.
pub(super) fn draw(plan: &Plan, unit: UnitKey, attempt: u16) -> (SignedDuration, End) {
    let step = plan.step(unit);
    if matches!(unit.slot, Slot::Always(_)) {
        return (SignedDuration::from_secs(4), End::plain(Outcome::Changed));
    }
    let takes = step.takes.map_or(mins(1), |takes| takes.mean);
    let spread = SignedDuration::from_secs(i64::from(unit.host * 37 % 60)) * i32::from(step.takes.is_some());
    let cascade = plan.stages[usize::from(unit.stage)].name == "computes" && unit.slot == Slot::Step(1);
    let end = match unit.host + 1 {
        7 | 11 if cascade => End::noted(Outcome::Failed, "exit code 3: `contrail_packages`: held packages"),
        13 if cascade => End::noted(Outcome::Unreachable, "no answer for 30s"),
        5 if cascade && attempt == 1 => End::noted(Outcome::Failed, "exit code 100: could not get the dpkg lock"),
        _ => End::plain(Outcome::Changed),
    };
    (if end.outcome.is_failure() { takes / 2 } else { takes + spread }, end)
}

/// Every record of a run of the plan.
pub(super) fn entries(plan: &Plan) -> Vec<Entry> {
    let mut state = RunState::new(Arc::new(plan.outline()));
    let mut records = Vec::new();
    for mut record in sample::opening(plan) {
        if let Record::Opened(opened) = &mut record {
            opened.run = "20261122-2200-opencontrail-3.1.1".into();
        }
        state.apply(sample::start(), &record).unwrap();
        records.push((sample::start(), record));
    }
    let draw = |unit, attempt| draw(plan, unit, attempt);
    simulate(plan, &mut state, sample::start(), draw, |_, at, record| records.push((at, record.clone())));
    (0..).zip(records).map(|(n, (at, record))| Entry { n, at, record }).collect()
}

/// The run after so many minutes, with the ends that a forecast would give.
pub(super) fn after(plan: &Plan, minutes: i64) -> (Watch, Timestamp) {
    at(plan, sample::start() + mins(minutes))
}

/// The run at that time.
pub(super) fn at(plan: &Plan, now: Timestamp) -> (Watch, Timestamp) {
    let entries = entries(plan);
    let past = entries.partition_point(|entry| entry.at <= now);
    let mut watch = Watch::new(Arc::new(plan.outline()), &entries[..past]);
    let current = watch.state.current;
    let end = entries.last().unwrap().at;
    let stage =
        entries.iter().find(|e| matches!(e.record, Record::StageEnded { stage } if usize::from(stage) == current));
    watch.expected = Some(Expected { stage: stage.map_or(end, |entry| entry.at), run: end });
    (watch, now)
}

/// Tells the run something.
pub(super) fn order(watch: &mut Watch, at: Timestamp, command: Command) {
    watch.record(&Entry { n: 0, at, record: Record::Ordered { command, by: sample::person() } });
}
