//! Brings git repositories to exactly the commit that the plan names.
//!
//! A revision is resolved once, when the plan is made; a pull takes the commit and never looks at the
//! revision again. Nobody's local modifications are overwritten, and no secret in an address gets out.
//! Submodules and LFS files are left alone.

mod address;
mod login;
mod pull;

use camino::Utf8Path;
use git2::{Direction, Remote};

use crate::error::Error;
use crate::model::address::redact;
pub use pull::{mirror, pull};

/// How many refs an error lists.
const NEAREST: usize = 5;

/// The commit that a revision names in a repository now: a branch, a tag, `HEAD`, a full name that
/// starts with `refs/`, or a full commit, which is taken as it is.
///
/// A relative path is taken from the current folder. Asks the network and may take as long as it does.
///
/// # Errors
/// When the repository cannot be reached or does not have the revision.
pub fn resolve(repo: &str, rev: &str) -> Result<String, Error> {
    if is_commit(rev) {
        return Ok(rev.to_ascii_lowercase());
    }
    let shown = redact(repo);
    let refs = list(repo).map_err(|error| {
        let reason = address::redact_in(error.message(), repo);
        with_hint(Error::usage(format!("cannot read the refs of `{shown}`: {reason}")), &error)
    })?;
    // An annotated tag is listed as itself and, with `^{}`, as the commit that it is about.
    let candidates = [
        format!("refs/tags/{rev}^{{}}"),
        format!("{rev}^{{}}"),
        format!("refs/tags/{rev}"),
        format!("refs/heads/{rev}"),
        rev.to_owned(),
    ];
    let branch = refs.iter().find(|(name, _)| *name == format!("refs/heads/{rev}"));
    let found = candidates.iter().find_map(|name| refs.iter().find(|(known, _)| known == name));
    match (found, branch) {
        (Some((_, tag)), Some((_, branch))) if tag != branch => {
            Err(Error::usage(format!("`{rev}` is both a tag and a branch of `{shown}`, at different commits"))
                .hint(format!("write `refs/tags/{rev}` or `refs/heads/{rev}`")))
        }
        (Some((_, commit)), _) => Ok(commit.clone()),
        (None, _) => Err(unknown(&shown, rev, &refs)),
    }
}

/// What a pull records of an address that a pipeline has, and what the next run looks it up by.
#[must_use]
pub fn recorded(repo: &str, folder: &Utf8Path) -> String {
    redact(&address::absolute(repo, folder))
}

/// Names and commits of a repository's refs.
fn list(repo: &str) -> Result<Vec<(String, String)>, git2::Error> {
    let mut remote = Remote::create_detached(repo)?;
    let connection = remote.connect_auth(Direction::Fetch, Some(login::callbacks()), None)?;
    Ok(connection.list()?.iter().map(|head| (head.name().to_owned(), head.oid().to_string())).collect())
}

fn unknown(shown: &str, rev: &str, refs: &[(String, String)]) -> Error {
    let mut names: Vec<&str> = refs
        .iter()
        .filter_map(|(name, _)| name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/")))
        .filter(|name| !name.ends_with("^{}"))
        .collect();
    names.sort_by(|one, other| strsim::jaro_winkler(rev, other).total_cmp(&strsim::jaro_winkler(rev, one)));
    let error = Error::usage(format!("`{shown}` has no branch or tag `{rev}`"));
    let Some(nearest) = names.first() else { return error.hint("the repository has no branches and no tags") };
    let more = if names.len() > NEAREST { format!(" and {} more", names.len() - NEAREST) } else { String::new() };
    let listed = names.iter().take(NEAREST).copied().collect::<Vec<_>>().join(", ");
    error.hint(format!("did you mean `{nearest}`? The repository has: {listed}{more}"))
}

/// Adds what a person can do about a failed connection.
fn with_hint(error: Error, cause: &git2::Error) -> Error {
    match cause.code() {
        git2::ErrorCode::Certificate => {
            error.hint("the server's key or certificate is not known here: connect once by hand and check it")
        }
        git2::ErrorCode::Auth => error
            .hint("upshift never asks for a password: add a key to the ssh agent, or set up a git credential helper"),
        _ => error,
    }
}

fn is_commit(rev: &str) -> bool {
    rev.len() == 40 && rev.bytes().all(|byte| byte.is_ascii_hexdigit())
}
