//! Text that goes onto a screen: without control characters, never wider than its place.
//!
//! Widths are columns of a terminal, not characters or bytes.

use owo_colors::OwoColorize;
use unicode_width::UnicodeWidthChar;

/// Replaces what could move the cursor, or the text around it, by a blank.
///
/// Besides control characters these are the invisible ones that reorder or join their neighbours:
/// with them, a name from a host could change how a line reads, or how wide it is.
#[must_use]
pub(in crate::report) fn clean(text: &str) -> String {
    text.chars().map(|c| if is_dangerous(c) { ' ' } else { c }).collect()
}

/// Whether a character could move the cursor, or the text around it.
pub(in crate::report) fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

/// The columns a text takes.
#[must_use]
pub(in crate::report) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

fn columns(c: char) -> usize {
    UnicodeWidthChar::width(c).unwrap_or(0)
}

/// The text in at most so many columns, with `…` where something was cut off.
#[must_use]
pub(in crate::report) fn cut(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += columns(c);
        if used > room {
            break;
        }
        kept.push(c);
    }
    if room > 0 {
        kept.truncate(kept.trim_end().len());
        kept.push('…');
    }
    kept
}

/// How a piece of text is meant; without colour the words alone say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Style {
    Plain,
    Strong,
    Dim,
    Good,
    Warn,
    Bad,
}

impl Style {
    pub(in crate::report) fn paint(self, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Strong => text.bold().to_string(),
            Self::Dim => text.dimmed().to_string(),
            Self::Good => text.green().to_string(),
            Self::Warn => text.yellow().bold().to_string(),
            Self::Bad => text.red().bold().to_string(),
        }
    }
}

/// One line of a screen, made of pieces.
#[derive(Debug, Clone, Default)]
pub(in crate::report) struct Line {
    pieces: Vec<(Style, String)>,
    width: usize,
}

impl Line {
    pub(in crate::report) fn new(style: Style, text: &str) -> Self {
        let mut line = Self::default();
        line.push(style, text);
        line
    }

    pub(in crate::report) fn push(&mut self, style: Style, text: &str) -> &mut Self {
        let text = clean(text);
        self.width += width(&text);
        self.pieces.push((style, text));
        self
    }

    /// Adds blanks up to a column.
    pub(in crate::report) fn pad(&mut self, column: usize) -> &mut Self {
        let blanks = column.saturating_sub(self.width);
        self.push(Style::Plain, &" ".repeat(blanks))
    }

    pub(in crate::report) fn width(&self) -> usize {
        self.width
    }

    /// The line in at most so many columns.
    pub(in crate::report) fn render(&self, room: usize, colour: bool) -> String {
        let mut left = room;
        let mut text = String::new();
        for (style, piece) in &self.pieces {
            let whole = piece;
            let piece = cut(piece, left);
            left -= width(&piece);
            if colour && !piece.trim().is_empty() {
                text.push_str(&style.paint(&piece));
            } else {
                text.push_str(&piece);
            }
            if piece != *whole {
                break;
            }
        }
        text.truncate(text.trim_end().len());
        text
    }
}

/// Puts parts on as few lines as they fit on, with ` · ` between neighbours.
pub(in crate::report) fn flow(parts: Vec<(Style, String)>, indent: usize, room: usize) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (style, text) in parts {
        match lines.last_mut() {
            Some(line) if line.width() + 3 + width(&text) <= room => {
                line.push(Style::Dim, " · ").push(style, &text);
            }
            _ => {
                let mut line = Line::default();
                line.pad(if lines.is_empty() { 0 } else { indent }).push(style, &text);
                lines.push(line);
            }
        }
    }
    lines
}

/// Breaks a text between words into lines of so many columns, `limit` lines at most.
///
/// A word that is wider than that stays whole: a path that was broken could not be copied.
pub(in crate::report) fn wrap(text: &str, room: usize, limit: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let text = clean(text);
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line) + 1 + width(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
        if lines.len() > limit {
            break;
        }
    }
    let more = lines.len() > limit;
    lines.truncate(limit);
    if let (true, Some(last)) = (more, lines.last_mut()) {
        last.push_str(" …");
    }
    lines
}
