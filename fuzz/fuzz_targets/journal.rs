//! No journal panics, and whatever one adds up to can be carried on to an end.
//!
//! The input is the lines of a journal without `n`, `prev` and `hash`, which are filled in here: the
//! fuzzer could never guess a hash, and behind it is where the work is done.

#![no_main]

use std::fmt::Write;
use std::sync::Arc;

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
use upshift::engine::simulate::simulate;
use upshift::engine::state::{Phase, RunState};
use upshift::journal;
use upshift::model::inventory::{Login, Ssh, Transport};
use upshift::model::plan::{Action, Domains, Expected, Host, Plan, Stage, Step, Unit, Window};
use upshift::model::record::End;
use upshift::model::{Budget, Outcome, Outline, Person, Record};

fuzz_target!(|text: &str| {
    let _ = journal::parse("f", text.as_bytes());
    let Ok(journal) = journal::parse("f", chained(text).as_bytes()) else { return };
    let units: usize = journal.outline.stages.iter().map(|stage| stage.hosts.len() * stage.steps.len()).sum();
    let small = journal.outline.hosts.len() < 100 && units < 300;
    let mut state = RunState::new(journal.outline.clone());
    for entry in &journal.entries {
        let before = small.then(|| format!("{state:?}"));
        match state.apply(entry.at, &entry.record) {
            Ok(()) => adds_up(&state),
            Err(_) => assert!(before.is_none_or(|before| before == format!("{state:?}")), "{entry:?}"),
        }
    }
    if small {
        goes_on(&journal.outline, state, journal.entries.last().map_or(Timestamp::UNIX_EPOCH, |last| last.at));
    }
});

/// The lines with their numbers and hashes.
fn chained(text: &str) -> String {
    let mut journal = String::new();
    let mut prev = "0".repeat(32);
    let records = text.lines().filter_map(|line| line.strip_prefix('{')?.strip_suffix('}'));
    for (n, members) in records.enumerate() {
        let body = format!("{{\"n\":{n},\"prev\":\"{prev}\",{members}");
        let digest = Sha256::digest(format!("{body}}}").as_bytes());
        prev = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        let _ = writeln!(journal, "{body},\"hash\":\"{prev}\"}}");
    }
    journal
}

/// Checks that what the state counts is what its hosts are.
fn adds_up(state: &RunState) {
    for stage in &state.stages {
        let waiting = stage.hosts.iter().filter(|host| host.phase == Phase::Waiting).count();
        let ended = stage.hosts.iter().filter(|host| matches!(host.phase, Phase::Ended(_))).count();
        assert_eq!(stage.waiting as usize, waiting);
        assert_eq!(stage.done() as usize, ended);
        assert_eq!(stage.under_way.len(), stage.hosts.len() - waiting - ended);
        assert!(stage.hosts[..stage.first_waiting as usize].iter().all(|host| host.phase != Phase::Waiting));
    }
    assert_eq!(state.fates().len(), state.outline.hosts.len());
    assert!(state.running().count() <= state.stages.iter().map(|stage| stage.under_way.len()).sum());
}

/// Resumes the run, and checks that it comes to an end.
fn goes_on(outline: &Arc<Outline>, mut state: RunState, now: Timestamp) {
    let by = Person { user: "ops".into(), pid: 1, from: "fuzz".into() };
    let resumed = [Record::Resumed { by, closes: None }, Record::Contacted { unreachable: Vec::new() }];
    if resumed.iter().any(|record| state.apply(now, record).is_err()) {
        return;
    }
    adds_up(&state);
    let plan = plan(outline);
    let took = SignedDuration::from_mins(1);
    let outlook = simulate(&plan, &mut state, now, |_, _| (took, End::plain(Outcome::Changed)), |_, _, _| {});
    assert!(outlook.verdict.is_some());
    adds_up(&state);
}

/// A plan of that shape.
fn plan(outline: &Outline) -> Plan {
    let unit = |always: bool| Unit {
        on: 0,
        action: Action::Run { command: "true".into(), until: None },
        unless: None,
        env: IndexMap::new(),
        undo: None,
        always: always.then(|| "true".into()),
    };
    let step = |n: usize, title: &String, hosts: usize| Step {
        title: title.clone(),
        timeout: SignedDuration::from_hours(1),
        retries: 1,
        retry_delay: SignedDuration::from_secs(5),
        retry_interrupted: true,
        expected: Expected::UNKNOWN,
        put_back: SignedDuration::ZERO,
        takes: None,
        failure_rate: 0.0,
        units: vec![unit(n % 2 == 0); hosts],
    };
    let stages = outline.stages.iter().map(|stage| Stage {
        name: stage.name.clone(),
        summary: None,
        impact: None,
        window: stage.window,
        pace: stage.pace,
        fan_out: stage.fan_out.max(1),
        canary: vec![1, 2],
        settle: SignedDuration::from_secs(1),
        spread: None,
        budget: Budget { total: Some(1), ..Budget::default() },
        hosts: stage.hosts.clone(),
        domains: Domains::default(),
        steps: stage.steps.iter().enumerate().map(|(n, title)| step(n, title, stage.hosts.len())).collect(),
    });
    let host = |name: &String| Host {
        name: name.clone(),
        address: name.clone(),
        transport: Transport::Simulated,
        login: Login::default(),
        answers: true,
    };
    Plan {
        pipeline: outline.pipeline.clone(),
        summary: None,
        digest: outline.digest.clone(),
        pipeline_file: String::new(),
        inventory_file: String::new(),
        window: Window::default(),
        reserve: SignedDuration::ZERO,
        budget: Budget { total: None, ..Budget::default() },
        ssh: Ssh::default(),
        hosts: outline.hosts.iter().map(host).collect(),
        stages: stages.collect(),
    }
}
