//! Reads on in a step's output while it grows.
//!
//! Every byte is passed on at most once and in order; what was freed in between is replaced by a line
//! that says so.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use camino::Utf8PathBuf;
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use tokio::sync::mpsc;

const CHUNK: u64 = 64 * 1024;

/// Some output of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// What it wrote.
    pub bytes: Vec<u8>,
    /// The place in the output to read on from.
    pub next: u64,
}

/// Takes what a step writes. Whoever is slow to take it slows the reading down, never the step.
pub type Sink = mpsc::Sender<Output>;

/// A place in an output.
pub(super) struct Tail {
    path: Utf8PathBuf,
    file: Option<File>,
    at: u64,
}

impl Tail {
    /// The output at `path`, from byte `at` on; it need not be there yet.
    pub(super) fn new(path: Utf8PathBuf, at: u64) -> Self {
        Self { path, file: None, at }
    }

    /// Passes on what was added since, as far as the output went when this was called.
    pub(super) async fn read(&mut self, sink: &Sink) -> io::Result<()> {
        if self.file.is_none() {
            self.file = match File::open(&self.path) {
                Ok(file) => Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            };
        }
        let Some(file) = &self.file else { return Ok(()) };
        let end = file.metadata()?.len();
        let mut buffer = Vec::new();
        let mut skipped = 0;
        while self.at < end {
            let data = next_data(file, self.at)?.min(end);
            if data > self.at {
                skipped += data - self.at;
                self.at = data;
                continue;
            }
            buffer.resize(usize::try_from(CHUNK.min(end - self.at)).unwrap_or(0), 0);
            let read = file.read_at(&mut buffer, self.at)?;
            if read == 0 {
                break;
            }
            // Freed while it was being read: what came is zeros.
            if next_data(file, self.at)? > self.at {
                continue;
            }
            if skipped > 0 {
                send(sink, left_out(skipped).into_bytes(), self.at).await;
                skipped = 0;
            }
            self.at += read as u64;
            send(sink, buffer[..read].to_vec(), self.at).await;
        }
        if skipped > 0 {
            send(sink, left_out(skipped).into_bytes(), self.at).await;
        }
        Ok(())
    }
}

async fn send(sink: &Sink, bytes: Vec<u8>, next: u64) {
    // Nobody may be interested any more; the step goes on.
    let _ = sink.send(Output { bytes, next }).await;
}

/// The next place that holds data, this one perhaps.
fn next_data(file: &File, at: u64) -> io::Result<u64> {
    match rustix::fs::seek(file, SeekFrom::Data(at)) {
        Ok(data) => Ok(data),
        // Nothing but a hole up to the end.
        Err(Errno::NXIO) => Ok(u64::MAX),
        // This file system does not tell, and has no holes.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(at),
        Err(error) => Err(error.into()),
    }
}

fn left_out(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a rounded figure for a person")]
    let mib = bytes as f64 / (1024.0 * 1024.0);
    format!("\n[upshift: {mib:.1} MiB of output left out here]\n")
}
