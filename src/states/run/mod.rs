//! Applies a whole low state on a host, as Salt 3007's `State.call_chunks` and `call_listen` do.
//!
//! [`check`] says before anything runs what is wrong with it. [`run`] then goes through the chunks in their order:
//! every state of them ends in exactly one [`Ran`], in Salt's words, or says that its turn never came.

mod call;
mod check;
mod chunk;
mod conditions;
mod keywords;
mod listen;
mod place;
mod ran;
mod requisites;
mod retry;
mod runner;
mod shell;
#[cfg(test)]
mod tests;

use std::thread;

pub use check::check;
pub use ran::{How, Ran, State};

use crate::formula::sls::Low;
use crate::states::Host;
use runner::Runner;

/// How a low state is applied.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Whether nothing may be changed: Salt's `test=True`.
    pub preview: bool,
    /// Whether the first state that fails is the last one that runs, unless it says otherwise itself.
    pub failhard: bool,
    /// Salt's `disabled_requisites`: kinds of requisites that count for nothing.
    pub disabled_requisites: Vec<String>,
}

/// Hears of every state when it begins and when it ends.
pub trait Progress {
    /// A state begins: the `at`-th of so many. What its requisites or an end before its turn keep from running only ends.
    fn began(&self, at: usize, of: usize, state: &State);
    /// A state has ended. One that runs in parallel may end much later than it began.
    fn ended(&self, ran: &Ran);
}

/// Applies a low state that [`check`] has found nothing wrong with.
///
/// Every state ends in exactly one [`Ran`]; chunks with the same state, ID, name and function are one. They are in the
/// order in which they ended, and those whose turn never came are last.
pub fn run(low: &Low, host: &Host<'_>, options: &Options, progress: &dyn Progress) -> Vec<Ran> {
    let chunks = chunk::all(low, &options.disabled_requisites);
    thread::scope(|scope| {
        let mut runner = Runner::new(host, options, progress, scope, &chunks);
        runner.all();
        runner.listeners();
        runner.end()
    })
}
