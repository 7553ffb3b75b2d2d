//! A pipeline as a person wrote it, checked, before any host is known.

use camino::Utf8PathBuf;
use indexmap::IndexMap;
use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp};

use crate::model::plan::Engine;
use crate::model::probe::OnBreach;
use crate::model::{Amount, Backup, Budget, Pace, Place, Takes, Text};

/// Hosts that are asked at once for what would change on them.
const PREVIEWS: Amount = Amount::Count(100);

/// A pipeline: what happens, stage after stage.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// The file, as the person named it.
    pub file: String,
    /// Its name; runs are named after it.
    pub name: String,
    /// One sentence on what it does.
    pub summary: Option<String>,
    /// When a run may work on hosts.
    pub window: Window,
    /// Time that undoing the whole run needs; no host starts that would eat into it.
    pub reserve: SignedDuration,
    /// Failures that the run as a whole stops at.
    pub budget: Budget,
    /// Whether the run is taken back once it has failed.
    pub rollback: bool,
    /// Where it has to have been done before.
    pub requires: Option<Requires>,
    /// Who is told of its runs.
    pub notify: Notify,
    /// Where its formulas are.
    pub formulas: Formulas,
    /// Variables for templates.
    pub vars: IndexMap<String, serde_json::Value>,
    /// Its stages, in order.
    pub stages: Vec<Stage>,
    /// What is measured while it runs.
    pub probes: Vec<Probe>,
}

/// A measurement of workloads while a run goes on.
#[derive(Debug, Clone)]
pub struct Probe {
    /// Its name, unique in the pipeline.
    pub name: String,
    /// What is looked at, and how, in the order of the kinds and of the file.
    pub targets: Vec<(Look, Text)>,
    /// Time between two looks at one target.
    pub every: SignedDuration,
    /// How long a target may be silent.
    pub max_gap: SignedDuration,
    /// What the run does when one is silent for longer.
    pub on_breach: OnBreach,
    /// Where it stands.
    pub place: Place,
}

/// How a probe looks at its targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// An ICMP echo: a selector, or a pattern of names or addresses.
    Icmp,
    /// A TCP connection: the same, and a port.
    Tcp,
    /// An HTTP GET: a URL, whose host may be a pattern too.
    Http,
    /// A command on the machine upshift runs on.
    Run,
}

impl Pipeline {
    /// The same with nothing left but its `apply` steps, which say what they would change and change nothing.
    #[must_use]
    pub fn preview(self) -> Self {
        let stages = self.stages.into_iter().map(Stage::preview).filter(|stage| !stage.steps.is_empty()).collect();
        let name = format!("{}-preview", self.name);
        Self {
            name,
            window: Window::default(),
            reserve: SignedDuration::ZERO,
            budget: Budget::default(),
            requires: None,
            notify: Notify::default(),
            stages,
            ..self
        }
    }
}

impl Stage {
    fn preview(self) -> Self {
        let steps = self.steps.into_iter().filter_map(Step::preview).collect();
        let cascade = Cascade {
            pace: None,
            fan_out: PREVIEWS,
            canary: Vec::new(),
            settle: SignedDuration::ZERO,
            spread: None,
            ..self.cascade
        };
        Self { window: None, cascade, budget: Budget::default(), steps, ..self }
    }
}

impl Step {
    /// Whether it brings a formula.
    #[must_use]
    pub fn installs(&self) -> bool {
        matches!(self.kind, StepKind::Install(_))
    }

    fn preview(self) -> Option<Self> {
        let StepKind::Apply { sls, pillar, .. } = self.kind else { return None };
        let kind = StepKind::Apply { sls, pillar, preview: true };
        Some(Self { kind, retries: 0, undo: Undo::Nothing, always: None, on_interrupt: OnInterrupt::Retry, ..self })
    }
}

/// Who is told what happens to a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notify {
    /// A command that gets it to read.
    pub command: Option<String>,
    /// An address that it is posted to.
    pub webhook: Option<String>,
    /// What of.
    pub on: Vec<Occasion>,
}

/// Something that others are told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// The run began, or goes on.
    Started,
    /// The run is held.
    Held,
    /// A workload is silent for longer than it may be.
    Breach,
    /// The run ended.
    Finished,
}

impl Occasion {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Started, Self::Held, Self::Breach, Self::Finished];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Held => "held",
            Self::Breach => "breach",
            Self::Finished => "finished",
        }
    }
}

/// The rehearsal without which a pipeline is not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requires {
    /// The inventory that it has to have been done on.
    pub inventory: Utf8PathBuf,
    /// How long ago at most.
    pub within: SignedDuration,
}

/// Where formulas and pillar are found, in folders of the project.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Formulas {
    /// The file roots; the first that has a file wins.
    pub roots: Vec<Utf8PathBuf>,
    /// The pillar tree, with its `top.sls`.
    pub pillar: Vec<Utf8PathBuf>,
    /// Which of the pillar's values nobody may see: patterns for paths such as `mysql:*:password`.
    pub secret: Vec<String>,
    /// Whether the formulas were written for Python 2.
    pub python2: bool,
}

/// When a run may work on hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// The run is refused before this.
    pub opens: Option<Edge>,
    /// Everything, undoing included, is over by this.
    pub closes: Option<Edge>,
    /// Everything, undoing included, is over this long after the run was started or resumed.
    pub length: Option<SignedDuration>,
}

/// One end of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// A time of day, in the time zone of the machine upshift runs on.
    Daily(Time),
    /// A moment.
    At(Timestamp),
}

/// A phase over hosts.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Its name, unique in the pipeline.
    pub name: String,
    /// One sentence on what it does.
    pub summary: Option<String>,
    /// What users of the cloud notice.
    pub impact: Option<String>,
    /// Which hosts; `None` is the machine upshift runs on.
    pub hosts: Option<Text>,
    /// Planned time for the whole stage.
    pub window: Option<SignedDuration>,
    /// How it rolls over its hosts.
    pub cascade: Cascade,
    /// Failures that the stage stops at.
    pub budget: Budget,
    /// Whether the run is taken back once it has failed here; `None` is what the pipeline says.
    pub rollback: Option<bool>,
    /// What applies formulas on its hosts.
    pub engine: Engine,
    /// Its steps, in order.
    pub steps: Vec<Step>,
    /// Where it stands.
    pub place: Place,
}

/// How a stage rolls over its hosts.
#[derive(Debug, Clone, PartialEq)]
pub struct Cascade {
    /// Hosts that may start in any hour, counted from the journal, so that a crash and a resume do
    /// not start the hour anew. `None` is no limit.
    pub pace: Option<Pace>,
    /// Hosts under way at once.
    pub fan_out: Amount,
    /// Sizes of the first waves; each ends, without a failure, before the next one starts.
    pub canary: Vec<Amount>,
    /// How long a host that is done is watched, holding its place, before it counts.
    pub settle: SignedDuration,
    /// The attribute of which no two hosts under way share a value, such as `rack`.
    pub spread: Option<(String, Place)>,
    /// Which hosts come first.
    pub order: Order,
}

/// Which hosts of a stage come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// As the inventory lists them.
    #[default]
    Inventory,
    /// The other way round.
    Reverse,
    /// By name, numbers as numbers.
    Name,
    /// Mixed, the same way in every plan of the same hosts.
    Shuffled,
}

/// One action on one host.
#[derive(Debug, Clone)]
pub struct Step {
    /// What the screen calls it.
    pub name: Option<String>,
    /// What it does.
    pub kind: StepKind,
    /// The one host it is carried out on, when that is not the stage's host.
    pub on: Option<Text>,
    /// After this long it is ended and has timed out.
    pub timeout: Option<SignedDuration>,
    /// Further tries after one that failed, timed out or found the host unreachable.
    pub retries: u16,
    /// Time before the second try; doubles with every further one, up to five minutes.
    pub retry_delay: SignedDuration,
    /// A command that, when it succeeds, says that the step is not needed.
    pub unless: Option<Text>,
    /// Environment variables for its commands.
    pub env: IndexMap<String, Text>,
    /// What takes it back.
    pub undo: Undo,
    /// The command that puts the host back into service, for every touched host, whatever happened.
    pub always: Option<Text>,
    /// What to do when it was cut off and nobody knows how far it came.
    pub on_interrupt: OnInterrupt,
    /// How long it takes, as a person declared it.
    pub takes: Option<Takes>,
    /// The share of tries that fails on a simulated host and in a forecast, from 0 to 1.
    pub failure_rate: f64,
    /// Where it stands.
    pub place: Place,
}

/// What takes a step back.
#[derive(Debug, Clone, Default)]
pub enum Undo {
    /// There is nothing to take back.
    #[default]
    Nothing,
    /// Nothing can: it is the point of no return.
    Never,
    /// These, in this order: each with the time after which it is ended, unless that is the step's.
    Steps(Vec<(StepKind, Option<SignedDuration>)>),
}

impl Undo {
    /// What it does, one after the other.
    pub fn kinds(&self) -> impl Iterator<Item = &StepKind> {
        let steps = if let Self::Steps(steps) = self { steps.as_slice() } else { &[] };
        steps.iter().map(|(kind, _)| kind)
    }
}

/// What becomes of a step that was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnInterrupt {
    /// The host has failed, and a person decides.
    #[default]
    Fail,
    /// The step is tried again; for steps that may safely run twice.
    Retry,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum StepKind {
    /// Runs a command with `sh`.
    Run {
        /// The command.
        command: Text,
        /// A regular expression that the output has to match; without one, exit code 0 is enough.
        until: Option<Text>,
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
        repo: Text,
        /// A branch, tag or commit.
        rev: Text,
        /// The folder it goes into.
        into: Text,
    },
    /// Compiles a formula for every host that it will be applied on, and sends it ahead.
    Install(Install),
    /// Waits for a person.
    Gate {
        /// What the person is asked.
        question: Text,
    },
    /// Makes the host what formulas say.
    Apply {
        /// The SLS by name; none for those that `top.sls` gives the host.
        sls: Vec<Text>,
        /// Pillar of this step alone.
        pillar: serde_json::Map<String, serde_json::Value>,
        /// Whether nothing may be changed.
        preview: bool,
    },
    /// Keeps what the host has now.
    Backup(Backup<Text>),
    /// Puts back what a backup has.
    Restore(Backup<Text>),
    /// Restarts the host.
    Reboot,
}

/// A formula and where it comes from. It is read when the plan is made.
#[derive(Debug, Clone)]
pub struct Install {
    /// Its name: the folder of its SLS.
    pub formula: String,
    /// Where it comes from.
    pub from: Origin,
    /// Where the step says so.
    pub place: Place,
}

/// Where formulas come from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A git repository.
    Git {
        /// Its address.
        repo: String,
        /// A branch, tag or commit.
        rev: String,
    },
    /// A folder of this machine.
    Folder(Utf8PathBuf),
    /// A Debian package that is installed here, or a `.deb` file.
    Package(String),
}

/// What a `wait` step waits for.
#[derive(Debug, Clone)]
pub enum Wait {
    /// A command that succeeds, with output that matches.
    Run {
        /// The command.
        command: Text,
        /// A regular expression for the output; without one, exit code 0 is enough.
        until: Option<Text>,
    },
    /// An address, `host:port`, that accepts a TCP connection.
    Tcp(Text),
    /// An `http://` or `https://` URL that answers with a status below 400.
    Http(Text),
    /// A path that exists.
    File(Text),
    /// A systemd unit that is active.
    Unit(Text),
}
