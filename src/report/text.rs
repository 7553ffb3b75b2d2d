//! The report as text for a terminal: 80 columns, no colour, the most important first.

use std::fmt::Write;

use jiff::SignedDuration;

use super::details;
use super::layout::{Moments, count, cut, hang, one_line, table};
use super::probes;
use super::timing::{Cause, Group, Stage, Standing, Timing, came_through, fate_name};
use crate::engine::state::Fate;
use crate::model::Verdict;
use crate::model::span;

/// Causes that are spelled out before the rest is only named.
const MOST_CAUSES: usize = 10;

/// The report as text.
///
/// With [`Timing::only`], the steps of these hosts one by one instead of the stages.
#[must_use]
pub fn render(timing: &Timing) -> String {
    let parts = if timing.only.is_some() {
        vec![headline(timing), details::render(timing)]
    } else {
        vec![
            headline(timing) + "\n" + &facts(timing),
            hosts(timing),
            stages(timing),
            probes::text(timing),
            steps(timing),
            pulls(timing),
            people(timing),
            against_previous(timing),
            well(timing),
            next(timing),
        ]
    };
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

/// The verdict and the stages: what a person reads at the end of a run.
#[must_use]
pub fn summary(timing: &Timing) -> String {
    let run = &timing.opened.run;
    let parts =
        [headline(timing), stages(timing), probes::text(timing), format!("`upshift report {run}` has the rest\n")];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n")
}

/// Pipeline, verdict, time and window in one sentence.
pub(super) fn sentence(timing: &Timing) -> String {
    let took = span::short(timing.took());
    let how = match timing.standing {
        Standing::Ended(Verdict::Unreachable) => "unreachable before anything was started".into(),
        Standing::Ended(Verdict::Window) => format!("the window was too short after {took}"),
        Standing::Ended(Verdict::Done) => format!("done in {took}"),
        Standing::Ended(verdict) => format!("{verdict} after {took}"),
        Standing::UnderWay => format!("under way for {took}"),
        Standing::Crashed => format!("crashed after {took}: no upshift holds it"),
    };
    format!("{}: {how}", timing.opened.plan.pipeline)
}

fn headline(timing: &Timing) -> String {
    hang("", &sentence(timing))
}

/// What the run's window has to do with its end.
pub(super) fn window(timing: &Timing) -> Option<String> {
    let (closes, slack) = (timing.closes?, timing.slack()?);
    let slack = match slack.is_negative() {
        true if !matches!(timing.standing, Standing::Ended(_)) => format!("closed {} ago", span::short(slack.abs())),
        true => format!("closed {} before the run ended", span::short(slack.abs())),
        false => format!("slack {}", span::short(slack)),
    };
    Some(format!("closes {}, {slack}", Moments::of(timing).full(closes)))
}

/// How long it takes to restore the run's backups, where restore tests have measured it.
pub(super) fn restore(timing: &Timing) -> Option<String> {
    (!timing.undo.is_zero()).then(|| format!("takes {} (measured)", span::short(timing.undo)))
}

/// How the run's clock went, where that was not by itself.
pub(super) fn time_scale(timing: &Timing) -> Option<String> {
    match timing.opened.time_scale {
        None => Some("simulated: the clock jumps from one event to the next".into()),
        Some(1.0) => None,
        Some(scale) => Some(format!("time scale {scale}: times are the run's own, {scale} times as fast as real time")),
    }
}

/// Fates with their counts: `2 failed, 78 changed`.
pub(super) fn counts(counts: &[(Fate, usize)]) -> String {
    let counts: Vec<_> = counts.iter().map(|(fate, count)| format!("{count} {}", fate_name(*fate))).collect();
    counts.join(", ")
}

/// How many sessions there were, and the time between them.
pub(super) fn sessions(timing: &Timing) -> String {
    let stopped = Some(timing.stopped()).filter(|stopped| !stopped.is_zero());
    let between = stopped.map(|stopped| format!("{} between them", span::short(stopped)));
    let silent = timing.silent.map(|silent| format!("last record {} ago", span::short(silent)));
    let parts = [Some(count(timing.sessions.len(), "session")), between, silent];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn facts(timing: &Timing) -> String {
    let moments = Moments::of(timing);
    let (changes, on) = timing.changes();
    let until = if timing.standing == Standing::UnderWay { "now" } else { "to" };
    let mut facts = vec![
        ("run", timing.opened.run.clone()),
        ("by", timing.opened.by.to_string()),
        ("when", format!("{} {until} {}", moments.full(timing.started), moments.clock(timing.ended))),
        ("", sessions(timing)),
    ];
    facts.extend(time_scale(timing).map(|scale| ("", scale)));
    facts.extend(window(timing).map(|window| ("window", window)));
    facts.extend(restore(timing).map(|restore| ("restore", restore)));
    facts.push(("hosts", format!("{}: {}", timing.hosts.len(), counts(&timing.counts()))));
    facts.push(("changes", format!("{changes} on {}", count(on, "host"))));
    facts.push(("plan", cut_digest(&timing.opened.plan.digest).into()));
    facts.iter().map(|(name, fact)| hang(&format!("  {name:<9}"), &one_line(fact))).collect()
}

/// The part of a digest that people compare.
pub(super) fn cut_digest(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// Every host that did not come through once, folded by what it came to and why, the worst first.
fn hosts(timing: &Timing) -> String {
    let groups = timing.groups();
    let bad = groups.iter().take_while(|group| is_bad(group.fate)).count();
    let short: usize = groups[..bad].iter().map(|group| group.hosts.len()).sum();
    let (all, well) = (timing.hosts.len(), timing.hosts.iter().filter(|host| came_through(host.fate)).count());
    let mut text = match (short, all - well) {
        (0, 0) if all > 1 => format!("hosts: all {all} came through\n"),
        (0, 0) => format!("hosts: {well} of {all} came through\n"),
        (0, _) => format!("hosts: {well} of {all} came through, none failed\n"),
        _ => format!("hosts: {short} of {all} did not come through\n"),
    };
    text += &groups[..bad].iter().take(MOST_CAUSES).map(group).collect::<String>();
    let rest = &groups[bad.min(MOST_CAUSES)..bad];
    for group in merged(rest) {
        text += &names(&group);
    }
    if !rest.is_empty() {
        let causes = count(rest.len(), "further cause");
        let _ = writeln!(text, "{:LABEL$}{causes}: upshift report {} --format json", "", timing.opened.run);
    }
    let open = groups[bad..].iter().filter(|group| !came_through(group.fate));
    text += &open.map(group).collect::<String>();
    if let Some(group) = groups[..bad].first() {
        let host = &group.hosts[0].name;
        let _ = writeln!(text, "  step by step: `upshift report {} --hosts {host}`", timing.opened.run);
    }
    text
}

/// The hosts that came through; last, because they can be many and ask for nothing.
fn well(timing: &Timing) -> String {
    let groups = timing.groups();
    let names: String = groups.iter().filter(|group| came_through(group.fate)).map(names).collect();
    if names.is_empty() { names } else { format!("came through\n{names}") }
}

/// The width of what a line of hosts begins with.
const LABEL: usize = 15;

/// Whether hosts like this stand at the top of a report.
fn is_bad(fate: Fate) -> bool {
    matches!(fate, Fate::Ended(outcome) if outcome.is_failure())
}

/// Groups of the same fate as one, their causes left out.
fn merged<'a>(groups: &[Group<'a>]) -> Vec<Group<'a>> {
    let mut merged: Vec<Group<'a>> = Vec::new();
    for group in groups {
        match merged.iter_mut().find(|other| other.fate == group.fate) {
            Some(other) => other.hosts.extend(&group.hosts),
            None => merged.push(Group { fate: group.fate, cause: group.cause, hosts: group.hosts.clone() }),
        }
    }
    merged
}

fn names(group: &Group<'_>) -> String {
    hang(&format!("  {:<width$}", fate_name(group.fate), width = LABEL - 2), &group.pattern())
}

fn group(group: &Group<'_>) -> String {
    let indent = " ".repeat(LABEL);
    let lines = [place(group), group.cause.note.as_deref().map(one_line)];
    let lines = lines.into_iter().flatten().map(|line| hang(&indent, &line));
    names(group) + &lines.collect::<String>()
}

/// Where a group was cut short, and how often that was tried.
pub(super) fn place(group: &Group<'_>) -> Option<String> {
    let Cause { stage, step, is_stuck, .. } = group.cause;
    let mut text = [stage.as_deref(), step.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(": ");
    let tries = group.hosts.iter().map(|host| host.tries);
    if let (Some(least), Some(most @ 2..)) = (tries.clone().min(), tries.max()) {
        let tries = if least == most { most.to_string() } else { format!("{least} to {most}") };
        let _ = write!(text, ", tried {tries} times");
    }
    if *is_stuck {
        text += ", not back in service";
    }
    (!text.is_empty()).then_some(text)
}

/// A duration, or nothing.
fn maybe(duration: Option<SignedDuration>) -> String {
    duration.map(span::short).unwrap_or_default()
}

/// A stage's actual time, marked while it is not over.
pub(super) fn actual(stage: &Stage) -> String {
    match stage.actual() {
        None => "not begun".into(),
        Some(actual) if stage.is_over => span::short(actual),
        Some(actual) => format!("{} so far", span::short(actual)),
    }
}

/// The pace achieved against the pace wanted.
pub(super) fn pace(stage: &Stage) -> String {
    match (stage.achieved, stage.pace) {
        (Some(achieved), Some(pace)) => format!("{achieved:.1}/h of {pace}"),
        (None, Some(pace)) => format!("{pace} wanted"),
        // Where none was asked for, there is nothing to compare it with.
        (_, None) => String::new(),
    }
}

/// How far stages are from what was planned, one line each.
fn stages(timing: &Timing) -> String {
    let head = ["stage", "planned", "actual", "difference", "slack", "hosts"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for stage in &timing.stages {
        rows.push(vec![
            cut(&stage.name, 18),
            maybe(stage.planned),
            actual(stage),
            stage.difference().map(span::signed).unwrap_or_default(),
            maybe(stage.slack),
            format!("{}/{}", stage.succeeded(), stage.hosts.len()),
        ]);
    }
    if timing.stages.len() > 1 {
        rows.push(vec![
            "whole run".into(),
            maybe(timing.planned()),
            span::short(timing.took()),
            timing.difference().map(span::signed).unwrap_or_default(),
            maybe(timing.slack()),
        ]);
    }
    let slack = if timing.stages.iter().any(|stage| stage.slack.is_some()) {
        "  slack is what was left of the run's window when the stage ended\n"
    } else {
        ""
    };
    format!("stages\n{}{slack}", table(&rows))
}

/// Each stage that did something: its hosts, its pace and its steps.
fn steps(timing: &Timing) -> String {
    let began = timing.stages.iter().filter(|stage| stage.started.is_some());
    began.map(|stage| one_stage(timing, stage)).collect::<Vec<_>>().join("\n")
}

fn one_stage(timing: &Timing, stage: &Stage) -> String {
    let name = |id: usize| timing.hosts[id].name.as_str();
    let mut facts = Vec::new();
    facts.push(("hosts", counts(&stage.counts())));
    if !stage.stopped.is_zero() {
        facts.push(("stopped", format!("{} of its time lay between two sessions", span::short(stage.stopped))));
    }
    if stage.hosts.len() > 1 {
        let fan_out = format!("fan-out {}", stage.fan_out);
        let pace = [pace(stage), fan_out].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
        facts.push(("pace", pace.join(", ")));
    }
    if let (Some(p50), Some(p95), true) = (stage.p50, stage.p95, stage.hosts.len() > 1) {
        facts.push(("a host", format!("p50 {}, p95 {}", span::short(p50), span::short(p95))));
        let slowest = stage.slowest(5);
        let slowest = slowest.iter().map(|(visit, took)| format!("{} {}", name(visit.host), span::short(*took)));
        facts.push(("slowest", slowest.collect::<Vec<_>>().join(", ")));
    }
    facts.push(("changes", format!("{}, {}", stage.changes(), count(stage.retries(), "retry"))));
    let facts = facts.iter().map(|(name, fact)| hang(&format!("  {name:<9}"), fact));
    let mut rows = vec![["step", "tries", "failed", "p50", "p95"].map(str::to_owned).to_vec()];
    rows.extend(stage.steps.iter().map(|step| {
        let failed = if step.failed > 0 { step.failed.to_string() } else { String::new() };
        vec![cut(&step.title, 40), step.tries.to_string(), failed, maybe(step.p50), maybe(step.p95)]
    }));
    format!("{}\n{}{}", stage.name, facts.collect::<String>(), table(&rows))
}

fn pulls(timing: &Timing) -> String {
    if timing.pulls.is_empty() {
        return String::new();
    }
    let pull = |pull: &crate::model::record::Pulled| hang(&format!("  {} ", pull.into), &pulled(pull));
    format!("pulled\n{}", timing.pulls.iter().map(pull).collect::<String>())
}

/// What a pull brought, in one sentence.
pub(super) fn pulled(pull: &crate::model::record::Pulled) -> String {
    let short = |commit: &str| commit.get(..12).unwrap_or(commit).to_owned();
    let since = match &pull.since {
        None => "no earlier run to compare with".into(),
        Some(since) if *since == pull.commit => "nothing new since the previous run".into(),
        Some(since) => {
            let (commits, files) = (count(pull.commits, "commit"), count(pull.files, "file"));
            format!("{commits} and {files} since {}", short(since))
        }
    };
    format!("at {}, {since}, from {}", short(&pull.commit), one_line(&pull.repo))
}

/// What people said, and when runs were resumed, in order.
fn people(timing: &Timing) -> String {
    let moments = Moments::of(timing);
    let lines = said(timing).into_iter().map(|said| {
        let head = format!("  {}  ", moments.clock(said.at));
        hang(&head, &format!("{}, by {}", one_line(&said.what), one_line(&said.by)))
    });
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("people\n{lines}") }
}

/// Something a person said.
pub(super) struct Said {
    /// When.
    pub(super) at: jiff::Timestamp,
    /// What, and for how long.
    pub(super) what: String,
    /// Who.
    pub(super) by: String,
}

/// Every order and every resume, in order.
pub(super) fn said(timing: &Timing) -> Vec<Said> {
    let resumes = timing.sessions.iter().skip(1).zip(&timing.sessions).map(|(session, before)| {
        let idle = span::short(session.started.duration_since(before.ended));
        let what = match before.verdict {
            Some(verdict) => format!("resume, {idle} after the run ended: {verdict}"),
            None => format!("resume, {idle} after a crash"),
        };
        Said { at: session.started, what, by: session.by.to_string() }
    });
    let orders = timing.orders.iter().map(|order| {
        let lasted = order.lasted().map(|lasted| format!(", lasted {}", span::short(lasted)));
        let gate = order.gate.as_ref().map(|gate| format!(" the gate `{gate}`"));
        let what = format!("{}{}{}", order.command, gate.unwrap_or_default(), lasted.unwrap_or_default());
        Said { at: order.at, what, by: order.by.to_string() }
    });
    let mut said: Vec<_> = resumes.chain(orders).collect();
    said.sort_by_key(|said| said.at);
    said
}

/// Stages then and now.
fn against_previous(timing: &Timing) -> String {
    let Some(previous) = &timing.previous else { return String::new() };
    let head = ["stage", "then", "now", "difference", "p50 then", "p50 now"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for then in &previous.stages {
        let Some(now) = timing.stages.iter().find(|stage| stage.name == then.name) else { continue };
        let difference = then.actual.zip(now.actual()).map(|(then, now)| compared(now - then));
        let so_far = if then.is_over { "" } else { " so far" };
        rows.push(vec![
            cut(&then.name, 18),
            then.actual.map_or_else(|| "not begun".into(), |actual| span::short(actual) + so_far),
            actual(now),
            difference.unwrap_or_default(),
            maybe(then.p50),
            maybe(now.p50),
        ]);
    }
    let head = format!("previous run {}: {}, {}\n", previous.run, previous.standing, span::short(previous.took));
    hang("", &head) + &table(&rows)
}

/// A difference between two runs: `4m slower`.
pub(super) fn compared(difference: SignedDuration) -> String {
    span::signed(difference).replace("over", "slower").replace("under", "faster").replace("on time", "same")
}

/// What a person can do now.
fn next(timing: &Timing) -> String {
    let run = &timing.opened.run;
    match timing.standing {
        Standing::Ended(Verdict::Done) | Standing::UnderWay => String::new(),
        Standing::Ended(_) | Standing::Crashed => format!("`upshift resume {run}` goes on with it\n"),
    }
}
