//! No pipeline over no inventory makes a plan that panics, and a plan is what its digest says.
//!
//! The input is a pipeline; what follows a line `#---` is the inventory, in place of the one of the tests.

#![no_main]

use libfuzzer_sys::fuzz_target;
use upshift::config::{parse_inventory, parse_pipeline};
use upshift::model::History;
use upshift::plan;

const INVENTORY: &str = include_str!("../../tests/fixtures/config/ok_inventory_full.toml");

fuzz_target!(|text: &str| {
    let (pipeline, inventory) = text.split_once("\n#---\n").unwrap_or((text, INVENTORY));
    let (Ok(pipeline), Ok(inventory)) = (parse_pipeline("p", pipeline), parse_inventory("i", inventory)) else {
        return;
    };
    // Large plans are slow and teach nothing that small ones do not.
    let units = inventory.hosts.len() * pipeline.stages.iter().map(|stage| stage.steps.len()).sum::<usize>();
    if units > 20_000 {
        return;
    }
    let mut resolve = |_: &str, _: &str| Ok("c0ffee".repeat(6));
    let Ok(plan) = plan::build(&pipeline, &inventory, &History::default(), &mut resolve) else { return };
    assert!(plan::is_whole(&plan));
    drop(plan.outline());
});
