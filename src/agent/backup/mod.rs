//! Carries out a step that backs up or restores.

mod ask;

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::process::Signal;

use crate::agent::output::quotation;
use crate::agent::serve::now;
use crate::agent::spool::{Groups, folder_name};
use crate::agent::step::Carrying;
use crate::agent::watch::Received;
use crate::database::{self, Attendant, Done, Error, Job};
pub use crate::database::{Manifest, size};
use crate::model::backup::is_name;
use crate::model::record::End;
use crate::model::{Backup, Outcome};
pub use ask::{About, Ask, answer};

/// The folder beside the spool that has backups, unless they say otherwise.
pub const FOLDER: &str = "backups";

/// Programs that were told to end get this long to do so.
const GRACE: Duration = Duration::from_secs(10);

/// What is done with a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It is made.
    Save,
    /// It is put back.
    Load,
    /// A copy of it is loaded into a scratch server.
    Try,
}

/// Carries it out. An error means that nothing was touched.
pub(super) fn carry_out(step: &Carrying, backup: &Backup, way: Way) -> io::Result<End> {
    let folder = folder(&step.folder.beside(FOLDER)?, backup)?;
    step.start()?;
    let attending = Arc::new(Attending { output: step.output()?, groups: step.groups(), stop: AtomicBool::new(false) });
    let (sender, receiver) = mpsc::sync_channel(1);
    let (backup, order, heard) = (backup.clone(), step.order.clone(), Arc::clone(&attending));
    std::thread::spawn(move || {
        let job = Job {
            backup: &backup,
            folder,
            // The id ends with the number of the try.
            by: order.id.rsplit_once('.').map_or(order.id.as_str(), |(step, _)| step),
            env: &order.env,
            working: &order.folder,
            now: now(),
            attendant: heard.as_ref(),
        };
        let done = match way {
            Way::Save => database::back_up(&job),
            Way::Load => database::restore(&job),
            Way::Try => database::try_out(&job),
        };
        // The receiver is gone when it took too long to stop.
        let _ = sender.send(done);
    });
    Ok(match step.watch.receive(&receiver, Duration::MAX, || ()) {
        Received::Value(done) => end(&attending, done),
        Received::Stop(stop) => {
            let done = attending.end_all(&receiver);
            let saw = match (way, done) {
                // It was done before it saw that it should stop.
                (_, Some(Ok(done))) => return Ok(end(&attending, Ok(done))),
                (_, Some(Err(Error::Failed(why)))) => Some(why),
                (Way::Load, _) => Some("nobody knows how much was restored".to_owned()),
                (Way::Save | Way::Try, _) => None,
            };
            step.watch.end(stop, saw.as_deref())
        }
        Received::Nothing | Received::Overdue => {
            End::noted(Outcome::Interrupted, "the backup itself went wrong: this is a bug in upshift")
        }
    })
}

fn end(attending: &Attending, done: Result<Done, Error>) -> End {
    match done {
        Ok(done) => {
            attending.say(&done.note);
            let outcome = if done.is_new { Outcome::Changed } else { Outcome::Unchanged };
            End { kept: done.kept.map(Box::new), ..End::noted(outcome, quotation(&done.note)) }
        }
        Err(error) => {
            attending.say(&error.to_string());
            End::noted(Outcome::Failed, quotation(&error.to_string()))
        }
    }
}

/// Where a backup is: in a folder for its run, and there in one of its own; a copy has its host in its name.
fn folder(base: &Utf8Path, backup: &Backup) -> io::Result<Utf8PathBuf> {
    let base = backup.folder.as_deref().map_or(base, Utf8Path::new);
    let run = backup.run.as_deref().unwrap_or_default();
    if let Some(wrong) = [run, &backup.name].into_iter().find(|name| !is_name(name)) {
        return Err(io::Error::other(format!("`{wrong}` is no name for a folder")));
    }
    let own = match &backup.of {
        Some(host) => format!("{}@{}", backup.name, folder_name(host)),
        None => backup.name.clone(),
    };
    Ok(base.join(run).join(own))
}

/// Hears what goes on, and ends it.
struct Attending {
    output: File,
    groups: Groups,
    stop: AtomicBool,
}

impl Attending {
    /// Ends everything, and waits for what came of it.
    fn end_all(&self, receiver: &mpsc::Receiver<Result<Done, Error>>) -> Option<Result<Done, Error>> {
        self.stop.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        loop {
            let is_late = begun.elapsed() >= GRACE;
            self.groups.signal(if is_late { Signal::KILL } else { Signal::TERM });
            match receiver.recv_timeout(Duration::from_millis(500)) {
                Ok(done) => return Some(done),
                Err(_) if is_late => return None,
                Err(_) => {}
            }
        }
    }
}

impl Attendant for Attending {
    /// That a full disk has no room for a line is no failure of a backup elsewhere.
    fn say(&self, line: &str) {
        let _ = (&self.output).write_all(format!("{line}\n").as_bytes());
    }

    fn started(&self, group: u32) {
        self.groups.add(group);
        // Who was told to stop meanwhile did not know of this one.
        if self.is_stopped() {
            self.groups.signal(Signal::TERM);
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
