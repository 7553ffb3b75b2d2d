//! Numbers and strings as Jinja writes them, which is nearly as Python does.

use std::borrow::Cow;

/// The length of digits with single underscores between them; 0 if there are none.
fn digits(bytes: &[u8], is_digit: fn(&u8) -> bool) -> usize {
    let mut length = bytes.iter().take_while(|byte| is_digit(byte)).count();
    while length > 0 && bytes.get(length) == Some(&b'_') {
        let more = bytes.get(length + 1..).unwrap_or_default().iter().take_while(|byte| is_digit(byte)).count();
        if more == 0 {
            break;
        }
        length += 1 + more;
    }
    length
}

/// The length of the float that a text begins with.
pub(super) fn float_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let whole = digits(bytes, u8::is_ascii_digit);
    if whole == 0 {
        return None;
    }
    let fraction = match bytes.get(whole) {
        Some(b'.') => digits(bytes.get(whole + 1..)?, u8::is_ascii_digit),
        _ => 0,
    };
    let length = if fraction > 0 { whole + 1 + fraction } else { whole };
    if let Some(b'e' | b'E') = bytes.get(length) {
        let sign = usize::from(matches!(bytes.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits(bytes.get(length + 1 + sign..)?, u8::is_ascii_digit);
        if exponent > 0 {
            return Some(length + 1 + sign + exponent);
        }
    }
    (fraction > 0).then_some(length)
}

/// The length of the whole number that a text begins with.
pub(super) fn integer_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_digit: fn(&u8) -> bool = match bytes {
        [b'0', b'b' | b'B', ..] => |byte| matches!(byte, b'0' | b'1'),
        [b'0', b'o' | b'O', ..] => |byte| matches!(byte, b'0'..=b'7'),
        [b'0', b'x' | b'X', ..] => u8::is_ascii_hexdigit,
        [b'0', ..] => return Some(digits(bytes, |byte| *byte == b'0')),
        [b'1'..=b'9', ..] => return Some(digits(bytes, u8::is_ascii_digit)),
        _ => return None,
    };
    // An underscore may stand between the prefix and the digits.
    let skipped = 2 + usize::from(bytes.get(2) == Some(&b'_'));
    let length = digits(bytes.get(skipped..)?, is_digit);
    Some(if length > 0 { skipped + length } else { 1 })
}

/// A whole number in decimal digits, `None` if it is beyond 128 bits.
pub(super) fn integer(text: &str) -> Option<u128> {
    let text = text.replace('_', "").to_ascii_lowercase();
    let (digits, radix) = match text.get(..2) {
        Some("0b") => (text.get(2..), 2),
        Some("0o") => (text.get(2..), 8),
        Some("0x") => (text.get(2..), 16),
        _ => (Some(text.as_str()), 10),
    };
    u128::from_str_radix(digits?, radix).ok().filter(|number| *number <= i128::MAX.unsigned_abs())
}

/// The length of the string, with its quotes, that a text begins with.
pub(super) fn string_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let quote = bytes.first().copied().filter(|byte| matches!(byte, b'\'' | b'"'))?;
    let mut at = 1;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            byte if *byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// What is between the quotes, read as Jinja does: Python's `unicode-escape` over an ASCII form of it.
pub(super) fn unescape(text: &str) -> Result<Cow<'_, str>, String> {
    if !text.contains('\\') {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(rest.get(..at).unwrap_or_default());
        let mut after = rest.get(at + 1..).unwrap_or_default().chars();
        match after.next() {
            Some(character) if !character.is_ascii() => escape_beyond_ascii(character, &mut out),
            Some(character) => rest_of_escape(character, &mut after, &mut out)?,
            None => return Err("\\ at end of string".to_owned()),
        }
        rest = after.as_str();
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

/// Jinja turns `é` into `\xe9` first, so that a backslash before it makes a backslash and `xe9`.
pub(in super::super) fn escape_beyond_ascii(character: char, out: &mut String) {
    let code = u32::from(character);
    out.extend(if code <= 0xff {
        [format!("\\x{code:02x}")]
    } else if code <= 0xffff {
        [format!("\\u{code:04x}")]
    } else {
        [format!("\\U{code:08x}")]
    });
}

fn rest_of_escape(first: char, after: &mut std::str::Chars<'_>, out: &mut String) -> Result<(), String> {
    match first {
        '\n' => {}
        '\\' | '\'' | '"' => out.push(first),
        'a' => out.push('\x07'),
        'b' => out.push('\x08'),
        'f' => out.push('\x0c'),
        'n' => out.push('\n'),
        'r' => out.push('\r'),
        't' => out.push('\t'),
        'v' => out.push('\x0b'),
        '0'..='7' => {
            let mut code = first.to_digit(8).unwrap_or_default();
            for _ in 0..2 {
                let Some(digit) = after.as_str().chars().next().and_then(|next| next.to_digit(8)) else { break };
                code = code * 8 + digit;
                after.next();
            }
            out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        'x' => hexadecimal(after, 2, "truncated \\xXX escape", out)?,
        'u' => hexadecimal(after, 4, "truncated \\uXXXX escape", out)?,
        'U' => hexadecimal(after, 8, "truncated \\UXXXXXXXX escape", out)?,
        'N' => {
            let is_whole = after.as_str().strip_prefix('{').and_then(|name| name.find('}')).is_some_and(|end| end > 0);
            let message = if is_whole { "unknown Unicode character name" } else { "malformed \\N character escape" };
            return Err(message.to_owned());
        }
        other => out.extend(['\\', other]),
    }
    Ok(())
}

fn hexadecimal(after: &mut std::str::Chars<'_>, length: usize, message: &str, out: &mut String) -> Result<(), String> {
    let text = after.as_str().get(..length).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let code = text.and_then(|text| u32::from_str_radix(text, 16).ok()).ok_or(message)?;
    if code > 0x0010_ffff {
        return Err("illegal Unicode character".to_owned());
    }
    out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
    for _ in 0..length {
        after.next();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_as_python_reads_them() {
        for (written, read) in [
            ("a\\n\\x41\\101\\u20ac", "a\nAA\u{20ac}"),
            ("\\d\\.", "\\d\\."),
            ("a\\\nb", "ab"),
            ("\\é", "\\xe9"),
            ("\\0", "\0"),
        ] {
            assert_eq!(unescape(written).unwrap(), read);
        }
        assert_eq!(unescape("\\x4").unwrap_err(), "truncated \\xXX escape");
    }

    #[test]
    fn numbers_end_where_jinja_ends_them() {
        assert_eq!(float_length("1_0.5e-3x"), Some(8));
        assert_eq!(float_length("1."), None);
        assert_eq!(integer_length("0777"), Some(1));
        assert_eq!(integer_length("0x_fF_g"), Some(5));
        assert_eq!(integer("0x_fF"), Some(255));
    }
}
