//! What a function takes and what it was given: Python's way to bind arguments, and its words when they do not fit.

use minijinja::{Error, ErrorKind, Value};

use super::super::value::{entries, text};

/// The value a parameter has when a call does not say.
#[derive(Debug, Clone, Copy)]
pub(in crate::formula) enum Default {
    /// None: a call has to say.
    Required,
    /// None, and a call need not say; see [`Arguments::is_given`].
    Missing,
    /// `None`.
    None,
    /// `False` or `True`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text.
    Text(&'static str),
}

/// A parameter: its name in Salt, and what it is when a call does not say.
pub(in crate::formula) type Parameter = (&'static str, Default);

/// The parameters of a function, as its `def` in Salt has them.
#[derive(Debug, Clone, Copy)]
pub(in crate::formula) struct Signature {
    positional: &'static [Parameter],
    takes_more: bool,
    named_only: &'static [Parameter],
    takes_more_named: bool,
}

/// A function's positional parameters.
pub(in crate::formula) const fn takes(positional: &'static [Parameter]) -> Signature {
    Signature { positional, takes_more: false, named_only: &[], takes_more_named: false }
}

impl Signature {
    /// `*args`.
    pub(in crate::formula) const fn and_more(mut self) -> Self {
        self.takes_more = true;
        self
    }

    /// Parameters that have to be named, after `*args`.
    pub(in crate::formula) const fn and_named(mut self, parameters: &'static [Parameter]) -> Self {
        self.named_only = parameters;
        self
    }

    /// `**kwargs`.
    pub(in crate::formula) const fn and_more_named(mut self) -> Self {
        self.takes_more_named = true;
        self
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.positional.iter().chain(self.named_only).position(|(known, _)| *known == name)
    }
}

/// The arguments of one call, each under its parameter's name.
#[derive(Debug)]
pub(in crate::formula) struct Arguments {
    signature: Signature,
    values: Vec<Value>,
    given: Vec<bool>,
    /// What `*args` got.
    pub(in crate::formula) more: Vec<Value>,
    /// What `**kwargs` got.
    pub(in crate::formula) more_named: Vec<(String, Value)>,
}

impl Arguments {
    /// Binds the values of a call, keyword arguments last as minijinja passes them. `name` is what Python calls the
    /// function in an error.
    pub(in crate::formula) fn bind(signature: Signature, name: &str, args: &[Value]) -> Result<Self, Error> {
        let (positional, named) = split(args);
        let count = signature.positional.len();
        let mut slots: Vec<Option<Value>> = positional.iter().take(count).cloned().map(Some).collect();
        slots.resize(count + signature.named_only.len(), None);
        let mut more_named = Vec::new();
        for (key, value) in named {
            match signature.position(&key).map(|index| &mut slots[index]) {
                Some(slot @ None) => *slot = Some(value),
                Some(Some(_)) => return Err(wrong(format!("{name}() got multiple values for argument '{key}'"))),
                None if signature.takes_more_named => more_named.push((key, value)),
                None => return Err(wrong(format!("{name}() got an unexpected keyword argument '{key}'"))),
            }
        }
        let more = positional.get(count..).unwrap_or_default().to_vec();
        if !more.is_empty() && !signature.takes_more {
            return Err(wrong(too_many(signature, name, positional.len())));
        }
        let parameters = signature.positional.iter().chain(signature.named_only);
        let given = slots.iter().map(Option::is_some).collect();
        let mut missing = Vec::new();
        let mut values = Vec::with_capacity(slots.len());
        for ((parameter, default), slot) in parameters.zip(slots) {
            values.push(slot.or_else(|| default.value()).unwrap_or_else(|| {
                missing.push(format!("'{parameter}'"));
                Value::UNDEFINED
            }));
        }
        if missing.is_empty() {
            Ok(Self { signature, values, given, more, more_named })
        } else {
            Err(lacking(name, &missing))
        }
    }

    /// The value of a parameter.
    pub(in crate::formula) fn get(&self, name: &str) -> &Value {
        const UNDEFINED: &Value = &Value::UNDEFINED;
        self.signature.position(name).and_then(|index| self.values.get(index)).unwrap_or(UNDEFINED)
    }

    /// Whether the call said what a parameter is.
    pub(in crate::formula) fn is_given(&self, name: &str) -> bool {
        self.signature.position(name).and_then(|index| self.given.get(index)).is_some_and(|given| *given)
    }

    /// The value of a parameter, unless it is `None`.
    pub(in crate::formula) fn some(&self, name: &str) -> Option<&Value> {
        Some(self.get(name)).filter(|value| !value.is_none())
    }

    /// Whether the value of a parameter is true; an undefined one is an error.
    pub(in crate::formula) fn is_true(&self, name: &str) -> Result<bool, Error> {
        defined(self.get(name)).map(Value::is_true)
    }

    /// The value of a parameter as Python's `str` has it; an undefined one is an error.
    pub(in crate::formula) fn text(&self, name: &str) -> Result<String, Error> {
        defined(self.get(name)).map(text)
    }

    /// The value of one of `**kwargs`.
    pub(in crate::formula) fn other(&self, name: &str) -> Option<&Value> {
        self.more_named.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

impl Default {
    fn value(self) -> Option<Value> {
        match self {
            Self::Required => None,
            Self::Missing => Some(Value::UNDEFINED),
            Self::None => Some(Value::from(())),
            Self::Bool(value) => Some(Value::from(value)),
            Self::Int(number) => Some(Value::from(number)),
            Self::Text(text) => Some(Value::from(text)),
        }
    }
}

/// Positional arguments and named ones, as minijinja passes them.
pub(in crate::formula) fn split(args: &[Value]) -> (&[Value], Vec<(String, Value)>) {
    match args.split_last() {
        Some((last, positional)) if last.is_kwargs() => {
            (positional, entries(last).into_iter().map(|(key, value)| (text(&key), value)).collect())
        }
        _ => (args, Vec::new()),
    }
}

/// The value, unless it is undefined: what Python does when a function looks at one.
pub(in crate::formula) fn defined(value: &Value) -> Result<&Value, Error> {
    if value.is_undefined() { Err(Error::from(ErrorKind::UndefinedError)) } else { Ok(value) }
}

/// The error a function fails with, in Salt's or Python's words.
pub(in crate::formula) fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

fn too_many(signature: Signature, name: &str, given: usize) -> String {
    let most = signature.positional.len();
    let least = signature.positional.iter().filter(|(_, default)| matches!(default, Default::Required)).count();
    let takes = if least == most { most.to_string() } else { format!("from {least} to {most}") };
    let arguments = if most == 1 && least == most { "argument" } else { "arguments" };
    let were = if given == 1 { "was" } else { "were" };
    format!("{name}() takes {takes} positional {arguments} but {given} {were} given")
}

fn lacking(name: &str, missing: &[String]) -> Error {
    let arguments = if missing.len() == 1 { "argument" } else { "arguments" };
    let names = match missing {
        [one, two] => format!("{one} and {two}"),
        [first @ .., last] if !first.is_empty() => format!("{}, and {last}", first.join(", ")),
        other => other.join(", "),
    };
    wrong(format!("{name}() missing {} required positional {arguments}: {names}", missing.len()))
}

#[cfg(test)]
mod tests {
    use minijinja::value::Kwargs;

    use super::Default::{Bool, Required, Text};
    use super::*;

    const KEY: Signature = takes(&[("key", Required), ("default", Text("")), ("merge", Bool(false))]);

    const THREE: Signature = takes(&[("a", Required), ("b", Required), ("c", Required)]);

    fn named(entries: &[(&'static str, i64)]) -> Value {
        entries.iter().map(|(key, value)| (*key, Value::from(*value))).collect::<Kwargs>().into()
    }

    fn error(signature: Signature, args: &[Value]) -> String {
        Arguments::bind(signature, "get", args).unwrap_err().detail().unwrap_or_default().to_owned()
    }

    #[test]
    fn arguments_are_bound_by_place_and_by_name() {
        let bound = Arguments::bind(KEY, "get", &[Value::from("a"), named(&[("merge", 1)])]).unwrap();
        assert_eq!(bound.text("key").unwrap(), "a");
        assert_eq!(bound.text("default").unwrap(), "");
        assert!(bound.is_true("merge").unwrap());
    }

    #[test]
    fn what_does_not_fit_gets_pythons_words() {
        let [a, b] = [Value::from("a"), Value::from("b")];
        assert_eq!(error(KEY, &[]), "get() missing 1 required positional argument: 'key'");
        let four = [a.clone(), b.clone(), a.clone(), b.clone()];
        assert_eq!(error(KEY, &four), "get() takes from 1 to 3 positional arguments but 4 were given");
        assert_eq!(error(KEY, &[a.clone(), named(&[("key", 1)])]), "get() got multiple values for argument 'key'");
        assert_eq!(error(KEY, &[a.clone(), named(&[("kex", 1)])]), "get() got an unexpected keyword argument 'kex'");
        assert_eq!(error(takes(&[]), std::slice::from_ref(&a)), "get() takes 0 positional arguments but 1 was given");
        assert_eq!(error(THREE, &[]), "get() missing 3 required positional arguments: 'a', 'b', and 'c'");
        assert_eq!(error(THREE, &[a]), "get() missing 2 required positional arguments: 'b' and 'c'");
    }
}
