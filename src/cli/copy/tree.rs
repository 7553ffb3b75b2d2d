//! What is copied: the sources as they are here, and the paths that they get.

use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::Copy;
use crate::agent::files::{Place, What};
use crate::error::{Error, Result};
use crate::transport::ssh::files::Files;

/// The bits of a mode that a source passes on.
const PASSED_ON: u32 = 0o777;

/// More of them do not fit into one question.
const MOST: usize = 200_000;

/// What is wanted on every host.
pub(super) struct Tree {
    pub(super) files: Arc<Files>,
    /// In order: a folder before what is in it.
    pub(super) places: Vec<Place>,
}

impl Tree {
    /// Looks at the sources and reads every file once.
    pub(super) fn read(copy: &Copy) -> Result<Self> {
        let Some((destination, sources)) = copy.paths.split_last() else {
            return Err(Error::usage("there is nothing to copy"));
        };
        if !destination.is_absolute() || destination.components().any(|part| part.as_str() == "..") {
            let message = format!("`{destination}` is no absolute path: hosts have no folder that it would be in");
            return Err(Error::usage(message));
        }
        let into = destination.as_str().ends_with('/') || sources.len() > 1;
        let mut walk = Walk { copy, found: Vec::new() };
        for source in sources {
            let to = if into { destination.join(name(source)?) } else { destination.clone() };
            walk.visit(source, &to, &fs::metadata(source)?)?;
        }
        let Walk { found, .. } = walk;
        let mut seen: HashMap<&Utf8Path, &Utf8Path> = HashMap::new();
        for Found { source, place, .. } in &found {
            if let Some(other) = seen.insert(&place.path, source) {
                let message = format!("`{other}` and `{source}` would both be `{}`", place.path);
                return Err(Error::usage(message));
            }
        }
        if found.len() > MOST {
            let message = format!("there are {} files and folders, and at most {MOST} are copied at once", found.len());
            return Err(Error::usage(message).hint("copy the folders in it one by one"));
        }
        let (files, places) = read(found)?;
        Ok(Self { files: Arc::new(files), places })
    }

    /// How many of these are not folders.
    pub(super) fn count_files<'a>(&'a self, at: impl IntoIterator<Item = &'a usize>) -> usize {
        let is_file = |at: &&usize| self.places.get(**at).is_some_and(|place| place.what != What::Folder);
        at.into_iter().filter(is_file).count()
    }
}

/// Something that was found here.
struct Found {
    source: Utf8PathBuf,
    place: Place,
    /// Whether its content is still to be read.
    is_file: bool,
}

struct Walk<'a> {
    copy: &'a Copy,
    found: Vec<Found>,
}

impl Walk<'_> {
    fn visit(&mut self, source: &Utf8Path, to: &Utf8Path, metadata: &Metadata) -> Result<()> {
        let mode = metadata.permissions().mode() & PASSED_ON;
        if metadata.is_dir() {
            self.put(source, to, What::Folder, Some(mode), false);
            let mut entries = fs::read_dir(source)?.collect::<Result<Vec<_>, _>>()?;
            entries.sort_by_key(fs::DirEntry::file_name);
            for entry in entries {
                let path = Utf8PathBuf::from_path_buf(entry.path())
                    .map_err(|path| Error::usage(format!("the name of `{}` is not UTF-8", path.display())))?;
                self.visit(&path, &to.join(path.file_name().unwrap_or_default()), &entry.metadata()?)?;
            }
        } else if metadata.is_symlink() {
            let leads = Utf8PathBuf::from_path_buf(fs::read_link(source)?)
                .map_err(|path| Error::usage(format!("`{source}`: `{}` is not UTF-8", path.display())))?;
            self.put(source, to, What::Link(leads), None, false);
        } else if metadata.is_file() {
            self.put(source, to, What::Folder, Some(self.copy.mode.unwrap_or(mode)), true);
        } else {
            return Err(Error::usage(format!("`{source}` is neither a file nor a folder")));
        }
        Ok(())
    }

    fn put(&mut self, source: &Utf8Path, to: &Utf8Path, what: What, mode: Option<u32>, is_file: bool) {
        let Copy { owner, group, .. } = self.copy;
        let place = Place { path: to.to_owned(), what, mode, owner: owner.clone(), group: group.clone() };
        self.found.push(Found { source: source.to_owned(), place, is_file });
    }
}

/// Reads the files among what was found.
fn read(mut found: Vec<Found>) -> Result<(Files, Vec<Place>)> {
    let paths: Vec<_> = found.iter().filter(|found| found.is_file).map(|found| found.source.clone()).collect();
    let mut files = Files::default();
    let contents = files.read(&paths).map_err(|unread| {
        let first = &unread[0];
        let more = if unread.len() > 1 {
            format!(", and {} more files cannot be read", unread.len() - 1)
        } else {
            String::new()
        };
        Error::usage(format!("cannot read `{}`: {}{more}", first.path, first.error))
            .hint("nothing was sent to any host")
    })?;
    for (found, content) in found.iter_mut().filter(|found| found.is_file).zip(contents) {
        found.place.what = What::File(content);
    }
    Ok((files, found.into_iter().map(|found| found.place).collect()))
}

/// The name that a source keeps.
fn name(source: &Utf8Path) -> Result<String> {
    if let Some(name) = source.file_name() {
        return Ok(name.to_owned());
    }
    let path = fs::canonicalize(source)?;
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| Error::usage(format!("`{source}` has no name to copy it under")))
}
