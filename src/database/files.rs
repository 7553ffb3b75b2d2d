//! Files and folders, by the host's own `tar`: it knows about owners, links, holes, access lists and attributes.
//!
//! What is restored is first unpacked beside what is there, and then takes its place at once, path by path.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::program::Program;
use super::store::{Sink, Source};
use super::{Contents, Error, Job, Result};

const OPTIONS: [&str; 3] = ["--acls", "--xattrs", "--numeric-owner"];

/// Keeps what is at some paths.
pub(super) fn save(job: &Job<'_>, paths: &[String], sink: &mut Sink<'_>) -> Result<Contents> {
    for path in paths {
        if Utf8Path::new(path).symlink_metadata().is_err() {
            return Err(Error::new(format!("`{path}` is not there")));
        }
    }
    let names = paths.iter().map(|path| member(path));
    let arguments = ["--create", "--file=-", "--directory=/"].into_iter().chain(OPTIONS);
    let arguments: Vec<String> = arguments.map(str::to_owned).chain(["--".to_owned()]).chain(names).collect();
    Program::new(job, "tar", arguments).read_into(sink)?;
    Ok(Contents::default())
}

/// Puts back what was at some paths. What came there since goes.
pub(super) fn load<'s>(job: &Job<'_>, paths: &[String], open: &dyn Fn() -> Result<Source<'s>>) -> Result<()> {
    for path in paths {
        let path = Utf8Path::new("/").join(member(path));
        let parent = path.parent().ok_or_else(|| Error::new("`/` cannot be restored as a whole"))?;
        let beside = Beside::new(parent)?;
        let arguments = ["--extract", "--file=-", "--same-permissions", "--same-owner"].into_iter().chain(OPTIONS);
        let arguments = arguments.map(str::to_owned).chain([
            format!("--directory={}", beside.0),
            "--".to_owned(),
            member(path.as_str()),
        ]);
        Program::new(job, "tar", arguments).write_from(&mut open()?)?;
        swap(&beside.0.join(member(path.as_str())), &path)?;
        job.attendant.say(&format!("restored {path}"));
    }
    Ok(())
}

/// What a path is called in the archive.
fn member(path: &str) -> String {
    let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    parts.join("/")
}

/// Puts something in the place of what is there, which goes where it was.
fn swap(new: &Utf8Path, path: &Utf8Path) -> Result<()> {
    let flags = if path.symlink_metadata().is_ok() { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
    renameat_with(CWD, new.as_std_path(), CWD, path.as_std_path(), flags)
        .map_err(|error| Error::new(format!("cannot put `{path}` back: {}", io::Error::from(error))))
}

/// A folder on the same file system, that goes with all that is in it.
struct Beside(Utf8PathBuf);

impl Beside {
    fn new(parent: &Utf8Path) -> Result<Self> {
        fs::create_dir_all(parent)?;
        // An earlier try may have left it.
        let beside = Self(parent.join(".upshift-restore"));
        beside.clear();
        fs::create_dir(&beside.0)?;
        fs::set_permissions(&beside.0, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
        Ok(beside)
    }

    fn clear(&self) {
        // Where it stays, creating it anew says why.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.clear();
    }
}
