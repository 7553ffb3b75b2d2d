//! Runs the programs that read and write data, with the data on its way to or from them.
//!
//! A program counts as done only when it ended well: data that it wrote before it failed is of no use.

use std::ffi::OsStr;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread::JoinHandle;

use super::account::Account;
use super::through::See;
use super::{Attendant, Error, Job, Nobody, Result};

/// The longest line of a program that is passed on.
const LINE: u64 = 4096;

const CHUNK: usize = 128 * 1024;

/// A program with its arguments.
pub(super) struct Program<'a> {
    name: String,
    command: Command,
    attendant: &'a dyn Attendant,
    /// Whether it is left alone when everything is to end: it puts something right.
    is_last: bool,
}

/// Where programs are that are in nobody's `PATH`.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/bin", "/usr/libexec", "/usr/local/bin"];

/// The first of some programs that this host has.
pub(super) fn find(names: &[&str]) -> Result<String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = || std::env::split_paths(&path).chain(FOLDERS.map(Into::into));
    let found = names.iter().find_map(|name| folders().map(|folder| folder.join(name)).find(|file| file.is_file()));
    found
        .and_then(|found| found.into_os_string().into_string().ok())
        .ok_or_else(|| Error::new(format!("this host has no `{}`", names.join("` and no `"))))
}

impl<'a> Program<'a> {
    pub(super) fn new<S: AsRef<OsStr>>(job: &Job<'a>, name: &str, arguments: impl IntoIterator<Item = S>) -> Self {
        let mut command = Command::new(name);
        command.args(arguments).envs(job.env).current_dir("/").process_group(0);
        // Messages are read by us, and data has to be the same everywhere.
        command.env("LC_ALL", "C.UTF-8");
        Self {
            name: name.rsplit('/').next().unwrap_or(name).to_owned(),
            command,
            attendant: job.attendant,
            is_last: false,
        }
    }

    /// A command of the pipeline.
    pub(super) fn shell(job: &Job<'a>, text: &str) -> Self {
        let mut program = Self::new(job, "/bin/sh", ["-c", text]);
        program.command.current_dir(job.working).env_remove("LC_ALL");
        program
    }

    /// The folder that it works in.
    pub(super) fn inside(mut self, folder: &camino::Utf8Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// The same, also when everything is to end.
    pub(super) fn at_last(mut self) -> Self {
        self.is_last = true;
        self
    }

    /// An environment variable for it.
    pub(super) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it as another user.
    pub(super) fn run_as(mut self, account: &Account) -> Self {
        self.command.uid(account.uid).gid(account.gid).env("HOME", &account.home).env("USER", &account.name);
        self
    }

    /// Takes everything that it writes.
    pub(super) fn read_into(mut self, sink: &mut dyn Write) -> Result<()> {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped());
        let (mut child, says) = self.start()?;
        let taken = match child.stdout.take() {
            Some(mut from) => copy(&mut from, sink, self.attendant),
            None => Ok(()),
        };
        self.end(child, says, taken)
    }

    /// Gives it everything that there is to read. What it writes goes to the step's output.
    pub(super) fn write_from(mut self, source: &mut dyn Read) -> Result<()> {
        self.command.stdin(Stdio::piped()).stdout(Stdio::null());
        let (mut child, says) = self.start()?;
        let given = match child.stdin.take() {
            Some(mut to) => copy(source, &mut to, self.attendant).or_else(|error| {
                // A program that does not read on says itself why, unless it ends well and has no need of the rest.
                if matches!(&error, Copied::To(error) if error.kind() == io::ErrorKind::BrokenPipe) {
                    return Ok(());
                }
                Err(error)
            }),
            None => Ok(()),
        };
        self.end(child, says, given)
    }

    /// What it answers to what it reads.
    pub(super) fn ask(mut self, question: &str) -> Result<String> {
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let (mut child, says) = self.start()?;
        let (to, from) = (child.stdin.take(), child.stdout.take());
        let mut answer = Vec::new();
        let asked = std::thread::scope(|scope| {
            // A question may be longer than a pipe, and so may the answer.
            scope.spawn(move || to.map(|mut to| to.write_all(question.as_bytes())));
            from.map_or(Ok(()), |mut from| {
                copy(&mut from, &mut answer, if self.is_last { &Nobody } else { self.attendant })
            })
        });
        self.end(child, says, asked)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// Starts it and leaves it going: a server. What it says on stderr goes where `stderr` says.
    pub(super) fn serve(mut self, stderr: Stdio) -> Result<Child> {
        self.command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        let child = self.command.spawn().map_err(|error| self.cannot_start(&error))?;
        self.attendant.started(child.id());
        Ok(child)
    }

    fn start(&mut self) -> Result<(Child, Option<JoinHandle<Vec<String>>>)> {
        if self.is_stopped() {
            return Err(Error::Stopped);
        }
        let mut child = self.command.stderr(Stdio::piped()).spawn().map_err(|error| self.cannot_start(&error))?;
        if !self.is_last {
            self.attendant.started(child.id());
        }
        let says = child.stderr.take().map(|stderr| std::thread::spawn(move || lines(stderr)));
        Ok((child, says))
    }

    fn is_stopped(&self) -> bool {
        !self.is_last && self.attendant.is_stopped()
    }

    fn cannot_start(&self, error: &io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::NotFound => Error::new(format!("this host has no `{}`", self.name)),
            _ => Error::new(format!("cannot start `{}`: {error}", self.name)),
        }
    }

    /// Waits for its end, which has to be a good one.
    fn end(self, mut child: Child, says: Option<JoinHandle<Vec<String>>>, copied: Copying) -> Result<()> {
        if copied.is_err() {
            // It must not take what it got so far for everything.
            let _ = child.kill();
        }
        let status = child.wait()?;
        let said = says.and_then(|says| says.join().ok()).unwrap_or_default();
        for line in &said {
            self.attendant.say(&format!("      | {line}"));
        }
        if self.is_stopped() {
            return Err(Error::Stopped);
        }
        match copied {
            Err(Copied::Stopped) => return Err(Error::Stopped),
            Err(Copied::From(error) | Copied::To(error)) => return Err(error.into()),
            Ok(()) => {}
        }
        if status.success() {
            return Ok(());
        }
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, signal) => format!("ended by signal {}", signal.unwrap_or_default()),
        };
        let why = said.iter().rev().find(|line| !line.trim().is_empty());
        Err(Error::new(format!("`{}`: {how}{}", self.name, why.map(|why| format!(": {why}")).unwrap_or_default())))
    }
}

/// Why data did not get through.
enum Copied {
    Stopped,
    From(io::Error),
    To(io::Error),
}

type Copying = std::result::Result<(), Copied>;

fn copy(from: &mut dyn Read, to: &mut dyn Write, attendant: &dyn Attendant) -> Copying {
    let mut buffer = vec![0; CHUNK];
    loop {
        if attendant.is_stopped() {
            return Err(Copied::Stopped);
        }
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => to.write_all(buffer.get(..n).unwrap_or_default()).map_err(Copied::To)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Copied::From(error)),
        }
    }
}

/// The last lines of what a program says.
fn lines(stderr: ChildStderr) -> Vec<String> {
    let mut reader = BufReader::new(stderr);
    let mut lines = std::collections::VecDeque::new();
    let mut line = Vec::new();
    while reader.by_ref().take(LINE).read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
        lines.push_back(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
        if lines.len() > 50 {
            lines.pop_front();
        }
    }
    lines.into()
}

/// The end of what is written through it, in which a dump says that it is complete.
#[derive(Default)]
pub(super) struct Tail {
    end: Vec<u8>,
}

impl Tail {
    /// Whether the last bytes have a line that begins like this.
    pub(super) fn has(&self, line: &str) -> bool {
        String::from_utf8_lossy(&self.end).lines().any(|found| found.starts_with(line))
    }
}

impl See for Tail {
    fn see(&mut self, bytes: &[u8]) {
        const KEPT: usize = 512;
        self.end.extend_from_slice(bytes.get(bytes.len().saturating_sub(KEPT)..).unwrap_or_default());
        self.end.drain(..self.end.len().saturating_sub(KEPT));
    }
}
