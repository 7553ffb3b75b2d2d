use super::samples;
use super::{csv, html, json, text};

/// Writes the samples for eyes: `UPSHIFT_SAMPLES=/tmp/samples cargo test -- --ignored samples_for_eyes`.
#[test]
#[ignore = "writes files for a person to look at"]
fn samples_for_eyes() {
    let folder = std::env::var("UPSHIFT_SAMPLES").unwrap();
    let samples = [
        ("eighty", samples::eighty()),
        ("eventful", samples::eventful()),
        ("two-thousand", samples::two_thousand()),
        ("one", samples::one_host()),
        ("crashed", samples::crashed()),
        ("unreachable", samples::unreachable()),
    ];
    for (name, sample) in samples {
        let timing = sample.timing();
        for (kind, content) in [
            ("txt", text::render(&timing)),
            ("html", html::render(&timing)),
            ("json", json::render(&timing)),
            ("csv", csv::render(&timing)),
        ] {
            std::fs::write(format!("{folder}/{name}.{kind}"), content).unwrap();
        }
    }
}
