//! minijinja's errors as ours: what went wrong, in which line of which file, and what imported that.

use std::error::Error as _;

use minijinja::{Error, ErrorKind};

use crate::formula::Error as Wrong;
use crate::formula::error::{Kind, Place};
use crate::formula::roots::Roots;

/// One of our errors, on its way through minijinja.
pub(super) fn carry(wrong: Wrong) -> Error {
    Error::new(ErrorKind::SyntaxError, wrong.message.clone()).with_source(wrong)
}

/// The error that a person sees.
pub(super) fn explain(error: &Error, roots: &Roots) -> Wrong {
    let mut places: Vec<Place> = Vec::new();
    let mut wrong = Wrong::new(kind(error), message(error));
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(ours) = error.downcast_ref::<Wrong>() {
            wrong.kind = ours.kind;
            wrong.message.clone_from(&ours.message);
            wrong.hint.clone_from(&ours.hint);
            for place in ours.places.iter().rev() {
                places.push(place.clone());
            }
            break;
        }
        if let Some(error) = error.downcast_ref::<Error>() {
            if !is_wrapper(error) {
                wrong.kind = kind(error);
                wrong.message = message(error);
                wrong.hint = hint(error);
            }
            if let (Some(file), Some(line)) = (error.name(), error.line()) {
                let place = Place { file: file.to_owned(), line, source: line_of(roots, file, line) };
                if places.last() != Some(&place) {
                    places.push(place);
                }
            }
        }
        next = error.source();
    }
    places.reverse();
    wrong.places = places;
    wrong
}

/// Whether an error only says that another one happened in another template.
fn is_wrapper(error: &Error) -> bool {
    error.kind() == ErrorKind::BadInclude && error.source().is_some()
}

fn kind(error: &Error) -> Kind {
    match error.kind() {
        ErrorKind::SyntaxError => Kind::TemplateSyntax,
        ErrorKind::TemplateNotFound => Kind::Missing,
        ErrorKind::UnknownFunction if error.detail().is_some_and(|detail| detail.ends_with(" is unknown")) => {
            Kind::Template
        }
        ErrorKind::UnknownFunction | ErrorKind::UnknownFilter | ErrorKind::UnknownTest => Kind::Unsupported,
        ErrorKind::OutOfFuel => Kind::Limit,
        _ => Kind::Template,
    }
}

/// What is wrong, in words that name what the formula has and nothing of ours.
fn message(error: &Error) -> String {
    let detail = error.detail().map(str::to_owned);
    match (error.kind(), detail) {
        (ErrorKind::UndefinedError, None) => undefined(error).unwrap_or_else(|| "a value is undefined".to_owned()),
        (ErrorKind::UndefinedError, Some(detail)) => without_internals(&whole(error, detail)),
        (ErrorKind::OutOfFuel, _) => "the template runs too long: a loop without an end?".to_owned(),
        (ErrorKind::UnknownMethod, Some(detail)) => method(&detail),
        (ErrorKind::UnknownFunction, Some(detail)) => match detail.strip_suffix(" is unknown") {
            Some(name) => format!("`{name}` is undefined"),
            None => detail,
        },
        (_, Some(detail)) => detail,
        (kind, None) => kind.to_string(),
    }
}

/// One thing to do next.
fn hint(error: &Error) -> Option<String> {
    let detail = error.detail().filter(|_| error.kind() == ErrorKind::UnknownMethod)?;
    let (kind, name) = detail.split_once(NO_METHOD)?;
    let is_old = kind == "map" && PYTHON2_METHODS.contains(&name);
    is_old.then(|| "`--python2` reads formulas of 2015 to 2019".to_owned())
}

/// What minijinja puts between the type of a value and the name of the method it does not have.
const NO_METHOD: &str = " has no method named ";

/// The methods that dictionaries had in Python 2 alone.
const PYTHON2_METHODS: [&str; 4] = ["has_key", "iteritems", "iterkeys", "itervalues"];

/// That a value has no method of a name.
fn method(detail: &str) -> String {
    let Some((kind, name)) = detail.split_once(NO_METHOD) else { return detail.to_owned() };
    let what = match kind {
        "map" => "a dictionary",
        "sequence" => "a list",
        "string" => "a string",
        "number" => "a number",
        "bool" => "`True` or `False`",
        "none" => "`None`",
        "iterator" => "a view or generator",
        _ => "an object",
    };
    format!("{what} has no method `{name}`")
}

/// A sentence of minijinja's about an undefined value, in which variables of the translation can be named.
fn without_internals(detail: &str) -> String {
    let Some((expression, rest)) = detail.strip_prefix('`').and_then(|rest| rest.split_once('`')) else {
        return detail.to_owned();
    };
    if let Some(imported) = expression.strip_prefix("__n[").and_then(|rest| rest.split_once(']')) {
        let place = rest.trim_start_matches(" is undefined");
        return format!("the imported template does not define `{}`{place}", imported.0.trim_matches(['"', '\'']));
    }
    if expression.contains("__") {
        return "a value is undefined".to_owned();
    }
    let expression = match expression.strip_prefix(super::syntax::LOOP) {
        Some(rest) => format!("loop{rest}"),
        None => expression.replace("(...)", "…"),
    };
    format!("`{expression}`{rest}")
}

/// A sentence of minijinja's with what it leaves out of an expression, if that stands where the error is.
fn whole(error: &Error, detail: String) -> String {
    let found = || {
        let (_, attributes) = detail.split_once("`(...)")?;
        let (attributes, rest) = attributes.split_once('`')?;
        let text = error.template_source()?.get(error.range()?)?;
        let expression = text.get(..text.find(attributes).filter(|at| *at > 0)? + attributes.len())?;
        (!expression.contains("__") && expression.len() < 80).then(|| format!("`{expression}`{rest}"))
    };
    found().unwrap_or(detail)
}

/// Which value is undefined, as far as the translation left what the error is about readable.
fn undefined(error: &Error) -> Option<String> {
    let (source, range) = (error.template_source()?, error.range()?);
    let (before, text) = (source.get(..range.start)?, source.get(range)?.trim());
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let expression = if text.starts_with('.') {
        subject(before)?
    } else if before.trim_end().ends_with('|') {
        let name = text.split(|character| !is_name(character)).next()?;
        if name != text {
            return (!name.starts_with("__")).then(|| format!("a value that `{name}` is given is undefined"));
        }
        subject(before.trim_end().trim_end_matches('|'))?
    } else {
        text
    };
    let is_readable = !expression.contains("__") && expression.len() < 80;
    is_readable.then(|| without_internals(&format!("`{expression}` is undefined")))
}

/// The end of a text that is a name with attributes, subscripts and calls behind it.
fn subject(text: &str) -> Option<&str> {
    let text = text.trim_end();
    let mut depth = 0_usize;
    let mut start = text.len();
    for (index, character) in text.char_indices().rev() {
        match character {
            ')' | ']' => depth += 1,
            '(' | '[' if depth > 0 => depth -= 1,
            _ if depth > 0 || character.is_ascii_alphanumeric() || matches!(character, '_' | '.') => {}
            _ => break,
        }
        start = index;
    }
    text.get(start..).filter(|subject| !subject.is_empty() && depth == 0)
}

fn line_of(roots: &Roots, file: &str, line: usize) -> Option<String> {
    let text = roots.text(file).ok().flatten()?;
    text.lines().nth(line.checked_sub(1)?).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_undefined_is_named_as_the_formula_names_it() {
        for (detail, message) in [
            ("`__n['minion']` is undefined", "the imported template does not define `minion`"),
            ("`u_loop` is undefined", "`loop` is undefined"),
            ("`(...).a.b` is undefined (from line 3)", "`….a.b` is undefined (from line 3)"),
            ("`__w` is undefined", "a value is undefined"),
        ] {
            assert_eq!(without_internals(detail), message);
        }
        for (text, found) in [
            ("{{ pillar.nope", Some("pillar.nope")),
            ("{% if x and salt['a.b'](1, [2]).c", Some("salt['a.b'](1, [2]).c")),
            ("{{ 'x')", None),
            ("{{ ", None),
        ] {
            assert_eq!(subject(text), found, "{text}");
        }
    }
}
