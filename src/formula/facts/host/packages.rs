//! `pkg.*`: the packages that are installed, as `dpkg` or `rpm` knows them.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::{Answer, Function, Refusal, command, function, process, texts};
use crate::formula::template::functions::arguments::Default::Bool;
use crate::formula::template::functions::arguments::{Arguments, Parameter, Signature, takes};
use crate::formula::template::functions::package_versions;
use crate::formula::template::value::text;
use crate::formula::{Data, Dict, fnmatch};

const LIST: &[Parameter] =
    &[("versions_as_list", Bool(false)), ("removed", Bool(false)), ("purge_desired", Bool(false))];
const NAMES: Signature = takes(&[]).and_more().and_more_named();

/// The versions of each package, sorted.
type Packages = IndexMap<String, BTreeSet<String>>;

pub(super) const FUNCTIONS: &[Function] = &[
    function("pkg.list_pkgs", takes(LIST).and_more_named(), |arguments| {
        let as_list = arguments.is_true("versions_as_list")?;
        let kind = match (arguments.is_true("removed")?, arguments.is_true("purge_desired")?) {
            (true, _) => Kind::Removed,
            (_, true) => Kind::PurgeDesired,
            _ => Kind::Installed,
        };
        let packages = packages(kind)?.into_iter().map(|(name, versions)| (name.into(), shown(&versions, as_list)));
        Ok(Dict { entries: packages.collect(), is_ordered: false }.into())
    }),
    function("pkg.version", NAMES, version),
    function("pkg.latest_version", NAMES, latest_version),
    function("pkg.available_version", NAMES, latest_version),
];

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Installed,
    Removed,
    PurgeDesired,
}

fn shown(versions: &BTreeSet<String>, as_list: bool) -> Data {
    if as_list {
        return texts(versions.iter().map(String::as_str));
    }
    versions.iter().map(String::as_str).collect::<Vec<_>>().join(",").into()
}

fn packages(kind: Kind) -> Result<Packages, Refusal> {
    if command::which("dpkg-query").is_some() {
        return Ok(of_dpkg(&process::said("dpkg-query", &["--showformat", DPKG, "-W"]).unwrap_or_default(), kind));
    }
    if command::which("rpm").is_some() {
        return Ok(of_rpm(&process::said("rpm", &["-qa", "--queryformat", RPM]).unwrap_or_default()));
    }
    Err(Refusal::Failed("this host has neither `dpkg-query` nor `rpm`".to_owned()))
}

const DPKG: &str = "${Status} ${Package} ${Version} ${Architecture}\n";
const RPM: &str = "%{NAME} %{EPOCH} %{VERSION} %{RELEASE} %{ARCH}\n";

fn of_dpkg(said: &str, kind: Kind) -> Packages {
    let is_amd64 = cfg!(target_arch = "x86_64");
    let mut packages = Packages::new();
    for line in said.lines() {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [wanted, _, status, name, version, architecture] = columns.as_slice() else { continue };
        let is_foreign = is_amd64 && !matches!(*architecture, "all" | "amd64");
        let name = if is_foreign { format!("{name}:{architecture}") } else { (*name).to_owned() };
        let found = if (wanted.contains("hold") || wanted.contains("install")) && status.contains("installed") {
            Kind::Installed
        } else if wanted.contains("deinstall") {
            Kind::Removed
        } else if wanted.contains("purge") && *status == "installed" {
            Kind::PurgeDesired
        } else {
            continue;
        };
        if found == kind {
            packages.entry(name).or_default().insert((*version).to_owned());
        }
    }
    packages
}

fn of_rpm(said: &str) -> Packages {
    let native = std::env::consts::ARCH;
    let mut packages = Packages::new();
    for line in said.lines() {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [name, epoch, version, release, architecture] = columns.as_slice() else { continue };
        let is_native = matches!(*architecture, "noarch" | "(none)") || *architecture == native;
        let name = if is_native { (*name).to_owned() } else { format!("{name}.{architecture}") };
        let epoch = if matches!(*epoch, "(none)" | "0") { String::new() } else { format!("{epoch}:") };
        packages.entry(name).or_default().insert(format!("{epoch}{version}-{release}"));
    }
    packages
}

/// One package's version as text, several as a mapping; nothing for what is not installed.
fn version(arguments: &Arguments) -> Answer {
    let names: Vec<String> = arguments.more.iter().map(text).collect();
    let as_list = arguments.other("versions_as_list").is_some_and(minijinja::Value::is_true);
    let packages = if names.is_empty() { Packages::new() } else { packages(Kind::Installed)? };
    let mut found = Dict::default();
    let mut is_pattern = false;
    for name in &names {
        if name.contains('*') {
            is_pattern = true;
            for (name, versions) in packages.iter().filter(|(known, _)| fnmatch::is_match(name, known)) {
                found.insert(name.as_str(), shown(versions, as_list));
            }
        } else {
            let versions = packages.get(name).cloned().unwrap_or_default();
            found.insert(name.as_str(), shown(&versions, as_list));
        }
    }
    match found.only().filter(|_| !is_pattern) {
        Some((_, version)) => Ok(version.clone()),
        None => Ok(found.into()),
    }
}

/// The version that would be installed, nothing if the installed one is as new. The lists of packages stay as they
/// are: nothing is fetched.
fn latest_version(arguments: &Arguments) -> Answer {
    let names: Vec<String> = arguments.more.iter().map(text).collect();
    if names.is_empty() {
        return Ok("".into());
    }
    let installed = packages(Kind::Installed)?;
    let mut found = Dict::default();
    let mut known = Vec::new();
    for name in &names {
        let candidate = candidate(name);
        let version = candidate.clone().unwrap_or_default();
        let is_newer = |old: &String| package_versions::debian(old, &version).is_none_or(std::cmp::Ordering::is_lt);
        let is_worth_it = installed.get(name).is_none_or(|versions| versions.iter().all(is_newer));
        found.insert(name.as_str(), if is_worth_it { version.as_str() } else { "" });
        known.extend(candidate.map(|_| name));
    }
    // A package that apt has never heard of does not count as one: alone, it gets a mapping.
    match known.as_slice() {
        [name] => Ok(found.get(name).cloned().unwrap_or_default()),
        _ => Ok(found.into()),
    }
}

/// What apt would install; empty if nothing, `None` if it does not know the package.
fn candidate(name: &str) -> Option<String> {
    if name.starts_with('-') {
        return None;
    }
    let said = process::said("apt-cache", &["-q", "policy", "--", name])?;
    let line = said.lines().find_map(|line| line.trim().strip_prefix("Candidate:"))?.trim();
    Some(if line == "(none)" { String::new() } else { line.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_of_dpkg_and_rpm_are_read() {
        let said = "install ok installed bash 5.2-1 amd64\ndeinstall ok config-files nano 7 amd64\n\
                    install ok installed libc6 2.36 i386\nhold ok installed vim 9 all\n";
        let found = of_dpkg(said, Kind::Installed);
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            if cfg!(target_arch = "x86_64") { ["bash", "libc6:i386", "vim"] } else { ["bash", "libc6", "vim"] }
        );
        assert_eq!(of_dpkg(said, Kind::Removed).keys().collect::<Vec<_>>(), ["nano"]);
        let rpm = of_rpm("bash (none) 5.1 2.el9 noarch\nbind 32 9.16 1.el9 noarch\n");
        assert_eq!(rpm["bash"].first().map(String::as_str), Some("5.1-2.el9"));
        assert_eq!(rpm["bind"].first().map(String::as_str), Some("32:9.16-1.el9"));
    }
}
