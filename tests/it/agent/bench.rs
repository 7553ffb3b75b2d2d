//! How long a trivial step takes: `cargo test bench -- --ignored --nocapture`.

use std::time::Instant;

use super::{Bench, nobody};
use upshift::model::Outcome;

#[tokio::test]
#[ignore = "a measurement"]
async fn bench_trivial_steps() {
    let bench = Bench::new();
    let count = 200_u32;
    let begun = Instant::now();
    for n in 0..count {
        let mut order = bench.command("true");
        order.id = format!("one-by-one/{n}");
        assert_eq!(bench.execute(&order).await.0.outcome, Outcome::Changed);
    }
    println!("one by one: {:?} a step", begun.elapsed() / count);
    let begun = Instant::now();
    let orders: Vec<_> = (0..count)
        .map(|n| {
            let mut order = bench.command("true");
            order.id = format!("at-once/{n}");
            order
        })
        .collect();
    let mut steps = tokio::task::JoinSet::new();
    for order in orders {
        let local = bench.local.clone();
        steps.spawn(async move { local.execute(&order, 0, &nobody()).await });
    }
    while let Some(end) = steps.join_next().await {
        assert_eq!(end.unwrap().outcome, Outcome::Changed);
    }
    println!("{count} at once: {:?} in all, {:?} a step", begun.elapsed(), begun.elapsed() / count);
}
