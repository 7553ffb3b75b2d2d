//! One `[[stage]]`, with how it rolls over its hosts.

use jiff::SignedDuration;

use crate::config::pipeline::{name, step, window};
use crate::config::table::{Keys, Table, Value};
use crate::error::Result;
use crate::model::pipeline::{Cascade, Order, Stage};
use crate::model::plan::Engine;
use crate::model::{Amount, Budget, Pace, Place};

/// Hosts under way at once when nobody says.
const FAN_OUT: Amount = Amount::Count(8);

static STAGE: Keys = Keys {
    owner: "A stage",
    names: &[
        "name",
        "hosts",
        "step",
        "window",
        "fan-out",
        "cascade",
        "max-failures",
        "on-failure",
        "engine",
        "summary",
        "impact",
    ],
    elsewhere: &[
        (&["pace", "canary", "settle", "spread", "order"], "`{}` belongs to the cascade: `cascade = { {} = … }`"),
        (&["steps"], "a step begins with `[[stage.step]]`"),
        (
            &["run", "wait", "pull", "gate", "backup", "restore", "reboot"],
            "`{}` belongs to a step: write it below `[[stage.step]]`",
        ),
    ],
};

static CASCADE: Keys = Keys {
    owner: "A cascade",
    names: &["pace", "fan-out", "canary", "settle", "spread", "order"],
    elsewhere: &[(&["max-failures", "window"], "`{}` belongs to the stage itself")],
};

/// Reads a stage; also returns the value of its name, for errors about that.
pub(super) fn stage(value: Value<'_>) -> Result<(Stage, Value<'_>)> {
    let table = value.table(&STAGE)?;
    let named = table.need("name", "\"control\"")?;
    let name = name(named)?;
    let hosts = table.read("hosts", Value::template)?;
    if hosts.is_none()
        && let Some(key) = table.given().find(|key| ["cascade", "fan-out"].contains(key))
    {
        return Err(table
            .key_error(key, format!("stage `{name}` has `{key}` and no `hosts`"))
            .hint("a stage without `hosts` runs on the machine upshift runs on, and there is only one of it"));
    }
    let stage_window = table.read("window", window::stage_window)?;
    let cascade = cascade(&table, &name)?;
    let budget = table.read("max-failures", |value| value.budget(true))?;
    let mut stage = Stage {
        name,
        summary: table.read("summary", Value::line)?,
        impact: table.read("impact", Value::line)?,
        hosts,
        window: stage_window,
        cascade,
        budget: budget.unwrap_or(Budget { total: Some(Amount::Count(1)), ..Budget::default() }),
        rollback: table.read("on-failure", on_failure)?,
        engine: table
            .read("engine", |value| value.choice(&[("upshift", Engine::Upshift), ("salt", Engine::Salt)]))?
            .unwrap_or_default(),
        steps: Vec::new(),
        place: table.place(),
    };
    if let Some(list) = table.get("step") {
        if list.inner.is_table() {
            return Err(list
                .error("wanted a list of steps, found one table")
                .hint("a step begins with `[[stage.step]]`"));
        }
        for value in list.list("[[stage.step]]")? {
            stage.steps.push(step::step(value, &stage)?);
        }
    }
    if stage.steps.is_empty() {
        return Err(table
            .error(format!("stage `{}` has no step", stage.name))
            .hint("add a `[[stage.step]]` with, for example, `run = \"true\"`"));
    }
    Ok((stage, named))
}

/// What happens once the run has failed: whether it is taken back.
pub(super) fn on_failure(value: Value<'_>) -> Result<bool> {
    value.choice(&[("stop", false), ("rollback", true)])
}

fn cascade(stage: &Table<'_>, name: &str) -> Result<Cascade> {
    let fan_out = stage.read("fan-out", |value| value.amount("10%"))?;
    let mut cascade = Cascade {
        pace: None,
        fan_out: fan_out.unwrap_or(FAN_OUT),
        canary: Vec::new(),
        settle: SignedDuration::ZERO,
        spread: None,
        order: Order::default(),
    };
    let Some(value) = stage.get("cascade") else { return Ok(cascade) };
    let table = value.table(&CASCADE)?;
    if let Some(inner) = table.read("fan-out", |value| value.amount("10%"))? {
        if fan_out.is_some() {
            let message = format!("stage `{name}` has `fan-out` twice, for itself and in its cascade");
            return Err(table.key_error("fan-out", message).hint("keep one of the two"));
        }
        cascade.fan_out = inner;
    }
    cascade.pace = table.read("pace", pace)?;
    if let Some(list) = table.get("canary") {
        let waves = list.list("[1, 4]")?.map(|wave| wave.amount("5%"));
        cascade.canary = waves.collect::<Result<_>>()?;
    }
    cascade.settle = table.read("settle", Value::duration_or_zero)?.unwrap_or(SignedDuration::ZERO);
    cascade.spread = table.read("spread", spread)?;
    let orders = [
        ("inventory", Order::Inventory),
        ("reverse", Order::Reverse),
        ("name", Order::Name),
        ("shuffled", Order::Shuffled),
    ];
    cascade.order = table.read("order", |value| value.choice(&orders))?.unwrap_or_default();
    Ok(cascade)
}

fn pace(value: Value<'_>) -> Result<Pace> {
    if value.inner.is_str() {
        return value.text()?.parse().map_err(|why: String| value.error(why));
    }
    let error = value.wanted("a pace such as `20/h` or `2/min`");
    Err(if value.inner.is_integer() {
        error.hint(format!("did you mean `pace = \"{}/h\"`?", value.written()))
    } else {
        error
    })
}

fn spread(value: Value<'_>) -> Result<(String, Place)> {
    let attribute = value.line()?;
    if !attribute.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c)) {
        return Err(value.wanted("the name of an attribute such as `rack` or of a variable"));
    }
    Ok((attribute, value.place()))
}
