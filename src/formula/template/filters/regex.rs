//! Regular expressions as Python's `re` reads them, and Salt's filters of them.

use std::fmt::Write as _;

use fancy_regex::{Captures, Regex, RegexBuilder};
use minijinja::value::Tuple;
use minijinja::{Error, Value};

use super::arguments::{Args, Run, defined, is_true, string, wrong};
use super::pattern::{Anchor, translated};
use crate::formula::template::strings::is_space;
use crate::formula::template::value::{items, spend, spend_text, text, type_name};

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, Run)] = &[
    ("check_whitelist_blacklist", "value whitelist? blacklist?", check_whitelist_blacklist),
    ("contains_whitespace", "text", contains_whitespace),
    ("quote", "txt", quote),
    ("regex_escape", "value", |args| Ok(Value::from(escaped(string(&args.value())?)))),
    ("regex_match", "txt rgx ignorecase? multiline?", |args| groups(args, Anchor::Start)),
    ("regex_replace", "txt rgx val ignorecase? multiline?", replace),
    ("regex_search", "txt rgx ignorecase? multiline?", |args| groups(args, Anchor::None)),
    ("to_camelcase", "snake_input uppercamel?", to_camelcase),
    ("to_snake_case", "camel_input", to_snake_case),
];

/// The steps back that a match may take before it is given up.
const BACKTRACK_LIMIT: usize = 1_000_000;

/// What compiling an expression costs, in values that could be looked at meanwhile.
const COMPILED: usize = 1000;

/// A compiled expression.
fn compile(pattern: &str, ignorecase: bool, multiline: bool, anchor: Anchor) -> Result<Regex, Error> {
    spend(COMPILED)?;
    let pattern = translated(pattern, ignorecase, multiline, anchor)?;
    let regex = RegexBuilder::new(&pattern).backtrack_limit(BACKTRACK_LIMIT).build();
    regex.map_err(|error| wrong(format!("not a regular expression: {error}")))
}

fn given(args: &Args, anchor: Anchor) -> Result<Regex, Error> {
    let pattern = defined(args.get("rgx").cloned().unwrap_or_default())?;
    compile(string(&pattern)?, args.bool("ignorecase", false)?, args.bool("multiline", false)?, anchor)
}

fn failed(error: &fancy_regex::Error) -> Error {
    wrong(format!("the regular expression gave up: {error}"))
}

/// Whether an expression matches at the beginning of a text: Salt's test `match`.
pub(in crate::formula::template) fn matches(args: &Args) -> Result<Value, Error> {
    let text = args.defined()?;
    given(args, Anchor::Start)?.is_match(string(&text)?).map(Value::from).map_err(|error| failed(&error))
}

/// The groups of the first match, or all of it if there are none, or `None`.
fn groups(args: &Args, anchor: Anchor) -> Result<Value, Error> {
    let source = args.defined()?;
    spend_text(source.as_str().map_or(0, str::len))?;
    let regex = given(args, anchor)?;
    let Some(found) = regex.captures(string(&source)?).map_err(|error| failed(&error))? else {
        return Ok(Value::from(()));
    };
    let from = usize::from(found.len() > 1);
    let group = |index| found.get(index).map_or(Value::from(()), |group| Value::from(group.as_str()));
    Ok(Value::from(Tuple::new((from..found.len()).map(group).collect())))
}

/// A piece of what is put in the place of a match.
enum Piece {
    Text(String),
    Group(usize),
    Name(String),
}

fn replace(args: &Args) -> Result<Value, Error> {
    let source = args.defined()?;
    let source = string(&source)?;
    let regex = given(args, Anchor::None)?;
    let replacement = defined(args.get("val").cloned().unwrap_or_default())?;
    let pieces = template(string(&replacement)?, &regex)?;
    let mut going_on: Option<Regex> = None;
    let mut replaced = String::new();
    let (mut copied, mut at) = (0, 0);
    let mut was_empty = false;
    while at <= source.len() {
        let mut found = None;
        if was_empty {
            // Where there was an empty match, Python looks for one that is not, then goes on by a character.
            let regex = match going_on.take() {
                Some(regex) => regex,
                None => given(args, Anchor::NotEmpty)?,
            };
            found = regex.captures_from_pos(source, at).map_err(|error| failed(&error))?;
            going_on = Some(regex);
            if found.is_none() {
                let next = source.get(at..).and_then(|rest| rest.chars().next());
                at += next.map_or(1, char::len_utf8);
            }
        }
        if found.is_none() && at <= source.len() {
            found = regex.captures_from_pos(source, at).map_err(|error| failed(&error))?;
        }
        let Some((whole, found)) = found.as_ref().and_then(|found| Some((found.get(0)?, found))) else { break };
        replaced.push_str(source.get(copied..whole.start()).unwrap_or_default());
        let before = replaced.len();
        expand(&pieces, found, &mut replaced);
        spend_text(replaced.len().saturating_sub(before))?;
        (copied, at, was_empty) = (whole.end(), whole.end(), whole.end() == whole.start());
    }
    replaced.push_str(source.get(copied..).unwrap_or_default());
    Ok(Value::from(replaced))
}

fn expand(pieces: &[Piece], found: &Captures<'_, str>, out: &mut String) {
    for piece in pieces {
        let group = match piece {
            Piece::Text(text) => {
                out.push_str(text);
                continue;
            }
            Piece::Group(index) => found.get(*index),
            Piece::Name(name) => found.name(name),
        };
        out.push_str(group.map_or("", |group| group.as_str()));
    }
}

/// Reads a replacement: `\1`, `\g<1>` and `\g<name>` are groups, and there are the usual escapes.
fn template(text: &str, regex: &Regex) -> Result<Vec<Piece>, Error> {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    let mut chars = text.chars().peekable();
    while let Some(character) = chars.next() {
        if character != '\\' {
            plain.push(character);
            continue;
        }
        let Some(escape) = chars.next() else { return Err(wrong("bad escape (end of pattern)")) };
        let simple = match escape {
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            '\\' => '\\',
            'g' => {
                let name: String = chars.by_ref().skip(1).take_while(|character| *character != '>').collect();
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
                pieces.push(group(&name, regex)?);
                continue;
            }
            '0'..='9' => {
                let mut digits = String::from(escape);
                let is_octal = |digit: &char| ('0'..='7').contains(digit);
                while let Some(digit) = chars.next_if(|next| {
                    digits.len() < 2 && next.is_ascii_digit()
                        || digits.len() == 2 && digits.chars().all(|digit| is_octal(&digit)) && is_octal(next)
                }) {
                    digits.push(digit);
                }
                if digits.starts_with('0') || digits.len() == 3 {
                    let code = u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32);
                    plain.push(code.ok_or_else(|| wrong(format!("octal escape value \\{digits} outside of range")))?);
                } else {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    pieces.push(group(&digits, regex)?);
                }
                continue;
            }
            letter if letter.is_ascii_alphabetic() => return Err(wrong(format!("bad escape \\{letter}"))),
            other => {
                plain.push('\\');
                other
            }
        };
        plain.push(simple);
    }
    pieces.push(Piece::Text(plain));
    Ok(pieces)
}

fn group(name: &str, regex: &Regex) -> Result<Piece, Error> {
    if let Ok(index) = name.parse::<usize>() {
        return if index < regex.captures_len() {
            Ok(Piece::Group(index))
        } else {
            Err(wrong(format!("invalid group reference {index}")))
        };
    }
    if regex.capture_names().flatten().any(|known| known == name) {
        Ok(Piece::Name(name.to_owned()))
    } else {
        Err(wrong(format!("unknown group name '{name}'")))
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        if "()[]{}?*+-|^$\\.&~# \t\n\r\x0b\x0c".contains(character) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

fn contains_whitespace(args: &Args) -> Result<Value, Error> {
    for part in items(&args.value())? {
        let part = string(&part)?.to_owned();
        if !part.is_empty() && part.chars().all(is_space) {
            return Ok(Value::from(true));
        }
    }
    Ok(Value::from(false))
}

/// Text as one word of a shell.
fn quote(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    let is_empty = !is_true(&value);
    let source = if is_empty { "" } else { string(&value)? };
    let is_safe = |character: char| character.is_ascii_alphanumeric() || "_@%+=:,./-".contains(character);
    Ok(Value::from(if !is_empty && source.chars().all(is_safe) {
        source.to_owned()
    } else {
        format!("'{}'", source.replace('\'', "'\"'\"'"))
    }))
}

fn to_snake_case(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    let letters: Vec<char> = string(&value)?.chars().collect();
    let first = letters.first().ok_or_else(|| wrong("string index out of range"))?;
    let mut snake: String = first.to_lowercase().collect();
    for (index, pair) in letters.windows(2).enumerate() {
        let [before, letter] = pair else { continue };
        let after = letters.get(index + 2);
        if letter.is_uppercase() && (before.is_lowercase() || after.is_some_and(|after| after.is_lowercase())) {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    Ok(Value::from(snake))
}

fn to_camelcase(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    let upper = args.bool("uppercamel", false)?;
    let word = |(index, word): (usize, &str)| {
        if index > 0 || upper { crate::formula::template::strings::capitalized(word) } else { word.to_owned() }
    };
    Ok(Value::from(string(&value)?.split('_').enumerate().map(word).collect::<String>()))
}

/// Whether a text matches an expression of a list, first as a shell's pattern, then as a regular expression.
fn is_listed(value: &str, expression: &Value) -> Result<bool, Error> {
    let Some(expression) = expression.as_str() else { return Ok(false) };
    if compile(&shell_pattern(expression), false, false, Anchor::Start)?.is_match(value).unwrap_or(false) {
        return Ok(true);
    }
    let whole = compile(&format!("(?:{expression})\\Z"), false, false, Anchor::Start);
    Ok(whole.is_ok_and(|regex| regex.is_match(value).unwrap_or(false)))
}

/// A shell's pattern as a regular expression of all of a text.
fn shell_pattern(glob: &str) -> String {
    let mut pattern = String::from("(?s:");
    let mut rest = glob;
    while let Some(character) = rest.chars().next() {
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
        match character {
            '*' => pattern.push_str(".*"),
            '?' => pattern.push('.'),
            '[' => {
                let skip =
                    usize::from(rest.starts_with('!')) + usize::from(rest.trim_start_matches('!').starts_with(']'));
                let Some(end) = rest.get(skip..).and_then(|inner| inner.find(']')).map(|end| end + skip) else {
                    pattern.push_str("\\[");
                    continue;
                };
                let (inside, after) = rest.split_at(end);
                let inside = inside.replace('\\', "\\\\");
                let inside = inside.strip_prefix('!').map_or(inside.clone(), |inside| format!("^{inside}"));
                let _ = write!(pattern, "[{inside}]");
                rest = after.get(1..).unwrap_or_default();
            }
            other => pattern.push_str(&escaped(&other.to_string())),
        }
    }
    pattern + ")\\Z"
}

fn check_whitelist_blacklist(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    let listed = |name: &str| {
        let row = match args.get(name) {
            Some(row) if is_true(row) => row,
            _ => return Ok(None),
        };
        let row = match row.as_str() {
            Some(_) => vec![row.clone()],
            None if super::sets::items_can_be_had(row) => items(row)?,
            None => {
                let message = format!("Expecting iterable {name}, but got {} ({})", type_name(row), text(row));
                return Err(wrong(message));
            }
        };
        let Some(value) = value.as_str() else { return Ok(Some(false)) };
        for expression in &row {
            if is_listed(value, expression)? {
                return Ok(Some(true));
            }
        }
        Ok(Some(false))
    };
    let (black, white) = (listed("blacklist")?, listed("whitelist")?);
    Ok(Value::from(!black.unwrap_or(false) && white.unwrap_or(true)))
}

#[cfg(test)]
mod tests {
    use crate::formula::template::filters::assert_shown;

    #[test]
    fn expressions_mean_what_they_mean_in_python() {
        assert_shown(&[
            ("{{ 'abcd'|regex_search('^(.*)BC(.*)$', ignorecase=true) }}", Some("('a', 'd')")),
            ("{{ 'abcd'|regex_match('bc') }}", Some("None")),
            ("{{ 'line\n'|regex_search('line$') }}", Some("('line',)")),
            ("{{ 'a\nb\n'|regex_replace('$', '|') }}", Some("a\nb|\n|")),
            ("{{ 'abxd'|regex_replace('x*', '-') }}", Some("-a-b--d-")),
            (r"{{ 'john smith'|regex_replace('(?P<f>\\w+) (\\w+)', '\\2, \\g<f>\\n') }}", Some("smith, john\n")),
            (r"{{ 'aa bb cd'|regex_replace('(\\w)\\1', '<\\1>') }}", Some("<a> <b> cd")),
            (r"{{ 'a'|regex_replace('a', '\\q') }}", None),
            ("{{ 'a'|regex_search('(') }}", None),
            ("{{ 'web1'|check_whitelist_blacklist('web[0-9]', 'web2') }}", Some("True")),
            ("{{ 'fooBarBAZQux'|to_snake_case }}", Some("foo_bar_baz_qux")),
            (r"{{ 'it\'s'|quote }}", Some(r#"'it'"'"'s'"#)),
        ]);
    }
}
