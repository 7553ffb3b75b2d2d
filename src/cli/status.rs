//! `upshift status`: where a run stands, from its journal, whoever carries it on.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::{project, run};
use crate::engine::clock::{self, Clock};
use crate::engine::forecast;
use crate::engine::hostlog::last_line_of;
use crate::engine::state::{Fate, RunState, Stopping};
use crate::error::{Exit, Result};
use crate::journal::{Holder, Journal, Lock, Run};
use crate::model::plan::Action;
use crate::model::probe::Standing;
use crate::model::record::Entry;
use crate::model::{Plan, Record};
use crate::report::screen::watch::Expected;
use crate::report::screen::{Seat, View, Watch, frame};

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(super) struct Status {
    /// The run; the newest when it is left out
    run: Option<String>,
    /// Go on showing it until it ends
    #[arg(long)]
    watch: bool,
    /// Print one JSON object
    #[arg(long, conflicts_with = "watch")]
    json: bool,
}

impl Status {
    pub(super) fn main(self) -> Result<Exit> {
        let run = project::runs().find(self.run.as_deref())?;
        if self.json {
            return json(&run);
        }
        if !self.watch {
            let (lines, _) = Look::new(&run).picture(None)?;
            super::print(&(lines.join("\n") + "\n"))?;
            return Ok(Exit::Done);
        }
        watch(&run)
    }
}

/// Shows a run until nobody carries it on any more.
fn watch(run: &Run) -> Result<Exit> {
    let mut look = Look::new(run);
    let mut stdout = std::io::stdout();
    let terminal = stdout.is_terminal();
    let mut shown = 0;
    loop {
        let (lines, live) = look.picture(terminal.then(height))?;
        // Back to the first line of the last picture, and everything below it away.
        let back = if terminal && shown > 0 { format!("\x1b[{shown}A\r\x1b[J") } else { String::new() };
        shown = lines.len();
        let written = writeln!(stdout, "{back}{}", lines.join("\n")).and_then(|()| stdout.flush());
        if !live || written.is_err() {
            return Ok(Exit::Done);
        }
        std::thread::sleep(EVERY);
    }
}

/// Rows there are for a picture, one kept for the cursor.
fn height() -> usize {
    rustix::termios::tcgetwinsize(std::io::stdout()).map_or(24, |size| usize::from(size.ws_row)).max(2) - 1
}

/// Columns of the terminal, or those that `COLUMNS` says.
fn width() -> usize {
    let terminal = rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col));
    let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    terminal.filter(|columns| *columns > 0).or(said).unwrap_or(80)
}

/// Looks at a run again and again.
struct Look<'a> {
    run: &'a Run,
    /// The plan, for when the run will end; a run whose plan is gone can still be looked at.
    plan: Option<Plan>,
}

impl<'a> Look<'a> {
    fn new(run: &'a Run) -> Self {
        Self { run, plan: run::read_plan(run).ok() }
    }

    /// The picture now, and whether an upshift carries the run on.
    fn picture(&mut self, height: Option<usize>) -> Result<(Vec<String>, bool)> {
        let holder = holder(self.run)?;
        let live = holder.is_some();
        let journal = self.run.read()?;
        let mut watch = Watch::new(journal.outline.clone(), &journal.entries);
        let now = now(&journal, holder.as_ref());
        watch.gate = self.plan.as_ref().and_then(|plan| waiting_gate(plan, &watch.state));
        watch.probes = standing(self.run);
        self.hear(&mut watch, &journal, now);
        if let (true, Some(plan)) = (live, &self.plan) {
            let outlook = forecast::outlook(plan, &watch.state, now);
            watch.expected = outlook.map(|outlook| Expected { stage: outlook.stage_end, run: outlook.end });
        }
        let zone = TimeZone::system();
        let lines = frame(&View {
            watch: &watch,
            now,
            zone: &zone,
            seat: if live { Seat::Watcher } else { Seat::Nobody },
            width: width(),
            height,
            colour: anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never,
        });
        Ok((lines, live))
    }

    /// Finds the last sign of life of each unit under way in its host's log.
    fn hear(&self, watch: &mut Watch, journal: &Journal, now: Timestamp) {
        let running: Vec<_> = watch.state.running().collect();
        for (unit, _, since) in running {
            let log = self.run.host_log(journal.outline.host_name(unit.stage, unit.host));
            let Ok(modified) = fs_err::metadata(&log).and_then(|metadata| metadata.modified()) else { continue };
            let Ok(modified) = Timestamp::try_from(modified) else { continue };
            // The log tells real time; the run's own clock may go faster.
            let scale = journal.opened.time_scale.unwrap_or(1.0);
            let ago = clock::real_now().duration_since(modified).as_secs_f64() * scale;
            let ago = jiff::SignedDuration::try_from_secs_f64(ago).unwrap_or_default();
            let at = now.saturating_sub(ago).unwrap_or(since).max(since);
            let line = last_line_of(&log);
            watch.heard(unit, at, line);
        }
    }
}

/// What the gate asks that waits for a person.
fn waiting_gate(plan: &Plan, state: &RunState) -> Option<String> {
    state.running().find_map(|(unit, ..)| match &plan.unit(unit).action {
        Action::Gate { question } => Some(question.clone()),
        _ => None,
    })
}

/// How the probes of a live run stand; nothing for any other.
fn standing(run: &Run) -> Vec<Standing> {
    let text = fs_err::read(run.standing_file()).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Who carries a run on now.
fn holder(run: &Run) -> Result<Option<Holder>> {
    Ok(Lock::holder(&project::runs().lock_file())?.filter(|holder| holder.run == run.id))
}

/// The run's time: its clock's while it goes on, that of its last record otherwise.
fn now(journal: &Journal, holder: Option<&Holder>) -> Timestamp {
    let last = journal.entries.last().map_or(Timestamp::MIN, |entry| entry.at);
    let Some(holder) = holder else { return last };
    let begins = |entry: &&Entry| matches!(entry.record, Record::Opened(_) | Record::Resumed { .. });
    let began = journal.entries.iter().rev().find(begins).map_or(last, |entry| entry.at);
    Clock::new(began, holder.since, journal.opened.time_scale).now().max(last)
}

/// What scripts ask for. Times are the run's own.
#[derive(Serialize)]
struct Object<'a> {
    run: &'a str,
    pipeline: &'a str,
    /// `under way`, `held`, `stopping`, `aborting`, `crashed`, or the verdict.
    state: String,
    now: Timestamp,
    /// The current stage; missing when all are over.
    stage: Option<&'a str>,
    hosts: usize,
    /// Hosts that every stage is done with, by outcome.
    ended: std::collections::BTreeMap<String, usize>,
    under_way: Vec<&'a str>,
    left: usize,
    /// How long taking back what was done takes, as far as it was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    undo_s: Option<f64>,
    /// How the probes stand, while the run is live.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    probes: Vec<Standing>,
}

fn json(run: &Run) -> Result<Exit> {
    let holder = holder(run)?;
    let journal = run.read()?;
    let state = run::fold(run, &journal)?;
    let outline = &journal.outline;
    let mut ended = std::collections::BTreeMap::new();
    let (mut under_way, mut left) = (Vec::new(), 0);
    for (host, fate) in outline.hosts.iter().zip(state.fates()) {
        match fate {
            Fate::Ended(outcome) => *ended.entry(outcome.to_string()).or_default() += 1,
            Fate::UnderWay => under_way.push(host.as_str()),
            Fate::Left => left += 1,
        }
    }
    let probes = if holder.is_some() { standing(run) } else { Vec::new() };
    let object = Object {
        run: &run.id,
        pipeline: &outline.pipeline,
        state: word(&state, holder.is_some()),
        now: now(&journal, holder.as_ref()),
        stage: outline.stages.get(state.current).map(|stage| stage.name.as_str()),
        hosts: outline.hosts.len(),
        ended,
        under_way,
        left,
        undo_s: Some(state.undo_time().as_secs_f64()).filter(|seconds| *seconds > 0.0),
        probes,
    };
    super::print(&format!("{}\n", serde_json::to_string(&object).map_err(std::io::Error::from)?))?;
    Ok(Exit::Done)
}

fn word(state: &RunState, live: bool) -> String {
    match (state.verdict, state.stopping) {
        (Some(verdict), _) => verdict.to_string(),
        _ if !live => "crashed".into(),
        (_, Some(Stopping::Abort)) => "aborting".into(),
        (_, Some(Stopping::Stop)) => "stopping".into(),
        _ if state.held.is_some() => "held".into(),
        _ => "under way".into(),
    }
}
