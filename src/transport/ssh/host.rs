//! One host of a command, with the connection it has at the moment.
//!
//! A lost connection is opened again, and a step that was under way is taken up where it was read
//! last. That a host is unreachable is said only after it was silent for as long as the inventory
//! allows: until then its step goes on there, and nobody needs to know.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::{Map, Value};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::{Instant, sleep};

use crate::agent::files::File;
use crate::agent::protocol::{Ask, Claim, Held, Order, Tell};
use crate::agent::{Output, Sink};
use crate::model::Outcome;
use crate::model::inventory::Login;
use crate::model::plan::Action;
use crate::model::record::End;
use crate::transport::ssh::connector::{Connector, Master};
use crate::transport::ssh::files::{Files, send_over};
use crate::transport::ssh::link::Link;
use crate::transport::ssh::trouble::{Kind, Trouble};

/// How much longer than its timeout a step may take to say how it ended: its command is ended first.
const MARGIN: Duration = Duration::from_secs(45);

/// How long an abort tries to reach a host that was lost.
const ABORT: Duration = Duration::from_secs(20);

/// Time between two tries to reach a host that was lost, at first and at most.
const AGAIN: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(2)];

/// A host that is reached over SSH.
pub struct Host {
    connector: Arc<Connector>,
    /// Its name in the inventory.
    pub name: String,
    address: String,
    login: Login,
    claim: Option<Claim>,
    /// The connection to its agent.
    open: Mutex<Option<Arc<Link>>>,
}

/// What a step that applies formulas takes on its host.
pub struct Provision<'a> {
    /// The contents that have to be in its store.
    pub wanted: &'a [File],
    /// The same, to be sent.
    pub files: &'a Arc<Files>,
    /// What is private of the order, by the grains of the host; or why there is none.
    pub private: &'a (dyn Fn(Map<String, Value>) -> Compiling<'a> + Send + Sync),
}

/// What is private of an order, being compiled.
pub type Compiling<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send + 'a>>;

/// How a step ended, and what became of its states: a JSON object a line.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub end: End,
    /// What became of its states.
    pub returns: Vec<u8>,
}

impl From<End> for Ended {
    fn from(end: End) -> Self {
        Self { end, returns: Vec::new() }
    }
}

/// What is told about a connection while a step is under way.
pub type Say<'a> = &'a (dyn Fn(String) + Send + Sync);

impl Host {
    /// A host; nothing is opened yet. With a claim, it has to be free for that run.
    #[must_use]
    pub fn new(connector: Arc<Connector>, name: &str, address: &str, login: &Login, claim: Option<Claim>) -> Self {
        let (name, address) = (name.to_owned(), address.to_owned());
        Self { connector, name, address, login: login.clone(), claim, open: Mutex::default() }
    }

    /// The connection to its agent: the one that is open, or a new one.
    ///
    /// # Errors
    /// When there is none, and says why.
    pub async fn link(&self) -> Result<Arc<Link>, Trouble> {
        let mut open = self.open.lock().await;
        if let Some(link) = &*open
            && link.is_open()
        {
            return Ok(link.clone());
        }
        *open = None;
        let program = self.connector.program(&self.login).await?;
        let mut master = self.master().await?;
        let mut link = Link::open(master.session.clone(), &program, &self.login).await;
        if master.warm && matches!(&link, Err(Trouble { kind: Kind::Lost | Kind::Silent, .. })) {
            // What an earlier command left leads nowhere: the host may have restarted since.
            master.close().await;
            master = self.master().await?;
            link = Link::open(master.session.clone(), &program, &self.login).await;
        }
        let link = Arc::new(link?);
        if let Some(claim) = &self.claim {
            match link.one(Ask::Claim(claim.clone())).await? {
                Tell::Done => {}
                Tell::Held(held) => return Err(held_by(&held)),
                _ => return Err(Trouble::nonsense()),
            }
        }
        *open = Some(link.clone());
        Ok(link)
    }

    /// An open connection to its sshd.
    pub(super) async fn master(&self) -> Result<Master, Trouble> {
        self.connector.master(&self.address, &self.login).await
    }

    /// How upshift logs in.
    pub(super) fn login(&self) -> &Login {
        &self.login
    }

    /// How long it may be silent while something is under way.
    pub(super) fn silence(&self) -> Duration {
        Duration::try_from(self.connector.settings().silence).unwrap_or_default()
    }

    /// Starts a step or attaches to it, and waits for its end, however often the connection is lost.
    ///
    /// Output from byte `from` on goes to `sink`. Once `abort` is true, the step is ended now.
    pub async fn execute(
        &self,
        order: Order,
        provision: Option<Provision<'_>>,
        from: u64,
        sink: &Sink,
        abort: watch::Receiver<bool>,
        say: Say<'_>,
    ) -> Ended {
        let margin = SignedDuration::try_from(MARGIN).unwrap_or_default();
        let limit = order.timeout.saturating_add(margin);
        // A host that restarts is silent as long as it takes.
        let silence = self.connector.settings().silence;
        let restarts = order.action == Action::Reboot;
        let patience = if restarts { limit } else { silence.min(limit) };
        let say = |what: String| {
            if !restarts {
                say(what);
            }
        };
        let until = Instant::now() + Duration::try_from(limit).unwrap_or_default();
        let mut following = Following { order, from, sink, abort, until };
        let mut provision = provision;
        let mut lost: Option<Instant> = None;
        let mut pause = AGAIN[0];
        loop {
            let trouble = match self.link().await {
                Ok(link) => {
                    pause = AGAIN[0];
                    if let Some(since) = lost.take() {
                        say(format!("connected again after {}", seconds(since.elapsed())));
                    }
                    let provided = match &provision {
                        Some(provision) => self.provide(&link, provision).await.map(Some),
                        None => Ok(None),
                    };
                    match provided {
                        Ok(Some(Err(why))) => return End::noted(Outcome::Failed, why).into(),
                        Ok(private) => {
                            if let Some(Ok(private)) = private {
                                following.order.private = private;
                                provision = None;
                            }
                            match following.follow(&link).await {
                                Some(ended) => return ended,
                                None => Trouble::new(Kind::Lost, "the connection was lost"),
                            }
                        }
                        Err(trouble) if trouble.kind == Kind::Lost => trouble,
                        Err(trouble) => return End::noted(Outcome::Failed, trouble.why).into(),
                    }
                }
                // A host that another run took meanwhile is not waited for.
                Err(trouble) if trouble.kind == Kind::Held => {
                    return End::noted(Outcome::Unreachable, trouble.why).into();
                }
                Err(trouble) => trouble,
            };
            let since = *lost.get_or_insert_with(|| {
                say(format!("{trouble}; connecting again"));
                Instant::now()
            });
            let patience = Duration::try_from(patience).unwrap_or_default();
            let patience = if *following.abort.borrow() { patience.min(ABORT) } else { patience };
            if since.elapsed() >= patience || Instant::now() >= until {
                let silent = seconds(since.elapsed());
                return End::noted(Outcome::Unreachable, format!("no answer for {silent}: {trouble}")).into();
            }
            sleep(pause).await;
            pause = (pause * 2).min(AGAIN[1]);
        }
    }

    /// Has the files of a step on the host, and finds out what is private of its order; or why that cannot be.
    async fn provide(&self, link: &Link, provision: &Provision<'_>) -> Result<Result<Vec<u8>, String>, Trouble> {
        let Provision { wanted, files, private } = provision;
        let send = send_over(link, files, wanted, self.silence());
        let ((), grains) = tokio::try_join!(send, link.one(Ask::Grains { id: self.name.clone() }))?;
        let Tell::Grains(grains) = grains else { return Err(Trouble::nonsense()) };
        Ok(private(grains).await)
    }

    /// Clears away what is left there of a step whose end is on record. A host that cannot be reached now
    /// does so when the run lets it go.
    pub async fn forget(&self, id: String) {
        if let Some(link) = &*self.open.lock().await {
            drop(link.ask(Ask::Forget { id }));
        }
    }

    /// Lets the host go: its run has ended. One that cannot be reached now keeps what it has.
    pub async fn release(&self) {
        let Some(link) = self.open.lock().await.take() else { return };
        if let Some(claim) = &self.claim {
            let _ = link.one(Ask::Release { run: claim.id() }).await;
        }
    }
}

/// A step being read.
struct Following<'a> {
    order: Order,
    from: u64,
    sink: &'a Sink,
    abort: watch::Receiver<bool>,
    until: Instant,
}

impl Following<'_> {
    /// Reads on until the step ends; `None` when the connection is lost before it does.
    async fn follow(&mut self, link: &Link) -> Option<Ended> {
        let ask = Ask::Execute { order: Box::new(self.order.clone()), from: self.from };
        let private = self.order.private.clone();
        let mut answers: mpsc::Receiver<(Tell, Vec<u8>)> = link.ask_with(ask, private).await;
        if *self.abort.borrow_and_update() {
            self.end(link);
        }
        loop {
            tokio::select! {
                answer = answers.recv() => match answer? {
                    (Tell::Output { next }, bytes) => {
                        self.from = next;
                        let _ = self.sink.send(Output { bytes, next }).await;
                    }
                    (Tell::Ended(end), returns) => return Some(Ended { end, returns }),
                    (Tell::Failed(why), _) => return Some(End::noted(Outcome::Interrupted, why).into()),
                    _ => {}
                },
                Ok(()) = self.abort.changed() => self.end(link),
                () = tokio::time::sleep_until(self.until) => {
                    let why = "the host answers, and does not say how the step ended";
                    return Some(End::noted(Outcome::TimedOut, why).into());
                }
            }
        }
    }

    fn end(&self, link: &Link) {
        // Its own answer does not matter: the step's end comes.
        drop(link.ask(Ask::Abort { id: self.order.id.clone() }));
    }
}

fn held_by(held: &Held) -> Trouble {
    Trouble::new(Kind::Held, held.to_string()).hint(held.way_out("`upshift unlock HOSTS`"))
}

fn seconds(time: Duration) -> String {
    format!("{:#}", SignedDuration::from_secs(i64::try_from(time.as_secs()).unwrap_or(i64::MAX)))
}
