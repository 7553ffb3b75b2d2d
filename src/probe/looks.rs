//! Looks at a target that are connections or commands. They go on side by side, and each has its time.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use camino::Utf8PathBuf;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::http::{Failure, Get};
use super::since_boot;

/// A connection gets at least this long, however often it is tried.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);
/// An HTTP server gets at most this long.
const LONGEST_PATIENCE: Duration = Duration::from_secs(10);

/// A way of looking that takes its time.
#[derive(Debug, Clone)]
pub(super) enum Slow {
    /// A TCP connection.
    Tcp(SocketAddr),
    /// An HTTP GET.
    Http(Get),
    /// A command.
    Run(String),
}

/// What a look came to.
#[derive(Debug)]
pub(super) struct Looked {
    /// The target, over all probes.
    pub(super) target: u32,
    /// The look.
    pub(super) look: u64,
    /// When it ended.
    pub(super) at: Duration,
    /// How.
    pub(super) end: Result<(), Failure>,
}

/// Where looks are made, and what they come to is told.
pub(super) struct Looker {
    /// The folder of commands.
    pub(super) folder: Utf8PathBuf,
    /// Where it is told.
    pub(super) looked: mpsc::UnboundedSender<Looked>,
}

impl Looker {
    /// Begins to look; `every` and `max_gap` are those of the probe.
    pub(super) fn look(&self, slow: &Slow, target: u32, look: u64, every: Duration, max_gap: Duration) {
        let (looked, folder) = (self.looked.clone(), self.folder.clone());
        let slow = slow.clone();
        tokio::spawn(async move {
            let patience = match slow {
                Slow::Tcp(_) => every.max(LEAST_PATIENCE),
                Slow::Http(_) => max_gap.clamp(LEAST_PATIENCE, LONGEST_PATIENCE).max(every),
                Slow::Run(_) => max_gap.max(LEAST_PATIENCE),
            };
            let work = async {
                match slow {
                    Slow::Tcp(address) => {
                        TcpStream::connect(address).await.map(drop).map_err(|error| Failure::of(&error))
                    }
                    Slow::Http(get) => get.ask().await,
                    Slow::Run(command) => run(&command, folder).await,
                }
            };
            let silence = |_| Err(Failure::Said("no answer".into()));
            let end = tokio::time::timeout(patience, work).await.unwrap_or_else(silence);
            let _ = looked.send(Looked { target, look, at: since_boot(), end });
        });
    }
}

/// Runs a command to its end. What it started ends with it, also when nobody waits for it any more.
async fn run(command: &str, folder: Utf8PathBuf) -> Result<(), Failure> {
    let mut shell = tokio::process::Command::new("sh");
    shell.args(["-c", command]).current_dir(folder).process_group(0).kill_on_drop(true);
    shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = shell.spawn().map_err(|error| Failure::of(&error))?;
    let _group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
    match child.wait().await.map_err(|error| Failure::of(&error))? {
        status if status.success() => Ok(()),
        status => {
            Err(Failure::Said(status.code().map_or("ended by a signal".into(), |code| format!("exit code {code}"))))
        }
    }
}

/// The process group of a command.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        // Mostly nothing is left of it.
        self.0.map(|group| kill_process_group(group, Signal::KILL));
    }
}
