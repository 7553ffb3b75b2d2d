//! Pipeline and inventory become a [`Plan`]: every host, step and command, before anything runs.
//!
//! Pure: what the network or earlier runs know is handed in. A run makes no choice that is not in
//! the plan, and the plan's digest changes whenever one of its choices does.

mod build;
mod compare;
mod digest;
mod expected;
mod hosts;
mod template;
mod text;

pub use build::{Resolve, build};
pub use compare::compare;
pub use text::{Show, render};

/// The name a plan gives to what was done in it, for messages.
#[must_use]
pub fn short_digest(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

#[cfg(doc)]
use crate::model::Plan;
