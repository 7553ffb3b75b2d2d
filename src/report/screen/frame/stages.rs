//! The table of stages: one line each, as many columns as there is room for.

use super::{View, clock};
use crate::engine::state::StageState;
use crate::model::outline::Stage;
use crate::model::record::between;
use crate::model::span;
use crate::report::screen::figures::{Counts, Doing};
use crate::report::screen::sentence::count;
use crate::report::screen::text::{Line, Style, clean, cut, width};

/// The widest that a stage's name may get.
const NAME: usize = 20;
/// Finished stages that are still shown one by one when there are too many.
const BEFORE: usize = 3;
/// A bar shorter than this says nothing.
const SHORTEST_BAR: usize = 6;
/// A bar longer than this says nothing more.
const LONGEST_BAR: usize = 40;

/// One row: the symbol, the name, how much has ended, and the cells of [`COLUMNS`].
struct Row {
    style: Style,
    mark: char,
    name: String,
    ended: (u32, u32),
    cells: [(Style, String); 6],
}

/// A column's heading, and in which order columns are given up when there is no room: highest first.
const COLUMNS: [(&str, u8); 6] = [("done", 0), ("under way", 3), ("failed", 1), ("left", 5), ("took", 4), ("ends", 2)];

pub(super) fn lines(view: &View, limit: usize) -> Vec<Line> {
    let run = &view.watch.state;
    let total = run.stages.len();
    let (first, last) = window(run.current, total, limit);
    let rows: Vec<Row> = (first..last).map(|stage| row(view, stage)).collect();
    let mut lines = table(&rows, view.width);
    let at = lines.len().min(1);
    if first > 0 {
        let failed: u32 = run.stages[..first].iter().map(|stage| Counts::of(stage).failed).sum();
        let (style, mark) = if failed > 0 { (Style::Bad, '✗') } else { (Style::Good, '✓') };
        let failed = if failed > 0 { format!(", {failed} failed there") } else { String::new() };
        lines.insert(at, Line::new(style, &format!("{mark} {} done{failed}", count(first, "stage"))));
    }
    if last < total {
        lines.push(Line::new(Style::Dim, &format!("· {} to come", count(total - last, "more stage"))));
    }
    lines
}

/// The stages that are shown one by one: the current one, those before it, and what comes next.
fn window(current: usize, total: usize, limit: usize) -> (usize, usize) {
    if total <= limit {
        return (0, total);
    }
    // Folded stages take a line at either end.
    let shown = limit.saturating_sub(2).max(1);
    let current = current.min(total - 1);
    let first = current.saturating_sub(BEFORE.min(shown / 2)).min(total - shown);
    (first, first + shown)
}

fn row(view: &View, index: usize) -> Row {
    let run = &view.watch.state;
    let (stage, shape) = (&run.stages[index], &run.outline.stages[index]);
    let counts = Counts::of(stage);
    let number = |count: u32| if count == 0 { "-".to_owned() } else { count.to_string() };
    let (style, mark) = mark(view, index, &counts);
    let failed = if counts.failed > 0 { Style::Bad } else { Style::Dim };
    let begun = stage.started_at.is_some();
    let quiet = if begun { Style::Plain } else { Style::Dim };
    Row {
        style,
        mark,
        name: cut(&clean(&shape.name), NAME),
        ended: (counts.ended, counts.total),
        cells: [
            (quiet, format!("{}/{}", counts.done, counts.total)),
            (quiet, number(counts.under_way)),
            (failed, number(counts.failed)),
            (quiet, number(counts.left)),
            time(view, stage, shape),
            (if stage.ended_at.is_some() { Style::Dim } else { Style::Strong }, ends(view, index)),
        ],
    }
}

fn mark(view: &View, index: usize, counts: &Counts) -> (Style, char) {
    let run = &view.watch.state;
    let stage = &run.stages[index];
    if stage.ended_at.is_some() {
        return if counts.failed > 0 { (Style::Bad, '✗') } else { (Style::Good, '✓') };
    }
    if index != run.current || stage.started_at.is_none() {
        return (Style::Dim, '·');
    }
    match Doing::of(view.watch) {
        Doing::Ended(_) => (Style::Bad, '✗'),
        Doing::Held => (Style::Warn, '‖'),
        Doing::Stopping | Doing::Aborting => (Style::Warn, '■'),
        _ => (Style::Strong, '▶'),
    }
}

/// Time taken against the planned window.
fn time(view: &View, stage: &StageState, shape: &Stage) -> (Style, String) {
    let planned = shape.window.map(span::short);
    let Some(start) = stage.started_at else {
        return (Style::Dim, planned.map(|planned| format!("of {planned}")).unwrap_or_default());
    };
    let so_far = between(start, stage.ended_at.unwrap_or(view.now));
    match (planned, shape.window) {
        (Some(planned), Some(window)) if so_far > window => {
            (Style::Warn, format!("{} of {planned}!", span::glance(so_far)))
        }
        (Some(planned), _) => (Style::Plain, format!("{} of {planned}", span::glance(so_far))),
        _ => (Style::Plain, span::glance(so_far)),
    }
}

/// When a stage ended, or is expected to.
fn ends(view: &View, index: usize) -> String {
    let run = &view.watch.state;
    if let Some(ended) = run.stages[index].ended_at {
        return clock(view, ended);
    }
    match view.watch.expected {
        Some(expected) if index == run.current && run.verdict.is_none() && view.seat != super::Seat::Nobody => {
            clock(view, expected.stage)
        }
        _ => String::new(),
    }
}

fn table(rows: &[Row], room: usize) -> Vec<Line> {
    let name = rows.iter().map(|row| width(&row.name)).max().unwrap_or(0);
    let cell_width = |n: usize| {
        let cells = rows.iter().map(|row| width(&row.cells[n].1)).max().unwrap_or(0);
        // A column that nothing stands in takes no room.
        if cells == 0 { 0 } else { cells.max(width(COLUMNS[n].0)) }
    };
    let widths: [usize; 6] = std::array::from_fn(cell_width);
    let mut shown: Vec<usize> = (0..COLUMNS.len()).filter(|&n| widths[n] > 0).collect();
    let needs = |shown: &[usize]| 2 + name + shown.iter().map(|&n| widths[n] + 2).sum::<usize>();
    while needs(&shown) > room && shown.len() > 1 {
        shown.sort_by_key(|&n| COLUMNS[n].1);
        shown.pop();
    }
    shown.sort_unstable();
    let spare = room.saturating_sub(needs(&shown) + 2);
    let bar_cells = if spare < SHORTEST_BAR { 0 } else { spare.min(LONGEST_BAR) };
    let start = 2 + name + if bar_cells > 0 { bar_cells + 2 } else { 0 };

    let mut heading = Line::default();
    heading.pad(start);
    let mut lines: Vec<Line> = Vec::new();
    for &n in &shown {
        let text = COLUMNS[n].0;
        let column = heading.width() + 2 + widths[n] - width(text);
        heading.pad(column).push(Style::Dim, text);
    }
    lines.push(heading);
    for row in rows {
        let mut line = Line::new(row.style, &row.mark.to_string());
        line.push(Style::Plain, " ").push(row.style, &row.name).pad(2 + name);
        if bar_cells > 0 {
            let (full, empty) = bar(row.ended, bar_cells);
            line.push(Style::Plain, "  ").push(row.style, &full).push(Style::Dim, &empty);
        }
        for &n in &shown {
            let (style, text) = &row.cells[n];
            let column = line.width() + 2 + widths[n] - width(text);
            line.pad(column).push(*style, text);
        }
        lines.push(line);
    }
    lines
}

/// A bar of so many cells. The last cell is filled when every host has ended, and not before.
fn bar((ended, total): (u32, u32), cells: usize) -> (String, String) {
    let filled = if total == 0 { 0 } else { ended as usize * cells / total as usize };
    ("█".repeat(filled), "░".repeat(cells - filled))
}
