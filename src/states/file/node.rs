//! `file.mknod`: a pipe or a device.

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use camino::Utf8Path;
use fs_err as fs;
use rustix::fs::{CWD, FileType, Mode, major, makedev, minor, mknodat};

use crate::formula::Dict;
use crate::states::disk;
use crate::states::file::absolute;
use crate::states::file::permissions::{Permissions, create_parents};
use crate::states::returns::dict;
use crate::states::{Call, Failed, Function, Return};

pub(super) const MKNOD: Function =
    Function::new("file.mknod", mknod).requires(&["ntype"]).takes(&["major", "minor", "user", "group", "mode"]);

/// What it is unless the state says something else.
const MODE: u32 = 0o600;

fn mknod(call: &Call<'_>) -> Result<Return, Failed> {
    let path = &absolute(call, "file.mknod")?;
    let (kind, called) = match call.args.required("ntype")?.as_str() {
        "c" => (FileType::CharacterDevice, "Character device"),
        "b" => (FileType::BlockDevice, "Block device"),
        "p" => (FileType::Fifo, "Fifo pipe"),
        other => {
            let known = "character ('c'), block ('b'), and pipe ('p')";
            return Err(format!("Node type unavailable: '{other}'. Available node types are {known}").into());
        }
    };
    let number =
        |name| Ok::<_, Failed>(call.args.number(name)?.and_then(|number| u32::try_from(number).ok()).unwrap_or(0));
    let numbers = (number("major")?, number("minor")?);
    let permissions = Permissions::read(call)?.mode(Some(call.args.mode("mode")?.unwrap_or(MODE)));
    if let Ok(there) = fs::metadata(path) {
        is_it(path, &there, kind, called, numbers)?;
        let changes = permissions.settle(path, false, call.preview)?;
        return Ok(match (changes.entries.is_empty(), call.preview) {
            (true, _) => Return::unchanged(format!("{called} {path} is in the correct state")),
            (false, true) => Return::would(changes, ""),
            (false, false) => Return::changed(changes, ""),
        });
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("{called} {path} is set to be created")));
    }
    create_parents(path, &permissions.clone().mode(None), None)?;
    let part = disk::part(path);
    disk::remove_if_there(&part)?;
    mknodat(CWD, part.as_std_path(), kind, Mode::from_raw_mode(MODE), makedev(numbers.0, numbers.1))
        .map_err(|error| format!("cannot create {path}: {}", std::io::Error::from(error)))?;
    let placed = disk::set(&part, permissions.attributes()).and_then(|()| fs::rename(&part, path));
    placed.inspect_err(|_| drop(disk::remove_if_there(&part)))?;
    Ok(Return::changed(dict([("new", format!("{called} {path} created.").as_str().into())]), ""))
}

/// Refuses what is there if it is anything else.
fn is_it(
    path: &Utf8Path,
    there: &std::fs::Metadata,
    kind: FileType,
    called: &str,
    numbers: (u32, u32),
) -> Result<(), Failed> {
    let found = there.file_type();
    let is_kind = match kind {
        FileType::CharacterDevice => found.is_char_device(),
        FileType::BlockDevice => found.is_block_device(),
        _ => found.is_fifo(),
    };
    if !is_kind {
        return Err(format!("File {path} exists and is not a {}. Refusing to continue", called.to_lowercase()).into());
    }
    let (one, two) = (major(there.rdev()), minor(there.rdev()));
    if kind != FileType::Fifo && (one, two) != numbers {
        let message =
            format!("{called} {path} exists and has a different major/minor {one}/{two}. Refusing to continue");
        return Err(message.into());
    }
    Ok(())
}
