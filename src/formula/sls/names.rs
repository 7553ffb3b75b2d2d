//! Which states a name means: an index over a high state, so that no requisite looks at every state.

use std::collections::HashMap;

use super::declare::show;
use super::heap::{Heap, Ref, unfit};
use crate::formula::{Data, Error, Kind, Result};

/// A state of an ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) id: Data,
    pub(super) state: Data,
}

/// What is known of the names in a high state, whose IDs must stay what they are while this is used.
///
/// It is kept by lists of arguments, not by IDs, since two IDs can share one.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The IDs, by their place in the high state, that a body is the body of.
    owners: HashMap<Ref, Vec<usize>>,
    /// The IDs and states that a list has the arguments of.
    places: HashMap<Ref, Vec<(usize, Data)>>,
    /// The lists that have, or had, an argument with this value.
    holders: HashMap<Data, Vec<Ref>>,
    /// The first state with this `name`.
    named: HashMap<Data, Target>,
    /// The states of an SLS.
    of_sls: HashMap<Data, Vec<Target>>,
    /// The items of `__exclude__`, on which Salt stumbles when it looks through all IDs.
    excludes: Option<Vec<Data>>,
}

impl Names {
    /// Reads a high state once.
    pub(super) fn of(heap: &Heap, root: Ref) -> Self {
        let mut names = Self::default();
        for (place, (id, body)) in heap.entries(root).into_iter().enumerate() {
            if let Some(items) = heap.as_list(body) {
                let items = items.iter().map(|&item| heap.as_scalar(item).cloned().unwrap_or_default());
                names.excludes = Some(items.collect());
            }
            names.owners.entry(body).or_default().push(place);
            let sls = heap.get_str(body, "__sls__").and_then(|sls| heap.as_scalar(sls)).cloned();
            for (state, arguments) in heap.entries(body) {
                names.hang(heap, place, &state, arguments);
                if state.as_str().is_none_or(|state| state.starts_with("__")) {
                    continue;
                }
                let target = Target { id: id.clone(), state };
                for &item in heap.as_list(arguments).unwrap_or_default() {
                    let name = heap.get_str(item, "name").and_then(|name| heap.as_scalar(name));
                    if let Some(name) = name.filter(|name| !names.named.contains_key(name)) {
                        names.named.insert(name.clone(), target.clone());
                    }
                }
                if let Some(sls) = &sls {
                    names.of_sls.entry(sls.clone()).or_default().push(target);
                }
            }
        }
        names
    }

    fn hang(&mut self, heap: &Heap, place: usize, state: &Data, arguments: Ref) {
        let Some(items) = heap.as_list(arguments) else { return };
        self.places.entry(arguments).or_default().push((place, state.clone()));
        for &item in items {
            self.note(heap, arguments, item);
        }
    }

    /// Notes an argument that was put into a list.
    pub(super) fn note(&mut self, heap: &Heap, arguments: Ref, item: Ref) {
        if let Some(value) = value(heap, item) {
            let holders = self.holders.entry(value.clone()).or_default();
            if holders.last() != Some(&arguments) {
                holders.push(arguments);
            }
        }
    }

    /// Notes a state that was put into a body.
    pub(super) fn note_state(&mut self, heap: &Heap, body: Ref, state: &Data, arguments: Ref) {
        for place in self.owners.get(&body).cloned().unwrap_or_default() {
            self.hang(heap, place, state, arguments);
        }
    }

    /// Every state of an SLS.
    pub(super) fn of_sls(&self, sls: &Data) -> &[Target] {
        self.of_sls.get(sls).map(Vec::as_slice).unwrap_or_default()
    }

    /// The state of any kind whose `name` this is.
    pub(super) fn named(&self, name: &Data) -> Result<Option<&Target>> {
        match &self.excludes {
            Some(excludes) if !excludes.is_empty() => Err(stumbles(name)),
            _ => Ok(self.named.get(name)),
        }
    }

    /// The states that `state: name` means: the ID of that name, else every state with an argument of that value.
    ///
    /// An ID need not have that state unless the search is `strict`; `sls: name` means every ID of an SLS.
    pub(super) fn find(&self, heap: &Heap, root: Ref, wanted: &Target, strict: bool) -> Result<Vec<Target>> {
        let Target { id: name, state } = wanted;
        if let Some(body) = heap.get(root, name) {
            let Some(states) = heap.as_table(body) else { return Err(stumbles(name)) };
            if !strict || states.contains_key(state) {
                return Ok(vec![wanted.clone()]);
            }
        }
        let mut found = Vec::new();
        if state.as_str() == Some("sls") {
            if self.excludes.is_some() {
                return Err(stumbles(name));
            }
            for (id, body) in heap.entries(root) {
                let sls = heap.get_str(body, "__sls__").and_then(|sls| heap.as_scalar(sls));
                if let Some((first, _)) =
                    heap.as_table(body).and_then(|states| states.first()).filter(|_| sls == Some(name))
                {
                    found.push(Target { id, state: first.clone() });
                }
            }
            return Ok(found);
        }
        if self.excludes.as_ref().is_some_and(|excludes| excludes.contains(state)) {
            return Err(stumbles(name));
        }
        let mut holders = self.holders.get(name).cloned().unwrap_or_default();
        holders.sort_unstable();
        holders.dedup();
        let mut places = Vec::new();
        for list in holders {
            let items = heap.as_list(list).unwrap_or_default();
            let count = items.iter().filter(|&&item| value(heap, item) == Some(name)).count();
            let held = self.places.get(&list).map(Vec::as_slice).unwrap_or_default();
            let held = held.iter().filter(|(_, held)| held == state);
            places.extend(held.flat_map(|(place, _)| std::iter::repeat_n(*place, count)));
        }
        places.sort_unstable();
        let ids = heap.as_table(root);
        let ids = places.into_iter().filter_map(|place| ids?.get_index(place));
        Ok(ids.map(|(id, _)| Target { id: id.clone(), state: state.clone() }).collect())
    }
}

/// The value of an argument that has one key.
fn value(heap: &Heap, item: Ref) -> Option<&Data> {
    let (_, value, entries) = heap.argument(item)?;
    if entries.len() == 1 { heap.as_scalar(value) } else { None }
}

/// Salt itself ends in a traceback here.
fn stumbles(name: &Data) -> Error {
    let message = format!("Salt cannot look for `{}` by its name while there is an `exclude`", show(name));
    Error::new(Kind::Structure, message).hint("name it by its ID")
}

/// The key that a scalar is; lists and mappings are none.
pub(super) fn key(heap: &Heap, object: Ref, what: &str) -> Result<Data> {
    heap.as_scalar(object).cloned().ok_or_else(|| unfit(what, "a name", heap.type_name(object)))
}
