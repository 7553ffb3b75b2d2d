//! YAML as Ansible and Salt read it: a tree in which every value and key has its place.
//!
//! Plain words mean what YAML 1.1 says, as `PyYAML` has it: `yes` is true and `0644` is 420. What can be
//! made large with a few words, by nesting or by aliases, is refused before it is.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput, Tag};
use serde_json::Value;

use crate::config::source::{self, Source};
use crate::error::{Error, Result};
use crate::model::Place;

mod scalar;

/// The most values in a file, those that aliases repeat included.
const MAX_VALUES: usize = 2_000_000;

/// How deep values may be nested.
const MAX_DEPTH: usize = 64;

/// A value, with where it begins.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) content: Content,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// Null, true or false, a number or text.
    Scalar(Value),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<Entry>),
    /// A text that only ansible-vault can read.
    Vault,
}

/// A key of a mapping, and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    /// Whether the key was text, and not a number or a date.
    pub(super) is_text: bool,
    pub(super) place: Place,
    pub(super) value: Node,
}

/// Reads a file with one YAML document, or one JSON text; `None` when it has no value.
pub(super) fn read(source: &Source) -> Result<Option<Node>> {
    // Numbers are written in other ways in JSON.
    let json = serde_json::from_str::<serde::de::IgnoredAny>(source.text()).is_ok();
    Builder { source, json, values: 0, open: Vec::new(), anchors: HashMap::new(), root: None }.read()
}

impl Node {
    /// An error about the value.
    pub(super) fn error(&self, message: impl std::fmt::Display) -> Error {
        source::error(&self.place, message)
    }

    /// Whether nothing stands there.
    pub(super) fn is_null(&self) -> bool {
        matches!(self.content, Content::Scalar(Value::Null))
    }

    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The keys and values, if it is a mapping.
    pub(super) fn map(&self) -> Option<&[Entry]> {
        match &self.content {
            Content::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of a key, if it is a mapping that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.map()?.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// What it is, for an error that found it; never the value itself, which may be a secret.
    pub(super) fn kind(&self) -> &'static str {
        match &self.content {
            Content::Scalar(Value::Null) => "nothing",
            Content::Scalar(Value::Bool(_)) => "true or false",
            Content::Scalar(Value::Number(_)) => "a number",
            Content::Scalar(_) => "text",
            Content::List(_) => "a list",
            Content::Map(_) => "a mapping",
            Content::Vault => "a value of ansible-vault",
        }
    }

    /// The value as templates see it; the error is the place of a part that is encrypted.
    pub(super) fn json(&self) -> Result<Value, Place> {
        Ok(match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => items.iter().map(Self::json).collect::<Result<Vec<_>, _>>()?.into(),
            // As `ansible-inventory --list` writes text that is no template, and what it cannot read.
            Content::Map(entries) if matches!(&entries[..], [one] if one.key == "__ansible_unsafe") => {
                return entries[0].value.json();
            }
            Content::Map(entries) if matches!(&entries[..], [one] if one.key == "__ansible_vault") => {
                return Err(self.place.clone());
            }
            Content::Map(entries) => {
                let entries = entries.iter().map(|entry| Ok((entry.key.clone(), entry.value.json()?)));
                Value::Object(entries.collect::<Result<_, Place>>()?)
            }
            Content::Vault => return Err(self.place.clone()),
        })
    }
}

/// A list or mapping that is not closed yet.
struct Open {
    anchor: usize,
    /// How many values there were before it.
    before: usize,
    node: Node,
    /// The key that waits for its value: its name, whether it is text, and its place.
    key: Option<(String, bool, Place)>,
    seen: HashSet<String>,
    merged: Vec<Node>,
}

struct Builder<'s> {
    source: &'s Source,
    json: bool,
    values: usize,
    open: Vec<Open>,
    /// What an alias can repeat, with how many values it is.
    anchors: HashMap<usize, (Node, usize)>,
    root: Option<Node>,
}

impl Builder<'_> {
    fn read(mut self) -> Result<Option<Node>> {
        let mut parser = Parser::new(StrInput::new(self.source.text()));
        let mut documents = 0;
        while let Some(next) = parser.next_event() {
            let (event, span) = next.map_err(|error| self.unreadable(&error))?;
            let place = self.source.place_at(span.start.line(), span.start.col() + 1);
            match event {
                Event::DocumentStart(_) => {
                    documents += 1;
                    if documents > 1 {
                        return Err(source::error(&place, "wanted one YAML document, found a second one"));
                    }
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let content = self.scalar(&text, style, tag.as_deref(), &place)?;
                    let plain = style == ScalarStyle::Plain;
                    self.put(Node { place, content }, anchor, 1, plain && text == "<<")?;
                }
                Event::SequenceStart(anchor, tag) => {
                    self.begin(place, Content::List(Vec::new()), anchor, tag.as_deref())?;
                }
                Event::MappingStart(anchor, tag) => {
                    self.begin(place, Content::Map(Vec::new()), anchor, tag.as_deref())?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.end()?,
                Event::Alias(anchor) => {
                    // What is too large is refused before it is copied.
                    self.count(self.anchors.get(&anchor).map_or(0, |(_, values)| *values), &place)?;
                    let Some((node, _)) = self.anchors.get(&anchor).cloned() else {
                        return Err(source::error(&place, "the alias stands inside of what it repeats"));
                    };
                    self.put(Node { place, ..node }, 0, 0, false)?;
                }
                _ => {}
            }
        }
        Ok(self.root)
    }

    fn unreadable(&self, error: &saphyr_parser::ScanError) -> Error {
        let place = self.source.place_at(error.marker().line(), error.marker().col() + 1);
        let said = source::error(&place, format!("this cannot be read as YAML: {}", error.info()));
        let text = self.source.text();
        if text.contains("{%") || text.contains("{{") {
            said.hint("a text that begins with `{{` stands in quotes; upshift fills in no templates in inventories")
        } else {
            said
        }
    }

    /// Counts values against what a file may have.
    fn count(&mut self, more: usize, place: &Place) -> Result<()> {
        self.values = self.values.saturating_add(more);
        if self.values > MAX_VALUES {
            return Err(source::error(place, format!("more than {MAX_VALUES} values, with those that aliases repeat")));
        }
        Ok(())
    }

    fn scalar(&self, text: &str, style: ScalarStyle, tag: Option<&Tag>, place: &Place) -> Result<Content> {
        if text.starts_with("$ANSIBLE_VAULT;") {
            return Ok(Content::Vault);
        }
        let plain = || if style == ScalarStyle::Plain { scalar::resolve(text, self.json) } else { text.into() };
        let Some(tag) = tag else { return Ok(Content::Scalar(plain())) };
        let known = match (tag.is_yaml_core_schema(), tag.suffix.as_str()) {
            (false, "vault" | "vault-encrypted") => return Ok(Content::Vault),
            (true, "str") | (false, "unsafe") => Some(text.into()),
            (true, "int" | "float" | "bool" | "null") => Some(scalar::resolve(text, self.json)),
            _ => None,
        };
        known.map(Content::Scalar).ok_or_else(|| source::error(place, format!("the tag `{tag}` is not known here")))
    }

    fn begin(&mut self, place: Place, content: Content, anchor: usize, tag: Option<&Tag>) -> Result<()> {
        if let Some(tag) = tag.filter(|tag| !(tag.is_yaml_core_schema() && ["map", "seq"].contains(&&*tag.suffix))) {
            return Err(source::error(&place, format!("the tag `{tag}` is not known here")));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(source::error(&place, format!("values nested deeper than {MAX_DEPTH}")));
        }
        if let Some(Open { node: Node { content: Content::Map(_), .. }, key: None, .. }) = self.open.last() {
            let error = source::error(&place, "wanted a word as the key, found a list or mapping");
            return Err(error.hint("a text that begins with `{{`, `{` or `[` stands in quotes"));
        }
        let node = Node { place, content };
        self.open.push(Open { anchor, before: self.values, node, key: None, seen: HashSet::new(), merged: Vec::new() });
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        let Some(mut open) = self.open.pop() else { return Ok(()) };
        if let Content::Map(entries) = &mut open.node.content {
            // What stands there itself wins, then the first of several that are merged.
            for merged in open.merged {
                let Content::Map(more) = merged.content else { continue };
                entries.extend(more.into_iter().filter(|entry| open.seen.insert(entry.key.clone())));
            }
        }
        let values = self.values - open.before + 1;
        self.put(open.node, open.anchor, 1, false)?;
        if let Some((_, size)) = self.anchors.get_mut(&open.anchor) {
            *size = values;
        }
        Ok(())
    }

    /// Puts a value where it belongs: into what is open, or as the whole document.
    fn put(&mut self, node: Node, anchor: usize, values: usize, merge: bool) -> Result<()> {
        self.count(values, &node.place)?;
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), 1));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut open.node.content, open.key.take()) {
            (Content::List(items), _) => items.push(node),
            (Content::Map(_), None) => open.key = Some(key(node, merge)?),
            (Content::Map(_), Some((name, false, place))) if name == "<<" => {
                open.merged.extend(mappings(node, &place)?);
            }
            (Content::Map(entries), Some((key, is_text, place))) => {
                if !open.seen.insert(key.clone()) {
                    return Err(source::error(&place, format!("the key `{key}` stands here twice")));
                }
                entries.push(Entry { key, is_text, place, value: node });
            }
            (Content::Scalar(_) | Content::Vault, _) => {}
        }
        Ok(())
    }
}

/// A value as a key: its name, whether it is text, and its place. A merge, `<<`, is no text.
fn key(node: Node, merge: bool) -> Result<(String, bool, Place)> {
    match node.content {
        Content::Scalar(Value::String(name)) => Ok((name, !merge, node.place)),
        Content::Scalar(value) => Ok((value.to_string(), false, node.place)),
        _ => Err(source::error(&node.place, "wanted a word as the key")),
    }
}

/// What `<<` takes in: a mapping, or a list of them.
fn mappings(node: Node, place: &Place) -> Result<Vec<Node>> {
    match node.content {
        Content::Map(_) => Ok(vec![node]),
        Content::List(items) if items.iter().all(|item| item.map().is_some()) => Ok(items),
        _ => Err(source::error(place, "`<<` takes in a mapping or a list of mappings")),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn json(text: &str) -> String {
        match read(&Source::new("f", text).unwrap()) {
            Ok(Some(node)) => node.json().map_or_else(|place| format!("vault at {place}"), |value| value.to_string()),
            Ok(None) => "nothing".into(),
            Err(error) => error.message,
        }
    }

    #[test]
    fn plain_words_mean_what_yaml_1_1_says_and_quoted_ones_are_text() {
        assert_eq!(
            json("[yes, 'yes', 0644, 0o17, 1_000, 1:30, ~, .5, 1e3, 1.5e+3, NO, null]"),
            r#"[true,"yes",420,"0o17",1000,90,null,0.5,"1e3",1500.0,false,null]"#
        );
        assert_eq!(json("{\"a\": 1e3, \"b\": true, \"c\": \"yes\"}"), r#"{"a":1000.0,"b":true,"c":"yes"}"#);
        assert_eq!(
            json("a: !!str 012\nb: !unsafe '{{ x }}'\nc: 2001-12-14"),
            r#"{"a":"012","b":"{{ x }}","c":"2001-12-14"}"#
        );
    }

    #[test]
    fn merges_give_way_to_what_stands_there_itself() {
        let text = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc:\n  x: 5\n  <<: [*a, *b]\n";
        assert_eq!(json(text), r#"{"a":{"x":1,"y":2},"b":{"y":3,"z":4},"c":{"x":5,"y":2,"z":4}}"#);
        assert_eq!(json("'<<': 1"), r#"{"<<":1}"#);
    }

    #[test]
    fn what_cannot_be_taken_has_a_place() {
        assert_eq!(json("a: 1\na: 2"), "f:2:1: the key `a` stands here twice");
        assert_eq!(json("a: 1\n---\nb: 2"), "f:2:1: wanted one YAML document, found a second one");
        assert_eq!(json("a: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n"), "vault at f:1:4");
        assert_eq!(
            json("a: !!python/object:os.system x"),
            "f:1:4: the tag `tag:yaml.org,2002:!python/object:os.system` is not known here"
        );
        assert_eq!(json("a: &a [*a]"), "f:1:8: the alias stands inside of what it repeats");
        assert_eq!(json(""), "nothing");
    }

    #[test]
    fn neither_nesting_nor_aliases_fill_the_memory() {
        assert_eq!(json(&"- ".repeat(100_000)), format!("f:1:{}: values nested deeper than 64", 2 * 64 + 1));
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for n in 1..12 {
            let tenfold = vec![format!("*a{}", n - 1); 10].join(", ");
            writeln!(bomb, "a{n}: &a{n} [{tenfold}]").unwrap();
        }
        assert!(json(&bomb).contains("more than 2000000 values"), "{}", json(&bomb));
    }
}
