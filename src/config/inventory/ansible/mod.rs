//! Ansible's inventories, read as Ansible reads them: INI, YAML, and what `ansible-inventory --list` prints.
//!
//! What takes Ansible itself to read, scripts, plugins and secrets, is refused with a way out, and
//! never left out.

use camino::Utf8Path;

use crate::config::inventory::format::{self, Format};
use crate::config::source::{self, Source};
use crate::config::yaml::{Content, Entry};
use crate::error::{Error, Result};
use crate::model::{Inventory, Place};

mod connection;
mod data;
mod fold;
mod folder;
mod groups;
mod ini;
mod literal;
mod names;
mod range;
mod words;

use data::Data;

/// Reads an INI inventory, with the variables in the folder it stands in, if it stands in one.
pub(super) fn parse_ini(source: &Source, folder: Option<&Utf8Path>) -> Result<Inventory> {
    let mut data = Data::new(source)?;
    ini::read(source, &mut data)?;
    finish(data, source.file(), folder)
}

/// Reads groups in YAML, with the variables in the folder they stand in, if they stand in one.
pub(super) fn parse_groups(source: &Source, entries: &[Entry], folder: Option<&Utf8Path>) -> Result<Inventory> {
    let mut data = Data::new(source)?;
    groups::read(entries, &mut data)?;
    finish(data, source.file(), folder)
}

/// Reads a folder of inventories as one.
pub(super) fn read_folder(path: &Utf8Path) -> Result<Inventory> {
    let files = folder::inventories(path)?;
    let Some(first) = files.first() else {
        return Err(Error::usage(format!("{path}: the folder has no inventory in it")).hint(
            "an inventory is an INI file, or a YAML file with `all:` or the name of a group, and `hosts:` below it",
        ));
    };
    let mut data = Data::new(&Source::new(first.as_str(), "")?)?;
    for file in files {
        let source = Source::read(&file)?;
        match format::of(&source)? {
            Format::Ini => ini::read(&source, &mut data)?,
            Format::Groups(entries) => groups::read(&entries, &mut data)?,
            Format::Upshift | Format::Roster(_) => {
                let error = source.error(0, "wanted one of Ansible's inventories, of which a folder is made up");
                return Err(error.hint(format!("name the file itself: `--inventory {file}`")));
            }
        }
    }
    finish(data, path.as_str(), Some(path))
}

fn finish(mut data: Data, file: &str, folder: Option<&Utf8Path>) -> Result<Inventory> {
    if let Some(folder) = folder {
        folder::variables(folder, &mut data)?;
    }
    data.fold(file)
}

/// Whether a file as a whole can only be read by ansible-vault.
pub(super) fn is_encrypted(text: &str) -> bool {
    text.starts_with("$ANSIBLE_VAULT;")
}

/// The error of a file, or the variable of that name, that only ansible-vault can read.
pub(super) fn encrypted(place: &Place, name: Option<&str>) -> Error {
    let (what, hint) = match name {
        Some(name) => (
            format!("`{name}`"),
            "`ansible-inventory --list --yaml -i INVENTORY > hosts.yaml` writes everything into one file: take the \
             variable out of that",
        ),
        None => (
            "the file".into(),
            "`ansible-inventory --list --yaml --ask-vault-pass -i INVENTORY > hosts.yaml` writes an inventory with \
             nothing encrypted: take out of that what is secret",
        ),
    };
    source::error(place, format!("{what} is encrypted with ansible-vault, which upshift cannot read")).hint(hint)
}

/// The error of an inventory that Ansible finds out by asking somebody.
pub(super) fn dynamic(place: &Place, what: &str) -> Error {
    let hint = format!("`ansible-inventory --list --yaml -i {} > hosts.yaml` writes down what it says now", place.file);
    source::error(place, format!("{what}: upshift reads inventories and does not run them")).hint(hint)
}

/// Whether an entry looks like a group of Ansible's.
pub(super) fn is_group(entry: &Entry) -> bool {
    ["all", "ungrouped", "_meta"].contains(&entry.key.as_str())
        || ["hosts", "children", "vars"].iter().any(|key| entry.value.get(key).is_some())
        || matches!(entry.value.content, Content::List(_))
}
