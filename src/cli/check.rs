//! `upshift check`: everything that can be known to be wrong without running anything.

use super::project::Files;
use super::sources::Commits;
use crate::error::{Exit, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    files: Files,
}

impl Check {
    pub(super) fn main(self) -> Result<Exit> {
        // What a pull would bring is not asked: a check works without a network.
        let (plan, _) = self.files.read_with(Commits::offline())?.plan()?;
        let counted = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        super::print(&format!(
            "{}: fine: {} over {}\n",
            self.files.pipeline,
            counted(plan.stages.len(), "stage"),
            counted(plan.hosts.len(), "host"),
        ))?;
        Ok(Exit::Done)
    }
}
