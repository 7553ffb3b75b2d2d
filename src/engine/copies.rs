//! Takes backups to the machines that keep or try them, and back to where they are needed.
//!
//! A copy counts once it was read from end to end where it is. What has arrived stays, so that nothing travels twice,
//! neither after a lost connection nor in a resumed run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use indexmap::IndexMap;
use jiff::SignedDuration;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::agent::backup::{About, Ask, Manifest, answer, size};
use crate::agent::protocol::{self, Order, Tell};
use crate::agent::{Sink, Steps};
use crate::model::record::End;
use crate::model::span::{short, since};
use crate::model::{Backup, Outcome};
use crate::transport::ssh;

/// So much is sent at once.
const PIECE: u64 = 2 << 20;

/// Time between two lines on how far a copy came.
const PROGRESS: Duration = Duration::from_secs(1);

/// Hears of the progress of a copy.
pub(super) type Say<'a> = &'a (dyn Fn(String) + Send + Sync);

/// Environment variables for a client that asks a server.
pub(super) type Env = IndexMap<String, String>;

/// A backup at its place.
#[derive(Clone)]
pub(super) struct Kept {
    /// The machine's name.
    pub(super) on: String,
    pub(super) site: Site,
    pub(super) backup: Backup,
}

/// A machine.
#[derive(Clone)]
pub(super) enum Site {
    /// The one upshift runs on, with the folder for backups that do not say where they are.
    Here(Utf8PathBuf),
    /// A host over SSH.
    There(Arc<ssh::Host>),
}

impl Kept {
    /// What it says of itself; an error when it is not whole, or with `fit` when the server cannot take it now.
    pub(super) async fn whole(&self, fit: Option<Env>) -> Result<Box<Manifest>, String> {
        match self.ask(About::Whole { fit }, Vec::new()).await? {
            (Tell::Backup(manifest), _) => Ok(manifest),
            other => Err(nonsense(&other.0)),
        }
    }

    /// Makes a copy of it somewhere else.
    async fn copy_to(&self, to: &Self, say: Say<'_>) -> Result<(), String> {
        let manifest = self.whole(None).await?;
        let mut at = match to.ask(About::Receive(manifest.clone()), Vec::new()).await? {
            (Tell::Arrived(at), _) => at,
            other => return Err(nonsense(&other.0)),
        };
        let all = manifest.data.size;
        let mut next = None;
        let mut said = Instant::now();
        while at < all {
            let bytes = match next.take() {
                Some(bytes) => bytes,
                None => self.piece(at, all).await?,
            };
            let after = at + bytes.len() as u64;
            let take = About::Take { manifest: manifest.clone(), from: at };
            let read = async { if after < all { self.piece(after, all).await.map(Some) } else { Ok(None) } };
            let (taken, read) = tokio::join!(to.ask(take, bytes), read);
            taken?;
            next = read?;
            at = after;
            if said.elapsed() >= PROGRESS {
                said = Instant::now();
                say(format!("copied to {}: {} of {}", to.on, size(at), size(all)));
            }
        }
        to.ask(About::Arrived(manifest), Vec::new()).await.map(drop)
    }

    async fn piece(&self, from: u64, all: u64) -> Result<Vec<u8>, String> {
        let length = PIECE.min(all - from);
        match self.ask(About::Piece { from, length }, Vec::new()).await? {
            (Tell::Piece, bytes) if bytes.len() as u64 == length => Ok(bytes),
            other => Err(nonsense(&other.0)),
        }
    }

    async fn ask(&self, about: About, bytes: Vec<u8>) -> Result<(Tell, Vec<u8>), String> {
        let ask = Ask { backup: Box::new(self.backup.clone()), about };
        match &self.site {
            Site::There(host) => {
                host.ask(&protocol::Ask::Backup(ask), bytes).await.map_err(|trouble| trouble.to_string())
            }
            Site::Here(base) => {
                let base = base.clone();
                let answered = tokio::task::spawn_blocking(move || answer(&base, &ask, &bytes)).await;
                answered.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
            }
        }
    }
}

fn nonsense(tell: &Tell) -> String {
    format!("what it answers makes no sense: {tell:?}")
}

/// Reads backups to the end, all at once, and says which are of no use: neither they, nor the copy there may be.
pub(super) async fn check(backups: Vec<(Kept, Option<Kept>, Option<Env>)>) -> Result<(), String> {
    let of = backups.len();
    let mut tasks = JoinSet::new();
    for (own, copy, fit) in backups {
        tasks.spawn(async move {
            let Err(why) = own.whole(fit).await else { return Ok(()) };
            if let Some(copy) = copy
                && own.whole(None).await.is_err()
                && copy.whole(None).await.is_ok()
            {
                return Ok(());
            }
            Err(format!("{}: {why}", own.on))
        });
    }
    let found = tasks.join_all().await;
    let mut wrong: Vec<_> = found.into_iter().filter_map(Result::err).collect();
    wrong.sort();
    match wrong.split_first() {
        None => Ok(()),
        Some((first, [])) => Err(format!("the way back is not open: the backup on {first}")),
        Some((first, more)) => {
            let (n, more) = (more.len() + 1, more.join("; "));
            Err(format!("the way back is not open: {n} of {of} backups are of no use: {first}; {more}"))
        }
    }
}

/// What the step of a backup takes on other machines.
pub(super) struct Errand {
    /// The backup on its own host.
    pub(super) own: Kept,
    /// The copy that is kept.
    pub(super) to: Option<Kept>,
    /// The copy that is tried.
    pub(super) tries: Option<Tries>,
    /// How long all of it may take.
    pub(super) limit: Duration,
}

/// A copy that is loaded into a scratch server on its host.
pub(super) struct Tries {
    pub(super) copy: Kept,
    pub(super) order: Order,
    pub(super) steps: Arc<Steps>,
}

impl Errand {
    /// Before a restore: brings the copy back where the backup is not whole. An end is that of the step.
    pub(super) async fn before(&self, aborted: watch::Receiver<bool>, say: Say<'_>) -> Result<(), End> {
        let Some(copy) = &self.to else { return Ok(()) };
        let bring = async {
            let Err(why) = self.own.whole(None).await else { return Ok(()) };
            say(format!("{why}: taking the copy on {}", copy.on));
            let brought = copy.copy_to(&self.own, say).await;
            brought.map_err(|other| format!("nothing was touched: {why}; on {}: {other}", copy.on))
        };
        self.within(aborted, bring).await
    }

    /// After a backup was made: has it copied and tried. Says how the step ends.
    pub(super) async fn after(&self, end: End, sink: &Sink, aborted: watch::Receiver<bool>, say: Say<'_>) -> End {
        match self.carry_out(end, sink, aborted, say).await {
            Ok(end) | Err(end) => end,
        }
    }

    async fn carry_out(
        &self,
        mut end: End,
        sink: &Sink,
        aborted: watch::Receiver<bool>,
        say: Say<'_>,
    ) -> Result<End, End> {
        let mut note = end.note.take().unwrap_or_default();
        if let Some(copy) = &self.to {
            let begun = Instant::now();
            self.copied(copy, aborted.clone(), say).await?;
            note += &format!("; copied to {} in {}", copy.on, short(since(begun)));
        }
        if let Some(tries) = &self.tries {
            let is_kept = self.to.as_ref().is_some_and(|copy| copy.on == tries.copy.on);
            if !is_kept {
                self.copied(&tries.copy, aborted.clone(), say).await?;
            }
            let tried = tries.execute(sink, aborted.clone()).await;
            if !is_kept {
                // One that stays takes room and does no harm.
                let _ = tries.copy.ask(About::Remove, Vec::new()).await;
            }
            if tried.outcome.is_failure() {
                let why = tried.note.unwrap_or_default();
                return Err(End { note: Some(format!("on {}: {why}", tries.copy.on)), ..tried });
            }
            if let Some(took) = tried.undo_takes() {
                let kept = [Some(&self.own), self.to.as_ref()];
                for kept in kept.into_iter().flatten() {
                    // The run has it in its journal.
                    let _ = kept.ask(About::Tested(took), Vec::new()).await;
                }
                note += &format!("; restored on a scratch server on {} in {}", tries.copy.on, short(took));
                end.kept = tried.kept;
            }
        }
        Ok(End { note: Some(note), ..end })
    }

    async fn copied(&self, copy: &Kept, aborted: watch::Receiver<bool>, say: Say<'_>) -> Result<(), End> {
        let carry = async {
            let copied = self.own.copy_to(copy, say).await;
            copied.map_err(|why| format!("it is kept on {}, and was not copied to {}: {why}", self.own.on, copy.on))
        };
        self.within(aborted, carry).await
    }

    /// Does something, unless the step has to end first.
    async fn within(
        &self,
        mut aborted: watch::Receiver<bool>,
        work: impl Future<Output = Result<(), String>>,
    ) -> Result<(), End> {
        let stopped = async {
            // Whoever could abort it may be gone.
            if aborted.wait_for(|aborted| *aborted).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            done = work => done.map_err(|why| End::noted(Outcome::Failed, why)),
            () = stopped => Err(End::noted(Outcome::Interrupted, "aborted while a backup was copied")),
            () = tokio::time::sleep(self.limit) => Err(End::noted(
                Outcome::TimedOut,
                format!("still copying a backup after {:#}", SignedDuration::try_from(self.limit).unwrap_or_default()),
            )),
        }
    }
}

impl Tries {
    async fn execute(&self, sink: &Sink, mut aborted: watch::Receiver<bool>) -> End {
        match &self.copy.site {
            Site::There(host) => host.execute(self.order.clone(), None, 0, sink, aborted, &|_| ()).await.end,
            Site::Here(_) => {
                let execute = self.steps.execute(&self.order, 0, sink);
                tokio::pin!(execute);
                tokio::select! {
                    end = &mut execute => return end,
                    Ok(_) = aborted.wait_for(|aborted| *aborted) => {}
                }
                // A step whose abort cannot be asked for still has its timeout.
                let _ = self.steps.abort(&self.order.id);
                execute.await
            }
        }
    }
}
