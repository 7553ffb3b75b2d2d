//! Reading a journal: whole lines only, each checked against the one before it.

use std::sync::Arc;

use camino::Utf8Path;

use super::Error;
use super::line::{self, Names, Wrong};
use crate::model::record::{Entry, Opened};
use crate::model::{Outline, Record};

/// A journal that was read.
#[derive(Debug, Clone)]
pub struct Journal {
    /// What the first record says.
    pub opened: Opened,
    /// The shape of the plan.
    pub outline: Arc<Outline>,
    /// Every whole record, the first included.
    pub entries: Vec<Entry>,
    /// The hash of the last record.
    pub(super) hash: String,
    /// How many bytes the whole records take; what stands after them was torn by a crash.
    pub(super) whole: u64,
}

/// Reads a journal from disk.
///
/// # Errors
///
/// The file cannot be read, holds no record, is damaged, or was written by a newer upshift.
pub fn read(file: &Utf8Path) -> Result<Journal, Error> {
    parse(file.as_str(), &fs_err::read(file)?)
}

/// Reads a journal from memory; `file` is for messages.
///
/// # Errors
///
/// As [`read`].
pub fn parse(file: &str, bytes: &[u8]) -> Result<Journal, Error> {
    let damaged = |line: usize, what: String| Error::Damaged { file: file.to_owned(), line, what };
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let mut journal: Option<(Journal, Names)> = None;
    for (n, bytes) in bytes[..whole].split_inclusive(|&byte| byte == b'\n').enumerate() {
        let text = std::str::from_utf8(&bytes[..bytes.len() - 1]);
        let text = text.map_err(|_| damaged(n + 1, "the line is not text".into()))?;
        let (prev, names) = match &journal {
            Some((journal, names)) => (journal.hash.as_str(), Some(names)),
            None => (line::NO_HASH, None),
        };
        let parsed = line::from_json(text, n as u64, prev, names).map_err(|wrong| match wrong {
            Wrong::Damaged(what) => damaged(n + 1, what),
            Wrong::Newer(found) => Error::Newer { file: file.to_owned(), found },
        })?;
        if let Some((journal, _)) = &mut journal {
            journal.entries.push(parsed.entry);
            journal.hash = parsed.hash;
        } else if let Record::Opened(opened) = &parsed.entry.record {
            line::check(&opened.plan).map_err(|what| damaged(1, what))?;
            let outline = Arc::new(opened.plan.clone());
            let names = Names::new(outline.clone());
            let opened = (**opened).clone();
            let entries = vec![parsed.entry];
            journal = Some((Journal { opened, outline, entries, hash: parsed.hash, whole: whole as u64 }, names));
        }
    }
    journal.map(|(journal, _)| journal).ok_or_else(|| Error::Empty { file: file.to_owned() })
}
