//! The step that applies formulas, in its process of its own.

use std::io::{self, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use crate::agent::apply::manifest::Stored;
use crate::agent::apply::salt::{self, Failure};
use crate::agent::apply::{Recorder, Tally, Work, apply as apply_here};
use crate::agent::output::{Bound, quotation};
use crate::agent::protocol::Private;
use crate::agent::step::Carrying;
use crate::agent::watch::{Received, Stop};
use crate::formula::compile::Subject;
use crate::formula::facts;
use crate::formula::roots::Roots;
use crate::model::Outcome;
use crate::model::plan::{Apply, Engine};
use crate::model::record::End;
use crate::model::secrets::Secrets;
use crate::states::run::{How, Ran};

/// A state that was told to stop gets this long: its commands are ended first.
const GRACE: Duration = Duration::from_secs(20);

/// Carries it out. An error means that nothing was touched.
pub(in crate::agent) fn apply(step: &mut Carrying, apply: &Apply) -> io::Result<End> {
    let mut private = Vec::new();
    io::stdin().read_to_end(&mut private)?;
    let private: Vec<Private> = serde_json::from_slice(&private).unwrap_or_default();
    let private = private.into_iter().next().ok_or_else(|| io::Error::other("it was told half of it"))?;
    let formulas = Stored::open(&step.folder.files()?, apply.formulas)?;
    let stop = Arc::new(AtomicBool::new(false));
    let secrets = Secrets::new(private.secrets.iter().map(String::as_str));
    let recorder = Recorder::new(step, secrets, Arc::clone(&stop))?;
    let work = Work {
        subject: Subject {
            id: private.id,
            grains: private.grains,
            options: private.options,
            facts: Arc::new(facts::Host),
            python2: apply.python2,
        },
        roots: Roots(vec![Arc::new(formulas)]),
        pillar: private.pillar,
        sls: apply.sls.clone(),
        preview: apply.preview,
    };
    step.start()?;
    let mut bound = Bound::new(step.output()?);
    let engine = apply.engine;
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let done = match engine {
            Engine::Salt => salt::apply(&work, &recorder, &recorder),
            Engine::Upshift => apply_here(work, &recorder, &recorder)
                .map_err(|errors| Failure::Refused(errors.iter().map(ToString::to_string).collect())),
        };
        let done = done.map_err(|failure| failure.map(|text| recorder.redacted(text)));
        // The receiver is gone when it took too long to stop.
        let _ = sender.send(done);
    });
    let done = match step.watch.receive(&receiver, Duration::MAX, || bound.keep()) {
        Received::Value(done) => done,
        Received::Stop(why) => {
            stop.store(true, Ordering::Relaxed);
            return Ok(stopped(step, why, receiver.recv_timeout(GRACE).ok()));
        }
        Received::Nothing | Received::Overdue => {
            return Ok(End::noted(Outcome::Interrupted, "the states themselves went wrong: this is a bug in upshift"));
        }
    };
    Ok(match done {
        Ok(ran) => end(&ran, apply.preview),
        Err(Failure::Lost(why)) => {
            End::noted(Outcome::Failed, format!("nobody knows how far it came: {}", quotation(&why)))
        }
        Err(Failure::Refused(errors)) => {
            for error in &errors {
                step.say(&format!("{error}\n"));
            }
            let more = match errors.len() {
                0 | 1 => String::new(),
                n => format!(", and {} more", n - 1),
            };
            let first = errors.first().and_then(|error| error.lines().next()).unwrap_or_default();
            End::noted(Outcome::Failed, format!("nothing was touched: {}{more}", quotation(first)))
        }
    })
}

fn stopped(step: &Carrying, why: Stop, done: Option<Result<Vec<Ran>, Failure>>) -> End {
    match done {
        Some(Ok(ran)) => {
            let tally = Tally::of(&ran);
            let left = ran.iter().filter(|ran| ran.how == How::NotRun).count();
            let mut end = step.watch.end(why, Some(&format!("{left} of {} states were not run", tally.states)));
            end.changes = u32::try_from(tally.changed).unwrap_or(u32::MAX);
            end
        }
        _ => step.watch.end(why, None),
    }
}

/// What the returns come to.
fn end(ran: &[Ran], preview: bool) -> End {
    let tally = Tally::of(ran);
    let changes = u32::try_from(tally.changed).unwrap_or(u32::MAX);
    let failed = ran.iter().find(|ran| ran.is_failed());
    let outcome = match failed {
        Some(_) => Outcome::Failed,
        None if tally.changed > 0 && !preview => Outcome::Changed,
        None => Outcome::Unchanged,
    };
    let note = match failed {
        Some(first) => {
            let comment = first.ret.comment.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
            let (failed, states, id) = (tally.failed, tally.states, &first.state.id);
            Some(format!("{failed} of {states} states failed: `{id}`: {}", quotation(comment)))
        }
        None if preview => Some(format!("{} of {} states would change", tally.changed, tally.states)),
        None => None,
    };
    End { changes: if preview { 0 } else { changes }, note, ..End::plain(outcome) }
}
