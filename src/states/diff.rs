//! What changes in a file, as Salt shows it: a unified diff without names, or the words for files that are not text.

mod matching;

use std::borrow::Cow;
use std::ops::Range;

/// What stands for a diff that nobody is to see.
pub(super) const HIDDEN: &str = "<show_changes=False>";

/// How many lines around a change are shown.
const CONTEXT: usize = 3;

/// How much of a file tells whether it is text.
const BLOCK: usize = 512;

/// What changes between two contents; nothing if they are the same.
pub(super) fn diff(old: &[u8], new: &[u8]) -> String {
    if old == new {
        return String::new();
    }
    match (is_text(old), is_text(new)) {
        (true, true) => unified(&lines(old), &lines(new)),
        (true, false) => "Replace text file with binary file".to_owned(),
        (false, true) => "Replace binary file with text file".to_owned(),
        (false, false) => "Replace binary file".to_owned(),
    }
}

/// [`diff`], or what stands for it where changes are not to be shown.
pub(super) fn shown(old: &[u8], new: &[u8], is_shown: bool) -> String {
    if is_shown || old == new { diff(old, new) } else { HIDDEN.to_owned() }
}

/// Whether a content looks like text: no zero byte, and few that no text has.
pub(super) fn is_text(content: &[u8]) -> bool {
    let block = content.get(..BLOCK).unwrap_or(content);
    let is_utf8 = match std::str::from_utf8(block) {
        Ok(_) => true,
        // A character that the end of the block cuts in two is one.
        Err(error) => error.error_len().is_none(),
    };
    let is_strange = |byte: &&u8| match **byte {
        b'\n' | b'\r' | b'\t' | 0x0c | 0x08 | 32..=126 => false,
        128..=254 => !is_utf8,
        _ => true,
    };
    !block.contains(&0) && block.iter().filter(is_strange).count() * 10 <= block.len() * 3
}

/// The lines of a content, each with its end.
fn lines(content: &[u8]) -> Vec<&[u8]> {
    content.split_inclusive(|byte| *byte == b'\n').collect()
}

/// What changes between two lists of lines, each with its end; nothing if they are the same.
pub(super) fn unified<L: AsRef<[u8]>>(old: &[L], new: &[L]) -> String {
    let old: Vec<&[u8]> = old.iter().map(AsRef::as_ref).collect();
    let new: Vec<&[u8]> = new.iter().map(AsRef::as_ref).collect();
    let mut text = String::new();
    for group in matching::groups(&old, &new, CONTEXT) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
        if text.is_empty() {
            text.push_str("--- \n+++ \n");
        }
        let (in_old, in_new) = (hunk(first.old.start..last.old.end), hunk(first.new.start..last.new.end));
        text.extend(["@@ -", &in_old, " +", &in_new, " @@\n"]);
        for stretch in &group {
            write(&mut text, if stretch.is_equal { ' ' } else { '-' }, old.get(stretch.old.clone()));
            write(&mut text, '+', new.get(stretch.new.clone()).filter(|_| !stretch.is_equal));
        }
    }
    text
}

/// The lines of one hunk as its head names them: the first and how many; the one before where there are none.
fn hunk(lines: Range<usize>) -> String {
    match lines.len() {
        0 => format!("{},0", lines.start),
        1 => format!("{}", lines.start + 1),
        count => format!("{},{count}", lines.start + 1),
    }
}

fn write(text: &mut String, sign: char, lines: Option<&[&[u8]]>) {
    for line in lines.unwrap_or_default() {
        text.push(sign);
        *text += &decoded(line);
    }
}

/// A line as text: UTF-8, or else Latin-1, which everything is.
fn decoded(line: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(line).map_or_else(|_| line.iter().map(|byte| char::from(*byte)).collect(), Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_reads_as_salt_writes_it() {
        let numbered = |from: u32, to: u32| (from..=to).map(|number| format!("{number}\n")).collect::<String>();
        let (old, new) = (numbered(1, 20), numbered(1, 9) + "ten\n" + &numbered(11, 21));
        let expected = "--- \n+++ \n@@ -7,7 +7,7 @@\n 7\n 8\n 9\n-10\n+ten\n 11\n 12\n 13\n@@ -18,3 +18,4 @@\n 18\n 19\n 20\n+21\n";
        assert_eq!(diff(old.as_bytes(), new.as_bytes()), expected);
        assert_eq!(diff(b"", b"a\n"), "--- \n+++ \n@@ -0,0 +1 @@\n+a\n");
        assert_eq!(diff(b"a\nb\n", b""), "--- \n+++ \n@@ -1,2 +0,0 @@\n-a\n-b\n");
        assert_eq!(diff(b"a", b"a\n"), "--- \n+++ \n@@ -1 +1 @@\n-a+a\n");
        assert_eq!(diff(b"a", b"a"), "");
        assert_eq!(shown(b"secret", b"other", false), HIDDEN);
    }

    #[test]
    fn what_is_not_text_is_not_shown() {
        assert_eq!(diff(b"text", b"\0"), "Replace text file with binary file");
        assert_eq!(diff(b"\0", b"text"), "Replace binary file with text file");
        assert_eq!(diff(b"\0", b"\x01\x02"), "Replace binary file");
        assert!(is_text("größer".as_bytes()) && is_text(b"Gr\xf6\xdfe und vieles mehr") && is_text(b""));
        assert!(is_text(("x".repeat(511) + "ö").as_bytes()));
    }
}
