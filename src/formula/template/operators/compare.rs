//! `== != < <= > >= in`, as Python compares.

use std::cmp::Ordering;

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, State, Value};

use super::super::salt::Salt;
use super::super::value::{DEEPEST, PyDict, as_dict, entries, hashable, is_equal_otherwise, is_same, items, spend};
use super::number::Number;
use super::{is_silent, type_name, undefined, wrong};

/// The variable that holds the middle of `a < b < c`.
const KEPT: &str = "__kept";

/// The most values that one comparison looks at.
const MOST: usize = 1_000_000;

pub(super) fn add(env: &mut Environment<'_>) {
    env.add_filter("__eq", |state: &mut State<'_, '_>, a: &Value, b: &Value| top(state, a, b));
    env.add_filter("__ne", |state: &mut State<'_, '_>, a: &Value, b: &Value| top(state, a, b).map(|equal| !equal));
    env.add_filter("__lt", |a: &Value, b: &Value| ordered("<", a, b, Ordering::is_lt));
    env.add_filter("__le", |a: &Value, b: &Value| ordered("<=", a, b, Ordering::is_le));
    env.add_filter("__gt", |a: &Value, b: &Value| ordered(">", a, b, Ordering::is_gt));
    env.add_filter("__ge", |a: &Value, b: &Value| ordered(">=", a, b, Ordering::is_ge));
    env.add_filter("__in", contained);
    env.add_filter("__notin", |state: &mut State<'_, '_>, a: &Value, b: &Value| {
        contained(state, a, b).map(|is_in| !is_in)
    });
    // Nothing else runs between the two, so one place to keep a value is enough.
    env.add_filter("__keep", |state: &mut State<'_, '_>, value: Value| {
        state.set_temp(KEPT, value.clone());
        value
    });
    env.add_filter("__kept", |state: &mut State<'_, '_>, _: &Value| state.get_temp(KEPT));
}

fn top(state: &mut State<'_, '_>, a: &Value, b: &Value) -> Result<bool, Error> {
    for value in [a, b] {
        if value.is_undefined() && !is_silent(state, value) {
            return Err(undefined(value));
        }
    }
    if a.is_undefined() || b.is_undefined() {
        return Ok(a.is_undefined() && b.is_undefined());
    }
    equal(a, b)
}

/// Whether two values are equal in Python.
pub(in super::super) fn equal(a: &Value, b: &Value) -> Result<bool, Error> {
    Comparison { left: MOST }.equal(a, b, 0)
}

/// Counts what one comparison looks at.
struct Comparison {
    left: usize,
}

impl Comparison {
    fn equal(&mut self, a: &Value, b: &Value, depth: usize) -> Result<bool, Error> {
        spend(1)?;
        if depth > DEEPEST || self.left == 0 {
            return Err(wrong("maximum recursion depth exceeded in comparison"));
        }
        self.left -= 1;
        if is_same(a, b) {
            return Ok(true);
        }
        match (a.kind(), b.kind()) {
            (ValueKind::Undefined, _) => Err(undefined(a)),
            (_, ValueKind::Undefined) => Err(undefined(b)),
            (ValueKind::Seq, ValueKind::Seq) if a.is_tuple() == b.is_tuple() => {
                let (one, two) = (items(a)?, items(b)?);
                Ok(one.len() == two.len() && self.all_equal(&one, &two, depth)?)
            }
            (ValueKind::Map, ValueKind::Map) => self.equal_mappings(a, b, depth),
            (ValueKind::Seq | ValueKind::Map, _) | (_, ValueKind::Seq | ValueKind::Map) => Ok(false),
            _ => Ok(is_equal_otherwise(a, b)),
        }
    }

    fn all_equal(&mut self, one: &[Value], two: &[Value], depth: usize) -> Result<bool, Error> {
        for (one, two) in one.iter().zip(two) {
            if !self.equal(one, two, depth + 1)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn equal_mappings(&mut self, a: &Value, b: &Value, depth: usize) -> Result<bool, Error> {
        let (one, two) = (entries(a), entries(b));
        if one.len() != two.len() {
            return Ok(false);
        }
        let is_ordered = |value: &Value| as_dict(value).is_some_and(PyDict::is_ordered);
        if is_ordered(a) && is_ordered(b) && one.iter().zip(&two).any(|((one, _), (two, _))| one != two) {
            return Ok(false);
        }
        for (key, value) in &one {
            let other = match as_dict(b) {
                Some(dict) => dict.get(key),
                None => two.iter().find(|(other, _)| other == key).map(|(_, value)| value.clone()),
            };
            match other {
                Some(other) if self.equal(value, &other, depth + 1)? => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    fn order(&mut self, symbol: &str, a: &Value, b: &Value, depth: usize) -> Result<Option<Ordering>, Error> {
        if depth > DEEPEST {
            return Err(wrong("maximum recursion depth exceeded in comparison"));
        }
        if let (Some(a), Some(b)) = (a.as_str(), b.as_str()) {
            return Ok(Some(a.cmp(b)));
        }
        match (Number::of(a), Number::of(b)) {
            (Some(Number::Int(a)), Some(Number::Int(b))) => return Ok(Some(a.cmp(&b))),
            (Some(a), Some(b)) => return Ok(a.float().partial_cmp(&b.float())),
            _ => {}
        }
        let is_row = |value: &Value| value.kind() == ValueKind::Seq;
        if !is_row(a) || !is_row(b) || a.is_tuple() != b.is_tuple() {
            super::defined([a, b])?;
            let (a, b) = (type_name(a), type_name(b));
            return Err(wrong(format!("'{symbol}' not supported between instances of '{a}' and '{b}'")));
        }
        let (one, two) = (items(a)?, items(b)?);
        for (one, two) in one.iter().zip(&two) {
            if !self.equal(one, two, depth + 1)? {
                return self.order(symbol, one, two, depth + 1);
            }
        }
        Ok(Some(one.len().cmp(&two.len())))
    }
}

fn ordered(symbol: &str, a: &Value, b: &Value, holds: fn(Ordering) -> bool) -> Result<bool, Error> {
    // Not a number is neither less nor more than anything.
    Ok(Comparison { left: MOST }.order(symbol, a, b, 0)?.is_some_and(holds))
}

/// `item in container`.
fn contained(state: &mut State<'_, '_>, item: &Value, container: &Value) -> Result<bool, Error> {
    if container.is_undefined() {
        return if is_silent(state, container) { Ok(false) } else { Err(undefined(container)) };
    }
    if let Some(text) = container.as_str() {
        super::defined([item])?;
        let part = item
            .as_str()
            .ok_or_else(|| wrong(format!("'in <string>' requires string as left operand, not {}", type_name(item))))?;
        return Ok(text.contains(part));
    }
    if let Some(functions) = container.downcast_object_ref::<Salt>() {
        return Ok(item.as_str().is_some_and(|name| functions.has(name)));
    }
    match container.kind() {
        ValueKind::Map | ValueKind::Seq | ValueKind::Iterable if is_silent(state, item) => Ok(false),
        ValueKind::Map => {
            hashable(item)?;
            Ok(match as_dict(container) {
                Some(dict) => dict.get(item).is_some(),
                None => container.as_object().is_some_and(|object| object.get_value(item).is_some()),
            })
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let mut comparison = Comparison { left: MOST };
            for other in items(container)? {
                if comparison.equal(item, &other, 0)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        ValueKind::Plain => Ok(container.as_object().is_some_and(|object| object.get_value(item).is_some())),
        _ => Err(wrong(format!("argument of type '{}' is not iterable", type_name(container)))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{expect, rendered};

    #[test]
    fn values_compare_as_in_python() {
        expect(&[
            ("1 == 1.0", "True"),
            ("1 == true", "True"),
            ("[1] == (1,)", "False"),
            (r#"{"a": 1, "b": 2} == {"b": 2, "a": 1}"#, "True"),
            ("[1, 2] < [1, 3]", "True"),
            (r#""B" < "a""#, "True"),
            ("2 in l", "True"),
            (r#""k" in d"#, "True"),
            ("1 < l[1] < l[2]", "True"),
            ("3 < 2 < nope", "False"),
            ("1 < 'a'", "'<' not supported between instances of 'int' and 'str'"),
            ("1 in 'a'", "'in <string>' requires string as left operand, not int"),
            ("1 in 5", "argument of type 'int' is not iterable"),
        ]);
    }

    #[test]
    fn a_list_in_itself_ends_in_an_error() {
        let source = "{% set a = [] %}{% set b = [] %}{% do a.append(a) %}{% do b.append(b) %}{{ a == a }}{{ a == b }}";
        assert_eq!(rendered(source), "maximum recursion depth exceeded in comparison");
    }
}
