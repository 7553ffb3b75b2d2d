//! The one thread of an agent that touches files: what is asked first is done first.

use std::io;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use camino::Utf8PathBuf;
use tokio::sync::oneshot;

use crate::agent::files::compare::Wanted;
use crate::agent::files::owners::Owners;
use crate::agent::files::place::place;
use crate::agent::files::store::Taken;
use crate::agent::files::{Ask, Store};
use crate::agent::process;
use crate::agent::protocol::Tell;

/// A connection that is lost may look alive from here for hours. After so long without a question, a part
/// of a file is left to whoever continues it; after so long again, the store to whoever prunes it.
const REST: Duration = Duration::from_secs(15);
const CLOSE: Duration = Duration::from_mins(10);

/// A question, the bytes that came with it, and who waits for the answer.
type Job = (Ask, Vec<u8>, oneshot::Sender<Tell>);

/// Answers questions about files on a thread of its own.
///
/// Dropping it waits until what was asked is done: a connection that is lost leaves no file half placed.
#[derive(Debug)]
pub(in crate::agent) struct Worker {
    /// `None` only while it is dropped.
    to: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// A worker with its store in a folder, which is created when it is needed.
    pub(in crate::agent) fn new(folder: Utf8PathBuf) -> Self {
        let (to, jobs) = mpsc::channel::<Job>();
        let thread = std::thread::spawn(move || {
            let mut desk = Desk { folder, store: None, owners: Owners::default() };
            let mut idle = REST;
            loop {
                match jobs.recv_timeout(idle) {
                    Ok((ask, bytes, answer)) => {
                        idle = REST;
                        let tell = desk.answer(ask, &bytes).unwrap_or_else(|error| Tell::Failed(error.to_string()));
                        // Whoever asked may be gone.
                        let _ = answer.send(tell);
                    }
                    Err(mpsc::RecvTimeoutError::Timeout) => idle = desk.rest(idle),
                    Err(mpsc::RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        Self { to: Some(to), thread: Some(thread) }
    }

    /// Asks something at once; the answer can be waited for later.
    ///
    /// A controller that has many answers to wait for asks nothing more: that bounds what waits here.
    pub(in crate::agent) fn ask(&self, ask: Ask, bytes: Vec<u8>) -> impl Future<Output = Tell> + use<> {
        let (sender, answer) = oneshot::channel();
        // A thread that is gone answers nothing, and that is an answer.
        let _ = self.to.as_ref().map(|to| to.send((ask, bytes, sender)));
        async { answer.await.unwrap_or_else(|_| Tell::Failed("what happens to files there went wrong".into())) }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.to = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

struct Desk {
    folder: Utf8PathBuf,
    store: Option<Store>,
    owners: Owners,
}

impl Desk {
    fn answer(&mut self, ask: Ask, bytes: &[u8]) -> io::Result<Tell> {
        Ok(match ask {
            Ask::Missing { files } => {
                let store = self.store()?;
                let missing = store.missing(&files)?;
                if missing.is_empty() {
                    store.settle()?;
                }
                Tell::Missing(missing)
            }
            Ask::Piece { file, from } => match self.store()?.piece(file, from, bytes)? {
                Taken::Yes => Tell::Done,
                Taken::Elsewhere => Tell::Missing(Vec::new()),
            },
            Ask::Pack { files } => self.store()?.pack(&files, bytes).map(|()| Tell::Done)?,
            Ask::Settle => self.store()?.settle().map(|()| Tell::Done)?,
            Ask::Compare { places, parents } => {
                let mut wanted = Wanted::new(&places, parents, &mut self.owners);
                Tell::Found(places.iter().map(|place| wanted.look(place)).collect())
            }
            Ask::Place { places, parents } => {
                let mut owners = std::mem::take(&mut self.owners);
                let placed = place(self.store()?, &places, parents, &mut owners);
                self.owners = owners;
                Tell::Placed(placed)
            }
        })
    }

    /// Lets go what another agent may want, and says when to look again.
    fn rest(&mut self, idle: Duration) -> Duration {
        if idle == REST {
            self.store.iter_mut().for_each(Store::rest);
        } else if let Some(mut store) = self.store.take() {
            // What is not on disk is checked when it is used.
            let _ = store.settle();
        }
        CLOSE
    }

    fn store(&mut self) -> io::Result<&mut Store> {
        Ok(match &mut self.store {
            Some(store) => store,
            none => none.insert(Store::open(&self.folder, &process::boot()?)?),
        })
    }
}
