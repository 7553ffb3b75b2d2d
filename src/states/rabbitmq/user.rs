//! `rabbitmq_user.present` and `rabbitmq_user.absent`.

use super::control::{Broker, field, tags};
use crate::formula::{Data, Dict};
use crate::states::arguments::text;
use crate::states::returns::{dict, old_new};
use crate::states::{Args, Call, Failed, Return, random};

/// What a user may do in a virtual host: patterns of what it may configure, write and read.
struct Permissions {
    vhost: String,
    patterns: [String; 3],
}

const RIGHTS: [&str; 3] = ["configure", "write", "read"];

pub(super) fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, broker) = (call.args.name()?, Broker::of(call)?);
    let (password, force) = (call.args.text("password")?, call.args.flag("force", false));
    let (wanted_tags, permissions) = (wanted_tags(&call.args)?, wanted_permissions(&call.args)?);
    let there = user(&broker, &name)?;
    let mut changes = Dict::default();
    if let Some(there) = &there {
        let is_wrong = password.as_ref().is_some_and(|password| !is_password(&broker, &name, password));
        let has_tags = call.args.flag("tags", false);
        if !force && permissions.is_empty() && !has_tags && !is_wrong {
            return Ok(Return::unchanged(format!("User '{name}' is already present.")));
        }
        if force || is_wrong {
            set_password(call, &broker, &name, password.as_deref(), &mut changes)?;
        }
        let current = tags(there);
        set_tags(call, &broker, &name, &current, wanted_tags, &mut changes)?;
    } else {
        changes.insert("user", old_new("", name.as_str()));
        if call.preview {
            return Ok(Return::would(changes, format!("User '{name}' is set to be created.")));
        }
        add(&broker, &name, password.as_deref())?;
        set_tags(call, &broker, &name, &[], wanted_tags, &mut changes)?;
    }
    permit(call, &broker, &name, &permissions, &mut changes)?;
    match (changes.entries.is_empty(), call.preview) {
        (true, _) => Ok(Return::unchanged(format!("'{name}' is already in the desired state."))),
        (false, true) => Ok(Return::would(changes, format!("Configuration for '{name}' will change."))),
        (false, false) => Ok(Return::changed(changes, format!("'{name}' was configured."))),
    }
}

pub(super) fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, broker) = (call.args.name()?, Broker::of(call)?);
    if user(&broker, &name)?.is_none() {
        return Ok(Return::unchanged(format!("The user '{name}' is not present.")));
    }
    let changes = dict([("name", old_new(name.as_str(), ""))]);
    if call.preview {
        return Ok(Return::would(changes, format!("The user '{name}' will be removed.")));
    }
    broker.ask(&["delete_user", &name]).map_err(error)?;
    Ok(Return::changed(changes, format!("The user '{name}' was removed.")))
}

fn error(why: impl std::fmt::Display) -> Failed {
    format!("Error: {why}").into()
}

fn user(broker: &Broker<'_>, name: &str) -> Result<Option<Data>, Failed> {
    let users = broker.list(&["list_users"], &["user", "tags"]).map_err(error)?;
    Ok(users.into_iter().find(|row| field(row, "user") == name))
}

fn is_password(broker: &Broker<'_>, name: &str, password: &str) -> bool {
    broker.ask_with(&["authenticate_user", name], password).is_ok()
}

/// Adds a user; one without a password has none that anybody could know, and then none.
fn add(broker: &Broker<'_>, name: &str, password: Option<&str>) -> Result<(), Failed> {
    if let Some(password) = password {
        return broker.ask_with(&["add_user", name], password).map(drop).map_err(error);
    }
    let nobody_knows = random::bytes::<32>()?.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    broker.ask_with(&["add_user", name], &nobody_knows).map_err(error)?;
    broker.ask(&["clear_password", name]).map(drop).map_err(|why| {
        let _ = broker.ask(&["delete_user", name]);
        error(why)
    })
}

fn set_password(
    call: &Call<'_>,
    broker: &Broker<'_>,
    name: &str,
    password: Option<&str>,
    changes: &mut Dict,
) -> Result<(), Failed> {
    if !call.preview {
        let done = match password {
            Some(password) => broker.ask_with(&["change_password", name], password),
            None => broker.ask(&["clear_password", name]),
        };
        done.map_err(error)?;
    }
    let change = if password.is_some() { old_new("", "Set password.") } else { old_new("Removed password.", "") };
    changes.insert("password", change);
    Ok(())
}

fn wanted_tags(args: &Args<'_>) -> Result<Option<Vec<String>>, Failed> {
    let Some(given) = args.get("tags") else { return Ok(None) };
    match given.as_str() {
        Some(words) => Ok(Some(words.split_whitespace().map(str::to_owned).collect())),
        None => args.texts("tags").map(Some),
    }
}

fn set_tags(
    call: &Call<'_>,
    broker: &Broker<'_>,
    name: &str,
    current: &[String],
    wanted: Option<Vec<String>>,
    changes: &mut Dict,
) -> Result<(), Failed> {
    let Some(wanted) = wanted else { return Ok(()) };
    if wanted.iter().all(|tag| current.contains(tag)) && current.iter().all(|tag| wanted.contains(tag)) {
        return Ok(());
    }
    if !call.preview {
        let tags: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let done = broker.ask(&[&["set_user_tags", name], tags.as_slice()].concat());
        done.map_err(|why| error(why).after(changes.clone()))?;
    }
    let list = |tags: &[String]| tags.iter().map(|tag| Data::from(tag.as_str())).collect::<Data>();
    changes.insert("tags", old_new(list(current), list(&wanted)));
    Ok(())
}

/// What an SLS gives: a list of mappings from virtual hosts to three patterns.
fn wanted_permissions(args: &Args<'_>) -> Result<Vec<Permissions>, Failed> {
    let mut wanted = Vec::new();
    let entries = args.get("perms").and_then(Data::as_list).unwrap_or_default().iter();
    for (vhost, patterns) in entries.filter_map(Data::as_dict).flat_map(|entry| &entry.entries) {
        let patterns = patterns.as_list().unwrap_or_default().iter().filter_map(text).collect::<Vec<_>>();
        let patterns = patterns.try_into().map_err(|_| "`perms` has to give three patterns for each virtual host")?;
        wanted.push(Permissions { vhost: text(vhost).unwrap_or_default(), patterns });
    }
    Ok(wanted)
}

fn permit(
    call: &Call<'_>,
    broker: &Broker<'_>,
    name: &str,
    wanted: &[Permissions],
    changes: &mut Dict,
) -> Result<(), Failed> {
    if wanted.is_empty() {
        return Ok(());
    }
    let columns = ["vhost", "configure", "write", "read"];
    let there = broker.list(&["list_user_permissions", name], &columns);
    let there = there.map_err(|why| error(why).after(changes.clone()))?;
    let (mut old, mut new) = (Dict::default(), Dict::default());
    for Permissions { vhost, patterns } in wanted {
        let current = there.iter().find(|row| field(row, "vhost") == *vhost);
        let is_so =
            |current: &Data| RIGHTS.iter().zip(patterns).all(|(right, pattern)| field(current, right) == *pattern);
        if current.is_some_and(is_so) {
            continue;
        }
        if !call.preview {
            let [configure, write, read] = patterns;
            let done = broker.ask(&["set_permissions", "-p", vhost, name, configure, write, read]);
            done.map_err(|why| error(why).after(changes.clone()))?;
        }
        for (right, before) in RIGHTS.iter().filter_map(|right| Some((right, field(current?, right)))) {
            old.insert(*right, before);
        }
        new.insert(
            vhost.as_str(),
            dict(RIGHTS.into_iter().zip(patterns.iter().map(|pattern| pattern.as_str().into()))),
        );
        let mut change = dict([("new", new.clone().into())]);
        if !old.entries.is_empty() {
            change = dict([("old", old.clone().into()), ("new", new.clone().into())]);
        }
        changes.insert("perms", change);
    }
    Ok(())
}
