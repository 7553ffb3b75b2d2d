//! States whose process is killed: whenever that is, every file is the old one or the new one, and a second apply ends right.
//!
//! With `strace(1)` the process is killed before each system call that changes something; without, at random moments.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use crate::states::sandbox::Sandbox;

/// Tells the process of a test that it is the one that is killed, and in which folder.
const FOLDER: &str = "UPSHIFT_TEST_KILLED_IN";

/// What the process says before it changes anything.
const BEGUN: &str = "begun";

/// System calls that change files.
const CALLS: &str = "write,rename,renameat,renameat2,fchmod,fchmodat,chmod,lchown,fchownat,unlink,unlinkat,mkdir,\
                     mkdirat,symlink,symlinkat,link,linkat,utimensat,rmdir";

/// How often it is killed at random, and where the moments come from.
const ROUNDS: u32 = 200;
const SEED: u64 = 20_261_123;

/// How many processes are killed at a time.
const WORKERS: usize = 2;

/// What is there before.
const BEFORE: [(&str, &str); 18] = [
    ("aliases", "old: root\n"),
    ("appended", "old\n"),
    ("authorized_keys", "# old\n"),
    ("block", "old\n"),
    ("commented", "old\n"),
    ("fstab", "proc /proc proc defaults 0 0\n"),
    ("grains", "old: 1\n"),
    ("hosts", "127.0.0.1 localhost\n"),
    ("htpasswd", "old:x\nother:y\n"),
    ("ini", "[s]\na = 1\n"),
    ("keys", "a = 1\n"),
    ("known_hosts", "# old\n"),
    ("lines", "one\nthree\n"),
    ("managed", "old\n"),
    ("prepended", "old\n"),
    ("replaced", "old\n"),
    ("tree/a", "old\n"),
    ("tree/gone", "old\n"),
];

const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJ6wtSfIkeQ8y5bI4jJ4MzQ2nJ0Z4c9lKZyDq5b8xYxW";

/// What is applied.
fn states() -> Vec<(&'static str, String)> {
    [
        ("alias.present", "{name: new, target: me}"),
        ("file.append", "{name: @/appended, text: new}"),
        ("file.blockreplace", "{name: @/block, content: new, append_if_not_found: true, backup: false}"),
        ("file.comment", "{name: @/commented, regex: old}"),
        ("file.copy", "{name: @/copied, source: @/managed, user: 0, group: 0}"),
        ("file.directory", "{name: @/folder/in/folder, makedirs: true, mode: 750}"),
        ("file.keyvalue", "{name: @/keys, key: a, value: '2', separator: ' = '}"),
        ("file.line", "{name: @/lines, mode: ensure, content: two, after: one}"),
        ("file.managed", "{name: @/managed, source: 'salt://app/plain', mode: 640}"),
        ("file.managed", "{name: @/new/file, contents: new, makedirs: true}"),
        ("file.prepend", "{name: @/prepended, text: new}"),
        ("file.recurse", "{name: @/tree, source: 'salt://tree', clean: true, file_mode: 600}"),
        ("file.replace", "{name: @/replaced, pattern: old, repl: new, backup: false}"),
        ("file.serialize", "{name: @/serialized, dataset: {a: 1}, serializer: json}"),
        ("file.symlink", "{name: @/link, target: /new, user: 0, group: 0}"),
        ("grains.present", "{name: 'a:b', value: 1}"),
        ("host.present", "{name: new, ip: 192.0.2.1}"),
        ("ini.options_present", "{name: @/ini, sections: {s: {a: '2'}}}"),
        ("mount.fstab_present", "{name: tmpfs, fs_file: /new, fs_vfstype: tmpfs, config: @/fstab, mount: false}"),
        ("ssh_auth.present", "{name: KEY, user: root, enc: ssh-ed25519, config: @/authorized_keys}"),
        (
            "ssh_known_hosts.present",
            "{name: a, enc: ssh-ed25519, key: KEY, config: @/known_hosts, hash_known_hosts: false}",
        ),
        // There is no such setting, but the next boot could have it: that is written, and then it fails.
        ("sysctl.present", "{name: upshift.none, value: 1, config: @/sysctl}"),
        ("webutil.user_absent", "{name: old, htpasswd_file: @/htpasswd}"),
    ]
    .map(|(function, arguments)| (function, arguments.replace("KEY", KEY)))
    .to_vec()
}

/// A file, a folder or a link: its mode, and what is in it.
type Node = (u32, Vec<u8>);

fn prepare(path: &Utf8Path) {
    if path.exists() {
        fs::remove_dir_all(path).unwrap();
    }
    for (file, content) in BEFORE {
        let file = path.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }
}

fn apply(path: &Utf8Path) {
    let sandbox = Sandbox::at(path.to_owned());
    for (function, arguments) in states() {
        let done = sandbox.state(function, &arguments, false, &[]);
        assert_eq!(done.result, Some(function != "sysctl.present"), "{function}: {}", done.comment);
    }
}

/// Everything in a folder, but for copies that `backup` made.
fn nodes(path: &Utf8Path) -> BTreeMap<String, Node> {
    let mut nodes = BTreeMap::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir_utf8().unwrap() {
            let entry = entry.unwrap().into_path();
            let there = fs::symlink_metadata(&entry).unwrap();
            let content = match &there {
                there if there.is_dir() => Vec::new(),
                there if there.is_symlink() => fs::read_link(&entry).unwrap().into_os_string().into_encoded_bytes(),
                _ => fs::read(&entry).unwrap(),
            };
            if there.is_dir() && entry != path.join("cache") {
                folders.push(entry.clone());
            }
            nodes.insert(entry.strip_prefix(path).unwrap().to_string(), (there.mode(), content));
        }
    }
    nodes
}

fn is_part(path: &str) -> bool {
    let path = Utf8Path::new(path);
    path.extension() == Some("part") && path.file_name().is_some_and(|name| name.starts_with(".upshift-"))
}

/// What a folder may be: before, and afterwards.
struct Ends {
    old: BTreeMap<String, Node>,
    new: BTreeMap<String, Node>,
}

impl Ends {
    fn of(path: &Utf8Path) -> Self {
        prepare(path);
        let old = nodes(path);
        apply(path);
        let new = nodes(path);
        assert!(!new.keys().any(|path| is_part(path)), "{:?}", new.keys());
        Self { old, new }
    }

    /// Looks at a folder whose process was killed, and finishes what it began.
    fn check(&self, path: &Utf8Path, moment: &str) {
        let there = nodes(path);
        let all: BTreeSet<&String> = self.old.keys().chain(self.new.keys()).chain(there.keys()).collect();
        for name in all.into_iter().filter(|name| !is_part(name) && !name.starts_with("cache")) {
            let now = there.get(name);
            assert!(now == self.old.get(name) || now == self.new.get(name), "{moment}: {name} is {now:?}");
        }
        apply(path);
        let without_cache = |nodes: &BTreeMap<String, Node>| {
            let nodes = nodes.iter().filter(|(name, _)| !name.starts_with("cache"));
            nodes.map(|(name, node)| (name.clone(), node.clone())).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(without_cache(&nodes(path)), without_cache(&self.new), "{moment}");
    }
}

/// When a process is killed.
enum Moment {
    /// By `strace`, before it makes a system call for the nth time.
    Call(String, u32),
    /// So long after it has begun.
    After(Duration),
}

/// This test in a process of its own, through another program if there is one.
fn process(test: &str, path: &Utf8Path, through: &[&str]) -> Command {
    let this = std::env::current_exe().unwrap();
    let words: Vec<&str> = through.iter().copied().chain(this.to_str()).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["--exact", test, "--nocapture", "--test-threads", "1"]).env(FOLDER, path);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

#[test]
fn whenever_its_process_is_killed_every_file_is_the_old_one_or_the_new_one() {
    if let Ok(path) = std::env::var(FOLDER) {
        println!("{BEGUN}");
        return apply(path.as_str().into());
    }
    // In memory: that a file is on the disk is waited for hundreds of times.
    let memory = Utf8Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
    let base = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
    let test = std::thread::current().name().unwrap().to_owned();
    let path = base.join("states");
    let ends = Ends::of(&path);
    let has_strace = Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_ok();
    let moments = if has_strace { every_call(&test, &path) } else { at_random(&path) };
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (path, test, ends, moments) = (base.join(worker.to_string()), &test, &ends, &moments);
            scope.spawn(move || {
                for moment in moments.iter().skip(worker).step_by(WORKERS) {
                    prepare(&path);
                    let said = moment.kill(test, &path);
                    ends.check(&path, &said);
                }
            });
        }
    });
}

/// Every system call of this test that changes something: each call of a thread is counted by its name.
fn every_call(test: &str, path: &Utf8Path) -> Vec<Moment> {
    let log = path.with_extension("log");
    prepare(path);
    let trace = format!("trace={CALLS}");
    let said = process(test, path, &["strace", "-f", "-qq", "-o", log.as_str(), "-e", &trace]).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
    let mut counts: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
    for line in fs::read_to_string(&log).unwrap().lines() {
        let (thread, call) = line.split_once(' ').unwrap();
        let Some((name, _)) = call.trim_start().split_once('(') else { continue };
        *counts.entry(name.to_owned()).or_default().entry(thread.to_owned()).or_default() += 1;
    }
    assert!(counts.contains_key("rename") && counts.contains_key("fchmod"), "{counts:?}");
    let most = |threads: BTreeMap<String, u32>| threads.into_values().max().unwrap_or_default();
    counts
        .into_iter()
        .flat_map(|(name, threads)| (1..=most(threads)).map(move |when| Moment::Call(name.clone(), when)))
        .collect()
}

fn at_random(path: &Utf8Path) -> Vec<Moment> {
    prepare(path);
    let begun = Instant::now();
    apply(path);
    let longest = begun.elapsed().as_secs_f64() * 1.2;
    let mut random = StdRng::seed_from_u64(SEED);
    let mut pause = || Duration::from_secs_f64(longest * random.random_range(0.0..1.0));
    (0..ROUNDS).map(|_| Moment::After(pause())).collect()
}

impl Moment {
    /// Kills the process. Says when.
    fn kill(&self, test: &str, path: &Utf8Path) -> String {
        match self {
            Self::Call(name, when) => {
                let (trace, inject) = (format!("trace={name}"), format!("inject={name}:signal=KILL:when={when}"));
                let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
                assert!(!process(test, path, &strace).status().unwrap().success());
                format!("killed before {name} number {when}")
            }
            Self::After(pause) => {
                let mut child = process(test, path, &[]).spawn().unwrap();
                let said = BufReader::new(child.stdout.take().unwrap()).lines();
                said.map(Result::unwrap).take_while(|line| !line.contains(BEGUN)).for_each(drop);
                std::thread::sleep(*pause);
                child.kill().unwrap();
                child.wait().unwrap();
                format!("killed after {pause:?}")
            }
        }
    }
}
