//! `file.absent`, `file.exists`, `file.missing` and `file.not_cached`: whether something is there at all.

use camino::Utf8PathBuf;

use crate::states::disk;
use crate::states::file::{absolute, expanded};
use crate::states::returns::dict;
use crate::states::source::Source;
use crate::states::{Call, Failed, Function, Return};

pub(super) const ABSENT: Function = Function::new("file.absent", absent).takes_anything();
pub(super) const EXISTS: Function = Function::new("file.exists", exists).takes_anything();
pub(super) const MISSING: Function = Function::new("file.missing", missing).takes_anything();
pub(super) const NOT_CACHED: Function = Function::new("file.not_cached", not_cached);

fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let path = absolute(call, "file.absent")?;
    if path == "/" {
        return Err("Refusing to make \"/\" absent".into());
    }
    let kind = if path.is_file() || path.is_symlink() {
        "file"
    } else if path.is_dir() {
        "directory"
    } else {
        return Ok(Return::unchanged(format!("File {path} is not present")));
    };
    let changes = dict([("removed", path.as_str().into())]);
    if call.preview {
        let kind = if kind == "file" { "File" } else { "Directory" };
        return Ok(Return::would(changes, format!("{kind} {path} is set for removal")));
    }
    disk::remove(&path).map_err(|error| format!("Failed to remove {kind} {path}: {error}"))?;
    Ok(Return::changed(changes, format!("Removed {kind} {path}")))
}

fn exists(call: &Call<'_>) -> Result<Return, Failed> {
    let path = named(call, "file.exists")?;
    if path.exists() {
        Ok(Return::unchanged(format!("Path {path} exists")))
    } else {
        Err(format!("Specified path {path} does not exist").into())
    }
}

fn missing(call: &Call<'_>) -> Result<Return, Failed> {
    let path = named(call, "file.missing")?;
    if path.exists() {
        Err(format!("Specified path {path} exists").into())
    } else {
        Ok(Return::unchanged(format!("Path {path} is missing")))
    }
}

fn named(call: &Call<'_>, function: &str) -> Result<Utf8PathBuf, Failed> {
    let name = expanded(call.host, &call.args.name()?);
    if name.is_empty() { Err(format!("Must provide name to {function}").into()) } else { Ok(name.into()) }
}

/// upshift keeps no copies of what it fetches.
fn not_cached(call: &Call<'_>) -> Result<Return, Failed> {
    let name = call.args.name()?;
    Ok(Return::unchanged(match Source::parse(&name) {
        Ok(Source::Local(path)) => format!("File {} is a local path, no action taken", disk::real(&path)),
        _ => format!("{name} is not cached"),
    }))
}
