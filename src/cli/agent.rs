//! `upshift agent step DIR`: carries out one step. Called by upshift, not by people.

use camino::Utf8PathBuf;
use clap::Subcommand;

use crate::error::{Exit, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Agent {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Carry out the step whose folder this is
    Step {
        /// The step's folder
        folder: Utf8PathBuf,
    },
}

impl Agent {
    pub(super) fn main(self) -> Result<Exit> {
        let What::Step { folder } = self.what;
        crate::agent::step::main(folder)?;
        Ok(Exit::Done)
    }
}
