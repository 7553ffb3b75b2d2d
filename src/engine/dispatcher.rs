//! The dispatcher: one task, the only owner of a run's state and journal.
//!
//! A record is on disk before it counts, and counts before anything is done or shown because of it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};

use crate::engine::clock::Clock;
use crate::engine::control::{Reply, Told};
use crate::engine::executor::{Executor, Finished};
use crate::engine::forecast;
use crate::engine::needed;
use crate::engine::news::News;
use crate::engine::obey;
use crate::engine::probes::{self, Probes};
use crate::engine::retry::retry_at;
use crate::engine::schedule::decide;
use crate::engine::state::{RunState, Stopping};
use crate::error::{Error, Exit, Result};
use crate::journal::Writer;
use crate::model::plan::{Action, Plan};
use crate::model::probe::OnBreach;
use crate::model::record::{Breached, End};
use crate::model::{Command, Outcome, Person, Record, Slot, UnitKey, Verdict};
use crate::probe::Event;

/// What becomes of a gate when a person ends the run.
const STOPPED: &str = "the run was stopped";

/// Real time between two looks at when the run should end.
const EXPECT_EVERY: Duration = Duration::from_secs(2);

/// What a run needs to go on.
pub struct Dispatcher {
    /// The plan.
    pub plan: Arc<Plan>,
    /// Where the run stands; applied from every record in the journal.
    pub state: RunState,
    /// The journal, open at its end.
    pub journal: Writer,
    /// The run's clock.
    pub clock: Clock,
    /// What carries units out.
    pub executor: Executor,
    /// Ends of units.
    pub finished: mpsc::UnboundedReceiver<Finished>,
    /// What people and signals say.
    pub told: mpsc::UnboundedReceiver<Told>,
    /// Where reporters listen.
    pub news: std::sync::mpsc::Sender<News>,
    /// How gates are passed.
    pub gates: Gates,
    /// What is measured; `None` for nothing.
    pub probes: Option<Probes>,
    /// Gates whose backups are being read.
    pub checks: Checks,
}

/// Gates whose backups are being read, before anybody is asked to pass them.
#[derive(Default)]
pub struct Checks {
    gates: HashSet<(UnitKey, u16)>,
    tasks: JoinSet<(UnitKey, u16, std::result::Result<(), String>)>,
}

/// The try of a gate that waits for a person; `None` while none does.
pub type WaitingGate = Option<(UnitKey, u16)>;

/// How gates are passed.
#[derive(Debug, Clone)]
pub struct Gates {
    /// Names of steps and stages whose gates are passed without asking.
    pub passed: HashSet<String>,
    /// Where a person at the terminal sees which gate waits; `None` when nobody is there.
    pub person: Option<watch::Sender<WaitingGate>>,
    /// Who started this upshift.
    pub by: Person,
}

impl Dispatcher {
    /// Carries the run on to its end, beginning with the records that open or resume it.
    ///
    /// Units that were under way in the journal are taken up first; whether there are any is the only
    /// difference between a new run and a resumed one.
    ///
    /// # Errors
    ///
    /// In a new run, a target of a probe does not answer: nothing is in the journal. Else, the journal cannot be
    /// written: nothing more is started, and what is under way goes on without upshift until the run is resumed.
    pub async fn run(mut self, first: Vec<Record>) -> Result<Verdict> {
        // What is silent before a rollback may be what it is to mend.
        let again = self.state.opened_at.is_some() || self.plan.undoes.is_some();
        if let Some(probes) = &mut self.probes {
            probes.begin(again).await?;
        }
        self.commit(first)?;
        self.contact().await?;
        if let Some(event) = self.probes.as_mut().and_then(Probes::early) {
            self.measured(event)?;
        }
        let running: Vec<_> = self.state.running().collect();
        for (unit, attempt, since) in running {
            self.act(unit, attempt, since, true)?;
        }
        if self.state.stopping == Some(Stopping::Abort) {
            self.abort_steps();
        }
        let mut expected_at = None;
        loop {
            let wake_at = self.decide()?;
            if let Some(verdict) = self.state.verdict {
                if let Some(probes) = &mut self.probes {
                    probes.end().await;
                }
                self.executor.clean().await;
                return Ok(verdict);
            }
            self.expect(&mut expected_at);
            if let (Some(until), None) = (wake_at, self.state.running().next()) {
                let _ = self.news.send(News::Idle { until });
            }
            let until = [wake_at, self.executor.next_at()].into_iter().flatten().min();
            self.wait(until).await?;
        }
    }

    /// Contacts every planned host, before anything is started.
    async fn contact(&mut self) -> Result<()> {
        if self.state.contacted {
            return Ok(());
        }
        let hosts = (0..).zip(&self.state.out).filter(|(_, out)| out.is_none()).map(|(id, _)| id);
        match self.executor.contact(hosts).await {
            Ok(unreachable) => self.commit(vec![Record::Contacted { unreachable }]),
            Err(error) => {
                self.executor.clean().await;
                Err(error)
            }
        }
    }

    /// Commits what is decided until nothing more is, and says when to decide again.
    fn decide(&mut self) -> Result<Option<Timestamp>> {
        loop {
            let now = self.clock.now();
            let decision = decide(&self.plan, &self.state, now);
            if decision.records.is_empty() {
                return Ok(decision.wake_at);
            }
            let ends = decision.records.iter().any(|record| matches!(record, Record::Ended { .. }));
            if ends && !self.probes.as_mut().is_none_or(Probes::have_last_word) {
                // What the last step did to a workload is known a moment later.
                return Ok(None);
            }
            let started: Vec<_> = decision
                .records
                .iter()
                .filter_map(|record| match record {
                    Record::UnitStarted { unit, attempt } => Some((*unit, *attempt)),
                    _ => None,
                })
                .collect();
            self.commit_at(now, decision.records)?;
            for (unit, attempt) in started {
                self.act(unit, attempt, now, false)?;
            }
        }
    }

    /// Carries out a unit whose start is on disk.
    fn act(&mut self, unit: UnitKey, attempt: u16, since: Timestamp, again: bool) -> Result<()> {
        if let (Action::Gate { question }, Slot::Step(_)) = (&self.plan.unit(unit).action, unit.slot) {
            let needed = needed::at_gate(&self.plan, &self.state, unit);
            let Some(check) = self.executor.check(needed).filter(|_| self.state.stopping.is_none()) else {
                return self.ask(unit, attempt, question.clone());
            };
            let _ = self.news.send(News::Output { unit, line: "reading the backups first".into() });
            self.checks.gates.insert((unit, attempt));
            self.checks.tasks.spawn(async move { (unit, attempt, check.await) });
            return Ok(());
        }
        self.executor.start(unit, attempt, since, again);
        Ok(())
    }

    /// Waits until then, or until something happens.
    async fn wait(&mut self, until: Option<Timestamp>) -> Result<()> {
        let sleep = if self.clock.is_jumping() {
            // A clock that jumps still lets people speak, and waits for them when nothing else is left.
            tokio::task::yield_now().await;
            let busy = !self.told.is_empty() || !self.finished.is_empty();
            match until {
                _ if busy => None,
                Some(until) => {
                    self.clock.sleep(until);
                    Some(std::time::Duration::ZERO)
                }
                None => None,
            }
        } else {
            until.and_then(|until| self.clock.sleep(until))
        };
        let alarm = async {
            match sleep {
                // Even a sleep of no time takes until the next millisecond.
                Some(sleep) if sleep.is_zero() => {}
                Some(sleep) => tokio::time::sleep(sleep).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            Some(told) = self.told.recv() => self.obey(told)?,
            Some(first) = self.finished.recv() => self.finish(first)?,
            event = measurement(&mut self.probes) => self.measured(event)?,
            Some(checked) = self.checks.tasks.join_next() => self.checked(checked)?,
            () = alarm => {
                let now = self.clock.now();
                if let Some(first) = self.executor.take_due(now) {
                    self.finish(first)?;
                }
            }
        }
        Ok(())
    }

    /// Commits the end of a unit, and of all that ended meanwhile, together.
    fn finish(&mut self, first: Finished) -> Result<()> {
        let now = self.clock.now();
        let mut records = Vec::new();
        let mut next = Some(first);
        while let Some(Finished { unit, attempt, mut end }) = next {
            // What a host measured is a restore, and this step may be taken back in another way.
            if let Some(kept) = &mut end.kept {
                let takes = kept.undo_takes.filter(|_| self.plan.unit(unit).is_undone_by_restore());
                kept.undo_takes = takes.map(|takes| self.clock.of_real(takes));
            }
            let retry_at = retry_at(&self.plan, &self.state, unit, attempt, &end, now);
            records.push(Record::UnitEnded { unit, attempt, end, retry_at });
            next = self.finished.try_recv().ok().or_else(|| self.executor.take_due(now));
        }
        let ended: Vec<_> = records
            .iter()
            .filter_map(|record| match record {
                // A step of a host that was silent may go on there, and its end still counts.
                Record::UnitEnded { end: End { outcome: Outcome::Unreachable, .. }, .. } => None,
                Record::UnitEnded { unit, attempt, .. } => Some((*unit, *attempt)),
                _ => None,
            })
            .collect();
        self.commit_at(now, records)?;
        for (unit, attempt) in ended {
            self.executor.forget(unit, attempt);
        }
        Ok(())
    }

    fn commit(&mut self, records: Vec<Record>) -> Result<()> {
        let now = self.clock.now();
        self.commit_at(now, records)
    }

    /// Puts records on disk, makes them count, and tells reporters: in this order.
    fn commit_at(&mut self, now: Timestamp, records: Vec<Record>) -> Result<()> {
        let before = self.journal.length().map_err(|error| self.cannot_write(&error))?;
        let committed = self.journal.append(now, records).map_err(|error| self.cannot_write(&error))?;
        for committed in committed {
            let applied = self.state.apply(committed.entry.at, &committed.entry.record);
            if let Err(error) = applied {
                // A bug must not cost the run: its journal stays one that can be resumed.
                let _ = self.journal.take_back(before);
                return Err(Error::new(Exit::Bug, format!("decided what cannot follow: {error}")));
            }
            if let Some(probes) = &mut self.probes {
                probes.note(&committed.entry.record);
            }
            let _ = self.news.send(News::Committed(Box::new(committed)));
        }
        Ok(())
    }

    fn cannot_write(&self, error: &crate::journal::Error) -> Error {
        let under_way = obey::under_way(&self.plan, &self.state);
        let what = match under_way.as_str() {
            "" => "nothing is under way".to_owned(),
            hosts => format!("what is under way goes on there by itself: {hosts}"),
        };
        Error::new(Exit::Stopped, format!("the journal cannot be written: {error}; {what}"))
            .hint("make room, then `upshift resume`: it finds out how far each host came")
    }

    /// Puts a gate to a person whose backups are of use; with any other, it is shut for good.
    fn checked(
        &mut self,
        checked: std::result::Result<(UnitKey, u16, std::result::Result<(), String>), JoinError>,
    ) -> Result<()> {
        let Ok((unit, attempt, found)) = checked else { return Ok(()) };
        // A run that was stopped meanwhile has an end for it already.
        if !self.checks.gates.remove(&(unit, attempt)) {
            return Ok(());
        }
        match (found, &self.plan.unit(unit).action) {
            (Ok(()), Action::Gate { question }) => self.ask(unit, attempt, question.clone()),
            (Ok(()), _) => Ok(()),
            (Err(why), _) => self.finish(Finished { unit, attempt, end: End::noted(Outcome::Failed, why) }),
        }
    }

    /// Puts a gate to a person, or answers it as the person said beforehand.
    fn ask(&mut self, unit: UnitKey, attempt: u16, question: String) -> Result<()> {
        let stage = &self.plan.stages[usize::from(unit.stage)].name;
        let title = &self.plan.step(unit).title;
        if self.state.stopping.is_some() {
            return self.finish(Finished { unit, attempt, end: End::noted(Outcome::Interrupted, STOPPED) });
        }
        if self.gates.passed.contains(stage) || self.gates.passed.contains(title) {
            let end = End::noted(Outcome::Unchanged, format!("passed beforehand by {}", self.gates.by));
            return self.finish(Finished { unit, attempt, end });
        }
        if let Some(person) = &self.gates.person {
            let _ = self.news.send(News::Gate { question });
            person.send_replace(Some((unit, attempt)));
            return Ok(());
        }
        let notice = format!("gate `{title}` needs a person, and there is no terminal: {question}");
        let _ = self.news.send(News::Notice(notice));
        let by = self.gates.by.clone();
        self.commit(vec![Record::Ordered { command: Command::Refuse, by }])?;
        let end = End::noted(Outcome::Interrupted, "nobody was there to pass it");
        self.finish(Finished { unit, attempt, end })
    }

    /// The gate that waits for a person.
    fn waiting_gate(&self) -> Option<(UnitKey, u16)> {
        let is_gate = |unit: UnitKey| matches!(self.plan.unit(unit).action, Action::Gate { .. });
        let mut gates =
            self.state.running().filter(|(unit, ..)| is_gate(*unit)).map(|(unit, attempt, _)| (unit, attempt));
        gates.find(|gate| !self.checks.gates.contains(gate))
    }

    /// Does what a person or a signal says, and answers.
    fn obey(&mut self, told: Told) -> Result<()> {
        let Told { command, by, reply } = told;
        let gate = self.waiting_gate();
        let ends = matches!(command, Command::Stop | Command::Abort);
        let answer = match obey::check(&self.plan, &self.state, &command, gate.is_some()) {
            Err(message) => Reply { done: false, message },
            Ok(message) => {
                self.commit(vec![Record::Ordered { command: command.clone(), by: by.clone() }])?;
                self.follow(&command, &by, gate)?;
                Reply { done: true, message }
            }
        };
        match reply {
            Some(reply) => drop(reply.send(answer)),
            // That it was said, the record says; what it means for hosts under way, only the answer.
            None if answer.done && !ends => {}
            None => drop(self.news.send(News::Notice(answer.message))),
        }
        Ok(())
    }

    /// Commits what probes found, and does what they say is to be done about it.
    fn measured(&mut self, first: Event) -> Result<()> {
        let Some(probes) = &mut self.probes else { return Ok(()) };
        let records = probes.take(first);
        let breaches = records.iter().filter_map(|record| match record {
            Record::Breached(breached) => Some(breached.clone()),
            _ => None,
        });
        let breaches: Vec<_> = breaches.collect();
        if !records.is_empty() {
            self.commit(records)?;
        }
        breaches.iter().try_for_each(|breached| self.react(breached))
    }

    /// Holds or stops the run, unless it is held or stopping already.
    fn react(&mut self, breached: &Breached) -> Result<()> {
        let plan = self.plan.clone();
        let probe = &plan.probes[usize::from(breached.probe)];
        let command = match probe.on_breach {
            OnBreach::Note => return Ok(()),
            _ if self.state.stopping.is_some() => return Ok(()),
            OnBreach::Hold if self.state.held.is_some() => return Ok(()),
            OnBreach::Hold => Command::Hold { reason: Some(probes::reason(probe, breached)) },
            OnBreach::Stop | OnBreach::Rollback => Command::Stop,
        };
        let by = Person { from: format!("probe {}", probe.name), user: "upshift".into(), ..self.gates.by.clone() };
        self.obey(Told { command, by, reply: None })
    }

    /// Acts on a command that is in the journal.
    fn follow(&mut self, command: &Command, by: &Person, gate: Option<(UnitKey, u16)>) -> Result<()> {
        if let Some((unit, attempt)) = gate {
            let end = match command {
                Command::Pass => Some(End::noted(Outcome::Unchanged, format!("passed by {by}"))),
                Command::Refuse => Some(End::noted(Outcome::Interrupted, format!("refused by {by}"))),
                Command::Stop | Command::Abort => Some(End::noted(Outcome::Interrupted, STOPPED)),
                _ => None,
            };
            if let Some(end) = end {
                self.finish(Finished { unit, attempt, end })?;
                self.gates.person.as_ref().inspect(|person| _ = person.send_replace(None));
            }
        }
        if matches!(command, Command::Stop | Command::Abort) {
            self.checks.tasks.abort_all();
            for (unit, attempt) in std::mem::take(&mut self.checks.gates) {
                self.finish(Finished { unit, attempt, end: End::noted(Outcome::Interrupted, STOPPED) })?;
            }
        }
        if *command == Command::Abort {
            self.abort_steps();
        }
        Ok(())
    }

    /// Ends every step that is under way; what puts hosts back goes on.
    fn abort_steps(&mut self) {
        let steps = self.state.running().filter(|(unit, ..)| matches!(unit.slot, Slot::Step(_)));
        for (unit, attempt, _) in steps {
            self.executor.abort(unit, attempt);
        }
    }

    /// Tells reporters when the run should end, now and then: it is a simulation of all that is left.
    fn expect(&mut self, told: &mut Option<Instant>) {
        if self.clock.is_jumping() || told.is_some_and(|told| told.elapsed() < EXPECT_EVERY) {
            return;
        }
        *told = Some(Instant::now());
        let now = self.clock.now();
        if let Some(outlook) = forecast::outlook(&self.plan, &self.state, now) {
            let _ = self.news.send(News::Expected { stage: outlook.stage_end, run: outlook.end });
        }
    }
}

/// What a probe finds next.
async fn measurement(probes: &mut Option<Probes>) -> Event {
    match probes {
        Some(probes) => probes.next().await,
        None => std::future::pending().await,
    }
}
