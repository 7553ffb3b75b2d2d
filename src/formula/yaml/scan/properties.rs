//! Directives, anchors, aliases and tags.

use std::borrow::Cow;

use super::super::Error;
use super::super::reader::{Mark, Reader};
use super::{Token, refuse};

/// Version numbers have no more digits than this.
const LONGEST_NUMBER: usize = 9;

/// A directive, and where it ends before the rest of its line.
pub(super) fn directive<'a>(reader: &mut Reader<'a>) -> Result<(Token<'a>, Mark), Error> {
    let start = reader.mark;
    let wrong = |problem, reader: &Reader| refuse(Some(("while scanning a directive", start)), problem, reader.mark);
    reader.skip();
    let name = reader.word();
    if name.is_empty() {
        return Err(wrong("could not find expected directive name", reader));
    }
    if !reader.is_gap_at(0) {
        return Err(wrong("found unexpected non-alphabetical character", reader));
    }
    let token = match name {
        "YAML" => version(reader, start)?,
        "TAG" => tag_directive(reader, start)?,
        _ => return Err(wrong("found unknown directive name", reader)),
    };
    let end = reader.mark;
    reader.skip_blanks();
    reader.skip_comment();
    if !reader.is_line_end() {
        return Err(wrong("did not find expected comment or line break", reader));
    }
    reader.line_break();
    Ok((token, end))
}

fn version<'a>(reader: &mut Reader<'a>, start: Mark) -> Result<Token<'a>, Error> {
    reader.skip_blanks();
    let major = version_number(reader, start)?;
    if !reader.is(b'.') {
        let context = ("while scanning a %YAML directive", start);
        return Err(refuse(Some(context), "did not find expected digit or '.' character", reader.mark));
    }
    reader.skip();
    Ok(Token::Version { major, minor: version_number(reader, start)? })
}

fn version_number(reader: &mut Reader, start: Mark) -> Result<u32, Error> {
    let context = Some(("while scanning a %YAML directive", start));
    let from = reader.position();
    while reader.byte(0).is_ascii_digit() {
        if reader.position() - from == LONGEST_NUMBER {
            return Err(refuse(context, "found extremely long version number", reader.mark));
        }
        reader.skip();
    }
    let digits = reader.since(from);
    digits.parse().map_err(|_| refuse(context, "did not find expected version number", reader.mark))
}

fn tag_directive<'a>(reader: &mut Reader<'a>, start: Mark) -> Result<Token<'a>, Error> {
    let wrong =
        |problem, reader: &Reader| refuse(Some(("while scanning a %TAG directive", start)), problem, reader.mark);
    reader.skip_blanks();
    let Some(handle) = tag_handle(reader) else {
        return Err(wrong("did not find expected '!'", reader));
    };
    if handle != "!" && !handle.ends_with('!') {
        return Err(wrong("did not find expected '!'", reader));
    }
    if !reader.is_blank() {
        return Err(wrong("did not find expected whitespace", reader));
    }
    reader.skip_blanks();
    let Some(prefix) = tag_uri(reader, "", true, start)? else {
        return Err(wrong("did not find expected tag URI", reader));
    };
    if !reader.is_gap_at(0) {
        return Err(wrong("did not find expected whitespace or line break", reader));
    }
    Ok(Token::TagDirective { handle: handle.into(), prefix })
}

/// `&name` or `*name`.
pub(super) fn anchor<'a>(reader: &mut Reader<'a>) -> Result<Token<'a>, Error> {
    let start = reader.mark;
    let is_alias = reader.is(b'*');
    reader.skip();
    let name = reader.word();
    let is_ended =
        reader.is_gap_at(0) || matches!(reader.byte(0), b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`');
    if name.is_empty() || !is_ended {
        let context = if is_alias { "while scanning an alias" } else { "while scanning an anchor" };
        let problem = "did not find expected alphabetic or numeric character";
        return Err(refuse(Some((context, start)), problem, reader.mark));
    }
    Ok(if is_alias { Token::Alias(name) } else { Token::Anchor(name) })
}

/// `!`, `!name`, `!!name`, `!handle!name` or `!<uri>`.
pub(super) fn tag<'a>(reader: &mut Reader<'a>, is_flow: bool) -> Result<Token<'a>, Error> {
    let start = reader.mark;
    let wrong = |problem, reader: &Reader| refuse(Some(("while scanning a tag", start)), problem, reader.mark);
    let token = if reader.byte(1) == b'<' {
        reader.skip_many(2);
        let Some(suffix) = tag_uri(reader, "", true, start)? else {
            return Err(wrong("did not find expected tag URI", reader));
        };
        if !reader.is(b'>') {
            return Err(wrong("did not find the expected '>'", reader));
        }
        reader.skip();
        Token::Tag { handle: "".into(), suffix }
    } else {
        let handle = tag_handle(reader).unwrap_or_default();
        if handle.len() > 1 && handle.ends_with('!') {
            let Some(suffix) = tag_uri(reader, "", false, start)? else {
                return Err(wrong("did not find expected tag URI", reader));
            };
            Token::Tag { handle: handle.into(), suffix }
        } else {
            // It was no handle but the beginning of the name, after the mark of a tag of one's own.
            match tag_uri(reader, handle.get(1..).unwrap_or_default(), false, start)? {
                Some(suffix) => Token::Tag { handle: "!".into(), suffix },
                None => Token::Tag { handle: "".into(), suffix: "!".into() },
            }
        }
    };
    let is_ended = reader.is_gap_at(0) || (is_flow && reader.is(b','));
    if !is_ended {
        return Err(wrong("did not find expected whitespace or line break", reader));
    }
    Ok(token)
}

/// `!`, `!!` or `!word!`; also `!word`, which is none.
fn tag_handle<'a>(reader: &mut Reader<'a>) -> Option<&'a str> {
    if !reader.is(b'!') {
        return None;
    }
    let from = reader.position();
    reader.skip();
    reader.word();
    if reader.is(b'!') {
        reader.skip();
    }
    Some(reader.since(from))
}

/// What is left of a tag after `head`; none if both are empty.
fn tag_uri<'a>(
    reader: &mut Reader<'a>,
    head: &'a str,
    may_have_brackets: bool,
    start: Mark,
) -> Result<Option<Cow<'a, str>>, Error> {
    let mut bytes = head.as_bytes().to_vec();
    loop {
        let byte = reader.byte(0);
        match byte {
            b'%' => escaped_character(reader, &mut bytes, start)?,
            b'0'..=b'9'
            | b'A'..=b'Z'
            | b'a'..=b'z'
            | b'-'
            | b'_'
            | b';'
            | b'/'
            | b'?'
            | b':'
            | b'@'
            | b'&'
            | b'='
            | b'+'
            | b'$'
            | b'.'
            | b'!'
            | b'~'
            | b'*'
            | b'\''
            | b'('
            | b')' => {
                bytes.push(byte);
                reader.skip();
            }
            b',' | b'[' | b']' if may_have_brackets => {
                bytes.push(byte);
                reader.skip();
            }
            _ => break,
        }
    }
    if bytes.is_empty() {
        return Ok(None);
    }
    let wrong = |_| refuse(Some(("while parsing a tag", start)), "found an incorrect UTF-8 octet", reader.mark);
    String::from_utf8(bytes).map(|uri| Some(uri.into())).map_err(wrong)
}

/// One character of UTF-8 as `%` and two digits for each of its bytes.
fn escaped_character(reader: &mut Reader, bytes: &mut Vec<u8>, start: Mark) -> Result<(), Error> {
    let wrong = |problem, reader: &Reader| refuse(Some(("while parsing a tag", start)), problem, reader.mark);
    let mut left = 0;
    loop {
        let digit = |offset| char::from(reader.byte(offset)).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let (true, Some(high), Some(low)) = (reader.is(b'%'), digit(1), digit(2)) else {
            return Err(wrong("did not find URI escaped octet", reader));
        };
        let octet = high * 16 + low;
        match (left, octet) {
            (0, 0..0x80) => left = 1,
            (0, 0xc0..0xe0) => left = 2,
            (0, 0xe0..0xf0) => left = 3,
            (0, 0xf0..0xf8) => left = 4,
            (0, _) => return Err(wrong("found an incorrect leading UTF-8 octet", reader)),
            (_, 0x80..0xc0) => {}
            _ => return Err(wrong("found an incorrect trailing UTF-8 octet", reader)),
        }
        bytes.push(octet);
        reader.skip_many(3);
        left -= 1;
        if left == 0 {
            return Ok(());
        }
    }
}
