//! How upshift proves who it is to a git server: without ever asking a person.
//!
//! Every way is tried at most once. libgit2 asks again as long as the server refuses, so that the end
//! of the list is what ends a login.

use std::path::PathBuf;

use git2::{Config, Cred, CredentialType, RemoteCallbacks};

/// Private keys that `ssh` tries by itself, in its order (`IdentityFile` in `ssh_config(5)`).
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

/// A way to log in.
enum Way {
    /// The user of the address, or `git`; SSH asks for it before anything else.
    User,
    /// The keys of the ssh agent.
    Agent,
    /// A key that no passphrase protects.
    Key(PathBuf),
    /// What git's credential helpers know.
    Helper,
    /// What the system itself knows, such as a Kerberos ticket.
    System,
}

/// The ways that were not tried yet.
struct Ways {
    left: Vec<Way>,
    tried: Vec<String>,
}

impl Ways {
    fn new() -> Self {
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let keys = KEYS.iter().map(|key| home.join(".ssh").join(key)).filter(|key| key.is_file()).map(Way::Key);
        let agent = std::env::var_os("SSH_AUTH_SOCK").map(|_| Way::Agent);
        let left = [Way::User].into_iter().chain(agent).chain(keys).chain([Way::Helper, Way::System]).collect();
        Self { left, tried: Vec::new() }
    }

    fn next(&mut self, address: &str, user: Option<&str>, allowed: CredentialType) -> Result<Cred, git2::Error> {
        let name = user.unwrap_or("git");
        while let Some(at) = self.left.iter().position(|way| allowed.contains(way.kind())) {
            let login = match self.left.remove(at) {
                Way::User => Cred::username(name),
                Way::Agent => {
                    self.tried.push("the ssh agent".into());
                    Cred::ssh_key_from_agent(name)
                }
                Way::Key(key) => {
                    self.tried.push(key.display().to_string());
                    Cred::ssh_key(name, None, &key, None)
                }
                Way::Helper => {
                    self.tried.push("the git credential helpers".into());
                    Config::open_default().and_then(|config| Cred::credential_helper(&config, address, user))
                }
                Way::System => Cred::default(),
            };
            // A way that has nothing to offer leaves the next one.
            if login.is_ok() {
                return login;
            }
        }
        let reason = match self.tried.as_slice() {
            [] => "the server wants a login, and there is none to offer".to_owned(),
            tried => format!("the server refused every login: tried {}", tried.join(", ")),
        };
        Err(git2::Error::new(git2::ErrorCode::Auth, git2::ErrorClass::Callback, reason))
    }
}

impl Way {
    /// What a server has to accept for this to be of use.
    fn kind(&self) -> CredentialType {
        match self {
            Self::User => CredentialType::USERNAME,
            Self::Agent | Self::Key(_) => CredentialType::SSH_KEY,
            Self::Helper => CredentialType::USER_PASS_PLAINTEXT,
            Self::System => CredentialType::DEFAULT,
        }
    }
}
