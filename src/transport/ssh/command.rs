//! One command on a host, straight over its connection: nothing is left there, and nothing outlives it.
//!
//! The command waits behind a gate until upshift has heard of it: a connection that is lost before
//! has started nothing, so that it may be opened again.

use std::sync::Arc;
use std::time::Duration;

use openssh::{Child, ChildStderr, ChildStdin, ChildStdout, Error as SshError, Session, Stdio};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::agent::last_line;
use crate::transport::command::{Ends, Exited, GRACE, Gone, Listener, Said, follow, told};
use crate::transport::ssh::bootstrap::{as_root, exit_code, no_root, quote};
use crate::transport::ssh::connector::Master;
use crate::transport::ssh::host::Host;
use crate::transport::ssh::trouble::{Kind, Trouble};

/// Says the process group on both streams before the command, so that all of it can be ended, and so
/// that what a login shell or sudo says of its own is told apart from what the command says.
const MARK: &str = "upshift-exec";

/// How long a host may take to come to the gate.
const START: Duration = Duration::from_secs(30);

/// A connection that was there before and is lost sooner than this was of a host that restarted since.
const STALE: Duration = Duration::from_secs(10);

/// How long a command may take to be gone that is ended: what the host itself allows, and the way there.
const END: Duration = GRACE.saturating_add(Duration::from_secs(5));

/// So much of what a login shell says of its own is passed over.
const CHATTER: usize = 256 * 1024;

/// The longest command line: Linux takes no longer argument (`execve(2)`, `MAX_ARG_STRLEN`).
const LONGEST: usize = 128 * 1024 - 1;

/// A command at its gate.
struct Waiting {
    master: Master,
    child: Child<Arc<Session>>,
    stdin: ChildStdin,
    stdout: ChildStdout,
    stderr: ChildStderr,
    group: u32,
}

impl Host {
    /// Runs a command with `sh`, as root where the login allows it, and waits for its end.
    ///
    /// When it is told to stop, or takes longer than `limit`, it is ended with everything it started.
    ///
    /// # Errors
    /// When the host cannot be reached; or when the connection is lost, and the command may go on there:
    /// that it was started has been said then.
    pub async fn command(
        &self,
        text: &str,
        limit: Duration,
        mut stop: watch::Receiver<bool>,
        listener: Listener<'_>,
    ) -> Result<Exited, Trouble> {
        let waiting = tokio::select! {
            waiting = self.wait_at_gate(text) => waiting?,
            () = told(&mut stop) => return Ok(Exited::NotStarted),
        };
        let Waiting { master, child, mut stdin, stdout, stderr, group } = waiting;
        if stdin.write_all(b"\n").await.is_err() {
            return Err(lost());
        }
        drop(stdin);
        listener(Said::Started);
        let exit = async {
            match child.wait().await {
                Ok(status) => Ok(status.code().map_or(Exited::Killed, Exited::Code)),
                // The crate takes 127 for an error of its own.
                Err(SshError::Remote(_)) => Ok(Exited::Code(127)),
                // The shell in between turns a signal of the command into an exit code. The crate says the
                // same when that shell is killed as when the whole connection is lost.
                Err(SshError::RemoteProcessTerminated) if master.session.check().await.is_ok() => Ok(Exited::Killed),
                Err(_) => Err(Trouble::new(Kind::Lost, "the connection was lost; the command may go on there")),
            }
        };
        follow(Ends { stdout, stderr, exit }, limit, stop, listener, self.end(&master, group)).await
    }

    /// Brings the command to its gate, through a new connection when the one that was there is lost.
    async fn wait_at_gate(&self, text: &str) -> Result<Waiting, Trouble> {
        let begun = Instant::now();
        let master = self.master().await?;
        let warm = master.warm;
        match self.try_gate(master, text).await {
            Err(trouble) if warm && trouble.kind == Kind::Lost && begun.elapsed() < STALE => {
                self.try_gate(self.master().await?, text).await
            }
            waiting => waiting,
        }
    }

    async fn try_gate(&self, master: Master, text: &str) -> Result<Waiting, Trouble> {
        let script = format!(
            "read -r a b c d g e </proc/$$/stat; m=\"{MARK} $g\"; echo \"$m\"; echo \"$m\" >&2; \
             read -r g || exit 125; /bin/sh -c {} </dev/null; exit $?",
            quote(text)
        );
        let line = as_root(&script, self.login().r#become);
        if line.len() > LONGEST {
            let why = format!("the command is too long for a command line: {} of {LONGEST} bytes", line.len());
            return Err(Trouble::new(Kind::Settings, why).hint("bring it there as a script"));
        }
        let mut command = Arc::clone(&master.session).arc_raw_command(line);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = match command.spawn().await {
            Ok(child) => child,
            Err(error) if master.session.check().await.is_ok() => {
                return Err(Trouble::new(Kind::Busy, format!("its sshd takes no further command: {error}")));
            }
            Err(_) => return Err(lost()),
        };
        let ends = (child.stdin().take(), child.stdout().take(), child.stderr().take());
        let (Some(stdin), Some(mut stdout), Some(mut stderr)) = ends else {
            return Err(lost());
        };
        let (mut out, mut error) = (Vec::new(), Vec::new());
        let marks = async { tokio::join!(read_to_mark(&mut stdout, &mut out), read_to_mark(&mut stderr, &mut error)) };
        match timeout(START, marks).await {
            Ok((Some(group), Some(_))) => Ok(Waiting { master, child, stdin, stdout, stderr, group }),
            Ok(_) => Err(explain(child, &String::from_utf8_lossy(&error), &String::from_utf8_lossy(&out)).await),
            Err(_) => {
                let why = format!("it says nothing for {} s while the command is started there", START.as_secs());
                Err(Trouble::new(Kind::Silent, why))
            }
        }
    }

    /// Ends a process group there, and says whether it is gone.
    async fn end(&self, master: &Master, group: u32) -> Gone {
        let tenths = GRACE.as_secs() * 10;
        let script = format!(
            "kill -TERM -{group}; n=0; while kill -0 -{group}; do n=$((n+1)); \
             [ $n = {tenths} ] && kill -KILL -{group}; [ $n = {} ] && exit 1; sleep 0.1; done 2>/dev/null",
            tenths + 10
        );
        let mut command = Arc::clone(&master.session).arc_raw_command(as_root(&script, self.login().r#become));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match timeout(END, command.status()).await {
            Ok(Ok(status)) if status.success() => Gone::Surely,
            _ => Gone::Perhaps,
        }
    }
}

/// Reads up to the line with the process group, and nothing beyond it: what follows waits for the gate.
async fn read_to_mark(from: &mut (impl AsyncRead + Unpin), text: &mut Vec<u8>) -> Option<u32> {
    let mut buffer = [0; 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        text.extend_from_slice(&buffer[..length]);
        if let Some(group) = mark(text) {
            return Some(group);
        }
        if text.len() > CHATTER {
            return None;
        }
    }
    None
}

/// The process group, when its line is whole.
fn mark(text: &[u8]) -> Option<u32> {
    let start = text.windows(MARK.len()).rposition(|window| window == MARK.as_bytes())? + MARK.len();
    let length = text[start..].iter().position(|byte| *byte == b'\n')?;
    std::str::from_utf8(&text[start..start + length]).ok()?.trim().parse().ok()
}

/// Says why a command did not come to its gate, from what came instead and how it ended.
async fn explain(child: Child<Arc<Session>>, stderr: &str, stdout: &str) -> Trouble {
    let code = exit_code(child).await;
    if let Some(trouble) = no_root(stderr, code) {
        return trouble;
    }
    let last = last_line(stderr).or_else(|| last_line(stdout));
    match (code, last) {
        (None, _) => lost(),
        (Some(_), Some(last)) => Trouble::new(Kind::Agent, format!("no command can be started there: {last}")),
        (Some(code), None) => {
            Trouble::new(Kind::Agent, format!("no command can be started there: its shell ends with exit code {code}"))
        }
    }
}

fn lost() -> Trouble {
    Trouble::new(Kind::Lost, "the connection was lost before the command was started")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_group_is_found_behind_what_a_login_shell_says() {
        assert_eq!(mark(b"motd\nupshift-exec 4711\n"), Some(4711));
        assert_eq!(mark(b"no newline: upshift-exec 12\r\n"), Some(12));
        assert_eq!(mark(b"upshift-exec 47"), None);
        assert_eq!(mark(b"upshift-exec is a word\n"), None);
    }
}
