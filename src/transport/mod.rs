//! How orders reach hosts that are not this machine, and commands reach any.
//!
//! A transport starts a step or attaches to it, whichever is right: asking twice is always safe. A
//! command has no such memory: it is started at most once, and ends with whoever asked for it.

pub mod command;
pub mod local;
pub mod ssh;
