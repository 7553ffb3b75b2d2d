//! The output of a host's commands, unit after unit, in one file a person can read.
//!
//! Each unit starts with a heading. What stands after the last heading of a unit is how far its
//! output was read, so a resumed run reads on where it stopped. Only of a unit that wrote more than is
//! kept may a resumed run repeat some: the log has one line for what was left out.

use std::io::{Read, Seek, SeekFrom, Write};

use camino::Utf8Path;
use fs_err::{File, OpenOptions};

use crate::agent::last_line;

/// How far back a heading is looked for: more than a bounded output can be long.
const LOOK_BACK: u64 = 64 << 20;

/// So much of the end of some output is looked at for its last line.
const TAIL: usize = 4096;

/// A host's log, open at the end.
pub struct HostLog {
    file: File,
    at_line_start: bool,
}

impl HostLog {
    /// Opens a host's log for a unit, and says how many bytes of its output it has already: none
    /// unless the unit is taken up again.
    ///
    /// # Errors
    ///
    /// The file cannot be opened or read.
    pub fn open(path: &Utf8Path, heading: &str, again: bool) -> std::io::Result<(Self, u64)> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let length = file.metadata()?.len();
        let start = length.saturating_sub(if again { LOOK_BACK } else { 1 });
        file.seek(SeekFrom::Start(start))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        let at_line_start = tail.last().is_none_or(|&byte| byte == b'\n');
        let heading = format!("── {heading} ──\n");
        let mut log = Self { file, at_line_start };
        let found = tail.windows(heading.len()).rposition(|window| window == heading.as_bytes());
        if let Some(at) = found {
            return Ok((log, (tail.len() - at - heading.len()) as u64));
        }
        let gap = if at_line_start { "" } else { "\n" };
        log.file.write_all(format!("{gap}{heading}").as_bytes())?;
        log.at_line_start = true;
        Ok((log, 0))
    }

    /// Adds output.
    ///
    /// # Errors
    ///
    /// The disk is full or broken; the run does not depend on it.
    pub fn write(&mut self, output: &[u8]) -> std::io::Result<()> {
        self.at_line_start = output.last().map_or(self.at_line_start, |&byte| byte == b'\n');
        self.file.write_all(output)
    }
}

/// The end of some output, as text.
#[must_use]
pub fn end(output: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(&output[output.len().saturating_sub(TAIL)..])
}

/// The last line in a host's log that says anything, unless that is a heading.
#[must_use]
pub fn last_line_of(path: &Utf8Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL as u64))).ok()?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail).ok()?;
    last_line(&end(&tail)).filter(|line| !line.starts_with("── "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_that_is_taken_up_again_reads_on_where_it_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("cmp001.log");
        let (mut log, from) = HostLog::open(&path, "computes step 1", false).unwrap();
        assert_eq!(from, 0);
        log.write(b"half a li").unwrap();
        let (mut log, from) = HostLog::open(&path, "computes step 1", true).unwrap();
        assert_eq!(from, 9);
        log.write(b"ne").unwrap();
        let (_, from) = HostLog::open(&path, "computes step 2", false).unwrap();
        assert_eq!(from, 0);
        assert_eq!(
            fs_err::read_to_string(&path).unwrap(),
            "── computes step 1 ──\nhalf a line\n── computes step 2 ──\n"
        );
    }
}
