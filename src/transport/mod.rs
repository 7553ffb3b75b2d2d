//! How orders reach hosts that are not this machine.
//!
//! A transport starts a step or attaches to it, whichever is right: asking twice is always safe.

pub mod ssh;
