//! Which lines of two files are the same ones, as Python's `difflib` sees it: the longest stretch first, then what is
//! before and behind it.
//!
//! Another algorithm finds diffs that are right too, but not those that Salt shows.

use std::collections::HashMap;
use std::ops::Range;

/// From how many lines on those that come very often are no beginning of a stretch.
const MANY: usize = 200;

/// A stretch of the old lines and what is in its place in the new ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) is_equal: bool,
    pub(super) old: Range<usize>,
    pub(super) new: Range<usize>,
}

/// The changes between two lists of lines in groups, each with `context` equal lines around it.
pub(super) fn groups(old: &[&[u8]], new: &[&[u8]], context: usize) -> Vec<Vec<Stretch>> {
    let mut stretches = stretches(old, new);
    if let Some(first) = stretches.first_mut().filter(|first| first.is_equal) {
        first.keep_last(context);
    }
    if let Some(last) = stretches.last_mut().filter(|last| last.is_equal) {
        last.keep_first(context);
    }
    let mut groups = Vec::new();
    let mut group = Vec::new();
    for mut stretch in stretches {
        if stretch.is_equal && stretch.old.len() > 2 * context {
            let mut end = stretch.clone();
            end.keep_first(context);
            group.push(end);
            groups.push(std::mem::take(&mut group));
            stretch.keep_last(context);
        }
        group.push(stretch);
    }
    groups.push(group);
    groups.retain(|group| group.iter().any(|stretch| !stretch.is_equal));
    groups
}

impl Stretch {
    fn keep_first(&mut self, lines: usize) {
        self.old.end = self.old.end.min(self.old.start + lines);
        self.new.end = self.new.end.min(self.new.start + lines);
    }

    fn keep_last(&mut self, lines: usize) {
        self.old.start = self.old.start.max(self.old.end.saturating_sub(lines));
        self.new.start = self.new.start.max(self.new.end.saturating_sub(lines));
    }
}

/// All of the old and the new lines in stretches that are equal, or not.
fn stretches(old: &[&[u8]], new: &[&[u8]]) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    let (mut old_at, mut new_at) = (0, 0);
    let end = Match { old: old.len(), new: new.len(), length: 0 };
    for found in matches(old, new).into_iter().chain([end]) {
        if old_at < found.old || new_at < found.new {
            stretches.push(Stretch { is_equal: false, old: old_at..found.old, new: new_at..found.new });
        }
        (old_at, new_at) = (found.old + found.length, found.new + found.length);
        match stretches.last_mut().filter(|last| last.is_equal) {
            Some(last) => (last.old.end, last.new.end) = (old_at, new_at),
            None if found.length > 0 => {
                stretches.push(Stretch { is_equal: true, old: found.old..old_at, new: found.new..new_at });
            }
            None => {}
        }
    }
    stretches
}

/// Lines that follow one another in both files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Match {
    old: usize,
    new: usize,
    length: usize,
}

fn matches(old: &[&[u8]], new: &[&[u8]]) -> Vec<Match> {
    let mut places: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (at, line) in new.iter().enumerate() {
        places.entry(line).or_default().push(at);
    }
    if new.len() >= MANY {
        let most = new.len() / 100 + 1;
        places.retain(|_, places| places.len() <= most);
    }
    let mut found = Vec::new();
    let mut waiting = vec![(0..old.len(), 0..new.len())];
    while let Some((in_old, in_new)) = waiting.pop() {
        let longest = longest(old, new, &places, in_old.clone(), in_new.clone());
        if longest.length == 0 {
            continue;
        }
        found.push(longest);
        waiting.push((in_old.start..longest.old, in_new.start..longest.new));
        waiting.push((longest.old + longest.length..in_old.end, longest.new + longest.length..in_new.end));
    }
    found.sort_unstable();
    found
}

/// The longest match in a part of both; the first of those in the old lines, then in the new ones.
fn longest(
    old: &[&[u8]],
    new: &[&[u8]],
    places: &HashMap<&[u8], Vec<usize>>,
    in_old: Range<usize>,
    in_new: Range<usize>,
) -> Match {
    let mut best = Match { old: in_old.start, new: in_new.start, length: 0 };
    // How long the match is that ends with the line before, by where it ends in the new lines.
    let mut lengths: HashMap<usize, usize> = HashMap::new();
    for (at, line) in old.iter().enumerate().take(in_old.end).skip(in_old.start) {
        let mut next = HashMap::new();
        for place in places.get(line).into_iter().flatten().copied().filter(|place| in_new.contains(place)) {
            let before = place.checked_sub(1).and_then(|before| lengths.get(&before)).copied().unwrap_or(0);
            next.insert(place, before + 1);
            if before + 1 > best.length {
                best = Match { old: at - before, new: place - before, length: before + 1 };
            }
        }
        lengths = next;
    }
    // Lines that come too often begin no match, but belong to the one beside them.
    while best.old > in_old.start && best.new > in_new.start && old.get(best.old - 1) == new.get(best.new - 1) {
        best = Match { old: best.old - 1, new: best.new - 1, length: best.length + 1 };
    }
    let ends = |best: &Match| (best.old + best.length, best.new + best.length);
    while let (old_end, new_end) = ends(&best)
        && old_end < in_old.end
        && new_end < in_new.end
        && old.get(old_end) == new.get(new_end)
    {
        best.length += 1;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_stretch_is_kept_first() {
        let (old, new) = ("qabxcd", "abycdf");
        let lines = |text: &'static str| text.as_bytes().chunks(1).collect::<Vec<_>>();
        let equal = |old: Range<usize>, new| Stretch { is_equal: true, old, new };
        let other = |old: Range<usize>, new| Stretch { is_equal: false, old, new };
        let expected = [other(0..1, 0..0), equal(1..3, 0..2), other(3..4, 2..3), equal(4..6, 3..5), other(6..6, 5..6)];
        assert_eq!(stretches(&lines(old), &lines(new)), expected);
        assert_eq!(groups(&lines(old), &lines(old), 3), Vec::<Vec<Stretch>>::new());
    }
}
