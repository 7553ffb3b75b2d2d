//! How long a step is expected to take: measured, else declared, else bounded by its timeout.

use jiff::SignedDuration;

use crate::model::History;
use crate::model::history::percentile;
use crate::model::plan::{Action, Expected, Plan, Source, Step};

/// Fewer measurements than this say nothing about the slow ones.
const ENOUGH: usize = 3;

/// What putting a host back is taken to need that was never measured.
const PUT_BACK: SignedDuration = SignedDuration::from_secs(10);

/// Fills in the expected times of every step.
pub(super) fn fill(plan: &mut Plan, history: &History) {
    // Taking back is seldom measured, and nothing else comes as near as the one time that it was.
    let enough = if plan.undoes.is_some() { 1 } else { ENOUGH };
    for stage in &mut plan.stages {
        for step in &mut stage.steps {
            step.expected = expected(step, history.step(&stage.name, &step.title), enough);
            let put_back = history.step(&stage.name, &format!("put back: {}", step.title));
            step.put_back = match put_back.len() {
                _ if step.units.iter().all(|unit| unit.always.is_none()) => SignedDuration::ZERO,
                measured if measured >= enough => percentile(put_back, 95),
                _ => PUT_BACK,
            };
            step.undo = undo(&stage.name, step, history);
        }
    }
}

fn expected(step: &Step, times: &[SignedDuration], enough: usize) -> Expected {
    let gate = step.units.iter().all(|unit| matches!(unit.action, Action::Gate { .. }));
    match step.takes {
        _ if gate => Expected { p50: SignedDuration::ZERO, p95: SignedDuration::ZERO, source: Source::Person },
        _ if times.len() >= enough => measured(times),
        Some(takes) => Expected { p50: takes.mean, p95: takes.p95(), source: Source::Declared },
        None => Expected { p50: step.timeout, p95: step.timeout, source: Source::Timeout },
    }
}

/// How long taking a step back takes: measured by rollbacks and restore tests, else as long as the step.
fn undo(stage: &str, step: &Step, history: &History) -> Expected {
    let times: Vec<_> = (0..step.undo_parts()).map(|part| history.step(stage, &step.undo_title(part))).collect();
    if times.is_empty() {
        return Expected::UNKNOWN;
    }
    if times.iter().any(|times| times.is_empty()) {
        return step.expected;
    }
    times.into_iter().map(measured).reduce(Expected::and_then).unwrap_or(Expected::UNKNOWN)
}

fn measured(times: &[SignedDuration]) -> Expected {
    Expected { p50: percentile(times, 50), p95: percentile(times, 95), source: Source::Measured }
}
