//! Functions that render a template.

use std::cell::Cell;
use std::collections::BTreeMap;

use minijinja::{Error, ErrorKind, State, Value};

use super::super::Context;
use super::super::engine::translated;
use super::super::syntax::Options;
use super::super::value::from_data;
use super::arguments::Default::{None, Required, Text};
use super::arguments::{Arguments, Signature, defined, takes, wrong};
use super::files::read_text;
use super::{Function, Run};
use crate::formula::Data;
use crate::formula::yaml::{self, Mappings};

const RENDERER: Signature =
    takes(&[("path", None), ("string", None), ("default_renderer", Text("jinja|yaml"))]).and_more_named();

pub(super) const FUNCTIONS: &[Function] = &[
    rendering("slsutil.renderer", RENDERER, renderer),
    rendering("jinja.load_map", takes(&[("path", Required), ("value", Required)]), |_, state, arguments| {
        let (path, value) = (arguments.text("path")?, arguments.text("value")?);
        import(state, &format!("{{% from \"{path}\" import {value} with context %}}{{{{ {value} | tojson }}}}"))
    }),
    rendering("jinja.import_yaml", takes(&[("path", Required)]), |_, state, arguments| {
        let path = arguments.text("path")?;
        import(state, &format!("{{% import_yaml \"{path}\" as imported %}}{{{{ imported | tojson }}}}"))
    }),
    rendering("jinja.import_json", takes(&[("path", Required)]), |_, state, arguments| {
        let path = arguments.text("path")?;
        import(state, &format!("{{% import_json \"{path}\" as imported %}}{{{{ imported | tojson }}}}"))
    }),
];

const fn rendering(
    name: &'static str,
    signature: Signature,
    run: fn(&Context, &mut State<'_, '_>, &Arguments) -> Result<Value, Error>,
) -> Function {
    Function { name, signature, run: Run::Rendering(run) }
}

/// Templates that render one another this way. Each starts a machine of its own, which counts its own depth alone.
const DEEPEST_RENDERING: usize = 8;

/// The fuel that translating and compiling a text takes.
const PREPARED: u64 = 1000;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Renders a text with what every template sees, and with `named`.
fn rendered(state: &State<'_, '_>, source: &str, named: Vec<(String, Value)>) -> Result<String, Error> {
    let source = translated(source, Options::default()).map_err(|error| wrong(error.message))?;
    let depth = DEPTH.get();
    if depth >= DEEPEST_RENDERING {
        return Err(wrong(format!("templates render one another deeper than {DEEPEST_RENDERING}")));
    }
    DEPTH.set(depth + 1);
    let named: BTreeMap<String, Value> = named.into_iter().collect();
    let rendered = state.env().template_from_str(&source).and_then(|template| {
        let rendered = template.render_captured(Value::from(named))?;
        // It had a budget of its own; what it used of that is used here as well.
        state.consume_fuel(PREPARED + rendered.state().fuel_levels().map_or(0, |(used, _)| used))?;
        Ok(rendered.into_output())
    });
    DEPTH.set(depth);
    rendered.map_err(|error| Error::new(ErrorKind::BadInclude, "a template failed").with_source(error))
}

fn import(state: &State<'_, '_>, source: &str) -> Result<Value, Error> {
    let text = rendered(state, source, Vec::new())?;
    let json: Data = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    Ok(from_data(&json))
}

fn renderer(context: &Context, state: &mut State<'_, '_>, arguments: &Arguments) -> Result<Value, Error> {
    let source = match (arguments.is_true("path")?, arguments.is_true("string")?) {
        (true, true) => return Err(wrong("Must not pass both path and string")),
        (false, false) => return Err(wrong("Must pass either path or string")),
        (false, true) => arguments.text("string")?,
        (true, false) => {
            let path = arguments.text("path")?;
            let within = path.strip_prefix("salt://").unwrap_or(&path);
            read_text(context, within)?.ok_or_else(|| wrong(format!("there is no file `{path}`")))?
        }
    };
    let (line, source) = match source.split_once('\n') {
        Some((first, rest)) if first.starts_with("#!") => {
            (first.trim_start_matches("#!").trim().to_owned(), rest.to_owned())
        }
        _ => (arguments.text("default_renderer")?, source),
    };
    let mut value = Value::from(source);
    for step in line.split('|') {
        let text = super::super::value::text(defined(&value)?);
        value = match step.trim() {
            "jinja" => Value::from(rendered(state, &text, arguments.more_named.clone())?),
            "yaml" => read(&text)?,
            "json" => {
                let json: Data = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
                from_data(&json)
            }
            other => return Err(wrong(format!("upshift does not have the renderer `{other}`"))),
        };
    }
    Ok(value)
}

/// A document as the renderer of SLS files reads it: nothing is an empty mapping.
fn read(text: &str) -> Result<Value, Error> {
    let data = yaml::load(text, Mappings::Ordered).map_err(|error| wrong(error.message))?;
    Ok(from_data(&if data.is_true() { data } else { crate::formula::Dict::default().into() }))
}
