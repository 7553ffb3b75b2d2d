//! What never happens in a run, whatever the plan, the hosts, the person and the crashes do.
//!
//! [`world`] carries random runs on, [`checker`] judges their records without looking at the state
//! that the engine keeps, and [`boundaries`] has the cases in which one more or less counts.

mod boundaries;
mod checker;
mod cuts;
mod plans;
mod world;

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::SmallRng;

use crate::engine::simulate::simulate;
use crate::engine::state;
use crate::engine::{draw, sample};
use crate::model::Record;

/// Random runs of each property; `UPSHIFT_CASES` asks for more.
fn cases(usual: u32) -> ProptestConfig {
    let asked = std::env::var("UPSHIFT_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(asked.unwrap_or(usual)) }
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn no_run_ever_breaks_a_rule(seed: u64, hosts in 1_u32..=60, trouble in 0_u32..=3) {
        world::World::new(seed, hosts, trouble).carry_out();
    }
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn a_run_that_is_cut_after_any_record_goes_on_as_if_it_had_not_been(seed: u64, hosts in 1_u32..=30, cut: u32) {
        let plan = plans::plan(&mut SmallRng::seed_from_u64(seed), hosts);
        let mut records = Vec::new();
        let mut whole = sample::opened(&plan);
        let draws = |unit, attempt| draw::unit(&plan, unit, attempt);
        simulate(&plan, &mut whole, sample::start(), draws, |_, at, record| records.push((at, record.clone())));

        let cut = cut as usize % (records.len() + 1);
        let mut state = sample::opened(&plan);
        for (at, record) in &records[..cut] {
            state.apply(*at, record).unwrap();
        }
        let now = cut.checked_sub(1).map_or(sample::start(), |last| records[last].0);
        let mut again = records[..cut].to_vec();
        simulate(&plan, &mut state, now, draws, |_, at, record| again.push((at, record.clone())));
        prop_assert_eq!(again, records);
        prop_assert_eq!(format!("{state:?}"), format!("{whole:?}"));
    }
}

#[test]
fn a_record_that_cannot_follow_changes_nothing() {
    let plan = plans::plan(&mut SmallRng::seed_from_u64(7), 12);
    let mut state = sample::opened(&plan);
    let mut records = sample::opening(&plan).to_vec();
    let draws = |unit, attempt| draw::unit(&plan, unit, attempt);
    simulate(&plan, &mut state, sample::start(), draws, |_, _, record| records.push(record.clone()));
    records.dedup();
    let mut state = state::RunState::new(std::sync::Arc::new(plan.outline()));
    let mut refused = 0;
    for next in &records {
        for other in &records {
            let mut tried = state.clone();
            if tried.apply(sample::start(), other).is_err() {
                refused += 1;
                assert_eq!(format!("{tried:?}"), format!("{state:?}"), "{other:?} was refused");
            }
        }
        state.apply(sample::start(), next).unwrap();
        assert!(!matches!(next, Record::Resumed { .. }));
    }
    assert!(refused > records.len());
}
