//! The folder of one step: how a step, its controller and a later controller know of each other.
//!
//! The folder is `<spool>/<id>/`, private to its owner:
//!
//! | File | Written by | What it is |
//! |---|---|---|
//! | `order.json` | controller | the [`Order`] |
//! | `lock` | agent | a file lock, held as long as the agent lives |
//! | `started.json` | agent | [`Started`]; on disk before the first command starts |
//! | `output` | the command | its stdout and stderr, in the order in which they were written |
//! | `returns` | agent | of a step that applies formulas, what became of each state |
//! | `look` | a check | output of `unless` and of the looks of a `wait`; of no interest afterwards |
//! | `abort` | controller | its being there tells the agent to end the step |
//! | `result.part` | agent | room for the result, taken before the command starts |
//! | `result.json` | agent | the [`End`]; complete once it is there, and never changed |
//!
//! Whatever crashed and when, the folder is in one of these states, and each means one thing:
//!
//! | `order` | `started` | `lock` | `result` | [`State`] | Means | Who asks for the step |
//! |---|---|---|---|---|---|---|
//! | - | - | - | - | `Absent` | nobody asked for it | writes the order and starts an agent |
//! | yes | - | free | - | `Ordered` | nothing has run, and nothing will by itself | starts an agent |
//! | yes | - | held | - | `Preparing` | an agent is about to start it | waits |
//! | yes | yes | held | - | `Running` | it is under way | reads on and waits |
//! | yes | yes | free | - | `Lost` | the agent died and nobody knows how far the step came | ends what is left: interrupted |
//! | any | any | any | yes | `Ended` | it is over | takes the result |
//!
//! A file that is there and is no JSON, as a power failure may leave one, is an error and not a state: as
//! little is known as after `Lost`, and nothing is started either.
//!
//! Two rules make it so. Only the holder of the lock looks whether `started.json` is there, and writes
//! it if not, so that of several agents one carries the step out. And `Lost` is read in this order:
//! started, then lock free, then no result, since a step that was started is never started again.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::sync::{Mutex, PoisonError};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use rustix::process::Signal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::agent::process::Group;
use crate::agent::protocol::Order;
use crate::model::hash::Hash;
use crate::model::record::End;

/// Room kept for a result. Notes are bounded, so that a result fits.
const RESULT_ROOM: u64 = 16 * 1024;

/// The longest name of a step's folder; file systems allow 255 bytes.
const LONGEST_NAME: usize = 200;

/// What the agent says of itself before it starts anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The agent's process id, which is also the session that its commands are in.
    pub agent: i32,
    /// The boot that these process ids belong to.
    pub boot: String,
    /// The process groups of its commands that may still be going.
    pub groups: Vec<Group>,
}

/// What a step's folder says; see the table above.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Nobody asked for the step.
    Absent,
    /// It was asked for and nothing has run.
    Ordered,
    /// An agent is about to start it.
    Preparing,
    /// It is under way.
    Running,
    /// The agent died under it.
    Lost(Started),
    /// It is over.
    Ended(End),
}

/// The process groups of a step that has several commands at once or one after the other.
#[derive(Debug)]
pub(super) struct Groups {
    folder: Folder,
    started: Mutex<Started>,
}

impl Groups {
    pub(super) fn of(folder: Folder, started: Started) -> Self {
        Self { folder, started: Mutex::new(started) }
    }

    /// Adds the group that a process leads, on disk too, so that it is ended should the agent die. That a full disk has no
    /// room for it is no failure of the step.
    pub(super) fn add(&self, leader: u32) {
        let Ok(group) = Group::of_leader(leader) else { return };
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        started.groups.retain(|group| group.has_leader());
        started.groups.push(group);
        let _ = self.folder.start(&started);
    }

    /// Sends a signal to all whose leaders live.
    pub(super) fn signal(&self, signal: Signal) {
        let started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        started.groups.iter().filter(|group| group.has_leader()).for_each(|group| group.signal(signal));
    }
}

/// The folder of one step.
#[derive(Debug, Clone)]
pub struct Folder {
    path: Utf8PathBuf,
}

impl Folder {
    /// The folder of the step with this id; nothing is created.
    #[must_use]
    pub fn of(spool: &Utf8Path, id: &str) -> Self {
        Self { path: spool.join(folder_name(id)) }
    }

    /// The folder at a path.
    #[must_use]
    pub fn at(path: Utf8PathBuf) -> Self {
        Self { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Where the command's output is.
    #[must_use]
    pub fn output(&self) -> Utf8PathBuf {
        self.path.join("output")
    }

    /// Reads what the folder says. Taking the lock for a moment, it may make an agent that is just
    /// starting give up: the state is `Ordered` then, and asking again starts another.
    ///
    /// # Errors
    /// When the folder cannot be read, or (`InvalidData`) what it holds makes no sense.
    pub fn state(&self) -> io::Result<State> {
        if let Some(end) = self.result()? {
            return Ok(State::Ended(end));
        }
        let Some(started) = self.started()? else {
            return Ok(match self.is_locked()? {
                true => State::Preparing,
                false if self.path.join("order.json").exists() => State::Ordered,
                false => State::Absent,
            });
        };
        if self.is_locked()? {
            return Ok(State::Running);
        }
        Ok(self.result()?.map_or(State::Lost(started), State::Ended))
    }

    /// Creates the folder and puts the order into it.
    ///
    /// It is not waited for until the order is on disk: what counts is `started.json`, and without
    /// it a step that was asked for is the same as one that was not.
    ///
    /// # Errors
    /// When it cannot be written; no agent can have taken it up then.
    pub fn order(&self, order: &Order) -> io::Result<()> {
        self.create()?;
        self.replace("order.json", &serde_json::to_vec(order)?, false)
    }

    /// Tells the agent to end the step, also when it starts only later.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn abort(&self) -> io::Result<()> {
        self.create()?;
        open(&self.path.join("abort")).map(drop)
    }

    /// Whether the controller wants the step ended.
    pub(super) fn is_aborted(&self) -> bool {
        self.path.join("abort").exists()
    }

    /// Takes the lock; `None` when another agent holds it.
    pub(super) fn lock(&self) -> io::Result<Option<File>> {
        let file = open(&self.path.join("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn is_locked(&self) -> io::Result<bool> {
        let file = match File::open(self.path.join("lock")) {
            Ok(file) => file,
            Err(error) if is_missing(&error) => return Ok(false),
            Err(error) => return Err(error),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(std::fs::TryLockError::WouldBlock) => Ok(true),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }

    pub(super) fn read_order(&self) -> io::Result<Order> {
        self.read("order.json")?.ok_or_else(|| io::Error::other("`order.json` is not there"))
    }

    /// What the agent said before it started anything; `None` when nothing was started.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn started(&self) -> io::Result<Option<Started>> {
        self.read("started.json")
    }

    /// How the step ended; `None` when it did not, or not in a way that anyone knows.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn result(&self) -> io::Result<Option<End>> {
        self.read("result.json")
    }

    /// Says that something is about to be started. The first time, it is on disk when this returns.
    ///
    /// Later ones only name another process group, which is of no use after a power failure.
    pub(super) fn start(&self, started: &Started) -> io::Result<()> {
        let first = !self.path.join("started.json").exists();
        self.replace("started.json", &serde_json::to_vec(started)?, first)?;
        // The folder's own name has to be on disk too.
        self.path.parent().filter(|_| first).map_or(Ok(()), sync_folder)
    }

    /// Takes the room for the result, so that a disk that fills up meanwhile cannot lose it.
    pub(super) fn reserve(&self) -> io::Result<Room> {
        let path = self.path.join("result.part");
        let mut file = open(&path)?;
        match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, RESULT_ROOM) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                file.rewind()?;
                io::copy(&mut io::repeat(b' ').take(RESULT_ROOM), &mut file)?;
            }
            other => other?,
        }
        Ok(Room { folder: self.path.clone(), path, file })
    }

    /// Opens the file that the command writes to.
    pub(super) fn open_output(&self) -> io::Result<File> {
        append(&self.output())
    }

    /// The store of files beside the spool that the folder is in.
    pub(super) fn files(&self) -> io::Result<Utf8PathBuf> {
        self.beside("files")
    }

    /// What stands beside the spool that the folder is in.
    pub(super) fn beside(&self, name: &str) -> io::Result<Utf8PathBuf> {
        let place = self.path.parent().and_then(Utf8Path::parent);
        place.map(|place| place.join(name)).ok_or_else(|| io::Error::other("the spool has no folder"))
    }

    /// Where it is written what became of states.
    pub(super) fn returns(&self) -> Utf8PathBuf {
        self.path.join("returns")
    }

    /// Opens the file that returns are added to.
    pub(super) fn open_returns(&self) -> io::Result<File> {
        append(&self.returns())
    }

    /// Empties and opens the file that a check writes to.
    pub(super) fn open_look(&self) -> io::Result<File> {
        let file = append(&self.path.join("look"))?;
        file.set_len(0)?;
        Ok(file)
    }

    fn create(&self) -> io::Result<()> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)
            .map_err(|error| cannot_write(&self.path, error))
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        let path = self.path.join(name);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| invalid(&path, &error)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a file so that it is either not there, or there as it was, or there as it is now.
    fn replace(&self, name: &str, bytes: &[u8], sync: bool) -> io::Result<()> {
        let part = self.path.join(format!("{name}.part"));
        let written = open(&part).and_then(|mut file| {
            file.set_len(0)?;
            file.write_all(bytes).map_err(|error| cannot_write(&part, error))?;
            fs::rename(&part, self.path.join(name))?;
            if sync { sync_file(&file, &self.path) } else { Ok(()) }
        });
        if written.is_err() {
            // The file is of no use; on a full disk its space is.
            let _ = fs::remove_file(&part);
        }
        written
    }
}

/// Room for a result.
pub(super) struct Room {
    folder: Utf8PathBuf,
    path: Utf8PathBuf,
    file: File,
}

impl Room {
    /// Writes the result. When this returns, it is on disk, and the step is over.
    pub(super) fn fill(self, end: &End) -> io::Result<()> {
        let bytes = serde_json::to_vec(end)?;
        self.file.write_all_at(&bytes, 0)?;
        self.file.set_len(bytes.len() as u64)?;
        fs::rename(&self.path, self.folder.join("result.json"))?;
        sync_file(&self.file, &self.folder)
    }
}

/// A name for a step's folder: what is safe in a file name stays, other bytes become `%2F`.
///
/// Two ids never get the same name: a long one is cut and gets its digest.
pub(super) fn folder_name(id: &str) -> String {
    use std::fmt::Write as _;
    let mut name = String::with_capacity(id.len());
    for (at, byte) in id.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            b'.' if at > 0 => name.push('.'),
            _ => _ = write!(name, "%{byte:02X}"),
        }
    }
    if name.is_empty() || name.len() > LONGEST_NAME {
        name.truncate(LONGEST_NAME - 65);
        let _ = write!(name, "+{}", Hash::of(id.as_bytes()));
    }
    name
}

/// Opens a file for reading and writing that is its owner's alone.
pub(super) fn open(path: &Utf8Path) -> io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map_err(|error| cannot_write(path, error))
}

fn append(path: &Utf8Path) -> io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    options.open(path).map_err(|error| cannot_write(path, error))
}

/// Puts a file and its name on disk.
///
/// The name comes first, and one sync then does for both: a sync in between costs as much again. What
/// a power failure leaves of a file in the meantime is no JSON, and reads as nobody knowing.
fn sync_file(file: &File, folder: &Utf8Path) -> io::Result<()> {
    file.sync_all().and_then(|()| sync_folder(folder))
}

fn sync_folder(path: &Utf8Path) -> io::Result<()> {
    File::open(path)?.sync_all().map_err(|error| cannot_write(path, error))
}

/// Words around what the system said.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {cause}")]
struct Named {
    what: String,
    cause: io::Error,
}

/// Says what could not be done, and keeps what the system said for [`errno`].
pub(crate) fn named(what: String, cause: io::Error) -> io::Error {
    io::Error::new(cause.kind(), Named { what, cause })
}

/// What the system said, also where [`named`] put words around it.
pub(crate) fn errno(error: &io::Error) -> Option<Errno> {
    let named = error.get_ref().and_then(|inner| inner.downcast_ref::<Named>());
    Errno::from_io_error(named.map_or(error, |named| &named.cause))
}

fn cannot_write(path: &Utf8Path, error: io::Error) -> io::Error {
    named(format!("cannot write `{path}`"), error)
}

/// A file that is there and is not what it should be; asking again does not help.
fn invalid(path: &Utf8Path, error: &serde_json::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{path}: {error}"))
}

pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_name_is_safe_and_no_two_ids_share_one() {
        assert_eq!(folder_name("20261122-train/computes/cmp001/2.1"), "20261122-train%2Fcomputes%2Fcmp001%2F2.1");
        assert_eq!(folder_name(".."), "%2E.");
        assert_ne!(folder_name("a/b"), folder_name("a%2Fb"));
        let (one, two) = (folder_name(&"x".repeat(300)), folder_name(&"x".repeat(301)));
        assert_eq!((one.len(), two.len()), (LONGEST_NAME, LONGEST_NAME));
        assert_ne!(one, two);
        assert!(!folder_name("").is_empty());
    }
}
