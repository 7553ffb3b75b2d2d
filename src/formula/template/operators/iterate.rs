//! What loops go over, and values that several names take apart.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Tuple, ValueKind};
use minijinja::{Environment, Error, State, Value};

use super::super::filters::is_generator;
use super::super::value::{as_dict, as_list, items, release};
use super::{is_silent, type_name, undefined, wrong};

pub(super) fn add(env: &mut Environment<'_>) {
    env.add_filter("__iter", iterable);
    env.add_filter("__unpack", |value: &Value, length: usize| {
        super::defined([value])?;
        unpacked(value, length)
    });
}

/// What a loop goes over; with a `length`, each item is a tuple of so many.
fn iterable(state: &mut State<'_, '_>, value: &Value, length: Option<usize>) -> Result<Value, Error> {
    if value.is_undefined() {
        return if is_silent(state, value) { Ok(Value::from(Tuple::default())) } else { Err(undefined(value)) };
    }
    match value.kind() {
        ValueKind::None | ValueKind::Bool | ValueKind::Number => {
            return Err(wrong(format!("'{}' object is not iterable", type_name(value))));
        }
        _ => {}
    }
    // All else says by itself how long it is, which `loop` is asked for; text does not.
    let is_live = as_list(value).is_some() || as_dict(value).is_some() || value.kind() == ValueKind::String;
    if length.is_none() && !is_live {
        return Ok(value.clone());
    }
    Ok(Value::from_object(Live { value: value.clone(), length }))
}

/// A list or mapping that a loop sees as it changes, as in Python: what is appended in the loop comes as well, and
/// what is removed makes it skip an item.
struct Live {
    value: Value,
    length: Option<usize>,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("iterator")
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        release(vec![std::mem::take(&mut self.value)]);
    }
}

impl Object for Live {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let length = self.length;
        let shaped = move |item: Value| match length {
            Some(length) => unpacked(&item, length).unwrap_or_else(Value::from),
            None => item,
        };
        if as_list(&self.value).is_some() {
            let items = ListItems { list: self.value.clone(), next: 0 };
            return Enumerator::Iter(Box::new(items.map(shaped)));
        }
        if let Some(dict) = as_dict(&self.value) {
            let keys: Vec<Value> = dict.entries().into_iter().map(|(key, _)| key).collect();
            let keys = DictKeys { dict: self.value.clone(), size: keys.len(), keys: keys.into_iter(), is_over: false };
            return Enumerator::Iter(Box::new(keys.map(shaped)));
        }
        if is_generator(&self.value)
            && let Ok(items) = self.value.try_iter()
        {
            return Enumerator::Iter(Box::new(items.map(shaped)));
        }
        match items(&self.value) {
            Ok(items) => Enumerator::Iter(Box::new(items.into_iter().map(shaped))),
            Err(_) => Enumerator::NonEnumerable,
        }
    }
}

/// The items of a list, each looked up when its turn comes.
struct ListItems {
    list: Value,
    next: usize,
}

impl Iterator for ListItems {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        let list = as_list(&self.list)?;
        if self.next >= list.len() {
            return None;
        }
        let item = self.list.get_item_by_index(self.next).ok()?;
        self.next += 1;
        Some(item)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = as_list(&self.list).map_or(0, |list| list.len().saturating_sub(self.next));
        (left, Some(left))
    }
}

/// The keys of a mapping, and an error once it has another size.
struct DictKeys {
    dict: Value,
    size: usize,
    keys: std::vec::IntoIter<Value>,
    is_over: bool,
}

impl Iterator for DictKeys {
    type Item = Value;

    fn next(&mut self) -> Option<Value> {
        if self.is_over {
            return None;
        }
        if as_dict(&self.dict).is_some_and(|dict| dict.len() != self.size) {
            self.is_over = true;
            return Some(wrong("dictionary changed size during iteration").into());
        }
        let key = self.keys.next();
        self.is_over = key.is_none();
        key
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.keys.size_hint()
    }
}

/// A value as a tuple of so many items.
fn unpacked(value: &Value, length: usize) -> Result<Value, Error> {
    if value.is_tuple() && value.len() == Some(length) {
        return Ok(value.clone());
    }
    let is_iterable = !matches!(value.kind(), ValueKind::None | ValueKind::Bool | ValueKind::Number);
    let items = if is_iterable { items(value).ok() } else { None };
    let items = items.ok_or_else(|| wrong(format!("cannot unpack non-iterable {} object", type_name(value))))?;
    match items.len() {
        many if many > length => Err(wrong(format!("too many values to unpack (expected {length})"))),
        few if few < length => Err(wrong(format!("not enough values to unpack (expected {length}, got {few})"))),
        _ => Ok(Value::from(Tuple::from(items))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rendered;

    #[test]
    fn loops_see_lists_change_as_in_python() {
        for (source, text) in [
            ("{% for i in l %}{{ i }}{% do l.remove(i) %}{% endfor %}{{ l }}", "13[2]"),
            ("{% for i in d %}{% do d.update({i ~ i: 1}) %}{% endfor %}", "dictionary changed size during iteration"),
            ("{% for k, v in d.items() %}{{ loop.index }}{{ k }}={{ v }};{% endfor %}", "1k=v;2items=own;"),
            ("{% for a, b in l %}{% endfor %}", "cannot unpack non-iterable int object"),
            ("{% set a, b = l %}", "too many values to unpack (expected 2)"),
            ("{% set a, b = 'xy' %}{{ b }}", "y"),
            ("{% for i in 5 %}{% endfor %}", "'int' object is not iterable"),
            ("{% for i in (l if false) %}{% else %}none{% endfor %}", "none"),
        ] {
            assert_eq!(rendered(source), text, "{source}");
        }
    }
}
