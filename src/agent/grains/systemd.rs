//! The grain `systemd`: what `systemctl --version` says, without starting it.
//!
//! Version and features are constants in systemd's shared library, or in `systemctl` itself where that
//! was built without one (before systemd 231).

use regex::bytes::Regex;
use serde_json::json;

use super::Grains;
use super::tree::Tree;

pub(super) fn add(grains: &mut Grains, tree: &Tree) {
    let (Some(program), Some(_)) = (tree.program("systemctl"), tree.program("localectl")) else { return };
    let binary = library(tree, grains.text("cpuarch")).unwrap_or(program);
    let first = |form: &str| tree.find(&binary, &Regex::new(form).ok()?);
    let named = binary.rsplit_once("libsystemd-shared-").map(|(_, version)| version);
    let named = named.map(|version| version.chars().take_while(char::is_ascii_digit).collect::<String>());
    let version = named.filter(|version| !version.is_empty()).or_else(|| first(r"systemd ([0-9]+)(?:\x00|\n| \()"));
    let features = first(r"([+-]PAM [+-][ -~]+)");
    grains.set(
        "systemd",
        json!({
            "version": version.unwrap_or_else(|| "UNDEFINED".into()),
            "features": features.unwrap_or_default(),
        }),
    );
}

fn library(tree: &Tree, cpu: &str) -> Option<String> {
    let folders = [
        "/usr/lib/systemd".to_owned(),
        "/lib/systemd".to_owned(),
        format!("/usr/lib/{cpu}-linux-gnu/systemd"),
        format!("/lib/{cpu}-linux-gnu/systemd"),
        "/usr/lib64/systemd".to_owned(),
    ];
    folders.iter().find_map(|folder| {
        let names = tree.names(folder);
        let library = names.iter().rfind(|name| name.starts_with("libsystemd-shared-"))?;
        Some(format!("{folder}/{library}"))
    })
}
