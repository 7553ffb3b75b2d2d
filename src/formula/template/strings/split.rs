//! Text taken apart, and stripped of what is around it.

use minijinja::value::Tuple;
use minijinja::{Error, Value};

use super::super::filters::arguments::{Args, string, wrong};
use super::super::value::list;
use super::Method;

/// The methods of this kind.
pub(super) const METHODS: &[Method] = &[
    ("lstrip", "chars?", |text, args| strip(text, args, true, false)),
    ("partition", "sep", |text, args| partition(text, args, false)),
    ("rpartition", "sep", |text, args| partition(text, args, true)),
    ("rsplit", "sep? maxsplit?", |text, args| split(text, args, true)),
    ("rstrip", "chars?", |text, args| strip(text, args, false, true)),
    ("split", "sep? maxsplit?", |text, args| split(text, args, false)),
    ("strip", "chars?", |text, args| strip(text, args, true, true)),
];

/// What Python's `str.isspace` says: Unicode's white space and the four information separators.
pub(in crate::formula::template) fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\x1c'..='\x1f').contains(&character)
}

/// The words between white space.
pub(in crate::formula::template) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

fn strip(text: &str, args: &Args, left: bool, right: bool) -> Result<Value, Error> {
    let chars = args.str("chars")?;
    let is_off = |character: char| chars.map_or_else(|| is_space(character), |chars| chars.contains(character));
    let text = if left { text.trim_start_matches(is_off) } else { text };
    Ok(Value::from(if right { text.trim_end_matches(is_off) } else { text }))
}

fn separator(value: &Value) -> Result<&str, Error> {
    let separator = string(value)?;
    if separator.is_empty() { Err(wrong("empty separator")) } else { Ok(separator) }
}

fn partition(text: &str, args: &Args, from_end: bool) -> Result<Value, Error> {
    let value = args.value();
    let separator = separator(&value)?;
    let parts = match (if from_end { text.rsplit_once(separator) } else { text.split_once(separator) }, from_end) {
        (Some((before, after)), _) => [before, separator, after],
        (None, false) => [text, "", ""],
        (None, true) => ["", "", text],
    };
    Ok(Value::from(Tuple::from(parts.map(Value::from))))
}

fn split(text: &str, args: &Args, from_end: bool) -> Result<Value, Error> {
    let most = args.int("maxsplit")?.unwrap_or(-1);
    let most = usize::try_from(most).map_or(usize::MAX, |most| most.saturating_add(1));
    let parts: Vec<&str> = match args.some("sep") {
        None => spaced(text, most, from_end),
        Some(value) => {
            let separator = separator(value)?;
            if from_end {
                let mut parts: Vec<&str> = text.rsplitn(most, separator).collect();
                parts.reverse();
                parts
            } else {
                text.splitn(most, separator).collect()
            }
        }
    };
    Ok(list(parts.into_iter().map(Value::from).collect()))
}

/// The words of a text, at most so many; the last (or first) keeps the white space within it, but not that around it
/// on the side where the splitting began.
fn spaced(text: &str, most: usize, from_end: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        rest = if from_end { rest.trim_end_matches(is_space) } else { rest.trim_start_matches(is_space) };
        if rest.is_empty() {
            break;
        }
        let end = if from_end { rest.rfind(is_space) } else { rest.find(is_space) };
        let Some(end) = end.filter(|_| parts.len() + 1 < most) else {
            // The remainder keeps no white space at its own outer end either.
            let rest = if parts.len() + 1 < most { rest.trim_matches(is_space) } else { rest };
            parts.push(if from_end { rest.trim_end_matches(is_space) } else { rest });
            break;
        };
        let (one, two) = if from_end {
            let space = rest.get(end..).and_then(|space| space.chars().next()).map_or(1, char::len_utf8);
            (rest.split_at(end + space).1, rest.split_at(end).0)
        } else {
            rest.split_at(end)
        };
        parts.push(one);
        rest = two;
    }
    if from_end {
        parts.reverse();
    }
    parts
}
