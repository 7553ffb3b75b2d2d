//! What the files of a distribution say about it: `os-release`, `lsb-release` and `*-release`.

use std::collections::BTreeMap;

use regex::Regex;

use super::tree::Tree;

/// Files in `/etc` that are named as a distribution's own one is, and say something else.
const NOT_ITS_OWN: [&str; 8] = [
    "lsb-release",
    "oem-release",
    "os-release",
    "system-release",
    "plesk-release",
    "iredmail-release",
    "board-release",
    "initrd-release",
];

/// The fields of `os-release` (`os-release(5)`).
#[derive(Debug)]
pub(super) struct OsRelease(BTreeMap<String, String>);

impl OsRelease {
    /// The host's own, from `/etc` or else `/usr/lib`.
    pub(super) fn of(tree: &Tree) -> Option<Self> {
        let text = tree.text("/etc/os-release").or_else(|| tree.text("/usr/lib/os-release"))?;
        let mut fields: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in [("ID", "linux"), ("NAME", "Linux"), ("PRETTY_NAME", "Linux")] {
            fields.insert(name.into(), value.into());
        }
        fields.extend(assignments(&text).map(|(name, value)| (name.to_owned(), unescaped(value))));
        Some(Self(fields))
    }

    /// A field, also when it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A field, or an empty text.
    pub(super) fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default()
    }

    /// The codename. An empty `VERSION_CODENAME` says that there is none; without that field it is what
    /// `VERSION` has in parentheses or after a comma.
    fn codename(&self) -> Option<&str> {
        if let Some(name) = self.get("VERSION_CODENAME").or_else(|| self.get("UBUNTU_CODENAME")) {
            return Some(name);
        }
        let version = self.get("VERSION")?;
        let in_parentheses = version.split_once('(').and_then(|(_, rest)| rest.split_once(')')).map(|(name, _)| name);
        let after_comma = version.split_once(',').map(|(_, rest)| rest.trim_start());
        let named = |name: &&str| !name.is_empty() && !name.contains(|c: char| c.is_ascii_digit());
        in_parentheses.filter(named).or(after_comma.filter(named))
    }
}

/// The lines `NAME=value`, with the quotes around the value taken off.
fn assignments(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| {
        let (name, value) = line.trim().split_once('=')?;
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        is_name.then_some((name, unquoted(value)))
    })
}

fn unquoted(value: &str) -> &str {
    let within = |quote| value.strip_prefix(quote).and_then(|rest: &str| rest.strip_suffix(quote));
    within('"').or_else(|| within('\'')).unwrap_or(value)
}

/// A value whose shell characters are no longer escaped.
fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut characters = value.chars().peekable();
    while let Some(character) = characters.next() {
        let escaped = characters.next_if(|next| character == '\\' && matches!(next, '\\' | '$' | '"' | '\'' | '`'));
        text.push(escaped.unwrap_or(character));
    }
    text
}

/// The fields of `/etc/lsb-release`, as grains: `lsb_distrib_id`, `_release`, `_codename`, `_description`.
pub(super) fn lsb(tree: &Tree) -> BTreeMap<String, String> {
    let text = tree.text("/etc/lsb-release").unwrap_or_default();
    let known =
        |name: &str| matches!(name, "DISTRIB_ID" | "DISTRIB_RELEASE" | "DISTRIB_CODENAME" | "DISTRIB_DESCRIPTION");
    let plain = |c: &char| c.is_alphanumeric() || c.is_whitespace() || matches!(c, '.' | '-' | '_');
    assignments(&text)
        .filter(|(name, _)| known(name))
        .map(|(name, value)| {
            (format!("lsb_{}", name.to_lowercase()), value.chars().take_while(plain).collect::<String>())
        })
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name, value.trim_end().to_owned()))
        .collect()
}

/// Name, release and codename as the Python package `distro` gives them, which Salt asks where the other
/// files leave something open. What is not known is empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Distribution {
    pub(super) name: String,
    /// The most precise of all the releases that files tell.
    pub(super) release: String,
    pub(super) codename: String,
}

impl Distribution {
    pub(super) fn of(tree: &Tree, os_release: Option<&OsRelease>) -> Self {
        let own = own_file(tree);
        let field = |name: &str| os_release.map(|fields| fields.text(name)).unwrap_or_default();
        let pretty = parse(field("PRETTY_NAME"));
        let mut releases = vec![field("VERSION_ID").to_owned(), own.release, pretty.release];
        if field("ID") == "debian" || field("ID_LIKE").split_whitespace().any(|id| id == "debian") {
            releases.push(tree.trimmed("/etc/debian_version").unwrap_or_default());
        }
        let mut release = String::new();
        for other in releases {
            if release.is_empty() || other.matches('.').count() > release.matches('.').count() {
                release = other;
            }
        }
        let name = if field("NAME").is_empty() { own.name } else { field("NAME").to_owned() };
        let codename = os_release.and_then(OsRelease::codename).map_or(own.codename, Into::into);
        Self { name, release, codename }
    }
}

/// What the first file named `<something>-release` or `_version` in `/etc` says.
fn own_file(tree: &Tree) -> Distribution {
    let endings = ["-release", "_release", "-version", "_version"];
    let own = |name: &&String| {
        endings.iter().any(|ending| name.ends_with(ending))
            && !NOT_ITS_OWN.contains(&name.as_str())
            && !matches!(name.as_str(), "debian_version" | "ec2_version")
    };
    let names = tree.names("/etc");
    let texts = names.iter().filter(own).filter_map(|name| tree.text(&format!("/etc/{name}")));
    texts
        .map(|text| parse(text.lines().next().unwrap_or_default()))
        .find(|found| !found.name.is_empty())
        .unwrap_or_default()
}

/// Takes apart a line such as `Fedora release 39 (Thirty Nine)`.
fn parse(line: &str) -> Distribution {
    let line = line.trim();
    let Ok(form) = Regex::new(r"^(.+?) *(?:release *)?([0-9][0-9.+a-z-]*)(?: LTS)? *(?:\((.*)\)[^)]*)?$") else {
        return Distribution::default();
    };
    let Some(parts) = form.captures(line) else { return Distribution { name: line.into(), ..Distribution::default() } };
    let part = |number| parts.get(number).map(|part| part.as_str().to_owned()).unwrap_or_default();
    Distribution { name: part(1), release: part(2), codename: part(3) }
}
