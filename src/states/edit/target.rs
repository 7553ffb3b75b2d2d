//! The file that is edited: read once, written in one piece, with a copy beside it where one is wanted.

use std::fs::FileTimes;
use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::effort;
use crate::formula::regex::{Options, Regex};
use crate::states::disk::{self, Attributes};
use crate::states::{Call, Failed, diff, file};

/// A file that is edited, and what is in it.
#[derive(Debug)]
pub(super) struct Target {
    /// Its path, as the SLS has it.
    pub(super) path: Utf8PathBuf,
    pub(super) content: Vec<u8>,
}

/// Whom a copy of a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeper {
    /// Whoever the file belongs to.
    Owner,
    /// Whoever copies it.
    Copier,
}

/// What Salt says of a file that is not there.
pub(super) fn not_found(path: &Utf8Path) -> Failed {
    format!("{path}: file not found").into()
}

impl Target {
    /// Reads the file that a state is about.
    pub(super) fn of(call: &Call<'_>, function: &str) -> Result<Self, Failed> {
        Self::read(file::absolute(call, function)?)
    }

    /// Reads a file.
    pub(super) fn read(path: Utf8PathBuf) -> Result<Self, Failed> {
        if !path.exists() {
            return Err(not_found(&path));
        }
        Ok(Self { content: fs::read(&path)?, path })
    }

    /// The content as text.
    pub(super) fn text(&self) -> Result<&str, Failed> {
        std::str::from_utf8(&self.content).map_err(|error| {
            format!("{} is not UTF-8: it has a byte that is none at {}", self.path, error.valid_up_to()).into()
        })
    }

    /// Refuses what is not text.
    pub(super) fn check_is_text(&self) -> Result<(), Failed> {
        if diff::is_text(&self.content) {
            Ok(())
        } else {
            Err(format!("Cannot perform string replacements on a binary file: {}", self.path).into())
        }
    }

    /// Whether an expression is found anywhere, where `^` and `$` are of lines.
    pub(super) fn has(&self, pattern: &str) -> Result<bool, Failed> {
        self.check_is_text()?;
        let options = Options { multi_line: true, of_bytes: true, ..effort() };
        let found = Regex::new(pattern, options).and_then(|regex| regex.is_match_bytes(&self.content));
        found.map_err(|error| format!("`{pattern}`: {error}").into())
    }

    /// Puts another content in the place of this one.
    pub(super) fn write(&self, content: &[u8]) -> Result<(), Failed> {
        Ok(disk::replace(&self.path, content, Attributes::default())?)
    }

    /// Copies the file, with its mode and times.
    pub(super) fn copy_to(&self, copy: &Utf8Path, keeper: Keeper) -> Result<(), Failed> {
        let there = fs::metadata(&self.path)?;
        let (uid, gid) = match keeper {
            Keeper::Owner => (there.uid(), there.gid()),
            Keeper::Copier => (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()),
        };
        if copy.is_symlink() {
            // What a link leads to is not ours to write over.
            disk::remove_if_there(copy)?;
        }
        let attributes = Attributes { uid: Some(uid), gid: Some(gid), mode: Some(there.mode() & 0o7777) };
        disk::replace(copy, &self.content, attributes)?;
        let times = FileTimes::new().set_accessed(there.accessed()?).set_modified(there.modified()?);
        Ok(std::fs::File::options().write(true).open(copy)?.set_times(times)?)
    }
}
