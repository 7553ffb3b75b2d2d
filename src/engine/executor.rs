//! Carries units out, and says how they ended. Decides nothing.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use camino::Utf8PathBuf;
use fs_err::File;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::agent::protocol::{Claim, Order};
use crate::agent::{Output, Sink, Steps, backup, git, grains, last_line};
use crate::engine::clock;
use crate::engine::copies::{self, Errand, Kept, Site, Tries};
use crate::engine::draw;
use crate::engine::hostlog::{self, HostLog};
use crate::engine::needed::Needed;
use crate::engine::news::News;
use crate::engine::simulate::Due;
use crate::engine::supply::Supply;
use crate::error::{Error, Exit, Result};
use crate::journal::Run;
use crate::model::backup::Test;
use crate::model::inventory::Transport;
use crate::model::plan::{self, Action, Apply, Plan};
use crate::model::record::{End, Silent};
use crate::model::{Backup, History, Outcome, Person, Slot, UnitKey};
use crate::transport::ssh::{self, Ended, Provision};

/// Pieces of output that wait to be kept.
const OUTPUT: usize = 4;

/// How long a host may take to be let go.
const RELEASE: Duration = Duration::from_secs(10);

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
    /// What the run is called where other projects have runs too.
    id: String,
    history: History,
    steps: Arc<Steps>,
    /// For each host of the plan, the way to it when that is SSH.
    hosts: Vec<Option<Arc<ssh::Host>>>,
    /// What tells a unit's try on a host to end now.
    aborts: HashMap<(UnitKey, u16), watch::Sender<bool>>,
    folder: Utf8PathBuf,
    /// What `apply` steps take.
    supply: Option<Arc<Supply>>,
    /// Where it is kept what became of states.
    returns: Option<Arc<File>>,
    due: Due,
    finished: mpsc::UnboundedSender<Finished>,
    news: std::sync::mpsc::Sender<News>,
}

impl Executor {
    /// An executor for a run whose commands on this machine work in `folder`, and the ends of its units.
    ///
    /// # Errors
    /// When this machine does not allow connections to hosts.
    pub fn new(
        plan: Arc<Plan>,
        run: Run,
        key: &str,
        history: History,
        folder: Utf8PathBuf,
        by: &Person,
        news: std::sync::mpsc::Sender<News>,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Finished>)> {
        let (finished, ends) = mpsc::unbounded_channel();
        let steps = Arc::new(Steps::new(run.spool()));
        let claim = Claim {
            run: run.id.clone(),
            key: key.to_owned(),
            by: by.clone(),
            machine: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            project: folder.clone(),
            since: clock::real_now(),
            fleeting: false,
        };
        let hosts = connect(&plan, &claim)?;
        let aborts = HashMap::new();
        let due = Due::default();
        let id = claim.id();
        let executor = Self {
            plan,
            run,
            id,
            history,
            steps,
            hosts,
            aborts,
            folder,
            supply: None,
            returns: None,
            due,
            finished,
            news,
        };
        Ok((executor, ends))
    }

    /// Gives it what `apply` steps take.
    ///
    /// # Errors
    /// When this machine cannot keep it.
    pub fn supply(&mut self, supply: Arc<Supply>) -> Result<()> {
        // Hosts that are this machine have the formulas in the store of the run.
        if self.plan.hosts.iter().any(|host| host.transport == Transport::Local) {
            supply.keep(&self.run.folder.join("files"))?;
        }
        self.returns = Some(open_returns(&self.run)?);
        self.supply = Some(supply);
        Ok(())
    }

    /// Contacts these hosts, all at once, and says which ones do not answer.
    ///
    /// # Errors
    /// When another run has one of them.
    pub async fn contact(&self, hosts: impl Iterator<Item = u32>) -> Result<Vec<Silent>> {
        let mut silent = Vec::new();
        let mut held = Vec::new();
        let mut calls = JoinSet::new();
        for id in hosts {
            let host = &self.plan.hosts[id as usize];
            if host.transport == Transport::Simulated && !host.answers {
                silent.push(Silent { host: id, why: "simulated to be silent".into() });
            }
            if let Some(host) = self.hosts[id as usize].clone() {
                calls.spawn(async move { (id, host.link().await.err()) });
            }
        }
        let (mut answered, of) = (0, calls.len());
        while let Some(called) = calls.join_next().await {
            match called {
                Ok((id, Some(trouble))) if trouble.kind == ssh::Kind::Held => held.push((id, trouble)),
                Ok((host, Some(trouble))) => silent.push(Silent { host, why: trouble.why }),
                Ok((_, None)) => {
                    answered += 1;
                    let _ = self.news.send(News::Contacted { answered, of });
                }
                Err(error) => return Err(Error::new(Exit::Bug, format!("contacting a host: {error}"))),
            }
        }
        held.sort_by_key(|(id, _)| *id);
        if let Some((id, first)) = held.first() {
            let more = match held.len() {
                1 => String::new(),
                2 => ", and 1 more host is held".into(),
                n => format!(", and {} more hosts are held", n - 1),
            };
            let name = &self.plan.hosts[*id as usize].name;
            let error = Error::new(Exit::Locked, format!("{name}: {}{more}", first.why));
            return Err(first.hint.iter().fold(error, |error, hint| error.hint(hint.replace("HOSTS", name))));
        }
        silent.sort_by_key(|silent| silent.host);
        Ok(silent)
    }

    /// Carries out a unit's try, or takes it up again when it was started before.
    pub fn start(&mut self, unit: UnitKey, attempt: u16, since: Timestamp, again: bool) {
        let planned = self.plan.unit(unit);
        match self.plan.hosts[planned.on as usize].transport {
            Transport::Simulated => {
                let (took, end) = draw::unit(&self.plan, unit, attempt);
                self.due.add(since.saturating_add(took).unwrap_or(Timestamp::MAX), unit, attempt, end);
            }
            Transport::Local | Transport::Ssh => self.start_real(unit, attempt, again),
        }
    }

    fn start_real(&mut self, unit: UnitKey, attempt: u16, again: bool) {
        let order = self.order(unit, attempt);
        let errand = self.errand(&order, unit, attempt);
        let (supply, returns) = (self.supply.clone(), self.returns.clone());
        let (name, title) = (self.plan.hosts[self.plan.unit(unit).on as usize].name.clone(), self.plan.title(unit));
        let step = match unit.slot {
            Slot::Step(step) => format!("step {}", step + 1),
            Slot::Always(step) => format!("after step {}", step + 1),
        };
        let stage = self.plan.stages[usize::from(unit.stage)].name.clone();
        let heading = format!("{stage}, {step}: {}, attempt {attempt}", self.plan.title(unit));
        let log = HostLog::open(&self.run.host_log(&self.plan.host(unit).name), &heading, again);
        let host = self.hosts[self.plan.unit(unit).on as usize].clone();
        let (steps, finished, news) = (self.steps.clone(), self.finished.clone(), self.news.clone());
        self.aborts.retain(|_, abort| !abort.is_closed());
        let (abort, aborted) = watch::channel(false);
        self.aborts.insert((unit, attempt), abort);
        tokio::spawn(async move {
            // Output is for people; a run goes on where it cannot be kept.
            let (mut log, from) = log.map_or((None, 0), |(log, from)| (Some(log), from));
            let (sink, mut output) = mpsc::channel(OUTPUT);
            let execute = async {
                let sink = sink;
                let is_backup = matches!(order.action, Action::Backup(_));
                let progress = |line| drop(news.send(News::Output { unit, line }));
                if let (Some(errand), false) = (&errand, is_backup)
                    && let Err(end) = errand.before(aborted.clone(), &progress).await
                {
                    return end.into();
                }
                let ended = match &host {
                    None => execute_here(&steps, &name, order, supply.as_ref(), from, &sink).await,
                    Some(host) => {
                        let say = |what| drop(news.send(News::Notice(format!("{}: {what}", host.name))));
                        execute_there(host, order, supply.as_ref(), from, &sink, aborted.clone(), &say).await
                    }
                };
                match &errand {
                    Some(errand) if is_backup && ended.end.kept.is_some() => {
                        errand.after(ended.end, &sink, aborted, &progress).await.into()
                    }
                    _ => ended,
                }
            };
            let keep = async {
                while let Some(Output { bytes, .. }) = output.recv().await {
                    log.as_mut().map(|log| log.write(&bytes));
                    if let Some(line) = last_line(&hostlog::end(&bytes)) {
                        let _ = news.send(News::Output { unit, line });
                    }
                }
            };
            let (Ended { end, returns: states }, ()) = tokio::join!(execute, keep);
            if let Some(returns) = &returns {
                keep_returns(
                    returns,
                    &json!({ "host": name, "stage": stage, "step": title, "attempt": attempt }),
                    &states,
                );
            }
            let _ = finished.send(Finished { unit, attempt, end });
        });
    }

    fn order(&self, unit: UnitKey, attempt: u16) -> Order {
        let (planned, step) = (self.plan.unit(unit), self.plan.step(unit));
        let mut action = match (unit.slot, &planned.always) {
            (Slot::Always(_), Some(command)) => Action::Run { command: command.clone(), until: None },
            _ => planned.action.clone(),
        };
        if let Action::Backup(backup) | Action::Restore(backup) = &mut action {
            **backup = self.settled(planned.on, backup);
        }
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
            private: Vec::new(),
            // The project is on this machine alone.
            folder: if self.hosts[planned.on as usize].is_some() { "".into() } else { self.folder.clone() },
        }
    }

    /// A backup with its run, and on this machine with its folder, which is not that of another run.
    fn settled(&self, on: u32, backup: &Backup) -> Backup {
        let run = backup.run.clone().unwrap_or_else(|| self.run.id.clone());
        let here =
            (self.plan.hosts[on as usize].transport == Transport::Local).then(|| self.backups(&run).into_string());
        Backup { folder: backup.folder.clone().or(here), run: Some(run), ..backup.clone() }
    }

    /// Where this machine keeps the backups of a run.
    fn backups(&self, run: &str) -> Utf8PathBuf {
        let folder = self.run.folder.with_file_name(run).join(backup::FOLDER);
        camino::absolute_utf8(&folder).unwrap_or(folder)
    }

    /// A backup, or the copy of one, on a host; `None` when the host is simulated.
    fn kept(&self, on: u32, backup: Backup) -> Option<Kept> {
        let site = match &self.hosts[on as usize] {
            Some(host) => Site::There(host.clone()),
            None if self.plan.hosts[on as usize].transport == Transport::Simulated => return None,
            None => Site::Here(self.backups(backup.run.as_deref().unwrap_or(&self.run.id))),
        };
        Some(Kept { on: self.plan.hosts[on as usize].name.clone(), site, backup })
    }

    /// The copy of a backup on another host of the plan.
    fn copy(&self, own: &Kept, on: &str) -> Option<Kept> {
        let id = self.plan.hosts.iter().position(|host| host.name == on)?;
        let id = u32::try_from(id).ok()?;
        let copy = own.backup.copy_of(&own.on);
        // A folder that was named is one of hosts.
        let folder = copy.folder.clone().filter(|_| self.plan.hosts[id as usize].transport == Transport::Ssh);
        self.kept(id, Backup { folder, ..copy })
    }

    /// What a backup or restore takes on other machines; `None` for nothing.
    fn errand(&self, order: &Order, unit: UnitKey, attempt: u16) -> Option<Errand> {
        let (Action::Backup(backup) | Action::Restore(backup)) = &order.action else { return None };
        let own = self.kept(self.plan.unit(unit).on, (**backup).clone())?;
        let to = backup.to.as_ref().and_then(|to| self.copy(&own, to));
        let tries = match &backup.test {
            Some(Test::On(host)) => self.copy(&own, host).map(|copy| self.tries(order, unit, attempt, copy)),
            Some(Test::Here) | None => None,
        };
        let limit = Duration::try_from(order.timeout).unwrap_or_default();
        (to.is_some() || tries.is_some()).then_some(Errand { own, to, tries, limit })
    }

    /// Reads backups to the end, and says which are of no use; `None` when there are none to read.
    pub(super) fn check(&self, needed: Vec<Needed>) -> Option<impl Future<Output = Result<(), String>> + use<>> {
        let backups: Vec<_> = needed
            .into_iter()
            .filter_map(|Needed { on, backup, fit }| {
                let own = self.kept(on, self.settled(on, &backup))?;
                let copy = backup.to.as_ref().and_then(|to| self.copy(&own, to));
                Some((own, copy, fit))
            })
            .collect();
        (!backups.is_empty()).then(|| copies::check(backups))
    }

    fn tries(&self, order: &Order, unit: UnitKey, attempt: u16, copy: Kept) -> Tries {
        let order = Order {
            id: self.id_of(unit, attempt, "-try"),
            action: Action::Try(Box::new(Backup { folder: folder_of(&copy), ..copy.backup.clone() })),
            unless: None,
            folder: "/".into(),
            ..order.clone()
        };
        Tries { copy, order, steps: self.steps.clone() }
    }

    /// The id of a unit's try: the same one always means the same try.
    fn id(&self, unit: UnitKey, attempt: u16) -> String {
        self.id_of(unit, attempt, "")
    }

    fn id_of(&self, unit: UnitKey, attempt: u16, part: &str) -> String {
        let slot = match unit.slot {
            Slot::Step(step) => format!("step{}{part}", step + 1),
            Slot::Always(step) => format!("always{}{part}", step + 1),
        };
        let stage = &self.plan.stages[usize::from(unit.stage)].name;
        format!("{}.{stage}.{}.{slot}.{attempt}", self.id, self.plan.host(unit).name)
    }

    /// Ends a unit's try now. Its end still comes, as that of any other.
    pub fn abort(&mut self, unit: UnitKey, attempt: u16) {
        let planned = self.plan.unit(unit);
        match self.plan.hosts[planned.on as usize].transport {
            Transport::Local => {
                self.aborts.get(&(unit, attempt)).map(|abort| abort.send(true));
                // A step whose abort cannot be asked for still has its timeout.
                let _ = self.steps.abort(&self.id(unit, attempt));
            }
            Transport::Ssh => {
                self.aborts.get(&(unit, attempt)).map(|abort| abort.send(true));
            }
            Transport::Simulated => {
                self.due.remove(unit, attempt);
                let end = End::noted(crate::model::Outcome::Interrupted, "aborted");
                let _ = self.finished.send(Finished { unit, attempt, end });
            }
        }
    }

    /// Says that the end of a unit's try is on disk: what it left on its host goes.
    pub fn forget(&self, unit: UnitKey, attempt: u16) {
        if let Some(host) = self.hosts[self.plan.unit(unit).on as usize].clone() {
            let id = self.id(unit, attempt);
            tokio::spawn(async move { host.forget(id).await });
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

    /// Removes what ended steps left, once their records are on disk, and lets hosts go.
    pub async fn clean(&self) {
        // What cannot be removed is in nobody's way.
        let _ = self.steps.clean(&self.id);
        let mut releases = JoinSet::new();
        for host in self.hosts.iter().flatten() {
            let host = host.clone();
            releases.spawn(async move { tokio::time::timeout(RELEASE, host.release()).await });
        }
        releases.join_all().await;
    }
}

/// The folder of a backup as a step there has to be told.
fn folder_of(kept: &Kept) -> Option<String> {
    match &kept.site {
        Site::Here(base) => Some(kept.backup.folder.clone().unwrap_or_else(|| base.clone().into_string())),
        Site::There(_) => kept.backup.folder.clone(),
    }
}

/// Carries a step out on this machine.
async fn execute_here(
    steps: &Steps,
    name: &str,
    mut order: Order,
    supply: Option<&Arc<Supply>>,
    from: u64,
    sink: &Sink,
) -> Ended {
    if let (Some(applies), Some(supply)) = (applied(&order.action), supply) {
        let facts = grains::Facts { root: "/".into(), id: Some(name), now: clock::real_now() };
        match private(supply, name, grains::collect(&facts), applies).await {
            Ok(private) => order.private = private,
            Err(why) => return End::noted(Outcome::Failed, why).into(),
        }
    }
    let end = steps.execute(&order, from, sink).await;
    // How it ended is what counts.
    let returns = steps.returns(&order.id).unwrap_or_default();
    Ended { end, returns }
}

/// Carries a step out on a host.
async fn execute_there(
    host: &ssh::Host,
    order: Order,
    supply: Option<&Arc<Supply>>,
    from: u64,
    sink: &Sink,
    aborted: watch::Receiver<bool>,
    say: ssh::Say<'_>,
) -> Ended {
    let action = order.action.clone();
    let (Some(applies), Some(supply)) = (applied(&action), supply) else {
        return host.execute(order, None, from, sink, aborted, say).await;
    };
    let private = |grains| -> ssh::Compiling<'_> { Box::pin(private(supply, &host.name, grains, applies)) };
    let provision = Provision { wanted: &supply.wanted, files: &supply.files, private: &private };
    host.execute(order, Some(provision), from, sink, aborted, say).await
}

/// What a step applies, or makes sure that it could; `None` where formulas are nothing to it.
fn applied(action: &Action) -> Option<&[Apply]> {
    match action {
        Action::Apply(apply) => Some(std::slice::from_ref(&**apply)),
        Action::Install(install) => Some(&install.applies),
        _ => None,
    }
}

/// What a host has to know for each of them, in this order.
async fn private(
    supply: &Arc<Supply>,
    host: &str,
    grains: Map<String, Value>,
    applies: &[Apply],
) -> Result<Vec<u8>, String> {
    let (own, host, applies) = (supply.clone(), host.to_owned(), applies.to_vec());
    let compile = move || {
        let each = applies.iter().map(|apply| own.private(&host, grains.clone(), apply));
        let each: Vec<_> =
            each.collect::<Result<_, _>>().map_err(|error| format!("nothing was touched: pillar: {error}"))?;
        serde_json::to_vec(&each).map_err(|error| error.to_string())
    };
    if !supply.takes_time() {
        return compile();
    }
    let compiled = tokio::task::spawn_blocking(compile).await;
    compiled.unwrap_or_else(|_| Err("nothing was touched: compiling the pillar panicked".to_owned()))
}

fn open_returns(run: &Run) -> std::io::Result<Arc<File>> {
    let mut options = fs_err::OpenOptions::new();
    fs_err::os::unix::fs::OpenOptionsExt::mode(options.append(true).create(true), 0o600);
    options.open(run.returns_file()).map(Arc::new)
}

/// Keeps what became of the states of a unit: one line, so that units that end at once do not mix.
fn keep_returns(file: &File, of: &Value, returns: &[u8]) {
    let states: Vec<&str> = std::str::from_utf8(returns).unwrap_or_default().lines().collect();
    if states.is_empty() {
        return;
    }
    let line = format!("{},\"states\":[{}]}}\n", of.to_string().trim_end_matches('}'), states.join(","));
    // They are for people; a run goes on where they cannot be kept.
    let _ = (&*file).write_all(line.as_bytes());
}

/// The ways to the hosts of a plan that are reached over SSH; nothing is opened yet.
fn connect(plan: &Plan, claim: &Claim) -> Result<Vec<Option<Arc<ssh::Host>>>> {
    let over_ssh = plan.hosts.iter().filter(|host| host.transport == Transport::Ssh).count();
    if over_ssh == 0 {
        return Ok(vec![None; plan.hosts.len()]);
    }
    let connector = Arc::new(ssh::Connector::new(plan.ssh.clone(), over_ssh)?);
    let way = |host: &plan::Host| {
        let new = || ssh::Host::new(connector.clone(), &host.name, &host.address, &host.login, Some(claim.clone()));
        (host.transport == Transport::Ssh).then(|| Arc::new(new()))
    };
    Ok(plan.hosts.iter().map(way).collect())
}
