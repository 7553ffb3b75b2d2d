//! The arithmetic of gaps, without a clock or a network: what answers, and their absence, come to.

use std::time::Duration;

use crate::model::probe::Probe;

/// A time without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The target, by its place in the probe.
    pub target: usize,
    /// The last answer before.
    pub from: Duration,
    /// The next answer, or until when nothing is known to have come.
    pub to: Duration,
    /// Whether it ended with an answer.
    pub answered: bool,
    /// Whether it was reported as a breach.
    pub breach: bool,
}

impl Gap {
    /// How long it was.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.to.saturating_sub(self.from)
    }
}

/// The gaps of one probe.
#[derive(Debug)]
pub(super) struct Meter {
    every: Duration,
    max_gap: Duration,
    targets: Vec<State>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// When it last answered, or since when it is waited for; `None` before its first answer.
    answered: Option<Duration>,
    /// The look that it answered last.
    look: Option<u64>,
    /// Whether its silence was reported as a breach.
    breach: bool,
}

impl Meter {
    pub(super) fn new(probe: &Probe) -> Self {
        let time = |time| Duration::try_from(time).unwrap_or_default();
        Self {
            every: time(probe.every),
            max_gap: time(probe.max_gap),
            targets: vec![State::default(); probe.targets.len()],
        }
    }

    /// The shortest silence that is a gap: an answer is missing, and not only late.
    fn noticeable(&self) -> Duration {
        self.every * 3 / 2
    }

    /// The shortest time upshift stands still for that nothing is known afterwards.
    pub(super) fn tolerance(&self) -> Duration {
        self.every / 2
    }

    /// Takes in that a look was answered. Only one newer than the last that was answered says anything:
    /// an answer that comes twice, or was overtaken, does not.
    pub(super) fn answer(&mut self, target: usize, look: u64, at: Duration) -> Option<Gap> {
        let noticeable = self.noticeable();
        let state = self.targets.get_mut(target)?;
        if state.look.is_some_and(|last| look <= last) {
            return None;
        }
        state.look = Some(look);
        let breach = std::mem::take(&mut state.breach);
        let from = state.answered.replace(state.answered.map_or(at, |from| from.max(at)))?;
        let noticed = breach || at.saturating_sub(from) > noticeable;
        noticed.then_some(Gap { target, from, to: at, answered: true, breach })
    }

    /// The targets that never answered.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = usize> {
        self.targets.iter().enumerate().filter(|(_, state)| state.answered.is_none()).map(|(target, _)| target)
    }

    /// Takes the silence of targets that never answered for a breach since then.
    pub(super) fn give_up(&mut self, since: Duration) -> Vec<(usize, Duration)> {
        let mut given_up = Vec::new();
        for (target, state) in self.targets.iter_mut().enumerate() {
            if state.answered.is_none() {
                *state = State { answered: Some(since), breach: true, ..*state };
                given_up.push((target, since));
            }
        }
        given_up
    }

    /// The targets that have now been silent for too long, and since when; each breach is told once.
    pub(super) fn breaches(&mut self, now: Duration) -> Vec<(usize, Duration)> {
        let mut breaches = Vec::new();
        for (target, state) in self.targets.iter_mut().enumerate() {
            if let (Some(since), false) = (state.answered, state.breach)
                && now.saturating_sub(since) > self.max_gap
            {
                state.breach = true;
                breaches.push((target, since));
            }
        }
        breaches
    }

    /// Nothing is known of so much time: it counts for no silence.
    pub(super) fn stalled(&mut self, time: Duration) {
        for answered in self.targets.iter_mut().filter_map(|state| state.answered.as_mut()) {
            *answered += time;
        }
    }

    /// A look could not be made, and that was not the target's doing: the time until the next one counts for no silence.
    pub(super) fn excuse(&mut self, target: usize, now: Duration) {
        if let Some(State { answered: Some(answered), .. }) = self.targets.get_mut(target) {
            *answered = (*answered + self.every).min(now.max(*answered));
        }
    }

    /// The targets that are silent now, since when, and whether that is a breach.
    pub(super) fn silent(&self, now: Duration) -> impl Iterator<Item = (usize, Duration, bool)> {
        let noticeable = self.noticeable();
        self.targets.iter().enumerate().filter_map(move |(target, state)| {
            let since = state.answered?;
            (state.breach || now.saturating_sub(since) > noticeable).then_some((target, since, state.breach))
        })
    }

    /// Whether every target has answered a look from this number on, or is known to be silent for too long.
    pub(super) fn has_heard_since(&self, look: u64) -> bool {
        self.targets.iter().all(|state| state.breach || state.look.is_some_and(|last| last >= look))
    }

    /// What is silent when measuring ends.
    pub(super) fn open(&self, now: Duration) -> Vec<Gap> {
        let gap = |(target, from, breach)| Gap { target, from, to: now, answered: false, breach };
        self.silent(now).map(gap).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::model::probe::{Look, OnBreach, Target};

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Looks every 200 ms, silent for 3 s at most.
    fn meter(targets: usize) -> Meter {
        let target = |n| Target { name: format!("vm{n}"), look: Look::Icmp { host: format!("vm{n}") } };
        Meter::new(&Probe {
            name: "tenants".into(),
            every: SignedDuration::from_millis(200),
            max_gap: SignedDuration::from_secs(3),
            on_breach: OnBreach::Hold,
            targets: (0..targets).map(target).collect(),
        })
    }

    #[test]
    fn answers_that_come_in_time_are_no_gap_whatever_their_delay() {
        let mut meter = meter(1);
        for look in 0..100 {
            // A steady delay of two seconds, and some jitter.
            let at = ms(2000 + look * 200 + look % 3 * 40);
            assert_eq!(meter.answer(0, look, at), None);
            assert!(meter.breaches(at).is_empty());
        }
    }

    #[test]
    fn one_lost_answer_is_a_gap_from_answer_to_answer_and_no_breach() {
        let mut meter = meter(1);
        meter.answer(0, 0, ms(0));
        assert_eq!(meter.silent(ms(290)).count(), 0);
        assert_eq!(meter.silent(ms(310)).count(), 1);
        let gap = meter.answer(0, 2, ms(400));
        assert_eq!(gap, Some(Gap { target: 0, from: ms(0), to: ms(400), answered: true, breach: false }));
        assert_eq!(meter.silent(ms(410)).count(), 0);
    }

    #[test]
    fn a_breach_is_told_once_and_ends_with_the_next_answer() {
        let mut meter = meter(2);
        meter.answer(0, 0, ms(0));
        meter.answer(1, 1, ms(100));
        assert!(meter.breaches(ms(3000)).is_empty());
        assert_eq!(meter.breaches(ms(3001)), [(0, ms(0))]);
        assert_eq!(meter.breaches(ms(3200)), [(1, ms(100))]);
        assert!(meter.breaches(ms(9000)).is_empty());
        let gap = meter.answer(0, 90, ms(9100)).unwrap();
        assert!(gap.breach && gap.answered);
        assert_eq!(gap.length(), ms(9100));
        // It may be silent again, and then that is another breach.
        assert_eq!(meter.breaches(ms(12_200)), [(0, ms(9100))]);
    }

    #[test]
    fn an_answer_that_comes_twice_or_was_overtaken_says_nothing() {
        let mut meter = meter(1);
        meter.answer(0, 5, ms(0));
        // The network still delivers copies while the target is gone.
        for at in 1..30 {
            assert_eq!(meter.answer(0, 5 - at % 3, ms(at * 100)), None);
        }
        assert_eq!(meter.breaches(ms(3100)), [(0, ms(0))]);
    }

    #[test]
    fn time_in_which_upshift_stood_still_is_never_part_of_a_gap() {
        let mut meter = meter(2);
        meter.answer(0, 0, ms(0));
        meter.answer(1, 1, ms(900));
        // Target 0 is silent, and the laptop sleeps for an hour.
        meter.stalled(ms(3_600_000));
        assert!(meter.breaches(ms(3_601_000)).is_empty());
        assert_eq!(meter.answer(1, 3, ms(3_601_100)), None);
        let gap = meter.answer(0, 2, ms(3_601_500)).unwrap();
        assert_eq!(gap.length(), ms(1500));
    }

    #[test]
    fn a_breach_is_found_though_upshift_stands_still_again_and_again() {
        let mut meter = meter(1);
        meter.answer(0, 0, ms(0));
        let mut now = ms(0);
        for _ in 0..6 {
            now += ms(1000);
            meter.stalled(ms(500));
        }
        assert!(meter.breaches(now).is_empty());
        assert_eq!(meter.breaches(now + ms(1)).len(), 1);
    }

    #[test]
    fn a_look_that_could_not_be_made_is_no_silence() {
        let mut meter = meter(1);
        meter.answer(0, 0, ms(0));
        for look in 1..100 {
            meter.excuse(0, ms(look * 200));
            assert_eq!(meter.silent(ms(look * 200)).count(), 0);
        }
        assert_eq!(meter.answer(0, 100, ms(20_000)), None);
    }

    #[test]
    fn what_never_answered_is_named_and_can_be_given_up() {
        let mut meter = meter(2);
        meter.answer(1, 1, ms(100));
        assert_eq!(meter.unanswered().collect::<Vec<_>>(), [0]);
        assert!(meter.breaches(ms(3000)).is_empty(), "what never answered is no outage");
        assert_eq!(meter.give_up(ms(50)), [(0, ms(50))]);
        assert_eq!(meter.unanswered().count(), 0);
        assert!(meter.answer(0, 2, ms(8000)).unwrap().breach);
    }

    #[test]
    fn the_last_word_is_had_when_everybody_answered_or_is_known_to_be_gone() {
        let mut meter = meter(2);
        meter.answer(0, 0, ms(0));
        meter.answer(1, 1, ms(0));
        assert!(!meter.has_heard_since(2));
        meter.answer(0, 2, ms(200));
        assert!(!meter.has_heard_since(2));
        meter.breaches(ms(3100));
        assert!(meter.has_heard_since(2));
    }

    proptest::proptest! {
        /// However answers come and upshift stands still: gaps never overlap, none is left out, and each is as
        /// long as the time that was measured without an answer.
        #[test]
        fn gaps_are_the_time_measured_between_answers(steps in proptest::collection::vec((1..5000_u64, 0..10_u8), 1..60)) {
            let mut meter = meter(1);
            let (mut now, mut silent, mut up_to) = (ms(0), None, ms(0));
            for (look, (wait, what)) in steps.into_iter().enumerate() {
                now += ms(wait);
                if what == 0 {
                    meter.stalled(ms(wait));
                    continue;
                }
                let silence = silent.map(|silent: Duration| silent + ms(wait));
                let breaches = meter.breaches(now).len();
                if what < 4 {
                    silent = silence;
                    continue;
                }
                silent = Some(ms(0));
                let gap = meter.answer(0, look as u64, now);
                proptest::prop_assert!(breaches == 0 || gap.is_some_and(|gap| gap.breach));
                proptest::prop_assert_eq!(gap.map(|gap| gap.length()), silence.filter(|silence| *silence > ms(300)));
                proptest::prop_assert_eq!(gap.is_some_and(|gap| gap.breach), silence.is_some_and(|silence| silence > ms(3000)));
                if let Some(gap) = gap {
                    proptest::prop_assert!(gap.from >= up_to && gap.to == now);
                    up_to = now;
                }
            }
        }
    }
}
