//! `file.hardlink`: another name of a file.

use std::os::unix::fs::MetadataExt as _;

use camino::Utf8Path;
use fs_err as fs;

use crate::formula::Dict;
use crate::states::disk;
use crate::states::file::absolute;
use crate::states::file::permissions::create_parents;
use crate::states::file::symlink::Owner;
use crate::states::returns::dict;
use crate::states::{Call, Failed, Function, Return};

pub(super) const HARDLINK: Function = Function::new("file.hardlink", hardlink)
    .requires(&["target"])
    .takes(&["force", "makedirs", "user", "group", "owner", "dir_mode"])
    .takes_anything();

/// What is where the name should be.
#[derive(PartialEq, Eq)]
enum There {
    Nothing,
    /// A file with one name.
    Other,
    /// A file with several names.
    Linked,
    /// The file.
    Right,
}

fn there(path: &Utf8Path, target: &Utf8Path) -> There {
    let Ok(there) = fs::symlink_metadata(path) else { return There::Nothing };
    let is_it =
        fs::symlink_metadata(target).is_ok_and(|target| (target.dev(), target.ino()) == (there.dev(), there.ino()));
    match there.nlink() {
        2.. if is_it => There::Right,
        2.. => There::Linked,
        _ => There::Other,
    }
}

fn hardlink(call: &Call<'_>) -> Result<Return, Failed> {
    let path = &absolute(call, "file.hardlink")?;
    let target = call.args.required("target")?;
    let target = Utf8Path::new(&target);
    let owner = Owner::read(call, None)?;
    if !target.is_absolute() {
        return Err(format!("Specified target {target} is not an absolute path").into());
    }
    for (direction, place) in [("to", path.as_path()), ("from", target)] {
        if place.is_dir() {
            return Err(format!("Unable to hard link {direction} directory {place}").into());
        }
    }
    if !target.exists() {
        return Err(format!("Target {target} for hard link does not exist").into());
    }
    let there = there(path, target);
    let force = call.args.flag("force", false);
    if call.preview {
        return preview(path, target, &there, force);
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.is_dir()) {
        if !call.args.flag("makedirs", false) {
            return Err(format!("Directory {parent} for hard link is not present").into());
        }
        create_parents(path, owner.permissions(), call.args.mode("dir_mode")?)?;
    }
    let mut changes = Dict::default();
    match there {
        There::Right => {
            return Ok(Return::unchanged(format!("Target of hard link {path} is already pointing to {target}")));
        }
        There::Other if !force => return Err(format!("File exists where the hard link {path} should be").into()),
        There::Other => {
            changes.insert("forced", "File for hard link was forcibly replaced");
        }
        There::Nothing | There::Linked => {}
    }
    let done = disk::hard_link(path, target);
    done.map_err(|error| format!("Unable to create new hard link {path} -> {target}: {error}"))?;
    changes.insert("new", path.as_str());
    let did = if there == There::Linked { "Set target of hard link" } else { "Created new hard link" };
    Ok(Return::changed(changes, format!("{did} {path} -> {target}")))
}

fn preview(path: &Utf8Path, target: &Utf8Path, there: &There, force: bool) -> Result<Return, Failed> {
    let named = |name: &'static str| dict([(name, path.as_str().into())]);
    Ok(match there {
        There::Right => Return::unchanged(format!("The hard link {path} is presently targetting {target}")),
        There::Nothing => Return::would(named("new"), format!("Hard link {path} to {target} is set for creation")),
        There::Linked => Return::would(named("change"), format!("Link {path} target is set to be changed to {target}")),
        There::Other if force => Return::would(
            Dict::default(),
            format!(
                "The file or directory {path} is set for removal to make way for a new hard link targeting {target}"
            ),
        ),
        There::Other => {
            let comment = "should be. Did you mean to use force?";
            return Err(format!("File or directory exists where the hard link {path} {comment}").into());
        }
    })
}
