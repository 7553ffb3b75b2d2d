//! Commands that tell a live run something from a second terminal.

use super::{person, project, run};
use crate::engine::control;
use crate::error::{Error, Exit, Result};
use crate::journal::{Lock, Run};
use crate::model::{Command, Pace, Verdict, pattern};

#[derive(Debug, clap::Args)]
pub(super) struct Simple {
    /// The run; the one that is going on when it is left out
    run: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Hold {
    /// The run; the one that is going on when it is left out
    run: Option<String>,
    /// Why, for everybody who looks
    #[arg(short, long, value_name = "TEXT")]
    reason: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct PaceCommand {
    /// Hosts in an hour or minute: `10/h`, `2/min`
    pace: Pace,
    /// The run; the one that is going on when it is left out
    run: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct FanOut {
    /// Hosts under way at once
    hosts: u32,
    /// The run; the one that is going on when it is left out
    run: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Skip {
    /// Host names: `cmp017`, `cmp[017,031]`
    hosts: String,
    /// The run; the one that is going on when it is left out
    run: Option<String>,
}

impl Simple {
    pub(super) fn tell(self, command: &Command) -> Result<Exit> {
        tell(self.run.as_deref(), command)
    }

    /// Tells a run to end. One that has no upshift any more, after a crash, is taken up to do so: what
    /// is under way is ended or finished, and touched hosts are put back.
    pub(super) fn end(self, command: Command) -> Result<Exit> {
        let found = find(self.run.as_deref())?;
        if told(&found, &command)? {
            return Ok(Exit::Done);
        }
        let state = run::fold(&found, &found.read()?)?;
        if state.verdict.is_some() {
            return Err(not_live(&found));
        }
        run::resume(Some(&found.id), &run::Manner::default(), Some(command))
    }
}

impl Hold {
    pub(super) fn main(self) -> Result<Exit> {
        tell(self.run.as_deref(), &Command::Hold { reason: self.reason })
    }
}

impl PaceCommand {
    pub(super) fn main(self) -> Result<Exit> {
        tell(self.run.as_deref(), &Command::Pace { pace: self.pace })
    }
}

impl FanOut {
    pub(super) fn main(self) -> Result<Exit> {
        tell(self.run.as_deref(), &Command::FanOut { hosts: self.hosts })
    }
}

impl Skip {
    pub(super) fn main(self) -> Result<Exit> {
        let hosts = pattern::unfold(&self.hosts).map_err(Error::usage)?;
        tell(self.run.as_deref(), &Command::Skip { hosts })
    }
}

/// Tells the live run something.
fn tell(run: Option<&str>, command: &Command) -> Result<Exit> {
    let run = find(run)?;
    if told(&run, command)? { Ok(Exit::Done) } else { Err(not_live(&run)) }
}

/// The run that is meant: the one that is going on, else the newest.
fn find(run: Option<&str>) -> Result<Run> {
    let runs = project::runs();
    match run {
        Some(run) => runs.find(Some(run)),
        None => match Lock::holder(&runs.lock_file())? {
            Some(holder) => runs.find(Some(&holder.run)),
            None => runs.find(None),
        },
    }
}

/// Tells the run, and prints its answer; `false` when nobody is there to be told.
fn told(run: &Run, command: &Command) -> Result<bool> {
    let answer =
        control::tell(&run.control_socket(), command.clone(), person::me()).map_err(|error| match error.kind() {
            std::io::ErrorKind::PermissionDenied => Error::usage(format!("run {} belongs to another user", run.id))
                .hint("tell it as that user, or with `sudo`"),
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => Error::usage(format!(
                "run {} does not answer in time: its upshift is stopped or overloaded, and may still do it later",
                run.id
            ))
            .hint(format!("`upshift status {}` shows what it was told", run.id)),
            _ => Error::usage(format!("run {} does not answer: {error}", run.id)),
        })?;
    match answer {
        None => Ok(false),
        Some(answer) if answer.done => {
            super::print(&format!("{}: {}\n", run.id, answer.message))?;
            Ok(true)
        }
        Some(answer) => Err(Error::usage(format!("{}: {}", run.id, answer.message))),
    }
}

fn not_live(run: &Run) -> Error {
    let done =
        run.read().and_then(|journal| run::fold(run, &journal)).is_ok_and(|state| state.verdict == Some(Verdict::Done));
    if done {
        return Error::usage(format!("run {} is done", run.id))
            .hint(format!("`upshift report {}` says how it went", run.id));
    }
    Error::usage(format!("run {} is not going on", run.id))
        .hint(format!("`upshift status {}` shows where it stands; `upshift resume {}` goes on", run.id, run.id))
}
