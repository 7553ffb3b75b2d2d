//! `file.touch`: a file that is there, and its times.

use std::os::unix::fs::MetadataExt as _;

use camino::Utf8Path;
use fs_err as fs;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};

use crate::states::file::permissions::{Permissions, create_parents};
use crate::states::file::{absolute, is_folder};
use crate::states::returns::dict;
use crate::states::{Call, Failed, Function, Return};

pub(super) const TOUCH: Function = Function::new("file.touch", touch).takes(&["atime", "mtime", "makedirs"]);

/// The time of the call.
const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };

fn touch(call: &Call<'_>) -> Result<Return, Failed> {
    let path = &absolute(call, "file.touch")?;
    let (accessed, modified) = (call.args.number("atime")?, call.args.number("mtime")?);
    let there = fs::metadata(path).ok();
    let is_right = there.as_ref().is_some_and(|there| {
        let is =
            |wanted: Option<i64>, seconds: i64, rest: i64| wanted.is_none_or(|wanted| wanted == seconds && rest == 0);
        is(accessed, there.atime(), there.atime_nsec()) && is(modified, there.mtime(), there.mtime_nsec())
    });
    if is_right && (call.preview || accessed.is_some() && modified.is_some()) {
        return Ok(Return::unchanged(format!("File {path} exists and has the correct times")));
    }
    let changes = dict([(if there.is_some() { "touched" } else { "new" }, path.as_str().into())]);
    if call.preview {
        return Ok(Return::would(
            changes,
            match there {
                Some(_) => format!("Times set to be updated on file {path}"),
                None => format!("File {path} is set to be created"),
            },
        ));
    }
    let is_new_folder = there.is_none() && is_folder(call)?;
    if call.args.flag("makedirs", false) {
        create_parents(path, &Permissions::default(), None)?;
        if is_new_folder {
            fs::create_dir(path)?;
        }
    } else if is_new_folder {
        return Err(format!("Directory not present to touch file {path}/").into());
    }
    if !path.parent().is_none_or(Utf8Path::is_dir) {
        return Err(format!("Directory not present to touch file {path}").into());
    }
    if there.is_none() && !is_new_folder {
        fs::OpenOptions::new().append(true).create(true).open(path)?;
    }
    let time = |seconds: Option<i64>| seconds.map_or(NOW, |tv_sec| Timespec { tv_sec, tv_nsec: 0 });
    let times = Timestamps { last_access: time(accessed), last_modification: time(modified) };
    utimensat(CWD, path.as_std_path(), &times, AtFlags::empty()).map_err(std::io::Error::from)?;
    Ok(Return::changed(
        changes,
        match there {
            None => format!("Created empty file {path}"),
            Some(there) if there.is_dir() => format!("Updated times on directory {path}"),
            Some(_) => format!("Updated times on file {path}"),
        },
    ))
}
