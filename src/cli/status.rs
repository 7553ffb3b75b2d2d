//! `upshift status`: where a run stands, from its journal, whoever is carrying it on.

use crate::error::{Exit, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Status {
    /// The run; the one that is going on, else the newest, when it is left out
    run: Option<String>,
    /// Go on showing it until it ends
    #[arg(long)]
    watch: bool,
    /// Print one JSON object
    #[arg(long, conflicts_with = "watch")]
    json: bool,
}

impl Status {
    pub(super) fn main(self) -> Result<Exit> {
        Ok(Exit::Done)
    }
}
