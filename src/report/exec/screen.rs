//! Shows who is waited for: a picture on a terminal; without one a line now and then.
//!
//! It runs on a thread of its own, and never holds up what it shows.

use std::io::{IsTerminal as _, Write as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::progress::{News, Progress};
use crate::report::screen::pen::Pen;

/// Time between two looks at what to show.
const TICK: Duration = Duration::from_millis(100);

/// What is over sooner than this needs no picture.
const PICTURE: Duration = Duration::from_millis(500);

/// Without a terminal: the first line, and the time between two lines at most.
const LINE: [Duration; 2] = [Duration::from_secs(10), Duration::from_mins(1)];

/// How long the end waits for a terminal that takes nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// Starts to show progress; it ends once the sender is dropped, and leaves no picture behind.
#[must_use]
pub fn start(progress: Progress) -> (Sender<News>, JoinHandle<()>) {
    let (sender, news) = channel();
    let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
    let picture = std::io::stderr().is_terminal() && !dumb;
    let show = move || if picture { show_picture(progress, &news) } else { show_lines(progress, &news) };
    (sender, std::thread::spawn(show))
}

/// Takes in news until it is time to look; `false` when there will be none.
fn listen(progress: &mut Progress, news: &Receiver<News>, begun: Instant) -> bool {
    let look = Instant::now() + TICK;
    loop {
        match news.recv_timeout(look.saturating_duration_since(Instant::now())) {
            Ok(news) => progress.take(news, begun.elapsed()),
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        if Instant::now() >= look {
            return true;
        }
    }
}

fn show_picture(mut progress: Progress, news: &Receiver<News>) {
    let begun = Instant::now();
    let colour = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{msg}") {
        bar.set_style(style);
    }
    let pen = Pen::new(Some(PATIENCE), move |frame: Option<Vec<String>>| match frame {
        Some(frame) => bar.set_message(frame.join("\n")),
        None => bar.finish_and_clear(),
    });
    let mut drawn = false;
    while listen(&mut progress, news, begun) {
        if begun.elapsed() >= PICTURE && pen.is_free() {
            drawn = true;
            pen.put(Some(progress.frame(begun.elapsed(), width(), colour)));
        }
    }
    if drawn {
        pen.put(None);
    }
}

fn show_lines(mut progress: Progress, news: &Receiver<News>) {
    let begun = Instant::now();
    let pen = Pen::new(Some(PATIENCE), |line: String| {
        let _ = writeln!(std::io::stderr(), "{line}");
    });
    let (mut next, mut pause) = (LINE[0], LINE[0]);
    while listen(&mut progress, news, begun) {
        if begun.elapsed() >= next {
            progress.line(begun.elapsed()).into_iter().for_each(|line| pen.put(line));
            next += pause;
            pause = (pause * 2).min(LINE[1]);
        }
    }
}

fn width() -> usize {
    match rustix::termios::tcgetwinsize(std::io::stderr()) {
        Ok(size) if size.ws_col > 0 => size.ws_col.into(),
        _ => 80,
    }
}
