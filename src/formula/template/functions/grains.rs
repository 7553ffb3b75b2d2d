//! `grains.*`: what this host is.

use minijinja::{Error, Value};

use super::super::Context;
use super::super::value::{dict, entries, from_data, items, list, text, to_data};
use super::arguments::Default::{Bool, None, Required, Text};
use super::arguments::{Arguments, Signature, defined, takes};
use super::filter_by::filter_by;
use super::traverse::traverse;
use super::{Function, plain};
use crate::formula::Data;

const GET: Signature =
    takes(&[("key", Required), ("default", Text("")), ("delimiter", Text(":")), ("ordered", Bool(true))]);
const FILTER_BY: Signature = takes(&[
    ("lookup_dict", Required),
    ("grain", Text("os_family")),
    ("merge", None),
    ("default", Text("default")),
    ("base", None),
]);

pub(super) const FUNCTIONS: &[Function] = &[
    plain("grains.get", GET, get),
    plain("grains.fetch", GET, get),
    plain("grains.has_value", takes(&[("key", Required)]), |context, arguments| {
        Ok(Value::from(traverse(&context.grains, arguments.get("key"), ":")?.is_some()))
    }),
    plain("grains.items", takes(&[("sanitize", Bool(false))]), |context, arguments| {
        let all = dict(entries(&context.grains));
        sanitized(all, arguments.get("sanitize"))
    }),
    plain("grains.item", takes(&[]).and_more().and_more_named(), item),
    plain("grains.ls", takes(&[]), |context, _| {
        let mut names = items(&context.grains)?;
        names.sort_by_key(text);
        Ok(list(names))
    }),
    plain("grains.equals", takes(&[("key", Required), ("value", Required)]), |context, arguments| {
        let found = traverse(&context.grains, arguments.get("key"), ":")?.unwrap_or(Value::from(""));
        Ok(Value::from(arguments.text("value")? == text(&found)))
    }),
    plain("grains.filter_by", FILTER_BY, |context, arguments| {
        filter_by(&context.grains, arguments.get("grain"), arguments)
    }),
];

fn get(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let ordered = arguments.get("ordered");
    let grains = if ordered.kind() == minijinja::value::ValueKind::Bool && ordered.is_true() {
        context.grains.clone()
    } else {
        as_json(&context.grains)?
    };
    let found = traverse(&grains, arguments.get("key"), &arguments.text("delimiter")?)?;
    Ok(found.unwrap_or_else(|| arguments.get("default").clone()))
}

/// A copy as JSON has it: plain mappings with keys of text.
fn as_json(value: &Value) -> Result<Value, Error> {
    let wrong = |error: serde_json::Error| super::arguments::wrong(error.to_string());
    let text = serde_json::to_string(&to_data(value)?).map_err(wrong)?;
    let copy: Data = serde_json::from_str(&text).map_err(wrong)?;
    Ok(from_data(&copy))
}

fn item(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let default = arguments.other("default").cloned().unwrap_or(Value::from(""));
    let delimiter = arguments.other("delimiter").map_or_else(|| Ok(":".to_owned()), |said| defined(said).map(text))?;
    let answer = |path: &Value| {
        let found = traverse(&context.grains, path, &delimiter)?;
        Ok((path.clone(), found.unwrap_or_else(|| default.clone())))
    };
    let found = dict(arguments.more.iter().map(answer).collect::<Result<Vec<_>, Error>>()?);
    sanitized(found, arguments.other("sanitize").unwrap_or(&Value::from(false)))
}

/// The grains with what names the host blanked out, if a call asks for it.
fn sanitized(grains: Value, asked: &Value) -> Result<Value, Error> {
    if !is_true(defined(asked)?) {
        return Ok(grains);
    }
    let blank = |(key, value): (Value, Value)| {
        let blanked = match key.as_str() {
            Some("serialnumber") => {
                let serial: Vec<char> = text(&value).chars().collect();
                let shown = serial.len() * 3 / 4;
                let hidden = "X".repeat(serial.len() - shown);
                Value::from(serial.iter().take(shown).collect::<String>() + &hidden)
            }
            Some("domain") => Value::from("DOMAINNAME"),
            Some("fqdn" | "id") => Value::from("MINION.DOMAINNAME"),
            Some("host" | "localhost" | "nodename") => Value::from("MINION"),
            _ => value,
        };
        (key, blanked)
    };
    Ok(dict(entries(&grains).into_iter().map(blank)))
}

/// Salt's own idea of truth: numbers above zero, the word `true`, and whatever is true otherwise.
fn is_true(value: &Value) -> bool {
    match value.as_str() {
        Some(text) => match text.trim().parse::<f64>() {
            Ok(number) => number > 0.0,
            Err(_) => text.eq_ignore_ascii_case("true"),
        },
        _ => f64::try_from(value.clone()).map_or_else(|_| value.is_true(), |number| number > 0.0),
    }
}
