//! A user as its state wants it.

use std::collections::BTreeSet;

use super::found::{Found, GECOS};
use super::{REDACTED, has_group, hash, names};
use crate::formula::Data;
use crate::states::{Args, Failed, Host};

/// Arguments for days: their names, what `chage(1)` calls them, their place in a line of `shadow(5)`, and what Salt calls
/// them when they cannot be set.
pub(super) const DAYS: [(&str, &str, usize, &str); 6] = [
    ("date", "-d", 0, "last change date"),
    ("mindays", "-m", 1, "minimum days"),
    ("maxdays", "-M", 2, "maximum days"),
    ("inactdays", "-I", 4, "inactive days"),
    ("warndays", "-W", 3, "warn days"),
    ("expire", "-E", 5, "expire days"),
];

/// What a state says of a user.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is an argument of its own")]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) uid: Option<u32>,
    /// The group by name or number.
    pub(super) gid: Option<String>,
    pub(super) usergroup: Option<bool>,
    pub(super) groups: Option<Vec<String>>,
    pub(super) optional_groups: Option<Vec<String>>,
    pub(super) remove_groups: bool,
    pub(super) home: Option<String>,
    pub(super) createhome: bool,
    pub(super) persist_home: bool,
    /// The hash.
    pub(super) password: Option<String>,
    hash_password: bool,
    enforce_password: bool,
    pub(super) empty_password: bool,
    pub(super) lock: Option<bool>,
    pub(super) shell: Option<String>,
    pub(super) gecos: [Option<String>; 5],
    /// In the order of [`DAYS`].
    pub(super) days: [Option<i64>; 6],
    pub(super) unique: bool,
    pub(super) system: bool,
    pub(super) nologinit: bool,
    allow_uid_change: bool,
    allow_gid_change: bool,
}

/// What is to be changed, as Salt shows it; in place of a password it says nothing of it.
pub(super) type Difference = (&'static str, Data);

impl Wanted {
    pub(super) fn read(args: &Args<'_>) -> Result<Self, Failed> {
        let list = |key| args.get(key).map(|_| args.texts(key)).transpose();
        let filled = |key| args.text(key).map(|text| text.filter(|text| !text.is_empty()));
        let mut gecos = [const { None }; 5];
        for (place, key) in gecos.iter_mut().zip(GECOS) {
            *place = args.text(key)?;
        }
        let mut days = [None; 6];
        for (place, (key, ..)) in days.iter_mut().zip(DAYS) {
            *place = args.number(key)?;
        }
        let number =
            |number: i64| u32::try_from(number).map_err(|_| Failed::from("`uid` has to be a number of a user"));
        Ok(Self {
            name: args.name()?,
            uid: args.number("uid")?.map(number).transpose()?,
            gid: filled("gid")?,
            usergroup: args.get("usergroup").map(Data::is_true),
            groups: list("groups")?,
            optional_groups: list("optional_groups")?,
            remove_groups: args.flag("remove_groups", true),
            home: filled("home")?,
            createhome: args.flag("createhome", true),
            persist_home: args.flag("persist_home", false),
            password: filled("password")?,
            hash_password: args.flag("hash_password", false),
            enforce_password: args.flag("enforce_password", true),
            empty_password: args.flag("empty_password", false),
            lock: args.get("password_lock").map(Data::is_true),
            shell: filled("shell")?,
            gecos,
            days,
            unique: args.flag("unique", true),
            system: args.flag("system", false),
            nologinit: args.flag("nologinit", false),
            allow_uid_change: args.flag("allow_uid_change", false),
            allow_gid_change: args.flag("allow_gid_change", false),
        })
    }

    /// Leaves out the groups that are not there. Those that may be missing are not among those returned.
    pub(super) fn take_missing_groups(&mut self, host: &Host<'_>) -> Vec<String> {
        if let Some(groups) = &mut self.optional_groups {
            groups.retain(|group| has_group(host, group));
        }
        let Some(groups) = &mut self.groups else { return Vec::new() };
        let (there, missing) = std::mem::take(groups).into_iter().partition(|group| has_group(host, group));
        *groups = there;
        missing
    }

    /// Makes a hash of a password that is given as it is. It is the one that is there, if that is its hash.
    pub(super) fn hash_password(&mut self, found: Option<&Found>) -> Result<(), Failed> {
        if let Some(password) = self.password.as_mut().filter(|_| self.hash_password) {
            let shadow = found.and_then(|found| found.shadow.as_ref());
            *password = hash::of(password, shadow.map(|shadow| shadow.password.as_str()))?;
        }
        Ok(())
    }

    /// What is other than wanted.
    pub(super) fn differing(&self, host: &Host<'_>, found: &Found) -> Vec<Difference> {
        let mut differing = Vec::new();
        if let Some(uid) = self.uid.filter(|uid| *uid != 0 && *uid != found.user.uid) {
            differing.push(("uid", i64::from(uid).into()));
        }
        let gid = self.primary(host, found);
        if let Some(gid) = gid.as_ref().filter(|gid| number_of(host, gid) != Some(found.user.gid)) {
            differing.push(("gid", gid.parse::<i64>().map_or_else(|_| gid.as_str().into(), Data::from)));
        }
        if let Some(groups) = self.differing_groups(host, found, gid.as_deref()) {
            differing.push(("groups", names(&groups)));
        }
        if let Some(home) = self.home.as_deref().filter(|home| *home != found.user.home) {
            differing.push(("home", home.into()));
        }
        let home = self.home.as_deref().unwrap_or(&found.user.home);
        if self.createhome && !fs_err::metadata(home).is_ok_and(|home| home.is_dir()) {
            differing.push(("homeDoesNotExist", home.into()));
        }
        if let Some(shell) = self.shell.as_deref().filter(|shell| *shell != found.user.shell) {
            differing.push(("shell", shell.into()));
        }
        self.add_secrets(found, &mut differing);
        for (key, (wanted, there)) in GECOS.into_iter().zip(self.gecos.iter().zip(&found.gecos)) {
            if let Some(wanted) = wanted.as_ref().filter(|wanted| *wanted != there) {
                differing.push((key, wanted.as_str().into()));
            }
        }
        differing
    }

    /// The group that is to be the user's own.
    fn primary(&self, host: &Host<'_>, found: &Found) -> Option<String> {
        let own = (self.usergroup == Some(true) && has_group(host, &self.name)).then(|| found.user.name.clone());
        own.or_else(|| self.gid.clone())
    }

    /// The groups that the user has to be in besides its own, if they are other ones than now.
    fn differing_groups(&self, host: &Host<'_>, found: &Found, gid: Option<&str>) -> Option<Vec<String>> {
        let given = |groups: &Option<Vec<String>>| groups.clone().unwrap_or_default();
        let mut wanted: BTreeSet<String> =
            given(&self.groups).into_iter().chain(given(&self.optional_groups)).collect();
        let mut there: BTreeSet<String> = found.groups.iter().cloned().collect();
        if !self.remove_groups || (self.groups.is_none() && given(&self.optional_groups).is_empty()) {
            wanted.extend(there.iter().cloned());
        }
        let number = |group: &String| number_of(host, group);
        let primary = gid.map_or(Some(found.user.gid), |gid| number_of(host, gid));
        wanted.retain(|group| number(group) != primary);
        there.retain(|group| number(group) != primary && number(group) != Some(found.user.gid));
        if !wanted.contains(&self.name) {
            there.remove(&self.name);
        }
        let numbers = |groups: &BTreeSet<String>| groups.iter().map(number).collect::<BTreeSet<_>>();
        let (there, numbers) = (numbers(&there), numbers(&wanted));
        let is_so = if self.remove_groups { numbers == there } else { numbers.is_subset(&there) };
        (!is_so).then(|| wanted.into_iter().collect())
    }

    /// What `/etc/shadow` has other than wanted.
    fn add_secrets(&self, found: &Found, differing: &mut Vec<Difference>) {
        let there = found.shadow.as_ref();
        let hash = there.map_or("", |shadow| shadow.password.as_str());
        let locks = self.lock == Some(true);
        // A password that is to be locked is the same one while it is locked.
        let held = hash.strip_prefix('!').filter(|_| locks).unwrap_or(hash);
        let new = self.password.as_ref().filter(|_| !self.empty_password);
        let new = new.filter(|new| (hash == "!" || self.enforce_password) && *new != hash && *new != held);
        if new.is_some() {
            differing.push(("passwd", REDACTED.into()));
        }
        if self.empty_password && !hash.is_empty() {
            differing.push(("empty_password", true.into()));
        }
        for ((key, _, place, _), days) in DAYS.into_iter().zip(self.days) {
            let there = there.and_then(|shadow| shadow.days.get(place).copied());
            if let Some(days) = days.filter(|days| Some(*days) != there && (key != "expire" || *days != 0)) {
                differing.push((key, days.into()));
            }
        }
        let is_locked = new.map_or(hash, String::as_str).starts_with('!');
        if let Some(lock) = self.lock.filter(|lock| *lock != is_locked) {
            differing.push(("password_lock", lock.into()));
        }
    }

    /// Refuses what would leave files to somebody else, unless the state says that it may.
    pub(super) fn permit(&self, found: &Found, differing: &[Difference]) -> Result<(), Failed> {
        let refused = |key: &str, there: u32| {
            let wanted = differing.iter().find(|(changed, _)| *changed == key).map(|(_, wanted)| wanted)?;
            Some(format!(
                "- Changing {key} ({there} -> {}) not permitted, set allow_{key}_change to True to force this change. \
                 Note that this will not change file ownership.",
                crate::states::arguments::shown(wanted)
            ))
        };
        let uid = refused("uid", found.user.uid).filter(|_| !self.allow_uid_change);
        let gid = refused("gid", found.user.gid).filter(|_| !self.allow_gid_change);
        let refused: Vec<String> = uid.into_iter().chain(gid).collect();
        if refused.is_empty() {
            return Ok(());
        }
        let start = "Encountered error checking for needed changes. Additional info follows:";
        Err(format!("{start}\n\n{}", refused.join("\n")).into())
    }
}

/// The number of a group that is given by name or number.
fn number_of(host: &Host<'_>, group: &str) -> Option<u32> {
    group.parse().ok().or_else(|| host.group(group).map(|group| group.gid))
}
