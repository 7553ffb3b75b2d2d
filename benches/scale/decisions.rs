//! How long a decision takes, over whole runs of ten thousand hosts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use upshift::engine::draw;
use upshift::engine::schedule::decide;
use upshift::engine::simulate::Due;
use upshift::engine::state::RunState;
use upshift::model::record::Opened;
use upshift::model::{Person, Plan, Record, Verdict};

use crate::{Figures, cloud};

pub(super) fn measure(figures: &mut Figures) {
    let inventory = cloud::inventory(10_000, 100);
    for (name, cascade) in [
        ("fan-out 500", "fan-out = 500"),
        ("spread over 100 racks", "fan-out = 500, spread = 'rack'"),
        ("canary, settle", "fan-out = 500, canary = [1, 10, 100], settle = '1m'"),
    ] {
        let took = run(&cloud::rolling(cascade, &inventory));
        let at = |percent: usize| took[(took.len() - 1) * percent / 100];
        let what = format!("decide, 10 000 hosts, {name}");
        figures.time_below(&format!("{what}: median of {} calls", took.len()), at(50), Duration::from_millis(1));
        figures.time(&format!("{what}: 99 of 100 calls"), at(99));
        figures.time(&format!("{what}: the longest"), at(100));
    }
}

/// The first records of a run of this plan, whose hosts all answer.
pub(super) fn opening(plan: &Plan) -> [Record; 2] {
    let opened = Opened {
        run: "scale".into(),
        upshift: "0.1.0".into(),
        by: person(),
        closes: None,
        key: String::new(),
        time_scale: None,
        plan: plan.outline(),
    };
    [Record::Opened(Box::new(opened)), Record::Contacted { unreachable: Vec::new() }]
}

/// A run of this plan that was just opened.
pub(super) fn fresh(plan: &Plan) -> RunState {
    let mut state = RunState::new(Arc::new(plan.outline()));
    for record in opening(plan) {
        state.apply(Timestamp::UNIX_EPOCH, &record).expect("a run opens");
    }
    state
}

/// Who runs it.
pub(super) fn person() -> Person {
    Person { user: "ops".into(), pid: 1, from: "bench".into() }
}

/// The sorted times of every decision of a run.
fn run(plan: &Plan) -> Vec<Duration> {
    let mut now = Timestamp::UNIX_EPOCH;
    let mut state = fresh(plan);
    let mut due = Due::default();
    let mut took = Vec::new();
    while state.verdict.is_none() {
        let start = Instant::now();
        let decision = decide(plan, &state, now);
        took.push(start.elapsed());
        for record in &decision.records {
            if let Record::UnitStarted { unit, attempt } = record {
                let (takes, end) = draw::unit(plan, *unit, *attempt);
                due.add(now + takes, *unit, *attempt, end);
            }
            state.apply(now, record).expect("what is decided is legal");
        }
        if !decision.records.is_empty() {
            continue;
        }
        let Some(next) = [due.next_at(), decision.wake_at].into_iter().flatten().min() else { break };
        now = next;
        while let Some((unit, attempt, end)) = due.take(now) {
            let record = Record::UnitEnded { unit, attempt, end, retry_at: None };
            state.apply(now, &record).expect("a unit ends once");
        }
    }
    assert_eq!(state.verdict, Some(Verdict::Done));
    took.sort_unstable();
    took
}
