//! The step that compiles ahead what later steps apply here. It changes nothing, but the formulas are here then.

use std::io::{self, Read as _};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::compile;
use super::manifest::Stored;
use crate::agent::output::quotation;
use crate::agent::protocol::Private;
use crate::agent::step::Carrying;
use crate::agent::watch::Received;
use crate::formula::compile::{Compiler, Subject};
use crate::formula::facts;
use crate::formula::roots::Roots;
use crate::model::Outcome;
use crate::model::plan::{Apply, Engine, Install};
use crate::model::record::End;
use crate::model::secrets::Secrets;

/// Carries it out.
pub(in crate::agent) fn install(step: &mut Carrying, install: &Install) -> io::Result<End> {
    let mut private = Vec::new();
    io::stdin().read_to_end(&mut private)?;
    let private: Vec<Private> =
        serde_json::from_slice(&private).map_err(|_| io::Error::other("it was told half of it"))?;
    let roots = Roots(vec![Arc::new(Stored::open(&step.folder.files()?, install.formulas)?)]);
    step.start()?;
    let (sender, receiver) = mpsc::sync_channel(1);
    let applies = install.applies.clone();
    std::thread::spawn(move || {
        let each = applies.into_iter().zip(private).map(|(apply, private)| states(&roots, apply, private));
        // The receiver is gone when it took too long.
        let _ = sender.send(each.collect::<Vec<_>>());
    });
    let done = match step.watch.receive(&receiver, Duration::MAX, || ()) {
        Received::Value(done) => done,
        Received::Stop(why) => return Ok(step.watch.end(why, Some("the formulas were still being compiled"))),
        Received::Nothing | Received::Overdue => {
            return Ok(End::noted(Outcome::Interrupted, "compiling itself went wrong: this is a bug in upshift"));
        }
    };
    let errors: Vec<&String> = done.iter().filter_map(|done| done.as_ref().err()).flatten().collect();
    if let Some(first) = errors.first() {
        for error in &errors {
            step.say(&format!("{error}\n"));
        }
        let more = if errors.len() > 1 { format!(", and {} more", errors.len() - 1) } else { String::new() };
        return Ok(End::noted(
            Outcome::Failed,
            format!("{}{more}", quotation(first.lines().next().unwrap_or_default())),
        ));
    }
    let states: usize = done.iter().flatten().sum();
    let note = format!("{} of {} compiled here: {states} states", install.formula, install.from);
    step.say(&format!("{note}\n"));
    Ok(End::noted(Outcome::Unchanged, note))
}

/// How many states a later step will apply here, or why none.
fn states(roots: &Roots, apply: Apply, private: Private) -> Result<usize, Vec<String>> {
    // What only Salt understands is for Salt.
    if apply.engine == Engine::Salt {
        return Ok(0);
    }
    let secrets = Secrets::new(private.secrets.iter().map(String::as_str));
    let subject = Subject {
        id: private.id,
        grains: private.grains,
        options: private.options,
        facts: Arc::new(facts::Host),
        python2: apply.python2,
    };
    let mut compiler = Compiler::new(subject, roots.clone(), private.pillar);
    match compile(&mut compiler, apply.sls) {
        Ok(low) => Ok(low.chunks.len()),
        Err(errors) => Err(errors.iter().map(|error| secrets.redact(&error.to_string()).into_owned()).collect()),
    }
}
