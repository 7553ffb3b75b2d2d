//! The command on one host.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use jiff::SignedDuration;
use tokio::sync::{Semaphore, watch};

use super::Exec;
use super::files::Kept;
use crate::agent::last_line;
use crate::error::Result;
use crate::model::inventory::{self, Ssh, Transport};
use crate::model::{Outcome, span};
use crate::report::exec::{Answer, News, Output, Recorder};
use crate::transport::command::{Exited, Gone, Said};
use crate::transport::local;
use crate::transport::ssh::{Connector, Host, Trouble};

/// The last line of an output is looked for in so much of its end.
const LAST: usize = 512;

/// What all hosts do, and what they share.
pub(super) struct Work {
    text: String,
    limit: Duration,
    folder: Option<Utf8PathBuf>,
    connector: Arc<Connector>,
    fan_out: Semaphore,
    stop: watch::Sender<bool>,
    news: mpsc::Sender<News>,
}

/// What came of it on a host.
pub(super) struct Done {
    /// How it ended; its outputs are beside it.
    pub(super) answer: Answer,
    pub(super) stdout: Output,
    pub(super) stderr: Output,
    /// What to do about it.
    pub(super) hint: Option<String>,
    /// Why not all of the output is in its files.
    pub(super) unwritten: Option<String>,
}

/// What is taken down while a command is under way.
struct Record {
    place: usize,
    news: mpsc::Sender<News>,
    started: Option<Instant>,
    stdout: (Recorder, Option<Kept>),
    stderr: (Recorder, Option<Kept>),
}

impl Work {
    pub(super) fn new(text: String, exec: &Exec, ssh: Ssh, hosts: usize, news: mpsc::Sender<News>) -> Result<Self> {
        Ok(Self {
            text,
            limit: exec.timeout,
            folder: exec.output_dir.clone(),
            connector: Arc::new(Connector::new(ssh, hosts)?),
            fan_out: Semaphore::new(exec.fan_out.map_or(Semaphore::MAX_PERMITS, |hosts| hosts as usize)),
            stop: watch::Sender::new(false),
            news,
        })
    }

    /// What ends it everywhere.
    pub(super) fn stop(&self) -> watch::Sender<bool> {
        self.stop.clone()
    }

    /// Runs the command on a host.
    pub(super) async fn on(&self, place: usize, host: &inventory::Host) -> Done {
        let stop = self.stop.subscribe();
        let permit = self.fan_out.acquire().await;
        let kept = |ending| self.folder.as_ref().map(|folder| Kept::new(folder, &host.name, ending));
        let mut record = Record {
            place,
            news: self.news.clone(),
            started: None,
            stdout: (Recorder::default(), kept("out")),
            stderr: (Recorder::default(), kept("err")),
        };
        let exited = if *stop.borrow() {
            Ok(Exited::NotStarted)
        } else {
            let _ = self.news.send(News::Connecting(place));
            let mut listen = |said: Said<'_>| record.take(said);
            if host.transport == Transport::Local {
                local::command(&self.text, self.limit, stop, &mut listen).await
            } else {
                let host = Host::new(self.connector.clone(), &host.name, &host.address, &host.login, None);
                host.command(&self.text, self.limit, stop, &mut listen).await
            }
        };
        drop(permit);
        self.done(exited, record)
    }

    fn done(&self, exited: Result<Exited, Trouble>, record: Record) -> Done {
        let took = record.started.map(|started| started.elapsed());
        let hint = exited.as_ref().err().and_then(|trouble| trouble.hint.clone());
        let limit = span::short(SignedDuration::try_from(self.limit).unwrap_or(SignedDuration::MAX));
        let doubt = "the host does not say that it is gone: the command may go on there";
        let (outcome, code, why) = match exited {
            Ok(Exited::Code(0)) => (Outcome::Changed, Some(0), None),
            Ok(Exited::Code(code)) => (Outcome::Failed, Some(code), None),
            Ok(Exited::Killed) => (Outcome::Failed, None, Some("its shell was killed by a signal".into())),
            Ok(Exited::NotStarted) => (Outcome::Skipped, None, Some("not started".to_owned())),
            Ok(Exited::Stopped(Gone::Surely)) => {
                (Outcome::Interrupted, None, Some("the command was ended there".into()))
            }
            Ok(Exited::Stopped(Gone::Perhaps)) => (Outcome::Interrupted, None, Some(doubt.to_owned())),
            Ok(Exited::TimedOut(Gone::Surely)) => (Outcome::TimedOut, None, Some(format!("ended after {limit}"))),
            Ok(Exited::TimedOut(Gone::Perhaps)) => (Outcome::TimedOut, None, Some(format!("after {limit}; {doubt}"))),
            Err(trouble) => (Outcome::Unreachable, None, Some(trouble.why)),
        };
        let answer = Answer { code, took, ..Answer::not_started(outcome, why) };
        let ((stdout, out), (stderr, error)) = (record.stdout, record.stderr);
        let unwritten = [out, error].into_iter().flatten().find_map(|kept| kept.failed);
        Done { answer, stdout: stdout.finish(), stderr: stderr.finish(), hint, unwritten }
    }
}

impl Record {
    fn take(&mut self, said: Said<'_>) {
        let (bytes, (recorder, kept)) = match said {
            Said::Started => {
                self.started = Some(Instant::now());
                let _ = self.news.send(News::Started(self.place));
                return;
            }
            Said::Out(bytes) => (bytes, &mut self.stdout),
            Said::Error(bytes) => (bytes, &mut self.stderr),
        };
        recorder.write(bytes);
        if let Some(kept) = kept {
            kept.write(bytes);
        }
        let end = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(LAST)..]);
        let _ = self.news.send(News::Said(self.place, last_line(&end)));
    }
}
