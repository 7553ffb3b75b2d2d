//! `upshift agent`: what upshift starts on a host. Called by upshift, not by people.

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
        /// This machine may be restarted
        #[arg(long)]
        may_restart: bool,
    },
    /// Answer on stdout what a controller asks on stdin
    Serve {
        /// Where upshift keeps its things on this host
        folder: Utf8PathBuf,
    },
}

impl Agent {
    pub(super) fn main(self) -> Result<Exit> {
        match self.what {
            What::Step { folder, may_restart } => crate::agent::step::main(folder, may_restart)?,
            What::Serve { folder } => crate::agent::serve::main(&folder)?,
        }
        Ok(Exit::Done)
    }
}
