//! What steps do, on this machine.

use crate::sandbox::Sandbox;

/// Runs a stage of these steps on two hosts and returns exit code and stderr.
fn run(sandbox: &Sandbox, steps: &str) -> (i32, String) {
    sandbox.write(
        "inventory.toml",
        "[groups.web]\nhosts = ['web[1-2]']\ntransport = 'local'\nvars = { release = '3.1.1' }\n",
    );
    sandbox.write("p.toml", &format!("[pipeline]\nname = 'p'\nvars = {{ who = 'ops' }}\n[[stage]]\nname = 's'\nhosts = 'web'\nfan-out = 1\n{steps}"));
    let output = sandbox.upshift(["run", "p.toml"]).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn log(sandbox: &Sandbox, host: &str) -> String {
    let run = std::fs::read_dir(sandbox.path(".upshift/runs")).unwrap().next().unwrap().unwrap();
    std::fs::read_to_string(run.path().join(format!("hosts/{host}.log"))).unwrap()
}

#[test]
fn templates_env_and_on_reach_the_command() {
    let sandbox = Sandbox::new();
    let (code, stderr) = run(
        &sandbox,
        r#"
[[stage.step]]
run = 'echo "$GREETING {{ host.name }} {{ host.release }} {{ vars.who }} {{ groups.web | length }} {{ stage }}"'
env = { GREETING = "it's \"{{ host.name }}\"\nand" }
on = "web[1]"
"#,
    );
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(log(&sandbox, "web2").lines().skip(1).collect::<Vec<_>>(), ["it's \"web2\"", "and web2 3.1.1 ops 2 s"]);
}

#[test]
fn a_step_is_tried_again_with_a_delay_and_then_counts_once() {
    let sandbox = Sandbox::new();
    let (code, stderr) = run(
        &sandbox,
        "[[stage.step]]\nname = 'flaky'\nrun = 'echo x >> n-{{ host.name }}; test $(wc -l < n-{{ host.name }}) -ge 3'\nretries = 2\nretry-delay = '50ms'\n",
    );
    assert_eq!(code, 0, "{stderr}");
    let journal = sandbox.journal();
    let of =
        |kind: &str| journal.iter().filter(|r| r["kind"] == kind && r["host"] == "web1").cloned().collect::<Vec<_>>();
    let outcomes: Vec<_> = of("unit-ended").iter().map(|r| r["outcome"].as_str().unwrap().to_owned()).collect();
    assert_eq!(outcomes, ["failed", "failed", "changed"]);
    assert_eq!(of("host-ended")[0]["state"], "changed");
}

#[test]
fn unless_leaves_a_step_out_that_is_not_needed() {
    let sandbox = Sandbox::new();
    sandbox.write("web1.done", "");
    let (code, stderr) =
        run(&sandbox, "[[stage.step]]\nrun = 'touch ran-{{ host.name }}'\nunless = 'test -e {{ host.name }}.done'\n");
    assert_eq!(code, 0, "{stderr}");
    assert!(!sandbox.path("ran-web1").exists());
    assert!(sandbox.path("ran-web2").exists());
    let states: Vec<_> =
        sandbox.journal().iter().filter(|r| r["kind"] == "host-ended").map(|r| r["state"].clone()).collect();
    assert_eq!(states, ["unchanged", "changed"]);
}

#[test]
fn a_timeout_ends_everything_the_command_started() {
    let sandbox = Sandbox::new();
    let (code, stderr) = run(
        &sandbox,
        "[[stage.step]]\nname = 'slow'\nrun = '(sleep 3; touch late) & sleep 3; touch late'\ntimeout = '200ms'\n",
    );
    assert_eq!(code, 10, "{stderr}");
    assert!(stderr.contains("timed out"), "{stderr}");
    assert!(!sandbox.path("late").exists());
}

#[test]
fn output_that_does_not_match_until_is_a_failure() {
    let sandbox = Sandbox::new();
    let (code, _) = run(&sandbox, "[[stage.step]]\nrun = 'echo starting'\nuntil = '^active$'\n");
    assert_eq!(code, 10);
}

#[test]
fn wait_waits_for_commands_files_and_ports() {
    let sandbox = Sandbox::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (code, stderr) = run(
        &sandbox,
        &format!(
            "[[stage.step]]\nrun = '(sleep 0.3; echo active > status; touch there) >/dev/null 2>&1 &'\n\
             [[stage.step]]\nwait = {{ run = 'cat status', until = '^active$', every = '50ms', timeout = '10s' }}\n\
             [[stage.step]]\nwait = {{ file = 'there', every = '50ms', timeout = '10s' }}\n\
             [[stage.step]]\nwait = {{ tcp = '127.0.0.1:{port}', timeout = '10s' }}\n"
        ),
    );
    assert_eq!(code, 0, "{stderr}");
    let (code, stderr) = run(
        &sandbox,
        "[[stage.step]]\nname = 'port'\nwait = { tcp = '127.0.0.1:1', every = '50ms', timeout = '300ms' }\n",
    );
    assert_eq!(code, 10);
    assert!(stderr.contains("`port` timed out") && stderr.contains("refused"), "{stderr}");
}

#[test]
fn a_reboot_of_this_machine_is_refused() {
    let sandbox = Sandbox::new();
    let (code, stderr) = run(&sandbox, "[[stage.step]]\nreboot = true\n");
    assert_eq!(code, 2);
    insta::assert_snapshot!(stderr);
}

#[test]
fn a_pull_is_pinned_in_the_plan_and_says_what_is_new_since_the_previous_run() {
    let sandbox = Sandbox::new();
    let repository = git2::Repository::init(sandbox.path("model.git")).unwrap();
    let commit = |message: &str| {
        std::fs::write(sandbox.path("model.git").join(message), message).unwrap();
        let mut index = repository.index().unwrap();
        index.add_path(std::path::Path::new(message)).unwrap();
        index.write().unwrap();
        let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
        let who = git2::Signature::new("ops", "ops@example.net", &git2::Time::new(0, 0)).unwrap();
        let parents: Vec<_> = repository.head().ok().and_then(|head| head.peel_to_commit().ok()).into_iter().collect();
        let parents: Vec<_> = parents.iter().collect();
        repository.commit(Some("HEAD"), &who, &who, message, &tree, &parents).unwrap().to_string()
    };
    let first = commit("one");
    let branch = repository.head().unwrap().shorthand().unwrap().to_owned();
    sandbox.write(
        "p.toml",
        &format!("[pipeline]\nname = 'p'\n[[stage]]\nname = 'pull'\nstep = [{{ pull = {{ repo = 'model.git', rev = '{branch}', into = 'model' }} }}]\n"),
    );
    let plan = sandbox.upshift(["plan", "p.toml"]).output().unwrap();
    assert!(String::from_utf8(plan.stdout).unwrap().contains(&first[..12]));
    sandbox.upshift(["run", "p.toml"]).assert().success();
    commit("two");
    let third = commit("three");
    // What was there before is known from the previous run, not from the folder.
    std::fs::remove_dir_all(sandbox.path("model")).unwrap();
    sandbox.upshift(["run", "p.toml"]).assert().success();
    let journal = sandbox.journal();
    let pulled = journal.iter().find(|record| record["kind"] == "unit-ended").unwrap()["pulled"].clone();
    assert_eq!(pulled["commit"], third.as_str());
    assert_eq!(pulled["since"], first.as_str());
    assert_eq!((pulled["commits"].as_u64(), pulled["files"].as_u64()), (Some(2), Some(2)));
    assert!(sandbox.path("model/three").exists());
}
