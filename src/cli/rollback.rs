//! `upshift rollback`: takes a run back, by a plan of its own that the same engine carries out.

use super::project::{self, Read};
use super::run::{self, Manner, New};
use super::unfinished;
use crate::engine::done::Done;
use crate::engine::{forecast, past};
use crate::error::{Error, Exit, Result};
use crate::journal::Run;
use crate::model::plan::{Formulas, Plan};
use crate::model::{History, Verdict, pipeline};
use crate::plan::{self, Show};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Only what the run did is taken back, on the hosts that it touched: its stages and steps from the last to the first. It is a
run like any other: `status`, `hold`, `stop`, `resume` and `report` work on it. One whose undo fails is stuck (exit code 13).")]
pub(super) struct Rollback {
    /// The run; the newest when it is left out
    run: Option<String>,
    /// Show what would be done, and do nothing
    #[arg(long)]
    plan: bool,
    /// Take back what can be, although the run has passed the point of no return
    #[arg(long)]
    force: bool,
    /// How many times faster than real time its clock goes
    #[arg(long, value_name = "N", value_parser = run::time_scale)]
    time_scale: Option<f64>,
    #[command(flatten)]
    manner: Manner,
}

impl Rollback {
    /// The rollback of a run that has just failed.
    pub(super) fn of(run: &Run, time_scale: Option<f64>, manner: Manner) -> Self {
        Self { run: Some(run.id.clone()), plan: false, force: false, time_scale, manner }
    }

    pub(super) fn main(self) -> Result<Exit> {
        let source = project::runs().find(self.run.as_deref())?;
        let old = run::read_plan(&source)?;
        if let Some(undoes) = &old.undoes {
            return Err(
                Error::usage(format!("run {} is itself the rollback of {undoes}", source.id)).hint(next(&source)?)
            );
        }
        if let Some(rollback) = started(&source)? {
            return Err(Error::usage(format!("run {} has been taken back by {rollback}", source.id))
                .hint(next(&project::runs().find(Some(&rollback))?)?));
        }
        let done = Done::of(&source.read()?.entries);
        let has = |stage, place, step| done.has(&old, stage, place, step);
        if let Some((stage, step)) = plan::passed_no_return(&old, &has)
            && !self.force
        {
            return Err(Error::usage(format!(
                "run {} has passed the point of no return: nothing takes back `{step}` of stage `{stage}`",
                source.id
            ))
            .hint("`--force` takes back what can be"));
        }
        let read = run::reread(&old)?;
        let mut reverse = reversed(&source, &old, read.formulas())?;
        if reverse.stages.is_empty() {
            super::print(&format!("run {} has changed nothing that has an undo: nothing is to be done\n", source.id))?;
            return Ok(Exit::Done);
        }
        let history = expect(&mut reverse, &old, Some(&source))?;
        unfinished::note_others(&source, &old)?;
        if self.plan {
            let expected = forecast::stage_times(&reverse);
            super::print(&plan::render(&reverse, &Show { expected, ..Show::default() }))?;
            return Ok(Exit::Done);
        }
        let new = New {
            plan: reverse,
            history,
            window: pipeline::Window::default(),
            notify: read.pipeline.notify,
            time_scale: self.time_scale,
        };
        let begun = |run: &Run| Ok(fs_err::write(marker(&source), &run.id)?);
        new.carry_out(read.supply, &self.manner, begun)?.1
    }
}

/// The plan that takes back what a run did.
pub(super) fn reversed(source: &Run, plan: &Plan, formulas: Option<Formulas>) -> Result<Plan> {
    let done = Done::of(&source.read()?.entries);
    Ok(plan::reverse(plan, &source.id, &|stage, place, step| done.has(plan, stage, place, step), formulas))
}

/// Fills in how long it is expected to take to take back what was planned: by what earlier rollbacks taught, and the run
/// itself, if there is one. A stage is planned to take that.
pub(super) fn expect(reverse: &mut Plan, plan: &Plan, run: Option<&Run>) -> Result<History> {
    let mut history = past::learn(&project::runs(), &plan.pipeline, plan.is_simulated());
    if let Some(run) = run {
        past::teach_undo(&mut history, plan, &run.read()?.entries);
    }
    plan::expect(reverse, &history);
    let times = forecast::stage_times(reverse);
    reverse.stages.iter_mut().zip(times).for_each(|(stage, time)| stage.window = time);
    Ok(history)
}

/// Shows how a whole run would be taken back.
pub(super) fn show(read: &Read, plan: &Plan) -> Result<String> {
    let mut reverse = plan::reverse(plan, "RUN", &|_, _, _| true, read.formulas());
    expect(&mut reverse, plan, None)?;
    let expected = forecast::stage_times(&reverse);
    let no_return = match plan::passed_no_return(plan, &|_, _, _| true) {
        Some((stage, step)) => format!("the point of no return: `{step}` of stage `{stage}`\n"),
        None => "there is no point of no return\n".to_owned(),
    };
    Ok(plan::render(&reverse, &Show { expected, ..Show::default() }) + "\n" + &no_return)
}

/// What a person does about a rollback that is there already.
fn next(rollback: &Run) -> Result<String> {
    let (id, state) = (&rollback.id, run::fold(rollback, &rollback.read()?)?);
    Ok(match state.verdict {
        Some(Verdict::Done) => format!("it is done: `upshift report {id}` says how it went"),
        _ => format!("`upshift status {id}` shows how far it came; `upshift resume {id}` continues it"),
    })
}

/// The run that takes this one back.
pub(super) fn started(run: &Run) -> Result<Option<String>> {
    match fs_err::read_to_string(marker(run)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        id => Ok(Some(id?)),
    }
}

fn marker(run: &Run) -> camino::Utf8PathBuf {
    run.folder.join("rollback")
}
