//! Where something stands in a file that a person wrote.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// A position in a file, shown as `file:line:column`, both counted from one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Place {
    /// The file as the person named it.
    pub file: Arc<str>,
    /// The line, from one.
    pub line: usize,
    /// The column in characters, from one.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// A template as it was written, with its place, so that what it fails to render can be found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Text {
    /// The template's source.
    pub source: String,
    /// Where it stands.
    pub place: Place,
}
