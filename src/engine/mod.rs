//! The engine: a pure decision, one task that owns the state, and what carries units out.
//!
//! [`schedule::decide`] looks at plan, state and time and answers with records. The
//! [`dispatcher`] puts them on disk, applies them, and only then acts. Resuming is the same loop
//! over a state that was folded from a journal.

pub mod clock;
pub mod control;
mod copies;
pub mod dispatcher;
pub mod done;
pub mod draw;
pub mod executor;
pub mod forecast;
pub mod hostlog;
mod needed;
pub mod news;
pub mod obey;
pub mod past;
pub mod probes;
#[cfg(test)]
mod properties;
pub mod retry;
#[cfg(test)]
pub(crate) mod sample;
pub mod schedule;
pub mod simulate;
pub mod state;
pub mod supply;
mod timeline;
pub mod window;
