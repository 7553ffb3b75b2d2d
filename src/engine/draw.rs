//! Durations and failures that are drawn, for hosts that do not exist.
//!
//! A simulated unit's draw follows from the plan, the unit and the attempt alone, so that a run that
//! was cut and resumed ends as the same run without the cut.

use jiff::SignedDuration;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use rand_distr::{Distribution, Normal};
use sha2::{Digest, Sha256};

use crate::model::plan::{Plan, Step};
use crate::model::record::End;
use crate::model::{Outcome, Slot, Takes, UnitKey};

/// What a simulated step takes that nobody declared, and what putting a host back takes.
pub const SHORT: SignedDuration = SignedDuration::from_secs(1);

/// How long a simulated unit takes, and how it ends.
#[must_use]
pub fn unit(plan: &Plan, key: UnitKey, attempt: u16) -> (SignedDuration, End) {
    let name = format!("{} {} {:?} {attempt}", plan.digest, plan.host(key).name, (key.stage, key.slot));
    let mut rng = StdRng::from_seed(Sha256::digest(name.as_bytes()).into());
    let step = plan.step(key);
    let took = match (key.slot, step.takes) {
        (Slot::Step(_), Some(takes)) => duration(takes, &mut rng),
        _ => SHORT,
    };
    let fails = matches!(key.slot, Slot::Step(_)) && rng.random_bool(step.failure_rate);
    end(step, took, fails)
}

/// How a unit ends that would take so long, and fail or not.
pub(super) fn end(step: &Step, took: SignedDuration, fails: bool) -> (SignedDuration, End) {
    if took > step.timeout {
        return (step.timeout, End::noted(Outcome::TimedOut, format!("still going after {:#}", step.timeout)));
    }
    let end = if fails { End::noted(Outcome::Failed, "simulated failure") } else { End::plain(Outcome::Changed) };
    (took, end)
}

/// A duration from a declared time: normally distributed, never negative.
pub fn duration(takes: Takes, rng: &mut impl Rng) -> SignedDuration {
    if takes.deviation.is_zero() {
        return takes.mean;
    }
    let (mean, deviation) = (takes.mean.as_secs_f64(), takes.deviation.as_secs_f64());
    let seconds = Normal::new(mean, deviation).map_or(mean, |normal| normal.sample(rng));
    SignedDuration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(takes.mean)
}
