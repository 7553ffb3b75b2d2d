//! Grains of the operating system: what it is called, its release, and its packages' architecture.
//!
//! The values are those of Salt 3007 without the Python bindings of `lsb_release`, which its own
//! packages do not carry. Since formulas choose by them, one differs on purpose: where Debian does not
//! name its codename (8 and older), `oscodename` is `jessie` as it always was with the bindings, and not
//! the whole `Debian GNU/Linux 8 (jessie)`.

use std::cell::LazyCell;
use std::collections::BTreeMap;

use serde_json::Value;

use super::release::{Distribution, OsRelease, lsb};
use super::tree::Tree;
use super::{Grains, arch, names};

pub(super) fn add(grains: &mut Grains, tree: &Tree) {
    let os_release = OsRelease::of(tree);
    let mut lsb = lsb(tree);
    let mut suse = None;
    if !lsb.contains_key("lsb_distrib_id") {
        match &os_release {
            Some(fields) => {
                suse = Suse::of(fields);
                lsb.extend(lsb_of(fields, suse.as_ref()));
            }
            None => lsb.extend(centos(tree)),
        }
    }
    // Few distributions need it, and it looks at more files.
    let distribution = LazyCell::new(|| Distribution::of(tree, os_release.as_ref()));

    let full = suse.as_ref().and_then(|suse| suse.full.clone()).unwrap_or_else(|| {
        let name = os_release.as_ref().map(|fields| fields.text("NAME").to_owned());
        let name = name.or_else(|| lsb.get("lsb_distrib_id").cloned()).unwrap_or_else(|| distribution.name.clone());
        name.trim().to_owned()
    });
    let os = match (&suse, &os_release) {
        (Some(_), _) => "SUSE".into(),
        (None, Some(fields)) => names::os(fields.text("NAME"), fields.text("ID")),
        (None, None) => names::os(&full, ""),
    };
    let family = names::family(&os).to_owned();

    // CentOS has only the major release in `os-release`, the full one in a file of its own.
    let codename = lsb.get("lsb_distrib_codename").map(String::as_str).unwrap_or_default();
    if codename.contains("CentOS Linux 7") || codename.contains("CentOS Linux 8") {
        lsb.remove("lsb_distrib_release");
    }
    let release = lsb.get("lsb_distrib_release").unwrap_or_else(|| &distribution.release).trim().to_owned();
    grains.set("oscodename", codename_of(&os, os_release.as_ref(), &mut lsb, || distribution.codename.clone()));

    for (name, value) in lsb {
        grains.set(&name, value);
    }
    grains.set("osarch", arch::of_packages(tree, &family, grains.text("cpuarch")));
    set_release(grains, &os, &full, &release);
    grains.set("osrelease", release);
    grains.set("os_family", family);
    grains.set("osfullname", full);
    grains.set("os", os);
}

/// The grains `lsb_distrib_*` of a host that has no `/etc/lsb-release`.
fn lsb_of(fields: &OsRelease, suse: Option<&Suse>) -> BTreeMap<String, String> {
    let release = suse.and_then(|suse| suse.release.as_deref()).or_else(|| fields.get("VERSION_ID"));
    let codename = fields.get("VERSION_CODENAME").or_else(|| fields.get("PRETTY_NAME"));
    let grains = [
        ("lsb_distrib_id", Some(fields.text("NAME").trim())),
        ("lsb_distrib_release", release),
        ("lsb_distrib_codename", codename),
    ];
    grains.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect()
}

/// The grains `lsb_distrib_*` of a distribution that is too old for `os-release`.
fn centos(tree: &Tree) -> BTreeMap<String, String> {
    let mut grains = BTreeMap::new();
    let Some(text) = tree.text("/etc/centos-release") else { return grains };
    grains.insert("lsb_distrib_id".to_owned(), "CentOS".to_owned());
    let dotted = |word: &&str| word.contains('.') && word.split('.').all(|part| part.parse::<u64>().is_ok());
    if let Some(release) = text.split_whitespace().find(dotted) {
        grains.insert("lsb_distrib_release".into(), release.into());
    }
    if let Some((codename, _)) = text.split_once('(').and_then(|(_, rest)| rest.split_once(')')) {
        grains.insert("lsb_distrib_codename".into(), codename.into());
    }
    grains
}

/// The codename; that of `lsb` is cut to what is in its parentheses where Salt does so.
fn codename_of(
    os: &str,
    fields: Option<&OsRelease>,
    lsb: &mut BTreeMap<String, String>,
    other: impl Fn() -> String,
) -> String {
    let Some(named) = lsb.get_mut("lsb_distrib_codename") else { return other() };
    let inner = named.split_once('(').map(|(_, rest)| rest.split(')').next().unwrap_or_default().to_owned());
    match (os, inner) {
        ("Rocky" | "AlmaLinux", Some(inner)) => *named = inner,
        ("AstraLinuxSE", Some(inner)) => *named = inner.split_whitespace().next().unwrap_or_default().to_lowercase(),
        _ => {}
    }
    if named.trim().is_empty() || named.contains("Red Hat") {
        return other();
    }
    if os == "Debian" && fields.is_some_and(|fields| named == fields.text("PRETTY_NAME")) {
        return Some(other()).filter(|name| !name.is_empty()).unwrap_or_else(|| named.clone());
    }
    named.trim().into()
}

/// Sets the grains that follow from the release.
fn set_release(grains: &mut Grains, os: &str, full: &str, release: &str) {
    if release.is_empty() {
        return;
    }
    let number = |part: &str| part.parse::<u64>().ok().filter(|_| part.bytes().all(|byte| byte.is_ascii_digit()));
    let info: Vec<Value> =
        release.split('.').map(|part| number(part).map_or_else(|| part.into(), Into::into)).collect();
    if let Some(major) = info.first().filter(|major| major.is_number()) {
        grains.set("osmajorrelease", major.clone());
    }
    grains.set("osrelease_info", info);
    let name = if matches!(os, "Debian" | "Raspbian") { os } else { full };
    let major = release.split('.').next().unwrap_or(release);
    // The number is written without leading zeros, as a number is.
    let major = number(major).map_or_else(|| major.to_owned(), |major| major.to_string());
    let release = if matches!(os, "Ubuntu" | "Pop") { release } else { &major };
    grains.set("osfinger", format!("{name}-{release}"));
}

/// What the product name of SUSE's distributions (`CPE_NAME`) says.
struct Suse {
    /// The grain `osfullname`, where it is not the name.
    full: Option<String>,
    /// The release, where it is not the one of `VERSION_ID`.
    release: Option<String>,
}

impl Suse {
    /// `None` for any other distribution.
    fn of(fields: &OsRelease) -> Option<Self> {
        let product: Vec<&str> = fields.get("CPE_NAME")?.split(':').collect();
        // Either `cpe:/o:vendor:product:version…` or `cpe:2.3:o:vendor:product:version…`.
        let (vendor, version) = match product.as_slice() {
            ["cpe", form, vendor, _, version, ..] if form.starts_with('/') => (*vendor, *version),
            ["cpe", "2.3", _, vendor, _, version, ..] => (*vendor, *version),
            _ => return None,
        };
        if !matches!(vendor.to_lowercase().as_str(), "suse" | "opensuse") {
            return None;
        }
        let full = match (fields.text("NAME"), fields.text("VERSION")) {
            ("openSUSE Leap", _) => Some("Leap".into()),
            (_, "Tumbleweed") => Some("Tumbleweed".into()),
            _ => None,
        };
        let release = (vendor == "opensuse" && !matches!(version, "" | "*")).then(|| version.to_owned());
        Some(Self { full, release })
    }
}
