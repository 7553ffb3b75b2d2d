//! Lines as Python has them: of text, of bytes, and of a file that is read as text.

pub(in crate::states) use crate::formula::template::lines_of as bare;

/// The lines of a text with their ends, where everything that Unicode calls one ends a line: `str.splitlines(True)`.
pub(super) fn of_text(text: &str) -> Vec<&str> {
    split(text, is_end)
}

/// The lines of a file that is read as text, with their ends: `\n`, `\r` or both.
pub(super) fn of_file(text: &str) -> Vec<&str> {
    split(text, |character| matches!(character, '\n' | '\r'))
}

/// The lines of bytes, with their ends: `bytes.splitlines(True)`.
pub(super) fn of_bytes(bytes: &[u8]) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        let length = at + if rest[at..].starts_with(b"\r\n") { 2 } else { 1 };
        let (line, after) = rest.split_at(length);
        lines.push(line);
        rest = after;
    }
    lines.extend((!rest.is_empty()).then_some(rest));
    lines
}

/// Whether a character ends a line of text.
fn is_end(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn split(text: &str, is_end: impl Fn(char) -> bool) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(&is_end) {
        let after = &rest[at..];
        let length = if after.starts_with("\r\n") { 2 } else { after.chars().next().map_or(0, char::len_utf8) };
        let (line, after) = rest.split_at(at + length);
        lines.push(line);
        rest = after;
    }
    lines.extend((!rest.is_empty()).then_some(rest));
    lines
}

/// Whether Python's `str.strip` takes a character away.
pub(super) fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\x1c'..='\x1f')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_where_python_ends_them() {
        let text = "a\r\nb\rc\x0bd\u{2028}\ne";
        assert_eq!(of_text(text), ["a\r\n", "b\r", "c\x0b", "d\u{2028}", "\n", "e"]);
        assert_eq!(of_file(text), ["a\r\n", "b\r", "c\x0bd\u{2028}\n", "e"]);
        assert_eq!(of_bytes(text.as_bytes()).len(), 4);
        assert_eq!(bare(text), ["a", "b", "c", "d", "", "e"]);
        assert_eq!(bare("a\n\n"), ["a", ""]);
        assert_eq!((bare(""), bare("\r\n")), (vec![], vec![""]));
    }
}
