//! Runs that were left half-way, and what would go over them as if they were not there.
//!
//! A new run takes what it finds for what was there before: its backups would have data that is changed already, and its
//! rollback would lead back to half of an upgrade.

use std::collections::HashSet;
use std::io::Write as _;

use jiff::Timestamp;

use super::{project, rollback, run};
use crate::error::{Error, Result};
use crate::journal::{Lock, Run};
use crate::model::plan::{Action, Unit};
use crate::model::{Plan, Verdict, pattern};

/// How many runs back are looked at.
const RUNS: usize = 20;

/// What a run has done on hosts, as far as it has an undo and nobody has taken it back.
struct Left {
    run: Run,
    opened: Timestamp,
    verdict: Option<Verdict>,
    /// The stage that it came to.
    stage: String,
    hosts: Vec<String>,
    /// The run that takes it back, and has not come to its end.
    rollback: Option<String>,
}

/// Refuses a new run over what an earlier one of its pipeline has left half-way.
pub(super) fn refuse_new(plan: &Plan) -> Result<()> {
    // On simulated hosts nothing is left; and the lock has words of its own for a run that is going on.
    if plan.is_simulated() || Lock::holder(&project::runs().lock_file())?.is_some() {
        return Ok(());
    }
    let Some(left) = newest(plan)?.next() else { return Ok(()) };
    let Left { run, verdict, stage, hosts, rollback, .. } = &left;
    let (run, anew) = (&run.id, "`--anew` begins anew over it, and can then be taken back to what is there now alone");
    match (rollback, verdict) {
        (Some(rollback), _) => Err(Error::usage(format!("{rollback}, which takes run {run} back, is not at its end"))
            .hint(format!("`upshift resume {rollback}` goes on with it; {anew}"))),
        (None, Some(Verdict::Done)) => Ok(()),
        (None, verdict) => {
            let how = verdict.map_or("has crashed".to_owned(), |verdict| format!("ended ({verdict})"));
            let hosts = pattern::fold(hosts.iter().map(String::as_str));
            let message = format!("run {run} {how} in stage `{stage}`, and left {hosts} half-way");
            Err(Error::usage(message)
                .hint(format!("`upshift resume {run}` goes on, `upshift rollback {run}` takes it back; {anew}")))
        }
    }
}

/// Refuses to go on with a run when a later one has changed its hosts.
pub(super) fn refuse_resume(id: &Run, plan: &Plan) -> Result<()> {
    let opened = id.read()?.entries.first().map(|entry| entry.at);
    let Some(left) = newest(plan)?.find(|left| Some(left.opened) > opened) else { return Ok(()) };
    let (id, later, hosts) = (&id.id, &left.run.id, pattern::fold(left.hosts.iter().map(String::as_str)));
    let error =
        Error::usage(format!("run {later} has changed {hosts} since run {id}: what it knows of them is no longer so"));
    Err(error.hint(format!("`upshift rollback {later}` takes that back; then {id} can go on")))
}

/// Says what is not taken back with a run: what a later one has done, and what an earlier one was left half-way with.
pub(super) fn note_others(source: &Run, plan: &Plan) -> Result<()> {
    let opened = source.read()?.entries.first().map(|entry| entry.at);
    let (later, earlier): (Vec<_>, Vec<_>) =
        newest(plan)?.filter(|left| Some(left.opened) != opened).partition(|left| Some(left.opened) > opened);
    let mut notes: Vec<_> = later
        .iter()
        .map(|Left { run, hosts, .. }| {
            let (run, hosts) = (&run.id, pattern::fold(hosts.iter().map(String::as_str)));
            format!("run {run} has changed {hosts} since, which stays so: `upshift rollback {run}` comes first")
        })
        .collect();
    if let Some(Left { run, .. }) = earlier.first().filter(|left| left.verdict != Some(Verdict::Done)) {
        let run = &run.id;
        notes.push(format!(
            "run {run} before it was left half-way, and stays so: `upshift rollback {run}` takes it back"
        ));
    }
    for note in notes {
        let _ = writeln!(anstream::stderr(), "note: {note}");
    }
    Ok(())
}

/// What runs of a pipeline have left on hosts of a plan, the newest first, each read when it is looked at.
fn newest(plan: &Plan) -> Result<impl Iterator<Item = Left>> {
    let mut runs = project::runs().list()?;
    runs.retain(|run| run.id.contains(&plan.pipeline));
    Ok(runs.into_iter().rev().take(RUNS).filter_map(|run| left(run, plan)))
}

/// What a run has left. One that cannot be read is no obstacle.
fn left(run: Run, plan: &Plan) -> Option<Left> {
    let (journal, own) = (run.read().ok()?, run::read_plan(&run).ok()?);
    if own.pipeline != plan.pipeline || own.is_simulated() != plan.is_simulated() {
        return None;
    }
    let state = run::fold(&run, &journal).ok()?;
    let reverse = rollback::reversed(&run, &own, None).ok()?;
    // A backup by itself has changed nothing.
    let is_change = |unit: &Unit| !matches!(unit.action, Action::Restore(_));
    let changed = reverse.stages.iter().filter(|stage| stage.steps.iter().flat_map(|step| &step.units).any(is_change));
    let touched: HashSet<u32> = changed.flat_map(|stage| &stage.hosts).copied().collect();
    let hosts: Vec<_> = touched.iter().map(|id| reverse.hosts[*id as usize].name.clone()).collect();
    if !hosts.iter().any(|name| plan.hosts.iter().any(|host| host.name == *name)) {
        return None;
    }
    let rollback = rollback::started(&run).ok()?;
    let is_over = |id: &String| {
        let run = project::runs().find(Some(id)).ok()?;
        Some(run::fold(&run, &run.read().ok()?).ok()?.verdict == Some(Verdict::Done))
    };
    if rollback.as_ref().and_then(is_over) == Some(true) {
        return None;
    }
    let stage = own.stages.get(state.current).or(own.stages.last())?.name.clone();
    let opened = journal.entries.first()?.at;
    Some(Left { run, opened, verdict: state.verdict, stage, hosts, rollback })
}
