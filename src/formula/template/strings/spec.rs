//! Python's format specifications: `[[fill]align][sign][#][0][width][grouping][.precision][type]`.

use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use super::super::filters::arguments::wrong;
use super::super::number_text::{Number, WIDEST, float_digits, int_digits};
use super::super::value::{float_text, text, type_name};

#[derive(Debug, Default)]
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    zero: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

/// One value as `format(value, spec)` writes it.
pub(super) fn formatted(value: &Value, spec: &str) -> Result<String, Error> {
    if spec.is_empty() {
        return Ok(text(value));
    }
    let parsed = Spec::read(spec)
        .ok_or_else(|| wrong(format!("Invalid format specifier '{spec}' for object of type '{}'", type_name(value))))?;
    if parsed.width > WIDEST || parsed.precision.is_some_and(|precision| precision > WIDEST) {
        return Err(wrong("Too many decimal digits in format string"));
    }
    match (value.kind(), Number::of(value)) {
        (ValueKind::String, _) => parsed.text(value.as_str().unwrap_or_default()),
        (_, Some(Number::Int(number))) => parsed.whole(number, type_name(value)),
        (_, Some(Number::Float(number))) => parsed.float(number),
        _ => Err(wrong(format!("unsupported format string passed to {}.__format__", type_name(value)))),
    }
}

impl Spec {
    fn read(text: &str) -> Option<Self> {
        let mut spec = Self::default();
        let mut chars = text.chars().peekable();
        let is_align = |character: char| "<>=^".contains(character);
        let mut ahead = text.chars();
        match (ahead.next(), ahead.next()) {
            (Some(fill), Some(align)) if is_align(align) => {
                (spec.fill, spec.align) = (Some(fill), Some(align));
                chars.nth(1);
            }
            (Some(align), _) if is_align(align) => spec.align = chars.next(),
            _ => {}
        }
        spec.sign = chars.next_if(|sign| "+- ".contains(*sign));
        spec.alternate = chars.next_if_eq(&'#').is_some();
        spec.zero = chars.next_if_eq(&'0').is_some();
        let mut number = || {
            let mut number = None;
            while let Some(digit) = chars.peek().and_then(|digit| digit.to_digit(10)) {
                chars.next();
                number = Some(number.unwrap_or(0_usize).saturating_mul(10).saturating_add(digit as usize));
            }
            number
        };
        spec.width = number().unwrap_or(0);
        spec.grouping = chars.next_if(|mark| ",_".contains(*mark));
        if chars.next_if_eq(&'.').is_some() {
            let mut precision = None;
            while let Some(digit) = chars.peek().and_then(|digit| digit.to_digit(10)) {
                chars.next();
                precision = Some(precision.unwrap_or(0_usize).saturating_mul(10).saturating_add(digit as usize));
            }
            spec.precision = Some(precision?);
        }
        spec.kind = chars.next();
        chars.next().is_none().then_some(spec)
    }

    fn text(&self, text: &str) -> Result<String, Error> {
        if let Some(kind) = self.kind.filter(|kind| *kind != 's') {
            return Err(wrong(format!("Unknown format code '{kind}' for object of type 'str'")));
        }
        if self.sign.is_some() || self.align == Some('=') || self.alternate || self.grouping.is_some() {
            return Err(wrong("a sign, '=', '#' or ',' is not allowed in a format for text"));
        }
        let text: String = text.chars().take(self.precision.unwrap_or(usize::MAX)).collect();
        Ok(self.padded("", &text, '<'))
    }

    fn whole(&self, number: i128, type_name: &str) -> Result<String, Error> {
        match self.kind.unwrap_or('d') {
            #[expect(clippy::cast_precision_loss, reason = "Python formats whole numbers as floats likewise")]
            'e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%' => self.float(number as f64),
            _ if self.precision.is_some() => Err(wrong("Precision not allowed in integer format specifier")),
            'c' => {
                let character = u32::try_from(number).ok().and_then(char::from_u32);
                let character = character.ok_or_else(|| wrong("%c arg not in range(0x110000)"))?;
                Ok(self.padded("", &character.to_string(), '<'))
            }
            kind @ ('b' | 'd' | 'n' | 'o' | 'x' | 'X') => {
                if kind != 'd' && self.grouping == Some(',') {
                    return Err(wrong(format!("Cannot specify ',' with '{kind}'.")));
                }
                let (prefix, digits) = int_digits(number, kind, self.alternate);
                let every = if kind == 'd' { 3 } else { 4 };
                Ok(self.number(number < 0, prefix, &digits, "", every))
            }
            kind => Err(wrong(format!("Unknown format code '{kind}' for object of type '{type_name}'"))),
        }
    }

    fn float(&self, number: f64) -> Result<String, Error> {
        let text = match (self.kind, self.precision) {
            (Some(kind @ ('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%')), precision) => {
                float_digits(number, kind, precision.unwrap_or(6), self.alternate)
            }
            (Some('n'), _) if self.grouping.is_some() => return Err(wrong("Cannot specify ',' with 'n'.")),
            (Some('n'), precision) => float_digits(number, 'g', precision.unwrap_or(6), self.alternate),
            (None, None) => float_text(number.abs()),
            (None, Some(precision)) => {
                let text = float_digits(number, 'g', precision, self.alternate);
                if text.contains(['.', 'e', 'n']) { text } else { text + ".0" }
            }
            (Some(kind), _) => {
                return Err(wrong(format!("Unknown format code '{kind}' for object of type 'float'")));
            }
        };
        let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
        let (digits, tail) = text.split_at(end);
        Ok(self.number(number.is_sign_negative() && !number.is_nan(), "", digits, tail, 3))
    }

    /// A number with its sign; zeros that fill the field are grouped along with the digits.
    fn number(&self, is_negative: bool, prefix: &str, digits: &str, tail: &str, every: usize) -> String {
        let sign = match (is_negative, self.sign) {
            (true, _) => "-",
            (false, Some('+')) => "+",
            (false, Some(' ')) => " ",
            _ => "",
        };
        let head = format!("{sign}{prefix}");
        let fill = self.fill.unwrap_or(if self.zero { '0' } else { ' ' });
        let fills_with_zeros = fill == '0' && self.align.map_or(self.zero, |align| align == '=');
        let mut digits = digits.to_owned();
        let grouped = |digits: &str| match self.grouping {
            Some(mark) if !digits.is_empty() => group(digits, mark, every),
            _ => digits.to_owned(),
        };
        if fills_with_zeros && !digits.is_empty() {
            let room = self.width.saturating_sub(head.len() + tail.len());
            while grouped(&digits).len() < room {
                digits.insert(0, '0');
                if self.grouping.is_none() {
                    digits = "0".repeat(room.saturating_sub(digits.len())) + &digits;
                }
            }
        }
        self.padded(&head, &format!("{}{tail}", grouped(&digits)), '>')
    }

    fn padded(&self, head: &str, body: &str, default: char) -> String {
        let missing = self.width.saturating_sub(head.chars().count() + body.chars().count());
        let zero = if self.zero { '0' } else { ' ' };
        let fill = |count: usize| -> String { std::iter::repeat_n(self.fill.unwrap_or(zero), count).collect() };
        match self.align.unwrap_or(if self.zero && default == '>' { '=' } else { default }) {
            '<' => format!("{head}{body}{}", fill(missing)),
            '^' => format!("{}{head}{body}{}", fill(missing / 2), fill(missing - missing / 2)),
            '=' => format!("{head}{}{body}", fill(missing)),
            _ => format!("{}{head}{body}", fill(missing)),
        }
    }
}

/// Digits with a mark before every third (or fourth) from the end.
fn group(digits: &str, mark: char, every: usize) -> String {
    let length = digits.len();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (length - index).is_multiple_of(every) {
            grouped.push(mark);
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use crate::formula::template::filters::assert_shown;

    #[test]
    fn specifications_are_those_of_python() {
        assert_shown(&[
            (
                "{{ '{:05d} {:+d} {:#x} {:,} {:_b}'.format(42, 42, 255, 1234567, 1023) }}",
                Some("00042 +42 0xff 1,234,567 11_1111_1111"),
            ),
            (
                "{{ '{:012,} {:=+8d} {:^7} {:*<5}'.format(1234567, 5, 'x', 'y') }}",
                Some("0,001,234,567 +      5    x    y****"),
            ),
            (
                "{{ '{:.3} {:8.3} {:.1%} {:g} {:.0f}'.format('abcdef', 3.14159, 0.123, 0.00001, 2.5) }}",
                Some("abc     3.14 12.3% 1e-05 2"),
            ),
            ("{{ '{:d}'.format('x') }}", None),
            ("{{ '{:5}'.format(none) }}", None),
        ]);
    }
}
