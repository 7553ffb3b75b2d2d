//! What differs between two plans, in what a run would do.

use std::collections::BTreeMap;

use crate::model::pattern;
use crate::model::plan::{Plan, Stage};

/// The differences from `before` to `after`, a line each; none when both have the same digest.
#[must_use]
pub fn compare(before: &Plan, after: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    let run = |plan: &Plan| {
        let window = &plan.window;
        let edge = |edge: &Option<String>| edge.clone().unwrap_or_else(|| "never".into());
        vec![
            ("pipeline", plan.pipeline.clone()),
            ("summary", plan.summary.clone().unwrap_or_default()),
            ("window opens", edge(&window.opens)),
            ("window closes", edge(&window.closes)),
            ("window", window.length.map_or("none".into(), |length| format!("{length:#}"))),
            ("reserve", format!("{:#}", plan.reserve)),
            ("the run stops at", plan.budget.to_string()),
        ]
    };
    changes("", &run(before), &run(after), &mut lines);
    let stage = |plan: &Plan| plan.stages.iter().map(|stage| stage.name.clone()).collect::<Vec<_>>();
    let (old, new) = (stage(before), stage(after));
    lines.extend(old.iter().filter(|name| !new.contains(name)).map(|name| format!("- stage {name}")));
    lines.extend(new.iter().filter(|name| !old.contains(name)).map(|name| format!("+ stage {name}")));
    for stage in &after.stages {
        if let Some(other) = before.stages.iter().find(|other| other.name == stage.name) {
            compare_stage((before, other), (after, stage), &mut lines);
        }
    }
    let (mut old, mut new) = (old, new);
    old.retain(|name| stage(after).contains(name));
    new.retain(|name| stage(before).contains(name));
    if old != new {
        lines.push(format!("~ stages run in another order: {}", new.join(", ")));
    }
    compare_probes(before, after, &mut lines);
    if lines.is_empty() && before.digest != after.digest {
        lines.push("~ hosts are reached in another way".into());
    }
    lines
}

fn changes(prefix: &str, before: &[(&str, String)], after: &[(&str, String)], lines: &mut Vec<String>) {
    for ((what, old), (_, new)) in before.iter().zip(after) {
        if old != new {
            lines.push(format!("~ {prefix}{what}: {old} -> {new}"));
        }
    }
}

fn compare_probes(before: &Plan, after: &Plan, lines: &mut Vec<String>) {
    let find = |plan: &Plan, name: &str| plan.probes.iter().find(|probe| probe.name == name).cloned();
    let gone = before.probes.iter().filter(|probe| find(after, &probe.name).is_none());
    lines.extend(gone.map(|probe| format!("- probe {}", probe.name)));
    for probe in &after.probes {
        let name = &probe.name;
        match find(before, name) {
            None => lines.push(format!("+ probe {name}")),
            Some(old) if old != *probe => {
                lines.push(format!("~ probe {name}"));
                let (old_lines, new_lines) = (super::probes::lines(&old), super::probes::lines(probe));
                if old_lines == new_lines {
                    lines.push("    targets have other addresses".into());
                }
                lines.extend(
                    old_lines.iter().filter(|line| !new_lines.contains(line)).map(|line| format!("    - {line}")),
                );
                lines.extend(
                    new_lines.iter().filter(|line| !old_lines.contains(line)).map(|line| format!("    + {line}")),
                );
            }
            Some(_) => {}
        }
    }
}

fn compare_stage((before, old): (&Plan, &Stage), (after, new): (&Plan, &Stage), lines: &mut Vec<String>) {
    let settings = |stage: &Stage| {
        vec![
            ("summary", stage.summary.clone().unwrap_or_default()),
            ("impact", stage.impact.clone().unwrap_or_default()),
            ("window", stage.window.map_or("none".into(), |window| format!("{window:#}"))),
            ("pace", stage.pace.map_or("none".into(), |pace| pace.to_string())),
            ("fan-out", stage.fan_out.to_string()),
            ("canary", format!("{:?}", stage.canary)),
            ("settle", format!("{:#}", stage.settle)),
            ("spread", stage.spread.clone().unwrap_or_else(|| "none".into())),
            ("stops at", stage.budget.to_string()),
        ]
    };
    let prefix = format!("stage {}: ", new.name);
    changes(&prefix, &settings(old), &settings(new), lines);
    let names = |plan: &Plan, stage: &Stage| -> Vec<String> {
        stage.hosts.iter().map(|&id| plan.hosts[id as usize].name.clone()).collect()
    };
    let (old_hosts, new_hosts) = (names(before, old), names(after, new));
    let without = |all: &[String], other: &[String]| -> Vec<String> {
        let other: std::collections::HashSet<_> = other.iter().collect();
        all.iter().filter(|name| !other.contains(name)).cloned().collect()
    };
    let fold = |hosts: &[String]| pattern::fold(hosts.iter().map(String::as_str));
    let (gone, added) = (without(&old_hosts, &new_hosts), without(&new_hosts, &old_hosts));
    if !gone.is_empty() {
        lines.push(format!("- {prefix}{}", fold(&gone)));
    }
    if !added.is_empty() {
        lines.push(format!("+ {prefix}{}", fold(&added)));
    }
    if gone.is_empty() && added.is_empty() && old_hosts != new_hosts {
        lines.push(format!("~ {prefix}hosts start in another order"));
    }
    compare_steps(&prefix, (before, old), (after, new), lines);
}

fn compare_steps(prefix: &str, (before, old): (&Plan, &Stage), (after, new): (&Plan, &Stage), lines: &mut Vec<String>) {
    let titles = |stage: &Stage| stage.steps.iter().map(|step| step.title.clone()).collect::<Vec<_>>();
    let (old_titles, new_titles) = (titles(old), titles(new));
    lines.extend(old_titles.iter().filter(|t| !new_titles.contains(t)).map(|t| format!("- {prefix}step `{t}`")));
    lines.extend(new_titles.iter().filter(|t| !old_titles.contains(t)).map(|t| format!("+ {prefix}step `{t}`")));
    for step in &new.steps {
        let Some(other) = old.steps.iter().find(|other| other.title == step.title) else { continue };
        let settings = |step: &crate::model::plan::Step| {
            vec![
                ("timeout", format!("{:#}", step.timeout)),
                ("retries", step.retries.to_string()),
                ("retry-delay", format!("{:#}", step.retry_delay)),
                ("tried again when cut off", step.retry_interrupted.to_string()),
                ("takes", step.takes.map_or("unknown".into(), |takes| takes.to_string())),
            ]
        };
        let prefix = format!("{prefix}step `{}`: ", step.title);
        changes(&prefix, &settings(other), &settings(step), lines);
        // What is done on the hosts that both plans have, the same change folded over hosts.
        let unit = |plan: &Plan, stage: &Stage, step: &crate::model::plan::Step| -> BTreeMap<String, Vec<String>> {
            let named = stage.hosts.iter().zip(&step.units);
            named.map(|(&id, unit)| (plan.hosts[id as usize].name.clone(), shown(plan, unit))).collect()
        };
        let (old_units, new_units) = (unit(before, old, other), unit(after, new, step));
        let mut changed: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
        for (host, new_lines) in &new_units {
            let Some(old_lines) = old_units.get(host).filter(|old_lines| *old_lines != new_lines) else { continue };
            let only = |a: &[String], b: &[String]| {
                a.iter()
                    .filter(|line| !b.contains(line))
                    .map(|line| line.replace(host, "{{ host.name }}"))
                    .collect::<Vec<_>>()
                    .join("; ")
            };
            changed.entry((only(old_lines, new_lines), only(new_lines, old_lines))).or_default().push(host);
        }
        for ((old, new), hosts) in changed {
            lines.push(format!("~ {prefix}{}", pattern::fold(hosts)));
            lines.extend((!old.is_empty()).then(|| format!("    - {old}")));
            lines.extend((!new.is_empty()).then(|| format!("    + {new}")));
        }
    }
    let common = |titles: &[String], other: &[String]| -> Vec<String> {
        titles.iter().filter(|title| other.contains(title)).cloned().collect()
    };
    if common(&old_titles, &new_titles) != common(&new_titles, &old_titles) {
        lines.push(format!("~ {prefix}steps run in another order"));
    }
}

/// A unit as lines that can be compared.
fn shown(plan: &Plan, unit: &crate::model::plan::Unit) -> Vec<String> {
    let mut lines = vec![format!("on {}", plan.hosts[unit.on as usize].name)];
    lines.extend(super::text::lines(unit).into_iter().map(|(label, text)| format!("{label} {text}")));
    lines
}
