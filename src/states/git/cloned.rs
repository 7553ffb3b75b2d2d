//! `git.cloned`: a clone, which nothing is fetched into once it is there.

use camino::Utf8Path;

use super::repository::Repository;
use crate::states::returns::{dict, old_new};
use crate::states::{Call, Failed, Return};

pub(super) fn cloned(call: &Call<'_>) -> Result<Return, Failed> {
    let (args, name, target) = (call.args, call.args.name()?, call.args.required("target")?);
    if !target.starts_with('/') {
        return Err("'target' path must be absolute".into());
    }
    let branch = args.text("branch")?;
    if branch.as_deref() == Some("") {
        return Err("Invalid 'branch' argument".into());
    }
    let mut repository = Repository::new(call, &target)?;
    let address = repository.log_in(&args, &name)?;
    if !call.preview {
        repository.mend()?;
    }
    if !Utf8Path::new(&target).exists() {
        let with = branch.as_ref().map_or_else(String::new, |branch| format!(" with branch '{branch}'"));
        let changes = dict([("new", format!("{} => {target}", super::super::web::redacted(&name)).into())]);
        if call.preview {
            return Ok(Return::would(changes, format!("{name} would be cloned to {target}{with}")));
        }
        let options = branch.iter().flat_map(|branch| ["--branch", branch]).collect::<Vec<_>>();
        repository.clone(&address, &options).map_err(|error| format!("Clone failed: {}", error.comment))?;
        return Ok(Return::changed(changes, format!("{name} cloned to {target}{with}")));
    }
    // Says whether it is a repository at all.
    repository.git(&["status", "-z", "--porcelain"])?;
    let Some(branch) = branch else {
        return Ok(Return::unchanged(format!("Repository already exists at {target}")));
    };
    let (_, current) = repository.head()?;
    if current.as_deref() == Some(&branch) {
        let comment = format!("Repository already exists at {target} and is checked out to branch '{branch}'");
        return Ok(Return::unchanged(comment));
    }
    let changes = dict([("branch", old_new(current.unwrap_or_default(), branch.as_str()))]);
    if call.preview {
        return Ok(Return::would(changes, format!("Branch would be changed to '{branch}'")));
    }
    let changed = if repository.commit(&branch)?.is_some() {
        repository.git(&["checkout", &branch])
    } else {
        repository.git(&["checkout", "-b", &branch, &format!("origin/{branch}")])
    };
    changed.map_err(|error| format!("Failed to change branch to '{branch}': {}", error.comment))?;
    Ok(Return::changed(changes, format!("Branch changed to '{branch}'")))
}
