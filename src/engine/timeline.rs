//! What was under way when, for as long as somebody may ask.

use std::time::Duration;

use indexmap::IndexMap;

use crate::model::plan::Plan;
use crate::model::probe::UnderWay;
use crate::model::{Record, UnitKey, pattern};

/// The units of a run over time, by the time since the machine started.
#[derive(Debug)]
pub(super) struct Timeline {
    spans: Vec<Span>,
    /// How long a unit that ended is remembered.
    memory: Duration,
}

#[derive(Debug)]
struct Span {
    unit: UnitKey,
    from: Duration,
    to: Option<Duration>,
}

impl Timeline {
    /// Nothing was under way before; these units are now, from an earlier session.
    pub(super) fn new(running: impl Iterator<Item = UnitKey>, memory: Duration) -> Self {
        let span = |unit| Span { unit, from: Duration::ZERO, to: None };
        Self { spans: running.map(span).collect(), memory }
    }

    /// Takes in a record that was made now.
    pub(super) fn note(&mut self, record: &Record, now: Duration) {
        match record {
            Record::UnitStarted { unit, .. } => self.spans.push(Span { unit: *unit, from: now, to: None }),
            Record::UnitEnded { unit, .. } => {
                for span in self.spans.iter_mut().filter(|span| span.unit == *unit && span.to.is_none()) {
                    span.to = Some(now);
                }
                let forgotten = now.saturating_sub(self.memory);
                self.spans.retain(|span| span.to.is_none_or(|to| to >= forgotten));
            }
            _ => {}
        }
    }

    /// The steps that were under way at any time from then to then, each with its hosts.
    pub(super) fn between(&self, plan: &Plan, from: Duration, to: Duration) -> Vec<UnderWay> {
        let mut steps: IndexMap<(&str, String), Vec<&str>> = IndexMap::new();
        let then = |span: &&Span| span.from <= to && span.to.is_none_or(|end| end >= from);
        for Span { unit, .. } in self.spans.iter().filter(then) {
            let stage = &plan.stages[usize::from(unit.stage)].name;
            steps.entry((stage, plan.title(*unit))).or_default().push(&plan.host(*unit).name);
        }
        let under_way = steps.into_iter().map(|((stage, step), hosts)| UnderWay {
            stage: stage.to_owned(),
            step,
            hosts: pattern::fold(hosts),
        });
        under_way.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sample;
    use crate::model::probe::during;
    use crate::model::record::End;
    use crate::model::{Outcome, Slot};

    #[test]
    fn what_was_under_way_then_is_named_and_what_came_later_is_not() {
        let second = Duration::from_secs;
        let step = |title| sample::step(title, 3, jiff::SignedDuration::from_secs(1));
        let plan = sample::plan(3, vec![sample::stage("computes", 3, vec![step("drain"), step("reboot")])]);
        let unit = |host, step| UnitKey { stage: 0, host, slot: Slot::Step(step) };
        let started = |host, step| Record::UnitStarted { unit: unit(host, step), attempt: 1 };
        let ended = |host, step| Record::UnitEnded {
            unit: unit(host, step),
            attempt: 1,
            end: End::plain(Outcome::Changed),
            retry_at: None,
        };
        let mut timeline = Timeline::new([unit(2, 0)].into_iter(), second(60));
        timeline.note(&started(0, 0), second(10));
        timeline.note(&started(1, 0), second(11));
        timeline.note(&ended(0, 0), second(20));
        timeline.note(&started(0, 1), second(20));
        let then = |from, to| during(&timeline.between(&plan, second(from), second(to)));
        assert_eq!(then(5, 6), "under way was cmp003 (drain)");
        assert_eq!(then(9, 10), "under way was cmp[001,003] (drain)");
        assert_eq!(then(15, 16), "under way was cmp[001-003] (drain)");
        assert_eq!(then(30, 31), "under way was cmp[002-003] (drain), cmp001 (reboot)");
        timeline.note(&ended(2, 0), second(81));
        let then = |from, to| during(&timeline.between(&plan, second(from), second(to)));
        assert_eq!(then(15, 16), "under way was cmp[002-003] (drain)", "what ended long ago is forgotten");
    }
}
