//! Which run has this host: one at a time, however many controllers there are.
//!
//! A claim is a file, so that it outlives the connection, the agent and a crash of the host. It goes
//! when its run ends, or when a person takes it away. While its run is connected, the agent also holds
//! a file lock, so that the next one to ask can be told.

use std::fs::File;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use crate::agent::Steps;
use crate::agent::protocol::{Claim, Held};
use crate::agent::spool::open;

/// The claim on this host, as one agent sees it.
#[derive(Debug)]
pub(super) struct Place {
    /// `claim.json`: who has the host.
    file: Utf8PathBuf,
    /// `claim.lock`: held for a moment by whoever changes the claim.
    lock: Utf8PathBuf,
    /// `claim.live`: held as long as the run is connected.
    live: Utf8PathBuf,
    held: Option<File>,
}

impl Place {
    pub(super) fn of(folder: &Utf8Path) -> Self {
        let path = |name| folder.join(name);
        Self { file: path("claim.json"), lock: path("claim.lock"), live: path("claim.live"), held: None }
    }

    /// Takes the host for a run, unless another one has it. A run that has it already has it again.
    ///
    /// An earlier run of the same project does not stand in the way once it has no step under way: the
    /// project itself has one run at a time.
    pub(super) fn take(&mut self, claim: &Claim, steps: &Steps) -> io::Result<Result<(), Held>> {
        let lock = self.lock()?;
        if let Some(held) = self.look(steps)?
            && held.claim.id() != claim.id()
        {
            let same = held.claim.machine == claim.machine && held.claim.project == claim.project;
            if held.connected || held.under_way > 0 || !same {
                return Ok(Err(held));
            }
        }
        let part = self.file.with_extension("part");
        fs::write(&part, serde_json::to_vec(claim)?)?;
        fs::rename(&part, &self.file)?;
        if self.held.is_none() {
            let live = open(&self.live)?;
            // Two agents of one run, an old and a new connection, share it.
            live.try_lock_shared().map_err(io::Error::from)?;
            self.held = Some(live);
        }
        drop(lock);
        Ok(Ok(()))
    }

    /// Gives the host back when that run has it.
    pub(super) fn release(&mut self, run: &str) -> io::Result<()> {
        let lock = self.lock()?;
        if self.read()?.is_some_and(|claim| claim.id() == run) {
            fs::remove_file(&self.file)?;
        }
        self.held = None;
        drop(lock);
        Ok(())
    }

    /// Takes away what holds the host, and says what that was; with `force` whatever it is doing.
    pub(super) fn unlock(&self, force: bool, steps: &Steps) -> io::Result<Option<Held>> {
        let lock = self.lock()?;
        let held = self.look(steps)?;
        if held.as_ref().is_some_and(|held| force || (!held.connected && held.under_way == 0)) {
            fs::remove_file(&self.file)?;
        }
        drop(lock);
        Ok(held)
    }

    fn look(&self, steps: &Steps) -> io::Result<Option<Held>> {
        let Some(claim) = self.read()? else { return Ok(None) };
        let under_way = steps.under_way(&claim.id())?;
        let connected = self.held.is_none() && open(&self.live)?.try_lock().is_err();
        if claim.fleeting && !connected {
            return Ok(None);
        }
        Ok(Some(Held { claim, connected, under_way }))
    }

    fn read(&self) -> io::Result<Option<Claim>> {
        match fs::read(&self.file) {
            // A claim that a full disk or a power failure spoilt is nobody's.
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn lock(&self) -> io::Result<File> {
        let file = open(&self.lock)?;
        file.lock()?;
        Ok(file)
    }
}

/// This host, which nobody else has as long as this lives.
#[derive(Debug)]
pub struct Hold {
    place: Place,
    id: String,
}

impl Hold {
    /// Takes this host, unless somebody has it; `folder` is where the agent keeps what is its own.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn take(folder: &Utf8Path, claim: &Claim) -> io::Result<Result<Self, Held>> {
        super::serve::prepare(folder)?;
        let mut place = Place::of(folder);
        let taken = place.take(claim, &Steps::of_host(folder.join("spool")))?;
        Ok(taken.map(|()| Self { place, id: claim.id() }))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // One that stays behind counts for nothing once this process is gone.
        let _ = self.place.release(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::Person;

    fn claim(run: &str, project: &str) -> Claim {
        let by = Person { user: "ops".into(), pid: 1, from: "pts/1".into() };
        Claim {
            run: run.into(),
            key: project.into(),
            by,
            machine: "admin".into(),
            project: project.into(),
            since: Timestamp::UNIX_EPOCH,
            fleeting: false,
        }
    }

    #[test]
    fn a_host_has_one_run_and_says_whose_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        let steps = Steps::new(folder.join("spool"));
        let (mut one, mut other) = (Place::of(folder), Place::of(folder));
        assert_eq!(one.take(&claim("one", "/train"), &steps).unwrap(), Ok(()));
        assert_eq!(one.take(&claim("one", "/train"), &steps).unwrap(), Ok(()));
        let held = other.take(&claim("two", "/train"), &steps).unwrap().unwrap_err();
        assert_eq!((held.claim.run.as_str(), held.connected), ("one", true));
        drop(one);
        // The run is gone without a word: another project waits for a person, the same one goes on.
        let held = other.take(&claim("two", "/other"), &steps).unwrap().unwrap_err();
        assert!(!held.connected);
        assert_eq!(other.take(&claim("two", "/train"), &steps).unwrap(), Ok(()));
        other.release("one-/train").unwrap();
        assert!(other.unlock(false, &steps).unwrap().is_some());
        assert_eq!(other.unlock(false, &steps).unwrap(), None);
    }
}
