//! Expanding a pipeline over an inventory.

use std::collections::{HashMap, HashSet};

use indexmap::{IndexMap, IndexSet};
use jiff::SignedDuration;
use minijinja::Value;

use super::template::Templates;
use super::{digest, expected, hosts, probes};
use crate::error::{Error, Result};
use crate::model::backup::{Data, Test};
use crate::model::inventory::{Host, Inventory, Ssh, Transport};
use crate::model::outline::MAX_PLACES;
use crate::model::pipeline::{self, Edge, OnInterrupt, Pipeline, StepKind};
use crate::model::plan::{self, Action, Apply, Expected, Formulas, Plan, Undo, Unit};
use crate::model::{Address, Backup, History, Text, selector};

/// Finds the commit that a revision of a repository names.
pub type Resolve<'a> = dyn FnMut(&str, &str) -> Result<String> + 'a;

/// The most stages a pipeline and steps a stage can have.
const MOST: usize = 1000;

/// Builds the plan.
///
/// # Errors
///
/// A selector finds nothing, a template names what a host does not have, a commit cannot be
/// resolved, or a step cannot be carried out on a host; each with its place and, where there is
/// one, its host.
pub fn build(
    pipeline: &Pipeline,
    inventory: &Inventory,
    history: &History,
    formulas: Option<Formulas>,
    resolve: &mut Resolve,
) -> Result<Plan> {
    let python2 = pipeline.formulas.python2;
    let mut builder = Builder {
        inventory,
        used: IndexSet::new(),
        backups: HashSet::new(),
        formulas,
        python2,
        resolve,
        placed: HashMap::new(),
    };
    if pipeline.stages.len() > MOST {
        return Err(Error::usage(format!("{}: a pipeline has at most {MOST} stages", pipeline.file)));
    }
    let mut stages = builder.stages(pipeline)?;
    compile_ahead(&mut stages);
    let hosts = builder.number_hosts(&mut stages);
    let mut plan = Plan {
        pipeline: pipeline.name.clone(),
        summary: pipeline.summary.clone(),
        digest: String::new(),
        content: String::new(),
        pipeline_file: String::new(),
        inventory_file: String::new(),
        undoes: None,
        window: plan::Window::default(),
        reserve: pipeline.reserve,
        budget: pipeline.budget.of(u32::try_from(hosts.len()).unwrap_or(u32::MAX)),
        ssh: Ssh::default(),
        hosts,
        stages,
        probes: probes::all(pipeline, inventory)?,
    };
    plan.digest = digest::digest(&plan);
    plan.ssh.clone_from(&inventory.ssh);
    plan.window = window(&pipeline.window);
    plan.pipeline_file.clone_from(&pipeline.file);
    plan.inventory_file.clone_from(&inventory.file);
    expect(&mut plan, history);
    Ok(plan)
}

/// Fills in how long each step is expected to take, by what earlier runs taught.
pub fn expect(plan: &mut Plan, history: &History) {
    expected::fill(plan, history);
}

fn window(window: &pipeline::Window) -> plan::Window {
    let edge = |edge: Edge| match edge {
        Edge::Daily(time) => time.strftime("%H:%M").to_string(),
        Edge::At(moment) => moment.to_string(),
    };
    plan::Window { opens: window.opens.map(edge), closes: window.closes.map(edge), length: window.length }
}

struct Builder<'a, 'r> {
    inventory: &'a Inventory,
    /// Hosts in the order they were first named; places in here are ids until they are renumbered.
    used: IndexSet<&'a str>,
    /// Every backup: its host, folder and name.
    backups: HashSet<(&'a str, Option<String>, String)>,
    formulas: Option<Formulas>,
    python2: bool,
    resolve: &'a mut Resolve<'r>,
    /// The one host that each selector names which has to name one.
    placed: HashMap<String, &'a Host>,
}

impl<'a> Builder<'a, '_> {
    fn stages(&mut self, pipeline: &Pipeline) -> Result<Vec<plan::Stage>> {
        let mut places = 0;
        let mut room = |stage: &pipeline::Stage, planned: plan::Stage| {
            places += planned.hosts.len();
            if places > MAX_PLACES {
                let message = format!("{}: the stages have more than {MAX_PLACES} hosts together", stage.place);
                return Err(Error::usage(message));
            }
            Ok(planned)
        };
        let mut planned = Vec::with_capacity(pipeline.stages.len());
        // What is installed on the hosts that need it waits until it is known which ones do.
        for stage in &pipeline.stages {
            let is_ahead = stage.hosts.is_none() && stage.steps.iter().any(pipeline::Step::installs);
            planned.push(if is_ahead {
                None
            } else {
                let hosts = hosts::of_stage(stage, self.inventory)?;
                Some(room(stage, self.stage(pipeline, stage, &hosts)?)?)
            });
        }
        let mut stages: Vec<plan::Stage> = Vec::with_capacity(planned.len());
        for (stage, planned) in pipeline.stages.iter().zip(planned).rev() {
            stages.push(match planned {
                Some(planned) => planned,
                None => room(stage, self.stage(pipeline, stage, &self.appliers(stage, &stages)?)?)?,
            });
        }
        stages.reverse();
        Ok(stages)
    }

    /// The hosts that these stages apply formulas on, in inventory order.
    fn appliers(&self, stage: &pipeline::Stage, later: &[plan::Stage]) -> Result<Vec<&'a Host>> {
        let units = later.iter().flat_map(|stage| &stage.steps).flat_map(|step| &step.units);
        let on: HashSet<&str> = units
            .filter(|unit| matches!(unit.action, Action::Apply(_)))
            .filter_map(|unit| self.used.get_index(unit.on as usize).copied())
            .collect();
        let all = std::iter::once(&self.inventory.controller).chain(self.inventory.hosts.values());
        let hosts: Vec<_> = all.filter(|host| on.contains(host.name.as_str())).collect();
        if hosts.is_empty() {
            return Err(Error::usage(format!(
                "{}: nothing after stage `{}` applies formulas",
                stage.place, stage.name
            ))
            .hint("an `install` step comes before the `apply` steps that need its formula"));
        }
        Ok(hosts)
    }

    fn stage(&mut self, pipeline: &Pipeline, stage: &pipeline::Stage, hosts: &[&'a Host]) -> Result<plan::Stage> {
        if stage.steps.len() > MOST {
            return Err(Error::usage(format!("{}: a stage has at most {MOST} steps", stage.place)));
        }
        let count = u32::try_from(hosts.len()).unwrap_or(u32::MAX);
        let cascade = &stage.cascade;
        let spread = cascade.spread.as_ref();
        let domains = spread.map(|(attribute, place)| hosts::domains(attribute, place, hosts)).transpose()?;
        let templates = Templates::new(pipeline, &stage.name, self.inventory);
        let contexts: Vec<_> = hosts.iter().map(|host| templates.context(host)).collect();
        let mut planned = plan::Stage {
            name: stage.name.clone(),
            summary: stage.summary.clone(),
            impact: stage.impact.clone(),
            window: stage.window,
            pace: cascade.pace,
            fan_out: cascade.fan_out.of(count),
            canary: cascade.canary.iter().map(|wave| wave.of(count)).collect(),
            settle: cascade.settle,
            spread: spread.map(|(attribute, _)| attribute.clone()),
            budget: stage.budget.of(count),
            rollback: stage.rollback.unwrap_or(pipeline.rollback),
            hosts: hosts.iter().map(|host| self.id(host)).collect(),
            domains: domains.unwrap_or_default(),
            steps: Vec::with_capacity(stage.steps.len()),
        };
        for step in &stage.steps {
            let mut units = Vec::with_capacity(hosts.len());
            for (host, context) in hosts.iter().zip(&contexts) {
                let fill = Fill { stage, templates: &templates, host, context };
                units.push(self.unit(step, &fill)?);
            }
            planned.steps.push(planned_step(step, units, &planned.steps));
        }
        Ok(planned)
    }

    fn id(&mut self, host: &'a Host) -> u32 {
        u32::try_from(self.used.insert_full(&host.name).0).unwrap_or(u32::MAX)
    }

    fn unit(&mut self, step: &pipeline::Step, fill: &Fill) -> Result<Unit> {
        let on = match &step.on {
            None => self.host(&fill.host.name),
            Some(text) => self.place("on", text, fill)?,
        };
        let action = self.action(step, &step.kind, on, fill)?;
        if action == Action::Reboot && on.transport == Transport::Local {
            return Err(Error::usage(format!(
                "{}: host `{}` is the machine upshift runs on, and restarting it would end the run",
                step.place, on.name
            ))
            .hint("`reboot` is for hosts whose transport is not `local`"));
        }
        if let Action::Backup(backup) = &action
            && !self.backups.insert((&on.name, backup.folder.clone(), backup.name.clone()))
        {
            let message = format!("{}: host `{}` has two backups with the name `{}`", step.place, on.name, backup.name);
            return Err(
                Error::usage(message).hint("give each a `name` of its own: `backup = { …, name = \"before\" }`")
            );
        }
        let env = step.env.iter().map(|(name, text)| Ok((name.clone(), fill.text(text)?)));
        Ok(Unit {
            on: self.id(on),
            action,
            unless: fill.option(step.unless.as_ref())?,
            env: env.collect::<Result<IndexMap<_, _>>>()?,
            undo: self.undo(step, on, fill)?,
            always: fill.option(step.always.as_ref())?,
        })
    }

    fn host(&self, name: &str) -> &'a Host {
        self.inventory.hosts.get(name).unwrap_or(&self.inventory.controller)
    }

    /// The one host that a key names.
    fn place(&mut self, key: &str, text: &Text, fill: &Fill) -> Result<&'a Host> {
        let selector = fill.text(text)?;
        if let Some(host) = self.placed.get(&selector) {
            return Ok(host);
        }
        let host = if selector == self.inventory.controller.name {
            &self.inventory.controller
        } else {
            let hosts = selector::select(self.inventory, &selector)
                .map_err(|error| hosts::refused(&text.place, &format!("`{key}`"), error))?;
            let [host] = hosts[..] else {
                let place = &text.place;
                return Err(Error::usage(format!(
                    "{place}: `{key}` wants one host, and `{selector}` selects {}",
                    hosts.len()
                ))
                .hint(format!("`{selector}[1]` is the first of a group")));
            };
            host
        };
        self.placed.insert(selector, host);
        Ok(host)
    }

    fn undo(&mut self, step: &pipeline::Step, on: &'a Host, fill: &Fill) -> Result<Vec<Undo>> {
        let part = |(kind, timeout): &_| Ok(Undo { action: self.action(step, kind, on, fill)?, timeout: *timeout });
        match (&step.undo, &step.kind) {
            (pipeline::Undo::Steps(parts), _) => parts.iter().map(part).collect(),
            // What was kept goes back, unless the pipeline has another idea.
            (pipeline::Undo::Nothing, StepKind::Backup(backup)) => {
                let backup = Backup { test: None, ..self.backup(backup, on, fill)? };
                Ok(vec![Undo { action: Action::Restore(Box::new(backup)), timeout: None }])
            }
            _ => Ok(Vec::new()),
        }
    }

    fn action(&mut self, step: &pipeline::Step, kind: &StepKind, on: &'a Host, fill: &Fill) -> Result<Action> {
        Ok(match kind {
            StepKind::Run { command, until } => {
                Action::Run { command: fill.text(command)?, until: fill.pattern(until.as_ref())? }
            }
            StepKind::Wait { what, every } => Action::Wait { what: fill.wait(what)?, every: *every },
            StepKind::Pull { repo: repo_text, rev: rev_text, into } => {
                let (repo, rev) = (fill.text(repo_text)?, fill.text(rev_text)?);
                let commit = (self.resolve)(&repo, &rev).map_err(|error| error.at(&rev_text.place))?;
                Action::Pull { repo: Address::new(repo), rev, commit, into: fill.text(into)? }
            }
            StepKind::Install(install) => {
                let pipeline::Install { formula, from, place } = install;
                let from = match from {
                    pipeline::Origin::Git { repo, rev } => {
                        let commit = (self.resolve)(repo, rev).map_err(|error| error.at(place))?;
                        plan::Origin::Git { repo: Address::new(repo.clone()), rev: rev.clone(), commit }
                    }
                    pipeline::Origin::Folder(folder) => plan::Origin::Folder(folder.to_string()),
                    pipeline::Origin::Package(package) => plan::Origin::Package(package.clone()),
                };
                let formulas = self.formulas(step)?.files;
                // What is applied is known once all stages are.
                Action::Install(Box::new(plan::Install {
                    formula: formula.clone(),
                    from,
                    formulas,
                    applies: Vec::new(),
                }))
            }
            StepKind::Gate { question } => Action::Gate { question: fill.text(question)? },
            StepKind::Apply { sls, pillar, preview } => {
                let Formulas { files, tree } = self.formulas(step)?;
                Action::Apply(Box::new(Apply {
                    sls: sls.iter().map(|name| fill.text(name)).collect::<Result<_>>()?,
                    formulas: files,
                    tree,
                    pillar: pillar.clone(),
                    preview: *preview,
                    python2: self.python2,
                    engine: fill.stage.engine,
                }))
            }
            StepKind::Backup(backup) => Action::Backup(Box::new(self.backup(backup, on, fill)?)),
            StepKind::Restore(backup) => Action::Restore(Box::new(self.backup(backup, on, fill)?)),
            StepKind::Reboot => Action::Reboot,
        })
    }

    /// A backup on a host, with the hosts that it is copied to.
    fn backup(&mut self, backup: &Backup<Text>, on: &'a Host, fill: &Fill) -> Result<Backup> {
        fill.check(backup)?;
        let mut filled = backup.fill(
            |text| fill.text(text),
            |key, text| {
                let host = self.place(key, text, fill)?;
                self.id(host);
                let is_real = |host: &Host| host.transport != Transport::Simulated;
                if key == "to" && host.name == on.name {
                    let message = format!("`{}` has the backup anyway, without a copy", host.name);
                    return Err(fill.error(text, &message).hint("leave `to` out, or name another host"));
                }
                if is_real(host) != is_real(on) {
                    let message = format!("`{}` and `{}` are not both simulated", on.name, host.name);
                    return Err(fill.error(text, &message));
                }
                Ok(host.name.clone())
            },
        )?;
        if filled.test == Some(Test::On(on.name.clone())) {
            filled.test = Some(Test::Here);
        }
        Ok(filled)
    }

    /// The formulas and what tells the pillar tree from all others.
    fn formulas(&self, step: &pipeline::Step) -> Result<Formulas> {
        self.formulas.ok_or_else(|| {
            let message = format!("{}: the pipeline does not say where its formulas are", step.place);
            Error::usage(message).hint("`formulas = [\"formulas\"]` below `[pipeline]` names their folders")
        })
    }

    /// Numbers the hosts that are used in inventory order, the controller first.
    fn number_hosts(&self, stages: &mut [plan::Stage]) -> Vec<plan::Host> {
        let all = std::iter::once(&self.inventory.controller).chain(self.inventory.hosts.values());
        let used: Vec<_> = all.filter(|host| self.used.contains(host.name.as_str())).collect();
        let mut ids = vec![0_u32; self.used.len()];
        for (id, host) in (0..).zip(&used) {
            if let Some(old) = self.used.get_index_of(host.name.as_str()) {
                ids[old] = id;
            }
        }
        for stage in stages {
            let units = stage.steps.iter_mut().flat_map(|step| step.units.iter_mut().map(|unit| &mut unit.on));
            for id in stage.hosts.iter_mut().chain(units) {
                *id = ids[*id as usize];
            }
        }
        let planned = |host: &&Host| plan::Host {
            name: host.name.clone(),
            address: host.address.clone(),
            transport: host.transport,
            login: host.login.clone(),
            answers: host.answers,
        };
        used.iter().map(planned).collect()
    }
}

/// Tells every step that installs what else the run applies on its host, or takes back there.
fn compile_ahead(stages: &mut [plan::Stage]) {
    let mut applied: HashMap<u32, Vec<Apply>> = HashMap::new();
    for stage in stages.iter_mut().rev() {
        for unit in stage.steps.iter_mut().rev().flat_map(|step| &mut step.units) {
            let on_host = applied.entry(unit.on).or_default();
            if let Action::Install(install) = &mut unit.action {
                install.applies = on_host.iter().rev().cloned().collect();
            }
            let actions = unit.undo.iter().map(|undo| &undo.action).chain([&unit.action]);
            for action in actions {
                if let Action::Apply(apply) = action
                    && !on_host.contains(apply)
                {
                    on_host.push((**apply).clone());
                }
            }
        }
    }
}

/// Filling in templates for one host.
struct Fill<'a> {
    stage: &'a pipeline::Stage,
    templates: &'a Templates<'a>,
    host: &'a Host,
    context: &'a Value,
}

impl Fill<'_> {
    fn text(&self, text: &Text) -> Result<String> {
        self.templates.render(text, self.host, self.context)
    }

    fn option(&self, text: Option<&Text>) -> Result<Option<String>> {
        text.map(|text| self.text(text)).transpose()
    }

    /// A regular expression, which a template may have spoiled.
    fn pattern(&self, text: Option<&Text>) -> Result<Option<String>> {
        let Some(text) = text else { return Ok(None) };
        let pattern = self.text(text)?;
        match regex::Regex::new(&pattern) {
            Ok(_) => Ok(Some(pattern)),
            Err(_) => Err(Error::usage(format!(
                "{}: `{pattern}` is not a regular expression, as filled in for host `{}`",
                text.place, self.host.name
            ))),
        }
    }

    /// Checks the texts of a backup, whose paths a template may have spoiled.
    fn check(&self, backup: &Backup<Text>) -> Result<()> {
        let absolute = |text: &Text| {
            let path = self.text(text)?;
            let is_plain = path.starts_with('/') && !path.split('/').any(|part| part == "..") && path.len() > 1;
            if is_plain { Ok(path) } else { Err(self.error(text, &format!("`{path}` is no absolute path"))) }
        };
        let named = |text: &Text| {
            let name = self.text(text)?;
            let is_plain = !name.starts_with('-') && !name.contains(char::is_control);
            if is_plain { Ok(name) } else { Err(self.error(text, &format!("`{name}` is no name"))) }
        };
        if let Some(folder) = &backup.folder {
            absolute(folder)?;
        }
        match &backup.data {
            Data::Files { paths } => paths.iter().try_for_each(|path| absolute(path).map(drop))?,
            Data::Mariadb { databases, .. } | Data::Postgres { databases } => {
                databases.iter().try_for_each(|name| named(name).map(drop))?;
            }
            Data::Zookeeper { config: path, .. } | Data::Etcd { data: path, .. } => {
                path.iter().try_for_each(|path| absolute(path).map(drop))?;
            }
            Data::Command { .. } => {}
        }
        if let Data::Mariadb { service, .. } | Data::Zookeeper { service, .. } | Data::Etcd { service, .. } =
            &backup.data
        {
            service.iter().try_for_each(|name| named(name).map(drop))?;
        }
        Ok(())
    }

    fn error(&self, text: &Text, what: &str) -> Error {
        Error::usage(format!("{}: {what}, as filled in for host `{}`", text.place, self.host.name))
    }

    fn wait(&self, wait: &pipeline::Wait) -> Result<plan::Wait> {
        Ok(match wait {
            pipeline::Wait::Run { command, until } => {
                plan::Wait::Run { command: self.text(command)?, until: self.pattern(until.as_ref())? }
            }
            pipeline::Wait::Tcp(text) => plan::Wait::Tcp(self.text(text)?),
            pipeline::Wait::Http(text) => plan::Wait::Http(self.text(text)?),
            pipeline::Wait::File(text) => plan::Wait::File(self.text(text)?),
            pipeline::Wait::Unit(text) => plan::Wait::Unit(self.text(text)?),
        })
    }
}

fn planned_step(step: &pipeline::Step, units: Vec<Unit>, before: &[plan::Step]) -> plan::Step {
    let timeout = step.timeout.unwrap_or(match step.kind {
        StepKind::Run { .. } | StepKind::Apply { .. } | StepKind::Backup(_) | StepKind::Restore(_) => {
            SignedDuration::from_hours(1)
        }
        StepKind::Wait { .. } => SignedDuration::from_mins(5),
        StepKind::Pull { .. } | StepKind::Install(_) | StepKind::Reboot => SignedDuration::from_mins(10),
        StepKind::Gate { .. } => SignedDuration::MAX,
    });
    plan::Step {
        title: title(step, before),
        timeout,
        retries: step.retries,
        retry_delay: step.retry_delay,
        retry_interrupted: step.on_interrupt == OnInterrupt::Retry,
        expected: Expected::UNKNOWN,
        put_back: SignedDuration::ZERO,
        undo: Expected::UNKNOWN,
        takes: step.takes,
        failure_rate: step.failure_rate,
        no_return: matches!(step.undo, pipeline::Undo::Never),
        units,
    }
}

/// What the screen calls a step: its name, or what it does, told apart from the steps before it.
fn title(step: &pipeline::Step, before: &[plan::Step]) -> String {
    let own = step.name.clone().unwrap_or_else(|| match &step.kind {
        StepKind::Run { command, .. } => first_words(&command.source),
        StepKind::Wait { what, .. } => match what {
            pipeline::Wait::Run { command, .. } => format!("wait for {}", first_words(&command.source)),
            pipeline::Wait::Tcp(text)
            | pipeline::Wait::Http(text)
            | pipeline::Wait::File(text)
            | pipeline::Wait::Unit(text) => {
                format!("wait for {}", first_words(&text.source))
            }
        },
        StepKind::Pull { into, .. } => format!("pull {}", into.source),
        StepKind::Install(install) => format!("install {}", install.formula),
        StepKind::Gate { .. } => "gate".to_owned(),
        StepKind::Apply { sls, preview, .. } => {
            let names: Vec<_> = sls.iter().map(|name| first_words(&name.source)).collect();
            let names = if names.is_empty() { "what `top.sls` says".to_owned() } else { names.join(", ") };
            format!("{} {names}", if *preview { "preview" } else { "apply" })
        }
        StepKind::Backup(backup) => format!("back up {}", backup.name),
        StepKind::Restore(backup) => format!("restore {}", backup.name),
        StepKind::Reboot => "reboot".to_owned(),
    });
    let taken = |title: &str| before.iter().any(|step| step.title == title);
    if !taken(&own) {
        return own;
    }
    (2..=u32::MAX).map(|n| format!("{own} ({n})")).find(|title| !taken(title)).unwrap_or(own)
}

/// The beginning of a command's first line; what differs by host is left out.
pub(super) fn first_words(command: &str) -> String {
    let line = command.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, (_, after))) =
        rest.split_once("{{").and_then(|(before, tail)| Some((before, tail.split_once("}}")?)))
    {
        plain.push_str(before);
        plain.push('…');
        rest = after;
    }
    plain.push_str(rest);
    let line = plain.as_str();
    if line.chars().count() <= 40 {
        return line.to_owned();
    }
    let cut: String = line.chars().take(40).collect();
    format!("{}…", cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words))
}
