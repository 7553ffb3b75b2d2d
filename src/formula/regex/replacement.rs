//! What is put in the place of a match, read as Python's `re.sub` reads it.

use std::iter::Peekable;
use std::str::Chars;

use fancy_regex::Captures;

use super::{Error, wide};

/// A replacement: text, and groups of the match.
pub(super) struct Replacement(Vec<Piece>);

enum Piece {
    Text(String),
    Group(usize),
    Name(String),
}

impl Replacement {
    /// Reads a replacement: `\1`, `\g<1>` and `\g<name>` are groups, and there are the usual escapes.
    pub(super) fn read(text: &str, regex: &fancy_regex::Regex, of_bytes: bool) -> Result<Self, Error> {
        let mut reader = Reader { regex, of_bytes, plain: String::new(), pieces: Vec::new() };
        let mut chars = text.chars().peekable();
        while let Some(character) = chars.next() {
            if character == '\\' {
                reader.escape(&mut chars)?;
            } else {
                reader.plain.push(character);
            }
        }
        reader.pieces.push(Piece::Text(reader.plain));
        Ok(Self(reader.pieces))
    }

    /// Writes what is put in the place of a match.
    pub(super) fn expand(&self, found: &Captures<'_, str>, out: &mut String) {
        for piece in &self.0 {
            let group = match piece {
                Piece::Text(text) => {
                    out.push_str(text);
                    continue;
                }
                Piece::Group(index) => found.get(*index),
                Piece::Name(name) => found.name(name),
            };
            out.push_str(group.map_or("", |group| group.as_str()));
        }
    }
}

struct Reader<'r> {
    regex: &'r fancy_regex::Regex,
    of_bytes: bool,
    plain: String,
    pieces: Vec<Piece>,
}

impl Reader<'_> {
    fn escape(&mut self, chars: &mut Peekable<Chars<'_>>) -> Result<(), Error> {
        let Some(escape) = chars.next() else { return Err(Error("bad escape (end of pattern)".to_owned())) };
        let simple = match escape {
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            '\\' => '\\',
            'g' => {
                if chars.next_if_eq(&'<').is_none() {
                    return Err(Error("missing <".to_owned()));
                }
                let name: String = chars.by_ref().take_while(|character| *character != '>').collect();
                return self.group(&name);
            }
            '0'..='9' => return self.digits(escape, chars),
            letter if letter.is_ascii_alphabetic() => return Err(Error(format!("bad escape \\{letter}"))),
            other => {
                self.plain.push('\\');
                other
            }
        };
        self.plain.push(simple);
        Ok(())
    }

    /// `\0` and what has three octal digits is a character; else it is a group of one or two digits.
    fn digits(&mut self, first: char, chars: &mut Peekable<Chars<'_>>) -> Result<(), Error> {
        let mut digits = String::from(first);
        let is_octal = |digit: char| ('0'..='7').contains(&digit);
        while let Some(digit) = chars.next_if(|next| match (digits.len(), first) {
            (1 | 2, '0') => is_octal(*next),
            (1, _) => next.is_ascii_digit(),
            (2, _) => digits.chars().all(is_octal) && is_octal(*next),
            _ => false,
        }) {
            digits.push(digit);
        }
        if !digits.starts_with('0') && digits.len() < 3 {
            return self.group(&digits);
        }
        let code = u32::from_str_radix(&digits, 8).ok().filter(|code| *code <= 0o377);
        let character = code.and_then(|code| if self.of_bytes { wide(code) } else { char::from_u32(code) });
        let character =
            character.ok_or_else(|| Error(format!("octal escape value \\{digits} outside of range 0-0o377")))?;
        self.plain.push(character);
        Ok(())
    }

    fn group(&mut self, name: &str) -> Result<(), Error> {
        let piece = match name.parse::<usize>() {
            Ok(index) if index < self.regex.captures_len() => Piece::Group(index),
            Ok(index) => return Err(Error(format!("invalid group reference {index}"))),
            Err(_) if self.regex.capture_names().flatten().any(|known| known == name) => Piece::Name(name.to_owned()),
            Err(_) => return Err(Error(format!("unknown group name '{name}'"))),
        };
        self.pieces.push(Piece::Text(std::mem::take(&mut self.plain)));
        self.pieces.push(piece);
        Ok(())
    }
}
