//! One writer: the lock that keeps a second upshift out, and says who is inside.

use std::io::{Read, Seek, Write};

use camino::Utf8Path;
use fs_err::{File, OpenOptions};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::Person;

/// How often, and how far apart, a lock is tried before somebody is believed to hold it.
const LOOKS: u32 = 10;
const LOOK: std::time::Duration = std::time::Duration::from_millis(20);

/// A held lock; letting go of it, by whatever end of the process, frees it.
pub struct Lock {
    _file: File,
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The run that is going on.
    pub run: String,
    /// Who.
    pub by: Person,
    /// Since when.
    pub since: Timestamp,
}

impl Lock {
    /// Takes the lock, or says who holds it; `Ok(Err(None))` is somebody who has not yet said.
    ///
    /// # Errors
    ///
    /// The lock file cannot be made or written.
    pub fn take(path: &Utf8Path, holder: &Holder) -> std::io::Result<Result<Self, Option<Holder>>> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        for last in (0..LOOKS).rev() {
            match file.file().try_lock() {
                Ok(()) => break,
                // Somebody who only looks holds it for a moment.
                Err(std::fs::TryLockError::WouldBlock) if last > 0 => std::thread::sleep(LOOK),
                Err(std::fs::TryLockError::WouldBlock) => return Ok(Err(said(&mut file))),
                Err(std::fs::TryLockError::Error(error)) => return Err(error),
            }
        }
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(serde_json::to_string(holder)?.as_bytes())?;
        Ok(Ok(Self { _file: file }))
    }

    /// Who holds the lock now; `None` when nobody does.
    ///
    /// # Errors
    ///
    /// The lock file cannot be read.
    pub fn holder(path: &Utf8Path) -> std::io::Result<Option<Holder>> {
        let mut file = match OpenOptions::new().read(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        match file.file().try_lock_shared() {
            Ok(()) => Ok(None),
            Err(std::fs::TryLockError::WouldBlock) => Ok(said(&mut file)),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }
}

fn said(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}
