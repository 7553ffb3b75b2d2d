//! Appending to a journal.

use std::io::{Seek, SeekFrom, Write};
use std::sync::Arc;

use camino::Utf8Path;
use fs_err::{File, OpenOptions};
use jiff::Timestamp;

use super::reader::Journal;
use super::{Error, line};
use crate::model::record::Entry;
use crate::model::{Outline, Record};

/// A record that is on disk.
#[derive(Debug, Clone)]
pub struct Committed {
    /// The record.
    pub entry: Entry,
    /// Its line, without the line end.
    pub line: String,
}

/// Appends records to a run's journal.
///
/// When [`append`](Self::append) returns, the records are on disk: what has not been appended has
/// not happened, and nothing may act on it. After an error nothing more can be appended.
pub struct Writer {
    file: File,
    outline: Arc<Outline>,
    next: u64,
    hash: String,
    broken: bool,
}

impl Writer {
    /// Starts a journal that must not exist yet.
    ///
    /// # Errors
    ///
    /// The file exists or cannot be made.
    pub fn create(path: &Utf8Path, outline: Arc<Outline>) -> Result<Self, Error> {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        if let Some(folder) = path.parent() {
            // The name of a new file is on disk only once its folder is.
            File::open(folder)?.sync_all()?;
        }
        Ok(Self { file, outline, next: 0, hash: line::NO_HASH.to_owned(), broken: false })
    }

    /// Continues a journal that was read, and cuts off what a crash tore.
    ///
    /// # Errors
    ///
    /// The file cannot be opened or cut.
    pub fn open(path: &Utf8Path, journal: &Journal) -> Result<Self, Error> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        if file.metadata()?.len() != journal.whole {
            file.set_len(journal.whole)?;
            file.sync_all()?;
        }
        file.seek(SeekFrom::End(0))?;
        Ok(Self {
            file,
            outline: journal.outline.clone(),
            next: journal.entries.len() as u64,
            hash: journal.hash.clone(),
            broken: false,
        })
    }

    /// How long the journal is.
    ///
    /// # Errors
    ///
    /// The file cannot be looked at.
    pub fn length(&mut self) -> Result<u64, Error> {
        Ok(self.file.stream_position()?)
    }

    /// Cuts the journal back to a length it had; nothing can be appended afterwards.
    ///
    /// # Errors
    ///
    /// The file cannot be cut.
    pub fn take_back(&mut self, length: u64) -> Result<(), Error> {
        self.broken = true;
        self.file.set_len(length)?;
        Ok(self.file.sync_all()?)
    }

    /// Puts records on disk, together or not at all as far as this run is concerned, and returns
    /// them as they stand there.
    ///
    /// # Errors
    ///
    /// The disk is full or broken. What was written is then torn, and cut off by the next reader.
    pub fn append(&mut self, at: Timestamp, records: Vec<Record>) -> Result<Vec<Committed>, Error> {
        if self.broken {
            return Err(std::io::Error::other("the journal could not be written before").into());
        }
        let mut text = String::new();
        let (mut next, mut hash) = (self.next, self.hash.clone());
        let mut committed = Vec::with_capacity(records.len());
        for record in records {
            let entry = Entry { n: next, at, record };
            let (line, line_hash) = line::to_json(&entry, &hash, &self.outline);
            text.push_str(&line);
            text.push('\n');
            hash = line_hash;
            next += 1;
            committed.push(Committed { entry, line });
        }
        let length = self.length()?;
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            self.broken = true;
            // Whole lines that never counted must not be read back as if they had.
            let _ = self.file.set_len(length);
            return Err(error.into());
        }
        (self.next, self.hash) = (next, hash);
        Ok(committed)
    }
}
