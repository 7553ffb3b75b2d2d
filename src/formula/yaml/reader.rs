//! The characters of a text, one after another, and where each of them stands.
//!
//! Knows what a line break and a blank are in YAML 1.1, and no more. Reading beyond the end gives zero bytes,
//! which can never be in a text: [`Reader::new`] refuses what libyaml refuses.

use super::Error;

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mark {
    /// Characters before it.
    pub index: usize,
    /// The line, counted from zero.
    pub line: usize,
    /// The column in characters, counted from zero.
    pub column: usize,
}

/// A text that is read once, from its beginning.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Where the next character stands.
    pub mark: Mark,
}

impl<'a> Reader<'a> {
    /// Starts after a byte order mark, if there is one.
    pub(super) fn new(text: &'a str) -> Result<Self, Error> {
        let reader = Self { text: text.strip_prefix('\u{feff}').unwrap_or(text), at: 0, mark: Mark::default() };
        reader.refuse_control_characters()?;
        Ok(reader)
    }

    fn refuse_control_characters(&self) -> Result<(), Error> {
        // Plain ASCII is told by its bytes alone, which is nearly every text.
        if self.text.bytes().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~')) {
            return Ok(());
        }
        let (mut line, mut column) = (1, 1);
        for character in self.text.chars() {
            match character {
                '\n' => (line, column) = (line + 1, 0),
                '\t' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'.. => {}
                other => {
                    let message = format!("control characters are not allowed, found U+{:04X}", u32::from(other));
                    return Err(Error { message, line, column });
                }
            }
            column += 1;
        }
        Ok(())
    }

    /// The byte so many bytes on, zero beyond the end.
    pub(super) fn byte(&self, offset: usize) -> u8 {
        self.text.as_bytes().get(self.at + offset).copied().unwrap_or(0)
    }

    /// Whether the next byte is this one.
    pub(super) fn is(&self, byte: u8) -> bool {
        self.byte(0) == byte
    }

    /// Whether everything has been read.
    pub(super) fn is_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// Whether a line break is so many bytes on.
    pub(super) fn is_break_at(&self, offset: usize) -> bool {
        match self.byte(offset) {
            b'\n' | b'\r' => true,
            0xc2 => self.byte(offset + 1) == 0x85,
            0xe2 => self.byte(offset + 1) == 0x80 && matches!(self.byte(offset + 2), 0xa8 | 0xa9),
            _ => false,
        }
    }

    /// Whether a line break comes next.
    pub(super) fn is_break(&self) -> bool {
        self.is_break_at(0)
    }

    /// Whether a space or a tab comes next.
    pub(super) fn is_blank(&self) -> bool {
        matches!(self.byte(0), b' ' | b'\t')
    }

    /// Whether a space, a tab, a line break or the end is so many bytes on.
    pub(super) fn is_gap_at(&self, offset: usize) -> bool {
        matches!(self.byte(offset), b' ' | b'\t' | 0) || self.is_break_at(offset)
    }

    /// Whether a line break or the end comes next.
    pub(super) fn is_line_end(&self) -> bool {
        self.is_break() || self.is_end()
    }

    /// Whether `---` or `...` stands alone at the beginning of a line.
    pub(super) fn is_document_marker(&self) -> bool {
        self.mark.column == 0 && (self.is_marker(b'-') || self.is_marker(b'.'))
    }

    /// Whether this character comes three times and then a gap.
    pub(super) fn is_marker(&self, byte: u8) -> bool {
        self.is(byte) && self.byte(1) == byte && self.byte(2) == byte && self.is_gap_at(3)
    }

    /// Whether a byte order mark comes next.
    pub(super) fn is_byte_order_mark(&self) -> bool {
        self.byte(0) == 0xef && self.byte(1) == 0xbb && self.byte(2) == 0xbf
    }

    /// Goes one character on.
    pub(super) fn skip(&mut self) {
        let first = self.byte(0);
        self.at += match first {
            0..0xc0 => 1,
            0xc0..0xe0 => 2,
            0xe0..0xf0 => 3,
            _ => 4,
        };
        self.mark.index += 1;
        self.mark.column += 1;
    }

    /// Goes so many characters on.
    pub(super) fn skip_many(&mut self, count: usize) {
        for _ in 0..count {
            self.skip();
        }
    }

    /// Goes over spaces and tabs.
    pub(super) fn skip_blanks(&mut self) {
        while self.is_blank() {
            self.skip();
        }
    }

    /// Goes over a comment, if one comes next, up to the end of its line.
    pub(super) fn skip_comment(&mut self) {
        if self.is(b'#') {
            while !self.is_line_end() {
                self.skip();
            }
        }
    }

    /// Goes over the line break that comes next, and says what it becomes in a scalar.
    pub(super) fn line_break(&mut self) -> &'static str {
        let (length, characters, text) = match (self.byte(0), self.byte(1), self.byte(2)) {
            (b'\r', b'\n', _) => (2, 2, "\n"),
            (b'\r' | b'\n', ..) => (1, 1, "\n"),
            (0xc2, ..) => (2, 1, "\n"),
            (0xe2, _, 0xa8) => (3, 1, "\u{2028}"),
            (0xe2, ..) => (3, 1, "\u{2029}"),
            _ => return "",
        };
        self.at += length;
        self.mark.index += characters;
        self.mark.line += 1;
        self.mark.column = 0;
        text
    }

    /// How many bytes have been read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// What was read since then.
    pub(super) fn since(&self, position: usize) -> &'a str {
        self.text.get(position..self.at).unwrap_or_default()
    }

    /// The letters, digits, `-` and `_` that come next.
    pub(super) fn word(&mut self) -> &'a str {
        let start = self.at;
        while matches!(self.byte(0), b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'-') {
            self.skip();
        }
        self.since(start)
    }
}
