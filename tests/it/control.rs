//! A second terminal: watching a live run, and telling it things.

use rustix::process::Signal;

use crate::sandbox::Sandbox;

/// Eight hosts of half a second each, one at a time.
fn project() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("inventory.toml", "[groups.cmp]\nhosts = ['cmp[1-8]']\ntransport = 'local'\n");
    sandbox.write(
        "p.toml",
        "[pipeline]\nname = 'p'\n[[stage]]\nname = 'roll'\nhosts = 'cmp'\ncascade = { pace = '7200/h', fan-out = 1 }\n\
         step = [{ name = 'work', run = 'sleep 0.2; echo {{ host.name }} >> done', always = 'true' }]\n",
    );
    sandbox
}

fn tell(sandbox: &Sandbox, arguments: &[&str]) -> (i32, String) {
    let output = sandbox.upshift(arguments.iter().copied()).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().unwrap(), regex::Regex::new(r"\d{8}-\d{4}-").unwrap().replace_all(&text, "RUN-").into_owned())
}

#[test]
fn a_live_run_is_held_paced_skipped_released_and_stopped_and_the_journal_says_by_whom() {
    let sandbox = project();
    let upshift = sandbox.start(["run", "p.toml"]);
    sandbox.until("a host is done", |sandbox| sandbox.records("host-ended") >= 1);

    let (code, answer) = tell(&sandbox, &["hold", "--reason", "alarm in rack 4"]);
    assert_eq!(code, 0, "{answer}");
    assert!(answer.starts_with("RUN-p: held: no further host starts"), "{answer}");
    let (code, answer) = tell(&sandbox, &["hold"]);
    assert_eq!(code, 2);
    assert!(answer.contains("held already, by "), "{answer}");
    sandbox.until("nothing is under way", |sandbox| sandbox.records("host-started") == sandbox.records("host-ended"));
    let started = sandbox.records("host-started");

    let (_, status) = tell(&sandbox, &["status"]);
    assert!(status.to_lowercase().contains("held") && status.contains("alarm in rack 4"), "{status}");
    let object: serde_json::Value = serde_json::from_str(&tell(&sandbox, &["status", "--json"]).1).unwrap();
    assert_eq!(object["state"], "held");

    assert_eq!(tell(&sandbox, &["skip", "cmp8"]).0, 0);
    assert_eq!(tell(&sandbox, &["skip", "cmp9"]), (2, "error: RUN-p: the plan has no host `cmp9`\n".into()));
    assert_eq!(tell(&sandbox, &["fan-out", "2"]), (0, "RUN-p: stage `roll` now has up to 2 hosts under way\n".into()));
    assert_eq!(tell(&sandbox, &["pace", "60/min"]), (0, "RUN-p: stage `roll` now starts 60/min\n".into()));
    assert_eq!(tell(&sandbox, &["pace", "fast"]).0, 2);
    assert_eq!(tell(&sandbox, &["pass"]), (2, "error: RUN-p: no gate is waiting\n".into()));
    assert_eq!(sandbox.records("host-started"), started, "a held run starts nothing");

    assert_eq!(tell(&sandbox, &["release"]), (0, "RUN-p: released\n".into()));
    sandbox.until("another host starts", |sandbox| sandbox.records("host-started") > started);
    let (code, answer) = tell(&sandbox, &["stop"]);
    assert_eq!(code, 0, "{answer}");
    assert_eq!(upshift.end().0, 11);
    assert_eq!(tell(&sandbox, &["resume"]).0, 0);
    let done = sandbox.read("done");
    assert!(!done.contains("cmp8") && done.lines().count() == 7, "{done}");

    let journal = sandbox.journal();
    let ordered: Vec<_> = journal.iter().filter(|r| r["kind"] == "ordered").collect();
    let commands: Vec<_> = ordered.iter().map(|r| r["command"].as_str().unwrap()).collect();
    assert_eq!(commands, ["hold", "skip", "fan-out", "pace", "release", "stop"]);
    assert!(ordered.iter().all(|r| r["by"]["pid"].as_u64().is_some() && r["by"]["user"].is_string()));
}

#[test]
fn nothing_to_tell_when_no_run_is_live() {
    let sandbox = project();
    assert_eq!(tell(&sandbox, &["hold"]).0, 2);
    sandbox.write("p.toml", "[pipeline]\nname = 'p'\n[[stage]]\nname = 's'\nstep = [{ run = 'true' }]\n");
    assert_eq!(tell(&sandbox, &["run", "p.toml"]).0, 0);
    let (code, answer) = tell(&sandbox, &["hold"]);
    assert_eq!(code, 2);
    assert_eq!(answer, "error: run RUN-p is done\n\nhint: `upshift report RUN-p` says how it went\n");
}

#[test]
fn a_crashed_run_is_shown_as_crashed_and_abort_puts_its_hosts_back() {
    let sandbox = project();
    sandbox.write(
        "p.toml",
        "[pipeline]\nname = 'p'\n[[stage]]\nname = 'roll'\nhosts = 'cmp'\nfan-out = 2\n\
         step = [{ name = 'work', run = 'sleep 20; touch late', always = 'echo {{ host.name }} >> back' }]\n",
    );
    let upshift = sandbox.start(["run", "p.toml"]);
    sandbox.until("two hosts are under way", |sandbox| sandbox.records("unit-started") == 2);
    upshift.signal(Signal::KILL);
    upshift.end();
    let (_, status) = tell(&sandbox, &["status"]);
    assert!(status.contains("crashed"), "{status}");
    assert!(tell(&sandbox, &["runs"]).1.contains("crashed"));
    let (code, answer) = tell(&sandbox, &["abort"]);
    assert_eq!(code, 11, "{answer}");
    let mut back: Vec<_> = sandbox.read("back").lines().map(str::to_owned).collect();
    back.sort();
    assert_eq!(back, ["cmp1", "cmp2"]);
    assert!(!sandbox.path("late").exists());
}

#[test]
fn json_progress_is_the_journal_line_by_line() {
    let sandbox = project();
    let output = sandbox.upshift(["run", "p.toml", "--progress", "json"]).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let records: Vec<_> = lines.into_iter().filter(|line| line["kind"] != "progress").collect();
    assert_eq!(records, sandbox.journal());
}
