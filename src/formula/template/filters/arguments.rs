//! What a filter, test or global is called with, bound to Python's parameter names.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

use crate::formula::template::number_text::{Number, WIDEST, whole};
use crate::formula::template::value::{is_mapping, spend_text, text, type_name};

/// What a filter does with its arguments.
pub(in crate::formula::template) type Run = fn(&Args) -> Result<Value, Error>;

/// What a filter that calls other filters does with its arguments.
pub(super) type RunIn = fn(&mut State<'_, '_>, &Args) -> Result<Value, Error>;

/// The arguments of one call.
#[derive(Debug)]
pub(in crate::formula::template) struct Args {
    name: &'static str,
    parameters: Vec<&'static str>,
    values: Vec<Option<Value>>,
    /// Positional arguments beyond the named parameters.
    pub(in crate::formula::template) rest: Vec<Value>,
    /// Keyword arguments that no parameter has the name of.
    pub(in crate::formula::template) named: Named,
}

/// A Python `TypeError` and its kind.
pub(in crate::formula::template) fn wrong(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// Keyword arguments.
pub(in crate::formula::template) type Named = Vec<(String, Value)>;

/// Positional and keyword arguments as minijinja passes them, the latter last.
pub(in crate::formula::template) fn split(values: &[Value]) -> Result<(&[Value], Named), Error> {
    let Some((last, before)) = values.split_last().filter(|(last, _)| last.is_kwargs()) else {
        return Ok((values, Vec::new()));
    };
    let kwargs = Kwargs::try_from(last.clone())?;
    let named = kwargs.args().map(|name| Ok((name.to_owned(), kwargs.peek::<Value>(name)?)));
    Ok((before, named.collect::<Result<_, Error>>()?))
}

impl Args {
    /// Binds values to `parameters`: names between spaces, `?` after those that may be missing, `*` and `**` for
    /// any number of further ones.
    pub(in crate::formula::template) fn bind(
        name: &'static str,
        parameters: &'static str,
        values: &[Value],
    ) -> Result<Self, Error> {
        // Whatever is done with a text, it is gone through.
        spend_text(values.iter().filter_map(Value::as_str).map(str::len).sum())?;
        let (positional, keywords) = split(values)?;
        let declared: Vec<&'static str> = parameters.split_whitespace().collect();
        let names: Vec<&'static str> =
            declared.iter().filter(|name| !name.starts_with('*')).map(|name| name.trim_end_matches('?')).collect();
        let mut bound: Vec<Option<Value>> = positional.iter().take(names.len()).cloned().map(Some).collect();
        bound.resize(names.len(), None);
        let rest = positional.get(names.len()..).unwrap_or_default().to_vec();
        if !rest.is_empty() && !declared.contains(&"*") {
            let message = format!("{name}() takes {} arguments but {} were given", names.len(), positional.len());
            return Err(Error::new(ErrorKind::TooManyArguments, message));
        }
        let mut named = Vec::new();
        for (keyword, value) in keywords {
            match names.iter().position(|name| **name == keyword).and_then(|index| bound.get_mut(index)) {
                Some(Some(_)) => return Err(wrong(format!("{name}() got multiple values for argument '{keyword}'"))),
                Some(slot) => *slot = Some(value),
                None if declared.contains(&"**") => named.push((keyword, value)),
                None => return Err(wrong(format!("{name}() got an unexpected keyword argument '{keyword}'"))),
            }
        }
        for (declared, value) in declared.iter().zip(&bound) {
            if value.is_none() && !declared.ends_with('?') {
                let message = format!("{name}() missing required argument: '{declared}'");
                return Err(Error::new(ErrorKind::MissingArgument, message));
            }
        }
        Ok(Self { name, parameters: names, values: bound, rest, named })
    }

    /// What was called, for messages.
    pub(in crate::formula::template) fn name(&self) -> &'static str {
        self.name
    }

    /// An argument, if it was given.
    pub(in crate::formula::template) fn get(&self, parameter: &str) -> Option<&Value> {
        let index = self.parameters.iter().position(|name| *name == parameter)?;
        self.values.get(index)?.as_ref()
    }

    /// An argument, if it was given and is not `None`.
    pub(in crate::formula::template) fn some(&self, parameter: &str) -> Option<&Value> {
        self.get(parameter).filter(|value| !value.is_none())
    }

    /// The first argument: what a filter is applied to.
    pub(in crate::formula::template) fn value(&self) -> Value {
        self.values.first().cloned().flatten().unwrap_or_default()
    }

    /// The first argument, which must not be undefined.
    pub(in crate::formula::template) fn defined(&self) -> Result<Value, Error> {
        defined(self.value())
    }

    /// The first argument as the text it prints as (Jinja's `soft_str`).
    pub(in crate::formula::template) fn text(&self) -> Result<String, Error> {
        Ok(text(&self.defined()?))
    }

    /// An argument that must be text.
    pub(in crate::formula::template) fn str(&self, parameter: &str) -> Result<Option<&str>, Error> {
        match self.some(parameter) {
            None => Ok(None),
            Some(value) => string(value).map(Some),
        }
    }

    /// An argument as a condition.
    pub(in crate::formula::template) fn bool(&self, parameter: &str, default: bool) -> Result<bool, Error> {
        self.get(parameter).map_or(Ok(default), |value| Ok(is_true(&defined(value.clone())?)))
    }

    /// An argument that must be a whole number.
    pub(in crate::formula::template) fn int(&self, parameter: &str) -> Result<Option<i128>, Error> {
        match self.some(parameter) {
            None => Ok(None),
            Some(value) => index(value).map(Some),
        }
    }

    /// An argument that says how much text or how many items to make: negative is none, too much is an error.
    pub(in crate::formula::template) fn size(&self, parameter: &str, default: usize) -> Result<usize, Error> {
        let Some(size) = self.get(parameter) else { return Ok(default) };
        let size = index(size)?;
        match usize::try_from(size.max(0)) {
            Ok(size) if size <= WIDEST => Ok(size),
            _ => Err(wrong(format!("{}: {parameter}={size} is more than {WIDEST}", self.name))),
        }
    }
}

/// A value that is not undefined.
pub(in crate::formula::template) fn defined(value: Value) -> Result<Value, Error> {
    if value.is_undefined() { Err(Error::from(ErrorKind::UndefinedError)) } else { Ok(value) }
}

/// Python's truth.
pub(in crate::formula::template) fn is_true(value: &Value) -> bool {
    match value.kind() {
        ValueKind::Bytes => !value.as_bytes().unwrap_or_default().is_empty(),
        _ => value.is_true(),
    }
}

/// Text, as Python's functions for text demand it.
pub(in crate::formula::template) fn string(value: &Value) -> Result<&str, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let wanted = || wrong(format!("expected string or bytes-like object, got '{}'", type_name(value)));
    value.as_str().filter(|_| value.kind() == ValueKind::String).ok_or_else(wanted)
}

/// A whole number, as Python demands it of sizes and indexes: a float is not one.
pub(in crate::formula::template) fn index(value: &Value) -> Result<i128, Error> {
    match Number::of(value) {
        Some(Number::Int(number)) => Ok(number),
        _ if value.is_undefined() => Err(Error::from(ErrorKind::UndefinedError)),
        _ => Err(wrong(format!("'{}' object cannot be interpreted as an integer", type_name(value)))),
    }
}

/// Python's `int()` of a number; text is another matter.
pub(in crate::formula::template) fn truncated(number: Number) -> Result<i128, Error> {
    match number {
        Number::Int(number) => Ok(number),
        Number::Float(number) => whole(number),
    }
}

/// Whether Python can hash what is no tuple: neither a list nor a mapping nor a set.
pub(in crate::formula::template) fn is_hashable(value: &Value) -> bool {
    !is_mapping(value) && !crate::formula::template::value::is_list(value) && !super::set::is_set(value)
}

#[cfg(test)]
mod tests {
    use crate::formula::template::filters::assert_shown;

    #[test]
    fn arguments_are_bound_as_python_binds_them() {
        assert_shown(&[
            ("{{ 'a\nb'|indent(width=2, first=true) }}", Some("  a\n  b")),
            ("{{ 'a'|indent(2, width=2) }}", None),
            ("{{ 'a'|indent(wide=2) }}", None),
            ("{{ 'a'|indent(2, true, true, 5) }}", None),
            ("{{ 'a'|replace('a') }}", None),
        ]);
    }
}
