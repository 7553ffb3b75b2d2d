//! A user of this host that programs are run as.

use camino::Utf8PathBuf;
use fs_err as fs;

use super::{Error, Result};

/// A user.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) home: Utf8PathBuf,
}

impl Account {
    /// The user of a name, as the host's own files have it: servers run as users of the host.
    pub(super) fn named(name: &str) -> Result<Self> {
        let users = fs::read_to_string("/etc/passwd")?;
        let found = users.lines().find_map(|line| {
            let fields: Vec<_> = line.split(':').collect();
            match fields[..] {
                [user, _, uid, gid, _, home, ..] if user == name => Some(Self {
                    name: name.to_owned(),
                    uid: uid.parse().ok()?,
                    gid: gid.parse().ok()?,
                    home: home.into(),
                }),
                _ => None,
            }
        });
        found.ok_or_else(|| Error::new(format!("this host has no user `{name}`, which its server would run as")))
    }
}
