//! `filter_by`, as grains and pillar have it: one entry of a mapping, chosen by a value of this host.

use minijinja::{Error, Value};

use super::super::value::{as_dict, deep_copy, entries, is_list, is_mapping, items, text, update};
use super::arguments::{Arguments, defined, wrong};
use super::traverse::{get, traverse};
use crate::formula::fnmatch;

/// The entry of `lookup_dict` whose key (a pattern) describes the value at `path`, else the `default` entry; on top of
/// the `base` entry, and with `merge` merged into it.
///
/// The entry itself is what is merged into and returned, so a later call with the same mapping sees the change.
pub(super) fn filter_by(data: &Value, path: &Value, arguments: &Arguments) -> Result<Value, Error> {
    let lookup = defined(arguments.get("lookup_dict"))?;
    if !is_mapping(lookup) {
        return Err(wrong("filter_by lookup must be a dictionary"));
    }
    let mut chosen = choose(&entries(lookup), traverse(data, path, ":")?.as_ref())?;
    if chosen.is_none() {
        chosen = get(lookup, defined(arguments.get("default"))?).filter(|value| !value.is_none());
    }
    let base = arguments.get("base");
    if arguments.is_true("base")?
        && let Some(base) = get(lookup, base)
    {
        chosen = on_top_of(&base, chosen)?;
    }
    let merge = arguments.get("merge");
    if merge.is_undefined() || merge.is_true() {
        if !is_mapping(defined(merge)?) {
            return Err(wrong("filter_by merge argument must be a dictionary."));
        }
        match &chosen {
            None => chosen = Some(merge.clone()),
            Some(chosen) => update(chosen, &deep_copy(merge)?, false)?,
        }
    }
    Ok(chosen.unwrap_or(Value::from(())))
}

/// The first entry that is something, for the first of the host's values that has one.
fn choose(lookup: &[(Value, Value)], value: Option<&Value>) -> Result<Option<Value>, Error> {
    let each = match value {
        None => Vec::new(),
        Some(value) if is_list(value) => items(value)?,
        Some(value) => vec![value.clone()],
    };
    for value in each {
        let value = text(&value);
        let described = lookup.iter().find(|(key, _)| fnmatch::is_match(&text(key), &value));
        if let Some((_, chosen)) = described.filter(|(_, chosen)| !chosen.is_none()) {
            return Ok(Some(chosen.clone()));
        }
    }
    Ok(None)
}

fn on_top_of(base: &Value, chosen: Option<Value>) -> Result<Option<Value>, Error> {
    let Some(chosen) = chosen else { return Ok(Some(base.clone()).filter(|base| !base.is_none())) };
    if as_dict(base).is_none() {
        return Ok(Some(chosen));
    }
    if !is_mapping(&chosen) {
        return Err(wrong("filter_by default and look-up values must both be dictionaries."));
    }
    let merged = deep_copy(base)?;
    update(&merged, &chosen, false)?;
    Ok(Some(merged))
}
