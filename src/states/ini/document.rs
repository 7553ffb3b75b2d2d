//! A file of sections and options, read and written as Salt's `ini` module does: comments stay, what surrounds a
//! separator does not, and a comment that says what an option says by now goes.

use std::rc::Rc;
use std::sync::LazyLock;

use indexmap::IndexMap;

use crate::formula::regex::{Options, Regex};
use crate::formula::{Data, Dict};
use crate::states::Failed;
use crate::states::returns::dict;

/// A line with the name of a section. Blank lines around it belong to it.
static HEAD: LazyLock<Option<regex::Regex>> = LazyLock::new(|| regex::Regex::new(r"(?m)^\s*\[(.+?)\]\s*$").ok());

/// The beginning of the names under which lines are kept that are no options.
const COMMENT: &str = "#comment";
const UNKNOWN: &str = "#unknown";

/// How options are read and written.
#[derive(Debug, Clone)]
pub(super) struct Format {
    /// What is between an option and its value.
    separator: String,
    /// A line with an option.
    line: Rc<Regex>,
    /// Whether the separator stands there without blanks.
    is_tight: bool,
}

/// A section of a file, or a file as a whole.
#[derive(Debug, Clone)]
pub(super) struct Section {
    entries: IndexMap<String, Entry>,
    format: Format,
}

/// What is under a name.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    Text(String),
    Section(Section),
}

impl Format {
    pub(super) fn new(separator: &str, is_tight: bool) -> Result<Self, Failed> {
        let pattern = format!(r"(\s*)(.+?)\s*(\{separator})\s*(.*)\s*");
        let line = Regex::new(&pattern, Options { at_start: true, ..Options::default() });
        let line = line.map_err(|error| format!("cannot look for the separator `{separator}`: {error}"))?;
        Ok(Self { separator: separator.to_owned(), line: Rc::new(line), is_tight })
    }

    /// The same with or without blanks around the separator.
    pub(super) fn tight(&self, is_tight: bool) -> Self {
        Self { is_tight, ..self.clone() }
    }

    /// The same with another separator.
    fn with(&self, separator: &str) -> Result<Self, Failed> {
        if separator == self.separator { Ok(self.clone()) } else { Self::new(separator, self.is_tight) }
    }

    /// A line of an option.
    fn option(&self, name: &str, value: &str) -> String {
        let separator = match self.separator.trim() {
            _ if self.separator.bytes().all(|byte| byte == b' ') => " ".to_owned(),
            bare if self.is_tight => bare.to_owned(),
            bare => format!(" {bare} "),
        };
        format!("{name}{separator}{value}\n")
    }
}

impl Entry {
    /// The value as it is in changes.
    pub(super) fn plain(&self) -> Data {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Section(section) => {
                let entries = section.entries.iter();
                dict(entries.map(|(name, entry)| (name.as_str(), entry.plain()))).into()
            }
        }
    }
}

impl Section {
    pub(super) fn new(format: Format) -> Self {
        Self { entries: IndexMap::new(), format }
    }

    /// Reads a file.
    #[expect(clippy::needless_pass_by_value, reason = "it is a word")]
    pub(super) fn read(text: &str, format: Format) -> Result<Self, Failed> {
        let text = crate::states::edit::lines::bare(text).join("\n");
        let mut file = Self::new(format.clone());
        let Some(head) = HEAD.as_ref() else { return Ok(file) };
        let heads: Vec<regex::Captures<'_>> = head.captures_iter(&text).collect();
        let begins = heads.iter().filter_map(|head| head.get(0)).map(|whole| whole.start()).chain([text.len()]);
        let mut begins = begins.peekable();
        file.read_lines(text.get(..begins.next().unwrap_or(0)).unwrap_or_default())?;
        let found_separator = file.format.separator.clone();
        for head in &heads {
            let (Some(whole), Some(name)) = (head.get(0), head.get(1)) else { continue };
            let end = begins.next().unwrap_or(text.len());
            let mut section = Self::new(format.with(&found_separator)?);
            section.read_lines(text.get(whole.end()..end).unwrap_or_default())?;
            let section = file.child(section.entries)?;
            file.assign(name.as_str(), Entry::Section(section))?;
        }
        Ok(file)
    }

    /// A section of this one with entries that came from elsewhere.
    fn child(&self, entries: impl IntoIterator<Item = (String, Entry)>) -> Result<Self, Failed> {
        let mut section = Self::new(self.format.clone());
        for (name, entry) in entries {
            section.assign(&name, entry)?;
        }
        Ok(section)
    }

    /// What the SLS says of a section.
    pub(super) fn of_data(&self, wanted: &Dict) -> Result<Self, Failed> {
        let mut section = Self::new(self.format.clone());
        section.update(wanted)?;
        Ok(section)
    }

    /// Puts in what the SLS says. Returns what is another one than before.
    pub(super) fn update(&mut self, wanted: &Dict) -> Result<Dict, Failed> {
        let mut changes = Dict::default();
        for (name, value) in &wanted.entries {
            let entry = match value {
                Data::Dict(section) => Entry::Section(self.of_data(section)?),
                value => Entry::Text(super::printed(value)),
            };
            let name = super::printed(name);
            if let Some(change) = self.assign(&name, entry)? {
                changes.insert(name, change);
            }
        }
        Ok(changes)
    }

    fn assign(&mut self, name: &str, entry: Entry) -> Result<Option<Data>, Failed> {
        let change = |before: Data, after: Data| Some(dict([("before", before), ("after", after)]).into());
        let after = entry.plain();
        let found = match (self.entries.get_mut(name), entry) {
            (None, entry) => {
                let is_text = matches!(entry, Entry::Text(_));
                let at = if is_text { self.commented(name)? } else { None };
                // An option takes the place of the comment that it was.
                let at = at.inspect(|at| drop(self.entries.shift_remove_index(*at))).unwrap_or(self.entries.len());
                self.entries.shift_insert(at, name.to_owned(), entry);
                return Ok(change(Data::None, after));
            }
            (Some(Entry::Section(there)), Entry::Section(wanted)) => {
                let mut changes = Dict::default();
                for (name, entry) in wanted.entries {
                    let entry = match entry {
                        Entry::Section(section) => Entry::Section(there.child(section.entries)?),
                        text @ Entry::Text(_) => text,
                    };
                    if let Some(change) = there.assign(&name, entry)? {
                        changes.insert(name, change);
                    }
                }
                return Ok(Some(changes).filter(|changes| !changes.entries.is_empty()).map(Data::from));
            }
            (Some(Entry::Section(_)), Entry::Text(_)) => {
                return Err(format!("`{name}` is a section, and no option").into());
            }
            (Some(found), entry) => std::mem::replace(found, entry),
        };
        let before = found.plain();
        Ok(if before == after { None } else { change(before, after) })
    }

    /// Where the option is commented out.
    fn commented(&self, name: &str) -> Result<Option<usize>, Failed> {
        for (at, (kept, entry)) in self.entries.iter().enumerate() {
            let Entry::Text(comment) = entry else { continue };
            if kept.contains(COMMENT)
                && let Some(option) = self.format.option_of(comment.trim_start_matches('#'))?
                && option.name == name
            {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    fn read_lines(&mut self, text: &str) -> Result<(), Failed> {
        let text = text.trim_matches('\n');
        if text.is_empty() {
            return Ok(());
        }
        let (mut comments, mut unknown) = (0, 0);
        let mut indent = String::new();
        for line in text.split('\n') {
            let bare = line.trim_start();
            if bare.starts_with(['#', ';']) {
                comments += 1;
                self.assign(&format!("{COMMENT}{comments}"), Entry::Text(line.to_owned()))?;
                continue;
            }
            let own = line.get(..line.len() - bare.len()).unwrap_or_default().replace('\t', "    ");
            // What is indented further goes on with the value above.
            if own > indent
                && let Some((_, Entry::Text(value))) = self.entries.last_mut()
            {
                value.extend(["\n", line]);
                continue;
            }
            if let Some(option) = self.format.option_of(line)? {
                indent = option.indent.replace('\t', "    ");
                self.format.separator = option.separator;
                self.assign(&option.name, Entry::Text(option.value))?;
            } else {
                unknown += 1;
                self.assign(&format!("{UNKNOWN}{unknown}"), Entry::Text(line.to_owned()))?;
            }
        }
        Ok(())
    }

    /// What the file says, without the lines that are no options.
    pub(super) fn plain(&self) -> Dict {
        let entries = self.entries.iter().filter(|(name, _)| !name.starts_with('#'));
        let plain = |entry: &Entry| match entry {
            Entry::Section(section) => section.plain().into(),
            text @ Entry::Text(_) => text.plain(),
        };
        dict(entries.map(|(name, entry)| (name.as_str(), plain(entry))))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// An option of a section.
    pub(super) fn option(&self, section: &str, name: &str) -> Option<&Entry> {
        match self.entries.get(section)? {
            Entry::Section(section) => section.entries.get(name),
            Entry::Text(_) => None,
        }
    }

    /// Takes an option out of a section, or where there is no such section out of those before all sections.
    pub(super) fn remove_option(&mut self, section: Option<&str>, name: &str) -> Option<Entry> {
        match section.and_then(|section| self.entries.get_mut(section)) {
            Some(Entry::Section(section)) => section.entries.shift_remove(name),
            _ => self.entries.shift_remove(name),
        }
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Entry> {
        self.entries.shift_remove(name)
    }

    /// The file as text.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        // A section at the beginning has no blank line before it.
        let is_section_first = !self.entries.values().any(|entry| matches!(entry, Entry::Text(_)));
        if is_section_first { text.trim_start_matches('\n').to_owned() } else { text }
    }

    fn write(&self, text: &mut String) {
        for (name, entry) in &self.entries {
            match entry {
                Entry::Text(line) if name.trim_start().starts_with(['#', ';']) => text.extend([line, "\n"]),
                Entry::Text(value) => *text += &self.format.option(name, value),
                Entry::Section(_) => {}
            }
        }
        for (name, entry) in &self.entries {
            if let Entry::Section(section) = entry {
                text.extend(["\n[", name, "]\n"]);
                section.write(text);
            }
        }
    }
}

/// A line with an option, taken apart.
struct Line {
    indent: String,
    name: String,
    separator: String,
    value: String,
}

impl Format {
    fn option_of(&self, line: &str) -> Result<Option<Line>, Failed> {
        let captures = self.line.captures(line).map_err(|error| error.to_string())?;
        Ok(captures.map(|captures| {
            let group = |index| captures.get(index).map_or("", |group| group.as_str()).to_owned();
            Line { indent: group(1), name: group(2), separator: group(3), value: group(4) }
        }))
    }
}
