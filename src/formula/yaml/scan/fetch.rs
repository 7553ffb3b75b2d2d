//! One function for each kind of token: what it says about keys and blocks before and after it.

use super::super::Error;
use super::{Scanner, SimpleKey, Spanned, Token, properties, refuse, scalars};

impl<'a> Scanner<'a> {
    pub(super) fn fetch_end(&mut self) -> Result<(), Error> {
        if self.reader.mark.column != 0 {
            self.reader.mark.column = 0;
            self.reader.mark.line += 1;
        }
        self.close_blocks(None);
        self.remove_key()?;
        self.is_key_allowed = false;
        self.push(Token::StreamEnd, self.reader.mark);
        self.is_done = true;
        Ok(())
    }

    pub(super) fn fetch_directive(&mut self) -> Result<(), Error> {
        self.close_blocks(None);
        self.remove_key()?;
        self.is_key_allowed = false;
        let start = self.reader.mark;
        let (token, end) = properties::directive(&mut self.reader)?;
        self.waiting.push_back(Spanned { token, start, end });
        Ok(())
    }

    pub(super) fn fetch_document_marker(&mut self, token: Token<'a>) -> Result<(), Error> {
        self.close_blocks(None);
        self.remove_key()?;
        self.is_key_allowed = false;
        let start = self.reader.mark;
        self.reader.skip_many(3);
        self.push(token, start);
        Ok(())
    }

    pub(super) fn fetch_flow_start(&mut self, token: Token<'a>) -> Result<(), Error> {
        self.save_key()?;
        self.keys.push(SimpleKey::default());
        self.is_key_allowed = true;
        self.push_indicator(token);
        Ok(())
    }

    pub(super) fn fetch_flow_end(&mut self, token: Token<'a>) -> Result<(), Error> {
        self.remove_key()?;
        if self.is_flow() {
            self.keys.pop();
        }
        self.is_key_allowed = false;
        self.push_indicator(token);
        Ok(())
    }

    pub(super) fn fetch_flow_entry(&mut self) -> Result<(), Error> {
        self.remove_key()?;
        self.is_key_allowed = true;
        self.push_indicator(Token::FlowEntry);
        Ok(())
    }

    pub(super) fn fetch_block_entry(&mut self) -> Result<(), Error> {
        // Within brackets the parser refuses it, who can say in what.
        self.begin_block(Token::BlockSequenceStart, "block sequence entries are not allowed in this context")?;
        self.remove_key()?;
        self.is_key_allowed = true;
        self.push_indicator(Token::BlockEntry);
        Ok(())
    }

    pub(super) fn fetch_key(&mut self) -> Result<(), Error> {
        self.begin_block(Token::BlockMappingStart, "mapping keys are not allowed in this context")?;
        self.remove_key()?;
        self.is_key_allowed = !self.is_flow();
        self.push_indicator(Token::Key);
        Ok(())
    }

    pub(super) fn fetch_value(&mut self) -> Result<(), Error> {
        let key = self.keys.last().copied().unwrap_or_default();
        if key.is_possible {
            self.insert(key.token, Token::Key, key.mark);
            self.open_block(key.mark.column, Some(key.token), Token::BlockMappingStart, key.mark);
            if let Some(current) = self.keys.last_mut() {
                current.is_possible = false;
            }
            self.is_key_allowed = false;
        } else {
            self.begin_block(Token::BlockMappingStart, "mapping values are not allowed in this context")?;
            self.is_key_allowed = !self.is_flow();
        }
        self.push_indicator(Token::Value);
        Ok(())
    }

    pub(super) fn fetch_anchor(&mut self) -> Result<(), Error> {
        self.save_key()?;
        self.is_key_allowed = false;
        let start = self.reader.mark;
        let token = properties::anchor(&mut self.reader)?;
        self.push(token, start);
        Ok(())
    }

    pub(super) fn fetch_tag(&mut self) -> Result<(), Error> {
        self.save_key()?;
        self.is_key_allowed = false;
        let start = self.reader.mark;
        let is_flow = self.is_flow();
        let token = properties::tag(&mut self.reader, is_flow)?;
        self.push(token, start);
        Ok(())
    }

    pub(super) fn fetch_block_scalar(&mut self) -> Result<(), Error> {
        self.remove_key()?;
        self.is_key_allowed = true;
        let start = self.reader.mark;
        let (text, end) = scalars::block(&mut self.reader, self.indent)?;
        self.waiting.push_back(Spanned { token: Token::Scalar { text, is_plain: false }, start, end });
        Ok(())
    }

    pub(super) fn fetch_quoted_scalar(&mut self) -> Result<(), Error> {
        self.save_key()?;
        self.is_key_allowed = false;
        let start = self.reader.mark;
        let text = scalars::quoted(&mut self.reader)?;
        self.push(Token::Scalar { text, is_plain: false }, start);
        Ok(())
    }

    pub(super) fn fetch_plain_scalar(&mut self) -> Result<(), Error> {
        self.save_key()?;
        self.is_key_allowed = false;
        let start = self.reader.mark;
        let is_flow = self.is_flow();
        let plain = scalars::plain(&mut self.reader, self.indent, is_flow)?;
        self.is_key_allowed = plain.ends_on_new_line;
        let token = Token::Scalar { text: plain.text, is_plain: true };
        self.waiting.push_back(Spanned { token, start, end: plain.end });
        Ok(())
    }

    fn begin_block(&mut self, token: Token<'a>, refusal: &str) -> Result<(), Error> {
        let mark = self.reader.mark;
        if !self.is_flow() && !self.is_key_allowed {
            return Err(refuse(None, refusal, mark));
        }
        self.open_block(mark.column, None, token, mark);
        Ok(())
    }

    fn push_indicator(&mut self, token: Token<'a>) {
        let start = self.reader.mark;
        self.reader.skip();
        self.push(token, start);
    }
}
