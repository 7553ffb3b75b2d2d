//! One command on a host, straight over its connection: nothing is left there, and nothing outlives it.

use openssh::{Error as SshError, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::transport::ssh::bootstrap::{as_root, quote};
use crate::transport::ssh::host::Host;
use crate::transport::ssh::trouble::{Kind, Trouble};

/// Some output of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Whether it came on stderr.
    pub is_error: bool,
    /// What came.
    pub bytes: Vec<u8>,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exited {
    /// With this exit code; 128 and more is a signal, as shells count.
    Code(i32),
    /// It was told to end, and did.
    Stopped,
}

/// Says the process group before the command, so that all of it can be ended.
const MARK: &str = "upshift-exec";

/// How long a command may take to end that is told to.
const GRACE: Duration = Duration::from_secs(5);

/// So much is read at once.
const CHUNK: usize = 32 * 1024;

impl Host {
    /// Runs a command with `sh`, as root where the login allows it, and waits for its end.
    ///
    /// When `stop` comes, the command is ended with everything it started.
    ///
    /// # Errors
    /// When the host cannot be reached, or the connection is lost: the command may go on there then.
    pub async fn command(
        &self,
        text: &str,
        sink: &mpsc::Sender<Piece>,
        stop: oneshot::Receiver<()>,
    ) -> Result<Exited, Trouble> {
        let master = self.master().await?;
        // The shell in between turns a signal into an exit code: without one, the connection was lost.
        let script = format!(
            "read -r a b c d g e </proc/$$/stat; echo {MARK} $g >&2; /bin/sh -c {} </dev/null; exit $?",
            quote(text)
        );
        let mut command = Arc::clone(&master.session).arc_raw_command(as_root(&script, self.login().r#become));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().await.map_err(|error| Trouble::new(Kind::Lost, error.to_string()))?;
        let (Some(stdout), Some(stderr)) = (child.stdout().take(), child.stderr().take()) else {
            return Err(Trouble::new(Kind::Lost, "the channel has no ends"));
        };
        let (tell_id, id) = oneshot::channel();
        let read = async {
            tokio::join!(read_out(stdout, sink), read_errors(stderr, sink, tell_id));
        };
        let end = async {
            if stop.await.is_err() {
                std::future::pending::<()>().await;
            }
            if let Ok(id) = id.await {
                let kill = format!("kill -TERM -{id}; sleep 1; kill -KILL -{id}");
                let mut kill = Arc::clone(&master.session).arc_raw_command(as_root(&kill, self.login().r#become));
                kill.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
                let _ = timeout(GRACE, kill.status()).await;
            }
        };
        tokio::select! {
            () = read => {}
            () = end => return Ok(Exited::Stopped),
        }
        match child.wait().await {
            Ok(status) => Ok(Exited::Code(status.code().unwrap_or(255))),
            // The crate takes 127 for an error of its own.
            Err(SshError::Remote(_)) => Ok(Exited::Code(127)),
            Err(_) => Err(Trouble::new(Kind::Lost, "the connection was lost; the command may go on there")),
        }
    }
}

async fn read_out(mut from: impl AsyncRead + Unpin, sink: &mpsc::Sender<Piece>) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let _ = sink.send(Piece { is_error: false, bytes: buffer[..read].to_vec() }).await;
    }
}

/// Reads stderr, of which the line with the process group is not the command's.
async fn read_errors(mut from: impl AsyncRead + Unpin, sink: &mpsc::Sender<Piece>, id: oneshot::Sender<u32>) {
    let mut id = Some(id);
    let mut pending = Vec::new();
    let mut buffer = vec![0; CHUNK];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        pending.extend_from_slice(&buffer[..read]);
        if id.is_some() {
            // Until that line, there may be others: what a login shell or sudo says.
            if let Some((start, end, number)) = mark(&pending) {
                pending.drain(start..end);
                id.take().map(|id| id.send(number));
            } else if pending.len() < CHUNK {
                continue;
            }
        }
        if !pending.is_empty() {
            let _ = sink.send(Piece { is_error: true, bytes: std::mem::take(&mut pending) }).await;
        }
    }
    if !pending.is_empty() {
        let _ = sink.send(Piece { is_error: true, bytes: pending }).await;
    }
}

/// Where the line with the process group stands, and the group.
fn mark(bytes: &[u8]) -> Option<(usize, usize, u32)> {
    let start = bytes.windows(MARK.len()).position(|window| window == MARK.as_bytes())?;
    let length = bytes[start..].iter().position(|byte| *byte == b'\n')?;
    let line = std::str::from_utf8(&bytes[start + MARK.len()..start + length]).ok()?;
    Some((start, start + length + 1, line.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_group_is_found_among_other_lines() {
        let text = b"motd\nupshift-exec 4711\nerror: no\n";
        let (start, end, id) = mark(text).unwrap();
        assert_eq!((&text[start..end], id), (&b"upshift-exec 4711\n"[..], 4711));
        assert_eq!(mark(b"upshift-exec 47"), None);
    }
}
