//! `git.latest`: a clone that is at what the server has.

mod clone;
mod update;

use camino::Utf8Path;

use super::remote::{Kind, Remote, Upstream, Wanted};
use super::repository::{Repository, word};
use super::{sentences, short};
use crate::formula::{Data, Dict};
use crate::states::{Args, Call, Failed, Return};

/// What happens to local changes and commits that the server does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reset {
    Never,
    /// Only when there is something new on the server.
    WithNews,
    Always,
}

/// What the state says, and what is known of the server.
struct Latest<'a> {
    call: &'a Call<'a>,
    args: Args<'a>,
    /// The address as the state has it, without a password.
    name: String,
    /// The address that `git` is given.
    address: String,
    target: String,
    rev: String,
    branch: Option<String>,
    remote: String,
    reset: Reset,
    is_bare: bool,
    is_mirror: bool,
    repository: Repository<'a>,
    refs: Remote,
    wanted: Wanted,
    /// What has been done, or would be.
    comments: Vec<String>,
    changes: Dict,
}

pub(super) fn latest(call: &Call<'_>) -> Result<Return, Failed> {
    let mut latest = Latest::read(call)?;
    if !call.preview {
        latest.repository.mend()?;
    }
    let is_there =
        if latest.is_bare { latest.repository.target.join("refs").is_dir() } else { latest.repository.is_there() };
    let done = if is_there { latest.update() } else { latest.clone() };
    done.map_err(|failed| failed.after(latest.changes))
}

impl<'a> Latest<'a> {
    fn read(call: &'a Call<'a>) -> Result<Self, Failed> {
        let args = call.args;
        let name = args.name()?;
        let needed = |key: &str, value: Option<String>| {
            value.filter(|value| !value.is_empty()).ok_or_else(|| format!("'{key}' argument is required"))
        };
        let remote = needed("remote", Some(args.text("remote")?.unwrap_or_else(|| "origin".to_owned())))?;
        let target = needed("target", args.text("target")?)?;
        let rev = args.text("rev")?.unwrap_or_else(|| "HEAD".to_owned());
        if rev.is_empty() {
            return Err("'' is not a valid value for the 'rev' argument".into());
        }
        let reset = match (args.get("force_reset"), word(&args, "force_reset").as_deref()) {
            (None | Some(Data::Bool(false)), _) => Reset::Never,
            (Some(Data::Bool(true)), _) => Reset::Always,
            (_, Some("remote-changes")) => Reset::WithNews,
            _ => return Err("'force_reset' must be one of True, False, or 'remote-changes'".into()),
        };
        if !target.starts_with('/') {
            return Err(format!("target '{target}' is not an absolute path").into());
        }
        if Utf8Path::new(&target).is_file() {
            return Err(format!("Target '{target}' exists and is a regular file, cannot proceed").into());
        }
        let is_mirror = args.flag("mirror", false);
        let is_bare = is_mirror || args.flag("bare", false);
        let mut repository = Repository::new(call, &target)?;
        let address = repository.log_in(&args, &name)?;
        if rev != "HEAD" && is_bare {
            return Err("'rev' is not compatible with the 'mirror' and 'bare' arguments".into());
        }
        let refs = Remote::ask(&repository, &address)
            .map_err(|error| format!("Failed to check remote refs: {}", error.comment))?;
        let wanted = if is_bare {
            Wanted { commit: None, kind: None, upstream: Upstream::None }
        } else {
            refs.find(&rev, &remote)
        };
        if args.get("depth").is_some() && !matches!(wanted.kind, Some(Kind::Branch | Kind::Tag)) {
            let comment =
                "When 'depth' is used, 'rev' must be set to the name of a branch or tag on the remote repository";
            return Err(comment.into());
        }
        if wanted.commit.is_none() && !is_bare && rev != "HEAD" {
            return Err(format!("No revision matching '{rev}' exists in the remote repository").into());
        }
        let rev = if wanted.kind == Some(Kind::Commit) && rev != "HEAD" { rev.to_lowercase() } else { rev };
        Ok(Self {
            call,
            args,
            name: crate::states::web::redacted(&name),
            address,
            target,
            rev,
            branch: args.text("branch")?,
            remote,
            reset,
            is_bare,
            is_mirror,
            repository,
            refs,
            wanted,
            comments: Vec::new(),
            changes: Dict::default(),
        })
    }

    /// What is on the server, in words.
    fn location(&self) -> String {
        let commit = self.wanted.commit.as_deref().map(short).unwrap_or_default();
        match (self.wanted.kind, self.wanted.upstream.name()) {
            (Some(Kind::Commit), _) if self.rev == "HEAD" => format!("remote HEAD ({commit})"),
            (Some(Kind::Branch), Some(upstream)) => format!("{upstream} ({commit})"),
            (Some(Kind::Tag), _) => format!("{} ({commit})", self.rev),
            _ => commit.to_owned(),
        }
    }

    /// The branches and tags that are fetched.
    fn refspecs(&self) -> Result<Vec<String>, Failed> {
        if !self.args.flag("fetch_tags", true) {
            return Ok(Vec::new());
        }
        let pattern = |key: &str| Ok::<_, Failed>(self.args.text(key)?.unwrap_or_else(|| "*".to_owned()));
        let (branch, tag) = (pattern("refspec_branch")?, pattern("refspec_tag")?);
        let remote = &self.remote;
        Ok(vec![
            format!("refs/heads/{branch}:refs/remotes/{remote}/{branch}"),
            format!("+refs/tags/{tag}:refs/tags/{tag}"),
        ])
    }

    /// Where a new branch begins.
    fn start(&self) -> String {
        let commit = || self.wanted.commit.clone().unwrap_or_default();
        match self.wanted.upstream.name() {
            _ if self.rev == "HEAD" => commit(),
            Some(upstream) => upstream.to_owned(),
            None => self.rev.clone(),
        }
    }

    /// Makes the branch follow the one that is wanted. `current` is the one that it follows now.
    fn follow(&mut self, current: Option<&str>, makes_branch: bool) -> Result<(), Failed> {
        let Some((arguments, said)) = self.following(current) else { return Ok(()) };
        // A branch that was just made follows the right one already.
        if makes_branch && arguments.len() > 2 {
            return Ok(());
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.repository.git(&arguments).map_err(|error| self.failed(error.comment))?;
        self.comments.push(said);
        Ok(())
    }

    /// What `git` is told to make the branch follow the right one, and the words for it; `None` if it does.
    fn following(&self, current: Option<&str>) -> Option<(Vec<String>, String)> {
        let set = |upstream: &str| vec!["branch".to_owned(), "--set-upstream-to".to_owned(), upstream.to_owned()];
        match (current, &self.wanted.upstream) {
            (None, Upstream::Named(upstream)) => {
                Some((set(upstream), format!("Tracking branch was set to {upstream}")))
            }
            (Some(_), Upstream::None) => {
                Some((vec!["branch".to_owned(), "--unset-upstream".to_owned()], "Tracking branch was unset".to_owned()))
            }
            (Some(current), Upstream::Named(upstream)) if current != upstream => {
                Some((set(upstream), format!("Tracking branch was updated to {upstream}")))
            }
            _ => None,
        }
    }

    fn update_submodules(&self) -> Result<(), Failed> {
        if !self.args.flag("submodules", false) {
            return Ok(());
        }
        self.repository.update_submodules().map_err(|error| self.failed(error.comment))
    }

    /// The branch that a local one follows.
    fn upstream(&self, branch: &str) -> Result<Option<String>, Failed> {
        let output = self.repository.ask(&["rev-parse", "--abbrev-ref", &format!("{branch}@{{upstream}}")])?;
        Ok(output.is_success().then(|| output.stdout.trim().to_owned()))
    }

    fn names(&self, prefix: &str) -> Result<Vec<String>, Failed> {
        let said = self.repository.git(&["for-each-ref", "--format=%(refname)", prefix])?;
        let names = said.lines().filter_map(|line| line.strip_prefix(prefix)?.strip_prefix('/'));
        Ok(names.map(str::to_owned).collect())
    }

    fn failed(&self, why: impl Into<String>) -> Failed {
        super::failed(why, &self.comments)
    }

    /// A preview that something would be done.
    fn would(&mut self, comment: impl Into<String>) -> Return {
        Return::would(std::mem::take(&mut self.changes), comment)
    }

    /// Nothing had to be done with the commits, though perhaps with other things.
    fn up_to_date(&mut self, actions: &[String], has_changes: bool) -> Return {
        let mut comment = format!("Repository {} is up-to-date", self.target);
        if has_changes {
            comment.push_str(", but with uncommitted changes. Set 'force_reset' to True to purge uncommitted changes.");
        }
        if !actions.is_empty() {
            let would = if self.call.preview { "that would be " } else { "" };
            comment.push_str(&format!("\n\nChanges {would}made: {}", sentences(actions)));
        }
        Return::changed(std::mem::take(&mut self.changes), comment)
    }
}
