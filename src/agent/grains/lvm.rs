//! Groups and logical volumes of LVM, where that is installed.
//!
//! Salt asks `vgs` and `lvs`. Here the kernel says which volumes are active, and LVM's own copies of its
//! metadata which groups there are: volumes that are not active are missing.

use std::collections::BTreeMap;

use serde_json::json;

use super::Grains;
use super::tree::Tree;

/// How the names of volumes end that are parts of others, which `lvs` does not list.
const PARTS: [&str; 8] = ["_rimage_", "_rmeta_", "_mimage_", "_mlog", "_tdata", "_tmeta", "_cdata", "_cmeta"];

/// `LVM-`, and the numbers of group and volume. More follows for what LVM itself put below or between volumes.
const UUID: usize = 4 + 32 + 32;

pub(super) fn add(grains: &mut Grains, tree: &Tree) {
    if tree.program("lvm").is_none() {
        return;
    }
    let groups = tree.names("/etc/lvm/backup").into_iter().map(|group| (group, Vec::new()));
    let mut found: BTreeMap<String, Vec<String>> = groups.collect();
    for device in tree.names("/sys/block").into_iter().filter(|name| name.starts_with("dm-")) {
        let of = |file: &str| tree.trimmed(&format!("/sys/block/{device}/dm/{file}")).unwrap_or_default();
        let uuid = of("uuid");
        let is_volume = uuid.starts_with("LVM-") && uuid.trim_end_matches("-pool").len() == UUID;
        let Some((group, volume)) = parted(&of("name")).filter(|_| is_volume) else { continue };
        if !PARTS.iter().any(|part| volume.contains(part)) {
            found.entry(group).or_default().push(volume);
        }
    }
    for volumes in found.values_mut() {
        volumes.sort();
    }
    grains.set("lvm", json!(found));
}

/// Group and volume of a name of the device mapper, which has them with a dash between and their own dashes twice.
fn parted(name: &str) -> Option<(String, String)> {
    let bytes = name.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'-', Some(b'-')) => at += 2,
            (b'-', _) => return Some((name[..at].replace("--", "-"), name[at + 1..].replace("--", "-"))),
            _ => at += 1,
        }
    }
    None
}
