//! Formulas in a git repository, at one commit: read from its objects, without a work tree.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Error, Result};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use git2::{ObjectType, Oid, Repository, TreeWalkMode, TreeWalkResult};

use super::Root;

/// A repository of this machine at a commit. Submodules and links are not followed.
pub struct Git {
    name: String,
    /// What is in each file, and whether it can be executed.
    files: BTreeMap<String, (Oid, bool)>,
    repository: Mutex<Repository>,
}

impl Git {
    /// Opens a repository at a commit, which has to be there: `name` is what errors call it.
    ///
    /// # Errors
    /// When there is no such repository or commit.
    pub fn open(repository: &Path, commit: &str, name: &str) -> Result<Self> {
        let wrong = |error: git2::Error| Error::other(format!("{name}: {}", error.message()));
        let repository = Repository::open(repository).map_err(wrong)?;
        let files = {
            let commit = Oid::from_str(commit).and_then(|commit| repository.find_commit(commit)).map_err(wrong)?;
            let mut files = BTreeMap::new();
            let walk = |folder: &str, entry: &git2::TreeEntry<'_>| {
                // A mode of 0o120000 is a link.
                if entry.kind() == Some(ObjectType::Blob)
                    && entry.filemode() != 0o120_000
                    && let Ok(name) = entry.name()
                {
                    files.insert(format!("{folder}{name}"), (entry.id(), entry.filemode() & 0o111 != 0));
                }
                TreeWalkResult::Ok
            };
            commit.tree().and_then(|tree| tree.walk(TreeWalkMode::PreOrder, walk)).map_err(wrong)?;
            files
        };
        Ok(Self { name: name.to_owned(), files, repository: Mutex::new(repository) })
    }

    /// What is inside one of its folders; `""` is all of it.
    #[must_use]
    pub fn inside(mut self, folder: &str) -> Self {
        if !folder.is_empty() {
            let folder = format!("{}/", folder.trim_end_matches('/'));
            let files = self.files.into_iter();
            self.files =
                files.filter_map(|(path, file)| Some((path.strip_prefix(&folder)?.to_owned(), file))).collect();
        }
        self
    }
}

impl fmt::Debug for Git {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Root for Git {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let Some((id, _)) = self.files.get(path) else { return Ok(None) };
        let repository = self.repository.lock().unwrap_or_else(PoisonError::into_inner);
        let blob = repository.find_blob(*id);
        let content = blob.map(|blob| blob.content().to_vec());
        content.map(Some).map_err(|error| Error::other(format!("{}: {path}: {}", self.name, error.message())))
    }

    // A work tree that is checked out has these two modes.
    fn mode(&self, path: &str) -> Result<Option<u32>> {
        Ok(self.files.get(path).map(|(_, is_executable)| if *is_executable { 0o755 } else { 0o644 }))
    }

    fn list(&self) -> Result<Vec<String>> {
        Ok(self.files.keys().cloned().collect())
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_read_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let repository = Repository::init(folder.path()).unwrap();
        let commit = |content: &str| {
            fs_err::create_dir_all(folder.path().join("nova")).unwrap();
            fs_err::write(folder.path().join("nova/init.sls"), content).unwrap();
            let mut index = repository.index().unwrap();
            index.add_path(Path::new("nova/init.sls")).unwrap();
            let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
            let person = git2::Signature::new("a", "a@example.net", &git2::Time::new(0, 0)).unwrap();
            let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
            let parents: Vec<_> = parent.iter().collect();
            repository.commit(Some("HEAD"), &person, &person, "a", &tree, &parents).unwrap().to_string()
        };
        let first = commit("a: 1\n");
        commit("a: 2\n");
        let root = Git::open(folder.path(), &first, "formulas").unwrap();
        assert_eq!(root.list().unwrap(), ["nova/init.sls"]);
        assert_eq!(root.read("nova/init.sls").unwrap().unwrap(), b"a: 1\n");
        let inside = Git::open(folder.path(), &first, "formulas").unwrap().inside("nova");
        assert_eq!(
            (inside.list().unwrap(), inside.read("init.sls").unwrap().unwrap()),
            (vec!["init.sls".to_owned()], b"a: 1\n".into())
        );
        assert!(Git::open(folder.path(), &"0".repeat(40), "formulas").is_err());
    }
}
