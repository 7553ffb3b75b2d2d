//! `upshift agent`: what upshift does on a host. Called by upshift, not by people.

use camino::{Utf8Path, Utf8PathBuf};
use clap::Subcommand;
use serde_json::Value;

use crate::agent::grains::{self, Facts};
use crate::engine::clock;
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
    /// Print this machine's grains as JSON
    Grains {
        /// The host's name in the inventory; by default the machine's own
        #[arg(long)]
        id: Option<String>,
    },
}

impl Agent {
    pub(super) fn main(self) -> Result<Exit> {
        match self.what {
            What::Step { folder } => crate::agent::step::main(folder)?,
            What::Grains { id } => {
                let facts = Facts { root: Utf8Path::new("/"), id: id.as_deref(), now: clock::real_now() };
                super::print(&format!("{:#}\n", Value::from(grains::collect(&facts))))?;
            }
        }
        Ok(Exit::Done)
    }
}
