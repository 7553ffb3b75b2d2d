//! Jinja's filters of text.

use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, Value};

use super::arguments::{Args, Run, string, wrong};
use super::html::escaped;
use crate::formula::template::number_text::WIDEST;
use crate::formula::template::operators::percent;
use crate::formula::template::strings::{capitalized, centered, is_space, lines_of, replaced};
use crate::formula::template::value::{dict, text, type_name};

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, Run)] = &[
    ("capitalize", "s", |args| Ok(Value::from(capitalized(&args.text()?)))),
    ("center", "value width?", |args| Ok(Value::from(centered(&args.text()?, args.size("width", 80)?, ' ')))),
    ("format", "value * **", format),
    ("indent", "s width? first? blank?", indent),
    ("lower", "s", |args| Ok(Value::from(args.text()?.to_lowercase()))),
    ("replace", "s old new count?", replace),
    ("string", "object", string_of),
    ("title", "s", title),
    ("trim", "value chars?", trim),
    ("truncate", "s length? killwords? end? leeway?", truncate),
    ("upper", "s", |args| Ok(Value::from(args.text()?.to_uppercase()))),
    ("wordcount", "s", wordcount),
];

fn string_of(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    Ok(if value.kind() == ValueKind::String { value } else { Value::from(text(&value)) })
}

/// Text that keeps the mark of the text it was made of (Jinja's `Markup`).
fn like(original: &Value, text: String) -> Value {
    if original.is_safe() { Value::from_safe_string(text) } else { Value::from(text) }
}

fn format(args: &Args) -> Result<Value, Error> {
    if !args.rest.is_empty() && !args.named.is_empty() {
        return Err(wrong("can't handle positional and keyword arguments at the same time"));
    }
    let value = args.defined()?;
    let values = if args.named.is_empty() {
        Value::from(Tuple::new(args.rest.clone()))
    } else {
        dict(args.named.iter().map(|(name, argument)| (Value::from(name.as_str()), argument.clone())))
    };
    percent(&like(&value, text(&value)), &values)
}

fn indent(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    let source = match value.kind() {
        ValueKind::String => value.as_str().unwrap_or_default(),
        _ => return Err(wrong(format!("unsupported operand type(s) for +=: '{}' and 'str'", type_name(&value)))),
    };
    let width = match args.get("width").map(|width| (width.as_str(), width)) {
        Some((Some(text), width)) if width.is_safe() || !value.is_safe() => text.to_owned(),
        Some((Some(text), _)) => escaped(text),
        _ => " ".repeat(args.size("width", 4)?),
    };
    let (first, blank) = (args.bool("first", false)?, args.bool("blank", false)?);
    let source = format!("{source}\n");
    let lines = lines_of(&source);
    if lines.len().saturating_mul(width.len()) > WIDEST * WIDEST {
        return Err(wrong("indent: the text would be too long"));
    }
    let mut indented = if first { width.clone() } else { String::new() };
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            indented.push('\n');
            if blank || !line.is_empty() {
                indented.push_str(&width);
            }
        }
        indented.push_str(line);
    }
    Ok(like(&value, indented))
}

fn replace(args: &Args) -> Result<Value, Error> {
    let part = |name: &str| {
        let value = args.get(name).cloned().unwrap_or_default();
        super::arguments::defined(value).map(|value| text(&value))
    };
    let count = args.int("count")?.unwrap_or(-1);
    replaced(&args.text()?, &part("old")?, &part("new")?, count).map(Value::from)
}

/// Jinja's own title case: a word begins after white space, `-`, or an opening bracket.
fn title(args: &Args) -> Result<Value, Error> {
    let mut titled = String::new();
    let mut is_start = true;
    for character in args.text()?.chars() {
        let is_break = is_space(character) || "-({[<".contains(character);
        if is_start && !is_break {
            titled.extend(character.to_uppercase());
        } else {
            titled.extend(character.to_lowercase());
        }
        is_start = is_break;
    }
    Ok(Value::from(titled))
}

fn trim(args: &Args) -> Result<Value, Error> {
    let text = args.text()?;
    let chars = args.str("chars")?;
    let is_off = |character: char| chars.map_or_else(|| is_space(character), |chars| chars.contains(character));
    Ok(like(&args.value(), text.trim_matches(is_off).to_owned()))
}

fn truncate(args: &Args) -> Result<Value, Error> {
    let value = args.defined()?;
    let length = args.size("length", 255)?;
    let leeway = args.int("leeway")?.unwrap_or(5);
    let end = args.str("end")?.unwrap_or("...");
    let ending = end.chars().count();
    if length < ending {
        return Err(wrong(format!("expected length >= {ending}, got {length}")));
    }
    let leeway = usize::try_from(leeway).map_err(|_| wrong(format!("expected leeway >= 0, got {leeway}")))?;
    if value.as_str().is_none() && value.len().is_some_and(|items| items <= length.saturating_add(leeway)) {
        return Ok(value);
    }
    let source = string(&value)?;
    if source.chars().count() <= length.saturating_add(leeway) {
        return Ok(value);
    }
    let cut: String = source.chars().take(length - ending).collect();
    let kept =
        if args.bool("killwords", false)? { cut.as_str() } else { cut.rsplit_once(' ').map_or(&*cut, |(a, _)| a) };
    Ok(like(&value, format!("{kept}{end}")))
}

fn wordcount(args: &Args) -> Result<Value, Error> {
    let text = args.text()?;
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    Ok(Value::from(text.split(|character| !is_word(character)).filter(|word| !word.is_empty()).count()))
}

#[cfg(test)]
mod tests {
    use crate::formula::template::filters::assert_shown;

    #[test]
    fn text_is_changed_as_jinja_changes_it() {
        assert_shown(&[
            (r"{{ 'foo-bar (baz) it\'s x_y'|title }}", Some("Foo-Bar (Baz) It's X_y")),
            ("{{ 'one\n\n two\n'|indent(2, true, true) }}", Some("  one\n  \n   two\n  ")),
            ("{{ 'one\n\n two\n'|indent(2) }}", Some("one\n\n   two\n")),
            ("{{ 'the quick brown fox'|truncate(10) }}", Some("the...")),
            ("{{ 'the quick brown fox'|truncate(10, true, '…', 0) }}", Some("the quick…")),
            ("{{ 'Hello'|truncate(2) }}", None),
            ("{{ none|lower }}", Some("none")),
            ("{{ '%(a)05.1f'|format(a=2.25) }}", Some("002.2")),
            ("{{ '%s'|format(1, a=2) }}", None),
            ("{{ missing|upper }}", None),
        ]);
    }
}
