//! `git.*`: repositories, through the host's `git`.
//!
//! No user name or password is ever on a command line or in a repository's settings, and nothing that somebody changed in
//! a work tree is lost unless the state says so.

mod cloned;
mod config;
mod detached;
mod latest;
mod present;
mod remote;
mod repository;

use camino::Utf8Path;
use fs_err as fs;

use crate::formula::Data;
use crate::states::returns::dict;
use crate::states::{Failed, Function};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("git.latest", latest::latest).requires(&["target"]).takes(&[
        "bare",
        "branch",
        "depth",
        "fetch_tags",
        "force_checkout",
        "force_clone",
        "force_fetch",
        "force_reset",
        "https_pass",
        "https_user",
        "identity",
        "mirror",
        "password",
        "refspec_branch",
        "refspec_tag",
        "remote",
        "rev",
        "submodules",
        "sync_tags",
        "update_head",
        "user",
    ]),
    Function::new("git.cloned", cloned::cloned).requires(&["target"]).takes(&[
        "branch",
        "https_pass",
        "https_user",
        "identity",
        "password",
        "user",
    ]),
    Function::new("git.detached", detached::detached).requires(&["rev", "target"]).takes(&[
        "fetch_remote",
        "force_checkout",
        "force_clone",
        "hard_reset",
        "https_pass",
        "https_user",
        "identity",
        "password",
        "remote",
        "submodules",
        "user",
    ]),
    Function::new("git.present", present::present).takes(&[
        "bare",
        "force",
        "password",
        "separate_git_dir",
        "shared",
        "template",
        "user",
    ]),
    Function::new("git.config_set", config::set).takes(&["global", "multivar", "password", "repo", "user", "value"]),
    Function::new("git.config_unset", config::unset).takes(&[
        "all",
        "global",
        "password",
        "repo",
        "user",
        "value_regex",
    ]),
];

/// Sentences about what was done, one after the other.
fn sentences(comments: &[String]) -> String {
    let end = if comments.len() > 1 { "." } else { "" };
    comments.join(". ") + end
}

/// A failure after some things were done.
fn failed(why: impl Into<String>, comments: &[String]) -> Failed {
    let mut comment = why.into();
    if !comments.is_empty() {
        comment.push_str("\n\nChanges already made: ");
        comment.push_str(&sentences(comments));
    }
    comment.into()
}

/// Removes what is in a folder, and not the folder.
fn empty(folder: &Utf8Path) -> Result<(), Failed> {
    for entry in folder.read_dir_utf8()? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
    }
    Ok(())
}

/// The first digits of a commit.
fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

/// A revision before and after; `None` where there was none.
fn revision(old: Option<&str>, new: &str) -> Data {
    dict([("old", old.map_or(Data::None, Data::from)), ("new", new.into())]).into()
}

/// Whether a text may be the beginning of a commit.
fn is_commit(rev: &str) -> bool {
    rev.len() <= 40 && rev.bytes().all(|digit| digit.is_ascii_hexdigit())
}
