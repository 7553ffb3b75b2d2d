//! What things are: hosts, pipelines, plans, units, records. No I/O, no clock, no async.
//!
//! Everything here is a value. Raw TOML becomes one of these in [`config`](crate::config), a
//! [`Plan`] in [`plan`](crate::plan), and a run is nothing but a list of [`Record`]s.

pub mod address;
pub mod amount;
pub mod backup;
pub mod hash;
pub mod history;
pub mod inventory;
pub mod nearest;
pub mod outline;
pub mod pattern;
pub mod pipeline;
pub mod place;
pub mod plan;
pub mod probe;
pub mod record;
pub mod secrets;
pub mod selector;
pub mod span;
pub mod unit;

pub use address::Address;
pub use amount::{Amount, Budget, Pace, Takes};
pub use backup::Backup;
pub use history::History;
pub use inventory::Inventory;
pub use outline::Outline;
pub use pipeline::Pipeline;
pub use place::{Place, Text};
pub use plan::Plan;
pub use record::{Command, Person, Record, Verdict};
pub use unit::{Outcome, Slot, UnitKey};
