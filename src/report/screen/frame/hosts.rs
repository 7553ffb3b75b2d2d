//! The hosts under way in the current stage: what each one does, and since when it is silent.

use jiff::{SignedDuration, Timestamp};

use super::{Seat, View, took};
use crate::engine::state::{HostState, Phase};
use crate::model::record::between;
use crate::model::span;
use crate::model::{Slot, UnitKey};
use crate::report::screen::figures::{self, Doing};
use crate::report::screen::text::{Line, Style, clean, cut, flow, width};

/// A host that says nothing for longer than this is worth a word.
const QUIET: SignedDuration = SignedDuration::from_secs(10);

/// A host under way.
struct Row {
    failed: bool,
    name: String,
    step: String,
    attempt: String,
    time: String,
    quiet: Option<SignedDuration>,
    since: Timestamp,
    line: String,
}

pub(super) fn lines(view: &View, limit: usize) -> Vec<Line> {
    let run = &view.watch.state;
    let Some(stage) = run.stages.get(run.current) else { return Vec::new() };
    if stage.under_way.is_empty() {
        return Vec::new();
    }
    let mut rows: Vec<Row> = stage.under_way.iter().map(|&place| row(view, place)).collect();
    // Only silence that is worth a word changes the order: rows that jump about cannot be read.
    rows.sort_by_key(|row| (std::cmp::Reverse(row.quiet), row.since));
    let hidden = rows.len().saturating_sub(limit);
    let mut lines = heading(view, rows.len());
    rows.truncate(limit);
    lines.extend(table(&rows, view.width));
    if hidden > 0 {
        lines.push(Line::new(Style::Dim, &format!("  … and {hidden} more under way")));
    }
    lines
}

/// How many, and the pace against the one wanted.
fn heading(view: &View, under_way: usize) -> Vec<Line> {
    let run = &view.watch.state;
    let (stage, shape) = (&run.stages[run.current], &run.outline.stages[run.current]);
    let (wanted, fan_out) = figures::limits(run, run.current);
    let name = clean(&shape.name);
    let of = if shape.hosts.len() > 1 { format!("{under_way} of {fan_out} ") } else { String::new() };
    let mut parts = vec![(Style::Strong, format!("{of}under way in {name}"))];
    let failed = stage.under_way.iter().filter(|&&place| figures::has_failed(&stage.hosts[place as usize])).count();
    if failed > 0 {
        parts.push((Style::Bad, format!("{failed} of them failed")));
    }
    if stage.waiting > 0 {
        let now = figures::pace_now(stage, wanted, view.now);
        let text = match (now, wanted) {
            (Some(now), Some(wanted)) => Some(format!("pace {now:.1}/h of {}/h", wanted.hosts_per_hour())),
            (None, Some(wanted)) => Some(format!("pace {wanted} wanted")),
            (Some(now), None) => Some(format!("pace {now:.1}/h")),
            (None, None) => None,
        };
        parts.extend(text.map(|text| (Style::Plain, text)));
    }
    flow(parts, 2, view.width)
}

fn row(view: &View, place: u32) -> Row {
    let run = &view.watch.state;
    let (stage, shape) = (&run.stages[run.current], &run.outline.stages[run.current]);
    let host = &stage.hosts[place as usize];
    let index = u16::try_from(run.current).unwrap_or(u16::MAX);
    let mut row = Row {
        failed: figures::has_failed(host),
        name: clean(run.outline.host_name(index, place)),
        step: String::new(),
        attempt: String::new(),
        time: String::new(),
        quiet: None,
        since: host.started_at.unwrap_or(view.now),
        line: String::new(),
    };
    let asks = Doing::of(view.watch) == Doing::Gate;
    match host.phase {
        Phase::Running { slot, attempt, since } => {
            let sign = view.watch.sign(UnitKey { stage: index, host: place, slot });
            let quiet = between(sign.map_or(since, |sign| sign.at), view.now);
            row.step = title(slot, &shape.steps);
            row.attempt = try_of(host, attempt);
            row.time = took(since, view.now);
            row.quiet = (quiet >= QUIET && !asks && view.seat != Seat::Nobody).then_some(quiet);
            row.line = sign.and_then(|sign| sign.line.as_deref()).map(clean).unwrap_or_default();
        }
        Phase::Retrying { slot, attempt, at } => {
            row.step = title(slot, &shape.steps);
            row.attempt = try_of(host, attempt);
            row.line = format!("tries again in {}", took(view.now, at));
            if let Some(note) = &host.note {
                row.line = format!("{}: {}", row.line, clean(note));
            }
        }
        Phase::Idle { since } => {
            row.step = "settles".into();
            row.time = took(since, view.now);
        }
        Phase::Waiting | Phase::Ended(_) => {}
    }
    row
}

fn try_of(host: &HostState, attempt: u16) -> String {
    let attempt = attempt.saturating_sub(host.base);
    if attempt > 1 { format!("try {attempt}") } else { String::new() }
}

/// A step as `2/3 upgrade`, so that how far a host is can be read down the column.
pub(super) fn title(slot: Slot, steps: &[String]) -> String {
    let title = steps.get(slot.step()).map(|title| clean(title)).unwrap_or_default();
    match slot {
        Slot::Step(step) => format!("{}/{} {title}", step + 1, steps.len()),
        Slot::Always(_) => format!("put back: {title}"),
    }
}

fn table(rows: &[Row], room: usize) -> Vec<Line> {
    let widest = |text: fn(&Row) -> &str| rows.iter().map(|row| width(text(row))).max().unwrap_or(0);
    let name = widest(|row| &row.name).min((room / 4).max(8));
    let step = widest(|row| &row.step).min((room / 3).max(10));
    // On a narrow screen the room goes to how long a host is silent.
    let attempt = if room < 60 { 0 } else { widest(|row| &row.attempt) };
    let time = widest(|row| &row.time);
    let mut lines = Vec::new();
    for row in rows {
        let mut line = Line::new(Style::Bad, if row.failed { "✗ " } else { "  " });
        line.push(Style::Plain, &cut(&row.name, name)).pad(2 + name);
        line.push(Style::Plain, "  ").push(Style::Plain, &cut(&row.step, step)).pad(4 + name + step);
        // Each further cell only when it has room; what is said last is given up first.
        let mut column = 4 + name + step;
        if attempt > 0 && column + 2 + attempt <= room {
            line.push(Style::Plain, "  ").push(Style::Warn, &row.attempt).pad(column + 2 + attempt);
            column += 2 + attempt;
        }
        let quiet = row.quiet.map(span::short).unwrap_or_default();
        // Where only one of them has room, silence matters more than how long the step takes.
        let both = column + 2 + time + 8 + quiet.len() <= room;
        if column + 2 + time <= room && (quiet.is_empty() || both) {
            line.pad(column + 2 + time - width(&row.time)).push(Style::Plain, &row.time);
        }
        let words = ["  quiet for ", "  quiet "];
        let words = words.into_iter().find(|words| line.width() + words.len() + quiet.len() <= room);
        if let (Some(words), false) = (words, quiet.is_empty()) {
            line.push(Style::Warn, words).push(Style::Warn, &quiet);
        }
        if line.width() + 10 <= room && !row.line.is_empty() {
            line.push(Style::Plain, "  ").push(Style::Dim, &row.line);
        }
        lines.push(line);
    }
    lines
}
