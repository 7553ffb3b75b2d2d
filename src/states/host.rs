//! The host that states act on.

use std::fmt;

use crate::formula::compile::Compiler;
use crate::formula::{Data, Dict};
use crate::states::accounts::Accounts;
use crate::states::edit::Accumulators;
use crate::states::environ::Environment;
use crate::states::service::Bus;
use crate::states::{grains, pkg};

/// Whoever applies states and hears what becomes of them.
pub trait Listener: Send + Sync {
    /// A command wrote a line.
    fn output(&self, line: &str);
    /// A command was started; this is its process and its group.
    fn started(&self, group: u32);
    /// Whether everything is to stop now.
    fn is_stopped(&self) -> bool;
}

/// The host that states act on, and what they need to know of it.
///
/// What was looked up is kept for as long as nothing can have changed it.
pub struct Host<'a> {
    /// What renders templates and has the files of the formulas, the pillar and the grains.
    pub formula: &'a Compiler,
    /// All states that are being applied: some ask what others manage.
    pub low: &'a [Dict],
    listener: &'a dyn Listener,
    pub(super) accounts: Accounts,
    pub(super) packages: pkg::Memory,
    pub(super) accumulators: Accumulators,
    pub(super) environment: Environment,
    pub(super) bus: Bus,
    pub(super) grains: grains::Changed,
}

impl<'a> Host<'a> {
    /// This host.
    #[must_use]
    pub fn new(formula: &'a Compiler, listener: &'a dyn Listener) -> Self {
        Self {
            formula,
            low: &[],
            listener,
            accounts: Accounts::default(),
            packages: pkg::Memory::default(),
            accumulators: Accumulators::default(),
            environment: Environment::default(),
            bus: Bus::default(),
            grains: grains::Changed::default(),
        }
    }

    /// With the states that are being applied.
    #[must_use]
    pub fn with_low(self, low: &'a [Dict]) -> Self {
        Self { low, ..self }
    }

    /// A grain that is a text.
    pub(super) fn grain(&self, name: &str) -> Option<&str> {
        self.formula.grains().get(name).and_then(Data::as_str)
    }

    pub(super) fn listener(&self) -> &dyn Listener {
        self.listener
    }
}

impl fmt::Debug for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}
