//! A sentence for every kind of record, in one place, so that all reporters use the same words.

use std::fmt::Write;

use camino::Utf8PathBuf;
use indexmap::IndexMap;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::figures::Counts;
use super::text::clean;
use super::watch::Watch;
use crate::engine::state::Phase;
use crate::model::record::{Breached, End, Entry, Opened, Pulled, Silent, between};
use crate::model::{Command, Outcome, Person, Record, Slot, UnitKey, Verdict, pattern};
use crate::model::{probe, span};

/// How much a sentence matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It is in the journal, and that is enough.
    Detail,
    /// It belongs into a log of the run.
    Log,
    /// A person who looks at the picture must not miss it either.
    Call,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// How much it matters.
    pub weight: Weight,
    /// One line, without control characters.
    pub text: String,
}

/// Puts records into words.
#[derive(Debug, Clone)]
pub struct Teller {
    /// Times of day are told in this zone.
    pub zone: TimeZone,
    /// The folder of the hosts' logs, as a person would type it.
    pub logs: Utf8PathBuf,
}

impl Teller {
    /// The sentence for a record; `before` is the run without it.
    #[must_use]
    pub fn tell(&self, before: &Watch, entry: &Entry) -> Sentence {
        let (weight, text) = match &entry.record {
            Record::Opened(opened) => (Weight::Log, self.opened(opened)),
            Record::Resumed { by, closes } => (Weight::Call, self.resumed(before, by, *closes)),
            Record::Contacted { unreachable } => contacted(before, unreachable),
            Record::StageStarted { stage } => (Weight::Log, stage_started(before, *stage)),
            Record::HostStarted { stage, host } => {
                let name = before.state.outline.host_name(*stage, *host);
                let stage = &before.state.outline.stages[usize::from(*stage)].name;
                (Weight::Detail, format!("{name} started in {stage}"))
            }
            Record::UnitStarted { unit, attempt } => {
                let text = format!("{}: {} started, attempt {attempt}", name(before, *unit), step(before, *unit));
                (Weight::Detail, text)
            }
            Record::UnitEnded { unit, end, retry_at, .. } => self.unit_ended(before, *unit, end, *retry_at, entry.at),
            Record::HostEnded { stage, host, state } => {
                (Weight::Log, host_ended(before, *stage, *host, *state, entry.at))
            }
            Record::StageEnded { stage } => (Weight::Log, stage_ended(before, *stage, entry.at)),
            Record::Ordered { command, by } => (Weight::Call, ordered(command, by)),
            Record::Breached(breached) => (Weight::Call, self::breached(before, breached)),
            Record::Recovered { probe, targets } => (Weight::Call, recovered(before, *probe, targets)),
            Record::Ended { verdict } => (Weight::Log, ended(before, *verdict, entry.at)),
        };
        Sentence { weight, text: clean(&text) }
    }

    fn time(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }

    fn opened(&self, opened: &Opened) -> String {
        let plan = &opened.plan;
        let hosts = count(plan.hosts.len(), if plan.simulated { "simulated host" } else { "host" });
        let stages = count(plan.stages.len(), "stage");
        format!(
            "run {} was opened by {}: pipeline {}, {hosts}, {stages}{}",
            opened.run,
            opened.by,
            plan.pipeline,
            self.window(opened.closes),
        )
    }

    fn window(&self, closes: Option<Timestamp>) -> String {
        closes.map(|closes| format!("; the window closes at {}", self.time(closes))).unwrap_or_default()
    }

    fn resumed(&self, before: &Watch, by: &Person, closes: Option<Timestamp>) -> String {
        let failed: u32 = before.state.stages.iter().map(|stage| Counts::of(stage).failed).sum();
        let again = match failed {
            0 => String::new(),
            1 => ": 1 host that failed is taken up again".into(),
            failed => format!(": {failed} hosts that failed are taken up again"),
        };
        format!("the run was resumed by {by}{again}{}", self.window(closes))
    }

    fn unit_ended(
        &self,
        before: &Watch,
        unit: UnitKey,
        end: &End,
        retry_at: Option<Timestamp>,
        at: Timestamp,
    ) -> (Weight, String) {
        let host = &before.state.stages[usize::from(unit.stage)].hosts[unit.host as usize];
        let took = match host.phase {
            Phase::Running { since, .. } => span::glance(between(since, at)),
            _ => span::glance(between(at, at)),
        };
        let (name, step) = (name(before, unit), step(before, unit));
        let note = end.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        if let Some(pulled) = &end.pulled {
            return (Weight::Log, format!("{name}: {step} {} after {took}: {}", end.outcome, brought(pulled)));
        }
        if !end.outcome.is_failure() {
            return (Weight::Detail, format!("{name}: {step} {} after {took}{note}", end.outcome));
        }
        let what = format!("{name} {} at {step} after {took}{note}", end.outcome);
        if let Some(retry) = retry_at {
            let wait = span::glance(between(at, retry));
            return (Weight::Log, format!("{what}; it is tried again in {wait}, at {}", self.time(retry)));
        }
        let stuck = if matches!(unit.slot, Slot::Always(_)) { "; it could not be put back, see to it" } else { "" };
        let log = self.logs.join(format!("{name}.log"));
        (Weight::Call, format!("{what}{stuck}; its output is in {log}"))
    }
}

fn contacted(before: &Watch, unreachable: &[Silent]) -> (Weight, String) {
    let outline = &before.state.outline;
    let all = outline.hosts.len();
    if unreachable.is_empty() {
        return (Weight::Log, if all == 1 { "the host answers".into() } else { format!("all {all} hosts answer") });
    }
    let mut causes: IndexMap<&str, Vec<&str>> = IndexMap::new();
    for Silent { host, why } in unreachable {
        causes.entry(why).or_default().push(&outline.hosts[*host as usize]);
    }
    let mut text = format!("{} of {all} hosts did not answer, nothing new is started:", unreachable.len());
    let (mut names, more) = (causes.iter().take(CAUSES), causes.len().saturating_sub(CAUSES));
    for (at, (why, hosts)) in names.by_ref().enumerate() {
        let _ = write!(text, "{} {} ({why})", if at > 0 { ";" } else { "" }, pattern::fold(hosts.iter().copied()));
    }
    if more > 0 {
        let _ = write!(text, "; and {more} other causes");
    }
    (Weight::Call, text)
}

/// So many causes are named, each with its hosts.
const CAUSES: usize = 10;

fn stage_started(before: &Watch, stage: u16) -> String {
    let shape = &before.state.outline.stages[usize::from(stage)];
    let mut text = format!("stage {} started: {}", shape.name, count(shape.hosts.len(), "host"));
    if let Some(pace) = shape.pace {
        let _ = write!(text, ", pace {pace}");
    }
    if (shape.fan_out as usize) < shape.hosts.len() {
        let _ = write!(text, ", fan-out {}", shape.fan_out);
    }
    if let Some(window) = shape.window {
        let _ = write!(text, ", planned for {}", span::glance(window));
    }
    text
}

fn host_ended(before: &Watch, stage: u16, host: u32, outcome: Outcome, at: Timestamp) -> String {
    let run = &before.state;
    let progress = &run.stages[usize::from(stage)];
    let host_state = &progress.hosts[host as usize];
    let mut counts = Counts::of(progress);
    let failed = super::figures::has_failed(host_state);
    counts.done += u32::from(!outcome.is_failure());
    counts.failed += u32::from(outcome.is_failure() && !failed);
    let took = host_state.started_at.map(|start| format!(" after {}", span::glance(between(start, at))));
    let tries = match host_state.retries {
        0 => String::new(),
        1 => ", with 1 retry".into(),
        retries => format!(", with {retries} retries"),
    };
    format!(
        "{} {outcome}{}{tries} ({}/{} done, {} failed)",
        run.outline.host_name(stage, host),
        took.unwrap_or_default(),
        counts.done,
        counts.total,
        counts.failed,
    )
}

fn stage_ended(before: &Watch, stage: u16, at: Timestamp) -> String {
    let progress = &before.state.stages[usize::from(stage)];
    let shape = &before.state.outline.stages[usize::from(stage)];
    let took = progress.started_at.map_or_else(Default::default, |start| between(start, at));
    let planned = match shape.window {
        Some(window) if (took - window).as_secs() > 0 => {
            format!(" of {} planned, {} over", span::glance(window), span::glance(took - window))
        }
        Some(window) => format!(" of {} planned", span::glance(window)),
        None => String::new(),
    };
    format!("stage {} ended after {}{planned}: {}", shape.name, span::glance(took), outcomes(&progress.ended))
}

/// Hosts by outcome, without those that there are none of.
fn outcomes(ended: &[u32; 7]) -> String {
    let some = Outcome::ALL.iter().zip(ended).filter(|(_, count)| **count > 0);
    let parts: Vec<String> = some.map(|(outcome, count)| format!("{count} {outcome}")).collect();
    if parts.is_empty() { "no hosts".into() } else { parts.join(", ") }
}

fn ordered(command: &Command, by: &Person) -> String {
    let effect = match command {
        Command::Hold { .. } => "; nothing new starts until `upshift release`",
        Command::Release => "; the run goes on",
        Command::Stop => "; what is under way ends first",
        Command::Abort => "; steps are ended and touched hosts put back",
        _ => "",
    };
    format!("{by} said {command}{effect}")
}

fn breached(before: &Watch, breached: &Breached) -> String {
    let probe = &before.state.outline.probes[usize::from(breached.probe)];
    let names: Vec<_> = breached.targets.iter().map(|target| &probe.targets[*target as usize]).collect();
    format!(
        "probe {}: {} silent for {}, at most {} allowed; {}",
        probe.name,
        probe::some(&names),
        span::short(breached.silent),
        span::short(probe.max_gap),
        probe::during(&breached.under_way)
    )
}

fn recovered(before: &Watch, probe: u16, targets: &[(u32, SignedDuration)]) -> String {
    let probe = &before.state.outline.probes[usize::from(probe)];
    let names: Vec<_> = targets.iter().map(|(target, _)| &probe.targets[*target as usize]).collect();
    let longest = targets.iter().map(|(_, silent)| *silent).max().unwrap_or_default();
    format!("probe {}: {} answers again after {}", probe.name, probe::some(&names), span::short(longest))
}

fn ended(before: &Watch, verdict: Verdict, at: Timestamp) -> String {
    let run = &before.state;
    let took = run.opened_at.map_or_else(Default::default, |start| between(start, at));
    let mut ended = [0; 7];
    let mut left = 0;
    for fate in run.fates() {
        match fate {
            crate::engine::state::Fate::Ended(outcome) => ended[outcome as usize] += 1,
            _ => left += 1,
        }
    }
    let left = if left > 0 { format!(", {left} not finished") } else { String::new() };
    let stuck = if run.stuck > 0 {
        format!("; {} could not be put back", count(run.stuck as usize, "host"))
    } else {
        String::new()
    };
    format!("the run ended after {}: {verdict}; hosts: {}{left}{stuck}", span::glance(took), outcomes(&ended))
}

fn brought(pulled: &Pulled) -> String {
    let commit = pulled.commit.get(..10).unwrap_or(&pulled.commit);
    if pulled.since.is_none() {
        return format!("{} is at {commit}", pulled.into);
    }
    let (commits, files) = (count(pulled.commits as usize, "commit"), count(pulled.files as usize, "file"));
    format!("{} is at {commit}, with {commits} and {files} new since the last run", pulled.into)
}

fn name(watch: &Watch, unit: UnitKey) -> &str {
    watch.state.outline.host_name(unit.stage, unit.host)
}

/// A step as `upgrade` (2/3).
pub(super) fn step(watch: &Watch, unit: UnitKey) -> String {
    let steps = &watch.state.outline.stages[usize::from(unit.stage)].steps;
    let title = &steps[unit.slot.step()];
    match unit.slot {
        Slot::Step(_) if steps.len() == 1 => format!("`{title}`"),
        Slot::Step(step) => format!("`{title}` ({}/{})", step + 1, steps.len()),
        Slot::Always(_) => format!("putting back after `{title}`"),
    }
}

/// A number of things, in words.
pub(super) fn count(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}
