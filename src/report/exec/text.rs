//! Answers for a person: what was the same is said once.
//!
//! What commands wrote on stdout goes to stdout, everything else to stderr; at a terminal the two
//! read as one text.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

use super::groups::Group;
use super::output::Output;
use crate::report::screen::text::{Style, is_dangerous};

/// Where something is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    /// What commands wrote on stdout, and which hosts did.
    Stdout,
    /// All else.
    Stderr,
}

/// Writes a piece of text to one of the two, in the order in which it comes.
pub(super) type Write<'a> = &'a mut dyn FnMut(To, Style, &[u8]) -> io::Result<()>;

/// Writes groups.
///
/// # Errors
/// When nobody reads any more.
pub(super) fn write(groups: &[Group], to: Write) -> io::Result<()> {
    let mut page = Page { to, above: None };
    groups.iter().try_for_each(|group| page.group(group))
}

struct Page<'a> {
    to: Write<'a>,
    /// Whether what stands above has several lines; `None` at the top.
    above: Option<bool>,
}

impl Page<'_> {
    fn group(&mut self, group: &Group) -> io::Result<()> {
        let answer = group.answer;
        if !answer.stdout.is_empty() {
            self.block(To::Stdout, Style::Strong, group, "", &answer.stdout)?;
        }
        if answer.came_short() {
            let mut words = answer.words();
            // Of a command that failed, stderr says why; of others it is what it said until then.
            if answer.code.is_none() {
                if !answer.stderr.is_empty() {
                    self.block(To::Stderr, Style::Warn, group, "stderr", &answer.stderr)?;
                }
                return self.block(To::Stderr, Style::Bad, group, &words, &Output::default());
            }
            if answer.stderr.line().is_none() {
                words += ", stderr";
            }
            self.block(To::Stderr, Style::Bad, group, &words, &answer.stderr)
        } else if !answer.stderr.is_empty() {
            self.block(To::Stderr, Style::Warn, group, "stderr", &answer.stderr)
        } else if answer.stdout.is_empty() {
            self.block(To::Stderr, Style::Dim, group, "no output", &answer.stderr)
        } else {
            Ok(())
        }
    }

    /// Who, what, and an output: behind them when it is one line, else below.
    fn block(&mut self, to: To, style: Style, group: &Group, what: &str, output: &Output) -> io::Result<()> {
        let mut heading = group.names();
        let line = output.line();
        if self.above.is_some_and(|several| several || line.is_none()) {
            (self.to)(to, Style::Plain, b"\n")?;
        }
        self.above = Some(line.is_none());
        if let (None, count @ 2..) = (line, group.hosts.len()) {
            let _ = write!(heading, " ({count} hosts)");
        }
        if !what.is_empty() {
            let _ = write!(heading, ": {what}");
        }
        if what.is_empty() || line != Some(b"") {
            heading.push(':');
        }
        (self.to)(to, style, heading.as_bytes())?;
        match line {
            Some(b"") => (self.to)(to, Style::Plain, b"\n"),
            Some(line) => (self.to)(to, Style::Plain, &[b" ", line, b"\n"].concat()),
            None => {
                (self.to)(to, Style::Plain, b"\n")?;
                self.body(to, output)
            }
        }
    }

    fn body(&mut self, to: To, output: &Output) -> io::Result<()> {
        (self.to)(to, Style::Plain, &output.head)?;
        let mut last = output.head.last();
        if output.left_out > 0 {
            let end = if last == Some(&b'\n') { "" } else { "\n" };
            let gap = format!("{end}[{} bytes are left out here; --output-dir keeps them all]\n", output.left_out);
            (self.to)(to, Style::Warn, gap.as_bytes())?;
            last = None;
        }
        (self.to)(to, Style::Plain, &output.tail)?;
        if output.tail.last().or(last).is_some_and(|byte| *byte != b'\n') {
            (self.to)(to, Style::Plain, b"\n")?;
        }
        Ok(())
    }
}

/// Output as it may go onto a terminal, told the way `less` does: what could move the cursor or the
/// text around it is shown, `^[` or `<U+202E>` or `<FF>`, and not obeyed.
#[must_use]
pub(super) fn visible(bytes: &[u8]) -> Cow<'_, [u8]> {
    if bytes.iter().all(|byte| matches!(byte, b'\n' | b'\t' | b' '..=b'~')) {
        return bytes.into();
    }
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        let mut letters = chunk.valid().chars().peekable();
        while let Some(letter) = letters.next() {
            // Writing to a string cannot fail.
            let _ = match letter {
                '\r' if letters.peek() == Some(&'\n') => Ok(()),
                '\n' | '\t' => text.write_char(letter),
                '\x7f' => text.write_str("^?"),
                '\0'..='\x1f' => write!(text, "^{}", char::from(letter as u8 + b'@')),
                letter if is_dangerous(letter) => {
                    write!(text, "<U+{:04X}>", u32::from(letter))
                }
                letter => text.write_char(letter),
            };
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "<{byte:02X}>");
        }
    }
    text.into_bytes().into()
}
