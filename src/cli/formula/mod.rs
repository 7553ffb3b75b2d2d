//! `upshift formula`: what formulas come to, without touching a host.

mod check;
pub(super) mod files;
mod render;
mod scan;
mod show;

use crate::error::{Exit, Result};

#[derive(Debug, clap::Args)]
pub(super) struct Formula {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print the low state that SLS compile to
    Show(show::Show),
    /// Compile SLS for every host of an inventory, and list what upshift does not have
    Check(check::Check),
    /// Print what a template becomes
    Render(render::Render),
}

impl Formula {
    pub(super) fn main(self) -> Result<Exit> {
        match self.command {
            Command::Show(show) => show.main(),
            Command::Check(check) => check.main(),
            Command::Render(render) => render.main(),
        }
    }
}
