//! What a host is, as Salt's grains name and type it.
//!
//! Formulas choose by grains, so the values are those that Salt 3007 would give on the same host; each
//! module says where they differ and why. Everything is read from files: no process is started and no
//! name server is asked, so that collecting takes a few milliseconds and can neither fail nor hang.

mod arch;
mod custom;
mod gpus;
mod hardware;
mod hosts;
mod lvm;
mod machine;
mod names;
mod network;
mod os;
mod process;
mod release;
mod resolver;
mod salt;
mod system;
mod systemd;
#[cfg(test)]
mod tests;
mod tree;

use camino::Utf8Path;
use jiff::Timestamp;
use serde_json::{Map, Value};

use tree::Tree;

/// What grains are collected from.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Where the host's files are: `/`, save in tests.
    pub root: &'a Utf8Path,
    /// The host's name in the inventory; without one it is the host's own.
    pub id: Option<&'a str>,
    /// The time now, which says whether it is summer time.
    pub now: Timestamp,
}

/// The grains of this host, by name.
///
/// What cannot be read is left out or has the value that Salt gives then. The files below the root say
/// everything but the addresses of the interfaces and what the agent's own process is.
#[must_use]
pub fn collect(facts: &Facts) -> Map<String, Value> {
    let path = std::env::var("PATH").unwrap_or_default();
    let tree = Tree::new(facts.root, &path);
    let cpuinfo = tree.text("/proc/cpuinfo").unwrap_or_default();
    let interfaces = network::interfaces(&tree);
    let mut grains = Grains(Map::new());
    system::add_kernel(&mut grains, &tree);
    os::add(&mut grains, &tree);
    system::add(&mut grains, &tree);
    systemd::add(&mut grains, &tree);
    hardware::add(&mut grains, &tree, &cpuinfo);
    gpus::add(&mut grains, &tree);
    lvm::add(&mut grains, &tree);
    machine::add(&mut grains, &tree, &cpuinfo);
    network::add(&mut grains, &tree, &interfaces);
    hosts::add(&mut grains, &tree, &interfaces);
    resolver::add(&mut grains, &tree);
    process::add(&mut grains, &tree, facts.now);
    salt::add(&mut grains, &tree, facts.id);
    custom::add(&mut grains, &tree);
    grains.0
}

/// Grains that are being collected.
struct Grains(Map<String, Value>);

impl Grains {
    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.into(), value.into());
    }

    /// A grain that is a text, or an empty one.
    fn text(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}
