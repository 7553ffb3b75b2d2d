//! Measures workloads while a run goes on: thousands of targets, several times a second, from one thread.
//!
//! A gap is the time from one answer of a target to its next. What counts is answers, not looks: an
//! answer that is late, doubled or out of turn never makes a gap longer or shorter than it was for whoever
//! waited for it. And what upshift itself missed, because it was stopped or slept, is never a gap: nothing
//! is known of that time, and it is said so.
//!
//! All of it happens in a thread of its own, so that a run that is busy does not make targets look silent.
//! Times here are those since the machine started, its sleep included: nobody can set them.

mod http;
mod icmp;
mod looks;
mod meter;
mod names;
mod prober;
mod rhythm;
mod turns;

pub use meter::Gap;
pub use prober::{Event, Never, Prober, Tally};

use std::time::Duration;

/// The time since the machine started, its sleep included.
#[must_use]
pub fn since_boot() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(time).unwrap_or_default()
}
