//! The top of the picture: which run, what it is doing, what time it is and whether it fits.

use super::{Seat, View, clock, took};
use crate::model::Verdict;
use crate::model::span::short;
use crate::report::screen::figures::{self, Doing};
use crate::report::screen::text::{Line, Style, clean, cut, flow};

/// The most probes that are shown.
const PROBES: usize = 3;

pub(super) fn lines(view: &View) -> Vec<Line> {
    let (style, mark, words) = doing(view);
    let mut parts = vec![(style, format!("{mark} {words}"))];
    // It has no name before every host was asked.
    parts.extend(
        Some(&view.watch.run).filter(|run| !run.is_empty()).map(|run| (Style::Plain, cut(&clean(run), view.width))),
    );
    parts.extend(times(view));
    let mut lines = flow(parts, 2, view.width);
    lines.extend(why(view).map(|(style, text)| Line::new(style, &format!("  {text}"))));
    lines.extend(probes(view).into_iter().map(|(style, text)| Line::new(style, &format!("  {text}"))));
    lines
}

/// The probes that have a silent target, each on a line; one line when none has.
fn probes(view: &View) -> Vec<(Style, String)> {
    let probes = &view.watch.probes;
    if probes.is_empty() || view.seat == Seat::Nobody || view.watch.state.verdict.is_some() {
        return Vec::new();
    }
    let silent = probes
        .iter()
        .filter_map(|probe| Some((if probe.is_breached() { Style::Bad } else { Style::Warn }, probe.words()?)));
    let silent: Vec<_> = silent.take(PROBES).collect();
    let all: usize = probes.iter().map(|probe| probe.targets).sum();
    if silent.is_empty() { vec![(Style::Dim, format!("probes: all {all} answer"))] } else { silent }
}

/// How the run stands: colour, symbol, words.
fn doing(view: &View) -> (Style, char, String) {
    let doing = Doing::of(view.watch);
    let (style, mark, words) = match doing {
        Doing::Ended(Verdict::Done) => (Style::Good, '✓', "done"),
        Doing::Ended(verdict) => return (Style::Bad, '✗', verdict.to_string()),
        _ if view.seat == Seat::Nobody => (Style::Bad, '✗', "crashed"),
        Doing::Aborting => (Style::Bad, '■', "aborting"),
        Doing::Stopping => (Style::Warn, '■', "stopping"),
        Doing::Held => (Style::Warn, '‖', "HELD"),
        Doing::Gate => (Style::Warn, '?', "waits for you"),
        Doing::Contacting => {
            let words = match view.watch.contacted {
                Some((answered, of)) => format!("contacting hosts, {answered} of {of} answer"),
                None => "contacting hosts".into(),
            };
            return (Style::Strong, '▶', words);
        }
        Doing::Running => (Style::Strong, '▶', "running"),
    };
    (style, mark, words.to_owned())
}

/// Clock, time gone, expected end and slack.
fn times(view: &View) -> Vec<(Style, String)> {
    let watch = view.watch;
    let ended = watch.state.verdict.is_some();
    let until = view.now;
    let time = until.to_zoned(view.zone.clone()).strftime("%H:%M:%S").to_string();
    let mut parts = vec![(Style::Plain, if ended { format!("ended {time}") } else { time })];
    if let Some(start) = watch.resumed_at.or(watch.state.opened_at) {
        let since = if watch.resumed_at.is_some() { " since it was resumed" } else { "" };
        let took = took(start, until);
        parts.push((Style::Plain, if ended { format!("took {took}{since}") } else { format!("{took} gone{since}") }));
    }
    if let (Some(expected), false) = (watch.expected, ended || view.seat == Seat::Nobody) {
        let word = if expected.run < view.now { "was to end" } else { "ends" };
        parts.push((Style::Strong, format!("{word} {}", clock(view, expected.run))));
    }
    if let (Some(slack), true) = (figures::slack(watch, view.now), ended || view.seat != Seat::Nobody) {
        let style = if slack.is_negative() { Style::Bad } else { Style::Good };
        parts.push((style, figures::slack_words(slack)));
    }
    let undo = watch.state.undo_time();
    if !undo.is_zero() && !ended {
        parts.push((Style::Plain, format!("a restore takes {} (measured)", short(undo))));
    }
    parts
}

/// Why the run is not simply going on, and what happens next.
fn why(view: &View) -> Option<(Style, String)> {
    let watch = view.watch;
    let run = &watch.state;
    let doing = Doing::of(watch);
    if !matches!(doing, Doing::Ended(_)) && view.seat == Seat::Nobody {
        return Some((Style::Bad, "no upshift carries it on: `upshift resume` does".into()));
    }
    let under_way = run.stages.get(run.current).map_or(0, |stage| stage.under_way.len());
    match doing {
        Doing::Stopping => Some((
            Style::Warn,
            format!(
                "nothing new starts; {} under way {} first",
                hosts(under_way),
                if under_way == 1 { "ends" } else { "end" }
            ),
        )),
        Doing::Aborting => {
            Some((Style::Bad, format!("steps are ended and touched hosts put back; {} to go", hosts(under_way))))
        }
        Doing::Held => run.held.as_ref().map(|hold| {
            let reason = hold.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            (Style::Warn, format!("held by {} for {}{reason}", hold.by, took(hold.since, view.now)))
        }),
        Doing::Ended(Verdict::Unreachable) => {
            Some((Style::Bad, format!("nothing was started: {} did not answer", hosts(run.unreachable.len()))))
        }
        Doing::Running if under_way == 0 => {
            let until = watch.idle_until.filter(|until| *until > view.now)?;
            let time = until.to_zoned(view.zone.clone()).strftime("%H:%M:%S");
            Some((Style::Plain, format!("nothing is due before {time}")))
        }
        _ => None,
    }
}

fn hosts(count: usize) -> String {
    if count == 1 { "1 host".into() } else { format!("{count} hosts") }
}
