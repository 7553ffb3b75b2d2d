//! One command that nothing outlives: what it says while it is under way, and how it ends.
//!
//! Whether a command was started is always known: one that was not may be given to its host again.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::transport::ssh::Trouble;

/// What a command says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said<'a> {
    /// It begins now; before this nothing of it has happened.
    Started,
    /// This came on stdout.
    Out(&'a [u8]),
    /// This came on stderr.
    Error(&'a [u8]),
}

/// Hears what a command says, in order.
pub type Listener<'a> = &'a mut (dyn FnMut(Said<'_>) + Send);

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exited {
    /// With this exit code; 128 and more is a signal, as shells count.
    Code(i32),
    /// Its shell was killed by a signal.
    Killed,
    /// It was told to end before it was started.
    NotStarted,
    /// It was told to end.
    Stopped(Gone),
    /// It took longer than it may, and was ended.
    TimedOut(Gone),
}

/// What became of the processes of a command that was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// None is left.
    Surely,
    /// Nobody can say: the host did not answer, or they did not go.
    Perhaps,
}

/// Time between TERM and KILL for what is ended.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// Once a command has ended, output that comes later than this is of something else that it left
/// behind in the background, which is not waited for.
const LINGER: Duration = Duration::from_secs(2);

/// The longest time that anybody waits for anything.
const LONGEST: Duration = Duration::from_hours(24 * 366);

/// So much is read at once.
const CHUNK: usize = 16 * 1024;

/// The ends of a command that was started.
pub(super) struct Ends<O, E, W> {
    pub(super) stdout: O,
    pub(super) stderr: E,
    /// How it ends by itself.
    pub(super) exit: W,
}

/// Waits until something is told to stop; for ever when nobody can tell it any more.
pub(super) async fn told(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Listens to a command until it ends. When it is told to stop, or takes longer than `limit`,
/// `end` ends it with everything it started.
pub(super) async fn follow<W: Future<Output = Result<Exited, Trouble>>>(
    ends: Ends<impl AsyncRead + Unpin, impl AsyncRead + Unpin, W>,
    limit: Duration,
    mut stop: watch::Receiver<bool>,
    listener: Listener<'_>,
    end: impl Future<Output = Gone>,
) -> Result<Exited, Trouble> {
    let Ends { stdout, stderr, exit } = ends;
    let (mut stdout, mut stderr) = (Some(stdout), Some(stderr));
    let mut buffers = [vec![0; CHUNK], vec![0; CHUNK]];
    let begun = Instant::now();
    let overdue = sleep_until(begun.checked_add(limit).unwrap_or(begun + LONGEST));
    tokio::pin!(exit, end, overdue);
    let mut exited = None;
    // Why it is being ended, and what came of that.
    let mut cause: Option<fn(Gone) -> Exited> = None;
    let mut gone = None;
    while stdout.is_some() || stderr.is_some() || exited.is_none() {
        let [out, error] = &mut buffers;
        let goes_on = cause.is_none() && exited.is_none();
        let is_over = gone.is_some() || (cause.is_none() && exited.is_some());
        tokio::select! {
            length = read(&mut stdout, out) => match length {
                0 => stdout = None,
                length => listener(Said::Out(&out[..length])),
            },
            length = read(&mut stderr, error) => match length {
                0 => stderr = None,
                length => listener(Said::Error(&error[..length])),
            },
            end = &mut exit, if exited.is_none() => exited = Some(end),
            () = told(&mut stop), if goes_on => cause = Some(Exited::Stopped),
            () = &mut overdue, if goes_on => cause = Some(Exited::TimedOut),
            left = &mut end, if cause.is_some() && gone.is_none() => gone = Some(left),
            () = sleep(LINGER), if is_over => break,
        }
    }
    match (cause, gone, exited) {
        (Some(cause), Some(gone), _) => Ok(cause(gone)),
        (Some(cause), None, _) => Ok(cause(end.await)),
        (None, _, Some(exited)) => exited,
        (None, _, None) => unreachable!("a command is followed until it ends"),
    }
}

/// Reads some of what there is; 0 at the end, and nothing ever after it.
async fn read(from: &mut Option<impl AsyncRead + Unpin>, buffer: &mut [u8]) -> usize {
    match from {
        // However it ends: why is said by how the command ended.
        Some(from) => from.read(buffer).await.unwrap_or(0),
        None => std::future::pending().await,
    }
}
