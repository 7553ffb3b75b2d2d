//! The figures of a run: everything a report says, before it is put on paper.
//!
//! All of it follows from the journal. Every planned host is in [`Timing::hosts`] exactly once.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::engine::state::Fate;
use crate::model::record::{Opened, Pulled};
use crate::model::{Command, Outcome, Pace, Person, Slot, Verdict};

pub use super::figures::{came_through, fate_name};
use super::probes::Probe;

/// The figures of one run.
#[derive(Debug, Clone)]
pub struct Timing {
    /// What the journal's first record says: id, plan, who, time scale.
    pub opened: Opened,
    /// Where the run stands.
    pub standing: Standing,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; now for a live run, the last record for a crashed one.
    pub ended: Timestamp,
    /// When the window closes, by the last session.
    pub closes: Option<Timestamp>,
    /// How long taking it back takes, as far as it was measured; zero where nothing was.
    pub undo: SignedDuration,
    /// The first start and every resume.
    pub sessions: Vec<Session>,
    /// How long no record was written before now, in a crashed run.
    pub silent: Option<SignedDuration>,
    /// The stages, in order.
    pub stages: Vec<Stage>,
    /// Every planned host once, by id.
    pub hosts: Vec<Host>,
    /// What was measured.
    pub probes: Vec<Probe>,
    /// What pulls brought, in order.
    pub pulls: Vec<Pulled>,
    /// What people told the run, in order.
    pub orders: Vec<Order>,
    /// The run of the same pipeline before this one.
    pub previous: Option<Previous>,
    /// The time zone that moments are shown in.
    pub zone: TimeZone,
    /// The ids of the hosts that were asked for; `None` is all.
    pub(super) only: Option<Vec<usize>>,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It ended.
    Ended(Verdict),
    /// An upshift is carrying it out.
    UnderWay,
    /// It did not end, and no upshift holds it.
    Crashed,
}

/// A time in which one upshift carried the run out.
#[derive(Debug, Clone)]
pub struct Session {
    /// Who began it.
    pub by: Person,
    /// When.
    pub started: Timestamp,
    /// When it ended, or its last record.
    pub ended: Timestamp,
    /// How it ended; `None` after a crash and while it goes on.
    pub verdict: Option<Verdict>,
}

/// The figures of a stage.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Planned time.
    pub planned: Option<SignedDuration>,
    /// When it first began; `None` when it did not.
    pub started: Option<Timestamp>,
    /// When it was done with all its hosts; while it is not, when the run ended or now.
    pub ended: Timestamp,
    /// Whether it is done with all its hosts.
    pub is_over: bool,
    /// Time within it between a session and the next.
    pub stopped: SignedDuration,
    /// What was left of the run's window when it was over; negative when the window had closed.
    pub slack: Option<SignedDuration>,
    /// The pace that was wanted last.
    pub pace: Option<Pace>,
    /// Hosts started an hour between the first and the last start, without the time stopped.
    pub achieved: Option<f64>,
    /// How often a host was started.
    pub starts: u32,
    /// Hosts under way at once, as wanted last.
    pub fan_out: u32,
    /// Half of the hosts that came through took no longer.
    pub p50: Option<SignedDuration>,
    /// 19 of 20 hosts that came through took no longer.
    pub p95: Option<SignedDuration>,
    /// Its steps, in order, and what put hosts back after them.
    pub steps: Vec<Step>,
    /// Its hosts, in the plan's order.
    pub hosts: Vec<Visit>,
}

/// The figures of a step over all hosts.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its title.
    pub title: String,
    /// How often it was tried.
    pub tries: u32,
    /// Tries that did not come through.
    pub failed: u32,
    /// Half of the tries that came through took no longer.
    pub p50: Option<SignedDuration>,
    /// 19 of 20 tries that came through took no longer.
    pub p95: Option<SignedDuration>,
}

/// What a stage did on one host.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The host's id.
    pub host: usize,
    /// What it came to.
    pub fate: Fate,
    /// From when to when the stage had it in hand, once for each time it was taken up.
    pub spans: Vec<(Timestamp, Option<Timestamp>)>,
    /// How long that was; `None` when it was not taken up.
    pub took: Option<SignedDuration>,
    /// Every try of every unit, in order.
    pub tries: Vec<Try>,
    /// Things changed.
    pub changes: u32,
    /// Tries beyond the first of a step.
    pub retries: u32,
    /// The unit that cut it short.
    pub failed_at: Option<Slot>,
    /// Whether it could not be put back into service.
    pub is_stuck: bool,
}

/// One try of a unit.
#[derive(Debug, Clone)]
pub struct Try {
    /// Which action.
    pub slot: Slot,
    /// When it started.
    pub started: Timestamp,
    /// When it ended; `None` while it goes on.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Things changed.
    pub changes: u32,
    /// What a person should know.
    pub note: Option<String>,
}

/// What a planned host came to, over all stages.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// What it came to.
    pub fate: Fate,
    /// Why, where it did not come through.
    pub cause: Cause,
    /// Tries of the step that cut it short.
    pub tries: u32,
    /// How long stages had it in hand.
    pub took: SignedDuration,
    /// Things changed.
    pub changes: u32,
    /// Tries beyond the first of a step.
    pub retries: u32,
}

/// Why a host did not come through; hosts with the same cause are shown as one.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cause {
    /// The stage.
    pub stage: Option<String>,
    /// The step.
    pub step: Option<String>,
    /// What a person should know.
    pub note: Option<String>,
    /// Whether the host could not be put back into service.
    pub is_stuck: bool,
}

/// Hosts that came to the same for the same cause.
#[derive(Debug)]
pub struct Group<'a> {
    /// What they came to.
    pub fate: Fate,
    /// Why.
    pub cause: &'a Cause,
    /// The hosts.
    pub hosts: Vec<&'a Host>,
}

/// What a person told the run.
#[derive(Debug, Clone)]
pub struct Order {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Person,
    /// What.
    pub command: Command,
    /// When a hold was over.
    pub until: Option<Timestamp>,
    /// The step that was waiting, for a gate.
    pub gate: Option<String>,
}

/// The run of the same pipeline before this one.
#[derive(Debug, Clone)]
pub struct Previous {
    /// Its id.
    pub run: String,
    /// Where it stands.
    pub standing: Standing,
    /// How long it took.
    pub took: SignedDuration,
    /// Its stages that this run has too: name, actual time, and the p50 of a host.
    pub stages: Vec<Then>,
}

/// A stage in the previous run.
#[derive(Debug, Clone)]
pub struct Then {
    /// Its name.
    pub name: String,
    /// Actual time.
    pub actual: Option<SignedDuration>,
    /// Whether it was done with all its hosts.
    pub is_over: bool,
    /// Half of the hosts that came through took no longer.
    pub p50: Option<SignedDuration>,
}
