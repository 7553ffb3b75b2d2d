//! `cp.*` and the questions of `slsutil` about the formula files.

use std::collections::BTreeSet;

use minijinja::{Error, Value};
use sha2::Digest as _;

use super::super::Context;
use super::super::value::{dict, list, text};
use super::arguments::Default::{Bool, None, Required, Text};
use super::arguments::{Arguments, Parameter, Signature, takes, wrong};
use super::paths::{dirname, joined, normal};
use super::traverse::get as entry;
use super::{Function, plain, recordable};

const PATH: Signature = takes(&[("path", Required), ("saltenv", None)]);
const IN_BASE: Signature = takes(&[("path", Required), ("saltenv", Text("base"))]);
const LIST: Signature = takes(&[("saltenv", None), ("prefix", Text(""))]);
const CACHE_FILE: Signature = takes(&[
    ("path", Required),
    ("saltenv", None),
    ("source_hash", None),
    ("verify_ssl", Bool(true)),
    ("use_etag", Bool(false)),
]);
const GET_URL: &[Parameter] =
    &[("path", Required), ("dest", Text("")), ("saltenv", None), ("makedirs", Bool(false)), ("source_hash", None)];
const FIND_UP: &[Parameter] = &[("startpath", Required), ("filenames", Required), ("saltenv", Text("base"))];

pub(super) const FUNCTIONS: &[Function] = &[
    recordable("cp.list_states", takes(&[("saltenv", None)]), |context, _| {
        let states: BTreeSet<String> = paths(context)?.iter().filter_map(|path| state(path)).collect();
        Ok(texts(states))
    }),
    recordable("cp.list_master", LIST, |context, arguments| {
        let prefix = arguments.text("prefix")?;
        Ok(texts(paths(context)?.into_iter().filter(|path| path.starts_with(&prefix))))
    }),
    recordable("cp.list_master_dirs", LIST, |context, arguments| {
        let prefix = arguments.text("prefix")?;
        Ok(texts(directories(context)?.into_iter().filter(|path| path.starts_with(&prefix))))
    }),
    recordable("cp.envs", takes(&[]), |_, _| Ok(texts(["base".to_owned()]))),
    recordable("cp.get_file_str", PATH, |context, arguments| {
        let found = read_text(context, &within(&arguments.text("path")?)?)?;
        Ok(found.map_or(Value::from(false), Value::from))
    }),
    recordable("cp.get_url", takes(GET_URL), get_url),
    recordable("cp.cache_file", CACHE_FILE, |context, arguments| {
        let path = cached(context, arguments)?;
        Ok(if path.is_true() { path } else { Value::from(false) })
    }),
    recordable("cp.is_cached", PATH, cached),
    recordable("cp.cache_dest", takes(&[("url", Required), ("saltenv", None)]), |context, arguments| {
        Ok(Value::from(cache_path(context, &within(&arguments.text("url")?)?)))
    }),
    recordable("cp.hash_file", PATH, hash_file),
    plain("slsutil.file_exists", IN_BASE, |context, arguments| {
        Ok(Value::from(paths(context)?.contains(&arguments.text("path")?)))
    }),
    plain("slsutil.dir_exists", IN_BASE, |context, arguments| {
        Ok(Value::from(directories(context)?.contains(&arguments.text("path")?)))
    }),
    plain("slsutil.path_exists", IN_BASE, |context, arguments| {
        Ok(Value::from(is_there(context, &arguments.text("path")?)?))
    }),
    plain("slsutil.findup", takes(FIND_UP), find_up),
];

/// The content of a formula file, from the first root that has it.
pub(super) fn read(context: &Context, path: &str) -> Result<Option<Vec<u8>>, Error> {
    for root in &context.roots.0 {
        if let Some(content) = root.read(path).map_err(|error| wrong(format!("{}: {path}: {error}", root.name())))? {
            return Ok(Some(content));
        }
    }
    Ok(Option::None)
}

/// The text of a formula file.
pub(super) fn read_text(context: &Context, path: &str) -> Result<Option<String>, Error> {
    let Some(content) = read(context, path)? else { return Ok(Option::None) };
    String::from_utf8(content).map(Some).map_err(|_| wrong(format!("{path}: is not UTF-8")))
}

/// The Python file that has a function, if a formula brings one.
pub(super) fn custom_module(context: &Context, function: &str) -> Option<String> {
    let (module, _) = function.split_once('.')?;
    let path = format!("_modules/{module}.py");
    read(context, &path).ok().flatten().map(|_| path)
}

fn paths(context: &Context) -> Result<BTreeSet<String>, Error> {
    let mut all = BTreeSet::new();
    for root in &context.roots.0 {
        all.extend(root.list().map_err(|error| wrong(format!("{}: {error}", root.name())))?);
    }
    Ok(all)
}

/// Every directory that has a file somewhere below it.
fn directories(context: &Context) -> Result<BTreeSet<String>, Error> {
    let mut all = BTreeSet::new();
    for path in paths(context)? {
        let mut rest = path.as_str();
        while let Some((directory, _)) = rest.rsplit_once('/') {
            all.insert(directory.to_owned());
            rest = directory;
        }
    }
    Ok(all)
}

fn texts(texts: impl IntoIterator<Item = String>) -> Value {
    list(texts.into_iter().map(Value::from).collect())
}

/// The SLS name of a path.
fn state(path: &str) -> Option<String> {
    let name = path.strip_suffix("/init.sls").or_else(|| path.strip_suffix(".sls"))?;
    Some(name.replace('/', "."))
}

/// The path within the formula roots that a `salt://` address names.
fn within(address: &str) -> Result<String, Error> {
    match address.strip_prefix("salt://") {
        Some(path) => Ok(path.split_once('?').map_or(path, |(path, _)| path).trim_start_matches(['|', '/']).to_owned()),
        Option::None if address.contains("://") => {
            Err(wrong(format!("upshift fetches nothing while it renders (`{address}`)")))
        }
        Option::None => Err(wrong(format!("Unsupported path: {address}"))),
    }
}

fn get_url(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let dest = arguments.get("dest");
    if dest.as_str().is_some_and(|dest| !dest.is_empty()) {
        return Err(wrong("upshift writes nothing while it renders: `cp.get_url` with a `dest`"));
    }
    if dest.as_str().is_some() {
        let path = cached(context, arguments)?;
        return Ok(if path.is_true() { path } else { Value::from(false) });
    }
    let found = read_text(context, &within(&arguments.text("path")?)?)?;
    Ok(found.map_or(Value::from(false), Value::from))
}

/// Where Salt would have put its copy of a file; nothing if there is no such file.
fn cached(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let path = within(&arguments.text("path")?)?;
    let is_file = read(context, &path)?.is_some();
    Ok(Value::from(if is_file { cache_path(context, &path) } else { String::new() }))
}

fn cache_path(context: &Context, path: &str) -> String {
    let directory = entry(&context.opts, &Value::from("cachedir")).map(|directory| text(&directory));
    format!("{}/files/base/{path}", directory.as_deref().unwrap_or("/var/cache/salt/minion"))
}

fn hash_file(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let Some(content) = read(context, &within(&arguments.text("path")?)?)? else { return Ok(Value::from("")) };
    let sum = super::hashing::hexadecimal(&sha2::Sha256::digest(content));
    Ok(dict([("hash_type", "sha256"), ("hsum", sum.as_str())].map(|(key, value)| (key.into(), value.into()))))
}

fn is_there(context: &Context, path: &str) -> Result<bool, Error> {
    Ok(paths(context)?.contains(path) || directories(context)?.contains(path))
}

fn find_up(context: &Context, arguments: &Arguments) -> Result<Value, Error> {
    let mut start = if arguments.is_true("startpath")? { normal(&arguments.text("startpath")?) } else { String::new() };
    if !start.is_empty() && !is_there(context, &start)? {
        return Err(wrong(format!("Starting path not found in the state tree: {start}")));
    }
    let names = arguments.get("filenames");
    let names = match names.as_str() {
        Some(name) => vec![name.to_owned()],
        Option::None if super::super::value::is_list(names) => {
            super::super::value::items(names)?.iter().map(text).collect()
        }
        Option::None => return Err(wrong("Filenames argument must be a string or list of strings")),
    };
    loop {
        for name in &names {
            let path = normal(&joined(&normal(&start), normal(name).trim_start_matches('/')));
            if is_there(context, &path)? {
                return Ok(Value::from(path));
            }
        }
        if start.is_empty() {
            return Err(wrong("File pattern(s) not found in path ancestry"));
        }
        start = dirname(&start).to_owned();
    }
}
