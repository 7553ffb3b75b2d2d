//! What the formula commands read: formula files, pillar, grains, recorded answers, minion options.

use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use clap::Args;

use crate::agent::{git, grains};
use crate::cli::sources::git_at;
use crate::engine::clock;
use crate::error::{Error, Result};
use crate::formula::compile::Subject;
use crate::formula::facts::{Facts, Host, Recorded};
use crate::formula::roots::{Directory, Git, Package, Root, Roots};
use crate::formula::yaml::{self, Mappings};
use crate::formula::{Data, Dict};
use crate::model::address::redact;

/// Where formulas are when nothing else is said.
const FOLDER: &str = "formulas";

/// The formula files.
#[derive(Debug, Args)]
pub(in crate::cli) struct Files {
    /// A folder of formulas; may be given several times, the first that has a file wins [default: formulas]
    #[arg(short, long = "root", value_name = "DIR")]
    pub(in crate::cli) roots: Vec<Utf8PathBuf>,
    /// A git repository of formulas at a commit
    #[arg(long = "git", value_name = "URL@COMMIT")]
    git: Vec<String>,
    /// A Debian package of formulas: the name of one that is installed, or a .deb file
    #[arg(long = "package", value_name = "NAME|FILE")]
    packages: Vec<String>,
}

impl Files {
    pub(in crate::cli) fn read(&self) -> Result<Roots> {
        let mut roots: Vec<Arc<dyn Root>> = Vec::new();
        let is_silent = self.roots.is_empty() && self.git.is_empty() && self.packages.is_empty();
        let default = is_silent.then(|| Utf8PathBuf::from(FOLDER));
        for folder in self.roots.iter().chain(&default) {
            if !folder.is_dir() {
                let message = format!("`{folder}` is not a folder of formulas");
                let hint = "`--root DIR`, `--git URL@COMMIT` or `--package NAME` says where they are";
                return Err(Error::usage(message).hint(hint));
            }
            roots.push(Arc::new(Directory(folder.clone().into())));
        }
        for repository in &self.git {
            roots.push(Arc::new(pinned(repository)?));
        }
        for package in &self.packages {
            roots.push(Arc::new(Package::open(package)?));
        }
        Ok(Roots(roots))
    }
}

/// A repository at the commit that `URL@REVISION` names, by way of a copy in the project's own folder.
fn pinned(given: &str) -> Result<Git> {
    let (url, revision) = given
        .rsplit_once('@')
        .filter(|(url, _)| !url.is_empty())
        .ok_or_else(|| Error::usage(format!("`{}` names no commit", redact(given))).hint("write `--git URL@COMMIT`"))?;
    git_at(url, &git::resolve(url, revision)?)
}

/// What a host's pillar is.
#[derive(Debug, Args)]
pub(in crate::cli) struct Pillar {
    /// The pillar: a YAML file, or a mapping such as '{nova: {enabled: true}}'; merged over the tree's
    #[arg(short, long, value_name = "FILE|YAML")]
    pillar: Option<String>,
    /// A pillar tree, with its `top.sls`
    #[arg(long, value_name = "DIR")]
    pillar_root: Vec<Utf8PathBuf>,
}

impl Pillar {
    /// The pillar of one host.
    pub(in crate::cli) fn of(&self, subject: &Subject) -> Result<Data> {
        let given =
            self.pillar.as_deref().map_or_else(|| Ok(Dict::default().into()), |given| mapping("pillar", given))?;
        if self.pillar_root.is_empty() {
            return Ok(given);
        }
        let mut roots: Vec<Arc<dyn Root>> = Vec::new();
        for folder in &self.pillar_root {
            if !folder.is_dir() {
                return Err(Error::usage(format!("`{folder}` is not a folder of pillar files")));
            }
            roots.push(Arc::new(Directory(folder.clone().into())));
        }
        Ok(subject.pillar(Roots(roots), &given)?)
    }
}

/// The host that formulas are compiled for, when it is not one of an inventory.
#[derive(Debug, Args)]
pub(in crate::cli) struct Minion {
    /// The grains: a YAML or JSON file, or a mapping [default: those of this machine]
    #[arg(short, long, value_name = "FILE|YAML")]
    pub(in crate::cli) grains: Option<String>,
    /// Recorded answers of functions that ask the host: a list of {function, args, kwargs, answer}
    #[arg(long, value_name = "FILE")]
    facts: Option<Utf8PathBuf>,
    /// The host's name [default: the grain `id`]
    #[arg(long, value_name = "NAME")]
    id: Option<String>,
    #[command(flatten)]
    pub(super) options: Options,
}

/// Minion options.
#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    /// Minion options such as nodegroups: a YAML file, or a mapping
    #[arg(long = "opts", value_name = "FILE|YAML")]
    opts: Option<String>,
    /// Read formulas as those of 2015 to 2019 were written: `iteritems`, `has_key`, lists from `keys()`
    #[arg(long)]
    pub(super) python2: bool,
}

impl Options {
    pub(in crate::cli) fn read(&self) -> Result<Data> {
        self.opts.as_deref().map_or_else(|| Ok(Dict::default().into()), |opts| mapping("opts", opts))
    }
}

impl Minion {
    pub(in crate::cli) fn read(&self) -> Result<Subject> {
        let (grains, own) = match &self.grains {
            Some(grains) => (mapping("grains", grains)?, false),
            None => (here(self.id.as_deref()), true),
        };
        let facts: Arc<dyn Facts> = match &self.facts {
            Some(file) => Arc::new(Recorded::from_data(&read(file, "facts")?)?),
            None if own => Arc::new(Host),
            None => Arc::new(Recorded::default()),
        };
        let grain = grains.get("id").and_then(Data::as_str).map(str::to_owned);
        let id = self.id.clone().or(grain).unwrap_or_else(|| "localhost".to_owned());
        Ok(Subject { id, grains, options: self.options.read()?, facts, python2: self.options.python2 })
    }
}

/// This machine's grains.
pub(super) fn here(id: Option<&str>) -> Data {
    let grains = grains::collect(&grains::Facts { root: Utf8Path::new("/"), id, now: clock::real_now() });
    serde_json::Value::Object(grains).into()
}

/// A mapping from a file, or written out.
pub(in crate::cli) fn mapping(what: &str, given: &str) -> Result<Data> {
    let data =
        if given.trim_start().starts_with('{') { parse(given, what)? } else { read(Utf8Path::new(given), what)? };
    match data {
        Data::Dict(_) => Ok(data),
        Data::None => Ok(Dict::default().into()),
        other => Err(Error::usage(format!("{given}: {what} is a mapping, and this is a {}", other.type_name()))),
    }
}

fn read(file: &Utf8Path, what: &str) -> Result<Data> {
    let text = fs_err::read_to_string(file)?;
    parse(&text, file.as_str()).map_err(|error| match error.hint {
        None => error.hint(format!("`--{what}` reads YAML or JSON")),
        Some(_) => error,
    })
}

fn parse(text: &str, name: &str) -> Result<Data> {
    yaml::load(text, Mappings::Ordered)
        .map_err(|error| Error::usage(format!("{name}:{}:{}: {}", error.line, error.column, error.message)))
}
