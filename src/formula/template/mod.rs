//! Salt's dialect of Jinja on minijinja.
//!
//! [`syntax`] checks a template as Jinja would and translates it; minijinja runs it; [`value`] has Python's mutable
//! objects; `filters`, `tests`, `globals`, `strings` and [`functions`] are what a template can call. The [`Engine`]
//! puts them together for one host.

mod engine;
mod filters;
pub mod functions;
mod globals;
mod imports;
mod number_text;
mod operators;
mod salt;
mod strings;
pub mod syntax;
mod tests;
mod trouble;
pub mod value;

pub use engine::Engine;
pub use strings::lines_of;

use std::sync::Arc;

use minijinja::Value;

use super::facts::Facts;
use super::roots::Roots;

/// What templates of one host see.
#[derive(Debug, Clone)]
pub struct Context {
    /// The pillar as functions see it; templates see a copy, and later ones what earlier ones changed in it.
    pub pillar: Value,
    /// The grains, likewise.
    pub grains: Value,
    /// The minion options (`opts`), likewise.
    pub opts: Value,
    /// The formula files.
    pub roots: Roots,
    /// Answers what only the host knows.
    pub facts: Arc<dyn Facts>,
    /// Whether formulas find Python 2's dictionaries: `iteritems`, `has_key`, lists from `keys()`.
    pub python2: bool,
}
