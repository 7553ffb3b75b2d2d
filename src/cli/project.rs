//! What commands share: the files of a project, its runs, and the way from files to a plan.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;
use jiff::Timestamp;

use super::sources::{self, Commits};
use crate::engine::past;
use crate::engine::supply::Supply;
use crate::error::{Error, Exit, Result};
use crate::journal::{Run, Runs};
use crate::model::hash::Hash;
use crate::model::inventory::{Host, Ssh, Transport};
use crate::model::plan::{Action, Plan};
use crate::model::{History, Inventory, Pipeline, Record, Verdict, selector};
use crate::{config, plan};

/// The inventory that is read when no other is named.
const INVENTORY: &str = "inventory.toml";

/// The files a plan is made from.
#[derive(Debug, Args)]
pub(super) struct Files {
    /// The pipeline, a TOML file
    pub(super) pipeline: Utf8PathBuf,
    /// The inventory, upshift's own, Ansible's or Salt's; `inventory.toml` here or beside the pipeline
    /// when there is one
    #[arg(short, long, value_name = "FILE")]
    pub(super) inventory: Option<Utf8PathBuf>,
}

/// What the files say.
pub(super) struct Read {
    pub(super) pipeline: Pipeline,
    pub(super) inventory: Inventory,
    /// Its formulas, as they are now, or were when the plan was made.
    pub(super) supply: Option<Arc<Supply>>,
    commits: Commits,
}

impl Files {
    pub(super) fn read(&self) -> Result<Read> {
        self.read_with(Commits::newest())
    }

    /// Reads them with these commits of what they pull and install.
    pub(super) fn read_with(&self, commits: Commits) -> Result<Read> {
        let inventory = self.inventory.clone().or_else(|| {
            let beside = self.pipeline.parent().map(|folder| folder.join(INVENTORY));
            std::iter::once(Utf8PathBuf::from(INVENTORY)).chain(beside).find(|file| file.exists())
        });
        read(&self.pipeline, inventory.as_deref(), commits)
    }
}

/// The hosts that a command is about, without a pipeline.
#[derive(Debug, Args)]
pub(super) struct Targets {
    /// The hosts: a selector such as `cmp`, `cmp[001-010]`, `ctl,dbs` or `all`
    pub(super) hosts: String,
    /// The inventory; `inventory.toml` here when it is not given
    #[arg(short, long, value_name = "FILE")]
    pub(super) inventory: Option<Utf8PathBuf>,
}

impl Targets {
    /// How connections are opened, and the hosts, in the order of the inventory.
    pub(super) fn read(&self) -> Result<(Ssh, Vec<Host>)> {
        let (ssh, hosts) = self.select()?;
        if let Some(host) = hosts.iter().find(|host| host.transport == Transport::Simulated) {
            let message = format!("host `{}` is simulated: there is nothing to connect to", host.name);
            return Err(Error::usage(message));
        }
        Ok((ssh, hosts))
    }

    /// The same, with simulated hosts among them.
    pub(super) fn select(&self) -> Result<(Ssh, Vec<Host>)> {
        let file = self.inventory.clone().unwrap_or_else(|| INVENTORY.into());
        if self.inventory.is_none() && !file.exists() {
            return Err(Error::usage(format!("there is no `{INVENTORY}` here")).hint("`--inventory FILE` names one"));
        }
        let inventory = config::read_inventory(&file)?;
        let hosts = selector::select(&inventory, &self.hosts).map_err(|error| Error {
            exit: Exit::Usage,
            message: format!("`{}` {}", self.hosts, error.message),
            hint: error.hint,
        })?;
        let hosts = hosts.into_iter().cloned().collect();
        Ok((inventory.ssh, hosts))
    }
}

/// Reads a pipeline, and an inventory if there is one.
pub(super) fn read(pipeline: &Utf8Path, inventory: Option<&Utf8Path>, mut commits: Commits) -> Result<Read> {
    let pipeline = config::read_pipeline(pipeline)?;
    let supply = sources::supply(&pipeline, &mut commits)?.map(Arc::new);
    let Some(inventory) = inventory else {
        // Stages that name hosts need somebody who knows them; stages without hosts do not.
        return match pipeline.stages.iter().find_map(|stage| stage.hosts.as_ref()) {
            None => Ok(Read { pipeline, inventory: Inventory::default(), supply, commits }),
            Some(hosts) => Err(Error::usage(format!(
                "{}: a stage names hosts, and there is no inventory: neither `{INVENTORY}` here nor beside the pipeline",
                hosts.place
            ))
            .hint("`--inventory FILE` names one")),
        };
    };
    let inventory = config::read_inventory(inventory)?;
    Ok(Read { pipeline, inventory, supply, commits })
}

impl Read {
    /// What tells its formulas from all others.
    pub(super) fn formulas(&self) -> Option<crate::model::plan::Formulas> {
        self.supply.as_ref().map(|supply| supply.formulas())
    }

    /// Makes the plan, with what earlier runs taught.
    pub(super) fn plan(&mut self) -> Result<(Plan, History)> {
        let learn = |simulated| past::learn(&runs(), &self.pipeline.name, simulated);
        let formulas = self.formulas();
        let commits = &mut self.commits;
        let mut resolve = |repo: &str, rev: &str| commits.find(repo, rev);
        let mut plan = plan::build(&self.pipeline, &self.inventory, &History::default(), formulas, &mut resolve)?;
        plan.content = self.content(&plan);
        let history = learn(plan.is_simulated());
        plan::expect(&mut plan, &history);
        Ok((plan, history))
    }
}

impl Read {
    /// What tells what is done from all else, whatever hosts it is done on: the pipeline as it is, its formulas and commits.
    fn content(&self, plan: &Plan) -> String {
        let units = plan.stages.iter().flat_map(|stage| &stage.steps).flat_map(|step| &step.units);
        let commits = units.filter_map(|unit| match &unit.action {
            Action::Pull { commit, .. } => Some(commit.as_str()),
            _ => None,
        });
        let text = fs_err::read_to_string(&self.pipeline.file).unwrap_or_default();
        let formulas = self.formulas().map(|formulas| (formulas.files.hash.to_string(), formulas.tree));
        Hash::of(format!("{text}\0{formulas:?}\0{:?}", commits.collect::<Vec<_>>()).as_bytes()).to_string()
    }
}

/// The newest run that did the same to an inventory and came to its end; and when that was.
pub(super) fn done_before(plan: &Plan, inventory: &Utf8Path) -> Result<Option<(Run, Timestamp)>> {
    let same =
        |file: &str| file == inventory || Utf8Path::new(file).canonicalize().ok() == inventory.canonicalize().ok();
    for run in runs().list()?.into_iter().rev().filter(|run| run.id.contains(&plan.pipeline)) {
        // A run that cannot be read is no proof of anything.
        let (Ok(other), Ok(journal)) = (super::run::read_plan(&run), run.read()) else { continue };
        let ended = journal.entries.last().filter(|entry| entry.record == Record::Ended { verdict: Verdict::Done });
        if let Some(ended) = ended.filter(|_| other.content == plan.content && same(&other.inventory_file)) {
            return Ok(Some((run, ended.at)));
        }
    }
    Ok(None)
}

/// The runs of the project in this folder.
pub(super) fn runs() -> Runs {
    Runs::of(Utf8Path::new(""))
}

/// The folder that commands on this machine work in.
pub(super) fn folder() -> Result<Utf8PathBuf> {
    let folder = std::env::current_dir()?;
    Utf8PathBuf::from_path_buf(folder)
        .map_err(|folder| Error::usage(format!("the name of the folder `{}` is not UTF-8", folder.display())))
}
