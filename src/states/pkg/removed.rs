//! `pkg.removed` and `pkg.purged`: packages are not there, with `purged` also nothing that they have left.

use super::database::{Packages, Stage};
use super::manager::{Kind, Manager, Options, problem};
use super::version::Conditions;
use super::wanted::{self, Wanted};
use crate::formula::{Data, Dict};
use crate::states::returns::{dict, old_new};
use crate::states::{Call, Failed, Return};

pub(super) fn removed(call: &Call<'_>, purge: bool) -> Result<Return, Failed> {
    let (remove, left) = if purge { ("purge", " or partially installed") } else { ("remove", "") };
    let manager = Manager::of(call.host)?;
    let normalize = call.args.flag("normalize", true);
    let mut wanted = wanted::packages_or_name(call.args)?;
    for wanted in wanted.iter_mut().filter(|_| normalize) {
        wanted.name = manager.normalized(&wanted.name).to_owned();
    }
    let before = manager.packages()?;
    let (mut targets, has_versions) = targets(call, manager, &wanted, &before);
    if targets.is_empty() && !purge {
        let versions = if has_versions { " (matching specified versions)" } else { "" };
        return Ok(Return::unchanged(format!("All specified packages{versions} are already absent")));
    }
    if purge {
        targets.extend(wanted.iter().filter(|wanted| before.has_settings_of(&wanted.name)).map(|it| it.name.clone()));
    }
    targets.sort();
    if targets.is_empty() {
        return Ok(Return::unchanged(format!("None of the targeted packages are installed{left}")));
    }
    let names = targets.join(", ");
    if call.preview {
        let those = targets.iter().map(|name| (name.as_str(), old_new(before.version(name), format!("{remove}d"))));
        return Ok(Return::would(dict(those), format!("The following packages will be {remove}d: {names}.")));
    }
    let errors = manager.remove(&exact(manager, &targets, &wanted), purge, &Options::read(call.args)?)?;
    let now = manager.packages()?;
    let changes = changes(&before, &now, purge);
    if !errors.is_empty() {
        return Err(problem("Problem encountered removing package(s)", &errors).after(changes));
    }
    let is_there = |name: &String| {
        let version = wanted.iter().find(|wanted| wanted.name == **name).and_then(|wanted| wanted.version.as_deref());
        match version.filter(|_| manager.kind == Kind::Yum) {
            Some(version) => now.versions(name).contains(&version),
            None => now.has_any_of(name) || (purge && now.has_settings_of(name)),
        }
    };
    let failed: Vec<String> = targets.iter().filter(|name| is_there(name)).cloned().collect();
    if !failed.is_empty() {
        let comment = format!("The following packages failed to {remove}: {}.", failed.join(", "));
        return Err(Failed { comment, changes });
    }
    let mut others: Vec<&str> = wanted.iter().map(|wanted| wanted.name.as_str()).collect();
    others.retain(|name| !targets.iter().any(|target| target == name));
    others.sort_unstable();
    let comment = match others.as_slice() {
        [] => format!("All targeted packages were {remove}d."),
        others => format!(
            "The following packages were not installed: {} The following packages were {remove}d: {names}.",
            others.join(", ")
        ),
    };
    Ok(Return::changed(changes, comment))
}

/// Those that are there, and in a version that is meant; and whether versions were looked at.
fn targets(call: &Call<'_>, manager: Manager<'_>, wanted: &[Wanted], packages: &Packages) -> (Vec<String>, bool) {
    let comparison = manager.comparison(call.args.get("ignore_epoch").map(Data::is_true));
    let mut has_versions = false;
    let mut is_target = |wanted: &&Wanted| {
        let Some(version) = wanted.version.as_deref().filter(|version| !version.is_empty()) else {
            return packages.has_any_of(&wanted.name);
        };
        let there = packages.versions(&wanted.name);
        has_versions |= !there.is_empty();
        let conditions = Conditions::parse(version);
        there.iter().any(|version| conditions.hold(version, comparison, false))
    };
    let targets = wanted.iter().filter(|wanted| is_target(wanted)).map(|wanted| wanted.name.clone()).collect();
    (targets, has_versions)
}

/// What the package manager is told. `rpm` may have several versions of one package.
fn exact(manager: Manager<'_>, targets: &[String], wanted: &[Wanted]) -> Vec<String> {
    let name = |name: &String| {
        let version = wanted.iter().find(|wanted| wanted.name == *name).and_then(|wanted| wanted.version.as_deref());
        match version.filter(|_| manager.kind == Kind::Yum) {
            Some(version) => format!("{name}-{}", version.split_once(':').map_or(version, |(_, rest)| rest)),
            None => name.clone(),
        }
    };
    targets.iter().map(name).collect()
}

fn changes(before: &Packages, now: &Packages, purge: bool) -> Dict {
    let installed = before.changes(now, Stage::Installed);
    if !purge {
        return installed;
    }
    dict([("installed", installed.into()), ("removed", before.changes(now, Stage::Removed).into())])
}
