//! No text is an inventory of any kind that panics; comments are selectors over it. Names survive
//! being folded. The first character says how the file is named.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use upshift::config::parse_inventory;
use upshift::model::{pattern, selector};

fuzz_target!(|text: &str| {
    let comments = || text.lines().filter_map(|line| line.strip_prefix('#'));
    for list in comments() {
        if let Ok(names) = pattern::unfold(list) {
            folds(names.iter().map(String::as_str).collect());
        }
    }
    let name = match text.as_bytes().first() {
        Some(b';') => "f.ini",
        Some(b'#') => "f.yml",
        _ => "f",
    };
    let Ok(inventory) = parse_inventory(name, text) else { return };
    folds(inventory.hosts.keys().map(String::as_str).collect());
    for (name, group) in &inventory.groups {
        assert!(group.iter().all(|host| inventory.hosts.contains_key(host)), "{name}");
    }
    let groups = inventory.groups.keys().map(String::as_str);
    for selector in comments().chain(groups).take(50) {
        let Ok(hosts) = selector::select(&inventory, selector) else { continue };
        let distinct: BTreeSet<_> = hosts.iter().map(|host| &host.name).collect();
        assert!(!hosts.is_empty() && distinct.len() == hosts.len(), "{selector}");
    }
});

/// Checks that folding neither loses nor invents a name.
fn folds(names: Vec<&str>) {
    if names.len() > 5000 {
        return;
    }
    let in_order = pattern::unfold(&pattern::fold_in_order(names.iter().copied())).expect("a folded list unfolds");
    assert!(in_order.iter().eq(&names));
    let mut sorted = pattern::unfold(&pattern::fold(names.iter().copied())).expect("a folded list unfolds");
    sorted.sort();
    assert!(sorted.iter().eq(names.iter().collect::<BTreeSet<_>>()));
}
