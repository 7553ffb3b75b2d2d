//! `wordwrap`: Python's `textwrap`, line by line.

use minijinja::{Error, Value};

use super::arguments::{Args, Run, wrong};
use crate::formula::template::strings::lines_of;
use crate::formula::template::value::spend_text;

/// The filters, with their parameters.
pub(super) const FILTERS: &[(&str, &str, Run)] =
    &[("wordwrap", "s width? break_long_words? wrapstring? break_on_hyphens?", wordwrap)];

fn wordwrap(args: &Args) -> Result<Value, Error> {
    let text = args.value();
    let text = super::arguments::string(&text)?;
    let width = args.size("width", 79)?;
    let wrapstring = args.str("wrapstring")?.unwrap_or("\n");
    let break_long = args.bool("break_long_words", true)?;
    let on_hyphens = args.bool("break_on_hyphens", true)?;
    let mut wrapped = Vec::new();
    for line in lines_of(text) {
        if width == 0 && !line.is_empty() {
            return Err(wrong("invalid width 0 (must be > 0)"));
        }
        let pieces = lines(chunks(line, on_hyphens), width, break_long, on_hyphens);
        spend_text(wrapstring.len().saturating_mul(pieces.len() + 1))?;
        wrapped.push(pieces.join(wrapstring));
    }
    Ok(Value::from(wrapped.join(wrapstring)))
}

const SPACE: &str = "\t\n\x0b\x0c\r ";

/// A line as the pieces between which it may be broken: words, white space, the parts of hyphenated words, dashes.
fn chunks(line: &str, on_hyphens: bool) -> Vec<String> {
    let line: Vec<char> = line.chars().collect();
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(rest) = line.get(at..).filter(|rest| !rest.is_empty()) {
        let is_space = rest.first().is_some_and(|first| SPACE.contains(*first));
        let same = rest.iter().take_while(|character| SPACE.contains(**character) == is_space).count();
        let length = if is_space || !on_hyphens { same } else { word_length(&line, at, at + same) };
        pieces.push(rest.iter().take(length).collect());
        at += length.max(1);
    }
    pieces
}

fn is_word(character: Option<&char>) -> bool {
    character.is_some_and(|character| character.is_alphanumeric() || *character == '_')
}

fn is_letter(character: Option<&char>) -> bool {
    is_word(character) && !character.is_some_and(|character| character.is_numeric())
}

/// How many dashes in a row begin here, if they stand between words: at least two, with a word on either side.
fn dash_length(line: &[char], at: usize) -> Option<usize> {
    let before = at.checked_sub(1).and_then(|before| line.get(before));
    let is_after_word = is_word(before) || before.is_some_and(|before| "!\"'&.,?".contains(*before));
    let dashes = line.iter().skip(at).take_while(|character| **character == '-').count();
    (is_after_word && dashes > 1 && is_word(line.get(at + dashes))).then_some(dashes)
}

/// How long the piece is that begins at `start` in a word that ends at `end`.
fn word_length(line: &[char], start: usize, end: usize) -> usize {
    if let Some(dashes) = dash_length(line, start) {
        return dashes;
    }
    let back = |at: usize, by: usize| at.checked_sub(by).and_then(|at| line.get(at));
    for at in start + 1..end {
        let is_hyphen = line.get(at) == Some(&'-');
        let follows =
            is_letter(back(at, 1)) && (is_letter(back(at, 2)) || (back(at, 2) == Some(&'-') && is_letter(back(at, 3))));
        let next = usize::from(line.get(at + 2) == Some(&'-'));
        if is_hyphen && follows && is_letter(line.get(at + 1)) && is_letter(line.get(at + 2 + next)) {
            return at + 1 - start;
        }
        if dash_length(line, at).is_some() {
            return at - start;
        }
    }
    end - start
}

fn is_blank(piece: &str) -> bool {
    piece.chars().all(|character| SPACE.contains(character))
}

fn length(piece: &str) -> usize {
    piece.chars().count()
}

/// Fills lines with pieces; white space at either end of a line goes, but for that before the first word of all.
fn lines(mut pieces: Vec<String>, width: usize, break_long: bool, on_hyphens: bool) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    pieces.reverse();
    while let Some(next) = pieces.last() {
        if !lines.is_empty() && is_blank(next) {
            pieces.pop();
        }
        let mut line: Vec<String> = Vec::new();
        let mut used = 0;
        while let Some(piece) = pieces.pop_if(|piece| used + length(piece) <= width) {
            used += length(&piece);
            line.push(piece);
        }
        if let Some(piece) = pieces.pop_if(|piece| length(piece) > width) {
            if break_long {
                let (now, later) = broken(&piece, width.saturating_sub(used).max(usize::from(width == 0)), on_hyphens);
                line.push(now);
                pieces.push(later);
            } else if line.is_empty() {
                line.push(piece);
            } else {
                pieces.push(piece);
            }
        }
        if line.last().is_some_and(|last| is_blank(last)) {
            line.pop();
        }
        if !line.is_empty() {
            lines.push(line.concat());
        }
    }
    lines
}

/// A piece that is longer than a line: as much as there is room for, up to a hyphen if there is one, and the rest.
fn broken(piece: &str, room: usize, on_hyphens: bool) -> (String, String) {
    let mut end = room;
    if on_hyphens && length(piece) > room {
        let head: Vec<char> = piece.chars().take(room).collect();
        let hyphen = head.iter().rposition(|character| *character == '-').filter(|hyphen| *hyphen > 0);
        if let Some(hyphen) = hyphen
            && head.iter().take(hyphen).any(|character| *character != '-')
        {
            end = hyphen + 1;
        }
    }
    (piece.chars().take(end).collect(), piece.chars().skip(end).collect())
}

#[cfg(test)]
mod tests {
    use crate::formula::template::filters::assert_shown;

    #[test]
    fn long_lines_are_broken_as_textwrap_breaks_them() {
        assert_shown(&[
            (
                "{{ 'the lazy dog runs-away from well-known wolves -- quickly'|wordwrap(12) }}",
                Some("the lazy dog\nruns-away\nfrom well-\nknown wolves\n-- quickly"),
            ),
            ("{{ 'aaaaaaaaaaaa-bbbbbbbbb cc'|wordwrap(5) }}", Some("aaaaa\naaaaa\naa-bb\nbbbbb\nbb cc")),
            ("{{ 'abcdefgh ij'|wordwrap(4, false, '|') }}", Some("abcdefgh|ij")),
            ("{{ 'a'|wordwrap(0) }}", None),
        ]);
    }
}
