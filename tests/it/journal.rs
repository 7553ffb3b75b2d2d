//! Journals that nobody ran, some of which the fuzzer found: they are refused or read, and never cause a panic.

use std::fmt::Write;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use upshift::engine::state;
use upshift::journal;

/// The lines of a seed with their numbers and hashes, as the fuzz target fills them in.
fn chained(seed: &str) -> String {
    let mut journal = String::new();
    let mut prev = "0".repeat(32);
    let records = seed.lines().filter_map(|line| line.strip_prefix('{')?.strip_suffix('}'));
    for (n, members) in records.enumerate() {
        let body = format!("{{\"n\":{n},\"prev\":\"{prev}\",{members}");
        let digest = Sha256::digest(format!("{body}}}").as_bytes());
        prev = digest[..16].iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        writeln!(journal, "{body},\"hash\":\"{prev}\"}}").unwrap();
    }
    journal
}

#[test]
fn no_seed_of_the_fuzzer_causes_a_panic() {
    let mut folded = 0;
    for file in std::fs::read_dir("fuzz/seeds/journal").unwrap() {
        let seed = std::fs::read(file.unwrap().path()).unwrap();
        let seed = String::from_utf8_lossy(&seed);
        let Ok(journal) = journal::parse("seed", chained(&seed).as_bytes()) else { continue };
        let state = state::fold(&journal.outline, &journal.entries)
            .unwrap_or_else(|(n, _)| state::fold(&journal.outline, &journal.entries[..n]).unwrap());
        assert_eq!(state.fates().len(), Arc::clone(&journal.outline).hosts.len());
        folded += 1;
    }
    assert!(folded > 2);
}

#[test]
fn a_journal_that_would_fill_the_memory_is_refused() {
    let stage = "{\"name\":\"s\",\"window\":null,\"pace\":null,\"fan_out\":1,\"hosts\":[[0,99999]],\"steps\":[]}";
    let stages = vec![stage; 21].join(",");
    let opened = format!(
        "{{\"at\":\"2026-11-22T12:00:00Z\",\"kind\":\"opened\",\"format\":1,\"run\":\"r\",\"upshift\":\"0\",\
         \"by\":{{\"user\":\"u\",\"pid\":1,\"from\":\"t\"}},\"closes\":null,\"time_scale\":null,\"plan\":{{\
         \"pipeline\":\"p\",\"digest\":\"d\",\"simulated\":true,\"hosts\":\"a[1-100000]\",\"stages\":[{stages}]}}}}"
    );
    let error = journal::parse("f", chained(&opened).as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "f:1:1: the journal is damaged: its stages have 2100000 hosts together, and 2000000 are the most"
    );
}
