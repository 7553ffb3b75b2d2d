//! Tests (`x is …`): Jinja's own with Python's results, and Salt's.

use std::cmp::Ordering;

use minijinja::value::{ObjectRepr, Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::filters::arguments::{Args, Run, defined, index, wrong};
use super::filters::{contains, items_can_be_had, matches, values};
use super::number_text::Number;
use super::strings::{is_lower, is_upper};
use super::value::{as_dict, as_list, compare, is_equal, is_mapping, text};

const TESTS: &[(&str, &str, Run)] = &[
    ("!=", "a b", |args| equal(args, false)),
    ("<", "a b", |args| ordered(args, Ordering::is_lt)),
    ("<=", "a b", |args| ordered(args, Ordering::is_le)),
    ("==", "a b", |args| equal(args, true)),
    (">", "a b", |args| ordered(args, Ordering::is_gt)),
    (">=", "a b", |args| ordered(args, Ordering::is_ge)),
    ("boolean", "value", |args| Ok(Value::from(args.value().kind() == ValueKind::Bool))),
    ("callable", "obj", |args| Ok(callable(args))),
    ("defined", "value", |args| Ok(Value::from(!args.value().is_undefined()))),
    ("divisibleby", "value num", divisible),
    ("eq", "a b", |args| equal(args, true)),
    ("equalto", "value other", |args| equal(args, true)),
    ("escaped", "value", |args| Ok(Value::from(args.value().is_safe()))),
    ("even", "value", |args| parity(args, 0)),
    ("false", "value", |args| Ok(Value::from(args.value().kind() == ValueKind::Bool && !args.value().is_true()))),
    ("float", "value", |args| Ok(Value::from(args.value().is_number() && !args.value().is_integer()))),
    ("ge", "a b", |args| ordered(args, Ordering::is_ge)),
    ("greaterthan", "a b", |args| ordered(args, Ordering::is_gt)),
    ("gt", "a b", |args| ordered(args, Ordering::is_gt)),
    ("in", "value seq", |args| contains(&other(args, "seq"), &args.value()).map(Value::from)),
    ("integer", "value", |args| Ok(Value::from(args.value().is_integer()))),
    ("iterable", "value", iterable),
    ("le", "a b", |args| ordered(args, Ordering::is_le)),
    ("lessthan", "a b", |args| ordered(args, Ordering::is_lt)),
    ("list", "value", |args| Ok(Value::from(as_list(&args.value()).is_some()))),
    ("lower", "value", |args| Ok(Value::from(is_lower(&args.text()?)))),
    ("lt", "a b", |args| ordered(args, Ordering::is_lt)),
    ("mapping", "value", |args| Ok(Value::from(is_mapping(&args.value())))),
    ("match", "txt rgx ignorecase? multiline?", matches),
    ("ne", "a b", |args| equal(args, false)),
    ("none", "value", |args| Ok(Value::from(args.value().is_none()))),
    ("number", "value", |args| Ok(Value::from(Number::of(&args.value()).is_some()))),
    ("odd", "value", |args| parity(args, 1)),
    ("sameas", "value other", |args| Ok(sameas(args))),
    ("sequence", "value", |args| Ok(sequence(args))),
    ("string", "value", |args| Ok(Value::from(args.value().kind() == ValueKind::String))),
    ("true", "value", |args| Ok(Value::from(args.value().kind() == ValueKind::Bool && args.value().is_true()))),
    ("undefined", "value", |args| Ok(Value::from(args.value().is_undefined()))),
    ("upper", "value", |args| Ok(Value::from(is_upper(&args.text()?)))),
];

/// Adds every test.
pub(super) fn add(env: &mut Environment<'_>) {
    for (name, parameters, run) in TESTS.iter().copied() {
        env.add_test(name, move |args: Rest<ValueOrKwargs>| -> Result<bool, Error> {
            Ok(run(&Args::bind(name, parameters, &values(args))?)?.is_true())
        });
    }
    env.add_test("filter", |state: &mut State<'_, '_>, name: Value| {
        is_known(state.apply_filter(&text(&name), &[]).map(|_| ()), ErrorKind::UnknownFilter)
    });
    env.add_test("test", |state: &mut State<'_, '_>, name: Value| {
        is_known(state.perform_test(&text(&name), &[]).map(|_| ()), ErrorKind::UnknownTest)
    });
}

/// Whether what was called without arguments is there: only what is not says so, without any detail.
fn is_known(called: Result<(), Error>, unknown: ErrorKind) -> bool {
    called.err().is_none_or(|error| error.kind() != unknown || error.detail().is_some())
}

fn other(args: &Args, parameter: &str) -> Value {
    args.get(parameter).cloned().unwrap_or_default()
}

fn both(args: &Args) -> Result<(Value, Value), Error> {
    let other = args.get("b").or(args.get("other")).cloned().unwrap_or_default();
    Ok((args.defined()?, defined(other)?))
}

fn equal(args: &Args, wanted: bool) -> Result<Value, Error> {
    let (one, other) = both(args)?;
    Ok(Value::from(is_equal(&one, &other) == wanted))
}

fn ordered(args: &Args, is_so: fn(Ordering) -> bool) -> Result<Value, Error> {
    let (one, other) = both(args)?;
    Ok(Value::from(is_so(compare(&one, &other)?)))
}

/// Python's `%`: the remainder has the divisor's sign.
fn remainder(value: &Value, divisor: i128) -> Result<f64, Error> {
    let zero = || wrong("integer division or modulo by zero");
    match Number::of(value) {
        _ if divisor == 0 => Err(zero()),
        #[expect(clippy::cast_precision_loss, reason = "only compared with small whole numbers")]
        Some(Number::Int(number)) => {
            let rest = number.checked_rem(divisor).ok_or_else(zero)?;
            Ok(if rest != 0 && (rest < 0) != (divisor < 0) { rest + divisor } else { rest } as f64)
        }
        #[expect(clippy::cast_precision_loss, reason = "Python divides floats by floats likewise")]
        Some(Number::Float(number)) => Ok(number.rem_euclid(divisor as f64)),
        None if value.is_undefined() => Err(Error::from(ErrorKind::UndefinedError)),
        None => Err(wrong("not all arguments converted during string formatting")),
    }
}

fn parity(args: &Args, wanted: u8) -> Result<Value, Error> {
    Ok(Value::from((remainder(&args.value(), 2)? - f64::from(wanted)).abs() < f64::EPSILON))
}

fn divisible(args: &Args) -> Result<Value, Error> {
    Ok(Value::from(remainder(&args.value(), index(&other(args, "num"))?)?.abs() < f64::EPSILON))
}

/// Whether a value can be called: macros and functions can. An undefined value can, too: the call is what fails.
fn callable(args: &Args) -> Value {
    let value = args.value();
    let is_plain = value.as_object().is_some_and(|object| object.repr() == ObjectRepr::Plain);
    let is_function = is_plain || value.as_object().is_some_and(|object| object.type_name().contains("Macro"));
    Value::from(value.is_undefined() || is_function)
}

fn iterable(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    Ok(Value::from(items_can_be_had(&value)))
}

/// Whether two values are one object. Text and numbers are compared: whether Python makes one object of two equal ones
/// is not for a template to know.
fn sameas(args: &Args) -> Value {
    let (one, other) = (args.value(), other(args, "other"));
    let object = |value: &Value| {
        let list = as_list(value).map(|list| std::ptr::from_ref(list).addr());
        list.or_else(|| as_dict(value).map(|dict| std::ptr::from_ref(dict).addr()))
    };
    let is_same = match (one.as_object(), other.as_object()) {
        (Some(_), Some(_)) => object(&one).is_some() && object(&one) == object(&other),
        (None, None) => one.kind() == other.kind() && one.is_integer() == other.is_integer() && one == other,
        _ => false,
    };
    Value::from(is_same)
}

/// Whether a value has a length and can be indexed.
fn sequence(args: &Args) -> Value {
    let value = args.value();
    let is_sequence = match value.kind() {
        ValueKind::String | ValueKind::Bytes | ValueKind::Seq | ValueKind::Map => true,
        ValueKind::Iterable => super::globals::is_range(&value),
        _ => false,
    };
    Value::from(is_sequence)
}

#[cfg(test)]
mod checks {
    use crate::formula::template::filters::assert_shown;

    #[test]
    fn tests_answer_as_in_jinja() {
        assert_shown(&[
            (
                "{{ [3 is odd, -3 is odd, 4 is divisibleby 2, 1 is boolean, true is number, 5.0 is integer] }}",
                Some("[True, True, True, False, True, False]"),
            ),
            (
                "{{ ['ab' is lower, '1' is upper, 'x' is sequence, range(3) is sequence, {} is mapping, (1,) is list] }}",
                Some("[True, False, True, True, True, False]"),
            ),
            ("{{ 'x' is odd }}", None),
            ("{{ 1 is gt 'a' }}", None),
            ("{{ missing is iterable }}", None),
            ("{{ missing is sequence }}", Some("False")),
            ("{{ 'web1' is match('WEB', ignorecase=true) }}", Some("True")),
            (
                "{{ ['upper' is filter, 'nosuch' is filter, 'odd' is test, 'nosuch' is test] }}",
                Some("[True, False, True, False]"),
            ),
        ]);
    }
}
