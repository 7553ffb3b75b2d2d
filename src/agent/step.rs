//! The process that carries out one step: `upshift agent step DIR`.
//!
//! Nothing is started before `started.json` is on disk, and nothing is started when it already was:
//! that is what makes a step run at most once.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use camino::Utf8PathBuf;
use regex::{Regex, RegexBuilder};

use crate::agent::command::{self, Ended};
use crate::agent::protocol::{FORMAT, Order};
use crate::agent::spool::{Folder, Groups, Started};
use crate::agent::watch::{Received, Stop, Watch};
use crate::agent::{apply, backup, git, output, process, wait};
use crate::error::Error;
use crate::model::Outcome;
use crate::model::plan::Action;
use crate::model::record::End;

/// `until` is matched against so much of the end of the output.
pub(super) const MATCHED: u64 = 1024 * 1024;

/// So much of the end of the output is searched for a line to quote.
const QUOTED: u64 = 64 * 1024;

/// Restarts a host, by systemd where it is in charge.
const RESTART: &str = "if [ -d /run/systemd/system ]; then systemctl reboot; else shutdown -r now || reboot; fi";

/// A pull that was told to stop gets this long to do so.
const GRACE: Duration = Duration::from_secs(5);

/// Carries out the step whose folder this is, unless another agent does or did. Only where it may, it
/// restarts the machine.
///
/// # Errors
/// When the step could not be started: nothing has run, and the folder holds no result.
pub fn main(folder: Utf8PathBuf, may_restart: bool) -> Result<(), Error> {
    // Away from the terminal and its Ctrl-C. It fails for the leader of a group, which is away already.
    let _ = rustix::process::setsid();
    // What a command leaves behind is collected here for as long as the step lives.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    let folder = Folder::at(folder);
    let Some(lock) = folder.lock()? else { return Ok(()) };
    if folder.started()?.is_some() || folder.result()?.is_some() {
        return Ok(());
    }
    let order = folder.read_order()?;
    let room = folder.reserve()?;
    let output = folder.open_output()?;
    let started = Started { agent: rustix::process::getpid().as_raw_pid(), boot: process::boot()?, groups: Vec::new() };
    let watch = Watch::new(order.timeout, folder.clone());
    let mut carrying = Carrying { order, folder, watch, output, started, may_restart };
    let end =
        carrying.carry_out().unwrap_or_else(|error| End::noted(Outcome::Failed, format!("nothing was run: {error}")));
    room.fill(&end)?;
    drop(lock);
    Ok(())
}

/// One step being carried out.
pub(super) struct Carrying {
    pub(super) order: Order,
    pub(super) folder: Folder,
    pub(super) watch: Watch,
    output: File,
    started: Started,
    may_restart: bool,
}

impl Carrying {
    /// Carries out the order. An error means that nothing has run but perhaps `unless`.
    fn carry_out(&mut self) -> io::Result<End> {
        if self.order.format != FORMAT {
            let found = self.order.format;
            return Err(io::Error::other(format!("the order has format {found} and this upshift reads {FORMAT}")));
        }
        if self.folder.is_aborted() {
            return Ok(End::noted(Outcome::Interrupted, "aborted before anything was run"));
        }
        if let Some(unless) = self.order.unless.clone() {
            let look = self.folder.open_look()?;
            match self.command(&unless, &look, Duration::MAX)? {
                Ended::Exited(status) if status.success() => return Ok(End::plain(Outcome::Unchanged)),
                Ended::Exited(_) | Ended::Unknown => {}
                Ended::Stopped(stop) => return Ok(self.watch.end(stop, Some("`unless` was still going"))),
                Ended::Overdue => return Err(io::Error::other("`unless` was given up")),
            }
        }
        match self.order.action.clone() {
            Action::Run { command, until } => self.run(&command, until.as_deref()),
            Action::Wait { what, every } => {
                self.start()?;
                Ok(wait::until_true(self, &what, every))
            }
            Action::Pull { .. } => {
                self.start()?;
                Ok(self.pull())
            }
            Action::Gate { .. } => Err(io::Error::other("a gate waits for a person, not on a host")),
            Action::Apply(apply) => apply::step(self, &apply),
            Action::Install(install) => apply::install(self, &install),
            Action::Backup(what) => backup::carry_out(self, &what, backup::Way::Save),
            Action::Restore(what) => backup::carry_out(self, &what, backup::Way::Load),
            Action::Try(what) => backup::carry_out(self, &what, backup::Way::Try),
            Action::Reboot if self.may_restart => self.reboot(),
            Action::Reboot => Err(io::Error::other("restarting this machine would end the run")),
        }
    }

    /// The process groups of its commands.
    pub(super) fn groups(&self) -> Groups {
        Groups::of(self.folder.clone(), self.started.clone())
    }

    /// Says on disk that something is about to be started.
    pub(super) fn start(&self) -> io::Result<()> {
        self.folder.start(&self.started)
    }

    /// The step's output, to be added to.
    pub(super) fn output(&self) -> io::Result<File> {
        self.output.try_clone()
    }

    /// Runs a command, its process group recorded first. An error means that it did not run.
    pub(super) fn command(&mut self, text: &str, output: &File, limit: Duration) -> io::Result<Ended> {
        let Self { order, folder, watch, started, .. } = self;
        command::run(text, order, output, watch, limit, |group| {
            started.groups = vec![group];
            folder.start(started)
        })
    }

    fn run(&mut self, text: &str, until: Option<&str>) -> io::Result<End> {
        let until = match until.map(pattern).transpose() {
            Ok(until) => until,
            Err(reason) => return Ok(End::noted(Outcome::Failed, reason)),
        };
        let output = self.output.try_clone()?;
        let ended = self.command(text, &output, Duration::MAX)?;
        // From here on it has run, and an error is no longer one of starting it.
        let last = || output::tail(&output, 0, QUOTED).ok().and_then(|text| output::last_line(&text));
        let with_last = |what: String| match last() {
            Some(line) => format!("{what}: {line}"),
            None => what,
        };
        Ok(match ended {
            Ended::Stopped(stop) => self.watch.end(stop, last().as_deref()),
            Ended::Overdue => End::noted(Outcome::TimedOut, "given up"),
            Ended::Unknown => End::noted(Outcome::Interrupted, "nobody knows how the command ended"),
            Ended::Exited(status) if !status.success() => End::noted(Outcome::Failed, with_last(describe(status))),
            Ended::Exited(_) => match until {
                Some(until) if !output::tail(&output, 0, MATCHED).is_ok_and(|text| until.is_match(&text)) => {
                    End::noted(Outcome::Failed, with_last(format!("the output did not match `{until}`")))
                }
                _ => End::plain(Outcome::Changed),
            },
        })
    }

    /// Restarts the host. The one who asks for this step again afterwards sees by the boot id that it did.
    fn reboot(&mut self) -> io::Result<End> {
        let output = self.output.try_clone()?;
        let ended = self.command(RESTART, &output, Duration::MAX)?;
        Ok(match ended {
            Ended::Exited(status) if status.success() => {
                let stop = self.watch.sleep(Duration::MAX).unwrap_or(Stop::TimedOut);
                self.watch.end(stop, Some("the host did not go down"))
            }
            Ended::Exited(status) => End::noted(Outcome::Failed, format!("could not restart: {}", describe(status))),
            Ended::Stopped(stop) => self.watch.end(stop, None),
            Ended::Overdue | Ended::Unknown => End::noted(Outcome::Interrupted, "nobody knows whether it restarted"),
        })
    }

    /// Pulls in a thread, since a server may not answer for minutes.
    fn pull(&self) -> End {
        let abort = Arc::new(AtomicBool::new(false));
        let (sender, receiver) = mpsc::sync_channel(1);
        let (order, abort_seen) = (self.order.clone(), Arc::clone(&abort));
        std::thread::spawn(move || {
            // The receiver is gone when the pull was given up.
            let _ = sender.send(git::pull(&order, &abort_seen));
        });
        let end = match self.watch.receive(&receiver, Duration::MAX, || ()) {
            Received::Value(end) => end,
            Received::Stop(stop) => {
                abort.store(true, Ordering::Relaxed);
                match receiver.recv_timeout(GRACE) {
                    // It was done before it saw that it should stop.
                    Ok(end) if !end.outcome.is_failure() => end,
                    _ => self.watch.end(stop, None),
                }
            }
            Received::Nothing | Received::Overdue => End::noted(Outcome::Failed, "the pull itself went wrong"),
        };
        if let Some(note) = &end.note {
            self.say(&format!("{note}\n"));
        }
        end
    }

    /// Adds text to the step's output. That a full disk has no room for it, is no failure of the step.
    pub(super) fn say(&self, text: &str) {
        let _ = (&self.output).write_all(text.as_bytes());
    }
}

/// A pattern for output, or why it is none.
pub(super) fn pattern(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text).multi_line(true).build().map_err(|error| {
        let reason = output::last_line(&error.to_string()).unwrap_or_default();
        format!("nothing was run: `{text}` is no regular expression: {reason}")
    })
}

/// How a command ended that did not succeed.
pub(super) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("ended by {}", signal_name(signal)),
        (None, None) => "ended in an unknown way".into(),
    }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        _ => return format!("signal {signal}"),
    };
    name.into()
}
