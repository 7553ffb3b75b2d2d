//! The end of a run: the report is written, the outcome is said, and the exit code follows from it.

use std::io::Write;

use crate::engine::state::{Fate, RunState};
use crate::engine::{clock, schedule};
use crate::error::{Error, Exit, Result};
use crate::journal::Run;
use crate::model::{Command, Outcome, Record, Slot, Verdict, pattern};
use crate::report::{html, screen, text};

/// The most lines that say what went wrong; the report has the rest.
const LINES: usize = 10;

/// How a run ended, as it is said once everything before has been shown.
///
/// The exit code follows from the verdict alone: that there is no report changes nothing about the run.
pub(super) struct Ending {
    /// The exit code.
    pub(super) exit: Exit,
    /// Why there is no report.
    unkept: String,
    summary: String,
    /// What there is to say beyond the report.
    error: Option<Error>,
}

impl Ending {
    /// Writes the report of a run that ended. The run's lock is still held: the journal is as this
    /// upshift left it.
    pub(super) fn of(run: &Run, verdict: Verdict) -> Self {
        let exit = exit(verdict);
        Self::told(run, verdict, exit).unwrap_or_else(|error| {
            let unkept = format!("{error}\n");
            let error = (exit != Exit::Done).then(|| Error::new(exit, format!("the run ended: {verdict}")));
            Self { exit, unkept, summary: String::new(), error }
        })
    }

    fn told(run: &Run, verdict: Verdict, exit: Exit) -> Result<Self> {
        let journal = run.read()?;
        let timing = super::report::timing(run, &journal, clock::real_now())?;
        let kept = fs_err::write(run.folder.join("report.html"), html::render(&timing));
        let unkept = kept.err().map_or_else(String::new, |error| format!("{error}\n"));
        let stopped_by = journal.entries.iter().rev().find_map(|entry| match &entry.record {
            Record::Ordered { command: Command::Stop, by } => Some(by.from.clone()),
            _ => None,
        });
        let error = Ended { run, state: super::run::fold(run, &journal)?, stopped_by }.error(verdict)?;
        Ok(Self { exit, unkept, summary: format!("\n{}", text::summary(&timing)), error })
    }

    /// Says how the run ended.
    pub(super) fn say(self, progress: screen::Progress) -> Result<Exit> {
        let summary = if progress == screen::Progress::Json { "" } else { &self.summary };
        // Nobody may be left to read it.
        let _ = write!(anstream::stderr(), "{}{summary}", self.unkept);
        self.error.map_or(Ok(self.exit), Err)
    }
}

/// The exit code of a run that ended like this.
fn exit(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Done => Exit::Done,
        Verdict::Failed => Exit::Failed,
        Verdict::Stuck => Exit::Stuck,
        Verdict::Stopped | Verdict::Aborted => Exit::Stopped,
        Verdict::Gate => Exit::Gate,
        Verdict::Unreachable => Exit::Unreachable,
        Verdict::Window => Exit::Window,
    }
}

struct Ended<'a> {
    run: &'a Run,
    state: RunState,
    /// Where the last word to stop came from.
    stopped_by: Option<String>,
}

impl Ended<'_> {
    /// What there is to say, unless all is done.
    fn error(&self, verdict: Verdict) -> Result<Option<Error>> {
        let resume = format!("upshift resume {}", self.run.id);
        let failed = self.hosts(|fate| matches!(fate, Fate::Ended(outcome) if outcome.is_failure()));
        let (message, hint) = match verdict {
            Verdict::Done => return Ok(None),
            Verdict::Failed => (self.failed(&failed)?, self.look_then(&failed, &resume)),
            Verdict::Stuck if self.stuck().is_empty() => {
                let message = format!("the rollback is stuck: {} could not be taken back", fold(&failed));
                (message, self.look_then(&failed, &resume))
            }
            Verdict::Stuck => {
                let message = format!("{} could not be put back into service", fold(&self.stuck()));
                let hint =
                    format!("look at `{}`; `{resume}` tries its `always` commands again", self.log(&self.stuck()));
                (message, hint)
            }
            Verdict::Stopped => (self.stopped(), format!("`{resume}` goes on")),
            Verdict::Aborted => {
                let cut = self.hosts(|fate| *fate == Fate::Ended(Outcome::Interrupted));
                let cut =
                    if cut.is_empty() { String::new() } else { format!(" in the middle of a step on {}", fold(&cut)) };
                (format!("aborted{cut}"), format!("`{resume}` takes them up again"))
            }
            Verdict::Gate => {
                ("a gate was not passed".into(), format!("`{resume}` asks again; `--pass GATE` answers beforehand"))
            }
            Verdict::Unreachable => (
                format!("nothing more was started: no answer from {}", fold(&failed)),
                format!("`{resume}` tries again; with `--skip '{}'` it goes on without", fold(&failed)),
            ),
            Verdict::Window => {
                ("the window is too short for another host".into(), format!("`{resume}` in the next window"))
            }
        };
        let mut message = message;
        for line in self.causes().into_iter().chain(self.left()) {
            message.push_str("\n  ");
            message.push_str(&line);
        }
        Ok(Some(Error::new(exit(verdict), message).hint(hint)))
    }

    /// What stopped the run, where that was not a person.
    fn stopped(&self) -> String {
        match self.stopped_by.as_deref().and_then(|from| from.strip_prefix("probe ")) {
            Some(probe) => format!("stopped by the probe `{probe}`"),
            None => "stopped".into(),
        }
    }

    /// Which stage stopped, and at what.
    fn failed(&self, failed: &[&str]) -> Result<String> {
        let plan = super::run::read_plan(self.run)?;
        let all = plan.hosts.len();
        let message = match plan.stages.get(self.state.current) {
            None => return Ok(format!("{} of {all} hosts failed, and all stages are over", failed.len())),
            Some(stage) => (stage, self.state.stages[self.state.current].failed()),
        };
        Ok(match message {
            (stage, 0) => {
                format!("the run stopped before stage `{}`: {} of {all} hosts failed", stage.name, failed.len())
            }
            (stage, count) if schedule::canary_failed(stage, &self.state.stages[self.state.current]) => format!(
                "stage `{}` stopped: {count} of its first hosts failed, the canaries, and no further one starts after that",
                stage.name
            ),
            (stage, count) => format!(
                "stage `{}` stopped: {count} of {} hosts failed, and it stops at {}",
                stage.name,
                stage.hosts.len(),
                stage.budget
            ),
        })
    }

    /// The same failure of several hosts in one line.
    fn causes(&self) -> Vec<String> {
        let mut causes: Vec<(String, Vec<&str>)> = Vec::new();
        for (stage, shape) in self.state.stages.iter().zip(&self.state.outline.stages) {
            for (host, &id) in stage.hosts.iter().zip(&shape.hosts) {
                let Some(slot) = host.failed_at else { continue };
                let put_back = if matches!(slot, Slot::Always(_)) { "put back: " } else { "" };
                let how = host.cut.unwrap_or(Outcome::Failed);
                let note = host.note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
                let cause = format!("`{put_back}{}` {how}{note}", shape.steps[slot.step()]);
                let name = self.state.outline.hosts[id as usize].as_str();
                match causes.iter_mut().find(|(other, _)| *other == cause) {
                    Some((_, hosts)) => hosts.push(name),
                    None => causes.push((cause, vec![name])),
                }
            }
        }
        let more = causes.len().saturating_sub(LINES);
        causes.truncate(LINES);
        let named: Vec<(String, String)> = causes.into_iter().map(|(cause, hosts)| (fold(&hosts), cause)).collect();
        let width = named.iter().map(|(hosts, _)| hosts.len()).max().unwrap_or(0).min(30);
        let mut lines: Vec<_> = named.into_iter().map(|(hosts, cause)| format!("{hosts:<width$}  {cause}")).collect();
        if more > 0 {
            lines.push(format!("and {more} more: `upshift report {}`", self.run.id));
        }
        lines
    }

    /// How many hosts the run has yet to take up.
    fn left(&self) -> Option<String> {
        match self.hosts(|fate| *fate == Fate::Left).len() {
            0 => None,
            1 => Some("1 host is left".into()),
            n => Some(format!("{n} hosts are left")),
        }
    }

    fn hosts(&self, wanted: impl Fn(&Fate) -> bool) -> Vec<&str> {
        let named = self.state.outline.hosts.iter().zip(self.state.fates());
        named.filter(|(_, fate)| wanted(fate)).map(|(host, _)| host.as_str()).collect()
    }

    fn stuck(&self) -> Vec<&str> {
        let stages = self.state.stages.iter().zip(&self.state.outline.stages);
        let hosts = stages.flat_map(|(stage, shape)| stage.hosts.iter().zip(&shape.hosts));
        hosts.filter(|(host, _)| host.stuck).map(|(_, &id)| self.state.outline.hosts[id as usize].as_str()).collect()
    }

    fn log(&self, hosts: &[&str]) -> String {
        hosts.first().map_or_else(String::new, |host| self.run.host_log(host).to_string())
    }

    fn look_then(&self, hosts: &[&str], resume: &str) -> String {
        let log = self.log(hosts);
        // A simulated host, or one that never ran anything, has no log.
        let look = if camino::Utf8Path::new(&log).exists() { format!("`less {log}`, then ") } else { String::new() };
        format!("{look}`{resume}`: it takes them up where they failed")
    }
}

fn fold(hosts: &[&str]) -> String {
    pattern::fold(hosts.iter().copied())
}
