//! Goes on over a new connection where the last one was lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::agent::files::File;
use crate::agent::protocol::{Ask, Tell};
use crate::transport::ssh::files::Files;
use crate::transport::ssh::files::send::Sender;
use crate::transport::ssh::host::Host;
use crate::transport::ssh::link::Link;
use crate::transport::ssh::trouble::{Kind, Trouble};

/// Time between two tries to reach a host that was lost, at first and at most.
const AGAIN: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(2)];

/// How far the files of one host are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Bytes that arrived, in all connections together.
    pub bytes: u64,
    /// Bytes that have to, as far as it is known.
    pub all: u64,
}

/// Is told how far the files of one host are.
pub type Say<'a> = &'a (dyn Fn(Sent) + Send + Sync);

/// Counts bytes.
pub(super) struct Count<'a> {
    pub(super) sent: Sent,
    say: Say<'a>,
}

impl Count<'_> {
    /// So many are still to be sent.
    pub(super) fn left(&mut self, bytes: u64) {
        self.sent.all = self.sent.bytes + bytes;
        (self.say)(self.sent);
    }

    pub(super) fn arrived(&mut self, bytes: u64) {
        self.sent.bytes += bytes;
        (self.say)(self.sent);
    }
}

impl Host {
    /// Has files in the store of the host, and says how many bytes had to be sent.
    ///
    /// A connection that is lost is opened again, and what arrived stays, for as long as the inventory
    /// allows a host to be silent.
    ///
    /// # Errors
    /// When the host cannot be reached, or cannot take them; or a file here is not what it was.
    pub async fn send(&self, files: &Arc<Files>, wanted: &[File], say: Say<'_>) -> Result<u64, Trouble> {
        let mut tries = Tries::new(self, say);
        loop {
            let link = tries.link().await?;
            let sent = tries.send(&link, files, wanted).await;
            match sent {
                Ok(()) => return Ok(tries.count.sent.bytes),
                Err(trouble) => tries.again(trouble).await?,
            }
        }
    }
}

impl Host {
    /// Asks something that may be asked twice: over a new connection where one is lost, for as long as the inventory
    /// allows a host to be silent.
    ///
    /// # Errors
    /// When the host cannot be reached, or could not do it.
    pub async fn ask(&self, ask: &Ask, bytes: Vec<u8>) -> Result<(Tell, Vec<u8>), Trouble> {
        let mut tries = Tries { reached: true, ..Tries::new(self, &|_| ()) };
        loop {
            let link = tries.link().await?;
            match link.ask_with(ask.clone(), bytes.clone()).await.recv().await {
                Some((Tell::Failed(why), _)) => return Err(Trouble::new(Kind::Agent, why)),
                Some(told) => return Ok(told),
                None => tries.again(Trouble::new(Kind::Lost, "the connection was lost")).await?,
            }
        }
    }
}

/// Has files in the store of a host, over a connection that is open.
///
/// # Errors
/// When the connection is lost, or the host cannot take them; or a file here is not what it was.
pub(in crate::transport::ssh) async fn send_over(
    link: &Link,
    files: &Arc<Files>,
    wanted: &[File],
    silence: Duration,
) -> Result<(), Trouble> {
    let mut count = Count { sent: Sent::default(), say: &|_| () };
    Sender::new(link, files, silence, &mut count).send(wanted).await
}

/// Tries, one connection after the other.
pub(super) struct Tries<'a> {
    host: &'a Host,
    pub(super) count: Count<'a>,
    reached: bool,
    /// Since when nothing arrived, and how much had by then.
    lost: Option<(Instant, u64)>,
    pause: Duration,
}

impl<'a> Tries<'a> {
    pub(super) fn new(host: &'a Host, say: Say<'a>) -> Self {
        let count = Count { sent: Sent::default(), say };
        Self { host, count, reached: false, lost: None, pause: AGAIN[0] }
    }

    pub(super) fn silence(&self) -> Duration {
        self.host.silence()
    }

    /// The next connection. A host that was never reached is not waited for.
    pub(super) async fn link(&mut self) -> Result<Arc<Link>, Trouble> {
        loop {
            match self.host.link().await {
                Ok(link) => {
                    self.reached = true;
                    return Ok(link);
                }
                Err(trouble) if !self.reached || is_final(trouble.kind) => return Err(trouble),
                Err(trouble) => self.wait(trouble).await?,
            }
        }
    }

    pub(super) async fn send(&mut self, link: &Link, files: &Arc<Files>, wanted: &[File]) -> Result<(), Trouble> {
        let silence = self.silence();
        Sender::new(link, files, silence, &mut self.count).send(wanted).await
    }

    /// Whether another try makes sense after this.
    pub(super) async fn again(&mut self, trouble: Trouble) -> Result<(), Trouble> {
        if trouble.kind == Kind::Lost { self.wait(trouble).await } else { Err(trouble) }
    }

    async fn wait(&mut self, trouble: Trouble) -> Result<(), Trouble> {
        let arrived = self.count.sent.bytes;
        let (since, _) = *match &mut self.lost {
            Some(lost) if lost.1 == arrived => lost,
            lost => {
                self.pause = AGAIN[0];
                lost.insert((Instant::now(), arrived))
            }
        };
        if since.elapsed() >= self.silence() {
            let why = format!("no answer for {} s: {trouble}", since.elapsed().as_secs());
            return Err(Trouble::new(Kind::Lost, why));
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(AGAIN[1]);
        Ok(())
    }
}

/// What does not pass by itself.
fn is_final(kind: Kind) -> bool {
    matches!(kind, Kind::HostKey | Kind::Root | Kind::Settings | Kind::Agent | Kind::Held | Kind::Local)
}
