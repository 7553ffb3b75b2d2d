//! How a run will probably go: the decision of the real run, over drawn durations, many times.

use std::num::NonZero;

use jiff::{SignedDuration, Timestamp};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

use crate::engine::draw;
use crate::engine::simulate::{Outlook, simulate};
use crate::engine::state::RunState;
use crate::error::{Error, Result};
use crate::model::history::percentile;
use crate::model::plan::{Plan, Source, Stage};
use crate::model::record::{End, between};
use crate::model::{History, Outcome, Pace, Record, Slot, UnitKey, Verdict};

/// Runs that a search for a pace or a fan-out simulates for each candidate.
const SEARCH_RUNS: u32 = 20;

/// What a forecast says. Durations are in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// Simulated runs.
    pub runs: u32,
    /// The share of runs that came through, from 0 to 1; the others stopped at a failure budget.
    pub comes_through: f64,
    /// The planned time for the whole: the run's window, or else the sum of its stages' windows.
    #[serde(rename = "window_s", serialize_with = "seconds")]
    pub window: Option<SignedDuration>,
    /// The share of runs that came through within the window, from 0 to 1.
    pub fits: Option<f64>,
    /// When the run ends, counted from its start.
    pub end: Spread,
    /// The stages.
    pub stages: Vec<StageForecast>,
}

/// How a duration is spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// Half of all runs are over by this.
    #[serde(rename = "p50_s", serialize_with = "second")]
    pub p50: SignedDuration,
    /// 95 of 100 runs are over by this.
    #[serde(rename = "p95_s", serialize_with = "second")]
    pub p95: SignedDuration,
    /// 99 of 100 runs are over by this.
    #[serde(rename = "p99_s", serialize_with = "second")]
    pub p99: SignedDuration,
}

/// What a forecast says of a stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageForecast {
    /// Its name.
    pub name: String,
    /// Its planned time.
    #[serde(rename = "window_s", serialize_with = "seconds")]
    pub window: Option<SignedDuration>,
    /// The share of the runs that came through in which it fits its window.
    pub fits: Option<f64>,
    /// How long it takes.
    pub took: Spread,
    /// The smallest pace with which 95 of 100 runs fit the window; `None` when no pace does, or
    /// nothing is to be chosen.
    pub smallest_pace: Option<Pace>,
    /// The smallest fan-out with which 95 of 100 runs fit the window, at the planned pace.
    pub smallest_fan_out: Option<u32>,
}

fn second<S: serde::Serializer>(duration: &SignedDuration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

#[expect(clippy::ref_option, reason = "serde passes a reference")]
fn seconds<S: serde::Serializer>(duration: &Option<SignedDuration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64()).serialize(serializer)
}

/// Simulates `runs` runs of a plan.
///
/// # Errors
///
/// A step has neither a measured nor a declared time.
pub fn forecast(plan: &Plan, history: &History, runs: u32, seed: u64) -> Result<Forecast> {
    check_times(plan)?;
    let runs = runs.max(1);
    let all = simulate_many(plan, history, runs, seed);
    let through: Vec<&Sample> = all.iter().filter(|sample| sample.done).collect();
    let counted: Vec<&Sample> = if through.is_empty() { all.iter().collect() } else { through.clone() };
    let window = plan.window.length.or_else(|| {
        let windows: Option<Vec<_>> = plan.stages.iter().map(|stage| stage.window).collect();
        windows.map(|windows| windows.into_iter().fold(SignedDuration::ZERO, SignedDuration::saturating_add))
    });
    let share = |count: usize| to_f64(count) / f64::from(runs);
    let stages = plan.stages.iter().enumerate().map(|(n, stage)| {
        let times: Vec<_> = counted.iter().map(|sample| sample.stages[n]).collect();
        let fits = stage
            .window
            .map(|window| to_f64(times.iter().filter(|time| **time <= window).count()) / to_f64(times.len().max(1)));
        let (smallest_pace, smallest_fan_out) = smallest(plan, n, history, seed);
        StageForecast {
            name: stage.name.clone(),
            window: stage.window,
            fits,
            took: Spread::of(times),
            smallest_pace,
            smallest_fan_out,
        }
    });
    Ok(Forecast {
        runs,
        comes_through: share(through.len()),
        window,
        fits: window.map(|window| share(through.iter().filter(|sample| sample.end <= window).count())),
        end: Spread::of(counted.iter().map(|sample| sample.end).collect()),
        stages: stages.collect(),
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts of simulated runs are small")]
fn to_f64(count: usize) -> f64 {
    count as f64
}

impl Spread {
    fn of(mut times: Vec<SignedDuration>) -> Self {
        times.sort_unstable();
        Self { p50: percentile(&times, 50), p95: percentile(&times, 95), p99: percentile(&times, 99) }
    }
}

fn check_times(plan: &Plan) -> Result<()> {
    for stage in &plan.stages {
        if let Some(step) = stage.steps.iter().find(|step| step.expected.source == Source::Timeout) {
            return Err(Error::usage(format!(
                "{}: nothing is known of how long step `{}` of stage `{}` takes",
                plan.pipeline_file, step.title, stage.name
            ))
            .hint(
                "declare it, as in `takes = \"12m ± 3m\"`, or run the pipeline: three hosts are enough to learn from",
            ));
        }
    }
    Ok(())
}

/// One simulated run.
struct Sample {
    done: bool,
    end: SignedDuration,
    stages: Vec<SignedDuration>,
}

/// Simulates on every core; the same seed gives the same samples.
fn simulate_many(plan: &Plan, history: &History, runs: u32, seed: u64) -> Vec<Sample> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let durations = Durations::new(plan, history);
    let fresh = fresh_state(plan);
    let work = |thread: usize| {
        let mut state = fresh.clone();
        let runs = (0..runs).skip(thread).step_by(threads);
        runs.map(|run| {
            state.clone_from(&fresh);
            sample(plan, &durations, &mut state, seed.wrapping_add(u64::from(run)))
        })
        .collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|thread| scope.spawn(move || work(thread))).collect();
        handles
            .into_iter()
            .flat_map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

/// A run that was just opened; when is of no matter.
fn fresh_state(plan: &Plan) -> RunState {
    let mut state = RunState::new(std::sync::Arc::new(plan.outline()));
    state.opened_at = Some(Timestamp::UNIX_EPOCH);
    state.contacted = true;
    state
}

fn sample(plan: &Plan, durations: &Durations, state: &mut RunState, seed: u64) -> Sample {
    let mut rng = SmallRng::seed_from_u64(seed);
    let start = Timestamp::UNIX_EPOCH;
    let outlook = simulate(plan, state, start, |unit, _| durations.draw(plan, unit, &mut rng), |_, _, _| {});
    let took = |stage: &crate::engine::state::StageState| match (stage.started_at, stage.ended_at) {
        (Some(started), ended) => between(started, ended.unwrap_or(outlook.end)),
        _ => SignedDuration::ZERO,
    };
    Sample {
        done: outlook.verdict == Some(Verdict::Done),
        end: between(start, outlook.end),
        stages: state.stages.iter().map(took).collect(),
    }
}

/// Where durations are drawn from: by stage and step, what was measured, or nothing.
struct Durations<'a> {
    measured: Vec<Vec<&'a [SignedDuration]>>,
}

impl<'a> Durations<'a> {
    fn new(plan: &Plan, history: &'a History) -> Self {
        let stage = |stage: &Stage| {
            let step = |step: &crate::model::plan::Step| match step.expected.source {
                Source::Measured => history.step(&stage.name, &step.title),
                _ => &[],
            };
            stage.steps.iter().map(step).collect()
        };
        Self { measured: plan.stages.iter().map(stage).collect() }
    }

    fn draw(&self, plan: &Plan, unit: UnitKey, rng: &mut SmallRng) -> (SignedDuration, End) {
        let step = plan.step(unit);
        let Slot::Step(number) = unit.slot else { return (step.put_back, End::plain(Outcome::Changed)) };
        let measured = self.measured[usize::from(unit.stage)][usize::from(number)];
        let took = match (measured.choose(rng), step.takes) {
            (Some(took), _) => *took,
            (None, Some(takes)) => draw::duration(takes, rng),
            (None, None) => step.expected.p50,
        };
        let fails = step.failure_rate > 0.0 && rng.random_bool(step.failure_rate);
        draw::end(step, took, fails)
    }
}

/// The smallest pace, and the smallest fan-out, with which a stage fits its window.
fn smallest(plan: &Plan, stage: usize, history: &History, seed: u64) -> (Option<Pace>, Option<u32>) {
    let planned = &plan.stages[stage];
    let hosts = u32::try_from(planned.hosts.len()).unwrap_or(u32::MAX);
    let (Some(window), 2..) = (planned.window, hosts) else { return (None, None) };
    let mut alone = plan.clone();
    alone.stages = vec![planned.clone()];
    // What a pace would be without failures is asked; a budget that is spent ends a run early.
    for step in &mut alone.stages[0].steps {
        step.failure_rate = 0.0;
    }
    let mut fits = |pace: Option<Pace>, fan_out: u32| {
        (alone.stages[0].pace, alone.stages[0].fan_out) = (pace, fan_out);
        let samples = simulate_many(&alone, history, SEARCH_RUNS, seed);
        Spread::of(samples.iter().map(|sample| sample.end).collect()).p95 <= window
    };
    let pace = planned.pace.and_then(|_| {
        // Beyond a host a second a pace is no longer one.
        least(3600, |pace| fits(Pace::per_hour(pace), planned.fan_out)).and_then(Pace::per_hour)
    });
    (pace, least(hosts, |fan_out| fits(planned.pace, fan_out)))
}

/// The least number from 1 to `most` that fits, where every number above one that fits does too.
fn least(most: u32, mut fits: impl FnMut(u32) -> bool) -> Option<u32> {
    if !fits(most) {
        return None;
    }
    let (mut short, mut enough) = (0, most);
    while enough - short > 1 {
        let middle = short + (enough - short) / 2;
        if fits(middle) { enough = middle } else { short = middle }
    }
    Some(enough)
}

/// When a run that is under way will end, by the expected times of its steps; `None` when it waits
/// for a person, or nothing is known.
#[must_use]
pub fn outlook(plan: &Plan, state: &RunState, now: Timestamp) -> Option<Outlook> {
    if state.held.is_some() || state.verdict.is_some() {
        return None;
    }
    let mut state = state.clone();
    // When it would end is asked, not whether it may.
    state.closes = None;
    let known = |stage: &Stage| stage.steps.iter().all(|step| step.expected.source != Source::Timeout);
    if !plan.stages.iter().skip(state.current).all(known) {
        return None;
    }
    Some(simulate(plan, &mut state, now, |unit, _| expected(plan, unit), |_, _, _| {}))
}

fn expected(plan: &Plan, unit: UnitKey) -> (SignedDuration, End) {
    let step = plan.step(unit);
    let took = if matches!(unit.slot, Slot::Step(_)) { step.expected.p50 } else { step.put_back };
    (took, End::plain(Outcome::Changed))
}

/// How long each stage of a plan is expected to take; `None` where nothing is known of a step.
#[must_use]
pub fn stage_times(plan: &Plan) -> Vec<Option<SignedDuration>> {
    let mut state = fresh_state(plan);
    let mut ends = vec![None; plan.stages.len()];
    let mut starts = vec![Timestamp::UNIX_EPOCH; plan.stages.len()];
    let watch = |_: &RunState, at: Timestamp, record: &Record| match record {
        Record::StageStarted { stage } => starts[usize::from(*stage)] = at,
        Record::StageEnded { stage } => ends[usize::from(*stage)] = Some(at),
        _ => {}
    };
    simulate(plan, &mut state, Timestamp::UNIX_EPOCH, |unit, _| expected(plan, unit), watch);
    let known = |stage: &Stage| stage.steps.iter().all(|step| step.expected.source != Source::Timeout);
    let times = ends.into_iter().zip(starts).zip(&plan.stages);
    times.map(|((end, start), stage)| end.filter(|_| known(stage)).map(|end: Timestamp| between(start, end))).collect()
}
