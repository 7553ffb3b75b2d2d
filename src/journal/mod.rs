//! The write-ahead log of a run, and the folder of runs it lives in.
//!
//! A record is one line of JSON. When [`Writer::append`] returns, its records are on disk: what has
//! not been appended has not happened, and nothing may act on it. Each line carries the hash of the
//! line before it and its own, so that a line that was changed, lost or added is noticed.
//!
//! A crash can tear the last line; [`read`] leaves a tail without a line end out, and [`Writer::open`]
//! cuts it off. Anything else that does not fit is corruption and is refused, never skipped.

mod line;
mod lock;
mod reader;
mod runs;
mod writer;

pub use line::{FORMAT, to_json};
pub use lock::{Holder, Lock};
pub use reader::{Journal, parse, read};
pub use runs::{Run, Runs};
pub use writer::{Committed, Writer};

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk or the system said no.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A line is not what was written.
    #[error("{file}:{line}:1: the journal is damaged: {what}")]
    Damaged {
        /// The journal.
        file: String,
        /// The line, from one.
        line: usize,
        /// What does not fit.
        what: String,
    },
    /// The journal was written by a newer upshift.
    #[error("{file}:1:1: the journal has format {found}, and this upshift reads up to {FORMAT}")]
    Newer {
        /// The journal.
        file: String,
        /// Its format.
        found: u64,
    },
    /// There is no record in it.
    #[error("{file}: the journal has no record: the run was never opened")]
    Empty {
        /// The journal.
        file: String,
    },
}

impl From<Error> for crate::error::Error {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Damaged { file, .. } => Self::usage(message).hint(format!(
                "the lines before it are whole: `less {file}` shows what happened; start a new run for what is left"
            )),
            _ => Self::usage(message),
        }
    }
}
