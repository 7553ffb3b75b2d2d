//! Hosts that came short, folded by cause: the worst first, then the most.

use indexmap::IndexMap;

use super::View;
use crate::engine::state::{HostState, Phase};
use crate::model::record::Silent;
use crate::model::{Outcome, Slot, pattern};
use crate::report::screen::figures::has_failed;
use crate::report::screen::sentence::count;
use crate::report::screen::text::{Line, Style, clean, width};

/// Why a host came short. Hosts of one cause share a line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Cause {
    what: String,
    note: String,
    /// A host that could not be put back comes before all others: a person has to go there.
    stuck: bool,
}

pub(super) fn lines(view: &View, limit: usize) -> Vec<Line> {
    let causes = causes(view);
    let total: usize = causes.iter().map(|(_, hosts)| hosts.len()).sum();
    let mut lines: Vec<Line> = causes.iter().take(limit).map(|(cause, hosts)| line(cause, hosts, view.width)).collect();
    let rest = causes.get(limit..).unwrap_or_default();
    if !rest.is_empty() {
        let shown: usize = causes[..limit].iter().map(|(_, hosts)| hosts.len()).sum();
        let text = format!("  … and {} for {}", count(total - shown, "more host"), count(rest.len(), "other reason"));
        lines.push(Line::new(Style::Dim, &text));
    }
    if !lines.is_empty() {
        lines.insert(0, Line::new(Style::Bad, &format!("{} did not come through", count(total, "host"))));
    }
    lines
}

fn causes(view: &View) -> Vec<(Cause, Vec<String>)> {
    let run = &view.watch.state;
    let mut causes: IndexMap<Cause, Vec<String>> = IndexMap::new();
    for Silent { host, why } in &run.unreachable {
        let cause = Cause { what: "unreachable before the start".into(), note: why.clone(), stuck: false };
        causes.entry(cause).or_default().push(run.outline.hosts[*host as usize].clone());
    }
    for (stage, shape) in run.stages.iter().zip(&run.outline.stages) {
        for (host, &id) in stage.hosts.iter().zip(&shape.hosts).filter(|(host, _)| has_failed(host)) {
            let name = &run.outline.hosts[id as usize];
            causes.entry(cause(host, name, &shape.steps)).or_default().push(name.clone());
        }
    }
    let mut causes: Vec<_> = causes.into_iter().collect();
    causes.sort_by_key(|(cause, hosts)| std::cmp::Reverse((cause.stuck, hosts.len())));
    for (cause, hosts) in &mut causes {
        if let [host] = &hosts[..] {
            cause.note = cause.note.replace(ANY_HOST, host);
        }
    }
    causes
}

/// What stands in a note for the name of the host itself, so that hosts still share their cause.
const ANY_HOST: &str = "HOST";

fn cause(host: &HostState, name: &str, steps: &[String]) -> Cause {
    let outcome = match host.phase {
        Phase::Ended(outcome) => outcome,
        _ => host.cut.unwrap_or(Outcome::Failed),
    };
    let title = host.failed_at.and_then(|slot| steps.get(slot.step())).map(|title| clean(title));
    let what = match (host.failed_at, title, host.stuck) {
        (Some(Slot::Always(_)), Some(title), _) => format!("could not be put back after `{title}`"),
        (_, Some(title), true) => format!("{outcome} at `{title}`, and could not be put back"),
        (_, Some(title), false) => format!("{outcome} at `{title}`"),
        (_, None, true) => "could not be put back".into(),
        (_, None, false) => outcome.to_string(),
    };
    let note = host.note.as_deref().filter(|_| host.failed_at.is_some() || host.stuck);
    let note = note.map(|note| clean(note).replace(name, ANY_HOST)).unwrap_or_default();
    Cause { what, note, stuck: host.stuck }
}

fn line(cause: &Cause, hosts: &[String], room: usize) -> Line {
    let folded = clean(&pattern::fold(hosts.iter().map(String::as_str)));
    // A pattern that fills the line would hide the cause.
    let who = if width(&folded) > room / 2 { format!("{} hosts", hosts.len()) } else { folded };
    let who = if hosts.len() == 1 { clean(&hosts[0]) } else { who };
    let mut line = Line::new(Style::Plain, "  ");
    line.push(Style::Bad, &who).push(Style::Plain, " ").push(Style::Plain, &cause.what);
    if !cause.note.is_empty() {
        line.push(Style::Plain, ": ").push(Style::Plain, &cause.note);
    }
    line
}
