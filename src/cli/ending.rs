//! The end of a run: the report is written, the outcome is said, and the exit code follows from it.

use std::io::Write;

use crate::engine::clock;
use crate::engine::state::Fate;
use crate::error::{Error, Exit, Result};
use crate::journal::Run;
use crate::model::{Outcome, Verdict, pattern};
use crate::report::screen;
use crate::report::{html, text};

/// Writes the report of a run that ended, and says how it ended.
pub(super) fn end(run: &Run, verdict: Verdict, progress: screen::Progress) -> Result<Exit> {
    let journal = run.read()?;
    let timing = super::report::timing(run, &journal, clock::real_now())?;
    let written = fs_err::write(run.folder.join("report.html"), html::render(&timing));
    if progress != screen::Progress::Json {
        // Nobody may be left to read it.
        let _ = write!(anstream::stderr(), "\n{}", text::render(&timing));
    }
    written?;
    let state = super::run::fold(run, &journal)?;
    let fates: Vec<(&str, Fate)> = journal.outline.hosts.iter().map(String::as_str).zip(state.fates()).collect();
    let hosts = |wanted: fn(&Fate) -> bool| -> Vec<&str> {
        fates.iter().filter(|(_, fate)| wanted(fate)).map(|(host, _)| *host).collect()
    };
    let failed = hosts(|fate| matches!(fate, Fate::Ended(outcome) if outcome.is_failure()));
    let left = hosts(|fate| *fate == Fate::Left);
    let fold = |hosts: &[&str]| pattern::fold(hosts.iter().copied());
    let resume = format!("`upshift resume {}`", run.id);
    let left_over = match left.len() {
        0 => String::new(),
        1 => "; 1 host is left".into(),
        n => format!("; {n} hosts are left"),
    };
    let error = |exit, message: String, hint: String| Err(Error::new(exit, message).hint(hint));
    match verdict {
        Verdict::Done => Ok(Exit::Done),
        Verdict::Failed => {
            let stopped = if left.is_empty() { "" } else { ": the failure budget is spent" };
            let message =
                format!("{} of {} hosts failed{stopped}: {}{left_over}", failed.len(), fates.len(), fold(&failed));
            let log = failed.first().map_or_else(String::new, |host| format!("`less {}`, then ", run.host_log(host)));
            error(Exit::Failed, message, format!("{log}{resume}, which takes them up where they failed"))
        }
        Verdict::Stuck => {
            let stuck: Vec<&str> = state
                .stages
                .iter()
                .zip(&journal.outline.stages)
                .flat_map(|(stage, shape)| stage.hosts.iter().zip(&shape.hosts))
                .filter(|(host, _)| host.stuck)
                .map(|(_, id)| journal.outline.hosts[*id as usize].as_str())
                .collect();
            let message = format!("stuck: {} could not be put back into service{left_over}", fold(&stuck));
            error(Exit::Stuck, message, format!("put it back by hand, or {resume} to try its `always` commands again"))
        }
        Verdict::Stopped => error(Exit::Stopped, format!("stopped{left_over}"), format!("{resume} goes on")),
        Verdict::Aborted => {
            let cut: Vec<&str> = hosts(|fate| *fate == Fate::Ended(Outcome::Interrupted));
            let cut = if cut.is_empty() { String::new() } else { format!(", in the middle of a step: {}", fold(&cut)) };
            error(Exit::Stopped, format!("aborted{cut}{left_over}"), format!("{resume} takes them up again"))
        }
        Verdict::Gate => error(
            Exit::Gate,
            format!("a gate was not passed{left_over}"),
            format!("{resume} asks again; `--pass GATE` answers beforehand"),
        ),
        Verdict::Unreachable => {
            let message = format!("nothing was started: no answer from {}", fold(&failed));
            error(
                Exit::Unreachable,
                message,
                format!("`upshift resume {} --skip {}` goes on without", run.id, fold(&failed)),
            )
        }
        Verdict::Window => error(
            Exit::Window,
            format!("the window is too short for another host{left_over}"),
            format!("{resume} in the next window"),
        ),
    }
}
