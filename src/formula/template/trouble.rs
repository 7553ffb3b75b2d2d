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
        ErrorKind::UnknownFunction | ErrorKind::UnknownFilter | ErrorKind::UnknownTest => Kind::Unsupported,
        ErrorKind::OutOfFuel => Kind::Limit,
        _ => Kind::Template,
    }
}

fn message(error: &Error) -> String {
    let detail = error.detail().map(str::to_owned);
    match (error.kind(), detail) {
        (ErrorKind::UndefinedError, None) => match expression(error) {
            Some(expression) => format!("`{expression}` is undefined"),
            None => "a value is undefined".to_owned(),
        },
        (ErrorKind::OutOfFuel, _) => "the template runs too long: a loop without an end?".to_owned(),
        (_, Some(detail)) => detail,
        (kind, None) => kind.to_string(),
    }
}

/// The expression an error is about, as far as the translation left it readable.
fn expression(error: &Error) -> Option<String> {
    let text = error.template_source()?.get(error.range()?)?;
    (!text.contains("__") && text.len() < 80).then(|| text.trim().to_owned())
}

fn line_of(roots: &Roots, file: &str, line: usize) -> Option<String> {
    let text = roots.text(file).ok().flatten()?;
    text.lines().nth(line.checked_sub(1)?).map(str::to_owned)
}
