//! From characters to tokens, where libyaml sees them.
//!
//! YAML's difficulty sits here: `:` makes a key of what stands before it, so that a token is only handed out
//! when nothing after it can still turn it into one. What is accepted, and where it is refused, is libyaml's.

mod fetch;
mod properties;
mod scalars;

use std::borrow::Cow;
use std::collections::VecDeque;

use super::Error;
use super::reader::{Mark, Reader};

/// A key may be this many characters long when it is not announced by `?`.
const LONGEST_SIMPLE_KEY: usize = 1024;

/// What a piece of a text is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'a> {
    StreamEnd,
    Version { major: u32, minor: u32 },
    TagDirective { handle: Cow<'a, str>, prefix: Cow<'a, str> },
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'a str),
    Anchor(&'a str),
    Tag { handle: Cow<'a, str>, suffix: Cow<'a, str> },
    Scalar { text: Cow<'a, str>, is_plain: bool },
}

/// A token and where it stands.
#[derive(Debug)]
pub(super) struct Spanned<'a> {
    pub token: Token<'a>,
    pub start: Mark,
    pub end: Mark,
}

/// Where a key may have begun that has no `?` before it.
#[derive(Clone, Copy, Default)]
struct SimpleKey {
    is_possible: bool,
    is_required: bool,
    token: usize,
    mark: Mark,
}

/// Hands out the tokens of a text.
pub(super) struct Scanner<'a> {
    reader: Reader<'a>,
    waiting: VecDeque<Spanned<'a>>,
    /// How many tokens have been handed out.
    taken: usize,
    /// Whether nothing can come before the next token any more.
    is_ready: bool,
    /// Whether the last token is among those that wait or were handed out.
    is_done: bool,
    /// The column of the block collection that is open; none before the first.
    indent: Option<usize>,
    outer_indents: Vec<Option<usize>>,
    is_key_allowed: bool,
    /// One for the block context and one for each open bracket.
    keys: Vec<SimpleKey>,
}

/// A refusal in libyaml's words.
pub(super) fn refuse(context: Option<(&str, Mark)>, problem: &str, mark: Mark) -> Error {
    let message = match context {
        Some((context, from)) if from != mark => {
            format!("{problem}, {context} (line {}, column {})", from.line + 1, from.column + 1)
        }
        Some((context, _)) => format!("{problem}, {context}"),
        None => problem.to_owned(),
    };
    Error { message, line: mark.line + 1, column: mark.column + 1 }
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, Error> {
        Ok(Self {
            reader: Reader::new(text)?,
            waiting: VecDeque::new(),
            taken: 0,
            is_ready: false,
            is_done: false,
            indent: None,
            outer_indents: Vec::new(),
            is_key_allowed: true,
            keys: vec![SimpleKey::default()],
        })
    }

    /// The next token, which stays the next.
    pub(super) fn peek(&mut self) -> Result<&Spanned<'a>, Error> {
        while !self.is_ready {
            self.is_ready = self.is_next_certain()?;
            if !self.is_ready {
                self.fetch()?;
            }
        }
        // Once the end has been taken there is nothing to wait for; the parser never asks beyond it.
        let mark = self.reader.mark;
        if self.waiting.is_empty() {
            self.waiting.push_back(Spanned { token: Token::StreamEnd, start: mark, end: mark });
        }
        self.waiting.front().ok_or_else(|| refuse(None, "found unexpected end of stream", mark))
    }

    /// Takes the token that [`peek`](Self::peek) showed.
    pub(super) fn take(&mut self) -> Result<Spanned<'a>, Error> {
        self.peek()?;
        self.taken += 1;
        self.is_ready = false;
        let mark = self.reader.mark;
        self.waiting.pop_front().ok_or_else(|| refuse(None, "found unexpected end of stream", mark))
    }

    fn is_next_certain(&mut self) -> Result<bool, Error> {
        if self.waiting.is_empty() {
            return Ok(self.is_done);
        }
        self.drop_stale_keys()?;
        Ok(self.is_done || !self.keys.iter().any(|key| key.is_possible && key.token == self.taken))
    }

    fn is_flow(&self) -> bool {
        self.keys.len() > 1
    }

    fn push(&mut self, token: Token<'a>, start: Mark) {
        self.waiting.push_back(Spanned { token, start, end: self.reader.mark });
    }

    fn insert(&mut self, number: usize, token: Token<'a>, mark: Mark) {
        let place = number.saturating_sub(self.taken).min(self.waiting.len());
        self.waiting.insert(place, Spanned { token, start: mark, end: mark });
    }

    fn fetch(&mut self) -> Result<(), Error> {
        self.skip_to_token();
        self.drop_stale_keys()?;
        self.close_blocks(Some(self.reader.mark.column));
        let reader = &self.reader;
        let at_line_start = reader.mark.column == 0;
        let is_flow = self.is_flow();
        match reader.byte(0) {
            0 if reader.is_end() => self.fetch_end(),
            b'%' if at_line_start => self.fetch_directive(),
            b'-' if at_line_start && reader.is_marker(b'-') => self.fetch_document_marker(Token::DocumentStart),
            b'.' if at_line_start && reader.is_marker(b'.') => self.fetch_document_marker(Token::DocumentEnd),
            b'[' => self.fetch_flow_start(Token::FlowSequenceStart),
            b'{' => self.fetch_flow_start(Token::FlowMappingStart),
            b']' => self.fetch_flow_end(Token::FlowSequenceEnd),
            b'}' => self.fetch_flow_end(Token::FlowMappingEnd),
            b',' => self.fetch_flow_entry(),
            b'-' if reader.is_gap_at(1) => self.fetch_block_entry(),
            b'?' if is_flow || reader.is_gap_at(1) => self.fetch_key(),
            b':' if is_flow || reader.is_gap_at(1) => self.fetch_value(),
            b'*' | b'&' => self.fetch_anchor(),
            b'!' => self.fetch_tag(),
            b'|' | b'>' if !is_flow => self.fetch_block_scalar(),
            b'\'' | b'"' => self.fetch_quoted_scalar(),
            b'\t' | b'#' | b'|' | b'>' | b'%' | b'@' | b'`' => {
                let mark = reader.mark;
                let context = ("while scanning for the next token", mark);
                Err(refuse(Some(context), "found character that cannot start any token", mark))
            }
            _ => self.fetch_plain_scalar(),
        }
    }

    fn skip_to_token(&mut self) {
        let is_flow = self.is_flow();
        loop {
            if self.reader.mark.column == 0 && self.reader.is_byte_order_mark() {
                self.reader.skip();
            }
            // A tab where a key may begin would be taken for indentation, so it is left to be refused.
            while self.reader.is(b' ') || ((is_flow || !self.is_key_allowed) && self.reader.is(b'\t')) {
                self.reader.skip();
            }
            self.reader.skip_comment();
            if !self.reader.is_break() {
                return;
            }
            self.reader.line_break();
            if !is_flow {
                self.is_key_allowed = true;
            }
        }
    }

    // Keys without a `?`.

    fn drop_stale_keys(&mut self) -> Result<(), Error> {
        let now = self.reader.mark;
        for key in &mut self.keys {
            if key.is_possible && (key.mark.line < now.line || key.mark.index + LONGEST_SIMPLE_KEY < now.index) {
                drop_key(key, now)?;
            }
        }
        Ok(())
    }

    fn save_key(&mut self) -> Result<(), Error> {
        if !self.is_key_allowed {
            return Ok(());
        }
        let mark = self.reader.mark;
        let key = SimpleKey {
            is_possible: true,
            is_required: !self.is_flow() && self.indent == Some(mark.column),
            token: self.taken + self.waiting.len(),
            mark,
        };
        self.remove_key()?;
        if let Some(current) = self.keys.last_mut() {
            *current = key;
        }
        Ok(())
    }

    fn remove_key(&mut self) -> Result<(), Error> {
        let now = self.reader.mark;
        self.keys.last_mut().map_or(Ok(()), |key| drop_key(key, now))
    }

    // Blocks.

    /// Opens a block at this column if it is further in, before the token of this number or after all.
    fn open_block(&mut self, column: usize, number: Option<usize>, token: Token<'a>, mark: Mark) {
        if self.is_flow() || self.indent >= Some(column) {
            return;
        }
        self.outer_indents.push(self.indent);
        self.indent = Some(column);
        self.insert(number.unwrap_or(usize::MAX), token, mark);
    }

    /// Closes the blocks that are further in than this column; all of them for none.
    fn close_blocks(&mut self, column: Option<usize>) {
        if self.is_flow() {
            return;
        }
        while self.indent > column {
            self.push(Token::BlockEnd, self.reader.mark);
            self.indent = self.outer_indents.pop().flatten();
        }
    }
}

fn drop_key(key: &mut SimpleKey, now: Mark) -> Result<(), Error> {
    if key.is_possible && key.is_required {
        let context = ("while scanning a simple key", key.mark);
        return Err(refuse(Some(context), "could not find expected ':'", now));
    }
    key.is_possible = false;
    Ok(())
}
