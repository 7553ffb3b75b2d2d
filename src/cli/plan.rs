//! `upshift plan`: what a run would do.

use jiff::SignedDuration;

use super::apply::applied;
use super::project::{self, Files, Read};
use super::rollback;
use super::run::{Manner, RunCommand};
use crate::engine::forecast;
use crate::error::{Error, Exit, Result};
use crate::model::{Plan, selector};
use crate::plan::{self, Show};
use crate::report::states;

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
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
    /// Ask the hosts what the formulas would change there; nothing is changed
    #[arg(long, conflicts_with_all = ["against", "json"])]
    preview: bool,
    /// Show how a run of it would be taken back
    #[arg(long, conflicts_with_all = ["against", "json", "preview", "hosts", "full"])]
    rollback: bool,
}

impl PlanCommand {
    pub(super) fn main(self) -> Result<Exit> {
        let mut read = self.files.read()?;
        let (plan, _) = read.plan()?;
        if self.json {
            super::print(&format!("{}\n", serde_json::to_string_pretty(&plan).map_err(std::io::Error::from)?))?;
        } else if self.rollback {
            super::print(&rollback::show(&read, &plan)?)?;
        } else if let Some(run) = &self.against {
            super::print(&against(run, &plan)?)?;
        } else {
            let hosts = match &self.hosts {
                Some(selected) => named(&read.inventory, selected)?,
                None => Vec::new(),
            };
            let expected: Vec<Option<SignedDuration>> = forecast::stage_times(&plan);
            super::print(&plan::render(&plan, &Show { hosts: hosts.clone(), full: self.full, expected }))?;
            if self.preview {
                return self.preview(read, &hosts);
            }
        }
        Ok(Exit::Done)
    }

    /// Runs nothing but the plan's `apply` steps, as previews, on these hosts or on all.
    fn preview(self, mut read: Read, hosts: &[String]) -> Result<Exit> {
        read.pipeline = read.pipeline.preview();
        if read.pipeline.stages.is_empty() {
            return Err(Error::usage("no step of the pipeline applies formulas: there is nothing to preview"));
        }
        let (plan, history) = read.plan()?;
        let names = plan.hosts.iter().map(|host| host.name.clone());
        let left_out = names.filter(|name| !hosts.is_empty() && !hosts.contains(name)).collect();
        let run = RunCommand {
            files: self.files,
            time_scale: None,
            if_changed: false,
            anew: true,
            manner: Manner::without(left_out),
        };
        let (run, exit) = run.carry_out(read, plan, history)?;
        for ((stage, step), hosts) in applied(&run)? {
            super::print(&format!("\n{stage}: {step}\n{}", states::text(&hosts, false)))?;
        }
        exit
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
