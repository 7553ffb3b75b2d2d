//! `docker_volume.present` and `docker_volume.absent`.

use super::engine::{Engine, Thing};
use super::translate::{Kind, translated};
use crate::formula::{Data, Dict};
use crate::states::arguments::text;
use crate::states::returns::dict;
use crate::states::{Call, Failed, Return};

pub(super) fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let (engine, name, driver) = (Engine::of(call)?, call.args.name()?, call.args.text("driver")?);
    let there = engine.inspect(Thing::Volume, &name)?;
    let current = there.as_ref().and_then(|there| there.get("Driver")).and_then(text);
    let mut changes = Dict::default();
    if there.is_some() {
        let (Some(wanted), Some(current)) = (&driver, &current) else {
            return Ok(Return::unchanged(format!("Volume '{name}' already exists.")));
        };
        if wanted == current {
            return Ok(Return::unchanged(format!("Volume '{name}' already exists.")));
        }
        if !call.args.flag("force", false) {
            return Err(format!(
                "Driver for existing volume '{name}' ('{current}') does not match specified driver ('{wanted}') and force \
                 is False"
            )
            .into());
        }
        if call.preview {
            let comment = format!("The volume '{name}' will be replaced with a new one using the driver '{wanted}'");
            return Ok(Return::would(changes, comment));
        }
        let failed = |why| format!("Failed to remove volume '{name}': {why}");
        engine.act("DELETE", &Thing::Volume.path(&name), None).map_err(failed)?;
        changes.insert("removed", true);
    } else if call.preview {
        return Ok(Return::would(changes, format!("The volume '{name}' will be created")));
    }
    let mut body = dict([("Name", name.as_str().into())]);
    body.entries.extend(driver.map(|driver| ("Driver".into(), driver.into())));
    if let Some(options) = call.args.get("driver_opts") {
        let options = translated(Kind::Map, options).map_err(|why| format!("`driver_opts`: {why}"))?;
        body.insert("DriverOpts", options);
    }
    let created = engine
        .act("POST", "/volumes/create", Some(&body.into()))
        .map_err(|why| Failed::from(format!("Failed to create volume '{name}': {why}")).after(changes.clone()))?;
    changes.insert("created", created);
    Ok(Return::changed(changes, format!("Volume '{name}' was created")))
}

pub(super) fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (engine, name) = (Engine::of(call)?, call.args.name()?);
    if engine.inspect(Thing::Volume, &name)?.is_none() {
        return Ok(Return::unchanged(format!("Volume '{name}' already absent")));
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("The volume '{name}' will be removed")));
    }
    let failed = |why| format!("Failed to remove volume '{name}': {why}");
    engine.act("DELETE", &Thing::Volume.path(&name), None).map_err(failed)?;
    Ok(Return::changed(dict([("removed", Data::Bool(true))]), format!("Volume '{name}' was removed")))
}
