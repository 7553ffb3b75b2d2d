//! `[…]` and `{…}`.

use indexmap::IndexMap;
use minijinja::{Environment, Error, Value};

use super::super::value::{PyDict, hashable, items, list, set_attribute};
use super::wrong;

pub(super) fn add(env: &mut Environment<'_>) {
    env.add_filter("__list", |items_of: &Value| items(items_of).map(list));
    env.add_filter("__dict", dict);
    env.add_filter("__assign", |namespace: &Value, name: &str, value: Value| {
        set_attribute(namespace, name, bounded(value)?).map(|()| Value::from(()))
    });
}

/// The deepest nesting of tuples: minijinja lets go of them one within the other.
const DEEPEST_TUPLE: usize = 1000;

/// The most values on one level of that.
const WIDEST: usize = 100_000;

/// Refuses tuples in tuples in tuples, and a `loop`: minijinja lets go of both a level of the stack each.
fn bounded(value: Value) -> Result<Value, Error> {
    if value.as_object().is_some_and(|object| object.type_name().ends_with("::Loop")) {
        return Err(wrong("upshift does not keep a `loop` in a namespace"));
    }
    let mut level = vec![value.clone()];
    for _ in 0..DEEPEST_TUPLE {
        level =
            level.iter().filter(|value| value.is_tuple()).filter_map(|tuple| tuple.try_iter().ok()).flatten().collect();
        if level.is_empty() {
            return Ok(value);
        }
        if level.len() > WIDEST {
            break;
        }
    }
    Err(wrong(format!("tuples nested deeper than {DEEPEST_TUPLE}")))
}

/// A mapping of keys and values in turn. Of a key that comes twice the last value stays, in the first one's place.
fn dict(row: &Value) -> Result<Value, Error> {
    let mut entries = IndexMap::new();
    let mut row = items(row)?.into_iter();
    while let (Some(key), Some(value)) = (row.next(), row.next()) {
        hashable(&key)?;
        entries.insert(key, value);
    }
    Ok(Value::from_object(PyDict::new(entries, false)))
}
