//! Users and groups of this host, by name and by number.

use std::collections::HashMap;
use std::os::unix::process::CommandExt as _;
use std::sync::{Mutex, PoisonError};

use crate::states::Host;

/// Lines of the account databases that were looked up; forgotten when a state changes an account.
#[derive(Debug, Default)]
pub(super) struct Accounts(Mutex<HashMap<(&'static str, String), Option<String>>>);

/// A user of the host: a line of `passwd(5)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) about: String,
    pub(super) home: String,
    pub(super) shell: String,
}

/// A group of the host: a line of `group(5)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) gid: u32,
    pub(super) members: Vec<String>,
}

impl User {
    /// Makes a program run as this user, with no other groups than its own.
    pub(super) fn runs(&self, process: &mut std::process::Command) {
        process.env("HOME", &self.home).env("USER", &self.name).env("LOGNAME", &self.name);
        // Who is that user already need not be allowed to become it.
        if rustix::process::geteuid().as_raw() != self.uid {
            process.uid(self.uid).gid(self.gid);
        }
    }
}

impl Host<'_> {
    /// A user by name or number.
    pub(super) fn user(&self, name: &str) -> Option<User> {
        let line = self.account("passwd", name)?;
        let fields: Vec<&str> = line.trim_end().split(':').collect();
        let [name, _, uid, gid, about, home, shell] = fields.as_slice() else { return None };
        Some(User {
            name: (*name).to_owned(),
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
            about: (*about).to_owned(),
            home: (*home).to_owned(),
            shell: (*shell).to_owned(),
        })
    }

    /// A group by name or number.
    pub(super) fn group(&self, name: &str) -> Option<Group> {
        let line = self.account("group", name)?;
        let fields: Vec<&str> = line.trim_end().split(':').collect();
        let [name, _, gid, members] = fields.as_slice() else { return None };
        let members = members.split(',').filter(|member| !member.is_empty()).map(str::to_owned).collect();
        Some(Group { name: (*name).to_owned(), gid: gid.parse().ok()?, members })
    }

    /// The name of the user with a number, or the number if nobody has it.
    pub(super) fn user_name(&self, uid: u32) -> String {
        self.user(&uid.to_string()).map_or_else(|| uid.to_string(), |user| user.name)
    }

    /// The name of the group with a number, or the number if there is none.
    pub(super) fn group_name(&self, gid: u32) -> String {
        self.group(&gid.to_string()).map_or_else(|| gid.to_string(), |group| group.name)
    }

    /// Forgets the accounts that were looked up.
    pub(super) fn forget_accounts(&self) {
        self.accounts.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// A line of a database. The files are asked first, then `getent(1)`, which knows those of a directory service.
    fn account(&self, database: &'static str, name: &str) -> Option<String> {
        let key = (database, name.to_owned());
        let known = |accounts: &Accounts| accounts.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known(&self.accounts) {
            return known;
        }
        let is_it = |line: &&str| {
            let mut fields = line.split(':');
            fields.next() == Some(name) || fields.nth(1) == Some(name)
        };
        let file = fs_err::read_to_string(format!("/etc/{database}")).unwrap_or_default();
        let found = file.lines().find(is_it).map(str::to_owned);
        let found = found.or_else(|| self.ask("getent", &[database, "--", name]));
        self.accounts.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, found.clone());
        found
    }
}
