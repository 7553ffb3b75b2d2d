//! Text laid out for 80 columns: aligned tables, wrapped lines, moments in words.

use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::timing::Timing;

/// The columns of a screen.
pub(super) const WIDTH: usize = 80;

/// Rows of cells as lines, the first column aligned left and the others right.
///
/// A column in which every cell but the first row's is empty is left out.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell = |row: &Vec<String>, column: usize| row.get(column).cloned().unwrap_or_default();
    let shown = (0..columns).filter(|&column| rows.iter().skip(1).any(|row| !cell(row, column).is_empty()));
    let shown: Vec<_> = shown.collect();
    let width = |column: usize| rows.iter().map(|row| cell(row, column).chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = shown.iter().map(|&column| width(column)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::from(" ");
        for (&column, &width) in shown.iter().zip(&widths) {
            let cell = cell(row, column);
            // Writing to a String cannot fail.
            let _ = if column == 0 { write!(line, " {cell:<width$}") } else { write!(line, "  {cell:>width$}") };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// A line that begins with `head` and goes on below it, broken at spaces and after commas.
pub(super) fn hang(head: &str, body: &str) -> String {
    let indent = head.chars().count();
    let mut lines = vec![head.to_owned()];
    let mut used = indent;
    for word in words(body) {
        let length = word.trim_end().chars().count();
        if used > indent && used + length > WIDTH {
            lines.push(" ".repeat(indent));
            used = indent;
        }
        if let Some(line) = lines.last_mut() {
            *line += word;
        }
        used += word.chars().count();
    }
    lines.iter().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

/// Pieces between which a line may be broken.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive([' ', ','])
}

/// The first characters of a text, with `…` where something was cut off.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// A count with its noun: `1 host`, `2 hosts`.
pub(super) fn count(count: impl TryInto<u64>, noun: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    let plural = match noun.strip_suffix('y') {
        _ if count == 1 => noun.to_owned(),
        Some(stem) if !stem.ends_with(['a', 'e', 'o']) => format!("{stem}ies"),
        _ => format!("{noun}s"),
    };
    format!("{count} {plural}")
}

/// What a person wrote or a host answered, on one line and without control characters.
pub(super) fn one_line(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().map(shown).collect()
}

/// Moments of one run: with the date where it is another than the run's first.
pub(super) struct Moments<'a> {
    zone: &'a TimeZone,
    first: Timestamp,
}

impl<'a> Moments<'a> {
    pub(super) fn of(timing: &'a Timing) -> Self {
        Self { zone: &timing.zone, first: timing.started }
    }

    /// Date, time and zone.
    pub(super) fn full(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
    }

    /// The time, and the date where it is another than the run's first.
    pub(super) fn clock(&self, at: Timestamp) -> String {
        let (at, first) = (at.to_zoned(self.zone.clone()), self.first.to_zoned(self.zone.clone()));
        let format = if at.date() == first.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
        at.strftime(format).to_string()
    }

    /// The time of day.
    pub(super) fn second(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%H:%M:%S").to_string()
    }

    /// Hours and minutes.
    pub(super) fn minute(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%H:%M").to_string()
    }
}
