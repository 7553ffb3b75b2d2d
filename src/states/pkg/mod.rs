//! `pkg.*`: packages of `apt` and `dnf`.
//!
//! A host that is right is looked at without starting a program, and one that is not takes one call of its package
//! manager for a whole state. A preview changes nothing, not even the lists of what repositories offer.

mod apt;
mod database;
mod download;
mod hold;
mod installed;
mod latest;
mod locks;
mod manager;
mod removed;
mod source;
mod uptodate;
mod version;
mod wanted;
mod yum;

pub(super) use database::Memory;
pub(super) use manager::{Manager, is_true};
pub(super) use source::{fetch, is_there, user_named};

use crate::formula::Data;
use crate::states::{Args, Function};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("pkg.downloaded", download::downloaded).takes(INSTALL).checks(can_install),
    Function::new("pkg.held", hold::held).takes(&["version", "pkgs", "replace"]),
    Function::new("pkg.installed", installed::installed)
        .takes(INSTALL)
        .checks(can_install)
        .watches(installed::installed),
    Function::new("pkg.latest", latest::latest).takes(INSTALL).checks(can_install).watches(latest::latest),
    Function::new("pkg.purged", |call| removed::removed(call, true))
        .takes(REMOVE)
        .watches(|call| removed::removed(call, true)),
    Function::new("pkg.removed", |call| removed::removed(call, false))
        .takes(REMOVE)
        .watches(|call| removed::removed(call, false)),
    Function::new("pkg.unheld", hold::unheld).takes(&["version", "pkgs", "all"]),
    Function::new("pkg.uptodate", uptodate::uptodate).takes(&[
        "allow_downgrades",
        "cache_valid_time",
        "disableexcludes",
        "disablerepo",
        "dist_upgrade",
        "download_only",
        "downloadonly",
        "enablerepo",
        "env",
        "force_conf_new",
        "force_yes",
        "fromrepo",
        "pkgs",
        "refresh",
        "resolve_capabilities",
        "setopt",
        "skip_verify",
    ]),
];

/// What the states take that install something. Salt leaves aside what the package manager of a host has no use for, so
/// that one formula serves hosts of different families.
const INSTALL: &[&str] = &[
    "allow_updates",
    "cache_valid_time",
    "debconf",
    "disableexcludes",
    "disablerepo",
    "downloadonly",
    "enablerepo",
    "env",
    "force_conf_new",
    "force_yes",
    "fromrepo",
    "hold",
    "ignore_epoch",
    "install_recommends",
    "normalize",
    "only_upgrade",
    "pkg_verify",
    "pkgs",
    "refresh",
    "refresh_db",
    "reinstall",
    "repo",
    "report_reboot_exit_codes",
    "resolve_capabilities",
    "setopt",
    "skip_suggestions",
    "skip_verify",
    "sources",
    "update_holds",
    "version",
    "watch_flags",
];

const REMOVE: &[&str] = &["env", "ignore_epoch", "normalize", "pkgs", "version"];

fn can_install(args: &Args<'_>) -> Result<(), String> {
    if args.get("pkg_verify").is_some_and(Data::is_true) {
        return Err("upshift has no `pkg_verify`".to_owned());
    }
    Ok(())
}
