//! Text made as wide as it should be, and text as lines.

use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use super::super::filters::arguments::{Args, wrong};
use super::super::number_text::WIDEST;
use super::super::value::list;
use super::Method;

/// The methods of this kind.
pub(super) const METHODS: &[Method] = &[
    ("center", "width fillchar?", |text, args| Ok(Value::from(centered(text, width(args)?, filling(args)?)))),
    ("encode", "encoding? errors?", |text, args| encoded(text, args.str("encoding")?.unwrap_or("utf-8"))),
    ("expandtabs", "tabsize?", expand_tabs),
    ("ljust", "width fillchar?", |text, args| {
        let missing = width(args)?.saturating_sub(text.chars().count());
        Ok(Value::from(text.to_owned() + &fill(filling(args)?, missing)))
    }),
    ("rjust", "width fillchar?", |text, args| {
        let missing = width(args)?.saturating_sub(text.chars().count());
        Ok(Value::from(fill(filling(args)?, missing) + text))
    }),
    ("splitlines", "keepends?", |text, args| {
        let keep = args.bool("keepends", false)?;
        let line = |(line, end): (&str, &str)| Value::from(if keep { format!("{line}{end}") } else { line.to_owned() });
        Ok(list(ended_lines(text).into_iter().map(line).collect()))
    }),
    ("zfill", "width", |text, args| {
        let missing = width(args)?.saturating_sub(text.chars().count());
        let (sign, digits) = text.split_at(usize::from(text.starts_with(['+', '-'])));
        Ok(Value::from(format!("{sign}{}{digits}", fill('0', missing))))
    }),
];

fn width(args: &Args) -> Result<usize, Error> {
    args.size("width", 0)
}

fn filling(args: &Args) -> Result<char, Error> {
    let Some(filling) = args.get("fillchar") else { return Ok(' ') };
    let mut chars = filling.as_str().unwrap_or_default().chars();
    match (filling.kind(), chars.next(), chars.next()) {
        (ValueKind::String, Some(character), None) => Ok(character),
        _ => Err(wrong("The fill character must be exactly one character long")),
    }
}

fn fill(character: char, count: usize) -> String {
    std::iter::repeat_n(character, count).collect()
}

/// Text in the middle of a field, where an odd space goes as in Python: to the left if the field is odd, too.
pub(in crate::formula::template) fn centered(text: &str, width: usize, filling: char) -> String {
    let missing = width.saturating_sub(text.chars().count());
    let left = missing / 2 + (missing & width & 1);
    fill(filling, left) + text + &fill(filling, missing - left)
}

/// Text as bytes.
pub(in crate::formula::template) fn encoded(text: &str, encoding: &str) -> Result<Value, Error> {
    match encoding.to_lowercase().replace('_', "-").as_str() {
        "utf-8" | "utf8" => Ok(Value::from_bytes(text.as_bytes().to_vec())),
        "ascii" | "us-ascii" if text.is_ascii() => Ok(Value::from_bytes(text.as_bytes().to_vec())),
        "ascii" | "us-ascii" => Err(wrong("'ascii' codec can't encode the text")),
        "latin-1" | "iso-8859-1" | "latin1" => {
            let bytes =
                text.chars().map(|character| u8::try_from(u32::from(character))).collect::<Result<Vec<u8>, _>>();
            bytes.map(Value::from_bytes).map_err(|_| wrong("'latin-1' codec can't encode the text"))
        }
        other => Err(wrong(format!("upshift does not have the encoding `{other}`"))),
    }
}

fn expand_tabs(text: &str, args: &Args) -> Result<Value, Error> {
    let size = args.size("tabsize", 8)?;
    if text.matches('\t').count().saturating_mul(size) > WIDEST * WIDEST {
        return Err(wrong("expandtabs: the text would be too long"));
    }
    let mut column = 0;
    let mut expanded = String::new();
    for character in text.chars() {
        match character {
            '\t' if size > 0 => {
                let missing = size - column % size;
                expanded.push_str(&fill(' ', missing));
                column += missing;
            }
            '\t' => {}
            '\n' | '\r' => {
                expanded.push(character);
                column = 0;
            }
            other => {
                expanded.push(other);
                column += 1;
            }
        }
    }
    Ok(Value::from(expanded))
}

/// The lines of a text, without what ends them.
#[must_use]
pub fn lines_of(text: &str) -> Vec<&str> {
    ended_lines(text).into_iter().map(|(line, _)| line).collect()
}

/// The lines of a text and what ends each, as Python's `splitlines` sees them.
fn ended_lines(text: &str) -> Vec<(&str, &str)> {
    let is_end = |character: char| {
        matches!(character, '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
    };
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(is_end) {
        let (line, after) = rest.split_at(at);
        let length = if after.starts_with("\r\n") { 2 } else { after.chars().next().map_or(0, char::len_utf8) };
        let (end, after) = after.split_at(length);
        lines.push((line, end));
        rest = after;
    }
    if !rest.is_empty() {
        lines.push((rest, ""));
    }
    lines
}

#[cfg(test)]
mod tests {
    use crate::formula::template::filters::assert_shown;

    #[test]
    fn text_is_padded_where_python_pads_it() {
        assert_shown(&[
            (
                "{{ ['ab'.center(5, '*'), 'abc'.center(6, '*'), '-7'.zfill(4), 'ab'.ljust(4, '.'), 'ab'.rjust(4)] }}",
                Some("['**ab*', '*abc**', '-007', 'ab..', '  ab']"),
            ),
            ("{{ 'a\tb'.expandtabs(4) }}", Some("a   b")),
            ("{{ 'a\n\nb'.splitlines(true) }}", Some(r"['a\n', '\n', 'b']")),
            ("{{ 'a'.center(5, 'ab') }}", None),
        ]);
    }
}
