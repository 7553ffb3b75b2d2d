//! What a controller tells an agent.
//!
//! An order holds everything a step needs: an agent asks nobody while it works.

use camino::Utf8PathBuf;
use indexmap::IndexMap;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::model::plan::Action;

/// The format of [`Order`] that this upshift writes and reads.
pub const FORMAT: u32 = 1;

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
    /// The working folder: the project root.
    pub folder: Utf8PathBuf,
}
