//! Files that people get wrong, and what upshift says about each.
//!
//! `err_pipeline_*`, `err_inventory_*` and the inventories of others, `err_ansible_*`, `err_roster_*`
//! and `err_format_*`, are read on their own; `err_selector_*` are pipelines that are well and select
//! from `inventory.toml` what it does not have.

use std::fmt::Write;
use std::path::Path;

use upshift::config::{parse_inventory, parse_pipeline, read_inventory};
use upshift::error::{Error, Exit};
use upshift::model::{Inventory, Pipeline, selector};

const FOLDER: &str = "tests/fixtures/config";

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(FOLDER).join(name)).unwrap()
}

fn fixtures(prefix: &str) -> Vec<String> {
    let names = std::fs::read_dir(FOLDER).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.starts_with(prefix)).collect();
    names.sort();
    names
}

/// The errors of the selectors of a pipeline, as the planner words them.
fn check_selectors(pipeline: &Pipeline, inventory: &Inventory) -> Result<(), Error> {
    for stage in &pipeline.stages {
        let Some(hosts) = &stage.hosts else { continue };
        selector::select(inventory, &hosts.source).map_err(|error| {
            let message = format!("{}: stage `{}` {}", hosts.place, stage.name, error.message);
            Error { exit: Exit::Usage, message, hint: error.hint }
        })?;
    }
    Ok(())
}

fn error_of(name: &str) -> Error {
    let text = read(name);
    if ["err_inventory", "err_ansible", "err_roster", "err_format"].iter().any(|prefix| name.starts_with(prefix)) {
        return parse_inventory(name, &text).expect_err(name);
    }
    if name.starts_with("err_pipeline") {
        return parse_pipeline(name, &text).expect_err(name);
    }
    let inventory = parse_inventory("inventory.toml", &read("inventory.toml")).unwrap();
    check_selectors(&parse_pipeline(name, &text).expect(name), &inventory).expect_err(name)
}

fn said(prefix: &str) -> String {
    let mut said = String::new();
    for name in fixtures(prefix) {
        let error = error_of(&name);
        let place = error.message.strip_prefix(&format!("{name}:")).expect(&error.message);
        let mut numbers = place.split(':');
        for _ in 0..2 {
            assert!(numbers.next().is_some_and(|number| number.parse::<u32>().is_ok()), "{}", error.message);
        }
        assert!(!error.message.ends_with('.'), "{}", error.message);
        assert!(!format!("{error:?}").contains("hunter2"), "{name} gives its password away");
        assert_eq!(error.exit, Exit::Usage);
        writeln!(said, "error: {}", error.message).unwrap();
        if let Some(hint) = error.hint {
            writeln!(said, "hint: {hint}").unwrap();
        }
        said.push('\n');
    }
    said
}

#[test]
fn every_wrong_pipeline_gets_one_error_with_a_place() {
    insta::assert_snapshot!(said("err_pipeline"));
}

#[test]
fn every_wrong_inventory_gets_one_error_with_a_place() {
    insta::assert_snapshot!(said("err_inventory"));
}

#[test]
fn every_wrong_ansible_inventory_gets_one_error_with_a_place() {
    insta::assert_snapshot!(said("err_ansible"));
}

#[test]
fn every_wrong_roster_gets_one_error_with_a_place() {
    insta::assert_snapshot!(said("err_roster"));
}

#[test]
fn what_is_no_inventory_of_any_kind_gets_one_error_with_a_place() {
    insta::assert_snapshot!(said("err_format"));
}

#[test]
fn every_wrong_selector_gets_one_error_with_a_place() {
    insta::assert_snapshot!(said("err_selector"));
}

#[test]
fn every_key_of_a_pipeline_reaches_the_model() {
    insta::assert_debug_snapshot!(parse_pipeline("f", &read("ok_pipeline_full.toml")).unwrap());
}

#[test]
fn every_key_of_an_inventory_reaches_its_hosts() {
    let inventory = parse_inventory("f", &read("ok_inventory_full.toml")).unwrap();
    let mut said = String::new();
    for host in inventory.hosts.values() {
        let rack = host.rack.as_deref().unwrap_or("-");
        let vars = serde_json::to_string(&host.vars).unwrap();
        let answers = if host.answers { "answers" } else { "silent" };
        writeln!(said, "{} {} {} {answers} rack {rack} {vars}", host.name, host.address, host.transport).unwrap();
    }
    for (name, hosts) in &inventory.groups {
        writeln!(said, "{name}: {}", hosts.join(" ")).unwrap();
    }
    insta::assert_snapshot!(said);
}

/// What became of hosts and groups, with how they are logged in to.
fn described(inventory: &Inventory) -> String {
    let mut said = String::new();
    for host in inventory.hosts.values() {
        let rack = host.rack.as_deref().unwrap_or("-");
        let login = serde_json::to_string(&host.login).unwrap();
        let vars = serde_json::to_string(&host.vars).unwrap();
        writeln!(said, "{} {} {} rack {rack}\n  {login}\n  {vars}", host.name, host.address, host.transport).unwrap();
    }
    for (name, hosts) in &inventory.groups {
        writeln!(said, "{name}: {}", hosts.join(" ")).unwrap();
    }
    said
}

#[test]
fn an_inventory_of_others_becomes_hosts_and_groups() {
    for name in fixtures("ok_ansible").into_iter().chain(fixtures("ok_roster")) {
        let inventory = parse_inventory(&name, &read(&name)).unwrap();
        insta::assert_snapshot!(name.replace('.', "_"), described(&inventory));
    }
}

#[test]
fn the_files_beside_an_inventory_and_in_its_folder_are_read_with_it() {
    let folder = read_inventory("tests/fixtures/ansible".into()).unwrap();
    insta::assert_snapshot!("a_folder_of_ansible", described(&folder));
    let file = read_inventory("tests/fixtures/ansible/hosts.ini".into()).unwrap();
    assert_eq!(file.hosts["cmp2"], folder.hosts["cmp2"]);
    assert!(!file.hosts.contains_key("ctl1"));
}

#[test]
fn what_is_right_is_read_also_with_windows_line_ends_and_a_byte_order_mark() {
    for name in fixtures("ok_") {
        let text = read(&name);
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        if name.starts_with("ok_pipeline") {
            let plain = parse_pipeline("f", &text).unwrap();
            assert_eq!(format!("{plain:?}"), format!("{:?}", parse_pipeline("f", &windows).unwrap()), "{name}");
        } else {
            let plain = parse_inventory(&name, &text).unwrap();
            assert_eq!(format!("{plain:?}"), format!("{:?}", parse_inventory(&name, &windows).unwrap()), "{name}");
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_damage_to_a_file_makes_the_reader_panic(
        file in 0..8_usize,
        damage in proptest::collection::vec((0.0..1.0_f64, 0..12_usize, "\\PC{0,3}|[\\[\\]{}\"'=.,#\n\\\\0-9%-]{1,3}"), 1..6),
    ) {
        let names = [
            "ok_pipeline_full.toml",
            "ok_inventory_full.toml",
            "ok_pipeline_small.toml",
            "ok_pipeline_moments.toml",
            "ok_ansible_hosts.ini",
            "ok_ansible_groups.yml",
            "ok_ansible_listed.json",
            "ok_roster",
        ];
        let mut text: Vec<char> = read(names[file]).chars().collect();
        for (at, remove, insert) in damage {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a small file")]
            let start = (at * text.len() as f64) as usize;
            let end = (start + remove).min(text.len());
            text.splice(start..end, insert.chars());
        }
        let text: String = text.into_iter().collect();
        let read_as = ["f", "f.ini", "f.yml", "f.toml"].map(|name| parse_inventory(name, &text).err());
        for error in read_as.into_iter().chain([parse_pipeline("f", &text).err()]).flatten() {
            proptest::prop_assert!(error.message.starts_with('f'), "{}", error.message);
        }
    }
}
