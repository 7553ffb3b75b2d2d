//! Regular expressions as Python's `re` reads them, and Salt's filters of them.

use std::fmt::Write as _;

use minijinja::value::Tuple;
use minijinja::{Error, Value};

use super::arguments::{Args, Run, defined, is_true, string, wrong};
use crate::formula::regex::{self, Options, Regex};
use crate::formula::template::strings::is_space;
use crate::formula::template::value::{items, spend, spend_text, text, type_name};

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, Run)] = &[
    ("check_whitelist_blacklist", "value whitelist? blacklist?", check_whitelist_blacklist),
    ("contains_whitespace", "text", contains_whitespace),
    ("quote", "txt", quote),
    ("regex_escape", "value", |args| Ok(Value::from(regex::escaped(string(&args.value())?)))),
    ("regex_match", "txt rgx ignorecase? multiline?", |args| groups(args, true)),
    ("regex_replace", "txt rgx val ignorecase? multiline?", replace),
    ("regex_search", "txt rgx ignorecase? multiline?", |args| groups(args, false)),
    ("to_camelcase", "snake_input uppercamel?", to_camelcase),
    ("to_snake_case", "camel_input", to_snake_case),
];

/// What compiling an expression costs, in values that could be looked at meanwhile.
const COMPILED: usize = 1000;

/// A compiled expression.
fn compile(pattern: &str, options: Options) -> Result<Regex, Error> {
    spend(COMPILED)?;
    Regex::new(pattern, options).map_err(failed)
}

fn given(args: &Args, at_start: bool) -> Result<Regex, Error> {
    let pattern = defined(args.get("rgx").cloned().unwrap_or_default())?;
    let (ignore_case, multi_line) = (args.bool("ignorecase", false)?, args.bool("multiline", false)?);
    compile(string(&pattern)?, Options { ignore_case, multi_line, at_start, ..Options::default() })
}

fn failed(error: regex::Error) -> Error {
    wrong(error.0)
}

/// Whether an expression matches at the beginning of a text: Salt's test `match`.
pub(in crate::formula::template) fn matches(args: &Args) -> Result<Value, Error> {
    let text = args.defined()?;
    given(args, true)?.is_match(string(&text)?).map(Value::from).map_err(failed)
}

/// The groups of the first match, or all of it if there are none, or `None`.
fn groups(args: &Args, at_start: bool) -> Result<Value, Error> {
    let source = args.defined()?;
    spend_text(source.as_str().map_or(0, str::len))?;
    let regex = given(args, at_start)?;
    let Some(found) = regex.captures(string(&source)?).map_err(failed)? else {
        return Ok(Value::from(()));
    };
    let from = usize::from(found.len() > 1);
    let group = |index| found.get(index).map_or(Value::from(()), |group| Value::from(group.as_str()));
    Ok(Value::from(Tuple::new((from..found.len()).map(group).collect())))
}

fn replace(args: &Args) -> Result<Value, Error> {
    let source = args.defined()?;
    let source = string(&source)?;
    let regex = given(args, false)?;
    let replacement = defined(args.get("val").cloned().unwrap_or_default())?;
    let replaced = regex.replace(source, string(&replacement)?, None, &mut |length| spend_text(length).is_ok());
    // Where the budget is used up, that is what the error has to say.
    spend(1)?;
    replaced.map(|(text, _)| Value::from(text)).map_err(failed)
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
    let at_start = Options { at_start: true, ..Options::default() };
    if compile(&shell_pattern(expression), at_start)?.is_match(value).unwrap_or(false) {
        return Ok(true);
    }
    let whole = compile(&format!("(?:{expression})\\Z"), at_start);
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
            other => pattern.push_str(&regex::escaped(&other.to_string())),
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
