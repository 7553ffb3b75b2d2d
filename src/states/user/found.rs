//! A user of the host as it is.

use std::collections::BTreeSet;

use fs_err as fs;

use super::names;
use crate::formula::{Data, Dict};
use crate::states::accounts::User;
use crate::states::returns::dict;
use crate::states::{Failed, Host};

/// The parts of what is said about a person, as Salt calls them.
pub(super) const GECOS: [&str; 5] = ["fullname", "roomnumber", "workphone", "homephone", "other"];

/// What is known of a user.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) user: User,
    pub(super) gecos: [String; 5],
    /// Every group it is in, by name and in order.
    pub(super) groups: Vec<String>,
    pub(super) shadow: Option<Shadow>,
}

/// A line of `shadow(5)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shadow {
    pub(super) password: String,
    /// In the order of the file: last change, least and most days, warning, inactive, expiry. Nothing is -1.
    pub(super) days: [i64; 6],
}

/// What Salt calls the days of a [`Shadow`], in their order.
const DAYS: [&str; 6] = ["lstchg", "min", "max", "warn", "inact", "expire"];

impl Found {
    /// The user of a name, if there is one.
    pub(super) fn look(host: &Host<'_>, name: &str) -> Option<Self> {
        let user = host.user(name).filter(|user| user.name == name)?;
        let mut parts = user.about.splitn(5, ',').map(str::to_owned);
        let gecos = std::array::from_fn(|_| parts.next().unwrap_or_default());
        let groups = groups(host, &user);
        Some(Self { gecos, groups, shadow: shadow(name), user })
    }

    /// The same, where a user that was changed has to be there still.
    pub(super) fn again(host: &Host<'_>, name: &str) -> Result<Self, Failed> {
        host.forget_accounts();
        Self::look(host, name).ok_or_else(|| format!("user {name} is not there any more").into())
    }

    /// What Salt says of a user, without anything of its password.
    pub(super) fn info(&self) -> Dict {
        let user = &self.user;
        let mut info = dict([
            ("gid", i64::from(user.gid).into()),
            ("groups", names(&self.groups)),
            ("home", user.home.as_str().into()),
            ("name", user.name.as_str().into()),
            ("passwd", "x".into()),
            ("shell", user.shell.as_str().into()),
            ("uid", Data::from(i64::from(user.uid))),
        ]);
        for (key, text) in GECOS.iter().zip(&self.gecos) {
            info.insert(*key, text.as_str());
        }
        info
    }

    /// What is other than it was before.
    pub(super) fn since(&self, before: &Self) -> Dict {
        let old = before.info();
        let mut changes: Dict =
            self.info().entries.into_iter().filter(|(key, new)| old.entries.get(key) != Some(new)).collect();
        let (Some(new), Some(old)) = (&self.shadow, &before.shadow) else { return changes };
        if new.password != old.password {
            changes.insert("passwd", super::REDACTED);
        }
        for (key, (new, _)) in DAYS.iter().zip(new.days.iter().zip(old.days)).filter(|(_, (new, old))| *new != old) {
            changes.insert(*key, *new);
        }
        changes
    }
}

fn shadow(name: &str) -> Option<Shadow> {
    let file = fs::read_to_string("/etc/shadow").ok()?;
    shadow_in(&file, name)
}

fn shadow_in(file: &str, name: &str) -> Option<Shadow> {
    let line = file.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.trim().split(':').skip(1);
    let password = fields.next()?.to_owned();
    Some(Shadow {
        password,
        days: std::array::from_fn(|_| fields.next().and_then(|days| days.parse().ok()).unwrap_or(-1)),
    })
}

/// The groups of a user: those that name it, its own one, and those of the same numbers.
fn groups(host: &Host<'_>, user: &User) -> Vec<String> {
    let switch = fs::read_to_string("/etc/nsswitch.conf").unwrap_or_default();
    if !is_only_in_files(&switch) {
        let asked = host.ask("id", &["-Gn", "--", &user.name]);
        let groups: BTreeSet<String> = asked.unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        return groups.into_iter().collect();
    }
    groups_in(&fs::read_to_string("/etc/group").unwrap_or_default(), &user.name, user.gid)
}

/// Whether `nsswitch.conf(5)` has all groups in the host's own files. Those that systemd makes up have no members.
fn is_only_in_files(switch: &str) -> bool {
    let services = switch.lines().find_map(|line| line.trim().strip_prefix("group:"));
    services.unwrap_or_default().split_whitespace().all(|service| {
        matches!(service, "files" | "compat" | "systemd") || service.starts_with('[') || service.ends_with(']')
    })
}

fn groups_in(file: &str, user: &str, gid: u32) -> Vec<String> {
    let lines = || {
        file.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?.parse::<u32>().ok()?);
            Some((name, number, fields.next().unwrap_or_default()))
        })
    };
    let is_in = |members: &str| members.split(',').any(|member| member == user);
    let numbers: BTreeSet<u32> =
        lines().filter(|(_, _, members)| is_in(members)).map(|(_, number, _)| number).chain([gid]).collect();
    let names: BTreeSet<&str> =
        lines().filter(|(_, number, _)| numbers.contains(number)).map(|(name, ..)| name).collect();
    names.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_one_number_are_one_group() {
        let file = "root:x:0:\nnova:x:64:\nweb:x:70:nova,www\nwww:x:70:\nother:x:71:novac\n";
        assert_eq!(groups_in(file, "nova", 64), ["nova", "web", "www"]);
    }

    #[test]
    fn a_shadow_line_with_nothing_in_it_has_no_days() {
        let shadow = shadow_in("nova-x:!:1::::::\nnova:*:20000:0:99999:7:::\n", "nova").unwrap();
        assert_eq!((shadow.password.as_str(), shadow.days), ("*", [20000, 0, 99999, 7, -1, -1]));
    }

    #[test]
    fn groups_of_a_directory_are_asked_for() {
        assert!(is_only_in_files("passwd: files ldap\ngroup:  files [SUCCESS=merge] systemd\n"));
        assert!(!is_only_in_files("group: files sss\n"));
    }
}
