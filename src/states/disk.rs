//! Puts files, folders and links where they belong: the old one or the new one, and never half of one.

use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use crate::model::hash::Hash;
use crate::states::{Failed, Host};

/// Who a file belongs to, and who may do what with it. What is not given stays, or is the default of a new file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    pub(super) mode: Option<u32>,
}

/// The mode of a file that is created and has none given: what Python's `open` would give it.
pub(super) const FILE_MODE: u32 = 0o644;

/// How many links may follow one another, as for the kernel.
const LINKS: usize = 40;

/// Replaces a file's content, or creates the file.
///
/// Its owner, mode, access lists and labels stay where nothing else is given. A link is followed: what it leads to is replaced.
pub(super) fn replace(path: &Utf8Path, content: &[u8], attributes: Attributes) -> io::Result<()> {
    put(&real(path), content, attributes)
}

/// [`replace`] where a link is not followed: it makes way for the file, which belongs to whom the link led to.
pub(super) fn put(path: &Utf8Path, content: &[u8], attributes: Attributes) -> io::Result<()> {
    let there = match fs::metadata(path) {
        Ok(there) => Some(there),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let part = Part(part(path));
    remove_if_there(&part.0)?;
    let mut options = std::fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(options.write(true).create_new(true), 0o600);
    let mut file = fs::OpenOptions::from_options(options).open(&part.0)?;
    file.write_all(content)?;
    let uid = attributes.uid.or(there.as_ref().map(std::fs::Metadata::uid));
    let gid = attributes.gid.or(there.as_ref().map(std::fs::Metadata::gid));
    if let Some(there) = &there
        && there.is_file()
    {
        copy_labels(path, &part.0);
    }
    own(&part.0, uid, gid)?;
    let mode = attributes.mode.or(there.as_ref().map(|there| there.mode() & 0o7777)).unwrap_or(FILE_MODE);
    file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    file.sync_all()?;
    drop(file);
    fs::rename(&part.0, path)?;
    std::mem::forget(part);
    Ok(())
}

/// Where something is made before it takes its place.
///
/// The same name every time: what a process left that was killed here goes with the next try.
pub(super) fn part(path: &Utf8Path) -> Utf8PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_str().is_empty()).unwrap_or(Utf8Path::new("/"));
    let name = Hash::of(path.as_str().as_bytes()).to_string();
    folder.join(format!(".upshift-{}.part", &name[..16]))
}

/// A file that goes when nothing comes of it.
struct Part(Utf8PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Who something belongs to that is created in a folder.
pub(super) fn newcomer(folder: &Utf8Path) -> io::Result<(u32, u32)> {
    let folder = fs::metadata(folder)?;
    let hands_down = folder.mode() & 0o2000 != 0;
    let gid = if hands_down { folder.gid() } else { rustix::process::getegid().as_raw() };
    Ok((rustix::process::geteuid().as_raw(), gid))
}

/// Gives what is at a path, which may be a link, to somebody.
pub(super) fn own(path: &Utf8Path, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    if uid.is_none() && gid.is_none() {
        return Ok(());
    }
    let error =
        |error: io::Error| io::Error::new(error.kind(), format!("cannot change the owner of `{path}`: {error}"));
    std::os::unix::fs::lchown(path, uid, gid).map_err(error)
}

/// Sets owner and mode of what is there already. A change of owner may clear bits of the mode, so that comes after.
pub(super) fn set(path: &Utf8Path, attributes: Attributes) -> io::Result<()> {
    own(path, attributes.uid, attributes.gid)?;
    match attributes.mode {
        Some(mode) => fs::set_permissions(path, std::fs::Permissions::from_mode(mode)),
        None => Ok(()),
    }
}

/// Which of the wanted attributes are not there yet.
pub(super) fn differing(there: &std::fs::Metadata, wanted: Attributes) -> Attributes {
    Attributes {
        uid: wanted.uid.filter(|uid| *uid != there.uid()),
        gid: wanted.gid.filter(|gid| *gid != there.gid()),
        mode: wanted.mode.filter(|mode| *mode != there.mode() & 0o7777),
    }
}

/// Creates a folder and those above it that are missing; only the last one gets the attributes.
///
/// Each one is there with its owner and mode, or is not there.
pub(super) fn create_folder(path: &Utf8Path, attributes: Attributes, above: Attributes) -> io::Result<()> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_str().is_empty() && !parent.is_dir()) {
        create_folder(parent, above, above)?;
    }
    let create = || {
        if fs::symlink_metadata(path).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something else is there"));
        }
        let part = part(path);
        match fs::remove_dir(&part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::DirBuilder::new().mode(0o755).create(&part)?;
        let placed = set(&part, attributes).and_then(|()| fs::rename(&part, path));
        placed.inspect_err(|_| drop(fs::remove_dir(&part)))
    };
    create().map_err(|error| io::Error::new(error.kind(), format!("cannot create the folder `{path}`: {error}")))
}

/// Puts a symbolic link at a path, over a link or file that is there.
pub(super) fn link(path: &Utf8Path, target: &str, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    let part = Part(part(path));
    remove_if_there(&part.0)?;
    fs_err::os::unix::fs::symlink(target, &part.0)?;
    own(&part.0, uid, gid)?;
    fs::rename(&part.0, path)?;
    std::mem::forget(part);
    Ok(())
}

/// Puts another name of a file at a path, over a link or file that is there.
pub(super) fn hard_link(path: &Utf8Path, target: &Utf8Path) -> io::Result<()> {
    let part = Part(part(path));
    remove_if_there(&part.0)?;
    fs::hard_link(target, &part.0)?;
    fs::rename(&part.0, path)?;
    // Renaming one name of a file over another leaves both.
    remove_if_there(&part.0)?;
    std::mem::forget(part);
    Ok(())
}

/// Removes whatever is at a path, a folder with all that is in it. What links lead to stays.
pub(super) fn remove(path: &Utf8Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

/// Removes a file or link; that it is not there is fine.
pub(super) fn remove_if_there(path: &Utf8Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Where a path leads, with links followed as far as there is something.
pub(super) fn real(path: &Utf8Path) -> Utf8PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        if let Ok(real) = path.canonicalize_utf8() {
            return real;
        }
        let (Some(parent), Ok(target)) = (path.parent(), path.read_link_utf8()) else { break };
        path = parent.join(target);
    }
    match (path.parent().map(Utf8Path::canonicalize_utf8), path.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => path,
    }
}

/// Copies access lists and security labels. Where the file system has none, there is nothing to lose.
fn copy_labels(from: &Utf8Path, to: &Utf8Path) {
    let mut names = vec![0; 64 << 10];
    let Ok(length) = rustix::fs::listxattr(from.as_std_path(), &mut names) else { return };
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 64 << 10];
        if let Ok(length) = rustix::fs::getxattr(from.as_std_path(), name, &mut value) {
            let _ = rustix::fs::setxattr(to.as_std_path(), name, &value[..length], rustix::fs::XattrFlags::empty());
        }
    }
}

impl Host<'_> {
    /// The number of a user by name or number.
    pub(super) fn uid(&self, name: &str) -> Result<u32, Failed> {
        let known = self.user(name).map(|user| user.uid);
        known.or_else(|| name.parse().ok()).ok_or_else(|| format!("User {name} is not available").into())
    }

    /// The number of a group by name or number.
    pub(super) fn gid(&self, name: &str) -> Result<u32, Failed> {
        let known = self.group(name).map(|group| group.gid);
        known.or_else(|| name.parse().ok()).ok_or_else(|| format!("Group {name} is not available").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
        (folder, path)
    }

    #[test]
    fn a_file_that_is_replaced_keeps_its_mode_and_a_link_leads_to_it_still() {
        let (_folder, path) = folder();
        let (file, link) = (path.join("file"), path.join("link"));
        replace(&file, b"old", Attributes { mode: Some(0o640), ..Attributes::default() }).unwrap();
        super::link(&link, "file", None, None).unwrap();
        replace(&link, b"new", Attributes::default()).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(&path).unwrap().count(), 2);
    }

    /// Writes one content and then the other, for ever, and says so each time.
    fn write_for_ever(file: &Utf8Path) {
        for at in (0..2).cycle() {
            let (content, mode) = version(at);
            replace(file, &content, Attributes { mode: Some(mode), ..Attributes::default() }).unwrap();
            println!("{at}");
        }
    }

    fn version(at: u8) -> (Vec<u8>, u32) {
        (vec![b'a' + at % 2; 300_000], if at.is_multiple_of(2) { 0o600 } else { 0o640 })
    }

    #[test]
    fn whenever_its_process_is_killed_a_file_is_the_old_one_or_the_new_one() {
        use std::io::BufRead as _;
        const FILE: &str = "UPSHIFT_TEST_FILE";
        if let Ok(file) = std::env::var(FILE) {
            return write_for_ever(file.as_str().into());
        }
        let (_folder, path) = folder();
        let file = path.join("file");
        let test = std::thread::current().name().unwrap().to_owned();
        // The more it writes before it is killed, the more its work and the signal have drifted apart.
        for writes in 2..30 {
            let mut child = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", &test, "--nocapture"])
                .env(FILE, &file)
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            let said = io::BufReader::new(child.stdout.take().unwrap()).lines();
            said.map(Result::unwrap).filter(|line| line.parse::<u8>().is_ok()).take(writes).for_each(drop);
            child.kill().unwrap();
            child.wait().unwrap();
            let (content, mode) = (fs::read(&file).unwrap(), fs::metadata(&file).unwrap().mode() & 0o7777);
            assert!([version(0), version(1)].contains(&(content, mode)), "half a file after {writes} writes");
        }
        replace(&file, b"last", Attributes::default()).unwrap();
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
    }

    #[test]
    fn what_a_killed_process_left_is_no_obstacle() {
        let (_folder, path) = folder();
        let file = path.join("file");
        let name = Hash::of(file.as_str().as_bytes()).to_string();
        fs::write(path.join(format!(".upshift-{}.part", &name[..16])), "half").unwrap();
        replace(&file, b"whole", Attributes::default()).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"whole");
        assert_eq!(fs::read_dir(&path).unwrap().count(), 1);
    }
}
