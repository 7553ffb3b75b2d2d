//! Sends over one connection what is missing at its other end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::agent::files::{Ask as About, File, Gap, PIECE, SMALL};
use crate::agent::protocol::{Ask, Tell};
use crate::transport::ssh::files::Files;
use crate::transport::ssh::files::carry::Count;
use crate::transport::ssh::link::{Link, answered};
use crate::transport::ssh::trouble::{Kind, Trouble};

/// So many bytes may be on their way to a host that it has not taken yet: enough for a distant one, and
/// most of them are in the network by then.
const WINDOW: u64 = 2 << 20;

/// Small files travel together up to this size, and so many.
const PACK: (u64, usize) = (PIECE, 1000);

/// So many files are asked about in one question.
const ASKED: usize = 20_000;

type Answers = mpsc::Receiver<(Tell, Vec<u8>)>;

/// Sends over one connection.
pub(super) struct Sender<'a, 's> {
    link: &'a Link,
    files: &'a Arc<Files>,
    /// How long the host may take nothing.
    silence: Duration,
    count: &'a mut Count<'s>,
    /// What was sent and not answered yet, each with its length.
    under_way: VecDeque<(Answers, u64)>,
}

impl<'a, 's> Sender<'a, 's> {
    pub(super) fn new(link: &'a Link, files: &'a Arc<Files>, silence: Duration, count: &'a mut Count<'s>) -> Self {
        Self { link, files, silence, count, under_way: VecDeque::new() }
    }

    /// Has all of these in the store; when it returns, they are there and on disk.
    pub(super) async fn send(mut self, wanted: &[File]) -> Result<(), Trouble> {
        let mut missing = Vec::new();
        for wanted in wanted.chunks(ASKED) {
            let asked = self.one(About::Missing { files: wanted.to_vec() }).await?;
            let Tell::Missing(gaps) = asked else { return Err(Trouble::nonsense()) };
            for Gap { at, have, so_far } in gaps {
                let file =
                    *wanted.get(at).ok_or_else(|| Trouble::new(Kind::Agent, "it asks for a file that there is not"))?;
                let source = self.files.get(file.hash)?;
                // Bytes that are not those of the file are not continued.
                let goes_on = have < file.size && so_far.is_some_and(|hash| source.begins(have, hash));
                missing.push((file, if goes_on { have } else { 0 }));
            }
        }
        self.count.left(missing.iter().map(|(file, from)| file.size - from).sum());
        if missing.is_empty() {
            return Ok(());
        }
        let (small, large): (Vec<_>, Vec<_>) = missing.into_iter().partition(|(file, _)| file.size < SMALL);
        let mut pack: Vec<File> = Vec::new();
        for (file, _) in small {
            let size: u64 = pack.iter().map(|file| file.size).sum();
            if pack.len() >= PACK.1 || size + file.size > PACK.0 {
                self.pack(std::mem::take(&mut pack)).await?;
            }
            pack.push(file);
        }
        if !pack.is_empty() {
            self.pack(pack).await?;
        }
        for (file, from) in large {
            self.stream(file, from).await?;
        }
        while !self.under_way.is_empty() {
            self.settle().await?;
        }
        self.one(About::Settle).await.map(drop)
    }

    async fn pack(&mut self, pack: Vec<File>) -> Result<(), Trouble> {
        let (files, asked) = (self.files.clone(), pack.clone());
        let bytes = blocking(move || {
            let mut bytes = Vec::new();
            for file in asked {
                bytes.extend(files.get(file.hash)?.bytes(0, file.size)?);
            }
            Ok(bytes)
        });
        let bytes = bytes.await?;
        self.put(About::Pack { files: pack }, bytes).await
    }

    async fn stream(&mut self, file: File, mut from: u64) -> Result<(), Trouble> {
        let _open = self.files.get(file.hash)?.hold();
        while from < file.size {
            let (files, length) = (self.files.clone(), PIECE.min(file.size - from));
            let bytes = blocking(move || files.get(file.hash)?.bytes(from, length)).await?;
            self.put(About::Piece { file, from }, bytes).await?;
            from += length;
        }
        Ok(())
    }

    /// Sends bytes once there is room for them on the way.
    async fn put(&mut self, about: About, bytes: Vec<u8>) -> Result<(), Trouble> {
        let length = bytes.len() as u64;
        while self.under_way.iter().map(|(_, length)| length).sum::<u64>() + length > WINDOW
            && !self.under_way.is_empty()
        {
            self.settle().await?;
        }
        let link = self.link;
        let send = link.ask_with(Ask::Files(about), bytes);
        tokio::pin!(send);
        let answers = loop {
            let is_first = self.under_way.is_empty();
            tokio::select! {
                answers = &mut send => break answers,
                // A connection that is lost takes nothing any more, and says so to whoever waits.
                settled = self.settle(), if !is_first => settled?,
            }
        };
        self.under_way.push_back((answers, length));
        Ok(())
    }

    /// Waits until the host has taken what was sent first.
    async fn settle(&mut self) -> Result<(), Trouble> {
        let Some((answers, length)) = self.under_way.front_mut() else { return Ok(()) };
        if let Tell::Missing(_) = within(self.silence, answered(answers)).await? {
            return Err(Trouble::new(Kind::Lost, "another copy went on with the same file"));
        }
        self.count.arrived(*length);
        self.under_way.pop_front();
        Ok(())
    }

    async fn one(&self, about: About) -> Result<Tell, Trouble> {
        within(self.silence, self.link.one(Ask::Files(about))).await
    }
}

/// A host whose disk hangs still answers, but not this.
pub(super) async fn within<T>(
    silence: Duration,
    answer: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    let silent = |_| Trouble::new(Kind::Agent, format!("it took nothing for {} s", silence.as_secs()));
    timeout(silence, answer).await.map_err(silent)?
}

/// Reads files where nobody waits for it.
async fn blocking<T: Send + 'static>(read: impl FnOnce() -> Result<T, Trouble> + Send + 'static) -> Result<T, Trouble> {
    let failed = |error| Trouble::new(Kind::Local, format!("{error}"));
    tokio::task::spawn_blocking(read).await.map_err(failed)?
}
