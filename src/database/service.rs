//! A service that has to stand still while its data is exchanged, and goes on afterwards.
//!
//! That it was going is on disk before it is stopped: whoever takes up a restore that was cut off starts it again. One
//! whose data is half exchanged stays stopped.

use std::io;
use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::program::Program;
use super::{Job, Result};

/// The folder inside a data folder that its new contents are made in.
const BESIDE: &str = ".upshift-restore";

/// What a file system has of its own at its top.
const FOUND: &str = "lost+found";

/// A service that was stopped.
#[must_use]
pub(super) struct Stopped<'a> {
    job: &'a Job<'a>,
    /// Has its name, and the command that starts it.
    marker: Utf8PathBuf,
}

impl<'a> Stopped<'a> {
    /// Stops a service, if it is going.
    pub(super) fn new(job: &'a Job<'a>, unit: &str) -> Result<Self> {
        Self::that_starts(job, unit, &format!("systemctl start {unit}"))
    }

    /// Stops a service that is started by a command of its own.
    pub(super) fn that_starts(job: &'a Job<'a>, unit: &str, start: &str) -> Result<Self> {
        let marker = marker(job);
        if is_active(job, unit)? {
            fs::write(&marker, format!("{unit}\n{start}"))?;
            fs::File::open(&job.folder)?.sync_all()?;
            job.attendant.say(&format!("stopping {unit}"));
            Program::new(job, "systemctl", ["stop", unit]).ask("")?;
        }
        Ok(Self { job, marker })
    }

    /// Starts it again, if it was going; says whether it was.
    pub(super) fn start(self) -> Result<bool> {
        let Some((_, start)) = marked(self.job)? else { return Ok(false) };
        self.job.attendant.say(&start);
        let mut words = start.split(' ');
        Program::new(self.job, words.next().unwrap_or_default(), words).ask("")?;
        fs::remove_file(&self.marker)?;
        Ok(true)
    }
}

/// Whether an earlier try of this restore has stopped the service, and nobody has started it since.
pub(super) fn was_stopped(job: &Job<'_>) -> Result<bool> {
    match marked(job)? {
        None => Ok(false),
        Some((unit, _)) if is_active(job, &unit)? => {
            fs::remove_file(marker(job))?;
            Ok(false)
        }
        Some(_) => Ok(true),
    }
}

/// The service that an earlier try has stopped, and the command that starts it.
fn marked(job: &Job<'_>) -> Result<Option<(String, String)>> {
    match fs::read_to_string(marker(job)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // One that was not written to its end was not acted upon.
        text => Ok(text?.split_once('\n').map(|(unit, start)| (unit.to_owned(), start.to_owned()))),
    }
}

fn marker(job: &Job<'_>) -> Utf8PathBuf {
    job.folder.join("stopped")
}

/// Whether a service is going.
pub(super) fn is_active(job: &Job<'_>, unit: &str) -> Result<bool> {
    let state = Program::new(job, "systemctl", ["show", "--property=ActiveState", "--value", unit]).ask("")?;
    Ok(matches!(state.trim(), "active" | "activating" | "reloading"))
}

/// New contents of a data folder, which may be a mount: they are made inside it and take their place once they are whole.
pub(super) struct Contents {
    folder: Utf8PathBuf,
    /// Where they are made.
    pub(super) beside: Utf8PathBuf,
}

impl Contents {
    /// An empty folder for them, with the owner of the data folder.
    pub(super) fn new(folder: &Utf8Path) -> Result<Self> {
        let contents = Self { folder: folder.to_owned(), beside: folder.join(BESIDE) };
        contents.clear()?;
        fs::create_dir(&contents.beside)?;
        Ok(contents)
    }

    /// Puts them in the place of what is there.
    pub(super) fn exchange(self) -> Result<()> {
        let (owner, beside) = (fs::metadata(&self.folder)?, &self.beside);
        own(beside, owner.uid(), owner.gid())?;
        for entry in self.folder.read_dir_utf8()? {
            let path = entry?.into_path();
            if path != *beside && path.file_name() != Some(FOUND) {
                remove(&path)?;
            }
        }
        for entry in beside.read_dir_utf8()? {
            let path = entry?.into_path();
            fs::rename(&path, self.folder.join(path.file_name().unwrap_or_default()))?;
        }
        fs::remove_dir(beside)?;
        fs::File::open(&self.folder)?.sync_all()?;
        Ok(())
    }

    fn clear(&self) -> Result<()> {
        if self.beside.symlink_metadata().is_ok() { remove(&self.beside) } else { Ok(()) }
    }
}

impl Drop for Contents {
    fn drop(&mut self) {
        // What was not used takes room and does no harm.
        let _ = self.clear();
    }
}

fn remove(path: &Utf8Path) -> Result<()> {
    let is_folder = fs::symlink_metadata(path)?.is_dir();
    Ok(if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) }?)
}

/// Gives everything in a folder to a user and a group.
fn own(path: &Utf8Path, uid: u32, gid: u32) -> Result<()> {
    std::os::unix::fs::lchown(path, Some(uid), Some(gid))?;
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in path.read_dir_utf8()? {
            own(entry?.path(), uid, gid)?;
        }
    }
    Ok(())
}
