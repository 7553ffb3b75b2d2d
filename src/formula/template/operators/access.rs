//! Attributes, subscripts and slices.
//!
//! An attribute of Python's own types is a method before it is an entry, a subscript is an entry before it is a method.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, Rest, Tuple, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::super::value::{DEEPEST, PYTHON2, PyDict, as_dict, hashable, items, list, release};
use super::number::Number;
use super::{defined, text, type_name, undefined, wrong};

pub(super) fn add(env: &mut Environment<'_>) {
    env.add_filter("__attr", attribute);
    env.add_filter("__item", item);
    env.add_filter("__slice", slice);
    env.add_filter("__method", method);
}

const DICT: &[&str] =
    &["clear", "copy", "fromkeys", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"];
const DICT_OF_PYTHON2: &[&str] = &["has_key", "iteritems", "iterkeys", "itervalues"];
const LIST: &[&str] =
    &["append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"];
const TUPLE: &[&str] = &["count", "index"];
const TEXT: &[&str] = &[
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "maketrans",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];
const INT: &[&str] = &["as_integer_ratio", "bit_count", "bit_length", "conjugate"];
const FLOAT: &[&str] = &["as_integer_ratio", "conjugate", "hex", "is_integer"];

/// Whether the type of a value has a method of a name.
fn has_method(state: &State<'_, '_>, value: &Value, name: &str) -> bool {
    let methods = match value.kind() {
        ValueKind::String => TEXT,
        ValueKind::Seq if value.is_tuple() => TUPLE,
        ValueKind::Seq => LIST,
        ValueKind::Map => match as_dict(value) {
            None => return false,
            Some(_) if DICT_OF_PYTHON2.contains(&name) => return state.lookup(PYTHON2).is_some(),
            Some(dict) if name == "move_to_end" => return PyDict::is_ordered(dict),
            Some(_) => DICT,
        },
        ValueKind::Bool => INT,
        ValueKind::Number if value.is_integer() => INT,
        ValueKind::Number => FLOAT,
        _ => return false,
    };
    methods.contains(&name)
}

/// A method that is not called yet.
struct BoundMethod {
    receiver: Value,
    name: String,
}

impl fmt::Debug for BoundMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, kind, address) = (&self.name, type_name(&self.receiver), std::ptr::from_ref(self).addr());
        write!(f, "<built-in method {name} of {kind} object at {address:#x}>")
    }
}

impl Drop for BoundMethod {
    fn drop(&mut self) {
        release(vec![std::mem::take(&mut self.receiver)]);
    }
}

impl Object for BoundMethod {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        self.receiver.call_method(state, &self.name, args)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The attribute of a name that a value has by its type.
pub(in crate::formula::template) fn own_attribute(state: &State<'_, '_>, value: &Value, name: &str) -> Option<Value> {
    if has_method(state, value, name) {
        return Some(Value::from_object(BoundMethod { receiver: value.clone(), name: name.to_owned() }));
    }
    match (name, Number::of(value)?) {
        ("real" | "numerator", number @ Number::Int(_)) | ("real", number) => Some(number.into()),
        ("imag", Number::Int(_)) => Some(Value::from(0)),
        ("denominator", Number::Int(_)) => Some(Value::from(1)),
        ("imag", Number::Float(_)) => Some(Value::from(0.0)),
        _ => None,
    }
}

/// `value.name`, not called.
fn attribute(state: &mut State<'_, '_>, value: &Value, name: &str) -> Result<Value, Error> {
    defined([value])?;
    match own_attribute(state, value, name) {
        Some(method) => Ok(method),
        None => value.get_attr(name),
    }
}

/// Where a whole number points within a sequence; negative ones count from the end.
fn position(key: &Value, length: usize) -> Option<usize> {
    let Some(Number::Int(index)) = Number::of(key) else { return None };
    let length = i128::try_from(length).ok()?;
    let index = if index < 0 { index.checked_add(length)? } else { index };
    usize::try_from(index).ok().filter(|_| index < length)
}

fn entry(value: &Value, key: &Value) -> Result<Option<Value>, Error> {
    Ok(match value.kind() {
        ValueKind::Undefined => return Err(undefined(value)),
        ValueKind::Seq => match position(key, value.len().unwrap_or(0)) {
            Some(index) => Some(value.get_item_by_index(index)?),
            None => None,
        },
        ValueKind::String => {
            let all = value.as_str().unwrap_or_default();
            let index = if all.is_ascii() { position(key, all.len()) } else { position(key, all.chars().count()) };
            let found = index.and_then(|index| all.chars().nth(index));
            found.map(|character| text(character.to_string(), value.is_safe()))
        }
        ValueKind::Map if hashable(key).is_err() => None,
        _ => value.as_object().and_then(|object| object.get_value(key)),
    })
}

/// `value[key]`.
fn item(state: &mut State<'_, '_>, value: &Value, key: &Value) -> Result<Value, Error> {
    defined([value])?;
    if let Some(found) = entry(value, key)? {
        return Ok(found);
    }
    Ok(key.as_str().and_then(|name| own_attribute(state, value, name)).unwrap_or_default())
}

/// `value[start:stop:step]`.
pub(in crate::formula::template) fn slice(
    value: &Value,
    start: &Value,
    stop: &Value,
    step: &Value,
) -> Result<Value, Error> {
    defined([value, start, stop, step])?;
    match value.kind() {
        ValueKind::String => {
            let characters: Vec<char> = value.as_str().unwrap_or_default().chars().collect();
            let picked = indices(characters.len(), start, stop, step)?;
            let picked = picked.filter_map(|index| characters.get(index)).collect();
            Ok(text(picked, value.is_safe()))
        }
        ValueKind::Seq => {
            let all = items(value)?;
            let picked = indices(all.len(), start, stop, step)?;
            let picked: Vec<Value> = picked.filter_map(|index| all.get(index).cloned()).collect();
            Ok(if value.is_tuple() { Value::from(Tuple::from(picked)) } else { list(picked) })
        }
        ValueKind::Map => Err(wrong("unhashable type: 'slice'")),
        _ => Err(wrong(format!("'{}' object is not subscriptable", type_name(value)))),
    }
}

/// Which items a slice picks of so many.
fn indices(length: usize, start: &Value, stop: &Value, step: &Value) -> Result<impl Iterator<Item = usize>, Error> {
    let part = |value: &Value| match (value.is_none(), Number::of(value)) {
        (true, _) => Ok(None),
        (_, Some(Number::Int(number))) => Ok(Some(number)),
        _ => Err(wrong("slice indices must be integers or None or have an __index__ method")),
    };
    let (start, stop, step) = (part(start)?, part(stop)?, part(step)?.unwrap_or(1));
    if step == 0 {
        return Err(wrong("slice step cannot be zero"));
    }
    let length = i128::try_from(length).unwrap_or(0);
    let (lowest, highest) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let bound = |index: i128| if index < 0 { index.saturating_add(length) } else { index }.clamp(lowest, highest);
    let first = start.map_or(if step > 0 { lowest } else { highest }, bound);
    let end = stop.map_or(if step > 0 { highest } else { lowest }, bound);
    let mut next = Some(first);
    Ok(std::iter::from_fn(move || {
        let index = next.filter(|index| if step > 0 { *index < end } else { *index > end })?;
        next = index.checked_add(step);
        usize::try_from(index).ok()
    }))
}

/// `loop.cycle(…)` and `loop.changed(…)`, or whatever else has methods of these names.
fn method(state: &mut State<'_, '_>, value: &Value, name: &str, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    defined([value])?;
    let args: Vec<Value> = args.0.into_iter().map(Value::from).collect();
    if name == "cycle" && args.is_empty() {
        return Err(wrong("no items for cycling given"));
    }
    if name == "changed" && args.iter().any(|value| is_deeper(value, DEEPEST)) {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("nested deeper than {DEEPEST}")));
    }
    value.call_method(state, name, &args)
}

/// Whether lists and mappings within a value go deeper than so many levels, or contain themselves.
fn is_deeper(value: &Value, levels: usize) -> bool {
    if !matches!(value.kind(), ValueKind::Seq | ValueKind::Map) {
        return false;
    }
    // Level by level, so that a list that contains itself ends it; the width of a level bounds the work.
    let mut level = vec![value.clone()];
    for _ in 0..levels {
        let mut inner = Vec::new();
        for value in level {
            let values = match value.kind() {
                ValueKind::Map => super::super::value::entries(&value).into_iter().map(|(_, value)| value).collect(),
                _ => items(&value).unwrap_or_default(),
            };
            inner.extend(values.into_iter().filter(|value| matches!(value.kind(), ValueKind::Seq | ValueKind::Map)));
            if inner.len() > 100_000 {
                return true;
            }
        }
        if inner.is_empty() {
            return false;
        }
        level = inner;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::expect;

    #[test]
    fn attributes_subscripts_and_slices_are_pythons() {
        expect(&[
            (r#"d["items"]"#, "own"),
            ("d.items()", "dict_items([('k', 'v'), ('items', 'own')])"),
            (r#"d["get"]("k")"#, "v"),
            ("d.items is defined", "True"),
            ("l[-1]", "3"),
            ("l[3] is defined", "False"),
            ("l[1.0] is defined", "False"),
            ("l[::-1]", "[3, 2, 1]"),
            (r#""text"[1:3]"#, "ex"),
            ("(1, 2, 3)[-2:]", "(2, 3)"),
            ("l[::0]", "slice step cannot be zero"),
            ("d[1:]", "unhashable type: 'slice'"),
            ("nope.x", "`nope` is undefined"),
        ]);
    }
}
