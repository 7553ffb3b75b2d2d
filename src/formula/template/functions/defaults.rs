//! `defaults.*`: a formula's defaults, and merging them with what a host is given.

use minijinja::{Error, Value};

use super::super::Context;
use super::super::value::{as_dict, deep_copy, dict, from_data, type_name, update};
use super::arguments::Default::{Bool, Required, Text};
use super::arguments::{Arguments, Signature, defined, takes, wrong};
use super::traverse::at;
use super::{Function, files, plain};
use crate::formula::Data;
use crate::formula::yaml::{self, Mappings};

const MERGE: Signature = takes(&[
    ("dest", Required),
    ("src", Required),
    ("merge_lists", Bool(false)),
    ("in_place", Bool(true)),
    ("convert_none", Bool(true)),
]);
const UPDATE: Signature = takes(&[
    ("dest", Required),
    ("defaults", Required),
    ("merge_lists", Bool(true)),
    ("in_place", Bool(true)),
    ("convert_none", Bool(true)),
]);

pub(super) const FUNCTIONS: &[Function] = &[
    plain("defaults.get", takes(&[("key", Required), ("default", Text(""))]), get),
    plain("defaults.merge", MERGE, merge),
    plain("defaults.update", UPDATE, update_all),
    plain("defaults.deepcopy", takes(&[("source", Required)]), |_, arguments| deep_copy(arguments.get("source"))),
];

fn get(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let path = arguments.text("key")?;
    let (formula, key) = path.split_once(':').unwrap_or((&path, ""));
    let Some(defaults) = load(context, formula)? else {
        return Ok(if key.is_empty() { Value::from(()) } else { arguments.get("default").clone() });
    };
    if key.is_empty() {
        return Ok(defaults);
    }
    Ok(at(&defaults, key)?.unwrap_or_else(|| arguments.get("default").clone()))
}

/// The first of a formula's `defaults.yaml` and `defaults.json`.
fn load(context: &Context, formula: &str) -> Result<Option<Value>, Error> {
    for name in ["defaults.yaml", "defaults.json"] {
        let path = format!("{formula}/{name}");
        let Some(text) = files::read_text(context, &path)? else { continue };
        let data = if name.ends_with("yaml") {
            yaml::load(&text, Mappings::Plain)
                .map_err(|error| wrong(format!("{path}:{}: {}", error.line, error.message)))?
        } else {
            let json: Data = serde_json::from_str(&text).map_err(|error| wrong(format!("{path}: {error}")))?;
            json
        };
        return Ok(Some(if data.is_true() { from_data(&data) } else { dict([]) }));
    }
    Ok(None)
}

fn merge(_: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let (dest, src) = (defined(arguments.get("dest"))?, defined(arguments.get("src"))?);
    let (merge_lists, in_place) = (arguments.is_true("merge_lists")?, arguments.is_true("in_place")?);
    let converts_none = arguments.is_true("convert_none")?;
    if dest.is_none() && converts_none && in_place {
        return Err(wrong("Can't perform in-place merge into NoneType"));
    }
    let or_empty = |value: &Value| if value.is_none() && converts_none { dict([]) } else { value.clone() };
    let (dest, src) = (or_empty(dest), or_empty(src));
    let merged = if in_place { dest } else { deep_copy(&dest)? };
    update(&merged, &src, merge_lists)?;
    Ok(merged)
}

/// Puts the defaults under every entry.
fn update_all(_: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let (dest, defaults) = (defined(arguments.get("dest"))?, defined(arguments.get("defaults"))?);
    let (merge_lists, in_place) = (arguments.is_true("merge_lists")?, arguments.is_true("in_place")?);
    let converts_none = arguments.is_true("convert_none")?;
    if dest.is_none() && in_place {
        return Err(wrong("Can't perform in-place update into NoneType"));
    }
    let or_empty = |value: &Value| if value.is_none() && converts_none { dict([]) } else { value.clone() };
    let (dest, defaults) = (or_empty(dest), or_empty(defaults));
    let nodes = if in_place { dest } else { deep_copy(&dest)? };
    let Some(mapping) = as_dict(&nodes) else {
        return Err(wrong(format!("'{}' object has no attribute 'items'", type_name(&nodes))));
    };
    for (name, given) in mapping.entries() {
        let node = deep_copy(&defaults)?;
        update(&node, &or_empty(&given), merge_lists)?;
        mapping.insert(name, node);
    }
    Ok(nodes)
}
