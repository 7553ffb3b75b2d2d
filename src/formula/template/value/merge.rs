//! Salt's ways to merge one mapping into another, and Python's deep copy.
//!
//! What is merged into is changed in place and keeps its objects, as in Python: a template that holds one of them sees
//! the change.

use std::cmp::Ordering;
use std::collections::HashMap;

use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, ErrorKind, Value};

use super::{
    DEEPEST, as_dict, as_list, dict, entries, is_list, is_mapping, is_spent, items, list, ordered_dict, spend,
};

/// How two mappings become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Mappings merge at every depth; anything else is replaced.
    Recurse,
    /// As [`Recurse`](Self::Recurse), and lists are replaced whatever the caller says: `none`, and every name Salt
    /// does not know.
    Plain,
    /// The outermost mappings merge; what is in them is replaced.
    Aggregate,
    /// What both have is replaced, at the outermost level.
    Overwrite,
    /// What both have becomes a list of the two; what only the second has is left out.
    List,
}

impl Strategy {
    /// The strategy of a name, where `smart` depends on the renderer.
    #[must_use]
    pub fn named(name: &str, renderer: &str) -> Self {
        let aggregates = || renderer.rsplit('|').next() == Some("yamlex") || renderer.starts_with("yamlex_");
        match name {
            "smart" if aggregates() => Self::Aggregate,
            "smart" | "recurse" => Self::Recurse,
            "aggregate" => Self::Aggregate,
            "overwrite" => Self::Overwrite,
            "list" => Self::List,
            _ => Self::Plain,
        }
    }
}

/// Merges two mappings into a new one. `merge_lists` makes lists longer instead of replacing them.
///
/// [`Strategy::Overwrite`] changes `base` too, as it does in Salt.
///
/// # Errors
/// When one of them is no mapping.
pub fn merge(strategy: Strategy, base: &Value, over: &Value, merge_lists: bool) -> Result<Value, Error> {
    match strategy {
        Strategy::Recurse => merged(base, over, merge_lists),
        Strategy::Plain => merged(base, over, false),
        Strategy::Aggregate => Ok(aggregate(base, over)),
        Strategy::Overwrite => {
            let (true, Some(into)) = (is_mapping(over), as_dict(base)) else { return Err(not_mappings()) };
            for (key, value) in entries(over) {
                if into.get(&key).is_some() {
                    into.insert(key, value);
                }
            }
            merged(base, over, merge_lists)
        }
        Strategy::List => {
            if !is_mapping(base) || !is_mapping(over) {
                return Err(not_mappings());
            }
            let others: HashMap<Value, Value> = entries(over).into_iter().collect();
            let both = |(key, value): (Value, Value)| match others.get(&key) {
                Some(other) => (key, list(vec![value, other.clone()])),
                None => (key, value),
            };
            Ok(dict(entries(base).into_iter().map(both)))
        }
    }
}

fn merged(base: &Value, over: &Value, merge_lists: bool) -> Result<Value, Error> {
    let copy = deep_copy(base)?;
    update(&copy, over, merge_lists)?;
    Ok(copy)
}

/// Merges `over` into `into` itself, at every depth. `merge_lists` adds the items of a list that are not there yet,
/// instead of replacing the list.
///
/// # Errors
/// When one of them is no mapping.
pub fn update(into: &Value, over: &Value, merge_lists: bool) -> Result<(), Error> {
    update_at(into, over, merge_lists, 0)
}

fn update_at(into: &Value, over: &Value, merge_lists: bool, depth: usize) -> Result<(), Error> {
    if depth > DEEPEST {
        return Err(too_deep());
    }
    let (true, Some(target)) = (is_mapping(over), as_dict(into)) else { return Err(not_mappings()) };
    for (key, value) in entries(over) {
        match target.get(&key) {
            Some(old) if is_mapping(&old) && is_mapping(&value) => update_at(&old, &value, merge_lists, depth + 1)?,
            Some(old) if merge_lists && is_list(&old) && is_list(&value) => {
                let mut longer = items(&deep_copy(&old)?)?;
                extend_unique(&mut longer, items(&value)?);
                target.insert(key, list(longer));
            }
            _ => target.insert(key, value),
        }
    }
    Ok(())
}

/// Adds the items that are not there yet; what comes twice among `more` comes twice.
pub fn extend_unique(items: &mut Vec<Value>, more: Vec<Value>) {
    // Python filters `more` by the list as it was before.
    let new: Vec<Value> = more.into_iter().filter(|item| !contains(items, item)).collect();
    items.extend(new);
}

/// `update` without recursion: the values of `over` replace those of `into`.
///
/// # Errors
/// When it is nested too deep.
pub fn assign(into: &Value, over: &Value) -> Result<(), Error> {
    let (true, Some(target)) = (is_mapping(over), as_dict(into)) else { return Err(not_mappings()) };
    for (key, value) in entries(over) {
        target.insert(key, value);
    }
    Ok(())
}

/// What the aggregating renderer (`yamlex`) makes of two documents that have no marks of its own.
fn aggregate(base: &Value, over: &Value) -> Value {
    if is_mapping(base) && is_mapping(over) {
        return ordered_dict(entries(base).into_iter().chain(entries(over)));
    }
    if is_mapping(base) || is_mapping(over) {
        return over.clone();
    }
    let sequence = |value: &Value| {
        if value.is_tuple() || is_list(value) { items(value).unwrap_or_default() } else { vec![value.clone()] }
    };
    let mut both = sequence(base);
    extend_unique(&mut both, sequence(over));
    list(both)
}

/// Python's `copy.deepcopy`: an object that comes twice is copied once.
///
/// # Errors
/// When it is nested too deep.
pub fn deep_copy(value: &Value) -> Result<Value, Error> {
    copy_at(value, &mut HashMap::new(), 0)
}

fn copy_at(value: &Value, seen: &mut HashMap<usize, Value>, depth: usize) -> Result<Value, Error> {
    spend(1)?;
    if depth > DEEPEST {
        return Err(too_deep());
    }
    if value.is_tuple() {
        let copies = items(value)?.iter().map(|item| copy_at(item, seen, depth + 1)).collect::<Result<Vec<_>, _>>()?;
        return Ok(Tuple::from(copies).into());
    }
    let mapping = as_dict(value).map(|mapping| std::ptr::from_ref(mapping).addr());
    let Some(object) = mapping.or_else(|| as_list(value).map(|list| std::ptr::from_ref(list).addr())) else {
        return if is_mapping(value) || is_list(value) { copy_foreign(value, seen, depth) } else { Ok(value.clone()) };
    };
    if let Some(copy) = seen.get(&object) {
        return Ok(copy.clone());
    }
    // The copy is known before what it holds is copied: an object can hold itself.
    if let Some(original) = as_dict(value) {
        let copy = if original.is_ordered() { ordered_dict([]) } else { dict([]) };
        seen.insert(object, copy.clone());
        for (key, value) in original.entries() {
            let (key, value) = (copy_at(&key, seen, depth + 1)?, copy_at(&value, seen, depth + 1)?);
            if let Some(copy) = as_dict(&copy) {
                copy.insert(key, value);
            }
        }
        return Ok(copy);
    }
    let copy = list(Vec::new());
    seen.insert(object, copy.clone());
    for item in items(value)? {
        let item = copy_at(&item, seen, depth + 1)?;
        if let Some(copy) = as_list(&copy) {
            copy.push(item);
        }
    }
    Ok(copy)
}

/// A copy that can be changed of a mapping or list that minijinja made, such as keyword arguments.
fn copy_foreign(value: &Value, seen: &mut HashMap<usize, Value>, depth: usize) -> Result<Value, Error> {
    if is_mapping(value) {
        let copies = entries(value).into_iter().map(|(key, value)| Ok((key, copy_at(&value, seen, depth + 1)?)));
        return Ok(dict(copies.collect::<Result<Vec<_>, Error>>()?));
    }
    Ok(list(items(value)?.iter().map(|item| copy_at(item, seen, depth + 1)).collect::<Result<_, _>>()?))
}

/// Whether a list has an item that is equal.
#[must_use]
pub fn contains(items: &[Value], item: &Value) -> bool {
    !is_spent() && items.iter().any(|other| is_equal(other, item))
}

/// Python's `==`, also for objects that hold themselves.
#[must_use]
pub fn is_equal(one: &Value, two: &Value) -> bool {
    equal_at(one, two, 0)
}

fn equal_at(one: &Value, two: &Value, depth: usize) -> bool {
    if depth > DEEPEST || spend(1).is_err() {
        return false;
    }
    if is_same(one, two) {
        return true;
    }
    if is_mapping(one) && is_mapping(two) {
        let (one, two) = (entries(one), entries(two).into_iter().collect::<HashMap<_, _>>());
        let has = |(key, value): &(Value, Value)| two.get(key).is_some_and(|other| equal_at(value, other, depth + 1));
        return one.len() == two.len() && one.iter().all(has);
    }
    let is_sequence = |value: &Value| is_list(value) || value.is_tuple();
    if is_sequence(one) && is_sequence(two) {
        let (Ok(left), Ok(right)) = (items(one), items(two)) else { return false };
        let mut pairs = left.iter().zip(&right);
        return one.is_tuple() == two.is_tuple()
            && left.len() == right.len()
            && pairs.all(|(one, two)| equal_at(one, two, depth + 1));
    }
    is_mapping(one) == is_mapping(two) && is_sequence(one) == is_sequence(two) && is_equal_otherwise(one, two)
}

/// Whether two values are the same list or mapping.
#[must_use]
pub fn is_same(one: &Value, two: &Value) -> bool {
    match (as_list(one), as_list(two), as_dict(one), as_dict(two)) {
        (Some(one), Some(two), ..) => std::ptr::eq(one, two),
        (_, _, Some(one), Some(two)) => std::ptr::eq(one, two),
        _ => false,
    }
}

/// `==` for what is neither a mapping nor a list or tuple. Minijinja alone would use generators up.
pub(in crate::formula::template) fn is_equal_otherwise(one: &Value, two: &Value) -> bool {
    match (one.as_object(), two.as_object()) {
        (Some(left), Some(right)) => match left.custom_cmp(right) {
            Some(order) => order.is_eq(),
            None => one.kind() == ValueKind::Plain && two.kind() == ValueKind::Plain && one == two,
        },
        (None, None) => one == two,
        _ => false,
    }
}

/// The order of two objects that are equal only if they are one.
pub(in crate::formula::template) fn by_place<T>(one: &T, two: Option<&T>) -> Option<Ordering> {
    two.map(|two| std::ptr::from_ref(one).addr().cmp(&std::ptr::from_ref(two).addr()))
}

fn not_mappings() -> Error {
    Error::new(ErrorKind::InvalidOperation, "Cannot update using non-dict types in dictupdate.update()")
}

fn too_deep() -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("nested deeper than {DEEPEST}"))
}

#[cfg(test)]
mod tests {
    use super::super::{printed, repr};
    use super::*;

    fn map(entries: &[(&str, Value)]) -> Value {
        dict(entries.iter().map(|(key, value)| (Value::from(*key), value.clone())))
    }

    fn numbers(numbers: &[i64]) -> Value {
        list(numbers.iter().copied().map(Value::from).collect())
    }

    #[test]
    fn updating_changes_the_objects_that_are_there() {
        let inner = map(&[("x", Value::from(1))]);
        let outer = map(&[("a", inner.clone()), ("l", numbers(&[1, 2]))]);
        let over = map(&[("a", map(&[("y", Value::from(2))])), ("l", numbers(&[2, 3, 3]))]);
        update(&outer, &over, true).unwrap();
        assert_eq!(repr(&inner), "{'x': 1, 'y': 2}");
        assert_eq!(repr(&outer), "{'a': {'x': 1, 'y': 2}, 'l': [1, 2, 3, 3]}");
        update(&outer, &over, false).unwrap();
        assert_eq!(repr(&outer), "{'a': {'x': 1, 'y': 2}, 'l': [2, 3, 3]}");
    }

    #[test]
    fn every_strategy_does_what_salts_does() {
        let base = || map(&[("a", map(&[("x", Value::from(1))])), ("l", numbers(&[1])), ("s", Value::from("one"))]);
        let over = || map(&[("a", map(&[("y", Value::from(2))])), ("l", numbers(&[2])), ("t", Value::from("two"))]);
        for (name, wanted) in [
            ("smart", "{'a': {'x': 1, 'y': 2}, 'l': [1, 2], 's': 'one', 't': 'two'}"),
            ("none", "{'a': {'x': 1, 'y': 2}, 'l': [2], 's': 'one', 't': 'two'}"),
            ("aggregate", "{'a': {'y': 2}, 'l': [2], 's': 'one', 't': 'two'}"),
            ("overwrite", "{'a': {'y': 2}, 'l': [2], 's': 'one', 't': 'two'}"),
            ("list", "{'a': [{'x': 1}, {'y': 2}], 'l': [[1], [2]], 's': 'one'}"),
        ] {
            let merged = merge(Strategy::named(name, "jinja|yaml"), &base(), &over(), true).unwrap();
            assert_eq!(printed(&merged), wanted, "{name}");
        }
    }

    #[test]
    fn a_copy_shares_nothing_but_keeps_what_is_shared_within_it() {
        let shared = numbers(&[1]);
        let original = map(&[("a", shared.clone()), ("b", shared.clone())]);
        let copy = deep_copy(&original).unwrap();
        as_list(&copy.get_attr("a").unwrap()).unwrap().push(Value::from(2));
        assert_eq!(repr(&original), "{'a': [1], 'b': [1]}");
        assert_eq!(repr(&copy), "{'a': [1, 2], 'b': [1, 2]}");
    }

    #[test]
    fn an_object_that_holds_itself_is_copied_and_compared() {
        let own = list(Vec::new());
        as_list(&own).unwrap().push(own.clone());
        let copy = deep_copy(&own).unwrap();
        assert!(!is_equal(&own, &copy));
        let holder = map(&[]);
        as_dict(&holder).unwrap().insert(Value::from("a"), holder.clone());
        let other = map(&[]);
        as_dict(&other).unwrap().insert(Value::from("a"), other.clone());
        assert!(update(&holder, &other, false).is_err());
        // A cycle would keep both alive.
        as_dict(&holder).unwrap().remove(&Value::from("a"));
        as_dict(&other).unwrap().remove(&Value::from("a"));
    }

    #[test]
    fn what_is_not_a_mapping_is_refused() {
        assert!(update(&map(&[]), &numbers(&[1]), false).is_err());
        assert!(merge(Strategy::Recurse, &numbers(&[1]), &map(&[]), false).is_err());
    }
}
