//! Filters that apply other filters and tests to every item.

use minijinja::value::Kwargs;
use minijinja::{Error, ErrorKind, State, Value};

use super::arguments::{Args, RunIn, defined, is_true, wrong};
use super::attribute::{Path, name};
use super::generator::generator;
use crate::formula::template::value::{items, type_name};

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, RunIn)] = &[
    ("map", "value * **", map),
    ("method_call", "obj f_name * **", method_call),
    ("reject", "value * **", |state, args| choose(state, args, false, false)),
    ("rejectattr", "value * **", |state, args| choose(state, args, false, true)),
    ("select", "value * **", |state, args| choose(state, args, true, false)),
    ("selectattr", "value * **", |state, args| choose(state, args, true, true)),
];

/// The items of what is mapped or selected from: none of `None` and other things that are false.
fn operands(args: &Args) -> Result<Vec<Value>, Error> {
    let value = args.defined()?;
    if is_true(&value) { items(&value) } else { Ok(Vec::new()) }
}

/// An item and the further arguments of the filter or test that it goes to.
fn call_args(item: Value, rest: &[Value], named: &[(String, Value)]) -> Vec<Value> {
    let mut call = vec![item];
    call.extend_from_slice(rest);
    if !named.is_empty() {
        call.push(named.iter().cloned().collect::<Kwargs>().into());
    }
    call
}

fn map(state: &mut State<'_, '_>, args: &Args) -> Result<Value, Error> {
    let mut mapped = Vec::new();
    let operands = operands(args)?;
    if args.rest.is_empty() && args.named.iter().any(|(name, _)| name == "attribute") {
        let find = |wanted: &str| args.named.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        if let Some((name, _)) = args.named.iter().find(|(name, _)| name != "attribute" && name != "default") {
            return Err(wrong(format!("Unexpected keyword argument '{name}'")));
        }
        let path = Path::of(find("attribute"))?;
        let default = find("default").filter(|default| !default.is_none());
        for item in operands {
            mapped.push(path.find(&item, default)?);
        }
        return Ok(generator("generator object sync_do_map", mapped));
    }
    if operands.is_empty() {
        return Ok(generator("generator object sync_do_map", mapped));
    }
    let (filter, rest) = args.rest.split_first().ok_or_else(|| wrong("map requires a filter argument"))?;
    let filter = name(filter);
    for item in operands {
        let value = state.apply_filter(&filter, &call_args(item, rest, &args.named));
        mapped.push(value.map_err(|error| named_error(error, ErrorKind::UnknownFilter, "filter", &filter))?);
    }
    Ok(generator("generator object sync_do_map", mapped))
}

/// Says which filter or test it is that there is none of.
fn named_error(error: Error, unknown: ErrorKind, what: &str, name: &str) -> Error {
    if error.kind() == unknown && error.detail().is_none() {
        Error::new(unknown, format!("No {what} named '{name}'."))
    } else {
        error
    }
}

fn choose(state: &mut State<'_, '_>, args: &Args, keep: bool, by_attribute: bool) -> Result<Value, Error> {
    let operands = operands(args)?;
    let mut rest = args.rest.as_slice();
    let mut chosen = Vec::new();
    let path = match rest.split_first() {
        Some((attribute, after)) if by_attribute => {
            rest = after;
            Path::of(Some(attribute))?
        }
        None if by_attribute && !operands.is_empty() => return Err(wrong("Missing parameter for attribute name")),
        _ => Path::of(None)?,
    };
    for item in operands {
        let looked_at = path.find(&item, None)?;
        let is_so = match rest.split_first() {
            Some((test, rest)) => {
                let test = name(test);
                let answer = state.perform_test(&test, &call_args(looked_at, rest, &args.named));
                answer.map_err(|error| named_error(error, ErrorKind::UnknownTest, "test", &test))?
            }
            None => is_true(&defined(looked_at)?),
        };
        if is_so == keep {
            chosen.push(item);
        }
    }
    Ok(generator("generator object select_or_reject", chosen))
}

fn method_call(state: &mut State<'_, '_>, args: &Args) -> Result<Value, Error> {
    let object = args.defined()?;
    let method = args.str("f_name")?.unwrap_or_default();
    let call = call_args(Value::from(()), &args.rest, &args.named);
    let call = call.get(1..).unwrap_or_default();
    match object.call_method(state, method, call) {
        // Salt calls what does nothing when there is no such method.
        Err(error) if error.kind() == ErrorKind::UnknownMethod => Ok(Value::from(())),
        Err(error) if error.kind() == ErrorKind::TooManyArguments => {
            Err(wrong(format!("{}.{method}() takes fewer arguments", type_name(&object))))
        }
        other => other,
    }
}
