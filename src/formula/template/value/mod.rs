//! Python's dictionaries and lists as values of a template: changed in place, shared by every name they have.
//!
//! Everything that makes a list or a mapping for a template makes one of these, never minijinja's own,
//! which cannot be changed.

mod convert;
mod dict;
mod list;
mod merge;
mod namespace;
mod print;
mod work;

pub use convert::{from_data, to_data, to_data_with};
pub(crate) use dict::PYTHON2;
pub use dict::PyDict;
pub(crate) use dict::pairs;
pub use list::PyList;
pub(crate) use list::{compare, sort_by};
pub use merge::{Strategy, assign, contains, deep_copy, extend_unique, is_equal, is_same, merge, update};
pub(in crate::formula::template) use merge::{by_place, is_equal_otherwise};
pub use namespace::{Namespace, set_attribute};
pub(crate) use print::is_printable;
pub use print::{float_text, printed, repr, text, undefined_entries};
pub use work::{Work, is_spent, spend, spend_text};

use std::cell::RefCell;

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

/// The deepest nesting that is printed, compared or converted; a list can contain itself.
pub const DEEPEST: usize = 200;

thread_local! {
    /// What is still to be let go of, while something is.
    static DROPPED: RefCell<Option<Vec<Value>>> = const { RefCell::new(None) };
}

/// Lets values go one after the other. Every object of ours that holds values ends with this: a list in a list in a
/// list would take a level of the stack each.
pub(super) fn release(mut values: Vec<Value>) {
    values.retain(|value| value.as_object().is_some());
    if values.is_empty() {
        return;
    }
    // An object that is let go of in here comes back to this function, and waits for its turn.
    let later = |dropped: &RefCell<Option<Vec<Value>>>| match dropped.borrow_mut().as_mut() {
        Some(waiting) => {
            waiting.append(&mut values);
            true
        }
        None => false,
    };
    if DROPPED.try_with(later).unwrap_or(false) {
        return;
    }
    let begun = DROPPED.try_with(|dropped| *dropped.borrow_mut() = Some(values)).is_ok();
    let next = |dropped: &RefCell<Option<Vec<Value>>>| dropped.borrow_mut().as_mut().and_then(Vec::pop);
    while let Ok(Some(value)) = DROPPED.try_with(next) {
        drop(value);
    }
    if begun {
        let _ = DROPPED.try_with(|dropped| *dropped.borrow_mut() = None);
    }
}

/// A list with these items.
#[must_use]
pub fn list(items: Vec<Value>) -> Value {
    // Whoever makes too many is stopped at the next look at one.
    let _ = spend(items.len());
    Value::from_object(PyList::from(items))
}

/// A plain `dict` with these entries.
pub fn dict(entries: impl IntoIterator<Item = (Value, Value)>) -> Value {
    Value::from_object(PyDict::new(entries.into_iter().collect(), false))
}

/// An `OrderedDict` with these entries.
pub fn ordered_dict(entries: impl IntoIterator<Item = (Value, Value)>) -> Value {
    Value::from_object(PyDict::new(entries.into_iter().collect(), true))
}

/// The mapping behind a value.
#[must_use]
pub fn as_dict(value: &Value) -> Option<&PyDict> {
    value.downcast_object_ref()
}

/// The list behind a value.
#[must_use]
pub fn as_list(value: &Value) -> Option<&PyList> {
    value.downcast_object_ref()
}

/// Whether a value is a mapping, a [`PyDict`] or one of minijinja's own (keyword arguments, a namespace).
#[must_use]
pub fn is_mapping(value: &Value) -> bool {
    value.kind() == ValueKind::Map
}

/// Whether Python would call a value a `list`.
#[must_use]
pub fn is_list(value: &Value) -> bool {
    as_list(value).is_some() || (value.kind() == ValueKind::Seq && !value.is_tuple())
}

/// The entries of a mapping, as they are now; none for anything else.
pub fn entries(value: &Value) -> Vec<(Value, Value)> {
    if let Some(dict) = as_dict(value) {
        return dict.entries();
    }
    if !is_mapping(value) {
        return Vec::new();
    }
    let keys = value.try_iter().map(Iterator::collect::<Vec<_>>).unwrap_or_default();
    keys.into_iter().map(|key| (key.clone(), value.get_item(&key).unwrap_or_default())).collect()
}

/// What iterating over a value gives, as it is now: items, keys, characters. An error says what cannot be iterated.
///
/// # Errors
/// When it cannot be iterated over.
pub fn items(value: &Value) -> Result<Vec<Value>, Error> {
    spend(1)?;
    if let Some(list) = as_list(value) {
        return Ok(list.items());
    }
    if value.kind() == ValueKind::Bytes {
        return Ok(value.as_bytes().unwrap_or_default().iter().map(|byte| Value::from(*byte)).collect());
    }
    if let Some(text) = value.as_str() {
        spend(text.len())?;
        return Ok(text.chars().map(|character| Value::from(character.to_string())).collect());
    }
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map | ValueKind::Plain => {
            spend(value.len().unwrap_or(0))?;
            Ok(value.try_iter()?.collect())
        }
        _ => Err(Error::new(ErrorKind::InvalidOperation, format!("'{}' object is not iterable", type_name(value)))),
    }
}

/// An error that Python would raise.
fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

/// Refuses what cannot be a key: lists, mappings, what only can be iterated, and tuples that hold them.
pub(super) fn hashable(value: &Value) -> Result<(), Error> {
    hashable_at(value, 0)
}

fn hashable_at(value: &Value, depth: usize) -> Result<(), Error> {
    if value.is_undefined() {
        // Minijinja names the value where it can.
        return Err(value.get_attr("").err().unwrap_or_else(|| Error::from(ErrorKind::UndefinedError)));
    }
    if value.is_tuple() && depth < DEEPEST {
        return value.try_iter()?.try_for_each(|item| hashable_at(&item, depth + 1));
    }
    spend_text(value.as_str().map_or(0, str::len))?;
    match value.kind() {
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => {
            Err(wrong(format!("unhashable type: '{}'", type_name(value))))
        }
        _ => Ok(()),
    }
}

/// What Python calls the type of a value.
pub fn type_name(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Undefined => "Undefined",
        ValueKind::None => "NoneType",
        ValueKind::Bool => "bool",
        ValueKind::Number if value.is_integer() => "int",
        ValueKind::Number => "float",
        ValueKind::String => "str",
        ValueKind::Bytes => "bytes",
        ValueKind::Seq if value.is_tuple() => "tuple",
        ValueKind::Seq => "list",
        ValueKind::Map if as_dict(value).is_some_and(PyDict::is_ordered) => "OrderedDict",
        ValueKind::Map => "dict",
        ValueKind::Iterable => "generator",
        _ if value.downcast_object_ref::<Namespace>().is_some() => "Namespace",
        _ => "object",
    }
}
