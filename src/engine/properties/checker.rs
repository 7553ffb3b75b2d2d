//! Judges a run by its records and its plan alone.
//!
//! It keeps books of its own, in the plainest way there is, so that a mistake in the engine's state
//! is not made here too.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::{SignedDuration, Timestamp};

use crate::engine::state::{Phase, RunState, Stopping};
use crate::model::plan::{Action, Plan, Stage};
use crate::model::{Budget, Command, Outcome, Pace, Record, Slot, UnitKey, Verdict};

/// A stage's place and a host's place in it.
type Place = (u16, u32);

#[derive(Debug, Default, Clone)]
enum Standing {
    #[default]
    Waiting,
    UnderWay,
    Ended(Outcome),
}

/// What a checker knows of a host in a stage.
#[derive(Debug, Default, Clone)]
struct Host {
    standing: Standing,
    /// Steps that came through, ever.
    ever: BTreeSet<u16>,
    /// Whether a step changed anything, ever.
    changed: bool,
    taking: Taking,
    /// All that is left of it is to be put back.
    only_put_back: bool,
}

/// One taking-up of a host.
#[derive(Debug, Default, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "plain books: each says one thing that happened")]
struct Taking {
    running: Option<(Slot, u16)>,
    retry: Option<(Slot, u16, Timestamp)>,
    through: BTreeSet<u16>,
    /// The worst way in which a step of it ended, without another try.
    failure: Option<Outcome>,
    skipped: bool,
    /// Ended between two steps by an abort.
    aborted: bool,
    /// Steps whose `always` was carried out to its end, in order.
    put_back: Vec<u16>,
    stuck: bool,
    last_end: Option<Timestamp>,
    /// It counts against the budgets until a resume takes the host up again.
    counts: bool,
}

impl Taking {
    fn way(&self) -> Option<Outcome> {
        let stuck = self.stuck.then_some(Outcome::Failed);
        let aborted = (self.aborted && !self.skipped).then_some(Outcome::Interrupted);
        self.failure.or(stuck).or(aborted).filter(|_| self.counts)
    }
}

/// The books on a run.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "plain books: each says one thing that happened")]
pub(super) struct Checker {
    hosts: BTreeMap<Place, Host>,
    attempts: HashSet<(UnitKey, u16)>,
    ended_units: HashSet<(UnitKey, u16)>,
    /// By stage: starts since the pace last changed, and the last start ever.
    starts: BTreeMap<u16, Vec<Timestamp>>,
    last_start: BTreeMap<u16, Timestamp>,
    pace: BTreeMap<u16, Option<Pace>>,
    fan_out: BTreeMap<u16, u32>,
    begun: BTreeSet<u16>,
    over: BTreeSet<u16>,
    /// Ids of hosts a person left out.
    skipped: BTreeSet<u32>,
    /// Ids of hosts that failed in this session.
    failed: BTreeSet<u32>,
    closes: Option<Timestamp>,
    contacted: bool,
    unreachable: bool,
    held: bool,
    stopping: Option<Stopping>,
    refused: bool,
    verdict: Option<Verdict>,
}

fn total(failures: &[Outcome]) -> u32 {
    u32::try_from(failures.len()).unwrap()
}

fn is_spent(budget: &Budget<u32>, failures: &[Outcome]) -> bool {
    let count = |way| total(&failures.iter().copied().filter(|other| *other == way).collect::<Vec<_>>());
    let reached = |limit: Option<u32>, count: u32| limit.is_some_and(|limit| count > 0 && count >= limit);
    reached(budget.total, total(failures))
        || reached(budget.failed, count(Outcome::Failed))
        || reached(budget.timed_out, count(Outcome::TimedOut))
        || reached(budget.unreachable, count(Outcome::Unreachable))
        || reached(budget.interrupted, count(Outcome::Interrupted))
}

/// The steps of a stage that have an `always` on this host, from the last to the first.
fn always_steps(stage: &Stage, host: u32) -> Vec<u16> {
    let has = |(_, step): &(u16, &crate::model::plan::Step)| step.units[host as usize].always.is_some();
    let mut steps: Vec<u16> = (0..).zip(&stage.steps).filter(has).map(|(step, _)| step).collect();
    steps.reverse();
    steps
}

/// The steps that a taking-up has to carry out.
fn steps_to_do(stage: &Stage, place: u32, host: &Host) -> Vec<u16> {
    if host.only_put_back {
        return Vec::new();
    }
    let always = always_steps(stage, place);
    let due = |step: &u16| !host.taking.through.contains(step) && (!host.ever.contains(step) || always.contains(step));
    (0..u16::try_from(stage.steps.len()).unwrap()).filter(due).collect()
}

impl Checker {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut checker = Self::default();
        for (n, stage) in (0..).zip(&plan.stages) {
            for (host, _) in (0..).zip(&stage.hosts) {
                checker.hosts.insert((n, host), Host::default());
            }
            checker.pace.insert(n, stage.pace);
            checker.fan_out.insert(n, stage.fan_out);
        }
        checker
    }

    pub(super) fn check(&mut self, plan: &Plan, at: Timestamp, record: &Record) {
        match record {
            Record::Opened(opened) => self.closes = opened.closes,
            Record::Resumed { closes, .. } => self.resume(plan, *closes),
            _ => assert!(self.verdict.is_none(), "something happens after the end"),
        }
        match record {
            Record::Opened(_) | Record::Resumed { .. } | Record::Breached(_) | Record::Recovered { .. } => {}
            Record::Contacted { unreachable } => {
                self.contacted = true;
                self.unreachable = !unreachable.is_empty();
            }
            Record::Ordered { command, .. } => self.order(plan, command),
            Record::StageStarted { stage } => {
                assert!(self.begun.insert(*stage), "a stage begins twice");
                self.check_earlier_over(*stage);
            }
            Record::HostStarted { stage, host } => self.start_host(plan, at, (*stage, *host)),
            Record::UnitStarted { unit, attempt } => self.start_unit(plan, at, *unit, *attempt),
            Record::UnitEnded { unit, attempt, end, retry_at } => {
                self.end_unit(at, *unit, *attempt, end.outcome, *retry_at);
            }
            Record::HostEnded { stage, host, state } => self.end_host(plan, at, (*stage, *host), *state),
            Record::StageEnded { stage } => {
                let left = self.of_stage(*stage).filter(|(_, host)| !matches!(host.standing, Standing::Ended(_)));
                assert_eq!(left.count(), 0, "a stage ends before its hosts");
                self.over.insert(*stage);
            }
            Record::Ended { verdict } => self.end(*verdict),
        }
    }

    fn of_stage(&self, stage: u16) -> impl Iterator<Item = (u32, &Host)> {
        self.hosts.range((stage, 0)..=(stage, u32::MAX)).map(|((_, place), host)| (*place, host))
    }

    fn under_way(&self) -> impl Iterator<Item = (Place, &Host)> {
        let under_way = |host: &Host| matches!(host.standing, Standing::UnderWay);
        self.hosts.iter().filter(move |(_, host)| under_way(host)).map(|(place, host)| (*place, host))
    }

    fn failures(&self, stage: Option<u16>) -> Vec<Outcome> {
        let of = self.hosts.iter().filter(|((of, _), _)| stage.is_none_or(|stage| stage == *of));
        of.filter_map(|(_, host)| host.taking.way()).collect()
    }

    fn succeeded(&self, stage: u16) -> u32 {
        let well = |host: &Host| matches!(host.standing, Standing::Ended(Outcome::Changed | Outcome::Unchanged));
        u32::try_from(self.of_stage(stage).filter(|(_, host)| well(host)).count()).unwrap()
    }

    fn check_earlier_over(&self, stage: u16) {
        assert!((0..stage).all(|earlier| self.over.contains(&earlier)), "a stage is on before the one before is over");
    }

    fn start_host(&mut self, plan: &Plan, at: Timestamp, (n, place): Place) {
        let stage = &plan.stages[usize::from(n)];
        let id = stage.hosts[place as usize];
        assert!(self.contacted && !self.unreachable, "a host starts although hosts do not answer");
        assert!(!self.held, "a host starts on hold");
        assert_eq!(self.stopping, None, "a host starts while the run is stopping");
        assert!(!self.refused, "a host starts although a gate was refused");
        assert!(self.begun.contains(&n), "a host starts before its stage");
        self.check_earlier_over(n);
        assert!(matches!(self.hosts[&(n, place)].standing, Standing::Waiting), "a host starts twice");
        assert!(!self.skipped.contains(&id), "a host starts that was skipped");
        assert!(!self.failed.contains(&id), "a host starts that failed before");
        assert!(!is_spent(&plan.budget, &self.failures(None)), "a host starts and the run's budget is spent");
        for (n, stage) in (0..).zip(&plan.stages) {
            assert!(!is_spent(&stage.budget, &self.failures(Some(n))), "a host starts and a stage's budget is spent");
        }

        let under_way = self.under_way().count();
        assert!(self.under_way().all(|((other, _), _)| other == n), "a host starts beside a later stage");
        assert!(under_way < self.fan_out[&n] as usize, "more hosts are under way than the fan-out");

        let succeeded = self.succeeded(n);
        if succeeded < stage.canary.iter().sum() {
            assert!(self.failures(Some(n)).is_empty(), "a host starts after a canary failed");
            let mut waves = stage.canary.iter().scan(0, |sum, size| {
                *sum += size;
                Some(*sum)
            });
            let wave = waves.find(|wave| *wave > succeeded).unwrap();
            assert!(succeeded as usize + under_way < wave as usize, "a host starts before its wave of canaries");
        }
        if let Some(domain) = stage.domains.get(place as usize) {
            let busy = self.under_way().any(|((_, other), _)| stage.domains[other as usize] == *domain);
            assert!(!busy, "two hosts of a domain are under way");
        }
        self.check_pace(n, at);
        if let Some(closes) = self.closes {
            let mut needed = stage.settle + plan.reserve;
            for step in &stage.steps {
                let unit = &step.units[place as usize];
                let undo = if unit.undo.is_empty() { SignedDuration::ZERO } else { step.undo.p95 };
                let always = if unit.always.is_some() { step.put_back } else { SignedDuration::ZERO };
                needed += step.expected.p95 + undo + always;
            }
            assert!(at + needed <= closes, "a host starts that cannot finish in the window");
        }
        let host = self.hosts.get_mut(&(n, place)).unwrap();
        host.standing = Standing::UnderWay;
        host.taking = Taking { counts: true, ..Taking::default() };
    }

    fn check_pace(&mut self, n: u16, at: Timestamp) {
        if let Some(pace) = self.pace[&n] {
            let starts = self.starts.entry(n).or_default();
            starts.push(at);
            let hour_ago = at - SignedDuration::from_hours(1);
            let recent = starts.iter().filter(|start| **start > hour_ago).count();
            let wanted = pace.to_string();
            let limit: usize = wanted.split_once('/').unwrap().0.parse().unwrap();
            assert!(recent <= limit, "{recent} hosts start in an hour at a pace of {wanted}");
            if let Some(last) = self.last_start.get(&n) {
                assert!(at.duration_since(*last) >= pace.spacing(), "two hosts start too close");
            }
        }
        self.last_start.insert(n, at);
    }

    fn start_unit(&mut self, plan: &Plan, at: Timestamp, unit: UnitKey, attempt: u16) {
        assert!(self.attempts.insert((unit, attempt)), "an attempt is used twice");
        let stage = &plan.stages[usize::from(unit.stage)];
        let host = self.hosts.get_mut(&(unit.stage, unit.host)).unwrap();
        assert!(matches!(host.standing, Standing::UnderWay), "a unit starts on a host that was not taken up");
        let to_do = steps_to_do(stage, unit.host, host);
        let taking = &mut host.taking;
        assert!(taking.running.is_none(), "two units are under way on a host");
        let retried = match taking.retry.take() {
            Some((slot, next, retry_at)) if slot == unit.slot => {
                assert!(attempt == next && at >= retry_at, "a unit is tried again at the wrong time");
                true
            }
            Some((slot, ..)) => {
                assert!(matches!(slot, Slot::Step(_)), "an `always` is not tried again");
                false
            }
            None => false,
        };
        let is_cut = taking.failure.is_some() || taking.skipped || self.stopping == Some(Stopping::Abort);
        match unit.slot {
            Slot::Step(step) => {
                assert!(!is_cut, "a step starts on a host that was cut short");
                assert!(taking.put_back.is_empty(), "a step starts on a host that is being put back");
                assert_eq!(to_do.first(), Some(&step), "a step starts out of turn");
            }
            Slot::Always(step) => {
                if !to_do.is_empty() && !is_cut {
                    // An abort of which only a crash knows: putting the host back had begun.
                    assert!(taking.aborted, "an `always` starts before the steps are over");
                }
                taking.aborted |= !to_do.is_empty() && taking.failure.is_none() && !taking.skipped;
                let always = always_steps(stage, unit.host);
                let wanted = if retried { Some(&step) } else { always.get(taking.put_back.len()) };
                assert_eq!(wanted, Some(&step), "hosts are put back from the last step to the first");
                assert!(!taking.put_back.contains(&step), "an `always` is carried out twice");
            }
        }
        taking.running = Some((unit.slot, attempt));
    }

    fn end_unit(&mut self, at: Timestamp, unit: UnitKey, attempt: u16, outcome: Outcome, retry_at: Option<Timestamp>) {
        assert!(self.ended_units.insert((unit, attempt)), "a unit is finished twice");
        let host = self.hosts.get_mut(&(unit.stage, unit.host)).unwrap();
        let taking = &mut host.taking;
        assert_eq!(taking.running.take(), Some((unit.slot, attempt)), "a unit ends that was not under way");
        taking.last_end = Some(at);
        if let Some(retry_at) = retry_at {
            assert!(retry_at >= at && outcome.is_failure());
            taking.retry = Some((unit.slot, attempt + 1, retry_at));
            return;
        }
        match unit.slot {
            Slot::Step(step) if outcome.is_failure() => {
                taking.failure = taking.failure.max(Some(outcome));
                assert!(!taking.through.contains(&step));
            }
            Slot::Step(step) => {
                taking.through.insert(step);
                host.ever.insert(step);
                host.changed |= outcome == Outcome::Changed;
            }
            Slot::Always(step) => {
                taking.put_back.push(step);
                taking.stuck |= outcome.is_failure();
            }
        }
    }

    fn end_host(&mut self, plan: &Plan, at: Timestamp, place: Place, came_to: Outcome) {
        let stage = &plan.stages[usize::from(place.0)];
        let id = stage.hosts[place.1 as usize];
        let aborting = self.stopping == Some(Stopping::Abort);
        let host = self.hosts.get_mut(&place).unwrap();
        let to_do = steps_to_do(stage, place.1, host);
        match host.standing {
            Standing::Waiting => {
                assert_eq!(came_to, Outcome::Skipped, "a host ends that never started");
                assert!(self.skipped.contains(&id) || self.failed.contains(&id), "a host is left out for no reason");
            }
            Standing::UnderWay => {
                let taking = &mut host.taking;
                assert!(taking.running.is_none(), "a host ends and a unit is under way");
                assert_eq!(taking.put_back, always_steps(stage, place.1), "a host ends that was not put back");
                let cut = taking.failure.or(taking.skipped.then_some(Outcome::Skipped));
                taking.aborted |= aborting && !to_do.is_empty() && cut.is_none();
                let wanted = match cut.or(taking.aborted.then_some(Outcome::Interrupted)) {
                    _ if taking.stuck => Outcome::Failed,
                    Some(cut) => cut,
                    None if host.changed => Outcome::Changed,
                    None => Outcome::Unchanged,
                };
                assert_eq!(came_to, wanted, "a host ends in another way than its units");
                if matches!(came_to, Outcome::Changed | Outcome::Unchanged) {
                    assert!(to_do.is_empty(), "a host ends before its steps");
                    let settled = taking.last_end.map(|end| end + stage.settle);
                    assert!(aborting || settled.is_none_or(|settled| settled <= at), "a host ends before it settled");
                }
            }
            Standing::Ended(_) => panic!("a host ends twice"),
        }
        host.standing = Standing::Ended(came_to);
        if came_to.is_failure() {
            self.failed.insert(id);
        }
    }

    fn order(&mut self, plan: &Plan, command: &Command) {
        let current = (0..).zip(&plan.stages).map(|(n, _)| n).find(|n| !self.over.contains(n));
        match command {
            Command::Hold { .. } => self.held = true,
            Command::Release => self.held = false,
            Command::Stop => self.stopping = self.stopping.max(Some(Stopping::Stop)),
            Command::Abort => self.stopping = Some(Stopping::Abort),
            Command::Refuse => self.refused = true,
            Command::Pass => {}
            Command::Pace { pace } => {
                self.pace.insert(current.unwrap(), Some(*pace));
                self.starts.remove(&current.unwrap());
            }
            Command::FanOut { hosts } => _ = self.fan_out.insert(current.unwrap(), *hosts),
            Command::Skip { hosts } => {
                for ((n, place), host) in &mut self.hosts {
                    let id = plan.stages[usize::from(*n)].hosts[*place as usize];
                    if !hosts.contains(&plan.hosts[id as usize].name) {
                        continue;
                    }
                    self.skipped.insert(id);
                    if matches!(host.standing, Standing::UnderWay) {
                        host.taking.skipped = true;
                    }
                }
                let named = |(_, host): &(u32, &crate::model::plan::Host)| hosts.contains(&host.name);
                self.skipped.extend((0..).zip(&plan.hosts).filter(named).map(|(id, _)| id));
            }
        }
    }

    fn resume(&mut self, plan: &Plan, closes: Option<Timestamp>) {
        (self.held, self.stopping, self.refused, self.verdict) = (false, None, false, None);
        (self.contacted, self.unreachable, self.closes) = (false, false, closes);
        self.failed.clear();
        for (&(n, place), host) in &mut self.hosts {
            let stage = &plan.stages[usize::from(n)];
            let Standing::Ended(outcome) = host.standing else { continue };
            host.taking.counts = false;
            let came_short = outcome.is_failure() || outcome == Outcome::Skipped;
            if came_short && !self.skipped.contains(&stage.hosts[place as usize]) {
                host.only_put_back = host.taking.stuck && host.ever.len() == stage.steps.len();
                host.standing = Standing::Waiting;
                host.taking = Taking::default();
                self.over.remove(&n);
            }
        }
    }

    fn end(&mut self, verdict: Verdict) {
        self.verdict = Some(verdict);
        assert_eq!(self.under_way().count(), 0, "the run ends and a host is under way");
        let stuck = self.hosts.values().any(|host| host.taking.stuck && host.taking.counts);
        assert_eq!(verdict == Verdict::Stuck, stuck, "a run is stuck when a host could not be put back: {verdict}");
        if verdict == Verdict::Done {
            let short = self.hosts.values().filter(|host| match host.standing {
                Standing::Ended(outcome) => outcome.is_failure() && host.taking.counts,
                _ => true,
            });
            assert_eq!(short.count(), 0, "the run is done and a host is not");
        }
        match verdict {
            Verdict::Stopped => assert_eq!(self.stopping, Some(Stopping::Stop)),
            Verdict::Aborted => assert_eq!(self.stopping, Some(Stopping::Abort)),
            Verdict::Gate => assert!(self.refused),
            Verdict::Window => assert!(self.closes.is_some()),
            Verdict::Unreachable => assert!(self.unreachable),
            Verdict::Failed => assert!(!self.failures(None).is_empty(), "a run failed without a failure"),
            Verdict::Done | Verdict::Stuck => {}
        }
    }

    /// Compares what the engine counts with what the records say.
    pub(super) fn recount(&self, plan: &Plan, state: &RunState) {
        for (n, stage) in (0..).zip(&state.stages) {
            let planned = &plan.stages[usize::from(n)];
            let mut ended = [0; 7];
            let (mut waiting, mut under_way) = (0, BTreeSet::new());
            let mut first_waiting = None;
            for (place, host) in self.of_stage(n) {
                match host.standing {
                    Standing::Waiting => {
                        waiting += 1;
                        first_waiting.get_or_insert(place);
                    }
                    Standing::UnderWay => _ = under_way.insert(place),
                    Standing::Ended(outcome) => ended[outcome as usize] += 1,
                }
                let phase = stage.hosts[place as usize].phase;
                assert_eq!(matches!(phase, Phase::Running { .. }), host.taking.running.is_some());
            }
            assert_eq!(stage.ended, ended, "hosts that ended");
            assert_eq!(stage.waiting, waiting, "hosts that wait");
            assert!(first_waiting.is_none_or(|first| stage.first_waiting <= first), "the first host that waits");
            assert_eq!(stage.under_way.iter().copied().collect::<BTreeSet<_>>(), under_way, "hosts under way");
            let mut failures = [0; 7];
            for (_, host) in self.of_stage(n) {
                let known = host.taking.failure.is_some() || host.taking.stuck;
                let counted = known || matches!(host.standing, Standing::Ended(_));
                if let Some(way) = host.taking.way().filter(|_| counted) {
                    failures[way as usize] += 1;
                }
            }
            assert_eq!(stage.failures, failures, "failures of {}", planned.name);
            let is_gate = |unit: &crate::model::plan::Unit| matches!(unit.action, Action::Gate { .. });
            assert!(!planned.steps.iter().any(|step| step.units.iter().any(is_gate)) || planned.hosts.len() == 1);
        }
        let stuck = self.hosts.values().filter(|host| host.taking.stuck && host.taking.counts).count();
        assert_eq!(state.stuck as usize, stuck, "hosts that are stuck");
    }
}
