//! Which kind of inventory a file is: by its name where that says it, else by what is in it.

use camino::Utf8Path;

use crate::config::inventory::{FILE, ansible, roster};
use crate::config::source::Source;
use crate::config::yaml::{self, Entry, Node};
use crate::error::{Error, Result};

/// A kind of inventory, with what was read to find it out.
pub(super) enum Format {
    /// TOML, upshift's own.
    Upshift,
    /// Ansible's INI.
    Ini,
    /// Ansible's groups, in YAML or JSON.
    Groups(Vec<Entry>),
    /// A roster of Salt's.
    Roster(Vec<Entry>),
}

/// The kind of inventory that a file is.
pub(super) fn of(source: &Source) -> Result<Format> {
    let text = source.text();
    let ending = Utf8Path::new(source.file()).extension().map(str::to_lowercase);
    if ending.as_deref() == Some("toml") {
        return Ok(Format::Upshift);
    }
    if ansible::is_encrypted(text) {
        return Err(ansible::encrypted(&source.place_at(1, 1), None));
    }
    if let Some(program) = text.strip_prefix("#!").and_then(|rest| rest.lines().next()) {
        // Salt names its renderers there.
        if program.split('|').all(|renderer| ["yaml", "jinja"].contains(&renderer.trim())) {
            return of_yaml(source);
        }
        return Err(ansible::dynamic(&source.place_at(1, 1), "the file is a program"));
    }
    match ending.as_deref() {
        Some("yml" | "yaml" | "json") => of_yaml(source),
        Some("ini") => Ok(Format::Ini),
        _ if is_upshift(source) => Ok(Format::Upshift),
        _ => match significant(text) {
            Some(line) if is_yaml(line) => of_yaml(source),
            Some(line) if is_ini(line) => Ok(Format::Ini),
            _ => Err(unknown(source, "this is no inventory")),
        },
    }
}

/// The first line that is neither empty nor a comment.
fn significant(text: &str) -> Option<&str> {
    text.lines().find(|line| !line.trim().is_empty() && !line.trim_start().starts_with(['#', ';']))
}

/// Whether the text is TOML with a table that only upshift's inventories have.
fn is_upshift(source: &Source) -> bool {
    let keys = source.parse().ok().map(toml::Spanned::into_inner);
    keys.is_some_and(|keys| !keys.is_empty() && keys.keys().all(|key| FILE.names.contains(&key.get_ref().as_ref())))
}

/// Whether a line begins YAML or JSON: a document, a mapping, or a key.
fn is_yaml(line: &str) -> bool {
    let line = line.trim();
    let key = line.split_once(": ").map_or(line, |(key, _)| key).trim_end_matches(':');
    line.starts_with("---")
        || line.starts_with(['{', '%', '"', '\''])
        || (key.len() < line.len() && !line.starts_with('[') && !key.contains(['=', ' ']))
}

/// Whether a line is one of an INI inventory: a section, or a host with variables.
fn is_ini(line: &str) -> bool {
    let line = line.trim();
    let mut words = line.split_whitespace();
    let host = words.next().is_some_and(|word| word.chars().all(|c| c.is_ascii_alphanumeric() || "._-[]:".contains(c)));
    line.starts_with('[') || (host && words.next().is_none_or(|word| word.contains('=') || word.starts_with('#')))
}

/// A file of YAML: groups or a roster.
fn of_yaml(source: &Source) -> Result<Format> {
    roster::no_templates(source)?;
    let Some(node) = yaml::read(source)?.filter(|node| !node.is_null()) else {
        return Err(unknown(source, "there is nothing in this file"));
    };
    let Some(entries) = node.map() else {
        return Err(unknown(source, &format!("wanted groups or hosts, found {}", node.kind())));
    };
    if let Some(plugin) = entries.iter().find(|entry| entry.key == "plugin").map(|entry| &entry.value)
        && let Some(name) = plugin.text()
    {
        return Err(ansible::dynamic(&plugin.place, &format!("the file configures the plugin `{name}`")));
    }
    let is_group = |entry: &&Entry| ansible::is_group(entry) && entry.value.get("host").is_none();
    let group = entries.iter().find(is_group);
    let host = entries.iter().find(|entry| roster::is_host(entry));
    match (group, host) {
        (Some(_), None) => Ok(Format::Groups(into_entries(node))),
        (None, Some(_)) => Ok(Format::Roster(into_entries(node))),
        (Some(group), Some(host)) => {
            let message = format!(
                "`{}` looks like a group of Ansible's, and `{}` like a host of a Salt roster",
                group.key, host.key
            );
            Err(crate::config::source::error(&host.place, message).hint("below a group, hosts stand in `hosts:`"))
        }
        (None, None) => Err(unknown(source, "this is no inventory")),
    }
}

fn into_entries(node: Node) -> Vec<Entry> {
    match node.content {
        yaml::Content::Map(entries) => entries,
        _ => Vec::new(),
    }
}

/// The error of a file that is no inventory of any known kind.
fn unknown(source: &Source, what: &str) -> Error {
    let start = significant(source.text()).map_or(0, |line| line.as_ptr() as usize - source.text().as_ptr() as usize);
    source.error(start, what).hint(
        "an inventory is TOML with `[groups.NAME]`, Ansible's INI with `[NAME]`, Ansible's YAML with `all:` or \
         `NAME:` and `hosts:` below it, or a Salt roster with `NAME:` and `host:` below it",
    )
}
