//! Workloads that are measured while a run goes on: listeners and files of the test itself stand for them.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::sandbox::Sandbox;

/// Four hosts of half a second each, one at a time, and a probe.
fn project(probe: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("inventory.toml", "[groups.cmp]\nhosts = ['cmp[1-4]']\ntransport = 'local'\n");
    sandbox.write(
        "p.toml",
        &format!(
            "[pipeline]\nname = 'p'\n[[stage]]\nname = 'roll'\nhosts = 'cmp'\nfan-out = 1\n\
             step = [{{ name = 'work', run = 'echo {{{{ host.name }}}} >> begun; sleep 0.5' }}]\n\
             [[probe]]\nname = 'tenants'\nevery = '100ms'\nmax-gap = '500ms'\n{probe}\n"
        ),
    );
    sandbox
}

/// A server that answers as long as it is there.
struct Server {
    address: SocketAddr,
    end: Arc<AtomicBool>,
    /// Whether it answers an HTTP request with 503.
    sick: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (end, sick) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (ends, is_sick) = (end.clone(), sick.clone());
        let thread = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                let Ok((mut stream, _)) = listener.accept() else {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                };
                let is_sick = is_sick.clone();
                std::thread::spawn(move || {
                    let _ = stream.set_nonblocking(false);
                    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
                    if stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {
                        let status = if is_sick.load(Ordering::Relaxed) { "503 Not Now" } else { "204 Here" };
                        let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                    }
                });
            }
        });
        Self { address, end, sick, thread: Some(thread) }
    }

    fn new() -> Self {
        Self::at("127.0.0.1:0".parse().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn of_kind(sandbox: &Sandbox, kind: &str) -> Vec<Value> {
    sandbox.journal().into_iter().filter(|record| record["kind"] == kind).collect()
}

/// What the probe of the newest run wrote.
fn lines(sandbox: &Sandbox) -> Vec<Value> {
    let mut runs: Vec<_> =
        std::fs::read_dir(sandbox.path(".upshift/runs")).unwrap().map(|run| run.unwrap().path()).collect();
    runs.sort();
    let text = std::fs::read_to_string(runs.last().unwrap().join("probes/tenants.jsonl")).unwrap();
    text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn report(sandbox: &Sandbox) -> Value {
    let output = sandbox.upshift(["report", "--format", "json"]).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_run_is_refused_while_a_target_is_silent_and_nothing_is_touched() {
    let here = Server::new();
    let gone = Server::new().address;
    let sandbox = project(&format!("tcp = ['{}', '{gone}']\nrun = 'false'", here.address));
    let output = sandbox.upshift(["run", "p.toml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(14));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("2 of 3 targets of the probes do not answer, and nothing was touched"), "{said}");
    assert!(said.contains(&format!("tenants: {gone} (connection refused)")), "{said}");
    assert!(said.contains("tenants: false (exit code 1)"), "{said}");
    assert!(!sandbox.path("begun").exists());
    assert_eq!(std::fs::read_dir(sandbox.path(".upshift/runs")).unwrap().count(), 0, "it never began");
}

#[test]
fn a_breach_holds_the_run_and_names_the_host_and_step_under_way() {
    let server = Server::new();
    let address = server.address;
    let sandbox = project(&format!("tcp = ['{address}']"));
    let upshift = sandbox.start(["run", "p.toml"]);
    sandbox.until("a host is done", |sandbox| sandbox.records("host-ended") == 1);
    drop(server);
    sandbox.until("the run is held", |sandbox| sandbox.records("ordered") == 1);

    let breach = &of_kind(&sandbox, "probe-breached")[0];
    assert_eq!(breach["targets"], serde_json::json!([address.to_string()]));
    let under_way = breach["under_way"].as_array().unwrap();
    assert!(under_way.iter().any(|step| step["step"] == "work" && step["stage"] == "roll"), "{breach}");
    let held = &of_kind(&sandbox, "ordered")[0];
    assert_eq!((&held["command"], &held["by"]["user"]), (&"hold".into(), &"upshift".into()));
    assert_eq!(held["by"]["from"], "probe tenants");

    sandbox.until("nothing is under way", |sandbox| sandbox.records("host-started") == sandbox.records("host-ended"));
    sandbox.until("status knows", |sandbox| {
        let output = sandbox.upshift(["status"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().contains(&format!("probe tenants: 1 of 1 silent, {address}"))
    });
    let object = sandbox.upshift(["status", "--json"]).output().unwrap();
    let object: Value = serde_json::from_slice(&object.stdout).unwrap();
    assert_eq!((&object["state"], &object["probes"][0]["silent"]), (&"held".into(), &1.into()));
    let started = sandbox.records("host-started");
    assert!(started < 4);

    let _server = Server::at(address);
    sandbox.until("it answers again", |sandbox| sandbox.records("probe-recovered") == 1);
    assert_eq!(sandbox.records("host-started"), started, "a held run starts nothing");
    sandbox.upshift(["release"]).assert().success();
    let (code, _, said) = upshift.end();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("answers again after"), "{said}");
    assert!(said.contains("breaches     1 longer than 0.5s"), "{said}");

    let report = report(&sandbox);
    let probe = &report["probes"][0];
    assert_eq!(probe["breaches"][0]["target"], address.to_string());
    assert!(probe["breaches"][0]["silent_s"].as_f64().unwrap() > 0.5, "{probe}");
    let longest = &probe["targets"][0]["longest"];
    assert!(longest["silent_s"].as_f64().unwrap() > 0.5 && longest["answered"] == true, "{probe}");
    assert_eq!(longest["under_way"], breach["under_way"]);
    let available = probe["available_percent"].as_f64().unwrap();
    assert!(available > 0.0 && available < 95.0, "{available}");
    let html = sandbox.upshift(["report", "--format", "html"]).output().unwrap();
    assert!(String::from_utf8(html.stdout).unwrap().contains("Probe tenants"));
}

#[test]
fn a_breach_can_stop_the_run_and_a_resume_does_not_start_anything_while_it_lasts() {
    let sandbox = project("run = 'test ! -e gone'\non-breach = 'stop'");
    let upshift = sandbox.start(["run", "p.toml"]);
    sandbox.until("a host is done", |sandbox| sandbox.records("host-ended") == 1);
    sandbox.write("gone", "");
    let (code, _, said) = upshift.end();
    assert_eq!(code, 11, "{said}");
    assert!(said.contains("error: stopped by the probe `tenants`"), "{said}");
    assert_eq!(lines(&sandbox).last().unwrap()["kind"], "measured");
    let begun = sandbox.read("begun");
    assert!(begun.lines().count() < 4);

    let output = sandbox.upshift(["resume"]).output().unwrap();
    assert_eq!(output.status.code(), Some(11));
    assert_eq!(of_kind(&sandbox, "probe-breached").len(), 2, "what is silent at a resume is in a breach");
    assert_eq!(sandbox.read("begun"), begun, "nothing was started");

    std::fs::remove_file(sandbox.path("gone")).unwrap();
    sandbox.upshift(["resume"]).assert().success();
    assert_eq!(sandbox.read("begun").lines().count(), 4);
}

#[test]
fn a_breach_can_have_the_run_taken_back_which_goes_on_whatever_is_silent() {
    let sandbox = project("run = 'test ! -e gone'\non-breach = 'rollback'");
    let pipeline = sandbox.read("p.toml").replace("sleep 0.5'", "sleep 0.5', undo = 'echo {{ host.name }} >> undone'");
    sandbox.write("p.toml", &pipeline);
    let upshift = sandbox.start(["run", "p.toml"]);
    sandbox.until("a host is done", |sandbox| sandbox.records("host-ended") == 1);
    sandbox.write("gone", "");
    let (code, _, said) = upshift.end();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("error: stopped by the probe `tenants`"), "{said}");
    let sorted = |file: &str| {
        let text = sandbox.read(file);
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert!(sorted("begun").len() < 4);
    assert_eq!(sorted("undone"), sorted("begun"));
    let report = sandbox.upshift(["report", "--format", "json"]).output().unwrap();
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(report["probes"][0]["on_breach"], "note", "{report}");
}

#[test]
fn a_run_that_was_killed_is_held_at_its_resume_while_a_target_is_silent() {
    let sandbox = project("run = 'test ! -e gone'");
    let upshift = sandbox.start(["run", "p.toml"]);
    sandbox.until("a host is done", |sandbox| sandbox.records("host-ended") == 1);
    drop(upshift);
    let started = sandbox.records("host-started");
    sandbox.write("gone", "");
    let upshift = sandbox.start(["resume"]);
    sandbox.until("it is held", |sandbox| sandbox.records("ordered") == 1);
    sandbox.until("nothing is under way", |sandbox| sandbox.records("host-started") == sandbox.records("host-ended"));
    assert_eq!(sandbox.records("host-started"), started, "no further host was started");
    std::fs::remove_file(sandbox.path("gone")).unwrap();
    sandbox.until("it answers again", |sandbox| sandbox.records("probe-recovered") == 1);
    sandbox.upshift(["release"]).assert().success();
    assert_eq!(upshift.end().0, 0);
    let report = report(&sandbox);
    assert_eq!(report["probes"][0]["breaches"].as_array().unwrap().len(), 1, "{report}");
}

#[test]
fn every_way_of_looking_tells_an_answer_from_none_and_a_note_holds_nothing() {
    let server = Server::new();
    let address = server.address;
    let sandbox = project(&format!(
        "tcp = '{address}'\nhttp = 'http://{address}/health?x=1'\nrun = 'test -e p.toml'\non-breach = 'note'"
    ));
    let upshift = sandbox.start(["run", "p.toml"]);
    sandbox.until("a host is done", |sandbox| sandbox.records("host-ended") == 1);
    server.sick.store(true, Ordering::Relaxed);
    sandbox.until("it is a breach", |sandbox| sandbox.records("probe-breached") == 1);
    server.sick.store(false, Ordering::Relaxed);
    let (code, _, said) = upshift.end();
    assert_eq!(code, 0, "{said}");
    let breaches = of_kind(&sandbox, "probe-breached");
    assert_eq!(breaches.len(), 1);
    assert_eq!(breaches[0]["targets"], serde_json::json!([format!("http://{address}/health?x=1")]));
    assert_eq!(sandbox.records("ordered"), 0);
    assert_eq!(sandbox.records("host-ended"), 4);
}

#[test]
fn what_the_last_step_did_to_a_target_is_waited_for() {
    let sandbox = project("run = 'test ! -e gone'\non-breach = 'note'");
    let text = sandbox.read("p.toml").replace("sleep 0.5", "[ {{ host.name }} != cmp4 ] || touch gone");
    sandbox.write("p.toml", &text);
    sandbox.upshift(["run", "p.toml"]).assert().success();
    let breach = &of_kind(&sandbox, "probe-breached")[0];
    let hosts = upshift::model::pattern::unfold(breach["under_way"][0]["hosts"].as_str().unwrap()).unwrap();
    assert!(hosts.contains(&"cmp4".to_owned()), "{breach}");
    let gap = lines(&sandbox).into_iter().rfind(|line| line["kind"] == "gap").unwrap();
    assert_eq!((&gap["answered"], &gap["breach"]), (&false.into(), &true.into()));
    let said = sandbox.upshift(["report"]).output().unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    let words: Vec<_> = said.split_whitespace().collect();
    assert!(words.join(" ").contains("and still when measuring ended"), "{said}");
}

#[test]
fn an_upshift_that_stood_still_takes_nobody_for_silent() {
    let server = Server::new();
    let sandbox = project(&format!("tcp = '{}'", server.address));
    let upshift = sandbox.start(["run", "p.toml"]);
    sandbox.until("a host is done", |sandbox| sandbox.records("host-ended") == 1);
    upshift.signal(Signal::STOP);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1500) {
        std::thread::sleep(Duration::from_millis(50));
    }
    upshift.signal(Signal::CONT);
    let (code, _, said) = upshift.end();
    assert_eq!(code, 0, "{said}");
    assert_eq!(sandbox.records("probe-breached"), 0, "{said}");
    let missed = lines(&sandbox).into_iter().filter(|line| line["kind"] == "not-measured");
    let longest = missed.map(|line| {
        let moment = |name: &str| line[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        moment("to").duration_since(moment("from"))
    });
    assert!(longest.max().is_some_and(|longest| longest.as_millis() > 1000));
    assert!(said.replace("\n           ", " ").contains("in which upshift itself stood still"), "{said}");
}

#[test]
fn icmp_is_measured_or_its_refusal_says_what_allows_it() {
    let sandbox = project("icmp = ['127.1.0.[1-100]', '::1']");
    let output = sandbox.upshift(["run", "p.toml"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    if output.status.code() == Some(2) {
        assert!(said.contains("this user may not send ICMP echoes"), "{said}");
        assert!(said.contains("net.ipv4.ping_group_range"), "{said}");
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{said}");
    let report = report(&sandbox);
    let probe = &report["probes"][0];
    assert_eq!(probe["targets"].as_array().unwrap().len(), 101);
    assert!(probe["answers"].as_u64().unwrap() > 1000, "{}", probe["answers"]);
    assert_eq!(probe["breaches"], serde_json::json!([]));
}

#[test]
fn a_run_that_does_not_wait_measures_nothing_and_says_so() {
    let sandbox = project("run = 'false'");
    sandbox.write("inventory.toml", "[defaults]\ntransport = 'simulated'\n[groups.cmp]\nhosts = ['cmp[1-4]']\n");
    let output = sandbox.upshift(["run", "p.toml"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("1 target, not measured"), "{said}");
}
