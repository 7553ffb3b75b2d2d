//! From tokens to nodes: what holds what, which tag it has, and which names point at it.
//!
//! Nodes stand in a list and name each other by their number, so that an alias is the very node it names.

mod collections;

use std::borrow::Cow;
use std::collections::HashMap;

use super::Error;
use super::reader::Mark;
use super::resolve::{Tag, resolve};
use super::scan::{Scanner, Spanned, Token, refuse};

/// How deep a text may nest: reading goes as deep in the stack, whose end would end the process.
pub(super) const DEEPEST: usize = 200;

/// The number of a node.
pub(super) type NodeId = usize;

/// One node of a document.
pub(super) struct Node<'a> {
    /// What it is to become.
    pub tag: Tag<'a>,
    /// Where it begins, with its tag and anchor.
    pub mark: Mark,
    /// What it holds.
    pub content: Content<'a>,
}

/// What a node holds.
pub(super) enum Content<'a> {
    Scalar(Cow<'a, str>),
    Sequence(Vec<NodeId>),
    Mapping(Vec<(NodeId, NodeId)>),
}

/// The nodes of the only document of a text.
pub(super) struct Document<'a> {
    /// Every node.
    pub nodes: Vec<Node<'a>>,
    /// The one that holds the others; none if the text is empty.
    pub root: Option<NodeId>,
}

/// The anchor and the tag before a node.
#[derive(Default)]
struct Properties<'a> {
    anchor: Option<&'a str>,
    tag: Option<Cow<'a, str>>,
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    nodes: Vec<Node<'a>>,
    anchors: HashMap<&'a str, NodeId>,
    handles: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    depth: usize,
}

/// Reads the only document of a text.
pub(super) fn parse(text: &str) -> Result<Document<'_>, Error> {
    let scanner = Scanner::new(text)?;
    let mut parser = Parser { scanner, nodes: Vec::new(), anchors: HashMap::new(), handles: Vec::new(), depth: 0 };
    let root = parser.document()?;
    Ok(Document { nodes: parser.nodes, root })
}

impl<'a> Parser<'a> {
    fn next_is(&mut self, token: &Token) -> Result<bool, Error> {
        Ok(self.scanner.peek()?.token == *token)
    }

    fn next_is_any(&mut self, tokens: &[Token]) -> Result<bool, Error> {
        let next = self.scanner.peek()?;
        Ok(tokens.contains(&next.token))
    }

    /// Takes the next token if it is this one.
    fn take_if(&mut self, token: &Token) -> Result<Option<Spanned<'a>>, Error> {
        if self.next_is(token)? { self.scanner.take().map(Some) } else { Ok(None) }
    }

    fn mark(&mut self) -> Result<Mark, Error> {
        Ok(self.scanner.peek()?.start)
    }

    // Documents.

    fn document(&mut self) -> Result<Option<NodeId>, Error> {
        let first = self.scanner.peek()?;
        let root = match first.token {
            Token::StreamEnd => return Ok(None),
            Token::Version { .. } | Token::TagDirective { .. } | Token::DocumentStart => {
                self.document_start()?;
                let next = self.scanner.peek()?;
                match next.token {
                    Token::Version { .. }
                    | Token::TagDirective { .. }
                    | Token::DocumentStart
                    | Token::DocumentEnd
                    | Token::StreamEnd => {
                        let mark = next.start;
                        self.empty(mark)
                    }
                    _ => self.node(true, false)?,
                }
            }
            _ => {
                self.add_default_handles();
                self.node(true, false)?
            }
        };
        while self.take_if(&Token::DocumentEnd)?.is_some() {}
        if !self.next_is(&Token::StreamEnd)? {
            self.handles.clear();
            let mark = self.mark()?;
            self.document_start()?;
            let problem = "expected a single document in the stream, but found another document";
            return Err(refuse(None, problem, mark));
        }
        Ok(Some(root))
    }

    /// Directives and `---`.
    fn document_start(&mut self) -> Result<(), Error> {
        let mut has_version = false;
        loop {
            let mark = self.mark()?;
            match self.scanner.take()?.token {
                Token::Version { .. } if has_version => {
                    return Err(refuse(None, "found duplicate %YAML directive", mark));
                }
                Token::Version { major: 1, minor: 1 | 2 } => has_version = true,
                Token::Version { .. } => return Err(refuse(None, "found incompatible YAML document", mark)),
                Token::TagDirective { handle, .. } if self.handles.iter().any(|(known, _)| *known == handle) => {
                    return Err(refuse(None, "found duplicate %TAG directive", mark));
                }
                Token::TagDirective { handle, prefix } => self.handles.push((handle, prefix)),
                Token::DocumentStart => break,
                _ => return Err(refuse(None, "did not find expected <document start>", mark)),
            }
        }
        self.add_default_handles();
        Ok(())
    }

    fn add_default_handles(&mut self) {
        // Found last, so that a directive of the document goes before them.
        self.handles.push(("!".into(), "!".into()));
        self.handles.push(("!!".into(), super::resolve::PREFIX.into()));
    }

    // Nodes.

    fn add(&mut self, tag: Tag<'a>, mark: Mark, content: Content<'a>) -> NodeId {
        self.nodes.push(Node { tag, mark, content });
        self.nodes.len() - 1
    }

    fn empty(&mut self, mark: Mark) -> NodeId {
        self.add(Tag::Null, mark, Content::Scalar("".into()))
    }

    /// One node. In a `block`, blocks may begin; the items of an `indentless` sequence may stand under their key.
    fn node(&mut self, block: bool, indentless: bool) -> Result<NodeId, Error> {
        let mark = self.mark()?;
        if let Token::Alias(name) = self.scanner.peek()?.token {
            self.scanner.take()?;
            let known = self.anchors.get(name).copied();
            return known.ok_or_else(|| refuse(None, &format!("found undefined alias '{name}'"), mark));
        }
        let properties = self.properties(mark)?;
        if let Some(&known) = properties.anchor.and_then(|name| self.anchors.get(name)) {
            // Told only when the node is certain to be one, else what is wrong with that comes first.
            self.content_follows(block, indentless, &properties, mark)?;
            let from = self.nodes.get(known).map_or(mark, |node| node.mark);
            let problem = format!("found duplicate anchor '{}'", properties.anchor.unwrap_or_default());
            return Err(refuse(Some(("first occurrence", from)), &problem, mark));
        }
        self.content_follows(block, indentless, &properties, mark)?;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(refuse(None, &format!("nested deeper than {DEEPEST} levels"), mark));
        }
        let node = self.content(indentless, properties, mark)?;
        self.depth -= 1;
        Ok(node)
    }

    fn properties(&mut self, mark: Mark) -> Result<Properties<'a>, Error> {
        let mut properties = Properties::default();
        let mut written = None;
        loop {
            let next = self.scanner.peek()?;
            match &next.token {
                Token::Anchor(name) if properties.anchor.is_none() => properties.anchor = Some(name),
                Token::Tag { handle, suffix } if written.is_none() => {
                    written = Some((handle.clone(), suffix.clone(), next.start));
                }
                _ => break,
            }
            self.scanner.take()?;
        }
        if let Some((handle, suffix, tag_mark)) = written {
            properties.tag = Some(if handle.is_empty() {
                suffix
            } else {
                let Some((_, prefix)) = self.handles.iter().find(|(known, _)| *known == handle) else {
                    let context = Some(("while parsing a node", mark));
                    return Err(refuse(context, &format!("found undefined tag handle '{handle}'"), tag_mark));
                };
                format!("{prefix}{suffix}").into()
            });
        }
        Ok(properties)
    }

    /// Refuses what can be no node.
    fn content_follows(
        &mut self,
        block: bool,
        indentless: bool,
        properties: &Properties,
        mark: Mark,
    ) -> Result<(), Error> {
        let next = self.scanner.peek()?;
        let is_content = match next.token {
            Token::Scalar { .. } | Token::FlowSequenceStart | Token::FlowMappingStart => true,
            Token::BlockSequenceStart | Token::BlockMappingStart => block,
            Token::BlockEntry => indentless,
            _ => false,
        };
        if is_content || properties.anchor.is_some() || properties.tag.is_some() {
            return Ok(());
        }
        let context = if block { "while parsing a block node" } else { "while parsing a flow node" };
        Err(refuse(Some((context, mark)), "did not find expected node content", next.start))
    }

    fn content(&mut self, indentless: bool, properties: Properties<'a>, mark: Mark) -> Result<NodeId, Error> {
        let Properties { anchor, tag } = properties;
        let next = self.scanner.peek()?;
        match next.token {
            Token::Scalar { .. } => {
                let Token::Scalar { text, is_plain } = self.scanner.take()?.token else {
                    return Err(refuse(None, "expected a scalar", mark));
                };
                let tag = match tag {
                    None if is_plain => resolve(&text),
                    None => Tag::Str,
                    Some(tag) if tag == "!" => resolve(&text),
                    Some(tag) => Tag::named(tag),
                };
                let node = self.add(tag, mark, Content::Scalar(text));
                self.name(anchor, node);
                Ok(node)
            }
            Token::BlockEntry if indentless => self.collection(Self::indentless_items, anchor, tag, mark),
            Token::FlowSequenceStart => self.collection(Self::flow_items, anchor, tag, mark),
            Token::BlockSequenceStart => self.collection(Self::block_items, anchor, tag, mark),
            Token::FlowMappingStart => self.collection(Self::flow_entries, anchor, tag, mark),
            Token::BlockMappingStart => self.collection(Self::block_entries, anchor, tag, mark),
            _ => {
                // Nothing follows the properties.
                let tag = match tag {
                    None => Tag::Null,
                    Some(tag) if tag == "!" => Tag::Str,
                    Some(tag) => Tag::named(tag),
                };
                let node = self.add(tag, mark, Content::Scalar("".into()));
                self.name(anchor, node);
                Ok(node)
            }
        }
    }

    fn name(&mut self, anchor: Option<&'a str>, node: NodeId) {
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, node);
        }
    }

    /// A collection is known by its anchor before its content is read, so that it may hold itself.
    fn collection(
        &mut self,
        read: fn(&mut Self) -> Result<Content<'a>, Error>,
        anchor: Option<&'a str>,
        tag: Option<Cow<'a, str>>,
        mark: Mark,
    ) -> Result<NodeId, Error> {
        let tag = tag.filter(|tag| tag != "!").map(Tag::named);
        let node = self.add(Tag::Null, mark, Content::Sequence(Vec::new()));
        self.name(anchor, node);
        let content = read(self)?;
        if let Some(node) = self.nodes.get_mut(node) {
            let default = if matches!(content, Content::Mapping(_)) { Tag::Map } else { Tag::Seq };
            node.tag = tag.unwrap_or(default);
            node.content = content;
        }
        Ok(node)
    }
}
