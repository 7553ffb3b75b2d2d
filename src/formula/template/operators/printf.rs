//! `"…" % operand`.

use std::iter::Peekable;
use std::str::CharIndices;

use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use super::super::syntax::escape_beyond_ascii;
use super::super::value::{self, as_dict, is_mapping, items};
use super::number::{Number, too_large};
use super::{escaped, text, type_name, undefined, wrong};

/// The widest field.
const WIDEST: usize = 1 << 20;

/// Formats with an operand: a tuple has several values, a mapping has named ones.
pub(in super::super) fn percent(format: &Value, operand: &Value) -> Result<Value, Error> {
    let template = format.as_str().unwrap_or_default();
    let mut formatter = Formatter {
        values: if operand.is_tuple() { items(operand)? } else { vec![operand.clone()] },
        next: 0,
        operand,
        is_safe: format.is_safe(),
        out: String::with_capacity(template.len()),
    };
    let mut characters = template.char_indices().peekable();
    while let Some((_, character)) = characters.next() {
        if character != '%' || next_if(&mut characters, |next| next == '%').is_some() {
            formatter.out.push(character);
        } else {
            formatter.directive(&mut characters)?;
        }
    }
    // What has subscripts need not be used: mappings, lists, and Jinja's undefined values.
    let has_items = is_mapping(operand) || matches!(operand.kind(), ValueKind::Seq | ValueKind::Undefined);
    let may_stay = has_items && !operand.is_tuple();
    if formatter.next < formatter.values.len() && !may_stay {
        return Err(wrong("not all arguments converted during string formatting"));
    }
    Ok(text(formatter.out, format.is_safe()))
}

struct Formatter<'a> {
    values: Vec<Value>,
    next: usize,
    operand: &'a Value,
    is_safe: bool,
    out: String,
}

/// What is between `%` and the letter.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the format")]
struct Directive {
    left: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
}

type Characters<'a> = Peekable<CharIndices<'a>>;

fn next_if(characters: &mut Characters<'_>, wanted: impl Fn(char) -> bool) -> Option<char> {
    characters.next_if(|(_, character)| wanted(*character)).map(|(_, character)| character)
}

impl Formatter<'_> {
    fn value(&mut self) -> Result<Value, Error> {
        let value = self.values.get(self.next).cloned();
        self.next += 1;
        value.ok_or_else(|| wrong("not enough arguments for format string"))
    }

    /// A number in the directive: digits, or `*` for the next value.
    fn number(&mut self, characters: &mut Characters<'_>) -> Result<Option<i128>, Error> {
        if next_if(characters, |character| character == '*').is_some() {
            return match Number::of(&self.value()?) {
                Some(Number::Int(number)) => Ok(Some(number)),
                _ => Err(wrong("* wants int")),
            };
        }
        let mut number = None;
        while let Some(digit) = next_if(characters, |character| character.is_ascii_digit()) {
            let digit = i128::from(digit.to_digit(10).unwrap_or_default());
            number = Some(number.unwrap_or(0_i128).saturating_mul(10).saturating_add(digit));
        }
        Ok(number)
    }

    /// `(name)`: the value is that entry of the mapping from here on.
    fn name(&mut self, characters: &mut Characters<'_>) -> Result<(), Error> {
        if self.operand.is_tuple() || !is_mapping(self.operand) {
            return Err(wrong("format requires a mapping"));
        }
        let (mut name, mut depth) = (String::new(), 1);
        for (_, character) in characters.by_ref() {
            match character {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let key = Value::from(name);
                let found = match as_dict(self.operand) {
                    Some(dict) => dict.get(&key),
                    None => Some(self.operand.get_item(&key)?).filter(|value| !value.is_undefined()),
                };
                let found = found.ok_or_else(|| wrong(format!("KeyError: {}", value::repr(&key))))?;
                (self.values, self.next) = (vec![found], 0);
                return Ok(());
            }
            name.push(character);
        }
        Err(wrong("incomplete format key"))
    }

    fn directive(&mut self, characters: &mut Characters<'_>) -> Result<(), Error> {
        if next_if(characters, |character| character == '(').is_some() {
            self.name(characters)?;
        }
        let mut directive = Directive::default();
        while let Some(flag) = next_if(characters, |character| "-+ #0".contains(character)) {
            match flag {
                '-' => directive.left = true,
                '+' => directive.plus = true,
                ' ' => directive.space = true,
                '#' => directive.alternate = true,
                _ => directive.zero = true,
            }
        }
        if let Some(width) = self.number(characters)? {
            directive.left |= width < 0;
            directive.width = bounded(width.saturating_abs())?;
        }
        if next_if(characters, |character| character == '.').is_some() {
            directive.precision = Some(bounded(self.number(characters)?.unwrap_or(0).max(0))?);
        }
        next_if(characters, |character| "hlL".contains(character));
        let Some((at, letter)) = characters.next() else { return Err(wrong("incomplete format")) };
        let value = self.value()?;
        if value.is_undefined() {
            return Err(undefined(&value));
        }
        self.convert(&directive, letter, at, &value)
    }

    fn convert(&mut self, directive: &Directive, letter: char, at: usize, value: &Value) -> Result<(), Error> {
        let (sign, digits) = match letter {
            's' | 'r' | 'a' => {
                let plain = match letter {
                    's' => value::text(value),
                    'r' => value::repr(value),
                    _ => ascii(&value::repr(value)),
                };
                let safe = self.is_safe && !(letter == 's' && value.is_safe());
                let plain = if safe { escaped(&plain) } else { plain };
                let cut = match directive.precision {
                    Some(precision) => plain.chars().take(precision).collect(),
                    None => plain,
                };
                self.pad(directive, "", &cut, false);
                return Ok(());
            }
            'c' => {
                let character = character(value)?;
                self.pad(directive, "", &character.to_string(), false);
                return Ok(());
            }
            'd' | 'i' | 'u' => {
                let whole = whole(letter, value)?;
                (whole < 0, with_precision(whole.unsigned_abs().to_string(), directive))
            }
            'o' | 'x' | 'X' => based(letter, value, directive)?,
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
                let number = Number::of(value)
                    .ok_or_else(|| wrong(format!("must be real number, not {}", type_name(value))))?
                    .float();
                (number.is_sign_negative() && !number.is_nan(), float(letter, number.abs(), directive))
            }
            other => {
                let code = u32::from(other);
                return Err(wrong(format!("unsupported format character '{other}' ({code:#x}) at index {at}")));
            }
        };
        let sign = match sign {
            true => "-",
            false if directive.plus => "+",
            false if directive.space => " ",
            false => "",
        };
        self.pad(directive, sign, &digits, directive.zero && !directive.left);
        Ok(())
    }

    fn pad(&mut self, directive: &Directive, sign: &str, digits: &str, with_zeros: bool) {
        let missing = directive.width.saturating_sub(sign.len() + digits.chars().count());
        let fill = |character: &str| character.repeat(missing);
        let prefix = ["0x", "0X", "0o"].into_iter().find(|prefix| directive.alternate && digits.starts_with(prefix));
        if with_zeros {
            let (prefix, digits) = match prefix {
                Some(prefix) => (prefix, digits.get(prefix.len()..).unwrap_or_default()),
                None => ("", digits),
            };
            self.out.extend([sign, prefix, &fill("0"), digits]);
        } else if directive.left {
            self.out.extend([sign, digits, &fill(" ")]);
        } else {
            self.out.extend([&fill(" "), sign, digits]);
        }
    }
}

fn bounded(number: i128) -> Result<usize, Error> {
    usize::try_from(number).ok().filter(|number| *number <= WIDEST).ok_or_else(|| wrong("width too big"))
}

fn character(value: &Value) -> Result<char, Error> {
    if let Some(text) = value.as_str() {
        let mut characters = text.chars();
        return match (characters.next(), characters.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(wrong("%c requires int or char")),
        };
    }
    match Number::of(value) {
        Some(Number::Int(code)) => {
            u32::try_from(code).ok().and_then(char::from_u32).ok_or_else(|| wrong("%c arg not in range(0x110000)"))
        }
        _ => Err(wrong("%c requires int or char")),
    }
}

fn whole(letter: char, value: &Value) -> Result<i128, Error> {
    match Number::of(value) {
        Some(Number::Int(number)) => Ok(number),
        Some(Number::Float(number)) if number.is_nan() => Err(wrong("cannot convert float NaN to integer")),
        Some(Number::Float(number)) if number.is_infinite() => Err(wrong("cannot convert float infinity to integer")),
        #[expect(clippy::cast_possible_truncation, reason = "the size is checked")]
        Some(Number::Float(number)) if number.abs() < 1.0e38 => Ok(number as i128),
        Some(Number::Float(_)) => Err(too_large()),
        None => Err(wrong(format!("%{letter} format: a real number is required, not {}", type_name(value)))),
    }
}

fn with_precision(digits: String, directive: &Directive) -> String {
    let missing = directive.precision.unwrap_or(0).saturating_sub(digits.len());
    if missing == 0 { digits } else { "0".repeat(missing) + &digits }
}

fn based(letter: char, value: &Value, directive: &Directive) -> Result<(bool, String), Error> {
    let Some(Number::Int(number)) = Number::of(value) else {
        return Err(wrong(format!("%{letter} format: an integer is required, not {}", type_name(value))));
    };
    let size = number.unsigned_abs();
    let (digits, prefix) = match letter {
        'o' => (format!("{size:o}"), "0o"),
        'x' => (format!("{size:x}"), "0x"),
        _ => (format!("{size:X}"), "0X"),
    };
    let digits = with_precision(digits, directive);
    Ok((number < 0, if directive.alternate { prefix.to_owned() + &digits } else { digits }))
}

/// A float that is not negative, as C's `printf` writes it.
fn float(letter: char, number: f64, directive: &Directive) -> String {
    let precision = directive.precision.unwrap_or(6);
    let text = if number.is_nan() {
        "nan".to_owned()
    } else if number.is_infinite() {
        "inf".to_owned()
    } else {
        match letter.to_ascii_lowercase() {
            'f' => format!("{number:.precision$}") + if directive.alternate && precision == 0 { "." } else { "" },
            'e' => exponential(number, precision, directive.alternate),
            _ => general(number, precision.max(1), directive.alternate),
        }
    };
    if letter.is_ascii_uppercase() { text.to_ascii_uppercase() } else { text }
}

fn exponential(number: f64, precision: usize, alternate: bool) -> String {
    let text = format!("{number:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let dot = if alternate && precision == 0 { "." } else { "" };
    format!("{digits}{dot}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

/// `%g`: the shorter of the two forms, without zeros at the end.
fn general(number: f64, precision: usize, alternate: bool) -> String {
    let scientific = format!("{number:.*e}", precision - 1);
    let exponent: i32 = scientific.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    let digits = i32::try_from(precision).unwrap_or(i32::MAX);
    let trimmed = |text: String| {
        if alternate || !text.contains('.') {
            return text;
        }
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    if exponent < -4 || exponent >= digits {
        let text = exponential(number, precision - 1, alternate);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, ""));
        return format!("{}e{exponent}", trimmed(mantissa.to_owned()));
    }
    let decimals = usize::try_from(digits.saturating_sub(1).saturating_sub(exponent)).unwrap_or(0);
    let text = format!("{number:.decimals$}");
    trimmed(if alternate && decimals == 0 { text + "." } else { text })
}

/// Every character beyond ASCII as an escape.
fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() {
            out.push(character);
        } else {
            escape_beyond_ascii(character, &mut out);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(format: &str, value: impl Into<Value>) -> String {
        percent(&format.into(), &value.into()).unwrap_or_else(|error| panic!("{format}: {error}")).to_string()
    }

    #[test]
    fn numbers_are_written_as_python_writes_them() {
        for (format, number, wanted) in [
            ("%05d", -42.0, "-0042"),
            ("%+.2e", 12345.678, "+1.23e+04"),
            ("%g", 0.0001, "0.0001"),
            ("%g", 1e16, "1e+16"),
            ("%-8.1f|", 2.25, "2.2     |"),
            ("% d", 7.9, " 7"),
        ] {
            assert_eq!(one(format, number), wanted, "{format}");
        }
        assert_eq!(one("%#06x", 255), "0x00ff");
        assert_eq!(one("%.3d", -5), "-005");
    }

    #[test]
    fn a_mapping_gives_values_by_name_and_may_have_more_of_them() {
        let values = value::dict([(Value::from("a"), Value::from(1)), (Value::from("b"), Value::from(2))]);
        assert_eq!(percent(&"%(a)s%%".into(), &values).ok(), Some("1%".into()));
        assert!(percent(&"%(c)s".into(), &values).is_err());
    }

    #[test]
    fn as_many_values_as_fields() {
        assert_eq!(one("%s and %r", (1, "x")), "1 and 'x'");
        assert!(percent(&"%s".into(), &Value::from((1, 2))).is_err());
        assert!(percent(&"%s %s".into(), &Value::from((1,))).is_err());
    }
}
