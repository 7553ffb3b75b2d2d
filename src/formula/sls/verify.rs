//! What a high state must look like, before requisites are moved to where they act.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::High;
use super::declare::show;
use super::heap::{Heap, Ref, unfit};
use crate::formula::{Data, Error, Kind, Result};

/// For every ID the requisites of the state looked at last: target to kind of target, and the state itself under `state`.
type Requisites = HashMap<Data, IndexMap<Data, Data>>;

/// The refusal of an ID that YAML did not read as text.
pub(super) fn not_a_name(id: &Data) -> Error {
    unfit(&format!("ID `{}`", show(id)), "text", id.type_name()).hint("put it in quotes")
}

/// Refuses the first thing that Salt would refuse.
pub(super) fn verify(high: &High) -> Result<()> {
    let mut requisites = Requisites::new();
    for (id, body) in high.heap.entries(high.root) {
        if id.as_str().is_some_and(|id| id.starts_with("__")) {
            continue;
        }
        verify_body(&high.heap, &id, body, &mut requisites)
            .map_err(|error| high.files.locate_body(error, &high.heap, body, &id))?;
    }
    Ok(())
}

fn verify_body(heap: &Heap, id: &Data, body: Ref, requisites: &mut Requisites) -> Result<()> {
    if id.as_str().is_none() {
        return Err(not_a_name(id));
    }
    let Some(states) = heap.as_table(body) else {
        return Err(unfit(&format!("ID `{}`", show(id)), "a mapping of states", heap.type_name(body)));
    };
    for (key, arguments) in states.iter() {
        let what = || format!("`{}` of ID `{}`", show(key), show(id));
        let Some(state) = key.as_str() else { return Err(unfit(&what(), "a name", key.type_name())) };
        if state.starts_with("__") {
            continue;
        }
        let Some(items) = heap.as_list(arguments) else {
            let error = unfit(&what(), "a list of arguments", heap.type_name(arguments));
            let is_empty = heap.type_name(arguments) == "NoneType";
            return Err(if is_empty { error.hint("leave out the colon if it has no arguments") } else { error });
        };
        // Only names that begin with `_` still have their function with them.
        let mut functions: Vec<&str> = state.split_once('.').into_iter().map(|(_, function)| function).collect();
        for &item in items {
            if let Some(function) = heap.as_str(item) {
                check_function(function, what)?;
                functions.push(function);
            } else if heap.as_table(item).is_some() {
                check_argument(heap, id, key, item, requisites)?;
            }
        }
        check_count(&functions, state, what)?;
    }
    Ok(())
}

fn check_function(function: &str, what: impl Fn() -> String) -> Result<()> {
    if !function.trim().contains(' ') {
        return Ok(());
    }
    let message = format!("{} has the function `{function}`, and a function cannot have a space", what());
    Err(Error::new(Kind::Structure, message).hint("an argument needs a colon after its name"))
}

fn check_count(functions: &[&str], state: &str, what: impl Fn() -> String) -> Result<()> {
    let message = match functions {
        [] if state == "require" || state == "watch" => return Ok(()),
        [_] => return Ok(()),
        [] => format!("{} names no function", what()),
        several => {
            format!("{} names {} functions, and must name one: {}", what(), several.len(), several.join(", "))
        }
    };
    Err(Error::new(Kind::Structure, message))
}

/// Checks one argument, and its requisites if it has any.
fn check_argument(heap: &Heap, id: &Data, state: &Data, item: Ref, requisites: &mut Requisites) -> Result<()> {
    let of = || format!("state `{}` of ID `{}`", show(state), show(id));
    let Some((key, value, entries)) = heap.argument(item) else {
        return Err(Error::new(Kind::Structure, format!("an argument of {} is an empty mapping", of())));
    };
    let key = key.as_str().unwrap_or_default();
    if key == "names" && heap.as_list(value).is_none() {
        return Err(unfit(&format!("`names` in {}", of()), "a list", heap.type_name(value)));
    }
    if !matches!(key, "require" | "watch" | "prereq" | "onchanges") {
        return Ok(());
    }
    let what = || format!("`{key}` in {}", of());
    let Some(targets) = heap.as_list(value) else { return Err(unfit(&what(), "a list", heap.type_name(value))) };
    requisites.insert(id.clone(), IndexMap::from([("state".into(), state.clone())]));
    for &target in targets {
        let (kind, name) = requisite(heap, target, what)?;
        if is_mutual(requisites, id, state, kind, name) {
            let message =
                format!("{} names `{}: {}`, which needs `{}` itself", what(), show(kind), show(name), show(id));
            return Err(Error::new(Kind::Structure, message));
        }
    }
    if entries.len() != 1 {
        return Err(Error::new(Kind::Structure, format!("{} has another argument in the same list item", what())));
    }
    Ok(())
}

/// The kind (`pkg`, `sls`, `id`) and the name that one item of a requisite gives.
fn requisite(heap: &Heap, target: Ref, what: impl Fn() -> String) -> Result<(&Data, &Data)> {
    const ID: &Data = &Data::None;
    if let Some(name) = heap.as_scalar(target).filter(|name| name.as_str().is_some()) {
        return Ok((ID, name));
    }
    let Some((kind, name, _)) = heap.argument(target) else {
        return Err(unfit(&format!("an item of {}", what()), "`state: ID`", heap.type_name(target)));
    };
    let Some(text) = kind.as_str() else {
        return Err(unfit(&format!("a target of {}", what()), "text", kind.type_name()));
    };
    if let Some((state, _)) = text.split_once('.') {
        let message = format!("{} names `{text}`, and a requisite names a state without its function", what());
        return Err(Error::new(Kind::Structure, message).hint(format!("did you mean `{state}`?")));
    }
    let Some(name) = heap.as_scalar(name) else {
        return Err(unfit(&format!("`{text}` in {}", what()), "an ID", heap.type_name(name)));
    };
    Ok((kind, name))
}

/// Notes a requisite, and says whether its target was seen to require the very same state.
fn is_mutual(requisites: &mut Requisites, id: &Data, state: &Data, kind: &Data, name: &Data) -> bool {
    if let Some(own) = requisites.get_mut(id) {
        own.insert(name.clone(), kind.clone());
    }
    let back = requisites.get(name);
    let back_state = back.and_then(|back| back.get(&Data::from("state")));
    let own_kind = requisites.get(id).and_then(|own| own.get(name));
    back.and_then(|back| back.get(id)) == Some(state) && back_state.is_some() && back_state == own_kind
}
