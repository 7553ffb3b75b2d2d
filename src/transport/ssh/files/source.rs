//! Files of this machine, by their content.
//!
//! A file may change while hosts are sent it. That is noticed, by its size and time or by its hash, and
//! is an error: no host gets a mixture.

use std::collections::HashMap;
use std::fs::Metadata;
use std::io::{self, Read as _};
use std::num::NonZeroUsize;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use camino::{Utf8Path, Utf8PathBuf};
use sha2::{Digest as _, Sha256};

use crate::agent::files::{File, Hash, PIECE, SMALL};
use crate::transport::ssh::trouble::{Kind, Trouble};

/// So many bytes of small files are kept in memory; of the others, each is read again for each host.
const KEPT: u64 = 64 << 20;

/// Files to send, each content once.
#[derive(Debug, Default)]
pub struct Files {
    sources: HashMap<Hash, Source>,
    kept: u64,
}

/// A file that could not be read.
#[derive(Debug)]
pub struct Unread {
    /// The file.
    pub path: Utf8PathBuf,
    /// Why.
    pub error: io::Error,
}

/// Where a content is taken from.
#[derive(Debug)]
pub(super) struct Source {
    size: u64,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Bytes(Arc<[u8]>),
    File {
        path: Utf8PathBuf,
        stamp: Stamp,
        /// The hash of the first piece, of the first two, and so on.
        so_far: Vec<Hash>,
        /// Open as long as somebody sends it.
        open: Mutex<Weak<std::fs::File>>,
    },
}

/// What tells that a file is still the one that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp([i64; 2], [u64; 3]);

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self([metadata.mtime(), metadata.mtime_nsec()], [metadata.dev(), metadata.ino(), metadata.len()])
    }
}

impl Files {
    /// Adds a content that is in memory.
    pub fn add(&mut self, bytes: Arc<[u8]>) -> File {
        let file = File { hash: Hash::of(&bytes), size: bytes.len() as u64 };
        self.sources.insert(file.hash, Source { size: file.size, content: Content::Bytes(bytes) });
        file
    }

    /// Reads files, several at once, and says what each is. It takes as long as it takes to read them.
    ///
    /// # Errors
    /// When any cannot be read, or changes meanwhile: all of those are named.
    pub fn read(&mut self, paths: &[Utf8PathBuf]) -> Result<Vec<File>, Vec<Unread>> {
        let next = AtomicUsize::new(0);
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(paths.len());
        let read = || {
            let mut read = Vec::new();
            while let Some((at, path)) =
                Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, paths.get(at)?)))
            {
                read.push((at, Source::read(path)));
            }
            read
        };
        let mut all = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(read)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect::<Vec<_>>()
        });
        all.sort_by_key(|(at, _)| *at);
        let (mut files, mut unread) = (Vec::new(), Vec::new());
        for (at, read) in all {
            match read {
                Ok((hash, source)) => {
                    files.push(File { hash, size: source.size });
                    self.put(hash, source);
                }
                Err(error) => unread.push(Unread { path: paths[at].clone(), error }),
            }
        }
        if unread.is_empty() { Ok(files) } else { Err(unread) }
    }

    fn put(&mut self, hash: Hash, mut source: Source) {
        if self.sources.contains_key(&hash) {
            return;
        }
        if self.kept + source.size <= KEPT
            && let Some(bytes) = source.small()
        {
            self.kept += source.size;
            source.content = Content::Bytes(bytes);
        }
        self.sources.insert(hash, source);
    }

    pub(super) fn get(&self, hash: Hash) -> Result<&Source, Trouble> {
        self.sources.get(&hash).ok_or_else(|| Trouble::new(Kind::Local, format!("no file here is {hash}")))
    }
}

impl Source {
    fn read(path: &Utf8Path) -> io::Result<(Hash, Self)> {
        let mut file = std::fs::File::open(path)?;
        let before = file.metadata()?;
        if !before.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        let (mut hasher, mut so_far, mut size) = (Sha256::new(), Vec::new(), 0);
        let mut piece = Vec::new();
        loop {
            piece.clear();
            (&mut file).take(PIECE).read_to_end(&mut piece)?;
            hasher.update(&piece);
            size += piece.len() as u64;
            if (piece.len() as u64) < PIECE {
                break;
            }
            so_far.push(Hash::so_far(&hasher));
        }
        let (stamp, path) = (Stamp::of(&before), path.to_owned());
        if Stamp::of(&file.metadata()?) != stamp || size != before.len() {
            return Err(io::Error::other("it changed while it was read"));
        }
        let open = Mutex::default();
        Ok((Hash::so_far(&hasher), Self { size, content: Content::File { path, stamp, so_far, open } }))
    }

    /// The content of a small file, to be kept.
    fn small(&self) -> Option<Arc<[u8]>> {
        if self.size >= SMALL {
            return None;
        }
        self.bytes(0, self.size).ok().map(Arc::from)
    }

    /// Whether the first bytes, a number of whole pieces, have that hash.
    pub(super) fn begins(&self, have: u64, hash: Hash) -> bool {
        let pieces = usize::try_from(have / PIECE).unwrap_or_default();
        match &self.content {
            Content::Bytes(bytes) => usize::try_from(have)
                .ok()
                .and_then(|have| bytes.get(..have))
                .is_some_and(|bytes| Hash::of(bytes) == hash),
            Content::File { so_far, .. } => pieces.checked_sub(1).and_then(|last| so_far.get(last)) == Some(&hash),
        }
    }

    /// Some of its bytes; reads a file if need be, which may take a moment.
    pub(super) fn bytes(&self, from: u64, length: u64) -> Result<Vec<u8>, Trouble> {
        match &self.content {
            Content::Bytes(bytes) => {
                let slice = usize::try_from(from).ok().zip(usize::try_from(from + length).ok());
                let slice = slice.and_then(|(from, to)| bytes.get(from..to));
                slice.map(<[u8]>::to_vec).ok_or_else(|| Trouble::new(Kind::Local, "it is shorter than it was"))
            }
            Content::File { path, stamp, open, .. } => {
                let read = || {
                    let file = opened(path, open)?;
                    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
                    let read = file.read_exact_at(&mut bytes, from);
                    if Stamp::of(&file.metadata()?) != *stamp {
                        return Ok(None);
                    }
                    read.map(|()| Some(bytes))
                };
                match read() {
                    Ok(Some(bytes)) => Ok(bytes),
                    Ok(None) => Err(Trouble::new(Kind::Local, format!("`{path}` changed here while it was sent"))),
                    Err(error) => {
                        Err(Trouble::new(Kind::Local, format!("`{path}` cannot be read here any more: {error}")))
                    }
                }
            }
        }
    }

    /// Keeps the file open as long as what is returned lives.
    pub(super) fn hold(&self) -> Option<Arc<std::fs::File>> {
        match &self.content {
            Content::Bytes(_) => None,
            // One that cannot be opened is an error when it is read.
            Content::File { path, open, .. } => opened(path, open).ok(),
        }
    }
}

/// The file that others have open already, or that is opened now.
fn opened(path: &Utf8Path, open: &Mutex<Weak<std::fs::File>>) -> io::Result<Arc<std::fs::File>> {
    let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(file) = open.upgrade() {
        return Ok(file);
    }
    let file = Arc::new(std::fs::File::open(path)?);
    *open = Arc::downgrade(&file);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_once_and_one_that_changes_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name| Utf8Path::from_path(folder.path()).unwrap().join(name);
        let large: Vec<u8> = (0..700_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        std::fs::write(path("large"), &large).unwrap();
        std::fs::write(path("copy"), &large).unwrap();
        std::fs::write(path("small"), "small").unwrap();
        let mut files = Files::default();
        let read = files.read(&[path("large"), path("small"), path("copy")]).unwrap();
        assert_eq!((read[0], read[0].hash, files.sources.len()), (read[2], Hash::of(&large), 2));
        let (large_one, small) = (files.get(read[0].hash).unwrap(), files.get(read[1].hash).unwrap());
        assert!(large_one.begins(2 * PIECE, Hash::of(&large[..524_288])));
        assert!(!large_one.begins(PIECE, Hash::of(&large[..524_288])) && !large_one.begins(3 * PIECE, read[0].hash));
        assert_eq!(large_one.bytes(524_288, 100).unwrap(), &large[524_288..524_388]);
        // Small ones are kept, whatever becomes of the file.
        for name in ["large", "copy", "small"] {
            std::fs::write(path(name), "other").unwrap();
        }
        assert_eq!(small.bytes(0, 5).unwrap(), b"small");
        assert!(large_one.bytes(0, 5).unwrap_err().why.contains("changed here"));
        let unread = files.read(&[path("small"), path("none"), path("")]).unwrap_err();
        assert_eq!(unread.len(), 2, "{unread:?}");
    }
}
