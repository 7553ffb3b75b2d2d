//! The picture at a terminal: redrawn in place, with what must not be missed written above it.
//!
//! indicatif draws what moves. What stays, above and at the end, is written as lines of its own:
//! indicatif fills its lines up with blanks, and a terminal that is made wider would join them.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use jiff::Timestamp;

use super::frame::{Seat, View, frame};
use super::sentence::{Teller, Weight};
use super::text::{Style, clean, wrap};
use super::watch::Watch;
use crate::engine::news::News;
use crate::model::Record;

/// Lines that are remembered, for a terminal that does not take any for a while, or is resized.
const REMEMBERED: usize = 500;

/// One redrawing.
pub(super) struct Paint {
    /// Lines that stay, above the picture.
    pub(super) above: Vec<String>,
    pub(super) frame: Vec<String>,
    /// Whether the screen is wiped first.
    pub(super) wipe: bool,
    /// Whether the picture stays too.
    last: bool,
}

/// Something said above the picture.
struct Call {
    time: String,
    style: Style,
    text: String,
}

impl Call {
    /// Broken between words, so that it reads well; each row is a line of its own.
    fn render(&self, width: usize, colour: bool) -> Vec<String> {
        let indent = self.time.len() + 1;
        let rows = wrap(&self.text, width.saturating_sub(indent).max(20), usize::MAX);
        let paint = |style: Style, text: &str| if colour { style.paint(text) } else { text.to_owned() };
        let rows = rows.iter().enumerate().map(|(n, row)| match n {
            0 => format!("{} {}", paint(Style::Dim, &self.time), paint(self.style, row)),
            _ => format!("{}{}", " ".repeat(indent), paint(self.style, row)),
        });
        rows.collect()
    }
}

/// The terminal's size, in columns and rows.
pub(super) type Size = (usize, usize);

/// Turns news into redrawings.
pub(super) struct Bars {
    pub(super) watch: Watch,
    teller: Teller,
    colour: bool,
    /// Lines written above the picture that may have to be written again.
    written: VecDeque<Call>,
    /// Lines that are still to be written.
    unwritten: VecDeque<Call>,
    size: Option<Size>,
    wipe: bool,
}

impl Bars {
    pub(super) fn new(watch: Watch, teller: Teller, colour: bool) -> Self {
        Self { watch, teller, colour, written: VecDeque::new(), unwritten: VecDeque::new(), size: None, wipe: false }
    }

    /// Takes in news.
    pub(super) fn news(&mut self, news: &News, now: Timestamp) {
        match news {
            News::Committed(committed) => {
                let sentence = self.teller.tell(&self.watch, &committed.entry);
                if sentence.weight == Weight::Call {
                    let style = match committed.entry.record {
                        Record::UnitEnded { .. } | Record::Contacted { .. } => Style::Bad,
                        _ => Style::Warn,
                    };
                    self.call(committed.entry.at, style, &sentence.text);
                }
            }
            News::Notice(notice) => self.call(now, Style::Warn, notice),
            _ => {}
        }
        let asked = self.watch.gate.is_some();
        self.watch.take(news, now);
        // What was typed as an answer has moved the cursor from where the picture ends.
        self.wipe |= asked && self.watch.gate.is_none();
    }

    fn call(&mut self, at: Timestamp, style: Style, text: &str) {
        let time = at.to_zoned(self.teller.zone.clone()).strftime("%H:%M:%S").to_string();
        self.unwritten.push_back(Call { time, style, text: clean(text) });
        if self.unwritten.len() > REMEMBERED {
            self.unwritten.pop_front();
        }
    }

    /// Whether the terminal has another size than the picture was drawn for.
    pub(super) fn resized(&mut self, size: Size) -> bool {
        let resized = self.size.is_some_and(|old| old != size);
        self.wipe |= resized;
        self.size = Some(size);
        resized
    }

    /// The next redrawing.
    pub(super) fn paint(&mut self, now: Timestamp, last: bool) -> Paint {
        let (width, height) = self.size.unwrap_or((80, 24));
        let zone = &self.teller.zone;
        // The row below the picture stays free, for the cursor and for the shell's prompt afterwards.
        let rows = height.saturating_sub(1).max(1);
        let view =
            View { watch: &self.watch, now, zone, seat: Seat::Driver, width, height: Some(rows), colour: self.colour };
        let frame = frame(&view);
        let calls: Vec<Call> = self.unwritten.drain(..).collect();
        let render = |call: &Call| call.render(width, self.colour);
        let mut above: Vec<String> = calls.iter().flat_map(render).collect();
        self.written.extend(calls);
        self.written.drain(..self.written.len().saturating_sub(REMEMBERED));
        let wipe = std::mem::take(&mut self.wipe);
        if wipe {
            above = self.written.iter().flat_map(render).collect();
            above.drain(..above.len().saturating_sub(height.saturating_sub(frame.len() + 1)));
        }
        Paint { above, frame, wipe, last }
    }
}

/// What draws on stderr. It ignores every error: a terminal that is gone is no reason for anything.
pub(super) fn painter() -> impl FnMut(Paint) + Send {
    let picture = Arc::new(Mutex::new(String::new()));
    let source = picture.clone();
    let write = move |_: &ProgressState, to: &mut dyn std::fmt::Write| {
        let _ = to.write_str(&source.lock().unwrap_or_else(PoisonError::into_inner));
    };
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{picture}") {
        bar.set_style(style.with_key("picture", write));
    }
    move |paint| {
        *picture.lock().unwrap_or_else(PoisonError::into_inner) = paint.frame.join("\n");
        let mut text = String::new();
        if paint.wipe {
            text.push_str("\x1b[H\x1b[2J");
        }
        for line in paint.above {
            text.push_str(&line);
            text.push('\n');
        }
        let put = |text: &str| {
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        };
        if paint.last {
            bar.finish_and_clear();
            for line in paint.frame {
                text.push_str(&line);
                text.push('\n');
            }
            put(&text);
        } else if text.is_empty() {
            bar.force_draw();
        } else {
            bar.suspend(|| put(&text));
        }
    }
}

/// The size of the terminal that stderr is.
pub(super) fn size() -> Size {
    match rustix::termios::tcgetwinsize(std::io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 24),
    }
}
