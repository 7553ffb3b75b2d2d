//! `clean: True`: what lies in a folder and belongs to no state.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use crate::formula::{Data, Dict};
use crate::states::disk;
use crate::states::file::pattern::Patterns;
use crate::states::file::recurse;
use crate::states::{Args, Call, Failed};

/// Something below a folder.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) path: Utf8PathBuf,
    /// Whether it is a folder, or a link to one.
    pub(super) is_folder: bool,
}

/// Everything below a folder down to a depth, what is in a folder after the folder. Links are not followed.
///
/// # Errors
/// When a folder cannot be read.
pub(super) fn walk(folder: &Utf8Path, depth: Option<usize>) -> Result<Vec<Entry>, Failed> {
    let mut entries = Vec::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, at)) = folders.pop() {
        if depth.is_some_and(|depth| at >= depth) {
            continue;
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            // A name that is not UTF-8 is none that a formula has.
            if let Ok(name) = entry.file_name().into_string() {
                names.push((name, entry.file_type()?.is_symlink()));
            }
        }
        names.sort();
        for (name, is_link) in names {
            let path = folder.join(name);
            let is_folder = path.is_dir();
            if is_folder && !is_link {
                folders.push((path.clone(), at + 1));
            }
            entries.push(Entry { path, is_folder });
        }
    }
    Ok(entries)
}

/// What stays in a folder that is cleaned.
#[derive(Debug, Default)]
pub(super) struct Kept {
    paths: BTreeSet<Utf8PathBuf>,
    excluded: Patterns,
}

impl Kept {
    /// What `exclude_pat` says, and what the states manage that a state requires.
    ///
    /// # Errors
    /// When a pattern is none, or a folder cannot be read.
    pub(super) fn read(call: &Call<'_>, folder: &Utf8Path) -> Result<Self, Failed> {
        let mut kept = Self { paths: BTreeSet::new(), excluded: Patterns::read(&call.args, "exclude_pat")? };
        for required in call.args.get("require").and_then(Data::as_list).unwrap_or_default() {
            let Some(name) = required.get("file") else { continue };
            let is_it = |chunk: &&Dict| [chunk.get("name"), chunk.get("__id__")].contains(&Some(name));
            for chunk in call.host.low.iter().filter(is_it) {
                kept.keep_state(call, folder, chunk)?;
            }
        }
        Ok(kept)
    }

    fn keep_state(&mut self, call: &Call<'_>, folder: &Utf8Path, chunk: &Dict) -> Result<(), Failed> {
        let Some(path) = chunk.get("name").and_then(Data::as_str).map(Utf8Path::new) else { return Ok(()) };
        if !path.is_dir() {
            self.keep(path);
        } else if path.starts_with(folder) {
            if chunk.get("fun").and_then(Data::as_str) == Some("recurse") {
                let state = Call { args: Args::new(chunk), ..*call };
                recurse::targets(&state)?.iter().for_each(|path| self.keep(path));
            } else {
                self.keep(path);
                walk(path, None)?.iter().for_each(|entry| self.keep(&entry.path));
            }
        }
        Ok(())
    }

    /// Keeps something, and the folders that it is in.
    pub(super) fn keep(&mut self, path: &Utf8Path) {
        if path.is_absolute() {
            self.paths.extend(path.ancestors().map(Utf8Path::to_owned));
        }
    }

    /// Whether something below a folder goes.
    fn goes(&self, folder: &Utf8Path, path: &Utf8Path) -> bool {
        let below = path.strip_prefix(folder).map_or(path.as_str(), Utf8Path::as_str);
        !self.paths.contains(path) && !self.excluded.has(below)
    }

    /// What goes, out of everything below a folder: a folder before what is in it, which goes too.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub(super) fn superfluous(&self, folder: &Utf8Path) -> Result<Vec<Utf8PathBuf>, Failed> {
        let mut gone: BTreeSet<Utf8PathBuf> = BTreeSet::new();
        for Entry { path, .. } in walk(folder, None)? {
            let goes_with_its_folder = path.parent().is_some_and(|parent| gone.contains(parent));
            if goes_with_its_folder || self.goes(folder, &path) {
                gone.insert(path);
            }
        }
        Ok(gone.into_iter().collect())
    }
}

/// Removes what is superfluous. Returns what was removed of it, a folder without what was in it, and how that ended.
pub(super) fn remove(superfluous: &[Utf8PathBuf]) -> (Vec<&Utf8Path>, Result<(), Failed>) {
    let mut removed: Vec<&Utf8Path> = Vec::new();
    for path in superfluous {
        if removed.last().is_some_and(|last| path.starts_with(last)) {
            continue;
        }
        if let Err(error) = disk::remove(path) {
            return (removed, Err(error.into()));
        }
        removed.push(path);
    }
    (removed, Ok(()))
}

/// Paths as a list of texts.
pub(super) fn listed<P: AsRef<str>>(paths: impl IntoIterator<Item = P>) -> Data {
    paths.into_iter().map(|path| Data::from(path.as_ref())).collect()
}
