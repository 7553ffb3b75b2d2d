//! Ansible's inventories in YAML, and what `ansible-inventory --list` prints as JSON.

use crate::config::inventory::ansible::data::{Data, Given};
use crate::config::inventory::ansible::{encrypted, range};
use crate::config::source;
use crate::config::yaml::{Content, Entry, Node};
use crate::error::Result;
use crate::model::nearest;

/// What a group may have.
const KEYS: [&str; 3] = ["hosts", "children", "vars"];

/// Reads groups into what is known so far.
pub(super) fn read(groups: &[Entry], data: &mut Data) -> Result<()> {
    for entry in groups {
        if entry.key == "_meta" {
            continue;
        }
        group(entry, data)?;
    }
    // A host may be known from its variables alone, and what is known of a host goes before its groups.
    let meta = groups.iter().find(|entry| entry.key == "_meta").and_then(|entry| entry.value.get("hostvars"));
    for host in meta.and_then(Node::map).unwrap_or_default() {
        if !data.hosts.contains_key(&host.key) {
            let ungrouped = data.group("ungrouped", &host.place)?;
            data.add(vec![host.key.clone()], None, ungrouped, &host.place)?;
        }
        set_all(std::slice::from_ref(&host.key), &host.value, data)?;
    }
    Ok(())
}

fn group(entry: &Entry, data: &mut Data) -> Result<usize> {
    let name = named(entry, "group")?;
    let id = data.group(name, &entry.place)?;
    let parts = match &entry.value.content {
        Content::Map(parts) => parts,
        // A list is the group's hosts, as scripts print them.
        Content::List(_) => {
            hosts(&entry.value, id, data)?;
            return Ok(id);
        }
        _ if entry.value.is_null() => return Ok(id),
        _ => {
            let message = format!("the group `{name}`: wanted a mapping, found {}", entry.value.kind());
            return Err(entry.value.error(message).hint("a group has: hosts, children, vars"));
        }
    };
    for part in parts {
        match part.key.as_str() {
            "hosts" => hosts(&part.value, id, data)?,
            "vars" => {
                for var in mapping(part, name)? {
                    data.set_for_group(id, &var.key, given(var)?)?;
                }
            }
            "children" => children(part, name, id, data)?,
            other => {
                let error = source::error(&part.place, format!("unknown key `{other}` in the group `{name}`"));
                return Err(error.hint(nearest::hint(other, "A group", KEYS)));
            }
        }
    }
    Ok(id)
}

fn children(part: &Entry, name: &str, id: usize, data: &mut Data) -> Result<()> {
    if let Content::List(items) = &part.value.content {
        for item in items {
            let child = item.text().ok_or_else(|| item.error("wanted the name of a group"))?;
            let child = data.group(child, &item.place)?;
            data.groups[id].children.insert(child);
        }
        return Ok(());
    }
    if let Some(child) = part.value.text() {
        let child = data.group(child, &part.value.place)?;
        data.groups[id].children.insert(child);
        return Ok(());
    }
    for child in mapping(part, name)? {
        let child = group(child, data)?;
        data.groups[id].children.insert(child);
    }
    Ok(())
}

/// The hosts of a group: a mapping from pattern to variables, a list of names, or one pattern.
fn hosts(value: &Node, group: usize, data: &mut Data) -> Result<()> {
    match &value.content {
        Content::List(items) => {
            for item in items {
                let name = item.text().ok_or_else(|| item.error("wanted the name of a host"))?;
                data.add(vec![name.to_owned()], None, group, &item.place)?;
            }
        }
        Content::Map(entries) => {
            for entry in entries {
                let (names, port) =
                    range::hosts(named(entry, "host")?).map_err(|why| source::error(&entry.place, why))?;
                data.add(names.clone(), port, group, &entry.place)?;
                set_all(&names, &entry.value, data)?;
            }
        }
        _ if value.is_null() => {}
        _ => {
            let pattern = value
                .text()
                .ok_or_else(|| value.error(format!("`hosts`: wanted a mapping, found {}", value.kind())))?;
            let (names, port) = range::hosts(pattern).map_err(|why| value.error(why))?;
            data.add(names, port, group, &value.place)?;
        }
    }
    Ok(())
}

/// Gives hosts the variables of a mapping, or of nothing.
fn set_all(hosts: &[String], value: &Node, data: &mut Data) -> Result<()> {
    if value.is_null() {
        return Ok(());
    }
    let Some(vars) = value.map() else {
        let host = hosts.first().map_or("", String::as_str);
        let message = format!("the host `{host}`: wanted a mapping of its variables, found {}", value.kind());
        return Err(value.error(message).hint("an address is a variable: `ansible_host: …` below the host's name"));
    };
    data.expect(hosts.len(), vars.len(), &value.place)?;
    for var in vars {
        let given = given(var)?;
        for host in hosts {
            data.set(host, &var.key, given.clone())?;
        }
    }
    Ok(())
}

/// A variable.
pub(super) fn given(entry: &Entry) -> Result<Given> {
    let value = entry.value.json().map_err(|place| encrypted(&place, Some(&entry.key)))?;
    Ok(Given { value, place: entry.value.place.clone() })
}

/// The keys and values of a part of a group, where nothing is an empty mapping.
fn mapping<'n>(part: &'n Entry, group: &str) -> Result<&'n [Entry]> {
    if part.value.is_null() {
        return Ok(&[]);
    }
    part.value.map().ok_or_else(|| {
        let (key, found) = (&part.key, part.value.kind());
        part.value.error(format!("`{key}` of the group `{group}`: wanted a mapping, found {found}"))
    })
}

/// A key that names a group or host, and so has to be text.
fn named<'n>(entry: &'n Entry, kind: &str) -> Result<&'n str> {
    if entry.is_text && !entry.key.is_empty() {
        return Ok(&entry.key);
    }
    let message = format!("wanted the name of a {kind}, found `{}`", entry.key);
    Err(source::error(&entry.place, message)
        .hint(format!("a name that looks like a number or date stands in quotes: `\"{}\":`", entry.key)))
}
