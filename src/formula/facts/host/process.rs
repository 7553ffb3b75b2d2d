//! Runs a program of the host: no input, a limit on time and on what it may say.

use std::io::Read;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long a program may take if nobody says.
pub(super) const PATIENCE: Duration = Duration::from_mins(5);

/// The most that is read of what a program says; the rest is dropped.
const MOST: u64 = 8 << 20;

/// What a program said and how it ended.
pub(super) struct Output {
    /// The process.
    pub(super) id: u32,
    /// The exit code, or minus the signal that ended it.
    pub(super) code: i32,
    /// What it wrote to standard output (and to standard error, if the two were to be one).
    pub(super) out: String,
    /// What it wrote to standard error.
    pub(super) err: String,
}

/// Why there is no output.
pub(super) enum Failure {
    /// The program could not be started.
    Start(std::io::Error),
    /// It took too long, and was ended with everything it had started.
    Timeout,
}

/// Runs a program to its end.
pub(super) fn run(command: &mut Command, is_merged: bool, patience: Duration) -> Result<Output, Failure> {
    let (out, writer) = std::io::pipe().map_err(Failure::Start)?;
    let (err, error_writer) = if is_merged {
        (None, writer.try_clone().map_err(Failure::Start)?)
    } else {
        let (err, error_writer) = std::io::pipe().map_err(Failure::Start)?;
        (Some(err), error_writer)
    };
    let mut child = command
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(error_writer)
        .process_group(0)
        .spawn()
        .map_err(Failure::Start)?;
    // The command holds our ends of the pipes, which would never close.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let (sender, receiver) = mpsc::channel();
    let listen = |stream: Option<std::io::PipeReader>| {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let text = stream.map(read).unwrap_or_default();
            // Nobody listens any more once time is up.
            let _ = sender.send(());
            text
        })
    };
    let (out, err) = (listen(Some(out)), listen(err));
    let id = child.id();
    let ended = std::thread::spawn(move || {
        let status = child.wait();
        let _ = sender.send(());
        status
    });
    for _ in 0..3 {
        if receiver.recv_timeout(patience).is_err() {
            end(id);
            return Err(Failure::Timeout);
        }
    }
    let status = ended.join().unwrap_or_else(|_| Err(std::io::Error::other("lost"))).map_err(Failure::Start)?;
    Ok(Output {
        id,
        code: status.code().unwrap_or_else(|| -status.signal().unwrap_or(1)),
        out: out.join().unwrap_or_default(),
        err: err.join().unwrap_or_default(),
    })
}

/// What a program of the host's own says, or nothing if it fails.
pub(super) fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    clean(&mut command).args(arguments);
    run(&mut command, false, PATIENCE).ok().filter(|output| output.code == 0).map(|output| output.out)
}

/// Takes what is upshift's own out of a command's environment, and sets Salt's locale.
pub(super) fn clean(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if is_secret(&name.to_string_lossy()) {
            command.env_remove(name);
        }
    }
    for category in ["CTYPE", "NUMERIC", "TIME", "COLLATE", "MONETARY", "MESSAGES", "PAPER", "NAME", "ADDRESS"] {
        command.env(format!("LC_{category}"), "C");
    }
    for category in ["LC_TELEPHONE", "LC_MEASUREMENT", "LC_IDENTIFICATION", "LANGUAGE"] {
        command.env(category, "C");
    }
    command
}

/// Whether a variable is upshift's own or a way to somebody's keys.
pub(super) fn is_secret(name: &str) -> bool {
    name.starts_with("UPSHIFT_") || name == "SSH_AUTH_SOCK"
}

fn read(mut stream: impl Read) -> String {
    let mut bytes = Vec::new();
    // What a program said before an error is what it said.
    let _ = stream.by_ref().take(MOST).read_to_end(&mut bytes);
    let _ = std::io::copy(&mut stream, &mut std::io::sink());
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Ends a program with everything it started that stayed in its group.
fn end(id: u32) {
    if let Some(group) = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}
