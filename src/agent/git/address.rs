//! Addresses of repositories: compared, and shown without their secrets.
//!
//! What comes out of here may be printed and written; what goes in may hold a password.

use camino::{Utf8Path, Utf8PathBuf};

use crate::model::address::{redact, split};

/// A message in which the address and its secrets are redacted.
pub(super) fn redact_in(message: &str, address: &str) -> String {
    let mut message = message.replace(address, &redact(address));
    if let Some((scheme, user, _)) = split(address) {
        let secrets = match user.split_once(':') {
            Some((name, password)) if scheme.starts_with("http") => vec![user, password, name],
            Some((_, password)) => vec![user, password],
            None if scheme.starts_with("http") => vec![user],
            None => vec![],
        };
        for secret in secrets.into_iter().filter(|secret| secret.len() > 3) {
            message = message.replace(secret, "***");
            message = message.replace(&decoded(secret), "***");
        }
    }
    message
}

/// Whether two addresses name the same repository: a password, `.git` and a slash at the end do not count.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    let bare = |address: &str| {
        let address = redact(address);
        let address = address.trim_end_matches('/');
        address.strip_suffix(".git").unwrap_or(address).trim_end_matches('/').trim_start_matches("file://").to_owned()
    };
    bare(one) == bare(other)
}

/// The address, a relative path taken from `folder`.
pub(super) fn absolute(address: &str, folder: &Utf8Path) -> String {
    let is_path = !address.contains("://") && !is_scp(address);
    if is_path { clean(&folder.join(address)).into_string() } else { address.to_owned() }
}

/// Whether the address reads `user@host:path`, as scp has it.
fn is_scp(address: &str) -> bool {
    address.split_once(':').is_some_and(|(host, _)| !host.contains('/'))
}

/// A path without `.` and `..`, by its text alone.
fn clean(path: &Utf8Path) -> Utf8PathBuf {
    let mut cleaned = Utf8PathBuf::new();
    for part in path.components() {
        match part.as_str() {
            "." => {}
            ".." => _ = cleaned.pop(),
            part => cleaned.push(part),
        }
    }
    cleaned
}

/// The text with `%40` and the like replaced.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        let code = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        decoded.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_comes_out_with_a_message() {
        let address = "https://ops:p%40ss:w@rd@git.example.net/a";
        let message = redact_in(&format!("cannot reach {address} as ops:p@ss:w@rd with p%40ss:w@rd"), address);
        assert!(!message.contains("ss:w"), "{message}");
    }

    #[test]
    fn two_spellings_of_an_address_are_the_same() {
        assert!(is_same("https://a:b@git.example.net/a.git", "https://git.example.net/a/"));
        assert!(is_same("file:///srv/a.git", "/srv/a"));
        assert!(!is_same("/srv/a", "/srv/b"));
    }

    #[test]
    fn a_relative_path_is_taken_from_the_project() {
        let folder = Utf8Path::new("/project/x");
        assert_eq!(absolute("../model.git", folder), "/project/model.git");
        assert_eq!(absolute("git@host:a.git", folder), "git@host:a.git");
        assert_eq!(absolute("https://host/a", folder), "https://host/a");
        assert_eq!(absolute("/srv/a", folder), "/srv/a");
    }
}
