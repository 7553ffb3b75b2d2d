//! Python's numbers: whole ones (up to 128 bits), floats, and booleans as whole ones.

use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use super::wrong;

/// A number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    /// The number that a value is in Python.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value.kind() {
            ValueKind::Bool => Some(Self::Int(i128::from(value.is_true()))),
            ValueKind::Number if value.is_integer() => i128::try_from(value.clone()).ok().map(Self::Int),
            ValueKind::Number => f64::try_from(value.clone()).ok().map(Self::Float),
            _ => None,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "Python rounds a large whole number likewise")]
    pub(super) fn float(self) -> f64 {
        match self {
            Self::Int(number) => number as f64,
            Self::Float(number) => number,
        }
    }

    pub(super) fn is_zero(self) -> bool {
        match self {
            Self::Int(number) => number == 0,
            Self::Float(number) => number == 0.0,
        }
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(number) => i64::try_from(number).map_or_else(|_| Self::from(number), Self::from),
            Number::Float(number) => Self::from(number),
        }
    }
}

/// What becomes of whole numbers beyond what upshift counts with.
pub(super) fn too_large() -> Error {
    wrong("a number beyond 128 bits")
}

/// `a // b` and `a % b`: rounded down, the rest with the sign of `b`. `b` is not zero.
pub(super) fn divide_int(a: i128, b: i128) -> Option<(i128, i128)> {
    let (quotient, rest) = (a.checked_div(b)?, a.checked_rem(b)?);
    if rest != 0 && (rest < 0) != (b < 0) {
        return Some((quotient.checked_sub(1)?, rest.checked_add(b)?));
    }
    Some((quotient, rest))
}

/// The same for floats, step by step as Python has it.
pub(super) fn divide_float(a: f64, b: f64) -> (f64, f64) {
    let mut rest = a % b;
    let mut quotient = (a - rest) / b;
    if rest == 0.0 {
        rest = 0.0_f64.copysign(b);
    } else if (rest < 0.0) != (b < 0.0) {
        rest += b;
        quotient -= 1.0;
    }
    if quotient == 0.0 {
        return (0.0_f64.copysign(a / b), rest);
    }
    let floor = quotient.floor();
    (if quotient - floor > 0.5 { floor + 1.0 } else { floor }, rest)
}
