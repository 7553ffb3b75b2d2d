//! How orders reach hosts.
//!
//! A transport starts a step or attaches to it, whichever is right: asking twice is always safe.

pub mod local;
mod tail;

pub use local::Local;
