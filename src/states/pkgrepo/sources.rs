//! The files that say where `apt` gets packages: `/etc/apt/sources.list` and `sources.list.d/*.list`.
//!
//! A file is written only if something in it has changed; comments and whatever is no repository stay as they are.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::entry::Entry;
use crate::states::disk::{self, Attributes};

/// All of them, with what is to become of them.
#[derive(Debug)]
pub(super) struct Sources {
    folder: Utf8PathBuf,
    files: Vec<File>,
}

#[derive(Debug, PartialEq, Eq)]
struct File {
    path: Utf8PathBuf,
    lines: Vec<Line>,
    /// What is on the disk; `None` if the file is not there.
    old: Option<String>,
    is_removed: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Line {
    Entry(Entry),
    Other(String),
}

/// Where an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At(usize, usize);

impl Sources {
    /// Reads those below `/etc/apt`, or below another folder in its place.
    pub(super) fn read(folder: &Utf8Path) -> io::Result<Self> {
        let mut paths = vec![folder.join("sources.list")];
        if let Ok(entries) = folder.join("sources.list.d").read_dir_utf8() {
            let mut lists: Vec<Utf8PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.into_path())).collect();
            lists.retain(|path| path.extension() == Some("list") && path.is_file());
            lists.sort();
            paths.extend(lists);
        }
        let mut sources = Self { folder: folder.to_owned(), files: Vec::new() };
        for path in paths {
            sources.open(path)?;
        }
        Ok(sources)
    }

    /// The number of a file, which is read if it was not.
    fn open(&mut self, path: Utf8PathBuf) -> io::Result<usize> {
        if let Some(known) = self.files.iter().position(|file| file.path == path) {
            return Ok(known);
        }
        let old = match fs::read(&path) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let line = |line: &str| match Entry::parse(line) {
            Some(entry) => Line::Entry(entry),
            None => Line::Other(line.to_owned()),
        };
        let lines = old.as_deref().unwrap_or_default().lines().map(line).collect();
        self.files.push(File { path, lines, old, is_removed: false });
        Ok(self.files.len() - 1)
    }

    /// All entries with the places where they are.
    fn entries(&self) -> impl Iterator<Item = (At, &Entry)> {
        self.files.iter().enumerate().flat_map(|(file, of)| {
            of.lines.iter().enumerate().filter_map(move |(line, what)| match what {
                Line::Entry(entry) => Some((At(file, line), entry)),
                Line::Other(_) => None,
            })
        })
    }

    /// The first entry that is the same repository: with a component in common, if components are asked for.
    pub(super) fn find(&self, wanted: &Entry) -> Option<(At, &Entry)> {
        let is_it = |entry: &Entry| entry.is_of(wanted) && (wanted.components.is_empty() || entry.shares(wanted));
        self.entries().find(|(_, entry)| is_it(entry))
    }

    /// The entry that is to be changed for this one to be there: one that has no component in common only if it is for
    /// other architectures, or for all components.
    pub(super) fn find_to_change(&self, wanted: &Entry) -> Option<At> {
        let is_it = |entry: &Entry| {
            let others = entry.architectures() != wanted.architectures();
            entry.is_of(wanted) && (entry.shares(wanted) || entry.components.is_empty() || others)
        };
        self.entries().find(|(_, entry)| is_it(entry)).map(|(at, _)| at)
    }

    /// Puts an entry in the place of another, or last in a file. With a file it goes there wherever it was.
    pub(super) fn put(&mut self, entry: Entry, at: Option<At>, file: Option<&Utf8Path>) -> io::Result<()> {
        let path = file.map_or_else(|| self.folder.join("sources.list"), Utf8Path::to_owned);
        let number = match (at, file) {
            (Some(At(number, _)), None) => number,
            _ => self.open(path)?,
        };
        self.files[number].is_removed = false;
        match at {
            Some(At(of, line)) if of == number => self.files[of].lines[line] = Line::Entry(entry),
            Some(At(of, line)) => {
                self.files[of].lines.remove(line);
                self.files[number].lines.push(Line::Entry(entry));
            }
            None => self.files[number].lines.push(Line::Entry(entry)),
        }
        Ok(())
    }

    /// Empties a file.
    pub(super) fn clear(&mut self, path: &Utf8Path) -> io::Result<()> {
        let number = self.open(path.to_owned())?;
        self.files[number].lines.clear();
        Ok(())
    }

    /// Whether a file has anything in it but this repository and comments.
    pub(super) fn has_others(&self, path: &Utf8Path, line: &str) -> bool {
        let Some(file) = self.files.iter().find(|file| file.path == path) else { return false };
        let mut lines = file.old.as_deref().unwrap_or_default().lines().map(str::trim);
        lines.any(|there| !there.is_empty() && !there.starts_with('#') && there != line.trim())
    }

    /// Moves everything into `sources.list`, one line for a place and release, and drops comments and other files.
    pub(super) fn consolidate(&mut self) {
        let mut all: Vec<Entry> = Vec::new();
        for (_, entry) in self.entries() {
            let is_same = |other: &&mut Entry| {
                other.is_of(entry)
                    && other.is_disabled == entry.is_disabled
                    && other.architectures() == entry.architectures()
            };
            match all.iter_mut().find(is_same) {
                Some(other) => {
                    let new = entry.components.iter().filter(|component| !other.components.contains(component));
                    let new: Vec<String> = new.cloned().collect();
                    other.components.extend(new);
                }
                None => all.push(entry.clone()),
            }
        }
        for file in &mut self.files {
            file.is_removed = file.lines.iter().any(|line| matches!(line, Line::Entry(_)));
            if file.is_removed {
                file.lines.clear();
            }
        }
        if let Some(first) = self.files.first_mut() {
            first.is_removed = false;
            first.lines = all.into_iter().map(Line::Entry).collect();
        }
    }

    /// Takes the components of a repository out of every entry of it, and entries that have none left. Returns the
    /// files that it was in.
    pub(super) fn take_out(&mut self, unwanted: &Entry) -> Vec<(Utf8PathBuf, bool)> {
        let mut changed = Vec::new();
        for file in &mut self.files {
            let before = file.lines.len();
            let mut is_changed = false;
            file.lines.retain_mut(|line| {
                let Line::Entry(entry) = line else { return true };
                let is_all = entry.components.is_empty() && unwanted.components.is_empty();
                let is_it = entry.is_of(unwanted) && entry.architectures() == unwanted.architectures();
                if !is_it || !(is_all || entry.shares(unwanted)) {
                    return true;
                }
                is_changed = true;
                entry.components.retain(|component| !unwanted.components.contains(component));
                !entry.components.is_empty()
            });
            if is_changed || file.lines.len() != before {
                let is_list = file.path.parent().is_some_and(|folder| folder.ends_with("sources.list.d"));
                file.is_removed = file.lines.is_empty() && is_list;
                changed.push((file.path.clone(), file.is_removed));
            }
        }
        changed
    }

    /// Writes what has changed; files go only after those that are written are there.
    pub(super) fn save(&self) -> io::Result<()> {
        for file in self.files.iter().filter(|file| !file.is_removed) {
            let lines = file.lines.iter().map(|line| match line {
                Line::Entry(entry) => entry.line() + "\n",
                Line::Other(line) => format!("{line}\n"),
            });
            let new: String = lines.collect();
            let is_new = file.old.as_deref().is_none_or(|old| !is_same(old, &new));
            if is_new && (file.old.is_some() || !new.is_empty()) {
                if let Some(folder) = file.path.parent().filter(|folder| !folder.exists()) {
                    disk::create_folder(folder, Attributes::default(), Attributes::default())?;
                }
                disk::replace(&file.path, new.as_bytes(), Attributes::default())?;
            }
        }
        for file in self.files.iter().filter(|file| file.is_removed) {
            disk::remove_if_there(&file.path)?;
        }
        Ok(())
    }
}

/// Whether two texts say the same, line for line, whatever blanks they have.
fn is_same(one: &str, two: &str) -> bool {
    let words = |text: &str| {
        text.lines().map(|line| line.split_ascii_whitespace().map(str::to_owned).collect()).collect::<Vec<Vec<_>>>()
    };
    words(one) == words(two)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
        fs::create_dir(path.join("sources.list.d")).unwrap();
        for (name, text) in files {
            fs::write(path.join(name), text).unwrap();
        }
        (folder, path)
    }

    fn entry(line: &str) -> Entry {
        Entry::parse(line).unwrap()
    }

    #[test]
    fn a_repository_is_changed_where_it_is() {
        let list = "# mine\ndeb http://a  stable main\ndeb http://b stable main\n";
        let (_folder, path) = folder(&[("sources.list", list)]);
        let mut sources = Sources::read(&path).unwrap();
        let wanted = entry("deb http://b stable main contrib");
        let at = sources.find(&wanted).unwrap().0;
        sources.put(wanted, Some(at), None).unwrap();
        sources.save().unwrap();
        let now = fs::read_to_string(path.join("sources.list")).unwrap();
        assert_eq!(now, "# mine\ndeb http://a stable main\ndeb http://b stable main contrib\n");
    }

    #[test]
    fn a_file_that_needs_no_change_is_not_written() {
        let (_folder, path) = folder(&[("sources.list", "deb   http://a stable main")]);
        Sources::read(&path).unwrap().save().unwrap();
        assert_eq!(fs::read_to_string(path.join("sources.list")).unwrap(), "deb   http://a stable main");
    }

    #[test]
    fn a_file_goes_with_the_last_of_its_repositories_and_the_list_stays() {
        let files =
            [("sources.list", "deb http://a stable main\n"), ("sources.list.d/a.list", "deb http://a stable main\n")];
        let (_folder, path) = folder(&files);
        let mut sources = Sources::read(&path).unwrap();
        assert_eq!(sources.take_out(&entry("deb http://a/ stable main")).len(), 2);
        sources.save().unwrap();
        assert_eq!(fs::read_to_string(path.join("sources.list")).unwrap(), "");
        assert!(!path.join("sources.list.d/a.list").exists());
    }

    #[test]
    fn what_is_consolidated_is_in_one_file() {
        let files = [
            ("sources.list", "# comment\ndeb http://a stable main\n"),
            ("sources.list.d/a.list", "deb http://a stable contrib\ndeb http://b stable main\n"),
        ];
        let (_folder, path) = folder(&files);
        let mut sources = Sources::read(&path).unwrap();
        sources.consolidate();
        sources.save().unwrap();
        let now = fs::read_to_string(path.join("sources.list")).unwrap();
        assert_eq!(now, "deb http://a stable main contrib\ndeb http://b stable main\n");
        assert!(!path.join("sources.list.d/a.list").exists());
    }
}
