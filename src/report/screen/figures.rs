//! Figures that every reporter shows: counts, paces, what a run is doing, how much room is left.
//!
//! They are read off the state, so that no two reporters can count differently.

use jiff::{SignedDuration, Timestamp};

use super::watch::Watch;
use crate::engine::state::{HostState, Phase, RunState, StageState, Stopping};
use crate::model::record::between;
use crate::model::span;
use crate::model::{Outcome, Pace, Verdict};

/// A stage's hosts, each counted once: `done + under_way + failed + left` is `total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// All of them.
    pub total: u32,
    /// Ended without a failure: changed, unchanged or skipped.
    pub done: u32,
    /// Started, not ended, and without a failure so far.
    pub under_way: u32,
    /// Came short, also those that are still being put back.
    pub failed: u32,
    /// Not started.
    pub left: u32,
    /// Ended in whatever way. A bar shows this, so that it is full only when nothing goes on.
    pub ended: u32,
}

impl Counts {
    /// Counts the hosts of a stage.
    #[must_use]
    pub fn of(stage: &StageState) -> Self {
        let ended_failed: u32 = Outcome::ALL
            .iter()
            .zip(stage.ended)
            .filter(|(outcome, _)| outcome.is_failure())
            .map(|(_, count)| count)
            .sum();
        let under_way = stage.under_way.iter().map(|&place| &stage.hosts[place as usize]);
        let failing = count(under_way.filter(|host| has_failed(host)).count());
        Self {
            total: count(stage.hosts.len()),
            done: stage.done() - ended_failed,
            under_way: count(stage.under_way.len()) - failing,
            failed: ended_failed + failing,
            left: stage.waiting,
            ended: stage.done(),
        }
    }
}

fn count(hosts: usize) -> u32 {
    u32::try_from(hosts).unwrap_or(u32::MAX)
}

/// Whether a host came short, known from the moment it happened.
#[must_use]
pub fn has_failed(host: &HostState) -> bool {
    host.stuck
        || host.cut.is_some_and(Outcome::is_failure)
        || matches!(host.phase, Phase::Ended(outcome) if outcome.is_failure())
}

/// What a run is doing, in the order of what matters most to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// It ended.
    Ended(Verdict),
    /// Steps are being ended and touched hosts put back.
    Aborting,
    /// What is under way ends; nothing starts.
    Stopping,
    /// A person holds it.
    Held,
    /// A gate waits for a person.
    Gate,
    /// Hosts are asked whether they answer.
    Contacting,
    /// It goes on.
    Running,
}

impl Doing {
    /// What a run is doing now.
    #[must_use]
    pub fn of(watch: &Watch) -> Self {
        let run = &watch.state;
        match (run.verdict, run.stopping) {
            (Some(verdict), _) => Self::Ended(verdict),
            (None, Some(Stopping::Abort)) => Self::Aborting,
            (None, Some(Stopping::Stop)) => Self::Stopping,
            _ if run.held.is_some() => Self::Held,
            _ if watch.gate.is_some() => Self::Gate,
            _ if !run.contacted => Self::Contacting,
            _ => Self::Running,
        }
    }

    /// The word for it, as programs read it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Ended(_) => "ended",
            Self::Aborting => "aborting",
            Self::Stopping => "stopping",
            Self::Held => "held",
            Self::Gate => "gate",
            Self::Contacting => "contacting",
            Self::Running => "running",
        }
    }
}

/// The hosts an hour that a stage starts now, measured over the last hour; `None` before the second.
///
/// The time since the last start counts only once it is longer than the pace wanted, so that a stage
/// that keeps its pace reads `20.0/h` at any moment, and one that is held reads less and less.
#[must_use]
pub fn pace_now(stage: &StageState, wanted: Option<Pace>, now: Timestamp) -> Option<f64> {
    let hour_ago = now.checked_sub(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MIN);
    let spacing = wanted.map_or(SignedDuration::ZERO, Pace::spacing);
    let starts = || stage.hosts.iter().filter_map(|host| host.started_at).filter(|at| *at >= hour_ago && *at <= now);
    let (first, last) = (starts().min()?, starts().max()?);
    let spaces = starts().count() - 1;
    let since_first = (between(first, now) - spacing).max(between(first, last));
    if spaces == 0 || since_first.is_zero() {
        return None;
    }
    Some(f64::from(count(spaces)) * 3600.0 / since_first.as_secs_f64())
}

/// When the run should be over: when the window closes, else after the planned time of all stages.
///
/// A run that was resumed has lost the time in between, so the sum of its stages says nothing.
#[must_use]
pub fn due(watch: &Watch) -> Option<Timestamp> {
    let run = &watch.state;
    if run.closes.is_some() || watch.resumed_at.is_some() {
        return run.closes;
    }
    let planned: SignedDuration = run
        .outline
        .stages
        .iter()
        .map(|stage| stage.window)
        .try_fold(SignedDuration::ZERO, |sum, window| sum.checked_add(window?))?;
    run.opened_at?.checked_add(planned).ok()
}

/// The time between the expected end of the run and when it should be over; negative when it is late.
#[must_use]
pub fn slack(watch: &Watch, now: Timestamp) -> Option<SignedDuration> {
    let end = if watch.state.verdict.is_some() { watch.last_at } else { watch.expected?.run.max(now) };
    Some(due(watch)?.duration_since(end))
}

/// Slack in words: `22m to spare` or `9m over`. Seconds of it would only flicker.
#[must_use]
pub fn slack_words(slack: SignedDuration) -> String {
    let word = if slack.is_negative() { "over" } else { "to spare" };
    let slack = slack.abs();
    let whole = SignedDuration::from_mins(slack.as_mins());
    format!("{} {word}", span::glance(if whole.is_zero() { slack } else { whole }))
}

/// The pace and the fan-out that hold in a stage now.
#[must_use]
pub fn limits(run: &RunState, stage: usize) -> (Option<Pace>, u32) {
    let (progress, shape) = (&run.stages[stage], &run.outline.stages[stage]);
    (progress.pace.or(shape.pace), progress.fan_out.unwrap_or(shape.fan_out))
}
