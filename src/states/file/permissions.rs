//! Who a file belongs to and who may do what with it: what a state wants, what is there, and what is put right.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use crate::formula::{Data, Dict};
use crate::states::arguments::text;
use crate::states::disk::{self, Attributes};
use crate::states::file::flags;
use crate::states::{Call, Failed};

/// What a state wants of a file's owner, group and mode. What it does not name stays.
#[derive(Debug, Clone, Default)]
pub(in crate::states) struct Permissions {
    user: Option<Account>,
    group: Option<Account>,
    pub(in crate::states) mode: Option<u32>,
    /// The letters of `chattr(1)`.
    pub(in crate::states) flags: Option<String>,
}

/// A user or group, as the SLS names it.
#[derive(Debug, Clone)]
struct Account {
    given: Data,
    /// Its number; in a preview it may be one that another state is going to create.
    id: Option<u32>,
}

impl Permissions {
    /// What the arguments `user` and `group` say.
    ///
    /// # Errors
    /// When the host does not have them, other than in a preview.
    pub(in crate::states) fn read(call: &Call<'_>) -> Result<Self, Failed> {
        let user = call.args.get("user").or_else(|| call.args.get("owner")).filter(|user| user.is_true());
        let group = call.args.get("group").filter(|group| group.is_true());
        Self::of(call, user, group)
    }

    /// [`read`](Self::read) with a user and group that come from elsewhere.
    pub(in crate::states) fn of(call: &Call<'_>, user: Option<&Data>, group: Option<&Data>) -> Result<Self, Failed> {
        let mut missing = Vec::new();
        let mut account = |given: Option<&Data>, find: &dyn Fn(&str) -> Result<u32, Failed>| {
            let given = given?;
            let found =
                text(given).ok_or_else(|| format!("{given:?} is not available").into()).and_then(|name| find(&name));
            let id = found.map_err(|failed| missing.push(failed.comment)).ok();
            Some(Account { given: given.clone(), id })
        };
        let user = account(user, &|name| call.host.uid(name));
        let group = account(group, &|name| call.host.gid(name));
        if !missing.is_empty() && !call.preview {
            return Err(missing.join(" ").into());
        }
        Ok(Self { user, group, mode: None, flags: None })
    }

    pub(in crate::states) fn mode(mut self, mode: Option<u32>) -> Self {
        self.mode = mode;
        self
    }

    /// What a file is created with.
    pub(in crate::states) fn attributes(&self) -> Attributes {
        let id = |account: &Option<Account>| account.as_ref().and_then(|account| account.id);
        Attributes { uid: id(&self.user), gid: id(&self.group), mode: self.mode }
    }

    /// The user as the SLS has it, which is what a template sees.
    pub(super) fn user_given(&self) -> Data {
        self.user.as_ref().map(|user| user.given.clone()).unwrap_or_default()
    }

    /// The group as the SLS has it.
    pub(super) fn group_given(&self) -> Data {
        self.group.as_ref().map(|group| group.given.clone()).unwrap_or_default()
    }

    /// Without what is not to be put right everywhere.
    pub(super) fn only(mut self, user: bool, group: bool, mode: bool) -> Self {
        self.user = self.user.filter(|_| user);
        self.group = self.group.filter(|_| group);
        self.mode = self.mode.filter(|_| mode);
        self
    }

    pub(super) fn has_user(&self) -> bool {
        self.user.is_some()
    }

    pub(super) fn has_group(&self) -> bool {
        self.group.is_some()
    }

    /// What differs from what is there, as Salt lists it. `uid`, `gid` and `mode` are those of what is there.
    pub(super) fn differing(&self, uid: u32, gid: u32, mode: u32) -> Dict {
        let mut changes = Dict::default();
        let accounts = [("user", &self.user, uid), ("group", &self.group, gid)];
        for (name, account, there) in accounts {
            if let Some(account) = account.as_ref().filter(|account| account.id != Some(there)) {
                changes.insert(name, account.given.clone());
            }
        }
        if let Some(mode) = self.mode.filter(|wanted| *wanted != mode) {
            changes.insert("mode", octal(mode));
        }
        changes
    }

    /// Puts right what differs and returns that; in a preview nothing is changed. The mode of a link is none.
    ///
    /// # Errors
    /// When there is nothing at the path, or the host does not let it be changed.
    pub(in crate::states) fn settle(&self, path: &Utf8Path, follow: bool, preview: bool) -> Result<Dict, Failed> {
        let Some(there) = Target::find(path, follow) else { return Err(format!("Path not found: {path}").into()) };
        let mode = there.metadata.mode() & 0o7777;
        let wanted = if there.is_link { self.clone().mode(None) } else { self.clone() };
        let mut changes = wanted.differing(there.metadata.uid(), there.metadata.gid(), mode);
        if !preview {
            let is_owner = changes.has("user") || changes.has("group");
            let failed = |error: std::io::Error, changes: &Dict| {
                let words = changes.entries.iter().map(|(name, value)| format!("{} to {}", show(name), show(value)));
                let words: Vec<String> = words.collect();
                Failed::from(format!("Failed to change {} of {path}: {error}", words.join(" and ")))
            };
            if !changes.entries.is_empty() {
                // A change of owner takes bits away, which are put back.
                let kept = if is_owner && !there.is_link { Some(mode) } else { None };
                let attributes = Attributes { mode: wanted.mode.or(kept), ..wanted.attributes() };
                disk::set(&there.path, attributes).map_err(|error| failed(error, &changes))?;
            }
        }
        if let Some(letters) = self.flags.as_deref().filter(|_| there.metadata.is_file())
            && let Some(change) =
                flags::settle(&there.path, letters, preview).map_err(|failed| failed.after(changes.clone()))?
        {
            changes.insert("attrs", change);
        }
        Ok(changes)
    }
}

/// What permissions are put right of.
struct Target {
    path: Utf8PathBuf,
    metadata: Metadata,
    is_link: bool,
}

impl Target {
    /// What is at a path. A link that leads nowhere is the link itself.
    fn find(path: &Utf8Path, follow: bool) -> Option<Self> {
        if follow && let Ok(metadata) = fs::metadata(path) {
            return Some(Self { path: disk::real(path), metadata, is_link: false });
        }
        let metadata = fs::symlink_metadata(path).ok()?;
        Some(Self { path: path.to_owned(), is_link: metadata.is_symlink(), metadata })
    }
}

fn show(value: &Data) -> String {
    text(value).unwrap_or_default()
}

/// A mode as Salt writes it.
pub(in crate::states) fn octal(mode: u32) -> String {
    format!("{mode:04o}")
}

/// The folders above a path, created if they are missing: with the file's owner and, where none is given, with its mode
/// and the right to enter for whoever has any.
///
/// # Errors
/// When something else is in the way.
pub(in crate::states) fn create_parents(
    path: &Utf8Path,
    permissions: &Permissions,
    mode: Option<u32>,
) -> Result<(), Failed> {
    let Some(parent) = path.parent().filter(|parent| !parent.is_dir()) else { return Ok(()) };
    let attributes = Attributes { mode: mode.or(permissions.mode.map(enterable)), ..permissions.attributes() };
    Ok(disk::create_folder(parent, attributes, attributes)?)
}

/// The mode of a folder for files of a mode.
fn enterable(mode: u32) -> u32 {
    [0o700, 0o070, 0o007]
        .into_iter()
        .filter(|class| mode & class != 0)
        .fold(mode & 0o777, |mode, class| mode | class & 0o111)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_can_be_entered_by_whoever_has_any_right_to_its_files() {
        for (file, folder) in [(0o644, 0o755), (0o640, 0o750), (0o600, 0o700), (0o4711, 0o711), (0o400, 0o500)] {
            assert_eq!(enterable(file), folder);
        }
    }
}
