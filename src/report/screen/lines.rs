//! A run without a terminal: one line for each thing worth one, as cron and log files want it.
//!
//! Each line begins with the run's time. There is no colour and no control character, ever.

use jiff::{SignedDuration, Timestamp};

use super::figures::{self, Counts, Doing};
use super::frame::{Seat, how_to_answer};
use super::sentence::{self, Teller, Weight};
use super::text::clean;
use super::watch::Watch;
use crate::engine::news::News;
use crate::engine::state::Phase;
use crate::model::UnitKey;
use crate::model::probe::Standing;
use crate::model::record::between;
use crate::model::span;

/// Silence that is broken by a line on how the run goes on.
const HEARTBEAT: SignedDuration = SignedDuration::from_mins(1);

/// Turns news into lines.
pub(super) struct Lines {
    watch: Watch,
    teller: Teller,
    /// When something was last said, by the run's clock.
    said_at: Timestamp,
}

impl Lines {
    pub(super) fn new(watch: Watch, teller: Teller, now: Timestamp) -> Self {
        Self { watch, teller, said_at: now }
    }

    /// The line for some news, if it is worth one; `now` is the run's time.
    pub(super) fn news(&mut self, news: &News, now: Timestamp) -> Option<String> {
        let said = match news {
            News::Committed(committed) => {
                let sentence = self.teller.tell(&self.watch, &committed.entry);
                (sentence.weight > Weight::Detail).then_some((committed.entry.at, sentence.text))
            }
            News::Gate { question } => {
                Some((now, format!("the gate asks: {question} ({})", how_to_answer(Seat::Driver))))
            }
            News::Notice(notice) => Some((now, notice.clone())),
            News::Output { .. }
            | News::Expected { .. }
            | News::Contacted { .. }
            | News::Probes(_)
            | News::Idle { .. } => None,
        };
        self.watch.take(news, now);
        said.map(|(at, text)| self.line(at, &text))
    }

    /// A line on how the run goes on, when nothing else was said for a while.
    pub(super) fn heartbeat(&mut self, now: Timestamp) -> Option<String> {
        if between(self.said_at, now) < HEARTBEAT || self.watch.state.verdict.is_some() {
            return None;
        }
        Some(self.line(now, &self.progress(now)))
    }

    fn line(&mut self, at: Timestamp, text: &str) -> String {
        self.said_at = self.said_at.max(at);
        let time = at.to_zoned(self.teller.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z");
        format!("{time} {}", clean(text))
    }

    fn progress(&self, now: Timestamp) -> String {
        let run = &self.watch.state;
        let mut parts = Vec::new();
        match Doing::of(&self.watch) {
            Doing::Held => parts.extend(run.held.as_ref().map(|hold| {
                let reason = hold.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
                format!("held by {} for {}{reason}", hold.by, span::glance(between(hold.since, now)))
            })),
            Doing::Gate => parts.push("waits for a person at a gate".into()),
            Doing::Stopping => parts.push("stopping".into()),
            Doing::Aborting => parts.push("aborting".into()),
            Doing::Contacting => parts.push("contacting hosts".into()),
            Doing::Running | Doing::Ended(_) => {}
        }
        if let (Some(stage), Some(shape)) = (run.stages.get(run.current), run.outline.stages.get(run.current)) {
            let counts = Counts::of(stage);
            parts.push(format!(
                "stage {}: {}/{} done, {} under way, {} failed, {} left",
                shape.name, counts.done, counts.total, counts.under_way, counts.failed, counts.left
            ));
        }
        parts.extend(self.watch.probes.iter().filter_map(Standing::words));
        parts.extend(self.longest(now));
        if let Some(expected) = self.watch.expected {
            let end = expected.run.max(now).to_zoned(self.teller.zone.clone()).strftime("%H:%M");
            let slack = figures::slack(&self.watch, now).map(|slack| format!(", {}", figures::slack_words(slack)));
            parts.push(format!("the run ends about {end}{}", slack.unwrap_or_default()));
        }
        parts.join("; ")
    }

    /// The host that has been at its step for longest.
    fn longest(&self, now: Timestamp) -> Option<String> {
        let run = &self.watch.state;
        let stage = run.stages.get(run.current)?;
        let index = u16::try_from(run.current).ok()?;
        let running = stage.under_way.iter().filter_map(|&host| match stage.hosts[host as usize].phase {
            Phase::Running { slot, since, .. } => Some((since, UnitKey { stage: index, host, slot })),
            _ => None,
        });
        let (since, unit) = running.min_by_key(|(since, _)| *since)?;
        let heard = self.watch.sign(unit).map_or(since, |sign| sign.at);
        Some(format!(
            "waits longest for {}: {} for {}, last heard of {} ago",
            run.outline.host_name(index, unit.host),
            sentence::step(&self.watch, unit),
            span::glance(between(since, now)),
            span::glance(between(heard, now)),
        ))
    }
}
