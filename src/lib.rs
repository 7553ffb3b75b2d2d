//! upshift: takes a running cloud from one release to the next inside a maintenance window.
//!
//! This page is the map of the house.
//!
//! A [`formula`] is compiled to what Salt would make of it, without Salt, and [`states`] make a host what it says.
//!
//! A pipeline and an inventory in TOML are read by [`config`] into the values of [`model`].
//! [`plan`] expands them into every host, step and command. The [`engine`] carries a plan out: its
//! pure [`decide`](engine::schedule::decide) says what happens next, its dispatcher commits that to
//! the [`journal`], and only then acts. What is done on a host is done by the [`agent`], in a process
//! that outlives the one that asked for it, reached through a [`transport`]; backups are the business
//! of [`database`]. A [`probe`] measures workloads meanwhile. [`report`] draws what
//! goes on, and says afterwards how each stage compared with its planned window. [`cli`] is what a
//! person types.
//!
//! Arrows point one way, and a test reads the `use` lines to keep it so.

pub mod agent;
pub mod cli;
pub mod config;
pub mod database;
pub mod engine;
pub mod error;
pub mod formula;
pub mod journal;
pub mod model;
pub mod plan;
pub mod probe;
pub mod report;
pub mod states;
pub mod transport;
