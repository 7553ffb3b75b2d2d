//! The report as one HTML file that needs nothing else: no script, no font, no address.
//!
//! Everything that a host or a person wrote is escaped, in the page by the template engine and in the
//! picture by [`timeline`].

use jiff::SignedDuration;
use minijinja::{Environment, Value, context};

use super::layout::{Moments, count, one_line};
use super::probes;
use super::text::{
    actual, compared, counts, cut_digest, pace, pulled, restore, said, sentence, sessions, time_scale, window,
};
use super::timeline;
use super::timing::{Stage, Standing, Timing, fate_name};
use crate::engine::state::Fate;
use crate::model::Verdict;
use crate::model::probe::during;
use crate::model::span;

/// Hosts up to which the list of hosts is open.
const MOST_OPEN: usize = 200;

/// Targets of a probe that the page shows, the worst first.
const MOST_TARGETS: usize = 50;

/// The report as HTML.
///
/// # Panics
///
/// The template is broken, which the tests would have seen.
#[must_use]
pub fn render(timing: &Timing) -> String {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    // The name ends in `.html`, so that every value is escaped.
    let page = environment.render_named_str("report.html", include_str!("report.html"), page(timing));
    page.unwrap_or_else(|error| unreachable!("the report's own template: {error:#}"))
}

fn page(timing: &Timing) -> Value {
    let moments = Moments::of(timing);
    let picture = timeline::draw(timing);
    let outcomes = picture.iter().flat_map(|picture| &picture.outcomes);
    let outcomes: Vec<_> = outcomes
        .map(|(class, letter, name)| context! { class => *class, letter => *letter, name => name.as_str() })
        .collect();
    let has_holds = timing.orders.iter().any(|order| order.until.is_some());
    context! {
        title => sentence(timing),
        pipeline => timing.opened.plan.pipeline.as_str(),
        verdict => verdict(timing.standing),
        tone => tone(timing.standing),
        sentence => sentence(timing),
        facts => facts(timing, &moments),
        causes => causes(timing),
        stages => timing.stages.iter().map(|stage| stage_row(timing, stage)).collect::<Vec<_>>(),
        total => total(timing),
        has_slack => timing.closes.is_some(),
        svg => picture.map(|picture| Value::from_safe_string(picture.svg)),
        outcomes => outcomes,
        has_holds => has_holds,
        has_over => timing.stages.iter().filter_map(Stage::difference).any(|difference| difference.is_positive()),
        has_stops => timing.sessions.len() > 1,
        details => timing.stages.iter().filter(|stage| stage.started.is_some())
            .map(|stage| detail(timing, stage)).collect::<Vec<_>>(),
        probes => timing.probes.iter().map(|probe| context! {
            name => probe.name.as_str(),
            overall => probes::overall(probe),
            longest => probes::longest(probe, &moments),
            limit => span::short(probe.max_gap),
            breaches => probes::breaches(probe).into_iter()
                .map(|(at, what)| context! { at => moments.clock(at), what }).collect::<Vec<_>>(),
            worst => probe.worst().into_iter().take(MOST_TARGETS).map(|target| context! {
                name => target.name.as_str(),
                available => probe.available(target).map(probes::percent),
                gaps => target.gaps,
                longest => target.longest.as_ref().map(|gap| span::short(gap.length())),
                during => target.longest.as_ref().map(|gap| during(&gap.under_way)),
            }).collect::<Vec<_>>(),
        }).collect::<Vec<_>>(),
        pulls => timing.pulls.iter().map(|pull| context! { into => pull.into.as_str(), what => pulled(pull) })
            .collect::<Vec<_>>(),
        people => said(timing).iter().map(|said| context! {
            at => moments.clock(said.at), what => one_line(&said.what), by => said.by.as_str(),
        }).collect::<Vec<_>>(),
        previous => previous(timing),
        hosts => hosts(timing),
        hosts_open => timing.shown().count() <= MOST_OPEN,
        version => timing.opened.upshift.as_str(),
    }
}

fn verdict(standing: Standing) -> String {
    match standing {
        Standing::Crashed => "crashed".into(),
        other => other.to_string(),
    }
}

/// The class of the verdict's colour, and its sign for those who do not see it.
fn tone(standing: Standing) -> Value {
    let (class, sign) = match standing {
        Standing::Ended(Verdict::Done) => ("good", "✓"),
        Standing::Ended(Verdict::Stopped | Verdict::Window | Verdict::Gate) => ("warn", "■"),
        Standing::UnderWay => ("live", "▶"),
        Standing::Ended(_) | Standing::Crashed => ("bad", "✕"),
    };
    context! { class, sign }
}

fn maybe(duration: Option<SignedDuration>) -> String {
    duration.map(span::short).unwrap_or_default()
}

fn facts(timing: &Timing, moments: &Moments<'_>) -> Vec<Value> {
    let fact = |name: &str, value: String| context! { name, value };
    let (changes, on) = timing.changes();
    let until = if timeline::is_open(timing) { "Last record" } else { "Ended" };
    let until = if timing.standing == Standing::UnderWay { "Now" } else { until };
    let mut facts = vec![
        fact("Run", timing.opened.run.clone()),
        fact("Started by", timing.opened.by.to_string()),
        fact("Started", moments.full(timing.started)),
        fact(until, moments.full(timing.ended)),
        fact("Took", format!("{}, {}", span::short(timing.took()), sessions(timing))),
    ];
    facts.extend(window(timing).map(|window| fact("Window", window)));
    facts.extend(restore(timing).map(|restore| fact("Restore", restore)));
    facts.push(fact("Hosts", format!("{}: {}", timing.hosts.len(), counts(&timing.counts()))));
    facts.push(fact("Changes", format!("{changes} on {}", count(on, "host"))));
    facts.push(fact("Plan", cut_digest(&timing.opened.plan.digest).into()));
    facts.extend(time_scale(timing).map(|scale| fact("Clock", scale)));
    facts
}

fn causes(timing: &Timing) -> Vec<Value> {
    let groups = timing.groups();
    let bad = groups.iter().filter(|group| matches!(group.fate, Fate::Ended(outcome) if outcome.is_failure()));
    let cause = |group: &super::timing::Group<'_>| {
        let (class, letter) = timeline::mark(group.fate);
        context! {
            class, letter,
            state => fate_name(group.fate),
            count => group.hosts.len(),
            hosts => group.pattern(),
            place => super::text::place(group),
            note => group.cause.note.as_deref().map(one_line),
        }
    };
    bad.map(cause).collect()
}

fn stage_row(timing: &Timing, stage: &Stage) -> Value {
    let share = stage.actual().zip(stage.planned).map(|(actual, planned)| {
        let longest = actual.max(planned).as_secs_f64().max(0.001);
        let percent = |part: SignedDuration| (part.as_secs_f64() / longest * 1000.0).round() / 10.0;
        context! { planned => percent(planned), actual => percent(actual.min(planned)), over => percent(actual) }
    });
    context! {
        name => stage.name.as_str(),
        planned => maybe(stage.planned),
        actual => actual(stage),
        difference => stage.difference().map(span::signed),
        is_over => stage.difference().is_some_and(|difference| difference.is_positive()),
        slack => timing.closes.map(|_| maybe(stage.slack)),
        hosts => format!("{}/{}", stage.succeeded(), stage.hosts.len()),
        short => stage.succeeded() < stage.hosts.len(),
        p50 => maybe(stage.p50),
        p95 => maybe(stage.p95),
        pace => if stage.hosts.len() > 1 { pace(stage) } else { String::new() },
        changes => stage.changes(),
        retries => stage.retries(),
        share => share,
    }
}

fn total(timing: &Timing) -> Option<Value> {
    let difference = timing.difference();
    (timing.stages.len() > 1).then(|| {
        context! {
            planned => maybe(timing.planned()),
            actual => span::short(timing.took()),
            difference => difference.map(span::signed),
            is_over => difference.is_some_and(|difference| difference.is_positive()),
            slack => timing.closes.map(|_| maybe(timing.slack())),
            changes => timing.changes().0,
            retries => timing.stages.iter().map(Stage::retries).sum::<u32>(),
        }
    })
}

fn detail(timing: &Timing, stage: &Stage) -> Value {
    let step = |step: &super::timing::Step| {
        context! {
            title => step.title.as_str(), tries => step.tries, failed => step.failed,
            p50 => maybe(step.p50), p95 => maybe(step.p95),
        }
    };
    let slow = stage.slowest(5);
    let longest = slow.first().map_or(1.0, |(_, took)| took.as_secs_f64().max(0.001));
    let slow = slow.iter().map(|(visit, took)| {
        let percent = (took.as_secs_f64() / longest * 1000.0).round() / 10.0;
        context! { host => timing.hosts[visit.host].name.as_str(), took => span::short(*took), percent }
    });
    context! {
        name => stage.name.as_str(),
        hosts => counts(&stage.counts()),
        fan_out => (stage.hosts.len() > 1).then_some(stage.fan_out),
        stopped => (!stage.stopped.is_zero()).then(|| span::short(stage.stopped)),
        steps => stage.steps.iter().map(step).collect::<Vec<_>>(),
        slowest => if stage.hosts.len() > 1 { slow.collect::<Vec<_>>() } else { Vec::new() },
    }
}

fn previous(timing: &Timing) -> Option<Value> {
    let previous = timing.previous.as_ref()?;
    let stages = previous.stages.iter().filter_map(|then| {
        let now = timing.stages.iter().find(|stage| stage.name == then.name)?;
        let so_far = if then.is_over { "" } else { " so far" };
        Some(context! {
            name => then.name.as_str(),
            then => then.actual.map_or_else(|| "not begun".into(), |actual| span::short(actual) + so_far),
            now => actual(now),
            difference => then.actual.zip(now.actual()).map(|(then, now)| compared(now - then)),
            p50_then => maybe(then.p50),
            p50_now => maybe(now.p50),
        })
    });
    Some(context! {
        run => previous.run.as_str(),
        verdict => previous.standing.to_string(),
        took => span::short(previous.took),
        stages => stages.collect::<Vec<_>>(),
    })
}

fn hosts(timing: &Timing) -> Vec<Value> {
    let host = |(_, host): (usize, &super::timing::Host)| {
        let (class, letter) = timeline::mark(host.fate);
        let cause = &host.cause;
        let place = [cause.stage.as_deref(), cause.step.as_deref()].into_iter().flatten().collect::<Vec<_>>();
        let stuck = if cause.is_stuck { ", not back in service" } else { "" };
        context! {
            class, letter,
            name => host.name.as_str(),
            state => fate_name(host.fate),
            place => place.join(": ") + stuck,
            note => cause.note.as_deref().map(one_line),
            took => if host.took.is_zero() { String::new() } else { span::short(host.took) },
            changes => host.changes,
            retries => host.retries,
        }
    };
    timing.shown().map(host).collect()
}
