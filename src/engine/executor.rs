//! Carries units out, and says how they ended. Decides nothing.

use std::sync::Arc;

use camino::Utf8PathBuf;
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::agent::protocol::Order;
use crate::agent::{git, last_line};
use crate::engine::draw;
use crate::engine::hostlog::{self, HostLog};
use crate::engine::news::News;
use crate::engine::simulate::Due;
use crate::journal::Run;
use crate::model::inventory::Transport;
use crate::model::plan::{Action, Plan};
use crate::model::record::End;
use crate::model::{History, Slot, UnitKey};
use crate::transport::local::Local;

/// A unit's try that ended.
#[derive(Debug)]
pub struct Finished {
    /// The unit.
    pub unit: UnitKey,
    /// Which try.
    pub attempt: u16,
    /// How it ended.
    pub end: End,
}

/// Carries out the units of one run.
pub struct Executor {
    plan: Arc<Plan>,
    run: Run,
    history: History,
    local: Arc<Local>,
    folder: Utf8PathBuf,
    due: Due,
    finished: mpsc::UnboundedSender<Finished>,
    news: std::sync::mpsc::Sender<News>,
}

impl Executor {
    /// An executor for a run whose commands work in `folder`, and the ends of its units.
    #[must_use]
    pub fn new(
        plan: Arc<Plan>,
        run: Run,
        history: History,
        folder: Utf8PathBuf,
        news: std::sync::mpsc::Sender<News>,
    ) -> (Self, mpsc::UnboundedReceiver<Finished>) {
        let (finished, ends) = mpsc::unbounded_channel();
        let local = Arc::new(Local::new(run.spool()));
        (Self { plan, run, history, local, folder, due: Due::default(), finished, news }, ends)
    }

    /// The ids of the hosts among these that do not answer.
    #[must_use]
    pub fn contact(&self, hosts: impl Iterator<Item = u32>) -> Vec<u32> {
        let silent = |id: &u32| {
            let host = &self.plan.hosts[*id as usize];
            host.transport == Transport::Simulated && !host.answers
        };
        hosts.filter(silent).collect()
    }

    /// Carries out a unit's try, or takes it up again when it was started before.
    pub fn start(&mut self, unit: UnitKey, attempt: u16, since: Timestamp, again: bool) {
        let planned = self.plan.unit(unit);
        match self.plan.hosts[planned.on as usize].transport {
            Transport::Simulated => {
                let (took, end) = draw::unit(&self.plan, unit, attempt);
                self.due.add(since.saturating_add(took).unwrap_or(Timestamp::MAX), unit, attempt, end);
            }
            Transport::Local | Transport::Ssh => self.start_local(unit, attempt, again),
        }
    }

    fn start_local(&self, unit: UnitKey, attempt: u16, again: bool) {
        let order = self.order(unit, attempt);
        let step = match unit.slot {
            Slot::Step(step) => format!("step {}", step + 1),
            Slot::Always(step) => format!("after step {}", step + 1),
        };
        let stage = &self.plan.stages[usize::from(unit.stage)].name;
        let heading = format!("{stage}, {step}: {}, attempt {attempt}", self.plan.title(unit));
        let log = HostLog::open(&self.run.host_log(&self.plan.host(unit).name), &heading, again);
        let (local, finished, news) = (self.local.clone(), self.finished.clone(), self.news.clone());
        tokio::spawn(async move {
            // Output is for people; a run goes on where it cannot be kept.
            let (log, from) = log.map_or((None, 0), |(log, from)| (Some(log), from));
            let log = std::sync::Mutex::new(log);
            let sink = |output: &[u8]| {
                if let Some(log) = log.lock().ok().as_deref_mut().and_then(Option::as_mut) {
                    let _ = log.write(output);
                }
                if let Some(line) = last_line(&hostlog::end(output)) {
                    let _ = news.send(News::Output { unit, line });
                }
            };
            let end = local.execute(&order, from, &sink).await;
            let _ = finished.send(Finished { unit, attempt, end });
        });
    }

    fn order(&self, unit: UnitKey, attempt: u16) -> Order {
        let (planned, step) = (self.plan.unit(unit), self.plan.step(unit));
        let action = match (unit.slot, &planned.always) {
            (Slot::Always(_), Some(command)) => Action::Run { command: command.clone(), until: None },
            _ => planned.action.clone(),
        };
        let address = match &action {
            Action::Pull { repo, .. } => Some(repo.reveal().to_owned()),
            _ => None,
        };
        let since = match (&action, &address) {
            (Action::Pull { into, .. }, Some(address)) => {
                let recorded = git::recorded(address, &self.folder);
                self.history.pulled.get(&(recorded, into.clone())).cloned()
            }
            _ => None,
        };
        let is_step = matches!(unit.slot, Slot::Step(_));
        Order {
            format: crate::agent::protocol::FORMAT,
            id: self.id(unit, attempt),
            action,
            address,
            unless: planned.unless.clone().filter(|_| is_step),
            env: planned.env.clone(),
            timeout: step.timeout,
            since,
            folder: self.folder.clone(),
        }
    }

    /// The id of a unit's try: the same one always means the same try.
    fn id(&self, unit: UnitKey, attempt: u16) -> String {
        let slot = match unit.slot {
            Slot::Step(step) => format!("step{}", step + 1),
            Slot::Always(step) => format!("always{}", step + 1),
        };
        let stage = &self.plan.stages[usize::from(unit.stage)].name;
        format!("{}.{stage}.{}.{slot}.{attempt}", self.run.id, self.plan.host(unit).name)
    }

    /// Ends a unit's try now. Its end still comes, as that of any other.
    pub fn abort(&mut self, unit: UnitKey, attempt: u16) {
        let planned = self.plan.unit(unit);
        match self.plan.hosts[planned.on as usize].transport {
            Transport::Local | Transport::Ssh => {
                // A step whose abort cannot be asked for still has its timeout.
                let _ = self.local.abort(&self.id(unit, attempt));
            }
            Transport::Simulated => {
                self.due.remove(unit, attempt);
                let end = End::noted(crate::model::Outcome::Interrupted, "aborted");
                let _ = self.finished.send(Finished { unit, attempt, end });
            }
        }
    }

    /// When the next simulated unit ends.
    #[must_use]
    pub fn next_at(&self) -> Option<Timestamp> {
        self.due.next_at()
    }

    /// A simulated unit that has ended by now.
    pub fn take_due(&mut self, now: Timestamp) -> Option<Finished> {
        self.due.take(now).map(|(unit, attempt, end)| Finished { unit, attempt, end })
    }

    /// Removes what ended steps left on this machine, once their records are on disk.
    pub fn clean(&self) {
        // What cannot be removed is in nobody's way.
        let _ = self.local.clean();
    }
}
