//! The report as JSON: one object, for programs.
//!
//! Names that end in `_s` are durations in seconds; moments are in RFC 3339, in UTC; what is not
//! known is `null`. Fields may be added; `format` grows when one changes its meaning or goes.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::probes;
use super::timing::{self, Timing, Visit, fate_name};
use crate::model::probe::{OnBreach, UnderWay};
use crate::model::record::Pulled;

/// The version of the object's form.
pub const FORMAT: u32 = 1;

/// The report as JSON, indented, with a line end.
#[must_use]
pub fn render(timing: &Timing) -> String {
    let text = serde_json::to_string_pretty(&Report::of(timing));
    text.unwrap_or_else(|error| unreachable!("the report has text keys only: {error}")) + "\n"
}

/// A run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The version of this form.
    pub format: u32,
    /// The run's id.
    pub run: String,
    /// The pipeline's name.
    pub pipeline: String,
    /// How it ended, `under way`, or `crashed: no upshift holds it`.
    pub verdict: String,
    /// Whether it ended.
    pub ended: bool,
    /// The version of upshift that opened it.
    pub upshift: String,
    /// Who started it.
    pub by: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; now for a live run, the last record for a crashed one.
    pub ended_at: Timestamp,
    /// How long it took.
    pub took_s: f64,
    /// How much of that lay between two sessions.
    pub stopped_s: f64,
    /// When the window closes.
    pub closes_at: Option<Timestamp>,
    /// What was left of the window at the end; negative when it had closed.
    pub slack_s: Option<f64>,
    /// How long taking it back takes, as far as it was measured.
    pub undo_s: Option<f64>,
    /// How many times faster than real time the run's clock goes; `null` when it does not wait.
    pub time_scale: Option<f64>,
    /// The plan's digest.
    pub plan: String,
    /// Things changed.
    pub changes: u64,
    /// Hosts on which something changed.
    pub changed_hosts: usize,
    /// The first start and every resume.
    pub sessions: Vec<Session>,
    /// The stages, in order.
    pub stages: Vec<Stage>,
    /// Every planned host once, or those that were asked for.
    pub hosts: Vec<Host>,
    /// What was measured.
    pub probes: Vec<Probe>,
    /// What pulls brought.
    pub pulls: Vec<Pulled>,
    /// What people said.
    pub orders: Vec<Order>,
    /// The run of the same pipeline before this one.
    pub previous: Option<Previous>,
}

/// A time in which one upshift carried the run out.
#[derive(Debug, Serialize)]
pub struct Session {
    /// Who began it.
    pub by: String,
    /// When.
    pub started_at: Timestamp,
    /// When it ended, or its last record.
    pub ended_at: Timestamp,
    /// How it ended; `null` after a crash and while it goes on.
    pub verdict: Option<String>,
}

/// A stage.
#[derive(Debug, Serialize)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Planned time.
    pub planned_s: Option<f64>,
    /// From its first start to its end, or so far; `null` when it did not begin.
    pub actual_s: Option<f64>,
    /// `actual_s` less `planned_s`; `null` while the stage may yet need more.
    pub difference_s: Option<f64>,
    /// How much of it lay between two sessions.
    pub stopped_s: f64,
    /// What was left of the run's window when it ended.
    pub slack_s: Option<f64>,
    /// When it first began.
    pub started_at: Option<Timestamp>,
    /// When it was done with all its hosts; `null` when it was not.
    pub ended_at: Option<Timestamp>,
    /// The pace wanted, in hosts an hour.
    pub pace_wanted: Option<f64>,
    /// The pace between the first and the last start, in hosts an hour.
    pub pace_achieved: Option<f64>,
    /// Hosts under way at once, as wanted.
    pub fan_out: u32,
    /// How often a host was started.
    pub starts: u32,
    /// How many of its hosts came to what.
    pub states: indexmap::IndexMap<String, usize>,
    /// Half of the hosts that came through took no longer.
    pub host_p50_s: Option<f64>,
    /// 19 of 20 hosts that came through took no longer.
    pub host_p95_s: Option<f64>,
    /// The hosts that took longest, the slowest first.
    pub slowest: Vec<Slow>,
    /// Things changed.
    pub changes: u64,
    /// Tries beyond the first of a step.
    pub retries: u32,
    /// Its steps, then what put hosts back after them.
    pub steps: Vec<Step>,
}

/// A host that took long.
#[derive(Debug, Serialize)]
pub struct Slow {
    /// Its name.
    pub host: String,
    /// How long the stage had it in hand.
    pub took_s: f64,
}

/// A step.
#[derive(Debug, Serialize)]
pub struct Step {
    /// Its title.
    pub title: String,
    /// How often it was tried.
    pub tries: u32,
    /// Tries that did not come through.
    pub failed: u32,
    /// Half of the tries that came through took no longer.
    pub p50_s: Option<f64>,
    /// 19 of 20 tries that came through took no longer.
    pub p95_s: Option<f64>,
}

/// A planned host.
#[derive(Debug, Serialize)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// What it came to over all stages.
    pub state: String,
    /// The stage that cut it short.
    pub stage: Option<String>,
    /// The step that cut it short.
    pub step: Option<String>,
    /// What a person should know.
    pub note: Option<String>,
    /// Whether it could not be put back into service.
    pub stuck: bool,
    /// Tries of the step that cut it short.
    pub attempts: u32,
    /// How long stages had it in hand.
    pub took_s: f64,
    /// Things changed.
    pub changes: u32,
    /// Tries beyond the first of a step.
    pub retries: u32,
    /// The stages it is in.
    pub stages: Vec<InStage>,
}

/// A host in a stage.
#[derive(Debug, Serialize)]
pub struct InStage {
    /// The stage.
    pub stage: String,
    /// What it came to there.
    pub state: String,
    /// When it was first taken up.
    pub started_at: Option<Timestamp>,
    /// When the stage was last done with it.
    pub ended_at: Option<Timestamp>,
    /// How long the stage had it in hand.
    pub took_s: Option<f64>,
    /// Tries of its steps.
    pub attempts: usize,
}

/// A probe. Times of gaps are real time.
#[derive(Debug, Serialize)]
pub struct Probe {
    /// Its name.
    pub name: String,
    /// How long a target may be silent.
    pub max_gap_s: f64,
    /// What the run does when one is silent for longer.
    pub on_breach: OnBreach,
    /// How long it measured.
    pub measured_s: f64,
    /// How long upshift itself stood still meanwhile.
    pub not_measured_s: f64,
    /// Looks that were made.
    pub looks: u64,
    /// Looks that were answered.
    pub answers: u64,
    /// The share of the time measured in which targets answered; `null` when nothing was measured.
    pub available_percent: Option<f64>,
    /// Targets that were silent for too long, in order.
    pub breaches: Vec<Breach>,
    /// Every target.
    pub targets: Vec<Target>,
}

/// A target of a probe.
#[derive(Debug, Serialize)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// The share of the time measured in which it answered.
    pub available_percent: Option<f64>,
    /// How many gaps it had.
    pub gaps: u32,
    /// How long they were together.
    pub silent_s: f64,
    /// The longest one.
    pub longest: Option<Gap>,
}

/// A time without an answer.
#[derive(Debug, Serialize)]
pub struct Gap {
    /// The last answer before.
    pub from: Timestamp,
    /// The first answer afterwards, or the end of measuring.
    pub to: Timestamp,
    /// How long that is.
    pub silent_s: f64,
    /// Whether it ended with an answer.
    pub answered: bool,
    /// What was under way when it began.
    pub under_way: Vec<UnderWay>,
}

/// A target that was silent for too long.
#[derive(Debug, Serialize)]
pub struct Breach {
    /// The target.
    pub target: String,
    /// When it was noticed, by the run's clock.
    pub at: Timestamp,
    /// How long it was silent; `null` when it did not answer again.
    pub silent_s: Option<f64>,
    /// What was under way when it fell silent.
    pub under_way: Vec<UnderWay>,
}

/// What a person said.
#[derive(Debug, Serialize)]
pub struct Order {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What, as `upshift` shows it.
    pub command: String,
    /// How long a hold lasted.
    pub lasted_s: Option<f64>,
    /// The step that was waiting, for a gate.
    pub gate: Option<String>,
}

/// The run before.
#[derive(Debug, Serialize)]
pub struct Previous {
    /// Its id.
    pub run: String,
    /// How it ended.
    pub verdict: String,
    /// How long it took.
    pub took_s: f64,
    /// Its stages that this run has too.
    pub stages: Vec<Then>,
}

/// A stage in the run before.
#[derive(Debug, Serialize)]
pub struct Then {
    /// Its name.
    pub name: String,
    /// From its first start to its end, or so far.
    pub actual_s: Option<f64>,
    /// Half of the hosts that came through took no longer.
    pub host_p50_s: Option<f64>,
}

fn seconds(duration: SignedDuration) -> f64 {
    // Milliseconds are as exact as a report is.
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

impl Report {
    /// The object for a run.
    #[must_use]
    pub fn of(timing: &Timing) -> Self {
        let (changes, changed_hosts) = timing.changes();
        let mut visits: Vec<Vec<InStage>> = timing.hosts.iter().map(|_| Vec::new()).collect();
        for stage in &timing.stages {
            for visit in &stage.hosts {
                visits[visit.host].push(InStage::of(stage, visit));
            }
        }
        let hosts = timing.hosts.iter().zip(visits).enumerate();
        let hosts = hosts.filter(|(id, _)| timing.shows(*id)).map(|(_, (host, stages))| Host::of(host, stages));
        Self {
            format: FORMAT,
            run: timing.opened.run.clone(),
            pipeline: timing.opened.plan.pipeline.clone(),
            verdict: timing.standing.to_string(),
            ended: matches!(timing.standing, timing::Standing::Ended(_)),
            upshift: timing.opened.upshift.clone(),
            by: timing.opened.by.to_string(),
            started_at: timing.started,
            ended_at: timing.ended,
            took_s: seconds(timing.took()),
            stopped_s: seconds(timing.stopped()),
            closes_at: timing.closes,
            slack_s: timing.slack().map(seconds),
            undo_s: Some(timing.undo).filter(|undo| !undo.is_zero()).map(seconds),
            time_scale: timing.opened.time_scale,
            plan: timing.opened.plan.digest.clone(),
            changes,
            changed_hosts,
            sessions: timing.sessions.iter().map(Session::of).collect(),
            stages: timing.stages.iter().map(|stage| Stage::of(timing, stage)).collect(),
            hosts: hosts.collect(),
            probes: timing.probes.iter().map(Probe::of).collect(),
            pulls: timing.pulls.clone(),
            orders: timing.orders.iter().map(Order::of).collect(),
            previous: timing.previous.as_ref().map(Previous::of),
        }
    }
}

impl Session {
    fn of(session: &timing::Session) -> Self {
        Self {
            by: session.by.to_string(),
            started_at: session.started,
            ended_at: session.ended,
            verdict: session.verdict.map(|verdict| verdict.to_string()),
        }
    }
}

impl Stage {
    fn of(timing: &Timing, stage: &timing::Stage) -> Self {
        let slow = |(visit, took): &(&Visit, SignedDuration)| Slow {
            host: timing.hosts[visit.host].name.clone(),
            took_s: seconds(*took),
        };
        Self {
            name: stage.name.clone(),
            planned_s: stage.planned.map(seconds),
            actual_s: stage.actual().map(seconds),
            difference_s: stage.difference().map(seconds),
            stopped_s: seconds(stage.stopped),
            slack_s: stage.slack.map(seconds),
            started_at: stage.started,
            ended_at: stage.is_over.then_some(stage.ended),
            pace_wanted: stage.pace.map(crate::model::Pace::hosts_per_hour),
            pace_achieved: stage.achieved.map(|pace| (pace * 1000.0).round() / 1000.0),
            fan_out: stage.fan_out,
            starts: stage.starts,
            states: stage.counts().into_iter().map(|(fate, count)| (fate_name(fate), count)).collect(),
            host_p50_s: stage.p50.map(seconds),
            host_p95_s: stage.p95.map(seconds),
            slowest: stage.slowest(5).iter().map(slow).collect(),
            changes: stage.changes(),
            retries: stage.retries(),
            steps: stage.steps.iter().map(Step::of).collect(),
        }
    }
}

impl Step {
    fn of(step: &timing::Step) -> Self {
        Self {
            title: step.title.clone(),
            tries: step.tries,
            failed: step.failed,
            p50_s: step.p50.map(seconds),
            p95_s: step.p95.map(seconds),
        }
    }
}

impl Host {
    fn of(host: &timing::Host, stages: Vec<InStage>) -> Self {
        Self {
            name: host.name.clone(),
            state: fate_name(host.fate),
            stage: host.cause.stage.clone(),
            step: host.cause.step.clone(),
            note: host.cause.note.clone(),
            stuck: host.cause.is_stuck,
            attempts: host.tries,
            took_s: seconds(host.took),
            changes: host.changes,
            retries: host.retries,
            stages,
        }
    }
}

impl InStage {
    fn of(stage: &timing::Stage, visit: &Visit) -> Self {
        Self {
            stage: stage.name.clone(),
            state: fate_name(visit.fate),
            started_at: visit.started(),
            ended_at: visit.ended(),
            took_s: visit.took.map(seconds),
            attempts: visit.tries.len(),
        }
    }
}

impl Probe {
    fn of(probe: &probes::Probe) -> Self {
        let share = |share: f64| (share * 1000.0).floor() / 1000.0;
        let gap = |gap: &probes::Gap| Gap {
            from: gap.from,
            to: gap.to,
            silent_s: seconds(gap.length()),
            answered: gap.answered,
            under_way: gap.under_way.clone(),
        };
        let target = |target: &probes::Target| Target {
            name: target.name.clone(),
            available_percent: probe.available(target).map(share),
            gaps: target.gaps,
            silent_s: seconds(target.silent),
            longest: target.longest.as_ref().map(gap),
        };
        let breach = |breach: &probes::Breach| Breach {
            target: breach.target.clone(),
            at: breach.at,
            silent_s: breach.lasted.map(seconds),
            under_way: breach.under_way.clone(),
        };
        Self {
            name: probe.name.clone(),
            max_gap_s: seconds(probe.max_gap),
            on_breach: probe.on_breach,
            measured_s: seconds(probe.measured),
            not_measured_s: seconds(probe.not_measured),
            looks: probe.looks,
            answers: probe.answers,
            available_percent: probe.availability().map(share),
            breaches: probe.breaches.iter().map(breach).collect(),
            targets: probe.targets.iter().map(target).collect(),
        }
    }
}

impl Order {
    fn of(order: &timing::Order) -> Self {
        Self {
            at: order.at,
            by: order.by.to_string(),
            command: order.command.to_string(),
            lasted_s: order.lasted().map(seconds),
            gate: order.gate.clone(),
        }
    }
}

impl Previous {
    fn of(previous: &timing::Previous) -> Self {
        let then = |then: &timing::Then| Then {
            name: then.name.clone(),
            actual_s: then.actual.map(seconds),
            host_p50_s: then.p50.map(seconds),
        };
        Self {
            run: previous.run.clone(),
            verdict: previous.standing.to_string(),
            took_s: seconds(previous.took),
            stages: previous.stages.iter().map(then).collect(),
        }
    }
}
