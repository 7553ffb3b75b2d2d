//! Addresses of repositories, which may hold passwords and must not give them away.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// The address of a repository.
///
/// Shown, written and compared it is without its secrets; only [`reveal`](Self::reveal) has them. So
/// neither a plan, nor its digest, nor a journal ever holds one.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Address(String);

impl Address {
    /// An address as a person wrote it.
    #[must_use]
    pub fn new(address: String) -> Self {
        Self(address)
    }

    /// The address with its secrets, to reach the repository.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact(&self.0))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        redact(&self.0) == redact(&other.0)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The address without a password. Over HTTP nothing is left of the user either, since access tokens
/// are given in its place.
#[must_use]
pub fn redact(address: &str) -> String {
    let Some((scheme, user, rest)) = split(address) else { return address.to_owned() };
    let name = user.split_once(':').map_or(user, |(name, _)| name);
    if scheme.starts_with("http") { format!("{scheme}://{rest}") } else { format!("{scheme}://{name}@{rest}") }
}

/// The scheme, the user part before `@`, and the rest; `None` without a user part.
#[must_use]
pub fn split(address: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = address.split_once("://")?;
    let host = rest.split_once('/').map_or(rest, |(host, _)| host);
    // A password may hold an `@` itself, when somebody did not encode it.
    let at = host.rfind('@')?;
    Some((scheme, &rest[..at], &rest[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_comes_out() {
        assert_eq!(redact("https://ops:hunter2@git.example.net/a.git"), "https://git.example.net/a.git");
        assert_eq!(redact("https://ghp_token@git.example.net/a.git"), "https://git.example.net/a.git");
        assert_eq!(redact("ssh://git:hunter2@git.example.net:22/a"), "ssh://git@git.example.net:22/a");
        assert_eq!(redact("git@git.example.net:a.git"), "git@git.example.net:a.git");
        assert_eq!(redact("/srv/a"), "/srv/a");
        let address = Address::new("https://ops:hunter2@git.example.net/a".into());
        let shown = format!("{address} {address:?} {}", serde_json::to_string(&address).unwrap());
        assert!(!shown.contains("hunter2") && !shown.contains("ops"), "{shown}");
        assert_eq!(address.reveal(), "https://ops:hunter2@git.example.net/a");
    }
}
