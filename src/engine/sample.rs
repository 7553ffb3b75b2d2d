//! Plans for tests, built by hand.

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};

use crate::model::inventory::{Login, Ssh, Transport};
use crate::model::plan::{Action, Domains, Expected, Host, Plan, Source, Stage, Step, Undo, Unit, Window};
use crate::model::probe::{Look, OnBreach, Probe, Target};
use crate::model::record::{Opened, Person};
use crate::model::{Budget, Record, Takes};

/// A plan with one stage per entry of `stages`: its name, its hosts and its steps.
pub(crate) fn plan(hosts: u32, stages: Vec<Stage>) -> Plan {
    let host = |n: u32| Host {
        name: format!("cmp{:03}", n + 1),
        address: format!("198.18.1.{n}"),
        transport: Transport::Simulated,
        login: Login::default(),
        answers: true,
    };
    Plan {
        pipeline: "train".into(),
        summary: None,
        digest: "0".repeat(64),
        content: String::new(),
        pipeline_file: "train.toml".into(),
        inventory_file: "inventory.toml".into(),
        undoes: None,
        window: Window::default(),
        reserve: SignedDuration::ZERO,
        budget: Budget::default(),
        ssh: Ssh::default(),
        hosts: (0..hosts).map(host).collect(),
        stages,
        probes: Vec::new(),
    }
}

/// A stage over the first `hosts` hosts, without limits, with these steps.
pub(crate) fn stage(name: &str, hosts: u32, steps: Vec<Step>) -> Stage {
    Stage {
        name: name.into(),
        summary: None,
        impact: None,
        window: None,
        pace: None,
        fan_out: hosts,
        canary: Vec::new(),
        settle: SignedDuration::ZERO,
        spread: None,
        budget: Budget { total: Some(1), ..Budget::default() },
        rollback: false,
        hosts: (0..hosts).collect(),
        domains: Domains::default(),
        steps,
    }
}

/// A probe of so many workloads, which may be silent for three seconds.
pub(crate) fn probe(name: &str, targets: u32) -> Probe {
    let target = |n| Target { name: format!("vm{n:03}"), look: Look::Icmp { host: format!("vm{n:03}") } };
    Probe {
        name: name.into(),
        every: SignedDuration::from_millis(200),
        max_gap: SignedDuration::from_secs(3),
        on_breach: OnBreach::Hold,
        targets: (1..=targets).map(target).collect(),
    }
}

/// A step that takes so long on every host.
pub(crate) fn step(title: &str, hosts: u32, takes: SignedDuration) -> Step {
    let unit = |host| Unit {
        on: host,
        action: Action::Run { command: "true".into(), until: None },
        unless: None,
        env: IndexMap::new(),
        undo: Vec::new(),
        always: None,
    };
    Step {
        title: title.into(),
        timeout: SignedDuration::from_hours(1),
        retries: 0,
        retry_delay: SignedDuration::from_secs(5),
        retry_interrupted: false,
        expected: Expected { p50: takes, p95: takes, source: Source::Declared },
        put_back: SignedDuration::from_secs(1),
        undo: Expected { p50: takes, p95: takes, source: Source::Declared },
        takes: Some(Takes { mean: takes, deviation: SignedDuration::ZERO }),
        failure_rate: 0.0,
        no_return: false,
        units: (0..hosts).map(unit).collect(),
    }
}

/// A command that takes a step back.
pub(crate) fn undo() -> Undo {
    Undo { action: Action::Run { command: "true".into(), until: None }, timeout: None }
}

/// The same step with an `always` on every host.
pub(crate) fn with_always(mut step: Step) -> Step {
    for unit in &mut step.units {
        unit.always = Some("true".into());
    }
    step
}

/// When sample runs start.
pub(crate) fn start() -> Timestamp {
    "2026-11-22T22:00:00Z".parse().unwrap()
}

/// The operator of sample runs.
pub(crate) fn person() -> Person {
    Person { user: "ops".into(), pid: 4711, from: "/dev/pts/1".into() }
}

/// The records that open a run of a plan whose hosts all answer.
pub(crate) fn opening(plan: &Plan) -> [Record; 2] {
    let opened = Opened {
        run: "20261122-2200-train".into(),
        upshift: "0.1.0".into(),
        by: person(),
        closes: None,
        key: "5eed".into(),
        time_scale: None,
        plan: plan.outline(),
    };
    [Record::Opened(Box::new(opened)), Record::Contacted { unreachable: Vec::new() }]
}

/// A state in which the run of a plan was just opened.
pub(crate) fn opened(plan: &Plan) -> crate::engine::state::RunState {
    let mut state = crate::engine::state::RunState::new(std::sync::Arc::new(plan.outline()));
    for record in opening(plan) {
        state.apply(start(), &record).unwrap();
    }
    state
}
