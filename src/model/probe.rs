//! Probes: measurements of workloads while a run goes on, and what they found.
//!
//! Lengths of gaps are real time, however fast the run's own clock goes.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::pattern;
use crate::model::span::short;

/// The most commands that the probes of a run may have: each is run once at a time, several times a minute.
pub const MOST_COMMANDS: usize = 64;

/// The most targets that the probes of a run may have.
pub const MOST_TARGETS: usize = 20_000;

/// A planned probe, with every target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Its name, unique in the pipeline.
    pub name: String,
    /// Time between two looks at one target.
    pub every: SignedDuration,
    /// How long a target may be silent.
    pub max_gap: SignedDuration,
    /// What the run does when one is silent for longer.
    pub on_breach: OnBreach,
    /// What is measured; no name is there twice.
    pub targets: Vec<Target>,
}

/// One thing that is measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// What people call it.
    pub name: String,
    /// How it is looked at.
    #[serde(flatten)]
    pub look: Look,
}

/// How a target is looked at. A look that is answered says that the target was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "look", rename_all = "kebab-case")]
pub enum Look {
    /// An ICMP echo, answered by an echo reply.
    Icmp {
        /// A name or address.
        host: String,
    },
    /// A TCP connection, answered when it is accepted.
    Tcp {
        /// A name or address.
        host: String,
        /// The port.
        port: u16,
    },
    /// An HTTP GET, answered by a status below 400.
    Http {
        /// The URL as a person wrote it.
        url: String,
        /// The name or address that is connected to.
        host: String,
    },
    /// A command on the machine upshift runs on, answered when it succeeds.
    Run {
        /// The command.
        command: String,
    },
}

impl Look {
    /// The word that a pipeline has for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Icmp { .. } => "icmp",
            Self::Tcp { .. } => "tcp",
            Self::Http { .. } => "http",
            Self::Run { .. } => "run",
        }
    }
}

/// What a run does when a target is silent for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnBreach {
    /// Nothing new starts until a person releases the run.
    #[default]
    Hold,
    /// What is under way ends, then the run stops.
    Stop,
    /// What is under way ends, then the run is taken back.
    Rollback,
    /// It is written down, and nothing else.
    Note,
}

impl OnBreach {
    /// The word that a pipeline has for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Stop => "stop",
            Self::Rollback => "rollback",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for OnBreach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A step that was under way, and on which hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnderWay {
    /// The stage.
    pub stage: String,
    /// The step's title.
    pub step: String,
    /// Its hosts, folded.
    pub hosts: String,
}

/// What was under way, in a few words: `under way was cmp[003-004] (upgrade)`.
#[must_use]
pub fn during(under_way: &[UnderWay]) -> String {
    let parts: Vec<_> = under_way.iter().map(|step| format!("{} ({})", step.hosts, step.step)).collect();
    if parts.is_empty() { "nothing was under way".into() } else { format!("under way was {}", parts.join(", ")) }
}

/// Names of targets in a few words: folded, and counted where that is still too long.
#[must_use]
pub fn some(targets: &[impl AsRef<str>]) -> String {
    let folded = pattern::fold(targets.iter().map(AsRef::as_ref));
    match targets {
        [one] => one.as_ref().to_owned(),
        _ if folded.chars().count() <= 60 => folded,
        [first, rest @ ..] => format!("{} and {} more", first.as_ref(), rest.len()),
        [] => folded,
    }
}

/// How a probe stands at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The probe.
    pub probe: String,
    /// How many targets it has.
    pub targets: usize,
    /// How many of them are silent.
    pub silent: usize,
    /// Those that are silent for longest, the worst first.
    pub worst: Vec<Silence>,
}

impl Standing {
    /// Which targets are silent, in a few words; nothing when all answer.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        let worst = self.worst.iter().map(|silence| format!("{} {}", silence.target, short(silence.since)));
        let worst: Vec<_> = worst.take(3).collect();
        let more = if self.silent > worst.len() { ", …" } else { "" };
        (self.silent > 0).then(|| {
            format!("probe {}: {} of {} silent, {}{more}", self.probe, self.silent, self.targets, worst.join(", "))
        })
    }

    /// Whether a target is silent for longer than it may be.
    #[must_use]
    pub fn is_breached(&self) -> bool {
        self.worst.iter().any(|silence| silence.breach)
    }
}

/// A target that is silent now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// The target.
    pub target: String,
    /// For how long.
    pub since: SignedDuration,
    /// Whether that is longer than it may be.
    pub breach: bool,
}

/// One line of what a probe measured, in `probes/<name>.jsonl` of a run's folder. Times are real.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Line {
    /// A session began to measure.
    Began {
        /// When.
        at: Timestamp,
    },
    /// A target did not answer for a while.
    Gap {
        /// The target.
        target: String,
        /// Its last answer before.
        from: Timestamp,
        /// Its first answer afterwards, or when nothing more is known of it.
        to: Timestamp,
        /// Whether it answered again; if not, the session ended, or upshift itself stood still.
        answered: bool,
        /// Whether it was longer than it may be.
        breach: bool,
        /// What was under way when it began.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        under_way: Vec<UnderWay>,
    },
    /// upshift itself stood still: nothing is known of any target.
    NotMeasured {
        /// Since when.
        from: Timestamp,
        /// Until when.
        to: Timestamp,
    },
    /// Everything up to here was measured.
    Measured {
        /// Up to when.
        until: Timestamp,
        /// Looks of this session so far.
        looks: u64,
        /// Answers of this session so far.
        answers: u64,
    },
}
