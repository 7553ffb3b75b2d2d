//! The chunks that a requisite means.
//!
//! They are found as Salt finds them when a state's turn comes: by ID or name, with patterns, `sls:` by the SLS or by
//! what included it.

use std::collections::HashMap;

use super::Low;
use crate::formula::fnmatch;
use crate::formula::{Data, Dict};

/// The chunks of a low state, by what requisites call them.
#[derive(Debug)]
pub struct Targets<'l> {
    low: &'l Low,
    by_name: HashMap<&'l str, Vec<usize>>,
    by_sls: HashMap<&'l str, Vec<usize>>,
}

impl<'l> Targets<'l> {
    /// The chunks of a low state.
    #[must_use]
    pub fn of(low: &'l Low) -> Self {
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut by_sls: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, chunk) in low.chunks.iter().enumerate() {
            let (id, name) = (text(chunk, "__id__"), text(chunk, "name"));
            by_name.entry(id).or_default().push(index);
            if name != id {
                by_name.entry(name).or_default().push(index);
            }
            let including = chunk.get("__sls_included_from__").and_then(Data::as_list).unwrap_or_default();
            for sls in including.iter().filter_map(Data::as_str).chain([text(chunk, "__sls__")]) {
                let chunks = by_sls.entry(sls).or_default();
                if chunks.last() != Some(&index) {
                    chunks.push(index);
                }
            }
        }
        Self { low, by_name, by_sls }
    }

    /// The chunks that `state: name` means, in their order. `id: name` means those of any kind of state.
    #[must_use]
    pub fn find(&self, state: &str, name: &str) -> Vec<usize> {
        let exact = if state == "sls" { &self.by_sls } else { &self.by_name };
        let is_of_kind = |index: usize| {
            let chunk = self.low.chunks.get(index);
            matches!(state, "sls" | "id") || chunk.is_some_and(|chunk| text(chunk, "state") == state)
        };
        if !fnmatch::is_pattern(name) {
            let found = exact.get(name).into_iter().flatten().copied();
            return found.filter(|&index| is_of_kind(index)).collect();
        }
        let chunks = self.low.chunks.iter().enumerate().filter(|(index, chunk)| {
            let is_match = |key| fnmatch::is_match(name, text(chunk, key));
            is_of_kind(*index)
                && if state == "sls" { is_match("__sls__") } else { is_match("name") || is_match("__id__") }
        });
        chunks.map(|(index, _)| index).collect()
    }

    /// Whether `sls: name` means an SLS that was rendered, which is enough even if there is nothing in it.
    #[must_use]
    pub fn is_rendered(&self, state: &str, name: &str) -> bool {
        state == "sls" && self.low.files.sls().any(|rendered| fnmatch::is_match(name, rendered))
    }

    /// The chunks that have exactly this ID or name.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = &'l Dict> {
        let found = self.by_name.get(name).into_iter().flatten();
        found.filter_map(|&index| self.low.chunks.get(index))
    }
}

/// A text of a chunk.
fn text<'c>(chunk: &'c Dict, key: &str) -> &'c str {
    chunk.get(key).and_then(Data::as_str).unwrap_or_default()
}
