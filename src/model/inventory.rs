//! The hosts a person has: names, groups, addresses, variables.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// The name of the one host that no inventory lists: the machine upshift runs on.
pub const CONTROLLER: &str = "controller";

/// How a host is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// On the machine upshift runs on.
    Local,
    /// Not at all: its steps take the time they are declared to take.
    Simulated,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "local",
            Self::Simulated => "simulated",
        })
    }
}

/// Every host and group, in the order in which the inventory has them.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// The file, as the person named it; empty when there is none.
    pub file: String,
    /// The machine upshift runs on, where stages without hosts are carried out.
    pub controller: Host,
    /// Hosts by name.
    pub hosts: IndexMap<String, Host>,
    /// Groups by name, each with the names of its hosts in order, the hosts of its child groups included.
    pub groups: IndexMap<String, Vec<String>>,
}

/// One host, with what its groups and the defaults gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Where it is reached; its name when the inventory does not say.
    pub address: String,
    /// How it is reached.
    pub transport: Transport,
    /// Whether a simulated host answers; a host that does not is unreachable.
    pub answers: bool,
    /// The rack it stands in, for `spread = "rack"`.
    pub rack: Option<String>,
    /// Variables, for templates and for `spread`.
    pub vars: IndexMap<String, serde_json::Value>,
}

impl Default for Inventory {
    fn default() -> Self {
        Self { file: String::new(), controller: Host::controller(), hosts: IndexMap::new(), groups: IndexMap::new() }
    }
}

impl Host {
    /// The machine upshift runs on.
    #[must_use]
    pub fn controller() -> Self {
        Self {
            name: CONTROLLER.into(),
            address: "127.0.0.1".into(),
            transport: Transport::Local,
            answers: true,
            rack: None,
            vars: IndexMap::new(),
        }
    }
}
