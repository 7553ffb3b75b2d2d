//! A connection to the agent on a host: questions go out, and each answer finds its question.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openssh::{Child, ChildStderr, ChildStdin, ChildStdout, Session, Stdio};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::agent::frame::{self, Frames};
use crate::agent::last_line;
use crate::agent::protocol::{Answer, Ask, FORMAT, Hello, MARK, Question, Tell};
use crate::model::inventory::Login;
use crate::transport::ssh::bootstrap;
use crate::transport::ssh::program::Program;
use crate::transport::ssh::trouble::{Kind, Trouble};

/// How long a host may take to say the next thing while the agent is started there.
const START: Duration = Duration::from_secs(30);

/// How long sending the program may take: a slow link at 1 Mbit/s needs about a minute.
const SEND: Duration = Duration::from_mins(10);

/// The program is sent in pieces of this size.
const PIECE: usize = 256 * 1024;

/// So much of what a login shell says of its own is passed over.
const CHATTER: u64 = 256 * 1024;

/// Answers that wait to be taken.
const WAITING: usize = 4;

/// Questions with bytes that wait to be sent; whoever has more of them waits.
const DATA: usize = 2;

/// Who waits for which answers.
#[derive(Debug, Clone)]
struct Routes(Arc<Mutex<Option<HashMap<u64, Route>>>>);

type Route = mpsc::Sender<(Tell, Vec<u8>)>;

impl Routes {
    /// Does something with them, unless no answers come any more.
    fn with<T>(&self, act: impl FnOnce(&mut HashMap<u64, Route>) -> T) -> Option<T> {
        self.0.lock().ok()?.as_mut().map(act)
    }

    /// From here on nobody waits: whoever did learns that nothing will come.
    fn close(&self) {
        drop(self.0.lock().map(|mut routes| routes.take()));
    }
}

/// A connection to the agent on a host.
#[derive(Debug)]
pub struct Link {
    next: AtomicU64,
    questions: mpsc::UnboundedSender<Question>,
    data: mpsc::Sender<(Question, Vec<u8>)>,
    routes: Routes,
    tasks: [JoinHandle<()>; 2],
}

impl Link {
    /// Starts the agent through an open connection, sending it first when it is not there.
    pub(super) async fn open(session: Arc<Session>, program: &Program, login: &Login) -> Result<Self, Trouble> {
        let mut command = session.arc_raw_command(bootstrap::command(program, login));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().await.map_err(|error| lost(&error.to_string()))?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin().take(), child.stdout().take(), child.stderr().take())
        else {
            return Err(lost("the channel has no ends"));
        };
        let mut start = Start { stdin, stdout: BufReader::new(stdout), login };
        match start.start(program).await {
            Ok(()) => Ok(Self::run(start, child)),
            Err(trouble) => Err(explain(trouble, stderr, child, login).await),
        }
    }

    fn run(start: Start<'_>, child: Child<Arc<Session>>) -> Self {
        let Start { stdin, mut stdout, .. } = start;
        let (questions, mut asked) = mpsc::unbounded_channel::<Question>();
        let (data, mut pieces) = mpsc::channel::<(Question, Vec<u8>)>(DATA);
        let routes = Routes(Arc::new(Mutex::new(Some(HashMap::new()))));
        let write = tokio::spawn(async move {
            let mut frames = Frames::new(stdin);
            loop {
                let next = tokio::select! {
                    // What is short does not wait for what is long.
                    biased;
                    question = asked.recv() => question.map(|question| (question, Vec::new())),
                    piece = pieces.recv() => piece,
                };
                let Some((question, bytes)) = next else { return };
                if frames.add(&question, &bytes).await.is_err() {
                    return;
                }
                if asked.is_empty() && frames.send().await.is_err() {
                    return;
                }
            }
        });
        let known = routes.clone();
        let read = tokio::spawn(async move {
            let _child = child;
            while let Ok(Some((Answer { n, tell }, bytes))) = frame::read::<Answer>(&mut stdout).await {
                let is_last = !matches!(tell, Tell::Output { .. });
                let route = known.with(|routes| if is_last { routes.remove(&n) } else { routes.get(&n).cloned() });
                if let Some(route) = route.flatten() {
                    // Whoever asked may not want to know any more.
                    let _ = route.send((tell, bytes)).await;
                }
            }
            known.close();
        });
        Self { next: AtomicU64::new(0), questions, data, routes, tasks: [write, read] }
    }

    /// Whether answers can still come.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.routes.with(|_| ()).is_some()
    }

    /// Asks something; the answers end when the connection does.
    #[must_use]
    pub fn ask(&self, ask: Ask) -> mpsc::Receiver<(Tell, Vec<u8>)> {
        let (n, answers) = self.number();
        if self.questions.send(Question { n, ask }).is_err() {
            self.routes.close();
        }
        answers
    }

    /// Asks something with bytes, once those that were asked before are on their way.
    pub async fn ask_with(&self, ask: Ask, bytes: Vec<u8>) -> mpsc::Receiver<(Tell, Vec<u8>)> {
        let (n, answers) = self.number();
        if self.data.send((Question { n, ask }, bytes)).await.is_err() {
            self.routes.close();
        }
        answers
    }

    /// A number for a question, and its answers.
    fn number(&self) -> (u64, mpsc::Receiver<(Tell, Vec<u8>)>) {
        let (sender, answers) = mpsc::channel(WAITING);
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        self.routes.with(|routes| routes.insert(n, sender));
        (n, answers)
    }

    /// Asks something that has one answer.
    ///
    /// # Errors
    /// When the connection is lost before it comes, or the host could not do it.
    pub async fn one(&self, ask: Ask) -> Result<Tell, Trouble> {
        answered(&mut self.ask(ask)).await
    }
}

/// The one answer to a question.
///
/// # Errors
/// When the connection is lost before it comes, or the host could not do it.
pub(super) async fn answered(answers: &mut mpsc::Receiver<(Tell, Vec<u8>)>) -> Result<Tell, Trouble> {
    match answers.recv().await {
        Some((Tell::Failed(why), _)) => Err(Trouble::new(Kind::Agent, why)),
        Some((tell, _)) => Ok(tell),
        None => Err(lost("the connection was lost")),
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// An agent being started.
struct Start<'a> {
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    login: &'a Login,
}

impl Start<'_> {
    async fn start(&mut self, program: &Program) -> Result<(), Trouble> {
        let mut said = self.said(START).await?;
        if let Some(machine) = said.strip_prefix("need ") {
            self.send(program, machine).await?;
            said = self.said(SEND).await?;
        }
        if let Some(reason) = said.strip_prefix("failed ") {
            return Err(not_taken(reason, self.login));
        }
        let hello = said.strip_prefix("ready ").and_then(|hello| serde_json::from_str::<Hello>(hello).ok());
        let hello = hello.ok_or_else(Trouble::nonsense)?;
        if hello.format != FORMAT {
            let Hello { upshift, format, .. } = hello;
            let why = format!("upshift {upshift} is there, which speaks format {format}, and this one speaks {FORMAT}");
            return Err(Trouble::new(Kind::Agent, why).hint("`agent` in the inventory has to be of this version"));
        }
        Ok(())
    }

    /// The script's next answer; what a login shell says besides is passed over.
    async fn said(&mut self, within: Duration) -> Result<String, Trouble> {
        let mut line = Vec::new();
        let mut lines = (&mut self.stdout).take(CHATTER);
        loop {
            line.clear();
            match timeout(within, lines.read_until(b'\n', &mut line)).await {
                Err(_) => return Err(silent()),
                Ok(Err(_) | Ok(0)) => return Err(lost("nothing of upshift could be started there")),
                Ok(Ok(_)) => {}
            }
            let text = String::from_utf8_lossy(&line);
            if let Some((_, said)) = text.split_once(MARK) {
                return Ok(said.trim().to_owned());
            }
        }
    }

    async fn send(&mut self, program: &Program, machine: &str) -> Result<(), Trouble> {
        if machine != program.machine {
            let why = format!("it is {machine}, and this upshift is built for {}", program.machine);
            let hint = format!("build upshift for {machine}, and name that file as `agent` in the inventory");
            return Err(Trouble::new(Kind::Agent, why).hint(hint));
        }
        let packed = program.packed().await.map_err(|error| Trouble::new(Kind::Agent, error.to_string()))?;
        let send = async {
            self.stdin.write_all(format!("{}\n", packed.len()).as_bytes()).await?;
            for piece in packed.chunks(PIECE) {
                self.stdin.write_all(piece).await?;
            }
            self.stdin.flush().await
        };
        // A host that has no room says so, and does not take the rest.
        match timeout(SEND, send).await {
            Ok(_) => Ok(()),
            Err(_) => Err(silent()),
        }
    }
}

fn not_taken(reason: &str, login: &Login) -> Trouble {
    let why = format!("upshift cannot be kept there: {reason}");
    let hint = format!("`folder` in the inventory names another place than `{}`", login.folder);
    Trouble::new(Kind::Agent, why).hint(hint)
}

/// Says more of why no agent was started, from what came on stderr and how the command ended.
async fn explain(trouble: Trouble, stderr: ChildStderr, child: Child<Arc<Session>>, login: &Login) -> Trouble {
    if trouble.kind != Kind::Lost {
        return trouble;
    }
    let mut text = String::new();
    let _ = timeout(Duration::from_secs(2), stderr.take(4096).read_to_string(&mut text)).await;
    let code = bootstrap::exit_code(child).await;
    let last = last_line(&text).unwrap_or_default();
    if let Some(trouble) = bootstrap::no_root(&text, code) {
        return trouble;
    }
    match code {
        Some(126) => Trouble::new(Kind::Agent, format!("upshift cannot be run from `{}`: {last}", login.folder))
            .hint("it may be mounted noexec: `folder` in the inventory names another place"),
        _ if last.is_empty() => trouble,
        _ => Trouble::new(Kind::Agent, format!("{}: {last}", trouble.why)),
    }
}

fn lost(why: &str) -> Trouble {
    Trouble::new(Kind::Lost, why)
}

fn silent() -> Trouble {
    Trouble::new(Kind::Silent, format!("it says nothing for {} s while upshift is started there", START.as_secs()))
}
