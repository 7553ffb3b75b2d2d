//! Runs programs for states: what they say is passed on line by line while they run.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::states::{Failed, Host};

/// The most that is kept of what a program says.
const MOST: usize = 8 << 20;

/// Time between two looks at whether everything is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// How long a program may take to end once it is told to.
const GRACE: Duration = Duration::from_secs(10);

/// How long what a program left running may hold its output open once the program itself has ended.
const LEFT: Duration = Duration::from_secs(1);

/// What stands for a locale in Salt: everything speaks English, and no text is put in another order.
const LOCALE: [&str; 13] = [
    "LC_CTYPE", "LC_NUMERIC", "LC_TIME", "LC_COLLATE", "LC_MONETARY", "LC_MESSAGES", "LC_PAPER", "LC_NAME",
    "LC_ADDRESS", "LC_TELEPHONE", "LC_MEASUREMENT", "LC_IDENTIFICATION", "LANGUAGE",
];

/// A program and how to run it.
#[derive(Debug)]
pub struct Command {
    process: std::process::Command,
    stdin: Option<Vec<u8>>,
    timeout: Option<Duration>,
    is_quiet: bool,
    is_merged: bool,
}

/// What a program said and how it ended.
#[derive(Debug, Clone, Default)]
pub struct Output {
    /// Its process.
    pub pid: u32,
    /// The exit code, or minus the signal that ended it.
    pub code: i32,
    /// What it wrote to standard output, and to standard error if the two were to be one.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
    /// Whether it was ended because its time was up.
    pub timed_out: bool,
}

impl Command {
    /// A program with its arguments.
    pub fn new<S: AsRef<std::ffi::OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) -> Self {
        let mut process = std::process::Command::new(program);
        process.args(arguments);
        for name in LOCALE {
            process.env(name, "C");
        }
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("UPSHIFT_") || name == "SSH_AUTH_SOCK" {
                process.env_remove(&*name);
            }
        }
        Self { process, stdin: None, timeout: None, is_quiet: false, is_merged: false }
    }

    /// A text that a shell reads.
    #[must_use]
    pub fn shell(shell: &str, text: &str) -> Self {
        Self::new(shell, ["-c", text])
    }

    /// The program's own settings: environment, folder, user.
    pub fn process(&mut self) -> &mut std::process::Command {
        &mut self.process
    }

    /// An environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.process.env(name, value);
        self
    }

    /// What it reads; nothing otherwise.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// How long it may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }

    /// Keeps what it says from being passed on: it is a question, or has a secret in it.
    #[must_use]
    pub fn quiet(mut self) -> Self {
        self.is_quiet = true;
        self
    }

    /// Makes standard error a part of standard output.
    #[must_use]
    pub fn merged(mut self) -> Self {
        self.is_merged = true;
        self
    }
}

impl Output {
    /// Whether it ended with 0.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.code == 0
    }

    /// The one line that says why it failed: the last one of standard error, or of standard output.
    #[must_use]
    pub fn why(&self) -> String {
        let last = |text: &str| text.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned);
        let line = last(&self.stderr).or_else(|| last(&self.stdout));
        line.unwrap_or_else(|| format!("it ended with {}", self.code))
    }
}

/// One of the things that come from a program under way.
enum Said {
    Line(String),
    Closed,
    Ended(io::Result<ExitStatus>),
}

impl Host<'_> {
    /// Runs a program to its end. When everything is to stop, it is ended.
    ///
    /// # Errors
    /// When it cannot be started, or everything is to stop.
    pub fn run(&self, command: Command) -> Result<Output, Failed> {
        let Command { mut process, stdin, timeout, is_quiet, is_merged } = command;
        let program = process.get_program().to_string_lossy().into_owned();
        let cannot = |error: io::Error| Failed::from(format!("cannot run `{program}`: {error}"));
        let (out, writer) = io::pipe().map_err(cannot)?;
        let (err, error_writer) = if is_merged {
            (None, writer.try_clone().map_err(cannot)?)
        } else {
            let (err, error_writer) = io::pipe().map_err(cannot)?;
            (Some(err), error_writer)
        };
        process.stdout(writer).stderr(error_writer).process_group(0);
        process.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        self.environment.apply(&mut process);
        let mut child = process.spawn().map_err(cannot)?;
        // It holds our ends of the pipes, which would never close.
        drop(process);
        let pid = child.id();
        self.listener().started(pid);
        feed(&mut child, stdin);
        let (sender, receiver) = mpsc::channel();
        let listen = |stream: Option<io::PipeReader>| {
            let sender = sender.clone();
            std::thread::spawn(move || read(stream, &sender))
        };
        let (out, err) = (listen(Some(out)), listen(err));
        std::thread::spawn(move || sender.send(Said::Ended(child.wait())));

        let mut waiting = Waiting { pid, deadline: timeout.map(|limit| Instant::now() + limit), told: None, open: 2 };
        let mut timed_out = false;
        let mut status = None;
        let mut left = None;
        while status.is_none() || (waiting.open > 0 && left.is_none_or(|until| Instant::now() < until)) {
            match receiver.recv_timeout(LOOK) {
                Ok(Said::Line(line)) if !is_quiet => self.listener().output(&line),
                Ok(Said::Line(_)) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Said::Closed) => waiting.open -= 1,
                Ok(Said::Ended(ended)) => {
                    status = Some(ended.map_err(cannot)?);
                    left = Some(Instant::now() + LEFT);
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if status.is_none() {
                timed_out |= waiting.is_overdue();
                waiting.end_if(timed_out || self.listener().is_stopped());
            }
        }
        if self.listener().is_stopped() {
            return Err(format!("`{program}` was ended").into());
        }
        let status = status.ok_or_else(|| Failed::from(format!("nobody knows how `{program}` ended")))?;
        // What holds the output open beyond its program is not waited for, and what it has said is not known.
        let text = |reader: std::thread::JoinHandle<Vec<u8>>| match waiting.open {
            0 => reader.join().unwrap_or_default(),
            _ if reader.is_finished() => reader.join().unwrap_or_default(),
            _ => Vec::new(),
        };
        Ok(Output {
            pid,
            code: status.code().unwrap_or_else(|| -status.signal().unwrap_or(1)),
            stdout: String::from_utf8_lossy(&text(out)).into_owned(),
            stderr: String::from_utf8_lossy(&text(err)).into_owned(),
            timed_out,
        })
    }

    /// What a program of the host answers, for which nothing is changed; `None` if it fails.
    pub fn ask(&self, program: &str, arguments: &[&str]) -> Option<String> {
        let output = self.run(Command::new(program, arguments).quiet()).ok()?;
        output.is_success().then_some(output.stdout)
    }
}

/// A program that is under way.
struct Waiting {
    pid: u32,
    deadline: Option<Instant>,
    /// When it was told to end.
    told: Option<Instant>,
    /// How many of its outputs are open.
    open: u8,
}

impl Waiting {
    fn is_overdue(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Ends the program with everything in its group, first kindly.
    fn end_if(&mut self, is_over: bool) {
        let Some(group) = i32::try_from(self.pid).ok().and_then(Pid::from_raw).filter(|_| is_over) else { return };
        let signal = match self.told {
            None => Signal::TERM,
            Some(told) if told.elapsed() >= GRACE => Signal::KILL,
            Some(_) => return,
        };
        self.told = Some(self.told.unwrap_or_else(Instant::now));
        let _ = kill_process_group(group, signal);
    }
}

fn feed(child: &mut Child, stdin: Option<Vec<u8>>) {
    if let (Some(mut pipe), Some(bytes)) = (child.stdin.take(), stdin) {
        // Whoever does not read what it is given has no need of it.
        std::thread::spawn(move || pipe.write_all(&bytes));
    }
}

fn read(stream: Option<io::PipeReader>, sender: &mpsc::Sender<Said>) -> Vec<u8> {
    let mut all = Vec::new();
    let mut reader = stream.map(BufReader::new);
    let mut line = Vec::new();
    while let Some(reader) = &mut reader {
        line.clear();
        // A line without an end is passed on in pieces.
        match reader.by_ref().take(64 << 10).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        if all.len() < MOST {
            all.extend_from_slice(&line);
        }
        let _ = sender.send(Said::Line(String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned()));
    }
    let _ = sender.send(Said::Closed);
    all
}
