//! Everything that needs the built binary: one integration binary, run in seconds.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should end")]

mod agent;
mod config;
mod journal;
mod kill;
mod sandbox;
