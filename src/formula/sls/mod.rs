//! SLS data to high state to low state, as Salt 3007's `state.py` does it: the same chunks, in the same order, with
//! the same arguments.
//!
//! [`high_state`] renders what is asked for with all it includes and merges it; [`low_state`] extends, moves
//! requisites to where they act, excludes, and puts the chunks in order. [`check`] then refuses what Salt would
//! find out only while it runs: requisites that nothing meets, and cycles of them.

mod check;
mod declare;
mod extend;
mod gather;
mod heap;
mod low;
mod names;
mod requisite_in;
mod verify;

use std::collections::HashMap;

use super::{Data, Dict, Result};

pub use check::check;
pub use gather::Files;

/// One SLS as its renderer left it.
#[derive(Debug, Clone, Default)]
pub struct Rendered {
    /// What it says. One list or mapping that comes twice, by a YAML anchor, must be one object.
    pub data: Data,
    /// Whether it was found as `…/init.sls`, which relative includes count as a level.
    pub is_init: bool,
    /// Its path within the file roots, for errors.
    pub path: String,
    /// The line of every top-level key, as far as they are known, for errors.
    pub lines: HashMap<String, usize>,
}

/// Where SLS come from: the compiler, or a table in tests.
pub trait Source {
    /// The names of all SLS of an environment (`nova.compute`), sorted; `None` if there is no such environment.
    fn available(&self, saltenv: &str) -> Option<&[String]>;

    /// Renders one SLS; `None` if there is no file for it.
    ///
    /// This is asked for names too that are not available: `nova/compute` or, from an include of `.`, `nova.`. As in
    /// Salt each `.` of a name becomes a `/`, then `.sls` or `/init.sls` is added.
    fn render(&mut self, saltenv: &str, sls: &str) -> Result<Option<Rendered>>;
}

/// All IDs of a host, merged, before anything acts on anything.
#[derive(Debug)]
pub struct High {
    heap: heap::Heap,
    root: heap::Ref,
    files: Files,
}

/// What a host is to do.
#[derive(Debug, Clone, Default)]
pub struct Low {
    /// One state each, in the order in which they run when no requisite says otherwise.
    pub chunks: Vec<Dict>,
    /// The SLS they come from.
    pub files: Files,
}

/// Renders and merges the SLS that a host is to have: names or patterns, by environment.
///
/// An error names the SLS and the ID, and every SLS that leads there by an `include`.
pub fn high_state(source: &mut dyn Source, tops: &[(String, Vec<String>)]) -> Result<High> {
    let mut gather = gather::Gather::new(source, tops);
    let root = gather.all()?;
    Ok(High { heap: gather.heap, root, files: gather.files })
}

/// Makes the chunks of a high state, with all that Salt 3007 refuses before it runs anything refused.
pub fn low_state(mut high: High) -> Result<Low> {
    let extensions = extend::take(&mut high)?;
    let mut names = names::Names::of(&high.heap, high.root);
    extend::apply(&mut high, &extensions, &mut names, false)?;
    verify::verify(&high)?;
    let mut names = names::Names::of(&high.heap, high.root);
    requisite_in::apply(&mut high, &mut names)?;
    low::exclude(&mut high)?;
    let mut chunks = low::compile(&high)?;
    low::order(&mut chunks)?;
    Ok(Low { chunks, files: high.files })
}
