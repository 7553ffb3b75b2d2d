//! Python's `%` between a text and what goes into it.

use std::iter::Peekable;
use std::str::Chars;

use minijinja::{Error, ErrorKind, Value};

use super::number_text::{Number, WIDEST, float_digits, int_digits, numeric, whole};
use super::value::{is_list, is_mapping, items, repr, text};

/// `format % args`: a tuple gives several values, a mapping those with a name, anything else is the only one.
pub(super) fn percent(format: &str, args: &Value) -> Result<String, Error> {
    let mut values = Values::of(args)?;
    let mut out = String::new();
    let mut chars = format.chars().peekable();
    while let Some(character) = chars.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        let field = Field::read(&mut chars, &mut values)?;
        field.write(&mut values, &mut out)?;
    }
    if !values.is_open && values.next < values.row.len() {
        return Err(wrong("not all arguments converted during string formatting"));
    }
    Ok(out)
}

fn wrong(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// What is still to be put into the text.
struct Values {
    row: Vec<Value>,
    next: usize,
    named: Option<Value>,
    /// Whether values may be left over: Python lets them be when they come as a mapping or a list.
    is_open: bool,
}

impl Values {
    fn of(args: &Value) -> Result<Self, Error> {
        let row = if args.is_tuple() { items(args)? } else { vec![args.clone()] };
        let named = is_mapping(args).then(|| args.clone());
        Ok(Self { row, next: 0, is_open: named.is_some() || is_list(args), named })
    }

    fn take(&mut self) -> Result<Value, Error> {
        let value = self.row.get(self.next).cloned();
        self.next += 1;
        value.ok_or_else(|| wrong("not enough arguments for format string"))
    }
}

/// One `%…` of a text.
struct Field {
    value: Option<Value>,
    flags: String,
    width: usize,
    precision: Option<usize>,
    kind: char,
}

impl Field {
    fn read(chars: &mut Peekable<Chars<'_>>, values: &mut Values) -> Result<Self, Error> {
        let value = if chars.next_if_eq(&'(').is_some() { Some(named(chars, values)?) } else { None };
        let mut flags = String::new();
        while let Some(flag) = chars.next_if(|flag| "-+ #0".contains(*flag)) {
            flags.push(flag);
        }
        let mut width = size(chars, values)?.unwrap_or(0);
        if width < 0 {
            flags.push('-');
            width = width.saturating_neg();
        }
        let precision = match chars.next_if_eq(&'.') {
            Some(_) => Some(size(chars, values)?.unwrap_or(0).max(0)),
            None => None,
        };
        while chars.next_if(|length| "hlL".contains(*length)).is_some() {}
        let kind = chars.next().ok_or_else(|| wrong("incomplete format"))?;
        let bounded = |size: i64| {
            usize::try_from(size).ok().filter(|size| *size <= WIDEST).ok_or_else(|| wrong("width or precision too big"))
        };
        Ok(Self { value, flags, width: bounded(width)?, precision: precision.map(bounded).transpose()?, kind })
    }

    fn has(&self, flag: char) -> bool {
        self.flags.contains(flag)
    }

    fn write(&self, values: &mut Values, out: &mut String) -> Result<(), Error> {
        if self.kind == '%' {
            out.push('%');
            return Ok(());
        }
        let value = match &self.value {
            Some(value) => value.clone(),
            None => values.take()?,
        };
        if value.is_undefined() {
            return Err(Error::from(ErrorKind::UndefinedError));
        }
        let cut = |text: String| match self.precision {
            Some(precision) => text.chars().take(precision).collect(),
            None => text,
        };
        let (sign, prefix, digits) = match self.kind {
            's' => ("", "", cut(text(&value))),
            'r' | 'a' => ("", "", cut(repr(&value))),
            'c' => ("", "", character(&value)?),
            'd' | 'i' | 'u' | 'o' | 'x' | 'X' => self.whole(&value)?,
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' => self.float(&value)?,
            other => return Err(wrong(format!("unsupported format character '{other}' (0x{:x})", other as u32))),
        };
        let length = sign.len() + prefix.len() + digits.chars().count();
        let padding = self.width.saturating_sub(length);
        let is_number = !matches!(self.kind, 's' | 'r' | 'a' | 'c');
        if self.has('-') {
            out.extend([sign, prefix, &digits]);
            out.extend(std::iter::repeat_n(' ', padding));
        } else if self.has('0') && is_number {
            out.extend([sign, prefix]);
            out.extend(std::iter::repeat_n('0', padding));
            out.push_str(&digits);
        } else {
            out.extend(std::iter::repeat_n(' ', padding));
            out.extend([sign, prefix, &digits]);
        }
        Ok(())
    }

    fn sign(&self, is_negative: bool) -> &'static str {
        match is_negative {
            true => "-",
            false if self.has('+') => "+",
            false if self.has(' ') => " ",
            false => "",
        }
    }

    fn whole(&self, value: &Value) -> Result<(&'static str, &'static str, String), Error> {
        let number = match numeric(value, self.kind)? {
            Number::Int(number) => number,
            Number::Float(number) if matches!(self.kind, 'd' | 'i' | 'u') => whole(number)?,
            Number::Float(_) => return Err(wrong(format!("%{} format: an integer is required, not float", self.kind))),
        };
        let (prefix, digits) = int_digits(number, self.kind, self.has('#'));
        let missing = self.precision.unwrap_or(0).saturating_sub(digits.len());
        Ok((self.sign(number < 0), prefix, "0".repeat(missing) + &digits))
    }

    fn float(&self, value: &Value) -> Result<(&'static str, &'static str, String), Error> {
        let number = numeric(value, self.kind)?.float();
        let digits = float_digits(number, self.kind, self.precision.unwrap_or(6), self.has('#'));
        Ok((self.sign(number.is_sign_negative() && !number.is_nan()), "", digits))
    }
}

/// The value under the name between the parentheses, which may hold more of them.
fn named(chars: &mut Peekable<Chars<'_>>, values: &Values) -> Result<Value, Error> {
    let mapping = values.named.as_ref().ok_or_else(|| wrong("format requires a mapping"))?;
    let mut name = String::new();
    let mut depth = 1_usize;
    for character in chars.by_ref() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        name.push(character);
    }
    if depth > 0 {
        return Err(wrong("incomplete format key"));
    }
    let value = mapping.get_item(&Value::from(name.as_str()))?;
    if value.is_undefined() { Err(wrong(format!("KeyError: {}", repr(&Value::from(name))))) } else { Ok(value) }
}

/// A width or precision: digits, or `*` for the next value.
fn size(chars: &mut Peekable<Chars<'_>>, values: &mut Values) -> Result<Option<i64>, Error> {
    if chars.next_if_eq(&'*').is_some() {
        return values.take()?.as_i64().map(Some).ok_or_else(|| wrong("* wants int"));
    }
    let mut size = None;
    while let Some(digit) = chars.peek().and_then(|character| character.to_digit(10)) {
        chars.next();
        size = Some(size.unwrap_or(0_i64).saturating_mul(10).saturating_add(i64::from(digit)));
    }
    Ok(size)
}

/// What `%c` takes: a character, or the number of one.
fn character(value: &Value) -> Result<String, Error> {
    let number = || u32::try_from(value.as_i64()?).ok().and_then(char::from_u32);
    match value.as_str() {
        Some(text) if text.chars().count() == 1 => Ok(text.to_owned()),
        Some(_) => Err(wrong("%c requires int or char")),
        None => number().map(String::from).ok_or_else(|| wrong("%c requires int or char")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(format: &str, value: impl Into<Value>) -> String {
        percent(format, &value.into()).unwrap_or_else(|error| panic!("{format}: {error}"))
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
        let values = super::super::value::dict([(Value::from("a"), Value::from(1)), (Value::from("b"), Value::from(2))]);
        assert_eq!(percent("%(a)s%%", &values).ok().as_deref(), Some("1%"));
        assert!(percent("%(c)s", &values).is_err());
    }

    #[test]
    fn as_many_values_as_fields() {
        assert_eq!(one("%s and %r", (1, "x")), "1 and 'x'");
        assert!(percent("%s", &Value::from((1, 2))).is_err());
        assert!(percent("%s %s", &Value::from((1,))).is_err());
    }
}
