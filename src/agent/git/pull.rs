//! One pull: clone or fetch, then a detached checkout of one commit.
//!
//! An interrupted pull never stands in the way of the next one: a clone comes into being beside its
//! place and is moved there when it is whole, and a checkout leaves a note until it is done.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use git2::build::CheckoutBuilder;
use git2::{AutotagOption, CheckoutNotificationType, FetchOptions, ObjectType, Oid, Repository, StatusOptions};

use crate::agent::git::{address, login};
use crate::agent::output;
use crate::agent::protocol::Order;
use crate::model::Outcome;
use crate::model::address::redact;
use crate::model::plan::Action;
use crate::model::record::{End, Pulled};

/// How many files a refusal names.
const NAMED: usize = 5;

/// In the repository's own folder while its files are being replaced.
const UNDER_WAY: &str = "upshift-checkout";

/// Brings a repository to the commit that the order names.
///
/// `changes` counts the files that differ from before the pull: every file of a first clone. `Pulled`
/// counts commits and files since `order.since`, or since where the folder was when the order does not
/// say. Without either, or when that commit is no longer part of the repository's history, `since` is
/// `None`, no commits are counted, and all files are.
///
/// Setting `abort` ends a transfer; the repository is then as it was.
#[must_use]
pub fn pull(order: &Order, abort: &AtomicBool) -> End {
    let Action::Pull { repo, commit, into, rev } = &order.action else {
        return End::noted(Outcome::Failed, "this is no pull");
    };
    let address = address::absolute(order.address.as_deref().unwrap_or(repo.reveal()), &order.folder);
    let pull = Pull { address: &address, rev, commit, into, folder: order.folder.join(into), abort };
    pull.carry_out(order.since.as_deref()).unwrap_or_else(|refusal| {
        let note = address::redact_in(&refusal.reason(), &address);
        End::noted(Outcome::Failed, note.replace('\n', " "))
    })
}

/// Brings a commit to a bare repository, which is made if it is not there. What it has already is not asked for.
///
/// # Errors
/// When the repository cannot be reached or does not have the commit.
pub fn mirror(address: &str, commit: &str, folder: &Utf8Path) -> std::result::Result<(), crate::error::Error> {
    let abort = AtomicBool::new(false);
    let pull = Pull { address, rev: commit, commit, into: "", folder: folder.to_owned(), abort: &abort };
    let brought = Repository::open_bare(folder)
        .or_else(|_| Repository::init_bare(folder))
        .and_then(|repository| Ok((Oid::from_str(commit)?, repository)))
        .map_err(Refusal::from)
        .and_then(|(commit, repository)| pull.fetch(&repository, commit));
    brought.map_err(|refusal| {
        let note = address::redact_in(&refusal.reason(), address);
        crate::error::Error::usage(note.replace('\n', " "))
    })
}

struct Pull<'a> {
    address: &'a str,
    rev: &'a str,
    commit: &'a str,
    into: &'a str,
    folder: Utf8PathBuf,
    abort: &'a AtomicBool,
}

enum Refusal {
    Said(String),
    Git(git2::Error),
    Io(std::io::Error),
}

impl Refusal {
    fn reason(&self) -> String {
        match self {
            Self::Said(reason) => reason.clone(),
            Self::Git(error) => error.message().to_owned(),
            Self::Io(error) => error.to_string(),
        }
    }
}

impl From<git2::Error> for Refusal {
    fn from(error: git2::Error) -> Self {
        Self::Git(error)
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

type Result<T> = std::result::Result<T, Refusal>;

fn said<T>(reason: impl Into<String>) -> Result<T> {
    Err(Refusal::Said(reason.into()))
}

impl Pull<'_> {
    fn carry_out(&self, since: Option<&str>) -> Result<End> {
        let commit = Oid::from_str(self.commit).or_else(|_| said(format!("`{}` is no commit", self.commit)))?;
        if !is_vacant(&self.folder)? {
            return self.update(commit, since);
        }
        let repository = self.clone(commit)?;
        let files = files_between(&repository, None, commit)?;
        Ok(End {
            changes: files,
            pulled: Some(self.pulled(&repository, commit, since)?),
            ..End::plain(Outcome::Changed)
        })
    }

    /// Makes the repository beside its place, so that there is never half of one.
    fn clone(&self, commit: Oid) -> Result<Repository> {
        let name = self.folder.file_name().unwrap_or("repository");
        let parent = self.folder.parent().unwrap_or(Utf8Path::new("/"));
        let part = parent.join(format!(".{name}.upshift-part"));
        if part.exists() {
            fs::remove_dir_all(&part)?;
        }
        fs::create_dir_all(parent)?;
        let made = Repository::init(&part).map_err(Refusal::from).and_then(|repository| {
            repository.remote("origin", &redact(self.address))?;
            self.fetch(&repository, commit)?;
            check_out(&repository, commit, CheckoutBuilder::new().force())?;
            Ok(())
        });
        if let Err(refusal) = made {
            let _ = fs::remove_dir_all(&part);
            return Err(refusal);
        }
        fs::rename(&part, &self.folder)?;
        Ok(Repository::open(&self.folder)?)
    }

    fn update(&self, commit: Oid, since: Option<&str>) -> Result<End> {
        let repository = self.open()?;
        let under_way =
            Utf8PathBuf::try_from(repository.path().join(UNDER_WAY)).or_else(|_| said("the path is not UTF-8"))?;
        let cut_off = under_way.exists();
        if !cut_off {
            self.refuse_modifications(&repository)?;
        }
        let before = repository.head().ok().and_then(|head| head.peel_to_commit().ok()).map(|commit| commit.id());
        if before == Some(commit) && !cut_off {
            repository.set_head_detached(commit)?;
            let pulled = Some(self.pulled(&repository, commit, since)?);
            return Ok(End { pulled, ..End::plain(Outcome::Unchanged) });
        }
        self.fetch(&repository, commit)?;
        let conflicts = RefCell::new(Vec::new());
        let mut how = CheckoutBuilder::new();
        if cut_off {
            // What differs was most likely left by the pull that was cut off.
            how.force();
        } else {
            how.safe();
            // A file may come to be where an untracked one is. Asked before anything is touched.
            how.notify_on(CheckoutNotificationType::CONFLICT).notify(|_, path, _, _, _| {
                conflicts.borrow_mut().extend(path.map(|path| path.display().to_string()));
                true
            });
        }
        fs::write(&under_way, self.commit)?;
        let done = check_out(&repository, commit, &mut how);
        drop(how);
        let conflicts = conflicts.into_inner();
        if !conflicts.is_empty() {
            // Nothing was touched.
            fs::remove_file(&under_way)?;
            return said(format!("files in `{}` are in the way: {}", self.into, some_of(&conflicts)));
        }
        done?;
        fs::remove_file(&under_way)?;
        let old = before.map(|before| before.to_string());
        let changes = files_between(&repository, before.filter(|_| !cut_off), commit)?;
        let pulled = Some(self.pulled(&repository, commit, since.or(old.as_deref()))?);
        Ok(End { changes, pulled, ..End::plain(Outcome::Changed) })
    }

    /// Opens the folder, which has to be this very repository.
    fn open(&self) -> Result<Repository> {
        let Ok(repository) = Repository::open(&self.folder) else {
            return said(format!("`{}` is there and is no git repository that upshift may open", self.into));
        };
        if repository.is_bare() {
            return said(format!("`{}` is a bare repository", self.into));
        }
        let origin = repository.find_remote("origin").ok().and_then(|origin| origin.url().ok().map(ToOwned::to_owned));
        match origin {
            Some(origin) if address::is_same(&origin, self.address) => Ok(repository),
            Some(origin) => said(format!(
                "`{}` is a clone of `{}` and not of `{}`",
                self.into,
                redact(&origin),
                redact(self.address)
            )),
            None => said(format!("`{}` is a git repository without an `origin`", self.into)),
        }
    }

    fn refuse_modifications(&self, repository: &Repository) -> Result<()> {
        let mut options = StatusOptions::new();
        options.include_untracked(false).include_ignored(false).exclude_submodules(true);
        let statuses = repository.statuses(Some(&mut options))?;
        if statuses.is_empty() {
            return Ok(());
        }
        let files: Vec<_> =
            statuses.iter().map(|entry| String::from_utf8_lossy(entry.path_bytes()).into_owned()).collect();
        said(format!("`{}` has local modifications: {}", self.into, some_of(&files)))
    }

    /// Gets the commit, unless it is there already.
    fn fetch(&self, repository: &Repository, commit: Oid) -> Result<()> {
        if repository.find_commit(commit).is_ok() {
            return Ok(());
        }
        // Not the remote `origin`: its address has no password.
        let mut remote = repository.remote_anonymous(self.address)?;
        let refs = ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"];
        remote.fetch(&refs, Some(&mut self.options()), Some("upshift"))?;
        if repository.find_commit(commit).is_ok() {
            return Ok(());
        }
        // No branch leads to it any more. Many servers still give it to who knows its name.
        let by_name = remote.fetch(&[self.commit], Some(&mut self.options()), Some("upshift"));
        if by_name.is_ok() && repository.find_commit(commit).is_ok() {
            return Ok(());
        }
        let (commit, shown) = (self.commit, redact(self.address));
        said(format!("`{shown}` no longer has commit {commit}, which `{}` named when the plan was made", self.rev))
    }

    fn options(&self) -> FetchOptions<'_> {
        let mut callbacks = login::callbacks();
        callbacks.transfer_progress(|_| !self.abort.load(Ordering::Relaxed));
        callbacks.sideband_progress(|_| !self.abort.load(Ordering::Relaxed));
        let mut options = FetchOptions::new();
        options.remote_callbacks(callbacks).download_tags(AutotagOption::None);
        options
    }

    fn pulled(&self, repository: &Repository, commit: Oid, since: Option<&str>) -> Result<Box<Pulled>> {
        let base =
            since.and_then(|since| repository.find_commit(Oid::from_str(since).ok()?).ok()).map(|commit| commit.id());
        let commits = match base {
            Some(base) => {
                let mut walk = repository.revwalk()?;
                walk.push(commit)?;
                walk.hide(base)?;
                u32::try_from(walk.count()).unwrap_or(u32::MAX)
            }
            None => 0,
        };
        Ok(Box::new(Pulled {
            repo: redact(self.address),
            into: self.into.to_owned(),
            commit: commit.to_string(),
            since: base.map(|base| base.to_string()),
            commits,
            files: files_between(repository, base, commit)?,
        }))
    }
}

fn check_out(
    repository: &Repository,
    commit: Oid,
    how: &mut CheckoutBuilder<'_>,
) -> std::result::Result<(), git2::Error> {
    repository.checkout_tree(&repository.find_object(commit, Some(ObjectType::Commit))?, Some(how))?;
    repository.set_head_detached(commit)
}

/// How many files differ between two commits; all of the second without a first.
fn files_between(repository: &Repository, from: Option<Oid>, to: Oid) -> std::result::Result<u32, git2::Error> {
    let tree = |commit| repository.find_commit(commit).and_then(|commit| commit.tree());
    let from = from.map(tree).transpose()?;
    let diff = repository.diff_tree_to_tree(from.as_ref(), Some(&tree(to)?), None)?;
    Ok(u32::try_from(diff.deltas().len()).unwrap_or(u32::MAX))
}

/// Whether nothing is there, or an empty folder.
fn is_vacant(folder: &Utf8Path) -> std::io::Result<bool> {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(std::io::Error::new(error.kind(), format!("cannot read `{folder}`: {error}"))),
    }
}

/// The first few names, and how many there are besides.
fn some_of(names: &[String]) -> String {
    let listed =
        names.iter().take(NAMED).map(|name| format!("`{}`", output::quotation(name))).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
}
