//! Formulas in a git repository, at one commit: read from its objects, without a work tree.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{Error, Result};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use git2::{ObjectType, Oid, Repository, Tree};

use super::{Links, Root};

/// How many links may lead from one to the next, as the kernel has it.
const LINKS: usize = 40;

/// What git says a link's mode is.
const LINK: i32 = 0o120_000;

/// A repository of this machine at a commit. Links in it are followed, as in a work tree; submodules are not.
pub struct Git {
    name: String,
    /// What is in each file, and whether it can be executed.
    files: BTreeMap<String, (Oid, bool)>,
    /// The links that lead to something in the repository, and where.
    links: Links,
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
        let found = {
            let commit = Oid::from_str(commit).and_then(|commit| repository.find_commit(commit)).map_err(wrong)?;
            let commit = Commit { repository: &repository, tree: commit.tree().map_err(wrong)? };
            let mut found = Found::default();
            found.add(&commit, "", "", &mut Vec::new()).map_err(wrong)?;
            found
        };
        let Found { files, links } = found;
        Ok(Self { name: name.to_owned(), files, links, repository: Mutex::new(repository) })
    }

    /// What is inside one of its folders; `""` is all of it.
    #[must_use]
    pub fn inside(mut self, folder: &str) -> Self {
        if !folder.is_empty() {
            let folder = format!("{}/", folder.trim_end_matches('/'));
            let inside = |path: String| path.strip_prefix(&folder).map(str::to_owned);
            self.files = self.files.into_iter().filter_map(|(path, file)| Some((inside(path)?, file))).collect();
            let links = self.links.0.into_iter().filter_map(|(path, target)| Some((inside(path)?, target)));
            self.links = Links(links.collect());
        }
        self
    }
}

/// What a commit has.
struct Commit<'a> {
    repository: &'a Repository,
    tree: Tree<'a>,
}

/// What is at a path of a commit.
enum There {
    File { content: Oid, is_executable: bool },
    Folder,
    Link { target: String },
}

impl Commit<'_> {
    fn at(&self, path: &str) -> Option<There> {
        if path.is_empty() {
            return Some(There::Folder);
        }
        let entry = self.tree.get_path(Path::new(path)).ok()?;
        match entry.kind()? {
            ObjectType::Tree => Some(There::Folder),
            ObjectType::Blob if entry.filemode() == LINK => {
                let target = self.repository.find_blob(entry.id()).ok()?.content().to_vec();
                Some(There::Link { target: String::from_utf8(target).ok()? })
            }
            ObjectType::Blob => Some(There::File { content: entry.id(), is_executable: entry.filemode() & 0o111 != 0 }),
            _ => None,
        }
    }

    /// The path without links of what a path leads to; `None` if that is nothing, or not in the repository.
    fn follow(&self, path: &str) -> Option<String> {
        let mut at = String::new();
        let mut ahead: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            match name.as_str() {
                "" | "." => {}
                ".." if at.is_empty() => return None,
                ".." => at.truncate(at.rfind('/').unwrap_or(0)),
                name => {
                    let next = join(&at, name);
                    let There::Link { target } = self.at(&next)? else {
                        at = next;
                        continue;
                    };
                    links += 1;
                    if links > LINKS || target.starts_with('/') {
                        return None;
                    }
                    ahead.extend(target.rsplit('/').map(str::to_owned));
                }
            }
        }
        Some(at)
    }

    /// The names in a folder.
    fn names(&self, folder: &str) -> std::result::Result<Vec<String>, git2::Error> {
        let names = |tree: &Tree<'_>| tree.iter().filter_map(|entry| entry.name().ok().map(str::to_owned)).collect();
        if folder.is_empty() {
            return Ok(names(&self.tree));
        }
        let entry = self.tree.get_path(Path::new(folder))?;
        self.repository.find_tree(entry.id()).map(|tree| names(&tree))
    }
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

#[derive(Default)]
struct Found {
    files: BTreeMap<String, (Oid, bool)>,
    links: Links,
}

impl Found {
    /// Adds what is in a folder, by the path that it is `seen` at through links. A link that leads back to a folder `above`
    /// it is not followed.
    fn add(
        &mut self,
        commit: &Commit<'_>,
        folder: &str,
        seen: &str,
        above: &mut Vec<String>,
    ) -> std::result::Result<(), git2::Error> {
        above.push(folder.to_owned());
        for name in commit.names(folder)? {
            let (mut path, seen) = (join(folder, &name), join(seen, &name));
            let mut there = commit.at(&path);
            if let Some(There::Link { target }) = there {
                let Some(real) = commit.follow(&path) else { continue };
                self.links.0.insert(seen.clone(), target);
                there = commit.at(&real);
                path = real;
            }
            match there {
                Some(There::File { content, is_executable }) => {
                    self.files.insert(seen, (content, is_executable));
                }
                Some(There::Folder) if !above.contains(&path) => self.add(commit, &path, &seen, above)?,
                _ => {}
            }
        }
        above.pop();
        Ok(())
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

    fn links(&self) -> Result<Links> {
        Ok(self.links.clone())
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

    #[test]
    fn links_are_followed_as_in_a_work_tree() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        let repository = Repository::init(folder.path()).unwrap();
        fs_err::create_dir_all(at("nova/files/ocata")).unwrap();
        fs_err::write(at("nova/files/ocata/nova.conf.Debian"), "[DEFAULT]\n").unwrap();
        for (target, link) in [
            ("nova.conf.Debian", "nova/files/ocata/nova.conf.RedHat"),
            ("ocata", "nova/files/pike"),
            ("./pike/../pike", "nova/files/queens"),
            ("..", "nova/again"),
            ("a", "b"),
            ("b", "a"),
            ("/no/such/file", "outside"),
            ("../beside", "beside"),
            ("nowhere", "nova/lost"),
        ] {
            std::os::unix::fs::symlink(target, at(link)).unwrap();
        }
        let mut index = repository.index().unwrap();
        index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).unwrap();
        let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
        let person = git2::Signature::new("a", "a@example.net", &git2::Time::new(0, 0)).unwrap();
        let commit = repository.commit(Some("HEAD"), &person, &person, "a", &tree, &[]).unwrap().to_string();
        let root = Git::open(folder.path(), &commit, "formulas").unwrap();
        let files = ["ocata", "pike", "queens"]
            .map(|release| ["Debian", "RedHat"].map(|family| format!("nova/files/{release}/nova.conf.{family}")));
        assert_eq!(root.list().unwrap(), files.concat());
        assert!(files.concat().iter().all(|file| root.read(file).unwrap().unwrap() == b"[DEFAULT]\n"));
        // A work tree that is checked out has the same files.
        assert_eq!(super::super::Directory(folder.path().to_owned()).list().unwrap(), files.concat());
        let links = root.inside("nova").links().unwrap();
        assert_eq!(links.0.get("files/pike").map(String::as_str), Some("ocata"));
        assert_eq!(links.0.get("files/queens").map(String::as_str), Some("./pike/../pike"));
        assert!(!links.has("lost"));
    }
}
