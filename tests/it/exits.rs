//! Every exit code, from the real thing.

use rustix::process::Signal;

use crate::sandbox::Sandbox;

/// Six simulated hosts, and three on this machine.
const INVENTORY: &str = r#"
[groups.cmp]
hosts = ["cmp[1-6]"]
transport = "simulated"
[groups.web]
hosts = ["web[1-3]"]
transport = "local"
"#;

fn project(pipeline: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("inventory.toml", INVENTORY).write("p.toml", pipeline);
    sandbox
}

/// Runs the pipeline and returns exit code and stderr.
fn run(sandbox: &Sandbox, arguments: &[&str]) -> (i32, String) {
    let output = sandbox.upshift(arguments.iter().copied()).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// What stands after the report: the error and its hint.
fn error(stderr: &str) -> String {
    let start = stderr.rfind("error: ").unwrap_or_else(|| panic!("no error in:\n{stderr}"));
    let run = regex::Regex::new(r"\d{8}-\d{4}-").unwrap();
    run.replace_all(&stderr[start..], "RUN-").into_owned()
}

#[test]
fn a_run_that_is_done_ends_in_0() {
    let sandbox = project("[pipeline]\nname = 'p'\n[[stage]]\nname = 's'\nhosts = 'web'\nstep = [{ run = 'true' }]\n");
    let (code, stderr) = run(&sandbox, &["run", "p.toml"]);
    assert_eq!(code, 0, "{stderr}");
    assert!(!stderr.contains('\x1b'), "colour without a terminal");
    let (code, stderr) = run(&sandbox, &["resume"]);
    assert_eq!(code, 2);
    insta::assert_snapshot!(error(&stderr), @r"
    error: run RUN-p is done: nothing is left to resume

    hint: `upshift report RUN-p` says how it went
    ");
}

#[test]
fn a_wrong_pipeline_ends_in_2_and_nothing_is_written() {
    let sandbox = project("[pipeline]\nname = 'p'\n[[stage]]\nname = 's'\nhosts = 'wbe'\nstep = [{ run = 'true' }]\n");
    let (code, stderr) = run(&sandbox, &["run", "p.toml"]);
    assert_eq!(code, 2);
    insta::assert_snapshot!(stderr);
    assert!(!sandbox.path(".upshift").exists());
}

#[test]
fn an_undefined_name_is_refused_with_its_host_before_anything_runs() {
    let sandbox = project(
        "[pipeline]\nname = 'p'\n[[stage]]\nname = 's'\nhosts = 'web'\nstep = [{ run = 'echo {{ host.release }}' }]\n",
    );
    let (code, stderr) = run(&sandbox, &["run", "p.toml"]);
    assert_eq!(code, 2);
    insta::assert_snapshot!(stderr);
    assert!(!sandbox.path(".upshift").exists());
}

#[test]
fn failures_end_in_10_and_say_where_and_what_next() {
    let sandbox = project(
        "[pipeline]\nname = 'p'\n[[stage]]\nname = 's'\nhosts = 'web'\nfan-out = 1\nmax-failures = 2\n\
         step = [{ name = 'look', run = 'echo broken glass; exit 3' }]\n",
    );
    let (code, stderr) = run(&sandbox, &["run", "p.toml"]);
    assert_eq!(code, 10);
    insta::assert_snapshot!(error(&stderr));
}

#[test]
fn a_signal_ends_in_11_after_what_was_under_way() {
    let sandbox = project(
        "[pipeline]\nname = 'p'\n[[stage]]\nname = 's'\nhosts = 'web'\nfan-out = 1\n\
         step = [{ run = 'sleep 0.5; echo {{ host.name }} >> done' }, { run = 'echo {{ host.name }} >> second' }]\n",
    );
    let upshift = sandbox.start(["run", "p.toml"]);
    sandbox.until("a unit is under way", |sandbox| sandbox.records("unit-started") == 1);
    upshift.signal(Signal::INT);
    let (code, _, stderr) = upshift.end();
    assert_eq!(code, 11, "{stderr}");
    // The host that was under way came to its end; no other was started.
    assert_eq!(sandbox.read("second"), "web1\n");
    assert_eq!(sandbox.records("host-started"), 1);
    insta::assert_snapshot!(error(&stderr));
    let (code, stderr) = run(&sandbox, &["resume"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(sandbox.read("done"), "web1\nweb2\nweb3\n");
}

#[test]
fn a_second_signal_aborts_and_still_puts_hosts_back() {
    let sandbox = project(
        "[pipeline]\nname = 'p'\n[[stage]]\nname = 's'\nhosts = 'web'\nfan-out = 2\n\
         step = [{ name = 'drain', run = 'touch {{ host.name }}; sleep 30', always = 'echo {{ host.name }} >> back' }]\n",
    );
    let upshift = sandbox.start(["run", "p.toml"]);
    sandbox.until("both run", |sandbox| sandbox.path("web1").exists() && sandbox.path("web2").exists());
    upshift.signal(Signal::INT);
    sandbox.until("it stops", |sandbox| sandbox.records("ordered") == 1);
    upshift.signal(Signal::INT);
    let (code, _, stderr) = upshift.end();
    assert_eq!(code, 11, "{stderr}");
    assert!(
        stderr.contains("these may be in the middle of a step, and are put back now: web[1-2] (drain)"),
        "{stderr}"
    );
    let mut back: Vec<_> = sandbox.read("back").lines().map(str::to_owned).collect();
    back.sort();
    assert_eq!(back, ["web1", "web2"]);
    insta::assert_snapshot!(error(&stderr));
}

#[test]
fn a_gate_without_a_terminal_ends_in_12_and_can_be_passed_beforehand() {
    let sandbox = project(
        "[pipeline]\nname = 'p'\n[[stage]]\nname = 'approve'\nstep = [{ name = 'go', gate = 'is the cloud quiet?' }]\n\
         [[stage]]\nname = 's'\nhosts = 'web'\nstep = [{ run = 'true' }]\n",
    );
    let (code, stderr) = run(&sandbox, &["run", "p.toml"]);
    assert_eq!(code, 12, "{stderr}");
    assert!(stderr.contains("is the cloud quiet?"), "{stderr}");
    insta::assert_snapshot!(error(&stderr));
    let (code, stderr) = run(&sandbox, &["resume", "--pass", "door"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("the plan has no gate `door` to pass"), "{stderr}");
    let (code, stderr) = run(&sandbox, &["resume", "--pass", "go"]);
    assert_eq!(code, 0, "{stderr}");
}

#[test]
fn a_host_that_cannot_be_put_back_ends_in_13() {
    let sandbox = project(
        "[pipeline]\nname = 'p'\n[[stage]]\nname = 's'\nhosts = 'web1'\n\
         step = [{ name = 'drain', run = 'echo x >> runs', always = 'test -e allowed' }]\n",
    );
    let (code, stderr) = run(&sandbox, &["run", "p.toml"]);
    assert_eq!(code, 13, "{stderr}");
    insta::assert_snapshot!(error(&stderr));
    sandbox.write("allowed", "");
    let (code, stderr) = run(&sandbox, &["resume"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(sandbox.read("runs"), "x\n", "only what failed is done again");
}

#[test]
fn a_host_that_does_not_answer_ends_in_14_before_anything_starts() {
    let sandbox = project(
        "[pipeline]\nname = 'p'\n[[stage]]\nname = 's'\nhosts = 'cmp,web'\nstep = [{ run = 'echo >> touched' }]\n",
    );
    sandbox.write("inventory.toml", &format!("{INVENTORY}\n[hosts.'cmp[2-3]']\nanswers = false\n"));
    let (code, stderr) = run(&sandbox, &["run", "p.toml"]);
    assert_eq!(code, 14, "{stderr}");
    assert!(!sandbox.path("touched").exists());
    insta::assert_snapshot!(error(&stderr));
    let (code, stderr) = run(&sandbox, &["resume", "--skip", "cmp[2-3]"]);
    assert_eq!(code, 0, "{stderr}");
}

#[test]
fn a_window_that_is_not_open_or_too_short_ends_in_15() {
    let stage =
        "[[stage]]\nname = 's'\nhosts = 'web'\nstep = [{ run = 'echo >> touched', takes = '20m', undo = 'true' }]\n";
    let sandbox = project(&format!("[pipeline]\nname = 'p'\nwindow = {{ closes = 2020-01-01T04:00:00Z }}\n{stage}"));
    let (code, stderr) = run(&sandbox, &["run", "p.toml"]);
    assert_eq!(code, 15, "{stderr}");
    insta::assert_snapshot!(stderr, @"error: the window is shut: it closed at 2020-01-01 04:00 UTC");
    // 20 minutes to do it and 20 minutes to undo it do not fit half an hour.
    sandbox.write("p.toml", &format!("[pipeline]\nname = 'p'\nwindow = '30m'\n{stage}"));
    let (code, stderr) = run(&sandbox, &["run", "p.toml"]);
    assert_eq!(code, 15, "{stderr}");
    insta::assert_snapshot!(error(&stderr));
    assert!(!sandbox.path("touched").exists());
}

#[test]
fn a_second_upshift_ends_in_16_and_says_who_holds_the_lock() {
    let sandbox =
        project("[pipeline]\nname = 'p'\n[[stage]]\nname = 's'\nhosts = 'web'\nstep = [{ run = 'sleep 30' }]\n");
    let first = sandbox.start(["run", "p.toml"]);
    sandbox.until("the first one runs", |sandbox| sandbox.records("unit-started") == 3);
    let numbers = regex::Regex::new(r"held by .* \(pid \d+|\d\d:\d\d:\d\d").unwrap();
    for arguments in [&["run", "p.toml"][..], &["resume"][..]] {
        let (code, stderr) = run(&sandbox, arguments);
        assert_eq!(code, 16, "{stderr}");
        let stderr = numbers.replace_all(&stderr, "N");
        insta::allow_duplicates! {
            insta::assert_snapshot!(error(&stderr), @r"
            error: run RUN-p is going on here, N, no terminal) since N

            hint: `upshift status RUN-p --watch` shows it; `upshift stop RUN-p` ends it
            ");
        }
    }
    first.signal(Signal::INT);
    sandbox.until("it stops", |sandbox| sandbox.records("ordered") == 1);
    first.signal(Signal::INT);
    assert_eq!(first.end().0, 11);
}

#[test]
fn a_changed_pipeline_does_not_resume_an_old_run() {
    let pipeline = |command: &str| {
        format!(
            "[pipeline]\nname = 'p'\n[[stage]]\nname = 's'\nhosts = 'web'\nstep = [{{ name = 'look', run = '{command}' }}]\n"
        )
    };
    let sandbox = project(&pipeline("exit 1"));
    assert_eq!(run(&sandbox, &["run", "p.toml"]).0, 10);
    sandbox.write("p.toml", &format!("# only a comment\n{}", pipeline("exit 1")));
    assert_eq!(run(&sandbox, &["resume"]).0, 10, "a comment changes nothing that a run does");
    sandbox.write("p.toml", &pipeline("true"));
    let (code, stderr) = run(&sandbox, &["resume"]);
    assert_eq!(code, 2);
    insta::assert_snapshot!(error(&stderr));
}

#[test]
fn a_window_that_was_moved_does_not_keep_a_run_from_being_resumed() {
    let stage = "[[stage]]\nname = 's'\nhosts = 'web'\nstep = [{ run = 'echo x >> done', takes = '20m' }]\n";
    let sandbox = project(&format!("[pipeline]\nname = 'p'\nwindow = '10m'\n{stage}"));
    assert_eq!(run(&sandbox, &["run", "p.toml"]).0, 15);
    sandbox.write("p.toml", &format!("[pipeline]\nname = 'p'\nwindow = '2h'\n{stage}"));
    let (code, stderr) = run(&sandbox, &["resume"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(sandbox.read("done").lines().count(), 3);
}

#[test]
fn a_crashed_run_that_is_resumed_after_its_window_still_puts_its_hosts_back() {
    let pipeline = |closes: &str| {
        format!(
            "[pipeline]\nname = 'p'\nwindow = {{ closes = {closes} }}\n[[stage]]\nname = 's'\nhosts = 'web'\nfan-out = 1\n\
             step = [{{ run = 'sleep 1', always = 'echo {{{{ host.name }}}} >> back', takes = '1s' }}]\n"
        )
    };
    let sandbox = project(&pipeline("2099-01-01T00:00:00Z"));
    let upshift = sandbox.start(["run", "p.toml"]);
    sandbox.until("a unit is under way", |sandbox| sandbox.records("unit-started") == 1);
    upshift.signal(Signal::KILL);
    upshift.end();
    sandbox.write("p.toml", &pipeline("2020-01-01T00:00:00Z"));
    let (code, stderr) = run(&sandbox, &["resume"]);
    assert_eq!(code, 11, "{stderr}");
    assert!(stderr.contains("the window is shut") && stderr.contains("are put back"), "{stderr}");
    assert_eq!(sandbox.read("back"), "web1\n");
}

#[test]
fn a_password_in_a_pulls_address_is_in_no_plan_error_or_file() {
    let sandbox = project(
        "[pipeline]\nname = 'p'\n[[stage]]\nname = 's'\n\
         step = [{ pull = { repo = 'https://bob:hunter2secret@127.0.0.1:1/a.git', rev = '0000000000000000000000000000000000000000', into = 'a' } }]\n",
    );
    let mut seen = String::new();
    for arguments in [
        &["plan", "p.toml"][..],
        &["plan", "p.toml", "--json"],
        &["run", "p.toml"],
        &["report"],
        &["report", "--format", "json"],
    ] {
        let output = sandbox.upshift(arguments.iter().copied()).output().unwrap();
        seen += &String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    }
    assert!(seen.contains("https://127.0.0.1:1/a.git"), "{seen}");
    let mut folders = vec![sandbox.path(".upshift")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                seen += &String::from_utf8_lossy(&std::fs::read(path).unwrap());
            }
        }
    }
    assert!(!seen.contains("hunter2secret"), "{seen}");
}

#[test]
fn an_sls_that_no_formula_has_is_refused_with_its_place_before_any_host_is_asked() {
    let sandbox = Sandbox::new();
    sandbox.write("inventory.toml", "[groups.cmp]\nhosts = ['nowhere.invalid']\n");
    sandbox.write("formulas/nova/compute.sls", "quick: {test.nop: []}\n");
    let pipeline = |undo: &str| {
        format!(
            "[pipeline]\nname = 'p'\nformulas = ['formulas']\n[[stage]]\nname = 's'\nhosts = 'cmp'\n\
             [[stage.step]]\napply = 'nova.compute'\nundo = {{ apply = '{undo}' }}\n"
        )
    };
    sandbox.write("p.toml", &pipeline("nova.compute"));
    sandbox.upshift(["check", "p.toml"]).assert().code(0);
    sandbox.write("p.toml", &pipeline("nova.compuet"));
    for command in ["check", "plan", "run"] {
        let refused = sandbox.upshift([command, "p.toml"]).assert().code(2);
        let said = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
        assert!(said.contains("p.toml:9:18: no formula has an SLS `nova.compuet`"), "{command}: {said}");
        assert!(said.contains("did you mean `nova.compute`?"), "{command}: {said}");
    }
}
