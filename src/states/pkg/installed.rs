//! `pkg.installed`: packages are there, and in the version that was asked for.

use super::database::{Packages, Stage};
use super::manager::{How, Manager, Offers, Options, Target, What, problem};
use super::source::{Fetched, fetch};
use super::version::{Comparison, Conditions};
use super::wanted::{self, Wanted};
use super::{hold, latest};
use crate::formula::{Data, Dict};
use crate::states::returns::{dict, old_new};
use crate::states::{Args, Call, Failed, Return};

/// What there is to do for one state.
struct Plan {
    /// Everything that was asked for, with what `latest` means today.
    desired: Vec<Wanted>,
    /// Those that are missing or have the wrong version.
    targets: Vec<Wanted>,
    /// Those that are there and are to be installed again.
    again: Vec<Wanted>,
    /// Those that wait to be purged and now are to stay.
    unpurged: Vec<String>,
    /// Where the packages come from that come from files, by name.
    files: Vec<(String, Origin)>,
    /// Whether a version was looked at.
    has_versions: bool,
}

/// A package file.
enum Origin {
    /// As the SLS has it.
    Named(String),
    /// On the host.
    Here(Fetched),
}

pub(super) fn installed(call: &Call<'_>) -> Result<Return, Failed> {
    if wanted::is_empty_list(call.args) {
        return Ok(Return::unchanged("No packages to install provided"));
    }
    let manager = Manager::of(call.host)?;
    manager.begins();
    let mut refresh = !call.preview && manager.is_refresh_due(call.args);
    let options = Options::read(call.args)?;
    let mut plan = Plan::make(call, manager, &options, &mut refresh)?;
    if plan.is_done() {
        return nothing_to_do(call, manager, &plan);
    }
    if call.preview {
        return would(call, manager, &plan, &options);
    }
    let before = manager.packages()?;
    let mut changes = Dict::default();
    if !plan.targets.is_empty() || !plan.again.is_empty() {
        let errors = install(call, manager, &mut plan, &options, refresh)?;
        changes = before.changes(&*manager.packages()?, Stage::Installed);
        for again in &plan.again {
            let now = manager.packages()?.version(&again.name);
            changes.insert(again.name.as_str(), old_new(before.version(&again.name), now));
        }
        if !errors.is_empty() {
            return Err(problem("Problem encountered installing package(s)", &errors).after(changes));
        }
    }
    let held = hold::asked(call, manager, &plan.names()).map_err(|failed| failed.after(changes.clone()))?;
    unpurge(manager, &plan.unpurged, &mut changes).map_err(|failed| failed.after(changes.clone()))?;
    report(call, manager, &plan, &held, changes)
}

impl Plan {
    /// Compares what was asked for with what is there. Fetches the lists if `latest` needs them.
    fn make(call: &Call<'_>, manager: Manager<'_>, options: &Options, refresh: &mut bool) -> Result<Self, Failed> {
        let packages = manager.packages()?;
        let mut plan = Self::asked(call.args, manager)?;
        let comparison = manager.comparison(ignore_epoch(call.args));
        plan.unpurged = plan.desired.iter().map(|wanted| wanted.name.clone()).collect();
        plan.unpurged.retain(|name| packages.selection(name) == Some("purge") && !packages.versions(name).is_empty());
        plan.resolve_latest(call, manager, options, refresh)?;
        let reinstall = call.args.flag("reinstall", false);
        let or_newer = call.args.flag("allow_updates", false);
        for wanted in plan.desired.clone() {
            let there = versions(manager, &packages, &wanted.name);
            if there.is_empty() {
                plan.targets.push(wanted);
                continue;
            }
            if reinstall {
                plan.again.push(wanted);
                continue;
            }
            let version = match plan.file_version(manager, &wanted.name)? {
                Some(version) => version,
                None => match wanted.version.as_deref().filter(|version| !version.is_empty()) {
                    Some(version) => version.to_owned(),
                    None => continue,
                },
            };
            plan.has_versions = true;
            let conditions = Conditions::parse(&version);
            if !there.iter().any(|version| conditions.hold(version, comparison, or_newer)) {
                plan.targets.push(wanted);
            }
        }
        Ok(plan)
    }

    /// What an SLS asks for.
    fn asked(args: Args<'_>, manager: Manager<'_>) -> Result<Self, Failed> {
        let empty = Self {
            desired: Vec::new(),
            targets: Vec::new(),
            again: Vec::new(),
            unpurged: Vec::new(),
            files: Vec::new(),
            has_versions: false,
        };
        let Some(sources) = wanted::sources(args)? else {
            return Ok(Self { desired: wanted::packages_or_name(args)?, ..empty });
        };
        if wanted::packages(args)?.is_some() {
            return Err("Only one of \"pkgs\" and \"sources\" is permitted.".into());
        }
        let normalize = args.flag("normalize", true);
        let name = |name: &str| if normalize { manager.normalized(name).to_owned() } else { name.to_owned() };
        let desired = sources.iter().map(|source| Wanted { name: name(&source.name), version: None }).collect();
        let files = sources.iter().map(|source| (name(&source.name), Origin::Named(source.from.clone()))).collect();
        Ok(Self { desired, files, ..empty })
    }

    /// Puts versions in the place of the word `latest`.
    fn resolve_latest(
        &mut self,
        call: &Call<'_>,
        manager: Manager<'_>,
        options: &Options,
        refresh: &mut bool,
    ) -> Result<(), Failed> {
        let is_latest = |wanted: &&Wanted| wanted.version.as_deref() == Some("latest");
        let names: Vec<String> = self.desired.iter().filter(is_latest).map(|wanted| wanted.name.clone()).collect();
        if names.is_empty() {
            return Ok(());
        }
        if std::mem::take(refresh) {
            manager.refresh(latest::valid_time(call.args)?)?;
        }
        let newer = latest::newer(manager, &names, options)?;
        let packages = manager.packages()?;
        for wanted in self.desired.iter_mut().filter(|wanted| wanted.version.as_deref() == Some("latest")) {
            let current = packages.versions(&wanted.name).last().map(|&version| version.to_owned());
            wanted.version = newer.get(&wanted.name).cloned().or(current);
        }
        Ok(())
    }

    /// The version of the file that a package comes from, which is fetched for that.
    fn file_version(&mut self, manager: Manager<'_>, name: &str) -> Result<Option<String>, Failed> {
        match self.here(manager, name)? {
            Some(path) => wanted::file_info(manager, &path).map(|(_, version)| Some(version)),
            None => Ok(None),
        }
    }

    /// The file on the host that a package comes from, if it comes from one.
    fn here(&mut self, manager: Manager<'_>, name: &str) -> Result<Option<String>, Failed> {
        let Some((_, origin)) = self.files.iter_mut().find(|(of, _)| of == name) else { return Ok(None) };
        if let Origin::Named(from) = origin {
            *origin = Origin::Here(fetch(manager.host, from)?);
        }
        Ok(match origin {
            Origin::Here(file) => Some(file.path.to_string()),
            Origin::Named(_) => None,
        })
    }

    fn is_done(&self) -> bool {
        self.targets.is_empty() && self.again.is_empty() && self.unpurged.is_empty()
    }

    fn has_files(&self) -> bool {
        !self.files.is_empty()
    }

    fn names(&self) -> Vec<&str> {
        self.desired.iter().map(|wanted| wanted.name.as_str()).collect()
    }
}

/// The versions that are there of a package, also if it is known by a name without its architecture.
fn versions<'p>(manager: Manager<'_>, packages: &'p Packages, name: &str) -> Vec<&'p str> {
    let versions = packages.versions(name);
    if versions.is_empty() { packages.versions(manager.normalized(name)) } else { versions }
}

fn ignore_epoch(args: Args<'_>) -> Option<bool> {
    args.get("ignore_epoch").map(Data::is_true)
}

/// Everything is as it should be; holds may be to set or to lift.
fn nothing_to_do(call: &Call<'_>, manager: Manager<'_>, plan: &Plan) -> Result<Return, Failed> {
    let versions = if plan.has_versions && !plan.has_files() { " and are at the desired version" } else { "" };
    let comment = format!("All specified packages are already installed{versions}");
    let held = hold::asked(call, manager, &plan.names())?;
    let comment = held.iter().fold(comment, |comment, held| format!("{comment}.\n{}", held.comment));
    let changed = held.iter().filter(|held| held.is_changed);
    let changes: Dict = changed.map(|held| (held.name.as_str().into(), held.change())).collect();
    Ok(if changes.entries.is_empty() {
        Return::unchanged(comment)
    } else if call.preview {
        Return::would(Dict::default(), comment)
    } else {
        Return::changed(changes, comment)
    })
}

/// What would be done, with the versions that the lists on the host promise.
fn would(call: &Call<'_>, manager: Manager<'_>, plan: &Plan, options: &Options) -> Result<Return, Failed> {
    let packages = manager.packages()?;
    let names: Vec<&str> = plan.targets.iter().map(|wanted| wanted.name.as_str()).collect();
    let offers = if plan.has_files() { Ok(Offers::default()) } else { manager.offers(&names, options) };
    let offers = match offers {
        // The lists that are fetched then may have the release that was asked for.
        Err(_) if manager.is_refresh_due(call.args) => Offers::default(),
        offers => offers?,
    };
    let comparison = manager.comparison(ignore_epoch(call.args));
    let mut changes = Dict::default();
    let mut comment = Vec::new();
    if !plan.targets.is_empty() {
        for wanted in &plan.targets {
            let new = promised(wanted, &offers, comparison).unwrap_or_else(|| "installed".to_owned());
            changes.insert(wanted.name.as_str(), old_new(packages.version(&wanted.name), new));
        }
        comment.push(format!("The following packages would be installed/updated: {}", names.join(", ")));
    }
    if !plan.unpurged.is_empty() {
        let names = plan.unpurged.join(", ");
        comment.push(format!(
            "The following packages would have their selection status changed from 'purge' to 'install': {names}"
        ));
        changes.entries.extend(plan.unpurged.iter().map(|name| (name.as_str().into(), old_new("", "installed"))));
    }
    if !plan.again.is_empty() {
        let labels: Vec<String> = plan.again.iter().map(Wanted::label).collect();
        comment.push(format!("The following packages would be reinstalled: {}", labels.join(", ")));
        changes.entries.extend(labels.iter().map(|label| (label.as_str().into(), old_new("", "installed"))));
    }
    Ok(Return::would(changes, comment.join("\n")))
}

/// The version that a package would be installed in.
fn promised(wanted: &Wanted, offers: &Offers, comparison: Comparison) -> Option<String> {
    let Some(version) = wanted.version.as_deref().filter(|version| !version.is_empty()) else {
        return offers.best(&wanted.name).map(str::to_owned);
    };
    let conditions = Conditions::parse(version);
    offers.versions(&wanted.name).iter().find(|version| conditions.hold(version, comparison, false)).cloned()
}

/// Installs what the plan says. Returns what went wrong.
fn install(
    call: &Call<'_>,
    manager: Manager<'_>,
    plan: &mut Plan,
    options: &Options,
    refresh: bool,
) -> Result<Vec<String>, Failed> {
    let what_for = |failed: Failed| {
        let comment = format!("An error was encountered while installing package(s): {}", failed.comment);
        Failed { comment, ..failed }
    };
    if let Some(answers) = call.args.text("debconf")? {
        crate::states::debconf::set_answers(call.host, call.host.content(&answers)?)?;
    }
    let wanted: Vec<Wanted> = plan.targets.iter().chain(&plan.again).cloned().collect();
    let names: Vec<&str> = wanted.iter().map(|wanted| wanted.name.as_str()).collect();
    let has_versions = wanted.iter().any(|wanted| wanted.version.is_some());
    let mut offers = if has_versions { manager.offers(&names, options).map_err(what_for)? } else { Offers::default() };
    // Salt fetches nothing if all that is wanted is what would be installed anyway.
    let is_known = |wanted: &Wanted| wanted.version.as_deref().is_some_and(|it| offers.best(&wanted.name) == Some(it));
    if refresh && !(has_versions && wanted.iter().all(is_known)) {
        manager.refresh(latest::valid_time(call.args)?).map_err(what_for)?;
        if has_versions {
            offers = manager.offers(&names, options).map_err(what_for)?;
        }
    }
    let comparison = manager.comparison(ignore_epoch(call.args));
    let packages = manager.packages()?;
    let (mut targets, mut errors) = (Vec::new(), Vec::new());
    for wanted in &wanted {
        let is_again = plan.again.contains(wanted);
        let what = match plan.here(manager, &wanted.name).map_err(what_for)? {
            Some(path) => Ok(What::File(path)),
            None => what(wanted, &offers, comparison),
        };
        match what {
            Ok(what) => {
                let how = how(&what, packages.version(&wanted.name).as_str(), is_again, comparison);
                targets.push(Target { name: wanted.name.clone(), what, how });
            }
            Err(error) => errors.push(error),
        }
    }
    if !targets.is_empty() {
        errors.extend(manager.install(&targets, options).map_err(what_for)?);
    }
    Ok(errors)
}

/// What is to be installed of a package, with a version in the place of conditions and patterns.
fn what(wanted: &Wanted, offers: &Offers, comparison: Comparison) -> Result<What, String> {
    let Some(version) = wanted.version.as_deref().filter(|version| !version.is_empty()) else {
        return Ok(What::Best);
    };
    let conditions = Conditions::parse(version);
    let available = offers.versions(&wanted.name);
    let found = || available.iter().find(|version| conditions.hold(version, comparison, false)).cloned();
    if conditions.is_exact() {
        let literal = version.trim_start_matches('=');
        // Whatever nobody has heard of is for the package manager to refuse.
        let resolved = if conditions.is_pattern() { found() } else { None };
        return Ok(What::Version(resolved.unwrap_or_else(|| literal.to_owned())));
    }
    found().map(What::Version).ok_or_else(|| {
        let available = if available.is_empty() { "None".to_owned() } else { available.join(", ") };
        format!("No version matching '{}{version}' could be found (available: {available})", wanted.name)
    })
}

fn how(what: &What, current: &str, is_again: bool, comparison: Comparison) -> How {
    let What::Version(version) = what else { return if is_again { How::Again } else { How::Forward } };
    match (comparison.order)(version, current) {
        _ if current.is_empty() => How::Forward,
        Some(order) if order.is_eq() && is_again => How::Again,
        Some(order) if order.is_lt() => How::Back,
        _ => How::Forward,
    }
}

/// Packages that wait to be purged are to stay.
fn unpurge(manager: Manager<'_>, names: &[String], changes: &mut Dict) -> Result<(), Failed> {
    if names.is_empty() {
        return Ok(());
    }
    let packages = manager.packages()?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    manager.select(&names, "install")?;
    let those = names.iter().map(|&name| (name, old_new(packages.version(name), "")));
    changes.insert("purge_desired", dict(those));
    Ok(())
}

/// Looks at what has become of it, and says so.
fn report(
    call: &Call<'_>,
    manager: Manager<'_>,
    plan: &Plan,
    held: &[hold::Held],
    mut changes: Dict,
) -> Result<Return, Failed> {
    let packages = manager.packages()?;
    let comparison = manager.comparison(ignore_epoch(call.args));
    let is_right = |wanted: &&Wanted| {
        if plan.has_files() {
            !plan.targets.contains(wanted) || changes.has(&wanted.name)
        } else {
            is_as_wanted(wanted, &versions(manager, &packages, &wanted.name), comparison)
        }
    };
    let (right, wrong): (Vec<&Wanted>, Vec<&Wanted>) = plan.desired.iter().partition(is_right);
    let is_new = |wanted: &&Wanted| plan.targets.iter().any(|target| target.name == wanted.name);
    let is_again = |wanted: &&Wanted| plan.again.iter().any(|again| again.name == wanted.name);
    let (new, others): (Vec<&Wanted>, Vec<&Wanted>) = right.into_iter().partition(is_new);
    let old: Vec<&Wanted> = others.into_iter().filter(|wanted| !is_again(wanted)).collect();
    let wrong: Vec<&Wanted> = wrong.into_iter().filter(is_new).collect();

    let mut comment = Vec::new();
    let mut is_success = wrong.is_empty();
    if !wrong.is_empty() {
        comment.push(format!("The following packages failed to install/update: {}", labels(&wrong)));
    }
    if !new.is_empty() {
        let labels = labels(&new);
        comment.push(match labels.len() {
            ..20 => format!("The following packages were installed/updated: {labels}"),
            _ => format!("{} installed/updated.", counted(new.len())),
        });
    }
    for held in held.iter().filter(|held| held.is_changed) {
        comment.push(held.comment.clone());
        hold_in_changes(held, &mut changes);
    }
    if !old.is_empty() {
        comment.push(match old.len() {
            ..=20 => format!("The following packages were already installed: {}", labels(&old)),
            many => format!("{} already installed", counted(many)),
        });
    }
    comment.extend(held.iter().filter(|held| !held.is_changed).map(|held| held.comment.clone()));
    for again in &plan.again {
        let label = if plan.has_files() { again.name.clone() } else { again.label() };
        if changes.has(&again.name) && !packages.versions(&again.name).is_empty() {
            comment.push(format!("Package {label} was reinstalled."));
        } else {
            comment.push(format!("Reinstall was not successful for package {label}."));
            is_success = false;
        }
    }
    let comment = comment.join("\n");
    if is_success { Ok(Return::changed(changes, comment)) } else { Err(Failed { comment, changes }) }
}

/// Whether a package is there as it was asked for.
fn is_as_wanted(wanted: &Wanted, there: &[&str], comparison: Comparison) -> bool {
    let version = wanted.version.as_deref().filter(|version| !version.is_empty());
    match (there, version) {
        ([], _) => false,
        (_, None | Some("latest")) => true,
        ([first, ..], Some(version)) => {
            let begins = version.strip_suffix('*').is_some_and(|prefix| first.starts_with(prefix));
            let conditions = Conditions::parse(version);
            begins || there.iter().any(|version| conditions.hold(version, comparison, false))
        }
    }
}

fn labels(all: &[&Wanted]) -> String {
    all.iter().map(|wanted| wanted.label()).collect::<Vec<_>>().join(", ")
}

fn counted(count: usize) -> String {
    if count > 1 { format!("{count} targeted packages were") } else { format!("{count} targeted package was") }
}

/// Adds a hold to what else has changed of a package.
fn hold_in_changes(held: &hold::Held, changes: &mut Dict) {
    let Some(change) = changes.get_mut(&held.name) else {
        changes.insert(held.name.as_str(), dict([("new", Data::from(held.new.as_str()))]));
        return;
    };
    let text = |key: &str| change.get(key).and_then(Data::as_str).unwrap_or_default().to_owned();
    let add = |text: String, more: &str| if text.is_empty() { more.to_owned() } else { format!("{text}\n{more}") };
    *change = old_new(add(text("old"), &held.old), add(text("new"), &held.new));
}
