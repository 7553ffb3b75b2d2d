//! Requisites that are written at one state and act on another: `require_in`, `watch_in`, `onchanges_in`,
//! `onfail_in`, `prereq`, `prereq_in`, `use` and `use_in` become extensions of the states they name.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::High;
use super::declare::show;
use super::entries::Entries;
use super::extend::{self, Extension};
use super::heap::{Heap, Ref, unfit};
use super::names::{Names, Target, key};
use crate::formula::{Data, Error, Kind, Result};

/// The arguments that this is about.
const MOVED: [&str; 8] =
    ["require_in", "watch_in", "onfail_in", "onchanges_in", "use", "use_in", "prereq", "prereq_in"];
/// What `use` never takes over: names and requisites.
const NOT_USED: [&str; 15] = [
    "require_in",
    "watch_in",
    "onfail_in",
    "onchanges_in",
    "use",
    "use_in",
    "prereq",
    "prereq_in",
    "require",
    "watch",
    "onfail",
    "onfail_stop",
    "onchanges",
    "name",
    "names",
];

/// Moves every requisite to the state it acts on.
pub(super) fn apply(high: &mut High) -> Result<()> {
    let disabled = high.options.disabled_requisites.clone();
    let mut moves = Moves { root: high.root, names: Names::default(), extensions: IndexMap::new(), disabled };
    for (id, body) in high.heap.entries(high.root) {
        for (state, arguments) in high.heap.entries(body) {
            let from = From { target: Target { id: id.clone(), state }, body };
            let result = moves.state(&mut high.heap, &from, arguments);
            result.map_err(|error| high.files.locate_body(error, &high.heap, body, &id))?;
        }
    }
    let Moves { extensions, mut names, .. } = moves;
    let extensions: Vec<Extension> = extensions.into_iter().collect();
    extend::apply(high, &extensions, &mut names, true)
}

/// The state a requisite is written at.
struct From {
    target: Target,
    body: Ref,
}

struct Moves {
    root: Ref,
    names: Names,
    extensions: IndexMap<Data, Ref>,
    /// The kinds that are left where they are.
    disabled: Vec<String>,
}

impl Moves {
    fn state(&mut self, heap: &mut Heap, from: &From, arguments: Ref) -> Result<()> {
        let state = from.target.state.as_str();
        let what = || format!("`{}` of ID `{}`", show(&from.target.state), show(&from.target.id));
        let Some(state) = state else { return Err(unfit(&what(), "a name", from.target.state.type_name())) };
        if state.starts_with("__") {
            return Ok(());
        }
        for item in heap.iterate(arguments, what)? {
            let Some((name, value, _)) = heap.argument(item) else { continue };
            let Some(name) = name.as_str().and_then(|name| MOVED.iter().find(|moved| **moved == name)) else {
                continue;
            };
            if self.disabled.iter().any(|disabled| disabled == name) {
                continue;
            }
            if heap.as_table(value).is_some() {
                self.single(heap, from, name, value)?;
            } else if let Some(items) = heap.as_list(value).map(<[Ref]>::to_vec) {
                self.several(heap, from, name, &items)?;
            }
        }
        Ok(())
    }

    /// `require_in: {pkg: nova}`. Salt takes every kind in this form for one of the `_in` kinds.
    fn single(&mut self, heap: &mut Heap, from: &From, name: &str, value: Ref) -> Result<()> {
        for (state, id) in heap.entries(value) {
            undotted(&state, name)?;
            let id = key(heap, id, || format!("`{}` in `{name}`", show(&state)))?;
            self.require(heap, from, name, &Target { id, state })?;
        }
        Ok(())
    }

    /// A list of targets.
    fn several(&mut self, heap: &mut Heap, from: &From, name: &str, items: &[Ref]) -> Result<()> {
        // Salt never empties this list, so a target acts once more with every item after it. An `sls` replaces it.
        let mut targets: Vec<Target> = Vec::new();
        for &item in items {
            let Some((state, id)) = self.item(heap, item, name)? else { continue };
            if state.as_str() == Some("sls") {
                targets = self.names.of_sls(heap, self.root, &id);
            } else {
                targets.push(Target { id, state: state.clone() });
            }
            undotted(&state, name)?;
            for target in &targets {
                self.one(heap, from, name, target)?;
            }
        }
        Ok(())
    }

    /// The state and the ID that one item names: `state: ID`, or an ID or a name alone. What nobody is called is
    /// left out.
    fn item(&mut self, heap: &Heap, item: Ref, name: &str) -> Result<Option<(Data, Data)>> {
        if let Some(entries) = heap.as_table(item) {
            let Some((state, id)) = entries.first() else { return Ok(None) };
            return Ok(Some((state.clone(), key(heap, id, || format!("`{}` in `{name}`", show(state)))?)));
        }
        let id = key(heap, item, || format!("an item of `{name}`"))?;
        let Some(body) = heap.get(self.root, &id) else {
            let named = self.names.named(heap, self.root, &id)?;
            return Ok(named.map(|target| (target.state, target.id)));
        };
        let mut states = heap.as_table(body).into_iter().flat_map(Entries::keys);
        match states.find(|state| state.as_str().is_some_and(|state| !state.starts_with("__"))) {
            Some(state) => Ok(Some((state.clone(), id))),
            None => Err(Error::new(Kind::Structure, format!("`{name}` names ID `{}`, which has no state", show(&id)))),
        }
    }

    fn one(&mut self, heap: &mut Heap, from: &From, name: &str, target: &Target) -> Result<()> {
        match name {
            "prereq" => {
                for found in self.names.find(heap, self.root, target, true)? {
                    self.prerequired(heap, &found, &from.target)?;
                }
                Ok(())
            }
            "use_in" => {
                let found = self.names.find(heap, self.root, target, true)?;
                for found in found.into_iter().filter(|found| found.id.is_true()) {
                    self.take_over(heap, &from.target, &found)?;
                }
                Ok(())
            }
            "use" => {
                let found = self.names.find(heap, self.root, target, true)?;
                for found in found.into_iter().filter(|found| found.id.is_true()) {
                    self.take_over(heap, &found, &from.target)?;
                }
                Ok(())
            }
            _ => {
                if name == "prereq_in" {
                    self.prerequired(heap, &from.target, target)?;
                }
                self.require(heap, from, name, target)
            }
        }
    }

    /// The list of what is added to a state.
    fn added(&mut self, heap: &mut Heap, target: &Target) -> Result<Ref> {
        let body = *self.extensions.entry(target.id.clone()).or_insert_with(|| heap.table(true));
        let list = heap.get(body, &target.state).unwrap_or_else(|| {
            let list = heap.list(Vec::new());
            heap.set(body, target.state.clone(), list);
            list
        });
        if heap.as_list(list).is_none() {
            return Err(unfit("what a requisite names", "a state", "str"));
        }
        Ok(list)
    }

    /// Notes at a state which one has to look at it first.
    fn prerequired(&mut self, heap: &mut Heap, at: &Target, by: &Target) -> Result<()> {
        let added = self.added(heap, at)?;
        let by = one_pair(heap, by);
        let list = heap.list(vec![by]);
        let argument = heap.pair("prerequired".into(), list);
        heap.extend(added, &[argument], state_list)
    }

    /// Makes the target require (watch, …) the state the requisite is written at.
    fn require(&mut self, heap: &mut Heap, from: &From, name: &str, target: &Target) -> Result<()> {
        let kind = name.split('_').next().unwrap_or(name);
        let added = self.added(heap, target)?;
        let Some(&body) = self.extensions.get(&target.id) else { return Ok(()) };
        for origin in ["__env__", "__sls__"] {
            if let Some(value) = heap.get_str(from.body, origin) {
                heap.set(body, origin, value);
            }
        }
        let mut lists = Vec::new();
        for &item in heap.as_list(added).unwrap_or_default() {
            lists.extend(heap.argument(item).filter(|(key, ..)| key.as_str() == Some(kind)).map(|(_, list, _)| list));
        }
        for &list in &lists {
            let back = one_pair(heap, &from.target);
            heap.extend(list, &[back], state_list)?;
        }
        if lists.is_empty() {
            let back = one_pair(heap, &from.target);
            let list = heap.list(vec![back]);
            let argument = heap.pair(kind.into(), list);
            heap.extend(added, &[argument], state_list)?;
        }
        Ok(())
    }

    /// Gives a state the arguments of another one that it does not have itself.
    fn take_over(&mut self, heap: &mut Heap, of: &Target, to: &Target) -> Result<()> {
        let added = self.added(heap, to)?;
        let own: HashSet<Data> = self.arguments(heap, to).into_iter().map(|(key, _)| key).collect();
        let mut used = Vec::new();
        for (key, item) in self.arguments(heap, of) {
            if !own.contains(&key) && !key.as_str().is_some_and(|key| NOT_USED.contains(&key)) {
                used.push(item);
            }
        }
        heap.extend(added, &used, state_list)
    }

    /// The arguments of a state that have one key, with it.
    fn arguments(&self, heap: &Heap, of: &Target) -> Vec<(Data, Ref)> {
        let list = heap.get(self.root, &of.id).and_then(|body| heap.get(body, &of.state));
        let items = list.and_then(|list| heap.as_list(list)).unwrap_or_default();
        let keyed = items.iter().filter_map(|&item| {
            let (key, _, entries) = heap.argument(item)?;
            (entries.len() == 1).then(|| (key.clone(), item))
        });
        keyed.collect()
    }
}

fn state_list() -> String {
    "what a requisite adds to".to_owned()
}

fn one_pair(heap: &mut Heap, target: &Target) -> Ref {
    let id = heap.scalar(target.id.clone());
    heap.pair(target.state.clone(), id)
}

fn undotted(state: &Data, name: &str) -> Result<()> {
    let Some(text) = state.as_str() else {
        return Err(unfit(&format!("a target of `{name}`"), "text", state.type_name()));
    };
    let Some((short, _)) = text.split_once('.') else { return Ok(()) };
    let message = format!("`{name}` names `{text}`, and a requisite names a state without its function");
    Err(Error::new(Kind::Structure, message).hint(format!("did you mean `{short}`?")))
}
