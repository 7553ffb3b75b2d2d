//! `upshift run` and `upshift resume`: one way into the engine, and one way out.

use std::collections::HashSet;
use std::io::{IsTerminal, Write};
use std::sync::Arc;

use camino::Utf8Path;
use fs_err::os::unix::fs::OpenOptionsExt;
use jiff::{Timestamp, Zoned};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc, watch};

use super::ending::Ending;
use super::project::{self, Files, Read};
use super::rollback::{self, Rollback};
use super::sources::Commits;
use super::{answer, person, unfinished};
use crate::engine::clock::{self, Clock};
use crate::engine::control::{Listener, Told};
use crate::engine::dispatcher::{Checks, Dispatcher, Gates};
use crate::engine::executor::Executor;
use crate::engine::probes::Probes;
use crate::engine::state::{self, RunState};
use crate::engine::supply::Supply;
use crate::engine::window;
use crate::error::{Error, Exit, Result};
use crate::journal::{Holder, Journal, Lock, Run, Writer};
use crate::model::hash::Hash;
use crate::model::pipeline::{self, Pipeline, Requires};
use crate::model::plan::{Action, Step, Unit};
use crate::model::probe::OnBreach;
use crate::model::record::{Entry, Opened};
use crate::model::{Command, History, Person, Plan, Record, Verdict, pattern};
use crate::plan;
use crate::report::{notify, screen};

#[derive(Debug, clap::Args)]
pub(super) struct RunCommand {
    #[command(flatten)]
    pub(super) files: Files,
    /// How many times faster than real time the run's clock goes: at 60, a pace of 20/h is 20 a
    /// minute. Without it, a run whose hosts are all simulated does not wait at all
    #[arg(long, value_name = "N", value_parser = time_scale)]
    pub(super) time_scale: Option<f64>,
    /// Do nothing, quietly, when the same pipeline, formulas and commits have been run on this inventory before
    #[arg(long)]
    pub(super) if_changed: bool,
    /// Begin anew over what an earlier run of the pipeline has left half-way
    #[arg(long)]
    pub(super) anew: bool,
    #[command(flatten)]
    pub(super) manner: Manner,
}

#[derive(Debug, clap::Args)]
pub(super) struct Resume {
    /// The run; the newest when it is left out
    run: Option<String>,
    #[command(flatten)]
    manner: Manner,
}

/// How a run is carried on, whether it is new or not.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Manner {
    /// How progress is shown: bars on a terminal, lines otherwise, or a JSON object a line on stdout
    #[arg(long, value_enum, default_value_t = Progress::Auto)]
    progress: Progress,
    /// Pass the gate of this step or stage without asking; may be given more than once
    #[arg(long, value_name = "GATE")]
    pass: Vec<String>,
    /// Leave these hosts out
    #[arg(long, value_name = "HOSTS")]
    skip: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Progress {
    #[default]
    Auto,
    Bars,
    Lines,
    Json,
}

pub(super) fn time_scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if (0.001..=1e6).contains(&scale) => Ok(scale),
        _ => Err("wanted a number such as `60`".into()),
    }
}

impl RunCommand {
    pub(super) fn main(self) -> Result<Exit> {
        let mut read = self.files.read()?;
        let (plan, history) = read.plan()?;
        if self.if_changed && project::done_before(&plan, Utf8Path::new(&plan.inventory_file))?.is_some() {
            return Ok(Exit::Done);
        }
        if !self.anew {
            unfinished::refuse_new(&plan)?;
        }
        let (run, exit) = self.carry_out(read, plan, history)?;
        match exit {
            exit if rolls_back(&run)? => {
                if let Err(error) = &exit {
                    super::complain(error);
                }
                Rollback::of(&run, self.time_scale, self.manner).main()
            }
            exit => exit,
        }
    }

    /// Carries a new run of a plan of these files out, and says which it was and how it ended.
    pub(super) fn carry_out(&self, read: Read, plan: Plan, history: History) -> Result<(Run, Result<Exit>)> {
        if let Some(requires) = &read.pipeline.requires {
            rehearsed(requires, &plan)?;
        }
        let Pipeline { window, notify, .. } = read.pipeline;
        let new = New { plan, history, window, notify, time_scale: self.time_scale };
        new.carry_out(read.supply, &self.manner, |_| Ok(()))
    }
}

/// Refuses a plan that was not carried out on another inventory before, as its pipeline requires.
fn rehearsed(requires: &Requires, plan: &Plan) -> Result<()> {
    let Requires { inventory, within } = requires;
    let same = |file: &Utf8Path| file.canonicalize().ok().filter(|_| !plan.inventory_file.is_empty());
    if same(inventory).is_some() && same(inventory) == same(Utf8Path::new(&plan.inventory_file)) {
        return Ok(());
    }
    let hint = format!("`upshift run {} --inventory {inventory}` first", plan.pipeline_file);
    let refused = |why: String| Err(Error::usage(why).hint(hint.clone()));
    match project::done_before(plan, inventory)? {
        None => refused(format!("this pipeline, with these formulas and commits, was not run on {inventory} yet")),
        Some((run, at)) if clock::real_now().duration_since(at) > *within => {
            refused(format!("its last run on {inventory}, {}, is older than {within:#}", run.id))
        }
        Some(_) => Ok(()),
    }
}

/// Whether a run that has ended is to be taken back: by the stage it failed in, or by a probe that found a breach.
fn rolls_back(run: &Run) -> Result<bool> {
    if !run.has_begun() {
        return Ok(false);
    }
    let (plan, journal) = (read_plan(run)?, run.read()?);
    let is_breach = |record: &Record| match record {
        Record::Breached(breached) => plan.probes[usize::from(breached.probe)].on_breach == OnBreach::Rollback,
        _ => false,
    };
    let has_breach = journal.entries.iter().any(|entry| is_breach(&entry.record));
    let state = fold(run, &journal)?;
    let by_stage = || plan.stages.get(state.current).or(plan.stages.last()).is_some_and(|stage| stage.rollback);
    Ok(match state.verdict {
        Some(Verdict::Failed) => has_breach || by_stage(),
        Some(Verdict::Done | Verdict::Stopped) => has_breach,
        // A person has taken it in hand, or has to.
        _ => false,
    })
}

/// A run that has not begun.
pub(super) struct New {
    pub(super) plan: Plan,
    pub(super) history: History,
    pub(super) window: pipeline::Window,
    pub(super) notify: pipeline::Notify,
    pub(super) time_scale: Option<f64>,
}

impl New {
    /// Opens the run and carries it out; `begun` is told once it is sure to begin, before it does.
    pub(super) fn carry_out(
        self,
        supply: Option<Arc<Supply>>,
        manner: &Manner,
        begun: impl FnOnce(&Run) -> Result<()>,
    ) -> Result<(Run, Result<Exit>)> {
        let Self { plan, history, window, notify, time_scale } = self;
        manner.check(&plan)?;
        let real_now = clock::local_now();
        let closes = window::closes(&window, &real_now, real_now.timestamp())?;
        let time_scale = time_scale.or((!plan.is_simulated()).then_some(1.0));
        let runs = project::runs();
        runs.prepare()?;
        let run = runs.create(&plan.pipeline, &real_now)?;
        let by = person::me();
        let lock = lock(&run, &by).inspect_err(|_| run.discard())?;
        write_plan(&run, &plan).and_then(|()| begun(&run)).inspect_err(|_| run.discard())?;
        let outline = Arc::new(plan.outline());
        let opened = Opened {
            run: run.id.clone(),
            key: key(&real_now)?,
            upshift: env!("CARGO_PKG_VERSION").into(),
            by: by.clone(),
            closes,
            time_scale,
            plan: plan.outline(),
        };
        let now = real_now.timestamp();
        let journal = Writer::create(&run.journal_file(), outline.clone())?;
        let start = Start {
            run: run.clone(),
            key: opened.key.clone(),
            plan,
            supply,
            notify,
            history,
            journal,
            entries: Vec::new(),
            state: RunState::new(outline),
            clock: Clock::new(now, now, time_scale),
            first: vec![Record::Opened(Box::new(opened))],
            by,
            lock,
        };
        // Another run has a host of this one, or what it is to measure is silent already: it never began.
        let exit = start.go(manner).inspect_err(|error| {
            if error.exit == Exit::Locked || !run.has_begun() {
                run.discard();
            }
        });
        Ok((run, exit))
    }
}

impl Resume {
    pub(super) fn main(self) -> Result<Exit> {
        resume(self.run.as_deref(), &self.manner, None)
    }
}

/// Continues a run, and tells it something first when a person wants it to end.
pub(super) fn resume(run: Option<&str>, manner: &Manner, order: Option<Command>) -> Result<Exit> {
    let run = project::runs().find(run)?;
    let by = person::me();
    let lock = lock(&run, &by)?;
    let journal = run.read()?;
    let state = fold(&run, &journal)?;
    if state.verdict == Some(Verdict::Done) {
        return Err(Error::usage(format!("run {} is done: nothing is left to resume", run.id))
            .hint(format!("`upshift report {}` says how it went", run.id)));
    }
    let old = read_plan(&run)?;
    if old.digest != journal.outline.digest {
        return Err(Error::usage(format!("{}: this is not the plan the journal was opened with", run.plan_file())));
    }
    if let Some(rollback) = rollback::started(&run)? {
        return Err(Error::usage(format!("run {} has been taken back by {rollback}, and cannot go on", run.id)).hint(
            format!(
                "`upshift resume {rollback}` continues the rollback; `upshift run {}` is a new run",
                old.pipeline_file
            ),
        ));
    }
    if order.is_none() && old.undoes.is_none() {
        unfinished::refuse_resume(&run, &old)?;
    }
    let mut read = reread(&old)?;
    let (plan, history) = match &old.undoes {
        None => read.plan()?,
        Some(source) => {
            // It goes on whatever time it is.
            read.pipeline.window = pipeline::Window::default();
            let source = project::runs().find(Some(source))?;
            let undone = read_plan(&source)?;
            let mut plan = rollback::reversed(&source, &undone, read.formulas())?;
            let history = rollback::expect(&mut plan, &undone, Some(&source))?;
            (plan, history)
        }
    };
    if plan.digest != old.digest {
        return Err(changed(&run, &old, &plan));
    }
    manner.check(&plan)?;
    let last = journal.entries.last().map_or(Timestamp::MIN, |entry| entry.at);
    let mut clock = Clock::new(last, clock::real_now(), journal.opened.time_scale);
    // A window is real time; so is the clock of a run that has one, unless it was told otherwise.
    let now = clock.now().to_zoned(jiff::tz::TimeZone::system());
    let under_way = state.stages.iter().any(|stage| !stage.under_way.is_empty());
    let opened = state.opened_at.unwrap_or(now.timestamp());
    let (closes, order) = match (order, window::closes(&read.pipeline.window, &now, opened)) {
        (Some(order), _) => (state.closes, Some(order)),
        // What a crash left in the middle is not left there because it is late.
        (None, Err(error)) if under_way => {
            let _ = writeln!(anstream::stderr(), "{error}; hosts under way come to their end and are put back");
            (state.closes, Some(Command::Stop))
        }
        (None, closes) => (closes?, None),
    };
    let mut first = vec![Record::Resumed { by: by.clone(), closes }];
    first.extend(order.map(|command| Record::Ordered { command, by: by.clone() }));
    let writer = Writer::open(&run.journal_file(), &journal)?;
    let entries = journal.entries;
    Start {
        run,
        key: journal.opened.key.clone(),
        plan,
        supply: read.supply,
        notify: read.pipeline.notify,
        history,
        journal: writer,
        entries,
        state,
        clock,
        first,
        by,
        lock,
    }
    .go(manner)
}

/// What tells a run from those of other projects with the same id: they may meet on a host.
fn key(now: &Zoned) -> Result<String> {
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let unique = format!("{machine} {} {} {now:?}", project::folder()?, std::process::id());
    Ok(Hash::of(unique.as_bytes()).to_string()[..8].to_owned())
}

/// Reads the files that a plan was made from.
pub(super) fn reread(plan: &Plan) -> Result<Read> {
    let commits = match &plan.undoes {
        None => Commits::of(plan),
        Some(source) => Commits::of(&read_plan(&project::runs().find(Some(source))?)?),
    };
    let inventory = Some(plan.inventory_file.as_str()).filter(|file| !file.is_empty());
    project::read(Utf8Path::new(&plan.pipeline_file), inventory.map(Utf8Path::new), commits)
}

fn changed(run: &Run, old: &Plan, new: &Plan) -> Error {
    let lines = plan::compare(old, new);
    let mut shown = lines.iter().take(10).fold(String::new(), |shown, line| shown + "\n  " + line);
    if lines.len() > 10 {
        shown += "\n  and more";
    }
    let file = &new.pipeline_file;
    Error::usage(format!("the plan has changed since run {} was opened, and a run only does what was planned:{shown}", run.id))
        .hint(format!("put the files back to resume it, or `upshift run {file}` for a new run; `upshift plan {file} --against {}` compares", run.id))
}

/// The state of a run, from its journal alone.
pub(super) fn fold(run: &Run, journal: &Journal) -> Result<RunState> {
    state::fold(&journal.outline, &journal.entries).map_err(|(n, error)| {
        crate::journal::Error::Damaged { file: run.journal_file().into(), line: n + 1, what: error.to_string() }.into()
    })
}

/// Reads the plan of a run, and makes sure that it is whole.
pub(super) fn read_plan(run: &Run) -> Result<Plan> {
    let file = run.plan_file();
    let text = fs_err::read_to_string(&file)?;
    let plan: Plan = serde_json::from_str(&text).map_err(|error| {
        Error::usage(format!("{file}:{}:{}: the plan is damaged: {error}", error.line(), error.column()))
    })?;
    if !plan::is_whole(&plan) {
        return Err(Error::usage(format!("{file}: the plan does not match its own digest")));
    }
    Ok(plan)
}

fn write_plan(run: &Run, plan: &Plan) -> Result<()> {
    let text = serde_json::to_vec(plan).map_err(std::io::Error::from)?;
    // What commands get, environment variables among it, is for the owner alone.
    let mut file = fs_err::OpenOptions::new().write(true).create_new(true).mode(0o600).open(run.plan_file())?;
    file.write_all(&text)?;
    file.sync_all()?;
    Ok(())
}

fn lock(run: &Run, by: &Person) -> Result<Lock> {
    let holder = Holder { run: run.id.clone(), by: by.clone(), since: clock::real_now() };
    Lock::take(&project::runs().lock_file(), &holder)?.map_err(|holder| locked(holder.as_ref()))
}

fn locked(holder: Option<&Holder>) -> Error {
    match holder {
        None => Error::new(Exit::Locked, "another upshift is starting a run here"),
        Some(Holder { run, by, since }) => {
            let since = since.to_zoned(jiff::tz::TimeZone::system()).strftime("%H:%M:%S");
            Error::new(Exit::Locked, format!("run {run} is going on here, held by {by} since {since}"))
                .hint(format!("`upshift status {run} --watch` shows it; `upshift stop {run}` ends it"))
        }
    }
}

impl Manner {
    /// As usual, without these hosts.
    pub(super) fn without(hosts: Vec<String>) -> Self {
        Self { skip: hosts, ..Self::default() }
    }

    /// Checks what the options name before anything is started.
    fn check(&self, plan: &Plan) -> Result<()> {
        let gates = plan.stages.iter().flat_map(|stage| {
            let is_gate = |unit: &Unit| matches!(unit.action, Action::Gate { .. });
            let gated = move |step: &&Step| step.units.iter().any(is_gate);
            stage.steps.iter().filter(gated).flat_map(|step| [stage.name.as_str(), step.title.as_str()])
        });
        let gates: Vec<&str> = gates.collect();
        if let Some(unknown) = self.pass.iter().find(|name| !gates.contains(&name.as_str())) {
            let error = Error::usage(format!("the plan has no gate `{unknown}` to pass"));
            return Err(if gates.is_empty() { error } else { error.hint(format!("it has: {}", gates.join(", "))) });
        }
        self.skipped(plan).map(drop)
    }

    /// The hosts to leave out, by name.
    fn skipped(&self, plan: &Plan) -> Result<Vec<String>> {
        let mut hosts = Vec::new();
        for list in &self.skip {
            hosts.extend(pattern::unfold(list).map_err(|error| Error::usage(format!("--skip: {error}")))?);
        }
        match hosts.iter().find(|name| !plan.hosts.iter().any(|host| host.name == **name)) {
            Some(unknown) => Err(Error::usage(format!("--skip: the plan has no host `{unknown}`"))),
            None => Ok(hosts),
        }
    }

    fn progress(&self) -> screen::Progress {
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        match self.progress {
            Progress::Json => screen::Progress::Json,
            Progress::Bars => screen::Progress::Bars,
            Progress::Auto if std::io::stderr().is_terminal() && !dumb => screen::Progress::Bars,
            Progress::Auto | Progress::Lines => screen::Progress::Lines,
        }
    }
}

/// A run that is about to go on.
struct Start {
    run: Run,
    /// What tells the run from those of other projects.
    key: String,
    plan: Plan,
    supply: Option<Arc<Supply>>,
    notify: pipeline::Notify,
    history: History,
    journal: Writer,
    /// What is in the journal already.
    entries: Vec<Entry>,
    state: RunState,
    clock: Clock,
    /// What is recorded first.
    first: Vec<Record>,
    by: Person,
    lock: Lock,
}

impl Start {
    fn go(mut self, manner: &Manner) -> Result<Exit> {
        let skipped = manner.skipped(&self.plan)?;
        if !skipped.is_empty() {
            self.first.push(Record::Ordered { command: Command::Skip { hosts: skipped }, by: self.by.clone() });
        }
        raise_open_files();
        let progress = manner.progress();
        let interactive =
            progress != screen::Progress::Json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        let gates = Gates {
            passed: manner.pass.iter().cloned().collect::<HashSet<_>>(),
            person: interactive.then(|| watch::Sender::new(None)),
            by: self.by.clone(),
        };
        // One thread: what hosts say takes less time to read than it takes to wake another one for it.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let exit = runtime.block_on(self.carry_out(gates, progress));
        // What steps still do, they do by themselves.
        runtime.shutdown_background();
        exit
    }

    async fn carry_out(mut self, gates: Gates, progress: screen::Progress) -> Result<Exit> {
        let outline = self.state.outline.clone();
        let mut reporter_clock = self.clock.clone();
        let setup = screen::Setup {
            outline,
            entries: std::mem::take(&mut self.entries),
            logs: self.run.folder.join("hosts"),
            zone: jiff::tz::TimeZone::system(),
            colour: anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never,
        };
        let (mut news, mut reporter) = screen::start(progress, setup.clone(), move || reporter_clock.now());
        if !self.notify.on.is_empty() {
            let shown = reporter;
            let (sender, told) = notify::tell(self.notify, setup, news);
            news = sender;
            reporter = std::thread::spawn(move || drop((told.join(), shown.join())));
        }
        let (tell, told) = mpsc::unbounded_channel();
        let listener = Listener::open(self.run.control_socket(), tell.clone())?;
        let enough = Arc::new(Notify::new());
        listen_to_signals(&tell, &self.by, enough.clone())?;
        if let Some(person) = &gates.person {
            answer::listen(person.subscribe(), tell, self.by.clone());
        }
        let plan = Arc::new(self.plan);
        let (mut executor, finished) = Executor::new(
            plan.clone(),
            self.run.clone(),
            &self.key,
            self.history,
            project::folder()?,
            &self.by,
            news.clone(),
        )?;
        if let Some(supply) = self.supply.filter(|_| plan.applies()) {
            executor.supply(supply)?;
        }
        // A run that does not wait has no time to measure.
        let probes = if self.clock.is_jumping() {
            None
        } else {
            Probes::start(plan.clone(), &self.run, project::folder()?, &self.state, news.clone()).await?
        };
        let dispatcher = Dispatcher {
            plan,
            state: self.state,
            journal: self.journal,
            clock: self.clock,
            executor,
            finished,
            told,
            news,
            gates,
            probes,
            checks: Checks::default(),
        };
        let verdict = dispatcher.run(self.first).await?;
        // Whoever takes the lock next appends to the journal and listens at the same path.
        drop(listener);
        let ending = Ending::of(&self.run, verdict);
        drop(self.lock);
        let exit = ending.exit;
        // What was committed is shown to its end, however slowly somebody reads it.
        let said = tokio::task::spawn_blocking(move || {
            let _ = reporter.join();
            ending.say(progress)
        });
        tokio::select! {
            said = said => said.map_err(|error| Error::new(Exit::Bug, error.to_string()))?,
            () = enough.notified() => Ok(exit),
        }
    }
}

/// Enough open files for any fan-out.
const OPEN_FILES: u64 = 65_536;

/// Allows as many open files as the system lets this user have: every host under way takes four, and
/// the usual limit of 1024 is no more than what is allowed unasked.
pub(super) fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    // Programs that close every file they could have open take long where millions are allowed.
    let most = limit.maximum.map_or(OPEN_FILES, |maximum| maximum.min(OPEN_FILES));
    if limit.current.is_some_and(|current| current < most) {
        // Steps wait for each other where it stays low.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(most), ..limit });
    }
}

/// Turns signals into what a person would say: the first Ctrl-C is `stop`, the second is `abort`.
///
/// A terminal that goes away is nothing to the run: it goes on, and any other terminal can tell it.
/// A run that has ended cannot be told anything: then a signal says that it was `enough`.
fn listen_to_signals(tell: &mpsc::UnboundedSender<Told>, by: &Person, enough: Arc<Notify>) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (tell, by) = (tell.clone(), by.clone());
    tokio::spawn(async move {
        let mut times = 0;
        loop {
            let (name, command) = tokio::select! {
                Some(()) = interrupt.recv() => {
                    times += 1;
                    ("Ctrl-C", if times == 1 { Command::Stop } else { Command::Abort })
                }
                Some(()) = terminate.recv() => ("SIGTERM", Command::Stop),
                Some(()) = hangup.recv() => continue,
                else => return,
            };
            let by = Person { from: format!("{name}, {}", by.from), ..by.clone() };
            if tell.send(Told { command, by, reply: None }).is_err() {
                enough.notify_one();
            }
        }
    });
    Ok(())
}
