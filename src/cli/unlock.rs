//! `upshift unlock`: takes hosts away from a run that will never come back for them.

use std::fmt::Write as _;

use super::hosts;
use super::project::Targets;
use crate::agent::protocol::{Ask, Held, Tell};
use crate::error::{Error, Exit, Result};
use crate::transport::ssh::Trouble;

#[derive(Debug, clap::Args)]
pub(super) struct Unlock {
    #[command(flatten)]
    targets: Targets,
    /// Also from a run that is connected, or has a step under way there
    #[arg(long)]
    force: bool,
}

impl Unlock {
    pub(super) fn main(self) -> Result<Exit> {
        let force = self.force;
        let answers = hosts::ask(&self.targets, move |host| async move {
            match host.link().await?.one(Ask::Unlock { force }).await? {
                Tell::Held(held) => Ok(Some(held)),
                Tell::Done => Ok(None),
                _ => Err(Trouble::nonsense()),
            }
        })?;
        let busy = |held: &Held| !force && (held.connected || held.under_way > 0);
        let mut kept = Vec::new();
        let mut text = String::new();
        for (name, answer) in &answers {
            let said = match answer {
                Ok(None) => "no run had it".to_owned(),
                Ok(Some(held)) if busy(held) => {
                    kept.push(name.as_str());
                    let what = if held.connected { "which is going on" } else { "which has a step under way there" };
                    format!("kept by run {}, {what}", held.claim.run)
                }
                Ok(Some(held)) => format!("taken from run {}", held.claim.run),
                Err(trouble) => format!("{}: {trouble}", trouble.kind),
            };
            let _ = writeln!(text, "{name}: {said}");
        }
        super::print(&text)?;
        if let Some(first) = kept.first() {
            let more = if kept.len() > 1 { format!(" and {} more", kept.len() - 1) } else { String::new() };
            return Err(Error::new(Exit::Locked, format!("{first}{more} kept: the run that has it is still at work"))
                .hint(
                    "`upshift stop` ends that run where it was started; `--force` takes the host away all the same",
                ));
        }
        Ok(hosts::summary(&answers, ["is free", "are free"]))
    }
}
