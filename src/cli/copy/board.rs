//! The one line at a terminal that says how far all hosts are.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::time::{Instant, sleep};

use super::ending::size;
use crate::transport::ssh::files::Sent;

/// Time between two redrawings.
const REDRAW: Duration = Duration::from_millis(250);

/// The rate is that of so many redrawings.
const SAMPLES: usize = 20;

/// How far hosts are.
pub(super) struct Board {
    sent: Mutex<Vec<Sent>>,
    ended: AtomicUsize,
    begun: Instant,
    bar: ProgressBar,
}

impl Board {
    /// For so many hosts. Without a terminal nothing is drawn.
    pub(super) fn new(hosts: usize) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:20} {msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        let sent = Mutex::new(vec![Sent::default(); hosts]);
        Self { sent, ended: AtomicUsize::new(0), begun: Instant::now(), bar }
    }

    pub(super) fn sent(&self, host: usize, sent: Sent) {
        if let Some(host) = self.sent.lock().unwrap_or_else(PoisonError::into_inner).get_mut(host) {
            *host = sent;
        }
    }

    pub(super) fn ended(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn took(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Draws for ever.
    pub(super) async fn draw(&self) {
        let mut before = VecDeque::from([(Instant::now(), 0)]);
        loop {
            sleep(REDRAW).await;
            let (bytes, all, hosts) = {
                let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
                let sum = |part: fn(&Sent) -> u64| sent.iter().map(part).sum::<u64>();
                (sum(|sent| sent.bytes), sum(|sent| sent.all), sent.len())
            };
            self.bar.set_length(all.max(1));
            self.bar.set_position(bytes);
            // Fast hosts that are done say nothing of how long the slow ones take.
            before.push_back((Instant::now(), bytes));
            let since = if before.len() > SAMPLES { before.pop_front() } else { before.front().copied() };
            let rate = since.map_or(0, |(since, sent)| rate(bytes - sent, since.elapsed()));
            self.bar.set_message(message(bytes, all, rate, self.ended.load(Ordering::Relaxed), hosts));
        }
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// Bytes a second.
fn rate(bytes: u64, took: Duration) -> u64 {
    bytes.saturating_mul(1000) / u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn message(bytes: u64, all: u64, rate: u64, ended: usize, hosts: usize) -> String {
    let text = format!("{} of {}, {ended} of {hosts} hosts", size(bytes), size(all));
    match (all - bytes.min(all)).checked_div(rate) {
        Some(left) => format!("{text}, {}/s, {left}s left", size(rate)),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_and_how_long() {
        let (bytes, all) = (30 << 20, 80 << 20);
        let line = message(bytes, all, rate(bytes, Duration::from_secs(10)), 3, 80);
        assert_eq!(line, "30.0 MiB of 80.0 MiB, 3 of 80 hosts, 3.0 MiB/s, 16s left");
        assert_eq!(message(0, 0, rate(0, Duration::ZERO), 0, 1), "0 B of 0 B, 0 of 1 hosts");
    }
}
