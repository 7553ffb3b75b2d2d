//! Templates in a pipeline, filled in for one host. An undefined name is an error that names the host.

use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior};

use crate::error::{Error, Result};
use crate::model::inventory::{Host, Inventory};
use crate::model::{Pipeline, Text};

/// The most instructions of the template engine for one text: a loop over every host of a large cloud
/// needs a tenth of it, and a slip such as one loop of `range(100000)` in another is an error.
const FUEL: u64 = 1_000_000;

/// Fills in templates for the hosts of one stage.
pub(super) struct Templates<'a> {
    environment: Environment<'static>,
    pipeline: Value,
    stage: &'a str,
    vars: Value,
    groups: Value,
}

impl<'a> Templates<'a> {
    pub(super) fn new(pipeline: &Pipeline, stage: &'a str, inventory: &Inventory) -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        Self {
            environment,
            pipeline: Value::from(Serde(&pipeline.name)),
            stage,
            vars: Value::from(Serde(&pipeline.vars)),
            groups: Value::from(Serde(&inventory.groups)),
        }
    }

    /// What a template may name for this host, made once for all of the host's templates.
    pub(super) fn context(&self, host: &Host) -> Value {
        let own = host.vars.iter().map(|(name, value)| (name.clone(), Value::from(Serde(value))));
        let rack = host.rack.iter().map(|rack| ("rack".to_owned(), Value::from(rack.clone())));
        let known = [("name", &host.name), ("address", &host.address)];
        let known = known.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value.clone())));
        minijinja::context! {
            host => Value::from_pairs(own.chain(rack).chain(known)),
            vars => self.vars.clone(),
            groups => self.groups.clone(),
            stage => self.stage,
            pipeline => self.pipeline.clone(),
        }
    }

    /// Fills in one template.
    pub(super) fn render(&self, text: &Text, host: &Host, context: &Value) -> Result<String> {
        if !text.source.contains('{') {
            return Ok(text.source.clone());
        }
        let rendered = self.environment.render_str(&text.source, context);
        rendered.map_err(|error| refusal(&error, text, host))
    }
}

fn refusal(error: &minijinja::Error, text: &Text, host: &Host) -> Error {
    let what = match error.kind() {
        minijinja::ErrorKind::UndefinedError => {
            let name =
                error.range().and_then(|range| text.source.get(range)).map(str::trim).filter(|name| !name.is_empty());
            name.map_or("a name is undefined".to_owned(), |name| format!("`{name}` is undefined"))
        }
        minijinja::ErrorKind::OutOfFuel => "it goes on and on: one of its loops is too long".to_owned(),
        _ => error.detail().map_or_else(|| error.kind().to_string(), str::to_owned),
    };
    let rack = if host.rack.is_some() { ", host.rack" } else { "" };
    let known = host.vars.keys().fold(rack.to_owned(), |known, name| known + ", host." + name);
    let place = &text.place;
    Error::usage(format!("{place}: the template cannot be filled in for host `{}`: {what}", host.name))
        .hint(format!("this host has: host.name, host.address{known}; a pipeline's `vars` are `vars.NAME`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse_pipeline;

    fn filled_in(run: &str) -> Result<String> {
        let step = format!("run = '{run}'");
        let pipeline =
            parse_pipeline("f", &format!("pipeline.name = 'p'\n[[stage]]\nname = 's'\nstep = [{{ {step} }}]"))?;
        let crate::model::pipeline::StepKind::Run { command, .. } = &pipeline.stages[0].steps[0].kind else {
            unreachable!("a run step")
        };
        let inventory = Inventory::default();
        let templates = Templates::new(&pipeline, "s", &inventory);
        templates.render(command, &inventory.controller, &templates.context(&inventory.controller))
    }

    #[test]
    fn a_template_that_goes_on_and_on_is_an_error() {
        let loops = "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}";
        let error = filled_in(loops).unwrap_err();
        assert!(error.message.ends_with("it goes on and on: one of its loops is too long"), "{}", error.message);
        let long = "{% for a in range(10000) %}x{% endfor %}";
        assert_eq!(filled_in(long).unwrap().len(), 10_000);
    }
}
