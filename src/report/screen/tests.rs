//! What the picture looks like, and what it never does.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use super::sample::{after, order, plan};
use super::{Seat, View, Watch, frame};
use crate::engine::sample;
use crate::model::{Command, Slot, UnitKey};

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
fn when_a_step_is_tried_again() {
    let (watch, now) = after(&plan(40), 85);
    insta::assert_snapshot!(picture(&watch, now + SignedDuration::from_secs(3), 80));
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
        for (plain, coloured) in lines.iter().zip(&coloured) {
            let bare = regex::Regex::new("\x1b\\[[0-9;]*m").unwrap().replace_all(coloured, "").into_owned();
            prop_assert_eq!(plain, bare.trim_end());
        }
    }
}
