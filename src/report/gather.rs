//! Gathers the figures of a run from its journal.
//!
//! What a host came to is the engine's own word, folded with [`RunState::apply`]; this adds when
//! things began and ended, which the state does not keep.

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::figures::stopped_within;
use super::probes::Probe;
use super::timing::{
    Cause, Host, Order, Previous, Session, Stage, Standing, Step, Then, Timing, Try, Visit, came_through,
};
use crate::engine::state::{Fate, HostState, IllegalRecord, Phase, RunState};
use crate::model::history::percentile;
use crate::model::record::{End, Entry, Opened, Pulled};
use crate::model::{Command, Outcome, Person, Record, Slot, UnitKey};

impl Timing {
    /// Reckons the figures of a run from its records, and from those of the run before it.
    ///
    /// `now` counts while the run is open: as the end so far of a live run, and against the last
    /// record of a crashed one. `live` says that an upshift holds the run.
    ///
    /// # Errors
    ///
    /// A record cannot follow from those before it.
    pub fn new(
        entries: &[Entry],
        previous: Option<&[Entry]>,
        now: Timestamp,
        live: bool,
    ) -> Result<Self, IllegalRecord> {
        let (opened, first, last) = match entries {
            [first @ Entry { record: Record::Opened(opened), .. }, ..] => (opened, first, entries.last()),
            _ => return Err(IllegalRecord("the run was never opened".into())),
        };
        let last = last.map_or(first.at, |last| last.at);
        let mut gathering = Gathering::new(opened, first.at);
        for entry in entries {
            gathering.add(entry)?;
        }
        let standing = match gathering.state.verdict {
            Some(verdict) => Standing::Ended(verdict),
            None if live => Standing::UnderWay,
            None => Standing::Crashed,
        };
        let ended = if standing == Standing::UnderWay { now.max(last) } else { last };
        let mut timing = gathering.finish(opened, standing, ended);
        timing.silent = (standing == Standing::Crashed).then(|| now.duration_since(last).max(SignedDuration::ZERO));
        if let Some(entries) = previous {
            let then = Self::new(entries, None, now, false)?;
            timing.previous = Some(Previous::of(&then, &timing.stages));
        }
        Ok(timing)
    }
}

impl Previous {
    fn of(then: &Timing, stages: &[Stage]) -> Self {
        let has = |name: &str| stages.iter().any(|stage| stage.name == name);
        let stage = |stage: &Stage| Then {
            name: stage.name.clone(),
            actual: stage.actual(),
            is_over: stage.is_over,
            p50: stage.p50,
        };
        Self {
            run: then.opened.run.clone(),
            standing: then.standing,
            took: then.took(),
            stages: then.stages.iter().filter(|stage| has(&stage.name)).map(stage).collect(),
        }
    }
}

/// What was gathered so far.
struct Gathering {
    state: RunState,
    sessions: Vec<Session>,
    orders: Vec<Order>,
    pulls: Vec<Pulled>,
    probes: Vec<Probe>,
    stages: Vec<Progress>,
}

/// What was gathered of a stage.
#[derive(Default)]
struct Progress {
    starts: Vec<Timestamp>,
    hosts: Vec<Gathered>,
}

/// What was gathered of a host in a stage.
#[derive(Default, Clone)]
struct Gathered {
    spans: Vec<(Timestamp, Option<Timestamp>)>,
    tries: Vec<Try>,
}

impl Gathering {
    fn new(opened: &Opened, at: Timestamp) -> Self {
        let outline = Arc::new(opened.plan.clone());
        let stage = |hosts: usize| Progress { starts: Vec::new(), hosts: vec![Gathered::default(); hosts] };
        Self {
            sessions: vec![Session { by: opened.by.clone(), started: at, ended: at, verdict: None }],
            orders: Vec::new(),
            pulls: Vec::new(),
            probes: outline.probes.iter().map(Probe::new).collect(),
            stages: outline.stages.iter().map(|shape| stage(shape.hosts.len())).collect(),
            state: RunState::new(outline),
        }
    }

    fn add(&mut self, entry: &Entry) -> Result<(), IllegalRecord> {
        let at = entry.at;
        self.state.apply(at, &entry.record)?;
        match &entry.record {
            Record::Resumed { by, .. } => {
                let over = self.sessions.last().map_or(at, |session| session.ended);
                self.release(over);
                self.sessions.push(Session { by: by.clone(), started: at, ended: at, verdict: None });
            }
            Record::HostStarted { stage, host } => {
                let stage = &mut self.stages[usize::from(*stage)];
                stage.starts.push(at);
                stage.hosts[*host as usize].spans.push((at, None));
            }
            Record::UnitStarted { unit, .. } => self.host(*unit).tries.push(Try {
                slot: unit.slot,
                started: at,
                ended: None,
                outcome: None,
                changes: 0,
                note: None,
            }),
            Record::UnitEnded { unit, end, .. } => self.end_unit(at, *unit, end),
            Record::HostEnded { stage, host, .. } => {
                let host = &mut self.stages[usize::from(*stage)].hosts[*host as usize];
                if let Some((_, end @ None)) = host.spans.last_mut() {
                    *end = Some(at);
                }
            }
            Record::Ordered { command, by } => self.order(at, command, by),
            Record::Ended { verdict } => {
                if let Some(session) = self.sessions.last_mut() {
                    session.verdict = Some(*verdict);
                }
            }
            Record::Breached(breached) => self.probes[usize::from(breached.probe)].breached(at, breached),
            Record::Recovered { probe, targets } => self.probes[usize::from(*probe)].recovered(targets),
            Record::Opened(_) | Record::Contacted { .. } | Record::StageStarted { .. } | Record::StageEnded { .. } => {}
        }
        if let Some(session) = self.sessions.last_mut() {
            session.ended = session.ended.max(at);
        }
        Ok(())
    }

    fn host(&mut self, unit: UnitKey) -> &mut Gathered {
        &mut self.stages[usize::from(unit.stage)].hosts[unit.host as usize]
    }

    fn end_unit(&mut self, at: Timestamp, unit: UnitKey, end: &End) {
        if let Some(attempt) = self.host(unit).tries.last_mut() {
            attempt.ended = Some(at);
            attempt.outcome = Some(end.outcome);
            attempt.changes = end.changes;
            attempt.note.clone_from(&end.note);
        }
        self.pulls.extend(end.pulled.as_deref().cloned());
    }

    fn order(&mut self, at: Timestamp, command: &Command, by: &Person) {
        let gate = matches!(command, Command::Pass | Command::Refuse).then(|| self.waiting_step()).flatten();
        if *command == Command::Release {
            self.release(at);
        }
        self.orders.push(Order { at, by: by.clone(), command: command.clone(), until: None, gate });
    }

    /// The step that is under way, where there is only one.
    fn waiting_step(&self) -> Option<String> {
        let mut running = self.state.running().map(|(unit, ..)| (unit.stage, unit.slot.step()));
        let (stage, step) = running.next()?;
        running.all(|other| other == (stage, step)).then(|| {
            let stage = &self.state.outline.stages[usize::from(stage)];
            stage.steps.get(step).cloned()
        })?
    }

    /// Ends every hold.
    fn release(&mut self, at: Timestamp) {
        for order in &mut self.orders {
            if matches!(order.command, Command::Hold { .. }) {
                order.until.get_or_insert(at);
            }
        }
    }

    fn finish(mut self, opened: &Opened, standing: Standing, ended: Timestamp) -> Timing {
        self.release(ended);
        if let Some(session) = self.sessions.last_mut() {
            session.ended = session.ended.max(ended);
        }
        let indices = 0..self.stages.len();
        let stages: Vec<_> = indices.map(|index| self.stage(index, ended)).collect();
        let fates = self.state.fates();
        let mut visits: Vec<Vec<(&Stage, &Visit)>> = vec![Vec::new(); fates.len()];
        for stage in &stages {
            for visit in &stage.hosts {
                visits[visit.host].push((stage, visit));
            }
        }
        let hosts = fates.iter().zip(&visits).enumerate();
        let hosts = hosts.map(|(id, (fate, visits))| self.host_over_all(id, *fate, visits)).collect();
        Timing {
            opened: opened.clone(),
            standing,
            started: self.state.opened_at.unwrap_or(ended),
            ended,
            closes: self.state.closes,
            undo: self.state.undo_time(),
            silent: None,
            stages,
            hosts,
            sessions: self.sessions,
            pulls: self.pulls,
            probes: self.probes,
            orders: self.orders,
            previous: None,
            zone: TimeZone::UTC,
            only: None,
        }
    }

    fn stage(&self, index: usize, run_end: Timestamp) -> Stage {
        let (progress, state, shape) =
            (&self.stages[index], &self.state.stages[index], &self.state.outline.stages[index]);
        let ended = state.ended_at.unwrap_or(run_end);
        let stopped = |from: Timestamp, to: Timestamp| stopped_within(&self.sessions, from, to);
        let visits = progress.hosts.iter().zip(&state.hosts).zip(&shape.hosts);
        let hosts: Vec<_> = visits.map(|((host, state), id)| visit(host, state, *id, run_end)).collect();
        let mut took: Vec<_> =
            hosts.iter().filter(|visit| came_through(visit.fate)).filter_map(|visit| visit.took).collect();
        took.sort_unstable();
        let some = |percent| (!took.is_empty()).then(|| percentile(&took, percent));
        let achieved = match progress.starts[..] {
            [first, .., last] => {
                let hours = (last.duration_since(first) - stopped(first, last)).as_secs_f64() / 3600.0;
                let spaces = u32::try_from(progress.starts.len() - 1).unwrap_or(u32::MAX);
                (hours > 0.0).then(|| f64::from(spaces) / hours)
            }
            _ => None,
        };
        Stage {
            name: shape.name.clone(),
            planned: shape.window,
            started: state.started_at,
            ended,
            is_over: state.ended_at.is_some(),
            stopped: state.started_at.map_or(SignedDuration::ZERO, |start| stopped(start, ended)),
            slack: self.state.closes.filter(|_| state.ended_at.is_some()).map(|closes| closes.duration_since(ended)),
            pace: state.pace.or(shape.pace),
            achieved,
            starts: u32::try_from(progress.starts.len()).unwrap_or(u32::MAX),
            fan_out: state.fan_out.unwrap_or(shape.fan_out),
            p50: some(50),
            p95: some(95),
            steps: steps(&shape.steps, &hosts),
            hosts,
        }
    }

    /// What a host came to over all stages, and why.
    fn host_over_all(&self, id: usize, fate: Fate, visits: &[(&Stage, &Visit)]) -> Host {
        let name = self.state.outline.hosts[id].clone();
        let (cause, tries) = self.cause(&name, id, fate, visits);
        let sum = |figure: fn(&Visit) -> u32| visits.iter().map(|(_, visit)| figure(visit)).sum();
        let took = visits.iter().filter_map(|(_, visit)| visit.took);
        Host {
            fate,
            cause,
            tries,
            took: took.fold(SignedDuration::ZERO, SignedDuration::saturating_add),
            changes: sum(|visit| visit.changes),
            retries: sum(|visit| visit.retries),
            name,
        }
    }

    /// Why a host did not come through, and how often that was tried.
    fn cause(&self, name: &str, id: usize, fate: Fate, visits: &[(&Stage, &Visit)]) -> (Cause, u32) {
        let mut visits = visits.iter();
        let said = |note: String| (Cause { note: Some(note), ..Cause::default() }, 0);
        match fate {
            Fate::Ended(Outcome::Changed | Outcome::Unchanged) | Fate::Left => (Cause::default(), 0),
            Fate::Ended(Outcome::Skipped) => self.who_skipped(name).map_or_else(Default::default, said),
            Fate::Ended(_) if self.state.unreachable.iter().any(|silent| silent.host as usize == id) => {
                let silent = self.state.unreachable.iter().find(|silent| silent.host as usize == id);
                let why = silent.map(|silent| format!(": {}", silent.why)).unwrap_or_default();
                said(format!("did not answer before the start{why}"))
            }
            Fate::Ended(_) => {
                let Some((stage, visit)) = visits.find(|(_, visit)| visit.fate == fate) else {
                    return (Cause::default(), 0);
                };
                let step = visit.failed_at.map(|slot| stage.title(slot));
                let tries = visit.tries.iter().filter(|attempt| Some(attempt.slot) == visit.failed_at).count();
                let note = visit.note().map(str::to_owned).or_else(|| step.is_none().then(|| self.who_aborted())?);
                let cause = Cause { stage: Some(stage.name.clone()), step, note, is_stuck: visit.is_stuck };
                (cause, u32::try_from(tries).unwrap_or(u32::MAX))
            }
            Fate::UnderWay => {
                let stage = visits.find(|(_, visit)| visit.fate == fate).map(|(stage, visit)| {
                    let step = visit.tries.last().map(|attempt| stage.title(attempt.slot));
                    Cause { stage: Some(stage.name.clone()), step, ..Cause::default() }
                });
                (stage.unwrap_or_default(), 0)
            }
        }
    }

    fn who_skipped(&self, name: &str) -> Option<String> {
        let skips =
            |order: &&Order| matches!(&order.command, Command::Skip { hosts } if hosts.iter().any(|h| h == name));
        self.orders.iter().find(skips).map(|order| format!("left out by {}", order.by.user))
    }

    fn who_aborted(&self) -> Option<String> {
        let abort = self.orders.iter().rev().find(|order| order.command == Command::Abort);
        abort.map(|order| format!("aborted by {}", order.by.user))
    }
}

fn visit(host: &Gathered, state: &HostState, id: u32, run_end: Timestamp) -> Visit {
    let lasted = |(start, end): &(Timestamp, Option<Timestamp>)| end.unwrap_or(run_end).duration_since(*start);
    let took = host.spans.iter().map(lasted).reduce(SignedDuration::saturating_add);
    Visit {
        host: id as usize,
        fate: match state.phase {
            Phase::Ended(outcome) => Fate::Ended(outcome),
            Phase::Waiting => Fate::Left,
            _ => Fate::UnderWay,
        },
        spans: host.spans.clone(),
        took,
        tries: host.tries.clone(),
        changes: state.changes,
        retries: state.retries,
        failed_at: state.failed_at,
        is_stuck: state.stuck,
    }
}

/// The steps of a stage, then what put hosts back after them.
fn steps(titles: &[String], hosts: &[Visit]) -> Vec<Step> {
    let count = u16::try_from(titles.len()).unwrap_or(u16::MAX);
    let slots = (0..count).map(Slot::Step).chain((0..count).map(Slot::Always));
    let steps = slots.filter_map(|slot| {
        let title = &titles[slot.step()];
        let tries: Vec<_> =
            hosts.iter().flat_map(|visit| &visit.tries).filter(|attempt| attempt.slot == slot).collect();
        let failed = tries.iter().filter(|attempt| attempt.outcome.is_some_and(Outcome::is_failure)).count();
        let succeeded = tries.iter().filter(|attempt| attempt.outcome.is_some_and(|outcome| !outcome.is_failure()));
        let mut took: Vec<_> = succeeded.filter_map(|t| Some(t.ended?.duration_since(t.started))).collect();
        took.sort_unstable();
        let some = |percent| (!took.is_empty()).then(|| percentile(&took, percent));
        let is_step = matches!(slot, Slot::Step(_));
        (is_step || !tries.is_empty()).then(|| Step {
            title: if is_step { title.clone() } else { format!("put back: {title}") },
            tries: u32::try_from(tries.len()).unwrap_or(u32::MAX),
            failed: u32::try_from(failed).unwrap_or(u32::MAX),
            p50: some(50),
            p95: some(95),
        })
    });
    steps.collect()
}
