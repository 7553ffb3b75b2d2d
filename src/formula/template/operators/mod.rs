//! Python's operators, subscripts and literals: the filters that [`super::syntax`] puts in their place.
//!
//! Filters, because minijinja finds those without a walk through every scope. Their names begin with `__`, which no
//! template can use.

mod access;
mod arithmetic;
mod collect;
mod compare;
mod iterate;
mod macros;
mod modules;
mod number;
mod printf;

pub(super) use access::{own_attribute, slice};
pub(super) use printf::percent;

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, State, Value};

/// Adds every filter.
pub(super) fn add(env: &mut Environment<'_>) {
    arithmetic::add(env);
    access::add(env);
    collect::add(env);
    compare::add(env);
    iterate::add(env);
    macros::add(env);
    modules::add(env);
}

/// An error that Python would raise.
fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

/// What using an undefined value is. Minijinja names the value where it can.
fn undefined(value: &Value) -> Error {
    value.get_attr("").err().unwrap_or_else(|| Error::from(ErrorKind::UndefinedError))
}

/// Refuses values that are not defined.
fn defined<'a>(values: impl IntoIterator<Item = &'a Value>) -> Result<(), Error> {
    values.into_iter().find(|value| value.is_undefined()).map_or(Ok(()), |value| Err(undefined(value)))
}

/// Whether a value is what `a if b` gives for a false `b`: nothing, without being an error.
fn is_silent(state: &mut State<'_, '_>, value: &Value) -> bool {
    // Formatting is where minijinja tells the two kinds of undefined values apart.
    value.is_undefined() && state.format(value.clone()).is_ok()
}

/// What Python's messages about operands call the type of a value.
fn type_name(value: &Value) -> &'static str {
    match super::value::type_name(value) {
        "OrderedDict" => "collections.OrderedDict",
        other => other,
    }
}

/// Refuses what cannot be a key: lists, mappings, and tuples that hold them.
fn hashable(value: &Value, depth: usize) -> Result<(), Error> {
    if value.is_undefined() {
        return Err(undefined(value));
    }
    if value.is_tuple() && depth < super::value::DEEPEST {
        return value.try_iter()?.try_for_each(|item| hashable(&item, depth + 1));
    }
    match value.kind() {
        ValueKind::Seq | ValueKind::Map => Err(wrong(format!("unhashable type: '{}'", type_name(value)))),
        _ => Ok(()),
    }
}

/// A text with the characters of HTML's syntax escaped, as `Markup` does it.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&#39;"),
            '"' => out.push_str("&#34;"),
            other => out.push(other),
        }
    }
    out
}

/// A text, marked as safe or not.
fn text(text: String, is_safe: bool) -> Value {
    if is_safe { Value::from_safe_string(text) } else { Value::from(text) }
}
