//! The agent at the other end of a connection: `upshift agent serve FOLDER`.
//!
//! It answers on stdout what it is asked on stdin, and ends when stdin does. It holds nothing that
//! anybody would miss: steps are processes of their own, and all they leave is in the spool.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::rc::Rc;
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use jiff::{SignedDuration, Timestamp};
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::agent::claim::Place;
use crate::agent::files::Worker;
use crate::agent::frame::{self, Frames};
use crate::agent::grains::{self, Facts};
use crate::agent::protocol::{Answer, Ask, FORMAT, Hello, MARK, Order, Question, Tell, Vitals};
use crate::agent::{Steps, backup, process};
use crate::error::Error;
use crate::formula::facts::{self, Facts as _};

/// Steps of runs that were never taken up again are kept so many and so long.
const KEPT: usize = 200;
const KEPT_FOR: Duration = Duration::from_hours(7 * 24);

/// So many other builds of upshift stay on a host.
const OTHERS: usize = 2;

/// One of which nothing has come for so long is not being sent any more.
const ARRIVING: Duration = Duration::from_hours(1);

/// Answers that wait to be sent; whoever has more to say waits.
const WAITING: usize = 16;

type Answers = mpsc::Sender<(Answer, Vec<u8>)>;

/// Serves one controller until it closes the connection.
///
/// # Errors
/// When the folder cannot be used, before anything was asked.
pub fn main(folder: &Utf8Path) -> Result<(), Error> {
    prepare(folder)?;
    let agent = Rc::new(Agent {
        folder: folder.to_owned(),
        steps: Steps::of_host(folder.join("spool")),
        place: Mutex::new(Place::of(folder)),
        files: Worker::new(folder.join("files")),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let served = LocalSet::new().block_on(&runtime, agent.serve());
    runtime.shutdown_background();
    // A connection that breaks is the controller's to notice.
    match served {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(error.into()),
        _ => Ok(()),
    }
}

/// Makes sure that the folder is there and that nobody else can look into it.
pub(super) fn prepare(folder: &Utf8Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let metadata = fs::symlink_metadata(folder)?;
    if !metadata.is_dir() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other(format!("`{folder}` is not a folder of the user that upshift runs as here")));
    }
    if metadata.mode() & 0o077 != 0 {
        fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

struct Agent {
    folder: Utf8PathBuf,
    steps: Steps,
    place: Mutex<Place>,
    files: Worker,
}

impl Agent {
    async fn serve(self: Rc<Self>) -> io::Result<()> {
        let (answers, mut waiting) = mpsc::channel::<(Answer, Vec<u8>)>(WAITING);
        let mut stdout = tokio::io::stdout();
        let hello = serde_json::to_string(&Hello { format: FORMAT, upshift: env!("CARGO_PKG_VERSION").into() })?;
        stdout.write_all(format!("{MARK} ready {hello}\n").as_bytes()).await?;
        stdout.flush().await?;
        let ask = async {
            let mut stdin = BufReader::new(tokio::io::stdin());
            while let Some((Question { n, ask }, bytes)) = frame::read::<Question>(&mut stdin).await? {
                let (agent, answers) = (self.clone(), answers.clone());
                if let Ask::Files(ask) = ask {
                    // Here, so that they are asked in the order in which they came.
                    let tell = agent.files.ask(ask, bytes);
                    tokio::task::spawn_local(async move {
                        answers.send((Answer { n, tell: tell.await }, Vec::new())).await
                    });
                    continue;
                }
                tokio::task::spawn_local(async move {
                    let told = agent.answer(n, ask, bytes, &answers).await;
                    let (tell, bytes) = told.unwrap_or_else(|error| (Tell::Failed(error.to_string()), Vec::new()));
                    let _ = answers.send((Answer { n, tell }, bytes)).await;
                });
            }
            Ok(())
        };
        let answer = async {
            let mut frames = Frames::new(stdout);
            while let Some((answer, bytes)) = waiting.recv().await {
                frames.add(&answer, &bytes).await?;
                // Whatever else can be answered by now goes with it.
                tokio::task::yield_now().await;
                while let Ok((answer, bytes)) = waiting.try_recv() {
                    frames.add(&answer, &bytes).await?;
                }
                frames.send().await?;
            }
            Ok(())
        };
        tokio::select! { done = ask => done, done = answer => done }
    }

    async fn answer(&self, n: u64, ask: Ask, bytes: Vec<u8>, answers: &Answers) -> io::Result<(Tell, Vec<u8>)> {
        let tell = match ask {
            Ask::Vitals => Tell::Vitals(self.vitals()?),
            Ask::Grains { id } => Tell::Grains(grains::collect(&Facts { root: "/".into(), id: Some(&id), now: now() })),
            Ask::Fact(call) => {
                // A function may run a command, which takes its time.
                let answer = tokio::task::spawn_blocking(move || facts::Host.answer(&call)).await;
                Tell::Fact(answer.unwrap_or_else(|_| Err(facts::Refusal::Failed("the function panicked".to_owned()))))
            }
            Ask::Claim(claim) => {
                if let Err(held) = self.place()?.take(&claim, &self.steps)? {
                    return Ok((Tell::Held(held), Vec::new()));
                }
                // What is too much on the disk, is no reason to refuse a run.
                let _ = self.steps.prune(&claim.id(), KEPT, KEPT_FOR).and_then(|()| remove_others(&self.folder));
                Tell::Done
            }
            Ask::Execute { mut order, from } => {
                order.private = bytes;
                let id = order.id.clone();
                let end = self.execute(n, *order, from, answers).await;
                // How it ended is what counts.
                return Ok((Tell::Ended(end), self.steps.returns(&id).unwrap_or_default()));
            }
            Ask::Abort { id } => self.steps.abort(&id).map(|()| Tell::Done)?,
            Ask::Forget { id } => self.steps.forget(&id).map(|()| Tell::Done)?,
            Ask::Release { run } => {
                // A folder that stays behind is removed by the next run.
                let _ = self.steps.clean(&run);
                self.place()?.release(&run)?;
                Tell::Done
            }
            Ask::Unlock { force } => self.place()?.unlock(force, &self.steps)?.map_or(Tell::Done, Tell::Held),
            Ask::Backup(ask) => {
                let base = self.folder.join(backup::FOLDER);
                let answer = tokio::task::spawn_blocking(move || backup::answer(&base, &ask, &bytes)).await;
                return answer.map_err(|_| io::Error::other("looking at the backup went wrong"))?;
            }
            Ask::Files(_) => unreachable!("the worker for files answers these"),
        };
        Ok((tell, Vec::new()))
    }

    fn place(&self) -> io::Result<std::sync::MutexGuard<'_, Place>> {
        self.place.lock().map_err(|_| io::Error::other("an earlier claim went wrong"))
    }

    async fn execute(&self, n: u64, mut order: Order, from: u64, answers: &Answers) -> crate::model::record::End {
        if order.folder.as_str().is_empty() {
            order.folder = home();
        }
        let (sink, mut output) = mpsc::channel(1);
        let pass_on = async {
            while let Some(crate::agent::Output { bytes, next }) = output.recv().await {
                let _ = answers.send((Answer { n, tell: Tell::Output { next } }, bytes)).await;
            }
        };
        let execute = async {
            let sink = sink;
            self.steps.execute(&order, from, &sink).await
        };
        tokio::join!(execute, pass_on).0
    }

    fn vitals(&self) -> io::Result<Vitals> {
        let disk = rustix::fs::statvfs(self.folder.as_std_path())?;
        let uptime = fs::read_to_string("/proc/uptime")?;
        let seconds = uptime.split('.').next().and_then(|seconds| seconds.parse().ok()).unwrap_or_default();
        Ok(Vitals {
            boot: process::boot()?,
            up: SignedDuration::from_secs(seconds),
            now: now(),
            free: disk.f_bavail.saturating_mul(disk.f_frsize),
            machine: rustix::system::uname().machine().to_string_lossy().into_owned(),
        })
    }
}

/// The time of this host.
#[expect(clippy::disallowed_methods, reason = "the controller compares it with its own")]
pub(super) fn now() -> Timestamp {
    Timestamp::now()
}

/// Where commands run when nothing else is said.
fn home() -> Utf8PathBuf {
    std::env::var("HOME").ok().map(Utf8PathBuf::from).filter(|home| home.is_dir()).unwrap_or_else(|| "/".into())
}

/// Removes other builds of upshift, but for the newest ones: another controller may use them. One that is arriving stays,
/// unless it was cut off.
fn remove_others(folder: &Utf8Path) -> io::Result<()> {
    let own = std::env::current_exe()?;
    let cut_off = SystemTime::from(now()).checked_sub(ARRIVING);
    let mut others = Vec::new();
    for entry in folder.join("agent").read_dir_utf8()? {
        let entry = entry?;
        let modified = entry.metadata()?.modified()?;
        match entry.path().extension() {
            // `HASH.PID`, until all of it is there.
            Some(_) if Some(modified) < cut_off => fs::remove_file(entry.path())?,
            Some(_) => {}
            None if entry.path().as_std_path() == own => {}
            None => others.push((modified, entry.into_path())),
        }
    }
    others.sort_by_key(|(modified, _)| std::cmp::Reverse(*modified));
    others.iter().skip(OTHERS).try_for_each(|(_, path)| fs::remove_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_builds_go_and_what_arrives_just_now_stays() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(folder.path()).unwrap();
        fs::create_dir(folder.join("agent")).unwrap();
        let minutes_ago = |name: &str, minutes: u64| {
            let file = fs::File::create(folder.join("agent").join(name)).unwrap();
            file.set_modified(SystemTime::from(now()) - Duration::from_mins(minutes)).unwrap();
        };
        let arriving = ["a.10", "a.11", "a.12", "a.13"].map(|name| (name, 0));
        for (name, minutes) in arriving.into_iter().chain([("b.9", 61), ("b", 62), ("c", 63), ("d", 64)]) {
            minutes_ago(name, minutes);
        }
        remove_others(folder).unwrap();
        let left = folder.join("agent").read_dir_utf8().unwrap().map(|entry| entry.unwrap().file_name().to_owned());
        let mut left: Vec<_> = left.collect();
        left.sort();
        assert_eq!(left, ["a.10", "a.11", "a.12", "a.13", "b", "c"]);
    }
}
