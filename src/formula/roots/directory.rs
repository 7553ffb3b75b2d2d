//! Formulas in a folder of this machine.

use std::io::{ErrorKind, Result};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::Root;

/// The deepest folder that is looked into; a link can lead back up.
const DEEPEST: usize = 40;

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
        self.walk("")
    }

    fn below(&self, folder: &str) -> Result<Vec<String>> {
        if is_within(folder) && self.0.join(folder).is_dir() { self.walk(folder) } else { Ok(Vec::new()) }
    }

    fn name(&self) -> String {
        self.0.display().to_string()
    }
}

impl Directory {
    fn walk(&self, folder: &str) -> Result<Vec<String>> {
        let mut files = Vec::new();
        let mut folders = vec![(folder.trim_end_matches('/').to_owned(), 0)];
        while let Some((folder, depth)) = folders.pop() {
            for entry in fs_err::read_dir(self.0.join(&folder))? {
                let entry = entry?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                // A link that leads nowhere is not a file.
                let Ok(kind) = fs_err::metadata(entry.path()) else { continue };
                if kind.is_file() {
                    files.push(path);
                } else if kind.is_dir() && depth < DEEPEST && entry.file_name() != ".git" {
                    folders.push((path, depth + 1));
                }
            }
        }
        files.sort();
        Ok(files)
    }
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
        std::os::unix::fs::symlink(&formulas, formulas.join("nova/again")).unwrap();
        let root = Directory(formulas);
        assert_eq!(root.read("nova/init.sls").unwrap().unwrap(), b"a: 1\n");
        assert_eq!(root.read("../secret").unwrap(), None);
        assert_eq!(root.read("nova").unwrap(), None);
        let files = root.list().unwrap();
        assert!(files.contains(&"nova/init.sls".to_owned()) && files.len() < DEEPEST);
    }
}
