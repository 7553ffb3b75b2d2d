//! Creates a user.
//!
//! What is killed in between leaves a user that the next try finishes.

use super::found::Found;
use super::wanted::{DAYS, Wanted};
use super::{REDACTED, set, update};
use crate::formula::Dict;
use crate::states::{Call, Command, Failed, Host, Return};

pub(super) fn create(call: &Call<'_>, wanted: &Wanted) -> Result<Return, Failed> {
    let (host, name) = (call.host, wanted.name.as_str());
    let output = host.run(Command::new("useradd", options(host, wanted)))?;
    let Ok(found) = Found::again(host, name) else {
        return Err(format!("Failed to create new user {name}\n{}", output.why()).into());
    };
    let mut changes = found.info();
    if !wanted.createhome {
        changes.insert("home", "");
    }
    if !output.is_success() {
        return Err(Failed::from(format!("Failed to create new user {name}\n{}", output.why())).after(changes));
    }
    match set_secrets(host, wanted, &mut changes)? {
        None => Ok(Return::changed(changes, format!("New user {name} created"))),
        Some(comment) => Err(Failed::from(comment).after(changes)),
    }
}

/// Sets what `useradd(8)` is not told, and adds it to the changes. Returns what could not be set.
fn set_secrets(host: &Host<'_>, wanted: &Wanted, changes: &mut Dict) -> Result<Option<String>, Failed> {
    let name = wanted.name.as_str();
    let failed = |what: &str, why: Option<String>| {
        let why = why.map(|why| format!("\n{why}")).unwrap_or_default();
        format!("User {name} created but failed to {what}{why}")
    };
    let mut comment = None;
    let password = wanted.password.as_ref().filter(|_| !wanted.empty_password);
    if let Some(hash) = password {
        let why = set::password(host, name, hash);
        comment = why.is_some().then(|| failed(&format!("set password to {REDACTED}"), why));
        changes.insert("password", REDACTED);
    } else if wanted.empty_password {
        let why = set::passwd(host, "-d", name);
        comment = why.is_some().then(|| failed("empty password", why));
        changes.insert("password", "");
    }
    if wanted.lock == Some(true) && !wanted.empty_password && password.is_some_and(|hash| !hash.starts_with('!')) {
        let why = set::passwd(host, "-l", name);
        comment = why.is_some().then(|| failed("lock password", why)).or(comment);
        changes.insert("password_lock", true);
    }
    let set_days = || DAYS.into_iter().zip(wanted.days).filter_map(|(day, days)| Some((day, days?)));
    // Salt takes 0 for nothing everywhere but in a date.
    let set_days = || set_days().filter(|((key, ..), days)| *key == "date" || *days != 0);
    let keys: Vec<&str> = set_days().map(|((key, ..), _)| key).collect();
    let why = set::days(host, wanted, &keys);
    let shadow = Found::again(host, name)?.shadow;
    for ((key, _, place, words), days) in set_days() {
        changes.insert(key, days);
        if shadow.as_ref().and_then(|shadow| shadow.days.get(place)) != Some(&days) {
            comment = Some(failed(&format!("set {words} to {days}"), why.clone()));
        }
    }
    Ok(comment)
}

fn options(host: &Host<'_>, wanted: &Wanted) -> Vec<String> {
    let mut options: Vec<String> = Vec::new();
    let mut with = |option: &str, value: Option<String>| {
        if let Some(value) = value {
            options.extend([option.to_owned(), value]);
        }
    };
    let groups: Vec<String> =
        [&wanted.groups, &wanted.optional_groups].into_iter().flatten().flatten().cloned().collect();
    let own = own_group(host, wanted, &groups);
    with("-s", wanted.shell.clone());
    with("-u", wanted.uid.map(|uid| uid.to_string()));
    let first = wanted.gid.clone().or(own);
    let is_first = |group: &String| {
        first
            .as_ref()
            .is_some_and(|first| first == group || host.group(group).is_some_and(|it| it.gid.to_string() == *first))
    };
    // Salt asks for other groups only if the user is not in exactly these; its first one counts among them.
    let others = if matches!(groups.as_slice(), [only] if is_first(only)) { String::new() } else { groups.join(",") };
    with("-g", first);
    with("-d", wanted.home.clone());
    let gecos: Vec<&str> = wanted.gecos.iter().map(|part| part.as_deref().unwrap_or_default()).collect();
    with("-c", Some(update::about(&gecos)).filter(|about| !about.is_empty()));
    with("-G", Some(others).filter(|others| !others.is_empty()));
    let flags = [
        ("-U", wanted.gid.is_none() && wanted.usergroup == Some(true)),
        ("-N", wanted.usergroup == Some(false)),
        (if wanted.createhome { "-m" } else { "-M" }, true),
        ("-l", wanted.nologinit),
        ("-o", !wanted.unique && wanted.uid.is_some()),
        ("-r", wanted.system),
    ];
    options.extend(flags.into_iter().filter(|(_, is_set)| *is_set).map(|(flag, _)| flag.to_owned()));
    options.extend(["--".to_owned(), wanted.name.clone()]);
    options
}

/// The group of the user's own name that `useradd` would find in its way: where users have groups of their own by
/// default, it is taken for that.
fn own_group(host: &Host<'_>, wanted: &Wanted, groups: &[String]) -> Option<String> {
    if wanted.usergroup == Some(true) || !groups.contains(&wanted.name) {
        return None;
    }
    let definitions = fs_err::read_to_string("/etc/login.defs").unwrap_or_default();
    let line = definitions.lines().find(|line| line.starts_with("USERGROUPS_ENAB"))?;
    let group = host.group(&wanted.name)?;
    line.contains("yes").then(|| group.gid.to_string())
}
