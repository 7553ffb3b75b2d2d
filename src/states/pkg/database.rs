//! The packages that a host has, read from the files of its package manager.
//!
//! What was read is kept for as long as those files are the same: whoever installs something, it is seen.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, PoisonError};

use camino::Utf8Path;

use crate::formula::Dict;
use crate::states::returns::old_new;

/// Every package that the database knows more of than its name. One of a foreign architecture is `name:architecture`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::states) struct Packages(BTreeMap<String, Vec<Package>>);

/// One package in one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Package {
    pub(super) version: String,
    /// What is to become of it, in `dpkg`'s words.
    pub(super) selection: String,
    pub(super) stage: Stage,
}

/// How much of a package is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its settings only.
    Removed,
    /// A part of its files: something was interrupted.
    Part,
    /// All of its files, but it is not set up.
    Unconfigured,
    /// All of it.
    Installed,
}

impl Packages {
    /// Reads `dpkg`'s `status` and what was written after it, the last word last.
    pub(super) fn of_dpkg<'a>(texts: impl IntoIterator<Item = &'a str>, architecture: Option<&str>) -> Self {
        let mut packages = BTreeMap::new();
        for stanza in texts.into_iter().flat_map(|text| text.split("\n\n")) {
            if let Some((name, package)) = dpkg_package(stanza, architecture) {
                packages.insert(name, package);
            }
        }
        Self(packages.into_iter().filter_map(|(name, package)| Some((name, vec![package?]))).collect())
    }

    /// Packages that are all installed: what `rpm` lists.
    pub(super) fn installed<'a>(all: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let mut packages: BTreeMap<String, Vec<Package>> = BTreeMap::new();
        for (name, version) in all {
            let package = Package { version, selection: "install".to_owned(), stage: Stage::Installed };
            packages.entry(name.to_owned()).or_default().push(package);
        }
        for versions in packages.values_mut() {
            versions.sort_by(|one, two| one.version.cmp(&two.version));
        }
        Self(packages)
    }

    /// Name and version of the only package in here.
    pub(super) fn only(&self) -> Option<(String, String)> {
        let (name, all) = self.0.iter().next().filter(|_| self.0.len() == 1)?;
        Some((name.clone(), all.first()?.version.clone()))
    }

    fn all(&self, name: &str) -> &[Package] {
        self.0.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The versions in which a package is installed.
    pub(super) fn versions(&self, name: &str) -> Vec<&str> {
        let installed = self.all(name).iter().filter(|package| package.stage == Stage::Installed);
        installed.map(|package| package.version.as_str()).collect()
    }

    /// The versions in which a package is installed, as one text; empty if it is not.
    pub(super) fn version(&self, name: &str) -> String {
        self.versions(name).join(",")
    }

    /// Whether anything but settings is there of a package.
    pub(super) fn has_any_of(&self, name: &str) -> bool {
        self.all(name).iter().any(|package| package.stage != Stage::Removed)
    }

    /// Whether only a part of a package is there, which `apt` takes for all of it.
    pub(super) fn has_part_of(&self, name: &str) -> bool {
        self.all(name).iter().any(|package| package.stage == Stage::Part)
    }

    /// Whether a package was removed and has left its settings.
    pub(super) fn has_settings_of(&self, name: &str) -> bool {
        self.all(name).iter().any(|package| package.stage == Stage::Removed)
    }

    /// What is to become of a package; `None` if nobody knows it.
    pub(super) fn selection(&self, name: &str) -> Option<&str> {
        self.all(name).first().map(|package| package.selection.as_str())
    }

    /// The packages that are to stay as they are.
    pub(super) fn held(&self) -> Vec<&str> {
        let held = self.0.iter().filter(|(_, all)| all.iter().any(|package| package.selection == "hold"));
        held.map(|(name, _)| name.as_str()).collect()
    }

    /// What is different since: `{name: {old, new}}`, of installed packages or of those that have left settings.
    pub(super) fn changes(&self, now: &Self, stage: Stage) -> Dict {
        let text = |packages: &Self, name: &str| {
            let those = packages.all(name).iter().filter(|package| package.stage == stage);
            those.map(|package| package.version.as_str()).collect::<Vec<_>>().join(",")
        };
        let mut names: Vec<&String> = self.0.keys().chain(now.0.keys()).collect();
        names.sort();
        names.dedup();
        let pairs = names.into_iter().map(|name| (name, text(self, name), text(now, name)));
        let different = pairs.filter(|(_, old, new)| old != new);
        different.map(|(name, old, new)| (name.as_str().into(), old_new(old, new))).collect()
    }
}

/// One package of `dpkg`'s status; no package if there is nothing of it any more.
fn dpkg_package(stanza: &str, architecture: Option<&str>) -> Option<(String, Option<Package>)> {
    let (mut name, mut status, mut version, mut its_own) = (None, None, "", "");
    for line in stanza.lines() {
        // Most lines are descriptions and lists of files.
        if !line.starts_with(['P', 'S', 'V', 'A']) {
            continue;
        }
        match line.split_once(": ") {
            Some(("Package", value)) => name = Some(value.trim()),
            Some(("Status", value)) => status = Some(value),
            Some(("Version", value)) => version = value.trim(),
            Some(("Architecture", value)) => its_own = value.trim(),
            _ => {}
        }
    }
    let mut name = name?.to_owned();
    if architecture.is_some_and(|native| its_own != "all" && !its_own.is_empty() && its_own != native) {
        name = format!("{name}:{its_own}");
    }
    let words: Vec<&str> = status?.split_ascii_whitespace().collect();
    let [selection, _, status] = words.as_slice() else { return None };
    let stage = match *status {
        "not-installed" => return Some((name, None)),
        "config-files" => Stage::Removed,
        "installed" => Stage::Installed,
        "half-installed" => Stage::Part,
        _ => Stage::Unconfigured,
    };
    Some((name, Some(Package { version: version.to_owned(), selection: (*selection).to_owned(), stage })))
}

/// What states remember of packages.
#[derive(Debug, Default)]
pub(in crate::states) struct Memory {
    packages: Mutex<Option<(Stamps, Arc<Packages>)>>,
    pub(super) lists: Mutex<Lists>,
}

/// Whether the lists of what repositories offer are to be fetched, as Salt decides it for a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Lists {
    /// No package was to be installed so far.
    #[default]
    Untouched,
    /// The first state that installs something fetches them.
    Due,
    /// They were fetched.
    Fetched,
}

/// What tells one content of some files from another.
type Stamps = Vec<Option<(u64, u64, i64, i64)>>;

impl Memory {
    /// The packages as read before, or read now if one of these files has changed since, or none of them is there.
    pub(super) fn packages<E>(
        &self,
        files: &[&str],
        read: impl FnOnce() -> Result<Packages, E>,
    ) -> Result<Arc<Packages>, E> {
        let stamps: Stamps = files.iter().map(|file| stamp(Utf8Path::new(file))).collect();
        let mut known = self.packages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, packages)) = &*known
            && *of == stamps
            && stamps.iter().any(Option::is_some)
        {
            return Ok(Arc::clone(packages));
        }
        let packages = Arc::new(read()?);
        *known = Some((stamps, Arc::clone(&packages)));
        Ok(packages)
    }
}

fn stamp(path: &Utf8Path) -> Option<(u64, u64, i64, i64)> {
    let there = std::fs::metadata(path).ok()?;
    Some((there.ino(), there.size(), there.mtime(), there.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "\
Package: zsh
Status: install ok installed
Architecture: amd64
Version: 4.3.17-1
Description: a shell
 Version: of text

Package: libc6
Status: hold ok installed
Architecture: i386
Version: 2.36

Package: mc
Status: deinstall ok config-files
Architecture: amd64
Version: 3:4.8

Package: half
Status: install reinstreq half-installed
Architecture: all
Version: 1

Package: gone
Status: purge ok not-installed
Architecture: amd64
";

    #[test]
    fn a_package_is_installed_only_if_all_of_it_is() {
        let packages = Packages::of_dpkg([STATUS], Some("amd64"));
        assert_eq!(packages.versions("zsh"), ["4.3.17-1"]);
        assert_eq!(packages.versions("libc6"), Vec::<&str>::new());
        assert_eq!(packages.version("libc6:i386"), "2.36");
        assert_eq!(packages.held(), ["libc6:i386"]);
        assert!(packages.versions("half").is_empty() && packages.has_any_of("half") && packages.has_part_of("half"));
        assert!(packages.has_settings_of("mc") && !packages.has_any_of("mc"));
        assert_eq!(packages.selection("gone"), None);
    }

    #[test]
    fn what_dpkg_wrote_last_is_what_counts() {
        let later = "Package: zsh\nStatus: install ok unpacked\nArchitecture: amd64\nVersion: 5\n";
        let packages = Packages::of_dpkg([STATUS, later], Some("amd64"));
        assert!(packages.versions("zsh").is_empty());
        assert!(packages.has_any_of("zsh"));
    }

    #[test]
    fn changes_are_from_one_version_to_another() {
        let before = Packages::of_dpkg([STATUS], Some("amd64"));
        let after = Packages::of_dpkg([STATUS.replace("4.3.17-1", "5").as_str()], Some("amd64"));
        let changes = before.changes(&after, Stage::Installed);
        assert_eq!(changes.entries.len(), 1);
        assert_eq!(changes.get("zsh"), Some(&old_new("4.3.17-1", "5")));
    }
}
