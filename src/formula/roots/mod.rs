//! Where formula files come from: directories, git at a commit, a Debian package's file list.

mod directory;
mod git;
mod package;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::model::hash::Hash;

pub use directory::Directory;
pub use git::Git;
pub use package::Package;

/// One place to look for files, by their path within the file root (`nova/map.jinja`).
pub trait Root: fmt::Debug + Send + Sync {
    /// The content of a file; `None` if there is none of that name here.
    ///
    /// # Errors
    /// When what is there cannot be read.
    fn read(&self, path: &str) -> std::io::Result<Option<Vec<u8>>>;
    /// Whether there is a file of a name here.
    ///
    /// # Errors
    /// When that cannot be found out.
    fn has(&self, path: &str) -> std::io::Result<bool> {
        Ok(self.read(path)?.is_some())
    }
    /// The mode of a file, as far as this root knows modes.
    ///
    /// # Errors
    /// When that cannot be found out.
    fn mode(&self, path: &str) -> std::io::Result<Option<u32>> {
        let _ = path;
        Ok(None)
    }
    /// Every file, sorted.
    ///
    /// # Errors
    /// When it cannot be listed.
    fn list(&self) -> std::io::Result<Vec<String>>;
    /// Every file below a folder, sorted.
    ///
    /// # Errors
    /// When it cannot be listed.
    fn below(&self, folder: &str) -> std::io::Result<Vec<String>> {
        let files = self.list()?.into_iter();
        Ok(files.filter(|path| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))).collect())
    }
    /// The links that lead to something here, with where each leads as it is written. What they lead to is among the
    /// files too, by the path through the link.
    ///
    /// # Errors
    /// When they cannot be listed.
    fn links(&self) -> std::io::Result<Links> {
        Ok(Links::default())
    }
    /// What to call this root in an error.
    fn name(&self) -> String;
}

/// Links by their path within the file root, and where each leads as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links(pub BTreeMap<String, String>);

impl Links {
    /// Whether a path is a link, or leads through one.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.0.contains_key(path) || self.is_above(path)
    }

    /// Whether a path leads through a link.
    #[must_use]
    pub fn is_above(&self, path: &str) -> bool {
        path.match_indices('/').any(|(at, _)| self.0.contains_key(&path[..at]))
    }
}

/// Several roots: the first one that has a file wins, as with Salt's `file_roots`.
#[derive(Debug, Clone, Default)]
pub struct Roots(pub Vec<Arc<dyn Root>>);

/// An SLS file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The path within its root.
    pub path: String,
    /// Whether it is the `init.sls` of a folder, from which relative includes count differently.
    pub is_init: bool,
    /// The text.
    pub text: String,
}

impl Roots {
    /// The content of a file from the first root that has it.
    ///
    /// # Errors
    /// When what is there cannot be read.
    pub fn read(&self, path: &str) -> std::io::Result<Option<Vec<u8>>> {
        for root in &self.0 {
            if let Some(content) = root.read(path)? {
                return Ok(Some(content));
            }
        }
        Ok(None)
    }

    /// Whether a root has a file.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub fn has(&self, path: &str) -> std::io::Result<bool> {
        for root in &self.0 {
            if root.has(path)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The mode of a file in the first root that has it, if that root knows modes.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub fn mode(&self, path: &str) -> std::io::Result<Option<u32>> {
        for root in &self.0 {
            if root.has(path)? {
                return root.mode(path);
            }
        }
        Ok(None)
    }

    /// Every file that a root has below a folder, sorted.
    ///
    /// # Errors
    /// When a root cannot be listed.
    pub fn below(&self, folder: &str) -> std::io::Result<Vec<String>> {
        let mut files = Vec::new();
        for root in &self.0 {
            files.extend(root.below(folder)?);
        }
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// Every link of a root that no root before it hides, with where it leads.
    ///
    /// # Errors
    /// When a root cannot be listed.
    pub fn links(&self) -> std::io::Result<Links> {
        let mut links = Links::default();
        for root in self.0.iter().rev() {
            for path in root.list()? {
                links.0.remove(&path);
            }
            links.0.extend(root.links()?.0);
        }
        Ok(links)
    }

    /// A file's text; what is not UTF-8 is an error.
    ///
    /// # Errors
    /// When it cannot be read, or is not UTF-8.
    pub fn text(&self, path: &str) -> std::io::Result<Option<String>> {
        let Some(content) = self.read(path)? else { return Ok(None) };
        let wrong = |_| std::io::Error::new(std::io::ErrorKind::InvalidData, format!("{path} is not UTF-8"));
        String::from_utf8(content).map(Some).map_err(wrong)
    }

    /// The file of an SLS name: `nova.api` is `nova/api.sls` or `nova/api/init.sls`.
    ///
    /// # Errors
    /// When it cannot be read, or is not UTF-8.
    pub fn sls(&self, name: &str) -> std::io::Result<Option<Found>> {
        let path = name.replace('.', "/");
        for (path, is_init) in [(format!("{path}.sls"), false), (format!("{path}/init.sls"), true)] {
            if let Some(text) = self.text(&path)? {
                return Ok(Some(Found { path, is_init, text }));
            }
        }
        Ok(None)
    }

    /// Whether an SLS is among the [`sls_names`](Self::sls_names).
    ///
    /// # Errors
    /// When that cannot be found out.
    pub fn has_sls(&self, name: &str) -> std::io::Result<bool> {
        if name.contains('/') {
            return Ok(false);
        }
        let path = name.replace('.', "/");
        // `nova/init.sls` is `nova`, and never `nova.init`.
        let file = (!path.ends_with("/init")).then(|| format!("{path}.sls"));
        for path in file.into_iter().chain([format!("{path}/init.sls")]) {
            if self.has(&path)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Every file of any root, sorted.
    ///
    /// # Errors
    /// When a root cannot be listed.
    pub fn list(&self) -> std::io::Result<BTreeSet<String>> {
        let mut files = BTreeSet::new();
        for root in &self.0 {
            files.extend(root.list()?);
        }
        Ok(files)
    }

    /// Every SLS name, sorted.
    ///
    /// # Errors
    /// When a root cannot be listed.
    pub fn sls_names(&self) -> std::io::Result<Vec<String>> {
        let name = |path: &String| {
            let name = path.strip_suffix(".sls")?.replace('/', ".");
            Some(name.strip_suffix(".init").unwrap_or(&name).to_owned())
        };
        let mut names: Vec<String> = self.list()?.iter().filter_map(name).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// What tells these files from all others: their paths and contents, whatever else they lie beside.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn digest(&self) -> std::io::Result<Hash> {
        let mut files: BTreeMap<String, &Arc<dyn Root>> = BTreeMap::new();
        for root in self.0.iter().rev() {
            files.extend(root.list()?.into_iter().map(|path| (path, root)));
        }
        let mut digest = Sha256::new();
        for (path, root) in files {
            let content = root.read(&path)?.unwrap_or_default();
            for part in [path.as_bytes(), &content] {
                digest.update(part.len().to_le_bytes());
                digest.update(part);
            }
        }
        Ok(Hash::so_far(&digest))
    }
}

/// Files in memory.
#[derive(Debug, Clone, Default)]
pub struct Memory(pub BTreeMap<String, Vec<u8>>);

impl Root for Memory {
    fn read(&self, path: &str) -> std::io::Result<Option<Vec<u8>>> {
        Ok(self.0.get(path).cloned())
    }

    fn list(&self) -> std::io::Result<Vec<String>> {
        Ok(self.0.keys().cloned().collect())
    }

    fn name(&self) -> String {
        "memory".to_owned()
    }
}
