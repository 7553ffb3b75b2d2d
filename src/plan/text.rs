//! A plan as a person reads it before saying yes.

use std::fmt::Write;

use indexmap::{IndexMap, IndexSet};
use jiff::SignedDuration;

use crate::model::backup::{Backup, Data, Test};
use crate::model::pattern;
use crate::model::plan::{Action, Apply, Engine, Plan, Source, Stage, Step, Unit, Wait};
use crate::model::span::short;
use crate::plan::{probes, short_digest};

/// What of a plan is shown.
#[derive(Debug, Clone, Default)]
pub struct Show {
    /// Only these hosts; empty is all of them.
    pub hosts: Vec<String>,
    /// Each host's own commands, where they differ by no more than the host's name too.
    pub full: bool,
    /// For each stage, how long it is expected to take as a whole.
    pub expected: Vec<Option<SignedDuration>>,
}

/// Renders a plan.
#[must_use]
pub fn render(plan: &Plan, show: &Show) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_plan(&mut text, plan, show);
    text
}

type Written = std::fmt::Result;

fn write_plan(out: &mut String, plan: &Plan, show: &Show) -> Written {
    let units: usize = plan.stages.iter().flat_map(|stage| &stage.steps).map(|step| step.units.len()).sum();
    writeln!(out, "{}  plan {}", plan.pipeline, super::short_digest(&plan.digest))?;
    if let Some(summary) = &plan.summary {
        writeln!(out, "{summary}")?;
    }
    let counted = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let whole: Option<SignedDuration> = show.expected.iter().copied().sum();
    writeln!(
        out,
        "{}, {}, {}{}",
        counted(plan.stages.len(), "stage"),
        counted(plan.hosts.len(), "host"),
        counted(units, "unit"),
        whole.map(|whole| format!(", expected {}", short(whole))).unwrap_or_default()
    )?;
    write_limits(out, plan)?;
    for probe in plan.probes.iter().filter(|_| show.hosts.is_empty()) {
        writeln!(out, "\nprobe {}: {}", probe.name, probes::lines(probe).join("\n   "))?;
    }
    for (n, stage) in plan.stages.iter().enumerate() {
        write_stage(out, plan, n, stage, show)?;
    }
    Ok(())
}

fn write_limits(out: &mut String, plan: &Plan) -> Written {
    let window = &plan.window;
    let mut parts = Vec::new();
    parts.extend(window.opens.iter().map(|opens| format!("opens {opens}")));
    parts.extend(window.closes.iter().map(|closes| format!("closes {closes}")));
    parts.extend(window.length.iter().map(|length| format!("{} from the start", short(*length))));
    if !plan.reserve.is_zero() {
        parts.push(format!("{} reserved for undoing", short(plan.reserve)));
    }
    if !parts.is_empty() {
        writeln!(out, "window: {}", parts.join(", "))?;
    }
    if plan.budget != crate::model::Budget::default() {
        writeln!(out, "the run stops at: {}", plan.budget)?;
    }
    Ok(())
}

fn write_stage(out: &mut String, plan: &Plan, n: usize, stage: &Stage, show: &Show) -> Written {
    let shown: Vec<usize> = (0..stage.hosts.len())
        .filter(|&place| show.hosts.is_empty() || show.hosts.contains(&plan.hosts[stage.hosts[place] as usize].name))
        .collect();
    if shown.is_empty() {
        return Ok(());
    }
    let name = |place: usize| plan.hosts[stage.hosts[place] as usize].name.as_str();
    let hosts = pattern::fold_in_order(shown.iter().map(|&place| name(place)));
    let count = stage.hosts.len();
    let plural = if count == 1 { "" } else { "s" };
    writeln!(out, "\nstage {}: {}   {count} host{plural}: {hosts}", n + 1, stage.name)?;
    if let Some(summary) = &stage.summary {
        writeln!(out, "   {summary}")?;
    }
    if let Some(impact) = &stage.impact {
        writeln!(out, "   impact: {impact}")?;
    }
    writeln!(out, "   {}", times(plan, stage, show.expected.get(n).copied().flatten()))?;
    writeln!(out, "   {}", rolling(stage))?;
    for (number, step) in stage.steps.iter().enumerate() {
        write_step(out, plan, stage, number, step, &shown, show.full)?;
    }
    Ok(())
}

fn times(plan: &Plan, stage: &Stage, expected: Option<SignedDuration>) -> String {
    let window = match stage.window {
        // It is planned to take what it is expected to take.
        _ if plan.undoes.is_some() => String::new(),
        None => "no planned window, ".to_owned(),
        Some(window) => format!("window {}, ", short(window)),
    };
    match (expected, stage.window) {
        (None, _) => format!("{window}expected time unknown"),
        (Some(expected), Some(window_time)) if expected > window_time => {
            format!("{window}expected {}: {} too long", short(expected), short(expected - window_time))
        }
        (Some(expected), _) => format!("{window}expected {}", short(expected)),
    }
}

fn rolling(stage: &Stage) -> String {
    let mut parts = Vec::new();
    parts.extend(stage.pace.map(|pace| format!("pace {pace}")));
    parts.push(format!("fan-out {}", stage.fan_out));
    if !stage.canary.is_empty() {
        let waves: Vec<_> = stage.canary.iter().map(ToString::to_string).collect();
        parts.push(format!("canary {}", waves.join(" then ")));
    }
    if !stage.settle.is_zero() {
        parts.push(format!("settle {}", short(stage.settle)));
    }
    parts.extend(stage.spread.iter().map(|by| format!("never two of one {by}")));
    parts.push(format!("stops at {}", stage.budget));
    parts.join(", ")
}

fn write_step(
    out: &mut String,
    plan: &Plan,
    stage: &Stage,
    number: usize,
    step: &Step,
    shown: &[usize],
    full: bool,
) -> Written {
    writeln!(out, "   {}. {}   {}", number + 1, step.title, step_times(step))?;
    // Hosts whose lines are the same stand together; so do, unless every command is asked for,
    // hosts whose lines differ by their own name and address alone.
    let mut groups: IndexMap<Vec<String>, Vec<usize>> = IndexMap::new();
    for &place in shown {
        let host = &plan.hosts[stage.hosts[place] as usize];
        let mut lines = unit_lines(plan, stage, step, place);
        if !full {
            for line in &mut lines {
                *line = line.replace(&host.name, "{{ host.name }}").replace(&host.address, "{{ host.address }}");
            }
        }
        groups.entry(lines).or_default().push(place);
    }
    let several = groups.len() > 1;
    for (common, places) in groups {
        let lines = if let [place] = places[..] { unit_lines(plan, stage, step, place) } else { common };
        if several {
            let names = places.iter().map(|&place| plan.hosts[stage.hosts[place] as usize].name.as_str());
            writeln!(out, "      {}", pattern::fold(names))?;
        }
        for line in lines {
            writeln!(out, "      {}", line.trim_end().replace('\n', "\n              "))?;
        }
    }
    Ok(())
}

/// What a step does on one host, a labelled line each.
fn unit_lines(plan: &Plan, stage: &Stage, step: &Step, place: usize) -> Vec<String> {
    let unit = &step.units[place];
    let elsewhere = (unit.on != stage.hosts[place]).then(|| ("on", plan.hosts[unit.on as usize].name.clone()));
    elsewhere.into_iter().chain(lines(unit)).map(|(label, text)| format!("{label:<7} {text}")).collect()
}

fn step_times(step: &Step) -> String {
    let expected = match step.expected.source {
        Source::Measured => {
            format!("expected {}, 95%: {} (measured)", short(step.expected.p50), short(step.expected.p95))
        }
        Source::Declared if step.expected.p95.is_zero() => "expected no time of its own".to_owned(),
        Source::Declared => step.takes.map_or_else(String::new, |takes| format!("expected {takes} (declared)")),
        Source::Timeout => format!("expected time unknown, at most {}", short(step.timeout)),
        Source::Person => return "until a person passes it".to_owned(),
    };
    let timeout = match step.expected.source {
        Source::Timeout => String::new(),
        _ => format!(", timeout {}", short(step.timeout)),
    };
    let undo = match step.undo.source {
        Source::Measured if step.undo_parts() > 0 => format!(", undo takes {} (measured)", short(step.undo.p50)),
        _ => String::new(),
    };
    let retries = match step.retries {
        0 => String::new(),
        n => format!(", {n} more tr{} after {}", if n == 1 { "y" } else { "ies" }, short(step.retry_delay)),
    };
    let interrupted = if step.retry_interrupted { ", tried again when cut off" } else { "" };
    let no_return = if step.no_return { ", THE POINT OF NO RETURN" } else { "" };
    format!("{expected}{timeout}{undo}{retries}{interrupted}{no_return}")
}

/// A unit as labelled lines.
pub(super) fn lines(unit: &Unit) -> Vec<(&'static str, String)> {
    let mut lines = action_lines(&unit.action);
    lines.extend(unit.env.iter().map(|(name, value)| ("env", format!("{name}={value}"))));
    lines.extend(unit.unless.iter().map(|command| ("unless", command.clone())));
    lines.extend(unit.always.iter().map(|command| ("always", command.clone())));
    for undo in &unit.undo {
        lines.extend(action_lines(&undo.action).into_iter().map(|(label, text)| match label {
            "run" => ("undo", text),
            other => ("undo", format!("{other} {text}")),
        }));
    }
    lines
}

fn action_lines(action: &Action) -> Vec<(&'static str, String)> {
    match action {
        Action::Run { command, until } => with_until("run", command, until.as_deref()),
        Action::Wait { what, every } => {
            let mut lines = match what {
                Wait::Run { command, until } => with_until("wait", command, until.as_deref()),
                Wait::Tcp(address) => vec![("wait", format!("tcp {address}"))],
                Wait::Http(url) => vec![("wait", format!("http {url}"))],
                Wait::File(path) => vec![("wait", format!("file {path}"))],
                Wait::Unit(unit) => vec![("wait", format!("unit {unit}"))],
            };
            lines.push(("every", short(*every)));
            lines
        }
        Action::Pull { repo, rev, commit, into } => {
            let commit = commit.get(..12).unwrap_or(commit);
            vec![("pull", format!("{repo} {rev} (commit {commit}) into {into}"))]
        }
        Action::Install(install) => {
            let sls: IndexSet<&str> = install.applies.iter().flat_map(|apply| &apply.sls).map(String::as_str).collect();
            let sls: Vec<_> = sls.into_iter().collect();
            let formulas = short_digest(&install.formulas.hash.to_string()).to_owned();
            let what = format!("{} from {} (formulas {formulas})", install.formula, install.from);
            vec![("install", what), ("compile", if sls.is_empty() { "nothing".to_owned() } else { sls.join(" ") })]
        }
        Action::Gate { question } => vec![("gate", question.clone())],
        Action::Apply(apply) => apply_lines(apply),
        Action::Backup(backup) => backup_lines("backup", backup),
        Action::Restore(backup) => backup_lines("restore", backup),
        Action::Try(backup) => backup_lines("try", backup),
        Action::Reboot => vec![("reboot", String::new())],
    }
}

fn backup_lines(label: &'static str, backup: &Backup) -> Vec<(&'static str, String)> {
    let folder = backup.folder.as_deref().unwrap_or("backups");
    let run = backup.run.as_deref().unwrap_or("RUN");
    let what = match &backup.data {
        Data::Mariadb { physical: true, .. } => "all files of the server".into(),
        Data::Zookeeper { .. } | Data::Etcd { .. } => "all that it has".into(),
        Data::Mariadb { databases, .. } | Data::Postgres { databases } if databases.is_empty() => {
            "all databases".into()
        }
        Data::Mariadb { databases, .. } | Data::Postgres { databases } => databases.join(", "),
        Data::Files { paths } => paths.join(", "),
        Data::Command { save, load } => if label == "backup" { save } else { load }.clone(),
    };
    let way = if label == "backup" { "to" } else { "from" };
    let copy = match (&backup.to, label) {
        (None, _) => String::new(),
        (Some(to), "backup") => format!(", copied to {to}"),
        (Some(to), _) => format!(", or from the copy on {to}"),
    };
    let test = match &backup.test {
        None => String::new(),
        Some(Test::Here) => ", tried on a scratch server".to_owned(),
        Some(Test::On(host)) => format!(", tried on a scratch server on {host}"),
    };
    vec![(label, format!("{} {way} {folder}/{run}/{}{copy}{test}: {what}", backup.data.engine(), backup.name))]
}

fn apply_lines(apply: &Apply) -> Vec<(&'static str, String)> {
    let sls = if apply.sls.is_empty() { "what `top.sls` says".to_owned() } else { apply.sls.join(" ") };
    let formulas = short_digest(&apply.formulas.hash.to_string()).to_owned();
    let what = if apply.preview { "preview" } else { "apply" };
    let by = match apply.engine {
        Engine::Upshift => "",
        Engine::Salt => ", by the host's Salt",
    };
    let mut lines = vec![(what, format!("{sls} (formulas {formulas}{by})"))];
    if !apply.pillar.is_empty() {
        lines.push(("pillar", serde_json::Value::from(apply.pillar.clone()).to_string()));
    }
    lines
}

fn with_until(label: &'static str, command: &str, until: Option<&str>) -> Vec<(&'static str, String)> {
    let mut lines = vec![(label, command.to_owned())];
    lines.extend(until.map(|pattern| ("until", format!("/{pattern}/"))));
    lines
}
