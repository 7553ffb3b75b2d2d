//! Records: everything that can happen in a run, each kind once.
//!
//! A run is the fold of its records. What is not a record has not happened.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::probe::UnderWay;
use crate::model::{Outcome, Outline, Pace, UnitKey};

/// One thing that happened in a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// The run came into being. Always the first record, and only the first.
    Opened(Box<Opened>),
    /// A person continued the run. Hosts that failed are taken up again.
    Resumed {
        /// Who.
        by: Person,
        /// When the window closes now.
        closes: Option<Timestamp>,
    },
    /// Every planned host was contacted, before anything was started.
    Contacted {
        /// The hosts that did not answer.
        unreachable: Vec<Silent>,
    },
    /// A stage began.
    StageStarted {
        /// The stage.
        stage: u16,
    },
    /// A host was taken up by a stage; from here on it has to be put back.
    HostStarted {
        /// The stage.
        stage: u16,
        /// The host's place in the stage.
        host: u32,
    },
    /// A unit may now be carried out. On disk before anything is done.
    UnitStarted {
        /// The unit.
        unit: UnitKey,
        /// Which try, from one.
        attempt: u16,
    },
    /// A unit's try ended.
    UnitEnded {
        /// The unit.
        unit: UnitKey,
        /// Which try, from one.
        attempt: u16,
        /// How it ended.
        end: End,
        /// When the next try starts; `None` when there is none.
        retry_at: Option<Timestamp>,
    },
    /// A stage is done with a host.
    HostEnded {
        /// The stage.
        stage: u16,
        /// The host's place in the stage.
        host: u32,
        /// What it came to.
        state: Outcome,
    },
    /// A stage is done with all its hosts.
    StageEnded {
        /// The stage.
        stage: u16,
    },
    /// A person, or a signal, told the run something.
    Ordered {
        /// What.
        command: Command,
        /// Who.
        by: Person,
    },
    /// Targets of a probe have been silent for longer than they may.
    Breached(Box<Breached>),
    /// Targets that had been silent for too long answer again.
    Recovered {
        /// The probe.
        probe: u16,
        /// The targets, each with how long it was silent.
        targets: Vec<(u32, SignedDuration)>,
    },
    /// The run ended.
    Ended {
        /// How.
        verdict: Verdict,
    },
}

/// Targets that fell silent together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breached {
    /// The probe.
    pub probe: u16,
    /// The targets.
    pub targets: Vec<u32>,
    /// How long the first of them has been silent, in real time.
    pub silent: SignedDuration,
    /// What was under way when they fell silent.
    pub under_way: Vec<UnderWay>,
}

/// A host that did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silent {
    /// Its id.
    pub host: u32,
    /// Why, as far as that is known.
    pub why: String,
}

/// What the first record says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// The run's id, unique in its project.
    pub run: String,
    /// What tells the run from those of other projects that have the same id, on hosts that both know.
    #[serde(default)]
    pub key: String,
    /// The version of upshift.
    pub upshift: String,
    /// Who started it.
    pub by: Person,
    /// When the window closes.
    pub closes: Option<Timestamp>,
    /// How many times faster than real time the run's clock goes; `None` when a run without real
    /// hosts does not wait at all.
    pub time_scale: Option<f64>,
    /// The plan's shape.
    pub plan: Outline,
}

/// How a unit's try ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// The outcome.
    pub outcome: Outcome,
    /// How many things it changed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub changes: u32,
    /// What a person should know, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What a pull brought; boxed, as few ends have it and all are moved about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulled: Option<Box<Pulled>>,
    /// What a backup kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Box<Kept>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl End {
    /// An end with an outcome and nothing else to say.
    #[must_use]
    pub fn plain(outcome: Outcome) -> Self {
        Self { outcome, changes: u32::from(outcome == Outcome::Changed), note: None, pulled: None, kept: None }
    }

    /// How long taking back what was kept takes, as a restore test measured it.
    #[must_use]
    pub fn undo_takes(&self) -> Option<SignedDuration> {
        self.kept.as_ref()?.undo_takes
    }

    /// An end with a note.
    #[must_use]
    pub fn noted(outcome: Outcome, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..Self::plain(outcome) }
    }
}

/// What a backup kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Bytes of it on disk.
    pub size: u64,
    /// How long putting it back takes, as a restore test measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo_takes: Option<SignedDuration>,
}

/// What a pull brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pulled {
    /// The repository's address, without any password in it.
    pub repo: String,
    /// The folder it went into.
    pub into: String,
    /// The commit it is at now.
    pub commit: String,
    /// The commit that the previous run of this pipeline left it at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Commits that are new since then.
    pub commits: u32,
    /// Files that differ since then.
    pub files: u32,
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The user, as the system names it.
    pub user: String,
    /// The process.
    pub pid: u32,
    /// The terminal, or how else it came: `SIGTERM`, `no terminal`.
    pub from: String,
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {}, {})", self.user, self.pid, self.from)
    }
}

/// What a live run can be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Command {
    /// Start nothing new.
    Hold {
        /// Why, in the person's words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Go on after a hold.
    Release,
    /// Start hosts of the current stage at another pace.
    Pace {
        /// The new pace.
        pace: Pace,
    },
    /// Have more or fewer hosts of the current stage under way at once.
    FanOut {
        /// The new number.
        hosts: u32,
    },
    /// Leave these hosts out; one that is under way is put back after its step.
    Skip {
        /// Host names.
        hosts: Vec<String>,
    },
    /// End what is under way, then stop.
    Stop,
    /// End steps now, put touched hosts back, then stop.
    Abort,
    /// Pass the gate that is waiting.
    Pass,
    /// Refuse the gate that is waiting.
    Refuse,
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hold { reason: None } => f.write_str("hold"),
            Self::Hold { reason: Some(reason) } => write!(f, "hold: {reason}"),
            Self::Release => f.write_str("release"),
            Self::Pace { pace } => write!(f, "pace {pace}"),
            Self::FanOut { hosts } => write!(f, "fan-out {hosts}"),
            Self::Skip { hosts } => {
                write!(f, "skip {}", crate::model::pattern::fold(hosts.iter().map(String::as_str)))
            }
            Self::Stop => f.write_str("stop"),
            Self::Abort => f.write_str("abort"),
            Self::Pass => f.write_str("pass"),
            Self::Refuse => f.write_str("refuse"),
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every host of every stage came through, or was left out by a person.
    Done,
    /// A host failed.
    Failed,
    /// A person stopped it.
    Stopped,
    /// A person aborted it.
    Aborted,
    /// A gate was refused, or nobody was there to pass it.
    Gate,
    /// A host could not be put back into service.
    Stuck,
    /// A planned host did not answer before anything was started.
    Unreachable,
    /// The window is too short for another host.
    Window,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Aborted => "aborted",
            Self::Gate => "gate not passed",
            Self::Stuck => "stuck",
            Self::Unreachable => "unreachable",
            Self::Window => "window closed",
        })
    }
}

/// A record with when it happened and where it stands in the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Its number, from zero.
    pub n: u64,
    /// When it happened, by the run's clock.
    pub at: Timestamp,
    /// What happened.
    pub record: Record,
}

/// The time between two moments, never negative.
#[must_use]
pub fn between(start: Timestamp, end: Timestamp) -> SignedDuration {
    end.duration_since(start).max(SignedDuration::ZERO)
}
