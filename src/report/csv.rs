//! The report as CSV: one row for each host and stage, as RFC 4180 has it.
//!
//! A text that a spreadsheet would take for a formula gets an apostrophe before it, so that nothing a
//! host answers is ever calculated.

use jiff::Timestamp;

use super::timing::{Stage, Timing, Visit, fate_name};
use crate::engine::state::Fate;

/// The names of the columns. `seconds` is how long the stage had the host in hand, `attempts` how
/// many tries of steps that made.
pub const HEADER: [&str; 10] =
    ["run", "stage", "host", "state", "started", "ended", "seconds", "attempts", "changes", "note"];

/// The report as CSV.
///
/// A planned host that is in no stage has one row without a stage. Times are in RFC 3339.
#[must_use]
pub fn render(timing: &Timing) -> String {
    let mut rows = vec![HEADER.map(str::to_owned).to_vec()];
    let mut seen = vec![false; timing.hosts.len()];
    for stage in &timing.stages {
        for visit in stage.hosts.iter().filter(|visit| timing.shows(visit.host)) {
            seen[visit.host] = true;
            rows.push(row(timing, stage, visit));
        }
    }
    for (id, host) in timing.shown().filter(|(id, _)| !seen[*id]) {
        let mut row = vec![String::new(); HEADER.len()];
        row[0].clone_from(&timing.opened.run);
        row[2].clone_from(&timing.hosts[id].name);
        row[3] = fate_name(host.fate);
        row[9] = harmless(host.cause.note.as_deref().unwrap_or_default());
        rows.push(row);
    }
    write(&rows)
}

fn row(timing: &Timing, stage: &Stage, visit: &Visit) -> Vec<String> {
    let host = &timing.hosts[visit.host];
    let moment = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    // A host that was never taken up has no other reason than the run's.
    let reason = match visit.fate {
        Fate::Left | Fate::Ended(crate::model::Outcome::Skipped) => host.cause.note.as_deref(),
        _ => visit.note().or(host.cause.note.as_deref().filter(|_| visit.fate == host.fate)),
    };
    vec![
        timing.opened.run.clone(),
        harmless(&stage.name),
        harmless(&host.name),
        fate_name(visit.fate),
        moment(visit.started()),
        moment(visit.ended()),
        visit.took.map(|took| format!("{:.3}", took.as_secs_f64())).unwrap_or_default(),
        visit.tries.len().to_string(),
        visit.changes.to_string(),
        harmless(reason.unwrap_or_default()),
    ]
}

/// A text that no spreadsheet takes for a formula.
fn harmless(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if formula { format!("'{text}") } else { text.to_owned() }
}

fn write(rows: &[Vec<String>]) -> String {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).unwrap_or_else(|error| unreachable!("memory is written: {error}"));
    }
    let bytes = writer.into_inner().unwrap_or_else(|error| unreachable!("memory is written: {error}"));
    String::from_utf8(bytes).unwrap_or_else(|error| unreachable!("text was written: {error}"))
}
