//! Between [`Data`] and the values of a template. An object that comes twice comes out as one object that comes twice.

use std::collections::HashMap;
use std::sync::Arc;

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

use super::{DEEPEST, as_dict, dict, entries, items, list, ordered_dict, spend_text};
use crate::formula::{Data, Dict};

/// A value that a template can change, without any effect on `data`.
#[must_use]
pub fn from_data(data: &Data) -> Value {
    from(data, &mut HashMap::new())
}

fn from(data: &Data, seen: &mut HashMap<*const (), Value>) -> Value {
    let object = match data {
        Data::None => return Value::from(()),
        Data::Bool(value) => return Value::from(*value),
        Data::Int(number) => return i64::try_from(*number).map_or_else(|_| Value::from(*number), Value::from),
        Data::Float(number) => return Value::from(*number),
        Data::Str(text) => return Value::from(Arc::clone(text)),
        Data::List(items) => Arc::as_ptr(items).cast::<()>(),
        Data::Dict(dict) => Arc::as_ptr(dict).cast::<()>(),
    };
    if let Some(value) = seen.get(&object) {
        return value.clone();
    }
    let value = match data {
        Data::Dict(data) => {
            let entries: Vec<_> =
                data.entries.iter().map(|(key, value)| (from(key, seen), from(value, seen))).collect();
            if data.is_ordered { ordered_dict(entries) } else { dict(entries) }
        }
        other => list(other.as_list().unwrap_or_default().iter().map(|item| from(item, seen)).collect()),
    };
    seen.insert(object, value.clone());
    value
}

/// What a template's value says. An undefined value anywhere in it is an error, as are functions and other objects.
///
/// # Errors
/// When it holds something that is not data.
pub fn to_data(value: &Value) -> Result<Data, Error> {
    to(value, &mut Conversion { seen: HashMap::new(), replaced: &|_| None }, 0)
}

/// As [`to_data`], with something else in place of what `replaced` has a replacement for.
///
/// # Errors
/// When what is left is not data.
pub fn to_data_with(value: &Value, replaced: &dyn Fn(&Value) -> Option<Data>) -> Result<Data, Error> {
    to(value, &mut Conversion { seen: HashMap::new(), replaced }, 0)
}

struct Conversion<'a> {
    seen: HashMap<usize, Data>,
    replaced: &'a dyn Fn(&Value) -> Option<Data>,
}

fn to(value: &Value, conversion: &mut Conversion<'_>, depth: usize) -> Result<Data, Error> {
    if depth > DEEPEST {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("nested deeper than {DEEPEST}")));
    }
    if let Some(data) = (conversion.replaced)(value) {
        return Ok(data);
    }
    spend_text(value.as_str().map_or(0, str::len))?;
    Ok(match value.kind() {
        ValueKind::Undefined => return Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::None => Data::None,
        ValueKind::Bool => Data::Bool(value.is_true()),
        ValueKind::Number if value.is_integer() => match i128::try_from(value.clone()) {
            Ok(number) => Data::Int(number),
            Err(_) => return Err(Error::new(ErrorKind::InvalidOperation, "a number beyond 128 bits")),
        },
        ValueKind::Number => Data::Float(f64::try_from(value.clone())?),
        ValueKind::String => Data::Str(value.to_str().unwrap_or_default()),
        ValueKind::Bytes => String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).into_owned().into(),
        ValueKind::Map | ValueKind::Seq | ValueKind::Iterable => {
            let object = identity(value);
            if let Some(data) = object.and_then(|object| conversion.seen.get(&object)) {
                return Ok(data.clone());
            }
            let data = if value.kind() == ValueKind::Map {
                let mut copy = Dict::default();
                for (key, value) in entries(value) {
                    copy.entries.insert(to(&key, conversion, depth + 1)?, to(&value, conversion, depth + 1)?);
                }
                copy.is_ordered = as_dict(value).is_some_and(super::PyDict::is_ordered);
                copy.into()
            } else {
                items(value)?.iter().map(|item| to(item, conversion, depth + 1)).collect::<Result<Data, _>>()?
            };
            if let Some(object) = object {
                conversion.seen.insert(object, data.clone());
            }
            data
        }
        _ => return Err(Error::new(ErrorKind::InvalidOperation, format!("{} is not data", super::repr(value)))),
    })
}

/// What tells a mutable object from every other one that is alive.
fn identity(value: &Value) -> Option<usize> {
    let dict = as_dict(value).map(|dict| std::ptr::from_ref(dict).addr());
    dict.or_else(|| super::as_list(value).map(|list| std::ptr::from_ref(list).addr()))
}
