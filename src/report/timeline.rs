//! The timeline: every host that was taken up as a bar over time, as SVG.
//!
//! Bars are grouped by stage, in the order in which hosts started. What an outcome is can be seen
//! without colour: each has its pattern and its letter.

use std::fmt::Write;

use jiff::{SignedDuration, Timestamp};

use super::layout::{Moments, count, one_line};
use super::scale::Scale;
use super::text::{Said, actual, said};
use super::timing::{Stage, Standing, Timing, Visit, fate_name};
use crate::engine::state::Fate;
use crate::model::span;
use crate::model::{Command, Outcome, Slot};

/// The picture's width, in its own units.
const WIDTH: f64 = 1120.0;
const LEFT: f64 = 112.0;
const RIGHT: f64 = WIDTH - 28.0;
/// A stage's bars have about this much room, within what a bar needs.
const STAGE_HEIGHT: f64 = 900.0;
/// Rows lower than this have no label, letter or try of their own.
const LEGIBLE: f64 = 4.0;
/// Bars whose tooltip says every try; more would make the file large.
const MOST_TOLD: usize = 400;

/// The picture, with the names of what it shows for a legend.
pub(super) struct Timeline {
    /// The SVG element.
    pub(super) svg: String,
    /// The outcomes that occur: class, letter and name.
    pub(super) outcomes: Vec<(&'static str, &'static str, String)>,
}

/// The picture of a run; `None` when no host was taken up.
pub(super) fn draw(timing: &Timing) -> Option<Timeline> {
    let rows: usize = timing.stages.iter().map(|stage| rows(stage).len()).sum();
    (rows > 0).then(|| Picture::new(timing).draw(rows))
}

/// Text that is safe between tags and in attributes.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // XML has no other control characters, not even escaped.
            c if c.is_control() && c != '\n' => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// The class and the letter of a fate.
pub(super) fn mark(fate: Fate) -> (&'static str, &'static str) {
    match fate {
        Fate::Ended(Outcome::Changed) => ("changed", ""),
        Fate::Ended(Outcome::Unchanged) => ("unchanged", ""),
        Fate::Ended(Outcome::Skipped) => ("skipped", "S"),
        Fate::Ended(Outcome::Interrupted) => ("interrupted", "I"),
        Fate::Ended(Outcome::Unreachable) => ("unreachable", "U"),
        Fate::Ended(Outcome::TimedOut) => ("timed-out", "T"),
        Fate::Ended(Outcome::Failed) => ("failed", "F"),
        Fate::UnderWay => ("open", "…"),
        Fate::Left => ("left", "N"),
    }
}

/// The hosts of a stage that were taken up, in the order in which they first started.
fn rows(stage: &Stage) -> Vec<&Visit> {
    let mut rows: Vec<_> = stage.hosts.iter().filter(|visit| !visit.spans.is_empty()).collect();
    rows.sort_by_key(|visit| visit.started());
    rows
}

struct Picture<'a> {
    timing: &'a Timing,
    moments: Moments<'a>,
    scale: Scale,
    body: String,
    y: f64,
    told: bool,
    /// What stands above every bar.
    above: String,
    /// Where letters stand, so that none covers another.
    letters: Vec<(f64, f64)>,
}

impl<'a> Picture<'a> {
    fn new(timing: &'a Timing) -> Self {
        let since = |at: Timestamp| at.duration_since(timing.started).as_secs_f64();
        let planned = timing.stages.iter().filter_map(|stage| {
            let start = stage.started?;
            Some(since(start) + stage.planned?.as_secs_f64())
        });
        let mut end = planned.fold(since(timing.ended), f64::max);
        if let Some(closes) = timing.closes.map(since).filter(|closes| *closes > 0.0 && *closes < end * 1.4) {
            end = end.max(closes);
        }
        let sessions = timing.sessions.iter().zip(timing.sessions.iter().skip(1));
        let stops: Vec<_> = sessions.map(|(one, next)| (since(one.ended), since(next.started))).collect();
        let scale = Scale::new(end.max(0.001), &stops, LEFT, RIGHT);
        let moments = Moments::of(timing);
        Self {
            timing,
            moments,
            scale,
            body: String::new(),
            y: 0.0,
            told: false,
            above: String::new(),
            letters: Vec::new(),
        }
    }

    fn x(&self, at: Timestamp) -> f64 {
        self.scale.x(at.duration_since(self.timing.started).as_secs_f64())
    }

    fn draw(mut self, rows: usize) -> Timeline {
        self.told = rows <= MOST_TOLD;
        let orders = said(self.timing);
        let axis = if orders.is_empty() { 20.0 } else { 42.0 };
        let top = axis + 34.0;
        self.y = top;
        for stage in &self.timing.stages {
            self.stage(stage);
        }
        let bottom = self.y;
        let bars = std::mem::take(&mut self.body);
        self.grid(axis, top, bottom);
        self.pauses(top, bottom);
        self.window_end(top, bottom);
        self.body += &bars;
        self.body += &std::mem::take(&mut self.above);
        self.flags(&orders, bottom);
        let height = bottom + 10.0;
        let (title, about) = (format!("Timeline of {}", self.timing.opened.run), self.about());
        let svg = format!(
            "<svg class=\"timeline\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-labelledby=\"tl-t tl-d\">\
             <title id=\"tl-t\">{}</title><desc id=\"tl-d\">{}</desc>\n{PATTERNS}{}</svg>",
            escape(&title),
            escape(&about),
            self.body
        );
        Timeline { svg, outcomes: self.outcomes() }
    }

    /// The picture in words.
    fn about(&self) -> String {
        let stages = self.timing.stages.iter().map(|stage| {
            let difference = stage.difference().map(|difference| format!(", {}", span::signed(difference)));
            format!("{}: {}{}", stage.name, actual(stage), difference.unwrap_or_default())
        });
        format!("One bar for each host over time, by stage. {}.", stages.collect::<Vec<_>>().join("; "))
    }

    /// The fates that have a bar.
    fn outcomes(&self) -> Vec<(&'static str, &'static str, String)> {
        let bars = self.timing.stages.iter().flat_map(|stage| &stage.hosts).filter(|visit| !visit.spans.is_empty());
        let mut fates: Vec<_> = bars.map(|visit| visit.fate).collect();
        fates.sort_unstable();
        fates.dedup();
        let named = |fate| {
            let (class, letter) = mark(fate);
            (class, letter, fate_name(fate))
        };
        fates.into_iter().map(named).collect()
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.body.write_fmt(element);
        self.body.push('\n');
    }

    /// Lines and labels of time.
    fn grid(&mut self, axis: f64, top: f64, bottom: f64) {
        for tick in self.scale.ticks() {
            let x = self.scale.x(tick);
            let passed = SignedDuration::try_from_secs_f64(tick).unwrap_or_default();
            let at = self.timing.started.saturating_add(passed).unwrap_or(self.timing.ended);
            let clock = if tick % 60.0 == 0.0 { self.moments.minute(at) } else { self.moments.clock(at) };
            self.push(format_args!("<path class=\"grid\" d=\"M{x:.1} {top:.0}V{bottom:.0}\"/>"));
            let passed = span::short(passed);
            self.push(format_args!("<text class=\"tick\" x=\"{x:.1}\" y=\"{:.0}\">{passed}</text>", axis + 10.0));
            self.push(format_args!("<text class=\"clock\" x=\"{x:.1}\" y=\"{:.0}\">{clock}</text>", axis + 23.0));
        }
        let breaks: Vec<_> = self.scale.breaks().map(|gap| (gap.left, gap.right, gap.to - gap.from)).collect();
        for (left, right, seconds) in breaks {
            let lasted = span::short(SignedDuration::try_from_secs_f64(seconds).unwrap_or_default());
            let (middle, width, height) = (f64::midpoint(left, right), right - left, bottom - top);
            self.push(format_args!(
                "<rect class=\"stopped\" x=\"{left:.1}\" y=\"{top:.0}\" width=\"{width:.1}\" height=\"{height:.0}\"/>"
            ));
            self.push(format_args!("<text class=\"clock\" x=\"{middle:.1}\" y=\"{:.0}\">stopped</text>", axis + 10.0));
            self.push(format_args!("<text class=\"clock\" x=\"{middle:.1}\" y=\"{:.0}\">{lasted}</text>", axis + 23.0));
        }
    }

    /// Holds, and short stops that the scale does not break.
    fn pauses(&mut self, top: f64, bottom: f64) {
        let timing = self.timing;
        let holds = timing.orders.iter().filter(|order| matches!(order.command, Command::Hold { .. }));
        let holds = holds.filter_map(|hold| Some((hold.at, hold.until?, "hold")));
        let sessions = timing.sessions.iter().zip(timing.sessions.iter().skip(1));
        let stops = sessions.map(|(one, next)| (one.ended, next.started, "stopped"));
        for (from, to, class) in holds.chain(stops) {
            let (left, right) = (self.x(from), self.x(to));
            let is_broken = self.scale.breaks().any(|gap| (gap.left - left).abs() < 0.1 && class == "stopped");
            if !is_broken {
                let (width, height) = ((right - left).max(1.0), bottom - top);
                let lasted = span::short(to.duration_since(from));
                self.push(format_args!(
                    "<rect class=\"{class}\" x=\"{left:.1}\" y=\"{top:.0}\" width=\"{width:.1}\" \
                     height=\"{height:.0}\"><title>{class} {lasted}</title></rect>"
                ));
            }
        }
    }

    /// Where the run's window closes, and what was left of it.
    fn window_end(&mut self, top: f64, bottom: f64) {
        let (Some(closes), Some(slack)) = (self.timing.closes, self.timing.slack()) else { return };
        let (x, end) = (self.x(closes), self.x(self.timing.ended));
        let passed = closes.duration_since(self.timing.started).as_secs_f64();
        let edge = self.scale.ticks().last().map_or(0.0, |last| last * 2.0).max(passed);
        let is_drawn = x < RIGHT - 0.1 || passed <= edge && x - self.scale.x(passed - 1.0) > 0.0;
        if !is_drawn {
            return;
        }
        let height = bottom - top;
        if slack.is_positive() && x - end > 1.0 {
            let width = x - end;
            self.push(format_args!(
                "<rect class=\"slack\" x=\"{end:.1}\" y=\"{top:.0}\" width=\"{width:.1}\" height=\"{height:.0}\"/>"
            ));
        }
        let slack = if slack.is_negative() { String::new() } else { format!(", slack {}", span::short(slack)) };
        let label = format!("window closes {}{slack}", self.moments.minute(closes));
        self.push(format_args!("<path class=\"closes\" d=\"M{x:.1} {top:.0}V{bottom:.0}\"/>"));
        let anchor = if x > WIDTH / 2.0 { "end" } else { "start" };
        self.push(format_args!("<text class=\"edge\" text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"12\">{label}</text>"));
    }

    /// Numbered flags for what people said; the page lists them with the same numbers.
    fn flags(&mut self, orders: &[Said], bottom: f64) {
        let mut last = f64::MIN;
        for (n, said) in (1..).zip(orders) {
            let true_x = self.x(said.at);
            let x = true_x.max(last + 18.0).min(RIGHT + 14.0);
            if x <= last {
                // No room is left at the edge; the list under the picture has it.
                continue;
            }
            last = x;
            let what = escape(&one_line(&format!("{}: {}", self.moments.clock(said.at), said.what)));
            self.push(format_args!(
                "<g class=\"flag\"><title>{what}</title><path d=\"M{x:.1} 38L{true_x:.1} 44V{bottom:.0}\"/>\
                 <circle cx=\"{x:.1}\" cy=\"30\" r=\"8\"/><text x=\"{x:.1}\" y=\"33.5\">{n}</text></g>"
            ));
        }
    }

    fn stage(&mut self, stage: &'a Stage) {
        let rows = rows(stage);
        #[expect(clippy::cast_precision_loss, reason = "a stage has fewer hosts than 2^52")]
        let height = (STAGE_HEIGHT / rows.len().max(1) as f64).clamp(0.8, 13.0);
        let title = stage_title(stage);
        self.y += 20.0;
        let left = stage.started.map_or(LEFT, |start| self.x(start)).min(WIDTH * 0.7);
        let name = escape(&stage.name);
        let y = self.y - 5.0;
        self.push(format_args!(
            "<text class=\"stage\" x=\"{left:.1}\" y=\"{y:.1}\"><tspan class=\"name\">{name}</tspan>{title}</text>"
        ));
        #[expect(clippy::cast_precision_loss, reason = "a stage has fewer hosts than 2^52")]
        let tall = rows.len() as f64 * height;
        self.band(stage, tall + 6.0);
        let top = self.y + 3.0;
        let mut labelled = f64::MIN;
        for (row, visit) in rows.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "a stage has fewer hosts than 2^52")]
            let y = top + row as f64 * height;
            if y - labelled >= 12.9 {
                labelled = y;
                let (name, y) = (escape(&self.timing.hosts[visit.host].name), y + height / 2.0 + 3.5);
                let x = LEFT - 7.0;
                self.push(format_args!("<text class=\"host\" x=\"{x:.1}\" y=\"{y:.1}\">{name}</text>"));
            }
            self.bar(stage, visit, y, height);
        }
        if !rows.is_empty() {
            self.y = top + tall + 9.0;
        }
        self.y += 4.0;
    }

    /// The planned window as an outline, and what ran beyond it.
    fn band(&mut self, stage: &Stage, height: f64) {
        let (Some(start), Some(planned)) = (stage.started, stage.planned) else { return };
        let until = start.saturating_add(planned).unwrap_or(stage.ended);
        let (left, right, end, y) = (self.x(start), self.x(until), self.x(stage.ended), self.y);
        let width = right - left;
        self.push(format_args!(
            "<rect class=\"planned\" x=\"{left:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
        ));
        if end - right > 0.1 {
            let width = end - right;
            self.push(format_args!(
                "<rect class=\"over\" x=\"{right:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
            ));
        }
    }

    /// One host: a bar for each time it was taken up, with its units.
    fn bar(&mut self, stage: &Stage, visit: &Visit, y: f64, row: f64) {
        let (class, letter) = mark(visit.fate);
        let (gap, tip) = (if row >= LEGIBLE { 1.0 } else { 0.0 }, self.tip(stage, visit));
        let height = row - gap;
        self.push(format_args!("<g><title>{}</title>", escape(&tip)));
        let (mut left, mut right) = (LEFT, LEFT);
        for (n, (from, to)) in (1..).zip(&visit.spans) {
            let end = self.x(to.unwrap_or(self.timing.ended));
            left = self.x(*from);
            let width = (end - left).max(1.0);
            right = left + width;
            // What an earlier taking up came to is not what the host came to.
            let class = if n < visit.spans.len() { "earlier" } else { class };
            self.push(format_args!(
                "<rect class=\"b {class}\" x=\"{left:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
            ));
        }
        self.units(visit, y, height);
        self.push(format_args!("</g>"));
        if !letter.is_empty() {
            self.letter(letter, (left, right), y, row);
        }
    }

    /// Sets a letter beside a bar, where there is room for it.
    fn letter(&mut self, letter: &str, bar: (f64, f64), y: f64, row: f64) {
        // Low bars stand close together, and in a cascade only what is before them is free.
        let (class, x) = if row < LEGIBLE { ("letter before", bar.0 - 5.0) } else { ("letter", bar.1 + 4.0) };
        if self.letters.iter().rev().take(64).all(|(other, at)| (other - x).abs() > 10.0 || (at - y).abs() > 9.0) {
            self.letters.push((x, y));
            let y = y + row / 2.0 + 3.5;
            let _ = writeln!(self.above, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{letter}</text>");
        }
    }

    /// Every other step shaded, and tries that did not come through as what they came to.
    fn units(&mut self, visit: &Visit, y: f64, height: f64) {
        let mut shade = String::new();
        for attempt in &visit.tries {
            let left = self.x(attempt.started);
            let width = self.x(attempt.ended.unwrap_or(self.timing.ended)) - left;
            if width < 0.4 {
                continue;
            }
            if let Some(missed) = attempt.outcome.filter(|outcome| outcome.is_failure()) {
                let (class, _) = mark(Fate::Ended(missed));
                self.push(format_args!(
                    "<rect class=\"b {class}\" x=\"{left:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>"
                ));
            } else if matches!(attempt.slot, Slot::Step(step) if step % 2 == 1) {
                // Writing to a String cannot fail.
                let _ = write!(shade, "M{left:.1} {y:.1}h{width:.1}v{height:.1}h-{width:.1}z");
            }
        }
        if !shade.is_empty() {
            self.push(format_args!("<path class=\"shade\" d=\"{shade}\"/>"));
        }
    }

    /// What a bar says when it is pointed at.
    fn tip(&self, stage: &Stage, visit: &Visit) -> String {
        let host = &self.timing.hosts[visit.host].name;
        let from = visit.started().map(|at| self.moments.clock(at)).unwrap_or_default();
        let took = visit.took.map(span::short).unwrap_or_default();
        let mut tip = format!("{host}: {}, from {from} for {took}", fate_name(visit.fate));
        if let Some(note) = visit.note() {
            let _ = write!(tip, "\n{}", one_line(note));
        }
        if self.told {
            for attempt in &visit.tries {
                let took = span::short(attempt.ended.unwrap_or(self.timing.ended).duration_since(attempt.started));
                let outcome = attempt.outcome.map_or_else(|| "under way".into(), |outcome| outcome.to_string());
                let _ = write!(tip, "\n{}: {outcome} in {took}", stage.title(attempt.slot));
            }
        }
        tip
    }
}

/// A stage against its plan, in a few words.
fn stage_title(stage: &Stage) -> String {
    let planned = stage.planned.map(|planned| format!("planned {}", span::short(planned)));
    let actual = stage.started.map(|_| format!("actual {}", actual(stage)));
    let difference = stage.difference().map(span::signed);
    let missing = stage.hosts.iter().filter(|visit| visit.spans.is_empty()).count();
    let missing = match stage.started {
        None => Some("not begun".into()),
        Some(_) => (missing > 0).then(|| format!("{} not taken up", count(missing, "host"))),
    };
    let parts = [planned, actual, difference, missing].into_iter().flatten();
    parts.flat_map(|part| [" · ".to_owned(), escape(&part)]).collect()
}

/// Whether the picture ends before the run did.
pub(super) fn is_open(timing: &Timing) -> bool {
    !matches!(timing.standing, Standing::Ended(_))
}

/// What outcomes look like besides their colour.
const PATTERNS: &str = r#"<defs>
<pattern id="p-failed" width="6" height="6" patternUnits="userSpaceOnUse"><rect class="f-failed" width="6" height="6"/><path class="ink" d="M-1 1L1 -1M0 6L6 0M5 7L7 5"/></pattern>
<pattern id="p-timed-out" width="4" height="4" patternUnits="userSpaceOnUse"><rect class="f-timed-out" width="4" height="4"/><path class="ink" d="M2 0V4"/></pattern>
<pattern id="p-unreachable" width="5" height="5" patternUnits="userSpaceOnUse"><rect class="f-unreachable" width="5" height="5"/><circle class="dot" cx="2.5" cy="2.5" r="1.1"/></pattern>
<pattern id="p-interrupted" width="4" height="4" patternUnits="userSpaceOnUse"><rect class="f-interrupted" width="4" height="4"/><path class="ink" d="M0 2H4"/></pattern>
<pattern id="p-hold" width="7" height="7" patternUnits="userSpaceOnUse"><path class="hold-ink" d="M-1 1L1 -1M0 7L7 0M6 8L8 6"/></pattern>
<pattern id="p-over" width="5" height="5" patternUnits="userSpaceOnUse"><path class="over-ink" d="M-1 4L1 6M0 0L5 5M4 -1L6 1"/></pattern>
</defs>
"#;
