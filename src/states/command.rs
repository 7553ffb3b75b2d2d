//! Runs programs for states: what they say is passed on line by line while they run.
//!
//! A program that is ended, because its time is up or everything is to stop, takes everything with it that it started.

mod kept;
mod login;
mod processes;
mod running;

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use crate::states::{Failed, Host, Listener};
use running::Running;

/// What stands for a locale in Salt: everything speaks English, and no text is put in another order.
const LOCALE: [&str; 13] = [
    "LC_CTYPE",
    "LC_NUMERIC",
    "LC_TIME",
    "LC_COLLATE",
    "LC_MONETARY",
    "LC_MESSAGES",
    "LC_PAPER",
    "LC_NAME",
    "LC_ADDRESS",
    "LC_TELEPHONE",
    "LC_MEASUREMENT",
    "LC_IDENTIFICATION",
    "LANGUAGE",
];

/// What our own environment has and no program is to see: what ssh passed on, and what systemd said to us alone.
const OURS: [&str; 3] = ["LC_ALL", "NOTIFY_SOCKET", "SSH_AUTH_SOCK"];

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
    pub fn new<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) -> Self {
        let mut process = std::process::Command::new(program);
        process.args(arguments);
        for name in LOCALE {
            process.env(name, "C");
        }
        for name in OURS {
            process.env_remove(name);
        }
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"UPSHIFT_") {
                process.env_remove(name);
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

    /// The folder that it runs in.
    #[must_use]
    pub fn folder(mut self, folder: &str) -> Self {
        self.process.current_dir(folder);
        self
    }

    /// Gives it nothing of our own environment.
    #[must_use]
    pub(super) fn clean(mut self) -> Self {
        self.process.env_clear().envs(LOCALE.map(|name| (name, "C")));
        self
    }

    /// Leaves the language as it is in our own environment.
    #[must_use]
    pub(super) fn own_locale(mut self) -> Self {
        for name in LOCALE {
            match std::env::var_os(name) {
                Some(value) => self.process.env(name, value),
                None => self.process.env_remove(name),
            };
        }
        self
    }

    /// Has programs looked for in a folder first.
    #[must_use]
    pub(super) fn path_first(mut self, folder: &str) -> Self {
        let given = self.process.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, value)| value);
        let mut path = OsString::from(folder);
        if let Some(rest) = given.map(OsStr::to_owned).or_else(|| std::env::var_os("PATH")) {
            path.push(":");
            path.push(rest);
        }
        self.process.env("PATH", path);
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
    ///
    /// All of the answer is kept, however long it is.
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

    /// Runs it to its end, in our own environment. When everything is to stop, it is ended.
    ///
    /// # Errors
    /// When it cannot be started, or everything is to stop.
    pub fn run(self, listener: &dyn Listener) -> Result<Output, Failed> {
        let cannot = self.cannot();
        let running = Running::start(self).map_err(&cannot)?;
        listener.started(running.pid());
        running.attend(listener, cannot)
    }

    /// The same, started by another program that does something to itself first.
    #[must_use]
    fn through<S: AsRef<OsStr>>(mut self, program: &str, arguments: impl IntoIterator<Item = S>) -> Self {
        let mut outer = std::process::Command::new(program);
        outer.args(arguments).arg(self.process.get_program()).args(self.process.get_args());
        for (name, value) in self.process.get_envs() {
            match value {
                Some(value) => outer.env(name, value),
                None => outer.env_remove(name),
            };
        }
        if let Some(folder) = self.process.get_current_dir() {
            outer.current_dir(folder);
        }
        self.process = outer;
        self
    }

    /// Makes it create files with these bits of their mode off.
    #[must_use]
    pub(super) fn umask(self, umask: u32) -> Self {
        let text = format!("umask {umask:04o} && exec \"$@\"");
        self.through("/bin/sh", ["-c", &text, "sh"])
    }

    /// What cannot be done when it does not start.
    fn cannot(&self) -> impl Fn(io::Error) -> Failed + use<> {
        let program = self.process.get_program().to_string_lossy().into_owned();
        let folder = self.process.get_current_dir().map(PathBuf::from);
        move |error| {
            let why = match (error.kind(), &folder) {
                (_, Some(folder)) if !folder.is_dir() => format!("there is no folder `{}`", folder.display()),
                (io::ErrorKind::NotFound, _) => "there is no such program".to_owned(),
                (io::ErrorKind::PermissionDenied, _) => "it may not be executed".to_owned(),
                _ => error.to_string(),
            };
            format!("cannot run `{program}`: {why}").into()
        }
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
        line.unwrap_or_else(|| match self.code {
            code @ ..0 => format!("it was ended by signal {}", -code),
            code => format!("it ended with {code}"),
        })
    }
}

impl Host<'_> {
    /// Runs a program to its end. When everything is to stop, it is ended.
    ///
    /// # Errors
    /// When it cannot be started, or everything is to stop.
    pub fn run(&self, mut command: Command) -> Result<Output, Failed> {
        self.environment.apply(&mut command.process);
        self.bus.close();
        command.run(self.listener())
    }

    /// Starts a program and leaves it to itself: what it says is not heard, and it outlives us. Returns its process.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn leave(&self, mut command: Command) -> Result<u32, Failed> {
        use std::os::unix::process::CommandExt as _;
        let cannot = command.cannot();
        self.environment.apply(&mut command.process);
        self.bus.close();
        let process = command.process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        process.process_group(0).spawn().map(|child| child.id()).map_err(cannot)
    }

    /// What a program of the host answers, for which nothing is changed; `None` if it fails.
    pub fn ask(&self, program: &str, arguments: &[&str]) -> Option<String> {
        let output = self.run(Command::new(program, arguments).quiet()).ok()?;
        output.is_success().then_some(output.stdout)
    }
}

/// Variables of an environment.
type Variables = Vec<(OsString, OsString)>;

#[cfg(test)]
mod tests;
