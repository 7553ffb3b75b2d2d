//! Real hosts: whatever happens to them, to their network and to upshift, ends right.
//!
//! One lab serves all tests of this process. It ends with the process, however that ends. A test takes
//! the hosts that it needs for itself, and puts them right again. Its hosts have real Salt in `/opt/salt`, out of sight.

mod adhoc;
mod apply;
mod backup;
mod bastion;
mod crash;
mod docker;
mod encrypted;
mod faults;
mod login;
mod network;
mod orders;
mod preview;
mod probes;
mod runs;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Condvar, LazyLock, Mutex};
use std::time::{Duration, Instant};

use crate::sandbox::Sandbox;

/// Hosts that tests share.
pub(super) const HOSTS: usize = 12;

/// The host that `far001` to `far080` are reached through; no test takes it.
const BASTION: &str = "bastion";

static LAB: LazyLock<Lab> = LazyLock::new(Lab::up);

struct Lab {
    /// Holds the lab up as long as this process has its stdin open.
    _hold: Child,
    folder: PathBuf,
    /// The binary without its debugging symbols: the one that is run here and sent to hosts.
    upshift: PathBuf,
    addresses: BTreeMap<String, String>,
    free: Mutex<Vec<String>>,
    freed: Condvar,
}

impl Lab {
    fn up() -> Self {
        let folder = PathBuf::from(format!("/run/upshift-lab/test-{}", std::process::id()));
        let upshift = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("upshift-{}", std::process::id()));
        let stripped = Command::new("strip").arg("-o").arg(&upshift).arg(env!("CARGO_BIN_EXE_upshift")).status();
        if !stripped.is_ok_and(|status| status.success()) {
            std::fs::copy(env!("CARGO_BIN_EXE_upshift"), &upshift).unwrap();
        }
        let bind = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/states/bind")).output().unwrap();
        assert!(bind.status.success(), "{}", String::from_utf8_lossy(&bind.stderr));
        let mut hold = program(&folder);
        hold.env("LAB_BIND", String::from_utf8_lossy(&bind.stdout).trim());
        hold.args(["hold", &HOSTS.to_string(), BASTION]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut hold = hold.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(hold.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said.trim(), "ready", "the lab did not come up: `tests/lab/lab up {HOSTS}` says why");
        let bastion = program(&folder).args(["bastion", BASTION]).status().unwrap();
        assert!(bastion.success());
        let hosts = std::fs::read_to_string(folder.join("hosts")).unwrap();
        let addresses: BTreeMap<_, _> =
            hosts.lines().filter_map(|line| line.split_once(' ')).map(|(name, at)| (name.into(), at.into())).collect();
        let free = addresses.keys().filter(|name| *name != BASTION).rev().cloned().collect();
        let lab = Self { _hold: hold, folder, upshift, addresses, free: Mutex::new(free), freed: Condvar::new() };
        // upshift is sent to each host once, and not while a test measures something.
        let sockets = lab.folder.join("sockets");
        std::fs::create_dir(&sockets).unwrap();
        let mut ping = program(&lab.folder);
        ping.arg("net").arg(&lab.upshift).args(["ping", "all", "-i"]).arg(lab.folder.join("inventory.toml"));
        let ping = ping.env("XDG_RUNTIME_DIR", sockets).output().unwrap();
        assert!(ping.status.success(), "{}", String::from_utf8_lossy(&ping.stdout));
        lab
    }

    fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Output {
        program(&self.folder).args(arguments).stdin(Stdio::null()).output().unwrap()
    }
}

/// The lab's own command.
fn program(folder: &Path) -> Command {
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/lab"));
    command.env("LAB_DIR", folder);
    command
}

/// A project with some of the lab's hosts, which no other test uses meanwhile.
pub(super) struct Site {
    pub(super) sandbox: Sandbox,
    pub(super) hosts: Vec<String>,
    lab: &'static Lab,
}

impl Site {
    /// Takes so many hosts, which are the group `cmp` of its inventory.
    pub(super) fn of(count: usize) -> Self {
        Self::with(count, "")
    }

    /// The same, with more settings in the inventory's `[ssh]`.
    pub(super) fn with(count: usize, ssh: &str) -> Self {
        let lab = &*LAB;
        let mut free = lab.free.lock().unwrap();
        while free.len() < count {
            free = lab.freed.wait(free).unwrap();
        }
        let left = free.len() - count;
        let mut hosts = free.split_off(left);
        drop(free);
        hosts.sort();
        let site = Self { sandbox: Sandbox::new(), hosts, lab };
        // Connections of one test are of no use to another.
        std::fs::create_dir(site.sandbox.path("sockets")).unwrap();
        site.sandbox.write("inventory.toml", &site.inventory(ssh, ""));
        site
    }

    /// An inventory of its hosts, with more in `[ssh]` and in `[defaults]`.
    pub(super) fn inventory(&self, ssh: &str, defaults: &str) -> String {
        let config = self.lab.folder.join("ssh_config");
        let mut text = format!(
            "[ssh]\nconfig = \"{}\"\n{ssh}\n\n[defaults]\n{defaults}\n\n[groups.cmp]\nhosts = {:?}\n",
            config.display(),
            self.hosts
        );
        for name in &self.hosts {
            let _ = write!(text, "\n[hosts.{name}]\naddress = \"{}\"\n", self.lab.addresses[name]);
        }
        text
    }

    /// An inventory of 80 names behind the bastion.
    pub(super) fn far(&self) -> PathBuf {
        self.lab.folder.join("inventory-far.toml")
    }

    /// The binary that is run here.
    pub(super) fn binary(&self) -> &Path {
        &self.lab.upshift
    }

    /// upshift in the lab's network, not yet started.
    pub(super) fn command<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/lab/lab"));
        self.sandbox.settle(&mut command);
        command
            .env("LAB_DIR", &self.lab.folder)
            .env("XDG_RUNTIME_DIR", self.sandbox.path("sockets"))
            .env("COLUMNS", "100")
            .arg("net")
            .arg(&self.lab.upshift)
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// Runs upshift to its end.
    pub(super) fn upshift<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Ended {
        Ended::of(self.command(arguments).output().unwrap())
    }

    /// Starts upshift in the background.
    pub(super) fn start<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Running {
        let mut command = self.command(arguments);
        Running(Some(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()))
    }

    /// Does something to the lab, such as `cut`.
    pub(super) fn lab<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) {
        let output = self.lab.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Runs a command in a host, without upshift or SSH.
    pub(super) fn inside(&self, host: &str, command: &str) -> String {
        let output = self.lab.run(["exec", host, "sh", "-c", command]);
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Waits until a command in a host succeeds.
    pub(super) fn until(&self, host: &str, command: &str) {
        let begun = Instant::now();
        while !self.lab.run(["exec", host, "sh", "-c", command]).status.success() {
            assert!(begun.elapsed() < Duration::from_mins(2), "{host}: waited in vain for `{command}`");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The state of every host in the report of the newest run. Each planned host is there exactly once.
    pub(super) fn states(&self) -> BTreeMap<String, String> {
        let states = self.report();
        assert!(states.keys().eq(&self.hosts), "not every planned host is in the report: {states:?}");
        states
    }

    /// The state of every host that the report of the newest run has.
    pub(super) fn report(&self) -> BTreeMap<String, String> {
        let said = self.upshift(["report", "--format", "json"]);
        let report: serde_json::Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
        let hosts = report["hosts"].as_array().unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let states: BTreeMap<_, _> = hosts.iter().map(|host| (text(&host["name"]), text(&host["state"]))).collect();
        assert_eq!(states.len(), hosts.len(), "a host is there twice");
        states
    }

    /// Everything a run kept of a host's output.
    pub(super) fn log(&self, host: &str) -> String {
        let runs = std::fs::read_dir(self.sandbox.path(".upshift/runs")).unwrap();
        let run = runs.map(|run| run.unwrap().path()).max().unwrap();
        std::fs::read_to_string(run.join(format!("hosts/{host}.log"))).unwrap_or_default()
    }

    /// Installs packages of Debian that the lab has got.
    pub(super) fn install(&self, host: &str, names: &str) {
        // Another test may change the repository meanwhile.
        let install = format!("apt-get update && apt-get install -y --no-install-recommends {names}");
        self.until(host, &format!("{install} && rm -f /var/cache/apt/archives/*.deb"));
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // Connections that wait for the next command.
        for socket in std::fs::read_dir(self.sandbox.path("sockets/upshift")).into_iter().flatten().flatten() {
            if socket.path().extension().is_none() {
                let mut close = Command::new("ssh");
                close.args(["-O", "exit", "-S"]).arg(socket.path()).arg("host").stderr(Stdio::null());
                let _ = close.status();
            }
        }
        for host in &self.hosts {
            if std::thread::panicking() {
                for repair in [
                    &["heal", host][..],
                    &["thaw", host],
                    &["unfill", host],
                    &["rekey", host, "back"],
                    &["start", host],
                    &["reset", host],
                ] {
                    self.lab.run(repair.iter().copied());
                }
            }
            self.inside(host, "rm -rf /root/* /run/count /var/lib/upshift/claim.json /var/lib/upshift/spool");
        }
        self.lab.free.lock().unwrap().append(&mut self.hosts);
        self.lab.freed.notify_all();
    }
}

/// How upshift ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: i32,
    pub(super) out: String,
    pub(super) err: String,
}

impl Ended {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Fails unless it ended with that exit code.
    #[track_caller]
    pub(super) fn with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.out, self.err);
        self
    }
}

/// upshift in the background, in the lab's network; killed when the test lets go of it.
pub(super) struct Running(Option<Child>);

impl Running {
    /// Ends it with SIGKILL: nothing of it gets to say anything.
    pub(super) fn kill(mut self) {
        if let Some(mut child) = self.0.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Waits for its end.
    pub(super) fn end(mut self) -> Ended {
        Ended::of(self.0.take().unwrap().wait_with_output().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A pipeline with one stage over all hosts, with these keys and steps.
pub(super) fn pipeline(stage: &str) -> String {
    format!("[pipeline]\nname = \"lab\"\n\n[[stage]]\nname = \"computes\"\nhosts = \"cmp\"\n{stage}\n")
}

/// A step that writes a line every tenth of a second, and counts how often it was run.
pub(super) fn lines(count: u32) -> String {
    format!("echo x >> /root/count; for i in $(seq {count}); do echo line $i; sleep 0.1; done")
}

/// Fails unless a log has every line of [`lines`] once, in order.
#[track_caller]
pub(super) fn has_every_line(log: &str, count: u32) {
    let found: Vec<_> = log.lines().filter(|line| line.starts_with("line ")).map(str::to_owned).collect();
    let wanted: Vec<_> = (1..=count).map(|n| format!("line {n}")).collect();
    assert_eq!(found, wanted);
}
