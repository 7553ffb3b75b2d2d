//! Grains of the agent's own process, where Salt has those of the minion's: who it runs as, in which
//! environment, language and time zone.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::Grains;
use super::tree::Tree;

pub(super) fn add(grains: &mut Grains, tree: &Tree, now: Timestamp) {
    let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let users = tree.text("/etc/passwd").unwrap_or_default();
    let user = entry(&users, &uid.to_string());
    let groups = tree.text("/etc/group").unwrap_or_default();
    let group = user.as_ref().and_then(|user| entry(&groups, user.get(3)?));
    let name =
        |entry: Option<Vec<&str>>| entry.and_then(|fields| fields.first().map(ToString::to_string)).unwrap_or_default();
    grains.set("uid", uid);
    grains.set("gid", gid);
    grains.set("username", name(user));
    grains.set("groupname", name(group));
    grains.set("pid", std::process::id());
    grains.set("cwd", std::env::current_dir().unwrap_or_default().to_string_lossy().into_owned());
    let path = variable("PATH").unwrap_or_default();
    grains.set("systempath", path.trim().split(':').collect::<Vec<_>>());
    grains.set("path", path.trim());
    grains.set("shell", variable("SHELL").unwrap_or_else(|| "/bin/sh".into()));
    let installed = |name: &str| tree.exists("/usr/lib/locale/locale-archive") || tree.is_dir(&locale_folder(name));
    let (language, encoding) = language(["LC_ALL", "LC_CTYPE", "LANG"].map(variable), installed);
    grains.set(
        "locale_info",
        json!({
            "defaultlanguage": language,
            "defaultencoding": encoding,
            "detectedencoding": "utf-8",
            "timezone": abbreviation(tree, now).unwrap_or_else(|| "UTC".into()),
        }),
    );
}

fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// The fields of the line of `passwd(5)` or `group(5)` that has this number as its third.
fn entry<'a>(text: &'a str, number: &str) -> Option<Vec<&'a str>> {
    text.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields.get(2) == Some(&number))
}

/// Language and encoding as Python names them, of `LC_ALL`, `LC_CTYPE` and `LANG`.
///
/// Without any that the host has, Python takes `C.UTF-8`, which it calls American English.
fn language([all, kind, language]: [Option<String>; 3], installed: impl Fn(&str) -> bool) -> (Value, Value) {
    let set = |value: &Option<String>| value.as_ref().is_some_and(|value| !value.is_empty());
    let forced = set(&all);
    let named = [all, kind, language].into_iter().find(set).flatten().unwrap_or_default();
    let (language, encoding) = named.split_once('.').unwrap_or((&named, ""));
    match language {
        "C" | "POSIX" if forced && encoding.is_empty() => (Value::Null, Value::Null),
        "" | "C" | "POSIX" => ("en_US".into(), "UTF-8".into()),
        _ if !installed(&named) => ("en_US".into(), "UTF-8".into()),
        _ => {
            let language = language.split('@').next().unwrap_or_default();
            let encoding = encoding.split('@').next().unwrap_or_default().to_uppercase();
            let encoding = match encoding.as_str() {
                "UTF8" | "UTF-8" => "UTF-8".into(),
                "" => "ISO8859-1".into(),
                other => other.replacen("ISO-", "ISO", 1),
            };
            (language.into(), encoding.into())
        }
    }
}

/// Where a locale is that is not in the archive; in names of folders the encoding has no dashes.
fn locale_folder(name: &str) -> String {
    let (language, encoding) = name.split_at(name.find('.').unwrap_or(name.len()));
    format!("/usr/lib/locale/{language}{}", encoding.to_lowercase().replace('-', ""))
}

/// The time zone's short name at a time, such as `CEST`.
fn abbreviation(tree: &Tree, now: Timestamp) -> Option<String> {
    let own = variable("TZ").filter(|zone| !zone.is_empty());
    let zone = match own.as_deref().map(|zone| zone.trim_start_matches(':')) {
        None => TimeZone::tzif("local", &tree.bytes("/etc/localtime")?).ok()?,
        Some(name) => {
            let path = if name.starts_with('/') { name.to_owned() } else { format!("/usr/share/zoneinfo/{name}") };
            let of_file = tree.bytes(&path).and_then(|bytes| TimeZone::tzif("local", &bytes).ok());
            of_file.or_else(|| TimeZone::posix(name).ok())?
        }
    };
    Some(zone.to_offset_info(now).abbreviation().to_owned())
}
