//! Limits at their edge: the one host more or less that counts.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use crate::engine::retry::retry_at;
use crate::engine::sample;
use crate::engine::schedule::decide;
use crate::engine::simulate::Due;
use crate::engine::state::{Fate, Phase, RunState};
use crate::model::plan::{Plan, Stage};
use crate::model::record::{End, Record, Silent};
use crate::model::{Amount, Budget, Command, Outcome, Pace, Slot, UnitKey, Verdict};

/// What every step takes.
const TAKES: SignedDuration = SignedDuration::from_mins(10);

/// What putting a host back takes.
const PUT_BACK: SignedDuration = SignedDuration::from_mins(1);

fn stage(hosts: u32, steps: usize) -> Stage {
    let step = |n| sample::step(&format!("step{n}"), hosts, TAKES);
    let mut stage = sample::stage("computes", hosts, (0..steps).map(step).collect());
    stage.budget = Budget::default();
    stage
}

/// A run in simulated time that a test leads where it wants.
struct Run {
    plan: Plan,
    state: RunState,
    now: Timestamp,
    due: Due,
    fails: HashMap<(u32, Slot), Outcome>,
    happened: Vec<(i64, Record)>,
}

impl Run {
    fn new(stages: Vec<Stage>) -> Self {
        let hosts = stages.iter().flat_map(|stage| &stage.hosts).max().unwrap() + 1;
        Self::of(sample::plan(hosts, stages))
    }

    fn of(plan: Plan) -> Self {
        let state = sample::opened(&plan);
        let (fails, happened) = (HashMap::new(), Vec::new());
        Self { plan, state, now: sample::start(), due: Due::default(), fails, happened }
    }

    /// This unit fails on this host, in every stage and try.
    fn failing(mut self, host: u32, slot: Slot) -> Self {
        self.fails.insert((host, slot), Outcome::Failed);
        self
    }

    fn closing(mut self, minutes: i64, seconds: i64) -> Self {
        let open = SignedDuration::from_secs(60 * minutes + seconds);
        self.state.closes = Some(sample::start().saturating_add(open).unwrap());
        self
    }

    fn commit(&mut self, record: Record) {
        self.state.apply(self.now, &record).unwrap();
        self.happened.push((self.minute(), record));
    }

    fn minute(&self) -> i64 {
        self.now.duration_since(sample::start()).as_mins()
    }

    fn order(&mut self, command: Command) {
        let aborts = command == Command::Abort;
        self.commit(Record::Ordered { command, by: sample::person() });
        if aborts {
            let running: Vec<_> = self.state.running().collect();
            for (unit, attempt, _) in running.into_iter().filter(|(unit, ..)| matches!(unit.slot, Slot::Step(_))) {
                self.due.remove(unit, attempt);
                self.end(unit, attempt, End::plain(Outcome::Interrupted));
            }
        }
    }

    fn resume(&mut self) {
        self.commit(Record::Resumed { by: sample::person(), closes: None });
        self.commit(Record::Contacted { unreachable: Vec::new() });
    }

    fn end(&mut self, unit: UnitKey, attempt: u16, end: End) {
        let retry_at = retry_at(&self.plan, &self.state, unit, attempt, &end, self.now);
        self.commit(Record::UnitEnded { unit, attempt, end, retry_at });
    }

    /// Goes on until that minute, or until nothing more happens.
    fn go_on(&mut self, minute: i64) -> &mut Self {
        let until = sample::start().saturating_add(SignedDuration::from_mins(minute)).unwrap();
        loop {
            let decision = decide(&self.plan, &self.state, self.now);
            if !decision.records.is_empty() {
                for record in decision.records {
                    if let Record::UnitStarted { unit, attempt } = record {
                        let takes = if matches!(unit.slot, Slot::Step(_)) { TAKES } else { PUT_BACK };
                        let outcome = self.fails.get(&(unit.host, unit.slot)).copied().unwrap_or(Outcome::Changed);
                        let at = self.now.saturating_add(takes).unwrap();
                        self.due.add(at, unit, attempt, End::plain(outcome));
                    }
                    self.commit(record);
                }
                continue;
            }
            let next = [self.due.next_at(), decision.wake_at].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= until && self.state.verdict.is_none()) else { break };
            self.now = self.now.max(next);
            while let Some((unit, attempt, end)) = self.due.take(self.now) {
                self.end(unit, attempt, end);
            }
        }
        if self.state.verdict.is_none() {
            self.now = self.now.max(until);
        }
        self
    }

    fn finish(&mut self) -> Option<Verdict> {
        self.go_on(1_000_000).state.verdict
    }

    /// The minutes at which hosts started.
    fn starts(&self) -> Vec<i64> {
        let starts = self.happened.iter().filter(|(_, record)| matches!(record, Record::HostStarted { .. }));
        starts.map(|(minute, _)| *minute).collect()
    }

    /// What was carried out, as host, slot and try.
    fn carried_out(&self) -> Vec<(u32, Slot, u16)> {
        let unit = |(_, record): &(i64, Record)| match record {
            Record::UnitStarted { unit, attempt } => Some((unit.host, unit.slot, *attempt)),
            _ => None,
        };
        self.happened.iter().filter_map(unit).collect()
    }
}

#[test]
fn three_tolerated_failures_stop_at_the_third_and_not_at_the_second_or_fourth() {
    let mut limited = stage(10, 1);
    limited.fan_out = 1;
    limited.budget.total = Some(3);
    let mut two = Run::new(vec![limited.clone()]).failing(1, Slot::Step(0)).failing(3, Slot::Step(0));
    assert_eq!(two.finish(), Some(Verdict::Failed));
    assert_eq!(two.starts().len(), 10, "two are tolerated");

    let mut three = Run::new(vec![limited]).failing(9, Slot::Step(0));
    for host in [1, 3, 5, 7] {
        three = three.failing(host, Slot::Step(0));
    }
    assert_eq!(three.finish(), Some(Verdict::Failed));
    assert_eq!(three.starts().len(), 6, "the third failure is the sixth host");
    assert_eq!(three.state.stages[0].failed(), 3);
}

#[test]
fn each_way_of_failing_has_a_limit_of_its_own() {
    let mut limited = stage(8, 1);
    limited.fan_out = 1;
    limited.budget.timed_out = Some(2);
    let mut run = Run::new(vec![limited]).failing(0, Slot::Step(0)).failing(1, Slot::Step(0));
    for host in [2, 4] {
        run.fails.insert((host, Slot::Step(0)), Outcome::TimedOut);
    }
    assert_eq!(run.finish(), Some(Verdict::Failed));
    assert_eq!(run.starts().len(), 5);
}

#[test]
fn ten_percent_of_25_hosts_are_two_and_of_three_hosts_one() {
    assert_eq!(Amount::Percent(10.0).of(25), 2);
    assert_eq!(Amount::Percent(10.0).of(29), 2);
    assert_eq!(Amount::Percent(10.0).of(30), 3);
    assert_eq!(Amount::Percent(10.0).of(3), 1);
}

#[test]
fn canaries_go_one_then_four_then_all() {
    let mut limited = stage(12, 1);
    limited.canary = vec![1, 4];
    let mut run = Run::new(vec![limited]);
    assert_eq!(run.finish(), Some(Verdict::Done));
    assert_eq!(run.starts(), [vec![0; 1], vec![10; 4], vec![20; 7]].concat());
}

#[test]
fn a_failure_among_the_four_canaries_starts_nothing_more_whatever_the_budget() {
    let mut limited = stage(12, 1);
    limited.canary = vec![1, 4];
    let mut run = Run::new(vec![limited]).failing(3, Slot::Step(0));
    assert_eq!(run.finish(), Some(Verdict::Failed));
    assert_eq!(run.starts().len(), 5);
}

#[test]
fn a_fan_out_below_what_is_under_way_lets_that_end_and_starts_no_more() {
    let mut limited = stage(10, 1);
    limited.fan_out = 4;
    let mut run = Run::new(vec![limited]);
    run.go_on(5).order(Command::FanOut { hosts: 2 });
    run.finish();
    assert_eq!(run.starts(), [0, 0, 0, 0, 10, 10, 20, 20, 30, 30]);
}

#[test]
fn a_pace_counts_at_once_whether_it_is_raised_or_lowered() {
    let mut limited = stage(5, 1);
    limited.pace = Pace::per_hour(6);
    let mut raised = Run::new(vec![limited.clone()]);
    raised.go_on(12).order(Command::Pace { pace: Pace::per_hour(60).unwrap() });
    raised.finish();
    assert_eq!(raised.starts(), [0, 10, 12, 13, 14]);

    let mut lowered = Run::new(vec![limited]);
    lowered.go_on(12).order(Command::Pace { pace: Pace::per_hour(2).unwrap() });
    lowered.finish();
    assert_eq!(lowered.starts(), [0, 10, 40, 70, 100]);
}

#[test]
fn a_host_that_settles_holds_the_place_of_a_fan_out_of_one() {
    let mut limited = stage(3, 1);
    (limited.fan_out, limited.settle) = (1, SignedDuration::from_mins(5));
    let mut run = Run::new(vec![limited]);
    assert_eq!(run.finish(), Some(Verdict::Done));
    assert_eq!(run.starts(), [0, 15, 30]);
    assert_eq!(run.minute(), 45);
}

#[test]
fn a_window_that_fits_to_the_second_takes_the_host_and_one_second_less_does_not() {
    let planned = || {
        let mut limited = stage(1, 1);
        limited.settle = SignedDuration::from_mins(2);
        limited.steps[0] = sample::with_always(limited.steps[0].clone());
        limited.steps[0].put_back = PUT_BACK;
        limited.steps[0].units[0].undo = vec![sample::undo()];
        let mut plan = sample::plan(1, vec![limited]);
        plan.reserve = SignedDuration::from_mins(3);
        plan
    };
    // The step and its undo, putting back, settling, and the reserve.
    assert_eq!(Run::of(planned()).closing(26, 0).finish(), Some(Verdict::Done));
    let mut short = Run::of(planned()).closing(26, -1);
    assert_eq!(short.finish(), Some(Verdict::Window));
    assert_eq!((short.starts().len(), short.state.stages[0].started_at), (0, None));
}

#[test]
fn a_stop_lets_hosts_under_way_finish_all_their_steps() {
    let mut limited = stage(4, 3);
    limited.fan_out = 2;
    let mut run = Run::new(vec![limited]);
    run.go_on(5).order(Command::Stop);
    assert_eq!(run.finish(), Some(Verdict::Stopped));
    assert_eq!((run.minute(), run.starts().len()), (30, 2));
    assert_eq!(run.state.fates()[1], Fate::Ended(Outcome::Changed));
    assert_eq!(run.state.fates()[2], Fate::Left);
}

#[test]
fn an_abort_puts_back_what_it_cut_off_and_what_it_caught_between_two_steps() {
    let mut limited = stage(3, 2);
    limited.steps[0] = sample::with_always(limited.steps[0].clone());
    limited.steps[0].retries = 1;
    limited.fan_out = 2;
    let mut run = Run::new(vec![limited]).failing(1, Slot::Step(0));
    run.plan.stages[0].steps[0].retry_delay = SignedDuration::from_mins(4);
    // Host 0 is in its second step, host 1 waits for its second try.
    run.go_on(12).order(Command::Abort);
    assert_eq!(run.finish(), Some(Verdict::Aborted));
    assert_eq!(run.minute(), 13);
    let carried_out = run.carried_out();
    assert!(carried_out.ends_with(&[(0, Slot::Always(0), 1), (1, Slot::Always(0), 1)]), "{carried_out:?}");
    assert_eq!(run.state.fates()[..2], [Fate::Ended(Outcome::Interrupted); 2]);
    assert_eq!(run.state.stages[0].failed(), 2);
}

#[test]
fn an_abort_that_a_crash_interrupts_still_puts_the_host_back_before_anything_else() {
    let mut limited = stage(2, 3);
    for step in &mut limited.steps {
        *step = sample::with_always(step.clone());
    }
    limited.steps[0].retries = 1;
    limited.steps[0].retry_delay = SignedDuration::from_mins(4);
    let mut run = Run::new(vec![limited]).failing(0, Slot::Step(0));
    run.go_on(12).order(Command::Abort);
    run.go_on(12);
    assert!(matches!(run.state.stages[0].hosts[0].phase, Phase::Running { slot: Slot::Always(2), .. }));
    run.resume();
    run.go_on(15);
    assert_eq!(run.state.stages[0].hosts[0].phase, Phase::Ended(Outcome::Interrupted));
    assert_eq!(run.state.stages[0].failures[Outcome::Interrupted as usize], 2);
}

#[test]
fn a_host_that_cannot_be_put_back_leaves_the_run_stuck_and_resuming_only_puts_it_back() {
    let mut limited = stage(1, 2);
    limited.steps[0] = sample::with_always(limited.steps[0].clone());
    limited.budget.total = Some(1);
    let mut run = Run::new(vec![limited]).failing(0, Slot::Always(0));
    assert_eq!(run.finish(), Some(Verdict::Stuck));
    run.happened.clear();
    run.fails.clear();
    run.resume();
    assert_eq!(run.finish(), Some(Verdict::Done));
    assert_eq!(run.carried_out(), [(0, Slot::Always(0), 2)]);
}

#[test]
fn a_host_that_an_abort_left_stuck_still_has_its_steps_to_do_after_a_resume() {
    let mut limited = stage(1, 2);
    limited.steps[0] = sample::with_always(limited.steps[0].clone());
    limited.steps[1].retries = 1;
    limited.steps[1].retry_delay = SignedDuration::from_mins(5);
    let mut run = Run::new(vec![limited]).failing(0, Slot::Always(0)).failing(0, Slot::Step(1));
    run.go_on(22).order(Command::Abort);
    assert_eq!(run.finish(), Some(Verdict::Stuck));
    run.happened.clear();
    run.fails.clear();
    run.resume();
    assert_eq!(run.finish(), Some(Verdict::Done));
    let slots: Vec<_> = run.carried_out().iter().map(|(_, slot, _)| *slot).collect();
    assert_eq!(slots, [Slot::Step(0), Slot::Step(1), Slot::Always(0)]);
}

#[test]
fn a_window_that_shuts_on_a_stuck_run_does_not_hide_that() {
    let mut limited = stage(2, 1);
    limited.steps[0] = sample::with_always(limited.steps[0].clone());
    limited.fan_out = 1;
    let mut run = Run::new(vec![limited]).failing(0, Slot::Always(0)).closing(15, 0);
    assert_eq!(run.finish(), Some(Verdict::Stuck));
    assert_eq!(run.starts().len(), 1);
}

#[test]
fn a_resumed_host_runs_again_only_what_its_always_took_back() {
    let mut limited = stage(1, 3);
    limited.steps[1] = sample::with_always(limited.steps[1].clone());
    limited.budget.total = Some(1);
    let mut run = Run::new(vec![limited]).failing(0, Slot::Step(2));
    assert_eq!(run.finish(), Some(Verdict::Failed));
    run.happened.clear();
    run.fails.clear();
    run.resume();
    assert_eq!(run.finish(), Some(Verdict::Done));
    assert_eq!(run.carried_out(), [(0, Slot::Step(1), 2), (0, Slot::Step(2), 2), (0, Slot::Always(1), 2)]);
}

#[test]
fn a_host_skipped_under_way_is_put_back_after_its_step() {
    let mut limited = stage(2, 3);
    limited.steps[0] = sample::with_always(limited.steps[0].clone());
    let mut run = Run::new(vec![limited]);
    run.go_on(5).order(Command::Skip { hosts: vec!["cmp001".into()] });
    assert_eq!(run.finish(), Some(Verdict::Done));
    let first: Vec<_> = run.carried_out().into_iter().filter(|(host, ..)| *host == 0).collect();
    assert_eq!(first, [(0, Slot::Step(0), 1), (0, Slot::Always(0), 1)]);
    assert_eq!(run.state.fates(), [Fate::Ended(Outcome::Skipped), Fate::Ended(Outcome::Changed)]);
}

#[test]
fn a_stage_whose_hosts_were_all_skipped_is_over_and_the_next_one_goes_on() {
    let (first, mut second) = (stage(2, 1), stage(2, 1));
    second.name = "next".into();
    second.hosts = vec![2, 3];
    let mut run = Run::new(vec![first, second]);
    run.order(Command::Skip { hosts: vec!["cmp001".into(), "cmp002".into()] });
    assert_eq!(run.finish(), Some(Verdict::Done));
    assert_eq!(run.starts(), [0, 0]);
    assert_eq!(run.state.stages[0].ended[Outcome::Skipped as usize], 2);
}

#[test]
fn after_a_crash_hosts_of_a_later_stage_end_before_an_earlier_one_takes_up_its_failures() {
    let (first, mut second) = (stage(3, 1), stage(3, 2));
    second.name = "next".into();
    second.fan_out = 1;
    let mut run = Run::new(vec![first, second]).failing(2, Slot::Step(0));
    run.go_on(12);
    assert_eq!(run.state.current, 1);
    run.fails.clear();
    run.resume();
    assert_eq!(run.state.current, 0);
    assert_eq!(run.finish(), Some(Verdict::Done));
    // Both of the first stage, host 0 of the second, the failed one again, and the second goes on.
    assert_eq!(run.starts(), [0, 0, 0, 10, 30, 40, 60]);
}

#[test]
fn a_host_that_does_not_answer_after_a_crash_lets_hosts_under_way_end_first() {
    let mut limited = stage(2, 1);
    limited.steps[0] = sample::with_always(limited.steps[0].clone());
    limited.fan_out = 1;
    let mut run = Run::new(vec![limited]);
    run.go_on(5);
    run.commit(Record::Resumed { by: sample::person(), closes: None });
    run.commit(Record::Contacted { unreachable: vec![Silent { host: 1, why: String::new() }] });
    assert_eq!(run.finish(), Some(Verdict::Unreachable));
    assert_eq!(run.state.fates(), [Fate::Ended(Outcome::Changed), Fate::Ended(Outcome::Unreachable)]);
    assert_eq!(run.starts().len(), 1);
}
