//! The store: contents by their hash.

use std::collections::{HashMap, HashSet};
use std::fs::File as Handle;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use rustix::fs::Timespec;
use rustix::io::Errno;

use crate::agent::files::arrival::{Arrival, cannot_write, part_of};
use crate::agent::files::prune::{self, Limits};
use crate::agent::files::{File, Gap, Hash};
use crate::agent::spool::errno;

/// What the store is kept to, before anything new is sent to it.
const LIMITS: Limits =
    Limits { bytes: 2 << 30, age: Duration::from_hours(30 * 24), part_age: Duration::from_hours(7 * 24) };

/// So many files are put on disk one by one; more of them, with everything else on that disk.
const ONE_BY_ONE: usize = 16;

/// Whether bytes of a large file were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// They were.
    Yes,
    /// They do not follow what is there: another agent went on with the file.
    Elsewhere,
}

/// The store of a host, as one agent sees it. An agent that has it open was promised its files.
#[derive(Debug)]
pub struct Store {
    folder: Utf8PathBuf,
    /// For small files that may not be on disk yet.
    new: Utf8PathBuf,
    boot: String,
    /// Held shared: nobody else prunes.
    lock: Handle,
    arrivals: HashMap<Hash, Arrival>,
    /// Files that its controller counts on.
    promised: HashSet<Hash>,
    /// Files in `new` that the controller of this agent asked about or sent.
    unsettled: HashSet<Hash>,
    /// Files that this agent has seen the content of.
    seen: HashSet<Hash>,
}

impl Store {
    /// Opens the store in a folder, during the boot with that id; it is pruned when nobody else uses it.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub fn open(folder: &Utf8Path, boot: &str) -> io::Result<Self> {
        let new = folder.join(boot);
        let create = || std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&new);
        create().map_err(|error| cannot_write(&new, error))?;
        let path = folder.join("lock");
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(&path).map_err(|error| cannot_write(&path, error))?;
        if lock.try_lock().is_ok() {
            // What is too much on the disk is no reason to take nothing.
            let _ = prune::prune(folder, boot, &LIMITS);
        }
        lock.unlock()?;
        lock.lock_shared()?;
        create().map_err(|error| cannot_write(&new, error))?;
        let (folder, boot) = (folder.to_owned(), boot.to_owned());
        let (promised, unsettled, seen) = (HashSet::new(), HashSet::new(), HashSet::new());
        Ok(Self { folder, new, boot, lock, arrivals: HashMap::new(), promised, unsettled, seen })
    }

    /// Which of these contents are not there, and what there is of each.
    ///
    /// # Errors
    /// When the store cannot be read or written to, or has no room for what is missing.
    pub fn missing(&mut self, files: &[File]) -> io::Result<Vec<Gap>> {
        let mut absent = Vec::new();
        self.promised.extend(files.iter().map(|file| file.hash));
        for (at, file) in files.iter().enumerate() {
            if self.find(*file).is_none() {
                absent.push((at, *file));
            } else if let Some(arrival) = self.arrivals.remove(&file.hash) {
                // Another agent was faster.
                arrival.remove()?;
            }
        }
        let mut parts = if absent.is_empty() { HashMap::new() } else { self.parts()? };
        let mut gaps = Vec::new();
        let mut needed: u64 = 0;
        for (at, file) in absent {
            let arrival = match self.arrivals.remove(&file.hash) {
                None => take_up(parts.remove(&file.hash).unwrap_or_default(), file)?,
                arrival => arrival,
            };
            let Some(arrival) = arrival else {
                gaps.push(Gap { at, have: 0, so_far: None });
                needed += file.size;
                continue;
            };
            let (have, so_far) = (arrival.at, arrival.so_far());
            self.arrivals.insert(file.hash, arrival);
            if have == file.size && so_far == file.hash {
                self.complete(file)?;
                continue;
            }
            gaps.push(Gap { at, have, so_far: (have > 0).then_some(so_far) });
            needed += file.size - have;
        }
        self.has_room(needed)?;
        Ok(gaps)
    }

    /// Takes bytes of a large file.
    ///
    /// # Errors
    /// When they cannot be written, or (`InvalidData`) make the file complete and are not what was
    /// announced: nothing is left of it then.
    pub(super) fn piece(&mut self, file: File, from: u64, bytes: &[u8]) -> io::Result<Taken> {
        let taken = self.take(file, from, bytes);
        if let Err(error) = &taken {
            self.give_up(error);
        }
        taken
    }

    fn take(&mut self, file: File, from: u64, bytes: &[u8]) -> io::Result<Taken> {
        if file.size.checked_sub(from).is_none_or(|left| left < bytes.len() as u64) {
            return Err(wrong(file.hash));
        }
        if !self.arrivals.contains_key(&file.hash) {
            let arrival = match from {
                0 => Some(Arrival::begin(&self.folder, file.hash)?),
                // This agent left it after a while.
                _ => take_up(self.parts()?.remove(&file.hash).unwrap_or_default(), file)?,
            };
            self.arrivals.extend(arrival.map(|arrival| (file.hash, arrival)));
        }
        let Some(arrival) = self.arrivals.get_mut(&file.hash) else { return Ok(Taken::Elsewhere) };
        if from == 0 && arrival.at > 0 {
            arrival.restart()?;
        }
        if arrival.at != from {
            return Ok(Taken::Elsewhere);
        }
        arrival.take(bytes)?;
        if arrival.at == file.size {
            self.complete(file)?;
        }
        Ok(Taken::Yes)
    }

    /// Leaves parts to whoever continues them; nothing is lost.
    pub(super) fn rest(&mut self) {
        self.arrivals.clear();
    }

    fn complete(&mut self, file: File) -> io::Result<()> {
        let Some(arrival) = self.arrivals.remove(&file.hash) else { return Ok(()) };
        if arrival.so_far() != file.hash {
            arrival.remove()?;
            return Err(wrong(file.hash));
        }
        arrival.finish(&self.path(file.hash))?;
        self.seen.insert(file.hash);
        Ok(())
    }

    /// Takes whole files.
    ///
    /// # Errors
    /// When they cannot be written, or (`InvalidData`) one is not what was announced: the ones before
    /// it are there then.
    pub fn pack(&mut self, files: &[File], bytes: &[u8]) -> io::Result<()> {
        let taken = self.unpack(files, bytes);
        if let Err(error) = &taken {
            self.give_up(error);
        }
        taken
    }

    fn unpack(&mut self, files: &[File], mut bytes: &[u8]) -> io::Result<()> {
        for file in files {
            let size = usize::try_from(file.size).unwrap_or(usize::MAX);
            let (content, rest) = bytes.split_at_checked(size).ok_or_else(|| wrong(file.hash))?;
            bytes = rest;
            if Hash::of(content) != file.hash {
                return Err(wrong(file.hash));
            }
            let part = self.new.join(format!("{}.part", std::process::id()));
            let written = fs::write(&part, content).and_then(|()| fs::rename(&part, self.fresh(file.hash)));
            written.inspect_err(|_| drop(fs::remove_file(&part)))?;
            self.unsettled.insert(file.hash);
            self.seen.insert(file.hash);
        }
        Ok(())
    }

    /// Puts everything that arrived on disk, and gives it its name for good.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn settle(&mut self) -> io::Result<()> {
        let files = self.unsettled.iter().map(|hash| self.fresh(*hash)).filter(|path| path.exists());
        sync(&self.new, files)?;
        for hash in self.unsettled.drain() {
            match std::fs::rename(self.new.join(hash.to_string()), self.folder.join(hash.to_string())) {
                // Another agent has done it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                done => done?,
            }
        }
        Ok(())
    }

    /// The content of a file, and whether this agent has seen it; `None` when it is not there.
    pub(in crate::agent) fn open_content(&self, file: File) -> io::Result<Option<(Handle, bool)>> {
        for path in [self.path(file.hash), self.fresh(file.hash)] {
            match Handle::open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
                Ok(content) if content.metadata()?.len() != file.size => {}
                Ok(content) => return Ok(Some((content, self.seen.contains(&file.hash)))),
            }
        }
        Ok(None)
    }

    /// Remembers that a content is right.
    pub(in crate::agent) fn saw(&mut self, hash: Hash) {
        self.seen.insert(hash);
    }

    /// Throws a content away that is not what its name says.
    pub(in crate::agent) fn discard(&mut self, hash: Hash) {
        self.seen.remove(&hash);
        for path in [self.path(hash), self.fresh(hash)] {
            let _ = fs::remove_file(path);
        }
    }

    /// Whether a content is there, which counts as a use of it.
    fn find(&mut self, file: File) -> Option<()> {
        let is_whole = |path: &Utf8Path| path.metadata().is_ok_and(|metadata| metadata.len() == file.size);
        let (path, fresh) = (self.path(file.hash), self.fresh(file.hash));
        if is_whole(&path) {
            let now = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_NOW };
            let times = rustix::fs::Timestamps { last_access: now, last_modification: now };
            // A file that is used on a disk that cannot be written to is used all the same.
            let _ = rustix::fs::utimensat(rustix::fs::CWD, path.as_std_path(), &times, rustix::fs::AtFlags::empty());
            return Some(());
        }
        is_whole(&fresh).then(|| _ = self.unsettled.insert(file.hash))
    }

    /// The parts that are there, the longest ones first.
    fn parts(&self) -> io::Result<HashMap<Hash, Vec<Utf8PathBuf>>> {
        let mut parts: HashMap<Hash, Vec<(u64, Utf8PathBuf)>> = HashMap::new();
        for entry in self.folder.read_dir_utf8()? {
            let entry = entry?;
            if let Some(hash) = part_of(entry.file_name()) {
                // One that is gone meanwhile is no use either.
                let size = entry.metadata().map(|metadata| metadata.len()).unwrap_or_default();
                parts.entry(hash).or_default().push((size, entry.into_path()));
            }
        }
        let sorted = parts.into_iter().map(|(hash, mut parts)| {
            parts.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
            (hash, parts.into_iter().map(|(_, path)| path).collect())
        });
        Ok(sorted.collect())
    }

    fn has_room(&self, needed: u64) -> io::Result<()> {
        let free = || -> io::Result<u64> {
            let disk = rustix::fs::statvfs(self.folder.as_std_path())?;
            Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
        };
        let short = needed.saturating_sub(free()?);
        if short == 0 {
            return Ok(());
        }
        self.make_room(short)?;
        let free = free()?;
        if needed <= free {
            return Ok(());
        }
        let (needed, free, folder) = (mib(needed), free >> 20, &self.folder);
        Err(io::Error::other(format!("no room in `{folder}`: {needed} MiB are to come, and {free} MiB are free")))
    }

    /// Throws away what nobody counts on, unless another agent has the store open too.
    pub(super) fn make_room(&self, bytes: u64) -> io::Result<()> {
        self.lock.unlock()?;
        let made = match self.lock.try_lock() {
            Ok(()) => {
                let spared = |hash| self.promised.contains(&hash);
                prune::make_room(&self.folder, &self.boot, &LIMITS, bytes, &spared)
            }
            Err(_) => Ok(()),
        };
        self.lock.unlock()?;
        self.lock.lock_shared()?;
        made
    }

    /// The device that the store is on.
    pub(super) fn device(&self) -> io::Result<u64> {
        Ok(fs::metadata(&self.folder)?.dev())
    }

    /// Leaves nothing that would keep a full disk full.
    fn give_up(&mut self, error: &io::Error) {
        if matches!(errno(error), Some(Errno::NOSPC | Errno::DQUOT)) {
            for (_, arrival) in self.arrivals.drain() {
                let _ = arrival.remove();
            }
            for hash in std::mem::take(&mut self.unsettled) {
                let _ = fs::remove_file(self.fresh(hash));
            }
        }
    }

    fn path(&self, hash: Hash) -> Utf8PathBuf {
        self.folder.join(hash.to_string())
    }

    fn fresh(&self, hash: Hash) -> Utf8PathBuf {
        self.new.join(hash.to_string())
    }
}

/// The best of the parts that are there.
fn take_up(parts: Vec<Utf8PathBuf>, file: File) -> io::Result<Option<Arrival>> {
    for part in parts {
        if let Some(arrival) = Arrival::take_up(&part, file)? {
            return Ok(Some(arrival));
        }
    }
    Ok(None)
}

/// Puts files on disk; all of them are on the disk that the folder is on.
pub(super) fn sync(folder: &Utf8Path, files: impl Iterator<Item = Utf8PathBuf>) -> io::Result<()> {
    let files: Vec<_> = files.collect();
    if files.len() > ONE_BY_ONE {
        return Ok(rustix::fs::syncfs(Handle::open(folder)?)?);
    }
    files.iter().try_for_each(|path| Handle::open(path)?.sync_data().map_err(|error| cannot_write(path, error)))
}

fn wrong(hash: Hash) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("what arrived is not the file {hash} that was announced"))
}

fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}
