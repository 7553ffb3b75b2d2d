//! Hosts that answered the same, folded into one.

use indexmap::IndexMap;

use super::answer::Answer;
use super::output::Output;
use crate::model::{Outcome, pattern};

/// Hosts that answered the same.
#[derive(Debug)]
pub struct Group<'a> {
    /// Their names, in the order of the inventory.
    pub hosts: Vec<&'a str>,
    /// What each of them answered.
    pub answer: &'a Answer,
}

impl Group<'_> {
    /// Their names as a pattern.
    #[must_use]
    pub fn names(&self) -> String {
        pattern::fold(self.hosts.iter().copied())
    }
}

/// What has to be the same.
type Same<'a> = (Outcome, Option<i32>, Option<&'a str>, &'a Output, &'a Output);

/// Folds answers: the largest group first, and hosts that came short at the end, near the prompt.
#[must_use]
pub fn groups<'a>(answers: impl IntoIterator<Item = (&'a str, &'a Answer)>) -> Vec<Group<'a>> {
    let mut groups: IndexMap<Same<'a>, Group<'a>> = IndexMap::new();
    for (host, answer) in answers {
        let Answer { outcome, code, why, stdout, stderr, .. } = answer;
        let same = (*outcome, *code, why.as_deref(), &**stdout, &**stderr);
        groups.entry(same).or_insert_with(|| Group { hosts: Vec::new(), answer }).hosts.push(host);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    // Groups of one size stay in the order of the inventory.
    groups.sort_by_key(|group| (group.answer.came_short(), std::cmp::Reverse(group.hosts.len())));
    groups
}
