//! `pkgrepo.*`: where a package manager gets packages.
//!
//! The files that say so are written only if they have to say something else, whole or not at all.

mod apt;
mod entry;
mod keys;
mod pgp;
mod sources;
mod yum;

use crate::formula::Data;
use crate::states::pkg::{Manager, is_true};
use crate::states::{Args, Call, Failed, Function, Return};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("pkgrepo.managed", managed).takes(MANAGED).takes_anything().checks(check),
    Function::new("pkgrepo.absent", absent)
        .takes(&["copr", "file", "humanname", "keydir", "keyid", "keyid_ppa", "ppa", "aptkey", "refresh", "refresh_db"])
        .checks(check),
];

/// What it takes besides the settings of a `dnf` repository, which may be any.
const MANAGED: &[&str] = &[
    "allow_insecure_key",
    "aptkey",
    "architectures",
    "baseurl",
    "clean_file",
    "comments",
    "comps",
    "consolidate",
    "copr",
    "disabled",
    "dist",
    "enabled",
    "file",
    "gpgcheck",
    "gpgkey",
    "humanname",
    "key_text",
    "key_url",
    "keyid",
    "keyserver",
    "mirrorlist",
    "ppa",
    "refresh",
    "refresh_db",
    "signedby",
];

fn check(args: &Args<'_>) -> Result<(), String> {
    for (key, what) in [("ppa", "Launchpad"), ("ppa_auth", "Launchpad"), ("keyid_ppa", "Launchpad"), ("copr", "Copr")] {
        if args.get(key).is_some_and(Data::is_true) {
            return Err(format!("upshift has no `{key}`: it does not ask {what}; name the repository itself"));
        }
    }
    let is_ppa = args.get("name").and_then(Data::as_str).is_some_and(|name| name.starts_with("ppa:"));
    if is_ppa {
        return Err("upshift has no `ppa:`: it does not ask Launchpad; name the repository itself".to_owned());
    }
    Ok(())
}

fn managed(call: &Call<'_>) -> Result<Return, Failed> {
    let args = call.args;
    if args.chunk().has("repo") {
        return Err("'repo' is not a supported argument for this state. The 'name' argument is probably what was \
                    intended."
            .into());
    }
    let has = |key: &str| args.get(key).is_some();
    for (key, other) in [("key_url", "keyid"), ("key_text", "keyid"), ("key_text", "key_url")] {
        if has(key) && (has(other) || (other == "keyid" && has("keyserver"))) {
            let others = if other == "keyid" { "\"keyid\"/\"keyserver\"" } else { "\"key_url\"" };
            return Err(format!("You may not use both {others} and \"{key}\" argument.").into());
        }
    }
    let is_insecure = args.text("key_url")?.is_some_and(|address| address.trim().starts_with("http:"));
    if is_insecure && !args.flag("allow_insecure_key", true) {
        return Err("Cannot have 'key_url' using http with 'allow_insecure_key' set to True".into());
    }
    let is_disabled = match (args.get("enabled"), args.get("disabled")) {
        (Some(_), Some(_)) => return Err("Only one of enabled/disabled is allowed".into()),
        (Some(enabled), None) => !is_true(enabled),
        (None, Some(disabled)) => is_true(disabled),
        (None, None) => false,
    };
    let manager = Manager::of(call.host)?;
    if manager.is_apt() { apt::managed(call, manager, is_disabled) } else { yum::managed(call, manager, is_disabled) }
}

fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let manager = Manager::of(call.host)?;
    if manager.is_apt() { apt::absent(call, manager) } else { yum::absent(call) }
}

/// What Salt says where a preview finds something to do.
fn warning(name: &str, becomes: &str) -> String {
    format!(
        "Package repo '{name}' {becomes}. This may cause pkg states to behave differently than stated if this action is \
         repeated without test=True, due to the differences in the configured repositories."
    )
}
