//! The steps of this machine: starts them, attaches to them, and clears them away.
//!
//! Starting a step and attaching to one are the same call: what happens follows from the step's folder
//! alone, never from what this process remembers.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use rustix::io::Errno;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::agent::earlier;
use crate::agent::process::{Left, end_left};
use crate::agent::protocol::Order;
use crate::agent::spool::{Folder, Started, State, errno, folder_name, named};
use crate::agent::tail::{Sink, Tail};
use crate::model::Outcome;
use crate::model::plan::Action;
use crate::model::record::End;

/// Time between two looks at a step that is under way.
const POLL: Duration = Duration::from_millis(100);

/// How often an agent is started that ends before it did anything.
const TRIES: u32 = 5;

/// How much longer than its timeout a step could take: its command is ended first.
const MARGIN: Duration = Duration::from_secs(30);

/// So much of an agent's error is read.
const COMPLAINT: u64 = 4096;

/// Carries out steps here, each in a process of its own that outlives this one.
#[derive(Debug, Clone)]
pub struct Steps {
    /// Where the folders of the steps are.
    spool: Utf8PathBuf,
    /// The upshift to start; the one that is running by default, even when its file was replaced.
    pub program: Utf8PathBuf,
    /// Whether a step may restart this machine.
    may_restart: bool,
}

impl Steps {
    /// Steps with their folders in `spool`, which is created when it is needed.
    #[must_use]
    pub fn new(spool: Utf8PathBuf) -> Self {
        let spool = camino::absolute_utf8(&spool).unwrap_or(spool);
        Self { spool, program: "/proc/self/exe".into(), may_restart: false }
    }

    /// The same, on a machine that a step may restart: never the one that a run is started on.
    pub(super) fn of_host(spool: Utf8PathBuf) -> Self {
        Self { may_restart: true, ..Self::new(spool) }
    }

    /// Starts the step, or attaches to it when it was started before, and waits for its end.
    ///
    /// Output from byte `from` on goes to `sink` as it grows. Dropping the future leaves the step alone:
    /// it goes on, and asking for the same id again attaches to it. An earlier try of the same unit that
    /// is still under way is followed instead.
    pub async fn execute(&self, order: &Order, from: u64, sink: &Sink) -> End {
        let folder = match self.settle(order).await {
            Ok(folder) => folder,
            Err(error) => return not_started(&error.to_string()),
        };
        let mut tail = Tail::new(folder.output(), from);
        let end = match self.carry_out(order, &folder, &mut tail, sink).await {
            Ok(end) => end,
            // Whatever is going on in the folder, nobody knows.
            Err(error) => End::noted(Outcome::Interrupted, format!("cannot tell what became of the step: {error}")),
        };
        // Missing output does not change how the step ended.
        let _ = tail.read(sink).await;
        end
    }

    /// The folder to carry the step out in, once no earlier step is in its way.
    async fn settle(&self, order: &Order) -> io::Result<Folder> {
        let own = Folder::of(&self.spool, &order.id);
        // What cannot be read now says nothing: the look that follows asks again, for as long as it takes.
        if matches!(own.state(), Ok(State::Absent))
            && let Some(earlier) = earlier::settle(&self.spool, &order.id).await?
        {
            return Ok(earlier);
        }
        Ok(own)
    }

    async fn carry_out(&self, order: &Order, folder: &Folder, tail: &mut Tail, sink: &Sink) -> io::Result<End> {
        // Trouble here, too many open files say, is no end there: it may only outlast the step.
        let patience = Duration::try_from(order.timeout).unwrap_or_default().saturating_add(MARGIN);
        let (mut tries, mut trouble) = (0, None);
        loop {
            match self.look(order, folder, tail, sink, &mut tries).await {
                Ok(Some(end)) => return Ok(end),
                Ok(None) => trouble = None,
                Err(error) => {
                    let since = *trouble.get_or_insert_with(Instant::now);
                    if error.kind() == io::ErrorKind::InvalidData || since.elapsed() >= patience {
                        return Err(error);
                    }
                    tokio::time::sleep(POLL).await;
                }
            }
        }
    }

    /// Looks once and does what the step's folder asks for; the end, when it has come to one.
    ///
    /// An error says nothing about the step, and the next look may do better.
    async fn look(
        &self,
        order: &Order,
        folder: &Folder,
        tail: &mut Tail,
        sink: &Sink,
        tries: &mut u32,
    ) -> io::Result<Option<End>> {
        match folder.state()? {
            State::Ended(end) => Ok(Some(end)),
            State::Lost(started) if order.action == Action::Reboot => Ok(restarted(&started).await),
            State::Lost(started) => Ok(Some(lost(&started).await)),
            State::Preparing | State::Running => {
                // Output that cannot be read now is read later, and changes nothing about the step.
                let _ = tail.read(sink).await;
                tokio::time::sleep(POLL).await;
                Ok(None)
            }
            State::Absent | State::Ordered => {
                let agent = match folder.order(order).and_then(|()| self.start(order, folder)) {
                    Ok(agent) => agent,
                    Err(error) if is_passing(&error) => return Err(error),
                    Err(error) => return Ok(Some(not_started(&error.to_string()))),
                };
                *tries += 1;
                let ended = follow(agent, tail, sink).await?;
                Ok(match folder.state()? {
                    State::Absent | State::Ordered => judge(&ended, *tries),
                    _ => None,
                })
            }
        }
    }

    fn start(&self, order: &Order, folder: &Folder) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        command
            .arg0("upshift")
            .args(["agent", "step"])
            .args(self.may_restart.then_some("--may-restart"))
            .arg(folder.path());
        // Only the agent itself writes to stderr, only before it starts anything: its command has the
        // output file.
        let has_private = !order.private.is_empty();
        command.stdin(if has_private { Stdio::piped() } else { Stdio::null() });
        command.current_dir("/").stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| named(format!("cannot start `{}`", self.program), error))?;
        if let Some(mut stdin) = child.stdin.take() {
            let private = order.private.clone();
            // An agent that ends before it has read it says why itself.
            tokio::spawn(async move { stdin.write_all(&private).await });
        }
        Ok(child)
    }

    /// Tells a step to end; [`execute`](Self::execute) says when it has. One that did not start yet
    /// will not run its command.
    ///
    /// # Errors
    /// When the step's folder cannot be written to.
    pub fn abort(&self, id: &str) -> io::Result<()> {
        Folder::of(&self.spool, id).abort()?;
        earlier::abort(&self.spool, id)
    }

    /// What became of the states of a step: a JSON object a line. Nothing for one that has none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn returns(&self, id: &str) -> io::Result<Vec<u8>> {
        match fs::read(Folder::of(&self.spool, id).returns()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            read => read,
        }
    }

    /// Removes the folders of a run's steps that are over, and says how many.
    ///
    /// A step that is asked for afterwards runs again, so this is for when a run has ended.
    ///
    /// # Errors
    /// When a folder cannot be read or removed.
    pub fn clean(&self, run: &str) -> io::Result<u32> {
        let mut removed = 0;
        for path in self.of_run(run)? {
            if is_over(&path) {
                fs::remove_dir_all(&path)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// How many steps of a run are under way.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn under_way(&self, run: &str) -> io::Result<usize> {
        let goes_on =
            |path: &Utf8PathBuf| matches!(Folder::at(path.clone()).state(), Ok(State::Preparing | State::Running));
        Ok(self.of_run(run)?.iter().filter(|path| goes_on(path)).count())
    }

    /// Removes the folder of a step that is over and whose end is on record.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn forget(&self, id: &str) -> io::Result<()> {
        let folder = Folder::of(&self.spool, id);
        if is_over(folder.path()) { fs::remove_dir_all(folder.path()) } else { Ok(()) }
    }

    /// Removes what other runs left that were never taken up again: steps that are over, but for the
    /// `keep` newest ones, and those older than `age`. Those of `run` may yet be asked for.
    ///
    /// # Errors
    /// When a folder cannot be read or removed.
    pub fn prune(&self, run: &str, keep: usize, age: Duration) -> io::Result<()> {
        let modified = |path: &Utf8PathBuf| path.metadata().and_then(|metadata| metadata.modified()).ok();
        let own = self.of_run(run)?;
        let mut over = self.all()?;
        over.retain(|path| !own.contains(path) && is_over(path));
        over.sort_by_cached_key(|path| std::cmp::Reverse(modified(path)));
        for (at, path) in over.iter().enumerate() {
            let is_old = modified(path).and_then(|time| time.elapsed().ok()).is_some_and(|old| old > age);
            if at >= keep || is_old {
                fs::remove_dir_all(path)?;
            }
        }
        Ok(())
    }

    fn of_run(&self, run: &str) -> io::Result<Vec<Utf8PathBuf>> {
        let prefix = folder_name(&format!("{run}."));
        let mut paths = self.all()?;
        paths.retain(|path| path.file_name().is_some_and(|name| name.starts_with(&prefix)));
        Ok(paths)
    }

    fn all(&self) -> io::Result<Vec<Utf8PathBuf>> {
        match self.spool.read_dir_utf8() {
            Ok(entries) => entries.map(|entry| Ok(entry?.into_path())).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

fn is_over(path: &Utf8Path) -> bool {
    matches!(Folder::at(path.to_owned()).state(), Ok(State::Ended(_) | State::Lost(_)))
}

/// Whether this machine is short of something that it may have again in a moment.
fn is_passing(error: &io::Error) -> bool {
    matches!(errno(error), Some(Errno::MFILE | Errno::NFILE | Errno::AGAIN | Errno::NOMEM))
}

/// How an agent ended that was started here.
struct Ended {
    status: ExitStatus,
    complaint: String,
}

/// Passes on the output until the agent ends.
async fn follow(mut agent: Child, tail: &mut Tail, sink: &Sink) -> io::Result<Ended> {
    let mut stderr = agent.stderr.take();
    let status = loop {
        match tokio::time::timeout(POLL, agent.wait()).await {
            Ok(status) => break status?,
            Err(_) => _ = tail.read(sink).await,
        }
    };
    let mut complaint = Vec::new();
    if let Some(stderr) = &mut stderr {
        // The agent is gone, and nobody else has the other end.
        let _ = stderr.take(COMPLAINT).read_to_end(&mut complaint).await;
    }
    Ok(Ended { status, complaint: String::from_utf8_lossy(&complaint).into_owned() })
}

/// What it means that an agent of ours ended and left nothing; `None` when another may be started.
fn judge(agent: &Ended, tries: u32) -> Option<End> {
    // It left quietly for another agent that is gone too, or a signal came before it did anything:
    // either way nothing has run, and another agent may be started.
    if tries < TRIES && (agent.status.success() || agent.status.code().is_none()) {
        return None;
    }
    let complaint = agent.complaint.trim().trim_start_matches("error: ");
    let complaint = complaint.lines().next().unwrap_or_default();
    Some(match complaint {
        "" => not_started(&format!("the agent ended with {}", agent.status)),
        complaint => not_started(complaint),
    })
}

fn not_started(reason: &str) -> End {
    End::noted(Outcome::Failed, format!("could not be started, nothing was run: {reason}"))
}

/// What became of a host that was told to restart; `None` while it is still going down.
async fn restarted(started: &Started) -> Option<End> {
    if end_left(started).await == Left::Restarted {
        return Some(End::plain(Outcome::Changed));
    }
    tokio::time::sleep(POLL).await;
    None
}

/// Ends what is left of a step whose agent died.
async fn lost(started: &Started) -> End {
    let left = match end_left(started).await {
        Left::Restarted => "the host restarted while it was under way",
        Left::Nothing => "its agent was killed while it was under way",
        Left::Ended => "its agent was killed while it was under way; its command was still going and was ended",
        Left::Stuck => "its agent was killed while it was under way; its command is still there and cannot be ended",
    };
    End::noted(Outcome::Interrupted, left)
}
