//! `+ - * / // % **`, the signs, and `~`.

use minijinja::value::{Tuple, ValueKind};
use minijinja::{AutoEscape, Environment, Error, State, Value};

use super::super::value::{self, items, list};
use super::number::{Number, divide_float, divide_int, too_large};
use super::{defined, escaped, is_silent, percent, text, type_name, undefined, wrong};

/// The longest text that multiplying makes.
const LONGEST_TEXT: usize = 1 << 26;

/// The longest list that multiplying makes.
const LONGEST_LIST: usize = 1 << 22;

pub(super) fn add(env: &mut Environment<'_>) {
    env.add_filter("__add", plus);
    env.add_filter("__sub", |a: &Value, b: &Value| numbers("-", a, b, subtract));
    env.add_filter("__mul", multiply);
    env.add_filter("__div", |a: &Value, b: &Value| numbers("/", a, b, divide));
    env.add_filter("__floordiv", |a: &Value, b: &Value| numbers("//", a, b, floor_divide));
    env.add_filter("__mod", modulo);
    env.add_filter("__pow", |a: &Value, b: &Value| numbers("** or pow()", a, b, power));
    env.add_filter("__neg", |a: &Value| sign("-", a, i128::checked_neg, |number| -number));
    env.add_filter("__pos", |a: &Value| sign("+", a, Some, |number| number));
    env.add_filter("__concat", concat);
}

type Binary = fn(Number, Number) -> Result<Number, Error>;

fn numbers(symbol: &str, a: &Value, b: &Value, operation: Binary) -> Result<Value, Error> {
    defined([a, b])?;
    match (Number::of(a), Number::of(b)) {
        (Some(a), Some(b)) => operation(a, b).map(Value::from),
        _ => Err(unsupported(symbol, a, b)),
    }
}

fn unsupported(symbol: &str, a: &Value, b: &Value) -> Error {
    if a.kind() == ValueKind::Number && b.kind() == ValueKind::Number {
        return too_large();
    }
    wrong(format!("unsupported operand type(s) for {symbol}: '{}' and '{}'", type_name(a), type_name(b)))
}

fn plus(a: &Value, b: &Value) -> Result<Value, Error> {
    defined([a, b])?;
    if let (Some(one), Some(two)) = (a.as_str(), b.as_str()) {
        return Ok(match (a.is_safe(), b.is_safe()) {
            (false, true) => text(escaped(one) + two, true),
            (true, false) => text(one.to_owned() + &escaped(two), true),
            (is_safe, _) => text([one, two].concat(), is_safe),
        });
    }
    let kind = match a.kind() {
        ValueKind::String => "str",
        ValueKind::Seq => type_name(a),
        _ => return numbers("+", a, b, plus_numbers),
    };
    if b.kind() != ValueKind::Seq || type_name(b) != kind {
        return Err(wrong(format!("can only concatenate {kind} (not \"{}\") to {kind}", type_name(b))));
    }
    let mut both = items(a)?;
    both.extend(items(b)?);
    Ok(if a.is_tuple() { Value::from(Tuple::from(both)) } else { list(both) })
}

fn plus_numbers(a: Number, b: Number) -> Result<Number, Error> {
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => a.checked_add(b).map(Number::Int).ok_or_else(too_large),
        _ => Ok(Number::Float(a.float() + b.float())),
    }
}

fn subtract(a: Number, b: Number) -> Result<Number, Error> {
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => a.checked_sub(b).map(Number::Int).ok_or_else(too_large),
        _ => Ok(Number::Float(a.float() - b.float())),
    }
}

/// `is_literal` says that everything in both is: Jinja writes such a result down, where each item is one of its own.
fn multiply(a: &Value, b: &Value, is_literal: Option<bool>) -> Result<Value, Error> {
    defined([a, b])?;
    let is_sequence = |value: &Value| matches!(value.kind(), ValueKind::String | ValueKind::Seq);
    let (sequence, times) = match (is_sequence(a), is_sequence(b)) {
        (true, _) => (a, b),
        (false, true) => (b, a),
        _ => return numbers("*", a, b, multiply_numbers),
    };
    let Some(Number::Int(times)) = Number::of(times) else {
        return Err(wrong(format!("can't multiply sequence by non-int of type '{}'", type_name(times))));
    };
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    let fits = |length: usize, longest: usize| match length.checked_mul(times) {
        Some(all) if all <= longest => Ok(()),
        _ => Err(wrong("the result of a multiplication is too long")),
    };
    if let Some(one) = sequence.as_str() {
        fits(one.len(), LONGEST_TEXT)?;
        return Ok(text(if one.is_empty() { String::new() } else { one.repeat(times) }, sequence.is_safe()));
    }
    let one = items(sequence)?;
    fits(one.len(), LONGEST_LIST)?;
    let all: Vec<Value> = if one.is_empty() { Vec::new() } else { vec![one; times].concat() };
    let all = match is_literal {
        Some(true) => all.iter().map(value::deep_copy).collect::<Result<_, _>>()?,
        _ => all,
    };
    Ok(if sequence.is_tuple() { Value::from(Tuple::from(all)) } else { list(all) })
}

fn multiply_numbers(a: Number, b: Number) -> Result<Number, Error> {
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => a.checked_mul(b).map(Number::Int).ok_or_else(too_large),
        _ => Ok(Number::Float(a.float() * b.float())),
    }
}

/// Which message dividing by zero has depends on whether both are whole numbers.
fn by_zero(a: Number, b: Number, whole: &str, float: &str) -> Result<(), Error> {
    match (a, b) {
        (Number::Int(_), Number::Int(0)) => Err(wrong(whole)),
        _ if b.is_zero() => Err(wrong(float)),
        _ => Ok(()),
    }
}

fn divide(a: Number, b: Number) -> Result<Number, Error> {
    by_zero(a, b, "division by zero", "float division by zero")?;
    Ok(Number::Float(a.float() / b.float()))
}

fn floor_divide(a: Number, b: Number) -> Result<Number, Error> {
    by_zero(a, b, "integer division or modulo by zero", "float floor division by zero")?;
    match (a, b) {
        (Number::Int(a), Number::Int(b)) => {
            divide_int(a, b).map(|(quotient, _)| Number::Int(quotient)).ok_or_else(too_large)
        }
        _ => Ok(Number::Float(divide_float(a.float(), b.float()).0)),
    }
}

fn modulo(a: &Value, b: &Value) -> Result<Value, Error> {
    if a.kind() == ValueKind::String {
        return percent(a, b);
    }
    numbers("%", a, b, modulo_numbers)
}

fn modulo_numbers(a: Number, b: Number) -> Result<Number, Error> {
    by_zero(a, b, "integer modulo by zero", "float modulo")?;
    match (a, b) {
        // The one quotient that does not fit has the rest 0.
        (Number::Int(a), Number::Int(b)) => Ok(Number::Int(divide_int(a, b).map_or(0, |(_, rest)| rest))),
        _ => Ok(Number::Float(divide_float(a.float(), b.float()).1)),
    }
}

fn power(a: Number, b: Number) -> Result<Number, Error> {
    if a.is_zero() && b.float() < 0.0 {
        return Err(wrong("0.0 cannot be raised to a negative power"));
    }
    if let (Number::Int(base), Number::Int(exponent @ 0..)) = (a, b) {
        let result = match base {
            0 | 1 => Some(if exponent == 0 { 1 } else { base }),
            -1 => Some(if exponent % 2 == 0 { 1 } else { -1 }),
            _ => u32::try_from(exponent).ok().and_then(|exponent| base.checked_pow(exponent)),
        };
        return result.map(Number::Int).ok_or_else(too_large);
    }
    let (base, exponent) = (a.float(), b.float());
    let result = base.powf(exponent);
    if result.is_infinite() && base.is_finite() && exponent.is_finite() {
        return Err(wrong("(34, 'Numerical result out of range')"));
    }
    if result.is_nan() && !base.is_nan() && !exponent.is_nan() {
        return Err(wrong("upshift does not count with complex numbers"));
    }
    Ok(Number::Float(result))
}

fn sign(symbol: &str, value: &Value, whole: fn(i128) -> Option<i128>, float: fn(f64) -> f64) -> Result<Value, Error> {
    defined([value])?;
    match Number::of(value) {
        Some(Number::Int(number)) => whole(number).map(|number| Number::Int(number).into()).ok_or_else(too_large),
        Some(Number::Float(number)) => Ok(float(number).into()),
        None => Err(wrong(format!("bad operand type for unary {symbol}: '{}'", type_name(value)))),
    }
}

/// `a ~ b ~ c`: the texts of all.
fn concat(state: &mut State<'_, '_>, parts: &Value) -> Result<Value, Error> {
    let mut all = String::new();
    let parts = items(parts)?;
    // Outside of `autoescape`, Jinja takes escaped text for any other.
    let is_safe = *state.auto_escape() == AutoEscape::Html && parts.iter().any(Value::is_safe);
    for part in parts {
        if part.is_undefined() {
            if !is_silent(state, &part) {
                return Err(undefined(&part));
            }
        } else if is_safe && !part.is_safe() {
            all.push_str(&escaped(&value::text(&part)));
        } else {
            all.push_str(&value::text(&part));
        }
    }
    Ok(text(all, is_safe))
}

#[cfg(test)]
mod tests {
    use super::super::expect;

    #[test]
    fn numbers_texts_and_lists_count_as_in_python() {
        expect(&[
            ("7 // -2", "-4"),
            ("-7 % 3", "2"),
            ("7 / 7", "1.0"),
            ("2 ** -1", "0.5"),
            ("1e16", "1e+16"),
            ("true + true", "2"),
            (r#""ab" * 2 + "c""#, "ababc"),
            ("l + [4]", "[1, 2, 3, 4]"),
            ("(1,) + (2,)", "(1, 2)"),
            ("1 ~ none ~ true ~ 1.0", "1NoneTrue1.0"),
            (r#"("<"|safe) + "<""#, "<&lt;"),
        ]);
    }

    #[test]
    fn what_cannot_be_counted_says_so_in_pythons_words() {
        expect(&[
            ("1 + 'a'", "unsupported operand type(s) for +: 'int' and 'str'"),
            ("'a' + 1", "can only concatenate str (not \"int\") to str"),
            ("[1] * 'a'", "can't multiply sequence by non-int of type 'str'"),
            ("1 // 0", "integer division or modulo by zero"),
            ("1.5 % 0", "float modulo"),
            ("-none", "bad operand type for unary -: 'NoneType'"),
            ("nope + 1", "`nope` is undefined"),
        ]);
    }
}
