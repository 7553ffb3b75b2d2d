//! Finding text within text, and putting other text in its place.

use std::ops::Range;

use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use super::super::filters::arguments::{Args, string, wrong};
use super::super::number_text::WIDEST;
use super::super::value::{items, spend_text, type_name};
use super::Method;

/// The methods of this kind.
pub(super) const METHODS: &[Method] = &[
    ("count", "sub start? end?", count),
    ("endswith", "suffix start? end?", |text, args| starts(text, args, |text, end| text.ends_with(end))),
    ("find", "sub start? end?", |text, args| Ok(found(text, args, false)?.map_or(Value::from(-1), Value::from))),
    ("index", "sub start? end?", |text, args| present(found(text, args, false)?)),
    ("join", "iterable", join),
    ("removeprefix", "prefix", |text, args| {
        Ok(Value::from(text.strip_prefix(args.str("prefix")?.unwrap_or_default()).unwrap_or(text)))
    }),
    ("removesuffix", "suffix", |text, args| {
        Ok(Value::from(text.strip_suffix(args.str("suffix")?.unwrap_or_default()).unwrap_or(text)))
    }),
    ("replace", "old new count?", |text, args| {
        let (old, new) = (string(&args.value())?.to_owned(), args.get("new").cloned().unwrap_or_default());
        replaced(text, &old, string(&new)?, args.int("count")?.unwrap_or(-1)).map(Value::from)
    }),
    ("rfind", "sub start? end?", |text, args| Ok(found(text, args, true)?.map_or(Value::from(-1), Value::from))),
    ("rindex", "sub start? end?", |text, args| present(found(text, args, true)?)),
    ("startswith", "prefix start? end?", |text, args| starts(text, args, |text, start| text.starts_with(start))),
];

/// The part of a text between `start` and `end`, and how many characters are before it; `None` where the part
/// would begin behind the text's end.
fn part<'a>(text: &'a str, args: &Args) -> Result<Option<(&'a str, usize)>, Error> {
    let length = text.chars().count();
    let at = |index: i128| {
        let signed = i128::try_from(length).unwrap_or(i128::MAX);
        usize::try_from(if index < 0 { (index + signed).max(0) } else { index }).unwrap_or(usize::MAX)
    };
    let start = args.int("start")?.map_or(0, at);
    let end = args.int("end")?.map_or(length, at).min(length);
    if start > length || start > end {
        return Ok(None);
    }
    let bytes = |index: usize| text.char_indices().nth(index).map_or(text.len(), |(at, _)| at);
    let range: Range<usize> = bytes(start)..bytes(end);
    Ok(text.get(range).map(|part| (part, start)))
}

fn found(text: &str, args: &Args, from_end: bool) -> Result<Option<usize>, Error> {
    let wanted = args.value();
    let wanted = string(&wanted)?;
    let Some((part, before)) = part(text, args)? else { return Ok(None) };
    let at = if from_end { part.rfind(wanted) } else { part.find(wanted) };
    Ok(at.and_then(|at| part.get(..at)).map(|skipped| skipped.chars().count() + before))
}

fn present(index: Option<usize>) -> Result<Value, Error> {
    index.map(Value::from).ok_or_else(|| wrong("substring not found"))
}

fn count(text: &str, args: &Args) -> Result<Value, Error> {
    let wanted = args.value();
    let wanted = string(&wanted)?;
    let Some((part, _)) = part(text, args)? else { return Ok(Value::from(0)) };
    Ok(Value::from(if wanted.is_empty() { part.chars().count() + 1 } else { part.matches(wanted).count() }))
}

fn starts(text: &str, args: &Args, is_so: fn(&str, &str) -> bool) -> Result<Value, Error> {
    let wanted = args.value();
    let part = part(text, args)?;
    let several = if wanted.is_tuple() { items(&wanted)? } else { vec![wanted] };
    let mut answer = false;
    for wanted in &several {
        if wanted.kind() != ValueKind::String {
            let message = format!("first arg must be str or a tuple of str, not {}", type_name(wanted));
            return Err(wrong(message));
        }
        answer |= part.is_some_and(|(part, _)| is_so(part, wanted.as_str().unwrap_or_default()));
    }
    Ok(Value::from(answer))
}

fn join(text: &str, args: &Args) -> Result<Value, Error> {
    let mut joined = String::new();
    for (index, item) in items(&args.value())?.iter().enumerate() {
        if index > 0 {
            joined.push_str(text);
        }
        if item.kind() != ValueKind::String {
            let message = format!("sequence item {index}: expected str instance, {} found", type_name(item));
            return Err(wrong(message));
        }
        spend_text(text.len() + item.as_str().map_or(0, str::len))?;
        joined.push_str(item.as_str().unwrap_or_default());
    }
    Ok(Value::from(joined))
}

/// Python's `str.replace`: all, or the first `count`, if that is not negative.
pub(in crate::formula::template) fn replaced(text: &str, old: &str, new: &str, count: i128) -> Result<String, Error> {
    let times = if old.is_empty() { text.chars().count() + 1 } else { text.matches(old).count() };
    let times = usize::try_from(count).map_or(times, |count| count.min(times));
    if new.len().saturating_mul(times) > WIDEST * WIDEST {
        return Err(wrong("replace: the text would be too long"));
    }
    Ok(text.replacen(old, new, times))
}

#[cfg(test)]
mod tests {
    use crate::formula::template::filters::assert_shown;

    #[test]
    fn text_is_found_by_characters() {
        assert_shown(&[
            (
                "{{ ['Grüße'.find('e'), 'abcabc'.rfind('b', 0, 3), 'aaaa'.count('aa'), 'abc'.count('')] }}",
                Some("[4, 1, 2, 4]"),
            ),
            ("{{ 'abc'.startswith(('x', 'a')) }}", Some("True")),
            ("{{ 'abc'.index('z') }}", None),
            ("{{ ','.join([1]) }}", None),
            ("{{ 'aaa'.replace('', '-', 2) }}", Some("-a-aa")),
            ("{{ 'foobar'.removeprefix('foo') }}", Some("bar")),
        ]);
    }
}
