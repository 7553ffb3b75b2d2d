//! `extend`, and what requisites make of it: arguments that one place adds to the state of another.

use std::collections::HashMap;

use super::High;
use super::declare::show;
use super::heap::{Heap, Ref, unfit};
use super::names::{Names, Target};
use crate::formula::{Data, Error, Kind, Result};

/// Arguments whose lists are joined; of all others the extension wins.
const JOINED: [&str; 13] = [
    "onchanges",
    "onchanges_any",
    "onfail",
    "onfail_any",
    "onfail_all",
    "onfail_stop",
    "prereq",
    "prerequired",
    "watch",
    "watch_any",
    "require",
    "require_any",
    "listen",
];

/// An ID with what is added to it.
pub(super) type Extension = (Data, Ref);

/// Takes the `extend` of all SLS out of the high state, each one once.
pub(super) fn take(high: &mut High) -> Result<Vec<Extension>> {
    let Some(collected) = high.heap.remove(high.root, &Data::from("__extend__")) else { return Ok(Vec::new()) };
    let mut extensions = Vec::new();
    let mut known: HashMap<Data, Vec<Ref>> = HashMap::new();
    for table in high.heap.as_list(collected).unwrap_or_default() {
        let Some(table) = high.heap.as_table(*table) else {
            return Err(unfit("an `extend`", "a mapping of IDs", high.heap.type_name(*table)));
        };
        for (id, body) in table.iter() {
            let known = known.entry(id.clone()).or_default();
            let mut is_known = false;
            for &other in known.iter() {
                is_known = is_known || high.heap.is_equal(other, body)?;
            }
            if !is_known {
                known.push(body);
                extensions.push((id.clone(), body));
            }
        }
    }
    Ok(extensions)
}

/// Adds extensions to the states they name. Those that requisites made are `strict`: the ID must have the state.
pub(super) fn apply(high: &mut High, extensions: &[Extension], names: &mut Names, strict: bool) -> Result<()> {
    if extensions.is_empty() {
        return Ok(());
    }
    let excluded = excluded_sls(high)?;
    for (id, body) in extensions {
        let located = |high: &High, error| high.files.locate_body(error, &high.heap, *body, &Data::from("extend"));
        apply_one(high, id, *body, names, &excluded, strict).map_err(|error| located(high, error))?;
    }
    Ok(())
}

fn apply_one(high: &mut High, id: &Data, body: Ref, names: &mut Names, excluded: &[Data], strict: bool) -> Result<()> {
    let heap = &mut high.heap;
    let target = target(heap, high.root, id, body, names, strict)?;
    let sls = heap.get_str(body, "__sls__").and_then(|sls| heap.as_scalar(sls));
    if sls.is_some_and(|sls| excluded.contains(sls)) {
        return Ok(());
    }
    for (state, added) in heap.entries(body) {
        if state.as_str().is_some_and(|state| state.starts_with("__")) {
            continue;
        }
        if let Some(arguments) = heap.get(target, &state) {
            let what = || format!("`{}` in what extends ID `{}`", show(&state), show(id));
            join(heap, arguments, added, names, &what)?;
        } else {
            heap.set(target, state.clone(), added);
            names.note_state(heap, target, &state, added);
        }
    }
    Ok(())
}

/// The body that an extension of `id` is for: that ID's, or the only one with a state of that name.
fn target(heap: &Heap, root: Ref, id: &Data, body: Ref, names: &mut Names, strict: bool) -> Result<Ref> {
    let states = heap.as_table(body).ok_or_else(|| unfit("an `extend`", "a mapping", heap.type_name(body)))?;
    let mut first = None;
    for state in states.keys() {
        let name = state.as_str().ok_or_else(|| unfit("a state in `extend`", "a name", state.type_name()))?;
        if !name.starts_with("__") {
            first = first.or(Some(state));
        }
    }
    let Some(state) = first else {
        return Err(Error::new(Kind::Structure, format!("the `extend` of ID `{}` names no state", show(id))));
    };
    if let Some(target) = heap.get(root, id).filter(|&target| heap.get(target, state).is_some()) {
        return Ok(target);
    }
    let found = names.find(heap, root, &Target { id: id.clone(), state: state.clone() }, strict)?;
    let message = match found.as_slice() {
        [Target { id: found, .. }] => {
            return heap
                .get(root, found)
                .filter(|&target| heap.as_table(target).is_some())
                .ok_or_else(|| unfit(&format!("ID `{}`", show(found)), "a mapping", "list"));
        }
        [] => format!("there is no `{}: {}` to add arguments to", show(state), show(id)),
        several => {
            let ids: Vec<String> = several.iter().map(|target| format!("`{}`", show(&target.id))).collect();
            format!("`{}: {}` is the name of several states: {}", show(state), show(id), ids.join(", "))
        }
    };
    Err(Error::new(Kind::Missing, message).hint("check the ID, and that its SLS is included"))
}

fn excluded_sls(high: &High) -> Result<Vec<Data>> {
    let heap = &high.heap;
    let items = heap.get_str(high.root, "__exclude__").and_then(|list| heap.as_list(list)).unwrap_or_default();
    let mut excluded = Vec::new();
    for &item in items {
        if heap.as_str(item).is_some() {
            excluded.extend(heap.as_scalar(item).cloned());
        } else if heap.as_table(item).is_some() {
            excluded.extend(heap.get_str(item, "sls").and_then(|sls| heap.as_scalar(sls)).cloned());
        } else {
            return Err(unfit("an item of `exclude`", "an SLS, `sls: SLS` or `id: ID`", heap.type_name(item)));
        }
    }
    Ok(excluded)
}

/// Adds arguments to those a state has: requisites are joined, the function and other arguments are replaced.
fn join(heap: &mut Heap, arguments: Ref, added: Ref, names: &mut Names, what: &dyn Fn() -> String) -> Result<()> {
    if heap.as_list(arguments).is_none() {
        return Err(unfit(&what(), "a list of arguments", heap.type_name(arguments)));
    }
    let is_list = heap.as_list(added).is_some();
    let fixed = if is_list { Vec::new() } else { heap.iterate(added, what)? };
    let mut index = 0;
    // The list can be the one that is added to, so it is looked at anew every time.
    while let Some(&item) =
        if is_list { heap.as_list(added).and_then(|list| list.get(index)) } else { fixed.get(index) }
    {
        index += 1;
        if !replace(heap, arguments, item, names, what)? {
            heap.extend(arguments, &[item], what)?;
            names.note(heap, arguments, item);
        }
    }
    Ok(())
}

/// Puts an argument in the place of every one of its kind, and says whether there was any.
fn replace(heap: &mut Heap, arguments: Ref, item: Ref, names: &mut Names, what: &dyn Fn() -> String) -> Result<bool> {
    let empty = || Error::new(Kind::Structure, format!("{} has an argument that is an empty mapping", what()));
    let is_text = heap.as_str(item).is_some();
    let is_table = heap.as_table(item).is_some();
    let mut is_replaced = false;
    let mut index = 0;
    while let Some(&own) = heap.as_list(arguments).and_then(|list| list.get(index)) {
        if is_text && heap.as_str(own).is_some() {
            heap.replace(arguments, index, item);
            is_replaced = true;
        } else if is_table && heap.as_table(own).is_some() {
            let (key, value, _) = heap.argument(item).ok_or_else(empty)?;
            let (own_key, own_value, _) = heap.argument(own).ok_or_else(empty)?;
            if key == own_key {
                is_replaced = true;
                if key.as_str().is_some_and(|key| JOINED.contains(&key)) {
                    let key = key.clone();
                    let what = || format!("`{}` in {}", show(&key), what());
                    let joined = heap.iterate(value, what)?;
                    heap.extend(own_value, &joined, what)?;
                } else {
                    heap.replace(arguments, index, item);
                    names.note(heap, arguments, item);
                }
            } else if key.as_str() == Some("name") && own_key.as_str() == Some("names") {
                // As in Salt, this one is also added at the end.
                heap.replace(arguments, index, item);
                names.note(heap, arguments, item);
            }
        }
        index += 1;
    }
    Ok(is_replaced)
}
