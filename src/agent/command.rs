//! Runs one command in a process group of its own.
//!
//! The command's first instruction runs after its process group was recorded, never before: it is
//! started behind a gate, a shell that waits for a line and becomes the command. An agent that dies
//! in between leaves a gate that nobody opens, which ends by itself.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitOptions, test_kill_process_group, waitpgid};

use crate::agent::output::Bound;
use crate::agent::process::Group;
use crate::agent::protocol::Order;
use crate::agent::watch::{Received, Stop, Watch};

const GATE: &str = r#"IFS= read -r upshift_gate || exit 125; unset upshift_gate; exec /bin/sh -c "$1" </dev/null"#;

/// Time between TERM and KILL.
const GRACE: Duration = Duration::from_secs(5);

/// How a command ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// By itself.
    Exited(ExitStatus),
    /// It was ended with all of its process group, because the step has to end.
    Stopped(Stop),
    /// It was ended with all of its process group, because it took longer than its own limit.
    Overdue,
    /// It ran, and the system does not say how it ended.
    Unknown,
}

/// Runs a command with `sh`, its output appended to `output`.
///
/// What the command leaves behind in the background is not waited for. An error means that the command
/// did not run at all.
pub(super) fn run(
    text: &str,
    order: &Order,
    output: &File,
    watch: &Watch,
    limit: Duration,
    record: impl FnOnce(Group) -> io::Result<()>,
) -> io::Result<Ended> {
    if !order.folder.is_dir() {
        return Err(io::Error::other(format!("the working folder `{}` is not there", order.folder)));
    }
    let mut child = std::process::Command::new("/bin/sh")
        .args(["-c", GATE, "sh", text])
        .envs(&order.env)
        .current_dir(&order.folder)
        .stdin(Stdio::piped())
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?)
        .process_group(0)
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("cannot start `sh`: {error}")))?;
    let gate = child.stdin.take();
    let group = match Group::of_leader(child.id()).and_then(|group| record(group).map(|()| group)) {
        Ok(group) => group,
        Err(error) => {
            drop(gate);
            let _ = child.wait();
            return Err(error);
        }
    };
    if let Some(mut gate) = gate {
        // A gate that is gone has been ended from outside, which is what waiting for it reports.
        let _ = gate.write_all(b"\n");
    }
    let mut bound = Bound::new(output.try_clone()?);
    let exit = wait_aside(child);
    let ended = match watch.receive(&exit, limit, || bound.keep()) {
        Received::Value(status) => status.map_or(Ended::Unknown, Ended::Exited),
        Received::Stop(stop) => end(group, &exit).map_or(Ended::Stopped(stop), Ended::Exited),
        Received::Overdue => end(group, &exit).map_or(Ended::Overdue, Ended::Exited),
        Received::Nothing => Ended::Unknown,
    };
    bound.keep();
    Ok(ended)
}

fn wait_aside(mut child: Child) -> Receiver<io::Result<ExitStatus>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::spawn(move || sender.send(child.wait()));
    receiver
}

/// Ends a process group; the command's status when it had ended by itself just before.
fn end(group: Group, exit: &Receiver<io::Result<ExitStatus>>) -> Option<ExitStatus> {
    if let Ok(Ok(status)) = exit.try_recv() {
        return Some(status);
    }
    group.signal(Signal::TERM);
    if !is_gone(group, exit, GRACE) {
        group.signal(Signal::KILL);
        is_gone(group, exit, Duration::from_secs(1));
    }
    None
}

/// Waits until no process of the group is left.
fn is_gone(group: Group, exit: &Receiver<io::Result<ExitStatus>>, within: Duration) -> bool {
    let begun = Instant::now();
    let mut leader_is_gone = false;
    loop {
        if leader_is_gone {
            std::thread::sleep(Duration::from_millis(5));
        } else {
            leader_is_gone = !matches!(exit.recv_timeout(Duration::from_millis(5)), Err(RecvTimeoutError::Timeout));
        }
        let Some(pid) = Pid::from_raw(group.id) else { return true };
        // The agent adopts what the command leaves behind; what has ended has to be collected, or the
        // group never gets empty.
        while leader_is_gone && matches!(waitpgid(pid, WaitOptions::NOHANG), Ok(Some(_))) {}
        if leader_is_gone && test_kill_process_group(pid).is_err() {
            return true;
        }
        if begun.elapsed() >= within {
            return false;
        }
    }
}
