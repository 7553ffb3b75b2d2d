//! What states do to a host: one file for each of Salt's state modules.
//!
//! A [`Function`] takes the arguments that Salt documents for it, and what it says comes in Salt's words: `result`,
//! `changes` and `comment` of its [`Return`]. In a preview, Salt's `test=True`, it looks at everything and changes nothing.
//! Whatever is killed and when, a file is the old one or the new one.
//!
//! [`run::run`] applies a whole low state; [`run::check`] says before anything runs what upshift does not have.

mod accounts;
mod alias;
mod alternatives;
mod apache;
mod archive;
mod arguments;
mod checksum;
mod cmd;
mod command;
mod cron;
mod debconf;
mod diff;
mod disk;
mod docker;
mod edit;
mod environ;
mod event;
mod file;
mod gem;
mod git;
mod grains;
mod group;
mod host;
mod hosts;
mod http;
mod ini;
mod iptables;
#[cfg(test)]
mod killed;
mod kmod;
mod locale;
mod module;
mod mount;
mod mysql;
mod openvswitch;
mod pip;
mod pkg;
mod pkgrepo;
mod postgres;
mod rabbitmq;
mod random;
mod returns;
pub mod run;
#[cfg(test)]
mod sandbox;
mod service;
mod source;
mod ssh_auth;
mod ssh_known_hosts;
mod sysctl;
mod test;
mod timezone;
mod user;
pub mod web;
mod webutil;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use arguments::Args;
pub use command::{Command, Output};
pub use host::{Host, Listener};
pub use returns::{Failed, Return};

/// A state function.
#[derive(Debug)]
pub struct Function {
    /// `file.managed`.
    pub name: &'static str,
    /// The arguments that have to be there, besides `name`.
    pub required: &'static [&'static str],
    /// The arguments that may be there, besides those that every state has.
    pub optional: &'static [&'static str],
    /// Whether other arguments mean something too, as template variables do for `file.managed`.
    pub is_open: bool,
    /// Says before anything runs what upshift cannot do with these arguments.
    pub check: fn(&Args<'_>) -> Result<(), String>,
    /// Does it.
    pub run: Run,
    /// Does what it does when something that it watches has changed and it had nothing to change itself.
    pub watch: Option<Run>,
}

/// What carries a function out.
pub type Run = fn(&Call<'_>) -> Result<Return, Failed>;

/// One state that is carried out.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The host that it acts on.
    pub host: &'a Host<'a>,
    /// What its SLS says.
    pub args: Args<'a>,
    /// Whether nothing may be changed.
    pub preview: bool,
}

impl Function {
    /// A function that takes `name` and nothing else.
    const fn new(name: &'static str, run: Run) -> Self {
        Self { name, required: &[], optional: &[], is_open: false, check: |_| Ok(()), run, watch: None }
    }

    /// Whether it takes an argument itself. Those that every state has are not among them.
    #[must_use]
    pub fn has_argument(&self, name: &str) -> bool {
        self.required.contains(&name) || self.optional.contains(&name)
    }

    const fn requires(mut self, required: &'static [&'static str]) -> Self {
        self.required = required;
        self
    }

    const fn takes(mut self, optional: &'static [&'static str]) -> Self {
        self.optional = optional;
        self
    }

    const fn takes_anything(mut self) -> Self {
        self.is_open = true;
        self
    }

    const fn checks(mut self, check: fn(&Args<'_>) -> Result<(), String>) -> Self {
        self.check = check;
        self
    }

    const fn watches(mut self, watch: Run) -> Self {
        self.watch = Some(watch);
        self
    }
}

const MODULES: &[&[Function]] = &[
    alias::FUNCTIONS,
    alternatives::FUNCTIONS,
    apache::FUNCTIONS,
    archive::FUNCTIONS,
    cmd::FUNCTIONS,
    cron::FUNCTIONS,
    debconf::FUNCTIONS,
    docker::FUNCTIONS,
    edit::FUNCTIONS,
    environ::FUNCTIONS,
    event::FUNCTIONS,
    file::FUNCTIONS,
    gem::FUNCTIONS,
    git::FUNCTIONS,
    grains::FUNCTIONS,
    group::FUNCTIONS,
    hosts::FUNCTIONS,
    http::FUNCTIONS,
    ini::FUNCTIONS,
    iptables::FUNCTIONS,
    kmod::FUNCTIONS,
    locale::FUNCTIONS,
    module::FUNCTIONS,
    mount::FUNCTIONS,
    mysql::FUNCTIONS,
    openvswitch::FUNCTIONS,
    pip::FUNCTIONS,
    pkg::FUNCTIONS,
    pkgrepo::FUNCTIONS,
    postgres::FUNCTIONS,
    rabbitmq::FUNCTIONS,
    service::FUNCTIONS,
    ssh_auth::FUNCTIONS,
    ssh_known_hosts::FUNCTIONS,
    sysctl::FUNCTIONS,
    test::FUNCTIONS,
    timezone::FUNCTIONS,
    user::FUNCTIONS,
    webutil::FUNCTIONS,
];

static FUNCTIONS: LazyLock<HashMap<&'static str, &'static Function>> =
    LazyLock::new(|| MODULES.iter().copied().flatten().map(|function| (function.name, function)).collect());

/// The function of this name: `file.managed`.
#[must_use]
pub fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.get(name).copied()
}

/// The names of all functions.
pub fn names() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.keys().copied()
}
