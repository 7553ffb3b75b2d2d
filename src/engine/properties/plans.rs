//! Random plans, with every limit that a stage or a run can have.

use jiff::SignedDuration;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use crate::engine::sample;
use crate::model::plan::{Action, Expected, Plan, Source, Stage, Step};
use crate::model::{Budget, Pace, Takes};

/// A plan of one to four stages over `hosts` hosts.
pub(super) fn plan(rng: &mut SmallRng, hosts: u32) -> Plan {
    let count = rng.random_range(1..=4);
    let stages = (0..count).map(|n| stage(rng, n, hosts)).collect();
    let mut plan = sample::plan(hosts, stages);
    plan.digest = format!("{:064x}", rng.next_u64());
    plan.budget = budget(rng, hosts, 0.5);
    plan.reserve = SignedDuration::from_mins(rng.random_range(0..=30));
    plan
}

fn stage(rng: &mut SmallRng, n: u32, hosts: u32) -> Stage {
    if rng.random_bool(0.1) {
        return gate(n);
    }
    let mut chosen: Vec<u32> = (0..hosts).collect();
    chosen.shuffle(rng);
    chosen.truncate(rng.random_range(1..=hosts) as usize);
    let size = u32::try_from(chosen.len()).unwrap();
    let steps = (0..rng.random_range(1..=4)).map(|n| step(rng, n, size)).collect();
    let mut stage = sample::stage(&format!("stage{n}"), size, steps);
    stage.hosts = chosen;
    stage.fan_out = rng.random_range(1..=size.min(12));
    stage.pace = rng.random_bool(0.5).then(|| pace(rng));
    stage.canary = (0..rng.random_range(0..=2)).map(|_| rng.random_range(1..=4)).collect();
    stage.settle = SignedDuration::from_secs(if rng.random_bool(0.5) { 0 } else { rng.random_range(1..=600) });
    if rng.random_bool(0.3) {
        let domains = rng.random_range(1..=6);
        stage.spread = Some("rack".into());
        stage.domains = (0..size).map(|_| rng.random_range(0..domains)).collect();
    }
    stage.budget = budget(rng, size, 0.3);
    stage
}

/// A stage in which a person is asked.
fn gate(n: u32) -> Stage {
    let mut step = sample::step("ask", 1, SignedDuration::ZERO);
    step.units[0].action = Action::Gate { question: "Go on?".into() };
    sample::stage(&format!("gate{n}"), 1, vec![step])
}

pub(super) fn pace(rng: &mut SmallRng) -> Pace {
    Pace::per_hour(rng.random_range(1..=120)).unwrap()
}

fn budget(rng: &mut SmallRng, hosts: u32, generous: f64) -> Budget<u32> {
    if rng.random_bool(generous) {
        return Budget::default();
    }
    let mut limit = || rng.random_bool(0.5).then(|| rng.random_range(1..=hosts.min(6)));
    Budget { total: limit(), failed: limit(), timed_out: limit(), unreachable: limit(), interrupted: limit() }
}

fn step(rng: &mut SmallRng, n: u32, hosts: u32) -> Step {
    let takes = SignedDuration::from_secs(rng.random_range(1..=1200));
    let mut step = sample::step(&format!("step{n}"), hosts, takes);
    step.retries = rng.random_range(0..=2);
    step.retry_delay = SignedDuration::from_secs(rng.random_range(0..=90));
    step.retry_interrupted = rng.random_bool(0.3);
    step.failure_rate = if rng.random_bool(0.5) { 0.0 } else { 0.1 };
    step.takes = Some(Takes { mean: takes, deviation: takes / 4 });
    // Expected times are right, or wrong either way.
    let expected = SignedDuration::from_secs(takes.as_secs() * rng.random_range(0..=4) / 2);
    step.expected = Expected { p50: expected, p95: expected, source: Source::Declared };
    step.put_back = SignedDuration::from_secs(rng.random_range(0..=60));
    let (always, undo) = (rng.random_bool(0.4), rng.random_bool(0.4));
    for unit in &mut step.units {
        unit.always = (always && rng.random_bool(0.9)).then(|| "true".into());
        unit.undo = if undo { vec![sample::undo()] } else { Vec::new() };
    }
    step
}
