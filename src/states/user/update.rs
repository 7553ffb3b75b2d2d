//! Changes a user that is there.

use camino::Utf8Path;

use super::found::Found;
use super::set::{self, Why};
use super::wanted::{Difference, Wanted};
use crate::formula::{Data, Dict};
use crate::states::arguments::repr;
use crate::states::disk::{self, Attributes};
use crate::states::{Call, Failed, Return};

pub(super) fn update(
    call: &Call<'_>,
    wanted: &Wanted,
    before: &Found,
    differing: &[Difference],
) -> Result<Return, Failed> {
    let whys: Vec<String> = change(call, wanted, before, differing).into_iter().flatten().collect();
    let after = Found::again(call.host, &wanted.name)?;
    let changes = after.since(before);
    let left = wanted.differing(call.host, &after);
    if !left.is_empty() {
        let left: Dict = left.into_iter().map(|(key, value)| (key.into(), value)).collect();
        let comment = format!("These values could not be changed: {}", repr(&left.into()));
        return Err(Failed::from([vec![comment], whys].concat().join("\n")).after(changes));
    }
    if changes.entries.is_empty() {
        // What there is no word for, such as a home that was only missing.
        return Ok(Return::unchanged(format!("User {} is present and up to date", wanted.name)));
    }
    Ok(Return::changed(changes, format!("Updated user {}", wanted.name)))
}

/// Changes one thing after the other; one that cannot be changed keeps none of the others from it.
fn change(call: &Call<'_>, wanted: &Wanted, before: &Found, differing: &[Difference]) -> [Why; 6] {
    let (host, name) = (call.host, wanted.name.as_str());
    let keys: Vec<&str> = differing.iter().map(|(key, _)| *key).collect();
    let has = |key: &str| keys.contains(&key);
    let hash = wanted.password.as_ref().filter(|_| has("passwd"));
    [
        hash.and_then(|hash| set::password(host, name, hash)),
        has("empty_password").then(|| set::passwd(host, "-d", name)).flatten(),
        wanted
            .lock
            .filter(|_| has("password_lock"))
            .and_then(|lock| set::passwd(host, if lock { "-l" } else { "-u" }, name)),
        set::days(host, wanted, &keys),
        // A user that is logged in keeps its number and its home, and can change all else.
        set::usermod(host, place(wanted, differing), name).or_else(|| make_home(before, differing)),
        set::usermod(host, rest(wanted, before, differing), name),
    ]
}

/// The options for what a user that has processes cannot change.
fn place(wanted: &Wanted, differing: &[Difference]) -> Vec<String> {
    let mut options = Vec::new();
    for (key, value) in differing {
        match (*key, value) {
            ("uid", uid) => options.extend(["-u".to_owned(), crate::states::arguments::shown(uid)]),
            ("home", Data::Str(home)) => {
                options.extend(["-d".to_owned(), home.to_string()]);
                options.extend(wanted.persist_home.then(|| "-m".to_owned()));
            }
            _ => {}
        }
    }
    if !wanted.unique && !options.is_empty() && differing.iter().any(|(key, _)| *key == "uid") {
        options.push("-o".to_owned());
    }
    options
}

/// The options for everything else.
fn rest(wanted: &Wanted, before: &Found, differing: &[Difference]) -> Vec<String> {
    let mut options = Vec::new();
    let is_about = |key: &str| super::found::GECOS.contains(&key);
    for (key, value) in differing {
        let text = crate::states::arguments::shown(value);
        match (*key, value) {
            ("gid", _) => options.extend(["-g".to_owned(), text]),
            ("shell", _) => options.extend(["-s".to_owned(), text]),
            ("groups", Data::List(groups)) => {
                options.extend((!wanted.remove_groups).then(|| "-a".to_owned()));
                let groups: Vec<&str> = groups.iter().filter_map(Data::as_str).collect();
                options.extend(["-G".to_owned(), groups.join(",")]);
            }
            _ => {}
        }
    }
    if differing.iter().any(|(key, _)| is_about(key)) {
        let parts = before.gecos.iter().zip(&wanted.gecos);
        let parts: Vec<&str> = parts.map(|(there, wanted)| wanted.as_ref().unwrap_or(there).as_str()).collect();
        options.extend(["-c".to_owned(), about(&parts)]);
    }
    options
}

/// The parts of what is said about a person, as `passwd(5)` has them.
pub(super) fn about(parts: &[&str]) -> String {
    parts.join(",").trim_end_matches(',').to_owned()
}

fn make_home(before: &Found, differing: &[Difference]) -> Why {
    let home = differing.iter().find(|(key, _)| *key == "homeDoesNotExist").and_then(|(_, home)| home.as_str())?;
    let path = Utf8Path::new(home);
    if path.is_dir() {
        return None;
    }
    let (uid, gid) = (Some(before.user.uid), Some(before.user.gid));
    let attributes = Attributes { uid, gid, mode: Some(0o755) };
    disk::create_folder(path, attributes, Attributes::default()).err().map(|error| error.to_string())
}
