//! A program that is under way.

use std::io::{self, ErrorKind, PipeReader, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::kept::Kept;
use super::processes::{self, Process};
use super::{Command, Output};
use crate::states::{Failed, Listener};

/// Time between two looks at whether everything is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// The same where the kernel (before 5.3) does not wake us when a program ends that has closed its output.
const CLOSE_LOOK: Duration = Duration::from_millis(1);

/// How long a program may take to end once it is told to.
const GRACE: Duration = Duration::from_secs(10);

/// How long nothing has to come from what a program left running for it to be left alone.
const SILENCE: Duration = Duration::from_secs(1);

/// How long is waited for that silence.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest line that is passed on in one piece.
const LINE: usize = 64 << 10;

/// A program that was started, what it reads and what it says.
pub(super) struct Running {
    child: Child,
    /// Readable once the program has ended.
    exit: Option<OwnedFd>,
    input: Option<Input>,
    /// What it says on standard output, and on standard error unless that is the same.
    streams: Vec<Stream>,
    buffer: Vec<u8>,
    is_quiet: bool,
    deadline: Option<Instant>,
    ending: Option<Ending>,
}

/// A program that was told to end.
struct Ending {
    since: Instant,
    was_killed: bool,
    is_overdue: bool,
    /// What it started that a signal to its group misses.
    astray: std::collections::HashSet<Process>,
}

impl Running {
    pub(super) fn start(command: Command) -> io::Result<Self> {
        let Command { mut process, stdin, timeout, is_quiet, is_merged } = command;
        let (out, writer) = io::pipe()?;
        let mut streams = vec![Stream::new(out, is_quiet)?];
        let error_writer = if is_merged {
            writer.try_clone()?
        } else {
            let (err, writer) = io::pipe()?;
            streams.push(Stream::new(err, is_quiet)?);
            writer
        };
        process.stdout(writer).stderr(error_writer).process_group(0);
        process.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = process.spawn()?;
        // It holds our ends of the pipes, which would never close.
        drop(process);
        let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let exit = id.and_then(|id| pidfd_open(id, PidfdFlags::empty()).ok());
        let input = child.stdin.take().zip(stdin).map(|(pipe, bytes)| Input::new(pipe, bytes)).transpose()?;
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let buffer = vec![0; LINE];
        Ok(Self { child, exit, input, streams, buffer, is_quiet, deadline, ending: None })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stays with it until it has ended.
    pub(super) fn attend(
        mut self,
        listener: &dyn Listener,
        cannot: impl Fn(io::Error) -> Failed,
    ) -> Result<Output, Failed> {
        let status = loop {
            self.wait();
            self.hear(listener);
            if let Some(status) = self.child.try_wait().map_err(&cannot)? {
                break status;
            }
            let is_overdue = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if is_overdue || listener.is_stopped() {
                self.end(is_overdue);
            }
        };
        self.hear_the_rest(listener);
        self.finish(status)
    }

    /// Waits until something happens, or it is time to look around.
    fn wait(&self) {
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(4);
        fds.extend(self.streams.iter().filter_map(|stream| Some(PollFd::new(stream.pipe.as_ref()?, PollFlags::IN))));
        let is_closed = fds.is_empty();
        fds.extend(self.exit.as_ref().map(|exit| PollFd::new(exit, PollFlags::IN)));
        fds.extend(self.input.as_ref().map(|input| PollFd::new(&input.pipe, PollFlags::OUT)));
        let look = if is_closed && self.exit.is_none() { CLOSE_LOOK } else { LOOK };
        let left =
            self.deadline.filter(|_| self.ending.is_none()).map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = left.map_or(look, |left| left.min(look));
        // Whatever ends the wait, a look follows.
        let _ = poll(&mut fds, Timespec::try_from(timeout).ok().as_ref());
    }

    /// Takes what it has said and gives it what it reads. Says whether there was something.
    fn hear(&mut self, listener: &dyn Listener) -> bool {
        self.input.take_if(Input::feed);
        let mut is_news = false;
        for stream in &mut self.streams {
            is_news |= stream.read(&mut self.buffer, |line| {
                if !self.is_quiet {
                    listener.output(&String::from_utf8_lossy(line));
                }
            });
        }
        is_news
    }

    /// Takes what is left to be heard of a program that has ended. What it started may hold its output open, for ever.
    fn hear_the_rest(&mut self, listener: &dyn Listener) {
        (self.exit, self.input) = (None, None);
        let ended = Instant::now();
        let mut heard = ended;
        while self.streams.iter().any(|stream| stream.pipe.is_some())
            && heard.elapsed() < SILENCE
            && ended.elapsed() < PATIENCE
            && !listener.is_stopped()
        {
            self.wait();
            if self.hear(listener) {
                heard = Instant::now();
            }
        }
        for stream in self.streams.iter_mut().filter(|stream| !self.is_quiet && !stream.line.is_empty()) {
            listener.output(&String::from_utf8_lossy(&std::mem::take(&mut stream.line)));
        }
    }

    fn finish(mut self, status: ExitStatus) -> Result<Output, Failed> {
        let pid = self.child.id();
        let timed_out = match self.ending.take() {
            None => false,
            Some(ending) => {
                signal(pid, &ending.astray, Signal::KILL);
                if !ending.is_overdue {
                    return Err(format!("process {pid} was ended because everything is to stop").into());
                }
                true
            }
        };
        let mut texts = self.streams.into_iter().map(|stream| stream.kept.into_text());
        Ok(Output {
            pid,
            code: status.code().unwrap_or_else(|| -status.signal().unwrap_or(1)),
            stdout: texts.next().unwrap_or_default(),
            stderr: texts.next().unwrap_or_default(),
            timed_out,
        })
    }

    /// Ends the program with everything that it started, first kindly.
    fn end(&mut self, is_overdue: bool) {
        let pid = self.child.id();
        let ending = match &mut self.ending {
            Some(ending) if ending.was_killed || ending.since.elapsed() < GRACE => return,
            Some(ending) => {
                ending.was_killed = true;
                ending
            }
            None => self.ending.insert(Ending {
                since: Instant::now(),
                was_killed: false,
                is_overdue,
                astray: std::collections::HashSet::new(),
            }),
        };
        ending.astray.extend(processes::astray(pid));
        signal(pid, &ending.astray, if ending.was_killed { Signal::KILL } else { Signal::TERM });
    }
}

fn signal(group: u32, others: &std::collections::HashSet<Process>, signal: Signal) {
    for process in others {
        process.signal(signal);
    }
    if let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, signal);
    }
}

/// One of the two things that a program says.
struct Stream {
    /// Open for as long as somebody may write to it.
    pipe: Option<PipeReader>,
    kept: Kept,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    is_quiet: bool,
}

impl Stream {
    fn new(pipe: PipeReader, is_quiet: bool) -> io::Result<Self> {
        ioctl_fionbio(pipe.as_fd(), true)?;
        Ok(Self { pipe: Some(pipe), kept: Kept::new(is_quiet), line: Vec::new(), is_quiet })
    }

    /// Takes what is there now, at most a buffer full. Says whether there was something.
    fn read(&mut self, buffer: &mut [u8], mut pass_on: impl FnMut(&[u8])) -> bool {
        let Some(pipe) = &mut self.pipe else { return false };
        let length = match pipe.read(buffer) {
            Ok(length) if length > 0 => length,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return false,
            Ok(_) | Err(_) => {
                self.pipe = None;
                return false;
            }
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        self.kept.push(bytes);
        if self.is_quiet {
            return true;
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (piece, is_whole) = piece.strip_suffix(b"\n").map_or((piece, false), |line| (line, true));
            match (self.line.is_empty(), is_whole) {
                (true, true) => pass_on(piece),
                _ => self.line.extend_from_slice(piece),
            }
            // A line without an end is passed on in pieces.
            if !self.line.is_empty() && (is_whole || self.line.len() >= LINE) {
                pass_on(&self.line);
                self.line.clear();
            }
        }
        true
    }
}

/// What a program reads.
struct Input {
    pipe: ChildStdin,
    bytes: Vec<u8>,
    written: usize,
}

impl Input {
    fn new(pipe: ChildStdin, bytes: Vec<u8>) -> io::Result<Self> {
        ioctl_fionbio(pipe.as_fd(), true)?;
        Ok(Self { pipe, bytes, written: 0 })
    }

    /// Writes what there is room for. Says whether it is done.
    fn feed(&mut self) -> bool {
        while let Some(rest) = self.bytes.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.pipe.write(rest) {
                Ok(length) => self.written += length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                // Whoever does not read what it is given has no need of it.
                Err(_) => return true,
            }
        }
        true
    }
}
