//! Jinja's lexer: text, tags and what is in them, with whitespace control already resolved.
//!
//! Tokens come one at a time, because Jinja reports what is wrong with a tag only once the parser has come there.

use std::borrow::Cow;

use super::{Error, Options, literal};

/// A token and the line it begins on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token<'s> {
    pub line: usize,
    pub kind: Kind<'s>,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind<'s> {
    /// Text outside of tags; what whitespace control takes away is gone.
    Data(&'s str),
    VariableBegin,
    VariableEnd,
    BlockBegin,
    BlockEnd,
    Name(&'s str),
    /// A string without its quotes and escapes.
    Text(Cow<'s, str>),
    /// A whole number as it is written.
    Integer(&'s str),
    /// A number with a fraction or an exponent, as it is written.
    Float(&'s str),
    Operator(&'static str),
    End,
}

impl Kind<'_> {
    /// How Jinja's messages call a token.
    pub(super) fn describe(&self) -> &str {
        match self {
            Self::Data(_) => "template data / text",
            Self::VariableBegin => "begin of print statement",
            Self::VariableEnd => "end of print statement",
            Self::BlockBegin => "begin of statement block",
            Self::BlockEnd => "end of statement block",
            Self::Name(name) => name,
            Self::Text(_) => "string",
            Self::Integer(_) => "integer",
            Self::Float(_) => "float",
            Self::Operator(operator) => operator,
            Self::End => "end of template",
        }
    }
}

/// Longer operators come first.
const OPERATORS: [&str; 26] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".",
    ":", "|", ",", ";",
];

#[derive(Clone, Copy, PartialEq)]
enum State {
    Text,
    Raw,
    Block,
    Variable,
}

/// Reads tokens from a text whose line ends are all `\n`.
pub(super) struct Lexer<'s> {
    text: &'s str,
    options: Options,
    position: usize,
    line: usize,
    state: State,
    brackets: Vec<char>,
    queued: Option<Token<'s>>,
}

/// Python's `str.isspace` for one character.
pub(super) fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\x1c'..='\x1f').contains(&character)
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

fn spaces(text: &str) -> usize {
    text.len() - text.trim_start_matches(is_space).len()
}

impl<'s> Lexer<'s> {
    pub(super) fn new(text: &'s str, options: Options) -> Self {
        // Jinja drops the last newline of a template.
        let text = text.strip_suffix('\n').unwrap_or(text);
        Self { text, options, position: 0, line: 1, state: State::Text, brackets: Vec::new(), queued: None }
    }

    fn rest(&self) -> &'s str {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn fail<T>(&self, message: impl Into<String>) -> Result<T, Error> {
        Err(Error { message: message.into(), line: self.line })
    }

    /// Passes over `length` bytes; returns them and the line they begin on.
    fn take(&mut self, length: usize) -> (&'s str, usize) {
        let taken = self.rest().get(..length).unwrap_or_default();
        let line = self.line;
        self.position += taken.len();
        self.line += newlines(taken);
        (taken, line)
    }

    /// The next token; [`Kind::End`] for ever once the text is read.
    pub(super) fn next(&mut self) -> Result<Token<'s>, Error> {
        loop {
            if let Some(token) = self.queued.take() {
                return Ok(token);
            }
            if self.position >= self.text.len() {
                return Ok(Token { line: self.line, kind: Kind::End });
            }
            let token = match self.state {
                State::Text => self.text()?,
                State::Raw => self.raw()?,
                State::Block | State::Variable => self.tag()?,
            };
            if let Some(token) = token {
                return Ok(token);
            }
        }
    }

    /// Text up to the next tag, without what the tag's sign and `lstrip_blocks` take away.
    fn data(&mut self, length: usize, sign: Option<u8>, is_variable: bool) -> Option<Token<'s>> {
        let is_line_start = self.position == 0 || self.text.as_bytes().get(self.position - 1) == Some(&b'\n');
        let (text, line) = self.take(length);
        let kept = match sign {
            Some(b'-') => text.trim_end_matches(is_space),
            None if self.options.lstrip_blocks && !is_variable => {
                let start = text.rfind('\n').map_or(0, |newline| newline + 1);
                let tail = text.get(start..).unwrap_or_default();
                let is_blank = (start > 0 || is_line_start) && tail.chars().all(is_space);
                if is_blank { text.get(..start).unwrap_or_default() } else { text }
            }
            _ => text,
        };
        (!kept.is_empty()).then_some(Token { line, kind: Kind::Data(kept) })
    }

    fn text(&mut self) -> Result<Option<Token<'s>>, Error> {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let marker = bytes.windows(2).position(|pair| matches!(pair, b"{{" | b"{%" | b"{#"));
        let Some(begin) = marker else {
            let (data, line) = self.take(rest.len());
            return Ok(Some(Token { line, kind: Kind::Data(data) }));
        };
        let sign = bytes.get(begin + 2).copied().filter(|byte| matches!(byte, b'-' | b'+'));
        let length = 2 + usize::from(sign.is_some());
        let marker = bytes.get(begin + 1).copied();
        let data = self.data(begin, sign, marker == Some(b'{'));
        if marker == Some(b'%')
            && let Some(length) = raw_begin(self.rest(), length)
        {
            self.take(length);
            self.state = State::Raw;
            return Ok(data);
        }
        let (_, line) = self.take(length);
        let begin = match marker {
            Some(b'#') => return self.comment().map(|()| data),
            Some(b'%') => {
                self.state = State::Block;
                Kind::BlockBegin
            }
            _ => {
                self.state = State::Variable;
                Kind::VariableBegin
            }
        };
        let begin = Token { line, kind: begin };
        if data.is_some() {
            self.queued = Some(begin);
            Ok(data)
        } else {
            Ok(Some(begin))
        }
    }

    fn comment(&mut self) -> Result<(), Error> {
        let rest = self.rest();
        match rest.find("#}") {
            Some(end) => {
                let sign = end.checked_sub(1).and_then(|before| rest.as_bytes().get(before)).copied();
                let length = end + 2;
                let after = self.after_end(rest.get(length..).unwrap_or_default(), sign);
                self.take(length + after);
                Ok(())
            }
            // Nothing at all after the beginning of a comment is no error in Jinja.
            None if rest.is_empty() => Ok(()),
            None => self.fail("Missing end of comment tag"),
        }
    }

    /// How much of the text after the end of a tag goes with it.
    fn after_end(&self, rest: &str, sign: Option<u8>) -> usize {
        match sign {
            Some(b'-') => spaces(rest),
            Some(b'+') => 0,
            _ => usize::from(self.options.trim_blocks && rest.starts_with('\n')),
        }
    }

    fn raw(&mut self) -> Result<Option<Token<'s>>, Error> {
        let rest = self.rest();
        for (begin, _) in rest.match_indices("{%") {
            let tag = rest.get(begin + 2..).unwrap_or_default();
            let sign = tag.bytes().next().filter(|byte| matches!(byte, b'-' | b'+'));
            let tag = tag.get(usize::from(sign.is_some())..).unwrap_or_default();
            let Some(tag) = tag.trim_start_matches(is_space).strip_prefix("endraw") else { continue };
            let tag = tag.trim_start_matches(is_space);
            let end_sign = tag.bytes().next().filter(|byte| matches!(byte, b'-' | b'+'));
            let Some(after) = tag.get(usize::from(end_sign.is_some())..).and_then(|tag| tag.strip_prefix("%}")) else {
                continue;
            };
            let length = rest.len() - begin - after.len() + self.after_end(after, end_sign);
            let data = self.data(begin, sign, false);
            self.take(length);
            self.state = State::Text;
            return Ok(data);
        }
        self.fail("Missing end of raw directive")
    }

    /// The end of a tag, if it is here.
    fn tag_end(&mut self) -> Option<Token<'s>> {
        let rest = self.rest();
        let is_block = self.state == State::Block;
        let end = if is_block { "%}" } else { "}}" };
        let sign = rest.bytes().next().filter(|byte| *byte == b'-' || (is_block && *byte == b'+'));
        let after = rest.get(usize::from(sign.is_some())..)?.strip_prefix(end)?;
        let after = if is_block || sign.is_some() { after.len() - self.after_end(after, sign) } else { after.len() };
        let (_, line) = self.take(rest.len() - after);
        let kind = if is_block { Kind::BlockEnd } else { Kind::VariableEnd };
        self.state = State::Text;
        Some(Token { line, kind })
    }

    fn tag(&mut self) -> Result<Option<Token<'s>>, Error> {
        if self.brackets.is_empty()
            && let Some(end) = self.tag_end()
        {
            return Ok(Some(end));
        }
        let rest = self.rest();
        let space = spaces(rest);
        if space > 0 {
            self.take(space);
            return Ok(None);
        }
        let is_after_dot = self.position.checked_sub(1).and_then(|at| self.text.as_bytes().get(at)) == Some(&b'.');
        if let Some(length) = if is_after_dot { None } else { literal::float_length(rest) } {
            let (text, line) = self.take(length);
            return Ok(Some(Token { line, kind: Kind::Float(text) }));
        }
        if let Some(length) = literal::integer_length(rest) {
            let (text, line) = self.take(length);
            return Ok(Some(Token { line, kind: Kind::Integer(text) }));
        }
        let name = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
        if name > 0 {
            let (name, line) = self.take(name);
            if !is_identifier(name) {
                return Err(Error { message: "Invalid character in identifier".to_owned(), line });
            }
            return Ok(Some(Token { line, kind: Kind::Name(name) }));
        }
        if let Some(length) = literal::string_length(rest) {
            let (text, line) = self.take(length);
            let text = literal::unescape(text.get(1..length - 1).unwrap_or_default());
            return match text {
                Ok(text) => Ok(Some(Token { line, kind: Kind::Text(text) })),
                Err(message) => Err(Error { message, line }),
            };
        }
        self.operator().map(Some)
    }

    fn operator(&mut self) -> Result<Token<'s>, Error> {
        let rest = self.rest();
        let Some(operator) = OPERATORS.into_iter().find(|operator| rest.starts_with(operator)) else {
            let character = rest.chars().next().unwrap_or_default();
            let at = self.text.get(..self.position).unwrap_or_default().chars().count();
            let quoted = minijinja::Value::from(character.to_string());
            return self.fail(format!("unexpected char {} at {at}", super::super::value::repr(&quoted)));
        };
        match operator {
            "{" => self.brackets.push('}'),
            "(" => self.brackets.push(')'),
            "[" => self.brackets.push(']'),
            "}" | ")" | "]" => match self.brackets.pop() {
                None => return self.fail(format!("unexpected '{operator}'")),
                Some(expected) if !operator.starts_with(expected) => {
                    return self.fail(format!("unexpected '{operator}', expected '{expected}'"));
                }
                Some(_) => {}
            },
            _ => {}
        }
        let (_, line) = self.take(operator.len());
        Ok(Token { line, kind: Kind::Operator(operator) })
    }
}

/// The length of `{% raw %}` with its signs, given that `tag` bytes of it are its beginning.
fn raw_begin(rest: &str, tag: usize) -> Option<usize> {
    let after = rest.get(tag..)?.trim_start_matches(is_space).strip_prefix("raw")?.trim_start_matches(is_space);
    let after = match after.strip_prefix("-%}") {
        Some(after) => after.trim_start_matches(is_space),
        None => after.strip_prefix("%}")?,
    };
    Some(rest.len() - after.len())
}

fn is_word(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

fn is_identifier(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first == '_' || first.is_alphabetic())
        && characters.all(|other| other == '_' || other.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str, options: Options) -> Vec<Kind<'_>> {
        let mut lexer = Lexer::new(text, options);
        let mut kinds = Vec::new();
        loop {
            match lexer.next().unwrap().kind {
                Kind::End => return kinds,
                kind => kinds.push(kind),
            }
        }
    }

    #[test]
    fn whitespace_control_is_resolved() {
        let options = Options { trim_blocks: true, lstrip_blocks: true };
        let blocks = |text| kinds(text, options).into_iter().filter(|kind| matches!(kind, Kind::Data(_))).collect();
        let data: Vec<_> = blocks("a\n  {% x %}\n  b {%- x -%}\n c\n {%+ x +%}\nd\n");
        assert_eq!(data, [Kind::Data("a\n"), Kind::Data("  b"), Kind::Data("c\n "), Kind::Data("\nd")]);
    }

    #[test]
    fn a_number_after_a_dot_has_no_fraction() {
        let kinds = kinds("{{ a.1.5 }}", Options::default());
        assert_eq!(kinds[3..6], [Kind::Integer("1"), Kind::Operator("."), Kind::Integer("5")]);
    }

    #[test]
    fn brackets_must_match() {
        let mut lexer = Lexer::new("{{ (] }}", Options::default());
        let error = (0..4).find_map(|_| lexer.next().err()).unwrap();
        assert_eq!(error.message, "unexpected ']', expected ')'");
    }
}
