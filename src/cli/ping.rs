//! `upshift ping`: whether hosts can be worked on, and if not, where to look.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use jiff::SignedDuration;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::project::Targets;
use crate::agent::protocol::{Ask, Tell, Vitals};
use crate::engine::clock;
use crate::error::{Error, Exit, Result};
use crate::model::inventory::{self, Transport};
use crate::model::{pattern, span};
use crate::transport::ssh::{Connector, Host, Trouble};

#[derive(Debug, clap::Args)]
pub(super) struct Ping {
    #[command(flatten)]
    targets: Targets,
    /// A JSON object a host
    #[arg(long)]
    json: bool,
}

/// What a host answered.
struct Answer {
    vitals: Vitals,
    /// How long it took to connect, upshift being sent when it was not there.
    took: Duration,
    /// How far its clock is ahead of the one here.
    offset: SignedDuration,
}

impl Ping {
    pub(super) fn main(self) -> Result<Exit> {
        let (ssh, hosts) = self.targets.read()?;
        let connector = Arc::new(Connector::new(ssh, hosts.len())?);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let answers = runtime.block_on(ask_all(&connector, &hosts))?;
        runtime.shutdown_background();
        let width = hosts.iter().map(|host| host.name.len()).max().unwrap_or_default();
        let mut text = String::new();
        for (host, answer) in hosts.iter().zip(&answers) {
            text += &if self.json { json(&host.name, answer) } else { line(&host.name, width, answer) };
            text.push('\n');
        }
        super::print(&text)?;
        Ok(summary(&hosts, &answers))
    }
}

async fn ask_all(connector: &Arc<Connector>, hosts: &[inventory::Host]) -> Result<Vec<Result<Answer, Trouble>>> {
    let mut calls = JoinSet::new();
    for (at, host) in hosts.iter().enumerate() {
        if host.transport == Transport::Local {
            return Err(Error::usage(format!("host `{}` is this machine: there is nothing to connect to", host.name)));
        }
        let host = Host::new(connector.clone(), &host.name, &host.address, &host.login, None);
        calls.spawn(async move { (at, ask(&host).await) });
    }
    let mut answers: Vec<_> = calls.join_all().await;
    answers.sort_by_key(|(at, _)| *at);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

async fn ask(host: &Host) -> Result<Answer, Trouble> {
    let begun = Instant::now();
    let link = host.link().await?;
    let took = begun.elapsed();
    let sent = clock::real_now();
    let tell = link.one(Ask::Vitals).await?;
    let back = clock::real_now();
    let Tell::Vitals(vitals) = tell else { unreachable!("an agent answers what it is asked") };
    // The answer is about as old as half of the way there and back.
    let here = sent + back.duration_since(sent) / 2;
    Ok(Answer { offset: vitals.now.duration_since(here), vitals, took })
}

fn line(name: &str, width: usize, answer: &Result<Answer, Trouble>) -> String {
    match answer {
        Ok(Answer { vitals, took, offset }) => format!(
            "{name:width$}  fine  {:>6}  up {}, {} free, clock {}",
            format!("{} ms", took.as_millis()),
            span::glance(vitals.up),
            size(vitals.free),
            clock_offset(*offset),
        ),
        Err(trouble) => format!("{name:width$}  {}: {trouble}", trouble.kind),
    }
}

fn json(name: &str, answer: &Result<Answer, Trouble>) -> String {
    match answer {
        Ok(Answer { vitals, took, offset }) => serde_json::json!({
            "host": name, "answers": true, "connect_seconds": took.as_secs_f64(), "boot": vitals.boot,
            "up_seconds": vitals.up.as_secs(), "free_bytes": vitals.free, "machine": vitals.machine,
            "clock_offset_seconds": offset.as_secs_f64(),
        }),
        Err(trouble) => serde_json::json!({
            "host": name, "answers": false, "kind": trouble.kind.to_string(), "why": trouble.why, "hint": trouble.hint,
        }),
    }
    .to_string()
}

/// Says on stderr how many are fine, and for each cause what to do about it.
fn summary(hosts: &[inventory::Host], answers: &[Result<Answer, Trouble>]) -> Exit {
    let mut stderr = anstream::stderr().lock();
    let mut hints: IndexMap<&str, Vec<&str>> = IndexMap::new();
    for (host, trouble) in hosts.iter().zip(answers).filter_map(|(host, answer)| Some((host, answer.as_ref().err()?))) {
        if let Some(hint) = &trouble.hint {
            hints.entry(hint).or_default().push(&host.name);
        }
    }
    let bad = answers.iter().filter(|answer| answer.is_err()).count();
    let all = hosts.len();
    let _ = match bad {
        0 if all == 1 => writeln!(stderr, "the host is fine"),
        0 => writeln!(stderr, "all {all} hosts are fine"),
        bad => writeln!(stderr, "{bad} of {all} hosts cannot be worked on"),
    };
    for (hint, hosts) in hints {
        let _ = writeln!(stderr, "\nhint: {}: {hint}", pattern::fold(hosts));
    }
    if bad == 0 { Exit::Done } else { Exit::Unreachable }
}

fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a rounded figure for a person")]
    let mib = bytes as f64 / (1024.0 * 1024.0);
    if mib >= 1024.0 { format!("{:.1} GiB", mib / 1024.0) } else { format!("{mib:.0} MiB") }
}

fn clock_offset(offset: SignedDuration) -> String {
    let seconds = offset.as_secs_f64();
    if seconds.abs() < 0.05 { "right".into() } else { format!("{seconds:+.1} s") }
}
