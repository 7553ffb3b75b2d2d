//! Salt's filters that ask the host: each asks one of the functions that are answered or recorded for templates, too.

use std::sync::Arc;

use minijinja::value::{Kwargs, Rest, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use super::arguments::{Args, is_true};
use super::values;
use crate::formula::template::{Context, functions};

/// What a filter asks, and makes of the answer.
type Ask = fn(&Context, &mut State<'_, '_>, &Args) -> Result<Value, Error>;

const FILTERS: &[(&str, &str, Ask)] = &[
    ("file_hashsum", "path form? chunk_size?", |context, state, args| {
        let form = args.get("form").cloned().unwrap_or_else(|| Value::from("sha256"));
        functions::call(context, state, "file.get_hash", &[args.defined()?, form])
    }),
    ("get_uid", "user", |context, state, args| {
        let account = functions::call(context, state, "user.info", &[args.defined()?])?;
        Ok(account.get_attr("uid").ok().filter(|uid| !uid.is_undefined()).unwrap_or(Value::from(())))
    }),
    ("is_empty", "filename", is_empty),
    ("which", "exe", |context, state, args| match args.defined()? {
        name if is_true(&name) => functions::call(context, state, "cmd.which", &[name]),
        _ => Ok(Value::from(())),
    }),
];

/// Filters that no function answers.
const REFUSED: &[&str] = &["dns_check", "http_query", "is_bin_file", "is_text_file", "list_files"];

/// Whether a file is there and has no content.
fn is_empty(context: &Context, state: &mut State<'_, '_>, args: &Args) -> Result<Value, Error> {
    let path = args.defined()?;
    if !functions::call(context, state, "file.file_exists", std::slice::from_ref(&path))?.is_true() {
        return Ok(Value::from(false));
    }
    let named = Kwargs::from_iter([("follow_symlinks", Value::from(true))]);
    let stats = functions::call(context, state, "file.stats", &[path, named.into()])?;
    Ok(Value::from(stats.get_attr("size")?.as_i64() == Some(0)))
}

/// Adds every filter as one that there is, without a host that could answer.
pub(super) fn add_names(env: &mut Environment<'_>) {
    for name in FILTERS.iter().map(|(name, ..)| name).chain(REFUSED).copied() {
        env.add_filter(name, move |_: Rest<ValueOrKwargs>| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::UnknownFunction, format!("upshift does not have the filter `{name}`")))
        });
    }
}

/// Adds the filters that a host answers.
pub(in crate::formula::template) fn add(env: &mut Environment<'_>, context: &Arc<Context>) {
    for (name, parameters, ask) in FILTERS.iter().copied() {
        let context = Arc::clone(context);
        env.add_filter(name, move |state: &mut State<'_, '_>, args: Rest<ValueOrKwargs>| {
            ask(&context, state, &Args::bind(name, parameters, &values(args))?)
        });
    }
}
