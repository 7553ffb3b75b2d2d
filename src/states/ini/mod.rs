//! `ini.*`: sections and options of a file, which is written anew in its own order.
//!
//! Salt writes the file at every step and reads it again for the next; here that is done in memory, and the file is
//! written once.

mod document;

use camino::Utf8PathBuf;
use fs_err as fs;

use document::{Entry, Format, Section};

use crate::formula::{Data, Dict};
use crate::states::disk::{self, Attributes};
use crate::states::returns::dict;
use crate::states::{Args, Call, Failed, Function, Return};

const PRESENT: &[&str] = &["encoding", "no_spaces", "sections", "separator", "strict"];
const OTHERWISE: &[&str] = &["encoding", "sections", "separator"];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("ini.options_absent", options_absent).takes(OTHERWISE).checks(check_absent),
    Function::new("ini.options_present", options_present).takes(PRESENT).checks(check),
    Function::new("ini.sections_absent", sections_absent).takes(OTHERWISE).checks(check_encoding),
    Function::new("ini.sections_present", sections_present).takes(OTHERWISE).checks(check_encoding),
];

fn check(args: &Args<'_>) -> Result<(), String> {
    check_encoding(args)?;
    sections(args).map(drop).map_err(|failed| failed.comment)
}

fn check_absent(args: &Args<'_>) -> Result<(), String> {
    check(args)?;
    let sections = sections(args).map_err(|failed| failed.comment)?;
    match sections.and_then(|sections| sections.entries.iter().find(|(_, options)| options.as_list().is_none())) {
        Some((section, _)) => Err(format!("what is to go from the section `{}` has to be a list", printed(section))),
        None => Ok(()),
    }
}

fn check_encoding(args: &Args<'_>) -> Result<(), String> {
    Format::new(&separator(args).map_err(|failed| failed.comment)?, false).map_err(|failed| failed.comment)?;
    super::edit::check_encoding(args)
}

fn separator(args: &Args<'_>) -> Result<String, Failed> {
    Ok(args.text("separator")?.unwrap_or_else(|| "=".to_owned()))
}

/// The sections that the SLS speaks of, and options that are in none.
fn sections<'a>(args: &Args<'a>) -> Result<Option<&'a Dict>, Failed> {
    match args.get("sections") {
        Some(Data::Dict(sections)) => Ok(Some(&**sections).filter(|sections| !sections.entries.is_empty())),
        Some(other) if other.is_true() => {
            Err(format!("`sections` has to be a mapping, not a {}", other.type_name()).into())
        }
        _ => Ok(None),
    }
}

/// The names of the sections that the SLS lists.
fn names(args: &Args<'_>) -> Result<Vec<String>, Failed> {
    match args.get("sections") {
        Some(Data::Dict(sections)) => Ok(sections.entries.keys().map(printed).collect()),
        _ => args.texts("sections"),
    }
}

/// Python's `str` of a value.
fn printed(value: &Data) -> String {
    super::edit::printed(value)
}

/// A file and what becomes of it.
struct File {
    path: Utf8PathBuf,
    format: Format,
    /// What is in it, if it is there.
    before: Option<String>,
    text: String,
}

impl File {
    fn read(call: &Call<'_>) -> Result<Self, Failed> {
        let path = Utf8PathBuf::from(call.args.name()?);
        if !path.is_absolute() {
            return Err(format!("{path} is not an absolute path").into());
        }
        let before = match fs::read(&path) {
            Ok(content) => Some(String::from_utf8(content).map_err(|_| format!("{path} is not UTF-8"))?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(_) if call.preview => None,
            Err(error) => return Err(format!("Unable to open file '{path}'. Exception: {error}").into()),
        };
        let format = Format::new(&separator(&call.args)?, false)?;
        let text = before.clone().unwrap_or_default();
        Ok(Self { path, format, before, text })
    }

    fn sections(&self) -> Result<Section, Failed> {
        Section::read(&self.text, self.format.clone())
    }

    /// Changes the sections as they are by now.
    fn change<T>(&mut self, change: impl FnOnce(&mut Section) -> Result<T, Failed>) -> Result<T, Failed> {
        let mut sections = self.sections()?;
        let outcome = change(&mut sections)?;
        self.text = sections.text();
        Ok(outcome)
    }

    /// Puts in what the SLS says.
    fn set(&mut self, wanted: &Dict, is_tight: bool) -> Result<Dict, Failed> {
        let mut sections = Section::read(&self.text, self.format.tight(is_tight))?;
        let changes = sections.update(wanted)?;
        self.text = sections.text();
        Ok(changes)
    }

    fn write(&self) -> Result<(), Failed> {
        if self.before.as_ref() != Some(&self.text) {
            disk::replace(&self.path, self.text.as_bytes(), Attributes::default())
                .map_err(|error| format!("Unable to write file '{}'. Exception: {error}", self.path))?;
        }
        Ok(())
    }
}

/// What a preview says, line by line.
#[derive(Default)]
struct Preview {
    comment: String,
    is_change: bool,
}

impl Preview {
    fn same(&mut self, what: &str) {
        self.comment += &format!("{what}.\n");
    }

    fn other(&mut self, what: &str) {
        self.same(what);
        self.is_change = true;
    }

    fn done(self, otherwise: &str) -> Return {
        let comment = if self.comment.is_empty() { otherwise.to_owned() } else { self.comment };
        if self.is_change { Return::would(Dict::default(), comment) } else { Return::unchanged(comment) }
    }
}

/// What was done, as Salt says it.
fn done(changes: Dict) -> Return {
    if changes.entries.is_empty() {
        Return::unchanged("No anomaly detected")
    } else {
        Return::changed(changes, "Changes take effect")
    }
}

/// The end of a sentence about something in a section.
fn within(section: &str) -> String {
    if section.is_empty() { String::new() } else { format!(" in section {section}") }
}

fn is_section(entry: &Data) -> bool {
    matches!(entry, Data::Dict(_))
}

fn options_present(call: &Call<'_>) -> Result<Return, Failed> {
    let mut file = File::read(call)?;
    let wanted = sections(&call.args)?.cloned().unwrap_or_default();
    let is_strict = call.args.flag("strict", false) && !wanted.entries.is_empty();
    if call.preview {
        return Ok(preview_present(&wanted, &file.sections()?.plain(), is_strict).done(""));
    }
    let is_tight = call.args.flag("no_spaces", false);
    let there = file.sections()?.plain();
    let own = |is_wanted: fn(&Data) -> bool| {
        let entries = wanted.entries.iter().filter(move |(_, entry)| is_wanted(entry));
        entries.map(|(name, entry)| (printed(name), entry.clone()))
    };
    let options = dict(own(|entry| !is_section(entry)));
    let mut changes = file.set(&options, is_tight)?;
    if is_strict {
        for (name, entry) in surplus(&there, &wanted) {
            file.change(|sections| Ok(sections.remove(&name)))?;
            changes.insert(name, dict([("before", entry), ("after", Data::None)]));
        }
    }
    for (name, body) in own(is_section) {
        let mut changed = Dict::default();
        let in_section = there.get(&name).and_then(Data::as_dict).cloned().unwrap_or_default();
        if let Some(body) = body.as_dict().filter(|_| is_strict) {
            for (option, value) in missing(&in_section, body) {
                file.change(|sections| Ok(sections.remove_option(Some(&name), &option)))?;
                changed.insert(option, dict([("before", value), ("after", Data::None)]));
            }
        }
        let set = file.set(&dict([(name.as_str(), body)]), is_tight)?;
        let set = set.get(&name).and_then(Data::as_dict).cloned().unwrap_or_default();
        changed.entries.extend(set.entries);
        if !changed.entries.is_empty() {
            changes.insert(name, changed);
        }
    }
    file.write()?;
    Ok(done(changes))
}

fn preview_present(wanted: &Dict, there: &Dict, is_strict: bool) -> Preview {
    let mut preview = Preview::default();
    let compare = |what: String, wanted: &Data, there: Option<&Data>| {
        if there.is_some_and(|there| printed(there) == printed(wanted)) {
            (format!("Unchanged key {what}"), false)
        } else {
            (format!("Changed key {what}"), true)
        }
    };
    let say = |preview: &mut Preview, (what, is_change): (String, bool)| {
        if is_change { preview.other(&what) } else { preview.same(&what) }
    };
    for (name, value) in wanted.entries.iter().filter(|(_, value)| !is_section(value)) {
        let name = printed(name);
        let known = there.get(&name).filter(|there| !is_section(there));
        say(&mut preview, compare(name.clone(), value, known));
    }
    if is_strict {
        for (name, entry) in surplus(there, wanted) {
            preview.other(&format!("Removed {} {name}", if is_section(&entry) { "section" } else { "key" }));
        }
    }
    for (name, body) in &wanted.entries {
        let Some(body) = body.as_dict() else { continue };
        let name = printed(name);
        let there = there.get(&name).and_then(Data::as_dict).cloned().unwrap_or_default();
        if is_strict {
            for (option, _) in missing(&there, body) {
                preview.other(&format!("Deleted key {option}{}", within(&name)));
            }
        }
        for (option, value) in &body.entries {
            let option = printed(option);
            say(&mut preview, compare(format!("{option}{}", within(&name)), value, there.get(&option)));
        }
    }
    preview
}

/// The options before all sections, then the sections, that are there and are not wanted.
fn surplus(there: &Dict, wanted: &Dict) -> Vec<(String, Data)> {
    let is_wanted = |name: &Data, entry: &Data| {
        wanted.entries.iter().any(|(key, body)| printed(key) == printed(name) && is_section(body) == is_section(entry))
    };
    let entries = there.entries.iter().filter(|(name, entry)| !is_wanted(name, entry));
    let mut entries: Vec<_> = entries.map(|(name, entry)| (printed(name), entry.clone())).collect();
    entries.sort_by_key(|(_, entry)| is_section(entry));
    entries
}

/// The options that are in a section and are not wanted in it.
fn missing(there: &Dict, wanted: &Dict) -> Vec<(String, Data)> {
    let entries = there.entries.iter().map(|(name, value)| (printed(name), value.clone()));
    entries.filter(|(name, _)| !wanted.entries.keys().any(|key| printed(key) == *name)).collect()
}

fn options_absent(call: &Call<'_>) -> Result<Return, Failed> {
    let mut file = File::read(call)?;
    let wanted = sections(&call.args)?.cloned().unwrap_or_default();
    if call.preview {
        return Ok(preview_absent(&wanted, &file.sections()?).done("No changes detected."));
    }
    let mut changes = Dict::default();
    for (section, options) in &wanted.entries {
        let section = printed(section);
        for option in options.as_list().unwrap_or_default().iter().map(printed) {
            let removed = file.change(|sections| Ok(sections.remove_option(Some(&section), &option)))?;
            let Some(value) = removed.map(|entry| entry.plain()).filter(Data::is_true) else { continue };
            let mut changed = changes.get(&section).and_then(Data::as_dict).cloned().unwrap_or_default();
            changed.insert(option, value);
            changes.insert(section.as_str(), changed);
        }
    }
    file.write()?;
    Ok(done(changes))
}

fn preview_absent(wanted: &Dict, there: &Section) -> Preview {
    let mut preview = Preview::default();
    for (section, options) in &wanted.entries {
        let section = printed(section);
        for option in options.as_list().unwrap_or_default().iter().map(printed) {
            let what = format!("{option}{}", within(&section));
            if there.option(&section, &option).is_some_and(|entry| entry.plain().is_true()) {
                preview.other(&format!("Deleted key {what}"));
            } else {
                preview.same(&format!("Key {what} does not exist"));
            }
        }
    }
    preview
}

fn sections_present(call: &Call<'_>) -> Result<Return, Failed> {
    let mut file = File::read(call)?;
    let names = names(&call.args)?;
    if call.preview {
        let there = file.sections()?;
        let mut preview = Preview::default();
        for name in names {
            match there.get(&name) {
                Some(_) => preview.same(&format!("Section unchanged {name}")),
                None => preview.other(&format!("Created new section {name}")),
            }
        }
        return Ok(preview.done("No changes detected."));
    }
    let wanted = dict(names.into_iter().map(|name| (name, Data::from(Dict::default()))));
    let changes = file.set(&wanted, false)?;
    file.write()?;
    Ok(done(changes))
}

fn sections_absent(call: &Call<'_>) -> Result<Return, Failed> {
    let mut file = File::read(call)?;
    let names = names(&call.args)?;
    if call.preview {
        let there = file.sections()?;
        let mut preview = Preview::default();
        for name in names {
            match there.get(&name) {
                Some(_) => preview.other(&format!("Deleted section {name}")),
                None => preview.same(&format!("Section {name} does not exist")),
            }
        }
        return Ok(preview.done("No changes detected."));
    }
    let mut changes = Dict::default();
    for name in names {
        // A file without the section stays as it is.
        if file.sections()?.get(&name).is_none() {
            continue;
        }
        match file.change(|sections| Ok(sections.remove(&name)))? {
            Some(Entry::Section(section)) => drop(changes.insert(name, section.plain())),
            Some(text) => drop(changes.insert(name, text.plain())),
            None => {}
        }
    }
    if !changes.entries.is_empty() {
        file.write()?;
    }
    Ok(done(changes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str, entries: &[(&str, &str)], is_tight: bool) -> (String, Dict) {
        let format = Format::new("=", is_tight).unwrap();
        let mut sections = Section::read(text, format).unwrap();
        let body = dict(entries.iter().map(|(key, value)| (*key, Data::from(*value))));
        let changes = sections.update(&dict([("a", Data::from(body))])).unwrap();
        (sections.text(), changes)
    }

    #[test]
    fn what_is_not_spoken_of_stays() {
        let text = "; top\nx=1\n\n[a]\n# one\n#y = 2\nz=3\n  more\n\n\n[b]\nno option\n";
        let wanted = "; top\nx = 1\n\n[a]\n# one\ny = 5\nz = 3\n  more\n\n[b]\nno option\n";
        let (once, changes) = set(text, &[("y", "5")], false);
        assert_eq!(once, wanted);
        assert_eq!(format!("{changes:?}").matches("before").count(), 1);
        let (twice, changes) = set(&once, &[("y", "5")], false);
        assert_eq!((twice.as_str(), changes), (wanted, Dict::default()));
        assert_eq!(set("[a]\nx = 1", &[("x", "2")], true).0, "[a]\nx=2\n");
    }
}
