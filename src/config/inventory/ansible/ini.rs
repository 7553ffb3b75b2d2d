//! Ansible's INI inventories, line by line as its own `ini` plugin reads them.

use std::sync::LazyLock;

use indexmap::IndexMap;
use regex::Regex;

use crate::config::inventory::ansible::data::{Data, Given, UNGROUPED};
use crate::config::inventory::ansible::{literal, range, words};
use crate::config::source::{self, Source};
use crate::config::syntax::shorten;
use crate::error::{Error, Result};
use crate::model::{Place, nearest};

static SECTION: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\[([^:\]\s]+)(?::(\w+))?\]\s*(?:#.*)?$").ok());

static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^([^:\]\s]+)\s*(?:#.*)?$").ok());

/// What the lines of a section are.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Hosts,
    Children,
    Vars,
}

struct Reader<'s> {
    data: &'s mut Data,
    group: usize,
    kind: Kind,
    /// Groups that are named and not declared so far, with the first place that does.
    undeclared: IndexMap<String, (Place, Kind)>,
}

/// Reads a file into what is known so far.
pub(super) fn read(source: &Source, data: &mut Data) -> Result<()> {
    let mut reader = Reader { data, group: UNGROUPED, kind: Kind::Hosts, undeclared: IndexMap::new() };
    for (number, written) in source.text().lines().enumerate() {
        let line = written.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let indent = written[..written.len() - written.trim_start().len()].chars().count();
        reader.line(line, &source.place_at(number + 1, indent + 1))?;
    }
    let declared: Vec<_> = reader.data.groups.keys().map(String::as_str).collect();
    match reader.undeclared.first() {
        None => Ok(()),
        Some((name, (place, kind))) => {
            let section =
                if *kind == Kind::Vars { format!(", for which `[{name}:vars]` has variables") } else { String::new() };
            let error = source::error(place, format!("there is no group `{name}`{section}"));
            let known = declared.into_iter().filter(|group| group != name && !["all", "ungrouped"].contains(group));
            Err(if known.clone().next().is_none() {
                error
            } else {
                error.hint(nearest::hint(name, "The inventory", known))
            })
        }
    }
}

impl Reader<'_> {
    fn line(&mut self, line: &str, place: &Place) -> Result<()> {
        if let Some(section) = SECTION.as_ref().and_then(|pattern| pattern.captures(line)) {
            return self.section(&section[1], section.get(2).map(|kind| kind.as_str()), place);
        }
        if line.starts_with('[') && line.ends_with(']') {
            let error = source::error(place, format!("wanted a section such as `[web]`, found `{}`", shorten(line)));
            return Err(error.hint("a group's name has neither spaces nor colons in it"));
        }
        match self.kind {
            Kind::Hosts => self.hosts(line, place),
            Kind::Vars => {
                let (name, value) = line.split_once('=').ok_or_else(|| source::error(place, "wanted `name=value`"))?;
                let given = Given { value: literal::value(value.trim()), place: place.clone() };
                self.data.set_for_group(self.group, name.trim(), given)
            }
            Kind::Children => self.child(line, place),
        }
    }

    fn section(&mut self, name: &str, kind: Option<&str>, place: &Place) -> Result<()> {
        self.kind = match kind {
            None | Some("hosts") => Kind::Hosts,
            Some("children") => Kind::Children,
            Some("vars") => Kind::Vars,
            Some(other) => {
                let kinds = ["children", "vars", "hosts"];
                let hint = match nearest::nearest(other, kinds) {
                    Some(near) => format!("did you mean `[{name}:{near}]`?"),
                    None => format!("a section is `[{name}]`, `[{name}:children]` or `[{name}:vars]`"),
                };
                return Err(source::error(place, format!("unknown kind of section `{}`", shorten(other))).hint(hint));
            }
        };
        let known = self.data.groups.contains_key(name);
        self.group = self.data.group(name, place)?;
        if self.kind != Kind::Vars {
            self.undeclared.shift_remove(name);
        } else if !known {
            self.undeclared.entry(name.to_owned()).or_insert_with(|| (place.clone(), Kind::Vars));
        }
        Ok(())
    }

    fn child(&mut self, line: &str, place: &Place) -> Result<()> {
        let name = NAME.as_ref().and_then(|pattern| pattern.captures(line));
        let name =
            name.ok_or_else(|| source::error(place, format!("wanted the name of a group, found `{}`", shorten(line))))?;
        let known = self.data.groups.contains_key(&name[1]);
        let child = self.data.group(&name[1], place)?;
        if !known {
            self.undeclared.insert(name[1].to_owned(), (place.clone(), Kind::Children));
        }
        self.data.groups[self.group].children.insert(child);
        Ok(())
    }

    fn hosts(&mut self, line: &str, place: &Place) -> Result<()> {
        let at = |column: usize| Place { column: place.column + column, ..place.clone() };
        let words = words::split(line, true)
            .map_err(|column| source::error(&at(column), "a quote or backslash that nothing follows"))?;
        let Some((first, others)) = words.split_first() else { return Ok(()) };
        let (names, port) = range::hosts(&first.text).map_err(|why| source::error(place, why))?;
        self.data.add(names.clone(), port, self.group, place)?;
        self.data.expect(names.len(), others.len(), place)?;
        for word in others {
            // The value may be part of a password with a space in it: it is not shown.
            let (name, value) = word.text.split_once('=').ok_or_else(|| self.no_variable(&at(word.column)))?;
            let given = Given { value: literal::value(value), place: at(word.column) };
            for host in &names {
                self.data.set(host, name, given.clone())?;
            }
        }
        Ok(())
    }

    fn no_variable(&self, place: &Place) -> Error {
        let group = self.data.groups.get_index(self.group).map_or("", |(name, _)| name);
        source::error(place, "behind a host's name, wanted `name=value`").hint(format!(
            "a host has a line of its own, a value with spaces has quotes, and a child group is below `[{group}:children]`"
        ))
    }
}
