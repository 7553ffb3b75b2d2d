//! A command on the machine upshift runs on.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::Command;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::transport::command::{Ends, Exited, GRACE, Gone, Listener, Said, follow};
use crate::transport::ssh::{Kind, Trouble};

/// How long what got a KILL may take to be gone.
const KILLED: Duration = Duration::from_secs(1);

/// Time between two looks at whether it is gone.
const LOOK: Duration = Duration::from_millis(10);

/// Runs a command with `sh` in the current folder and waits for its end.
///
/// # Errors
/// When it cannot be started.
pub async fn command(
    text: &str,
    limit: Duration,
    stop: watch::Receiver<bool>,
    listener: Listener<'_>,
) -> Result<Exited, Trouble> {
    if *stop.borrow() {
        return Ok(Exited::NotStarted);
    }
    let mut command = Command::new("/bin/sh");
    command.args(["-c", text]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let failed = |why: String| Trouble::new(Kind::Settings, format!("cannot start `sh`: {why}"));
    let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
    let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let (Some(id), Some(stdout), Some(stderr)) = (id, child.stdout.take(), child.stderr.take()) else {
        return Err(failed("it is gone already".into()));
    };
    listener(Said::Started);
    let mut group = Group { id, ended: false };
    let exit = async {
        let status = child.wait().await.map_err(|error| Trouble::new(Kind::Lost, error.to_string()))?;
        Ok(status.code().map_or(Exited::Killed, Exited::Code))
    };
    let exited = follow(Ends { stdout, stderr, exit }, limit, stop, listener, end(id)).await;
    group.ended = true;
    exited
}

/// Ends a process group.
async fn end(id: Pid) -> Gone {
    for (signal, within) in [(Signal::TERM, GRACE), (Signal::KILL, KILLED)] {
        let _ = kill_process_group(id, signal);
        let begun = Instant::now();
        while begun.elapsed() < within {
            if test_kill_process_group(id).is_err() {
                return Gone::Surely;
            }
            sleep(LOOK).await;
        }
    }
    Gone::Perhaps
}

/// A process group that is ended at once when nobody waits for its command any more.
struct Group {
    id: Pid,
    ended: bool,
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.ended {
            let _ = kill_process_group(self.id, Signal::KILL);
        }
    }
}
