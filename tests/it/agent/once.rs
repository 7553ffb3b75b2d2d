//! Exactly once, from every state that a crash can leave a step in.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use upshift::agent::spool::{Folder, State};
use upshift::model::Outcome;
use upshift::model::record::End;

use super::{Bench, eventually, is_alive, nobody, note};

/// Counts its runs in the file `count`.
const COUNT: &str = "echo ran >> count; echo done";

fn start_by_hand(folder: &Folder) -> std::process::Child {
    Command::new(env!("CARGO_BIN_EXE_upshift"))
        .args(["agent", "step"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
async fn a_step_that_ended_is_not_run_again() {
    let bench = Bench::new();
    let order = bench.command(COUNT);
    let first = bench.execute(&order).await;
    assert_eq!(first, (End::plain(Outcome::Changed), "done\n".into()));
    assert_eq!(bench.execute(&order).await, first);
    assert_eq!(bench.read("count"), "ran\n");
}

#[tokio::test]
async fn a_controller_that_vanishes_while_starting_leaves_a_step_that_runs_once() {
    // Only the folder was made; the order was half written; it was there; the lock was there too.
    for stage in 0..4 {
        let bench = Bench::new();
        let order = bench.command(COUNT);
        let folder = bench.step(&order.id);
        std::fs::create_dir_all(folder.path()).unwrap();
        if stage == 1 {
            std::fs::write(folder.path().join("order.json.part"), "{\"format\"").unwrap();
        }
        if stage >= 2 {
            folder.order(&order).unwrap();
            assert_eq!(folder.state().unwrap(), State::Ordered);
        }
        if stage == 3 {
            std::fs::write(folder.path().join("lock"), "").unwrap();
            std::fs::write(folder.path().join("result.part"), "").unwrap();
        }
        let (end, output) = bench.execute(&order).await;
        assert_eq!((end.outcome, output.as_str()), (Outcome::Changed, "done\n"), "stage {stage}");
        assert_eq!(bench.read("count"), "ran\n", "stage {stage}");
    }
}

#[tokio::test]
async fn a_controller_that_vanishes_under_a_step_leaves_it_running_and_another_reads_on() {
    let bench = Bench::new();
    let order = bench.command("echo one; echo ran >> count; while [ ! -e go ]; do sleep 0.01; done; echo two");
    {
        let execute = bench.execute(&order);
        tokio::pin!(execute);
        tokio::select! {
            _ = &mut execute => panic!("it cannot end yet"),
            () = eventually("the first line", || bench.read("count") == "ran\n") => {}
        }
    }
    assert_eq!(bench.step(&order.id).state().unwrap(), State::Running);
    let attached = bench.execute_from(&order, 4);
    std::fs::write(bench.path("go"), "").unwrap();
    assert_eq!(attached.await, (End::plain(Outcome::Changed), "two\n".into()));
    assert_eq!(bench.read("count"), "ran\n");
}

#[tokio::test]
async fn many_agents_for_one_step_carry_it_out_once() {
    let bench = Bench::new();
    let order = bench.command("echo ran >> count; sleep 0.05");
    bench.step(&order.id).order(&order).unwrap();
    let agents: Vec<_> = (0..8).map(|_| start_by_hand(&bench.step(&order.id))).collect();
    let (one, two) = tokio::join!(bench.execute(&order), bench.execute(&order));
    assert_eq!((one.0.outcome, two.0.outcome), (Outcome::Changed, Outcome::Changed));
    for mut agent in agents {
        assert!(agent.wait().unwrap().success());
    }
    assert_eq!(bench.read("count"), "ran\n");
}

#[tokio::test]
async fn an_agent_that_is_killed_under_its_command_is_an_interruption_and_ends_the_command() {
    let bench = Bench::new();
    let order = bench.command("echo $$ > leader; sh -c 'echo $$ > child; sleep 60' & echo begun; wait");
    let folder = bench.step(&order.id);
    folder.order(&order).unwrap();
    let mut agent = start_by_hand(&folder);
    eventually("the command", || !bench.read("child").is_empty()).await;
    let started = folder.started().unwrap().unwrap();
    assert_eq!(started.agent, i32::try_from(agent.id()).unwrap());
    kill_process(Pid::from_child(&agent), Signal::KILL).unwrap();
    agent.wait().unwrap();
    assert!(is_alive(&bench.read("child")));
    assert!(matches!(folder.state().unwrap(), State::Lost(_)));
    let (end, output) = bench.execute(&order).await;
    assert_eq!((end.outcome, output.as_str()), (Outcome::Interrupted, "begun\n"));
    assert!(note(&end).contains("was still going and was ended"), "{end:?}");
    assert!(!is_alive(&bench.read("leader")) && !is_alive(&bench.read("child")));
    // It stays what it is: nothing is run again under the same id.
    assert_eq!(bench.execute(&order).await.0.outcome, Outcome::Interrupted);
}

#[tokio::test]
async fn an_agent_that_is_killed_at_any_moment_never_leads_to_a_second_run() {
    let bench = Bench::new();
    let mut outcomes = std::collections::BTreeMap::new();
    for n in 0..60_u64 {
        let mut order = bench.command(&format!("echo ran >> count{n}"));
        order.id = n.to_string();
        let folder = bench.step(&order.id);
        folder.order(&order).unwrap();
        let mut agent = start_by_hand(&folder);
        // The moment that is tested is a real one: how far an agent gets in so many microseconds.
        std::thread::sleep(std::time::Duration::from_micros(n * 120));
        agent.kill().unwrap();
        agent.wait().unwrap();
        let (end, _) = bench.execute(&order).await;
        let runs = bench.read(&format!("count{n}")).lines().count();
        *outcomes.entry((end.outcome, runs)).or_insert(0) += 1;
    }
    for (outcome, runs) in outcomes.keys() {
        assert!(matches!((outcome, runs), (Outcome::Changed, 1) | (Outcome::Interrupted, 0 | 1)), "{outcomes:?}");
    }
    println!("{outcomes:?}");
}

#[tokio::test]
async fn what_is_left_of_a_command_is_ended_also_when_its_first_process_is_gone() {
    let bench = Bench::new();
    let order = bench.command("sh -c 'echo $$ > child; sleep 60' & while [ ! -e go ]; do sleep 0.01; done");
    let folder = bench.step(&order.id);
    folder.order(&order).unwrap();
    let mut agent = start_by_hand(&folder);
    eventually("the command", || !bench.read("child").is_empty()).await;
    let leader = folder.started().unwrap().unwrap().groups[0].id.to_string();
    kill_process(Pid::from_child(&agent), Signal::KILL).unwrap();
    agent.wait().unwrap();
    std::fs::write(bench.path("go"), "").unwrap();
    eventually("the end of the first process", || !is_alive(&leader)).await;
    assert_eq!(bench.execute(&order).await.0.outcome, Outcome::Interrupted);
    assert!(!is_alive(&bench.read("child")));
}

#[tokio::test]
async fn a_process_that_only_has_the_same_id_is_never_ended() {
    let bench = Bench::new();
    let order = bench.command("true");
    let folder = bench.step(&order.id);
    folder.order(&order).unwrap();
    let mut other = Command::new("sleep").arg("60").process_group(0).spawn().unwrap();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    for (boot, said) in [(boot.trim(), "agent was killed"), ("another", "restarted")] {
        let group = format!(r#"{{"id":{},"since":1}}"#, other.id());
        let started = format!(r#"{{"agent":1,"boot":"{boot}","groups":[{group}]}}"#);
        std::fs::write(folder.path().join("started.json"), started).unwrap();
        let (end, _) = bench.execute(&order).await;
        assert_eq!(end.outcome, Outcome::Interrupted);
        assert!(note(&end).contains(said), "{end:?}");
        assert!(other.try_wait().unwrap().is_none());
    }
    other.kill().unwrap();
    other.wait().unwrap();
}

#[tokio::test]
async fn files_that_make_no_sense_never_start_anything() {
    let bench = Bench::new();
    let order = bench.command(COUNT);
    let folder = bench.step(&order.id);
    folder.order(&order).unwrap();
    for name in ["started.json", "result.json"] {
        std::fs::write(folder.path().join(name), "{").unwrap();
        let (end, _) = bench.execute(&order).await;
        assert_eq!(end.outcome, Outcome::Interrupted);
        assert!(note(&end).contains(name), "{end:?}");
        assert!(!start_by_hand(&folder).wait().unwrap().success());
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    assert_eq!(bench.read("count"), "");
}

#[tokio::test]
async fn an_order_of_another_format_is_refused() {
    let bench = Bench::new();
    let mut order = bench.command(COUNT);
    order.format = 99;
    let (end, _) = bench.execute(&order).await;
    assert_eq!(end.outcome, Outcome::Failed);
    assert_eq!(note(&end), "nothing was run: the order has format 99 and this upshift reads 1");
    assert_eq!(bench.read("count"), "");
}

#[tokio::test]
async fn what_cannot_be_started_fails_and_says_that_nothing_was_run() {
    let mut bench = Bench::new();
    let order = bench.command(COUNT);
    bench.local.program = "/nowhere/upshift".into();
    let (end, _) = bench.execute(&order).await;
    assert_eq!(end.outcome, Outcome::Failed);
    assert!(
        note(&end).starts_with("could not be started, nothing was run: cannot start `/nowhere/upshift`"),
        "{end:?}"
    );
    std::fs::remove_dir_all(bench.path("spool")).unwrap();
    std::fs::write(bench.path("spool"), "a file").unwrap();
    let (end, _) = bench.execute(&order).await;
    assert_eq!(end.outcome, Outcome::Failed, "{end:?}");
    assert!(note(&end).starts_with("could not be started, nothing was run: cannot write `"), "{end:?}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_for_a_while_is_no_end() {
    let bench = Bench::new();
    let order = bench.command(COUNT);
    let folder = bench.step(&order.id);
    folder.order(&order).unwrap();
    let result = folder.path().join("result.json");
    std::fs::create_dir(&result).unwrap();
    let readable = async {
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        std::fs::remove_dir(&result).unwrap();
    };
    let ((end, _), ()) = tokio::join!(bench.execute(&order), readable);
    assert_eq!(end.outcome, Outcome::Changed, "{end:?}");
    assert_eq!(bench.read("count"), "ran\n");
}

#[tokio::test]
async fn clean_removes_what_is_over_and_nothing_else() {
    let bench = Bench::new();
    assert_eq!(bench.local.clean("run").unwrap(), 0);
    let over = bench.command("true");
    bench.execute(&over).await;
    let mut waiting = bench.command("true");
    waiting.id = "run.another".into();
    bench.step("run.another").order(&waiting).unwrap();
    assert_eq!(bench.local.clean("run").unwrap(), 1);
    assert_eq!(bench.step(&over.id).state().unwrap(), State::Absent);
    assert_eq!(bench.step("run.another").state().unwrap(), State::Ordered);
}

#[tokio::test]
async fn a_hundred_steps_at_once_all_end() {
    let bench = Bench::new();
    let mut steps = tokio::task::JoinSet::new();
    for n in 0..100 {
        let mut order = bench.command(&format!("echo {n} >> count"));
        order.id = format!("run/stage/cmp{n:03}");
        let local = bench.local.clone();
        steps.spawn(async move { local.execute(&order, 0, &nobody()).await });
    }
    while let Some(end) = steps.join_next().await {
        assert_eq!(end.unwrap().outcome, Outcome::Changed);
    }
    assert_eq!(bench.read("count").lines().count(), 100);
}

/// A file system of a few KiB; taken away again also when the test fails. Tests run as root.
struct Tiny(camino::Utf8PathBuf);

impl Tiny {
    fn mount(path: camino::Utf8PathBuf, size: &str) -> Option<Self> {
        std::fs::create_dir_all(&path).unwrap();
        let options = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(path))
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        // Lazily: what is still running in it is no reason to leave it.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_disk_that_fills_up_meanwhile_does_not_lose_the_result() {
    let bench = Bench::new();
    let Some(_tiny) = Tiny::mount(bench.path("spool"), "256k") else { return eprintln!("skipped: cannot mount") };
    let order = bench.command("echo ran >> count; cat /dev/zero > spool/full 2>/dev/null; echo to a full disk; exit 3");
    let (end, _) = bench.execute(&order).await;
    assert_eq!(end.outcome, Outcome::Failed);
    assert!(note(&end).starts_with("exit code"), "{end:?}");
    assert_eq!(bench.read("count"), "ran\n");
}

#[tokio::test]
async fn a_full_disk_starts_nothing_and_says_so() {
    let bench = Bench::new();
    let Some(_tiny) = Tiny::mount(bench.path("spool"), "64k") else { return eprintln!("skipped: cannot mount") };
    // Room for nothing; for the order only; for the order and what the agent writes, but no result.
    for room in [0, 4096, 8192, 16384] {
        let filler = bench.path("spool/full");
        let _ = Command::new("sh").arg("-c").arg(format!("cat /dev/zero > {filler}")).stderr(Stdio::null()).status();
        let full = std::fs::metadata(&filler).unwrap().len();
        std::fs::OpenOptions::new().write(true).open(&filler).unwrap().set_len(full - room).unwrap();
        let mut order = bench.command(COUNT);
        order.id = format!("room/{room}");
        let (end, _) = bench.execute(&order).await;
        assert_eq!(end.outcome, Outcome::Failed, "{room}: {end:?}");
        assert!(note(&end).contains("nothing was run") && note(&end).contains("No space left"), "{room}: {end:?}");
        assert_eq!(bench.read("count"), "", "{room}");
        // With room again, the same step runs, unless it has said that it failed.
        std::fs::remove_file(&filler).unwrap();
        let again = bench.execute(&order).await.0;
        if bench.step(&order.id).started().unwrap().is_some() {
            assert_eq!(again.outcome, Outcome::Changed);
            std::fs::remove_file(bench.path("count")).unwrap();
        }
        bench.local.clean("run").unwrap();
    }
}

#[tokio::test]
async fn a_try_that_was_given_up_is_followed_and_not_run_beside() {
    let bench = Bench::new();
    let first = bench.command("echo x >> count; echo said; sleep 1");
    let mut second = first.clone();
    second.id = "run.stage.cmp001.step1.2".into();
    let given_up = tokio::time::timeout(std::time::Duration::from_millis(400), bench.execute(&first));
    assert!(given_up.await.is_err());
    assert_eq!(bench.execute(&second).await, (End::plain(Outcome::Changed), "said\n".into()));
    // It has ended well meanwhile: that counts for a third try too.
    let mut third = first.clone();
    third.id = "run.stage.cmp001.step1.3".into();
    assert_eq!(bench.execute(&third).await.0, End::plain(Outcome::Changed));
    // Another host whose name begins like this one's is nothing to it.
    let mut other = first.clone();
    other.id = "run.stage.cmp001.example.net.step1.2".into();
    bench.execute(&other).await;
    assert_eq!(bench.read("count"), "x\nx\n");
}

#[tokio::test]
async fn what_puts_a_host_back_ends_the_step_that_was_given_up_first() {
    let bench = Bench::new();
    let step = bench.command("echo $$ > pid; sleep 4713; echo not >> count");
    let mut always = bench.command("echo always >> count");
    always.id = "run.stage.cmp001.always1.1".into();
    let given_up = tokio::time::timeout(std::time::Duration::from_millis(400), bench.execute(&step));
    assert!(given_up.await.is_err());
    assert!(is_alive(&bench.read("pid")));
    assert_eq!(bench.execute(&always).await.0, End::plain(Outcome::Changed));
    assert!(!is_alive(&bench.read("pid")));
    assert_eq!(bench.read("count"), "always\n");
    assert_eq!(bench.step(&step.id).result().unwrap().unwrap().outcome, Outcome::Interrupted);
}
