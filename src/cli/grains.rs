//! `upshift grains`: what formulas know of hosts, named and typed as Salt's.

use serde_json::{Map, Value};

use super::hosts;
use super::project::Targets;
use crate::agent::protocol::{Ask, Tell};
use crate::error::{Error, Exit, Result};
use crate::model::nearest;
use crate::transport::ssh::Trouble;

#[derive(Debug, clap::Args)]
pub(super) struct Grains {
    #[command(flatten)]
    targets: Targets,
    /// These grains only, such as `osfinger`
    names: Vec<String>,
}

impl Grains {
    /// Prints a JSON object a host, each on a line of its own.
    pub(super) fn main(self) -> Result<Exit> {
        let answers = hosts::ask(&self.targets, |host| async move {
            let ask = Ask::Grains { id: host.name.clone() };
            match host.link().await?.one(ask).await? {
                Tell::Grains(grains) => Ok(grains),
                _ => Err(Trouble::nonsense()),
            }
        })?;
        let mut text = String::new();
        for (host, answer) in &answers {
            let Ok(grains) = answer else { continue };
            let chosen = self.chosen(grains)?;
            text += &serde_json::json!({ "host": host, "grains": chosen }).to_string();
            text.push('\n');
        }
        super::print(&text)?;
        for (host, trouble) in answers.iter().filter_map(|(host, answer)| Some((host, answer.as_ref().err()?))) {
            anstream::eprintln!("{host}: {}: {trouble}", trouble.kind);
        }
        Ok(hosts::summary(&answers, ["answers", "answer"]))
    }

    fn chosen(&self, grains: &Map<String, Value>) -> Result<Map<String, Value>> {
        if self.names.is_empty() {
            return Ok(grains.clone());
        }
        let known = |name: &String| match grains.get(name) {
            Some(value) => Ok((name.clone(), value.clone())),
            None => Err(Error::usage(format!("there is no grain `{name}`")).hint(nearest::hint(
                name,
                "A host",
                grains.keys().map(String::as_str),
            ))),
        };
        self.names.iter().map(known).collect()
    }
}
