//! What the picture looks like, and what it never does.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use super::sample::{after, at, order, plan};
use super::sentence::Teller;
use super::{Seat, View, Watch, frame};
use crate::engine::news::News;
use crate::engine::sample;
use crate::journal::Committed;
use crate::model::probe::{Silence, Standing, UnderWay};
use crate::model::record::{Breached, Entry};
use crate::model::{Command, Record, Slot, UnitKey};

fn picture(watch: &Watch, now: Timestamp, width: usize) -> String {
    let zone = TimeZone::UTC;
    let view = View { watch, now, zone: &zone, seat: Seat::Driver, width, height: None, colour: false };
    let lines = frame(&view);
    assert!(lines.iter().all(|line| line.width() <= width), "{lines:#?}");
    lines.join("\n")
}

/// A run in its cascade: some hosts talk, some are silent.
fn cascade() -> (Watch, Timestamp) {
    let (mut watch, now) = after(&plan(40), 150);
    let stage = &watch.state.stages[4];
    let under_way: Vec<u32> = stage.under_way.clone();
    for (n, host) in under_way.into_iter().enumerate() {
        let unit = UnitKey { stage: 4, host, slot: Slot::Step(1) };
        let ago = [1, 3, 190, 0, 45, 2][n % 6];
        let line = "Setting up contrail-vrouter-utils (3.1.1.0-12~mitaka) ...".to_owned();
        watch.heard(unit, now - SignedDuration::from_secs(ago), Some(line));
    }
    (watch, now)
}

#[test]
fn at_the_start() {
    let plan = plan(80);
    let mut watch = Watch::new(std::sync::Arc::new(plan.outline()), &super::sample::entries(&plan)[..1]);
    watch.expected = None;
    insta::assert_snapshot!(picture(&watch, sample::start() + SignedDuration::from_secs(2), 80));
}

#[test]
fn in_the_middle_of_a_cascade() {
    let (watch, now) = cascade();
    insta::assert_snapshot!("cascade_80", picture(&watch, now, 80));
    insta::assert_snapshot!("cascade_40", picture(&watch, now, 40));
    insta::assert_snapshot!("cascade_160", picture(&watch, now, 160));
}

#[test]
fn while_targets_of_a_probe_are_silent() {
    let (mut watch, now) = cascade();
    let silence = |target: &str, millis, breach| Silence {
        target: target.into(),
        since: SignedDuration::from_millis(millis),
        breach,
    };
    let mut tenants = Standing { probe: "tenants".into(), targets: 80, silent: 0, worst: Vec::new() };
    let api = Standing { probe: "api".into(), targets: 2, silent: 0, worst: Vec::new() };
    watch.take(&News::Probes(vec![tenants.clone(), api.clone()]), now);
    assert_eq!(picture(&watch, now, 80).lines().nth(2), Some("  probes: all 82 answer"));
    tenants.silent = 4;
    tenants.worst = vec![silence("vm003", 4200, true), silence("vm004", 1000, false), silence("vm009", 400, false)];
    watch.take(&News::Probes(vec![tenants, api]), now);
    assert_eq!(
        picture(&watch, now, 80).lines().nth(2),
        Some("  probe tenants: 4 of 80 silent, vm003 4.2s, vm004 1s, vm009 0.4s, …")
    );
    assert!(super::json::progress(&watch, now).contains("\"target\":\"vm003\",\"since\":\"PT4.2S\",\"breach\":true"));
}

#[test]
fn when_a_step_is_tried_again() {
    let plan = plan(40);
    let retry = |record: &Record| matches!(record, Record::UnitEnded { retry_at: Some(_), unit, .. } if unit.host == 4);
    let failed = super::sample::entries(&plan).into_iter().find(|entry| retry(&entry.record)).unwrap();
    let (watch, now) = at(&plan, failed.at + SignedDuration::from_secs(2));
    insta::assert_snapshot!(picture(&watch, now, 100));
}

#[test]
fn while_it_is_held() {
    let (mut watch, now) = cascade();
    let hold = Command::Hold { reason: Some("tenants report packet loss in rack 7".into()) };
    order(&mut watch, now - SignedDuration::from_mins(3), hold);
    insta::assert_snapshot!(picture(&watch, now, 80));
}

#[test]
fn while_it_stops() {
    let (mut watch, now) = cascade();
    order(&mut watch, now, Command::Stop);
    insta::assert_snapshot!("stopping", picture(&watch, now, 80));
    order(&mut watch, now, Command::Abort);
    insta::assert_snapshot!("aborting", picture(&watch, now, 80));
}

#[test]
fn while_a_gate_waits() {
    let (mut watch, now) = after(&plan(8), 20);
    watch.gate = Some("The backup is restored and compared. Go on with the control plane, which takes all APIs down for about an hour?".into());
    insta::assert_snapshot!(picture(&watch, now, 80));
}

#[test]
fn at_the_end() {
    let plan = plan(20);
    let (watch, _) = after(&plan, 10_000);
    insta::assert_snapshot!(picture(&watch, watch.last_at, 80));
}

#[test]
fn from_a_second_terminal_after_a_crash() {
    let (watch, now) = cascade();
    let zone = TimeZone::UTC;
    let view = View { watch: &watch, now, zone: &zone, seat: Seat::Nobody, width: 80, height: None, colour: false };
    insta::assert_snapshot!(frame(&view).join("\n"));
}

#[test]
fn many_stages_are_folded_at_both_ends() {
    let mut plan = plan(3);
    let middle = plan.stages[3].clone();
    for n in 0..40 {
        let mut stage = middle.clone();
        stage.name = format!("part-{n}");
        plan.stages.insert(3, stage);
    }
    let (watch, now) = after(&plan, 900);
    insta::assert_snapshot!(picture(&watch, now, 80));
}

#[test]
fn a_bar_is_full_when_every_host_has_ended_and_not_before() {
    let plan = plan(70);
    for minutes in (0..400).step_by(7) {
        let (watch, now) = after(&plan, minutes);
        let text = picture(&watch, now, 80);
        for (stage, shape) in watch.state.stages.iter().zip(&watch.state.outline.stages) {
            let row = text.lines().find(|line| line.chars().skip(2).collect::<String>().starts_with(&shape.name));
            let full = !row.unwrap().contains('░');
            assert_eq!(full, stage.done() as usize == stage.hosts.len(), "{text}");
        }
    }
}

#[test]
fn every_host_of_a_stage_is_counted_once() {
    let plan = plan(30);
    let entries = super::sample::entries(&plan);
    let mut watch = Watch::new(std::sync::Arc::new(plan.outline()), &[]);
    for entry in &entries {
        watch.record(entry);
        for stage in &watch.state.stages {
            let counts = super::figures::Counts::of(stage);
            assert_eq!(counts.done + counts.under_way + counts.failed + counts.left, counts.total);
        }
    }
}

#[test]
fn a_stage_that_keeps_its_pace_reads_it_at_any_moment() {
    let plan = plan(60);
    for minutes in 130..200 {
        let (watch, now) = after(&plan, minutes);
        let stage = &watch.state.stages[4];
        if stage.waiting > 0 && minutes > 180 {
            let pace = super::figures::pace_now(stage, plan.stages[4].pace, now).unwrap();
            assert!((19.0..=20.01).contains(&pace), "{pace} after {minutes} minutes");
        }
    }
}

fn committed(entry: Entry) -> News {
    News::Committed(Box::new(Committed { line: format!("line {}", entry.n), entry }))
}

#[test]
fn a_whole_run_as_lines() {
    let plan = plan(5);
    let teller = Teller { zone: TimeZone::fixed(jiff::tz::offset(1)), logs: ".upshift/runs/r/hosts".into() };
    let watch = Watch::new(std::sync::Arc::new(plan.outline()), &[]);
    let mut lines = super::lines::Lines::new(watch, teller, sample::start());
    let mut said = Vec::new();
    let mut now = sample::start();
    for entry in super::sample::entries(&plan) {
        while now + SignedDuration::from_secs(30) < entry.at {
            now += SignedDuration::from_secs(30);
            said.extend(lines.heartbeat(now));
        }
        now = entry.at;
        if matches!(entry.record, Record::StageStarted { stage: 3 }) {
            let by = sample::person();
            let hold = Command::Hold { reason: Some("wait\u{1b}[2J for lunch".into()) };
            for record in
                [Record::Ordered { command: hold, by: by.clone() }, Record::Ordered { command: Command::Release, by }]
            {
                said.extend(lines.news(&committed(Entry { n: 0, at: now, record }), now));
            }
            said.extend(lines.news(&News::Gate { question: "go on?".into() }, now));
            said.extend(lines.news(&News::Notice("the disk is nearly full".into()), now));
            said.extend(lines.news(&News::Expected { stage: now, run: now + SignedDuration::from_mins(70) }, now));
        }
        said.extend(lines.news(&committed(entry), now));
    }
    assert!(!said.iter().any(|line| line.chars().any(char::is_control)));
    // One heartbeat of each stage is enough to look at.
    let mut seen = std::collections::HashSet::new();
    said.retain(|line| {
        let stage =
            line.split_once("stage ").and_then(|(_, rest)| rest.split_once(": ")).map(|(stage, _)| stage.to_owned());
        !line.contains("longest") || seen.insert(stage)
    });
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn every_kind_of_record_has_a_sentence() {
    let mut plan = plan(13);
    plan.probes.push(sample::probe("tenants", 80));
    let teller = Teller { zone: TimeZone::UTC, logs: "hosts".into() };
    let mut watch = Watch::new(std::sync::Arc::new(plan.outline()), &[]);
    let mut said = Vec::new();
    let mut tell = |watch: &Watch, entry: &Entry| {
        let sentence = teller.tell(watch, entry);
        let line = format!("{:<6} {}", format!("{:?}", sentence.weight), sentence.text);
        let failed = matches!(&entry.record, Record::UnitEnded { end, .. } if end.outcome.is_failure());
        let kind = (std::mem::discriminant(&entry.record), failed);
        if said.iter().all(|(other, _)| *other != kind) || matches!(entry.record, Record::Ordered { .. }) {
            said.push((kind, line));
        }
    };
    for entry in super::sample::entries(&plan) {
        tell(&watch, &entry);
        watch.record(&entry);
    }
    let by = sample::person();
    let hosts = vec!["cmp001".to_owned(), "cmp002".to_owned()];
    let orders = [
        Command::Hold { reason: None },
        Command::Release,
        Command::Pace { pace: "30/h".parse().unwrap() },
        Command::FanOut { hosts: 4 },
        Command::Skip { hosts },
        Command::Stop,
        Command::Abort,
        Command::Pass,
        Command::Refuse,
    ];
    let orders = orders.map(|command| Record::Ordered { command, by: by.clone() });
    let resumed = Record::Resumed { by: by.clone(), closes: Some(sample::start()) };
    let breached = Record::Breached(Box::new(Breached {
        probe: 0,
        targets: vec![2, 3, 4],
        silent: SignedDuration::from_millis(3100),
        under_way: vec![UnderWay { stage: "computes".into(), step: "upgrade".into(), hosts: "cmp007".into() }],
    }));
    let recovered = Record::Recovered { probe: 0, targets: vec![(2, SignedDuration::from_millis(4200))] };
    for record in orders.into_iter().chain([resumed, breached, recovered]) {
        tell(&watch, &Entry { n: 0, at: sample::start(), record });
    }
    insta::assert_snapshot!(said.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n"));
}

#[test]
fn json_has_the_journal_as_it_stands_and_counts_that_add_up() {
    let (watch, now) = cascade();
    let entry = super::sample::entries(&plan(1)).remove(0);
    assert_eq!(super::json::news(&committed(entry), now).unwrap(), "line 0");
    let line = super::json::progress(&watch, now);
    assert!(!line.contains('\n'));
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    let count = |name: &str| value["hosts"][name].as_u64().unwrap();
    assert_eq!(count("done") + count("under_way") + count("failed") + count("left"), count("total"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&value).unwrap());
}

#[test]
fn a_terminal_that_takes_nothing_loses_no_call_and_a_resize_repeats_them() {
    let plan = plan(8);
    let teller = Teller { zone: TimeZone::UTC, logs: "hosts".into() };
    let mut bars = super::bars::Bars::new(Watch::new(std::sync::Arc::new(plan.outline()), &[]), teller, false);
    assert!(!bars.resized((80, 24)));
    bars.news(&News::Notice("first".into()), sample::start());
    bars.news(&News::Notice("second".into()), sample::start());
    let paint = bars.paint(sample::start(), false);
    assert_eq!(paint.above, ["22:00:00 first", "22:00:00 second"]);
    assert!(bars.paint(sample::start(), false).above.is_empty());
    assert!(bars.resized((60, 20)));
    let paint = bars.paint(sample::start(), false);
    assert_eq!(paint.above, ["22:00:00 first", "22:00:00 second"]);
    assert!(paint.wipe && paint.frame.len() < 20);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_line_is_ever_wider_than_the_terminal_nor_the_picture_higher(
        width in 1_usize..200,
        height in 1_usize..60,
        minutes in 0_i64..400,
        name in "\\PC{0,60}",
        title in "(\\PC|[漢字かなカナ한국👩‍👩‍👧🇩🇪]){0,80}",
        said in "(\\PC|[\u{0}-\u{1f}\u{7f}\u{202e}\u{200d}\u{fe0f}漢字❤️]){0,120}",
    ) {
        let mut plan = plan(16);
        plan.stages[4].name = name;
        plan.stages[4].steps[1].title = title;
        plan.hosts[9].name = said.clone();
        let (mut watch, now) = after(&plan, minutes);
        watch.run = said.clone();
        watch.gate = Some(said.clone());
        if watch.state.verdict.is_none() {
            order(&mut watch, now, Command::Hold { reason: Some(said.clone()) });
        }
        for host in 0..16 {
            for step in 0..3 {
                watch.heard(UnitKey { stage: 4, host, slot: Slot::Step(step) }, now, Some(said.clone()));
            }
        }
        let zone = TimeZone::UTC;
        let view = View { watch: &watch, now, zone: &zone, seat: Seat::Driver, width, height: Some(height), colour: false };
        let lines = frame(&view);
        prop_assert!(lines.len() <= height);
        for line in &lines {
            prop_assert!(line.width() <= width, "{} > {width}: {line:?}", line.width());
            prop_assert!(!line.chars().any(char::is_control), "{line:?}");
        }
        let coloured = frame(&View { colour: true, ..view });
        let colours = regex::Regex::new("\x1b\\[[0-9;]*m").unwrap();
        for (plain, coloured) in lines.iter().zip(&coloured) {
            let bare = colours.replace_all(coloured, "").into_owned();
            prop_assert_eq!(plain, bare.trim_end());
        }
    }
}
