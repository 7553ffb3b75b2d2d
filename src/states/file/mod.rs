//! `file.*`: files, folders and links. Whatever is killed and when, each is the old one or the new one.
//!
//! One file a function or two; [`permissions`] is what they share, [`backup`] keeps what is about to change, [`clean`]
//! finds what belongs to no state.

pub(super) mod backup;
mod clean;
mod contents;
mod copy;
mod decode;
mod directory;
mod flags;
mod hardlink;
mod managed;
mod node;
mod pattern;
pub(super) mod permissions;
mod presence;
mod recurse;
mod symlink;
#[cfg(test)]
mod tests;
mod tidied;
mod touch;
mod trial;

use camino::Utf8PathBuf;

pub(super) use contents::check_encoding;
pub(super) use managed::{check_sources, check_template, hold};

use crate::states::{Call, Failed, Function, Host};

pub(super) const FUNCTIONS: &[Function] = &[
    copy::COPY,
    copy::RENAME,
    decode::DECODE,
    directory::DIRECTORY,
    hardlink::HARDLINK,
    managed::MANAGED,
    node::MKNOD,
    presence::ABSENT,
    presence::EXISTS,
    presence::MISSING,
    presence::NOT_CACHED,
    recurse::RECURSE,
    symlink::SYMLINK,
    tidied::TIDIED,
    touch::TOUCH,
];

/// A path in which `~` is the home of whoever runs this, and `~user` that of a user.
pub(super) fn expanded(host: &Host<'_>, path: &str) -> String {
    let Some(rest) = path.strip_prefix('~') else { return path.to_owned() };
    let (user, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let home = match user {
        "" => std::env::var("HOME").ok().or_else(|| host.user("0").map(|user| user.home)),
        user => host.user(user).map(|user| user.home),
    };
    home.map_or_else(|| path.to_owned(), |home| home.trim_end_matches('/').to_owned() + rest)
}

/// Whether the path that a state is about ends in a slash, and so is to be a folder.
///
/// # Errors
/// When the state has no name.
pub(super) fn is_folder(call: &Call<'_>) -> Result<bool, Failed> {
    Ok(call.args.name()?.ends_with('/'))
}

/// The path that a state is about, without a slash at its end.
///
/// # Errors
/// When it is empty, or does not begin at the root.
pub(super) fn absolute(call: &Call<'_>, function: &str) -> Result<Utf8PathBuf, Failed> {
    let name = expanded(call.host, &call.args.name()?);
    match name.trim_end_matches('/') {
        "" if name.is_empty() => Err(format!("Must provide name to {function}").into()),
        "" => Ok("/".into()),
        path if path.starts_with('/') => Ok(path.into()),
        _ => Err(format!("Specified file {name} is not an absolute path").into()),
    }
}
