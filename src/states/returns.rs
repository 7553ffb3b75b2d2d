//! What a state came to.

use std::io;

use serde::{Deserialize, Serialize};

use crate::formula::{Data, Dict};

/// What a state came to, as Salt says it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Return {
    /// Whether the host is as the state wants it; `None` if a preview found something to change.
    pub result: Option<bool>,
    /// What was changed, or would be.
    pub changes: Dict,
    /// What a person should know.
    pub comment: String,
}

/// Why a state failed. What it changed before that is in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Failed {
    /// What a person should know.
    pub comment: String,
    /// What was changed nevertheless.
    pub changes: Dict,
}

impl Return {
    /// Everything was as it should be.
    pub fn unchanged(comment: impl Into<String>) -> Self {
        Self { result: Some(true), changes: Dict::default(), comment: comment.into() }
    }

    /// Something was changed, and all is as it should be now.
    pub fn changed(changes: Dict, comment: impl Into<String>) -> Self {
        Self { result: Some(true), changes, comment: comment.into() }
    }

    /// A preview: something would be changed.
    pub fn would(changes: Dict, comment: impl Into<String>) -> Self {
        Self { result: None, changes, comment: comment.into() }
    }
}

impl Failed {
    /// Adds what was changed before it failed.
    #[must_use]
    pub fn after(mut self, changes: Dict) -> Self {
        self.changes = changes;
        self
    }
}

impl From<Failed> for Return {
    fn from(failed: Failed) -> Self {
        Self { result: Some(false), changes: failed.changes, comment: failed.comment }
    }
}

impl From<String> for Failed {
    fn from(comment: String) -> Self {
        Self { comment, changes: Dict::default() }
    }
}

impl From<&str> for Failed {
    fn from(comment: &str) -> Self {
        comment.to_owned().into()
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        error.to_string().into()
    }
}

/// A change that is described by what was there and what is there now.
pub(super) fn old_new(old: impl Into<Data>, new: impl Into<Data>) -> Data {
    dict([("old", old.into()), ("new", new.into())]).into()
}

/// A plain mapping with keys of text.
pub(super) fn dict<K: Into<Data>>(entries: impl IntoIterator<Item = (K, Data)>) -> Dict {
    entries.into_iter().map(|(key, value)| (key.into(), value)).collect()
}
