//! What a command wrote: kept within bounds, and looked at for a line that says what went wrong.
//!
//! Offsets stay valid whatever is freed: a reader can always go on where it stopped.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::LazyLock;

use regex::Regex;
use rustix::fs::FallocateFlags;

const MIB: u64 = 1024 * 1024;

/// Output up to this size is kept whole.
pub(super) const WHOLE: u64 = 16 * MIB;
/// Of longer output, so much of the beginning is kept.
pub(super) const HEAD: u64 = MIB;
/// Of longer output, at least so much of the end is kept.
pub(super) const TAIL: u64 = 8 * MIB;

/// The longest quotation from an output in a note, in characters.
const QUOTATION: usize = 200;

/// Frees the middle of a file that grows too long.
///
/// A command that writes faster than it is looked at may use more space for a moment. On a file system
/// that cannot free space inside a file, everything is kept.
pub(super) struct Bound {
    file: File,
    freed: u64,
}

impl Bound {
    pub(super) fn new(file: File) -> Self {
        Self { file, freed: HEAD }
    }

    /// Frees what is too much by now.
    pub(super) fn keep(&mut self) {
        let Ok(length) = self.file.metadata().map(|metadata| metadata.len()) else { return };
        // Whole MiB, so that nothing is left of a block whatever the block size.
        let end = length.saturating_sub(TAIL) / MIB * MIB;
        if length <= WHOLE || end <= self.freed {
            return;
        }
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        if rustix::fs::fallocate(&self.file, flags, self.freed, end - self.freed).is_ok() {
            self.freed = end;
        }
    }
}

/// The last `size` bytes of a file from byte `from` on, as text.
pub(super) fn tail(file: &File, from: u64, size: u64) -> io::Result<String> {
    let length = file.metadata()?.len();
    let start = length.saturating_sub(size).max(from);
    let mut bytes = vec![0; usize::try_from(length.saturating_sub(start)).map_err(io::Error::other)?];
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], start + read as u64)? {
            0 => break,
            n => read += n,
        }
    }
    bytes.truncate(read);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The last line that says something, fit for a note: no control characters, and not too long.
#[must_use]
pub fn last_line(text: &str) -> Option<String> {
    // A progress bar writes over its line: what stays on the screen counts.
    text.rsplit(['\n', '\r']).map(quotation).find(|line| !line.is_empty())
}

/// Text fit for a note: one line, no control characters or escape sequences, and not too long.
pub(super) fn quotation(text: &str) -> String {
    static ESCAPES: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[ -~])").ok());
    let text = ESCAPES.as_ref().map_or(text.into(), |escapes| escapes.replace_all(text, ""));
    let text: String =
        text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !c.is_control()).collect();
    let text = text.trim();
    match text.char_indices().nth(QUOTATION) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_one_that_says_something_a_person_can_read() {
        assert_eq!(last_line("one\n\x1b[31mtwo\x1b[0m\x07\n \t\n").as_deref(), Some("two"));
        assert_eq!(last_line("10%\r100%\r").as_deref(), Some("100%"));
        assert_eq!(last_line("\n\n"), None);
        assert_eq!(last_line(&"ä".repeat(300)).map(|line| line.chars().count()), Some(201));
    }
}
