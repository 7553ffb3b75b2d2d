//! What a plain scalar means in YAML 1.1, by PyYAML's rules: a number, a truth value, nothing, or text.
//!
//! The writer asks the same question to know what it has to put in quotes, so both sides can never disagree.

use std::borrow::Cow;

/// What the tags of YAML itself begin with.
pub(super) const PREFIX: &str = "tag:yaml.org,2002:";

/// What a node is to become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tag<'a> {
    Null,
    Bool,
    Int,
    Float,
    Str,
    Timestamp,
    Binary,
    Merge,
    /// `=`, the default value of a mapping.
    Value,
    Seq,
    Map,
    Omap,
    Pairs,
    Set,
    /// Any other, which Salt does not know.
    Unknown(Cow<'a, str>),
}

impl<'a> Tag<'a> {
    /// The tag of this whole name.
    pub(super) fn named(name: Cow<'a, str>) -> Self {
        match name.strip_prefix(PREFIX) {
            Some("null") => Self::Null,
            Some("bool") => Self::Bool,
            Some("int") => Self::Int,
            Some("float") => Self::Float,
            Some("str" | "python/unicode") => Self::Str,
            Some("timestamp") => Self::Timestamp,
            Some("binary") => Self::Binary,
            Some("merge") => Self::Merge,
            Some("value") => Self::Value,
            Some("seq") => Self::Seq,
            Some("map") => Self::Map,
            Some("omap") => Self::Omap,
            Some("pairs") => Self::Pairs,
            Some("set") => Self::Set,
            _ => Self::Unknown(name),
        }
    }
}

/// What a plain scalar is.
pub(super) fn resolve(text: &str) -> Tag<'static> {
    let bytes = text.as_bytes();
    let Some(first) = bytes.first() else { return Tag::Null };
    match first {
        b'~' if text == "~" => Tag::Null,
        b'<' if text == "<<" => Tag::Merge,
        b'=' if text == "=" => Tag::Value,
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' => word(text),
        b'0'..=b'9' | b'+' | b'-' | b'.' if is_float(bytes) => Tag::Float,
        b'0'..=b'9' | b'+' | b'-' if is_int(bytes) => Tag::Int,
        b'0'..=b'9' if is_timestamp(bytes) => Tag::Timestamp,
        _ => Tag::Str,
    }
}

fn word(text: &str) -> Tag<'static> {
    match text {
        "null" | "Null" | "NULL" => Tag::Null,
        "yes" | "Yes" | "YES" | "no" | "No" | "NO" | "true" | "True" | "TRUE" | "false" | "False" | "FALSE" | "on"
        | "On" | "ON" | "off" | "Off" | "OFF" => Tag::Bool,
        _ => Tag::Str,
    }
}

/// What is left after the bytes that pass.
fn after(bytes: &[u8], passes: impl Fn(u8) -> bool) -> &[u8] {
    let count = bytes.iter().take_while(|byte| passes(**byte)).count();
    bytes.get(count..).unwrap_or_default()
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

fn is_spaced_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'_'
}

fn unsigned(bytes: &[u8]) -> &[u8] {
    match bytes {
        [b'+' | b'-', rest @ ..] => rest,
        _ => bytes,
    }
}

fn is_int(bytes: &[u8]) -> bool {
    let is_all = |bytes: &[u8], passes: fn(u8) -> bool| !bytes.is_empty() && after(bytes, passes).is_empty();
    match unsigned(bytes) {
        [b'0'] => true,
        [b'0', b'b', rest @ ..] => is_all(rest, |byte| matches!(byte, b'0' | b'1' | b'_')),
        [b'0', b'x', rest @ ..] => is_all(rest, |byte| byte.is_ascii_hexdigit() || byte == b'_'),
        [b'0', rest @ ..] => is_all(rest, |byte| matches!(byte, b'0'..=b'7' | b'_')),
        [b'1'..=b'9', rest @ ..] => {
            let rest = after(rest, is_spaced_digit);
            rest.is_empty() || after_sixties(rest).is_some_and(<[u8]>::is_empty)
        }
        _ => false,
    }
}

/// What is left after `:59` once or more, as in `12:30:59`.
fn after_sixties(mut bytes: &[u8]) -> Option<&[u8]> {
    let mut has_any = false;
    loop {
        bytes = match bytes {
            [b':', b'0'..=b'5', b'0'..=b'9', rest @ ..] | [b':', b'0'..=b'9', rest @ ..] => rest,
            _ => return has_any.then_some(bytes),
        };
        has_any = true;
    }
}

fn is_float(bytes: &[u8]) -> bool {
    match unsigned(bytes) {
        b".inf" | b".Inf" | b".INF" => true,
        // Neither may have a sign.
        b".nan" | b".NaN" | b".NAN" => bytes.first() == Some(&b'.'),
        [b'.', b'0'..=b'9', rest @ ..] => bytes.first() == Some(&b'.') && is_exponent(after(rest, is_spaced_digit)),
        [b'0'..=b'9', rest @ ..] => match after(rest, is_spaced_digit) {
            [b'.', rest @ ..] => is_exponent(after(rest, is_spaced_digit)),
            rest => matches!(after_sixties(rest), Some([b'.', rest @ ..]) if after(rest, is_spaced_digit).is_empty()),
        },
        _ => false,
    }
}

/// Nothing, or `e+5`: the sign is never left out.
fn is_exponent(bytes: &[u8]) -> bool {
    match bytes {
        [] => true,
        [b'e' | b'E', b'+' | b'-', b'0'..=b'9', rest @ ..] => after(rest, is_digit).is_empty(),
        _ => false,
    }
}

/// `2001-12-14`, or that and a time of day.
fn is_timestamp(bytes: &[u8]) -> bool {
    let is_pair = |bytes: &[u8]| matches!(bytes, [b'0'..=b'9', b'0'..=b'9']);
    let Some((year, rest)) = bytes.split_at_checked(4) else { return false };
    if !year.iter().copied().all(is_digit) {
        return false;
    }
    if let [b'-', month @ .., b'-', _, _] = rest
        && is_pair(month)
        && rest.get(4..).is_some_and(is_pair)
    {
        return true;
    }
    let day = after_number(rest, b'-').and_then(|rest| after_number(rest, b'-'));
    let Some(rest) = day else { return false };
    let clock = match rest {
        [b'T' | b't', rest @ ..] => rest,
        [b' ' | b'\t', ..] => after(rest, |byte| matches!(byte, b' ' | b'\t')),
        _ => return false,
    };
    let ([b'0'..=b'9', b'0'..=b'9', clock @ ..] | [b'0'..=b'9', clock @ ..]) = clock else { return false };
    let [b':', b'0'..=b'9', b'0'..=b'9', b':', b'0'..=b'9', b'0'..=b'9', rest @ ..] = clock else { return false };
    let rest = match rest {
        [b'.', rest @ ..] => after(rest, is_digit),
        _ => rest,
    };
    match after(rest, |byte| matches!(byte, b' ' | b'\t')) {
        [] => rest.is_empty(),
        [b'Z'] => true,
        [b'+' | b'-', zone @ ..] => match zone {
            [b'0'..=b'9', b'0'..=b'9', rest @ ..] | [b'0'..=b'9', rest @ ..] => {
                matches!(rest, [] | [b':', b'0'..=b'9', b'0'..=b'9'])
            }
            _ => false,
        },
        _ => false,
    }
}

/// What is left after this separator and one or two digits.
fn after_number(bytes: &[u8], separator: u8) -> Option<&[u8]> {
    match bytes {
        [first, b'0'..=b'9', b'0'..=b'9', rest @ ..] | [first, b'0'..=b'9', rest @ ..] if *first == separator => {
            Some(rest)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_are_what_pyyaml_takes_them_for() {
        for (tag, texts) in [
            (Tag::Null, &["", "~", "null", "Null", "NULL"][..]),
            (Tag::Bool, &["yes", "No", "ON", "off", "True", "FALSE"]),
            (Tag::Int, &["0", "-1", "+1_0", "0644", "0b1_", "0x_f", "12:30", "1:2:59", "0_", "-0_7"]),
            (Tag::Float, &["1.", "-1.5", "1_.5_", ".5", "1.5e+3", "1:30.", "0:30.5", ".inf", "-.INF", ".NaN"]),
            (Tag::Timestamp, &["2001-12-14", "2001-1-1 1:00:00", "2001-12-14t21:59:43.10 -05:00", "2001-1-2T3:04:05Z"]),
            (Tag::Merge, &["<<"]),
            (Tag::Value, &["="]),
            (
                Tag::Str,
                &[
                    "y", "nO", "tRue", "08", "0o7", "1e5", "1.5e3", "-.5", "-.nan", "12:60", "1:2:3:", "0:30",
                    "2001-1-1",
                ],
            ),
            (Tag::Str, &["-", "+", ".", "1.2.3", "0x", "0b2", "2001-12-14 ", "2001-12-14T1", "<<<", "==", "_1"]),
        ] {
            for text in texts {
                assert_eq!(resolve(text), tag, "{text}");
            }
        }
    }
}
