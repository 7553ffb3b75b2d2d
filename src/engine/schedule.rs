//! The decision: what happens next, as a function of plan, state and time.
//!
//! [`decide`] never waits, logs or reads a clock. It answers with records; once they are applied it
//! is asked again, until it has nothing to add and says when to come back. Live runs, resumed runs,
//! simulations and forecasts all go through it, so what holds here holds everywhere.

use jiff::{SignedDuration, Timestamp};

use crate::engine::state::{HostState, Phase, RunState, StageState, Stopping};
use crate::model::plan::{Plan, Stage};
use crate::model::{Budget, Outcome, Pace, Record, Slot, UnitKey, Verdict};

/// What happens next.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decision {
    /// Records to commit now, in this order.
    pub records: Vec<Record>,
    /// When to ask again although nothing has happened; `None` is when something has.
    pub wake_at: Option<Timestamp>,
}

impl Decision {
    fn end(verdict: Verdict) -> Self {
        Self { records: vec![Record::Ended { verdict }], wake_at: None }
    }

    fn wake(&mut self, at: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(at, |other| other.min(at)));
    }
}

/// Decides what happens next.
#[must_use]
pub fn decide(plan: &Plan, state: &RunState, now: Timestamp) -> Decision {
    if state.verdict.is_some() || !state.contacted {
        return Decision::default();
    }
    let rolling = |(index, (stage, progress))| Rolling { plan, state, index, stage, progress, now };
    let mut stages = plan.stages.iter().zip(&state.stages).enumerate().skip(state.current).map(rolling);
    let Some(current) = stages.next() else {
        return Decision::end(ended(plan, finished(state)));
    };
    // A resume may go back to a stage that tolerated failures while a crash left hosts of a later one
    // under way: those end first, and nothing starts beside them.
    let mut decision = Decision::default();
    let mut is_last = true;
    for later in stages.filter(|stage| !stage.progress.under_way.is_empty()) {
        later.advance_all(&mut decision);
        is_last = false;
    }
    current.decide(decision, is_last)
}

/// A rollback that failed is stuck: neither the new release nor the old one is whole.
fn ended(plan: &Plan, verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Failed if plan.undoes.is_some() => Verdict::Stuck,
        verdict => verdict,
    }
}

/// How a run ends in which every stage is over.
fn finished(state: &RunState) -> Verdict {
    let failed = state.out.iter().flatten().any(|out| out.is_failure());
    match state.stopping {
        _ if state.stuck > 0 => Verdict::Stuck,
        _ if !state.unreachable.is_empty() => Verdict::Unreachable,
        _ if !failed => Verdict::Done,
        Some(Stopping::Abort) => Verdict::Aborted,
        _ if state.refused => Verdict::Gate,
        _ => Verdict::Failed,
    }
}

/// Why nothing new may start, apart from a hold; `None` when it may.
#[must_use]
pub fn barred(plan: &Plan, state: &RunState) -> Option<Verdict> {
    let verdict = match state.stopping {
        _ if !state.unreachable.is_empty() => Verdict::Unreachable,
        Some(Stopping::Abort) => Verdict::Aborted,
        Some(Stopping::Stop) => Verdict::Stopped,
        None if state.refused => Verdict::Gate,
        None if is_spent(plan, state) => Verdict::Failed,
        None => return None,
    };
    Some(if state.stuck > 0 { Verdict::Stuck } else { verdict })
}

/// Whether the failure budget of the run, or of any stage, is spent.
fn is_spent(plan: &Plan, state: &RunState) -> bool {
    let mut run = [0; 7];
    for (stage, planned) in state.stages.iter().zip(&plan.stages) {
        if stage.failed() == 0 {
            continue;
        }
        if reaches(&stage.failures, &planned.budget) {
            return true;
        }
        for (sum, count) in run.iter_mut().zip(stage.failures) {
            *sum += count;
        }
    }
    reaches(&run, &plan.budget)
}

/// Whether these failures reach a limit of the budget.
fn reaches(failures: &[u32; 7], budget: &Budget<u32>) -> bool {
    let total: u32 = failures.iter().sum();
    total > 0
        && (budget.total.is_some_and(|limit| total >= limit)
            || Outcome::ALL
                .iter()
                .zip(failures)
                .any(|(outcome, count)| budget.limit(*outcome).is_some_and(|limit| *count >= limit)))
}

/// Whether the stage has a wave of canaries that cannot end well any more.
#[must_use]
pub fn canary_failed(stage: &Stage, progress: &StageState) -> bool {
    progress.failed() > 0 && progress.succeeded() < stage.canary.iter().sum()
}

/// One stage, rolling over its hosts.
struct Rolling<'a> {
    plan: &'a Plan,
    state: &'a RunState,
    index: usize,
    stage: &'a Stage,
    progress: &'a StageState,
    now: Timestamp,
}

impl Rolling<'_> {
    #[expect(clippy::cast_possible_truncation, reason = "a plan has fewer stages than 65536; `plan::build` sees to it")]
    fn id(&self) -> u16 {
        self.index as u16
    }

    /// Decides for the current stage; `alone` when no later stage has a host under way.
    fn decide(&self, mut decision: Decision, alone: bool) -> Decision {
        self.advance_all(&mut decision);
        if !alone || !decision.records.is_empty() {
            // Places that become free now are filled once these records count.
            return decision;
        }
        let idle = self.progress.under_way.is_empty();
        if idle && self.progress.waiting == 0 {
            self.begin_stage(&mut decision);
            decision.records.push(Record::StageEnded { stage: self.id() });
        } else if let Some(verdict) = self.barred() {
            if idle {
                return Decision::end(ended(self.plan, verdict));
            }
        } else if self.state.held.is_none() && !self.has_aborted() {
            self.start(&mut decision);
        }
        decision
    }

    /// Why no further host of this stage may start.
    fn barred(&self) -> Option<Verdict> {
        barred(self.plan, self.state)
            .or_else(|| canary_failed(self.stage, self.progress).then_some(Verdict::Failed))
            .map(|verdict| if self.state.stuck > 0 { Verdict::Stuck } else { verdict })
    }

    fn advance_all(&self, decision: &mut Decision) {
        for &host in &self.progress.pending {
            self.advance(host, decision);
        }
    }

    /// Moves a host that is under way to its next unit, or to its end.
    fn advance(&self, place: u32, decision: &mut Decision) {
        let host = &self.progress.hosts[place as usize];
        let aborting = self.state.stopping == Some(Stopping::Abort);
        let next = next_step(self.stage, host, place);
        let aborted = aborting && next.is_some() || self.was_aborted(place);
        let cut = host.cut.or(aborted.then_some(Outcome::Interrupted));
        match host.phase {
            Phase::Running { .. } | Phase::Waiting | Phase::Ended(_) => return,
            Phase::Retrying { slot, attempt, at } => {
                let dropped = cut.is_some() && matches!(slot, Slot::Step(_));
                if !dropped {
                    if at <= self.now {
                        decision.records.push(self.unit(place, slot, attempt));
                    } else {
                        decision.wake(at);
                    }
                    return;
                }
            }
            Phase::Idle { .. } => {}
        }
        if let (Some(step), None) = (next, cut) {
            decision.records.push(self.unit(place, Slot::Step(step), host.base + 1));
            return;
        }
        if let Some(step) = next_always(self.stage, host, place) {
            decision.records.push(self.unit(place, Slot::Always(step), host.base + 1));
            return;
        }
        let end = match cut {
            _ if host.stuck => Outcome::Failed,
            Some(cut) => cut,
            None if host.changed => Outcome::Changed,
            None => Outcome::Unchanged,
        };
        // A host that came through is watched for a while, holding its place: were it let go at
        // once, a cascade of one would have two hosts down at a time.
        if let (false, false, Phase::Idle { since }) = (end.is_failure(), aborting, host.phase) {
            let settled = since.saturating_add(self.stage.settle).unwrap_or(Timestamp::MAX);
            if end != Outcome::Skipped && settled > self.now {
                decision.wake(settled);
                return;
            }
        }
        decision.records.push(Record::HostEnded { stage: self.id(), host: place, state: end });
    }

    /// Whether a host that an abort cut short is under way; an abort that was not resumed starts nothing anyway.
    fn has_aborted(&self) -> bool {
        self.state.resumed && self.progress.under_way.iter().any(|&host| self.was_aborted(host))
    }

    /// Whether an abort began to put a host back that had steps left. It stays cut short after a crash
    /// and a resume, and nothing starts until it has ended, which is when it counts as interrupted.
    fn was_aborted(&self, place: u32) -> bool {
        let host = &self.progress.hosts[place as usize];
        host.put_back.is_some() && host.cut.is_none() && next_step(self.stage, host, place).is_some()
    }

    fn unit(&self, host: u32, slot: Slot, attempt: u16) -> Record {
        Record::UnitStarted { unit: UnitKey { stage: self.id(), host, slot }, attempt }
    }

    /// Starts as many hosts as pace, fan-out, canary, spread and window allow.
    fn start(&self, decision: &mut Decision) {
        let progress = self.progress;
        let fan_out = progress.fan_out.unwrap_or(self.stage.fan_out);
        let spacing = progress.pace.or(self.stage.pace).map_or(SignedDuration::ZERO, Pace::spacing);
        let mut last_start = progress.last_start;
        let mut under_way = u32::try_from(progress.under_way.len()).unwrap_or(u32::MAX);
        let mut room = self.canary_room(under_way);
        let mut spread = Spread::new(self.stage, progress);
        let mut shut = false;
        for (place, host) in (progress.first_waiting..).zip(&progress.hosts[progress.first_waiting as usize..]) {
            if spread.free == 0 {
                break;
            }
            // Asked first: it spares a look at most hosts of a large stage.
            if spread.is_busy(place) || host.phase != Phase::Waiting {
                continue;
            }
            if self.state.out[self.stage.hosts[place as usize] as usize].is_some() {
                self.begin_stage(decision);
                decision.records.push(Record::HostEnded { stage: self.id(), host: place, state: Outcome::Skipped });
                continue;
            }
            if under_way >= fan_out || room == 0 {
                break;
            }
            let free_at = last_start.map_or(self.now, |last| last.saturating_add(spacing).unwrap_or(Timestamp::MAX));
            if free_at > self.now {
                decision.wake(free_at);
                break;
            }
            if self
                .state
                .closes
                .is_some_and(|closes| !in_time(self.plan, self.state, self.id(), place, self.now, closes))
            {
                shut = true;
                break;
            }
            spread.take(place);
            self.begin_stage(decision);
            decision.records.push(Record::HostStarted { stage: self.id(), host: place });
            let first = next_step(self.stage, host, place).map(Slot::Step);
            let first = first.or_else(|| next_always(self.stage, host, place).map(Slot::Always));
            decision.records.extend(first.map(|slot| self.unit(place, slot, host.highest.saturating_add(1))));
            last_start = Some(self.now);
            under_way += 1;
            room -= 1;
        }
        if shut && decision.records.is_empty() && progress.under_way.is_empty() {
            *decision = Decision::end(if self.state.stuck > 0 { Verdict::Stuck } else { Verdict::Window });
        }
    }

    /// The stage begins with its first host, so that a stage that may not start has not begun.
    fn begin_stage(&self, decision: &mut Decision) {
        if self.progress.started_at.is_none() && decision.records.is_empty() {
            decision.records.push(Record::StageStarted { stage: self.id() });
        }
    }

    /// Hosts that may start before the present wave of canaries is over.
    fn canary_room(&self, under_way: u32) -> u32 {
        let succeeded = self.progress.succeeded();
        let mut limit = 0_u32;
        for size in &self.stage.canary {
            limit = limit.saturating_add(*size);
            if succeeded < limit {
                return limit.saturating_sub(under_way + succeeded);
            }
        }
        u32::MAX
    }
}

/// Whether a host that starts now can finish, and be undone, before the window closes, and all that was measured of
/// taking back the run up to now too.
#[must_use]
pub fn in_time(plan: &Plan, state: &RunState, stage: u16, host: u32, now: Timestamp, closes: Timestamp) -> bool {
    let (forward, undo) = plan.stages[usize::from(stage)].host_time(host);
    let reserve = plan.reserve.max(state.undo_time());
    let needed = forward.saturating_add(undo).saturating_add(reserve);
    now.saturating_add(needed).is_ok_and(|end| end <= closes)
}

/// Which spread domains have a host under way.
struct Spread<'a> {
    /// The domain of each host; empty without `spread`.
    domains: &'a [u32],
    busy: Vec<bool>,
    /// Domains without a host under way; never zero without `spread`.
    free: usize,
}

impl<'a> Spread<'a> {
    fn new(stage: &'a Stage, progress: &StageState) -> Self {
        let count = stage.domains.count();
        if count == 0 {
            return Self { domains: &[], busy: Vec::new(), free: usize::MAX };
        }
        let mut spread = Self { domains: &stage.domains, busy: vec![false; count], free: count };
        for &host in &progress.under_way {
            spread.take(host);
        }
        spread
    }

    fn is_busy(&self, host: u32) -> bool {
        self.domains.get(host as usize).is_some_and(|&domain| self.busy[domain as usize])
    }

    /// Makes a host's domain busy.
    fn take(&mut self, host: u32) {
        if let Some(&domain) = self.domains.get(host as usize) {
            self.free -= usize::from(!self.busy[domain as usize]);
            self.busy[domain as usize] = true;
        }
    }
}

/// The step a host carries out next: the first that has not come through, or that was taken back by
/// its `always` since.
#[must_use]
pub fn next_step(stage: &Stage, host: &HostState, place: u32) -> Option<u16> {
    (host.cursor..)
        .zip(stage.steps.get(usize::from(host.cursor)..).unwrap_or_default())
        .find(|(step, planned)| *step >= host.reached || planned.units[place as usize].always.is_some())
        .map(|(step, _)| step)
}

/// The step whose `always` a host carries out next, from the last to the first.
fn next_always(stage: &Stage, host: &HostState, place: u32) -> Option<u16> {
    let before = host.put_back.map_or(stage.steps.len(), usize::from);
    let last = stage.steps[..before].iter().rposition(|step| step.units[place as usize].always.is_some())?;
    u16::try_from(last).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sample;
    use crate::engine::simulate::simulate;
    use crate::model::Pace;
    use crate::model::record::{End, Kept};

    #[test]
    fn the_time_to_give_the_data_back_is_kept_free_once_it_was_measured() {
        let minutes = SignedDuration::from_mins;
        let mut plan =
            sample::plan(1, vec![sample::stage("upgrade", 1, vec![sample::step("upgrade", 1, minutes(20))])]);
        let mut state = sample::opened(&plan);
        let fits = |plan: &Plan, state: &RunState, window| {
            in_time(plan, state, 0, 0, sample::start(), sample::start() + minutes(window))
        };
        assert!(fits(&plan, &state, 20) && !fits(&plan, &state, 19));
        let unit = UnitKey { stage: 0, host: 0, slot: Slot::Step(0) };
        state.kept.insert(unit, Kept { size: 1, undo_takes: Some(minutes(9)) });
        assert!(fits(&plan, &state, 29) && !fits(&plan, &state, 28));
        // What a person keeps in reserve is for the same.
        plan.reserve = minutes(10);
        assert!(fits(&plan, &state, 30) && !fits(&plan, &state, 29));
    }

    #[test]
    fn eighty_hosts_of_12_minutes_at_20_an_hour_take_4_hours_and_9_minutes() {
        let takes = SignedDuration::from_mins(12);
        let mut stage = sample::stage("computes", 80, vec![sample::step("upgrade", 80, takes)]);
        stage.pace = Pace::per_hour(20);
        stage.fan_out = 4;
        let plan = sample::plan(80, vec![stage]);
        let mut state = sample::opened(&plan);
        let outlook =
            simulate(&plan, &mut state, sample::start(), |_, _| (takes, End::plain(Outcome::Changed)), |_, _, _| {});
        assert_eq!(outlook.end.duration_since(sample::start()), SignedDuration::from_mins(4 * 60 + 9));
        assert_eq!(outlook.verdict, Some(Verdict::Done));
    }
}
