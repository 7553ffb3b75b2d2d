//! Pipeline and inventory become a [`Plan`](crate::model::Plan): every host, step and command, before anything runs.
//!
//! Pure: what the network or earlier runs know is handed in. A run makes no choice that is not in
//! the plan, and the plan's digest changes whenever one of its choices does.

mod build;
mod compare;
mod digest;
mod expected;
mod hosts;
mod probes;
mod reverse;
mod template;
mod text;

pub use build::{Resolve, build, expect};
pub use compare::compare;
pub use digest::is_whole;
pub use reverse::{Done, passed_no_return, reverse};
pub use text::{Show, render};

/// The first digits of a digest, as a person compares them.
#[must_use]
pub fn short_digest(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
