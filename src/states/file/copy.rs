//! `file.copy` and `file.rename`: what is on the host already, put in another place of it.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use camino::Utf8Path;
use fs_err as fs;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};

use crate::formula::{Data, Dict};
use crate::states::disk::{self, Attributes};
use crate::states::file::permissions::{Permissions, create_parents};
use crate::states::file::symlink::Owner;
use crate::states::file::{absolute, expanded, is_folder};
use crate::states::returns::dict;
use crate::states::{Call, Failed, Function, Return};

pub(super) const COPY: Function = Function::new("file.copy", copy)
    .requires(&["source"])
    .takes(&["force", "makedirs", "preserve", "user", "group", "owner", "mode", "dir_mode", "subdir"])
    .takes_anything();

pub(super) const RENAME: Function =
    Function::new("file.rename", rename).requires(&["source"]).takes(&["force", "makedirs"]).takes_anything();

fn copy(call: &Call<'_>) -> Result<Return, Failed> {
    let args = &call.args;
    let mut path = absolute(call, "file.copy")?;
    let source = expanded(call.host, &args.required("source")?);
    let source = Utf8Path::new(&source);
    let mut comment = format!("Copied \"{source}\" to \"{path}\"");
    let Ok(original) = fs::metadata(source) else {
        return Err(format!("Source file \"{source}\" is not present").into());
    };
    let permissions = permissions(call, &original)?;
    if path.is_dir() && args.flag("subdir", false) || is_new_folder(call, &path)? {
        path.push(source.file_name().unwrap_or_default());
    }
    let path = path.as_path();
    let (is_there, force) = (fs::symlink_metadata(path).is_ok(), args.flag("force", false));
    if is_there && !force {
        return Ok(Return::unchanged(format!("The target file \"{path}\" exists and will not be overwritten")));
    }
    if call.preview {
        let comment = format!("File \"{source}\" is set to be copied to \"{path}\"");
        return Ok(Return::would(Dict::default(), comment));
    }
    if is_there && path.is_file() && original.is_file() && fs::read(path)? == fs::read(source)? {
        comment += " - files are identical but force flag is set";
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.is_dir()) {
        if !args.flag("makedirs", false) {
            return Err(format!("The target directory {parent} is not present").into());
        }
        create_parents(path, &permissions, args.mode("dir_mode")?)?;
    }
    let attributes = permissions.attributes();
    let mut changes = dict([(path.as_str(), source.as_str().into())]);
    if !args.flag("preserve", false) {
        let (uid, gid) = disk::newcomer(path.parent().unwrap_or(Utf8Path::new("/")))?;
        changes.entries.extend(permissions.differing(uid, gid, original.mode() & 0o7777).entries);
    }
    duplicate(source, path, attributes)
        .map_err(|error| format!("Failed to copy \"{source}\" to \"{path}\": {error}"))?;
    Ok(Return::changed(changes, comment))
}

/// Whether something is to be put into a folder that is not there yet.
fn is_new_folder(call: &Call<'_>, path: &Utf8Path) -> Result<bool, Failed> {
    Ok(is_folder(call)? && fs::symlink_metadata(path).is_err())
}

/// Who the copy belongs to and what its mode is: root and that of the original, where nothing else is said.
fn permissions(call: &Call<'_>, original: &Metadata) -> Result<Permissions, Failed> {
    let mode = original.mode() & 0o7777;
    if call.args.flag("preserve", false) {
        let [user, group] = [original.uid(), original.gid()].map(|number| Data::from(i64::from(number)));
        return Ok(Permissions::of(call, Some(&user), Some(&group))?.mode(Some(mode)));
    }
    let owner = Owner::read(call, None)?;
    Ok(owner.permissions().clone().mode(call.args.mode("mode")?.or(Some(mode))))
}

/// Copies a file or a folder over whatever is there, which stays until the copy is whole.
fn duplicate(source: &Utf8Path, path: &Utf8Path, attributes: Attributes) -> io::Result<()> {
    if fs::metadata(source)?.is_dir() {
        let part = disk::part(path);
        if fs::symlink_metadata(&part).is_ok() {
            disk::remove(&part)?;
        }
        let copied = duplicate_folder(source, &part, Some(attributes)).and_then(|()| disk::set(&part, attributes));
        if let Err(error) = copied {
            let _ = disk::remove(&part);
            return Err(error);
        }
        if fs::symlink_metadata(path).is_ok() {
            disk::remove(path)?;
        }
        return fs::rename(part, path);
    }
    if path.is_dir() && !path.is_symlink() {
        disk::remove(path)?;
    }
    disk::put(path, &fs::read(source)?, attributes)
}

/// Gives something the times of what it was copied from.
fn keep_times(path: &Utf8Path, there: &Metadata) -> io::Result<()> {
    let times = Timestamps {
        last_access: Timespec { tv_sec: there.atime(), tv_nsec: there.atime_nsec() },
        last_modification: Timespec { tv_sec: there.mtime(), tv_nsec: there.mtime_nsec() },
    };
    Ok(utimensat(CWD, path.as_std_path(), &times, AtFlags::empty())?)
}

/// Copies what is in a folder; links are copied as links. Everything belongs to one owner, or to whom it does in `source`.
fn duplicate_folder(source: &Utf8Path, path: &Utf8Path, everybody: Option<Attributes>) -> io::Result<()> {
    let there = fs::symlink_metadata(source)?;
    let owner = |there: &Metadata| match everybody {
        Some(Attributes { uid, gid, .. }) => (uid, gid),
        None => (Some(there.uid()), Some(there.gid())),
    };
    fs::create_dir(path)?;
    for entry in source.read_dir_utf8()? {
        let entry = entry?;
        let (from, to) = (entry.path(), path.join(entry.file_name()));
        let metadata = fs::symlink_metadata(from)?;
        let (uid, gid) = owner(&metadata);
        let mode = Some(metadata.mode() & 0o7777);
        if metadata.is_symlink() {
            disk::link(&to, from.read_link_utf8()?.as_str(), uid, gid)?;
        } else if metadata.is_dir() {
            duplicate_folder(from, &to, everybody)?;
            disk::set(&to, Attributes { uid, gid, mode })?;
        } else if metadata.is_file() {
            disk::put(&to, &fs::read(from)?, Attributes { uid, gid, mode })?;
            keep_times(&to, &metadata)?;
        }
    }
    disk::set(path, Attributes { uid: None, gid: None, mode: Some(there.mode() & 0o7777) })?;
    keep_times(path, &there)
}

fn rename(call: &Call<'_>) -> Result<Return, Failed> {
    let mut path = absolute(call, "file.rename")?;
    let source = expanded(call.host, &call.args.required("source")?);
    let source = Utf8Path::new(&source);
    if is_new_folder(call, &path)? {
        path.push(source.file_name().unwrap_or_default());
    }
    let path = path.as_path();
    if fs::symlink_metadata(source).is_err() {
        return Ok(Return::unchanged(format!("Source file \"{source}\" has already been moved out of place")));
    }
    let is_there = fs::symlink_metadata(path).is_ok();
    if is_there && !call.args.flag("force", false) {
        return Ok(Return::unchanged(format!("The target file \"{path}\" exists and will not be overwritten")));
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("File \"{source}\" is set to be moved to \"{path}\"")));
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.is_dir()) {
        if !call.args.flag("makedirs", false) {
            return Err(format!("The target directory {parent} is not present").into());
        }
        create_parents(path, &Permissions::default(), None)?;
    }
    let unable = |error: io::Error| Failed::from(format!("Failed to move \"{source}\" to \"{path}\": {error}"));
    let are_files = |path: &Utf8Path| fs::symlink_metadata(path).is_ok_and(|there| !there.is_dir());
    if is_there && !(are_files(source) && are_files(path)) {
        disk::remove(path).map_err(unable)?;
    }
    relocate(source, path).map_err(unable)?;
    Ok(Return::changed(dict([(path.as_str(), source.as_str().into())]), format!("Moved \"{source}\" to \"{path}\"")))
}

/// Moves something, also to another file system: there it is whole before it is gone here.
pub(super) fn relocate(source: &Utf8Path, path: &Utf8Path) -> io::Result<()> {
    match fs::rename(source, path) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {}
        result => return result,
    }
    let there = fs::symlink_metadata(source)?;
    let attributes = Attributes { uid: Some(there.uid()), gid: Some(there.gid()), mode: Some(there.mode() & 0o7777) };
    if there.is_symlink() {
        disk::link(path, source.read_link_utf8()?.as_str(), attributes.uid, attributes.gid)?;
    } else if there.is_dir() {
        let part = disk::part(path);
        if fs::symlink_metadata(&part).is_ok() {
            disk::remove(&part)?;
        }
        duplicate_folder(source, &part, None)?;
        disk::set(&part, attributes)?;
        fs::rename(part, path)?;
    } else {
        disk::put(path, &fs::read(source)?, attributes)?;
        keep_times(path, &there)?;
    }
    disk::remove(source)
}
