//! The whole way from SLS names to low state for one host.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, OnceLock};

use super::error::{Error, Kind, Result};
use super::facts::Facts;
use super::merge::Strategy;
use super::roots::{Links, Roots};
use super::sls::{self, Low, Rendered, Source};
use super::template::{Context, Engine, value};
use super::{Data, Dict, matcher, pillar, renderer, top};

/// The one environment that there is.
const ENVIRONMENT: &str = "base";

/// One host, as its formulas see it.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its name, Salt's minion id.
    pub id: String,
    /// Its grains.
    pub grains: Data,
    /// Minion options beyond upshift's own: `nodegroups`, `pillar_merge_lists` and their kind.
    pub options: Data,
    /// Answers what only the host knows.
    pub facts: Arc<dyn Facts>,
    /// Whether its formulas were written for Python 2.
    pub python2: bool,
}

impl Subject {
    /// The minion options that templates see.
    fn opts(&self) -> Dict {
        let mut opts = Dict::default();
        opts.entries.extend(defaults());
        opts.insert("id", self.id.as_str());
        opts.entries.extend(self.options.as_dict().into_iter().flat_map(|given| given.entries.clone()));
        opts
    }

    /// The minion options that decide what becomes of SLS.
    fn sls_options(&self) -> sls::Options {
        let opts = self.opts();
        let disabled = match opts.get("disabled_requisites") {
            Some(Data::List(kinds)) => kinds.iter().filter_map(Data::as_str).map(str::to_owned).collect(),
            kind => kind.and_then(Data::as_str).map(str::to_owned).into_iter().collect(),
        };
        sls::Options {
            auto_order: opts.get("state_auto_order").is_none_or(Data::is_true),
            disabled_requisites: disabled,
        }
    }

    fn engine(&self, roots: Roots, pillar: &Data) -> Engine {
        let grains = self.grains.unordered();
        let opts = value::from_data(&Data::from(self.opts()).unordered());
        if let Some(opts) = value::as_dict(&opts) {
            opts.insert("grains".into(), value::from_data(&grains));
            opts.insert("pillar".into(), value::from_data(pillar));
        }
        let (pillar, grains) = (value::from_data(pillar), value::from_data(&grains));
        Engine::new(Context { pillar, grains, opts, roots, facts: Arc::clone(&self.facts), python2: self.python2 })
    }

    /// The pillar that a tree gives this host, with `given` merged over it.
    ///
    /// # Errors
    /// When a file of the tree cannot be read, rendered or merged.
    pub fn pillar(&self, tree: Roots, given: &Data) -> Result<Data> {
        let opts = self.opts();
        let strategy = opts.get("pillar_source_merging_strategy").and_then(Data::as_str).unwrap_or("smart");
        let is_set = |name: &str| opts.get(name).is_some_and(Data::is_true);
        let options = pillar::Options {
            strategy: Strategy::named(strategy, "jinja|yaml"),
            merge_lists: is_set("pillar_merge_lists"),
            includes_win: is_set("pillar_includes_override_sls"),
        };
        let given = if given.is_true() { given.clone() } else { Dict::default().into() };
        let engine = self.engine(tree, &given);
        let nodegroups = opts.get("nodegroups").cloned().unwrap_or_default();
        let host = matcher::Host { id: &self.id, grains: &self.grains, pillar: &Data::None, nodegroups: &nodegroups };
        pillar::compile(&engine, &host, &given, options)
    }
}

/// What Salt's minion has when nothing is configured: the options that formulas look at.
fn defaults() -> impl Iterator<Item = (Data, Data)> {
    let list = || Data::from(Vec::new());
    let base = |folders: &[&str]| {
        let folders: Data = folders.iter().map(|folder| Data::from(*folder)).collect();
        Data::from(Dict::from_iter([(ENVIRONMENT.into(), folders)]))
    };
    let options: [(&str, Data); 36] = [
        ("__role", "minion".into()),
        ("cachedir", "/var/cache/salt/minion".into()),
        ("conf_file", "/etc/salt/minion".into()),
        ("default_top", ENVIRONMENT.into()),
        ("disabled_requisites", list()),
        ("env_order", list()),
        ("extension_modules", "/var/cache/salt/minion/extmods".into()),
        ("failhard", false.into()),
        ("file_client", "local".into()),
        ("file_ignore_glob", list()),
        ("file_ignore_regex", list()),
        ("file_roots", base(&["/srv/salt", "/srv/spm/salt"])),
        ("hash_type", "sha256".into()),
        ("ipv6", Data::None),
        ("log_level", "warning".into()),
        ("master", "salt".into()),
        ("master_port", 4506_i64.into()),
        ("master_type", "str".into()),
        ("nodegroups", Dict::default().into()),
        ("pillar_merge_lists", false.into()),
        ("pillar_roots", base(&["/srv/pillar", "/srv/spm/pillar"])),
        ("pillar_source_merging_strategy", "smart".into()),
        ("pillarenv", Data::None),
        ("pki_dir", "/etc/salt/pki/minion".into()),
        ("renderer", "jinja|yaml".into()),
        ("root_dir", "/".into()),
        ("saltenv", Data::None),
        ("sock_dir", "/var/run/salt/minion".into()),
        ("state_aggregate", false.into()),
        ("state_auto_order", true.into()),
        ("state_output", "full".into()),
        ("state_top", "salt://top.sls".into()),
        ("state_verbose", true.into()),
        ("test", false.into()),
        ("top_file_merging_strategy", "merge".into()),
        ("user", "root".into()),
    ];
    options.into_iter().map(|(name, value)| (name.into(), value))
}

/// Compiles formulas for one host.
#[derive(Debug)]
pub struct Compiler {
    subject: Subject,
    pillar: Data,
    engine: Engine,
    /// Every SLS of the roots, once all of them were asked for.
    names: OnceLock<Vec<String>>,
}

impl Compiler {
    /// A compiler for a host with its pillar.
    #[must_use]
    pub fn new(subject: Subject, roots: Roots, pillar: Data) -> Self {
        let engine = subject.engine(roots, &pillar);
        Self { subject, pillar, engine, names: OnceLock::new() }
    }

    /// The low state of some SLS, in the order in which Salt 3007 runs it.
    ///
    /// # Errors
    /// When an SLS is missing, cannot be rendered, or says something that Salt refuses.
    pub fn low_state(&mut self, sls: &[String]) -> Result<Low> {
        let options = self.subject.sls_options();
        let high = sls::high_state(self, &[(ENVIRONMENT.to_owned(), sls.to_vec())], options)?;
        sls::low_state(high)
    }

    /// The SLS that `top.sls` gives the host.
    ///
    /// # Errors
    /// When there is no top file, or it is not one.
    pub fn top(&mut self) -> Result<Vec<String>> {
        let text = self.roots().text(top::FILE).map_err(|error| missing(&error))?;
        let text = text.ok_or_else(|| Error::new(Kind::Missing, "the formulas have no `top.sls`"))?;
        let found = super::roots::Found { path: top::FILE.to_owned(), is_init: false, text };
        let first = renderer::render(&self.engine, "", &found, &Data::None)?;
        let tops = top::gather(first, |pattern| {
            let names = self.names()?.iter().filter(|name| super::fnmatch::is_match(pattern, name));
            names.filter_map(|name| self.data(name).transpose().map(|read| Ok((name.clone(), read?.data)))).collect()
        })?;
        let opts = self.subject.opts();
        let nodegroups = opts.get("nodegroups").cloned().unwrap_or_default();
        let host = matcher::Host {
            id: &self.subject.id,
            grains: &self.subject.grains,
            pillar: &self.pillar,
            nodegroups: &nodegroups,
        };
        top::states(&tops, &host)
    }

    /// A file template, with the variables that `file.managed` gives it.
    ///
    /// # Errors
    /// When there is no such template, or it fails.
    pub fn render_file(&self, path: &str, variables: &Data) -> Result<String> {
        self.engine.render_file(path, variables)
    }

    /// What one of Salt's functions answers, as in a template: `call("file.file_exists", …)`.
    ///
    /// # Errors
    /// When nobody has it, or it fails.
    pub fn call(&self, function: &str, args: &[Data], named: &[(String, Data)]) -> Result<Data> {
        self.engine.call(function, args, named)
    }

    /// Has functions that templates call from now on find another value of a grain.
    pub fn set_grain(&self, name: &str, value: Option<&Data>) {
        self.engine.set_grain(name, value);
    }

    /// What a template becomes that is no file of the roots; `name` is what errors call it.
    ///
    /// # Errors
    /// When it fails.
    pub fn render_text(&self, name: &str, text: &str, variables: &Data) -> Result<String> {
        self.engine.render_text(name, text, variables)
    }

    /// The content of a file of the roots.
    ///
    /// # Errors
    /// When what is there cannot be read.
    pub fn read_file(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        self.roots().read(path)
    }

    /// Whether the roots have a file.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub fn has_file(&self, path: &str) -> io::Result<bool> {
        self.roots().has(path)
    }

    /// The mode of a file of the roots, where modes are known.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub fn file_mode(&self, path: &str) -> io::Result<Option<u32>> {
        self.roots().mode(path)
    }

    /// The links of the roots, with where each leads.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn links(&self) -> io::Result<Links> {
        self.roots().links()
    }

    /// The paths of the files of the roots below a folder.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn files_below(&self, folder: &str) -> io::Result<Vec<String>> {
        self.roots().below(folder)
    }

    /// The pillar of the host.
    #[must_use]
    pub fn pillar(&self) -> &Data {
        &self.pillar
    }

    /// The grains of the host.
    #[must_use]
    pub fn grains(&self) -> &Data {
        &self.subject.grains
    }

    /// What answers for the host.
    #[must_use]
    pub fn facts(&self) -> &dyn Facts {
        self.subject.facts.as_ref()
    }

    /// A minion option.
    #[must_use]
    pub fn option(&self, name: &str) -> Option<Data> {
        self.subject.opts().remove(name)
    }

    /// The text that the template of an SLS becomes.
    ///
    /// # Errors
    /// When there is no such SLS, or it fails.
    pub fn render_sls(&self, sls: &str, path: &str) -> Result<String> {
        self.engine.render_sls(sls, path, &Data::None)
    }

    /// What is configured under a name such as `mysql.host`: an option of the minion, else a grain, else in the pillar.
    #[must_use]
    pub fn config(&self, name: &str) -> Option<Data> {
        let opts = self.subject.options.get(name);
        opts.or_else(|| self.subject.grains.get(name)).or_else(|| self.pillar.get(name)).cloned()
    }

    fn names(&self) -> Result<&[String]> {
        if let Some(names) = self.names.get() {
            return Ok(names);
        }
        let names = self.roots().sls_names().map_err(|error| missing(&error))?;
        Ok(self.names.get_or_init(|| names))
    }

    fn roots(&self) -> &Roots {
        &self.engine.context().roots
    }

    fn data(&self, sls: &str) -> Result<Option<Rendered>> {
        let found = self.roots().sls(sls).map_err(|error| missing(&error))?;
        let Some(found) = found else { return Ok(None) };
        let data = renderer::render(&self.engine, sls, &found, &Data::None)?;
        let lines = lines(&found.text);
        Ok(Some(Rendered { data, is_init: found.is_init, path: found.path, lines }))
    }
}

fn missing(error: &io::Error) -> Error {
    Error::new(Kind::Missing, error.to_string())
}

/// Where the IDs of an SLS stand, as far as its text says so before it is rendered.
fn lines(text: &str) -> HashMap<String, usize> {
    let id = |line: &str| {
        let id = line.split_once(':').filter(|(id, _)| !id.starts_with([' ', '#', '-', '{']))?.0;
        Some(id.trim_matches(['"', '\'']).to_owned())
    };
    text.lines().enumerate().filter_map(|(at, line)| Some((id(line)?, at + 1))).collect()
}

impl Source for Compiler {
    fn available(&self, saltenv: &str) -> Result<Option<&[String]>> {
        if saltenv == ENVIRONMENT { self.names().map(Some) } else { Ok(None) }
    }

    fn has(&self, saltenv: &str, sls: &str) -> Result<bool> {
        Ok(saltenv == ENVIRONMENT && self.roots().has_sls(sls).map_err(|error| missing(&error))?)
    }

    fn render(&mut self, saltenv: &str, sls: &str) -> Result<Option<Rendered>> {
        if saltenv == ENVIRONMENT { self.data(sls) } else { Ok(None) }
    }
}
