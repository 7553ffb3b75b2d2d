//! Formulas that a Debian package brings: one that is installed, or a `.deb` file.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::directory::link_within;
use super::{Directory, Links, Root};

/// Where dpkg keeps the lists of what it installed.
const LISTS: &str = "/var/lib/dpkg/info";

/// The files of a package below the folder its SLS begin in.
#[derive(Debug)]
pub struct Package {
    name: String,
    /// Paths within the root and where they are.
    files: BTreeMap<String, PathBuf>,
    links: Links,
    /// What a `.deb` file was unpacked to, as long as this lives.
    _unpacked: Option<tempfile::TempDir>,
}

impl Package {
    /// The package of a name, if dpkg installed it here, or that of a file.
    ///
    /// # Errors
    /// When it is not there, cannot be unpacked, or has no SLS.
    pub fn open(package: &str) -> Result<Self> {
        let is_file = Path::new(package).extension().is_some_and(|extension| extension == "deb");
        let (files, unpacked) = if is_file {
            let (files, folder) = unpack(package)?;
            (files, Some(folder))
        } else {
            (installed(Path::new(LISTS), package)?, None)
        };
        let Some(begin) = begin(files.iter().map(|(path, _)| path.as_str())) else {
            return Err(Error::new(ErrorKind::InvalidData, format!("the package {package} has no SLS")));
        };
        let root = unpacked.as_ref().map_or_else(|| PathBuf::from(&begin), |folder| folder.path().join(&begin[1..]));
        let root = root.canonicalize()?;
        let files = files.into_iter().filter_map(|(path, place)| Some((path.strip_prefix(&begin)?.to_owned(), place)));
        let (mut all, mut links) = (BTreeMap::new(), Links::default());
        for (path, place) in files {
            if let Some(target) = link_within(&place, &root) {
                links.0.insert(path.clone(), target);
            }
            if place.is_dir() {
                let below = Directory(place.clone()).list()?.into_iter();
                all.extend(below.map(|file| (format!("{path}/{file}"), place.join(file))));
            } else {
                all.insert(path, place);
            }
        }
        Ok(Self { name: package.to_owned(), files: all, links, _unpacked: unpacked })
    }
}

/// The files that dpkg's list of a package names.
fn installed(lists: &Path, package: &str) -> Result<Vec<(String, PathBuf)>> {
    let plain = lists.join(format!("{package}.list"));
    let list = if plain.exists() {
        plain
    } else {
        // A package of several architectures has its own in the name of its list.
        let begin = format!("{package}:");
        let names = fs_err::read_dir(lists)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let found = names
            .filter(|name| name.strip_prefix(&begin).is_some_and(|rest| rest.strip_suffix(".list").is_some()))
            .min();
        let message = || format!("the package {package} is not installed here");
        lists.join(found.ok_or_else(|| Error::new(ErrorKind::NotFound, message()))?)
    };
    let text = fs_err::read_to_string(list)?;
    let files = text.lines().map(|path| (path.to_owned(), PathBuf::from(path)));
    // A link to a folder is all that the list says of what is in that.
    Ok(files.filter(|(_, place)| place.is_file() || (place.is_symlink() && place.is_dir())).collect())
}

/// What is in a `.deb` file, by `dpkg-deb`, which is wherever such files are made.
fn unpack(package: &str) -> Result<(Vec<(String, PathBuf)>, tempfile::TempDir)> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new("dpkg-deb");
    command.arg("--extract").arg(package).arg(folder.path()).stdin(Stdio::null());
    let output = command.output().map_err(|error| {
        Error::new(error.kind(), format!("cannot run `dpkg-deb`, which unpacks {package}: {error}"))
    })?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        return Err(Error::other(format!("cannot unpack {package}: {}", reason.trim())));
    }
    let all = Directory(folder.path().to_owned());
    let (files, links) = (all.list()?.into_iter(), all.links()?.0.into_keys());
    let files = files.chain(links).map(|path| (format!("/{path}"), folder.path().join(path)));
    Ok((files.collect(), folder))
}

/// The folder that SLS names count from: the one above the outermost `nova/init.sls`, or that of a `top.sls`.
fn begin<'a>(files: impl Iterator<Item = &'a str>) -> Option<String> {
    let outermost =
        files.filter(|path| path.strip_suffix(".sls").is_some()).min_by_key(|path| path.matches('/').count())?;
    let (folder, name) = outermost.rsplit_once('/')?;
    let folder = if name == "top.sls" { folder } else { folder.rsplit_once('/')?.0 };
    Some(format!("{folder}/"))
}

impl Root for Package {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>> {
        self.files.get(path).map(fs_err::read).transpose()
    }

    fn mode(&self, path: &str) -> Result<Option<u32>> {
        let Some(place) = self.files.get(path) else { return Ok(None) };
        Ok(Some(fs_err::metadata(place)?.permissions().mode() & 0o7777))
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
    fn the_root_of_a_package_is_where_its_sls_names_begin() {
        let begin = |files: &[&str]| begin(files.iter().copied());
        let env = "/usr/share/salt-formulas/env";
        let files = [format!("{env}/nova/compute/init.sls"), format!("{env}/nova/init.sls"), "/usr/share/doc/x".into()];
        assert_eq!(begin(&files.each_ref().map(String::as_str)), Some(format!("{env}/")));
        assert_eq!(begin(&["/srv/salt/top.sls", "/srv/salt/nova/init.sls"]), Some("/srv/salt/".to_owned()));
        assert_eq!(begin(&["/usr/bin/true"]), None);
    }

    #[test]
    fn an_installed_package_gives_the_files_of_its_list() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("env/nova/init.sls");
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(&file, "a: 1\n").unwrap();
        fs_err::write(folder.path().join("salt-formula-nova:all.list"), format!("/.\n{}\n", file.display())).unwrap();
        let files = installed(folder.path(), "salt-formula-nova").unwrap();
        assert_eq!(files, [(file.display().to_string(), file)]);
        assert!(installed(folder.path(), "salt-formula").is_err());
    }
}
