//! A clone that is there already.

use super::super::{revision, short};
use super::{Kind, Latest, Reset, Upstream, sentences};
use crate::formula::Data;
use crate::states::{Failed, Return};

/// What is known of the clone.
struct Local {
    commit: Option<String>,
    branch: Option<String>,
    branches: Vec<String>,
    tags: Vec<String>,
    /// Where the update begins: here, or on the branch that is checked out first.
    base: Option<String>,
    /// Whether the commit that is wanted is checked out.
    is_wanted: bool,
    has_changes: bool,
    /// Whether the commit that is wanted is here, and the reference of the server's that leads to it.
    has_commit: bool,
    /// The branch that the one here follows.
    upstream: Option<String>,
}

/// What the update does with the branch. Before a fetch it may not be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    Forward,
    Reset,
    Unknown,
}

impl Move {
    fn said(self) -> &'static str {
        match self {
            Self::Forward => "fast-forwarded",
            Self::Reset => "hard-reset",
            Self::Unknown => "updated",
        }
    }
}

impl Latest<'_> {
    pub(super) fn update(&mut self) -> Result<Return, Failed> {
        let local = self.look()?;
        if !self.is_bare && self.wanted.commit.is_none() && local.commit.is_some() {
            return Err("Remote repository is empty, cannot update from a non-empty to an empty repository".into());
        }
        if local.has_changes && local.is_wanted {
            if self.reset != Reset::Always {
                return Ok(self.up_to_date(&[], true));
            }
            if self.call.preview {
                self.changes.insert("forced update", true);
                let comment = format!(
                    "{} is up-to-date, but with uncommitted changes. Since 'force_reset' is set to True, these local \
                     changes would be reset. To only reset when there are changes in the remote repository, set \
                     'force_reset' to 'remote-changes'.",
                    self.target
                );
                return Ok(self.would(comment));
            }
        }
        if local.has_commit && self.keeps_head(&local) {
            return Ok(self.head_stays(&local));
        }
        let how = self.how(&local)?;
        if let Some(done) = self.set_remote(&local, how)? {
            return Ok(done);
        }
        if self.wanted.commit.is_some() {
            if self.call.preview {
                return Ok(self.preview(&local, how));
            }
            if let Some(done) = self.bring(&local, how)? {
                return Ok(done);
            }
            self.update_submodules()?;
        } else if self.is_bare {
            if self.call.preview {
                let comment = format!("Bare repository at {} would be fetched", self.target);
                return Ok(self.up_to_date(&[comment], false));
            }
            let is_news = self.fetch()?;
            let news = if is_news { ", resulting in updated refs" } else { "" };
            self.comments.push(format!("Bare repository at {} was fetched{news}", self.target));
        }
        let (new, _) = self.repository.head()?;
        if !self.is_bare && !self.wanted.is(new.as_deref()) {
            return Err(self.failed("Failed to update repository"));
        }
        if local.commit == new {
            let comments = std::mem::take(&mut self.comments);
            return Ok(self.up_to_date(&comments, false));
        }
        self.changes.insert("revision", revision(local.commit.as_deref(), &new.unwrap_or_default()));
        Ok(Return::changed(std::mem::take(&mut self.changes), sentences(&self.comments)))
    }

    /// Finds out everything that decides what is to be done.
    fn look(&self) -> Result<Local, Failed> {
        let (commit, branch) = self.repository.head()?;
        let branches = self.names("refs/heads")?;
        let tags = self.names("refs/tags")?;
        let other = self.branch.as_ref().filter(|wanted| Some(*wanted) != branch.as_ref());
        let (base, base_branch) = match other {
            None => (commit.clone(), branch.clone()),
            Some(other) if branches.contains(other) => (self.repository.commit(other)?, Some(other.clone())),
            Some(_) => (self.wanted.commit.clone(), branch.clone()),
        };
        let has_changes = !self.is_bare && self.repository.ask(&["diff", "--quiet", "HEAD"])?.code == 1;
        let is_wanted = self.wanted.is(commit.as_deref());
        let has_commit = self.has_commit(base.as_deref(), &tags)?;
        let upstream = base_branch.map_or(Ok(None), |branch| self.upstream(&branch))?;
        Ok(Local { commit, branch, branches, tags, base, is_wanted, has_changes, has_commit, upstream })
    }

    fn has_commit(&self, base: Option<&str>, tags: &[String]) -> Result<bool, Failed> {
        let Some(wanted) = self.wanted.commit.as_deref() else { return Ok(false) };
        if self.wanted.kind == Some(Kind::Commit) && base.is_some_and(|base| base.starts_with(wanted)) {
            return Ok(true);
        }
        if self.repository.commit(wanted)?.is_none() {
            return Ok(false);
        }
        // The commit may be here while the reference to it is old.
        match (self.wanted.kind, &self.wanted.upstream) {
            (Some(Kind::Branch), Upstream::Named(upstream)) => {
                Ok(self.repository.commit(upstream)?.as_deref() == Some(wanted))
            }
            (Some(Kind::Tag), _) if tags.contains(&self.rev) => {
                let here = self.repository.commit(&format!("refs/tags/{}", self.rev))?;
                if here.as_deref() != Some(wanted) && self.reset == Reset::Never {
                    return Err(format!(
                        "'{}' is a tag, but the remote SHA1 for this tag ({}) doesn't match the local SHA1 ({}). Set \
                         'force_reset' to True to force this update.",
                        self.rev,
                        short(wanted),
                        here.as_deref().map_or("None", short)
                    )
                    .into());
                }
                Ok(here.as_deref() == Some(wanted))
            }
            (kind, _) => Ok(kind == Some(Kind::Commit)),
        }
    }

    /// Whether what is checked out stays, though it is not what is wanted.
    fn keeps_head(&self, local: &Local) -> bool {
        let is_same_branch = self.branch.is_none() || self.branch == local.branch;
        !local.is_wanted && !self.args.flag("update_head", true) && is_same_branch
    }

    fn head_stays(&mut self, local: &Local) -> Return {
        let location = self.location();
        let location = if self.rev == "HEAD" { location.replacen("remote HEAD", "Remote head", 1) } else { location };
        let here = local.commit.as_deref().map(short).unwrap_or_default();
        Return::changed(
            std::mem::take(&mut self.changes),
            format!(
                "{location} is already present and local HEAD ({here}) does not match, but update_head=False. HEAD has not \
                 been updated locally."
            ),
        )
    }

    fn how(&self, local: &Local) -> Result<Move, Failed> {
        let mut how = Move::Unknown;
        if local.has_changes && self.reset != Reset::WithNews {
            how = Move::Reset;
        } else if local.has_commit {
            how = self.direction(local)?;
        }
        if how == Move::Reset && self.reset == Reset::Never {
            return Err(self.not_forward(local));
        }
        Ok(how)
    }

    /// Whether what is wanted has everything that is here.
    fn direction(&self, local: &Local) -> Result<Move, Failed> {
        let (Some(base), Some(wanted)) = (&local.base, &self.wanted.commit) else { return Ok(Move::Forward) };
        if base == wanted {
            return Ok(Move::Forward);
        }
        let is_ancestor = self.repository.ask(&["merge-base", "--is-ancestor", base, wanted])?.is_success();
        Ok(if is_ancestor { Move::Forward } else { Move::Reset })
    }

    fn other_branch<'b>(&'b self, local: &Local) -> Option<&'b str> {
        self.branch.as_deref().filter(|branch| Some(*branch) != local.branch.as_deref())
    }

    fn not_forward(&self, local: &Local) -> Failed {
        let branch = local.branch.as_deref().unwrap_or("None");
        let advice = match self.refs.default_branch() {
            _ if self.branch.is_some() => String::new(),
            _ if self.rev != "HEAD" && branch != self.rev => format!(
                " The desired rev ({0}) differs from the name of the local branch ({branch}), if the desired rev is a branch \
                 name then a forced update could possibly be avoided by setting the 'branch' argument to '{0}' instead.",
                self.rev
            ),
            Some(default) if self.rev == "HEAD" && branch != default => format!(
                " The default remote branch ({default}) differs from the local branch ({branch}). This could be caused by \
                 changing the default remote branch, or if the local branch was manually changed. Rather than forcing an \
                 update, it may be advisable to set the 'branch' argument to '{default}' instead. To ensure that this state \
                 follows the '{default}' branch instead of the remote HEAD, set the 'rev' argument to '{default}'."
            ),
            _ => String::new(),
        };
        let from = local.base.as_deref().map_or("None", short);
        let to = self.wanted.commit.as_deref().map_or("None", short);
        let way = if local.has_changes && from != to { format!("from {from} to {to}") } else { format!("to {to}") };
        let after = self.other_branch(local).map(|branch| format!(" (after checking out local branch '{branch}')"));
        let why = if local.has_changes { "there are uncommitted changes" } else { "this is not a fast-forward merge" };
        let (or, discarding) =
            if local.has_changes { (" (or 'remote-changes')", " and discard these changes") } else { ("", "") };
        self.failed(format!(
            "Repository would be updated {way}{}, but {why}. Set 'force_reset' to True{or} to force this update{discarding}.\
             {advice}",
            after.unwrap_or_default()
        ))
    }

    /// Makes the remote lead to the server. A preview ends here if it does not.
    fn set_remote(&mut self, local: &Local, how: Move) -> Result<Option<Return>, Failed> {
        let current = self.repository.remote(&self.remote)?;
        if self.wanted.commit.is_none() || current.as_deref() == Some(&self.address) {
            return Ok(None);
        }
        let shown = current.as_deref().map_or_else(|| "None".to_owned(), crate::states::web::redacted);
        let (remote, name) = (self.remote.clone(), self.name.clone());
        if !self.call.preview {
            self.repository.set_remote(&remote, &self.address, current.is_some())?;
            if current.is_none() {
                self.comments.push(format!("Remote '{remote}' set to {name}"));
                self.changes.insert("new", format!("{name} => {remote}"));
            } else {
                self.comments.push(format!("Remote '{remote}' changed from {shown} to {name}"));
            }
            return Ok(None);
        }
        let mut actions = vec![format!("Remote '{remote}' would be changed from {shown} to {name}")];
        if !local.has_commit {
            actions.push("Remote would be fetched".to_owned());
        }
        let updates = self.args.flag("update_head", true);
        if !local.is_wanted && updates {
            self.note_revision(local);
            if how == Move::Reset {
                self.changes.insert("forced update", true);
            }
            let to = self.wanted.commit.as_deref().map(short).unwrap_or_default();
            actions.push(format!("Repository would be {} to {to}", how.said()));
            return Ok(Some(self.would(sentences(&actions))));
        }
        if !local.is_wanted {
            return Ok(Some(Return::unchanged(sentences(&actions))));
        }
        Ok(Some(self.up_to_date(&actions, false)))
    }

    fn note_revision(&mut self, local: &Local) {
        let to = self.wanted.commit.clone().unwrap_or_default();
        self.changes.insert("revision", revision(local.commit.as_deref(), &to));
    }

    fn preview(&mut self, local: &Local, how: Move) -> Return {
        let mut actions = Vec::new();
        if !local.has_commit {
            actions.push(format!("Remote '{}' would be fetched", self.remote));
        }
        let updates = self.args.flag("update_head", true);
        let other = self.other_branch(local).map(str::to_owned);
        if !local.is_wanted && (updates || other.is_some()) {
            self.note_revision(local);
        }
        let from = local.commit.as_deref().map_or("None", short).to_owned();
        let to = self.wanted.commit.as_deref().map_or("None", short).to_owned();
        match other {
            Some(branch) if local.branches.contains(&branch) => {
                actions.push(format!("Branch '{branch}' would be checked out and {} to {to}", how.said()));
            }
            Some(branch) => {
                let location = self.location();
                actions
                    .push(format!("New branch '{branch}' would be checked out, with {location} as a starting point"));
                let upstream = self.wanted.upstream.name();
                actions.extend(upstream.map(|upstream| format!("Tracking branch would be set to {upstream}")));
            }
            None if local.is_wanted => {}
            None if updates => {
                let how = match how {
                    Move::Forward => "fast-forwarded",
                    _ if self.reset != Reset::Never && local.has_commit => "hard-reset",
                    _ => "updated",
                };
                actions.push(format!("Repository would be {how} from {from} to {to}"));
            }
            None => actions.push(format!(
                "Local HEAD ({from}) does not match {} but update_head=False, HEAD would not be updated locally",
                self.location()
            )),
        }
        match (local.upstream.as_deref(), &self.wanted.upstream) {
            (None, Upstream::Named(upstream)) => actions.push(format!("Tracking branch would be set to {upstream}")),
            (Some(_), Upstream::None) => actions.push("Tracking branch would be unset".to_owned()),
            (Some(current), Upstream::Named(upstream)) if current != upstream => {
                actions.push(format!("Tracking branch would be updated to {upstream}"));
            }
            _ => {}
        }
        if !self.changes.entries.is_empty() {
            return self.would(sentences(&actions));
        }
        if !local.is_wanted && !updates && !actions.is_empty() {
            return Return::unchanged(sentences(&actions));
        }
        self.up_to_date(&actions, false)
    }

    fn fetch(&self) -> Result<bool, Failed> {
        let is_forced = self.args.flag("force_fetch", false);
        self.repository.fetch(&self.remote, is_forced, &self.refspecs()?).map_err(|error| {
            self.failed(format!(
                "Fetch failed. Set 'force_fetch' to True to force the fetch if the failure was due to not being able to \
                 fast-forward. Output of the fetch command follows:\n\n{}",
                error.comment
            ))
        })
    }

    /// Brings the clone to the commit that is wanted. `Some` ends the state here.
    fn bring(&mut self, local: &Local, how: Move) -> Result<Option<Return>, Failed> {
        let wanted = self.wanted.commit.clone().unwrap_or_default();
        if self.following(local.upstream.as_deref()).is_some() && local.branch.is_none() {
            return Err(self.failed(
                "Cannot set/unset upstream tracking branch, local HEAD refers to nonexistent branch. This may have been \
                 caused by cloning a remote repository for which the default branch was renamed or deleted. If you are \
                 unable to fix the remote repository, you can work around this by setting the 'branch' argument (which will \
                 ensure that the named branch is created if it does not already exist).",
            ));
        }
        let is_same = self.match_tags(local);
        let mut how = how;
        if !local.has_commit || !is_same {
            if self.fetch()? {
                self.comments.push(format!("{} was fetched, resulting in updated refs", self.name));
            }
            if self.repository.commit(&wanted)?.is_none() {
                return Err(format!("Fetch did not successfully retrieve rev '{}' from {}", self.rev, self.name).into());
            }
            if self.keeps_head(local) {
                return Ok(Some(self.head_stays(local)));
            }
            how = self.direction(local)?;
            let is_lost = how == Move::Reset || local.has_changes;
            if is_lost && self.reset == Reset::Never {
                return Err(self.not_forward(local));
            }
        }
        self.switch_branch(local)?;
        if how == Move::Reset {
            self.repository.git(&["reset", "--hard", &wanted]).map_err(|error| self.failed(error.comment))?;
            self.changes.insert("forced update", true);
            if local.has_changes {
                self.comments.push("Uncommitted changes were discarded".to_owned());
            }
            let location = self.location();
            self.comments.push(format!("Repository was hard-reset to {location}"));
        } else if local.has_changes && self.reset != Reset::Never {
            self.repository.git(&["checkout", "--", "."]).map_err(|error| self.failed(error.comment))?;
            self.comments.push("Uncommitted changes were discarded".to_owned());
        }
        let makes_branch = self.branch.as_ref().is_some_and(|branch| !local.branches.contains(branch));
        self.follow(local.upstream.as_deref(), makes_branch)?;
        if how == Move::Forward && !self.wanted.is(local.base.as_deref()) {
            self.forward(&wanted)?;
        }
        Ok(None)
    }

    /// Notes new tags and removes those that the server no longer has. Says whether they were the same.
    fn match_tags(&mut self, local: &Local) -> bool {
        let there: Vec<String> = self.refs.tags().into_iter().map(str::to_owned).collect();
        let new: Vec<Data> =
            there.iter().filter(|tag| !local.tags.contains(tag)).map(|tag| tag.as_str().into()).collect();
        let old: Vec<&String> = local.tags.iter().filter(|tag| !there.contains(tag)).collect();
        let is_same = new.is_empty() && old.is_empty();
        if !new.is_empty() {
            self.changes.insert("new_tags", new);
        }
        if self.args.flag("sync_tags", true) {
            let is_gone = |tag: &&&String| self.repository.git(&["tag", "-d", tag]).is_ok();
            let gone: Vec<&str> = old.iter().filter(is_gone).map(|tag| tag.as_str()).collect();
            if !gone.is_empty() {
                let comment = format!("The following tags were removed from the local checkout: {}", gone.join(", "));
                self.comments.push(comment);
                self.changes.insert("deleted_tags", gone.into_iter().map(Data::from).collect::<Data>());
            }
        }
        is_same
    }

    fn switch_branch(&mut self, local: &Local) -> Result<(), Failed> {
        let Some(branch) = self.other_branch(local).map(str::to_owned) else { return Ok(()) };
        let is_forced = self.args.flag("force_checkout", false);
        if local.has_changes && !is_forced {
            return Err(format!(
                "Local branch '{}' has uncommitted changes. Set 'force_checkout' to True to discard them and proceed.",
                local.branch.as_deref().unwrap_or("None")
            )
            .into());
        }
        let start = self.start();
        let is_new = !local.branches.contains(&branch);
        let mut arguments = vec!["checkout"];
        if is_forced {
            arguments.push("--force");
        }
        arguments.extend(if is_new { vec!["-b", &branch, &start] } else { vec![branch.as_str()] });
        self.repository.git(&arguments).map_err(|error| self.failed(error.comment))?;
        let location = self.location();
        self.comments.push(if is_new {
            format!("New branch '{branch}' was checked out, with {location} as a starting point")
        } else {
            format!("'{branch}' was checked out")
        });
        Ok(())
    }

    fn forward(&mut self, wanted: &str) -> Result<(), Failed> {
        if self.wanted.upstream.name().is_none() && self.rev != "HEAD" {
            let rev = self.rev.clone();
            self.repository.git(&["reset", "--hard", &rev]).map_err(|error| self.failed(error.comment))?;
            self.comments.push(format!("Repository was reset to {rev} (fast-forward)"));
            return Ok(());
        }
        if !self.repository.ask(&["symbolic-ref", "--quiet", "HEAD"])?.is_success() {
            return Err(self.failed("Unable to fast-forward, HEAD is detached"));
        }
        self.repository.git(&["merge", "--ff-only", wanted]).map_err(|error| self.failed(error.comment))?;
        let location = self.location();
        self.comments.push(format!("Repository was fast-forwarded to {location}"));
        Ok(())
    }
}
