//! A run is taken back: what it did, where it did it, from the last step to the first.

use crate::sandbox::Sandbox;

const INVENTORY: &str =
    "[groups.ctl]\nhosts = ['ctl1']\n[groups.cmp]\nhosts = ['cmp[1-3]']\n[defaults]\ntransport = 'local'\n";

/// Every action writes what it does; `fails` makes a host's upgrade fail.
const PIPELINE: &str = r#"
[pipeline]
name = "train"

[[stage]]
name = "control"
hosts = "ctl"
  [[stage.step]]
  name = "schema"
  run = "echo schema >> did"
  undo = "echo no schema >> did"

[[stage]]
name = "computes"
hosts = "cmp"
fan-out = 1
  [[stage.step]]
  name = "out"
  run = "echo out {{ host.name }} >> did"
  always = "echo in {{ host.name }} >> did"
  [[stage.step]]
  name = "upgrade"
  run = "echo new {{ host.name }} >> did; test ! -e fails.{{ host.name }}"
  undo = [{ run = "echo old {{ host.name }} >> did; test ! -e sticks.{{ host.name }}" }, { wait = { run = "true", timeout = "5s" } }]
  [[stage.step]]
  name = "after"
  run = "echo after {{ host.name }} >> did"
  undo = "echo before {{ host.name }} >> did"
"#;

fn site(pipeline: &str) -> Sandbox {
    let site = Sandbox::new();
    site.write("inventory.toml", INVENTORY).write("up.toml", pipeline);
    site
}

fn did(site: &Sandbox) -> Vec<String> {
    let did = site.read("did").lines().map(str::to_owned).collect();
    std::fs::remove_file(site.path("did")).unwrap();
    did
}

#[test]
fn a_run_that_failed_is_taken_back_as_far_as_it_came() {
    let site = site(PIPELINE);
    site.write("fails.cmp2", "");
    site.upshift(["run", "up.toml"]).assert().code(10);
    assert_eq!(
        did(&site),
        ["schema", "out cmp1", "new cmp1", "after cmp1", "in cmp1", "out cmp2", "new cmp2", "in cmp2"]
    );
    let said = site.upshift(["rollback", "--plan"]).assert().code(0);
    let plan = String::from_utf8(said.get_output().stdout.clone()).unwrap();
    assert!(plan.contains("undo upgrade (1 of 2)") && !plan.contains("cmp3"), "{plan}");
    site.upshift(["rollback"]).assert().code(0);
    let back = ["out cmp1", "before cmp1", "old cmp1", "in cmp1", "out cmp2", "old cmp2", "in cmp2", "no schema"];
    assert_eq!(did(&site), back);
    let run = run(&site);
    for command in ["rollback", "resume"] {
        let refused = site.upshift([command, &run]).assert().code(2);
        let why = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
        assert!(why.contains("has been taken back by ") && why.contains("train-rollback"), "{why}");
    }
}

#[test]
fn an_undo_that_fails_leaves_the_run_stuck_and_a_resume_goes_on_there() {
    let site = site(PIPELINE);
    site.write("sticks.cmp3", "");
    site.upshift(["run", "up.toml"]).assert().code(0);
    did(&site);
    let stuck = site.upshift(["rollback"]).assert().code(13);
    let why = String::from_utf8(stuck.get_output().stderr.clone()).unwrap();
    assert!(why.contains("the rollback is stuck: cmp3 could not be taken back"), "{why}");
    let before = did(&site);
    assert!(before.contains(&"in cmp3".to_owned()) && !before.contains(&"no schema".to_owned()), "{before:?}");
    std::fs::remove_file(site.path("sticks.cmp3")).unwrap();
    site.upshift(["resume"]).assert().code(0);
    let after = did(&site);
    assert_eq!(after[..3], ["out cmp3", "old cmp3", "in cmp3"]);
    assert_eq!(after.last().unwrap(), "no schema");
}

#[test]
fn a_stage_may_have_the_run_taken_back_by_itself() {
    let site = site(&PIPELINE.replace("fan-out = 1", "fan-out = 1\non-failure = \"rollback\""));
    site.write("fails.cmp1", "");
    site.upshift(["run", "up.toml"]).assert().code(0);
    assert_eq!(
        did(&site),
        ["schema", "out cmp1", "new cmp1", "in cmp1", "out cmp1", "old cmp1", "in cmp1", "no schema"]
    );
}

#[test]
fn nothing_is_taken_back_across_the_point_of_no_return_unless_forced() {
    let site = site(&PIPELINE.replace("undo = \"echo no schema >> did\"", "undo = false"));
    let plan = site.upshift(["plan", "up.toml", "--rollback"]).assert().code(0);
    let plan = String::from_utf8(plan.get_output().stdout.clone()).unwrap();
    assert!(plan.contains("the point of no return: `schema` of stage `control`"), "{plan}");
    site.upshift(["run", "up.toml"]).assert().code(0);
    let refused = site.upshift(["rollback"]).assert().code(2);
    let why = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
    assert!(why.contains("nothing takes back `schema` of stage `control`"), "{why}");
    site.upshift(["rollback", "--force"]).assert().code(0);
}

/// The id of the one run that is no rollback.
fn run(site: &Sandbox) -> String {
    let runs = std::fs::read_dir(site.path(".upshift/runs")).unwrap();
    let mut names = runs.map(|run| run.unwrap().file_name().into_string().unwrap());
    names.find(|name| !name.contains("rollback")).unwrap()
}

#[test]
fn a_new_run_does_not_go_over_what_an_earlier_one_has_left_half_way() {
    let site = site(PIPELINE);
    site.write("fails.cmp2", "");
    site.upshift(["run", "up.toml"]).assert().code(10);
    let first = run(&site);
    did(&site);
    let refused = |arguments: &[&str]| {
        let refused = site.upshift(arguments.iter().copied()).assert().code(2);
        String::from_utf8(refused.get_output().stderr.clone()).unwrap()
    };
    let why = refused(&["run", "up.toml"]);
    assert!(why.contains(&format!("run {first} ended (failed) in stage `computes`, and left ")), "{why}");
    assert!(why.contains("cmp[1-2]") && why.contains(&format!("`upshift rollback {first}` takes it back")), "{why}");
    assert!(!site.path("did").exists());
    // Whoever says so begins anew. Then the first one cannot go on, but can be taken back after the second.
    std::fs::remove_file(site.path("fails.cmp2")).unwrap();
    site.upshift(["run", "up.toml", "--anew"]).assert().code(0);
    let why = refused(&["resume", &first]);
    assert!(why.contains(" has changed ") && why.contains("what it knows of them is no longer so"), "{why}");
    let note = |arguments: &[&str]| {
        let plan = site.upshift(arguments.iter().copied()).assert().code(0);
        String::from_utf8(plan.get_output().stderr.clone()).unwrap()
    };
    let said = note(&["rollback", "--plan"]);
    assert!(said.contains(&format!("note: run {first} before it was left half-way, and stays so")), "{said}");
    let said = note(&["rollback", &first, "--plan"]);
    assert!(said.contains("has changed cmp[1-3],ctl1 since, which stays so"), "{said}");
    site.upshift(["rollback"]).assert().code(0);
    let why = refused(&["run", "up.toml"]);
    assert!(why.contains(&format!("run {first} ended (failed)")), "{why}");
    site.upshift(["rollback", &first]).assert().code(0);
    site.upshift(["run", "up.toml"]).assert().code(0);
}
