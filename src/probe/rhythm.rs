//! When which target is looked at: evenly spread, so that no two looks of a probe fall together.

use std::ops::Range;
use std::time::Duration;

/// How long a round takes at most that somebody waits for.
const ROUND: Duration = Duration::from_secs(1);

/// Looks of one probe are numbered; look `n` is at target `n % targets`.
#[derive(Debug)]
pub(super) struct Rhythm {
    /// When the last round began that somebody waits for, and the number of its first look.
    start: (Duration, u64),
    every: Duration,
    targets: u64,
    next: u64,
}

impl Rhythm {
    /// Begins now, with a round that somebody waits for.
    pub(super) fn new(now: Duration, every: Duration, targets: usize) -> Self {
        Self { start: (now, 0), every, targets: targets as u64, next: 0 }
    }

    /// Looks at every target soon, however rarely that is done otherwise; returns the number of the first look.
    pub(super) fn hasten(&mut self, now: Duration) -> u64 {
        if self.every <= ROUND {
            return self.next;
        }
        self.next = self.next.next_multiple_of(self.targets);
        self.start = (now, self.next);
        self.next
    }

    /// The looks that are due by now and were not before. What should have been long ago is left out.
    pub(super) fn due(&mut self, now: Duration) -> Range<u64> {
        let first = self.next;
        self.next = self.by(now).max(first);
        let late = now.checked_sub(self.every / 2).map_or(0, |late| self.by(late));
        first.max(late)..self.next
    }

    /// The target of a look.
    pub(super) fn target(&self, look: u64) -> usize {
        usize::try_from(look % self.targets).unwrap_or_default()
    }

    /// The number of the first look that is not due by then.
    fn by(&self, now: Duration) -> u64 {
        let (start, first) = self.start;
        let Some(passed) = now.checked_sub(start) else { return first };
        let round = self.every.min(ROUND);
        let looks = |passed: Duration, each: Duration| {
            u64::try_from(passed.as_nanos() * u128::from(self.targets) / each.as_nanos().max(1)).unwrap_or(u64::MAX)
        };
        let looks = match passed.checked_sub(round) {
            None => looks(passed, round),
            Some(passed) => self.targets + looks(passed, self.every),
        };
        first.saturating_add(looks).saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_secs(100) + Duration::from_millis(millis)
    }

    fn rhythm(every: u64, targets: usize) -> Rhythm {
        Rhythm::new(at(0), Duration::from_millis(every), targets)
    }

    #[test]
    fn every_target_is_looked_at_once_an_interval_and_looks_are_spread() {
        let mut rhythm = rhythm(200, 2000);
        let mut counts = vec![0; 2000];
        for turn in 0..100 {
            let due = rhythm.due(at(turn * 10));
            assert!(due.end - due.start <= 101, "{due:?}");
            due.for_each(|look| counts[rhythm.target(look)] += 1);
        }
        assert!(counts.iter().all(|count| (4..=5).contains(count)), "{counts:?}");
    }

    #[test]
    fn what_was_missed_is_not_made_up_for() {
        let mut rhythm = rhythm(200, 10);
        assert_eq!(rhythm.due(at(0)), 0..1);
        // A minute passes in which nothing is done: 3000 looks were due, and the last few are done.
        assert_eq!(rhythm.due(at(60_000)), 2996..3001);
        assert!(rhythm.due(at(60_000)).is_empty());
    }

    #[test]
    fn a_round_that_somebody_waits_for_takes_a_second_and_leaves_no_target_longer_alone() {
        let mut rhythm = rhythm(60_000, 6);
        let mut looked = [Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new()];
        for second in 0..300 {
            for look in rhythm.due(at(second * 1000)) {
                looked[rhythm.target(look)].push(second);
            }
            if second == 200 {
                assert_eq!(rhythm.hasten(at(200_000)) % 6, 0);
            }
        }
        for looked in looked {
            assert!(looked[0] <= 1, "{looked:?}");
            assert!(looked.iter().any(|at| (200..=201).contains(at)), "{looked:?}");
            assert!(looked.windows(2).all(|pair| pair[1] - pair[0] <= 61), "{looked:?}");
        }
    }
}
