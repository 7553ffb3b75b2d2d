//! The state of a run: the fold of its records, and nothing else.
//!
//! Every field changes in [`RunState::apply`] alone, by a record that is already on disk; a record
//! that cannot follow from the state is refused, so that a damaged journal is never continued.

mod host;
mod stage;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use host::{HostState, Phase};
use jiff::{SignedDuration, Timestamp};
pub use stage::StageState;

use crate::model::record::{Breached, Entry, Kept, Silent};
use crate::model::{Command, Outcome, Outline, Person, Record, UnitKey, Verdict};

/// Where a run stands.
#[derive(Debug, Clone)]
pub struct RunState {
    /// The shape of the plan.
    pub outline: Arc<Outline>,
    /// When the run was opened.
    pub opened_at: Option<Timestamp>,
    /// When its window closes.
    pub closes: Option<Timestamp>,
    /// Whether the run was ever resumed.
    pub resumed: bool,
    /// Whether every planned host was contacted since the run was opened or resumed.
    pub contacted: bool,
    /// Ids of the planned hosts that did not answer then.
    pub unreachable: Vec<Silent>,
    /// The stages, in order.
    pub stages: Vec<StageState>,
    /// The first stage that is not over; the number of stages when all are.
    pub current: usize,
    /// By host id: what became of it, where no later stage may take it up.
    pub out: Vec<Option<Outcome>>,
    /// Who holds the run, since when.
    pub held: Option<Hold>,
    /// Whether the run is on its way to an end that a person asked for.
    pub stopping: Option<Stopping>,
    /// Whether a gate was refused.
    pub refused: bool,
    /// Hosts that could not be put back.
    pub stuck: u32,
    /// Targets, by probe and place, that have been silent for too long, and since when that is known.
    pub breaches: BTreeMap<(u16, u32), Timestamp>,
    /// What backups kept.
    pub kept: BTreeMap<UnitKey, Kept>,
    /// How the run ended; `None` while it goes on, and after a crash.
    pub verdict: Option<Verdict>,
    /// By host id: whether a person said to leave it out.
    skipped: Vec<bool>,
}

/// A hold on a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Who said it.
    pub by: Person,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: Option<String>,
}

/// An end that a person asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stopping {
    /// What is under way ends first.
    Stop,
    /// Steps are ended, touched hosts are put back.
    Abort,
}

/// What became of a planned host, over all its stages: exactly one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Every stage is done with it; the worst it came to.
    Ended(Outcome),
    /// A stage has yet to take it up.
    Left,
    /// A stage has it in hand.
    UnderWay,
}

/// A record that cannot follow from the state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IllegalRecord(pub String);

type Applied = Result<(), IllegalRecord>;

fn illegal(what: impl Into<String>) -> Applied {
    Err(IllegalRecord(what.into()))
}

/// The state that a journal's records add up to.
///
/// # Errors
///
/// The place of the record that cannot follow from the ones before it, and why.
pub fn fold(outline: &Arc<Outline>, entries: &[Entry]) -> Result<RunState, (usize, IllegalRecord)> {
    let mut state = RunState::new(outline.clone());
    for (n, entry) in entries.iter().enumerate() {
        state.apply(entry.at, &entry.record).map_err(|error| (n, error))?;
    }
    Ok(state)
}

impl RunState {
    /// The state before the first record.
    #[must_use]
    pub fn new(outline: Arc<Outline>) -> Self {
        let stage = |stage: &crate::model::outline::Stage| StageState {
            hosts: vec![HostState::default(); stage.hosts.len()],
            waiting: u32::try_from(stage.hosts.len()).unwrap_or(u32::MAX),
            ..StageState::default()
        };
        Self {
            opened_at: None,
            closes: None,
            resumed: false,
            contacted: false,
            unreachable: Vec::new(),
            stages: outline.stages.iter().map(stage).collect(),
            current: 0,
            out: vec![None; outline.hosts.len()],
            held: None,
            stopping: None,
            refused: false,
            stuck: 0,
            breaches: BTreeMap::new(),
            kept: BTreeMap::new(),
            verdict: None,
            skipped: vec![false; outline.hosts.len()],
            outline,
        }
    }

    /// Makes a record count.
    ///
    /// # Errors
    ///
    /// The record cannot follow from this state; the state is as it was.
    pub fn apply(&mut self, at: Timestamp, record: &Record) -> Result<(), IllegalRecord> {
        match record {
            Record::Opened(opened) => self.open(at, opened.closes),
            _ if self.opened_at.is_none() => illegal("the run was not opened yet"),
            Record::Resumed { closes, .. } => {
                self.resume(*closes);
                Ok(())
            }
            _ if self.verdict.is_some() => illegal("the run has ended"),
            Record::Contacted { unreachable } => self.contact(unreachable),
            Record::Ordered { command, by } => self.order(at, command, by),
            Record::Breached(breached) => self.breach(at, breached),
            Record::Recovered { probe, targets } => self.recover(*probe, targets.iter().map(|(target, _)| *target)),
            Record::Ended { verdict } => {
                self.verdict = Some(*verdict);
                Ok(())
            }
            Record::StageStarted { stage } => self.start_stage(at, *stage),
            Record::HostStarted { stage, host } => self.stage(*stage)?.start_host(at, *host),
            Record::UnitStarted { unit, attempt } => {
                self.stage_of(unit.stage, unit.host)?.start_unit(at, *unit, *attempt)
            }
            Record::UnitEnded { unit, attempt, end, retry_at } => {
                let stage = self.stage_of(unit.stage, unit.host)?;
                self.stuck += u32::from(stage.end_unit(at, *unit, *attempt, end, *retry_at)?);
                self.kept.extend(end.kept.as_deref().map(|kept| (*unit, kept.clone())));
                Ok(())
            }
            Record::HostEnded { stage, host, state } => self.end_host(at, *stage, *host, *state),
            Record::StageEnded { stage } => self.end_stage(at, *stage),
        }
    }

    /// Every unit that is under way, with its try and since when.
    pub fn running(&self) -> impl Iterator<Item = (UnitKey, u16, Timestamp)> + '_ {
        (0..).zip(&self.stages).flat_map(|(stage, state)| {
            state.under_way.iter().filter_map(move |&host| match state.hosts[host as usize].phase {
                Phase::Running { slot, attempt, since } => Some((UnitKey { stage, host, slot }, attempt, since)),
                _ => None,
            })
        })
    }

    /// By host id, what became of every planned host over all its stages.
    #[must_use]
    pub fn fates(&self) -> Vec<Fate> {
        let mut fates: Vec<Option<Fate>> = vec![None; self.out.len()];
        for (stage, shape) in self.stages.iter().zip(&self.outline.stages) {
            for (host, id) in stage.hosts.iter().zip(&shape.hosts) {
                let fate = match host.phase {
                    Phase::Ended(outcome) => Fate::Ended(outcome),
                    Phase::Waiting => Fate::Left,
                    _ => Fate::UnderWay,
                };
                let so_far = &mut fates[*id as usize];
                *so_far = (*so_far).max(Some(fate));
            }
        }
        for (fate, out) in fates.iter_mut().zip(&self.out) {
            // What put a host out of the run is its state, even where a stage had already ended well.
            if let (Some(out), false) = (out, *fate == Some(Fate::UnderWay)) {
                *fate = Some(Fate::Ended(*out));
            }
        }
        for silent in &self.unreachable {
            fates[silent.host as usize] = Some(Fate::Ended(Outcome::Unreachable));
        }
        // A host that only carries out steps for others, through `on`, is planned but in no stage.
        fates.into_iter().map(|fate| fate.unwrap_or(Fate::Ended(Outcome::Unchanged))).collect()
    }

    /// How long taking back what was done takes at most, as far as it was measured: its stages one after the other, the
    /// hosts of each as many at once as its fan-out says.
    #[must_use]
    pub fn undo_time(&self) -> SignedDuration {
        let mut hosts: BTreeMap<(u16, u32), SignedDuration> = BTreeMap::new();
        for (unit, kept) in &self.kept {
            let host = hosts.entry((unit.stage, unit.host)).or_default();
            *host = host.saturating_add(kept.undo_takes.unwrap_or_default());
        }
        let mut stages: BTreeMap<u16, Vec<SignedDuration>> = BTreeMap::new();
        for ((stage, _), takes) in hosts {
            stages.entry(stage).or_default().push(takes);
        }
        let times =
            stages.iter().map(|(stage, hosts)| at_most(hosts, self.outline.stages[usize::from(*stage)].fan_out));
        times.fold(SignedDuration::ZERO, SignedDuration::saturating_add)
    }

    fn stage(&mut self, stage: u16) -> Result<&mut StageState, IllegalRecord> {
        if usize::from(stage) != self.current {
            return Err(IllegalRecord(format!("stage {stage} is not the current one")));
        }
        self.stages
            .get_mut(usize::from(stage))
            .filter(|stage| stage.started_at.is_some())
            .ok_or_else(|| IllegalRecord(format!("stage {stage} has not started")))
    }

    /// The stage of a host. One that is under way need not be in the current stage: a crash leaves
    /// hosts under way, and a resume goes back to an earlier stage that had tolerated failures.
    fn stage_of(&mut self, stage: u16, host: u32) -> Result<&mut StageState, IllegalRecord> {
        let place = usize::from(stage);
        let found = self.stages.get(place).and_then(|stage| stage.hosts.get(host as usize));
        if found.is_some_and(HostState::is_under_way) { Ok(&mut self.stages[place]) } else { self.stage(stage) }
    }

    fn open(&mut self, at: Timestamp, closes: Option<Timestamp>) -> Applied {
        if self.opened_at.is_some() {
            return illegal("the run is opened twice");
        }
        self.opened_at = Some(at);
        self.closes = closes;
        Ok(())
    }

    fn contact(&mut self, unreachable: &[Silent]) -> Applied {
        if self.contacted {
            return illegal("the hosts are contacted twice");
        }
        if unreachable.iter().any(|silent| silent.host as usize >= self.out.len()) {
            return illegal("a host that is not in the plan did not answer");
        }
        self.contacted = true;
        self.unreachable = unreachable.to_vec();
        Ok(())
    }

    fn breach(&mut self, at: Timestamp, breached: &Breached) -> Applied {
        let known = self.outline.probes.get(usize::from(breached.probe)).map_or(0, |probe| probe.targets.len());
        for &target in &breached.targets {
            if target as usize >= known {
                return illegal("a probe has a target that is not in the plan");
            }
            if self.breaches.contains_key(&(breached.probe, target)) {
                return illegal("a target that is silent falls silent again");
            }
        }
        self.breaches.extend(breached.targets.iter().map(|target| ((breached.probe, *target), at)));
        Ok(())
    }

    fn recover(&mut self, probe: u16, targets: impl Iterator<Item = u32> + Clone) -> Applied {
        if targets.clone().any(|target| !self.breaches.contains_key(&(probe, target))) {
            return illegal("a target answers again that was not silent");
        }
        targets.for_each(|target| _ = self.breaches.remove(&(probe, target)));
        Ok(())
    }

    fn start_stage(&mut self, at: Timestamp, stage: u16) -> Applied {
        if usize::from(stage) != self.current {
            return illegal(format!("stage {stage} starts out of turn"));
        }
        match self.stages.get_mut(usize::from(stage)) {
            Some(stage) if stage.started_at.is_none() => {
                stage.started_at = Some(at);
                Ok(())
            }
            _ => illegal(format!("stage {stage} starts twice")),
        }
    }

    fn end_host(&mut self, at: Timestamp, stage: u16, host: u32, state: Outcome) -> Applied {
        self.stage_of(stage, host)?.end_host(at, host, state)?;
        if state.is_failure() || state == Outcome::Skipped {
            let id = self.outline.stages[usize::from(stage)].hosts[host as usize] as usize;
            // A host that is left out because it failed before keeps its failure.
            self.out[id] = self.out[id].max(Some(state));
        }
        Ok(())
    }

    fn end_stage(&mut self, at: Timestamp, stage: u16) -> Applied {
        let state = self.stage(stage)?;
        if state.waiting > 0 || !state.under_way.is_empty() {
            return illegal(format!("stage {stage} ends before its hosts"));
        }
        state.ended_at = Some(at);
        self.find_current();
        Ok(())
    }

    fn find_current(&mut self) {
        let over = |stage: &StageState| stage.ended_at.is_some();
        self.current = self.stages.iter().position(|stage| !over(stage)).unwrap_or(self.stages.len());
    }

    fn order(&mut self, at: Timestamp, command: &Command, by: &Person) -> Applied {
        match command {
            Command::Hold { reason } => self.held = Some(Hold { by: by.clone(), since: at, reason: reason.clone() }),
            Command::Release => self.held = None,
            Command::Stop => self.stopping = self.stopping.max(Some(Stopping::Stop)),
            Command::Abort => self.stopping = Some(Stopping::Abort),
            Command::Refuse => self.refused = true,
            Command::Pass => {}
            Command::Skip { hosts } => return self.skip(hosts),
            Command::Pace { pace } => match self.stages.get_mut(self.current) {
                Some(stage) => stage.pace = Some(*pace),
                None => return illegal("no stage is left to pace"),
            },
            Command::FanOut { hosts: 0 } => return illegal("a fan-out of 0 would never end"),
            Command::FanOut { hosts } => match self.stages.get_mut(self.current) {
                Some(stage) => stage.fan_out = Some(*hosts),
                None => return illegal("no stage is left"),
            },
        }
        Ok(())
    }

    fn skip(&mut self, hosts: &[String]) -> Applied {
        let known = &self.outline.hosts;
        if let Some(unknown) = hosts.iter().find(|name| !known.contains(name)) {
            return illegal(format!("`{unknown}` is not in the plan"));
        }
        let ids: Vec<_> = (0..known.len()).filter(|&id| hosts.contains(&known[id])).collect();
        for id in ids {
            self.skipped[id] = true;
            self.out[id] = self.out[id].max(Some(Outcome::Skipped));
            self.unreachable.retain(|silent| silent.host as usize != id);
            for (stage, shape) in self.stages.iter_mut().zip(&self.outline.stages).skip(self.current) {
                for (host, _) in stage.hosts.iter_mut().zip(&shape.hosts).filter(|(_, of)| **of as usize == id) {
                    if host.is_under_way() {
                        host.cut = host.cut.max(Some(Outcome::Skipped));
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes up again what failed, and what was left out because of it.
    fn resume(&mut self, closes: Option<Timestamp>) {
        self.closes = closes;
        self.resumed = true;
        self.contacted = false;
        self.unreachable.clear();
        self.held = None;
        self.stopping = None;
        self.refused = false;
        // What is silent now is found out anew.
        self.breaches.clear();
        self.verdict = None;
        let under_way =
            |stage: &StageState| stage.under_way.iter().filter(|&&host| stage.hosts[host as usize].stuck).count();
        self.stuck = self.stages.iter().map(|stage| u32::try_from(under_way(stage)).unwrap_or(u32::MAX)).sum();
        for (out, skipped) in self.out.iter_mut().zip(&self.skipped) {
            *out = skipped.then_some(Outcome::Skipped);
        }
        for (stage, shape) in self.stages.iter_mut().zip(&self.outline.stages) {
            let steps = u16::try_from(shape.steps.len()).unwrap_or(u16::MAX);
            let skipped = &self.skipped;
            stage.resume(steps, |host| skipped[shape.hosts[host] as usize]);
        }
        self.find_current();
    }
}

/// How long hosts take at most, of which so many are under way at once, in whatever order.
fn at_most(hosts: &[SignedDuration], fan_out: u32) -> SignedDuration {
    let longest = hosts.iter().copied().max().unwrap_or_default();
    if hosts.len() <= usize::try_from(fan_out).unwrap_or(usize::MAX) {
        return longest;
    }
    let fan_out = i32::try_from(fan_out).unwrap_or(i32::MAX).max(1);
    let share = |time: SignedDuration| time.checked_div(fan_out).unwrap_or(time);
    let all = hosts.iter().copied().fold(SignedDuration::ZERO, SignedDuration::saturating_add);
    // All have the same work until the last one begins, which may be the longest.
    share(all).saturating_add(longest.saturating_sub(share(longest)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sample;

    #[test]
    fn taking_back_takes_as_long_as_its_stages_one_after_the_other() {
        let minutes = SignedDuration::from_mins;
        let step = |title| sample::step(title, 4, minutes(1));
        let mut plan = sample::plan(
            4,
            vec![sample::stage("one", 4, vec![step("a"), step("b")]), sample::stage("two", 1, vec![step("c")])],
        );
        let measured = |plan: &crate::model::Plan, times: &[(u16, u32, u16, i64)]| {
            let mut state = sample::opened(plan);
            for (stage, host, step, takes) in times {
                let unit = UnitKey { stage: *stage, host: *host, slot: crate::model::Slot::Step(*step) };
                state.kept.insert(unit, Kept { size: 1, undo_takes: Some(minutes(*takes)) });
            }
            state.undo_time()
        };
        let times = [(0, 0, 0, 2), (0, 0, 1, 3), (0, 1, 0, 4), (0, 2, 0, 3), (0, 3, 0, 4), (1, 0, 0, 10)];
        assert_eq!(measured(&plan, &[]), SignedDuration::ZERO);
        assert_eq!(measured(&plan, &times), minutes(5 + 10));
        plan.stages[0].fan_out = 1;
        assert_eq!(measured(&plan, &times), minutes(5 + 4 + 3 + 4 + 10));
        plan.stages[0].fan_out = 2;
        // Whatever comes first: the others share both places until the longest begins.
        assert_eq!(measured(&plan, &times), SignedDuration::from_secs(10 * 60 + 30) + minutes(10));
    }

    #[test]
    fn a_target_falls_silent_once_and_answers_again_once() {
        let mut plan = sample::plan(1, vec![sample::stage("s", 1, Vec::new())]);
        plan.probes.push(sample::probe("tenants", 3));
        let mut state = sample::opened(&plan);
        let mut told = |record: Record| state.apply(sample::start(), &record).map_err(|error| error.0);
        let breached = |probe, target| {
            let silent = SignedDuration::from_secs(4);
            Record::Breached(Box::new(Breached { probe, targets: vec![target], silent, under_way: Vec::new() }))
        };
        let recovered = |target| Record::Recovered { probe: 0, targets: vec![(target, SignedDuration::from_secs(5))] };
        assert!(told(recovered(1)).is_err());
        assert!(told(breached(0, 1)).is_ok());
        assert!(told(breached(0, 1)).is_err());
        assert!(told(breached(0, 3)).is_err());
        assert!(told(breached(1, 0)).is_err());
        assert!(told(recovered(1)).is_ok());
        assert!(told(breached(0, 1)).is_ok());
        // A new session finds out anew.
        assert!(told(Record::Resumed { by: sample::person(), closes: None }).is_ok());
        assert!(told(breached(0, 1)).is_ok());
    }
}
