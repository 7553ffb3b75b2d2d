//! `match.*`: whether this host is one that a pattern describes.

use minijinja::{Error, Value};

use super::super::Context;
use super::super::value::{as_dict, deep_copy, entries, is_mapping, items, list, text, to_data, update};
use super::arguments::Default::{Bool, None, Required, Text};
use super::arguments::{Arguments, Parameter, Signature, defined, takes, wrong};
use super::traverse::get as entry;
use super::{Function, plain};
use crate::formula::matcher::{Host, Matcher};

const BY_NAME: Signature = takes(&[("tgt", Required), ("minion_id", None)]);
const BY_DATA: Signature = takes(&[("tgt", Required), ("delimiter", Text(":"))]);
const FILTER_BY: Signature = takes(&[
    ("lookup", Required),
    ("tgt_type", Text("compound")),
    ("minion_id", None),
    ("merge", None),
    ("merge_lists", Bool(false)),
    ("default", Text("default")),
]);
const IF_ELSE: &[Parameter] =
    &[("tgt_type", Text("compound")), ("minion_id", None), ("merge", None), ("merge_lists", Bool(false))];

pub(super) const FUNCTIONS: &[Function] = &[
    plain("match.compound", BY_NAME, |context, arguments| by_name(context, "compound", arguments)),
    plain("match.glob", BY_NAME, |context, arguments| by_name(context, "glob", arguments)),
    plain("match.list", BY_NAME, |context, arguments| by_name(context, "list", arguments)),
    plain("match.pcre", BY_NAME, |context, arguments| by_name(context, "pcre", arguments)),
    plain("match.ipcidr", takes(&[("tgt", Required)]), |context, arguments| {
        Ok(Value::from(is_match(context, "ipcidr", &text(arguments.get("tgt")), ":", Option::None)))
    }),
    plain("match.grain", BY_DATA, |context, arguments| by_data(context, "grain", arguments)),
    plain("match.grain_pcre", BY_DATA, |context, arguments| by_data(context, "grain_pcre", arguments)),
    plain("match.pillar", BY_DATA, |context, arguments| by_data(context, "pillar", arguments)),
    plain("match.pillar_pcre", BY_DATA, |context, arguments| by_data(context, "pillar_pcre", arguments)),
    plain("match.filter_by", FILTER_BY, |context, arguments| {
        let lookup = defined(arguments.get("lookup"))?;
        if !is_mapping(lookup) {
            return Err(wrong("filter_by lookup must be a dictionary"));
        }
        filter_by(context, arguments, &entries(lookup), arguments.get("default"))
    }),
    plain(
        "match.search_by",
        takes(&[("lookup", Required), ("tgt_type", Text("compound")), ("minion_id", None)]),
        search_by,
    ),
    plain("match.ifelse", takes(&[]).and_more().and_named(IF_ELSE), if_else),
];

fn by_name(context: &Context, kind: &str, arguments: &Arguments) -> Result<Value, Error> {
    let id = arguments.some("minion_id").map(text);
    Ok(Value::from(is_match(context, kind, &arguments.text("tgt")?, ":", id.as_deref())))
}

fn by_data(context: &Context, kind: &str, arguments: &Arguments) -> Result<Value, Error> {
    Ok(Value::from(is_match(context, kind, &arguments.text("tgt")?, &arguments.text("delimiter")?, Option::None)))
}

/// The first entry whose key describes the host, with `merge` merged into it.
fn filter_by(
    context: &Context,
    arguments: &Arguments,
    lookup: &[(Value, Value)],
    default: &Value,
) -> Result<Value, Error> {
    for (key, chosen) in lookup {
        if !is_target(context, arguments, key)? {
            continue;
        }
        if arguments.is_true("merge")? {
            let merge = arguments.get("merge");
            if !is_mapping(merge) {
                return Err(wrong("filter_by merge argument must be a dictionary."));
            }
            if chosen.is_none() {
                return Ok(merge.clone());
            }
            update(chosen, &deep_copy(merge)?, arguments.is_true("merge_lists")?)?;
        }
        return Ok(chosen.clone());
    }
    let found = lookup.iter().find(|(key, _)| key == default);
    Ok(found.map_or(Value::from(()), |(_, chosen)| chosen.clone()))
}

fn is_target(context: &Context, arguments: &Arguments, target: &Value) -> Result<bool, Error> {
    let id = arguments.some("minion_id").filter(|id| id.is_true()).map(text);
    Ok(is_match(context, &arguments.text("tgt_type")?, &text(target), ":", id.as_deref()))
}

fn search_by(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let lookup = defined(arguments.get("lookup"))?;
    let Some(lookup) = as_dict(lookup) else { return Err(wrong("search_by lookup must be a dictionary")) };
    let mut found = Vec::new();
    for (key, targets) in lookup.entries() {
        for target in items(&targets)? {
            if is_target(context, arguments, &target)? {
                found.push(key.clone());
            }
        }
    }
    Ok(if found.is_empty() { Value::from(()) } else { list(found) })
}

/// Targets and values in turn, and what to take if no target describes the host.
fn if_else(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let Some((otherwise, pairs)) = arguments.more.split_last().filter(|(_, pairs)| pairs.len() % 2 == 0) else {
        return Err(wrong("The ifelse function must have an odd number of arguments!"));
    };
    // A later value replaces an earlier one of the same target, in its place.
    let mut lookup: Vec<(Value, Value)> = Vec::new();
    for pair in pairs.chunks_exact(2) {
        let [target, value] = pair else { continue };
        let target = match target.kind() {
            minijinja::value::ValueKind::Bool if target.is_true() => Value::from("*"),
            minijinja::value::ValueKind::Bool => Value::from("SALT_IFELSE_MATCH_NOTHING"),
            _ => target.clone(),
        };
        match lookup.iter_mut().find(|(known, _)| *known == target) {
            Some((_, old)) => *old = value.clone(),
            Option::None => lookup.push((target, value.clone())),
        }
    }
    let key = Value::from("SALT_IFELSE_FUNCTION_DEFAULT");
    if pairs.is_empty() {
        return Ok(otherwise.clone());
    }
    lookup.push((key.clone(), otherwise.clone()));
    filter_by(context, arguments, &lookup, &key)
}

/// Whether a target describes the host. What cannot be a target matches nothing, as in Salt.
fn is_match(context: &Context, kind: &str, target: &str, delimiter: &str, id: Option<&str>) -> bool {
    let own = entry(&context.grains, &Value::from("id")).or_else(|| entry(&context.opts, &Value::from("id")));
    let own = own.map(|id| text(&id)).unwrap_or_default();
    let Ok(matcher) = Matcher::named(kind) else { return false };
    // A pillar with functions in it cannot be matched, and neither can one be written.
    let data = |value: &Value| to_data(value).unwrap_or_default();
    let nodegroups = entry(&context.opts, &Value::from("nodegroups")).map(|groups| data(&groups)).unwrap_or_default();
    let (grains, pillar) = (data(&context.grains), data(&context.pillar));
    let id = id.unwrap_or(&own);
    matcher.is_text_match(target, delimiter, &Host { id, grains: &grains, pillar: &pillar, nodegroups: &nodegroups })
}
