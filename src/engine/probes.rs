//! What probes find, tied to what the run was doing: records of breaches, and lines of all gaps.
//!
//! The files are for people and the report; a run goes on where they cannot be kept. What holds a run is
//! in its journal.

use std::collections::{HashMap, VecDeque};
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use camino::Utf8PathBuf;
use fs_err::File;
use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use super::clock;
use super::news::News;
use super::state::RunState;
use super::timeline::Timeline;
use crate::error::{Error, Exit, Result};
use crate::journal::Run;
use crate::model::plan::Plan;
use crate::model::probe::{Line, Probe, Silence, Standing, UnderWay, during, some};
use crate::model::record::Breached;
use crate::model::span::short;
use crate::model::{Record, pattern};
use crate::probe::{Event, Gap, Never, Prober, Tally, since_boot};

/// How long a step that ended may be named, beyond the longest gap allowed.
const MEMORY: Duration = Duration::from_mins(1);
/// Time between two lines that say how far everything was measured.
const MILESTONE: Duration = Duration::from_secs(10);
/// Silent targets that are named.
const NAMED: usize = 5;
/// How long the prober has for its last events.
const FAREWELL: Duration = Duration::from_secs(2);

/// The probes of a run that goes on.
pub struct Probes {
    plan: Arc<Plan>,
    /// `None` once it was let go.
    prober: Option<Prober>,
    events: mpsc::UnboundedReceiver<Event>,
    /// Events that came before anybody took them.
    early: VecDeque<Event>,
    timeline: Timeline,
    /// By probe: where its lines are kept.
    files: Vec<Option<File>>,
    standing_file: Utf8PathBuf,
    /// What was under way when a target that is silent for too long fell silent.
    during: HashMap<(usize, usize), Vec<UnderWay>>,
    milestone: Option<Duration>,
    last_word: LastWord,
    news: std::sync::mpsc::Sender<News>,
}

/// Whether everything that was done has been measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LastWord {
    Unasked,
    Asked,
    Had,
}

impl Probes {
    /// Begins to measure what the plan says; `None` when it says nothing.
    ///
    /// # Errors
    /// This machine cannot measure it.
    pub async fn start(
        plan: Arc<Plan>,
        run: &Run,
        folder: Utf8PathBuf,
        state: &RunState,
        news: std::sync::mpsc::Sender<News>,
    ) -> Result<Option<Self>> {
        if plan.probes.is_empty() {
            return Ok(None);
        }
        let longest = plan.probes.iter().map(|probe| probe.max_gap).max().unwrap_or_default();
        let memory = Duration::try_from(longest).unwrap_or_default() + MEMORY;
        let (prober, events) = Prober::start(&plan.probes, folder).await?;
        let files = plan.probes.iter().map(|probe| open(run, &probe.name).ok()).collect();
        Ok(Some(Self {
            timeline: Timeline::new(state.running().map(|(unit, ..)| unit), memory),
            plan,
            prober: Some(prober),
            events,
            early: VecDeque::new(),
            files,
            standing_file: run.standing_file(),
            during: HashMap::new(),
            milestone: None,
            last_word: LastWord::Unasked,
            news,
        }))
    }

    /// Waits until every target has answered once.
    ///
    /// In a run that was begun before, what does not answer is silent because of the run, as far as anybody knows: it
    /// is in a breach.
    ///
    /// # Errors
    /// In a new run, the targets that do not answer.
    pub async fn begin(&mut self, again: bool) -> Result<()> {
        let never = loop {
            match self.events.recv().await.ok_or_else(broken)? {
                Event::Begun(never) => break never,
                other => self.early.push_back(other),
            }
        };
        if !never.is_empty() && !again {
            return Err(silent(&self.plan.probes, &never));
        }
        let now = clock::real_now();
        for file in 0..self.files.len() {
            self.write(file, &Line::Began { at: now });
        }
        let Some(prober) = self.prober.as_ref().filter(|_| !never.is_empty()) else { return Ok(()) };
        prober.give_up();
        let mut given_up = 0;
        while given_up < never.len() {
            let event = self.events.recv().await.ok_or_else(broken)?;
            if let Event::Breach { targets, .. } = &event {
                given_up += targets.len();
            }
            self.early.push_back(event);
        }
        Ok(())
    }

    /// An event that came before anybody waited for one.
    pub(super) fn early(&mut self) -> Option<Event> {
        self.early.pop_front()
    }

    /// The next event.
    pub(super) async fn next(&mut self) -> Event {
        loop {
            match self.events.recv().await {
                Some(event) => return event,
                None if self.prober.take().is_some() => {
                    let _ = self.news.send(News::Notice(format!("{}; the run goes on", broken())));
                }
                None => std::future::pending().await,
            }
        }
    }

    /// Takes in a record that was made now.
    pub(super) fn note(&mut self, record: &Record) {
        if matches!(record, Record::UnitStarted { .. }) {
            self.last_word = LastWord::Unasked;
        }
        self.timeline.note(record, since_boot());
    }

    /// Whether it is known what everything that was done has come to; asks if not.
    pub(super) fn have_last_word(&mut self) -> bool {
        let Some(prober) = &self.prober else { return true };
        if self.last_word == LastWord::Unasked {
            self.last_word = LastWord::Asked;
            prober.ask_for_last_word();
        }
        self.last_word == LastWord::Had
    }

    /// Takes in what was found, with all that was found meanwhile, and says what of it belongs in the journal.
    pub(super) fn take(&mut self, first: Event) -> Vec<Record> {
        let mut records = Vec::new();
        let mut next = Some(first);
        while let Some(event) = next {
            self.take_one(event, &mut records);
            next = self.early.pop_front().or_else(|| self.events.try_recv().ok());
        }
        records
    }

    fn take_one(&mut self, event: Event, records: &mut Vec<Record>) {
        match event {
            Event::Breach { probe, targets, at } => records.push(self.breach(probe, &targets, at)),
            Event::Gap { probe, gap } => {
                self.keep(probe, &gap);
                if let (true, true) = (gap.breach, gap.answered) {
                    recover(records, number(probe), (number(gap.target), signed(gap.length())));
                }
            }
            Event::Stalled { probe, from, to } => {
                self.write(probe, &Line::NotMeasured { from: moment(from), to: moment(to) });
            }
            Event::Standing(tallies) => self.stand(&tallies),
            Event::LastWord => self.last_word = LastWord::Had,
            Event::Begun(_) => {}
        }
    }

    fn breach(&mut self, probe: usize, targets: &[(usize, Duration)], at: Duration) -> Record {
        let every = Duration::try_from(self.plan.probes[probe].every).unwrap_or_default();
        let since = || targets.iter().map(|(_, since)| *since);
        let (first, last) = (since().min().unwrap_or(at), since().max().unwrap_or(at));
        // Whatever silenced a target began after its last answer, and before the looks that failed.
        let under_way = self.timeline.between(&self.plan, first, last + every * 2);
        for (target, _) in targets {
            self.during.insert((probe, *target), under_way.clone());
        }
        Record::Breached(Box::new(Breached {
            probe: number(probe),
            targets: targets.iter().map(|(target, _)| number(*target)).collect(),
            silent: signed(at.saturating_sub(first)),
            under_way,
        }))
    }

    /// Keeps a gap, with what was under way when it began.
    fn keep(&mut self, probe: usize, gap: &Gap) {
        let planned = &self.plan.probes[probe];
        let every = Duration::try_from(planned.every).unwrap_or_default();
        let during = self.during.remove(&(probe, gap.target));
        let line = Line::Gap {
            target: planned.targets[gap.target].name.clone(),
            from: moment(gap.from),
            to: moment(gap.to),
            answered: gap.answered,
            breach: gap.breach,
            under_way: during.unwrap_or_else(|| self.timeline.between(&self.plan, gap.from, gap.from + every * 2)),
        };
        self.write(probe, &line);
    }

    /// Shows how the probes stand.
    fn stand(&mut self, tallies: &[Tally]) {
        let standings = self.plan.probes.iter().zip(tallies).map(|(probe, tally)| standing(probe, tally)).collect();
        self.milestone(tallies);
        // Whoever looks from a second terminal sees the old standing or the new one, never half of it.
        let fresh = self.standing_file.with_extension("new");
        if let Ok(text) = serde_json::to_vec(&standings)
            && fs_err::write(&fresh, text).is_ok()
        {
            let _ = fs_err::rename(&fresh, &self.standing_file);
        }
        let _ = self.news.send(News::Probes(standings));
    }

    /// Writes down, now and then, how far everything was measured: a crash leaves no other trace of it.
    fn milestone(&mut self, tallies: &[Tally]) {
        let now = since_boot();
        if self.prober.is_some() && self.milestone.is_some_and(|last| now.saturating_sub(last) < MILESTONE) {
            return;
        }
        self.milestone = Some(now);
        for (probe, tally) in tallies.iter().enumerate() {
            let until = moment(tally.at);
            self.write(probe, &Line::Measured { until, looks: tally.looks, answers: tally.answers });
        }
    }

    /// Ends measuring, and writes down what is left.
    pub(super) async fn end(&mut self) {
        if self.prober.take().is_none() {
            return;
        }
        let farewell = async {
            while let Some(event) = self.events.recv().await {
                // The run has ended, and its journal takes nothing more.
                self.take(event);
            }
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
        let _ = fs_err::remove_file(&self.standing_file);
    }

    fn write(&self, probe: usize, line: &Line) {
        if let (Some(Some(file)), Ok(mut text)) = (self.files.get(probe), serde_json::to_string(line)) {
            text.push('\n');
            let mut file: &File = file;
            let _ = file.write_all(text.as_bytes());
        }
    }
}

fn open(run: &Run, probe: &str) -> std::io::Result<File> {
    let file = run.probe_file(probe);
    if let Some(folder) = file.parent() {
        fs_err::create_dir_all(folder)?;
    }
    let mut file = fs_err::OpenOptions::new().append(true).create(true).open(file)?;
    if file.metadata()?.len() > 0 {
        // A crash may have torn the last line, and this one is not to be lost with it.
        file.write_all(b"\n")?;
    }
    Ok(file)
}

/// Targets of one probe that answer again at the same time are one record.
fn recover(records: &mut Vec<Record>, probe: u16, target: (u32, SignedDuration)) {
    match records.last_mut() {
        Some(Record::Recovered { probe: of, targets }) if *of == probe => targets.push(target),
        _ => records.push(Record::Recovered { probe, targets: vec![target] }),
    }
}

fn standing(probe: &Probe, tally: &Tally) -> Standing {
    let mut silent = tally.silent.clone();
    silent.sort_by_key(|(_, since, breach)| (!breach, *since));
    let silence = |(target, since, breach): &(usize, Duration, bool)| Silence {
        target: probe.targets[*target].name.clone(),
        since: signed(tally.at.saturating_sub(*since)),
        breach: *breach,
    };
    Standing {
        probe: probe.name.clone(),
        targets: probe.targets.len(),
        silent: silent.len(),
        worst: silent.iter().take(NAMED).map(silence).collect(),
    }
}

/// Why a run is refused.
fn silent(probes: &[Probe], never: &[Never]) -> Error {
    let mut causes: IndexMap<(usize, &str), Vec<&str>> = IndexMap::new();
    for Never { probe, target, why } in never {
        causes.entry((*probe, why)).or_default().push(&probes[*probe].targets[*target].name);
    }
    let all: usize = probes.iter().map(|probe| probe.targets.len()).sum();
    let be = if never.len() == 1 { "does" } else { "do" };
    let mut message =
        format!("{} of {all} targets of the probes {be} not answer, and nothing was touched", never.len());
    for ((probe, why), targets) in &causes {
        let targets = pattern::fold(targets.iter().copied());
        message += &format!("\n  {}: {targets} ({why})", probes[*probe].name);
    }
    Error::new(Exit::Unreachable, message).hint(
        "what is silent before a run cannot be told from what the run silences: mend it, or take it out of its probe",
    )
}

fn broken() -> Error {
    Error::new(Exit::Bug, "the probes have ended by themselves: nothing is measured any more")
}

/// The reason of a hold or stop, for everybody who looks.
pub(super) fn reason(probe: &Probe, breached: &Breached) -> String {
    let names: Vec<_> = breached.targets.iter().map(|target| &probe.targets[*target as usize].name).collect();
    format!("{} silent for {}; {}", some(&names), short(breached.silent), during(&breached.under_way))
}

/// A moment of the machine's time as a time of day.
fn moment(at: Duration) -> Timestamp {
    let now = clock::real_now();
    now.saturating_sub(signed(since_boot().saturating_sub(at))).unwrap_or(now)
}

fn signed(duration: Duration) -> SignedDuration {
    let exact = SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
    exact.round(jiff::Unit::Millisecond).unwrap_or(exact)
}

fn number<T: TryFrom<usize> + Default>(place: usize) -> T {
    T::try_from(place).unwrap_or_default()
}
