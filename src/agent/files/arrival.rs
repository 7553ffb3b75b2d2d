//! A large file that is arriving: the part of it that is there, and the hash of that part.
//!
//! A part belongs to whoever holds its lock. An agent that died holds none; of a part that another
//! one is still writing, the bytes that are there are taken over into a part of its own.

use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use sha2::{Digest as _, Sha256};

use crate::agent::files::{File, Hash, PIECE};
use crate::agent::spool::named;

/// So much is read at once.
const CHUNK: usize = 256 * 1024;

/// A part that this agent holds.
#[derive(Debug)]
pub(super) struct Arrival {
    file: std::fs::File,
    pub(super) path: Utf8PathBuf,
    /// How many bytes are there.
    pub(super) at: u64,
    hasher: Sha256,
}

/// The ending of parts.
const PART: &str = ".part";

/// The file whose part has this name.
pub(super) fn part_of(name: &str) -> Option<Hash> {
    name.strip_suffix(PART)?.split_once('.')?.0.parse().ok()
}

impl Arrival {
    /// A part with nothing in it.
    pub(super) fn begin(folder: &Utf8Path, hash: Hash) -> io::Result<Self> {
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        for number in 0.. {
            let path = folder.join(format!("{hash}.{number}{PART}"));
            match options.open(path.as_std_path()) {
                Ok(file) => {
                    // Another agent that looks for parts may have taken it up already.
                    if file.try_lock().is_ok() && is_at(&file, &path)? {
                        return Ok(Self { file, path, at: 0, hasher: Sha256::new() });
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(cannot_write(&path, error)),
            }
        }
        Err(io::Error::other(format!("there are too many parts of {hash}")))
    }

    /// Takes up the part at a path as far as it is of use; `None` when it is gone.
    pub(super) fn take_up(path: &Utf8Path, wanted: File) -> io::Result<Option<Self>> {
        let mut options = std::fs::OpenOptions::new();
        let Ok(file) = options.read(true).write(true).open(path.as_std_path()) else { return Ok(None) };
        let own = file.try_lock().is_ok();
        if !is_at(&file, path)? {
            return Ok(None);
        }
        let length = file.metadata()?.len();
        let useful = if length > wanted.size { 0 } else { length / PIECE * PIECE };
        if own {
            let mut arrival = Self { file, path: path.to_owned(), at: 0, hasher: Sha256::new() };
            arrival.read(useful)?;
            return Ok(Some(arrival));
        }
        if useful == 0 {
            return Ok(None);
        }
        let mut arrival = Self::begin(path.parent().unwrap_or(path), wanted.hash)?;
        match arrival.copy(&file, useful) {
            Ok(()) => Ok(Some(arrival)),
            // Two of it may be too much for this disk; then it comes anew.
            Err(_) => arrival.remove().map(|()| None),
        }
    }

    /// Takes in what the part has, and cuts off the rest.
    fn read(&mut self, useful: u64) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut from = (&self.file).take(useful);
        let mut buffer = vec![0; CHUNK];
        loop {
            match from.read(&mut buffer)? {
                0 => break,
                n => {
                    self.hasher.update(&buffer[..n]);
                    self.at += n as u64;
                }
            }
        }
        self.file.set_len(self.at).map_err(|error| cannot_write(&self.path, error))
    }

    fn copy(&mut self, from: &std::fs::File, useful: u64) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK];
        while self.at < useful {
            let most = usize::try_from(useful - self.at).unwrap_or(CHUNK).min(CHUNK);
            from.read_exact_at(&mut buffer[..most], self.at)?;
            self.take(&buffer[..most])?;
        }
        Ok(())
    }

    /// Appends bytes.
    pub(super) fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.at).map_err(|error| cannot_write(&self.path, error))?;
        self.hasher.update(bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }

    /// The hash of what is there.
    pub(super) fn so_far(&self) -> Hash {
        Hash::so_far(&self.hasher)
    }

    /// Forgets what is there.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        (self.at, self.hasher) = (0, Sha256::new());
        self.file.set_len(0).map_err(|error| cannot_write(&self.path, error))
    }

    /// Puts it on disk and gives it a name for good.
    pub(super) fn finish(self, name: &Utf8Path) -> io::Result<()> {
        self.file.sync_data().map_err(|error| cannot_write(&self.path, error))?;
        fs::rename(&self.path, name)
    }

    /// Throws it away.
    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// Whether a file that was opened still has that name: who held its lock before may have taken it.
pub(super) fn is_at(file: &std::fs::File, path: &Utf8Path) -> io::Result<bool> {
    let there = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        there => there?,
    };
    let here = file.metadata()?;
    Ok((here.dev(), here.ino()) == (there.dev(), there.ino()))
}

pub(super) fn cannot_write(path: &Utf8Path, error: io::Error) -> io::Error {
    named(format!("cannot write `{path}`"), error)
}
