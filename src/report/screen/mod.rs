//! What a person, or a program, sees of a run while it goes on.
//!
//! A reporter runs on a thread of its own and folds the records it is told into a state of its own.
//! It never holds up the engine, never ends a run, and goes quiet when nobody can read it any more.

mod bars;
pub mod figures;
pub mod frame;
mod json;
mod lines;
pub(super) mod pen;
#[cfg(test)]
mod sample;
pub mod sentence;
#[cfg(test)]
mod tests;
pub(super) mod text;
pub mod watch;

use std::io::Write;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use frame::{Seat, View, frame};
pub use watch::Watch;

use crate::engine::news::News;
use crate::model::Outline;
use crate::model::record::Entry;
use bars::Bars;
use lines::Lines;
use pen::Pen;
use sentence::Teller;

/// How a run is shown while it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A picture on the terminal that stderr is.
    Bars,
    /// Lines on stderr.
    Lines,
    /// JSON on stdout.
    Json,
}

/// What a reporter starts from.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The shape of the plan.
    pub outline: Arc<Outline>,
    /// What was in the journal before: nothing for a new run, everything for one that is resumed.
    pub entries: Vec<Entry>,
    /// The folder of the hosts' logs, as a person would type it.
    pub logs: Utf8PathBuf,
    /// Times of day are shown in this zone.
    pub zone: TimeZone,
    /// Whether the picture may have colours.
    pub colour: bool,
}

/// How often a reporter looks around when nobody tells it anything.
const TICK: Duration = Duration::from_millis(100);
/// Once all news are shown, it lets some gather: nobody sees the difference, and whoever tells it is not held up.
const REST: Duration = Duration::from_millis(10);
/// Time between two redrawings while nothing happens, so that clocks move.
const REDRAW: Duration = Duration::from_secs(1);
/// Time between two redrawings while a gate waits: what a person types is not to be wiped away.
const REDRAW_AT_GATE: Duration = Duration::from_secs(30);
/// How long the end of a run waits for a terminal that takes nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// Starts a reporter. It ends once the sender is dropped and everything is written; a terminal that
/// takes nothing holds up that end for two seconds, a program that reads JSON or lines for as long
/// as it likes.
///
/// `clock` gives the run's time between records.
pub fn start(
    progress: Progress,
    setup: Setup,
    clock: impl FnMut() -> Timestamp + Send + 'static,
) -> (Sender<News>, JoinHandle<()>) {
    let (sender, news) = channel();
    let thread = std::thread::spawn(move || match progress {
        Progress::Bars => show_bars(setup, &news, clock),
        Progress::Lines => show_lines(setup, &news, clock),
        Progress::Json => show_json(setup, &news, clock),
    });
    (sender, thread)
}

impl Setup {
    pub(super) fn begin(self) -> (Watch, Teller) {
        (Watch::new(self.outline, &self.entries), Teller { zone: self.zone, logs: self.logs })
    }
}

/// The next news; `Ok(None)` when there was none for a while, an error when there will be none.
fn next(news: &Receiver<News>) -> Result<Option<News>, RecvTimeoutError> {
    if let Ok(news) = news.try_recv() {
        return Ok(Some(news));
    }
    std::thread::sleep(REST);
    match news.recv_timeout(TICK) {
        Ok(news) => Ok(Some(news)),
        Err(RecvTimeoutError::Timeout) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether it is time for something again, and if so counts from now.
fn is_due(last: &mut Option<Instant>, every: Duration) -> bool {
    let due = last.is_none_or(|last| last.elapsed() >= every);
    if due {
        *last = Some(Instant::now());
    }
    due
}

fn show_bars(setup: Setup, news: &Receiver<News>, mut clock: impl FnMut() -> Timestamp) {
    let colour = setup.colour;
    let (watch, teller) = setup.begin();
    let mut bars = Bars::new(watch, teller, colour);
    let pen = Pen::new(Some(PATIENCE), bars::painter());
    let (mut drawn, mut looked) = (None, None);
    let mut fresh = true;
    while let Ok(told) = next(news) {
        let mut now = clock();
        if let Some(told) = told {
            // A record may be newer than a clock that stands still.
            bars.news(&told, now.max(bars.watch.last_at));
            fresh |= matches!(told, News::Committed(_) | News::Gate { .. } | News::Notice(_));
        }
        now = now.max(bars.watch.last_at);
        if !pen.is_free() || !is_due(&mut looked, TICK) {
            continue;
        }
        fresh |= bars.resized(bars::size());
        let every = if bars.watch.gate.is_some() { REDRAW_AT_GATE } else { REDRAW };
        if fresh || drawn.is_none_or(|drawn: Instant| drawn.elapsed() >= every) {
            drawn = Some(Instant::now());
            fresh = false;
            pen.put(bars.paint(now, false));
        }
    }
    bars.resized(bars::size());
    let now = clock().max(bars.watch.last_at);
    pen.put(bars.paint(now, true));
}

fn show_lines(setup: Setup, news: &Receiver<News>, mut clock: impl FnMut() -> Timestamp) {
    let (watch, teller) = setup.begin();
    let mut lines = Lines::new(watch, teller, clock());
    let pen = Pen::new(None, writer(std::io::stderr()));
    let mut looked = None;
    while let Ok(told) = next(news) {
        let now = clock();
        let line = told.and_then(|told| lines.news(&told, now));
        // However fast the run's clock goes, a person reads in real time.
        let line = line.or_else(|| is_due(&mut looked, REDRAW).then(|| lines.heartbeat(now)).flatten());
        if let Some(line) = line {
            pen.put(line);
        }
    }
}

fn show_json(setup: Setup, news: &Receiver<News>, mut clock: impl FnMut() -> Timestamp) {
    let (mut watch, _) = setup.begin();
    let pen = Pen::new(None, writer(std::io::stdout()));
    let mut said = None;
    while let Ok(told) = next(news) {
        let now = clock().max(watch.last_at);
        if let Some(told) = told {
            watch.take(&told, now);
            if let Some(line) = json::news(&told, now.max(watch.last_at)) {
                pen.put(line);
            }
        }
        if pen.is_free() && is_due(&mut said, REDRAW) {
            pen.put(json::progress(&watch, now.max(watch.last_at)));
        }
    }
    pen.put(json::progress(&watch, clock().max(watch.last_at)));
}

/// What writes lines, each at once. After the first error it says no more.
fn writer(mut to: impl Write + Send) -> impl FnMut(String) + Send {
    let mut quiet = false;
    move |mut line: String| {
        line.push('\n');
        quiet = quiet || to.write_all(line.as_bytes()).and_then(|()| to.flush()).is_err();
    }
}
