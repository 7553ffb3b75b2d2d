//! Commands: outcome, output, time, environment.

use std::time::{Duration, Instant};

use jiff::SignedDuration;
use upshift::model::Outcome;
use upshift::model::plan::Action;
use upshift::model::record::End;

use super::{Bench, eventually, is_alive, note};

#[tokio::test]
async fn a_failure_is_noted_with_its_code_and_the_last_line_that_says_something() {
    let bench = Bench::new();
    let (end, output) =
        bench.execute(&bench.command("echo out; printf '\\033[31mheld packages\\033[0m\\n\\n' >&2; exit 3")).await;
    assert_eq!(end, End::noted(Outcome::Failed, "exit code 3: held packages"));
    assert_eq!(output, "out\n\u{1b}[31mheld packages\u{1b}[0m\n\n");
}

#[tokio::test]
async fn a_signal_is_named() {
    let bench = Bench::new();
    let (end, _) = bench.execute(&bench.command("echo going; kill -SEGV $$")).await;
    assert_eq!(end, End::noted(Outcome::Failed, "ended by SIGSEGV: going"));
}

#[tokio::test]
async fn the_environment_arrives_as_it_is_and_stdin_is_empty() {
    let bench = Bench::new();
    let value = "it's \"quoted\"\nand $HOME goes `on` ä";
    let mut order = bench.command("cat; printf %s \"$VALUE\"; pwd > where");
    order.env.insert("VALUE".into(), value.into());
    let (end, output) = bench.execute(&order).await;
    assert_eq!((end.outcome, output.as_str()), (Outcome::Changed, value));
    assert_eq!(bench.read("where").trim_end().trim_end_matches('/'), bench.path("").as_str().trim_end_matches('/'));
}

#[tokio::test]
async fn a_step_that_is_not_needed_is_unchanged_and_does_not_run() {
    let bench = Bench::new();
    let mut order = bench.command("echo ran > ran");
    order.unless = Some("echo a check; true".into());
    assert_eq!(bench.execute(&order).await, (End::plain(Outcome::Unchanged), String::new()));
    assert_eq!(bench.read("ran"), "");
    order.id = "another".into();
    order.unless = Some("echo a check; false".into());
    assert_eq!(bench.execute(&order).await, (End::plain(Outcome::Changed), String::new()));
    assert_eq!(bench.read("ran"), "ran\n");
}

#[tokio::test]
async fn until_has_to_match_a_line_of_the_output() {
    let bench = Bench::new();
    for (n, (until, outcome, note)) in [
        ("^active$", Outcome::Changed, None),
        ("^acti$", Outcome::Failed, Some("the output did not match `^acti$`: active")),
    ]
    .into_iter()
    .enumerate()
    {
        let mut order = bench.order(Action::Run { command: "echo one; echo active".into(), until: Some(until.into()) });
        order.id = n.to_string();
        let (end, _) = bench.execute(&order).await;
        assert_eq!((end.outcome, end.note.as_deref()), (outcome, note));
    }
    let mut order = bench.order(Action::Run { command: "echo ran > ran".into(), until: Some("(".into()) });
    order.id = "wrong".into();
    let (end, _) = bench.execute(&order).await;
    assert!(note(&end).starts_with("nothing was run: `(` is no regular expression"), "{end:?}");
    assert_eq!(bench.read("ran"), "");
}

#[tokio::test]
async fn a_timeout_ends_grandchildren_too() {
    let bench = Bench::new();
    let mut order = bench.command("sh -c 'echo $$ > child; exec sleep 60' & echo waiting; wait");
    order.timeout = SignedDuration::from_millis(300);
    let (end, _) = bench.execute(&order).await;
    assert_eq!(end, End::noted(Outcome::TimedOut, "not done after 300ms: waiting"));
    assert!(!is_alive(&bench.read("child")));
}

#[tokio::test]
async fn a_command_gets_to_clean_up_before_it_is_ended() {
    let bench = Bench::new();
    let mut order = bench.command("trap 'echo put back; exit 0' TERM; echo ready; while :; do sleep 0.02; done");
    order.timeout = SignedDuration::from_millis(300);
    let (end, output) = bench.execute(&order).await;
    assert_eq!(end.outcome, Outcome::TimedOut);
    assert!(output.starts_with("ready\n") && output.ends_with("put back\n"), "{output}");
}

#[tokio::test]
async fn an_abort_interrupts_and_before_the_start_it_starts_nothing() {
    let bench = Bench::new();
    let order = bench.command("echo $$ > leader; exec sleep 60");
    let begun = Instant::now();
    let (ended, ()) = tokio::join!(bench.execute(&order), async {
        eventually("the command", || !bench.read("leader").is_empty()).await;
        bench.local.abort(&order.id).unwrap();
    });
    assert_eq!(ended.0, End::noted(Outcome::Interrupted, "aborted"));
    assert!(!is_alive(&bench.read("leader")));
    assert!(begun.elapsed() < Duration::from_secs(2));
    let mut order = bench.command("echo ran > ran");
    order.id = "early".into();
    bench.local.abort("early").unwrap();
    let (end, _) = bench.execute(&order).await;
    assert_eq!(end, End::noted(Outcome::Interrupted, "aborted before anything was run"));
    assert_eq!(bench.read("ran"), "");
}

#[tokio::test]
async fn a_daemon_that_keeps_the_output_open_holds_nothing_up() {
    let bench = Bench::new();
    let begun = Instant::now();
    let (end, output) = bench.execute(&bench.command("sleep 30 & echo $! > daemon; echo started")).await;
    assert_eq!((end.outcome, output.as_str()), (Outcome::Changed, "started\n"));
    assert!(begun.elapsed() < Duration::from_secs(5));
    let daemon = bench.read("daemon");
    assert!(is_alive(&daemon), "a daemon is not ended with the step");
    let pid = rustix::process::Pid::from_raw(daemon.trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[tokio::test]
async fn output_is_read_on_from_any_byte() {
    let bench = Bench::new();
    let order = bench.command("echo 0123456789");
    bench.execute(&order).await;
    assert_eq!(bench.execute_from(&order, 4).await.1, "456789\n");
    assert_eq!(bench.execute_from(&order, 4000).await.1, "");
}

#[tokio::test]
async fn of_a_long_output_the_beginning_and_the_end_are_kept() {
    use std::os::unix::fs::MetadataExt as _;
    let bench = Bench::new();
    let order = bench.command("echo first; head -c 41943040 /dev/zero | tr '\\0' x; echo; echo last");
    bench.execute(&order).await;
    let (end, output) = bench.execute(&order).await;
    assert_eq!(end.outcome, Outcome::Changed);
    assert!(output.starts_with("first\nxxx") && output.ends_with("xxx\nlast\n"));
    assert!(!output.contains('\0'));
    assert_eq!(output.matches("[upshift: 31.0 MiB of output left out here]").count(), 1);
    let file = std::fs::metadata(bench.step(&order.id).output()).unwrap();
    assert_eq!(file.len(), 41_943_040 + 12);
    assert!(file.blocks() * 512 < 17 * 1024 * 1024, "{}", file.blocks() * 512);
    // An offset means the same as before.
    assert_eq!(bench.execute_from(&order, file.len() - 5).await.1, "last\n");
}

#[tokio::test]
async fn what_belongs_to_no_host_is_refused() {
    let bench = Bench::new();
    for (id, action) in [("gate", Action::Gate { question: "Go on?".into() }), ("reboot", Action::Reboot)] {
        let mut order = bench.order(action);
        order.id = id.into();
        let (end, _) = bench.execute(&order).await;
        assert_eq!(end.outcome, Outcome::Failed);
        assert!(note(&end).starts_with("nothing was run"), "{end:?}");
    }
    let mut order = bench.command("true");
    order.folder = bench.path("nowhere");
    let (end, _) = bench.execute(&order).await;
    assert!(note(&end).contains("nowhere` is not there"), "{end:?}");
}
