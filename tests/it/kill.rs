//! Upshift is killed again and again, and every command is still carried out exactly once.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::sandbox::Sandbox;

/// How often upshift is killed, over several runs.
const KILLS: u32 = 100;

/// Hosts and steps of each run.
const HOSTS: u32 = 8;
const STEPS: u32 = 3;

/// Where the moments of the kills come from; another one is as good.
const SEED: u64 = 20_261_122;

const INVENTORY: &str = r#"
[defaults]
transport = "local"

[groups.cmp]
hosts = ["cmp[1-8]"]
"#;

const PIPELINE: &str = r#"
[pipeline]
name = "kill"

[[stage]]
name = "computes"
hosts = "cmp"
fan-out = 4
max-failures = 1
  [[stage.step]]
  run = "echo x >> counts/{{ host.name }}.1; sleep 0.05"
  always = "echo x >> counts/{{ host.name }}.always"
  [[stage.step]]
  run = "sleep 0.2; echo x >> counts/{{ host.name }}.2"
  [[stage.step]]
  run = "sleep 0.05; echo x >> counts/{{ host.name }}.3; sleep 0.1"
"#;

/// A project in which every command leaves a line.
struct Project(Sandbox);

impl Project {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        sandbox.write("inventory.toml", INVENTORY).write("kill.toml", PIPELINE);
        std::fs::create_dir(sandbox.path("counts")).unwrap();
        Self(sandbox)
    }

    fn start(&self, arguments: &[&str]) -> Upshift {
        let mut command = Command::new(env!("CARGO_BIN_EXE_upshift"));
        command
            .current_dir(self.0.path(""))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.0.path(""))
            .env("USER", "ops")
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(self.0.path("stderr")).unwrap())
            .process_group(0)
            .args(arguments);
        Upshift(command.spawn().unwrap())
    }

    /// Whether a journal in this project has these bytes.
    fn recorded(&self, text: &str) -> bool {
        let runs = std::fs::read_dir(self.0.path(".upshift/runs")).into_iter().flatten().flatten();
        runs.map(|run| run.path().join("journal.jsonl"))
            .any(|journal| std::fs::read_to_string(journal).is_ok_and(|lines| lines.contains(text)))
    }

    /// The processes that work in this folder, whoever started them.
    fn processes(&self) -> Vec<String> {
        let folder = self.0.path("").canonicalize().unwrap();
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let here = |process: &std::path::Path| {
            let cwd = std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(&folder));
            let command = std::fs::read(process.join("cmdline")).unwrap_or_default();
            cwd || String::from_utf8_lossy(&command).contains(&*folder.to_string_lossy())
        };
        processes
            .map(|process| process.path())
            .filter(|path| here(path))
            .map(|path| path.display().to_string())
            .collect()
    }

    fn check_counts(&self) {
        for host in 1..=HOSTS {
            let steps = (1..=STEPS).map(|step| step.to_string());
            for what in steps.chain(["always".into()]) {
                let name = format!("counts/cmp{host}.{what}");
                assert_eq!(self.0.read(&name), "x\n", "{name}: every command is carried out exactly once");
            }
        }
    }
}

/// A running upshift, killed and reaped at the latest when a test is over.
struct Upshift(Child);

impl Upshift {
    /// How it ended by then, if it did.
    fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return Some(status);
            }
            if begun.elapsed() >= limit {
                return None;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Upshift {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_hundred_kills_lose_no_command_and_carry_none_out_twice() {
    eprintln!("seed {SEED}");
    let mut rng = SmallRng::seed_from_u64(SEED);
    let (mut kills, mut runs) = (0, 0);
    while kills < KILLS {
        runs += 1;
        let project = Project::new();
        let mut killed = 0;
        loop {
            let arguments = if project.recorded("\n") { ["resume"].as_slice() } else { &["run", "kill.toml"] };
            let mut upshift = project.start(arguments);
            // A run that is killed too soon each time would never come anywhere.
            let patience = if kills < KILLS && killed < 20 { rng.random_range(5..=350) } else { 30_000 };
            match upshift.wait(Duration::from_millis(patience)) {
                Some(status) => {
                    assert!(status.success(), "upshift ended with {status}: {}", project.0.read("stderr"));
                    break;
                }
                None => assert!(patience < 30_000, "upshift does not end"),
            }
            drop(upshift);
            (kills, killed) = (kills + 1, killed + 1);
            if project.recorded("\"verdict\":\"done\"") {
                // It was killed between its last record and its end.
                break;
            }
        }
        project.check_counts();
        let begun = Instant::now();
        while !project.processes().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(5), "left over: {:?}", project.processes());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    eprintln!("{kills} kills in {runs} runs");
}

#[test]
fn a_disk_that_fills_up_under_the_journal_leaves_one_that_can_be_resumed() {
    let sandbox = Sandbox::new();
    let step = "  [[stage.step]]\n  run = \"true\"\n";
    let steps = step.repeat(6);
    sandbox.write("inventory.toml", "[defaults]\ntransport = \"simulated\"\n[groups.cmp]\nhosts = [\"cmp[001-040]\"]\n").write(
        "full.toml",
        &format!("[pipeline]\nname = \"full\"\n\n[[stage]]\nname = \"computes\"\nhosts = \"cmp\"\nfan-out = 4\nmax-failures = 1\n{steps}"),
    );
    let upshift = sandbox.upshift(["run", "full.toml"]);
    // 512 bytes a block: room for the plan and for about half of the journal.
    let script = "trap '' XFSZ; ulimit -f 128; exec \"$0\" \"$@\"";
    let output = assert_cmd::Command::new("sh")
        .args(["-c", script])
        .arg(upshift.get_program())
        .args(upshift.get_args())
        .current_dir(sandbox.path(""))
        .env("HOME", sandbox.path(""))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(11), "{said}");
    assert!(said.contains("the journal cannot be written"), "{said}");
    sandbox.upshift(["resume"]).assert().success();
}

#[test]
fn an_abort_of_a_run_that_was_killed_ends_its_step_and_puts_the_host_back() {
    let project = Project::new();
    let step = "run = \"echo x >> counts/step; sleep 60\"\n  always = \"echo x >> counts/always\"";
    let pipeline = format!(
        "[pipeline]\nname = \"long\"\n\n[[stage]]\nname = \"one\"\nhosts = \"cmp1\"\n  [[stage.step]]\n  {step}\n"
    );
    project.0.write("long.toml", &pipeline);
    let mut upshift = project.start(&["run", "long.toml"]);
    let begun = Instant::now();
    while !project.0.path("counts/step").exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the step does not start");
        assert!(upshift.wait(Duration::from_millis(10)).is_none(), "{}", project.0.read("stderr"));
    }
    drop(upshift);
    let status = project.start(&["abort"]).wait(Duration::from_secs(20)).expect("the step was not ended");
    assert_eq!(status.code(), Some(11), "{}", project.0.read("stderr"));
    assert_eq!((project.0.read("counts/step"), project.0.read("counts/always")), ("x\n".into(), "x\n".into()));
}
