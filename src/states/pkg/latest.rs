//! `pkg.latest`: packages are there, in the newest version that the repositories offer.

use std::collections::BTreeMap;
use std::time::Duration;

use super::database::Stage;
use super::manager::{How, Manager, Options, Target, What};
use super::wanted;
use crate::formula::{Data, Dict};
use crate::states::returns::old_new;
use crate::states::{Args, Call, Failed, Return};

pub(super) fn latest(call: &Call<'_>) -> Result<Return, Failed> {
    if call.args.get("sources").is_some_and(Data::is_true) {
        return Err("The \"sources\" parameter is not supported.".into());
    }
    if wanted::is_empty_list(call.args) {
        return Ok(Return::unchanged("No packages to install provided"));
    }
    let manager = Manager::of(call.host)?;
    manager.begins();
    let options = Options::read(call.args)?;
    let listed = wanted::packages(call.args)?;
    let is_list = listed.is_some();
    let names: Vec<String> = match listed {
        Some(listed) => listed.iter().map(|wanted| manager.normalized(&wanted.name).to_owned()).collect(),
        None => vec![call.args.name()?],
    };
    let checking = |failed: Failed| {
        let what = "An error was encountered while checking the newest available version of package(s)";
        Failed::from(format!("{what}: {}", failed.comment))
    };
    if !call.preview && manager.is_refresh_due(call.args) {
        manager.refresh(valid_time(call.args)?).map_err(checking)?;
    }
    let mut newer = match newer(manager, &names, &options) {
        Err(_) if call.preview && manager.is_refresh_due(call.args) => BTreeMap::new(),
        newer => newer.map_err(checking)?,
    };
    let packages = manager.packages()?;
    let is_unknown = |name: &&String| !newer.contains_key(*name) && packages.versions(name).is_empty();
    let unknown: Vec<&String> = names.iter().filter(is_unknown).collect();
    if call.preview && manager.is_refresh_due(call.args) {
        // The lists that are fetched then may have them.
        newer.extend(unknown.into_iter().map(|name| (name.clone(), "installed".to_owned())));
    } else if !unknown.is_empty() {
        let unknown: Vec<String> = unknown.iter().map(|name| format!("No information found for '{name}'.")).collect();
        return Err(unknown.join(" ").into());
    }
    if newer.is_empty() {
        return Ok(Return::unchanged(up_to_date(&names)));
    }
    let current: Vec<&String> = names.iter().filter(|name| is_list && !newer.contains_key(*name)).collect();
    if call.preview {
        let mut comments = vec![format!("The following packages would be installed/upgraded: {}", keys(&newer))];
        let version = |name: &&String| format!("{name} ({})", packages.version(name));
        comments.extend(match current.len() {
            0 => None,
            1..=10 => {
                Some(format!("The following packages are already up-to-date: {}", sorted(current.iter().map(version))))
            }
            many => Some(format!("{many} packages are already up-to-date")),
        });
        let changes =
            newer.iter().map(|(name, new)| (name.as_str().into(), old_new(packages.version(name), new.as_str())));
        return Ok(Return::would(changes.collect(), comments.join("\n")));
    }
    let targets: Vec<Target> = newer.keys().map(|name| forward(name)).collect();
    let errors = manager.install(&targets, &options)?;
    let changes = packages.changes(&*manager.packages()?, Stage::Installed);
    if !errors.is_empty() {
        let failed = super::manager::problem("Problem encountered installing package(s)", &errors);
        let comment = format!("An error was encountered while installing package(s): {}", failed.comment);
        return Err(Failed { comment, changes });
    }
    Ok(report(&newer, &current, changes))
}

fn forward(name: &str) -> Target {
    Target { name: name.to_owned(), what: What::Best, how: How::Forward }
}

/// The versions of those packages that are not installed, or not in the newest version.
pub(super) fn newer(
    manager: Manager<'_>,
    names: &[String],
    options: &Options,
) -> Result<BTreeMap<String, String>, Failed> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let offers = manager.offers(&names, options)?;
    let packages = manager.packages()?;
    let order = manager.comparison(None).order;
    let newest = names.into_iter().filter_map(|name| {
        let best = offers.best(name)?;
        let is_there = |version: &&str| order(version, best).is_some_and(std::cmp::Ordering::is_ge);
        let is_new = !packages.versions(name).iter().any(is_there);
        is_new.then(|| (name.to_owned(), best.to_owned()))
    });
    Ok(newest.collect())
}

/// For how long the lists of the repositories are good once they were fetched.
pub(super) fn valid_time(args: Args<'_>) -> Result<Duration, Failed> {
    Ok(args.seconds("cache_valid_time")?.unwrap_or_default())
}

fn up_to_date(names: &[String]) -> String {
    match names {
        [only] => format!("Package {only} is already up-to-date"),
        some if some.len() <= 10 => format!("All packages are up-to-date ({}).", sorted(some.iter().cloned())),
        many => format!("All {} packages are up-to-date.", many.len()),
    }
}

/// Says which packages have got the version that they should, and which have not.
fn report(newer: &BTreeMap<String, String>, current: &[&String], changes: Dict) -> Return {
    let has_got = |(name, version): &(&String, &String)| {
        let new = changes.get(name).and_then(|change| change.get("new")?.as_str());
        new.is_some_and(|new| new.split(',').any(|new| new == version.as_str()))
    };
    let (good, bad): (Vec<_>, Vec<_>) = newer.iter().partition(has_got);
    let names = |some: &[(&String, &String)]| sorted(some.iter().map(|(name, _)| (*name).clone()));
    let mut comments = Vec::new();
    match (changes.entries.is_empty(), bad.len()) {
        (_, 0) => {}
        (false, _) => comments.push(format!("The following packages failed to update: {}", names(&bad))),
        (true, 1) => comments.push(format!("Package {} failed to update.", names(&bad))),
        (true, ..=10) => comments.push(format!("The following targeted packages failed to update: ({}).", names(&bad))),
        (true, many) => comments.push(format!("{many} targeted packages failed to update.")),
    }
    if !good.is_empty() {
        comments.push(format!("The following packages were successfully installed/upgraded: {}", names(&good)));
    }
    match current.len() {
        0 => {}
        1..=10 => {
            let names = sorted(current.iter().map(|&name| name.clone()));
            comments.push(format!("The following packages were already up-to-date: {names}"));
        }
        many => comments.push(format!("{many} packages were already up-to-date ")),
    }
    Return { result: Some(bad.is_empty()), changes, comment: comments.join(" ") }
}

fn keys(newer: &BTreeMap<String, String>) -> String {
    sorted(newer.keys().cloned())
}

fn sorted(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_did_not_get_its_version_is_a_failure() {
        let newer = [("one", "2"), ("two", "2")].map(|(name, version)| (name.to_owned(), version.to_owned())).into();
        let mut changes = Dict::default();
        changes.insert("one", old_new("1", "2"));
        let said = report(&newer, &[&"three".to_owned()], changes);
        assert_eq!(said.result, Some(false));
        assert_eq!(
            said.comment,
            "The following packages failed to update: two The following packages were successfully \
             installed/upgraded: one The following packages were already up-to-date: three"
        );
    }
}
