//! Why a formula does not compile, with every place that leads there.

use std::fmt;

/// What went wrong, as far as a caller decides on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The template is not Jinja as Salt reads it.
    TemplateSyntax,
    /// The template is Jinja, and failed while it was rendered.
    Template,
    /// The rendered text is not YAML (or JSON) as Salt reads it.
    Yaml,
    /// A file, SLS, state ID or requisite that is named and not there.
    Missing,
    /// SLS data of a shape that Salt does not take.
    Structure,
    /// A renderer or function that upshift does not have.
    Unsupported,
    /// A limit that keeps a bad formula from taking the machine with it.
    Limit,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file's path within the formula roots (`nova/map.jinja`), or what the text was called.
    pub file: String,
    /// The line, counted from one; 0 if it is not known.
    pub line: usize,
    /// The text of that line.
    pub source: Option<String>,
}

/// Why a formula does not compile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What went wrong, for callers.
    pub kind: Kind,
    /// What went wrong, for people: lower case, no full stop, no place.
    pub message: String,
    /// Where: the innermost place first, then what imported or included it.
    pub places: Vec<Place>,
    /// One thing to do next.
    pub hint: Option<String>,
}

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error without a place yet.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), places: Vec::new(), hint: None }
    }

    /// Adds a place outside those known so far. Line 0 names the file alone.
    #[must_use]
    pub fn at(mut self, file: impl Into<String>, line: usize, source: Option<String>) -> Self {
        self.places.push(Place { file: file.into(), line, source });
        self
    }

    /// Adds the one hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 { write!(f, ":{}", self.line) } else { Ok(()) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((innermost, outer)) = self.places.split_first() else { return f.write_str(&self.message) };
        write!(f, "{innermost}: {}", self.message)?;
        if let Some(source) = &innermost.source {
            write!(f, "\n  {:>5} | {}", innermost.line, source.trim_end())?;
        }
        for place in outer {
            write!(f, "\n  from {place}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<Error> for crate::error::Error {
    fn from(error: Error) -> Self {
        let refusal = Self::usage(error.to_string());
        match error.hint {
            Some(hint) => refusal.hint(hint),
            None => refusal,
        }
    }
}
