//! What a person wrote in TOML, read into the [model](crate::model).
//!
//! A file is read key by key, and every value remembers where it stands: whatever is wrong with it
//! is one [`Error`](crate::error::Error) with `file:line:column`, what was wanted and what was found.
//! Of each file only the first error is reported, and no file, however broken, causes a panic.

use camino::Utf8Path;

use crate::error::Result;
use crate::model::{Inventory, Pipeline};

mod inventory;
mod pipeline;
mod quantity;
mod source;
mod syntax;
mod table;
mod template;
mod yaml;

use source::Source;

/// Reads a pipeline; `path` is shown in errors as it is given.
///
/// # Errors
///
/// Says, with its place, the first thing that is wrong with the file.
pub fn read_pipeline(path: &Utf8Path) -> Result<Pipeline> {
    pipeline::parse(&Source::read(path)?)
}

/// Reads an inventory, upshift's own, Ansible's or Salt's; `path` is shown in errors as it is given.
///
/// What Ansible keeps beside an inventory, in `group_vars/` and `host_vars/`, is read with it.
///
/// # Errors
///
/// Says, with its place, the first thing that is wrong with the file.
pub fn read_inventory(path: &Utf8Path) -> Result<Inventory> {
    inventory::read(path)
}

/// Reads a pipeline from text, as if it stood in the file of that name.
///
/// # Errors
///
/// Says, with its place, the first thing that is wrong with the text.
pub fn parse_pipeline(file: &str, text: &str) -> Result<Pipeline> {
    pipeline::parse(&Source::new(file, text)?)
}

/// Reads an inventory from text, as if it stood in the file of that name.
///
/// # Errors
///
/// Says, with its place, the first thing that is wrong with the text.
pub fn parse_inventory(file: &str, text: &str) -> Result<Inventory> {
    inventory::parse(&Source::new(file, text)?)
}
