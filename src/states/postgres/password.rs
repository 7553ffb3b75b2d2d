//! Passwords of roles, as a server keeps them: MD5 and SCRAM-SHA-256.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::{Digest as _, Md5};
use sha2::Sha256;

use crate::states::{Failed, random};

/// How a password is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Md5,
    Scram,
    /// As the server likes.
    Server,
}

/// How often a new password is hashed; servers have the same.
const ITERATIONS: u32 = 4096;

impl Method {
    /// What the server is given for a password. What is a hash already stays.
    pub(super) fn verifier(self, role: &str, password: &str) -> Result<String, Failed> {
        Ok(match self {
            Self::Md5 if !password.starts_with("md5") => md5(role, password),
            Self::Scram if !password.starts_with("SCRAM-SHA-256") => {
                scram(password, &random::bytes::<16>()?, ITERATIONS)
            }
            _ => password.to_owned(),
        })
    }

    /// Whether what the server keeps is of a password.
    pub(super) fn is_of(self, verifier: &str, role: &str, password: &str) -> bool {
        match self {
            Self::Md5 if password.starts_with("md5") => verifier == password,
            Self::Md5 => verifier == md5(role, password),
            Self::Scram if password.starts_with("SCRAM-SHA-256") => verifier == password,
            Self::Scram => again(verifier, password).is_some_and(|again| again == verifier),
            Self::Server if verifier.starts_with("SCRAM-SHA-256$") => Self::Scram.is_of(verifier, role, password),
            Self::Server if verifier.starts_with("md5") => Self::Md5.is_of(verifier, role, password),
            Self::Server => verifier == password,
        }
    }
}

fn md5(role: &str, password: &str) -> String {
    let hash = Md5::digest(format!("{password}{role}").as_bytes());
    hash.iter().fold("md5".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

/// A password hashed as a verifier was: `SCRAM-SHA-256$4096:salt$…`.
fn again(verifier: &str, password: &str) -> Option<String> {
    let (iterations, rest) = verifier.strip_prefix("SCRAM-SHA-256$")?.split_once(':')?;
    let salt = BASE64.decode(rest.split_once('$')?.0).ok()?;
    let iterations = iterations.parse().ok().filter(|count| *count <= 10_000_000)?;
    Some(scram(password, &salt, iterations))
}

/// RFC 5802. A password that is plain ASCII needs no preparation, and others are taken as they are.
fn scram(password: &str, salt: &[u8], iterations: u32) -> String {
    let mut block = mac(password.as_bytes(), &[salt, &1_u32.to_be_bytes()]);
    let mut salted = block;
    for _ in 1..iterations {
        block = mac(password.as_bytes(), &[&block]);
        for (byte, other) in salted.iter_mut().zip(block) {
            *byte ^= other;
        }
    }
    let stored = Sha256::digest(mac(&salted, &[b"Client Key"]));
    let server = mac(&salted, &[b"Server Key"]);
    let [salt, stored, server] = [salt, &stored, &server].map(|bytes| BASE64.encode(bytes));
    format!("SCRAM-SHA-256${iterations}:{salt}${stored}:{server}")
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // A key may have any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn md5_has_the_name_of_the_role_in_it() {
        assert_eq!(Method::Md5.verifier("foo", "bar").unwrap(), "md596948aad3fcae80c08a35c9b5958cd89");
        assert!(Method::Md5.is_of("md596948aad3fcae80c08a35c9b5958cd89", "foo", "bar"));
        assert!(!Method::Md5.is_of("md596948aad3fcae80c08a35c9b5958cd89", "baz", "bar"));
    }

    #[test]
    fn scram_is_known_again_whatever_its_salt() {
        let verifier = Method::Scram.verifier("foo", "secret").unwrap();
        assert_ne!(verifier, Method::Scram.verifier("foo", "secret").unwrap());
        assert!(Method::Scram.is_of(&verifier, "foo", "secret") && Method::Server.is_of(&verifier, "foo", "secret"));
        assert!(!Method::Scram.is_of(&verifier, "foo", "Secret") && !Method::Md5.is_of(&verifier, "foo", "secret"));
        assert_eq!(Method::Scram.verifier("foo", &verifier).unwrap(), verifier);
    }
}
