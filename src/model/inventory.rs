//! The hosts a person has: names, groups, addresses, variables.

use std::fmt;

use camino::Utf8PathBuf;
use indexmap::IndexMap;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// The name of the one host that no inventory lists: the machine upshift runs on.
pub const CONTROLLER: &str = "controller";

/// How a host is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// On the machine upshift runs on.
    Local,
    /// Over SSH.
    Ssh,
    /// Not at all: its steps take the time they are declared to take.
    Simulated,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "local",
            Self::Ssh => "ssh",
            Self::Simulated => "simulated",
        })
    }
}

/// How connections are opened, for all hosts that are reached over SSH.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ssh {
    /// The `ssh_config` to use instead of the person's own.
    pub config: Option<Utf8PathBuf>,
    /// Connections being opened at once through one jump host. By default a little less than what
    /// sshd takes before it turns some away (`MaxStartups 10:30:100`, `sshd_config(5)`).
    pub at_once: u32,
    /// How long opening one connection may take.
    pub timeout: SignedDuration,
    /// How long a host with a step under way may be silent before it is unreachable.
    pub silence: SignedDuration,
}

impl Default for Ssh {
    fn default() -> Self {
        Self { config: None, at_once: 8, timeout: SignedDuration::from_secs(10), silence: SignedDuration::from_mins(5) }
    }
}

/// How upshift logs in to a host, and where it keeps its things there.
///
/// What is not given here, the person's `ssh_config` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// The user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// A file with a private key, used instead of any other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Utf8PathBuf>,
    /// More options, as `ssh -o` takes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Whether a user other than root becomes root with `sudo -n`.
    pub r#become: bool,
    /// The folder on the host for upshift itself and for the steps it carries out.
    pub folder: Utf8PathBuf,
    /// The upshift to send, built for the host's kind of processor; this one when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Utf8PathBuf>,
}

impl Default for Login {
    fn default() -> Self {
        Self {
            user: None,
            port: None,
            key: None,
            options: Vec::new(),
            r#become: true,
            folder: "/var/lib/upshift".into(),
            agent: None,
        }
    }
}

/// Every host and group, in the order in which the inventory has them.
#[derive(Debug, Clone)]
pub struct Inventory {
    /// The file, as the person named it; empty when there is none.
    pub file: String,
    /// How connections are opened.
    pub ssh: Ssh,
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
    /// How upshift logs in to it, when it is reached over SSH.
    pub login: Login,
    /// Whether a simulated host answers; a host that does not is unreachable.
    pub answers: bool,
    /// The rack it stands in, for `spread = "rack"`.
    pub rack: Option<String>,
    /// Variables, for templates and for `spread`.
    pub vars: IndexMap<String, serde_json::Value>,
}

impl Default for Inventory {
    fn default() -> Self {
        Self {
            file: String::new(),
            ssh: Ssh::default(),
            controller: Host::controller(),
            hosts: IndexMap::new(),
            groups: IndexMap::new(),
        }
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
            login: Login::default(),
            answers: true,
            rack: None,
            vars: IndexMap::new(),
        }
    }
}
