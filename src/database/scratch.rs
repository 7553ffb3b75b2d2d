//! A server of its own to try a backup on: in a folder beside the backup, on no network.
//!
//! It ends with its owner. One whose owner was killed is ended, and its folder removed, before another is made.

use std::fs::File;
use std::os::unix::fs::DirBuilderExt as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use rustix::process::{Pid, Signal, kill_process};

use super::account::Account;
use super::program::Program;
use super::{Error, Job, Manifest, Result, size};
use crate::model::hash::Hash;

/// What its folder is called.
const NAME: &str = "scratch";

/// How long a server may take to answer first, and to end.
const PATIENCE: Duration = Duration::from_mins(2);

/// Room that a server without any data takes, at most.
const EMPTY: u64 = 250_000_000;

/// A folder for a scratch server, and the server in it.
pub(super) struct Scratch<'a> {
    pub(super) folder: Utf8PathBuf,
    server: Option<Child>,
    job: &'a Job<'a>,
}

impl<'a> Scratch<'a> {
    /// A new folder beside the backup, with room for it.
    pub(super) fn new(job: &'a Job<'a>, manifest: &Manifest) -> Result<Self> {
        clear_others(&job.folder);
        Self::create(job, job.folder.join(NAME), manifest, None)
    }

    /// A new folder for a server that runs as another user, within a folder that this user may enter.
    pub(super) fn within(
        job: &'a Job<'a>,
        base: &Utf8Path,
        manifest: &Manifest,
        account: Option<&Account>,
    ) -> Result<Self> {
        // Each backup has its own, and what a try of it left that was killed is found again. A socket's path is short.
        let own = Hash::of(job.folder.as_str().as_bytes()).to_string();
        let name = format!("upshift-{NAME}-{}", own.get(..8).unwrap_or_default());
        Self::create(job, base.join(name), manifest, account)
    }

    fn create(job: &'a Job<'a>, folder: Utf8PathBuf, manifest: &Manifest, account: Option<&Account>) -> Result<Self> {
        let scratch = Self { folder, server: None, job };
        clear(&scratch.folder)?;
        std::fs::DirBuilder::new().mode(0o700).create(&scratch.folder)?;
        if let Some(account) = account {
            std::os::unix::fs::chown(&scratch.folder, Some(account.uid), Some(account.gid))?;
        }
        let system = rustix::fs::statvfs(scratch.folder.as_std_path()).map_err(std::io::Error::from)?;
        let free = system.f_bavail.saturating_mul(system.f_frsize);
        // Tables take more room than their text, with indexes and logs.
        let needed = manifest.size.saturating_mul(2).saturating_add(EMPTY);
        if free < needed {
            let (needed, free) = (size(needed), size(free));
            return Err(Error::new(format!(
                "a restore test may need {needed} in `{}`, and {free} are free",
                scratch.folder
            )));
        }
        Ok(scratch)
    }

    /// Starts the server and waits until it answers.
    pub(super) fn start(&mut self, server: Program<'_>, answers: &dyn Fn() -> bool) -> Result<()> {
        let log = self.folder.join("log");
        let child = self.server.insert(server.serve(Stdio::from(File::create(&log)?))?);
        let begun = Instant::now();
        while !answers() {
            if self.job.attendant.is_stopped() {
                return Err(Error::Stopped);
            }
            let has_ended = child.try_wait()?.is_some();
            if has_ended || begun.elapsed() > PATIENCE {
                let said = fs::read_to_string(&log).unwrap_or_default();
                let why = said.lines().rev().find(|line| line.contains("ERROR")).or(said.lines().last());
                let why = why.map(|why| format!(": {why}")).unwrap_or_default();
                return Err(Error::new(format!("the scratch server did not come up{why}")));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // Nobody has any use for what it has; there is nothing to wait for.
            let _ = server.kill().and_then(|()| server.wait());
        }
        if let Err(error) = clear(&self.folder) {
            self.job.attendant.say(&format!("`{}` is left: {error}", self.folder));
        }
    }
}

/// Removes what earlier runs left whose agents were killed. Another step of this run may be at work in its own.
fn clear_others(own: &Utf8Path) {
    let Some(run) = own.parent() else { return };
    let Some(base) = run.parent() else { return };
    let inside = |folder: &Utf8Path| folder.read_dir_utf8().into_iter().flatten().flatten();
    let runs = inside(base).filter(|other| other.path() != run);
    for backup in runs.flat_map(|run| inside(run.path())) {
        // What cannot be removed takes room and does no harm.
        let _ = clear(&backup.path().join(NAME));
    }
}

/// Ends every process that works in a folder, and removes it.
fn clear(folder: &Utf8Path) -> std::io::Result<()> {
    if folder.symlink_metadata().is_err() {
        return Ok(());
    }
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw) else {
            continue;
        };
        if fs::read_link(entry.path().join("cwd")).is_ok_and(|working| working.starts_with(folder)) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    fs::remove_dir_all(folder)
}
