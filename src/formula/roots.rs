//! Where formula files come from: directories, git at a commit, a Debian package's file list.

use std::fmt;
use std::sync::Arc;

/// One place to look for files, by their path within the file root (`nova/map.jinja`).
pub trait Root: fmt::Debug + Send + Sync {
    /// The content of a file; `None` if there is none of that name here.
    fn read(&self, path: &str) -> std::io::Result<Option<Vec<u8>>>;
    /// Every file, sorted.
    fn list(&self) -> std::io::Result<Vec<String>>;
    /// What to call this root in an error.
    fn name(&self) -> String;
}

/// Several roots: the first one that has a file wins, as with Salt's `file_roots`.
#[derive(Debug, Clone, Default)]
pub struct Roots(pub Vec<Arc<dyn Root>>);
