//! `upshift exec` on hosts that are this machine.

use crate::sandbox::Sandbox;

/// A project with hosts that are all this machine.
fn sandbox(hosts: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("inventory.toml", &format!("[defaults]\ntransport = 'local'\n[groups.cmp]\nhosts = ['{hosts}']\n"));
    sandbox
}

/// Exit code, stdout, stderr, where times are all the same.
fn exec(sandbox: &Sandbox, arguments: &[&str]) -> (i32, String, String) {
    let output = sandbox.upshift(["exec"].iter().chain(arguments).copied()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let stderr = text(&output.stderr);
    let stderr = stderr.lines().map(|line| match line.rsplit_once(" (") {
        Some((start, time)) if time.ends_with("s)") && line.contains(" host") => format!("{start} (TIME)\n"),
        _ => format!("{line}\n"),
    });
    (output.status.code().unwrap(), text(&output.stdout), stderr.collect())
}

/// Whether a process has this among its arguments.
fn lives(argument: &str) -> bool {
    let wanted = argument.as_bytes();
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == wanted)
    })
}

#[test]
fn one_word_is_shell_text_and_several_are_words() {
    let sandbox = sandbox("cmp[001-003]");
    let (exit, stdout, stderr) = exec(&sandbox, &["cmp", "--", "echo a   b | tr a-z A-Z; echo $((1+1)) >&2"]);
    assert_eq!((exit, stdout.as_str()), (0, "cmp[001-003]: A B\n"));
    assert_eq!(stderr, "cmp[001-003]: stderr: 2\nall 3 hosts are done (TIME)\n");
    let (exit, stdout, _) = exec(&sandbox, &["cmp", "--", "printf", "%s.", "a   b", "$HOME", "it's", ""]);
    assert_eq!((exit, stdout.as_str()), (0, "cmp[001-003]: a   b.$HOME.it's..\n"));
}

#[test]
fn the_worst_host_decides_the_exit_code() {
    let sandbox = sandbox("cmp[001-002]");
    let (exit, stdout, stderr) = exec(&sandbox, &["cmp", "--", "mkdir d || { echo taken; exit 7; }"]);
    assert_eq!((exit, stdout.lines().count()), (10, 1));
    assert!(stderr.contains(": exit code 7"), "{stderr}");
    assert!(stderr.ends_with("1 of 2 hosts came short: 1 failed (TIME)\n"), "{stderr}");
    let (exit, stdout, stderr) = exec(&sandbox, &["cmp", "--timeout", "100ms", "--", "echo begun; sleep 1000.25"]);
    assert_eq!((exit, stdout.as_str()), (10, "cmp[001-002]: begun\n"));
    assert!(stderr.starts_with("cmp[001-002]: timed out: ended after 0.1s\n"), "{stderr}");
    assert!(!lives("1000.25"));
}

#[test]
fn json_has_an_object_a_host_in_the_order_of_the_inventory() {
    let sandbox = sandbox("cmp[001-003]");
    let (exit, stdout, _) = exec(&sandbox, &["cmp", "--json", "--fan-out", "1", "--", "printf 'a\\377'; exit 3"]);
    assert_eq!(exit, 10);
    let objects: Vec<serde_json::Value> = stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let hosts: Vec<_> = objects.iter().map(|object| object["host"].as_str().unwrap()).collect();
    assert_eq!(hosts, ["cmp001", "cmp002", "cmp003"]);
    for object in objects {
        assert_eq!((&object["outcome"], &object["exit_code"]), (&"failed".into(), &3.into()));
        assert_eq!((&object["stdout"], &object["stdout_base64"]), (&"a\u{fffd}".into(), &"Yf8=".into()));
    }
}

#[test]
fn a_long_output_is_whole_in_its_file() {
    let sandbox = sandbox("cmp001");
    let (exit, stdout, _) = exec(&sandbox, &["cmp", "--output-dir", "out", "--", "seq 200000"]);
    assert_eq!(exit, 0);
    assert!(stdout.len() < 600_000 && stdout.contains("\n[764607 bytes are left out here;"), "{}", stdout.len());
    assert_eq!(sandbox.read("out/cmp001.out").lines().count(), 200_000);
    let (exit, _, stderr) = exec(&sandbox, &["cmp", "--output-dir", "out", "--", "true"]);
    assert_eq!((exit, stderr.contains("`out` has files in it already")), (2, true), "{stderr}");
}

#[test]
fn what_a_command_leaves_in_the_background_is_not_waited_for() {
    let sandbox = sandbox("cmp001");
    let begun = std::time::Instant::now();
    let (exit, stdout, _) = exec(&sandbox, &["cmp", "--", "sleep 20.125 & echo $!"]);
    assert!(begun.elapsed().as_secs() < 15);
    assert_eq!(exit, 0);
    let id = stdout.trim().rsplit(' ').next().unwrap().parse().unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(id).unwrap(), rustix::process::Signal::KILL).unwrap();
}

#[test]
fn ctrl_c_ends_the_command_everywhere_and_shows_what_came_so_far() {
    let sandbox = sandbox("cmp[001-003]");
    let upshift =
        sandbox.start(["exec", "cmp", "--fan-out", "2", "--", "echo so far; touch begun.$$; sleep 1000.5; echo never"]);
    let begun = |sandbox: &Sandbox| {
        let files = std::fs::read_dir(sandbox.path(".")).unwrap().flatten();
        files.filter(|file| file.file_name().to_string_lossy().starts_with("begun.")).count() == 2
    };
    sandbox.until("two hosts are under way", begun);
    upshift.signal(rustix::process::Signal::INT);
    let (exit, stdout, stderr) = upshift.end();
    assert_eq!((exit, stdout.as_str()), (11, "cmp[001-002]: so far\n"), "{stderr}");
    assert!(stderr.contains("cmp[001-002]: interrupted: the command was ended there\n"), "{stderr}");
    assert!(stderr.contains("cmp003: skipped: not started\n"), "{stderr}");
    assert!(!lives("1000.5"));
}

#[test]
fn a_second_ctrl_c_quits_at_once_and_says_where_the_command_may_go_on() {
    let sandbox = sandbox("cmp001");
    let upshift = sandbox.start(["exec", "cmp", "--", "trap '' TERM; touch begun; while :; do sleep 0.111; done"]);
    sandbox.until("it is under way", |sandbox| sandbox.path("begun").exists());
    upshift.signal(rustix::process::Signal::INT);
    // Two signals at once would count as one.
    std::thread::sleep(std::time::Duration::from_millis(300));
    upshift.signal(rustix::process::Signal::INT);
    let (exit, _, stderr) = upshift.end();
    assert_eq!((exit, stderr.contains("quit at once: the command may still run on cmp001")), (11, true), "{stderr}");
    sandbox.until("nothing of it is left", |_| !lives("0.111"));
}

#[test]
fn a_reader_that_has_seen_enough_changes_nothing() {
    let sandbox = sandbox("cmp[001-002]");
    let script = format!(
        "{} exec cmp -- 'seq 100000; exit 1' | head -1; echo ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_upshift")
    );
    let mut command = std::process::Command::new("bash");
    let output = sandbox.settle(&mut command).args(["-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "cmp[001-002] (2 hosts):\n10\n");
}

#[test]
fn a_command_has_to_be_given_after_two_dashes() {
    let sandbox = sandbox("cmp001");
    let (exit, _, stderr) = exec(&sandbox, &["cmp", "uptime"]);
    assert_eq!(exit, 2, "{stderr}");
    let (exit, _, stderr) = exec(&sandbox, &["cmp", "--", " "]);
    assert_eq!((exit, stderr.as_str()), (2, "error: the command is empty\n"));
    let (exit, _, stderr) = exec(&sandbox, &["cmp", "--timeout", "0s", "--", "true"]);
    assert!(exit == 2 && stderr.contains("wanted a duration"), "{stderr}");
}
