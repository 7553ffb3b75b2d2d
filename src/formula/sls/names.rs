//! Which states a name means: indexes over a high state, so that no requisite looks at every state.

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

/// What is known of the names in a high state; each index is made when it is first needed.
///
/// The IDs must stay what they are while this is used. Arguments may be added, if [`Names::note`] hears of it.
#[derive(Debug, Default)]
pub(super) struct Names {
    values: Option<Values>,
    /// The first state with a `name`.
    named: Option<HashMap<Data, Target>>,
    /// The states of an SLS.
    of_sls: Option<HashMap<Data, Vec<Target>>>,
}

/// Where the values of arguments are.
///
/// This is kept by lists of arguments, not by IDs, since two IDs can share one.
#[derive(Debug, Default)]
struct Values {
    /// The IDs, by their place in the high state, that a body is the body of.
    owners: HashMap<Ref, Vec<usize>>,
    /// The IDs and states that a list has the arguments of.
    places: HashMap<Ref, Vec<(usize, Data)>>,
    /// The lists that have, or had, an argument with this value.
    holders: HashMap<Data, Vec<Ref>>,
}

impl Values {
    fn of(heap: &Heap, root: Ref) -> Self {
        let mut values = Self::default();
        for (place, (_, body)) in heap.entries(root).into_iter().enumerate() {
            values.owners.entry(body).or_default().push(place);
            for (state, arguments) in heap.entries(body) {
                values.hang(heap, place, &state, arguments);
            }
        }
        values
    }

    fn hang(&mut self, heap: &Heap, place: usize, state: &Data, arguments: Ref) {
        let Some(items) = heap.as_list(arguments) else { return };
        self.places.entry(arguments).or_default().push((place, state.clone()));
        for &item in items {
            self.note(heap, arguments, item);
        }
    }

    fn note(&mut self, heap: &Heap, arguments: Ref, item: Ref) {
        if let Some(value) = value(heap, item) {
            let holders = self.holders.entry(value.clone()).or_default();
            if holders.last() != Some(&arguments) {
                holders.push(arguments);
            }
        }
    }

    /// The IDs with a state that has an argument of this value, as often as it has one.
    fn find(&self, heap: &Heap, root: Ref, wanted: &Target) -> Vec<Target> {
        let mut holders = self.holders.get(&wanted.id).cloned().unwrap_or_default();
        holders.sort_unstable();
        holders.dedup();
        let mut places = Vec::new();
        for list in holders {
            let items = heap.as_list(list).unwrap_or_default();
            let count = items.iter().filter(|&&item| value(heap, item) == Some(&wanted.id)).count();
            let held = self.places.get(&list).into_iter().flatten().filter(|(_, state)| *state == wanted.state);
            places.extend(held.flat_map(|(place, _)| std::iter::repeat_n(*place, count)));
        }
        places.sort_unstable();
        let ids = heap.as_table(root);
        let ids = places.into_iter().filter_map(|place| ids?.at(place));
        ids.map(|(id, _)| Target { id: id.clone(), state: wanted.state.clone() }).collect()
    }
}

impl Names {
    /// Notes an argument that was put into a list.
    pub(super) fn note(&mut self, heap: &Heap, arguments: Ref, item: Ref) {
        if let Some(values) = &mut self.values {
            values.note(heap, arguments, item);
        }
    }

    /// Notes a state that was put into a body.
    pub(super) fn note_state(&mut self, heap: &Heap, body: Ref, state: &Data, arguments: Ref) {
        let Some(values) = &mut self.values else { return };
        for place in values.owners.get(&body).cloned().unwrap_or_default() {
            values.hang(heap, place, state, arguments);
        }
    }

    /// Every state of an SLS.
    pub(super) fn of_sls(&mut self, heap: &Heap, root: Ref, sls: &Data) -> Vec<Target> {
        let of_sls = self.of_sls.get_or_insert_with(|| {
            let mut of_sls: HashMap<Data, Vec<Target>> = HashMap::new();
            for (target, _, body) in states(heap, root) {
                if let Some(sls) = heap.get_str(body, "__sls__").and_then(|sls| heap.as_scalar(sls)) {
                    of_sls.entry(sls.clone()).or_default().push(target);
                }
            }
            of_sls
        });
        of_sls.get(sls).cloned().unwrap_or_default()
    }

    /// The first state of any kind whose `name` this is.
    pub(super) fn named(&mut self, heap: &Heap, root: Ref, name: &Data) -> Result<Option<Target>> {
        if excludes(heap, root).is_some_and(|excludes| !excludes.is_empty()) {
            return Err(stumbles(name));
        }
        let named = self.named.get_or_insert_with(|| {
            let mut named = HashMap::new();
            for (target, arguments, _) in states(heap, root) {
                for &item in heap.as_list(arguments).unwrap_or_default() {
                    if let Some(name) = heap.get_str(item, "name").and_then(|name| heap.as_scalar(name)) {
                        named.entry(name.clone()).or_insert_with(|| target.clone());
                    }
                }
            }
            named
        });
        Ok(named.get(name).cloned())
    }

    /// The states that `state: name` means: the ID of that name, else every state with an argument of that value.
    ///
    /// An ID need not have that state unless the search is `strict`; `sls: name` means every ID of an SLS.
    pub(super) fn find(&mut self, heap: &Heap, root: Ref, wanted: &Target, strict: bool) -> Result<Vec<Target>> {
        let Target { id: name, state } = wanted;
        if let Some(body) = heap.get(root, name) {
            let Some(states) = heap.as_table(body) else { return Err(stumbles(name)) };
            if !strict || states.get(state).is_some() {
                return Ok(vec![wanted.clone()]);
            }
        }
        let excludes = excludes(heap, root);
        if state.as_str() == Some("sls") {
            return if excludes.is_some() { Err(stumbles(name)) } else { Ok(first_of_sls(heap, root, name)) };
        }
        if excludes.is_some_and(|excludes| excludes.iter().any(|&item| heap.as_scalar(item) == Some(state))) {
            return Err(stumbles(name));
        }
        Ok(self.values.get_or_insert_with(|| Values::of(heap, root)).find(heap, root, wanted))
    }
}

/// Every state, with its arguments and the body it is in.
fn states(heap: &Heap, root: Ref) -> impl Iterator<Item = (Target, Ref, Ref)> {
    heap.entries(root).into_iter().flat_map(|(id, body)| {
        let states = heap.entries(body).into_iter();
        let states = states.filter(|(state, _)| state.as_str().is_some_and(|state| !state.starts_with("__")));
        states.map(move |(state, arguments)| (Target { id: id.clone(), state }, arguments, body))
    })
}

/// The IDs of an SLS, each with what its body says first.
fn first_of_sls(heap: &Heap, root: Ref, sls: &Data) -> Vec<Target> {
    let mut found = Vec::new();
    for (id, body) in heap.entries(root) {
        let own = heap.get_str(body, "__sls__").and_then(|own| heap.as_scalar(own));
        let first = heap.as_table(body).and_then(|states| states.first());
        if let Some((state, _)) = first.filter(|_| own == Some(sls)) {
            found.push(Target { id, state: state.clone() });
        }
    }
    found
}

/// The items of `__exclude__`, on which Salt stumbles when it looks through all IDs.
fn excludes(heap: &Heap, root: Ref) -> Option<&[Ref]> {
    heap.get_str(root, "__exclude__").and_then(|list| heap.as_list(list))
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
pub(super) fn key(heap: &Heap, object: Ref, what: impl FnOnce() -> String) -> Result<Data> {
    heap.as_scalar(object).cloned().ok_or_else(|| unfit(&what(), "a name", heap.type_name(object)))
}
