//! One SLS in the form that all are merged in: `pkg.installed` becomes `pkg` with the function among its arguments,
//! every ID knows its SLS, and every state has a number to be ordered by.

use std::collections::HashSet;

use super::heap::{Heap, Ref, unfit};
use crate::formula::{Data, Error, Kind, Result};

/// Where an SLS comes from: its name, and the environment it was found in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) saltenv: &'a str,
    pub(super) sls: &'a str,
}

/// A refusal that is about one top-level ID.
pub(super) struct Refusal {
    pub(super) id: Data,
    pub(super) error: Error,
}

impl Refusal {
    fn of(id: &Data) -> impl FnOnce(Error) -> Self + '_ {
        |error| Self { id: id.clone(), error }
    }
}

/// The state and the function that a dotted name says; further parts say nothing.
fn split(name: &str) -> Option<(&str, &str)> {
    let (state, rest) = name.split_once('.')?;
    Some((state, rest.split('.').next().unwrap_or_default()))
}

/// Moves `extend` to `__extend__`, where those of all SLS are collected.
pub(super) fn own_extend(heap: &mut Heap, state: Ref, origin: Origin) -> Result<(), Refusal> {
    let key = Data::from("extend");
    let Some(extend) = heap.remove(state, &key) else { return Ok(()) };
    if heap.as_table(extend).is_none() {
        let error = unfit("`extend`", "a mapping of IDs", heap.type_name(extend));
        return Err(Refusal { id: key, error });
    }
    for (id, body) in heap.entries(extend) {
        if heap.as_table(body).is_none() {
            let error = unfit(&format!("`{}` in `extend`", show(&id)), "a mapping of states", heap.type_name(body));
            return Err(Refusal { id: key, error });
        }
        sign(heap, body, origin);
        split_states(heap, body, &id, true).map_err(Refusal::of(&key))?;
    }
    collect(heap, state, "__extend__", &[extend]).map_err(Refusal::of(&key))
}

/// Moves `exclude` to `__exclude__`, where those of all SLS are collected.
pub(super) fn own_exclude(heap: &mut Heap, state: Ref) -> Result<(), Refusal> {
    let key = Data::from("exclude");
    let Some(exclude) = heap.remove(state, &key) else { return Ok(()) };
    let Some(items) = heap.as_list(exclude).map(<[Ref]>::to_vec) else {
        return Err(Refusal { error: unfit("`exclude`", "a list", heap.type_name(exclude)), id: key });
    };
    collect(heap, state, "__exclude__", &items).map_err(Refusal::of(&key))
}

/// Adds items to the list under a key, which is made if it is not there.
pub(super) fn collect(heap: &mut Heap, state: Ref, key: &str, items: &[Ref]) -> Result<()> {
    let list = heap.get_str(state, key).unwrap_or_else(|| {
        let list = heap.list(Vec::new());
        heap.set(state, key, list);
        list
    });
    heap.extend(list, items, || format!("`{key}`"))
}

/// Brings every ID into the long form, and notes its SLS.
pub(super) fn own_states(heap: &mut Heap, state: Ref, origin: Origin) -> Result<(), Refusal> {
    for (id, body) in heap.entries(state) {
        if heap.as_table(body).is_some() {
            split_states(heap, body, &id, false).map_err(Refusal::of(&id))?;
            sign(heap, body, origin);
        } else if matches!(id.as_str(), Some("__extend__" | "__exclude__")) {
        } else if let Some((name, function)) = heap.as_str(body).and_then(split) {
            let (name, function) = (Data::from(name), Data::from(function));
            let function = heap.scalar(function);
            let body = heap.table(false);
            sign(heap, body, origin);
            let arguments = heap.list(vec![function]);
            heap.set(body, name, arguments);
            heap.set(state, id, body);
        } else {
            let what = format!("ID `{}`", show(&id));
            let error = unfit(&what, "a mapping of states (or `module.function`)", heap.type_name(body));
            return Err(Refusal { id, error });
        }
    }
    Ok(())
}

/// Notes where a body is from, unless it says so itself.
fn sign(heap: &mut Heap, body: Ref, origin: Origin) {
    for (key, value) in [("__sls__", origin.sls), ("__env__", origin.saltenv)] {
        if heap.get_str(body, key).is_none() {
            let value = heap.scalar(value);
            heap.set(body, key, value);
        }
    }
}

/// Makes `pkg: […, installed]` of `pkg.installed: […]`. A body that extends another may name a state twice: the
/// last one counts.
fn split_states(heap: &mut Heap, body: Ref, id: &Data, may_repeat: bool) -> Result<()> {
    let mut seen = HashSet::new();
    for (key, _) in heap.entries(body) {
        let Some(name) = key.as_str() else {
            return Err(unfit(&format!("`{}`, a state of ID `{}`,", show(&key), show(id)), "a name", key.type_name()));
        };
        let Some(arguments) = heap.get(body, &key).filter(|_| !name.starts_with('_')) else { continue };
        if heap.as_list(arguments).is_none() {
            continue;
        }
        let Some((short, function)) = split(name) else {
            seen.insert(key);
            continue;
        };
        let short = Data::from(short);
        if !may_repeat && seen.contains(&short) {
            let message = format!("ID `{}` has more than one state of `{}`", show(id), show(&short));
            return Err(Error::new(Kind::Structure, message).hint("give each its own ID"));
        }
        heap.remove(body, &key);
        let function = heap.scalar(function);
        heap.set(body, short.clone(), arguments);
        heap.extend(arguments, &[function], || show(&key))?;
        seen.insert(short);
    }
    Ok(())
}

/// Gives every state that has no `order` the next number.
pub(super) fn number(heap: &mut Heap, bodies: &[(Data, Ref)], next: &mut i64) -> Result<()> {
    for (_, body) in bodies {
        for (name, arguments) in heap.entries(*body) {
            let Some(items) = heap.as_list(arguments) else { continue };
            if name.as_str().is_none_or(|name| name.starts_with('_')) {
                continue;
            }
            let has_order =
                items.iter().any(|&item| heap.argument(item).is_some_and(|(key, ..)| key.as_str() == Some("order")));
            if !has_order {
                let order = heap.scalar(*next);
                let order = heap.pair("order".into(), order);
                heap.extend(arguments, &[order], || show(&name))?;
                *next += 1;
            }
        }
    }
    Ok(())
}

/// An ID or a name as a person wrote it.
pub(super) fn show(data: &Data) -> String {
    data.as_str().map_or_else(|| format!("{data:?}"), str::to_owned)
}
