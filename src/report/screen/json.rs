//! A run for other programs: `--progress json` writes one JSON object a line to stdout.
//!
//! Every object has a `kind`. Kinds of the journal stand exactly as they do there, one line each, as
//! soon as they are on disk, and none is left out: `opened`, `resumed`, `contacted`, `stage-started`,
//! `host-started`, `unit-started`, `unit-ended`, `host-ended`, `stage-ended`, `ordered`,
//! `probe-breached`, `probe-recovered`, `ended`. Each of them has `n`, its number in the journal, and `hash`. A run that is resumed does not repeat what
//! its journal held before.
//!
//! Three kinds stand between them and are in no journal. They have no `n`.
//!
//! `progress`: how far the run is, at the start, at the end, and at most once a second of real time
//! between:
//!
//! | Member | Means |
//! |---|---|
//! | `at` | the run's time, RFC 3339 |
//! | `run` | the run's id |
//! | `state` | `contacting`, `running`, `held`, `gate`, `stopping`, `aborting` or `ended` |
//! | `verdict` | how the run ended, as in the record `ended`; null before |
//! | `stage` | the current stage's name; null when every stage is over |
//! | `stage_number`, `stages` | its place, from one, and how many there are |
//! | `hosts` | of the current stage: `total`, `done`, `under_way`, `failed`, `left`; the last four add up to the first. Null when every stage is over |
//! | `pace` | hosts an hour that the stage starts now; null before its second host |
//! | `pace_wanted` | hosts an hour that it may start; null without a limit |
//! | `stage_ends`, `run_ends` | when these are expected to end; null when nobody knows yet |
//! | `slack_seconds` | what is left of the window then, negative when it is too short; null without a window |
//! | `probes` | for each probe its `probe` (the name), `targets`, `silent` (how many), and `worst`: of those silent for longest the `target`, `since` (how long) and whether it is a `breach`. Missing without probes |
//!
//! `gate`: a person is asked. `at` and `question`. The answer is `upshift pass` or `upshift refuse`.
//!
//! `notice`: something a person should read. `at` and `text`.

use jiff::Timestamp;
use serde::Serialize;

use super::figures::{self, Counts, Doing};
use super::watch::Watch;
use crate::engine::news::News;
use crate::model::Verdict;
use crate::model::probe::Standing;

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Object<'a> {
    Progress(Progress<'a>),
    Gate { at: Timestamp, question: &'a str },
    Notice { at: Timestamp, text: &'a str },
}

#[derive(Serialize)]
struct Progress<'a> {
    at: Timestamp,
    run: &'a str,
    state: &'static str,
    verdict: Option<Verdict>,
    stage: Option<&'a str>,
    stage_number: Option<usize>,
    stages: usize,
    hosts: Option<Hosts>,
    pace: Option<f64>,
    pace_wanted: Option<f64>,
    stage_ends: Option<Timestamp>,
    run_ends: Option<Timestamp>,
    slack_seconds: Option<i64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    probes: &'a [Standing],
}

#[derive(Serialize)]
struct Hosts {
    total: u32,
    done: u32,
    under_way: u32,
    failed: u32,
    left: u32,
}

/// The line for some news, if it has one.
pub(super) fn news(news: &News, now: Timestamp) -> Option<String> {
    match news {
        News::Committed(committed) => Some(committed.line.clone()),
        News::Gate { question } => Some(line(&Object::Gate { at: now, question })),
        News::Notice(text) => Some(line(&Object::Notice { at: now, text })),
        News::Output { .. } | News::Expected { .. } | News::Contacted { .. } | News::Probes(_) | News::Idle { .. } => {
            None
        }
    }
}

/// The line that says how far the run is.
pub(super) fn progress(watch: &Watch, now: Timestamp) -> String {
    let run = &watch.state;
    let stage = run.stages.get(run.current);
    let shape = run.outline.stages.get(run.current);
    let wanted = stage.and_then(|_| figures::limits(run, run.current).0);
    let tenths = |pace: f64| (pace * 10.0).round() / 10.0;
    let expected = watch.expected.filter(|_| run.verdict.is_none());
    line(&Object::Progress(Progress {
        at: now,
        run: &watch.run,
        state: Doing::of(watch).word(),
        verdict: run.verdict,
        stage: shape.map(|shape| shape.name.as_str()),
        stage_number: shape.map(|_| run.current + 1),
        stages: run.stages.len(),
        hosts: stage.map(|stage| {
            let Counts { total, done, under_way, failed, left, .. } = Counts::of(stage);
            Hosts { total, done, under_way, failed, left }
        }),
        pace: stage.and_then(|stage| figures::pace_now(stage, wanted, now)).map(tenths),
        pace_wanted: wanted.map(crate::model::Pace::hosts_per_hour),
        stage_ends: expected.map(|expected| expected.stage),
        run_ends: expected.map(|expected| expected.run),
        slack_seconds: figures::slack(watch, now).map(|slack| slack.as_secs()),
        probes: &watch.probes,
    }))
}

fn line(object: &Object) -> String {
    serde_json::to_string(object).unwrap_or_else(|error| unreachable!("these are plain data: {error}"))
}
