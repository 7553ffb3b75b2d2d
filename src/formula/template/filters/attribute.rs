//! The `attribute` of `map`, `sort` and their kind: a path of keys and indexes into every item.

use minijinja::{Error, State, Value};

use super::arguments::{Args, RunIn, defined, wrong};
use crate::formula::template::operators::own_attribute;
use crate::formula::template::value::{as_dict, spend_text, text};

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, RunIn)] = &[("attr", "obj name", attr)];

/// A path such as `address.city` or `0`.
#[derive(Debug)]
pub(super) struct Path(Vec<Value>);

impl Path {
    /// Reads a path; parts that are digits are indexes. A missing path (`None`) is the item itself.
    pub(super) fn of(attribute: Option<&Value>) -> Result<Self, Error> {
        let Some(attribute) = attribute.filter(|attribute| !attribute.is_none()) else { return Ok(Self(Vec::new())) };
        match attribute.as_str() {
            Some(text) => Ok(Self::read(text)),
            None => Ok(Self(vec![defined(attribute.clone())?])),
        }
    }

    /// Reads paths between commas.
    pub(super) fn several(attribute: Option<&Value>) -> Result<Vec<Self>, Error> {
        match attribute.and_then(|attribute| attribute.as_str()) {
            Some(text) => Ok(text.split(',').map(Self::read).collect()),
            None => Ok(vec![Self::of(attribute)?]),
        }
    }

    fn read(text: &str) -> Self {
        let part = |part: &str| match part.parse::<i64>() {
            Ok(index) if part.bytes().all(|digit| digit.is_ascii_digit()) => Value::from(index),
            _ => Value::from(part),
        };
        Self(text.split('.').map(part).collect())
    }

    /// What the path leads to, with `default` in place of whatever is missing on the way.
    pub(super) fn find(&self, item: &Value, default: Option<&Value>) -> Result<Value, Error> {
        let mut found = item.clone();
        for part in &self.0 {
            found = element(&found, part)?;
            if let Some(default) = default.filter(|_| found.is_undefined()) {
                found = default.clone();
            }
        }
        Ok(found)
    }
}

/// What an object has by its type: no entry of a mapping, no item of a list.
fn attr(state: &mut State<'_, '_>, args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    let name = text(&defined(args.get("name").cloned().unwrap_or_default())?);
    if let Some(attribute) = own_attribute(state, &value, &name) {
        return Ok(attribute);
    }
    let has_none = as_dict(&value).is_some() || value.as_object().is_none();
    Ok(if has_none { Value::UNDEFINED } else { value.get_attr(&name).unwrap_or_default() })
}

/// What Jinja's `x[y]` gives: an item or attribute, or undefined.
pub(in crate::formula::template) fn element(value: &Value, key: &Value) -> Result<Value, Error> {
    defined(value.clone())?;
    if key.is_none() {
        return Err(wrong("a key of None"));
    }
    // Anything that cannot be indexed has no such element; minijinja would call that an error.
    Ok(value.get_item(key).unwrap_or_default())
}

/// Text in lower case, anything else as it is: what Jinja compares unless it is told to heed the case.
pub(super) fn folded(value: Value, case_sensitive: bool) -> Value {
    match value.as_str() {
        // Whoever folds too much is stopped at the next look at a value.
        Some(text) if !case_sensitive && spend_text(text.len()).is_ok() => Value::from(text.to_lowercase()),
        _ => value,
    }
}

/// The name of a filter or test that another one is to call.
pub(super) fn name(value: &Value) -> String {
    text(value)
}
