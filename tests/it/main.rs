//! Everything that needs the built binary: one integration binary, run in seconds.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should end")]

mod agent;
mod architecture;
mod backup;
mod beside_salt;
mod config;
mod conformance;
mod control;
mod copy;
mod exec;
mod exits;
mod forecast;
mod formula;
mod install;
mod journal;
mod kill;
mod lab;
mod limits;
mod previews;
mod probe;
mod promote;
mod reader;
mod report;
mod rollback;
mod sandbox;
mod steps;
mod terminal;
