//! `docker_network.present` and `docker_network.absent`.
//!
//! A network that is there and is otherwise than an SLS says is an error: unlike Salt, upshift does not take it from under
//! the containers in it.

use super::engine::{Engine, Thing};
use super::translate::{Kind, translated};
use crate::formula::{Data, Dict};
use crate::states::arguments::{shown, text};
use crate::states::returns::dict;
use crate::states::{Args, Call, Failed, Return};

pub(super) const ARGUMENTS: &[&str] = &[
    "attachable",
    "driver",
    "driver_opts",
    "enable_ipv6",
    "gateway",
    "internal",
    "ip_range",
    "labels",
    "options",
    "subnet",
];

/// Settings by their names in an SLS and in the daemon's words.
const SETTINGS: [(&str, &str, Kind); 7] = [
    ("attachable", "Attachable", Kind::Flag),
    ("driver", "Driver", Kind::Text),
    ("driver_opts", "Options", Kind::Map),
    ("options", "Options", Kind::Map),
    ("enable_ipv6", "EnableIPv6", Kind::Flag),
    ("internal", "Internal", Kind::Flag),
    ("labels", "Labels", Kind::Map),
];

/// The settings of its only address pool.
const POOL: [(&str, &str); 3] = [("subnet", "Subnet"), ("gateway", "Gateway"), ("ip_range", "IPRange")];

pub(super) fn check(args: &Args<'_>) -> Result<(), String> {
    settings(args).map(drop)
}

/// What is wanted of a network, in the daemon's words.
fn settings(args: &Args<'_>) -> Result<Dict, String> {
    let mut wanted = Dict::default();
    for (name, field, kind) in SETTINGS {
        if let Some(given) = args.get(name) {
            wanted.insert(field, translated(kind, given).map_err(|why| format!("`{name}`: {why}"))?);
        }
    }
    let mut pool = Dict::default();
    for (name, field) in POOL {
        if let Some(given) = args.text(name).map_err(|failed| failed.comment)? {
            pool.insert(field, given);
        }
    }
    if !pool.entries.is_empty() {
        if !pool.has("Subnet") {
            return Err("`gateway` and `ip_range` need a `subnet`".to_owned());
        }
        wanted.insert("IPAM", dict([("Driver", "default".into()), ("Config", vec![pool.into()].into())]));
    }
    Ok(wanted)
}

/// The settings that a network has otherwise.
fn differing(wanted: &Dict, there: &Data) -> Vec<String> {
    let is_within = |wanted: &Data, there: Option<&Data>| match wanted.as_dict() {
        None => there == Some(wanted) || !(wanted.is_true() || there.is_some_and(Data::is_true)),
        Some(entries) => entries.entries.iter().all(|(key, value)| {
            let there = there.and_then(Data::as_dict).and_then(|there| there.entries.get(key));
            there == Some(value)
        }),
    };
    let mut differing = Vec::new();
    for (field, wanted) in &wanted.entries {
        let field = field.as_str().unwrap_or_default();
        let pool = |data: &Data| data.get("Config").and_then(Data::as_list).and_then(|pools| pools.first().cloned());
        let is_so = match field {
            "IPAM" => pool(wanted).is_none_or(|wanted| is_within(&wanted, there.get(field).and_then(pool).as_ref())),
            _ => is_within(wanted, there.get(field)),
        };
        if !is_so {
            differing.push(format!("{field} is {}", there.get(field).map(shown).unwrap_or_default()));
        }
    }
    differing
}

pub(super) fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let (engine, name, wanted) = (Engine::of(call)?, call.args.name()?, settings(&call.args)?);
    if let Some(there) = engine.inspect(Thing::Network, &name)? {
        let differing = differing(&wanted, &there);
        if differing.is_empty() {
            return Ok(Return::unchanged(format!("Network '{name}' already exists, and is configured as specified")));
        }
        let differing = differing.join(", ");
        return Err(format!(
            "Network '{name}' already exists, but is configured otherwise ({differing}); `docker_network.absent` removes it"
        )
        .into());
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("Network '{name}' will be created")));
    }
    let mut body = wanted;
    body.insert("Name", name.as_str());
    body.insert("CheckDuplicate", true);
    let failed = |why| format!("Failed to create network '{name}': {why}");
    engine.act("POST", "/networks/create", Some(&body.into())).map_err(failed)?;
    Ok(Return::changed(dict([("created", true.into())]), format!("Network '{name}' created")))
}

pub(super) fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (engine, name) = (Engine::of(call)?, call.args.name()?);
    let Some(there) = engine.inspect(Thing::Network, &name)? else {
        return Ok(Return::unchanged(format!("Network '{name}' already absent")));
    };
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("Network '{name}' will be removed")));
    }
    let mut changes = Dict::default();
    let mut left: Vec<Data> = Vec::new();
    for (id, container) in there.get("Containers").and_then(Data::as_dict).into_iter().flat_map(|all| &all.entries) {
        let id = text(id).unwrap_or_default();
        let container = container.get("Name").and_then(text).unwrap_or_else(|| id.clone());
        let body = dict([("Container", id.into()), ("Force", true.into())]);
        engine.act("POST", &format!("{}/disconnect", Thing::Network.path(&name)), Some(&body.into())).map_err(
            |why| Failed::from(format!("Failed to disconnect container '{container}' : {why}")).after(changes.clone()),
        )?;
        left.push(container.into());
        changes.insert("disconnected", left.clone());
    }
    engine
        .act("DELETE", &Thing::Network.path(&name), None)
        .map_err(|why| Failed::from(format!("Failed to remove network: {why}")).after(changes.clone()))?;
    changes.insert("removed", true);
    Ok(Return::changed(changes, format!("Removed network '{name}'")))
}
