//! The hosts that were asked for, try by try, as text.

use std::fmt::Write;

use jiff::Timestamp;

use super::layout::{Moments, count, cut, hang, one_line};
use super::timing::{Host, Stage, Timing, Visit, fate_name};
use crate::model::span;

/// Each host that was asked for.
pub(super) fn render(timing: &Timing) -> String {
    let hosts = timing.shown().map(|(id, host)| one(timing, id, host));
    hosts.collect::<Vec<_>>().join("\n")
}

fn one(timing: &Timing, id: usize, host: &Host) -> String {
    let (changes, retries) = (count(host.changes, "change"), count(host.retries, "retry"));
    let mut text =
        format!("{}: {} after {}, {changes}, {retries}\n", host.name, fate_name(host.fate), span::short(host.took));
    // What a step said is shown with its try.
    if let (None, Some(note)) = (&host.cause.step, &host.cause.note) {
        text += &hang("  ", &one_line(note));
    }
    for stage in &timing.stages {
        for visit in stage.hosts.iter().filter(|visit| visit.host == id) {
            text += &in_stage(timing, stage, visit);
        }
    }
    text
}

/// What a stage did on a host, each time it took it up.
fn in_stage(timing: &Timing, stage: &Stage, visit: &Visit) -> String {
    let moments = Moments::of(timing);
    let mut text = String::new();
    let took = |from: Timestamp, to: Option<Timestamp>| span::short(to.unwrap_or(timing.ended).duration_since(from));
    for (n, (from, to)) in (1..).zip(&visit.spans) {
        let came_to = if n < visit.spans.len() { "taken up again later".into() } else { fate_name(visit.fate) };
        let head = format!("  {}: {came_to}, from {} for {}", stage.name, moments.full(*from), took(*from, *to));
        text += &hang("", &head);
        let within = |start: Timestamp| start >= *from && to.is_none_or(|to| start <= to);
        for attempt in visit.tries.iter().filter(|attempt| within(attempt.started)) {
            let outcome = attempt.outcome.map_or_else(|| "under way".into(), |outcome| outcome.to_string());
            let (at, title) = (moments.second(attempt.started), cut(&stage.title(attempt.slot), 38));
            let took = took(attempt.started, attempt.ended);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "    {at}  {title:<38}  {took:>11}  {outcome}");
            text += &attempt.note.as_deref().map(|note| hang("      ", &one_line(note))).unwrap_or_default();
        }
    }
    if visit.spans.is_empty() {
        let _ = writeln!(text, "  {}: {}", stage.name, fate_name(visit.fate));
    }
    text
}
