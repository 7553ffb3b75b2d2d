//! From nodes to values, as Salt's loader builds them.
//!
//! First every node is checked, level by level as Python does it, so that of several mistakes the same one is
//! told. Then values are put together from the inside, each node once: an alias is the same object.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use base64::Engine as _;
use indexmap::IndexMap;

use super::number::{float, int};
use super::parse::{Content, DEEPEST, Document, Node, NodeId};
use super::reader::Mark;
use super::resolve::{PREFIX, Tag};
use super::scan::refuse;
use super::{Error, Mappings};
use crate::formula::{Data, Dict};

/// How many values a text may come to once its aliases are written out, and its merges carried out.
const MOST_VALUES: usize = 1_000_000;

/// How far a node has come.
#[derive(Clone, Default)]
enum State {
    /// Not looked at.
    #[default]
    New,
    /// A collection whose content is still to be checked.
    Known,
    /// A checked sequence.
    Items(Vec<NodeId>),
    /// A checked mapping.
    Entries(IndexMap<Data, NodeId>),
    /// A checked set, which becomes the list of its members.
    Members(Vec<Data>),
    /// A collection that is being put together.
    Begun,
    /// A value, how deep it nests and how many values are in it.
    Done(Data, usize, usize),
}

struct Constructor<'a> {
    nodes: Vec<Node<'a>>,
    states: Vec<State>,
    mappings: Mappings,
    waiting: VecDeque<NodeId>,
    merged: usize,
}

/// The value of a document.
pub(super) fn construct(document: Document, mappings: Mappings) -> Result<Data, Error> {
    let Some(root) = document.root else { return Ok(Data::None) };
    let states = vec![State::New; document.nodes.len()];
    let mut constructor = Constructor { nodes: document.nodes, states, mappings, waiting: VecDeque::new(), merged: 0 };
    constructor.check(root)?;
    while let Some(node) = constructor.waiting.pop_front() {
        constructor.check_content(node)?;
    }
    constructor.finish(root, 0).map(|(data, ..)| data)
}

impl Constructor<'_> {
    fn mark(&self, node: NodeId) -> Mark {
        self.nodes.get(node).map(|node| node.mark).unwrap_or_default()
    }

    fn kind(&self, node: NodeId) -> &'static str {
        match self.nodes.get(node).map(|node| &node.content) {
            Some(Content::Sequence(_)) => "sequence",
            Some(Content::Mapping(_)) => "mapping",
            _ => "scalar",
        }
    }

    fn wrong_kind(&self, node: NodeId, wanted: &str) -> Error {
        refuse(None, &format!("expected a {wanted} node, but found {}", self.kind(node)), self.mark(node))
    }

    fn set(&mut self, node: NodeId, state: State) {
        if let Some(place) = self.states.get_mut(node) {
            *place = state;
        }
    }

    // Checking.

    /// Makes the value of a scalar, and puts a collection off.
    fn check(&mut self, id: NodeId) -> Result<(), Error> {
        let Some(node) = self.nodes.get(id) else { return Ok(()) };
        if !matches!(self.states.get(id), Some(State::New)) {
            return Ok(());
        }
        let data = match &node.tag {
            Tag::Seq | Tag::Map | Tag::Omap | Tag::Pairs | Tag::Set => {
                self.set(id, State::Known);
                self.waiting.push_back(id);
                return Ok(());
            }
            Tag::Merge => return Err(unknown(&format!("{PREFIX}merge"), node.mark)),
            Tag::Value => return Err(unknown(&format!("{PREFIX}value"), node.mark)),
            Tag::Unknown(tag) => return Err(unknown(tag, node.mark)),
            // Salt looks at the text of whole numbers before it is certain that there is one.
            Tag::Int if !matches!(node.content, Content::Scalar(_)) => return Err(self.wrong_kind(id, "scalar")),
            tag => {
                let text = self.scalar(id, 0)?;
                scalar_value(tag, text, self.is_salts()).map_err(|problem| refuse(None, &problem, node.mark))?
            }
        };
        self.set(id, State::Done(data, 0, 1));
        Ok(())
    }

    /// The text of a scalar; of a mapping the value under `=`, which stands for all of it.
    fn scalar(&self, id: NodeId, depth: usize) -> Result<&str, Error> {
        match self.nodes.get(id).map(|node| &node.content) {
            Some(Content::Scalar(text)) => Ok(text),
            Some(Content::Mapping(entries)) if depth < DEEPEST => {
                let is_value = |key: &NodeId| self.nodes.get(*key).is_some_and(|key| key.tag == Tag::Value);
                match entries.iter().find(|(key, _)| is_value(key)) {
                    Some((_, value)) => self.scalar(*value, depth + 1),
                    None => Err(self.wrong_kind(id, "scalar")),
                }
            }
            _ => Err(self.wrong_kind(id, "scalar")),
        }
    }

    /// Checks what a collection holds.
    fn check_content(&mut self, id: NodeId) -> Result<(), Error> {
        let Some(node) = self.nodes.get(id) else { return Ok(()) };
        let state = match (&node.tag, &node.content) {
            (Tag::Seq, Content::Sequence(items)) => {
                let items = items.clone();
                for item in &items {
                    self.check(*item)?;
                }
                State::Items(items)
            }
            (Tag::Pairs, Content::Sequence(items)) => {
                let items = items.clone();
                self.check_pairs(id, &items)?;
                State::Items(items)
            }
            (Tag::Map | Tag::Omap, Content::Mapping(_)) => State::Entries(self.check_entries(id)?),
            (Tag::Set, Content::Mapping(_)) => State::Members(self.check_entries(id)?.into_keys().collect()),
            (Tag::Map | Tag::Omap | Tag::Set, _) => return Err(self.wrong_kind(id, "mapping")),
            (Tag::Pairs, _) => {
                let problem = format!("expected a sequence, but found {}", self.kind(id));
                return Err(refuse(Some(("while constructing pairs", node.mark)), &problem, node.mark));
            }
            _ => return Err(self.wrong_kind(id, "sequence")),
        };
        self.set(id, state);
        Ok(())
    }

    fn check_pairs(&mut self, id: NodeId, items: &[NodeId]) -> Result<(), Error> {
        let context = Some(("while constructing pairs", self.mark(id)));
        for item in items {
            let problem = match self.nodes.get(*item).map(|node| &node.content) {
                Some(Content::Mapping(entries)) => match *entries.as_slice() {
                    [(key, value)] => {
                        self.check(key)?;
                        self.check(value)?;
                        self.set(*item, State::Items(vec![key, value]));
                        continue;
                    }
                    _ => format!("expected a single mapping item, but found {} items", entries.len()),
                },
                _ => format!("expected a mapping of length 1, but found {}", self.kind(*item)),
            };
            return Err(refuse(context, &problem, self.mark(*item)));
        }
        Ok(())
    }

    fn check_entries(&mut self, id: NodeId) -> Result<IndexMap<Data, NodeId>, Error> {
        self.flatten(id, 0)?;
        let Some(Node { content: Content::Mapping(entries), mark, .. }) = self.nodes.get(id) else {
            return Err(self.wrong_kind(id, "mapping"));
        };
        let (context, entries) = (Some(("while constructing a mapping", *mark)), entries.clone());
        let mut checked = IndexMap::with_capacity(entries.len());
        for (key, value) in entries {
            self.check(key)?;
            let Some(State::Done(name, ..)) = self.states.get(key) else {
                let problem = format!("found unacceptable key (a {})", self.kind(key));
                return Err(refuse(context, &problem, self.mark(key)));
            };
            let name = name.clone();
            self.check(value)?;
            match checked.entry(name) {
                indexmap::map::Entry::Vacant(place) => _ = place.insert(value),
                indexmap::map::Entry::Occupied(mut place) if !self.is_salts() => _ = place.insert(value),
                indexmap::map::Entry::Occupied(place) => {
                    let problem = format!("found conflicting ID '{}'", key_text(place.key()));
                    return Err(refuse(context, &problem, self.mark(key)));
                }
            }
        }
        Ok(checked)
    }

    // Merging.

    fn has_special_key(&self, entries: &[(NodeId, NodeId)]) -> bool {
        let is_special =
            |key: NodeId| self.nodes.get(key).is_some_and(|key| matches!(key.tag, Tag::Merge | Tag::Value));
        entries.iter().any(|(key, _)| is_special(*key))
    }

    /// Puts what `<<` names before the mapping's own entries, once; keys that it has itself are left out.
    fn flatten(&mut self, id: NodeId, depth: usize) -> Result<(), Error> {
        let Some(Node { content: Content::Mapping(entries), mark, .. }) = self.nodes.get(id) else { return Ok(()) };
        if !self.has_special_key(entries) {
            return Ok(());
        }
        if depth > DEEPEST {
            return Err(refuse(None, &format!("merged through more than {DEEPEST} mappings"), *mark));
        }
        let (mut own, mut merged) = (Vec::new(), Vec::new());
        for (key, value) in self.take_entries(id) {
            match self.nodes.get_mut(key) {
                Some(Node { tag: Tag::Merge, .. }) => self.merge(id, value, depth, &mut merged)?,
                Some(Node { tag: tag @ Tag::Value, .. }) => {
                    *tag = Tag::Str;
                    own.push((key, value));
                }
                _ => own.push((key, value)),
            }
        }
        let is_salts = self.is_salts();
        let text = |key: NodeId| match self.nodes.get(key).map(|node| &node.content) {
            Some(Content::Scalar(text)) => Some(text.as_ref()),
            _ => None,
        };
        // Keys are compared as they are written: `1` of one's own leaves out a merged `"1"`.
        let names: HashSet<&str> = own.iter().filter_map(|(key, _)| text(*key)).collect();
        merged.retain(|(key, _)| !is_salts || text(*key).is_none_or(|key| !names.contains(key)));
        merged.append(&mut own);
        self.merged = self.merged.saturating_add(merged.len());
        if self.merged > MOST_VALUES {
            return Err(refuse(None, &format!("merging more than {MOST_VALUES} values"), self.mark(id)));
        }
        if let Some(Node { content: Content::Mapping(entries), .. }) = self.nodes.get_mut(id) {
            *entries = merged;
        }
        Ok(())
    }

    fn take_entries(&mut self, id: NodeId) -> Vec<(NodeId, NodeId)> {
        match self.nodes.get_mut(id).map(|node| &mut node.content) {
            Some(Content::Mapping(entries)) => std::mem::take(entries),
            _ => Vec::new(),
        }
    }

    /// Adds the entries of a mapping, or of a list of mappings from the last to the first.
    fn merge(
        &mut self,
        into: NodeId,
        from: NodeId,
        depth: usize,
        merged: &mut Vec<(NodeId, NodeId)>,
    ) -> Result<(), Error> {
        let context = Some(("while constructing a mapping", self.mark(into)));
        let refuse_kind = |constructor: &Self, node: NodeId, wanted: &str| {
            let problem = format!("expected {wanted} for merging, but found {}", constructor.kind(node));
            refuse(context, &problem, constructor.mark(node))
        };
        let sources = match self.nodes.get(from).map(|node| &node.content) {
            Some(Content::Mapping(_)) => vec![from],
            Some(Content::Sequence(items)) => items.clone(),
            _ => return Err(refuse_kind(self, from, "a mapping or list of mappings")),
        };
        let mut found = Vec::with_capacity(sources.len());
        for source in sources {
            self.flatten(source, depth + 1)?;
            match self.nodes.get(source).map(|node| &node.content) {
                Some(Content::Mapping(entries)) => found.push(entries.clone()),
                _ => return Err(refuse_kind(self, source, "a mapping")),
            }
            let count = found.iter().map(Vec::len).sum::<usize>();
            if merged.len() + count > MOST_VALUES {
                return Err(refuse(None, &format!("merging more than {MOST_VALUES} values"), self.mark(into)));
            }
        }
        merged.extend(found.into_iter().rev().flatten());
        Ok(())
    }

    // Putting together.

    /// The value of a checked node, how deep it nests and how many values are in it.
    fn finish(&mut self, id: NodeId, depth: usize) -> Result<(Data, usize, usize), Error> {
        let state = self.states.get_mut(id).map(|state| std::mem::replace(state, State::Begun)).unwrap_or_default();
        let (mut height, mut count) = (0, 1_usize);
        if depth > DEEPEST {
            return Err(refuse(None, &format!("nested deeper than {DEEPEST} levels"), self.mark(id)));
        }
        let mut inner = |constructor: &mut Self, node| {
            let (data, inner_height, inner_count) = constructor.finish(node, depth + 1)?;
            height = height.max(inner_height + 1);
            count = count.saturating_add(inner_count);
            Ok::<_, Error>(data)
        };
        let data = match state {
            State::Done(data, inner_height, inner_count) => {
                (height, count) = (inner_height, inner_count);
                data
            }
            State::Begun => return Err(refuse(None, "found unconstructable recursive node", self.mark(id))),
            State::New | State::Known => Data::None,
            State::Items(items) => {
                items.into_iter().map(|item| inner(self, item)).collect::<Result<Vec<_>, _>>()?.into()
            }
            State::Entries(entries) => {
                let mut dict = Dict { entries: IndexMap::with_capacity(entries.len()), is_ordered: self.is_ordered() };
                for (key, value) in entries {
                    dict.entries.insert(key, inner(self, value)?);
                }
                dict.into()
            }
            State::Members(members) => {
                count = members.len();
                members.into()
            }
        };
        if height > DEEPEST {
            return Err(refuse(None, &format!("nested deeper than {DEEPEST} levels"), self.mark(id)));
        }
        if count > MOST_VALUES {
            return Err(refuse(None, &format!("more than {MOST_VALUES} values"), self.mark(id)));
        }
        self.set(id, State::Done(data.clone(), height, count));
        Ok((data, height, count))
    }

    /// Whether numbers and keys are read as Salt reads them.
    fn is_salts(&self) -> bool {
        self.mappings != Mappings::PyYaml
    }

    fn is_ordered(&self) -> bool {
        self.mappings == Mappings::Ordered
    }
}

fn unknown(tag: &str, mark: Mark) -> Error {
    refuse(None, &format!("could not determine a constructor for the tag '{tag}'"), mark)
}

/// What Python's `str` makes of a key.
fn key_text(key: &Data) -> String {
    match key {
        Data::Str(text) => text.to_string(),
        Data::Bool(true) => "True".to_owned(),
        Data::Bool(false) => "False".to_owned(),
        Data::Float(number) => crate::formula::template::value::float_text(*number),
        other => format!("{other:?}"),
    }
}

fn scalar_value(tag: &Tag, text: &str, is_salts: bool) -> Result<Data, String> {
    Ok(match tag {
        Tag::Null => Data::None,
        Tag::Bool => match text.to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" => Data::Bool(true),
            "no" | "false" | "off" => Data::Bool(false),
            _ => return Err(format!("expected a truth value, but found '{text}'")),
        },
        Tag::Int => int(text, is_salts).ok_or_else(|| format!("expected a whole number, but found '{text}'"))?,
        Tag::Float => Data::Float(float(text).ok_or_else(|| format!("expected a number, but found '{text}'"))?),
        Tag::Binary => binary(text)?.into(),
        _ => Data::Str(Arc::from(text)),
    })
}

/// The text that was written in base 64. What is no text has no place in a formula.
fn binary(text: &str) -> Result<String, String> {
    use base64::alphabet::STANDARD;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical);
    let digits: String =
        text.chars().filter(|digit| digit.is_ascii_alphanumeric() || matches!(digit, '+' | '/' | '=')).collect();
    let bytes = GeneralPurpose::new(&STANDARD, LENIENT).decode(digits);
    let bytes = bytes.map_err(|error| format!("failed to decode base64 data: {error}"))?;
    String::from_utf8(bytes).map_err(|_| "expected text in base64, but found other bytes".to_owned())
}
