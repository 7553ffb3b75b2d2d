//! Backups of hosts that are this machine: where they go, and what depends on them.

use crate::sandbox::Sandbox;

/// Two hosts; `damage` is done to the backup before the gate is asked.
fn site(backup: &str) -> Sandbox {
    let site = Sandbox::new();
    let etc = site.path("etc");
    std::fs::create_dir(&etc).unwrap();
    let inventory = "[groups.dbs]\nhosts = ['db1']\n[groups.bak]\nhosts = ['bak1']\n[defaults]\ntransport = 'local'\n";
    let pipeline = format!(
        r#"
[pipeline]
name = "train"

[[stage]]
name = "backup"
hosts = "dbs"
  [[stage.step]]
  backup = {{ engine = "files", paths = ["{}"]{backup} }}

[[stage]]
name = "ask"
  [[stage.step]]
  name = "damage"
  run = "sh ./damage"
  [[stage.step]]
  gate = "go on?"

[[stage]]
name = "upgrade"
hosts = "dbs"
  [[stage.step]]
  run = "echo new > etc/nova.conf; sleep 1"
  undo = "sleep 1"
"#,
        etc.display()
    );
    site.write("inventory.toml", inventory).write("up.toml", &pipeline).write("damage", "");
    site.write("etc/nova.conf", "old\n");
    site
}

/// Runs it with that damage, and says what came of it.
fn run(site: &Sandbox, damage: &str, code: i32) -> String {
    site.write("damage", damage);
    let ended = site.upshift(["run", "up.toml", "--pass", "gate"]).assert().code(code);
    String::from_utf8(ended.get_output().stderr.clone()).unwrap()
}

/// The data of the newest backup.
const DATA: &str = "$(ls -t .upshift/runs/*/backups/*/files/data.tar.gz | head -n 1)";

#[test]
fn a_gate_never_opens_on_a_bad_backup() {
    let site = site("");
    for (damage, why) in [
        (format!("truncate -s -1 {DATA}"), "bytes, and "),
        (format!("printf x | dd of={DATA} bs=1 seek=20 conv=notrunc"), "is damaged"),
        (format!("rm {DATA}"), "data.tar.gz"),
        (format!("rm $(dirname {DATA})/manifest.json"), "has no whole backup"),
        (format!("echo '{{' > $(dirname {DATA})/manifest.json"), "is damaged"),
    ] {
        let said = run(&site, &damage, 10);
        assert!(
            said.contains("the way back is not open: the backup on db1: ") && said.contains(why),
            "{damage}: {said}"
        );
        assert_eq!(site.read("etc/nova.conf"), "old\n", "{damage}");
    }
    run(&site, "", 0);
    assert_eq!(site.read("etc/nova.conf"), "new\n");
}

#[test]
fn a_restore_takes_the_copy_where_the_backup_is_gone() {
    for (to, copy) in [("bak", "files@db1"), ("controller", "files@db1")] {
        let site = site(&format!(", to = \"{to}\""));
        let said = run(&site, &format!("truncate -s -1 {DATA}"), 0);
        assert!(!said.contains("is damaged"), "{said}");
        let run = run_id(&site);
        let at = format!(".upshift/runs/{run}/backups/{run}");
        assert!(site.path(format!("{at}/{copy}/manifest.json")).exists(), "{to}");
        let planned = site.upshift(["rollback", "--plan"]).assert().code(0);
        let planned = String::from_utf8(planned.get_output().stdout.clone()).unwrap();
        assert!(
            planned.contains(if to == "bak" { "or from the copy on bak1" } else { "or from the copy on controller" }),
            "{planned}"
        );
        site.upshift(["rollback"]).assert().code(0);
        assert_eq!(site.read("etc/nova.conf"), "old\n");
    }
}

#[test]
fn a_backup_that_was_not_needed_is_not_copied_and_not_asked_for() {
    let site = site(", to = \"bak\"");
    let unless = site.read("up.toml").replacen(
        "\n\n[[stage]]\nname = \"ask\"",
        "\n  unless = \"true\"\n\n[[stage]]\nname = \"ask\"",
        1,
    );
    site.write("up.toml", &unless);
    run(&site, "", 0);
    let id = run_id(&site);
    assert!(!site.path(format!(".upshift/runs/{id}/backups")).exists());
}

#[test]
fn a_rollback_is_planned_with_what_the_run_measured_and_then_with_what_rollbacks_did() {
    let site = site("");
    run(&site, "", 0);
    let plan = || {
        let planned = site.upshift(["rollback", "--plan"]).assert().code(0);
        String::from_utf8(planned.get_output().stdout.clone()).unwrap()
    };
    let planned = plan();
    let of_upgrade = |planned: &str| {
        let line = planned.lines().find(|line| line.contains("undo echo new")).unwrap().to_owned();
        assert!(line.contains("expected 1") && line.contains("(measured)"), "{planned}");
    };
    of_upgrade(&planned);
    site.upshift(["rollback"]).assert().code(0);
    run(&site, "", 0);
    let planned = plan();
    of_upgrade(&planned);
}

#[test]
fn what_a_backup_names_is_checked_when_the_plan_is_made() {
    for (backup, why) in [
        (", to = \"dbs\"", "`db1` has the backup anyway"),
        (", to = \"all\"", "`to` wants one host, and `all` selects 2"),
        (", to = \"nobody\"", "`to`"),
    ] {
        let said = site(backup).upshift(["plan", "up.toml"]).assert().code(2);
        let said = String::from_utf8(said.get_output().stderr.clone()).unwrap();
        assert!(said.contains(why), "{said}");
    }
}

/// The id of the run that is no rollback.
fn run_id(site: &Sandbox) -> String {
    let runs = std::fs::read_dir(site.path(".upshift/runs")).unwrap();
    let mut names = runs.map(|run| run.unwrap().file_name().into_string().unwrap());
    names.find(|name| !name.contains("rollback")).unwrap()
}
