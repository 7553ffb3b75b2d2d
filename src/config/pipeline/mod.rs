//! A pipeline file, from `[pipeline]` to its last `[[stage]]`.

use std::collections::HashMap;

use camino::Utf8PathBuf;
use indexmap::IndexMap;
use jiff::SignedDuration;

use crate::config::source::Source;
use crate::config::table::{Keys, Table, Value};
use crate::error::Result;
use crate::model::pattern::check_name;
use crate::model::pipeline::{Formulas, Pipeline};
use crate::model::{Budget, Place};

mod backup;
mod stage;
mod step;
mod wait;
mod window;

static FILE: Keys = Keys {
    owner: "A pipeline file",
    names: &["pipeline", "stage"],
    elsewhere: &[
        (&["stages"], "a stage begins with `[[stage]]`"),
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
    let vars = pipeline.read("vars", Value::variables)?.unwrap_or(IndexMap::new());

    let formulas = Formulas {
        roots: pipeline.read("formulas", folders)?.unwrap_or_default(),
        pillar: pipeline.read("pillar", folders)?.unwrap_or_default(),
        secret: pipeline.read("secret", patterns)?.unwrap_or_default(),
        python2: pipeline.read("python2", Value::flag)?.unwrap_or_default(),
    };

    let mut stages = Vec::new();
    let mut names: HashMap<String, Place> = HashMap::new();
    if let Some(list) = file.get("stage") {
        if list.inner.is_table() {
            return Err(list.error("wanted a list of stages, found one table").hint("a stage begins with `[[stage]]`"));
        }
        for value in list.list("[[stage]]")? {
            let (stage, name_value) = stage::stage(value)?;
            if let Some(first) = names.get(&stage.name) {
                let message = format!("the pipeline has two stages called `{}`", stage.name);
                return Err(name_value.error(message).hint(format!("the other one is at {first}")));
            }
            names.insert(stage.name.clone(), stage.place.clone());
            stages.push(stage);
        }
    }
    if stages.is_empty() {
        return Err(pipeline.error("the pipeline has no stage").hint("add a `[[stage]]` with a `name`"));
    }
    Ok(Pipeline {
        file: source.file().to_owned(),
        name,
        summary,
        window,
        reserve,
        budget,
        rollback,
        formulas,
        vars,
        stages,
    })
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
