//! Who what was unpacked belongs to.

use std::io::ErrorKind;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::contents::Contents;
use super::{Wanted, is_strange};
use crate::formula::Dict;
use crate::states::{Call, Failed, Return, disk};

/// What could not be given to whom it should belong.
#[derive(Default)]
pub(super) struct Enforced {
    missing: Vec<Utf8PathBuf>,
    failed: Vec<Utf8PathBuf>,
    is_changed: bool,
}

/// Gives everything at the top of the archive, and all that is in it, to the user and group of the state.
pub(super) fn enforce(
    call: &Call<'_>,
    wanted: &Wanted<'_>,
    contents: &Contents,
    changes: &mut Dict,
) -> Result<Enforced, Failed> {
    let mut enforced = Enforced::default();
    let (uid, gid) = (wanted.user.as_ref().map(|(_, id)| *id), wanted.group.as_ref().map(|(_, id)| *id));
    if uid.is_none() && gid.is_none() {
        return Ok(enforced);
    }
    let paths: Vec<Utf8PathBuf> = if let Some(path) = call.args.text("enforce_ownership_on")? {
        vec![path.into()]
    } else {
        let top = contents.top_folders.iter().chain(&contents.top_files).chain(&contents.top_links);
        top.map(|path| wanted.path(path)).collect()
    };
    for path in paths {
        match fs::symlink_metadata(&path) {
            Ok(_) => enforced.walk(&path, uid, gid, call.preview)?,
            Err(error) if error.kind() == ErrorKind::NotFound && !call.preview => enforced.missing.push(path),
            Err(_) => {}
        }
    }
    if enforced.is_changed {
        changes.insert("updated ownership", true);
    }
    Ok(enforced)
}

impl Enforced {
    fn walk(&mut self, path: &Utf8Path, uid: Option<u32>, gid: Option<u32>, is_preview: bool) -> Result<(), Failed> {
        let there = fs::symlink_metadata(path)?;
        if is_strange(&there, uid, gid) {
            if is_preview || disk::own(path, uid, gid).is_ok() {
                self.is_changed = true;
            } else {
                self.failed.push(path.to_owned());
            }
        }
        if there.is_dir() {
            for entry in path.read_dir_utf8()? {
                self.walk(entry?.path(), uid, gid, is_preview)?;
            }
        }
        Ok(())
    }

    /// What a preview adds to the comment on an archive that is there already.
    pub(super) fn preview_comment(&self, is_preview: bool, _: &Dict) -> &'static str {
        if is_preview && self.is_changed {
            ". Ownership would be updated on one or more files/directories."
        } else {
            ""
        }
    }

    /// What the state comes to.
    pub(super) fn finish(self, call: &Call<'_>, changes: Dict, mut comment: String) -> Result<Return, Failed> {
        let mut say = |said: &str, paths: &[Utf8PathBuf]| {
            if !paths.is_empty() {
                comment.push_str("\n\nWhile trying to enforce user/group ownership, ");
                comment.push_str(said);
                comment.push('\n');
                comment.extend(paths.iter().map(|path| format!("\n- {path}")));
            }
        };
        say("the following paths were missing:", &self.missing);
        say("it was not possible to change ownership on the following paths:", &self.failed);
        let is_bad = !self.failed.is_empty() || (!self.missing.is_empty() && call.args.get("if_missing").is_none());
        if is_bad {
            return Err(Failed { comment, changes });
        }
        let result = if call.preview && self.is_changed { None } else { Some(true) };
        Ok(Return { result, changes, comment })
    }
}
