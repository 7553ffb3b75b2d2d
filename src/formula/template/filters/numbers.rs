//! Filters of numbers.

use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use super::arguments::{Args, Run, defined, index, is_hashable, string, truncated, wrong};
use super::sequences::add;
use crate::formula::template::number_text::{Number, int, whole};
use crate::formula::template::strings::is_space;
use crate::formula::template::value::{compare, items, text, type_name};

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, Run)] = &[
    ("abs", "x", abs),
    ("avg", "lst", average),
    ("filesizeformat", "value binary?", filesizeformat),
    ("float", "value default?", to_float),
    ("human_to_bytes", "size default_unit? handle_metric?", human_to_bytes),
    ("int", "value default? base?", to_int),
    ("is_hex", "value", is_hex),
    ("max", "obj", |args| extreme(args, std::cmp::Ordering::Greater)),
    ("min", "obj", |args| extreme(args, std::cmp::Ordering::Less)),
    ("round", "value precision? method?", round),
    ("str_to_num", "text", to_num),
    ("to_bool", "val", |args| Ok(Value::from(to_bool(&args.value())))),
    ("to_num", "text", to_num),
];

fn abs(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    match Number::of(&value) {
        Some(Number::Int(number)) => Ok(int(number.saturating_abs())),
        Some(Number::Float(number)) => Ok(Value::from(number.abs())),
        None => Err(wrong(format!("bad operand type for abs(): '{}'", type_name(&value)))),
    }
}

/// Text as a whole number, by the rules of Python's `int(text, base)`.
pub(super) fn parse_int(source: &str, base: u32) -> Option<i128> {
    let text = source.trim_matches(is_space);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let prefixed = |prefix: &str, of: u32| {
        let rest = lower.strip_prefix(prefix).filter(|_| base == of || base == 0);
        rest.map(|rest| (rest.strip_prefix('_').unwrap_or(rest), of))
    };
    let found = prefixed("0x", 16).or_else(|| prefixed("0o", 8)).or_else(|| prefixed("0b", 2));
    let (digits, base) = match found {
        Some(found) => found,
        // Without a base of its own, a number may not begin with a zero, which other languages take for octal.
        None if base == 0 && lower.starts_with('0') && lower.contains(|digit| ('1'..='9').contains(&digit)) => {
            return None;
        }
        None => (lower.as_str(), if base == 0 { 10 } else { base }),
    };
    let is_grouped = !digits.starts_with('_') && !digits.ends_with('_') && !digits.contains("__");
    if !is_grouped || !(2..=36).contains(&base) || digits.is_empty() || digits.starts_with(['+', '-']) {
        return None;
    }
    i128::from_str_radix(&digits.replace('_', ""), base).ok()?.checked_mul(sign)
}

/// Text as a float, by the rules of Python's `float(text)`.
pub(super) fn parse_float(source: &str) -> Option<f64> {
    let text = source.trim_matches(is_space);
    let bare = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    let is_word = ["inf", "infinity", "nan"].contains(&bare.as_str());
    let is_number = bare.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && bare.chars().all(|character| character.is_ascii_digit() || ".e+-_".contains(character));
    let is_between_digits = |(at, _): (usize, &str)| {
        let beside =
            |index: Option<usize>| index.and_then(|index| text.as_bytes().get(index)).is_some_and(u8::is_ascii_digit);
        beside(at.checked_sub(1)) && beside(Some(at + 1))
    };
    if !(is_word || is_number) || !text.match_indices('_').all(is_between_digits) {
        return None;
    }
    text.replace('_', "").parse().ok()
}

fn to_int(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    let default = || args.get("default").cloned().unwrap_or(Value::from(0));
    let base = args.get("base").map_or(Ok(10), index)?;
    let base = u32::try_from(base).ok().filter(|base| *base == 0 || (2..=36).contains(base));
    let number = match value.as_str() {
        Some(text) => {
            let whole_number = base.and_then(|base| parse_int(text, base));
            // "42.23" is 42 and "1e3" is 1000, whatever the base.
            whole_number.or_else(|| parse_float(text).and_then(|number| whole(number).ok()))
        }
        None => match Number::of(&value) {
            Some(Number::Float(number)) if number.is_infinite() => {
                return Err(wrong("cannot convert float infinity to integer"));
            }
            Some(number) => truncated(number).ok(),
            None => None,
        },
    };
    Ok(number.map_or_else(default, int))
}

fn to_float(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    let number = match value.as_str() {
        Some(text) => parse_float(text),
        None => Number::of(&value).map(Number::float),
    };
    Ok(number.map_or_else(|| args.get("default").cloned().unwrap_or(Value::from(0.0)), Value::from))
}

fn to_num(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    let Some(text) = value.as_str() else {
        let number = Number::of(&value).ok_or_else(|| {
            wrong(format!("int() argument must be a string or a real number, not '{}'", type_name(&value)))
        })?;
        return truncated(number).map(int);
    };
    Ok(parse_int(text, 10).map(int).or_else(|| parse_float(text).map(Value::from)).unwrap_or(value))
}

fn is_hex(args: &Args) -> Result<Value, Error> {
    Ok(Value::from(args.defined()?.as_str().is_some_and(|text| parse_int(text, 16).is_some())))
}

/// Salt's `to_bool`, which does not ask what an undefined value is.
fn to_bool(value: &Value) -> bool {
    match value.kind() {
        ValueKind::Bool => value.is_true(),
        ValueKind::String => ["yes", "1", "true"].contains(&text(value).to_lowercase().as_str()),
        ValueKind::Number if value.is_integer() => *value > Value::from(0),
        ValueKind::Map | ValueKind::Seq | ValueKind::Iterable if !is_hashable(value) => value.len() != Some(0),
        _ => false,
    }
}

fn round(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    let number = Number::of(&value)
        .ok_or_else(|| wrong(format!("type {} doesn't define __round__ method", type_name(&value))))?;
    let precision = args.int("precision")?.unwrap_or(0).clamp(-400, 400);
    let precision = i32::try_from(precision).unwrap_or(0);
    let power = 10_f64.powi(precision);
    match (args.get("method").map(text).as_deref().unwrap_or("common"), number) {
        ("common", Number::Int(number)) => Ok(int(rounded_int(number, precision))),
        ("common", Number::Float(number)) => Ok(Value::from(rounded(number, precision))),
        ("ceil", number) => Ok(Value::from(((number.float() * power).ceil() + 0.0) / power)),
        ("floor", number) => Ok(Value::from((number.float() * power).floor() / power)),
        _ => Err(wrong("method must be common, ceil or floor")),
    }
}

/// A whole number to the nearest ten, hundred…, a half to the even one.
fn rounded_int(number: i128, precision: i32) -> i128 {
    if precision >= 0 {
        return number;
    }
    let Some(unit) = 10_i128.checked_pow(precision.unsigned_abs()) else { return 0 };
    let (below, over) = (number.div_euclid(unit), number.rem_euclid(unit));
    let is_up = over * 2 > unit || (over * 2 == unit && below.rem_euclid(2) == 1);
    (below + i128::from(is_up)).saturating_mul(unit)
}

/// A float to so many digits, from its exact decimal value: a half goes to the even digit.
pub(super) fn rounded(number: f64, precision: i32) -> f64 {
    if !number.is_finite() {
        return number;
    }
    if let Ok(precision) = usize::try_from(precision) {
        // Formatting works from the exact value, as Python's rounding does.
        return format!("{number:.precision$}").parse().unwrap_or(number);
    }
    let unit = 10_f64.powi(-precision);
    if unit.is_finite() { (number / unit).round_ties_even() * unit } else { 0.0 * number }
}

fn filesizeformat(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    let bytes = match value.as_str() {
        Some(text) => parse_float(text).ok_or_else(|| wrong(format!("could not convert string to float: '{text}'")))?,
        None => Number::of(&value).map(Number::float).ok_or_else(|| {
            wrong(format!("float() argument must be a string or a real number, not '{}'", type_name(&value)))
        })?,
    };
    let binary = args.bool("binary", false)?;
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    if (bytes - 1.0).abs() < f64::EPSILON {
        return Ok(Value::from("1 Byte"));
    }
    if bytes < base {
        return Ok(Value::from(format!("{} Bytes", whole(bytes)?)));
    }
    let letters: Vec<char> = if binary { "KMGTPEZY" } else { "kMGTPEZY" }.chars().collect();
    let mut unit = base;
    for (index, letter) in letters.iter().enumerate() {
        unit *= base;
        if bytes < unit || index + 1 == letters.len() {
            let infix = if binary { "i" } else { "" };
            return Ok(Value::from(format!("{:.1} {letter}{infix}B", base * bytes / unit)));
        }
    }
    Err(wrong("no unit is left"))
}

fn human_to_bytes(args: &Args) -> Result<Value, Error> {
    let size = args.text()?;
    let size = size.trim_matches(is_space);
    let default_unit = args.str("default_unit")?.unwrap_or("B");
    let end = size.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(size.len());
    let (number, unit) = size.split_at(end);
    let unit = unit.trim_start_matches(is_space).to_lowercase();
    // A dot in a regular expression stops at the end of a line.
    if unit.contains('\n') {
        return Err(wrong("'NoneType' object has no attribute 'group'"));
    }
    let unit = if unit.is_empty() { default_unit.to_lowercase() } else { unit };
    let number = match parse_int(number, 10) {
        Some(number) => Number::Int(number),
        None => match parse_float(number) {
            Some(number) => Number::Float(number),
            None => return Ok(Value::from(0)),
        },
    };
    let mut letters = unit.chars();
    let power = letters.next().and_then(|letter| "bkmgtpezy".find(letter));
    let metric = match (power, letters.as_str()) {
        (Some(power), "b") if power > 0 => args.bool("handle_metric", false)?,
        (Some(power), "ib") if power > 0 => false,
        (Some(_), "") => false,
        _ => return Ok(Value::from(0)),
    };
    let power = u32::try_from(power.unwrap_or(0)).unwrap_or(0);
    let factor = if metric { 10_i128.pow(power * 3) } else { 2_i128.pow(power * 10) };
    match number {
        Number::Int(number) => number.checked_mul(factor).map(int).ok_or_else(|| wrong("a number beyond 128 bits")),
        Number::Float(number) => whole(number * Number::Int(factor).float()).map(int),
    }
}

/// Python's `min` and `max` of one argument; of equal items it is the first.
fn extreme(args: &Args, wanted: std::cmp::Ordering) -> Result<Value, Error> {
    let mut items = items(&args.value())?.into_iter();
    let mut best = items.next().ok_or_else(|| wrong(format!("{}() arg is an empty sequence", args.name())))?;
    for item in items {
        if compare(&item, &best)? == wanted {
            best = item;
        }
    }
    Ok(best)
}

fn average(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    if is_hashable(&value) {
        let number = match value.as_str() {
            Some(text) => parse_float(string(&Value::from(text))?),
            None => Number::of(&value).map(Number::float),
        };
        return number.map(Value::from).ok_or_else(|| wrong(format!("float() of '{}'", type_name(&value))));
    }
    let items = items(&value)?;
    let mut total = Value::from(0);
    for item in &items {
        total = add(&total, &defined(item.clone())?)?;
    }
    let total = Number::of(&total).ok_or_else(|| wrong("unsupported operand type(s) for /"))?;
    if items.is_empty() {
        return Err(wrong("division by zero"));
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of items in memory")]
    Ok(Value::from(total.float() / items.len() as f64))
}

#[cfg(test)]
mod tests {
    use crate::formula::template::filters::assert_shown;

    #[test]
    fn numbers_are_read_as_python_reads_them() {
        assert_shown(&[
            (
                "{{ ['1_000', ' 7 ', '2.5', '1e3', '0x1f', 'inf', '007']|map('int')|list }}",
                Some("[1000, 7, 2, 1000, 0, 0, 7]"),
            ),
            ("{{ '0x1f'|int(0, 16) }}", Some("31")),
            ("{{ ['1_0.5', 'nan', '.5', '1__0']|map('float')|list }}", Some("[10.5, nan, 0.5, 0.0]")),
            ("{{ '1.5k'|human_to_bytes }}", Some("1536")),
            ("{{ '30MB'|human_to_bytes(handle_metric=true) }}", Some("30000000")),
            ("{{ [2.675|round(2), 2.5|round, 1250|round(-2), 2.1|round(1, 'ceil')] }}", Some("[2.67, 2.0, 1200, 2.1]")),
            ("{{ 123456789|filesizeformat(true) }}", Some("117.7 MiB")),
            ("{{ ['yes', 'True', 'on', 2, none]|map('to_bool')|list }}", Some("[True, True, False, True, False]")),
            ("{{ []|max }}", None),
            ("{{ [1, none]|min }}", None),
        ]);
    }
}
