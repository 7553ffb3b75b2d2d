//! What stands in lists and mappings, in blocks and between brackets.

use super::super::Error;
use super::super::reader::Mark;
use super::super::scan::{Token, refuse};
use super::{Content, NodeId, Parser};

impl<'a> Parser<'a> {
    // Blocks.

    pub(super) fn block_items(&mut self) -> Result<Content<'a>, Error> {
        let start = self.scanner.take()?.start;
        let mut items = Vec::new();
        while let Some(dash) = self.take_if(&Token::BlockEntry)? {
            let is_empty = self.next_is_any(&[Token::BlockEntry, Token::BlockEnd])?;
            items.push(if is_empty { self.empty(dash.end) } else { self.node(true, false)? });
        }
        self.end_block("while parsing a block collection", start, "did not find expected '-' indicator")?;
        Ok(Content::Sequence(items))
    }

    pub(super) fn indentless_items(&mut self) -> Result<Content<'a>, Error> {
        let mut items = Vec::new();
        while let Some(dash) = self.take_if(&Token::BlockEntry)? {
            let ends = [Token::BlockEntry, Token::Key, Token::Value, Token::BlockEnd];
            items.push(if self.next_is_any(&ends)? { self.empty(dash.end) } else { self.node(true, false)? });
        }
        Ok(Content::Sequence(items))
    }

    pub(super) fn block_entries(&mut self) -> Result<Content<'a>, Error> {
        let start = self.scanner.take()?.start;
        let ends = [Token::Key, Token::Value, Token::BlockEnd];
        let mut entries = Vec::new();
        while let Some(question) = self.take_if(&Token::Key)? {
            let is_empty = self.next_is_any(&ends)?;
            let key = if is_empty { self.empty(question.end) } else { self.node(true, true)? };
            let value = match self.take_if(&Token::Value)? {
                None => {
                    let mark = self.mark()?;
                    self.empty(mark)
                }
                Some(colon) if self.next_is_any(&ends)? => self.empty(colon.end),
                Some(_) => self.node(true, true)?,
            };
            entries.push((key, value));
        }
        self.end_block("while parsing a block mapping", start, "did not find expected key")?;
        Ok(Content::Mapping(entries))
    }

    fn end_block(&mut self, context: &str, start: Mark, problem: &str) -> Result<(), Error> {
        if self.take_if(&Token::BlockEnd)?.is_none() {
            return Err(refuse(Some((context, start)), problem, self.mark()?));
        }
        Ok(())
    }

    // Brackets.

    /// Takes the comma before all but the first; false at the last bracket.
    fn flow_goes_on(&mut self, is_first: bool, end: &Token, refusal: (&str, Mark, &str)) -> Result<bool, Error> {
        if self.next_is(end)? {
            return Ok(false);
        }
        if !is_first && self.take_if(&Token::FlowEntry)?.is_none() {
            let (context, start, problem) = refusal;
            return Err(refuse(Some((context, start)), problem, self.mark()?));
        }
        Ok(!self.next_is(end)?)
    }

    pub(super) fn flow_items(&mut self) -> Result<Content<'a>, Error> {
        let start = self.scanner.take()?.start;
        let refusal = ("while parsing a flow sequence", start, "did not find expected ',' or ']'");
        let mut items = Vec::new();
        while self.flow_goes_on(items.is_empty(), &Token::FlowSequenceEnd, refusal)? {
            let mark = self.mark()?;
            let item = match self.take_if(&Token::Key)? {
                Some(_) => self.collection(Self::flow_pair, None, None, mark)?,
                None => self.node(false, false)?,
            };
            items.push(item);
        }
        self.scanner.take()?;
        Ok(Content::Sequence(items))
    }

    /// A mapping of one entry without braces.
    fn flow_pair(&mut self) -> Result<Content<'a>, Error> {
        let ends = [Token::Value, Token::FlowEntry, Token::FlowSequenceEnd];
        let key = if self.next_is_any(&ends)? {
            // What ends the empty key goes with it, even where it is the colon before the value.
            let mark = self.scanner.take()?.end;
            self.empty(mark)
        } else {
            self.node(false, false)?
        };
        let value = self.flow_value(&[Token::FlowEntry, Token::FlowSequenceEnd])?;
        Ok(Content::Mapping(vec![(key, value)]))
    }

    pub(super) fn flow_entries(&mut self) -> Result<Content<'a>, Error> {
        let start = self.scanner.take()?.start;
        let refusal = ("while parsing a flow mapping", start, "did not find expected ',' or '}'");
        let mut entries = Vec::new();
        while self.flow_goes_on(entries.is_empty(), &Token::FlowMappingEnd, refusal)? {
            let ends = [Token::FlowEntry, Token::FlowMappingEnd];
            let entry = if self.take_if(&Token::Key)?.is_some() {
                let key = if self.next_is(&Token::Value)? || self.next_is_any(&ends)? {
                    let mark = self.mark()?;
                    self.empty(mark)
                } else {
                    self.node(false, false)?
                };
                (key, self.flow_value(&ends)?)
            } else {
                let key = self.node(false, false)?;
                let mark = self.mark()?;
                (key, self.empty(mark))
            };
            entries.push(entry);
        }
        self.scanner.take()?;
        Ok(Content::Mapping(entries))
    }

    fn flow_value(&mut self, ends: &[Token]) -> Result<NodeId, Error> {
        if self.take_if(&Token::Value)?.is_some() && !self.next_is_any(ends)? {
            return self.node(false, false);
        }
        let mark = self.mark()?;
        Ok(self.empty(mark))
    }
}
