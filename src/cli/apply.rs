//! `upshift apply`: formulas on hosts, in a run of one stage that is written for the occasion.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::project::{Files, Targets};
use super::run::{Manner, RunCommand};
use super::sources;
use crate::config;
use crate::error::{Error, Exit, Result};
use crate::formula::roots::{Directory, Roots};
use crate::journal::Run;
use crate::model::hash::Hash;
use crate::report::states::{self, Host};
use crate::states::run::Ran;

/// How many hosts are under way at once when nothing else is said.
const FAN_OUT: u32 = 100;

/// Where the pipelines are kept that are written for the occasion: a run that stopped is resumed from its own.
const FOLDER: &str = ".upshift/apply";

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
#[command(after_help = "\
It is a run like any other: `upshift status`, `stop`, `resume` and `report` work on it. Every state is carried out on
the host itself and goes on when the connection is lost.")]
pub(super) struct Apply {
    #[command(flatten)]
    targets: Targets,
    /// The SLS to apply; those that `top.sls` gives each host when there is none
    sls: Vec<String>,
    /// A folder of formulas; may be given several times, the first that has a file wins [default: formulas]
    #[arg(short, long = "root", value_name = "DIR")]
    roots: Vec<Utf8PathBuf>,
    /// Pillar for all hosts: a YAML file, or a mapping; merged over the tree's
    #[arg(short, long, value_name = "FILE|YAML")]
    pillar: Option<String>,
    /// A pillar tree, with its `top.sls`
    #[arg(long, value_name = "DIR")]
    pillar_root: Vec<Utf8PathBuf>,
    /// Values of the pillar that nobody may see, such as `mysql:*:password`; may be given several times
    #[arg(long, value_name = "PATTERN")]
    secret: Vec<String>,
    /// Say what would be changed, and change nothing
    #[arg(long)]
    preview: bool,
    /// Hosts under way at once
    #[arg(long, value_name = "N", default_value_t = NonZeroU32::new(FAN_OUT).unwrap_or(NonZeroU32::MIN))]
    fan_out: NonZeroU32,
    /// How long a host may take, such as `30m`
    #[arg(long, value_name = "TIME", default_value = "1h")]
    timeout: String,
    /// Read formulas as those of 2015 to 2019 were written
    #[arg(long)]
    python2: bool,
    /// What applies them: upshift itself, or the Salt that the hosts have, for formulas with Python modules of their own
    #[arg(long, value_enum, default_value_t = Engine::Upshift)]
    engine: Engine,
    /// Also list the states that were as they should be
    #[arg(long)]
    all: bool,
    /// Print a JSON object a host
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    manner: Manner,
}

#[derive(Debug, Clone, Copy, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
enum Engine {
    Upshift,
    Salt,
}

/// A pipeline with one stage of one step.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Pipeline<'a> {
    pipeline: Head<'a>,
    stage: [Stage<'a>; 1],
}

#[derive(Serialize)]
struct Head<'a> {
    name: &'a str,
    formulas: Vec<Utf8PathBuf>,
    pillar: &'a [Utf8PathBuf],
    secret: &'a [String],
    python2: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Stage<'a> {
    name: &'a str,
    hosts: &'a str,
    fan_out: NonZeroU32,
    max_failures: &'a str,
    engine: Engine,
    step: [Step<'a>; 1],
}

#[derive(Serialize)]
struct Step<'a> {
    apply: &'a [String],
    preview: bool,
    timeout: &'a str,
    pillar: Value,
}

impl Apply {
    pub(super) fn main(self) -> Result<Exit> {
        self.targets.select()?;
        let files = Files { pipeline: self.write()?, inventory: self.targets.inventory.clone() };
        let mut read = files.read()?;
        let (plan, history) = read.plan()?;
        let command = RunCommand { files, time_scale: None, if_changed: false, anew: true, manner: self.manner };
        let (run, exit) = command.carry_out(read, plan, history)?;
        let hosts = applied(&run)?.into_values().next().unwrap_or_default();
        super::print(&match self.json {
            true => json(&hosts)?,
            // Where no host came as far as its states, the error says why.
            false if hosts.is_empty() => String::new(),
            false => states::text(&hosts, self.all),
        })?;
        exit
    }

    /// Writes the pipeline, under a name that is made of what it says.
    fn write(&self) -> Result<Utf8PathBuf> {
        let folders = if self.roots.is_empty() { vec!["formulas".into()] } else { self.roots.clone() };
        if let Some(missing) = folders.iter().find(|folder| !folder.is_dir()) {
            let error = Error::usage(format!("`{missing}` is not a folder of formulas"));
            return Err(error.hint("`--root DIR` says where they are"));
        }
        let formulas = Roots(folders.iter().map(|folder| Arc::new(Directory(folder.into())) as _).collect());
        self.sls.iter().try_for_each(|name| sources::sls_is_there(&formulas, name))?;
        let name = if self.preview { "preview" } else { "apply" };
        let pillar = self.pillar.as_deref().map_or_else(
            || Ok(Value::Object(serde_json::Map::new())),
            |given| {
                super::formula::files::mapping("pillar", given)
                    .and_then(|pillar| Ok(serde_json::to_value(pillar).map_err(std::io::Error::from)?))
            },
        )?;
        let pipeline = Pipeline {
            pipeline: Head {
                name,
                formulas: folders,
                pillar: &self.pillar_root,
                secret: &self.secret,
                python2: self.python2,
            },
            stage: [Stage {
                name,
                hosts: &self.targets.hosts,
                fan_out: self.fan_out,
                max_failures: "100%",
                engine: self.engine,
                step: [Step { apply: &self.sls, preview: self.preview, timeout: &self.timeout, pillar }],
            }],
        };
        let text =
            toml::to_string(&pipeline).map_err(|error| Error::usage(format!("the pillar is no TOML: {error}")))?;
        let file = Utf8Path::new(FOLDER).join(format!("{}.toml", &Hash::of(text.as_bytes()).to_string()[..16]));
        // What the options say wrong is said of them, not of a file that nobody wrote.
        config::parse_pipeline("the options", &text)?;
        fs_err::create_dir_all(FOLDER)?;
        let mut options = fs_err::OpenOptions::new();
        fs_err::os::unix::fs::OpenOptionsExt::mode(options.write(true).create(true).truncate(true), 0o600);
        std::io::Write::write_all(&mut options.open(&file)?, text.as_bytes())?;
        Ok(file)
    }
}

/// One line of the file of returns.
#[derive(Deserialize)]
struct Line {
    host: String,
    stage: String,
    step: String,
    states: Vec<Ran>,
}

/// What became of the states of every host, by the last try, for every step by its stage and title.
pub(super) fn applied(run: &Run) -> Result<IndexMap<(String, String), Vec<Host>>> {
    let text = match fs_err::read_to_string(run.returns_file()) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        text => text?,
    };
    let mut steps: IndexMap<_, BTreeMap<String, Vec<Ran>>> = IndexMap::new();
    for line in text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()) {
        steps.entry((line.stage, line.step)).or_default().insert(line.host, line.states);
    }
    let hosts = |last: BTreeMap<_, _>| last.into_iter().map(|(name, ran)| Host { name, ran }).collect();
    Ok(steps.into_iter().map(|(step, last)| (step, hosts(last))).collect())
}

fn json(hosts: &[Host]) -> Result<String> {
    let mut text = String::new();
    for Host { name, ran } in hosts {
        let line = serde_json::json!({ "host": name, "states": ran });
        text += &serde_json::to_string(&line).map_err(std::io::Error::from)?;
        text.push('\n');
    }
    Ok(text)
}
