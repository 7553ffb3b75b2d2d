//! `upshift formula check`: compiles SLS for every host of an inventory.

use std::sync::Arc;

use indexmap::IndexMap;
use tokio::runtime::Handle;

use super::files::{self, Files, Options, Pillar};
use super::scan::{self, Finding};
use crate::agent::protocol::{Ask, Tell};
use crate::cli::hosts;
use crate::cli::project::Targets;
use crate::error::{Exit, Result};
use crate::formula::compile::{Compiler, Subject};
use crate::formula::facts::{self, Call, Facts, Refusal};
use crate::formula::roots::Roots;
use crate::formula::{Data, sls};
use crate::model::inventory::{Host, Transport};
use crate::model::pattern;
use crate::transport::ssh::{Link, Trouble};

#[derive(Debug, clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    targets: Targets,
    /// The SLS, such as `nova.compute`; without any, those that `top.sls` gives each host
    sls: Vec<String>,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    pillar: Pillar,
    #[command(flatten)]
    options: Options,
}

impl Check {
    pub(super) fn main(self) -> Result<Exit> {
        let roots = self.files.read()?;
        let findings = scan::scan(&roots, &self.sls)?;
        let options = self.options.read()?;
        let work = Arc::new((self.pillar, roots, self.sls));
        let python2 = self.options.python2;
        let (_, hosts) = self.targets.read()?;
        if hosts.iter().all(|host| host.transport == Transport::Local) {
            let here = |host: &Host| {
                let facts = Arc::new(facts::Host);
                let (id, grains) = (host.name.clone(), files::here(Some(&host.name)));
                (
                    host.name.clone(),
                    Ok(compile(Subject { id, grains, options: options.clone(), facts, python2 }, &work)),
                )
            };
            return conclude(&findings, &hosts.iter().map(here).collect());
        }
        let answers = hosts::ask(&self.targets, |host| {
            let (options, work) = (options.clone(), Arc::clone(&work));
            async move {
                let link = host.link().await?;
                let Tell::Grains(grains) = link.one(Ask::Grains { id: host.name.clone() }).await? else {
                    return Err(Trouble::nonsense());
                };
                let facts = Arc::new(Remote { link, runtime: Handle::current() });
                let grains = Data::from(serde_json::Value::Object(grains));
                let subject = Subject { id: host.name.clone(), grains, options, facts, python2 };
                let compiled = tokio::task::spawn_blocking(move || compile(subject, &work)).await;
                compiled.map_err(|_| Trouble::nonsense())
            }
        })?;
        conclude(&findings, &answers)
    }
}

/// Says what came of each host.
fn conclude(findings: &[Finding], answers: &hosts::Answers<Result<usize>>) -> Result<Exit> {
    let mut refused: IndexMap<String, Vec<&str>> = IndexMap::new();
    let mut compiled: IndexMap<usize, Vec<&str>> = IndexMap::new();
    for (host, answer) in answers {
        match answer {
            Ok(Ok(states)) => compiled.entry(*states).or_default().push(host),
            Ok(Err(error)) => refused.entry(error.to_string()).or_default().push(host),
            Err(trouble) => anstream::eprintln!("{host}: {}: {trouble}", trouble.kind),
        }
    }
    super::super::print(&report(findings, &refused, &compiled))?;
    let exit = hosts::summary(answers, ["answers", "answer"]);
    Ok(if refused.is_empty() && findings.is_empty() { exit } else { Exit::Usage })
}

/// How many states the SLS come to.
fn compile(subject: Subject, work: &(Pillar, Roots, Vec<String>)) -> Result<usize> {
    let (pillar, roots, names) = work;
    let pillar = pillar.of(&subject)?;
    let mut compiler = Compiler::new(subject, roots.clone(), pillar);
    let names = if names.is_empty() { compiler.top()? } else { names.clone() };
    let low = compiler.low_state(&names)?;
    sls::check(&low)?;
    Ok(low.chunks.len())
}

fn report(
    findings: &[Finding],
    refused: &IndexMap<String, Vec<&str>>,
    compiled: &IndexMap<usize, Vec<&str>>,
) -> String {
    let mut lines = Vec::new();
    for (states, hosts) in compiled {
        let states = format!("{states} {}", if *states == 1 { "state" } else { "states" });
        lines.push(format!("{}: {states}", pattern::fold(hosts.iter().copied())));
    }
    for (error, hosts) in refused {
        lines.push(format!("{}: {error}", pattern::fold(hosts.iter().copied())));
    }
    for found in findings {
        lines.push(format!("{}:{}: {}", found.file, found.line, found.what));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// Asks a host through its agent.
struct Remote {
    link: Arc<Link>,
    runtime: Handle,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a host")
    }
}

impl Facts for Remote {
    fn answer(&self, call: &Call) -> std::result::Result<Data, Refusal> {
        match self.runtime.block_on(self.link.one(Ask::Fact(call.clone()))) {
            Ok(Tell::Fact(answer)) => answer,
            Ok(_) => Err(Refusal::Failed("the agent answered something else".to_owned())),
            Err(trouble) => Err(Refusal::Failed(trouble.to_string())),
        }
    }
}
