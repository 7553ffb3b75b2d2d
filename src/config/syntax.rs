//! What the TOML parser says, in the words of this house.

use toml::de;

use crate::config::source::Source;
use crate::error::Error;

/// The error of a file that is not TOML.
pub(super) fn explain(source: &Source, error: &de::Error) -> Error {
    let (what, wanted) = match error.message().split_once(", expected ") {
        Some((what, wanted)) => (what, Some(wanted)),
        None => (error.message(), None),
    };
    let span = error.span().unwrap_or_default();
    let found = source.text().get(span.clone()).unwrap_or_default().trim();
    let at = |message: String| source.error(span.start, message);
    match what {
        "string values must be quoted" => {
            at(format!("wanted a value, found `{found}`")).hint(format!("text stands in quotes: `\"{found}\"`"))
        }
        "duplicate key" => at(format!("the key `{}` is given twice", found.trim_matches(['"', '\'']))),
        "key with no value" => at(format!("the key `{found}` has no value")).hint(format!("write `{found} = …`")),
        "unexpected key or value" => at("wanted the end of the line".into())
            .hint("one key a line; a text that goes over several lines stands in `\"\"\"`"),
        "cannot recurse further; max recursion depth met" | "recursion limit" => {
            at("more than 80 tables or lists inside one another".into())
        }
        _ => at(match wanted {
            Some(wanted) if wanted != "nothing" => format!("{what}: wanted {wanted}"),
            _ if found.is_empty() => what.to_owned(),
            _ => format!("{what}: found `{}`", shorten(found)),
        }),
    }
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
