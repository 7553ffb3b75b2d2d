//! `host.*`: names of addresses in `/etc/hosts`.
//!
//! What a state adds or comments makes the whole file one line for each address, as in Salt; what it removes or replaces
//! touches the lines of that address only. Either way the file is replaced once.

use std::net::IpAddr;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use indexmap::IndexMap;

use crate::formula::{Data, Dict};
use crate::states::arguments::text;
use crate::states::disk::{Attributes, replace};
use crate::states::returns::{dict, old_new};
use crate::states::{Call, Failed, Function, Return};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("host.absent", absent).requires(&["ip"]),
    Function::new("host.only", only).requires(&["hostnames"]),
    Function::new("host.present", present).requires(&["ip"]).takes(&["comment", "clean"]),
];

/// The file, and what it says now.
struct Hosts {
    path: Utf8PathBuf,
    text: String,
}

/// What a file says of an address, or a line of it that is a comment.
enum Entry {
    Names { names: Vec<String>, comment: Option<String> },
    Comment(String),
}

fn present(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, mut hosts) = (call.args.name()?, Hosts::of(call)?);
    let (addresses, comment) = (call.args.texts("ip")?, call.args.text("comment")?.filter(|text| !text.is_empty()));
    let entries = hosts.entries();
    let (mut said, mut invalid) = (Vec::new(), false);
    let (mut add, mut annotate, mut remove) = (Vec::new(), Vec::new(), Vec::new());
    for address in addresses.iter().filter(|address| !entries.contains_key(*address)) {
        add.push(address.clone());
        annotate.extend(comment.as_ref().map(|_| address.clone()));
    }
    for (address, entry) in &entries {
        let Entry::Names { names, comment: there } = entry else { continue };
        let has_name = names.contains(&name);
        if !addresses.contains(address) {
            if has_name && call.args.flag("clean", false) {
                remove.push(address.clone());
            }
        } else if has_name {
            match &comment {
                Some(comment) if there.as_ref() != Some(comment) => annotate.push(address.clone()),
                _ => said.push(format!("Host {name} ({address}) already present")),
            }
        } else if is_address(address) {
            add.push(address.clone());
            annotate.extend(comment.as_ref().map(|_| address.clone()));
        } else {
            invalid = true;
            said.push(format!("Invalid IP Address for {name} ({address})"));
        }
    }
    let comment = comment.unwrap_or_default();
    let mut changes = Dict::default();
    let mut change = |kind: &str, addresses: &[String], what: &str| {
        let entries = addresses.iter().map(|address| (address.as_str(), Data::from(vec![what.into()])));
        if !addresses.is_empty() {
            changes.insert(kind, dict(entries));
        }
    };
    change("added", &add, &name);
    change("comment_added", &annotate, &comment);
    change("removed", &remove, &name);
    let preview = call.preview;
    said.extend(add.iter().map(|address| {
        if preview {
            format!("Host {name} ({address}) would be added")
        } else {
            format!("Added host {name} ({address})")
        }
    }));
    said.extend(annotate.iter().map(|address| {
        if preview {
            format!("Comment for {address} ({comment}) would be added")
        } else {
            format!("Set comment for host {address} ({comment})")
        }
    }));
    said.extend(remove.iter().map(|address| {
        if preview {
            format!("Host {name} ({address}) would be removed")
        } else {
            format!("Removed host {name} ({address})")
        }
    }));
    let said = said.join("\n");
    if !changes.entries.is_empty() && !preview {
        if !add.is_empty() || !annotate.is_empty() {
            hosts.rewrite(entries, &name, &add, &annotate, &comment);
        }
        for address in &remove {
            hosts.remove(address, &name);
        }
        hosts.write()?;
    }
    match () {
        () if invalid => Err(Failed::from(said).after(if preview { Dict::default() } else { changes })),
        () if changes.entries.is_empty() => Ok(Return::unchanged(said)),
        () if preview => Ok(Return::would(changes, said)),
        () => Ok(Return::changed(changes, said)),
    }
}

fn absent(call: &Call<'_>) -> Result<Return, Failed> {
    let (name, mut hosts) = (call.args.name()?, Hosts::of(call)?);
    let mut said = Vec::new();
    let mut is_changed = false;
    for address in call.args.texts("ip")? {
        let has_pair = hosts.names(&address).contains(&name);
        is_changed |= has_pair;
        said.push(match has_pair {
            false => format!("Host {name} ({address}) already absent"),
            true if call.preview => format!("Host {name} ({address}) needs to be removed"),
            true => {
                hosts.remove(&address, &name);
                format!("Removed host {name} ({address})")
            }
        });
    }
    let said = said.join("\n");
    if !is_changed {
        return Ok(Return::unchanged(said));
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), said));
    }
    hosts.write()?;
    Ok(Return::changed(dict([("host", name.into())]), said))
}

fn only(call: &Call<'_>) -> Result<Return, Failed> {
    let (address, mut hosts) = (call.args.name()?, Hosts::of(call)?);
    let names = call.args.texts("hostnames")?;
    let names: Vec<&str> = names.iter().map(|name| name.trim()).collect();
    let (old, new) = (hosts.names(&address).join(" "), names.join(" "));
    if old == new {
        return Ok(Return::unchanged(format!("IP address {address} already set to \"{new}\"")));
    }
    if call.preview {
        return Ok(Return::would(Dict::default(), format!("Would change {address} from \"{old}\" to \"{new}\"")));
    }
    hosts.set(&address, &new);
    hosts.write()?;
    let comment = format!("successfully changed {address} from \"{old}\" to \"{new}\"");
    Ok(Return::changed(dict([(address, old_new(old, new))]), comment))
}

impl Hosts {
    fn of(call: &Call<'_>) -> Result<Self, Failed> {
        let path = call.host.formula.config("hosts.file").as_ref().and_then(text);
        let path = Utf8PathBuf::from(path.unwrap_or_else(|| "/etc/hosts".into()));
        let text = if path.exists() { fs::read_to_string(&path)? } else { String::new() };
        Ok(Self { path, text })
    }

    fn entries(&self) -> IndexMap<String, Entry> {
        let mut entries = IndexMap::new();
        for (number, line) in self.text.lines().map(str::trim).enumerate() {
            if line.starts_with('#') {
                entries.insert(format!("line {number}"), Entry::Comment(line.to_owned()));
                continue;
            }
            let (pair, comment) = line.split_once('#').map_or((line, None), |(pair, comment)| (pair, Some(comment)));
            let mut words = pair.split_whitespace().map(str::to_owned);
            let Some(address) = words.next() else { continue };
            let entry = entries.entry(address).or_insert(Entry::Names { names: Vec::new(), comment: None });
            if let Entry::Names { names, comment: there } = entry {
                names.extend(words);
                let comment = comment.map(str::trim_start).filter(|comment| !comment.is_empty());
                *there = comment.map(str::to_owned).or_else(|| there.take());
            }
        }
        entries
    }

    fn names(&self, address: &str) -> Vec<String> {
        match self.entries().swap_remove(address) {
            Some(Entry::Names { names, .. }) => names,
            _ => Vec::new(),
        }
    }

    /// Adds a name to addresses and a comment to addresses; all of the file becomes what is known of it.
    fn rewrite(
        &mut self,
        mut entries: IndexMap<String, Entry>,
        name: &str,
        add: &[String],
        annotate: &[String],
        about: &str,
    ) {
        for address in add {
            let new = || Entry::Names { names: Vec::new(), comment: None };
            if let Entry::Names { names, .. } = entries.entry(address.clone()).or_insert_with(new) {
                names.push(name.to_owned());
            }
        }
        for address in annotate {
            if let Some(Entry::Names { comment, .. }) = entries.get_mut(address) {
                *comment = Some(about.to_owned());
            }
        }
        let line = |(address, entry): (&String, &Entry)| match entry {
            Entry::Comment(line) => line.clone(),
            Entry::Names { names, comment: None } => format!("{address}\t\t{}", names.join(" ")),
            Entry::Names { names, comment: Some(comment) } => {
                format!("{address}\t\t{}\t\t# {comment}", names.join(" "))
            }
        };
        self.text = entries.iter().map(|entry| line(entry).trim().to_owned() + "\n").collect();
    }

    /// Takes a name from the lines of an address; a line with nothing left goes.
    fn remove(&mut self, address: &str, name: &str) {
        self.edit(|line| {
            let (pair, comment) = line.split_once('#').map_or((line, None), |(pair, comment)| (pair, Some(comment)));
            let mut words = pair.split_whitespace();
            if words.next() != Some(address) {
                return None;
            }
            let names: Vec<&str> = words.filter(|word| *word != name).collect();
            if names.is_empty() {
                return Some(String::new());
            }
            let comment = comment.map(str::trim).filter(|comment| !comment.is_empty());
            let comment = comment.map(|comment| format!("# {comment}")).unwrap_or_default();
            Some(format!("{address}\t\t{} {comment}\n", names.join(" ")))
        });
    }

    /// Makes an address have one line with these names, where its first one is; none if there are no names.
    fn set(&mut self, address: &str, names: &str) {
        let new = if names.is_empty() { String::new() } else { format!("{address}\t\t{names}\n") };
        let mut is_there = false;
        self.edit(|line| {
            if line.split_whitespace().next() != Some(address) {
                return None;
            }
            Some(if std::mem::replace(&mut is_there, true) { String::new() } else { new.clone() })
        });
        if !is_there {
            if !self.text.is_empty() && !self.text.ends_with('\n') {
                self.text.push('\n');
            }
            self.text += &new;
        }
    }

    /// Puts other lines in the place of some: comments and empty lines stay.
    fn edit(&mut self, mut new: impl FnMut(&str) -> Option<String>) {
        let mut edit = |line: &str| {
            let bare = line.trim();
            let is_plain = bare.is_empty() || bare.starts_with('#');
            (!is_plain).then(|| new(bare)).flatten().unwrap_or_else(|| line.to_owned())
        };
        self.text = self.text.split_inclusive('\n').map(&mut edit).collect();
    }

    fn write(&self) -> Result<(), Failed> {
        Ok(replace(Utf8Path::new(&self.path), self.text.as_bytes(), Attributes::default())?)
    }
}

fn is_address(text: &str) -> bool {
    text.split('%').next().unwrap_or_default().parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(text: &str) -> Hosts {
        Hosts { path: Utf8PathBuf::new(), text: text.to_owned() }
    }

    const FILE: &str = "127.0.0.1 localhost\n\n# more\n10.0.0.1 a b # old\n10.0.0.1 c\n";

    #[test]
    fn adding_makes_it_one_line_for_each_address() {
        let mut hosts = hosts(FILE);
        let entries = hosts.entries();
        hosts.rewrite(entries, "d", &["10.0.0.1".into(), "10.0.0.2".into()], &["10.0.0.2".into()], "new");
        let text = "127.0.0.1\t\tlocalhost\n# more\n10.0.0.1\t\ta b c d\t\t# old\n10.0.0.2\t\td\t\t# new\n";
        assert_eq!(hosts.text, text);
    }

    #[test]
    fn removing_touches_the_lines_of_the_address_only() {
        let mut hosts = hosts(FILE);
        hosts.remove("10.0.0.1", "a");
        hosts.remove("10.0.0.1", "c");
        assert_eq!(hosts.text, "127.0.0.1 localhost\n\n# more\n10.0.0.1\t\tb # old\n");
    }

    #[test]
    fn an_address_with_other_names_keeps_its_place() {
        let mut all = hosts(FILE);
        all.set("10.0.0.1", "x y");
        assert_eq!(all.text, "127.0.0.1 localhost\n\n# more\n10.0.0.1\t\tx y\n");
        all.set("10.0.0.1", "");
        assert_eq!(all.text, "127.0.0.1 localhost\n\n# more\n");
        let mut last = hosts("::1 localhost");
        last.set("10.0.0.2", "z");
        assert_eq!(last.text, "::1 localhost\n10.0.0.2\t\tz\n");
    }
}
