//! `listen`: what is done once at the end, after everything has run, if something listened to has changed.

use std::collections::HashSet;

use super::chunk::Chunk;
use crate::formula::{Data, Dict};

/// Somebody who listens: a kind of state, and its ID or name.
struct Listener<'l> {
    state: &'l str,
    name: &'l str,
    /// What it listens to: a kind of state, and its ID or name.
    targets: Vec<(&'l str, &'l str)>,
}

/// The chunks whose listeners run now, in the order in which they do.
pub(super) fn due(chunks: &[Chunk<'_>], is_changed: impl Fn(usize) -> bool) -> Vec<usize> {
    let is_meant = |chunk: &Chunk<'_>, state: &str, name: &str| {
        let known = &chunk.state;
        known.module == state && [&known.module, &known.id, &known.name].into_iter().any(|known| known == name)
    };
    let meant = |state: &'_ str, name: &'_ str| {
        let all = chunks.iter().enumerate();
        all.filter(|(_, chunk)| is_meant(chunk, state, name)).map(|(at, _)| at).collect::<Vec<_>>()
    };
    let mut due = Vec::new();
    let mut seen = HashSet::new();
    for listener in chunks.iter().flat_map(|chunk| listeners(chunks, chunk)) {
        for (state, name) in &listener.targets {
            let changed = meant(state, name).into_iter().filter(|&at| is_changed(chunks[at].tag)).count();
            if changed > 0 {
                let listening = meant(listener.state, listener.name);
                due.extend(listening.into_iter().filter(|&at| seen.insert(chunks[at].tag)));
            }
        }
    }
    due
}

/// Those who listen because of a chunk: itself, and those that its `listen_in` names.
fn listeners<'l>(chunks: &'l [Chunk<'l>], chunk: &'l Chunk<'l>) -> Vec<Listener<'l>> {
    let items = |key: &str| chunk.low.get(key).and_then(Data::as_list).unwrap_or_default();
    let mut listeners = Vec::new();
    if chunk.low.has("listen") {
        let targets = items("listen").iter().flat_map(|item| match item {
            Data::Str(name) => by_name(chunks, name).into_iter().collect(),
            other => other.as_dict().map(pairs).unwrap_or_default(),
        });
        let (state, name) = (chunk.state.module.as_str(), chunk.state.id.as_str());
        listeners.push(Listener { state, name, targets: targets.collect() });
    }
    let named = items("listen_in").iter().filter_map(Data::as_dict).flat_map(pairs);
    let target = (chunk.state.module.as_str(), chunk.state.id.as_str());
    listeners.extend(named.map(|(state, name)| Listener { state, name, targets: vec![target] }));
    listeners
}

/// What a name alone means: the first state that has it.
fn by_name<'l>(chunks: &'l [Chunk<'l>], name: &str) -> Option<(&'l str, &'l str)> {
    let found = chunks.iter().map(|chunk| &chunk.state).find(|state| state.id == name || state.name == name)?;
    Some((&found.module, &found.id))
}

fn pairs(entries: &Dict) -> Vec<(&str, &str)> {
    entries.entries.iter().filter_map(|(state, name)| Some((state.as_str()?, name.as_str()?))).collect()
}
