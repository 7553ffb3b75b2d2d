//! What writes: a thread of its own behind every reporter.
//!
//! A terminal that is held with Ctrl-S, or a connection that died, blocks whoever writes to it.
//! That must never be the reporter, which would then no longer read the news, and never the engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Hands things to a thread that writes them, in order.
///
/// Dropping it waits until everything is written, at most as long as its patience.
pub(in crate::report) struct Pen<T: Send + 'static> {
    /// `None` only while it is dropped.
    to: Option<Sender<T>>,
    behind: Arc<AtomicUsize>,
    ended: Receiver<()>,
    patience: Option<Duration>,
}

impl<T: Send + 'static> Pen<T> {
    /// Starts the thread. Without a patience the end waits for ever: what is written is data, and
    /// somebody asked for all of it.
    pub(in crate::report) fn new(patience: Option<Duration>, mut write: impl FnMut(T) + Send + 'static) -> Self {
        let (to, from) = channel();
        let (end, ended) = channel::<()>();
        let behind = Arc::new(AtomicUsize::new(0));
        let counter = behind.clone();
        std::thread::spawn(move || {
            for thing in from {
                write(thing);
                counter.fetch_sub(1, Ordering::Release);
            }
            drop(end);
        });
        Self { to: Some(to), behind, ended, patience }
    }

    /// Hands over something to write.
    pub(in crate::report) fn put(&self, thing: T) {
        self.behind.fetch_add(1, Ordering::Acquire);
        if let Some(to) = &self.to {
            // The thread ends only with its sender, or with a bug of its own: then all is quiet.
            let _ = to.send(thing);
        }
    }

    /// Whether everything is written, so that something may be put that can wait.
    pub(in crate::report) fn is_free(&self) -> bool {
        self.behind.load(Ordering::Acquire) == 0
    }
}

impl<T: Send + 'static> Drop for Pen<T> {
    fn drop(&mut self) {
        self.to = None;
        // Either way there is nothing left to do: the thread has ended, or nobody reads.
        let _ = match self.patience {
            Some(patience) => self.ended.recv_timeout(patience).is_ok(),
            None => self.ended.recv().is_ok(),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_never_reads_holds_up_nobody_for_longer_than_the_patience() {
        let (blocked, block) = channel::<()>();
        let pen = Pen::new(Some(Duration::from_millis(1)), move |_: u32| {
            let _ = block.recv();
        });
        pen.put(1);
        pen.put(2);
        assert!(!pen.is_free());
        drop(pen);
        drop(blocked);
    }

    #[test]
    fn everything_is_written_in_order_before_the_end() {
        let (written, read) = channel();
        let pen = Pen::new(None, move |n: u32| written.send(n).unwrap());
        (0..100).for_each(|n| pen.put(n));
        drop(pen);
        assert_eq!(read.iter().collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
    }
}
