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

/// What a template renders to with these operators, or the message of its error.
#[cfg(test)]
fn rendered(source: &str) -> String {
    use super::syntax::{Known, Options, translate};
    use super::value;

    let known = Known { is_filter: |name: &str| name == "safe", is_test: |name: &str| name == "defined" };
    let translation = translate(source, Options::default(), &known).unwrap();
    let mut env = Environment::new();
    env.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    env.set_formatter(|out, _, value| {
        let printed = if value.is_undefined() { String::new() } else { value::printed(value) };
        out.write_str(&printed).map_err(Error::from)
    });
    env.set_debug(true);
    add(&mut env);
    env.add_global("l", value::list((1..4).map(Value::from).collect()));
    env.add_global("d", value::dict([("k", "v"), ("items", "own")].map(|(key, value)| (key.into(), value.into()))));
    match env.render_str(&translation, ()) {
        Ok(text) => text,
        Err(error) => error.detail().unwrap_or("undefined").to_owned(),
    }
}

/// Expects that expressions print these texts; all of them were printed by Salt's Jinja.
#[cfg(test)]
#[track_caller]
fn expect(expected: &[(&str, &str)]) {
    for (expression, text) in expected {
        assert_eq!(rendered(&format!("{{{{ {expression} }}}}")), *text, "{expression}");
    }
}
