//! `upshift plan`: what a run would do.

use jiff::SignedDuration;

use super::project::{self, Files};
use crate::engine::forecast;
use crate::error::{Error, Exit, Result};
use crate::model::{Plan, selector};
use crate::plan::{self, Show};

#[derive(Debug, clap::Args)]
pub(super) struct PlanCommand {
    #[command(flatten)]
    files: Files,
    /// Print the plan as JSON
    #[arg(long, conflicts_with_all = ["against", "full"])]
    json: bool,
    /// Show only these hosts
    #[arg(long, value_name = "HOSTS", conflicts_with_all = ["against", "json"])]
    hosts: Option<String>,
    /// Show each host's own commands, where they differ by no more than its name too
    #[arg(long)]
    full: bool,
    /// Show what differs from the plan of an earlier run
    #[arg(long, value_name = "RUN")]
    against: Option<String>,
}

impl PlanCommand {
    pub(super) fn main(self) -> Result<Exit> {
        let read = self.files.read()?;
        let (plan, _) = read.plan()?;
        if self.json {
            super::print(&format!("{}\n", serde_json::to_string_pretty(&plan).map_err(std::io::Error::from)?))?;
        } else if let Some(run) = &self.against {
            super::print(&against(run, &plan)?)?;
        } else {
            let hosts = match &self.hosts {
                Some(selected) => named(&read.inventory, selected)?,
                None => Vec::new(),
            };
            let expected: Vec<Option<SignedDuration>> = forecast::stage_times(&plan);
            super::print(&plan::render(&plan, &Show { hosts, full: self.full, expected }))?;
        }
        Ok(Exit::Done)
    }
}

fn named(inventory: &crate::model::Inventory, selected: &str) -> Result<Vec<String>> {
    let hosts = selector::select(inventory, selected).map_err(|error| Error {
        exit: Exit::Usage,
        message: format!("--hosts {}", error.message),
        hint: error.hint,
    })?;
    Ok(hosts.iter().map(|host| host.name.clone()).collect())
}

fn against(run: &str, plan: &Plan) -> Result<String> {
    let run = project::runs().find(Some(run))?;
    let before = super::run::read_plan(&run)?;
    let (old, new) = (plan::short_digest(&before.digest), plan::short_digest(&plan.digest));
    if before.digest == plan.digest {
        return Ok(format!("the same as the plan of {}: {new}\n", run.id));
    }
    let lines = plan::compare(&before, plan);
    Ok(format!("{} {old} -> {new}\n{}\n", run.id, lines.join("\n")))
}
