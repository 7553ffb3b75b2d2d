//! How long a step is expected to take: measured, else declared, else bounded by its timeout.

use jiff::SignedDuration;

use crate::model::History;
use crate::model::history::percentile;
use crate::model::plan::{Action, Expected, Source, Stage, Step};

/// Fewer measurements than this say nothing about the slow ones.
const ENOUGH: usize = 3;

/// What putting a host back is taken to need that was never measured.
const PUT_BACK: SignedDuration = SignedDuration::from_secs(10);

/// Fills in the expected times of every step.
pub(super) fn fill(stages: &mut [Stage], history: &History) {
    for stage in stages {
        for step in &mut stage.steps {
            step.expected = expected(step, history.step(&stage.name, &step.title));
            let put_back = history.step(&stage.name, &format!("put back: {}", step.title));
            step.put_back = match put_back.len() {
                _ if step.units.iter().all(|unit| unit.always.is_none()) => SignedDuration::ZERO,
                ENOUGH.. => percentile(put_back, 95),
                _ => PUT_BACK,
            };
        }
    }
}

fn expected(step: &Step, measured: &[SignedDuration]) -> Expected {
    let gate = step.units.iter().all(|unit| matches!(unit.action, Action::Gate { .. }));
    match step.takes {
        _ if gate => Expected { p50: SignedDuration::ZERO, p95: SignedDuration::ZERO, source: Source::Person },
        _ if measured.len() >= ENOUGH => {
            Expected { p50: percentile(measured, 50), p95: percentile(measured, 95), source: Source::Measured }
        }
        Some(takes) => Expected { p50: takes.mean, p95: takes.p95(), source: Source::Declared },
        None => Expected { p50: step.timeout, p95: step.timeout, source: Source::Timeout },
    }
}
