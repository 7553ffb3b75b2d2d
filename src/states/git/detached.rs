//! `git.detached`: a clone at a commit, and at no branch.

use super::remote::Remote;
use super::repository::Repository;
use super::{empty, failed, is_commit, revision, sentences};
use crate::formula::Dict;
use crate::states::{Call, Failed, Return};

pub(super) fn detached(call: &Call<'_>) -> Result<Return, Failed> {
    let (args, name) = (call.args, call.args.name()?);
    let (rev, target) = (args.required("rev")?, args.required("target")?);
    let remote = args.text("remote")?.unwrap_or_else(|| "origin".to_owned());
    if rev.is_empty() {
        return Err(format!("'{rev}' is not a valid value for the 'rev' argument").into());
    }
    if !target.starts_with('/') {
        return Err(format!("Target '{target}' is not an absolute path").into());
    }
    let mut repository = Repository::new(call, &target)?;
    if repository.target.is_file() {
        return Err(format!("Target '{target}' exists and is a regular file, cannot proceed").into());
    }
    let address = repository.log_in(&args, &name)?;
    let is_hash = is_commit(&rev);
    let rev = if is_hash { rev.to_lowercase() } else { rev };
    let would = |comment: String| Ok(Return::would(Dict::default(), comment));
    let mut changes = Dict::default();
    let mut comments = Vec::new();
    let mut local = None;
    let mut is_known = false;
    if !call.preview {
        repository.mend()?;
    }
    if repository.is_there() {
        local = repository.head()?.0;
        if is_hash {
            is_known = repository.ask(&["describe", "--always", &rev])?.is_success();
        } else {
            let current = repository.remote(&remote)?;
            if !current.as_deref().is_some_and(|current| current.contains(&address)) {
                if call.preview {
                    return would(format!("Remote {remote} would be set to {name}"));
                }
                repository.set_remote(&remote, &address, current.is_some())?;
                let current = current.unwrap_or_else(|| "None".to_owned());
                comments.push(format!("Remote {remote} updated from '{current}' to '{name}'"));
            }
        }
    } else {
        if repository.target.is_dir() {
            let is_empty = repository.target.read_dir_utf8()?.next().is_none();
            if args.flag("force_clone", false) {
                if call.preview {
                    return would(format!(
                        "Target directory {target} exists. Since force_clone=True, the contents of {target} would be \
                         deleted, and {name} would be cloned into this directory."
                    ));
                }
                empty(&repository.target)?;
                changes.insert("forced clone", true);
            } else if !is_empty {
                return Err(format!(
                    "Target '{target}' exists, is non-empty and is not a git repository. Set the 'force_clone' option to \
                     True to remove this directory's contents and proceed with cloning the remote repository"
                )
                .into());
            }
        }
        if call.preview {
            return would(format!("Repository {name} would be cloned to {target}"));
        }
        let mut options = vec!["--no-checkout"];
        if remote != "origin" {
            options.extend(["--origin", &remote]);
        }
        repository.clone(&address, &options).map_err(|error| failed(error.comment, &comments))?;
        comments.push(format!("{name} cloned to {target}"));
    }
    if !is_known && args.flag("fetch_remote", true) {
        if call.preview {
            return would(format!("Repository remote {remote} would be fetched"));
        }
        let what = [format!("refs/heads/*:refs/remotes/{remote}/*"), "+refs/tags/*:refs/tags/*".to_owned()];
        let is_news = repository
            .fetch(&remote, true, &what)
            .map_err(|error| failed(format!("Fetch failed:\n\n{}", error.comment), &comments))?;
        if is_news {
            comments.push(format!("Remote {remote} was fetched, resulting in updated refs"));
        }
    }
    let commit = if is_hash {
        let is_here = repository.ask(&["describe", "--always", &rev])?.is_success();
        is_here.then(|| rev.clone())
    } else {
        let refs = Remote::read(&repository.git(&["ls-remote", target.as_str()])?);
        refs.exact(&format!("refs/remotes/{remote}/{rev}")).or_else(|| refs.exact(&format!("refs/tags/{rev}")))
    };
    let commit = commit.ok_or_else(|| failed(format!("Revision '{rev}' does not exist"), &[]))?;
    if args.flag("hard_reset", false) {
        if call.preview {
            return would(format!("Hard reset to HEAD would be performed on {target}"));
        }
        repository.git(&["reset", "--hard", "HEAD"])?;
        comments.push("Repository was reset to HEAD before checking out revision".to_owned());
    }
    let mut new = None;
    if local.as_deref() != Some(&commit) {
        if call.preview {
            changes.insert("HEAD", revision(local.as_deref(), &commit));
            return Ok(Return::would(changes, format!("Commit ID {commit} would be checked out at {target}")));
        }
        let force = args.flag("force_checkout", false).then_some("--force");
        let arguments: Vec<&str> = ["checkout"].into_iter().chain(force).chain([commit.as_str()]).collect();
        repository.git(&arguments).map_err(|error| failed(error.comment, &comments))?;
        comments.push(format!("Commit ID {commit} was checked out at {target}"));
        new = repository.head()?.0;
    }
    if args.flag("submodules", false) && !call.preview {
        repository.update_submodules()?;
        comments.push("Submodules were updated".to_owned());
    }
    match new {
        Some(new) => drop(changes.insert("HEAD", revision(local.as_deref(), &new))),
        None => comments.push("Already checked out at correct revision".to_owned()),
    }
    Ok(Return::changed(changes, sentences(&comments)))
}
