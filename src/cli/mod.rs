//! What a person types. One file a command; everything they share is in `project`.

mod agent;
mod answer;
mod apply;
mod bundle;
mod call;
mod check;
mod control;
mod copy;
mod ending;
mod exec;
mod forecast;
mod formula;
mod grains;
mod hosts;
mod person;
mod ping;
mod plan;
mod project;
mod report;
mod rollback;
mod run;
mod runs;
mod sources;
mod status;
mod unfinished;
mod unlock;

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use crate::error::{Error, Exit};

/// Takes a running cloud from one release to the next, inside a maintenance window.
#[derive(Debug, Parser)]
#[command(name = "upshift", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "\
Exit codes: 0 done, 1 bug, 2 usage or configuration, 10 failed, 11 stopped and can be resumed,
12 gate not passed, 13 stuck, 14 unreachable before the start, 15 window refused, 16 locked.
stdout is data; everything else goes to stderr.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a pipeline and its inventory
    Check(check::Check),
    /// Show everything a run would do, before anything runs
    Plan(plan::PlanCommand),
    /// Say how long a run will probably take, and what fits its window
    Forecast(forecast::ForecastCommand),
    /// Say whether hosts can be worked on, and if not, where to look
    Ping(ping::Ping),
    /// Run a command on hosts, and show together what was the same
    Exec(exec::Exec),
    /// Show what formulas know of hosts: their grains, as Salt names them
    Grains(grains::Grains),
    /// See what Salt formulas come to: their low state, their files, what upshift does not have
    Formula(formula::Formula),
    /// Apply formulas on hosts: what is not as they say is changed, and only that
    Apply(apply::Apply),
    /// Apply formulas on this machine, without SSH
    Call(call::Call),
    /// Copy files and folders to hosts
    Copy(copy::Copy),
    /// Carry a pipeline out
    Run(run::RunCommand),
    /// Continue a run that stopped, failed or crashed; hosts that failed are taken up again
    Resume(run::Resume),
    /// Take back what a run did, on the hosts that it touched
    Rollback(rollback::Rollback),
    /// List the runs of this project
    Runs(runs::RunsCommand),
    /// Show where a run stands
    Status(status::Status),
    /// Compare what a run took with what was planned
    Report(report::ReportCommand),
    /// Put all that is kept of a run into one archive, without secrets
    Bundle(bundle::Bundle),
    /// Tell a live run to start nothing new
    Hold(control::Hold),
    /// Tell a held run to go on
    Release(control::Simple),
    /// Start hosts of the current stage at another pace, such as `10/h`
    Pace(control::PaceCommand),
    /// Have more or fewer hosts of the current stage under way at once
    FanOut(control::FanOut),
    /// Leave hosts out; one under way is put back after its step
    Skip(control::Skip),
    /// End what is under way, then stop
    Stop(control::Simple),
    /// End steps now, put touched hosts back, then stop
    Abort(control::Simple),
    /// Pass the gate that waits
    Pass(control::Simple),
    /// Refuse the gate that waits
    Refuse(control::Simple),
    /// Take hosts away from a run that will never come back for them
    Unlock(unlock::Unlock),
    /// The part of upshift that carries out steps on a host
    #[command(hide = true)]
    Agent(agent::Agent),
}

/// Does what the arguments say, and returns the exit code. Whatever has to be said is said.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            // A closed terminal is no reason to end differently.
            let _ = error.print();
            return exit;
        }
    };
    let done = match arguments.command {
        Command::Check(command) => command.main(),
        Command::Plan(command) => command.main(),
        Command::Forecast(command) => command.main(),
        Command::Ping(command) => command.main(),
        Command::Exec(command) => command.main(),
        Command::Grains(command) => command.main(),
        Command::Formula(command) => command.main(),
        Command::Apply(command) => command.main(),
        Command::Call(command) => command.main(),
        Command::Copy(command) => command.main(),
        Command::Run(command) => command.main(),
        Command::Resume(command) => command.main(),
        Command::Rollback(command) => command.main(),
        Command::Runs(command) => command.main(),
        Command::Status(command) => command.main(),
        Command::Report(command) => command.main(),
        Command::Bundle(command) => command.main(),
        Command::Hold(command) => command.main(),
        Command::Release(command) => command.tell(&crate::model::Command::Release),
        Command::Pace(command) => command.main(),
        Command::FanOut(command) => command.main(),
        Command::Skip(command) => command.main(),
        Command::Stop(command) => command.end(crate::model::Command::Stop),
        Command::Abort(command) => command.end(crate::model::Command::Abort),
        Command::Pass(command) => command.tell(&crate::model::Command::Pass),
        Command::Refuse(command) => command.tell(&crate::model::Command::Refuse),
        Command::Unlock(command) => command.main(),
        Command::Agent(command) => command.main(),
    };
    done.unwrap_or_else(|error| {
        complain(&error);
        error.exit
    })
}

/// Prints an error and its hint.
pub(super) fn complain(error: &Error) {
    use owo_colors::OwoColorize;
    use std::io::Write;
    let mut stderr = anstream::stderr().lock();
    let _ = writeln!(stderr, "{} {error}", "error:".red().bold());
    if let Some(hint) = &error.hint {
        let _ = writeln!(stderr, "\n{} {hint}", "hint:".cyan());
    }
}

/// Prints data.
fn print(text: &str) -> crate::error::Result<()> {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // `upshift plan | head` has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        done => Ok(done?),
    }
}
