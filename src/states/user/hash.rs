//! Makes a hash of a password, for those who have only the password.

use std::io::Read as _;

use sha_crypt::{Algorithm, CustomizedPasswordHasher as _, Params, PasswordVerifier as _, ShaCrypt};

use crate::states::Failed;

/// What `crypt(3)` does if nothing is said, so that nothing need be said.
const ROUNDS: u32 = 5000;

/// The hash of a password: the one that is there if it is that of this password, else a new one.
pub(super) fn of(password: &str, there: Option<&str>) -> Result<String, Failed> {
    let is_its = |hash: &&str| ShaCrypt::default().verify_password(password.as_bytes(), *hash).is_ok();
    match there.filter(is_its) {
        Some(hash) => Ok(hash.to_owned()),
        None => new(password),
    }
}

fn new(password: &str) -> Result<String, Failed> {
    let mut salt = [0; 12];
    fs_err::File::open("/dev/urandom")?.read_exact(&mut salt)?;
    let failed = |_| Failed::from("the password cannot be hashed");
    let params = Params::new(ROUNDS).map_err(|_| Failed::from("the password cannot be hashed"))?;
    let hasher = ShaCrypt::new(Algorithm::Sha512Crypt, params);
    let hash = hasher.hash_password_customized(password.as_bytes(), &salt, None, None, params).map_err(failed)?;
    // Salt, which reads what is there, knows no number of rounds.
    Ok(hash.to_string().replacen(&format!("rounds={ROUNDS}$"), "", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_that_is_there_stays_if_it_is_that_of_the_password() {
        // As crypt(3) of glibc makes it.
        let there =
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";
        assert_eq!(of("Hello world!", Some(there)).unwrap(), there);
        let other = of("Hello world.", Some(there)).unwrap();
        assert!(other.starts_with("$6$") && other.len() == 106, "{other}");
        assert_eq!(of("Hello world.", Some(&other)).unwrap(), other);
    }

    #[test]
    fn what_is_no_hash_is_replaced() {
        for there in [None, Some("!"), Some(""), Some("$y$j9T$abc$def")] {
            assert!(of("secret", there).unwrap().starts_with("$6$"), "{there:?}");
        }
    }
}
