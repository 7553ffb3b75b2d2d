//! Scalars in each of their styles, and where their lines are folded.

use super::analyze::{is_break, is_printable};
use super::emit::Emitter;

impl Emitter<'_> {
    pub(super) fn plain(&mut self, text: &str, may_fold: bool) {
        if !text.is_empty() {
            self.space();
        }
        self.lines(text, may_fold, false);
        self.is_blank = false;
        self.is_indentation = false;
    }

    pub(super) fn single_quoted(&mut self, text: &str, may_fold: bool) {
        self.indicator("'", true, false, false);
        if self.lines(text, may_fold, true) {
            self.line();
        }
        self.indicator("'", false, false, false);
        self.is_indentation = false;
    }

    /// A text whose line breaks are doubled and whose single spaces may become line breaks. True if it ends in a
    /// line break.
    fn lines(&mut self, text: &str, may_fold: bool, is_quoted: bool) -> bool {
        let (mut after_space, mut after_break) = (false, false);
        let mut characters = text.chars().peekable();
        let mut is_first = true;
        while let Some(character) = characters.next() {
            let next = characters.peek().copied();
            if character == ' ' {
                let is_inner = !is_quoted || !(is_first || next.is_none());
                if may_fold && !after_space && self.column > self.width && is_inner && next != Some(' ') {
                    self.line();
                } else {
                    self.put(' ');
                }
                after_space = true;
            } else if is_break(character) {
                if !after_break && character == '\n' {
                    self.put_break('\n');
                }
                self.put_break(character);
                self.is_indentation = true;
                after_break = true;
            } else {
                if after_break {
                    self.line();
                }
                if is_quoted && character == '\'' {
                    self.put('\'');
                }
                self.put(character);
                self.is_indentation = false;
                after_space = false;
                after_break = false;
            }
            is_first = false;
        }
        after_break
    }

    pub(super) fn double_quoted(&mut self, text: &str, may_fold: bool) {
        self.indicator("\"", true, false, false);
        let mut after_space = false;
        let mut characters = text.chars().peekable();
        let mut is_first = true;
        while let Some(character) = characters.next() {
            let next = characters.peek().copied();
            let is_inner = !is_first && next.is_some();
            if character == ' ' && may_fold && !after_space && self.column > self.width && is_inner {
                self.line();
                if next == Some(' ') {
                    self.put('\\');
                }
            } else if needs_escape(character, self.layout.allow_unicode) {
                escaped(character).chars().for_each(|character| self.put(character));
            } else {
                self.put(character);
            }
            after_space = character == ' ';
            is_first = false;
        }
        self.indicator("\"", false, false, false);
        self.is_indentation = false;
    }

    pub(super) fn literal(&mut self, text: &str) {
        self.block_header('|', text);
        let mut after_break = true;
        for character in text.chars() {
            if is_break(character) {
                self.put_break(character);
                self.is_indentation = true;
                after_break = true;
            } else {
                if after_break {
                    self.line();
                }
                self.put(character);
                self.is_indentation = false;
                after_break = false;
            }
        }
    }

    pub(super) fn folded(&mut self, text: &str) {
        self.block_header('>', text);
        let (mut after_break, mut is_indented) = (true, true);
        for (at, character) in text.char_indices() {
            let rest = text.get(at + character.len_utf8()..).unwrap_or_default();
            if is_break(character) {
                // A line break alone would be read as a space, unless one of the lines begins with a blank.
                if !after_break && !is_indented && character == '\n' {
                    let next = rest.chars().find(|next| !is_break(*next));
                    if next.is_some_and(|next| !matches!(next, ' ' | '\t' | '\0')) {
                        self.put_break('\n');
                    }
                }
                self.put_break(character);
                self.is_indentation = true;
                after_break = true;
                continue;
            }
            if after_break {
                self.line();
                is_indented = matches!(character, ' ' | '\t');
            }
            if !after_break && character == ' ' && !rest.starts_with(' ') && self.column > self.width {
                self.line();
            } else {
                self.put(character);
            }
            self.is_indentation = false;
            after_break = false;
        }
    }

    /// The first line of a block scalar: its indentation where it cannot be seen, and what its last lines are.
    fn block_header(&mut self, style: char, text: &str) {
        self.indicator(style.encode_utf8(&mut [0; 4]), true, false, false);
        if text.starts_with(' ') || text.starts_with(is_break) {
            let step = self.step.to_string();
            self.indicator(&step, false, false, false);
        }
        let mut backwards = text.chars().rev();
        let chomping = match (backwards.next().is_some_and(is_break), backwards.next()) {
            (false, _) => "-",
            (true, None) => "+",
            (true, Some(before)) if is_break(before) => "+",
            (true, Some(_)) => "",
        };
        self.keeps_lines = chomping == "+";
        self.indicator(chomping, false, false, false);
        self.put_break('\n');
        self.is_indentation = true;
        self.is_blank = true;
    }
}

/// Whether a character cannot stand between double quotes as it is.
pub(super) fn needs_escape(character: char, allow_unicode: bool) -> bool {
    !is_printable(character)
        || (!allow_unicode && !character.is_ascii())
        || is_break(character)
        || matches!(character, '"' | '\\')
}

/// A character as an escape.
pub(super) fn escaped(character: char) -> String {
    let letter = match character {
        '\0' => '0',
        '\x07' => 'a',
        '\x08' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\x0b' => 'v',
        '\x0c' => 'f',
        '\r' => 'r',
        '\x1b' => 'e',
        '"' | '\\' => character,
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        other => {
            return match u32::from(other) {
                code @ 0..=0xff => format!("\\x{code:02X}"),
                code @ 0x100..=0xffff => format!("\\u{code:04X}"),
                code => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{letter}")
}
