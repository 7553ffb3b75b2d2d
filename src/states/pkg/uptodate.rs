//! `pkg.uptodate`: everything that is installed is the newest there is.

use super::database::Stage;
use super::manager::{Manager, Options, problem};
use super::{latest, wanted};
use crate::formula::{Data, Dict};
use crate::states::returns::old_new;
use crate::states::{Call, Failed, Return};

pub(super) fn uptodate(call: &Call<'_>) -> Result<Return, Failed> {
    let refresh = match call.args.get("refresh") {
        None => false,
        Some(Data::Bool(refresh)) => *refresh,
        Some(_) => return Err("refresh must be either True or False".into()),
    };
    let manager = Manager::of(call.host)?;
    let options = Options::read(call.args)?;
    if refresh && !call.preview {
        manager.refresh(latest::valid_time(call.args)?)?;
    }
    let only = wanted::packages(call.args)?.map(|some| some.into_iter().map(|it| it.name).collect::<Vec<_>>());
    let dist_upgrade = call.args.flag("dist_upgrade", true);
    let mut upgrades = manager.upgrades(dist_upgrade, &options)?;
    upgrades.retain(|name, _| only.as_ref().is_none_or(|only| only.contains(name)));
    if upgrades.is_empty() {
        return Ok(Return::unchanged("System is already up-to-date"));
    }
    let before = manager.packages()?;
    let expected: Dict = upgrades
        .iter()
        .map(|(name, new)| (name.as_str().into(), old_new(before.version(name), new.as_str())))
        .collect();
    if call.preview {
        return Ok(Return::would(expected, "System update will be performed"));
    }
    let errors = manager.upgrade(only.as_deref(), &options)?;
    let changes = before.changes(&*manager.packages()?, Stage::Installed);
    if !errors.is_empty() {
        return Err(problem("Problem encountered upgrading packages", &errors).after(changes));
    }
    let missing: Vec<&str> =
        upgrades.keys().map(String::as_str).filter(|name| only.is_some() && !changes.has(name)).collect();
    if !missing.is_empty() {
        let comment = format!("The following package(s) failed to update: {}", missing.join(", "));
        return Err(Failed { comment, changes });
    }
    Ok(Return::changed(changes, "Upgrade ran successfully"))
}
