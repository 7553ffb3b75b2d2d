//! `rabbitmq_policy.present` and `rabbitmq_policy.absent`.

use super::control::{Broker, field};
use crate::formula::Data;
use crate::states::returns::{dict, old_new};
use crate::states::{Args, Call, Failed, Return};

/// The columns of brokers before 3.7.
const COLUMNS: [&str; 6] = ["vhost", "name", "apply-to", "pattern", "definition", "priority"];

pub(super) fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, vhost, broker) = (call.args.name()?, vhost(&call.args)?, Broker::of(call)?);
    let (pattern, definition) = (call.args.required("pattern")?, definition(&call.args)?);
    let (priority, apply_to) = (call.args.number("priority")?.unwrap_or(0), call.args.text("apply_to")?);
    let there = match policy(&broker, &vhost, &name) {
        // An earlier state would have made the virtual host.
        Err(why) if call.preview && why.contains("does not exist") => None,
        there => there?,
    };
    let mut updates = Vec::new();
    if let Some(there) = &there {
        let is_so = [
            ("Pattern", field(there, "pattern") == pattern),
            ("Definition", json(&field(there, "definition")) == json(&definition)),
            ("Applyto", apply_to.as_ref().is_none_or(|apply_to| field(there, "apply-to") == *apply_to)),
            ("Priority", field(there, "priority").parse() == Ok(priority)),
        ];
        updates = is_so.into_iter().filter(|(_, is_so)| !is_so).map(|(what, _)| Data::from(what)).collect();
        if updates.is_empty() {
            return Ok(Return::unchanged(format!("Policy {vhost} {name} is already present")));
        }
    }
    let (verb, changes) = match &there {
        None => ("created", dict([("old", dict::<&str>([]).into()), ("new", name.as_str().into())])),
        Some(there) => ("updated", dict([("old", known(there)), ("new", updates.into())])),
    };
    if call.preview {
        return Ok(Return::would(changes, format!("Policy {vhost} {name} is set to be {verb}")));
    }
    let priority = priority.to_string();
    let mut command = vec!["set_policy", "-p", &vhost];
    if priority != "0" || there.is_some() {
        command.extend(["--priority", &priority]);
    }
    if let Some(apply_to) = &apply_to {
        command.extend(["--apply-to", apply_to]);
    }
    command.extend([name.as_str(), &pattern, &definition]);
    Ok(Return::changed(changes, broker.ask(&command)?))
}

pub(super) fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, vhost, broker) = (call.args.name()?, vhost(&call.args)?, Broker::of(call)?);
    if policy(&broker, &vhost, &name)?.is_none() {
        return Ok(Return::unchanged(format!("Policy '{vhost} {name}' is not present.")));
    }
    let changes = old_new(name.as_str(), "").as_dict().cloned().unwrap_or_default();
    if call.preview {
        return Ok(Return::would(changes, format!("Policy '{vhost} {name}' will be removed.")));
    }
    broker.ask(&["clear_policy", "-p", &vhost, &name])?;
    Ok(Return::changed(changes, "Deleted"))
}

fn vhost(args: &Args<'_>) -> Result<String, Failed> {
    Ok(args.text("vhost")?.unwrap_or_else(|| "/".into()))
}

/// What the policy says, which an SLS may give as a mapping or as the text of one.
fn definition(args: &Args<'_>) -> Result<String, Failed> {
    match args.get("definition") {
        Some(Data::Dict(definition)) => {
            serde_json::to_string(&Data::Dict(definition.clone())).map_err(|error| error.to_string().into())
        }
        _ => args.required("definition"),
    }
}

fn json(text: &str) -> Option<serde_json::Value> {
    serde_json::from_str(text).ok()
}

fn policy(broker: &Broker<'_>, vhost: &str, name: &str) -> Result<Option<Data>, String> {
    let policies = broker.list(&["list_policies", "-p", vhost], &COLUMNS)?;
    Ok(policies.into_iter().find(|row| field(row, "name") == name))
}

/// A policy in the words of Salt.
fn known(there: &Data) -> Data {
    let names =
        [("pattern", "pattern"), ("apply_to", "apply-to"), ("definition", "definition"), ("priority", "priority")];
    dict(names.map(|(name, column)| (name, field(there, column).into()))).into()
}
