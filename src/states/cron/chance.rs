//! Times that are left to chance, so that not every host does the same thing in the same minute.

use std::hash::{BuildHasher as _, RandomState};
use std::ops::RangeInclusive;

/// Gives every field that is `random`, or a range such as `5:10`, a number.
pub(super) fn settle(fields: &mut [String; 5]) {
    // A day that every month has.
    let ranges: [RangeInclusive<u64>; 5] = [0..=59, 0..=23, 1..=28, 1..=12, 0..=6];
    for (field, any) in fields.iter_mut().zip(ranges) {
        let range = if field == "random" { Some(any) } else { range(field) };
        if let Some(range) = range {
            *field = one_of(&range).to_string();
        }
    }
}

/// Both ends of `5:10`, whichever comes first.
fn range(field: &str) -> Option<RangeInclusive<u64>> {
    let (one, other) = field.split_once(':')?;
    let (one, other): (u64, u64) = (one.parse().ok()?, other.parse().ok()?);
    Some(one.min(other)..=one.max(other))
}

fn one_of(range: &RangeInclusive<u64>) -> u64 {
    // Every state of the hasher has keys of its own.
    let number = RandomState::new().hash_one(());
    range.start() + number % (range.end() - range.start() + 1)
}
