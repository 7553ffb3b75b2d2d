//! A preview of every function changes nothing: which functions that is, and what makes a host such that each of them would.
//!
//! The preview itself is in `lab/preview.rs`, on a real host.

use std::collections::BTreeSet;

/// An SLS with every function, each with something to change.
pub(crate) const ALL: &str = include_str!("all.sls");

/// Makes a host such that it has something to change.
pub(crate) const PREPARE: &str = include_str!("prepare.sh");

/// Stands in for programs that the host does not have.
pub(crate) const STAND_IN: &str = include_str!("stand-in.sh");

/// The functions that are not in [`ALL`], and why.
const OTHERS: [(&str, &str); 22] = [
    ("docker_container.absent", DOCKER),
    ("docker_container.running", DOCKER),
    ("docker_container.stopped", DOCKER),
    ("docker_image.absent", DOCKER),
    ("docker_image.present", DOCKER),
    ("docker_network.absent", DOCKER),
    ("docker_network.present", DOCKER),
    ("docker_volume.absent", DOCKER),
    ("docker_volume.present", DOCKER),
    ("event.send", "it is refused before anything runs"),
    ("file.exists", LOOKS),
    ("file.missing", LOOKS),
    ("file.not_cached", "upshift keeps no copy of a source, so that there is never one to remove"),
    ("grains.exists", LOOKS),
    ("test.check_pillar", LOOKS),
    ("test.configurable_test_state", LOOKS),
    ("test.fail_with_changes", "it fails in a preview too"),
    ("test.fail_without_changes", "it fails in a preview too"),
    ("test.mod_watch", LOOKS),
    ("test.nop", LOOKS),
    ("test.show_notification", LOOKS),
    ("test.succeed_without_changes", LOOKS),
];

const DOCKER: &str = "its preview is held against a daemon in `states::docker::tests`";
const LOOKS: &str = "it never changes anything";

/// The function of each state of [`ALL`].
pub(crate) fn functions() -> Vec<&'static str> {
    let function = |line: &'static str| Some(line.strip_prefix("  ")?.split_once(": ")?.0);
    ALL.lines().filter_map(function).collect()
}

#[test]
fn every_function_is_previewed_on_a_host_or_it_is_said_why_not() {
    let previewed: BTreeSet<&str> = functions().into_iter().collect();
    let others: BTreeSet<&str> = OTHERS.iter().map(|(name, _)| *name).collect();
    let all: BTreeSet<&str> = upshift::states::names().collect();
    let missing: Vec<_> = all.iter().filter(|name| !previewed.contains(*name) && !others.contains(*name)).collect();
    assert!(missing.is_empty(), "not in previews/all.sls: {missing:?}");
    let gone: Vec<_> = previewed.union(&others).filter(|name| !all.contains(*name)).collect();
    assert!(gone.is_empty(), "there is no such function: {gone:?}");
    assert!(previewed.is_disjoint(&others), "previewed after all: {:?}", previewed.intersection(&others));
}
