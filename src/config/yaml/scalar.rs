//! What a plain word in YAML 1.1 means, by the patterns of `PyYAML`'s resolver.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

static INT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*|[1-9][0-9_]*(:[0-5]?[0-9])+)$").ok()
});

static FLOAT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let (point, sixty) = (r"([-+]?[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)", r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*");
    Regex::new(&format!("^({point}([eE][-+][0-9]+)?|{sixty})$")).ok()
});

/// The value of a plain word; in JSON, numbers may also be written as `1e3`.
///
/// A number that 64 bits cannot hold stays the text it was written as.
pub(super) fn resolve(text: &str, json: bool) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return true.into(),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return false.into(),
        _ => {}
    }
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return text.into();
    }
    if json && let Ok(number) = serde_json::from_str::<serde_json::Number>(text) {
        return number.into();
    }
    let matches = |pattern: &LazyLock<Option<Regex>>| pattern.as_ref().is_some_and(|pattern| pattern.is_match(text));
    let number = if matches(&INT) {
        int(text)
    } else if matches(&FLOAT) {
        float(text)
    } else {
        None
    };
    number.map_or_else(|| text.into(), Value::Number)
}

fn int(text: &str) -> Option<serde_json::Number> {
    let plain = text.replace('_', "");
    let (minus, digits) = signed(&plain);
    let value = if let Some(digits) = digits.strip_prefix("0b") {
        i128::from_str_radix(digits, 2).ok()?
    } else if let Some(digits) = digits.strip_prefix("0x") {
        i128::from_str_radix(digits, 16).ok()?
    } else if digits.len() > 1 && digits.starts_with('0') {
        i128::from_str_radix(digits, 8).ok()?
    } else {
        digits.split(':').try_fold(0_i128, |sum, part| sum.checked_mul(60)?.checked_add(part.parse().ok()?))?
    };
    serde_json::Number::from_i128(if minus { -value } else { value })
}

fn float(text: &str) -> Option<serde_json::Number> {
    let plain = text.replace('_', "");
    let (minus, digits) = signed(&plain);
    let value = digits.split(':').try_fold(0.0_f64, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))?;
    serde_json::Number::from_f64(if minus { -value } else { value })
}

/// Whether a number has a minus, and the number without its sign.
fn signed(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}
