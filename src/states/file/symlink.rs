//! `file.symlink`: a link to a path, which need not be there.

use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use fs_err as fs;

use crate::formula::Data;
use crate::formula::Dict;
use crate::states::arguments::text;
use crate::states::disk::{self, Attributes};
use crate::states::file::absolute;
use crate::states::file::copy::relocate;
use crate::states::file::permissions::{Permissions, create_parents};
use crate::states::returns::dict;
use crate::states::{Call, Failed, Function, Return};

pub(super) const SYMLINK: Function = Function::new("file.symlink", |call| Symlink::read(call)?.apply())
    .requires(&["target"])
    .takes(&[
        "force",
        "backupname",
        "makedirs",
        "user",
        "group",
        "owner",
        "mode",
        "win_owner",
        "win_perms",
        "win_deny_perms",
        "win_inheritance",
        "atomic",
        "disallow_copy_and_unlink",
        "inherit_user_and_group",
        "follow_symlinks",
    ])
    .takes_anything();

/// A link, as its SLS has it.
struct Symlink<'a> {
    call: &'a Call<'a>,
    path: Utf8PathBuf,
    target: String,
    owner: Owner,
    force: bool,
}

/// Who a link belongs to: somebody always.
pub(super) struct Owner {
    user: Data,
    group: Data,
    permissions: Permissions,
}

impl Owner {
    /// The owner that the state names, or else root, and the group of either.
    ///
    /// # Errors
    /// When the host does not have them.
    pub(super) fn read(call: &Call<'_>, there: Option<(u32, u32)>) -> Result<Self, Failed> {
        let host = call.host;
        let given = |names: [&str; 2]| names.into_iter().find_map(|name| call.args.get(name)).cloned();
        let user = given(["user", "owner"]).or_else(|| Some(host.user_name(there?.0).as_str().into()));
        let user = user.unwrap_or_else(|| "root".into());
        let group = given(["group", "group"]).or_else(|| Some(host.group_name(there?.1).as_str().into()));
        let group = group.unwrap_or_else(|| {
            let user = host.user(&text(&user).unwrap_or_default());
            host.group_name(user.map_or(0, |user| user.gid)).as_str().into()
        });
        let permissions = Permissions::of(call, Some(&user), Some(&group));
        let permissions =
            permissions.map_err(|failed| failed.comment.replace(" is not available", " does not exist"))?;
        Ok(Self { user, group, permissions })
    }

    pub(super) fn attributes(&self) -> Attributes {
        self.permissions.attributes()
    }

    pub(super) fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    /// `root:root`.
    fn name(&self) -> String {
        [&self.user, &self.group].map(|name| text(name).unwrap_or_default()).join(":")
    }
}

/// What is where the link should be.
enum There {
    Nothing,
    Other,
    /// A link elsewhere.
    Elsewhere,
    /// The link, and who it belongs to if that is somebody else.
    Right(Option<String>),
}

impl<'a> Symlink<'a> {
    fn read(call: &'a Call<'a>) -> Result<Self, Failed> {
        let path = absolute(call, "file.symlink")?;
        let inherits = call.args.flag("inherit_user_and_group", false);
        let there = fs::symlink_metadata(&path).ok().filter(|there| inherits && there.is_symlink());
        let owner = Owner::read(call, there.map(|there| (there.uid(), there.gid())))?;
        let target = call.args.required("target")?;
        Ok(Self { call, path, target, owner, force: call.args.flag("force", false) })
    }

    fn apply(&self) -> Result<Return, Failed> {
        let there = self.there()?;
        if self.call.preview {
            return self.preview(&there);
        }
        let Self { path, target, .. } = self;
        if let There::Right(owner) = there {
            return self.settle(owner.is_some());
        }
        self.create_parents()?;
        if matches!(there, There::Other) {
            self.make_way()?;
        }
        let Attributes { uid, gid, .. } = self.owner.attributes();
        let unable =
            |error: &dyn std::fmt::Display| format!("Unable to create new symlink {path} -> {target}: {error}");
        if path.is_dir() && !path.is_symlink() {
            return Err(unable(&format!("[Errno 21] Is a directory: '{path}'")).into());
        }
        disk::link(path, target, uid, gid).map_err(|error| unable(&error))?;
        let changes = dict([("new", path.as_str().into())]);
        Ok(Return::changed(changes, format!("Created new symlink {path} -> {target}")))
    }

    fn there(&self) -> Result<There, Failed> {
        let Ok(there) = fs::symlink_metadata(&self.path) else { return Ok(There::Nothing) };
        if !there.is_symlink() {
            return Ok(There::Other);
        }
        if normal(self.path.read_link_utf8()?.as_str()) != normal(&self.target) {
            return Ok(There::Elsewhere);
        }
        let is_right = disk::differing(&there, self.owner.attributes()) == Attributes::default();
        let host = self.call.host;
        let owner = || format!("{}:{}", host.user_name(there.uid()), host.group_name(there.gid()));
        Ok(There::Right(if is_right { None } else { Some(owner()) }))
    }

    fn preview(&self, there: &There) -> Result<Return, Failed> {
        let Self { path, target, .. } = self;
        let mut found = match there {
            There::Nothing => {
                let changes = dict([("new", path.as_str().into())]);
                Return::would(changes, format!("Symlink {path} to {target} is set for creation"))
            }
            There::Elsewhere => {
                let changes = dict([("change", path.as_str().into())]);
                Return::would(changes, format!("Link {path} target is set to be changed to {target}"))
            }
            There::Right(None) => Return::unchanged(format!("The symlink {path} is present")),
            There::Right(Some(owner)) => {
                let comment = format!(
                    "The symlink {path} is present, but the ownership of the symlink would be changed from {owner} to {}",
                    self.owner.name()
                );
                Return::would(dict([("ownership", owner.as_str().into())]), comment)
            }
            There::Other if self.force => Return::would(
                Dict::default(),
                format!(
                    "The file or directory {path} is set for removal to make way for a new symlink targeting {target}"
                ),
            ),
            There::Other => {
                let comment = "should be. Did you mean to use force?";
                return Err(format!("File or directory exists where the symlink {path} {comment}").into());
            }
        };
        if let Some(parent) = path.parent().filter(|parent| !parent.is_dir()) {
            found.comment += &if self.call.args.flag("makedirs", false) {
                format!("\n{parent} will be created")
            } else {
                format!("\nDirectory {parent} for symlink is not present")
            };
        }
        Ok(found)
    }

    /// The link is there, and may belong to somebody else.
    fn settle(&self, is_other: bool) -> Result<Return, Failed> {
        let (path, owner) = (&self.path, self.owner.name());
        if !is_other {
            return Ok(Return::unchanged(format!("Symlink {path} is present and owned by {owner}")));
        }
        let Attributes { uid, gid, .. } = self.owner.attributes();
        disk::own(path, uid, gid)
            .map_err(|error| format!("Failed to set ownership of symlink {path} to {owner}: {error}"))?;
        let changes = dict([("ownership", owner.as_str().into())]);
        Ok(Return::changed(changes, format!("Set ownership of symlink {path} to {owner}")))
    }

    fn create_parents(&self) -> Result<(), Failed> {
        let Some(parent) = self.path.parent().filter(|parent| !parent.is_dir()) else { return Ok(()) };
        if !self.call.args.flag("makedirs", false) {
            return Err(format!("Directory {parent} for symlink is not present").into());
        }
        // What a mode says of a link is said of the folders above it.
        create_parents(&self.path, self.owner.permissions(), self.call.args.mode("mode")?)
    }

    /// Moves what is in the way to its backup. What is not moved is replaced, if that is asked for.
    fn make_way(&self) -> Result<(), Failed> {
        let Self { call, path, target, force, .. } = self;
        let Some(backup) = call.args.text("backupname")? else {
            if *force || call.args.flag("atomic", false) {
                return Ok(());
            }
            let kind = match fs::metadata(path)? {
                there if there.is_file() => "File",
                there if there.is_dir() => "Directory",
                _ => "File system entry",
            };
            return Err(format!("{kind} exists where the symlink {path} should be").into());
        };
        if backup.contains('/') && !backup.starts_with('/') {
            return Err(format!("Backupname must be an absolute path or a file name: {backup}").into());
        }
        let backup = path.parent().unwrap_or(Utf8Path::new("/")).join(backup);
        if fs::symlink_metadata(&backup).is_ok() {
            if !force {
                let message = "Symlink & backup dest exists and Force not set.";
                return Err(format!("{message} {path} -> {target} - backup: {backup}").into());
            }
            disk::remove(&backup)?;
        }
        relocate(path, &backup)
            .map_err(|error| format!("Unable to rename {path} to backup {backup} -> : {error}").into())
    }
}

/// A path without `.`, `..` and slashes that mean nothing.
fn normal(path: &str) -> Utf8PathBuf {
    let mut parts: Vec<Utf8Component<'_>> = Vec::new();
    for part in Utf8Path::new(path).components() {
        match (part, parts.last()) {
            (Utf8Component::CurDir, _) | (Utf8Component::ParentDir, Some(Utf8Component::RootDir)) => {}
            (Utf8Component::ParentDir, Some(Utf8Component::Normal(_))) => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_by_where_they_lead() {
        for (one, two) in
            [("/a/b/", "/a/b"), ("/a/./b", "/a/b"), ("/a/../b", "/b"), ("/../b", "/b"), ("../b/c/..", "../b")]
        {
            assert_eq!(normal(one), normal(two), "{one}");
        }
        assert_ne!(normal("a"), normal("/a"));
    }
}
