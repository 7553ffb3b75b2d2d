//! `file.directory`: a folder with its owner and mode, and what is to be right below it.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use crate::formula::{Data, Dict};
use crate::states::arguments::text;
use crate::states::disk;
use crate::states::file::absolute;
use crate::states::file::clean::{self, Kept, listed, walk};
use crate::states::file::permissions::Permissions;
use crate::states::returns::dict;
use crate::states::{Args, Call, Failed, Function, Return};

pub(super) const DIRECTORY: Function = Function::new("file.directory", |call| Directory::read(call)?.apply())
    .takes(&[
        "user",
        "group",
        "owner",
        "recurse",
        "max_depth",
        "mode",
        "dir_mode",
        "file_mode",
        "makedirs",
        "clean",
        "exclude_pat",
        "follow_symlinks",
        "force",
        "backupname",
        "allow_symlink",
        "children_only",
        "win_owner",
        "win_perms",
        "win_deny_perms",
        "win_inheritance",
        "win_perms_reset",
    ])
    .takes_anything();

/// What is put right in everything below a folder.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "the words of `recurse`, which go with one another freely")]
struct Recurse {
    user: bool,
    group: bool,
    mode: bool,
    files: bool,
    folders: bool,
    is_silent: bool,
}

impl Recurse {
    const WORDS: [&'static str; 6] = ["user", "group", "mode", "ignore_files", "ignore_dirs", "silent"];

    fn read(args: &Args<'_>) -> Result<Option<Self>, Failed> {
        let words: Vec<&str> = match args.get("recurse").filter(|recurse| recurse.is_true()) {
            None => return Ok(None),
            Some(Data::List(words)) => words.iter().map(|word| word.as_str().unwrap_or_default()).collect(),
            Some(_) => return Err("\"recurse\" must be formed as a list of strings".into()),
        };
        if words.iter().any(|word| !Self::WORDS.contains(word)) {
            let known = Self::WORDS.map(|word| format!("\"{word}\"")).join(", ");
            return Err(format!("Types for \"recurse\" limited to {known}.").into());
        }
        let has = |word: &str| words.contains(&word);
        if has("ignore_files") && has("ignore_dirs") {
            let message = "Must not specify \"recurse\" options \"ignore_files\" and \"ignore_dirs\" at the same time.";
            return Err(message.into());
        }
        Ok(Some(Self {
            user: has("user"),
            group: has("group"),
            mode: has("mode"),
            files: !has("ignore_files"),
            folders: !has("ignore_dirs"),
            is_silent: has("silent"),
        }))
    }
}

/// A folder, as its SLS has it.
#[expect(clippy::struct_excessive_bools, reason = "each is an argument of its own")]
struct Directory<'a> {
    call: &'a Call<'a>,
    path: Utf8PathBuf,
    permissions: Permissions,
    file_mode: Option<u32>,
    recurse: Option<Recurse>,
    max_depth: Option<usize>,
    clean: bool,
    force: bool,
    follow: bool,
    children_only: bool,
}

/// Something that is not as it should be, and what it should be.
struct Wrong {
    path: Utf8PathBuf,
    permissions: Permissions,
    changes: Dict,
}

impl<'a> Directory<'a> {
    fn read(call: &'a Call<'a>) -> Result<Self, Failed> {
        let args = &call.args;
        let clean = args.flag("clean", false);
        let max_depth = args.number("max_depth")?;
        if max_depth.is_some() && clean {
            return Err("Cannot specify both max_depth and clean".into());
        }
        let is_given = |name: &&&str| args.get(name).is_some_and(Data::is_true);
        let folder_mode = ["dir_mode", "mode"].iter().find(is_given).map_or(Ok(None), |name| args.mode(name))?;
        let file_mode = Some("file_mode").iter().find(is_given).map_or(Ok(folder_mode), |name| args.mode(name))?;
        let permissions = Permissions::read(call)?.mode(folder_mode);
        Ok(Self {
            call,
            path: absolute(call, "file.directory")?,
            permissions,
            file_mode,
            recurse: Recurse::read(args)?,
            max_depth: max_depth.map(|depth| usize::try_from(depth).unwrap_or(0)),
            clean,
            force: args.flag("force", false),
            follow: args.flag("follow_symlinks", false),
            children_only: args.flag("children_only", false),
        })
    }

    fn apply(&self) -> Result<Return, Failed> {
        let mut changes = Dict::default();
        if let Some(would) = self.make_way(&mut changes)? {
            return Ok(would);
        }
        if self.call.preview {
            return self.preview(changes);
        }
        if !self.path.is_dir() {
            return self.create(changes);
        }
        let (wrong, superfluous) = self.look()?;
        if wrong.is_empty() && superfluous.is_empty() {
            return Ok(Return::unchanged(format!("The directory {} is in the correct state", self.path)));
        }
        let done = self.settle(&wrong, &mut changes).and_then(|()| remove(&superfluous, &mut changes));
        done.map_err(|failed| failed.after(changes.clone()))?;
        if let Some(comment) = self.unsaid() {
            return Err(Failed::from(comment).after(changes));
        }
        let comment = if !superfluous.is_empty() {
            format!("Files cleaned from directory {}", self.path)
        } else if self.children_only {
            format!("Directory {}/* updated", self.path)
        } else {
            format!("Directory {} updated", self.path)
        };
        Ok(Return::changed(changes, comment))
    }

    /// Takes a file or link out of the way. In a preview that renames it, this is all there is to say.
    fn make_way(&self, changes: &mut Dict) -> Result<Option<Return>, Failed> {
        let path = &self.path;
        let (is_file, is_link) = (path.is_file(), path.is_symlink());
        let allows = self.call.args.flag("allow_symlink", true);
        if !(is_file || is_link && (self.force || !allows)) {
            return Ok(None);
        }
        if let Some(backup) = self.call.args.text("backupname")? {
            return self.rename(Utf8Path::new(&backup), changes);
        }
        let (kind, word) = if is_file { ("File", "file") } else { ("Symlink", "symlink") };
        if !self.force {
            return Err(format!("Specified location {path} exists and is a {word}").into());
        }
        if self.call.preview {
            changes.insert("forced", format!("{kind} would be forcibly replaced").as_str());
        } else {
            fs::remove_file(path)?;
            changes.insert("forced", format!("{kind} was forcibly replaced").as_str());
        }
        Ok(None)
    }

    fn rename(&self, backup: &Utf8Path, changes: &mut Dict) -> Result<Option<Return>, Failed> {
        let path = &self.path;
        if fs::symlink_metadata(backup).is_ok() {
            if !self.force {
                return Err(format!("File exists where the backup target {backup} should go").into());
            }
            if self.call.preview {
                changes.insert("forced", format!("Existing file at backup path {backup} would be removed").as_str());
            } else {
                disk::remove(backup)?;
            }
        }
        if !self.call.preview {
            fs::rename(path, backup)?;
            return Ok(None);
        }
        changes.insert("backup", format!("{path} would be renamed to {backup}").as_str());
        changes.insert(path.as_str(), dict([("directory", "new".into())]));
        let comment = format!("{path} would be backed up and replaced with a new directory");
        Ok(Some(Return::would(changes.clone(), comment)))
    }

    fn create(&self, mut changes: Dict) -> Result<Return, Failed> {
        let is_rootless = self.path.parent().is_some_and(|parent| !parent.is_dir());
        if is_rootless && !self.call.args.flag("makedirs", false) {
            return Err(Failed::from(format!("No directory to create {} in", self.path)).after(changes));
        }
        let attributes = self.permissions.attributes();
        disk::create_folder(&self.path, attributes, attributes)
            .map_err(|error| Failed::from(error).after(changes.clone()))?;
        changes.insert(self.path.as_str(), dict([("directory", "new".into())]));
        Ok(Return::changed(changes, format!("Directory {} updated", self.path)))
    }

    /// What is wrong, and what should not be there. With `recurse`, what it does not name of the folder itself is put right
    /// only along with something else, as Salt does it.
    fn look(&self) -> Result<(Vec<Wrong>, Vec<Utf8PathBuf>), Failed> {
        let (mut wrong, superfluous) = (self.wrong()?, self.superfluous()?);
        if let (Some(recurse), [own], []) = (self.recurse, wrong.as_slice(), superfluous.as_slice())
            && own.path == self.path
        {
            let named = own.permissions.clone().only(recurse.user, recurse.group, recurse.mode);
            if named.settle(&self.path, self.follow, true)?.entries.is_empty() {
                wrong.clear();
            }
        }
        Ok((wrong, superfluous))
    }

    /// The folder and what is below it, as far as its owner or mode is wrong.
    fn wrong(&self) -> Result<Vec<Wrong>, Failed> {
        let mut all = Vec::new();
        if !self.children_only {
            all.push((self.path.clone(), self.permissions.clone()));
        }
        if let Some(recurse) = self.recurse {
            let folder = self.permissions.clone().only(recurse.user, recurse.group, recurse.mode);
            let file = folder.clone().mode(self.file_mode.filter(|_| recurse.mode));
            for entry in walk(&self.path, self.max_depth)? {
                let (counts, permissions) =
                    if entry.is_folder { (recurse.folders, &folder) } else { (recurse.files, &file) };
                if counts {
                    all.push((entry.path, permissions.clone()));
                }
            }
        }
        let mut wrong = Vec::new();
        for (path, permissions) in all {
            let changes = permissions.settle(&path, self.follow, true)?;
            if !changes.entries.is_empty() {
                wrong.push(Wrong { path, permissions, changes });
            }
        }
        Ok(wrong)
    }

    /// What lies in the folder and should not.
    fn superfluous(&self) -> Result<Vec<Utf8PathBuf>, Failed> {
        if !self.clean {
            return Ok(Vec::new());
        }
        Kept::read(self.call, &self.path)?.superfluous(&self.path)
    }

    fn settle(&self, wrong: &[Wrong], changes: &mut Dict) -> Result<(), Failed> {
        let is_silent = self.recurse.is_some_and(|recurse| recurse.is_silent);
        if is_silent {
            changes.insert("recursion", "Changes silenced");
        }
        for Wrong { path, permissions, changes: wanted } in wrong {
            permissions.settle(path, self.follow, false)?;
            if is_silent && *path == self.path {
                continue;
            }
            if !is_silent {
                changes.insert(path.as_str(), wanted.clone());
            }
            // Salt says it once more without saying of what.
            changes.entries.extend(wanted.entries.clone());
        }
        Ok(())
    }

    /// What `recurse` is to put right and the state does not say how.
    fn unsaid(&self) -> Option<String> {
        let recurse = self.recurse?;
        let unsaid = [
            ("user", recurse.user && !self.permissions.has_user()),
            ("group", recurse.group && !self.permissions.has_group()),
        ];
        let (what, _) = unsaid.into_iter().rfind(|(_, is_unsaid)| *is_unsaid)?;
        Some(format!("{what} not specified, but configured as a target for recursive ownership management"))
    }

    fn preview(&self, mut changes: Dict) -> Result<Return, Failed> {
        let is_new = !self.path.is_dir() || changes.has("forced");
        let mut found: Vec<(Utf8PathBuf, Dict)> = Vec::new();
        if is_new {
            found.push((self.path.clone(), dict([("directory", "new".into())])));
        } else {
            let (wrong, superfluous) = self.look()?;
            found.extend(wrong.into_iter().map(|wrong| (wrong.path, wrong.changes)));
            let removed = || dict([("removed", "Removed due to clean".into())]);
            found.extend(superfluous.into_iter().map(|path| (path, removed())));
        }
        if found.is_empty() {
            return Ok(Return::unchanged(format!("The directory {} is in the correct state", self.path)));
        }
        let mut comment = "The following files will be changed:\n".to_owned();
        for (path, change) in found {
            for (key, value) in &change.entries {
                comment +=
                    &format!("{path}: {} - {}\n", text(key).unwrap_or_default(), text(value).unwrap_or_default());
            }
            changes.insert(path.as_str(), change);
        }
        Ok(Return::would(changes, comment))
    }
}

/// Removes what is superfluous, and says so twice, as Salt does.
fn remove(superfluous: &[Utf8PathBuf], changes: &mut Dict) -> Result<(), Failed> {
    if superfluous.is_empty() {
        return Ok(());
    }
    let (removed, result) = clean::remove(superfluous);
    for path in superfluous.iter().filter(|path| removed.iter().any(|gone| path.starts_with(gone))) {
        changes.insert(path.as_str(), dict([("removed", "Removed due to clean".into())]));
    }
    changes.insert("removed", listed(removed));
    result
}
