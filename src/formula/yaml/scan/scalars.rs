//! Scalars: plain, quoted, literal and folded, and how their lines are joined.

use std::borrow::Cow;

use super::super::Error;
use super::super::reader::{Mark, Reader};
use super::refuse;

/// What stands between two pieces of a scalar until it is known whether a second piece comes.
#[derive(Default)]
struct Between {
    /// The blanks on one line; only where no line break is.
    blanks: String,
    first_break: String,
    more_breaks: String,
    /// Whether a line break was among it.
    is_broken: bool,
}

impl Between {
    /// Reads blanks and line breaks. `indent` is how far in a line must be before a tab may come.
    fn read(&mut self, reader: &mut Reader, indent: Option<usize>) -> Result<(), Mark> {
        loop {
            if reader.is_break() {
                let text = reader.line_break();
                if self.is_broken {
                    self.more_breaks.push_str(text);
                } else {
                    self.blanks.clear();
                    self.first_break.push_str(text);
                    self.is_broken = true;
                }
            } else if reader.is_blank() {
                if !self.is_broken {
                    self.blanks.push(char::from(reader.byte(0)));
                } else if reader.is(b'\t') && indent.is_some_and(|indent| reader.mark.column < indent) {
                    return Err(reader.mark);
                }
                reader.skip();
            } else {
                return Ok(());
            }
        }
    }

    /// Puts the blanks, or the line breaks folded, after `text`.
    fn join_to(&mut self, text: &mut String) {
        if !self.is_broken {
            text.push_str(&self.blanks);
        } else if self.first_break != "\n" {
            text.push_str(&self.first_break);
            text.push_str(&self.more_breaks);
        } else if self.more_breaks.is_empty() {
            text.push(' ');
        } else {
            text.push_str(&self.more_breaks);
        }
        self.blanks.clear();
        self.first_break.clear();
        self.more_breaks.clear();
        self.is_broken = false;
    }
}

/// A plain scalar.
pub(super) struct Plain<'a> {
    /// What it says.
    pub text: Cow<'a, str>,
    /// Where it ends, before what was read to find that out.
    pub end: Mark,
    /// Whether what comes next stands on another line.
    pub ends_on_new_line: bool,
}

/// A plain scalar. Within brackets it may go on at any column, else only further in than its block.
pub(super) fn plain<'a>(reader: &mut Reader<'a>, block: Option<usize>, is_flow: bool) -> Result<Plain<'a>, Error> {
    let start = reader.mark;
    let context = Some(("while scanning a plain scalar", start));
    let indent = block.map_or(0, |column| column + 1);
    let mut text = Cow::Borrowed("");
    let mut end = start;
    let mut between = Between::default();
    loop {
        if reader.is_document_marker() || reader.is(b'#') {
            break;
        }
        let from = reader.position();
        let is_unexpected_colon = skip_plain_run(reader, is_flow);
        let run = reader.since(from);
        if is_unexpected_colon {
            return Err(refuse(context, "found unexpected ':'", reader.mark));
        }
        if !run.is_empty() {
            if text.is_empty() {
                text = Cow::Borrowed(run);
            } else {
                let text = text.to_mut();
                between.join_to(text);
                text.push_str(run);
            }
            end = reader.mark;
        }
        if !(reader.is_blank() || reader.is_break()) {
            break;
        }
        let problem = "found a tab character that violates indentation";
        between.read(reader, Some(indent)).map_err(|mark| refuse(context, problem, mark))?;
        if !is_flow && reader.mark.column < indent {
            break;
        }
    }
    Ok(Plain { text, end, ends_on_new_line: between.is_broken })
}

/// Goes over what has no gap in it. True when a colon stands where none may.
fn skip_plain_run(reader: &mut Reader, is_flow: bool) -> bool {
    while !reader.is_gap_at(0) {
        match reader.byte(0) {
            b':' if reader.is_gap_at(1) => return false,
            b':' if is_flow && matches!(reader.byte(1), b',' | b'?' | b'[' | b']' | b'{' | b'}') => return true,
            b',' | b'[' | b']' | b'{' | b'}' if is_flow => return false,
            _ => reader.skip(),
        }
    }
    false
}

/// A scalar in single or double quotes.
pub(super) fn quoted<'a>(reader: &mut Reader<'a>) -> Result<Cow<'a, str>, Error> {
    let start = reader.mark;
    let context = Some(("while scanning a quoted scalar", start));
    let quote = reader.byte(0);
    reader.skip();
    let mut text = Cow::Borrowed("");
    let mut between = Between::default();
    loop {
        if reader.is_document_marker() {
            return Err(refuse(context, "found unexpected document indicator", reader.mark));
        }
        if reader.is_end() {
            return Err(refuse(context, "found unexpected end of stream", reader.mark));
        }
        between.is_broken = read_quoted_run(reader, quote, start, &mut text)?;
        if reader.is(quote) {
            break;
        }
        // The first line break of a line that ends in a backslash has been read and says nothing.
        between.read(reader, None).map_err(|mark| refuse(context, "found a tab character", mark))?;
        between.join_to(text.to_mut());
    }
    reader.skip();
    Ok(text)
}

/// Reads up to a gap or the last quote. True when it ended in a backslash and a line break.
fn read_quoted_run<'a>(
    reader: &mut Reader<'a>,
    quote: u8,
    start: Mark,
    text: &mut Cow<'a, str>,
) -> Result<bool, Error> {
    loop {
        let from = reader.position();
        while !(reader.is_gap_at(0) || reader.is(quote) || (quote == b'"' && reader.is(b'\\'))) {
            reader.skip();
        }
        let run = reader.since(from);
        if text.is_empty() {
            *text = Cow::Borrowed(run);
        } else if !run.is_empty() {
            text.to_mut().push_str(run);
        }
        if quote == b'\'' && reader.is(quote) && reader.byte(1) == quote {
            text.to_mut().push('\'');
            reader.skip_many(2);
        } else if quote == b'"' && reader.is(b'\\') {
            if reader.is_break_at(1) {
                reader.skip();
                reader.line_break();
                return Ok(true);
            }
            let character = escape(reader, start)?;
            text.to_mut().push(character);
        } else {
            return Ok(false);
        }
    }
}

/// The character that a backslash and what follows it stand for.
fn escape(reader: &mut Reader, start: Mark) -> Result<char, Error> {
    let wrong = |problem, reader: &Reader| refuse(Some(("while parsing a quoted scalar", start)), problem, reader.mark);
    let digits = match reader.byte(1) {
        b'x' => 2,
        b'u' => 4,
        b'U' => 8,
        letter => {
            let character = match letter {
                b'0' => '\0',
                b'a' => '\x07',
                b'b' => '\x08',
                b't' | b'\t' => '\t',
                b'n' => '\n',
                b'v' => '\x0b',
                b'f' => '\x0c',
                b'r' => '\r',
                b'e' => '\x1b',
                b' ' | b'"' | b'/' | b'\\' => char::from(letter),
                b'N' => '\u{85}',
                b'_' => '\u{a0}',
                b'L' => '\u{2028}',
                b'P' => '\u{2029}',
                _ => return Err(wrong("found unknown escape character", reader)),
            };
            reader.skip_many(2);
            return Ok(character);
        }
    };
    reader.skip_many(2);
    let mut code = 0_u32;
    for offset in 0..digits {
        let Some(digit) = char::from(reader.byte(offset)).to_digit(16) else {
            return Err(wrong("did not find expected hexdecimal number", reader));
        };
        code = code << 4 | digit;
    }
    let character = char::from_u32(code).ok_or_else(|| wrong("found invalid Unicode character escape code", reader))?;
    reader.skip_many(digits);
    Ok(character)
}

/// What becomes of the line breaks at the end of a literal or folded scalar.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}

/// A literal (`|`) or folded (`>`) scalar, and where it ends.
pub(super) fn block<'a>(reader: &mut Reader<'a>, outer: Option<usize>) -> Result<(Cow<'a, str>, Mark), Error> {
    let start = reader.mark;
    let is_folded = reader.is(b'>');
    reader.skip();
    let (chomping, increment) = block_header(reader, start)?;
    let mut end = reader.mark;
    let mut indent = increment.map(|increment| outer.unwrap_or(0) + increment);
    let (mut text, mut last_break, mut breaks) = (String::new(), "", String::new());
    let mut was_blank = false;
    block_breaks(reader, &mut indent, outer, &mut breaks, start, &mut end)?;
    while Some(reader.mark.column) == indent && !reader.is_end() {
        let is_blank = reader.is_blank();
        if is_folded && last_break == "\n" && !was_blank && !is_blank {
            if breaks.is_empty() {
                text.push(' ');
            }
        } else {
            text.push_str(last_break);
        }
        text.push_str(&breaks);
        breaks.clear();
        was_blank = is_blank;
        let from = reader.position();
        while !reader.is_line_end() {
            reader.skip();
        }
        text.push_str(reader.since(from));
        last_break = reader.line_break();
        block_breaks(reader, &mut indent, outer, &mut breaks, start, &mut end)?;
    }
    if chomping != Chomping::Strip {
        text.push_str(last_break);
    }
    if chomping == Chomping::Keep {
        text.push_str(&breaks);
    }
    Ok((text.into(), end))
}

/// The rest of the first line: how far in the lines are, if it says so, and what becomes of the last breaks.
fn block_header(reader: &mut Reader, start: Mark) -> Result<(Chomping, Option<usize>), Error> {
    let wrong = |problem, reader: &Reader| refuse(Some(("while scanning a block scalar", start)), problem, reader.mark);
    let (mut chomping, mut increment) = (None, None);
    loop {
        match reader.byte(0) {
            b'+' if chomping.is_none() => chomping = Some(Chomping::Keep),
            b'-' if chomping.is_none() => chomping = Some(Chomping::Strip),
            b'0' if increment.is_none() => {
                return Err(wrong("found an indentation indicator equal to 0", reader));
            }
            digit @ b'1'..=b'9' if increment.is_none() => increment = Some(usize::from(digit - b'0')),
            _ => break,
        }
        reader.skip();
    }
    reader.skip_blanks();
    reader.skip_comment();
    if !reader.is_line_end() {
        return Err(wrong("did not find expected comment or line break", reader));
    }
    reader.line_break();
    Ok((chomping.unwrap_or(Chomping::Clip), increment))
}

/// Reads empty lines and the indentation of the next one; finds out how far in the scalar is where it is not said.
fn block_breaks(
    reader: &mut Reader,
    indent: &mut Option<usize>,
    outer: Option<usize>,
    breaks: &mut String,
    start: Mark,
    end: &mut Mark,
) -> Result<(), Error> {
    let mut furthest = 0;
    *end = reader.mark;
    loop {
        let may_indent = |reader: &Reader| indent.is_none_or(|indent| reader.mark.column < indent);
        while reader.is(b' ') && may_indent(reader) {
            reader.skip();
        }
        furthest = furthest.max(reader.mark.column);
        if reader.is(b'\t') && may_indent(reader) {
            let context = ("while scanning a block scalar", start);
            let problem = "found a tab character where an indentation space is expected";
            return Err(refuse(Some(context), problem, reader.mark));
        }
        if !reader.is_break() {
            break;
        }
        breaks.push_str(reader.line_break());
        *end = reader.mark;
    }
    if indent.is_none() {
        *indent = Some(furthest.max(outer.map_or(0, |column| column + 1)).max(1));
    }
    Ok(())
}
