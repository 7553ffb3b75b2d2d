//! `upshift exec`: one command on any hosts, without a pipeline or a run.
//!
//! Nothing outlives it: a command that is under way when upshift is told to end is ended on its host.

mod files;
mod work;

use std::collections::HashSet;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use indexmap::IndexMap;
use jiff::SignedDuration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::project::Targets;
use crate::error::{Error, Exit, Result};
use crate::model::{Outcome, inventory, pattern, span};
use crate::report::exec::{self, Answer, News, Output, Progress, json};
use work::{Done, Work};

/// The part of `--help` that says what is what.
const HELP: &str = "\
COMMAND is shell text when it is one word, as in `-- 'df -h / | tail -1'`. Several words, as in
`-- systemctl restart nginx`, reach the hosts as those words, whatever characters are in them.
It runs with sh, as root where the inventory has it so (`become`), in the user's home folder, with
no input. Hosts with `transport = \"local\"` run it here, in this folder, as you.

Hosts whose command said the same are shown together, those that came short at the end. What
commands wrote on stdout goes to stdout, all else to stderr. A terminal gets control characters as
`less` shows them; a pipe or file gets the bytes as they came. Of more than 512 KiB on one stream,
the first and last 256 KiB are kept; --output-dir keeps everything.

--json gives each host an object with `host`, `outcome` (changed, failed, timed-out, unreachable,
interrupted, skipped), `exit_code`, `stdout`, `stderr`, `seconds` and `why`. Output that is not
UTF-8 is in `stdout_base64` or `stderr_base64` as well. `stdout_left_out` says what was not kept.

Ctrl-C ends the command on all hosts, and shows what came so far; a second one quits at once.

Exit codes: 0 the command ended with 0 on every host; 10 it failed or timed out on one, or the
connection was lost in the middle; 14 nothing worse than hosts that could not be reached, where
nothing was started; 11 stopped by Ctrl-C; 2 usage.";

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Exec {
    #[command(flatten)]
    targets: Targets,
    /// Hosts under way at once; all when it is not given, while connections are opened 48 at once, or
    /// `at-once` of them through a jump host
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    fan_out: Option<u32>,
    /// How long the command may take on a host; then it is ended there
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = timeout)]
    timeout: Duration,
    /// A JSON object a host, in the order of the inventory
    #[arg(long)]
    json: bool,
    /// Write all output of each host to DIR/HOST.out and DIR/HOST.err as it comes
    #[arg(long, value_name = "DIR")]
    output_dir: Option<Utf8PathBuf>,
    /// The command, after `--`
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

fn timeout(text: &str) -> Result<Duration, String> {
    let time = text.parse::<SignedDuration>().ok().filter(SignedDuration::is_positive);
    time.and_then(|time| Duration::try_from(time).ok())
        .ok_or_else(|| "wanted a duration such as `90s` or `1h 30m`".into())
}

/// What a shell has to be given so that it runs this.
fn shell_text(command: &[String]) -> Result<String> {
    match command {
        // A variable that was not set, more likely than not.
        [text] if text.trim().is_empty() => Err(Error::usage("the command is empty")),
        [text] => Ok(text.clone()),
        words => shlex::try_join(words.iter().map(String::as_str))
            .map_err(|error| Error::usage(format!("the command: {error}"))),
    }
}

/// The answers there are, by the hosts' places, and what to do about hosts that could not be reached.
struct Answers {
    by_place: Vec<Option<Answer>>,
    hints: IndexMap<String, Vec<usize>>,
    unwritten: Option<String>,
}

impl Exec {
    pub(super) fn main(self) -> Result<Exit> {
        let text = shell_text(&self.command)?;
        let (ssh, hosts) = self.targets.read()?;
        if let Some(folder) = &self.output_dir {
            files::prepare(folder)?;
        }
        super::run::raise_open_files();
        let begun = Instant::now();
        let (news, reporter) = exec::screen::start(Progress::new(hosts.iter().map(|host| host.name.clone())));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let exit = runtime.block_on(async {
            let mut signals = signals()?;
            let work = Work::new(text, &self, ssh, hosts.len(), news.clone())?;
            let answers = carry_out(work, &hosts, signals.clone(), news).await?;
            let _ = reporter.join();
            let before = *signals.borrow_and_update();
            let shown = tokio::task::spawn_blocking(move || self.show(&hosts, &answers, begun.elapsed()));
            tokio::select! {
                shown = shown => shown.map_err(|error| Error::new(Exit::Bug, error.to_string()))?,
                Ok(_) = signals.wait_for(|count| *count > before) => Ok(Exit::Stopped),
            }
        });
        runtime.shutdown_background();
        exit
    }

    /// Says what came of it.
    fn show(&self, hosts: &[inventory::Host], answers: &Answers, took: Duration) -> Result<Exit> {
        let named = hosts.iter().zip(&answers.by_place);
        let named = named.filter_map(|(host, answer)| Some((host.name.as_str(), answer.as_ref()?)));
        if self.json {
            for (host, answer) in named {
                super::print(&(json::line(host, answer) + "\n"))?;
            }
        } else {
            exec::print(&exec::groups(named))?;
        }
        let mut stderr = anstream::stderr().lock();
        let exit = exit(&answers.by_place);
        let _ = writeln!(stderr, "{}", summary(&answers.by_place, took));
        for (hint, places) in &answers.hints {
            let names = pattern::fold(places.iter().map(|place| hosts[*place].name.as_str()));
            let _ = writeln!(stderr, "\nhint: {names}: {hint}");
        }
        match (&answers.unwritten, exit) {
            (Some(why), Exit::Done) => Err(Error::usage(why)),
            (Some(why), exit) => {
                let _ = writeln!(stderr, "{why}");
                Ok(exit)
            }
            (None, exit) => Ok(exit),
        }
    }
}

/// Has every host do its part, until all are done or a person says for the second time to end.
async fn carry_out(
    work: Work,
    hosts: &[inventory::Host],
    mut signals: watch::Receiver<u32>,
    news: std::sync::mpsc::Sender<News>,
) -> Result<Answers> {
    let stop = work.stop();
    let work = Arc::new(work);
    let mut calls = JoinSet::new();
    for (place, host) in hosts.iter().enumerate() {
        let (work, host) = (work.clone(), host.clone());
        calls.spawn(async move { (place, work.on(place, &host).await) });
    }
    drop(work);
    let mut all = Answers { by_place: vec![None; hosts.len()], hints: IndexMap::new(), unwritten: None };
    // Hosts often say the same: it is kept once.
    let mut known: HashSet<Arc<Output>> = HashSet::new();
    let mut keep = |output: Output| {
        let output = Arc::new(output);
        known.get(&output).cloned().unwrap_or_else(|| {
            known.insert(output.clone());
            output
        })
    };
    loop {
        tokio::select! {
            ended = calls.join_next() => {
                let Some(ended) = ended else { return Ok(all) };
                let (place, done) = ended.map_err(|error| Error::new(Exit::Bug, error.to_string()))?;
                let Done { answer, stdout, stderr, hint, unwritten } = done;
                let _ = news.send(News::Ended(place, answer.outcome));
                all.by_place[place] = Some(Answer { stdout: keep(stdout), stderr: keep(stderr), ..answer });
                if let Some(hint) = hint {
                    all.hints.entry(hint).or_default().push(place);
                }
                all.unwritten = all.unwritten.or(unwritten);
            }
            Ok(()) = signals.changed() => match *signals.borrow_and_update() {
                0 => {}
                1 => {
                    let _ = news.send(News::Stopping);
                    stop.send_replace(true);
                }
                _ => return Err(quit(hosts, &all.by_place)),
            }
        }
    }
}

/// Counts what tells upshift to end. A terminal that goes away does: nobody else would read the answers.
fn signals() -> Result<watch::Receiver<u32>> {
    let (count, counted) = watch::channel(0);
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let (mut signal, count) = (signal(kind)?, count.clone());
        tokio::spawn(async move {
            while signal.recv().await.is_some() {
                count.send_modify(|count| *count += 1);
            }
        });
    }
    Ok(counted)
}

fn quit(hosts: &[inventory::Host], answers: &[Option<Answer>]) -> Error {
    let open = hosts.iter().zip(answers).filter(|(_, answer)| answer.is_none()).map(|(host, _)| host.name.as_str());
    Error::new(Exit::Stopped, format!("quit at once: the command may still run on {}", pattern::fold(open)))
}

/// The exit code, by the worst host.
fn exit(answers: &[Option<Answer>]) -> Exit {
    let exits = answers.iter().flatten().map(|answer| match (answer.outcome, answer.took) {
        (Outcome::Unchanged | Outcome::Changed, _) => Exit::Done,
        (Outcome::Skipped | Outcome::Interrupted, _) => Exit::Stopped,
        (Outcome::Unreachable, None) => Exit::Unreachable,
        (Outcome::Failed | Outcome::TimedOut | Outcome::Unreachable, _) => Exit::Failed,
    });
    let order = [Exit::Done, Exit::Unreachable, Exit::Failed, Exit::Stopped];
    exits.max_by_key(|exit| order.iter().position(|other| other == exit)).unwrap_or(Exit::Done)
}

/// How many hosts came to what.
fn summary(answers: &[Option<Answer>], took: Duration) -> String {
    let all = answers.len();
    let short: Vec<_> = answers.iter().flatten().filter(|answer| answer.came_short()).collect();
    let took = span::short(SignedDuration::try_from(took).unwrap_or(SignedDuration::MAX));
    if short.is_empty() {
        return if all == 1 {
            format!("the host is done ({took})")
        } else {
            format!("all {all} hosts are done ({took})")
        };
    }
    let counts = Outcome::ALL.iter().rev().filter_map(|outcome| {
        let count = short.iter().filter(|answer| answer.outcome == *outcome).count();
        (count > 0).then(|| format!("{count} {outcome}"))
    });
    format!("{} of {all} hosts came short: {} ({took})", short.len(), counts.collect::<Vec<_>>().join(", "))
}
