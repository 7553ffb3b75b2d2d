//! One `[[stage.step]]`: exactly one kind, and the keys that make sense with it.

use indexmap::IndexMap;
use jiff::SignedDuration;

use crate::config::pipeline::{backup, wait};
use crate::config::table::{Keys, Table, Value};
use crate::error::Result;
use crate::model::pipeline::{Install, OnInterrupt, Origin, Stage, Step, StepKind, Undo};
use crate::model::{Takes, Text};

static STEP: Keys = Keys {
    owner: "A step",
    names: &[
        "run",
        "apply",
        "wait",
        "pull",
        "install",
        "gate",
        "backup",
        "restore",
        "reboot",
        "name",
        "pillar",
        "preview",
        "on",
        "until",
        "unless",
        "env",
        "timeout",
        "retries",
        "retry-delay",
        "undo",
        "always",
        "on-interrupt",
        "takes",
        "failure-rate",
    ],
    elsewhere: &[
        (
            &["hosts", "window", "fan-out", "cascade", "max-failures", "impact", "summary"],
            "`{}` belongs to the stage: write it above the stage's first `[[stage.step]]`",
        ),
        (&["tcp", "http", "file", "every"], "`{}` belongs to a wait: `wait = { {} = … }`"),
        (
            &["engine", "databases", "paths", "save", "load", "folder", "restore-test"],
            "`{}` belongs to a backup: `backup = { engine = …, {} = … }`",
        ),
        (&["formula", "package"], "`{}` belongs to an install: `install = { formula = …, repo = …, rev = … }`"),
        (&["repo", "rev", "into"], "`{}` belongs to a pull: `pull = { repo = …, rev = …, into = … }`"),
    ],
};

static PULL: Keys = Keys {
    owner: "A pull",
    names: &["repo", "rev", "into"],
    elsewhere: &[(
        &["timeout", "retries", "retry-delay", "takes", "name"],
        "`{}` belongs to the step itself, beside `pull`",
    )],
};

static INSTALL: Keys = Keys {
    owner: "An install",
    names: &["formula", "repo", "rev", "folder", "package"],
    elsewhere: &[(
        &["timeout", "retries", "retry-delay", "takes", "name"],
        "`{}` belongs to the step itself, beside `install`",
    )],
};

/// Time before the second try when nobody says.
const RETRY_DELAY: SignedDuration = SignedDuration::from_secs(5);

/// The kinds of steps, and the keys besides `name` that each one takes.
const KINDS: [(&str, &[&[&str]]); 9] = [
    ("apply", &[&["pillar", "preview", "unless"], PLACED, TRIED]),
    ("run", &[&["until", "unless"], PLACED, TRIED]),
    ("wait", &[PLACED, TRIED]),
    ("pull", &[TRIED]),
    ("install", &[TRIED]),
    ("gate", &[]),
    ("backup", &[&["unless"], PLACED, TRIED]),
    ("restore", &[&["unless"], PLACED, TRIED]),
    ("reboot", &[&["unless"], PLACED, TRIED]),
];

/// The keys of a step that happens on a host.
const PLACED: &[&str] = &["on", "env", "undo", "always"];

/// The keys of a step that can fail.
const TRIED: &[&str] = &["timeout", "retries", "retry-delay", "on-interrupt", "takes", "failure-rate"];

/// Reads a step of a stage.
pub(super) fn step(value: Value<'_>, stage: &Stage) -> Result<Step> {
    let table = value.table(&STEP)?;
    let (kind, takes) = kind(&table, stage)?;
    if let Some(key) = table.given().find(|key| *key != kind && *key != "name" && !takes.contains(key)) {
        let hint = match (kind, key) {
            ("wait", "until") => "write it into the wait: `wait = { run = …, until = … }`".into(),
            _ if takes.is_empty() => format!("besides `{kind}`, such a step has only `name`"),
            _ => format!("besides `{kind}`, such a step has: name, {}", takes.join(", ")),
        };
        return Err(table.key_error(key, format!("a `{kind}` step has no use for `{key}`")).hint(hint));
    }
    let mut timeout = table.read("timeout", Value::duration)?;
    let kind = match kind {
        "run" => StepKind::Run {
            command: table.need("run", "\"true\"")?.template()?,
            until: table.read("until", Value::pattern)?,
        },
        "wait" => {
            let waiting = wait::wait(table.need("wait", "{ run = \"true\" }")?)?;
            if timeout.is_some() && waiting.timeout.is_some() {
                let error = table.key_error("timeout", "the step has `timeout` twice, for itself and in its `wait`");
                return Err(error.hint("keep one of the two"));
            }
            timeout = timeout.or(waiting.timeout);
            StepKind::Wait { what: waiting.what, every: waiting.every }
        }
        "apply" => applying(&table, table.read("preview", Value::flag)?.unwrap_or_default())?,
        "pull" => pull(table.need("pull", "{ repo = \"…\" }")?)?,
        "install" => StepKind::Install(install(table.need("install", "{ formula = \"…\" }")?)?),
        "gate" => StepKind::Gate { question: table.need("gate", "\"go on?\"")?.template()? },
        "backup" => StepKind::Backup(backup::backup(table.need("backup", "{ engine = \"mariadb\" }")?)?),
        "restore" => StepKind::Restore(backup::restore(table.need("restore", "{ engine = \"mariadb\" }")?)?),
        _ => {
            let value = table.need("reboot", "true")?;
            if !value.flag()? {
                return Err(value.error("wanted `true`, found `false`").hint("leave the step out"));
            }
            StepKind::Reboot
        }
    };
    // They begin anew and come to the same end, however far the try before came.
    let interrupted = match kind {
        StepKind::Install(_) | StepKind::Backup(_) | StepKind::Restore(_) => OnInterrupt::Retry,
        _ => OnInterrupt::default(),
    };
    Ok(Step {
        name: table.read("name", Value::line)?,
        kind,
        on: table.read("on", Value::template)?,
        timeout,
        retries: table.read("retries", retries)?.unwrap_or(0),
        retry_delay: table.read("retry-delay", Value::duration_or_zero)?.unwrap_or(RETRY_DELAY),
        unless: table.read("unless", Value::template)?,
        env: table.read("env", environment)?.unwrap_or_default(),
        undo: table.read("undo", undo)?.unwrap_or_default(),
        always: table.read("always", Value::template)?,
        on_interrupt: table
            .read("on-interrupt", |value| value.choice(&[("fail", OnInterrupt::Fail), ("retry", OnInterrupt::Retry)]))?
            .unwrap_or(interrupted),
        takes: table.read("takes", duration_with_deviation)?,
        failure_rate: table.read("failure-rate", Value::share)?.unwrap_or(0.0),
        place: table.place(),
    })
}

/// The one kind that a step has, with the keys that go with it.
fn kind(table: &Table<'_>, stage: &Stage) -> Result<(&'static str, Vec<&'static str>)> {
    let kinds: Vec<_> = KINDS.iter().filter(|(kind, _)| table.get(kind).is_some()).collect();
    let (kind, takes) = match kinds[..] {
        [(kind, groups)] => (*kind, groups.concat()),
        [] => {
            let names: Vec<_> = KINDS.iter().map(|(kind, _)| *kind).collect();
            return Err(table
                .error(format!("a step of stage `{}` does nothing", stage.name))
                .hint(format!("give it one of: {}", names.join(", "))));
        }
        [(first, _), (second, _), ..] => {
            let message = format!("a step does one thing, and this has `{first}` and `{second}`");
            return Err(table.key_error(second, message).hint("write two steps"));
        }
    };
    let with = table.get("install").is_some();
    if stage.hosts.is_none() && with != stage.steps.first().map_or(with, Step::installs) {
        let error = table.key_error(
            kind,
            format!("stage `{}` has no `hosts`: an `install` goes to all that apply its formula", stage.name),
        );
        return Err(error.hint("put its other steps into a stage of their own"));
    }
    if stage.hosts.is_some() && ["pull", "gate"].contains(&kind) {
        let message = format!("a `{kind}` step happens once, and stage `{}` has `hosts`", stage.name);
        return Err(table.key_error(kind, message).hint("put it into a stage of its own without `hosts`"));
    }
    Ok((kind, takes))
}

static UNDO: Keys = Keys {
    owner: "An undo",
    names: &["run", "apply", "wait", "until", "pillar"],
    elsewhere: &[(&["timeout", "retries", "on", "env"], "`{}` belongs to the step itself: its undo has the same")],
};

/// What takes a step back: a command, a table, a list of them in the order in which they are done, or `false`.
fn undo(value: Value<'_>) -> Result<Undo> {
    if value.inner.as_bool() == Some(false) {
        return Ok(Undo::Never);
    }
    if value.inner.as_array().is_none() {
        return Ok(Undo::Steps(vec![undone_by(value)?]));
    }
    let parts = value.list("[\"systemctl stop nova-compute\"]")?.map(undone_by).collect::<Result<_>>()?;
    Ok(Undo::Steps(parts))
}

fn undone_by(value: Value<'_>) -> Result<(StepKind, Option<SignedDuration>)> {
    if value.inner.is_str() {
        return Ok((StepKind::Run { command: value.template()?, until: None }, None));
    }
    if !value.inner.is_table() {
        let error = value.wanted("a command, or a table with `run`, `apply` or `wait`");
        return Err(error.hint("`undo = false` says that nothing takes the step back"));
    }
    let table = value.table(&UNDO)?;
    let kinds: Vec<_> = table.given().filter(|key| ["run", "apply", "wait"].contains(key)).collect();
    let [kind] = kinds[..] else {
        let error = value.error("an undo does one thing: `run`, `apply` or `wait`");
        return Err(error.hint("several are a list: `undo = [{ apply = … }, { wait = … }]`"));
    };
    if let Some(key) =
        table.given().find(|key| matches!((kind, *key), ("apply" | "wait", "until") | ("run" | "wait", "pillar")))
    {
        return Err(table.key_error(key, format!("a `{kind}` has no use for `{key}`")).hint("leave it out"));
    }
    Ok(match kind {
        "run" => {
            let command = table.need("run", "\"true\"")?.template()?;
            (StepKind::Run { command, until: table.read("until", Value::pattern)? }, None)
        }
        "wait" => {
            let waiting = wait::wait(table.need("wait", "{ run = \"true\" }")?)?;
            (StepKind::Wait { what: waiting.what, every: waiting.every }, waiting.timeout)
        }
        _ => (applying(&table, false)?, None),
    })
}

fn applying(table: &Table<'_>, preview: bool) -> Result<StepKind> {
    Ok(StepKind::Apply {
        sls: sls(table.need("apply", "[\"nova.compute\"]")?)?,
        pillar: table.read("pillar", Value::variables)?.unwrap_or_default().into_iter().collect(),
        preview,
    })
}

/// The SLS of an `apply`: one name, or a list of them.
fn sls(value: Value<'_>) -> Result<Vec<Text>> {
    if value.inner.is_str() {
        return Ok(vec![value.template()?]);
    }
    value.list("[\"nova.compute\"]")?.map(Value::template).collect()
}

fn pull(value: Value<'_>) -> Result<StepKind> {
    let table = value.table(&PULL)?;
    Ok(StepKind::Pull {
        repo: table.need("repo", "\"https://git.example.net/cloud/model.git\"")?.template()?,
        rev: table.need("rev", "\"main\"")?.template()?,
        into: table.need("into", "\"model\"")?.template()?,
    })
}

fn install(value: Value<'_>) -> Result<Install> {
    let table = value.table(&INSTALL)?;
    let formula = table.need("formula", "\"opencontrail\"")?;
    let name = formula.line()?;
    if name.is_empty() || name.contains(['/', '{']) || name.starts_with('.') {
        return Err(formula
            .error(format!("`{name}` names no formula"))
            .hint("it is the folder of its SLS: `opencontrail`"));
    }
    let given: Vec<_> = table.given().filter(|key| ["repo", "folder", "package"].contains(key)).collect();
    let [origin] = given[..] else {
        let error = table.error("an install takes its formula from one of: repo, folder, package");
        return Err(error.hint("`install = { formula = \"opencontrail\", repo = \"https://…\", rev = \"v3.1.1\" }`"));
    };
    if origin != "repo" && table.get("rev").is_some() {
        return Err(table.key_error("rev", format!("a {origin} has no use for `rev`")).hint("`rev` goes with `repo`"));
    }
    let text = |key| {
        let value = table.need(key, "\"…\"")?;
        let text = value.line()?;
        // It is read before anything is filled in.
        if text.contains("{{") { Err(value.error("wanted a text without `{{`, found a template")) } else { Ok(text) }
    };
    let from = match origin {
        "repo" => Origin::Git { repo: text("repo")?, rev: text("rev")? },
        "folder" => Origin::Folder(text("folder")?.into()),
        _ => Origin::Package(text("package")?),
    };
    Ok(Install { formula: name, from, place: value.place() })
}

fn environment(value: Value<'_>) -> Result<IndexMap<String, Text>> {
    let entries = value.entries()?.into_iter().map(|entry| {
        let name = entry.value.key;
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !plain || name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(value.source.error(entry.start, format!("`{name}` cannot name an environment variable")));
        }
        // An empty variable is as good as any, other than an empty command.
        if entry.value.inner.as_str().is_some_and(|text| text.trim().is_empty()) {
            return Ok((name.to_owned(), Text { source: entry.value.text()?.to_owned(), place: entry.value.place() }));
        }
        Ok((name.to_owned(), entry.value.template()?))
    });
    entries.collect()
}

fn retries(value: Value<'_>) -> Result<u16> {
    let number = value.number(0, 1000)?;
    u16::try_from(number).map_err(|_| value.wanted("at most 1000"))
}

fn duration_with_deviation(value: Value<'_>) -> Result<Takes> {
    if !value.inner.is_str() {
        return value.duration().map(|mean| Takes { mean, deviation: SignedDuration::ZERO });
    }
    let takes: Takes = value.text()?.parse().map_err(|why: String| value.error(why))?;
    value.within_a_year(takes.mean)?;
    value.within_a_year(takes.deviation)?;
    Ok(takes)
}
