//! The keys by which `apt` knows that packages come from whom they should.
//!
//! A key is put into a file of its own: the one that the repository names with `signed-by`, or one below `trusted.gpg.d`,
//! which `apt` trusts for every repository. Neither `apt-key`, which newer releases do not have, nor `gpg` is needed.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::pgp;
use crate::formula::Data;
use crate::model::hash::Hash;
use crate::states::arguments::text;
use crate::states::disk::{self, Attributes};
use crate::states::{Args, Failed, Host, web};

/// Where keys are that are trusted for everything.
const TRUSTED: &str = "/etc/apt/trusted.gpg.d";

/// Where keys are that repositories name.
const KEYRINGS: &str = "/etc/apt/keyrings";

/// Puts the keys that a state names where they belong.
pub(super) fn add(host: &Host<'_>, args: Args<'_>, signed_by: &str, has_apt_key: bool) -> Result<(), Failed> {
    let keys = wanted(host, args)?;
    if keys.is_empty() {
        return Ok(());
    }
    if !has_apt_key && signed_by.is_empty() {
        return Err("missing 'signedby' option when apt-key is missing".into());
    }
    // With `apt-key` at hand, Salt trusts a key for everything, also one that is given a place.
    let path = match Utf8Path::new(signed_by) {
        path if path.is_absolute() => path.to_owned(),
        _ => Utf8PathBuf::from(format!("{TRUSTED}/upshift-{:.16}.gpg", Hash::of(&keys).to_string())),
    };
    let content = if path.extension() == Some("asc") && pgp::is_armored(&keys) {
        keys
    } else {
        pgp::binary(&keys).ok_or("Error: Could not add key: it is no public key")?
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
        if folder.as_str() != TRUSTED && folder.as_str() != KEYRINGS {
            return Err(format!("Error: Could not add key: the folder {folder} does not exist").into());
        }
        disk::create_folder(folder, Attributes::default(), Attributes::default())?;
    }
    // `apt` reads it as a user of its own.
    let attributes = Attributes { mode: Some(0o644), ..Attributes::default() };
    disk::replace(&path, &content, attributes)?;
    Ok(())
}

/// The keys that a state names, in letters or bytes; empty if it names none.
fn wanted(host: &Host<'_>, args: Args<'_>) -> Result<Vec<u8>, Failed> {
    if args.chunk().has("keyid") {
        let (Some(server), Some(ids)) = (args.text("keyserver")?, args.get("keyid")) else {
            return Err("both keyserver and keyid options required.".into());
        };
        let mut keys = Vec::new();
        for id in ids_of(ids)? {
            keys.extend(received(&server, &id)?);
        }
        return Ok(keys);
    }
    if let Some(address) = args.text("key_url")? {
        return host.content(&address);
    }
    Ok(args.text("key_text")?.unwrap_or_default().into_bytes())
}

/// One id or a list of them. YAML may have made a number of it.
fn ids_of(ids: &Data) -> Result<Vec<String>, Failed> {
    let id = |id: &Data| match id {
        Data::Int(number) => Some(format!("{number:X}")),
        other => text(other),
    };
    let ids: Option<Vec<String>> = match ids {
        Data::List(items) => items.iter().map(id).collect(),
        single => id(single).map(|id| id.split(',').map(|id| id.trim().to_owned()).collect()),
    };
    ids.ok_or_else(|| "`keyid` has to be an id or a list of ids".into())
}

/// A key that a key server has. It may be anybody's until its fingerprint was looked at.
fn received(server: &str, id: &str) -> Result<Vec<u8>, Failed> {
    let digits = id.trim_start_matches("0x").replace(' ', "");
    let mut problem = String::new();
    for base in addresses(server) {
        match web::get(&format!("{base}/pks/lookup?op=get&options=mr&search=0x{digits}"), true) {
            Ok(answer) => match pgp::binary(&answer).filter(|key| pgp::has(key, &digits)) {
                Some(key) => return Ok(key),
                None => problem = format!("{base} has no key {id}"),
            },
            Err(failed) => problem = failed.comment,
        }
    }
    Err(format!("Error: key retrieval failed: {problem}").into())
}

/// Where a key server answers: what `gpg` calls `hkp` is HTTP on a port of its own, and many answer on the usual ones.
fn addresses(server: &str) -> Vec<String> {
    let (scheme, host) = server.split_once("://").unwrap_or(("hkp", server));
    let host = host.trim_end_matches('/');
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    match (scheme, has_port) {
        ("hkps" | "https", _) => vec![format!("https://{host}")],
        ("http", _) | (_, true) => vec![format!("http://{host}")],
        _ => vec![format!("http://{host}:11371"), format!("https://{host}")],
    }
}

/// Removes the files that have the key of an id and no other. Whether there was one.
pub(super) fn remove(id: &str, folder: Option<&str>, has_apt_key: bool) -> Result<bool, Failed> {
    let folder = folder.unwrap_or(if has_apt_key { TRUSTED } else { KEYRINGS });
    let mut is_gone = false;
    for entry in Utf8Path::new(folder).read_dir_utf8().into_iter().flatten().flatten() {
        let keys = fs::read(entry.path()).ok().and_then(|content| pgp::binary(&content));
        if keys.is_some_and(|keys| pgp::has(&keys, id)) {
            disk::remove_if_there(entry.path())?;
            is_gone = true;
        }
    }
    Ok(is_gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_server_is_asked_where_gpg_would_ask_it() {
        assert_eq!(addresses("hkp://keys.example.net:80"), ["http://keys.example.net:80"]);
        assert_eq!(addresses("hkps://keys.example.net"), ["https://keys.example.net"]);
        assert_eq!(addresses("keys.example.net"), ["http://keys.example.net:11371", "https://keys.example.net"]);
    }

    #[test]
    fn ids_are_read_however_yaml_gives_them() {
        assert_eq!(ids_of(&Data::Int(0x0123_ABCD)), Ok(vec!["123ABCD".to_owned()]));
        assert_eq!(ids_of(&Data::from("8D81803C,0EBFCD88")).map(|ids| ids.len()), Ok(2));
        assert!(ids_of(&Data::List(vec![Data::List(Vec::new().into())].into())).is_err());
    }
}
