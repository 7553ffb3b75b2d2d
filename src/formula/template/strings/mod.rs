//! The methods of Python's strings, bytes, numbers and tuples.

mod case;
mod format;
mod pad;
mod search;
mod spec;
mod split;

pub(super) use case::{capitalized, is_lower, is_upper};
pub use pad::lines_of;
pub(super) use pad::{centered, encoded};
pub(super) use search::replaced;
pub(super) use split::{is_space, words};

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, State, Value};

use super::filters::arguments::{Args, wrong};
use super::filters::hexadecimal;
use super::number_text::Number;
use super::value::{is_equal, items, repr, spend_text};

/// One method: its name, its parameters and what it does with the text.
type Method = (&'static str, &'static str, fn(&str, &Args) -> Result<Value, Error>);

/// What a method that minijinja does not know does.
pub(super) fn method(_: &mut State<'_, '_>, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::String => of_text(value.as_str().unwrap_or_default(), method, args),
        ValueKind::Bytes => of_bytes(value.as_bytes().unwrap_or_default(), method, args),
        ValueKind::Number | ValueKind::Bool => of_number(value, method, args),
        ValueKind::Seq => of_tuple(value, method, args),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn of_text(text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    spend_text(text.len())?;
    match method {
        "format" => return format::method(text, args),
        "format_map" => return format::from_mapping(text, &Args::bind("format_map", "mapping", args)?.value()),
        _ => {}
    }
    let groups = [case::METHODS, pad::METHODS, search::METHODS, split::METHODS];
    let found = groups.into_iter().flatten().find(|(name, _, _)| *name == method);
    let (name, parameters, run) = found.ok_or_else(|| Error::from(ErrorKind::UnknownMethod))?;
    run(text, &Args::bind(name, parameters, args)?)
}

fn of_bytes(bytes: &[u8], method: &str, args: &[Value]) -> Result<Value, Error> {
    match method {
        "decode" => {
            let args = Args::bind("decode", "encoding? errors?", args)?;
            if args.str("errors")?.is_some_and(|errors| errors != "strict") {
                return Ok(Value::from(String::from_utf8_lossy(bytes)));
            }
            let text = std::str::from_utf8(bytes);
            text.map(Value::from).map_err(|_| wrong("'utf-8' codec can't decode the bytes"))
        }
        "hex" => Ok(Value::from(hexadecimal(bytes))),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn of_number(value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    match (method, Number::of(value)) {
        ("bit_length", Some(Number::Int(number))) => {
            Args::bind("bit_length", "", args)?;
            Ok(Value::from(128 - number.unsigned_abs().leading_zeros()))
        }
        ("bit_count", Some(Number::Int(number))) => {
            Args::bind("bit_count", "", args)?;
            Ok(Value::from(number.unsigned_abs().count_ones()))
        }
        ("conjugate", Some(_)) => Ok(value.clone()),
        ("is_integer", Some(Number::Float(number))) => {
            Args::bind("is_integer", "", args)?;
            Ok(Value::from(number.fract() == 0.0))
        }
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn of_tuple(value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    match method {
        "count" => {
            let wanted = Args::bind("count", "value", args)?.value();
            Ok(Value::from(items(value)?.iter().filter(|item| is_equal(item, &wanted)).count()))
        }
        "index" => {
            let wanted = Args::bind("index", "value", args)?.value();
            let index = items(value)?.iter().position(|item| is_equal(item, &wanted));
            index.map(Value::from).ok_or_else(|| wrong(format!("{} is not in the tuple", repr(&wanted))))
        }
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

#[cfg(test)]
mod tests {
    use crate::formula::template::filters::assert_shown;

    #[test]
    fn numbers_bytes_and_tuples_have_methods() {
        assert_shown(&[
            ("{{ (42).bit_length() }}", Some("6")),
            ("{{ (1.5).is_integer() }}", Some("False")),
            ("{{ 'é'.encode().decode() }}", Some("é")),
            ("{{ (1, 2, 1).count(1) }}", Some("2")),
            ("{{ (1, 2).index(3) }}", None),
            ("{{ 'a'.nosuch() }}", None),
        ]);
    }
}
