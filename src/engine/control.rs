//! Telling a live run something from a second terminal: one line of JSON each way, over a socket in
//! the run's folder that only its owner can open.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};

use crate::model::{Command, Person};

/// Longer requests are not from upshift.
const LONGEST: u64 = 1 << 20;

/// How long a live run may take to answer; it commits to disk first.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a run that cannot take a connection waits before it listens again.
const DEAF: Duration = Duration::from_millis(200);

/// Something that a person, or a signal, tells the run.
#[derive(Debug)]
pub struct Told {
    /// What.
    pub command: Command,
    /// Who.
    pub by: Person,
    /// Where the answer goes, when somebody waits for one.
    pub reply: Option<oneshot::Sender<Reply>>,
}

/// What the run answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// Whether the command is now in the journal.
    pub done: bool,
    /// What a person should know.
    pub message: String,
}

#[derive(Serialize, Deserialize)]
struct Request {
    #[serde(flatten)]
    command: Command,
    by: Person,
}

/// Listens for commands as long as it lives, and removes its socket afterwards.
pub struct Listener {
    path: Utf8PathBuf,
    task: tokio::task::JoinHandle<()>,
}

impl Listener {
    /// Listens at `path`. The run's lock is held, so a socket that is there belongs to nobody.
    ///
    /// # Errors
    ///
    /// The socket cannot be made.
    pub fn open(path: Utf8PathBuf, told: mpsc::UnboundedSender<Told>) -> std::io::Result<Self> {
        let _ = std::fs::remove_file(&path);
        let socket = through_folder(&path, |path| UnixListener::bind(path))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        let task = tokio::spawn(async move {
            loop {
                match socket.accept().await {
                    Ok((stream, _)) => drop(tokio::spawn(serve(stream, told.clone()))),
                    // Too many open files, say: that passes, and a run that is deaf could not be stopped.
                    Err(_) => tokio::time::sleep(DEAF).await,
                }
            }
        });
        Ok(Self { path, task })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn serve(stream: tokio::net::UnixStream, told: mpsc::UnboundedSender<Told>) {
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut reader = tokio::io::BufReader::new(read.take(LONGEST));
    if reader.read_line(&mut line).await.is_err() {
        return;
    }
    let reply = match serde_json::from_str::<Request>(&line) {
        Err(error) => Reply { done: false, message: format!("not a command of this upshift: {error}") },
        Ok(Request { command, by }) => {
            let (sender, receiver) = oneshot::channel();
            let _ = told.send(Told { command, by, reply: Some(sender) });
            let gone = Reply { done: false, message: "the run ended before it could answer".into() };
            receiver.await.unwrap_or(gone)
        }
    };
    let text = serde_json::to_string(&reply).unwrap_or_default();
    let _ = write.write_all(format!("{text}\n").as_bytes()).await;
}

/// Tells a live run something and waits for its answer; `None` when nobody listens.
///
/// # Errors
///
/// The run listens and does not answer.
pub fn tell(path: &Utf8Path, command: Command, by: Person) -> std::io::Result<Option<Reply>> {
    let mut stream = match through_folder(path, |path| UnixStream::connect(path)) {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = serde_json::to_string(&Request { command, by })?;
    stream.write_all(format!("{request}\n").as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    if answer.is_empty() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_str(&answer)?))
}

/// Does something with a socket's path that is short enough whatever the folder: a socket's address
/// holds 108 bytes (`unix(7)`), and a run may live in a deep folder.
fn through_folder<T>(path: &Utf8Path, work: impl FnOnce(&Utf8Path) -> std::io::Result<T>) -> std::io::Result<T> {
    use std::os::fd::AsRawFd;
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return work(path) };
    let folder = std::fs::File::open(folder)?;
    work(Utf8Path::new(&format!("/proc/self/fd/{}/{name}", folder.as_raw_fd())))
}
