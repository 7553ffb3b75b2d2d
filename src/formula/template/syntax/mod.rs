//! Jinja as Salt reads it, checked and translated into the source that minijinja runs.
//!
//! [`parser`] takes what Jinja's parser takes and [`check`] refuses what its compiler refuses, both with Jinja's words.
//! [`emit`] writes what is left for minijinja: with the filters of [`super::operators`] where Python's results differ
//! from minijinja's, with whitespace control resolved, and with every line where it was, so that the lines of an error
//! are the lines of the file.

mod check;
mod emit;
mod expressions;
mod lexer;
mod literal;
mod names;
mod parser;
mod statements;
mod tree;

use std::borrow::Cow;

pub(super) use emit::LOOP;

/// What makes a template's syntax: Jinja's environment settings that Salt lets a file or a minion set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// The newline after a tag goes.
    pub trim_blocks: bool,
    /// Spaces and tabs before a tag that begins a line go.
    pub lstrip_blocks: bool,
}

/// The names of filters and tests that there are: Jinja refuses others before it renders anything.
#[derive(Debug, Clone, Copy)]
pub struct Known<F, T> {
    /// Whether there is a filter of a name.
    pub is_filter: F,
    /// Whether there is a test of a name.
    pub is_test: T,
}

/// Why a text is not a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What is wrong, in Jinja's words where they are known.
    pub message: String,
    /// The line, counted from one.
    pub line: usize,
}

/// The source minijinja gets for a template.
///
/// The last newline of a template is gone, as with Jinja. Minijinja must not be told to trim anything.
pub fn translate<F, T>(source: &str, options: Options, known: &Known<F, T>) -> Result<String, Error>
where
    F: Fn(&str) -> bool,
    T: Fn(&str) -> bool,
{
    let source = with_line_feeds(source);
    let body = parser::parse(&source, options)?;
    check::check(&body, known)?;
    Ok(emit::emit(&body, source.len()))
}

/// Every kind of line end as `\n`, as Jinja does it.
fn with_line_feeds(source: &str) -> Cow<'_, str> {
    if source.contains('\r') {
        Cow::Owned(source.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Known<fn(&str) -> bool, fn(&str) -> bool> = Known { is_filter: |_| true, is_test: |_| true };

    fn translated(source: &str) -> String {
        translate(source, Options::default(), &ALL).unwrap()
    }

    fn refused(source: &str) -> (String, usize) {
        let known = Known { is_filter: |name: &str| name == "upper", is_test: |name: &str| name == "defined" };
        let error = translate(source, Options::default(), &known).unwrap_err();
        (error.message, error.line)
    }

    #[test]
    fn every_line_stays_where_it_was() {
        let source = "a\n{% if x -%}\n\n\n  b\n{#\n c\n#}\n{{ y\n | upper\n}}\nd\n";
        let line = |text: &str, needle: &str| text.lines().position(|line| line.contains(needle));
        for needle in ["if x", "b", "y", "upper", "d"] {
            assert_eq!(line(&translated(&format!("{source}{{% endif %}}")), needle), line(source, needle), "{needle}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_jinjas_words() {
        for (source, message, line) in [
            (
                "a\n{% if x %}\nb",
                "Unexpected end of template. Jinja was looking for the following tags: 'elif' or 'else' or 'endif'. The innermost block that needs to be closed is 'if'.",
                2,
            ),
            ("{% foo %}", "Encountered unknown tag 'foo'.", 1),
            ("{{ a b }}", "expected token 'end of print statement', got 'b'", 1),
            ("{{ a|nope }}", "No filter named 'nope'.", 1),
            ("\n{{ a is nope }}", "No test named 'nope'.", 2),
            ("{% set 1 = a %}", "can't assign to 'const'", 1),
            ("{{ 'a }}", "unexpected char \"'\" at 3", 1),
            ("{% for loop in a %}{% endfor %}", "Can't assign to special loop variable in for-loop target", 1),
        ] {
            assert_eq!(refused(source), (message.to_owned(), line), "{source}");
        }
    }

    #[test]
    fn an_unknown_filter_within_an_if_waits_until_it_is_used() {
        let known = Known { is_filter: |_: &str| false, is_test: |_: &str| false };
        assert!(translate("{% if a %}{{ a|nope }}{% endif %}", Options::default(), &known).is_ok());
        assert!(translate("{{ a|nope if a }}", Options::default(), &known).is_ok());
        assert!(
            translate("{% if a %}{% for b in a %}{{ b|nope }}{% endfor %}{% endif %}", Options::default(), &known)
                .is_err()
        );
    }
}
