//! The whole picture of a run, as lines for a terminal of a given size.
//!
//! A pure function of what is known and the time. No line is wider than the terminal, and the
//! picture is no higher than it, whatever hosts are called and whatever they say.

mod failures;
mod header;
mod hosts;
mod stages;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::text::{Line, Style, wrap};
use super::watch::Watch;
use crate::model::span;

/// What a picture is made of.
#[derive(Debug, Clone)]
pub struct View<'a> {
    /// The run.
    pub watch: &'a Watch,
    /// The run's time.
    pub now: Timestamp,
    /// Times of day are shown in this zone.
    pub zone: &'a TimeZone,
    /// Who looks.
    pub seat: Seat,
    /// Columns of the terminal.
    pub width: usize,
    /// Rows there are for the picture; `None` is as many as it wants.
    pub height: Option<usize>,
    /// Whether colours may be used.
    pub colour: bool,
}

/// Where a picture is looked at from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    /// The terminal the run was started in.
    Driver,
    /// Another terminal, while an upshift carries the run on.
    Watcher,
    /// Anywhere, while no upshift carries the run on.
    Nobody,
}

/// How much each part may take; the first that fits is used.
struct Limits {
    stages: usize,
    hosts: usize,
    causes: usize,
    spaced: bool,
}

const LIMITS: [Limits; 7] = [
    Limits { stages: 20, hosts: 8, causes: 3, spaced: true },
    Limits { stages: 12, hosts: 8, causes: 3, spaced: true },
    Limits { stages: 7, hosts: 8, causes: 3, spaced: true },
    Limits { stages: 7, hosts: 6, causes: 3, spaced: false },
    Limits { stages: 5, hosts: 4, causes: 2, spaced: false },
    Limits { stages: 3, hosts: 2, causes: 1, spaced: false },
    Limits { stages: 1, hosts: 1, causes: 1, spaced: false },
];

/// Draws the picture.
#[must_use]
pub fn frame(view: &View) -> Vec<String> {
    let mut view = view.clone();
    if view.seat == Seat::Nobody || view.watch.state.verdict.is_some() {
        // Nothing has gone on since the last record, so nothing gets older either.
        view.now = view.watch.last_at;
    }
    let view = &view;
    let room = view.height.unwrap_or(usize::MAX);
    let mut lines = Vec::new();
    for limits in &LIMITS {
        lines = assemble(view, limits);
        if lines.len() <= room {
            break;
        }
    }
    lines.truncate(room);
    lines.iter().map(|line| line.render(view.width, view.colour)).collect()
}

fn assemble(view: &View, limits: &Limits) -> Vec<Line> {
    let parts = [
        header::lines(view),
        stages::lines(view, limits.stages),
        hosts::lines(view, limits.hosts),
        failures::lines(view, limits.causes),
        gate(view),
    ];
    let mut lines = Vec::new();
    for part in parts.into_iter().filter(|part| !part.is_empty()) {
        if limits.spaced && !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.extend(part);
    }
    lines
}

/// The question of the gate that waits, and how to answer it.
fn gate(view: &View) -> Vec<Line> {
    let Some(question) = &view.watch.gate else { return Vec::new() };
    let room = view.width.saturating_sub(2);
    let mut lines: Vec<Line> = Vec::new();
    for text in wrap(question, room, 3) {
        let mark = if lines.is_empty() { "? " } else { "  " };
        let mut line = Line::new(Style::Warn, mark);
        line.push(Style::Strong, &text);
        lines.push(line);
    }
    for text in wrap(how_to_answer(view.seat), room, 4) {
        lines.push(Line::new(Style::Plain, &format!("  {text}")));
    }
    lines
}

/// How a gate is answered from there.
pub(super) fn how_to_answer(seat: Seat) -> &'static str {
    match seat {
        Seat::Driver => "type y or n and press Enter, or use `upshift pass` or `upshift refuse` from another terminal",
        Seat::Watcher => "`upshift pass` goes on, `upshift refuse` ends the run here",
        Seat::Nobody => "`upshift resume` asks again",
    }
}

/// A time of day; with the day when that is not near.
fn clock(view: &View, at: Timestamp) -> String {
    let near = jiff::SignedDuration::from_hours(20);
    let format = if at.duration_since(view.now).abs() < near { "%H:%M" } else { "%a %H:%M" };
    at.to_zoned(view.zone.clone()).strftime(format).to_string()
}

/// The time between two moments, for a person.
fn took(start: Timestamp, end: Timestamp) -> String {
    span::glance(crate::model::record::between(start, end))
}
