//! Formulas that a run installs and a model that it pulls: read at the commits that the plan pins, compiled on every host
//! before anything is touched.

use crate::sandbox::Sandbox;

const PIPELINE: &str = r#"
[pipeline]
name = "train"
pillar = ["model/pillar"]

[[stage]]
name = "pull"
  [[stage.step]]
  pull = { repo = "model.git", rev = "main", into = "model" }

[[stage]]
name = "formula"
  [[stage.step]]
  install = { formula = "contrail", repo = "formulas.git", rev = "stable" }

[[stage]]
name = "computes"
hosts = "cmp"
fan-out = 1
  [[stage.step]]
  name = "first"
  run = "echo {{ host.name }} >> begun"
  [[stage.step]]
  apply = ["contrail.compute"]
  pillar = { version = "3.1.1" }
  undo = { apply = ["contrail.compute"], pillar = { version = "3.0.2" } }
"#;

/// Writes a file for each host, with what the pillar of the tree and of the step say.
const COMPUTE: &str = "installed:\n  file.managed:\n    - name: {{ pillar.folder }}/{{ grains.id }}\n    - contents: one {{ pillar.version }} for {{ pillar.who }}\n";

/// A project with two repositories, and nothing of them beside it.
fn project() -> Sandbox {
    let site = Sandbox::new();
    let folder = site.path("").display().to_string();
    site.write(
        "inventory.toml",
        "[groups.cmp]\nhosts = ['cmp[1-3]']\n[groups.ctl]\nhosts = ['ctl1']\n[defaults]\ntransport = 'local'\n",
    );
    site.write("up.toml", PIPELINE).write("formulas.git/contrail/compute.sls", COMPUTE);
    site.write("model.git/pillar/top.sls", "base:\n  '*': [all]\n");
    site.write("model.git/pillar/all.sls", &format!("folder: {}\nwho: ops\n", folder.trim_end_matches('/')));
    commit(&site, "formulas.git", "stable");
    commit(&site, "model.git", "main");
    site
}

/// Commits everything in a folder to a branch.
fn commit(site: &Sandbox, folder: &str, branch: &str) {
    let git = format!(
        "git init -q -b {branch} . 2>/dev/null; git add -A && git -c user.name=a -c user.email=a@b commit -qm a"
    );
    let status = std::process::Command::new("sh").args(["-c", &git]).current_dir(site.path(folder)).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_formula_is_compiled_on_every_host_that_applies_it_and_a_rollback_has_the_same() {
    let site = project();
    let planned = site.upshift(["plan", "up.toml"]).assert().success();
    let planned = String::from_utf8(planned.get_output().stdout.clone()).unwrap();
    assert!(planned.contains("install contrail from formulas.git stable (commit "), "{planned}");
    assert!(planned.contains("compile contrail.compute") && !planned.contains("ctl1"), "{planned}");
    site.upshift(["run", "up.toml"]).assert().success();
    assert_eq!(site.read("cmp3"), "one 3.1.1 for ops\n");
    let journal = site.journal();
    let installed = |record: &&serde_json::Value| {
        record["kind"] == "unit-ended"
            && record["note"].as_str().is_some_and(|note| note.ends_with("compiled here: 2 states"))
    };
    assert_eq!(journal.iter().filter(installed).count(), 3);

    // Whatever the branch has become meanwhile.
    site.write("formulas.git/contrail/compute.sls", &COMPUTE.replace("one", "two"));
    commit(&site, "formulas.git", "stable");
    site.upshift(["rollback"]).assert().success();
    assert_eq!(site.read("cmp3"), "one 3.0.2 for ops\n");
    site.upshift(["run", "up.toml"]).assert().success();
    assert_eq!(site.read("cmp3"), "two 3.1.1 for ops\n");
}

#[test]
fn what_one_host_cannot_compile_is_known_before_any_host_is_touched() {
    let site = project();
    let broken = format!("{COMPUTE}{{% if grains.id == 'cmp2' %}}\nworse:\n  file.manged: []\n{{% endif %}}\n");
    site.write("formulas.git/contrail/compute.sls", &broken);
    commit(&site, "formulas.git", "stable");
    let said = site.upshift(["run", "up.toml"]).assert().code(10);
    let said = String::from_utf8(said.get_output().stderr.clone()).unwrap();
    assert!(said.contains("cmp2") && said.contains("file.manged") && said.contains("compute.sls:"), "{said}");
    assert!(!site.path("begun").exists() && !site.path("cmp1").exists());
    // The same commit is resumed, whatever the branch has now; a new run has what mends it.
    site.write("formulas.git/contrail/compute.sls", COMPUTE);
    commit(&site, "formulas.git", "stable");
    site.upshift(["resume"]).assert().code(10);
    site.upshift(["run", "up.toml"]).assert().success();
}

#[test]
fn a_formula_that_is_not_where_it_should_be_is_refused_with_its_place() {
    let site = project();
    let refused = |pipeline: &str, why: &str| {
        site.write("up.toml", pipeline);
        let said = site.upshift(["plan", "up.toml"]).assert().code(2);
        let said = String::from_utf8(said.get_output().stderr.clone()).unwrap();
        assert!(said.contains(why), "{said}");
    };
    refused(&PIPELINE.replace("\"contrail\"", "\"nova\""), "formulas.git at ");
    refused(&PIPELINE.replace("\"contrail\"", "\"nova\""), "has no formula `nova`");
    refused(&PIPELINE.replace("\"stable\"", "\"unstable\""), "up.toml:14:");
    refused(
        &PIPELINE
            .replace("apply = [\"contrail.compute\"]\n  pillar = { version = \"3.1.1\" }", "run = \"true\"")
            .replace("undo = { apply = [\"contrail.compute\"], pillar = { version = \"3.0.2\" } }", ""),
        "nothing after stage `formula` applies formulas",
    );
    refused(
        &PIPELINE.replace("repo = \"formulas.git\", rev = \"stable\"", "folder = \"gone\""),
        "`gone` is not a folder of formulas",
    );
    refused(&PIPELINE.replace("repo = \"formulas.git\", rev = \"stable\"", "package = \"gone.deb\""), "gone.deb");
}
