//! Formulas in a folder of this machine.

use std::io::{ErrorKind, Result};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::{Links, Root};

/// A folder. Links in it are followed, as Salt does.
#[derive(Debug, Clone)]
pub struct Directory(pub PathBuf);

impl Root for Directory {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        if !is_within(path) {
            return Ok(None);
        }
        match fs_err::read(self.0.join(path)) {
            Ok(content) => Ok(Some(content)),
            Err(error) => match error.kind() {
                ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory => Ok(None),
                _ => Err(error),
            },
        }
    }

    fn has(&self, path: &str) -> Result<bool> {
        Ok(is_within(path) && self.0.join(path).is_file())
    }

    fn mode(&self, path: &str) -> Result<Option<u32>> {
        if !self.has(path)? {
            return Ok(None);
        }
        Ok(Some(fs_err::metadata(self.0.join(path))?.permissions().mode() & 0o7777))
    }

    fn list(&self) -> Result<Vec<String>> {
        Ok(self.walk("")?.files)
    }

    fn below(&self, folder: &str) -> Result<Vec<String>> {
        if is_within(folder) && self.0.join(folder).is_dir() { Ok(self.walk(folder)?.files) } else { Ok(Vec::new()) }
    }

    fn links(&self) -> Result<Links> {
        Ok(self.walk("")?.links)
    }

    fn name(&self) -> String {
        self.0.display().to_string()
    }
}

/// What is below a folder.
#[derive(Default)]
struct Found {
    /// Sorted.
    files: Vec<String>,
    links: Links,
}

impl Directory {
    fn walk(&self, folder: &str) -> Result<Found> {
        let mut found = Found::default();
        let root = self.0.canonicalize()?;
        // With the folders that each is in: a link that leads back to one of them is not followed.
        let mut folders = vec![(folder.trim_end_matches('/').to_owned(), Vec::new())];
        while let Some((folder, mut above)) = folders.pop() {
            let own = fs_err::metadata(self.0.join(&folder))?;
            above.push((own.dev(), own.ino()));
            for entry in fs_err::read_dir(self.0.join(&folder))? {
                let entry = entry?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                // A link that leads nowhere is not a file.
                let Ok(there) = fs_err::metadata(entry.path()) else { continue };
                if let Some(target) = link_within(&entry.path(), &root) {
                    found.links.0.insert(path.clone(), target);
                }
                if there.is_file() {
                    found.files.push(path);
                } else if there.is_dir() && !above.contains(&(there.dev(), there.ino())) && entry.file_name() != ".git"
                {
                    folders.push((path, above.clone()));
                }
            }
        }
        found.files.sort();
        Ok(found)
    }
}

/// Where a link leads as it is written, if what is there is below a folder, wherever that is.
pub(super) fn link_within(path: &Path, folder: &Path) -> Option<String> {
    let target = path.read_link().ok()?;
    let is_within = target.is_relative() && path.canonicalize().is_ok_and(|there| there.starts_with(folder));
    target.into_os_string().into_string().ok().filter(|_| is_within)
}

/// Whether a path stays in its folder.
fn is_within(path: &str) -> bool {
    !path.starts_with('/') && path.split('/').all(|part| part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_its_files_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let formulas = folder.path().join("formulas");
        fs_err::create_dir_all(formulas.join("nova")).unwrap();
        fs_err::write(formulas.join("nova/init.sls"), "a: 1\n").unwrap();
        fs_err::write(folder.path().join("secret"), "no").unwrap();
        for (target, link) in
            [("..", "nova/again"), ("nova", "compute"), ("init.sls", "nova/api.sls"), ("../secret", "x")]
        {
            std::os::unix::fs::symlink(target, formulas.join(link)).unwrap();
        }
        let root = Directory(formulas);
        assert_eq!(root.read("nova/init.sls").unwrap().unwrap(), b"a: 1\n");
        assert_eq!(root.read("../secret").unwrap(), None);
        assert_eq!(root.read("nova").unwrap(), None);
        assert_eq!(
            root.list().unwrap(),
            ["compute/api.sls", "compute/init.sls", "nova/api.sls", "nova/init.sls", "x"],
            "with what links lead to, once"
        );
        let links = [("compute", "nova"), ("nova/again", ".."), ("nova/api.sls", "init.sls")];
        let inner = links.map(|(path, target)| (path.to_owned(), target.to_owned()));
        let found = root.links().unwrap();
        assert!(inner.iter().all(|(path, target)| found.0.get(path) == Some(target)) && !found.has("x"), "{found:?}");
    }
}
