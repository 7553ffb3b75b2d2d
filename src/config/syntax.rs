//! What the TOML parser says, in the words of this house.

use toml::de;

use crate::config::source::Source;
use crate::error::Error;

/// The error of a file that is not TOML.
pub(super) fn explain(source: &Source, error: &de::Error) -> Error {
    let (what, wanted) = match error.message().split_once(", expected ") {
        Some((what, wanted)) => (what, Some(wanted).filter(|wanted| *wanted != "nothing")),
        None => (error.message(), None),
    };
    let text = source.text();
    let span = error.span().unwrap_or_default();
    let found = text.get(span.clone()).unwrap_or_default().trim();
    let at = |message: &str| source.error(span.start, message);
    match what {
        "string values must be quoted" if found.is_empty() => at("wanted a value, found nothing"),
        "string values must be quoted" => unquoted(source, span.start, found),
        "invalid boolean" | "invalid float" | "unexpected leading zero" | "invalid fraction" | "invalid exponent" => {
            let (start, word) = word_at(text, span.start);
            unquoted(source, start, word)
        }
        _ if what.starts_with("invalid ") && what.ends_with(" number") => {
            let (start, word) = word_at(text, span.start);
            unquoted(source, start, word)
        }
        "invalid basic string" | "invalid literal string" if wanted.is_some_and(|wanted| wanted.len() == 3) => {
            at("the text has no closing quote on its line")
                .hint("a text that goes over several lines stands in `\"\"\"`")
        }
        "invalid multi-line basic string" | "invalid multi-line literal string"
            if wanted.is_some_and(|wanted| wanted.len() == 3) =>
        {
            at("the text has no closing quotes")
        }
        "missing escaped value" => {
            let error = at("after `\\`, wanted one of the escapes `\\n`, `\\t`, `\\\"`, `\\\\` or `\\u…`");
            error.hint("in `'…'` a backslash stands for itself")
        }
        "duplicate key" => at(&format!("the key `{}` is given twice", found.trim_matches(['"', '\'']))),
        "key with no value" => {
            let behind = text.get(..span.start).unwrap_or_default().trim_end_matches([' ', '\t']).len();
            let (start, key) = word_at(text, behind);
            let error = source.error(start, format!("wanted `=` after `{key}`"));
            error.hint(format!("a key and its value are written `{key} = \"…\"`"))
        }
        "unexpected key or value" => at("wanted the end of the line")
            .hint("every key begins a line of its own, and a text that goes over several lines stands in `\"\"\"`"),
        "missing comma between array elements" => at("wanted `,` or `]` in the list"),
        "extra comma in array" => at("the list has a comma too many"),
        "unclosed array" => at("the list has no closing `]`"),
        "missing comma between key-value pairs" | "extra assignment between key-value pairs" => {
            at("wanted `,` or `}` in the table")
        }
        "unclosed inline table" => at("the table has no closing `}`"),
        "unclosed table" => at("wanted `]` at the end of the table's name"),
        "unclosed array table" => at("wanted `]]` at the end of the table's name"),
        "invalid unquoted key" | "unquoted keys cannot be empty" => {
            at("wanted a key").hint("a key is made of letters, digits, `-` and `_`, or stands in quotes")
        }
        "cannot recurse further; max recursion depth met" | "recursion limit" => {
            at("more than 80 tables or lists inside one another")
        }
        _ => at(&match wanted {
            Some(wanted) => format!("{what}: wanted {wanted}"),
            None if found.is_empty() => what.to_owned(),
            None => format!("{what}: found `{}`", shorten(found)),
        }),
    }
}

fn unquoted(source: &Source, start: usize, found: &str) -> Error {
    let error = source.error(start, format!("wanted a value, found `{}`", shorten(found)));
    match found {
        "True" | "yes" | "on" => error.hint("write `true`"),
        "False" | "no" | "off" => error.hint("write `false`"),
        _ if found.contains(['"', '“', '”', '\'', '`']) => error.hint("text stands in plain quotes: `\"…\"`"),
        _ => error.hint(format!("text stands in quotes: `\"{}\"`", shorten(found))),
    }
}

/// The word that an offset is in or just behind, and where it begins.
fn word_at(text: &str, offset: usize) -> (usize, &str) {
    let ends = |c: char| c.is_whitespace() || "=,[]{}#".contains(c);
    let (Some(before), Some(after)) = (text.get(..offset), text.get(offset..)) else { return (offset, "") };
    let start = before.rfind(ends).map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let end = offset + after.find(ends).unwrap_or(after.len());
    (start, &text[start..end])
}

/// The first line of a text, cut to what fits on a screen.
pub(super) fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        let error = Source::new("f", text).unwrap().parse().unwrap_err();
        error.hint.map_or(error.message.clone(), |hint| format!("{} ({hint})", error.message))
    }

    #[test]
    fn text_without_quotes_is_named_whole_whatever_it_looks_like() {
        for (line, word) in [("a = train", "train"), ("a = [1, 5h]", "5h"), ("a = 1.2.3", "1.2.3"), ("a = 007", "007")]
        {
            let start = line.find(word).unwrap() + 1;
            let wanted = format!("f:1:{start}: wanted a value, found `{word}` (text stands in quotes: `\"{word}\"`)");
            assert_eq!(said(line), wanted);
        }
        assert_eq!(said("a = True"), "f:1:5: wanted a value, found `True` (write `true`)");
    }

    #[test]
    fn what_is_no_toml_is_explained() {
        let cases = [
            "key",
            "a b = 1",
            "a : 1",
            "- a: b",
            "= 1",
            "a =",
            "a == 1",
            "ä = 1",
            "a = \"x",
            "a = '''x",
            "a = “x”",
            "a = \"x\"y",
            "a = \"\\d\"",
            "a = [1",
            "a = [1,,2]",
            "a = ['x'\n'y']",
            "a = {b = 1",
            "a = {b = 1 c = 2}",
            "[a",
            "[[a]",
            "a = 1\n[a]",
            "a = 2026-13-01",
            "# \u{1}",
        ];
        let said: Vec<_> = cases.iter().map(|case| format!("{case:20?} {}", said(case))).collect();
        insta::assert_snapshot!(said.join("\n"));
    }
}
