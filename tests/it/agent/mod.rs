//! Steps on this machine: at most once, whatever becomes of the controller, the agent and the disk.

mod backup;
mod bench;
mod git;
mod once;
mod run;
mod wait;

use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;
use jiff::SignedDuration;
use upshift::agent::spool::Folder;
use upshift::agent::{Order, Output, Steps};
use upshift::model::plan::Action;
use upshift::model::record::End;

/// A project folder, a spool in it, and the transport.
pub(super) struct Bench {
    folder: tempfile::TempDir,
    pub(super) local: Steps,
}

impl Bench {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let spool = Utf8Path::from_path(folder.path()).unwrap().join("spool");
        Self { local: local(spool), folder }
    }

    pub(super) fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.folder.path()).unwrap().join(name)
    }

    pub(super) fn step(&self, id: &str) -> Folder {
        Folder::of(&self.path("spool"), id)
    }

    pub(super) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub(super) fn order(&self, action: Action) -> Order {
        Order {
            format: 1,
            id: "run.stage.cmp001.step1.1".into(),
            action,
            unless: None,
            env: IndexMap::new(),
            timeout: SignedDuration::from_secs(20),
            address: None,
            since: None,
            folder: self.path(""),
            private: Vec::new(),
        }
    }

    pub(super) fn command(&self, command: &str) -> Order {
        self.order(Action::Run { command: command.into(), until: None })
    }

    /// Carries the order out from the first byte on; its end and its output.
    pub(super) async fn execute(&self, order: &Order) -> (End, String) {
        self.execute_from(order, 0).await
    }

    pub(super) async fn execute_from(&self, order: &Order, from: u64) -> (End, String) {
        let (sink, mut pieces) = tokio::sync::mpsc::channel(1);
        let execute = async {
            let sink = sink;
            self.local.execute(order, from, &sink).await
        };
        let read = async {
            let mut output = Vec::new();
            while let Some(Output { bytes, .. }) = pieces.recv().await {
                output.extend(bytes);
            }
            output
        };
        let (end, output) = tokio::join!(execute, read);
        (end, String::from_utf8_lossy(&output).into_owned())
    }
}

pub(super) fn local(spool: Utf8PathBuf) -> Steps {
    let mut local = Steps::new(spool);
    local.program = env!("CARGO_BIN_EXE_upshift").into();
    local
}

/// Takes output that nobody wants to see.
pub(super) fn nobody() -> upshift::agent::Sink {
    tokio::sync::mpsc::channel(1).0
}

/// Waits until something is so, for at most ten seconds.
pub(super) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}: never came true");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Whether a process is there and not only waiting to be collected.
pub(super) fn is_alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
        .is_ok_and(|stat| !matches!(stat.rsplit(") ").next(), Some(rest) if rest.starts_with(['Z', 'X'])))
}

pub(super) fn note(end: &End) -> &str {
    end.note.as_deref().unwrap_or_default()
}
