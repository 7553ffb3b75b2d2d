//! What a controller and an agent tell each other.
//!
//! The agent speaks first and says which format it speaks. Then the controller asks, as many things at
//! once as it likes: every question has a number, and every answer has the number of its question.
//! An order holds everything a step needs: an agent asks nobody while it works.

use std::fmt;

use camino::Utf8PathBuf;
use indexmap::IndexMap;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::agent::backup;
use crate::agent::files::{self, Found, Gap, Placed};
use crate::database::Manifest;
use crate::formula::Data;
use crate::formula::facts::{Call, Refusal};
use crate::model::Person;
use crate::model::plan::Action;
use crate::model::record::End;

/// The format of everything in here that this upshift writes and reads.
pub const FORMAT: u32 = 1;

/// What each line begins with that comes before the frames: a login shell may say things of its own.
pub const MARK: &str = "upshift-agent";

/// What an agent says first: a line of [`MARK`], `ready`, and this as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The format, [`FORMAT`].
    pub format: u32,
    /// The version of upshift.
    pub upshift: String,
}

/// A question and its number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// The number that its answers have.
    pub n: u64,
    /// What is asked.
    pub ask: Ask,
}

/// What a controller asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ask {
    /// How the host is: [`Tell::Vitals`].
    Vitals,
    /// What Salt would know of the host: [`Tell::Grains`].
    Grains {
        /// The host's name in the inventory.
        id: String,
    },
    /// What a function that only looks gives here: [`Tell::Fact`].
    Fact(Call),
    /// That the host works for one run alone from now on: [`Tell::Done`] or [`Tell::Held`].
    Claim(Claim),
    /// Start a step or attach to it: any number of [`Tell::Output`], then [`Tell::Ended`]. What is private
    /// of the order comes as bytes.
    Execute {
        /// The step.
        order: Box<Order>,
        /// The place in its output to read on from.
        from: u64,
    },
    /// End a step now: [`Tell::Done`]. Its end still comes, as that of any other.
    Abort {
        /// The step's id.
        id: String,
    },
    /// That the end of a step is on record, and nobody will ask for it again: [`Tell::Done`].
    Forget {
        /// The step's id.
        id: String,
    },
    /// That a run has ended, and its steps can be cleared away: [`Tell::Done`].
    Release {
        /// What it is called here, [`Claim::id`].
        run: String,
    },
    /// Take away what holds the host: [`Tell::Held`] says what that was, [`Tell::Done`] that nothing did.
    Unlock {
        /// Also when the run that holds it is connected, or has a step under way.
        force: bool,
    },
    /// Something about files.
    Files(files::Ask),
    /// Something about a backup.
    Backup(backup::Ask),
}

/// An answer and the number of its question.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The number of the question.
    pub n: u64,
    /// What is said.
    pub tell: Tell,
}

/// What an agent says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tell {
    /// It is done.
    Done,
    /// It could not be done, and why.
    Failed(String),
    /// How the host is.
    Vitals(Vitals),
    /// What Salt would know of the host.
    Grains(serde_json::Map<String, serde_json::Value>),
    /// What a function gave.
    Fact(Result<Data, Refusal>),
    /// Another run has the host.
    Held(Held),
    /// Output of a step; the bytes come with it.
    Output {
        /// The place in the output to read on from.
        next: u64,
    },
    /// A step ended. What became of its states comes with it: a JSON object a line.
    Ended(End),
    /// The contents that are not there.
    Missing(Vec<Gap>),
    /// How each thing at a path differs from what is wanted.
    Found(Vec<Found>),
    /// What became of each thing at a path.
    Placed(Vec<Placed>),
    /// What a backup says of itself that is whole.
    Backup(Box<Manifest>),
    /// Some bytes of a backup; they come with it.
    Piece,
    /// So many bytes of a copy are there.
    Arrived(u64),
}

/// How a host is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vitals {
    /// The id of this boot.
    pub boot: String,
    /// How long ago it booted.
    pub up: SignedDuration,
    /// Its time.
    pub now: Timestamp,
    /// Bytes that are free where upshift keeps its things.
    pub free: u64,
    /// Its kind of processor, as `uname -m` says it.
    pub machine: String,
}

/// Who has a host for a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The run.
    pub run: String,
    /// What tells it from runs of other projects that have the same id.
    pub key: String,
    /// Who started it.
    pub by: Person,
    /// The machine that upshift runs on.
    pub machine: String,
    /// The project's folder there.
    pub project: Utf8PathBuf,
    /// Since when.
    pub since: Timestamp,
    /// Whether it ends with the process that took it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fleeting: bool,
}

impl Claim {
    /// What the run is called on its hosts: the steps of no other run have ids that begin like this.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}-{}", self.run, self.key)
    }
}

/// What keeps a host from a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Who has it.
    pub claim: Claim,
    /// Whether that run is connected to the host now.
    pub connected: bool,
    /// How many of its steps are under way here.
    pub under_way: usize,
}

impl Held {
    /// What there is to do about it, where `unlock` is the command that takes the host away.
    #[must_use]
    pub fn way_out(&self, unlock: &str) -> String {
        let goes_on = if self.connected {
            "wait for its end".to_owned()
        } else {
            format!("`upshift resume {}` goes on with it where it was started", self.claim.run)
        };
        format!("{goes_on}; or, when it is given up for good, {unlock}")
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Claim { run, by, machine, project, since, .. } = &self.claim;
        let since = since.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M");
        write!(f, "run {run} in {machine}:{project} by {} has it since {since}; ", by.user)?;
        match (self.connected, self.under_way) {
            (true, _) => f.write_str("it is going on"),
            (false, 0) => f.write_str("it is not connected"),
            (false, 1) => f.write_str("it is not connected, and one of its steps is under way here"),
            (false, n) => write!(f, "it is not connected, and {n} of its steps are under way here"),
        }
    }
}

/// One step on one host, with everything needed to carry it out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// The format, [`FORMAT`]; an agent refuses any other.
    pub format: u32,
    /// Names the step, the host and the try within the run. The same id is carried out at most once.
    pub id: String,
    /// What is done.
    pub action: Action,
    /// For a pull, the repository's address with its secrets, which the action does not show. The order
    /// stands in a folder that only its owner can open, and goes when the run has ended.
    pub address: Option<String>,
    /// A command that, when it succeeds, says that the action is not needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless: Option<String>,
    /// Environment variables, added to those the agent was started with.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub env: IndexMap<String, String>,
    /// The time for everything together, `unless` included.
    pub timeout: SignedDuration,
    /// The commit that the previous run left a pulled repository at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The working folder: the project root, or on another machine the home of its user when it is empty.
    pub folder: Utf8PathBuf,
    /// A list of [`Private`] as JSON, one for each time that a step applies or compiles formulas. It goes from memory to memory, and never to a disk.
    #[serde(skip)]
    pub private: Vec<u8>,
}

/// What a step that applies formulas has to know and nobody else may.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Private {
    /// The host's name in the inventory.
    pub id: String,
    /// Its grains.
    pub grains: Data,
    /// Its pillar.
    pub pillar: Data,
    /// Minion options.
    pub options: Data,
    /// The values that nobody may see.
    pub secrets: Vec<String>,
}
