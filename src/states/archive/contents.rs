//! What is in an archive, and what of it is there already.

use std::io::ErrorKind;

use fs_err as fs;

use super::Wanted;
use crate::states::Failed;

/// What something in an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File,
    Link,
}

/// Everything in an archive.
#[derive(Debug, Clone, Default)]
pub(super) struct Contents {
    /// The paths as they come in the archive, a folder's with a slash at its end.
    members: Vec<(String, Kind)>,
    pub(super) top_folders: Vec<String>,
    pub(super) top_files: Vec<String>,
    pub(super) top_links: Vec<String>,
}

/// What is there of an archive.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct There {
    pub(super) is_missing: bool,
    /// Paths at which there is a file instead of a folder, or the like.
    pub(super) of_other_type: Vec<String>,
}

impl Contents {
    /// # Errors
    /// When a path leads out of the folder that it is unpacked in.
    pub(super) fn new(members: Vec<(String, Kind)>) -> Result<Self, Failed> {
        let leads_out = |path: &str| path.split('/').any(|part| part == "..");
        if let Some((path, _)) = members.iter().find(|(path, _)| leads_out(path)) {
            return Err(format!("the archive has a path that leads out of its folder: `{path}`").into());
        }
        let mut contents = Self { members, ..Self::default() };
        contents.find_top();
        Ok(contents)
    }

    /// What is left when this many folders are taken from the beginning of every path.
    pub(super) fn stripped(self, folders: usize) -> Self {
        if folders == 0 {
            return self;
        }
        let strip = |(path, kind): (String, Kind)| {
            let rest = path.splitn(folders + 1, '/').nth(folders).filter(|rest| !rest.is_empty())?;
            Some((rest.to_owned(), kind))
        };
        let mut stripped = Self { members: self.members.into_iter().filter_map(strip).collect(), ..Self::default() };
        stripped.find_top();
        stripped
    }

    fn find_top(&mut self) {
        let mut all: [Vec<&str>; 3] = [Kind::Folder, Kind::File, Kind::Link]
            .map(|kind| self.members.iter().filter(|(_, of)| *of == kind).map(|(path, _)| path.as_str()).collect());
        for paths in &mut all {
            paths.sort_unstable();
        }
        let [folders, files, links] = all;
        let slashes = |path: &str| path.matches('/').count();
        let owned = |paths: &[&str], depth| {
            paths.iter().filter(|path| slashes(path) == depth).map(|path| (*path).to_owned()).collect::<Vec<_>>()
        };
        self.top_folders = owned(&folders, 1);
        // A folder need not be in the archive to be the one that everything is in.
        let mut members = self.members.iter().map(|(path, _)| path.as_str());
        let first = members.next().unwrap_or_default();
        let common = members.fold(first.len(), |length, path| {
            first.bytes().zip(path.bytes()).take(length).take_while(|(one, two)| one == two).count()
        });
        if let Some((top, _)) = first.get(..common).and_then(|common| common.split_once('/')) {
            let top = format!("{top}/");
            if !self.top_folders.contains(&top) {
                self.top_folders.push(top);
            }
        }
        self.top_files = owned(&files, 0);
        self.top_links = owned(&links, 0);
    }

    /// The paths as they come in the archive, without slashes at their ends.
    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(path, _)| path.trim_end_matches('/'))
    }

    /// What is there of it.
    pub(super) fn compare(&self, wanted: &Wanted<'_>) -> Result<There, Failed> {
        let mut there = There::default();
        for (path, kind) in &self.members {
            match fs::symlink_metadata(wanted.path(path)) {
                Ok(found) => {
                    let found = match found.file_type() {
                        kind if kind.is_symlink() => Kind::Link,
                        kind if kind.is_dir() => Kind::Folder,
                        _ => Kind::File,
                    };
                    if found != *kind {
                        there.of_other_type.push(path.clone());
                    }
                }
                Err(error) if error.kind() == ErrorKind::NotFound => there.is_missing = true,
                // A file is in the place of a folder, which is known already.
                Err(error) if error.kind() == ErrorKind::NotADirectory => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(there)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(paths: &[&str]) -> Contents {
        let kind = |path: &str| if path.ends_with('/') { Kind::Folder } else { Kind::File };
        Contents::new(paths.iter().map(|path| ((*path).to_owned(), kind(path))).collect()).unwrap()
    }

    #[test]
    fn a_single_folder_at_the_top_need_not_be_listed() {
        assert_eq!(contents(&["a/", "a/b", "c/"]).top_folders, ["a/", "c/"]);
        assert_eq!(contents(&["jdk/bin/java", "jdk/lib/rt"]).top_folders, ["jdk/"]);
        assert_eq!(contents(&["./", "./a", "./b/"]).top_folders, ["./"]);
        assert_eq!(contents(&["a", "b/"]).top_files, ["a"]);
    }

    #[test]
    fn folders_are_stripped_from_the_beginning() {
        let stripped = contents(&["a/", "a/b/", "a/b/c", "d"]).stripped(1);
        assert_eq!(stripped.paths().collect::<Vec<_>>(), ["b", "b/c"]);
    }

    #[test]
    fn a_path_that_leads_out_is_refused() {
        assert!(Contents::new(vec![("a/../../b".to_owned(), Kind::File)]).is_err());
    }
}
