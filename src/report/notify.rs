//! Tells others what matters of a run: a command gets it to read, and an address gets it posted, as JSON.
//!
//! It stands between the engine and the reporter and passes everything on at once. Whoever is told may be slow or gone:
//! the run never waits, and its end waits a little.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::engine::news::News;
use crate::model::pipeline::{Notify, Occasion};
use crate::model::record::Entry;
use crate::model::{Command as Order, Record};
use crate::report::screen::sentence::Teller;
use crate::report::screen::{Setup, Watch};
use crate::states::web;

/// How long a command or an address may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Stands between the engine and a reporter. It ends once the sender is dropped and everybody has been told.
#[must_use]
pub fn tell(notify: Notify, setup: Setup, reporter: Sender<News>) -> (Sender<News>, JoinHandle<()>) {
    let (sender, news) = channel::<News>();
    let (tell, told) = channel::<Value>();
    let complain = reporter.clone();
    let targets = notify.clone();
    let deliverer = std::thread::spawn(move || deliver(&targets, &told, &complain));
    let thread = std::thread::spawn(move || {
        let (mut watch, teller) = setup.begin();
        for news in news {
            if let News::Committed(committed) = &news {
                let entry = &committed.entry;
                if let Some(occasion) = occasion(&entry.record).filter(|occasion| notify.on.contains(occasion)) {
                    // Whoever delivers has lost the will to, or is still at it.
                    let _ = tell.send(said(occasion, &watch, &teller, entry));
                }
                watch.take(&news, entry.at);
            }
            if reporter.send(news).is_err() {
                break;
            }
        }
        drop((tell, reporter));
        let _ = deliverer.join();
    });
    (sender, thread)
}

/// What kind of news a record is, if anybody is to be told.
fn occasion(record: &Record) -> Option<Occasion> {
    match record {
        Record::Opened(_) | Record::Resumed { .. } => Some(Occasion::Started),
        Record::Ordered { command: Order::Hold { .. }, .. } => Some(Occasion::Held),
        Record::Breached(_) => Some(Occasion::Breach),
        Record::Ended { .. } => Some(Occasion::Finished),
        _ => None,
    }
}

fn said(occasion: Occasion, before: &Watch, teller: &Teller, entry: &Entry) -> Value {
    let run = match &entry.record {
        Record::Opened(opened) => opened.run.clone(),
        _ => before.run.clone(),
    };
    let verdict = match &entry.record {
        Record::Ended { verdict } => Some(verdict.to_string()),
        _ => None,
    };
    json!({
        "event": occasion.name(),
        "run": run,
        "pipeline": before.state.outline.pipeline,
        "at": entry.at,
        "text": teller.tell(before, entry).text,
        "verdict": verdict,
    })
}

/// Tells everybody, one thing after the other, and says what could not be told.
fn deliver(notify: &Notify, told: &Receiver<Value>, complain: &Sender<News>) {
    for said in told {
        let bytes = said.to_string();
        let by_command = notify.command.as_deref().map(|command| by_command(command, &said, &bytes));
        let by_post = notify.webhook.as_deref().map(|address| web::post(address, &bytes, PATIENCE));
        for why in [by_command.and_then(Result::err), by_post.and_then(Result::err)].into_iter().flatten() {
            let _ = complain.send(News::Notice(format!("nobody was told that the run {}: {why}", said["event"])));
        }
    }
}

fn by_command(command: &str, said: &Value, bytes: &str) -> Result<(), String> {
    let told = || -> io::Result<Option<std::process::ExitStatus>> {
        let mut child = Command::new("/bin/sh")
            .args(["-c", command])
            .env("UPSHIFT_EVENT", said["event"].as_str().unwrap_or_default())
            .env("UPSHIFT_RUN", said["run"].as_str().unwrap_or_default())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // It need not read it.
            let _ = stdin.write_all(bytes.as_bytes());
        }
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        child.kill()?;
        child.wait()?;
        Ok(None)
    };
    match told() {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) => Err(format!("`{command}` ended with {status}")),
        Ok(None) => Err(format!("`{command}` was ended after {} s", PATIENCE.as_secs())),
        Err(error) => Err(format!("`{command}`: {error}")),
    }
}
