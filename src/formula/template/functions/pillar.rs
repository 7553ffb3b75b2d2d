//! `pillar.*`: the values this host was given.

use minijinja::{Error, Value};

use super::super::Context;
use super::super::value::update;
use super::super::value::{as_dict, deep_copy, dict, entries, extend_unique, is_list, is_mapping, items, list};
use super::arguments::Default::{None, Required, Text};
use super::arguments::{Arguments, Default, Parameter, Signature, defined, takes, wrong};
use super::filter_by::filter_by;
use super::traverse::{get as entry, traverse};
use super::{Function, plain};

const GET: Signature = takes(&[
    ("key", Required),
    ("default", Default::Missing),
    ("merge", Default::Bool(false)),
    ("merge_nested_lists", None),
    ("delimiter", Text(":")),
    ("pillarenv", None),
    ("saltenv", None),
]);
const ITEMS: &[Parameter] = &[("pillar", None), ("pillar_enc", None), ("pillarenv", None), ("saltenv", None)];
const ITEM: &[Parameter] = &[("default", None), ("delimiter", None), ("pillarenv", None), ("saltenv", None)];
const FILTER_BY: &[Parameter] =
    &[("lookup_dict", Required), ("pillar", Required), ("merge", None), ("default", Text("default")), ("base", None)];

pub(super) const FUNCTIONS: &[Function] = &[
    plain("pillar.get", GET, get),
    plain("pillar.fetch", GET, get),
    plain("pillar.items", takes(&[]).and_more().and_named(ITEMS), items_of),
    plain("pillar.data", takes(&[]).and_more().and_named(ITEMS), items_of),
    plain("pillar.item", takes(&[]).and_more().and_named(ITEM), item),
    plain("pillar.ls", takes(&[]).and_more().and_named(ITEMS), names),
    plain("pillar.keys", takes(&[("key", Required), ("delimiter", Text(":"))]), keys),
    plain("pillar.raw", takes(&[("key", None)]), raw),
    plain("pillar.filter_by", takes(FILTER_BY), |context, arguments| {
        filter_by(&context.pillar, arguments.get("pillar"), arguments)
    }),
];

/// The pillar a call sees: the living one, or a compiled anew one if the call names an environment.
fn seen(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let is_living = arguments.get("pillarenv").is_none() && arguments.get("saltenv").is_none();
    if is_living { Ok(context.pillar.clone()) } else { deep_copy(&context.pillar) }
}

fn get(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let said = arguments.is_given("default");
    let default = if said { Some(defined(arguments.get("default"))?) } else { Option::None };
    let pillar = seen(context, arguments)?;
    let key = arguments.get("key");
    let found = traverse(&pillar, key, &delimiter(arguments, "delimiter")?)?;
    if arguments.is_true("merge")?
        && let Some(default) = default
        && let Some(merged) = merged(context, arguments, default, found.as_ref())?
    {
        return Ok(merged);
    }
    match (found, default) {
        (Some(found), _) => Ok(found),
        (_, Some(default)) => Ok(default.clone()),
        _ if is_option(context, "pillar_raise_on_missing") => {
            Err(wrong(format!("'Pillar key not found: {}'", arguments.text("key")?)))
        }
        _ => Ok(Value::from("")),
    }
}

/// The default with the pillar's value merged into a copy of it, if the two are of one kind.
fn merged(
    context: &Context,
    arguments: &Arguments,
    default: &Value,
    found: Option<&Value>,
) -> Result<Option<Value>, Error> {
    if as_dict(default).is_some() {
        let copy = deep_copy(default)?;
        let merge_lists = match arguments.some("merge_nested_lists") {
            Some(said) => said.is_true(),
            Option::None => is_option(context, "pillar_merge_lists"),
        };
        match found {
            Some(found) if is_mapping(found) => update(&copy, found, merge_lists)?,
            Some(_) => return Ok(Option::None),
            Option::None => {}
        }
        return Ok(Some(copy));
    }
    if is_list(default) {
        let mut longer = items(&deep_copy(default)?)?;
        match found {
            Some(found) if is_list(found) => extend_unique(&mut longer, items(found)?),
            Some(_) => return Ok(Option::None),
            Option::None => {}
        }
        return Ok(Some(list(longer)));
    }
    Ok(Option::None)
}

/// Whether an option of the minion is set and true.
fn is_option(context: &Context, name: &str) -> bool {
    entry(&context.opts, &Value::from(name)).is_some_and(|value| value.is_true())
}

/// The delimiter a call asks for, where `None` is a colon.
pub(super) fn delimiter(arguments: &Arguments, name: &str) -> Result<String, Error> {
    if arguments.get(name).is_none() { Ok(":".to_owned()) } else { arguments.text(name) }
}

fn items_of(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    if !arguments.more.is_empty() {
        return found(context, arguments, &Value::from(""), ":");
    }
    let pillar = deep_copy(&context.pillar)?;
    if let Some(given) = arguments.some("pillar").filter(|given| given.is_true()) {
        update(&pillar, given, false)?;
    }
    Ok(pillar)
}

fn names(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    Ok(list(items(&items_of(context, arguments)?)?))
}

fn item(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let nothing = Value::from("");
    found(context, arguments, arguments.some("default").unwrap_or(&nothing), &delimiter(arguments, "delimiter")?)
}

/// What is under each of the paths of a call.
fn found(context: &Context, arguments: &Arguments, default: &Value, delimiter: &str) -> Result<Value, Error> {
    let pillar = seen(context, arguments)?;
    let answer = |path: &Value| Ok((path.clone(), traverse(&pillar, path, delimiter)?.unwrap_or(default.clone())));
    Ok(dict(arguments.more.iter().map(answer).collect::<Result<Vec<_>, Error>>()?))
}

fn keys(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let key = arguments.text("key")?;
    match traverse(&context.pillar, arguments.get("key"), &arguments.text("delimiter")?)? {
        Some(found) if as_dict(&found).is_some() => Ok(list(items(&found)?)),
        Some(_) => Err(wrong(format!("Pillar value in key {key} is not a dict"))),
        Option::None => Err(wrong(format!("'Pillar key not found: {key}'"))),
    }
}

fn raw(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    if arguments.is_true("key")? {
        return Ok(entry(&context.pillar, arguments.get("key")).unwrap_or_else(|| dict([])));
    }
    Ok(dict(entries(&context.pillar)))
}
