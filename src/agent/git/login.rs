//! How upshift proves who it is to a git server: without ever asking a person.
//!
//! Every way is tried at most once. libgit2 asks again as long as the server refuses, so that the end
//! of the list is what ends a login.

use std::path::PathBuf;

use git2::{Config, Cred, CredentialType, RemoteCallbacks};

/// Private keys that `ssh` tries by itself, in its order (ssh_config(5), `IdentityFile`).
const KEYS: [&str; 3] = ["id_rsa", "id_ecdsa", "id_ed25519"];

/// Callbacks that log in.
///
/// There is none for certificates and host keys on purpose: libgit2 then checks the former with the
/// system's authorities, the latter with `~/.ssh/known_hosts`, and refuses what it does not find.
pub(super) fn callbacks<'a>() -> RemoteCallbacks<'a> {
    let mut ways = Ways::new();
    let mut callbacks = RemoteCallbacks::new();
    callbacks.credentials(move |address, user, allowed| ways.next(address, user, allowed));
    callbacks
}

/// The ways that were not tried yet.
struct Ways {
    user: bool,
    agent: bool,
    keys: Vec<PathBuf>,
    helper: bool,
    negotiate: bool,
    tried: Vec<&'static str>,
}

impl Ways {
    fn new() -> Self {
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        Self {
            user: true,
            agent: std::env::var_os("SSH_AUTH_SOCK").is_some(),
            // Taken from the end.
            keys: KEYS.iter().rev().map(|key| home.join(".ssh").join(key)).filter(|key| key.is_file()).collect(),
            helper: true,
            negotiate: true,
            tried: Vec::new(),
        }
    }

    fn next(&mut self, address: &str, user: Option<&str>, allowed: CredentialType) -> Result<Cred, git2::Error> {
        if allowed.contains(CredentialType::USERNAME) && std::mem::take(&mut self.user) {
            return Cred::username(user.unwrap_or("git"));
        }
        if allowed.contains(CredentialType::SSH_KEY) {
            let user = user.unwrap_or("git");
            if std::mem::take(&mut self.agent) {
                self.tried.push("the ssh agent");
                return Cred::ssh_key_from_agent(user);
            }
            if let Some(key) = self.keys.pop() {
                self.tried.push(KEYS.iter().find(|name| key.ends_with(name)).unwrap_or(&"a key"));
                return Cred::ssh_key(user, None, &key, None);
            }
        }
        if allowed.contains(CredentialType::USER_PASS_PLAINTEXT) && std::mem::take(&mut self.helper) {
            self.tried.push("the git credential helpers");
            if let Ok(login) = Config::open_default().and_then(|config| Cred::credential_helper(&config, address, user)) {
                return Ok(login);
            }
        }
        if allowed.contains(CredentialType::DEFAULT) && std::mem::take(&mut self.negotiate) {
            return Cred::default();
        }
        Err(git2::Error::from_str(&match self.tried.as_slice() {
            [] => "the server wants a login, and there is none to offer".to_owned(),
            tried => format!("the server refused every login: tried {}", tried.join(", ")),
        }))
    }
}
