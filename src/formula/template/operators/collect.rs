//! `[…]` and `{…}`.

use indexmap::IndexMap;
use minijinja::{Environment, Error, Value};

use super::super::value::{PyDict, items, list};
use super::hashable;

pub(super) fn add(env: &mut Environment<'_>) {
    env.add_filter("__list", |items_of: &Value| items(items_of).map(list));
    env.add_filter("__dict", dict);
}

/// A mapping of keys and values in turn. Of a key that comes twice the last value stays, in the first one's place.
fn dict(row: &Value) -> Result<Value, Error> {
    let mut entries = IndexMap::new();
    let mut row = items(row)?.into_iter();
    while let (Some(key), Some(value)) = (row.next(), row.next()) {
        hashable(&key, 0)?;
        entries.insert(key, value);
    }
    Ok(Value::from_object(PyDict::new(entries, false)))
}
