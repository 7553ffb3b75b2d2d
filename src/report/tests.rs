//! What reports say about sample runs, and what they never do.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::samples::{self, Sample};
use super::timing::Timing;
use super::{csv, html, json, text};
use crate::model::probe::{Line, UnderWay};
use crate::model::record::{Breached, End};
use crate::model::{Command, Outcome, Record, Slot, pattern};

/// Writes the samples for eyes: `UPSHIFT_SAMPLES=/tmp/samples cargo test -- --ignored samples_for_eyes`.
#[test]
#[ignore = "writes files for a person to look at"]
fn samples_for_eyes() {
    let folder = std::env::var("UPSHIFT_SAMPLES").unwrap();
    let samples = [
        ("eighty", samples::eighty()),
        ("eventful", samples::eventful()),
        ("two-thousand", samples::two_thousand()),
        ("one", samples::one_host()),
        ("crashed", samples::crashed()),
        ("unreachable", samples::unreachable()),
    ];
    for (name, sample) in samples {
        let timing = sample.timing();
        for (kind, content) in [
            ("txt", text::render(&timing)),
            ("html", html::render(&timing)),
            ("json", json::render(&timing)),
            ("csv", csv::render(&timing)),
        ] {
            std::fs::write(format!("{folder}/{name}.{kind}"), content).unwrap();
        }
    }
}

#[test]
fn eighty_hosts_at_20_an_hour_are_planned_for_4_hours_and_take_4_hours_and_9_minutes() {
    let sample = samples::eighty();
    insta::assert_snapshot!("eighty", text::render(&sample.timing()));
}

#[test]
fn a_run_with_failures_holds_a_stop_and_a_resume_says_all_of_it() {
    insta::assert_snapshot!("eventful", text::render(&samples::eventful().timing()));
}

#[test]
fn one_host_is_shown_try_by_try() {
    let timing = samples::eventful().timing().only(&["cmp004".into(), "cmp006".into()]).unwrap();
    insta::assert_snapshot!("hosts", text::render(&timing));
    assert_eq!(samples::one_host().timing().only(&["cmp9".into()]).unwrap_err(), "cmp9");
}

#[test]
fn a_crashed_run_says_what_is_under_way_and_since_when_it_is_silent() {
    insta::assert_snapshot!("crashed", text::render(&samples::crashed().timing()));
}

#[test]
fn a_run_that_never_started_names_who_did_not_answer() {
    insta::assert_snapshot!("unreachable", text::render(&samples::unreachable().timing()));
}

#[test]
fn a_live_run_is_measured_until_now() {
    let sample = samples::crashed();
    let now = sample.entries[0].at + samples::minutes(40);
    let timing = Timing::new(&sample.entries, None, now, true).unwrap();
    assert_eq!(timing.took(), samples::minutes(40));
    assert!(text::render(&timing).starts_with("train: under way for 40m\n"));
}

#[test]
fn a_run_is_compared_with_the_one_before() {
    let (then, now) = (samples::eighty(), samples::eventful());
    let timing = Timing::new(&now.entries, Some(&then.entries), now.entries[0].at, false).unwrap();
    let report = text::render(&timing);
    let compared = report.split("previous run").nth(1).unwrap();
    insta::assert_snapshot!("previous", compared);
    assert!(html::render(&timing).contains("Against the previous run"));
}

#[test]
fn a_gate_is_passed_by_someone_and_a_hold_lasts_until_its_release() {
    let mut sample = samples::one_host_plan();
    sample.go(Some(SignedDuration::from_secs(1)), |_, _| (samples::minutes(1), End::plain(Outcome::Unchanged)));
    sample.order(SignedDuration::from_secs(4), Command::Hold { reason: None });
    sample.order(SignedDuration::from_secs(9), Command::Release);
    sample.order(SignedDuration::from_secs(1), Command::Pass);
    let report = text::render(&sample.timing());
    let said: Vec<_> = report.lines().filter(|line| line.contains(", by ops")).collect();
    assert_eq!(
        said,
        [
            "  22:00:05  hold, lasted 9s, by ops (pid 4711, /dev/pts/1)",
            "  22:00:14  release, by ops (pid 4711, /dev/pts/1)",
            "  22:00:15  pass the gate `apply nginx`, by ops (pid 4711, /dev/pts/1)",
        ]
    );
}

/// Two sessions of ten minutes, a stall of one, and gaps; the second target is gone at the end.
#[test]
fn what_probes_measured_is_said_with_what_was_under_way() {
    let mut plan = samples::one_host_plan().plan;
    plan.probes = vec![crate::engine::sample::probe("tenants", 80), crate::engine::sample::probe("api", 1)];
    let mut sample = samples::Sample::open(plan, None);
    let seconds = SignedDuration::from_secs;
    let under_way = vec![UnderWay { stage: "web".into(), step: "apply nginx".into(), hosts: "web1".into() }];
    let breached = |targets: Vec<u32>| {
        let breached = Breached { probe: 0, targets, silent: seconds(3), under_way: under_way.clone() };
        Record::Breached(Box::new(breached))
    };
    sample.add(breached(vec![2, 3, 4]));
    sample.add(Record::Recovered { probe: 0, targets: vec![(2, seconds(4)), (3, seconds(5)), (4, seconds(4))] });
    sample.add(breached(vec![1]));
    let at = |seconds: i64| crate::engine::sample::start() + SignedDuration::from_secs(seconds);
    let gap = |target: &str, from, to, answered, under_way: &[UnderWay]| Line::Gap {
        target: target.into(),
        from: at(from),
        to: at(to),
        answered,
        breach: to - from > 3,
        under_way: under_way.to_vec(),
    };
    let lines = [
        Line::Began { at: at(0) },
        gap("vm003", 100, 104, true, &under_way),
        gap("vm004", 100, 105, true, &under_way),
        Line::NotMeasured { from: at(200), to: at(260) },
        Line::Measured { until: at(300), looks: 120_000, answers: 119_950 },
        Line::Measured { until: at(600), looks: 240_000, answers: 239_950 },
        Line::Began { at: at(1000) },
        gap("vm003", 1100, 1101, true, &[]),
        Line::Measured { until: at(1540), looks: 200_000, answers: 199_000 },
        gap("vm002", 1560, 1600, false, &[]),
        gap("unknown", 0, 1600, false, &[]),
    ];
    let timing = sample.timing().with_probes(|name| if name == "tenants" { lines.to_vec() } else { Vec::new() });
    let probe = &timing.probes[0];
    // 600 s and 600 s, less the stall.
    assert_eq!(probe.measured, seconds(1140));
    assert_eq!((probe.looks, probe.answers), (440_000, 439_950 - 1000));
    assert_eq!(probe.targets[2].silent, seconds(5));
    assert!((probe.available(&probe.targets[1]).unwrap() - 100.0 * (1.0 - 40.0 / 1140.0)).abs() < 1e-9);
    let report = text::render(&timing);
    let section = report.split("\nprobes\n").nth(1).unwrap().split("\n\n").next().unwrap();
    insta::assert_snapshot!("probes", section);
    assert!(html::render(&timing).contains("vm004"));
    let object: serde_json::Value = serde_json::from_str(&json::render(&timing)).unwrap();
    assert_eq!(object["probes"][0]["breaches"][3]["silent_s"], serde_json::Value::Null);
    assert_eq!(object["probes"][1]["available_percent"], serde_json::Value::Null, "nothing measured is not all well");
}

#[test]
fn a_small_run_as_csv_and_json() {
    let timing = samples::one_host().timing();
    insta::assert_snapshot!("one_csv", csv::render(&timing));
    insta::assert_snapshot!("one_json", json::render(&timing));
}

#[test]
fn no_note_is_a_formula_in_a_spreadsheet() {
    let mut sample = samples::one_host_plan();
    sample.go(None, |_, _| (samples::minutes(1), End::noted(Outcome::Failed, "=cmd|'/c calc'!A1, \"quoted\"")));
    let report = csv::render(&sample.timing());
    assert!(report.contains(",\"'=cmd|'/c calc'!A1, \"\"quoted\"\"\"\r\n"), "{report}");
}

#[test]
fn records_that_cannot_be_are_refused() {
    let sample = samples::one_host();
    assert!(Timing::new(&[], None, sample.entries[0].at, false).is_err());
    assert!(Timing::new(&sample.entries[1..], None, sample.entries[0].at, false).is_err());
    let twice = [&sample.entries[..], &sample.entries[1..]].concat();
    assert!(Timing::new(&twice, None, sample.entries[0].at, false).is_err());
}

#[test]
fn a_page_needs_nothing_else_and_lets_nothing_in() {
    for sample in [samples::eventful(), samples::two_thousand(), samples::unreachable()] {
        let page = html::render(&sample.timing());
        assert!(page.len() < 3_000_000, "{} bytes", page.len());
        assert!(!page.contains("<script"), "a note is a script");
        assert!(!page.contains("<b>"), "an order is markup");
        for outside in ["src=", "href=", "@import", "url(h", "url(/"] {
            assert!(!page.contains(outside), "the page has `{outside}`");
        }
        well_formed(&page);
    }
}

#[test]
fn a_picture_of_one_host_and_of_two_thousand_has_a_bar_for_each() {
    for (sample, hosts) in [(samples::one_host(), 1), (samples::two_thousand(), 2001)] {
        let page = html::render(&sample.timing());
        let svg = page.split("<svg class=\"timeline\"").nth(1).and_then(|rest| rest.split("</svg>").next()).unwrap();
        assert_eq!(svg.matches("<g><title>").count(), hosts);
        assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains("width=\"-"));
    }
}

/// Every tag that opens closes, in the right order; no `&` stands alone.
fn well_formed(page: &str) {
    let empty = ["meta", "br", "wbr", "!doctype"];
    let body = page.split_once("</style>").map_or(page, |(_, rest)| rest);
    let mut open = vec!["html", "head"];
    for tag in body.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').unwrap_or_else(|| panic!("`<` in text: {tag}"));
        assert!(!text.contains('>'), "`>` in text: {text}");
        for entity in text.split('&').skip(1) {
            assert!(entity.split_once(';').is_some_and(|(name, _)| name.len() < 7), "a bare `&`: {text}");
        }
        assert_eq!(tag.matches('"').count() % 2, 0, "an open quote: {tag}");
        let name = tag.split([' ', '/']).next().unwrap();
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed out of turn");
        } else if !tag.ends_with('/') && !empty.contains(&name) {
            open.push(name);
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}

/// The hosts that the text names as having come to something, each as often as it is there.
fn in_text(report: &str) -> Vec<String> {
    let section = |head: &'static str| {
        let lines = report.lines().skip_while(move |line| !line.starts_with(head)).skip(1);
        lines.take_while(|line| !line.is_empty())
    };
    let mut patterns = String::new();
    for line in section("hosts: ").chain(section("came through")) {
        let (label, rest) = line.split_at(line.len().min(15));
        let goes_on = label.trim().is_empty() && patterns.ends_with(',');
        if goes_on || (line.starts_with("  ") && !label.trim().is_empty() && !line.contains("step by step")) {
            if !goes_on && !patterns.is_empty() {
                patterns.push(',');
            }
            patterns.push_str(rest);
        }
    }
    pattern::unfold(&patterns).unwrap_or_else(|error| panic!("{error}\n{report}"))
}

fn random(hosts: u32, cut: usize, seed: u32, resumes: bool) -> Sample {
    let mut sample = Sample::open(samples::plan_of(hosts), None);
    let draw = move |unit: crate::model::UnitKey, attempt: u16| {
        let roll = (unit.host * 31 + u32::from(attempt) * 7 + seed) % 11;
        let step = if let Slot::Step(step) = unit.slot { u32::from(step) } else { 7 };
        let outcome = Outcome::ALL[usize::try_from((roll + step) % 14).unwrap().min(6)];
        let outcome = if outcome == Outcome::Skipped || roll > 5 { Outcome::Changed } else { outcome };
        (samples::minutes(i64::from(roll + 1)), End::noted(outcome, format!("note {}", roll % 3)))
    };
    sample.go(None, draw);
    sample.cut(cut);
    if resumes && sample.can_resume() {
        sample.resume(samples::minutes(30), None);
        sample.go(None, draw);
    }
    sample
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_planned_host_is_in_every_format_once(
        hosts in 1_u32..60,
        cut in 0_usize..400,
        seed in 0_u32..1000,
        resumes in any::<bool>(),
    ) {
        let timing = random(hosts, cut, seed, resumes).timing();
        let names: Vec<_> = timing.hosts.iter().map(|host| host.name.clone()).collect();
        prop_assert_eq!(names.len(), hosts as usize);

        let mut said = in_text(&text::render(&timing));
        said.sort();
        prop_assert_eq!(&said, &names);

        let page = html::render(&timing);
        well_formed(&page);
        let rows = names.iter().map(|name| page.matches(&format!("<tr id=\"host-{name}\">")).count());
        prop_assert!(rows.into_iter().all(|count| count == 1));
        prop_assert_eq!(page.matches("<tr id=\"host-").count(), names.len());

        let object: serde_json::Value = serde_json::from_str(&json::render(&timing)).unwrap();
        let listed = object["hosts"].as_array().unwrap().iter().map(|host| host["name"].as_str().unwrap().to_owned());
        prop_assert_eq!(listed.collect::<Vec<_>>(), names.clone());

        let mut seen: BTreeMap<(String, String), u32> = BTreeMap::new();
        let rows = csv::render(&timing);
        for row in rows.lines().skip(1) {
            let cells: Vec<_> = row.split(',').collect();
            *seen.entry((cells[1].to_owned(), cells[2].to_owned())).or_default() += 1;
        }
        prop_assert!(seen.values().all(|count| *count == 1));
        prop_assert_eq!(seen.len(), names.len() * timing.stages.len());
    }

    #[test]
    fn no_line_is_wider_than_the_screen(hosts in 1_u32..60, cut in 0_usize..400, seed in 0_u32..1000) {
        let report = text::render(&random(hosts, cut, seed, true).timing());
        for line in report.lines() {
            prop_assert!(line.chars().count() <= 80, "{}", line);
        }
    }
}
