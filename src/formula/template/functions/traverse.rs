//! Salt's paths into nested data: `a:b:0:c`.

use minijinja::Value;
use minijinja::{Error, ErrorKind};

use super::super::value::{as_dict, from_data, is_list, is_mapping, items, type_name};
use super::arguments::wrong;
use crate::formula::yaml::{self, Mappings};

/// What is at the end of a path, if there is something.
///
/// A step into a list is an index, or a key of the first mapping in it that has it. A step into a mapping that lacks
/// it is tried again as the YAML it could be, so that `1` finds the key 1. `key` is a path as text, one step, or a list
/// of steps.
pub(in super::super) fn traverse(data: &Value, key: &Value, delimiter: &str) -> Result<Option<Value>, Error> {
    let steps = match key.as_str() {
        Some(_) if delimiter.is_empty() => return Err(wrong("empty separator")),
        Some(path) => path.split(delimiter).map(Value::from).collect(),
        None if key.is_integer() || key.kind() == minijinja::value::ValueKind::Bool => vec![key.clone()],
        None => items(key)?,
    };
    let mut place = data.clone();
    for step in &steps {
        let next = if is_list(&place) { into_list(&place, step)? } else { into_mapping(&place, step)? };
        match next {
            Some(next) => place = next,
            None => return Ok(None),
        }
    }
    Ok(Some(place))
}

/// [`traverse`] with a path of text, parted by colons.
pub(super) fn at(data: &Value, path: &str) -> Result<Option<Value>, Error> {
    traverse(data, &Value::from(path), ":")
}

fn into_list(list: &Value, step: &Value) -> Result<Option<Value>, Error> {
    let items = items(list)?;
    let index = index(step)?;
    let key = index.map_or_else(|| step.clone(), Value::from);
    if let Some(found) = items.iter().filter(|item| is_mapping(item)).find_map(|mapping| get(mapping, &key)) {
        return Ok(Some(found));
    }
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let place = index.map(|index| if index < 0 { index.saturating_add(length) } else { index });
    Ok(place.and_then(|place| usize::try_from(place).ok()).and_then(|place| items.get(place).cloned()))
}

fn into_mapping(place: &Value, step: &Value) -> Result<Option<Value>, Error> {
    if place.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    if !is_mapping(place) {
        return Ok(step.as_i64().and_then(|index| item(place, index)));
    }
    if let Some(found) = get(place, step) {
        return Ok(Some(found));
    }
    Ok(step.as_str().and_then(yaml_key).filter(|key| key != step).and_then(|key| get(place, &key)))
}

/// The value under a key, where an undefined one is one that is not there.
pub(super) fn get(mapping: &Value, key: &Value) -> Option<Value> {
    match as_dict(mapping) {
        Some(dict) => dict.get(key),
        None => mapping.get_item(key).ok().filter(|value| !value.is_undefined()),
    }
}

/// A character of a text or an item of a tuple.
fn item(place: &Value, index: i64) -> Option<Value> {
    let items = items(place).ok()?;
    let length = i64::try_from(items.len()).ok()?;
    items.get(usize::try_from(if index < 0 { index + length } else { index }).ok()?).cloned()
}

/// Python's `int(…)` of a step, if it is one.
fn index(step: &Value) -> Result<Option<i64>, Error> {
    if let Some(text) = step.as_str() {
        return Ok(whole_number(text));
    }
    if let Ok(number) = f64::try_from(step.clone()) {
        #[expect(clippy::cast_possible_truncation, reason = "Python truncates too")]
        return Ok(Some(number.trunc() as i64));
    }
    let kind = type_name(step);
    Err(wrong(format!("int() argument must be a string, a bytes-like object or a real number, not '{kind}'")))
}

/// Python's `int(…)` of a text: spaces around it, one sign, underscores between digits.
pub(super) fn whole_number(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_number = digits.split('_').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    if !is_number {
        return None;
    }
    let plain: String = text.chars().filter(|character| !matches!(character, '_' | '+')).collect();
    plain.parse().ok()
}

/// The key that a step could be in YAML, as Salt reads a value on its command line; `None` if it stays text.
fn yaml_key(step: &str) -> Option<Value> {
    let trimmed = step.trim();
    let is_number_with_underscores =
        step.contains('_') && trimmed.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    if matches!(trimmed, "" | "---" | "...") || is_number_with_underscores || step.contains(['\t', '\r', '\n']) {
        return None;
    }
    if step == "None" {
        return Some(Value::from(()));
    }
    let key = from_data(&yaml::load(step, Mappings::Plain).ok()?);
    let is_comment_or_tag = key.is_none() && (trimmed.starts_with('#') || step == "!");
    let is_other_text = step.contains('#') && (key.is_none() || key.as_str().is_some());
    // A mapping or a list is no key.
    if is_comment_or_tag || is_other_text || is_mapping(&key) || is_list(&key) { None } else { Some(key) }
}
