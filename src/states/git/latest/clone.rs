//! A clone that is not there yet.

use super::super::empty;
use super::{Kind, Latest, sentences};
use crate::formula::Data;
use crate::states::returns::dict;
use crate::states::{Failed, Return};

impl Latest<'_> {
    pub(super) fn clone(&mut self) -> Result<Return, Failed> {
        let (name, target) = (self.name.clone(), self.target.clone());
        let new = format!("{name} => {target}");
        if let Some(preview) = self.clear()? {
            return Ok(preview);
        }
        if self.call.preview {
            self.changes.insert("new", new);
            return Ok(self.would(format!("Repository {name} would be cloned to {target}")));
        }
        let depth = self.args.text("depth")?;
        let kind = match (self.is_mirror, self.is_bare) {
            (true, _) => Some("--mirror"),
            (false, true) => Some("--bare"),
            (false, false) => None,
        };
        let mut options: Vec<&str> = kind.into_iter().collect();
        if self.remote != "origin" {
            options.extend(["--origin", &self.remote]);
        }
        if let Some(depth) = &depth {
            options.extend(["--depth", depth, "--branch", &self.rev]);
        }
        self.repository.clone(&self.address, &options).map_err(|error| format!("Clone failed: {}", error.comment))?;
        self.changes.insert("new", new);
        let kind = match (self.is_mirror, self.is_bare) {
            (true, _) => " as mirror",
            (false, true) => " as bare repository",
            (false, false) => "",
        };
        self.comments.push(format!("{name} cloned to {target}{kind}"));
        if !self.is_bare && self.wanted.commit.is_some() {
            self.check_out()?;
            self.update_submodules()?;
        }
        if let (Some(new), _) = self.repository.head()? {
            self.changes.insert("revision", dict([("old", Data::None), ("new", new.into())]));
        }
        Ok(Return::changed(std::mem::take(&mut self.changes), sentences(&self.comments)))
    }

    /// Makes room in a folder that is there and is no repository. A preview says that it would.
    fn clear(&mut self) -> Result<Option<Return>, Failed> {
        let (name, target) = (self.name.clone(), self.target.clone());
        let folder = self.repository.target.clone();
        if !folder.is_dir() {
            return Ok(None);
        }
        if !self.args.flag("force_clone", false) {
            return match folder.read_dir_utf8()?.next() {
                None => Ok(None),
                Some(_) => Err(format!(
                    "Target '{target}' exists, is non-empty and is not a git repository. Set the 'force_clone' option to \
                     True to remove this directory's contents and proceed with cloning the remote repository"
                )
                .into()),
            };
        }
        self.changes.insert("forced clone", true);
        if self.call.preview {
            self.changes.insert("new", format!("{name} => {target}"));
            return Ok(Some(self.would(format!(
                "Target directory {target} exists. Since force_clone=True, the contents of {target} would be deleted, and \
                 {name} would be cloned into this directory."
            ))));
        }
        empty(&folder)?;
        Ok(None)
    }

    /// Brings a fresh clone to the revision and branch that are wanted.
    fn check_out(&mut self) -> Result<(), Failed> {
        if self.wanted.kind == Some(Kind::Tag) && !self.names("refs/tags")?.contains(&self.rev) {
            return Err(self.failed(format!("Revision '{}' does not exist in clone", self.rev)));
        }
        if let Some(branch) = self.branch.clone()
            && !self.names("refs/heads")?.contains(&branch)
        {
            let start = self.start();
            self.repository.git(&["checkout", "-b", &branch, &start]).map_err(|error| self.failed(error.comment))?;
            let location = self.location();
            self.comments.push(format!("Branch '{branch}' checked out, with {location} as a starting point"));
        }
        let (commit, branch) = self.repository.head()?;
        if branch.is_none() && !self.refs.has_head() {
            return Err(self.failed(
                "Remote HEAD refers to a ref that does not exist. This can happen when the default branch on the remote \
                 repository is renamed or deleted. If you are unable to fix the remote repository, you can work around \
                 this by setting the 'branch' argument (which will ensure that the named branch is created if it does not \
                 already exist).",
            ));
        }
        if !self.wanted.is(commit.as_deref()) {
            let wanted = self.wanted.commit.clone().unwrap_or_default();
            self.repository.git(&["reset", "--hard", &wanted]).map_err(|error| self.failed(error.comment))?;
            let location = self.location();
            self.comments.push(format!("Repository was reset to {location}"));
        }
        let Some(branch) = branch else { return Ok(()) };
        let current = self.upstream(&branch)?;
        self.follow(current.as_deref(), false)
    }
}
