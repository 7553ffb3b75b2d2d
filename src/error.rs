//! Refusals that a person can act on, and the exit codes they end in.
//!
//! An error says what was wanted and what was found, with its place first when it is about a file,
//! and carries at most one hint that can be pasted. A source is never repeated in the message.

use std::fmt;

/// How a command ends, as the shell sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Everything that was asked for is done.
    Done = 0,
    /// upshift itself is wrong.
    Bug = 1,
    /// The command line, a file or the machine upshift runs on does not allow it.
    Usage = 2,
    /// The run ended, and at least one host failed.
    Failed = 10,
    /// The run was stopped and can be resumed.
    Stopped = 11,
    /// A gate was refused, or nobody was there to pass it.
    Gate = 12,
    /// A host could not be put back into service: a person has to look at it.
    Stuck = 13,
    /// A planned host did not answer before anything was started.
    Unreachable = 14,
    /// The window is shut, or too short for another host.
    Window = 15,
    /// Another upshift holds the lock.
    Locked = 16,
}

/// One refusal: a message, perhaps a hint, and the exit code it ends in.
#[derive(Debug, Clone)]
pub struct Error {
    /// The exit code.
    pub exit: Exit,
    /// What is wrong: lower case, no full stop, place first.
    pub message: String,
    /// One thing to do next.
    pub hint: Option<String>,
}

/// The result of everything that can be refused.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error that ends in the given exit code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None }
    }

    /// A refusal of what a person wrote, or of the machine upshift runs on.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Puts its place in front.
    #[must_use]
    pub fn at(self, place: &impl fmt::Display) -> Self {
        Self { message: format!("{place}: {}", self.message), ..self }
    }

    /// Adds the one hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Input and output on this machine that went wrong before a run depends on it.
///
/// `fs_err` names the file and the operation in the message, so nothing needs to be added.
impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::usage(error.to_string())
    }
}
