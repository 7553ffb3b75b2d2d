//! `upshift ping`: whether hosts can be worked on, and if not, where to look.

use std::time::Duration;

use jiff::SignedDuration;
use tokio::time::Instant;

use super::hosts;
use super::project::Targets;
use crate::agent::protocol::{Ask, Tell, Vitals};
use crate::engine::clock;
use crate::error::{Exit, Result};
use crate::model::span;
use crate::transport::ssh::{Host, Trouble};

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
        let answers = hosts::ask(&self.targets, |host| async move { vitals(&host).await })?;
        let width = answers.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let mut text = String::new();
        for (name, answer) in &answers {
            text += &if self.json { json(name, answer) } else { line(name, width, answer) };
            text.push('\n');
        }
        super::print(&text)?;
        Ok(hosts::summary(&answers, ["is fine", "are fine"]))
    }
}

async fn vitals(host: &Host) -> Result<Answer, Trouble> {
    let begun = Instant::now();
    let link = host.link().await?;
    let took = begun.elapsed();
    let sent = clock::real_now();
    let tell = link.one(Ask::Vitals).await?;
    let back = clock::real_now();
    let Tell::Vitals(vitals) = tell else { return Err(Trouble::nonsense()) };
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

fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a rounded figure for a person")]
    let mib = bytes as f64 / (1024.0 * 1024.0);
    if mib >= 1024.0 { format!("{:.1} GiB", mib / 1024.0) } else { format!("{mib:.0} MiB") }
}

fn clock_offset(offset: SignedDuration) -> String {
    let seconds = offset.as_secs_f64();
    if seconds.abs() < 0.05 { "right".into() } else { format!("{seconds:+.1} s") }
}
