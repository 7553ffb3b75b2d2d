//! Numbers as Python's `%` and `format` write them, before any padding.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

use super::value::float_text;

/// The widest field and the longest precision; beyond it, one template could fill the memory.
pub(super) const WIDEST: usize = 10_000;

/// A Python number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    /// The number that a value is; a boolean is one in Python.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value.kind() {
            ValueKind::Bool => Some(Self::Int(i128::from(value.is_true()))),
            ValueKind::Number if value.is_integer() => i128::try_from(value.clone()).ok().map(Self::Int),
            ValueKind::Number => f64::try_from(value.clone()).ok().map(Self::Float),
            _ => None,
        }
    }

    /// This number as a float.
    #[expect(clippy::cast_precision_loss, reason = "Python's float() rounds likewise")]
    pub(super) fn float(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(number) => int(number),
            Number::Float(number) => Self::from(number),
        }
    }
}

/// A whole number as a value.
pub(super) fn int(number: i128) -> Value {
    i64::try_from(number).map_or_else(|_| Value::from(number), Value::from)
}

/// The whole part of a float, if it has one that fits.
pub(super) fn whole(number: f64) -> Result<i128, Error> {
    let wrong = |message: &'static str| Err(Error::new(ErrorKind::InvalidOperation, message));
    if number.is_nan() {
        wrong("cannot convert float NaN to integer")
    } else if number.is_infinite() {
        wrong("cannot convert float infinity to integer")
    } else if number.abs() < 1.0e38 {
        #[expect(clippy::cast_possible_truncation, reason = "checked to be in range; Python cuts the fraction too")]
        Ok(number.trunc() as i128)
    } else {
        wrong("a number beyond 128 bits")
    }
}

/// The digits of a float without its sign: `kind` is one of `eEfFgG%`.
pub(super) fn float_digits(number: f64, kind: char, precision: usize, alternate: bool) -> String {
    let number = number.abs();
    let upper = kind.is_ascii_uppercase();
    let digits = if number.is_finite() {
        match kind.to_ascii_lowercase() {
            'e' => exponent(number, precision, alternate),
            'g' => general(number, precision.max(1), alternate),
            '%' => format!("{:.precision$}%", number * 100.0),
            _ if alternate && precision == 0 => format!("{number:.0}."),
            _ => format!("{number:.precision$}"),
        }
    } else {
        float_text(number) + if kind == '%' { "%" } else { "" }
    };
    if upper { digits.to_uppercase() } else { digits }
}

fn exponent(number: f64, precision: usize, alternate: bool) -> String {
    let text = format!("{number:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let point = if alternate && precision == 0 { "." } else { "" };
    format!("{digits}{point}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

fn general(number: f64, precision: usize, alternate: bool) -> String {
    let scientific = format!("{number:.*e}", precision - 1);
    let power: i32 = scientific.split_once('e').and_then(|(_, power)| power.parse().ok()).unwrap_or(0);
    let is_fixed = power >= -4 && usize::try_from(power).map_or(true, |power| power < precision);
    let text = if is_fixed {
        let after = i32::try_from(precision).unwrap_or(i32::MAX).saturating_sub(1).saturating_sub(power);
        format!("{number:.*}", usize::try_from(after).unwrap_or(0))
    } else {
        exponent(number, precision - 1, false)
    };
    let (digits, tail) = text.split_at(text.find('e').unwrap_or(text.len()));
    if alternate {
        let point = if digits.contains('.') { "" } else { "." };
        return format!("{digits}{point}{tail}");
    }
    let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    format!("{digits}{tail}")
}

/// The digits of a whole number without its sign: `kind` is one of `bdoxX`, with the prefix of `#` if asked for.
pub(super) fn int_digits(number: i128, kind: char, alternate: bool) -> (&'static str, String) {
    let number = number.unsigned_abs();
    let (prefix, digits) = match kind {
        'b' => ("0b", format!("{number:b}")),
        'o' => ("0o", format!("{number:o}")),
        'x' => ("0x", format!("{number:x}")),
        'X' => ("0X", format!("{number:X}")),
        _ => ("", number.to_string()),
    };
    (if alternate { prefix } else { "" }, digits)
}
