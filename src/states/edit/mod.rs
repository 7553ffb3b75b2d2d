//! `file.*` that change a part of a file: a line, a block, what an expression matches.
//!
//! What they make of a file is what Salt makes of it, to the byte; a file that is right already is not written.

mod accumulated;
mod append;
mod blockreplace;
mod comment;
mod keyvalue;
mod line;
pub(super) mod lines;
mod replace;
mod serialize;
mod source;
mod target;
mod words;

pub(super) use accumulated::Accumulators;

use crate::formula::Data;
use crate::formula::regex::Options;
use crate::states::{Args, Failed, Function};

pub(super) const FUNCTIONS: &[Function] = &[
    accumulated::ACCUMULATED,
    append::APPEND,
    append::PREPEND,
    blockreplace::BLOCKREPLACE,
    comment::COMMENT,
    comment::UNCOMMENT,
    keyvalue::KEYVALUE,
    line::LINE,
    replace::REPLACE,
    serialize::SERIALIZE,
];

/// Options of an expression that is looked for in a whole file, which may take a while.
fn effort() -> Options {
    Options { effort: 100_000_000, ..Options::default() }
}

/// What is added to the name of a file for the copy of it that is kept; `None` if no copy is.
fn backup(args: &Args<'_>) -> Result<Option<String>, Failed> {
    match args.chunk().get("backup") {
        None => Ok(Some(".bak".to_owned())),
        Some(backup) if !backup.is_true() => Ok(None),
        Some(_) => args.text("backup"),
    }
}

/// Refuses what is not written in UTF-8.
pub(super) fn check_encoding(args: &Args<'_>) -> Result<(), String> {
    let name = args.text("encoding").map_err(|failed| failed.comment)?.unwrap_or_else(|| "utf-8".to_owned());
    match name.to_lowercase().replace('_', "-").as_str() {
        "utf-8" | "utf8" | "ascii" | "us-ascii" => Ok(()),
        _ => Err(format!("upshift edits files in UTF-8, not in `{name}`")),
    }
}

/// Python's `str` of a value.
pub(super) fn printed(value: &Data) -> String {
    use crate::formula::template::value;
    value.as_str().map_or_else(|| value::text(&value::from_data(value)), str::to_owned)
}
