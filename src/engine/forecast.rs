//! How a run will probably go: the decision of the real run, over drawn durations, many times.

use std::num::NonZero;

use jiff::{SignedDuration, Timestamp};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

use crate::engine::draw;
use crate::engine::schedule::in_time;
use crate::engine::simulate::{Outlook, simulate};
use crate::engine::state::RunState;
use crate::error::{Error, Result};
use crate::model::history::percentile;
use crate::model::plan::{Action, Plan, Source, Stage, Unit};
use crate::model::record::{End, Kept, between};
use crate::model::{History, Outcome, Pace, Record, Slot, UnitKey, Verdict};

/// Runs that a search for a pace or a fan-out simulates for each candidate.
const SEARCH_RUNS: u32 = 20;

/// What a forecast says. Durations are in seconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// Simulated runs.
    pub runs: u32,
    /// The share of runs that came through, were there no window, from 0 to 1; the others stopped at a
    /// failure budget.
    pub comes_through: f64,
    /// The planned time for the whole: the run's window, or else the sum of its stages' windows.
    #[serde(rename = "window_s", serialize_with = "seconds")]
    pub window: Option<SignedDuration>,
    /// The share of runs that came through within the window and were not shut out, from 0 to 1.
    pub fits: Option<f64>,
    /// The share of runs in which the run's window left no time for another host, its undoing and the
    /// reserve, from 0 to 1. The windows of stages bar nothing.
    pub shut_out: f64,
    /// When the run ends, counted from its start, were there no window.
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

/// Simulates `runs` runs of a plan, in a window of that length.
///
/// # Errors
///
/// A step has neither a measured nor a declared time.
pub fn forecast(
    plan: &Plan,
    window: Option<SignedDuration>,
    history: &History,
    runs: u32,
    seed: u64,
) -> Result<Forecast> {
    check_times(plan)?;
    let runs = runs.max(1);
    let all = simulate_many(plan, window, history, runs, seed);
    let through: Vec<&Sample> = all.iter().filter(|sample| sample.done).collect();
    let counted: Vec<&Sample> = if through.is_empty() { all.iter().collect() } else { through.clone() };
    let window = window.or_else(|| {
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
        fits: window
            .map(|window| share(through.iter().filter(|sample| !sample.shut_out && sample.end <= window).count())),
        shut_out: share(all.iter().filter(|sample| sample.shut_out).count()),
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

/// One simulated run, as if there were no window.
struct Sample {
    done: bool,
    /// Whether it started a host that the window would have barred.
    shut_out: bool,
    end: SignedDuration,
    stages: Vec<SignedDuration>,
}

/// Simulates on every core; the same seed gives the same samples.
fn simulate_many(plan: &Plan, window: Option<SignedDuration>, history: &History, runs: u32, seed: u64) -> Vec<Sample> {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let durations = Durations::new(plan, history);
    let fresh = fresh_state(plan);
    let work = |thread: usize| {
        let mut state = fresh.clone();
        let runs = (0..runs).skip(thread).step_by(threads);
        runs.map(|run| {
            state.clone_from(&fresh);
            sample(plan, window, &durations, &mut state, (seed << 32) ^ u64::from(run))
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

fn sample(
    plan: &Plan,
    window: Option<SignedDuration>,
    durations: &Durations,
    state: &mut RunState,
    seed: u64,
) -> Sample {
    let mut rng = SmallRng::seed_from_u64(seed);
    let start = Timestamp::UNIX_EPOCH;
    let closes = window.map(|window| start.saturating_add(window).unwrap_or(Timestamp::MAX));
    let mut shut_out = false;
    // The window bars nothing here, so that every run has an end to tell: the first start that it would
    // have barred is where the real run stops.
    let watch = |state: &RunState, now: Timestamp, record: &Record| {
        if let (Some(closes), Record::HostStarted { stage, host }) = (closes, record) {
            shut_out |= !in_time(plan, state, *stage, *host, now, closes);
        }
    };
    let outlook = simulate(plan, state, start, |unit, _| durations.draw(plan, unit, &mut rng), watch);
    let took = |stage: &crate::engine::state::StageState| match (stage.started_at, stage.ended_at) {
        (Some(started), ended) => between(started, ended.unwrap_or(outlook.end)),
        _ => SignedDuration::ZERO,
    };
    Sample {
        done: outlook.verdict == Some(Verdict::Done),
        shut_out,
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
        let (took, end) = draw::end(step, took, fails);
        // A restore test would measure what is expected now.
        let tests = |unit: &Unit| {
            matches!(&unit.action, Action::Backup(backup) if backup.test.is_some()) && unit.is_undone_by_restore()
        };
        let is_tested = step.units.get(unit.host as usize).is_some_and(tests) && !end.outcome.is_failure();
        let kept = is_tested.then(|| Box::new(Kept { size: 0, undo_takes: Some(step.undo.p50) }));
        (took, End { kept, ..end })
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
        let samples = simulate_many(&alone, None, history, SEARCH_RUNS, seed);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sample;
    use crate::model::Takes;

    const fn minutes(minutes: i64) -> SignedDuration {
        SignedDuration::from_mins(minutes)
    }

    /// 80 hosts of 12 minutes, give or take three, each with an undo, 20 an hour and 6 at once.
    fn eighty() -> Plan {
        let takes = Takes { mean: minutes(12), deviation: minutes(3) };
        let mut stage = sample::stage("computes", 80, vec![undoable(sample::step("upgrade", 80, minutes(12)))]);
        stage.steps[0].takes = Some(takes);
        stage.steps[0].expected.p95 = minutes(17);
        stage.steps[0].undo.p95 = minutes(17);
        stage.steps[0].timeout = minutes(60);
        (stage.pace, stage.fan_out) = (Pace::per_hour(20), 6);
        sample::plan(80, vec![stage])
    }

    fn undoable(mut step: crate::model::plan::Step) -> crate::model::plan::Step {
        for unit in &mut step.units {
            unit.undo = vec![sample::undo()];
        }
        step.undo = step.expected;
        step
    }

    /// One host of 20 minutes, with nine minutes in reserve.
    fn single(step: impl Fn(crate::model::plan::Step) -> crate::model::plan::Step) -> Plan {
        let mut stage = sample::stage("s", 1, vec![step(sample::step("upgrade", 1, minutes(20)))]);
        stage.window = Some(minutes(30));
        Plan { reserve: minutes(9), ..sample::plan(1, vec![stage]) }
    }

    fn forecast_of(plan: &Plan, window: Option<SignedDuration>) -> Forecast {
        forecast(plan, window, &History::default(), 100, 1).unwrap()
    }

    #[test]
    fn a_run_that_has_no_time_to_undo_its_host_does_not_fit() {
        let said = forecast_of(&single(undoable), Some(minutes(30)));
        assert_eq!((said.fits, said.shut_out), (Some(0.0), 1.0));
        assert_eq!((said.comes_through, said.end.p99), (1.0, minutes(20)), "its times are those without a window");
        let said = forecast_of(&single(undoable), Some(minutes(49)));
        assert_eq!((said.fits, said.shut_out), (Some(1.0), 0.0));
    }

    #[test]
    fn the_reserve_counts_without_an_undo_too() {
        let fits = |window| forecast_of(&single(|step| step), Some(minutes(window))).fits;
        assert_eq!([fits(28), fits(29)], [Some(0.0), Some(1.0)]);
    }

    #[test]
    fn a_window_of_two_times_of_day_is_one_to_fit() {
        use crate::model::pipeline::{Edge, Window};
        let daily = |time: &str| Some(Edge::Daily(time.parse().unwrap()));
        let window = Window { opens: daily("00:00"), closes: daily("23:59"), length: None };
        let window = crate::engine::window::length(&window, &"2026-11-22T12:00:00[UTC]".parse().unwrap());
        let said = forecast_of(&single(undoable), window);
        assert_eq!((said.window, said.fits), (Some(minutes(24 * 60 - 1)), Some(1.0)));
    }

    #[test]
    fn the_windows_of_stages_bar_nothing() {
        let said = forecast_of(&single(undoable), None);
        assert_eq!((said.window, said.fits, said.shut_out), (Some(minutes(30)), Some(1.0), 0.0));
    }

    #[test]
    fn a_run_is_shut_out_where_the_decision_of_the_real_run_ends_it() {
        let plan = eighty();
        let history = History::default();
        let durations = Durations::new(&plan, &history);
        let mut seen = [0, 0];
        // The last host starts after about 4 hours, and it and its undo take 34 minutes.
        for (seed, window) in (260..290).flat_map(|window| (0..5).map(move |seed| (seed, minutes(window)))) {
            let shut_out = sample(&plan, Some(window), &durations, &mut fresh_state(&plan), seed).shut_out;
            let mut barred = fresh_state(&plan);
            barred.closes = Some(Timestamp::UNIX_EPOCH + window);
            let mut rng = SmallRng::seed_from_u64(seed);
            let draw = |unit, _| durations.draw(&plan, unit, &mut rng);
            let outlook = simulate(&plan, &mut barred, Timestamp::UNIX_EPOCH, draw, |_, _, _| {});
            let verdict = if shut_out { Verdict::Window } else { Verdict::Done };
            assert_eq!(outlook.verdict, Some(verdict), "seed {seed}, window {window:#}");
            seen[usize::from(shut_out)] += 1;
        }
        assert!(seen[0] > 20 && seen[1] > 20, "the windows are all of one kind: {seen:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_forecast_and_another_does_not() {
        let of = |seed| forecast(&eighty(), Some(minutes(280)), &History::default(), 50, seed).unwrap();
        assert_eq!(of(1), of(1));
        // Run n of a seed is drawn from their sum, so that seeds side by side share most of their runs.
        assert_ne!(of(1), of(51));
    }

    #[test]
    fn fewer_runs_are_never_over_later_than_more() {
        for seed in 0..20 {
            let said = forecast(&eighty(), None, &History::default(), 40, 40 * seed).unwrap();
            for Spread { p50, p95, p99 } in [said.end, said.stages[0].took] {
                assert!(p50 < p99 && p50 <= p95 && p95 <= p99, "{p50:#}, {p95:#}, {p99:#}");
            }
        }
    }

    #[test]
    fn the_smallest_pace_fits_the_window_of_its_stage_and_one_less_does_not() {
        let mut plan = eighty();
        let window = minutes(260);
        plan.stages[0].window = Some(window);
        let said = |plan: &Plan| forecast(plan, None, &History::default(), SEARCH_RUNS, 1).unwrap().stages.remove(0);
        let planned = said(&plan);
        let (pace, fan_out) = (planned.smallest_pace.unwrap(), planned.smallest_fan_out.unwrap());
        let mut fits = |pace, fan_out| {
            (plan.stages[0].pace, plan.stages[0].fan_out) = (pace, fan_out);
            said(&plan).took.p95 <= window
        };
        let per_hour = (1..=3600).find(|hosts| Pace::per_hour(*hosts) == Some(pace)).unwrap();
        assert_eq!([fits(Some(pace), 6), fits(Pace::per_hour(per_hour - 1), 6)], [true, false], "pace {pace}");
        let planned = Pace::per_hour(20);
        assert_eq!([fits(planned, fan_out), fits(planned, fan_out - 1)], [true, false], "fan-out {fan_out}");
    }
}
