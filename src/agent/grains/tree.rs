//! The host's files, below a root.
//!
//! Whatever is missing, unreadable or not UTF-8 is an answer like any other: nothing here fails, and no
//! more of a file is read than a grain could need.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use regex::bytes::Regex;

/// The most that is read of one file. Programs that are searched for words are the largest.
const MOST: u64 = 16 << 20;

/// A file is searched in pieces of this size, so that it need not be in memory, for something that is not longer than this.
const PIECE: u64 = 256 << 10;
const FOUND: usize = 4096;

/// Folders where programs are looked for after those of `PATH`, which may lack `sbin`.
const FOLDERS: [&str; 6] = ["/sbin", "/bin", "/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];

/// The host's files.
pub(super) struct Tree<'a> {
    root: &'a Utf8Path,
    /// Folders with programs, as the host names them.
    programs: Vec<String>,
}

impl<'a> Tree<'a> {
    /// The files below a root; programs are looked for in the folders of `PATH`.
    pub(super) fn new(root: &'a Utf8Path, path: &str) -> Self {
        let mut programs: Vec<String> =
            path.split(':').filter(|folder| folder.starts_with('/')).map(Into::into).collect();
        for folder in FOLDERS {
            if !programs.iter().any(|known| known == folder) {
                programs.push(folder.into());
            }
        }
        Self { root, programs }
    }

    /// Where a path of the host is.
    pub(super) fn at(&self, path: &str) -> Utf8PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The bytes of a file, at most so many.
    pub(super) fn head(&self, path: &str, most: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.at(path)).ok()?.take(most).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// The bytes of a file.
    pub(super) fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        self.head(path, MOST)
    }

    /// What the first group of a pattern is where a file first has the pattern.
    pub(super) fn find(&self, path: &str, pattern: &Regex) -> Option<String> {
        let mut file = File::open(self.at(path)).ok()?.take(MOST);
        let mut window = Vec::new();
        loop {
            window.drain(..window.len().saturating_sub(FOUND));
            let is_end = (&mut file).take(PIECE).read_to_end(&mut window).ok()? == 0;
            let found = pattern.captures(&window).and_then(|groups| groups.get(1));
            // What goes on to the end of a piece may go on in the next.
            if let Some(found) = found.filter(|found| is_end || found.end() < window.len()) {
                return Some(String::from_utf8_lossy(found.as_bytes()).into_owned());
            }
            if is_end {
                return None;
            }
        }
    }

    /// The text of a file; what is not UTF-8 in it is replaced.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let bytes = self.bytes(path)?;
        Some(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// The text of a file without the blanks around it.
    pub(super) fn trimmed(&self, path: &str) -> Option<String> {
        Some(self.text(path)?.trim().to_owned())
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.at(path).exists()
    }

    pub(super) fn is_file(&self, path: &str) -> bool {
        self.at(path).is_file()
    }

    pub(super) fn is_dir(&self, path: &str) -> bool {
        self.at(path).is_dir()
    }

    /// Where a symbolic link points to, as it is written there.
    pub(super) fn link(&self, path: &str) -> Option<String> {
        Some(self.at(path).read_link_utf8().ok()?.into_string())
    }

    /// The names in a folder, sorted.
    pub(super) fn names(&self, path: &str) -> Vec<String> {
        let Ok(entries) = self.at(path).read_dir_utf8() else { return Vec::new() };
        let mut names: Vec<String> = entries.flatten().map(|entry| entry.file_name().to_owned()).collect();
        names.sort_unstable();
        names
    }

    /// Where a program is on the host: its name is looked for as a shell does, a path is taken as it is.
    pub(super) fn program(&self, name: &str) -> Option<String> {
        let folders = self.programs.iter().map(|folder| format!("{folder}/{name}"));
        let mut paths = std::iter::once(name.to_owned()).filter(|path| path.starts_with('/')).chain(folders);
        paths.find(|path| {
            let found = std::fs::metadata(self.at(path));
            found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
        })
    }
}
