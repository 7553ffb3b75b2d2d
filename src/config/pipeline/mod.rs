//! A pipeline file, from `[pipeline]` to its last `[[stage]]`.

use std::collections::HashMap;

use camino::Utf8PathBuf;
use indexmap::IndexMap;
use jiff::SignedDuration;

use crate::config::source::Source;
use crate::config::table::{Keys, Table, Value};
use crate::error::Result;
use crate::model::pattern::check_name;
use crate::model::pipeline::{Formulas, Notify, Occasion, Pipeline, Requires};
use crate::model::{Budget, Place};

mod backup;
mod probe;
mod stage;
mod step;
mod wait;
mod window;

static FILE: Keys = Keys {
    owner: "A pipeline file",
    names: &["pipeline", "stage", "probe", "notify"],
    elsewhere: &[
        (&["stages"], "a stage begins with `[[stage]]`"),
        (&["probes"], "a probe begins with `[[probe]]`"),
        (&["step", "steps"], "a step belongs to a stage: `[[stage.step]]`"),
        (
            &["name", "summary", "window", "reserve", "max-failures", "vars", "formulas"],
            "`{}` belongs to the pipeline: write it below `[pipeline]`",
        ),
        (
            &["groups", "hosts", "defaults"],
            "this looks like an inventory: give the pipeline and the inventory as two files",
        ),
    ],
};

static PIPELINE: Keys = Keys {
    owner: "The pipeline",
    names: &[
        "name",
        "summary",
        "window",
        "reserve",
        "max-failures",
        "on-failure",
        "requires",
        "vars",
        "formulas",
        "pillar",
        "secret",
        "python2",
    ],
    elsewhere: &[
        (&["opens", "closes"], "`{}` belongs to the window: `window = { opens = \"22:00\", closes = \"04:00\" }`"),
        (&["hosts", "impact", "fan-out", "cascade"], "`{}` belongs to a stage: write it below `[[stage]]`"),
    ],
};

/// Reads a pipeline file.
pub(super) fn parse(source: &Source) -> Result<Pipeline> {
    let file = source.parse()?;
    let file = Table::of_file(source, &file, &FILE)?;
    let pipeline = file
        .get("pipeline")
        .ok_or_else(|| {
            file.error("a pipeline file without `[pipeline]`").hint("begin it with `[pipeline]` and a `name`")
        })?
        .table(&PIPELINE)?;
    let name = name(pipeline.need("name", "\"opencontrail-3.1.1\"")?)?;
    let summary = pipeline.read("summary", Value::line)?;
    let window = pipeline.read("window", window::window)?.unwrap_or_default();
    let reserve = pipeline.read("reserve", Value::duration_or_zero)?.unwrap_or(SignedDuration::ZERO);
    let budget = pipeline.read("max-failures", |value| value.budget(false))?.unwrap_or(Budget::default());
    let rollback = pipeline.read("on-failure", stage::on_failure)?.unwrap_or_default();
    let requires = pipeline.read("requires", requires)?;
    let notify = file.read("notify", notify)?.unwrap_or_default();
    let vars = pipeline.read("vars", Value::variables)?.unwrap_or(IndexMap::new());

    let formulas = Formulas {
        roots: pipeline.read("formulas", folders)?.unwrap_or_default(),
        pillar: pipeline.read("pillar", folders)?.unwrap_or_default(),
        secret: pipeline.read("secret", patterns)?.unwrap_or_default(),
        python2: pipeline.read("python2", Value::flag)?.unwrap_or_default(),
    };

    let stages = all(&file, "stage", stage::stage, |stage| (&stage.name, &stage.place))?;
    if stages.is_empty() {
        return Err(pipeline.error("the pipeline has no stage").hint("add a `[[stage]]` with a `name`"));
    }
    let probes = all(&file, "probe", probe::probe, |probe| (&probe.name, &probe.place))?;
    Ok(Pipeline {
        file: source.file().to_owned(),
        name,
        summary,
        window,
        reserve,
        budget,
        rollback,
        requires,
        notify,
        formulas,
        vars,
        stages,
        probes,
    })
}

static REQUIRES: Keys = Keys { owner: "What a pipeline requires", names: &["inventory", "within"], elsewhere: &[] };

fn requires(value: Value<'_>) -> Result<Requires> {
    let table = value.table(&REQUIRES)?;
    Ok(Requires {
        inventory: table.need("inventory", "\"staging.toml\"")?.line()?.into(),
        within: table.need("within", "\"168h\"")?.duration()?,
    })
}

static NOTIFY: Keys = Keys { owner: "`[notify]`", names: &["command", "webhook", "on"], elsewhere: &[] };

fn notify(value: Value<'_>) -> Result<Notify> {
    let table = value.table(&NOTIFY)?;
    let webhook = table.read("webhook", |value| {
        let address = value.line()?;
        let is_address = ["http://", "https://"].iter().any(|scheme| address.starts_with(scheme));
        if is_address { Ok(address) } else { Err(value.error("wanted a URL that begins with `http://` or `https://`")) }
    })?;
    let command = table.read("command", Value::line)?;
    if webhook.is_none() && command.is_none() {
        return Err(table.error("nobody is told").hint("give `[notify]` a `webhook` or a `command`"));
    }
    let choices = Occasion::ALL.map(|occasion| (occasion.name(), occasion));
    let on = table.read("on", |value| value.list("[\"held\"]")?.map(|one| one.choice(&choices)).collect())?;
    Ok(Notify { command, webhook, on: on.unwrap_or_else(|| Occasion::ALL.to_vec()) })
}

/// Every `[[stage]]`, or every `[[probe]]`: no two of them have the same name.
fn all<'s, T>(
    file: &Table<'s>,
    what: &'static str,
    read: impl Fn(Value<'s>) -> Result<(T, Value<'s>)>,
    known_by: impl Fn(&T) -> (&String, &Place),
) -> Result<Vec<T>> {
    let Some(list) = file.get(what) else { return Ok(Vec::new()) };
    if list.inner.is_table() {
        let message = format!("wanted a list of {what}s, found one table");
        return Err(list.error(message).hint(format!("a {what} begins with `[[{what}]]`")));
    }
    let mut found = Vec::new();
    let mut names: HashMap<String, Place> = HashMap::new();
    for value in list.list(&format!("[[{what}]]"))? {
        let (one, name_value) = read(value)?;
        let (name, place) = known_by(&one);
        if let Some(first) = names.insert(name.clone(), place.clone()) {
            let message = format!("the pipeline has two {what}s called `{name}`");
            return Err(name_value.error(message).hint(format!("the other one is at {first}")));
        }
        found.push(one);
    }
    Ok(found)
}

fn folders(value: Value<'_>) -> Result<Vec<Utf8PathBuf>> {
    value.list("[\"formulas\"]")?.map(|folder| Ok(folder.line()?.into())).collect()
}

fn patterns(value: Value<'_>) -> Result<Vec<String>> {
    value.list("[\"mysql:*:password\"]")?.map(Value::line).collect()
}

/// A name that can stand in a file name and on a command line.
fn name(value: Value<'_>) -> Result<String> {
    let name = value.text()?;
    if name.is_empty() {
        return Err(value.error("wanted a name, found nothing"));
    }
    check_name(name).map_err(|why| {
        value.error(why).hint("a name is made of letters, digits, `-`, `_` and `.`, and begins with a letter or digit")
    })?;
    Ok(name.to_owned())
}
