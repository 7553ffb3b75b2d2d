//! A file that is about to replace another: beside it, under a name that the next copy finds again.

use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use rustix::fs::OFlags;

use crate::agent::files::Hash;
use crate::agent::files::arrival::{cannot_write, is_at};

/// How long somebody else may take to write the same file.
const PATIENCE: Duration = Duration::from_secs(30);

/// Time between two looks at whether they are done.
const POLL: Duration = Duration::from_millis(10);

/// A file beside the one that it will be; it goes when nothing comes of it.
#[derive(Debug)]
pub(super) struct Temporary {
    /// Open for writing, and locked.
    pub(super) file: std::fs::File,
    path: Utf8PathBuf,
}

/// The name beside a path that is the same for every copy to it.
///
/// An agent that is killed here leaves a file of that name, and the next copy to the path takes it away.
pub(super) fn beside(path: &Utf8Path, ending: &str) -> Utf8PathBuf {
    let hash = Hash::of(path.file_name().unwrap_or_default().as_bytes()).to_string();
    path.with_file_name(format!(".upshift-{}.{ending}", &hash[..16]))
}

impl Temporary {
    /// Creates it for what will be at a path; nobody but its owner can look into it.
    pub(super) fn create(target: &Utf8Path) -> io::Result<Self> {
        let path = beside(target, "part");
        let no_follow = OFlags::NOFOLLOW.bits().cast_signed();
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create_new(true).mode(0o600).custom_flags(no_follow);
            match options.open(&path) {
                Ok(file) => {
                    if file.try_lock().is_ok() && is_at(&file, &path)? {
                        return Ok(Self { file, path });
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => remove_left(&path, no_follow)?,
                Err(error) => return Err(cannot_write(target, error)),
            }
        }
        Err(io::Error::other(format!("cannot write `{target}`: another copy to it does not end")))
    }

    /// Gives it its name.
    pub(super) fn rename(self, target: &Utf8Path) -> io::Result<()> {
        std::fs::rename(&self.path, target).map_err(|error| cannot_write(target, error))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Once it was renamed, the name may already be that of another copy.
        if is_at(&self.file, &self.path).unwrap_or(false) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Takes away what an agent left that was killed, or waits a moment for one that is alive.
fn remove_left(path: &Utf8Path, no_follow: i32) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let left = options.write(true).custom_flags(no_follow).open(path);
    let own = left.as_ref().ok().and_then(|file| file.metadata().ok());
    let is_own = own.is_some_and(|left| left.uid() == rustix::process::geteuid().as_raw());
    if let Ok(left) = &left
        && is_own
    {
        if left.try_lock().is_err() {
            std::thread::sleep(POLL);
            return Ok(());
        }
        if !is_at(left, path)? {
            return Ok(());
        }
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
