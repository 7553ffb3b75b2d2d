//! A plan: the full expansion of a pipeline over an inventory, before anything runs.
//!
//! What a run does is in here and nowhere else: execution makes no choice that the plan did not name.

use std::fmt;

use indexmap::IndexMap;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::model::hash::{File, Hash};
use crate::model::inventory::{Login, Ssh, Transport};
use crate::model::outline::{self, Outline};
use crate::model::probe::Probe;
use crate::model::{Address, Backup, Budget, Pace, Slot, Takes, UnitKey};

/// Everything a run will do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// The pipeline's name.
    pub pipeline: String,
    /// One sentence on what it does.
    pub summary: Option<String>,
    /// SHA-256, in hexadecimal, of what a run of it would do; the window and expected times do not count.
    pub digest: String,
    /// What tells pipeline and formulas from all others, on whatever hosts.
    #[serde(default)]
    pub content: String,
    /// The file the pipeline was read from.
    pub pipeline_file: String,
    /// The file the inventory was read from; empty when there was none.
    pub inventory_file: String,
    /// The run that it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// When the run may work on hosts.
    pub window: Window,
    /// Time kept back for undoing the whole run.
    pub reserve: SignedDuration,
    /// Failures that the run stops at.
    pub budget: Budget<u32>,
    /// How connections are opened.
    pub ssh: Ssh,
    /// Every host that any stage or step names, in inventory order; a host's id is its place here.
    pub hosts: Vec<Host>,
    /// The stages, in order.
    pub stages: Vec<Stage>,
    /// What is measured while it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<Probe>,
}

/// When a run may work on hosts, as the pipeline says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The run is refused before this: a time of day or a moment.
    pub opens: Option<String>,
    /// Everything is over by this: a time of day or a moment.
    pub closes: Option<String>,
    /// Everything is over this long after the start or a resume.
    pub length: Option<SignedDuration>,
}

/// A planned host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Where it is reached.
    pub address: String,
    /// How it is reached.
    pub transport: Transport,
    /// How upshift logs in to it, when it is reached over SSH.
    pub login: Login,
    /// Whether a simulated host answers.
    pub answers: bool,
}

/// A planned stage.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// One sentence on what it does.
    pub summary: Option<String>,
    /// What users of the cloud notice.
    pub impact: Option<String>,
    /// Planned time for the whole stage.
    pub window: Option<SignedDuration>,
    /// Hosts that may start in any hour.
    pub pace: Option<Pace>,
    /// Hosts under way at once.
    pub fan_out: u32,
    /// Sizes of the first waves, in hosts.
    pub canary: Vec<u32>,
    /// How long a host that is done holds its place before it counts.
    pub settle: SignedDuration,
    /// The attribute of which no two hosts under way share a value.
    pub spread: Option<String>,
    /// Failures that the stage stops at.
    pub budget: Budget<u32>,
    /// Whether the run is taken back once it has failed here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rollback: bool,
    /// Its hosts as ids, in the order in which they start.
    pub hosts: Vec<u32>,
    /// For each host, which spread domain it is in; empty without `spread`.
    pub domains: Domains,
    /// Its steps, in order.
    pub steps: Vec<Step>,
}

/// For each host of a stage, the number of its spread domain. How many there are is counted once, as
/// every decision asks for it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<u32>", into = "Vec<u32>")]
pub struct Domains {
    of: Vec<u32>,
    count: usize,
}

impl Domains {
    /// How many domains there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }
}

impl std::ops::Deref for Domains {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        &self.of
    }
}

impl From<Vec<u32>> for Domains {
    fn from(of: Vec<u32>) -> Self {
        Self { count: of.iter().max().map_or(0, |last| *last as usize + 1), of }
    }
}

impl From<Domains> for Vec<u32> {
    fn from(domains: Domains) -> Self {
        domains.of
    }
}

impl FromIterator<u32> for Domains {
    fn from_iter<I: IntoIterator<Item = u32>>(of: I) -> Self {
        Vec::from_iter(of).into()
    }
}

/// A planned step, over all hosts of its stage.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    /// What the screen calls it.
    pub title: String,
    /// After this long it is ended and has timed out.
    pub timeout: SignedDuration,
    /// Further tries after one that did not come through.
    pub retries: u16,
    /// Time before the second try; doubles with every further one.
    pub retry_delay: SignedDuration,
    /// Whether a step that was cut off is tried again.
    pub retry_interrupted: bool,
    /// How long it is expected to take, by what was measured or declared.
    pub expected: Expected,
    /// How long putting a host back after it is expected to take at most; zero without `always`.
    pub put_back: SignedDuration,
    /// How long taking it back on one host is expected to take.
    #[serde(default = "Expected::unknown", skip_serializing_if = "Expected::is_unknown")]
    pub undo: Expected,
    /// How long it takes, as a person declared it.
    pub takes: Option<Takes>,
    /// The share of tries that fails on a simulated host and in a forecast.
    pub failure_rate: f64,
    /// Whether nothing takes it back: the point of no return.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_return: bool,
    /// What it does on each host, in the order of the stage's hosts.
    pub units: Vec<Unit>,
}

/// How long a step is expected to take on one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// Half of all tries are over by this.
    pub p50: SignedDuration,
    /// 19 of 20 tries are over by this.
    pub p95: SignedDuration,
    /// Where the figures come from.
    pub source: Source,
}

impl Expected {
    /// Nothing was learned yet.
    pub const UNKNOWN: Self = Self { p50: SignedDuration::ZERO, p95: SignedDuration::ZERO, source: Source::Timeout };

    fn unknown() -> Self {
        Self::UNKNOWN
    }

    fn is_unknown(&self) -> bool {
        *self == Self::UNKNOWN
    }

    /// This and then another; what is known of both is as sure as the worse of them.
    #[must_use]
    pub fn and_then(self, other: Self) -> Self {
        Self {
            p50: self.p50.saturating_add(other.p50),
            p95: self.p95.saturating_add(other.p95),
            source: self.source.max(other.source),
        }
    }
}

/// Where an expected time comes from, the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Earlier runs of the same pipeline, or the run that is taken back.
    Measured,
    /// The pipeline's `takes`.
    Declared,
    /// Nothing is known but the step's timeout, which bounds it.
    Timeout,
    /// A person decides how long it takes; no time is planned for it.
    Person,
}

/// What a step does on one host.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Unit {
    /// The id of the host it is carried out on.
    pub on: u32,
    /// What is done.
    pub action: Action,
    /// A command that, when it succeeds, says that the action is not needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless: Option<String>,
    /// Environment variables for its commands.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub env: IndexMap<String, String>,
    /// What takes it back, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undo: Vec<Undo>,
    /// The command that puts the host back into service, whatever happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub always: Option<String>,
}

/// A part of what takes a step back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Undo {
    /// What is done.
    pub action: Action,
    /// After this long it is ended and has timed out; `None` is the time that the step has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<SignedDuration>,
}

/// What is done, with every template filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Action {
    /// Runs a command with `sh`.
    Run {
        /// The command.
        command: String,
        /// A regular expression that the output has to match.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<String>,
    },
    /// Waits until something is true.
    Wait {
        /// What is waited for.
        what: Wait,
        /// Time between two looks.
        every: SignedDuration,
    },
    /// Brings a git repository to a commit.
    Pull {
        /// The repository's address.
        repo: Address,
        /// What the person asked for: a branch, tag or commit.
        rev: String,
        /// The commit that `rev` named when the plan was made.
        commit: String,
        /// The folder it goes into.
        into: String,
    },
    /// Waits for a person.
    Gate {
        /// What the person is asked.
        question: String,
    },
    /// Makes the host what formulas say.
    Apply(Box<Apply>),
    /// Compiles what later steps apply on the host, which gets the formulas for it.
    Install(Box<Install>),
    /// Keeps what the host has now.
    Backup(Box<Backup>),
    /// Puts back what a backup has.
    Restore(Box<Backup>),
    /// Loads the copy of a backup into a scratch server. No step is planned to: it belongs to the backup.
    Try(Box<Backup>),
    /// Restarts the host.
    Reboot,
}

/// What tells formulas from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Formulas {
    /// The list of their files.
    pub files: File,
    /// The pillar tree.
    pub tree: Option<Hash>,
}

/// What an `apply` step applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apply {
    /// The SLS by name; none for those that `top.sls` gives the host.
    pub sls: Vec<String>,
    /// The list of the formula files, by its content.
    pub formulas: File,
    /// What tells the pillar tree from all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<Hash>,
    /// Pillar of this step alone, over that of the tree.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub pillar: serde_json::Map<String, serde_json::Value>,
    /// Whether nothing may be changed: Salt's `test=True`.
    #[serde(default)]
    pub preview: bool,
    /// Whether the formulas were written for Python 2.
    #[serde(default)]
    pub python2: bool,
    /// What compiles and applies them.
    #[serde(default)]
    pub engine: Engine,
}

/// A formula that an `install` step brings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Install {
    /// Its name.
    pub formula: String,
    /// Where it comes from.
    pub from: Origin,
    /// The list of all formula files, by its content.
    pub formulas: File,
    /// What later steps of the run, and those that take them back, apply on the host.
    pub applies: Vec<Apply>,
}

/// Where formulas come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A git repository at a commit.
    Git {
        /// Its address.
        repo: Address,
        /// What was asked for.
        rev: String,
        /// What that was when the plan was made.
        commit: String,
    },
    /// A folder of the machine upshift runs on.
    Folder(String),
    /// A Debian package there.
    Package(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Git { repo, rev, commit } => {
                write!(f, "{repo} {rev} (commit {})", commit.get(..12).unwrap_or(commit))
            }
            Self::Folder(folder) => write!(f, "folder {folder}"),
            Self::Package(package) => write!(f, "package {package}"),
        }
    }
}

/// What compiles formulas and applies them on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Engine {
    /// upshift itself.
    #[default]
    Upshift,
    /// Salt, which the host has to have: for formulas with Python modules of their own.
    Salt,
}

/// What a `wait` step waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wait {
    /// A command that succeeds, with output that matches.
    Run {
        /// The command.
        command: String,
        /// A regular expression for the output.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<String>,
    },
    /// An address, `host:port`, that accepts a TCP connection.
    Tcp(String),
    /// A URL that answers with a status below 400.
    Http(String),
    /// A path that exists.
    File(String),
    /// A systemd unit that is active.
    Unit(String),
}

impl Plan {
    /// What the journal has to know of the plan to be read on its own.
    #[must_use]
    pub fn outline(&self) -> Outline {
        let stages = self.stages.iter().map(|stage| outline::Stage {
            name: stage.name.clone(),
            window: stage.window,
            pace: stage.pace,
            fan_out: stage.fan_out,
            hosts: stage.hosts.clone(),
            steps: stage.steps.iter().map(|step| step.title.clone()).collect(),
        });
        Outline {
            pipeline: self.pipeline.clone(),
            digest: self.digest.clone(),
            simulated: self.is_simulated(),
            hosts: self.hosts.iter().map(|host| host.name.clone()).collect(),
            stages: stages.collect(),
            probes: self.probes.iter().map(outline::Probe::of).collect(),
        }
    }

    /// Whether no host of this plan is real, so that its time need not be either.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        self.hosts.iter().all(|host| host.transport == Transport::Simulated)
    }

    /// Whether any step takes formulas.
    #[must_use]
    pub fn applies(&self) -> bool {
        let units = self.stages.iter().flat_map(|stage| &stage.steps).flat_map(|step| &step.units);
        units.into_iter().any(|unit| matches!(unit.action, Action::Apply(_) | Action::Install(_)))
    }

    /// The planned unit that a key names.
    #[must_use]
    pub fn unit(&self, key: UnitKey) -> &Unit {
        &self.step(key).units[key.host as usize]
    }

    /// The planned step that a key names.
    #[must_use]
    pub fn step(&self, key: UnitKey) -> &Step {
        &self.stages[usize::from(key.stage)].steps[key.slot.step()]
    }

    /// The host that a key names.
    #[must_use]
    pub fn host(&self, key: UnitKey) -> &Host {
        &self.hosts[self.stages[usize::from(key.stage)].hosts[key.host as usize] as usize]
    }

    /// The title of what a key names, as the screen shows it.
    #[must_use]
    pub fn title(&self, key: UnitKey) -> String {
        let title = &self.step(key).title;
        match key.slot {
            Slot::Step(_) => title.clone(),
            Slot::Always(_) => format!("put back: {title}"),
        }
    }
}

impl Step {
    /// How many parts its undo has, on the host where it has most.
    #[must_use]
    pub fn undo_parts(&self) -> usize {
        self.units.iter().map(|unit| unit.undo.len()).max().unwrap_or_default()
    }

    /// What a part of its undo, counted from zero, is called in a rollback.
    #[must_use]
    pub fn undo_title(&self, part: usize) -> String {
        match self.undo_parts() {
            parts @ 2.. => format!("undo {} ({} of {parts})", self.title, part + 1),
            _ => undo_title(&self.title),
        }
    }
}

/// What the undo of a step is called in a rollback, when it has one part.
#[must_use]
pub fn undo_title(step: &str) -> String {
    format!("undo {step}")
}

impl Unit {
    /// Whether what it kept is put back when it is taken back.
    #[must_use]
    pub fn is_undone_by_restore(&self) -> bool {
        self.undo.iter().any(|undo| matches!(undo.action, Action::Restore(_)))
    }
}

impl Stage {
    /// The time one host needs, by 19 of 20 tries, and the time undoing it needs.
    #[must_use]
    pub fn host_time(&self, host: u32) -> (SignedDuration, SignedDuration) {
        let (mut forward, mut undo) = (self.settle, SignedDuration::ZERO);
        for step in &self.steps {
            let unit = &step.units[host as usize];
            forward = forward.saturating_add(step.expected.p95);
            if unit.always.is_some() {
                forward = forward.saturating_add(step.put_back);
            }
            if !unit.undo.is_empty() {
                undo = undo.saturating_add(step.undo.p95);
            }
        }
        (forward, undo)
    }
}
