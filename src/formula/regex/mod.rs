//! Regular expressions as Python's `re` reads them, run by this program's own engine.
//!
//! What [`Regex`] finds and puts in its place is what Python would, or an error: never something else.

mod replacement;
mod translate;

use std::borrow::Cow;

use fancy_regex::{Captures, RegexBuilder};
use replacement::Replacement;

/// Why an expression or a replacement means nothing, or was given up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);

/// How an expression is read and run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "Python's flags, which go with one another freely")]
pub struct Options {
    /// `re.IGNORECASE`.
    pub ignore_case: bool,
    /// `re.MULTILINE`.
    pub multi_line: bool,
    /// `re.DOTALL`.
    pub dot_all: bool,
    /// `re.VERBOSE`.
    pub verbose: bool,
    /// Whether it matches at the beginning alone, as with `re.match`.
    pub at_start: bool,
    /// Whether it is an expression of bytes, which knows no letters but those of ASCII.
    pub of_bytes: bool,
    /// The steps back that a search may take before it is given up.
    pub effort: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ignore_case: false,
            multi_line: false,
            dot_all: false,
            verbose: false,
            at_start: false,
            of_bytes: false,
            effort: 1_000_000,
        }
    }
}

/// A compiled expression.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "it is one")]
pub struct Regex {
    regex: fancy_regex::Regex,
    /// What it was made of: where an empty match was, one that is not empty is looked for.
    source: String,
    options: Options,
}

impl Regex {
    /// Compiles an expression.
    ///
    /// # Errors
    /// When Python refuses it, or this program's engine does.
    pub fn new(pattern: &str, options: Options) -> Result<Self, Error> {
        let source = if options.of_bytes { widened(pattern.as_bytes()) } else { pattern.into() };
        let anchor = if options.at_start { translate::Anchor::Start } else { translate::Anchor::None };
        let regex = compile(&source, options, anchor)?;
        Ok(Self { regex, source: source.into_owned(), options })
    }

    /// Whether it is found in a text.
    ///
    /// # Errors
    /// When the search is given up.
    pub fn is_match(&self, text: &str) -> Result<bool, Error> {
        self.regex.is_match(text).map_err(|error| given_up(&error))
    }

    /// Whether it is found in bytes, if it is an expression of bytes.
    ///
    /// # Errors
    /// When the search is given up.
    pub fn is_match_bytes(&self, bytes: &[u8]) -> Result<bool, Error> {
        self.is_match(&widened(bytes))
    }

    /// The first match in a text and its groups.
    ///
    /// # Errors
    /// When the search is given up.
    pub fn captures<'t>(&self, text: &'t str) -> Result<Option<Captures<'t, str>>, Error> {
        self.regex.captures(text).map_err(|error| given_up(&error))
    }

    /// Puts something else in the place of the matches, `most` of them at most, as `re.subn` does. Says how many there were.
    ///
    /// `grow` hears how much text each adds, and may put an end to it.
    ///
    /// # Errors
    /// When the replacement means nothing, or the search is given up.
    pub fn replace(
        &self,
        text: &str,
        by: &str,
        most: Option<usize>,
        grow: &mut dyn FnMut(usize) -> bool,
    ) -> Result<(String, usize), Error> {
        let by = Replacement::read(by, &self.regex, self.options.of_bytes)?;
        let mut matches = Matches { regex: self, text, at: 0, was_empty: false, going_on: None };
        let (mut replaced, mut copied, mut count) = (String::new(), 0, 0);
        while most.is_none_or(|most| count < most)
            && let Some(found) = matches.next()?
        {
            let Some(whole) = found.get(0) else { break };
            replaced.push_str(text.get(copied..whole.start()).unwrap_or_default());
            let before = replaced.len();
            by.expand(&found, &mut replaced);
            if !grow(replaced.len().saturating_sub(before)) {
                return Err(Error("the text becomes too long".to_owned()));
            }
            copied = whole.end();
            count += 1;
        }
        replaced.push_str(text.get(copied..).unwrap_or_default());
        Ok((replaced, count))
    }

    /// The same with bytes, if it is an expression of bytes.
    ///
    /// # Errors
    /// When the replacement means nothing, or the search is given up.
    pub fn replace_bytes(&self, bytes: &[u8], by: &str, most: Option<usize>) -> Result<(Vec<u8>, usize), Error> {
        let (replaced, count) = self.replace(&widened(bytes), &widened(by.as_bytes()), most, &mut |_| true)?;
        Ok((narrowed(&replaced), count))
    }
}

/// Goes from match to match as Python does.
struct Matches<'r, 't> {
    regex: &'r Regex,
    text: &'t str,
    at: usize,
    was_empty: bool,
    /// The same expression where it must not be empty, once it was needed.
    going_on: Option<fancy_regex::Regex>,
}

impl<'t> Matches<'_, 't> {
    fn next(&mut self) -> Result<Option<Captures<'t, str>>, Error> {
        let mut found = None;
        if self.was_empty {
            // Where there was an empty match, Python looks for one that is not, then goes on by a character.
            found = self.not_empty()?;
            if found.is_none() {
                let next = self.text.get(self.at..).and_then(|rest| rest.chars().next());
                self.at += next.map_or(1, char::len_utf8);
            }
        }
        if found.is_none() && self.at <= self.text.len() {
            let captures = self.regex.regex.captures_from_pos(self.text, self.at);
            found = captures.map_err(|error| given_up(&error))?;
        }
        if let Some(whole) = found.as_ref().and_then(|found| found.get(0)) {
            (self.at, self.was_empty) = (whole.end(), whole.end() == whole.start());
        }
        Ok(found)
    }

    fn not_empty(&mut self) -> Result<Option<Captures<'t, str>>, Error> {
        let regex = match self.going_on.take() {
            Some(regex) => regex,
            None => compile(&self.regex.source, self.regex.options, translate::Anchor::NotEmpty)?,
        };
        let found = regex.captures_from_pos(self.text, self.at).map_err(|error| given_up(&error));
        self.going_on = Some(regex);
        found
    }
}

fn compile(source: &str, options: Options, anchor: translate::Anchor) -> Result<fancy_regex::Regex, Error> {
    let pattern = translate::translated(source, options, anchor)?;
    let regex = RegexBuilder::new(&pattern).backtrack_limit(options.effort).build();
    regex.map_err(|error| Error(format!("not a regular expression: {error}")))
}

fn given_up(error: &fancy_regex::Error) -> Error {
    Error(format!("the regular expression gave up: {error}"))
}

/// A text that stands for itself in an expression: Python's `re.escape`.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        if "()[]{}?*+-|^$\\.&~# \t\n\r\x0b\x0c".contains(character) {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// The character that stands for a byte beyond ASCII: one for private use, which is no letter and has no case.
fn wide(byte: u32) -> Option<char> {
    char::from_u32(if byte < 0x80 { byte } else { 0xe000 + byte })
}

/// Bytes as a text of as many characters.
fn widened(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => Cow::Borrowed(text),
        _ => Cow::Owned(bytes.iter().filter_map(|byte| wide(u32::from(*byte))).collect()),
    }
}

/// The bytes that a text of [`widened`] stands for.
fn narrowed(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(u32::from(character) & 0xff).unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(pattern: &str, by: &str, bytes: &[u8]) -> Vec<u8> {
        let options = Options { multi_line: true, ignore_case: true, of_bytes: true, ..Options::default() };
        Regex::new(pattern, options).unwrap().replace_bytes(bytes, by, None).unwrap().0
    }

    #[test]
    fn bytes_are_matched_one_by_one() {
        let cases: [(&str, &str, &[u8], &[u8]); 6] = [
            ("é", "e", "Éé".as_bytes(), "Ée".as_bytes()),
            ("[é]", "-", "é".as_bytes(), b"--"),
            (r"\w+", "w", "naïve".as_bytes(), "wïw".as_bytes()),
            (r"[\x80-\xff]", "?", b"a\xe9b", b"a?b"),
            ("^K", r"\303\251\g<0>", b"K\nk", b"\xc3\xa9K\n\xc3\xa9k"),
            ("$", "ü", b"a\n", "aü\nü".as_bytes()),
        ];
        for (pattern, by, bytes, wanted) in cases {
            assert_eq!(replaced(pattern, by, bytes), wanted, "{pattern}");
        }
        let options = Options { of_bytes: true, ..Options::default() };
        assert!(Regex::new(r"\u00e9", options).is_err());
    }

    #[test]
    fn only_the_first_matches_are_replaced_if_so_wanted() {
        let regex = Regex::new("x?", Options::default()).unwrap();
        assert_eq!(regex.replace("xab", "-", Some(2), &mut |_| true).unwrap(), ("--ab".to_owned(), 2));
    }
}
