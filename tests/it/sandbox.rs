//! A folder of its own for each test, and upshift in it with nothing else around.

use std::path::{Path, PathBuf};

use assert_cmd::Command;

/// A temporary project: environment cleared, home inside, 80 columns, UTC.
pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, with the folders it needs.
    pub(crate) fn write(&self, name: &str, text: &str) -> &Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Starts the binary in the background; it is killed when the test lets go of it.
    pub(crate) fn start<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Background {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_upshift"));
        self.settle(&mut command)
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .args(arguments);
        Background { child: Some(command.spawn().unwrap()) }
    }

    /// The folder and environment of every command here.
    pub(crate) fn settle<'c>(&self, command: &'c mut std::process::Command) -> &'c mut std::process::Command {
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.folder.path())
            .env("USER", "ops")
            .env("TZ", "UTC")
    }

    /// Waits, for a while, until something is true.
    pub(crate) fn until(&self, what: &str, mut is_true: impl FnMut(&Self) -> bool) {
        for _ in 0..600 {
            if is_true(self) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(25));
        }
        panic!("waited in vain until {what}");
    }

    /// The journal of the newest run, a JSON object a record; empty while there is none.
    pub(crate) fn journal(&self) -> Vec<serde_json::Value> {
        let Ok(runs) = std::fs::read_dir(self.path(".upshift/runs")) else { return Vec::new() };
        let mut runs: Vec<_> = runs.map(|run| run.unwrap().path().join("journal.jsonl")).collect();
        runs.sort();
        let text = runs.last().and_then(|run| std::fs::read_to_string(run).ok()).unwrap_or_default();
        text.split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// How many records of that kind the newest journal has.
    pub(crate) fn records(&self, kind: &str) -> usize {
        self.journal().iter().filter(|record| record["kind"] == kind).count()
    }

    /// The binary with these arguments, not yet run.
    pub(crate) fn upshift<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_upshift"));
        command.args(arguments);
        command
    }

    /// The same, started by a shell that does something before.
    pub(crate) fn upshift_after<'a>(&self, before: &str, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = self.command("sh");
        command.args(["-c", &format!("{before}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_upshift")]).args(arguments);
        command
    }

    fn command(&self, program: &str) -> Command {
        let mut command = std::process::Command::new(program);
        self.settle(&mut command).env("COLUMNS", "80");
        let mut command = Command::from_std(command);
        command.timeout(std::time::Duration::from_mins(1));
        command
    }
}

/// A process in the background.
pub(crate) struct Background {
    child: Option<std::process::Child>,
}

impl Background {
    /// Sends a signal to the process alone.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let child = self.child.as_ref().unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).unwrap();
    }

    /// The exit code, once it has ended. Nothing that it wrote is read.
    pub(crate) fn exited(&mut self) -> Option<i32> {
        self.child.as_mut().unwrap().try_wait().unwrap().map(|status| status.code().unwrap_or(-1))
    }

    /// Waits for the end: exit code, stdout, stderr.
    pub(crate) fn end(mut self) -> (i32, String, String) {
        let output = self.child.take().unwrap().wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
