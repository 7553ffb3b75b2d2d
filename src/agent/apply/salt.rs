//! Applies formulas through the Salt that is on the host, for those with Python modules of their own.
//!
//! Files and pillar are the same as always. They are laid out for Salt in a folder in memory, private to root and gone
//! afterwards: the pillar never touches a disk. What the host's own `/etc/salt/minion` says counts, since modules find
//! their settings there.

use std::collections::HashMap;
use std::fs::{File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fs_err as fs;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::agent::apply::Work;
use crate::formula::roots::Roots;
use crate::formula::{Data, Dict};
use crate::states::run::{How, Progress, Ran, State};
use crate::states::{Command, Listener, Return};

/// Where the folders are: in memory.
const RUNTIME: &str = "/run/upshift/salt";

/// Folders of Python modules in the file roots, which Salt looks for here once they are synchronized.
const MODULES: [&str; 8] = ["modules", "states", "grains", "renderers", "utils", "returners", "output", "serializers"];

/// Why there are no returns.
#[derive(Debug)]
pub(super) enum Failure {
    /// Salt refused the formulas, or was not there: nothing was touched.
    Refused(Vec<String>),
    /// Salt was under way, and nobody knows how far it came.
    Lost(String),
}

impl Failure {
    /// The same in other words.
    pub(super) fn map(self, words: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Refused(errors) => Self::Refused(errors.iter().map(|error| words(error)).collect()),
            Self::Lost(why) => Self::Lost(words(&why)),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Refused(vec![error.to_string()])
    }
}

/// A state that Salt returned.
#[derive(Deserialize)]
struct Returned {
    #[serde(rename = "__run_num__")]
    number: usize,
    #[serde(rename = "__id__")]
    id: String,
    #[serde(rename = "__sls__", default)]
    sls: String,
    #[serde(rename = "__state_ran__", default = "yes")]
    has_run: bool,
    #[serde(default)]
    name: Value,
    result: Option<bool>,
    #[serde(default)]
    changes: Value,
    #[serde(default)]
    comment: Value,
    /// In milliseconds.
    #[serde(default)]
    duration: Value,
}

const fn yes() -> bool {
    true
}

/// Applies what Salt makes of the formulas.
pub(super) fn apply(
    work: &Work,
    listener: &dyn Listener,
    progress: &(dyn Progress + Sync),
) -> Result<Vec<Ran>, Failure> {
    let salt = Salt::lay_out(work)?;
    let (show, run) = if work.sls.is_empty() {
        ("state.show_lowstate", "state.highstate")
    } else {
        ("state.show_low_sls", "state.sls")
    };
    let names = (!work.sls.is_empty()).then(|| work.sls.join(","));
    let mut follow = Follow { listener, progress, of: 0, began: Mutex::default() };
    follow.of = match salt.call(show, names.as_deref(), false, &follow).map_err(one)? {
        Value::Array(low) if low.iter().all(Value::is_object) => low.len(),
        errors => return Err(Failure::Refused(texts(&errors))),
    };
    let began = now();
    let answer = salt.call(run, names.as_deref(), work.preview, &follow).map_err(Failure::Lost)?;
    let Value::Object(states) = answer else { return Err(Failure::Refused(texts(&answer))) };
    let begins = follow.began.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut ran = Vec::with_capacity(states.len());
    for (tag, state) in states {
        let state: Returned =
            serde_json::from_value(state).map_err(|error| Failure::Lost(format!("Salt said of `{tag}`: {error}")))?;
        ran.push(returned(&tag, state, &begins, began));
    }
    ran.sort_by_key(|ran| ran.number);
    for ran in &ran {
        progress.ended(ran);
    }
    Ok(ran)
}

#[expect(clippy::disallowed_methods, reason = "Salt says when a state began, but not on which day")]
fn now() -> Timestamp {
    Timestamp::now()
}

fn one(why: String) -> Failure {
    Failure::Refused(vec![why])
}

/// What Salt said where states were expected.
fn texts(errors: &Value) -> Vec<String> {
    match errors {
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        other => vec![text(other)],
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn returned(tag: &str, state: Returned, began: &HashMap<String, Timestamp>, run_began: Timestamp) -> Ran {
    let module = tag.split("_|-").next().unwrap_or_default();
    let function = tag.rsplit("_|-").next().unwrap_or_default();
    let changes = match state.changes {
        Value::Object(changes) => {
            changes.into_iter().map(|(name, value)| (Data::from(name), Data::from(value))).collect()
        }
        _ => Dict::default(),
    };
    let comment = texts(&state.comment).join("\n");
    let how = match state.result {
        _ if state.has_run => How::Ran,
        Some(false) => How::Held,
        _ if comment.contains("condition is") => How::Conditioned,
        _ => How::Untriggered,
    };
    let milliseconds = match &state.duration {
        Value::String(text) => text.split(' ').next().and_then(|number| number.parse().ok()),
        number => number.as_f64(),
    };
    let name = text(&state.name);
    Ran {
        number: state.number,
        started: began.get(&format!("{module}.{function} {name}")).copied().unwrap_or(run_began),
        state: State { sls: state.sls, id: state.id, module: module.to_owned(), function: function.to_owned(), name },
        how,
        ret: Return { result: state.result, changes, comment },
        took: Duration::try_from_secs_f64(milliseconds.unwrap_or_default() / 1000.0).unwrap_or_default(),
    }
}

/// A folder that Salt works in.
struct Salt {
    folder: TempDir,
    id: String,
    /// Held while the folder is in use.
    _lock: File,
}

impl Salt {
    fn lay_out(work: &Work) -> Result<Self, Failure> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        if !std::env::split_paths(&path).any(|folder| folder.join("salt-call").is_file()) {
            return Err(one("the stage has `engine = \"salt\"`, and this host has no `salt-call`".to_owned()));
        }
        create_private(Path::new(RUNTIME))?;
        let alone = File::create(Path::new(RUNTIME).join("lock"))?;
        alone.lock()?;
        remove_left()?;
        let folder = tempfile::Builder::new().prefix("").tempdir_in(RUNTIME)?;
        let lock = File::create(folder.path().join("lock"))?;
        lock.lock()?;
        let salt = Self { folder, id: work.subject.id.clone(), _lock: lock };
        salt.write(&work.roots, &serde_json::to_value(&work.pillar).map_err(io::Error::from)?)?;
        Ok(salt)
    }

    fn write(&self, roots: &Roots, pillar: &Value) -> io::Result<()> {
        let at = |name: &str| self.folder.path().join(name);
        let links = roots.links()?;
        for path in roots.list()? {
            let content = roots.read(&path)?.unwrap_or_default();
            if !links.has(&path) {
                let place = at("files").join(&path);
                put(&place, &content)?;
                if let Some(mode) = roots.mode(&path)? {
                    fs::set_permissions(&place, Permissions::from_mode(mode))?;
                }
            }
            let module = MODULES.iter().find_map(|kind| Some((kind, path.strip_prefix(&format!("_{kind}/"))?)));
            if let Some((kind, rest)) = module {
                put(&at("modules").join(kind).join(rest), &content)?;
            }
        }
        for (path, target) in links.0.iter().filter(|(path, _)| !links.is_above(path)) {
            let place = at("files").join(path);
            place.parent().map_or(Ok(()), fs::create_dir_all)?;
            std::os::unix::fs::symlink(target, place)?;
        }
        put(&at("pillar/top.sls"), b"base: {'*': [upshift]}\n")?;
        put(&at("pillar/upshift.sls"), format!("#!json\n{pillar}").as_bytes())?;
        let settings = json!({
            "include": ["/etc/salt/minion", "/etc/salt/minion.d/*.conf"],
            "extension_modules": at("modules"),
            "pki_dir": at("pki"),
            "sock_dir": at("sock"),
            "log_file": at("log"),
            "log_level_logfile": "quiet",
            "pillar_opts": false,
        });
        put(&at("minion"), settings.to_string().as_bytes())?;
        if Path::new("/etc/salt/grains").exists() {
            std::os::unix::fs::symlink("/etc/salt/grains", at("grains"))?;
        }
        Ok(())
    }

    /// Calls a function of Salt's; an error says why it did not answer.
    fn call(&self, function: &str, sls: Option<&str>, preview: bool, listener: &Follow<'_>) -> Result<Value, String> {
        let at = |name: &str| self.folder.path().join(name).to_string_lossy().into_owned();
        let answer = at("answer");
        let option = |name: &str, value: String| format!("--{name}={value}");
        let mut arguments = vec![
            "--local".to_owned(),
            option("config-dir", at("")),
            option("file-root", at("files")),
            option("pillar-root", at("pillar")),
            option("cachedir", at("cache")),
            option("id", self.id.clone()),
            option("log-level", "info".into()),
            option("out", "json".into()),
            option("out-file", answer.clone()),
            function.to_owned(),
        ];
        arguments.extend(sls.map(str::to_owned));
        if preview {
            arguments.push("test=True".to_owned());
        }
        let ended = Command::new("salt-call", arguments).run(listener).map_err(|failed| failed.comment)?;
        let said = fs::read(&answer).ok().and_then(|said| serde_json::from_slice::<Value>(&said).ok());
        match said {
            Some(Value::Object(mut said)) if said.contains_key("local") => Ok(said["local"].take()),
            _ => Err(format!("`salt-call {function}`: {}", ended.why())),
        }
    }
}

/// Removes what Salts left that were killed.
fn remove_left() -> io::Result<()> {
    for entry in fs::read_dir(RUNTIME)?.flatten() {
        let is_in_use = File::open(entry.path().join("lock"))
            .is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
        if entry.path().is_dir() && !is_in_use {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn create_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Writes a file that nobody else reads, with the folders that it is in.
fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, content)
}

/// Hears what Salt logs, and tells from it which state is under way.
struct Follow<'a> {
    listener: &'a dyn Listener,
    progress: &'a (dyn Progress + Sync),
    /// How many states there are.
    of: usize,
    /// When each began, by its function and name.
    began: Mutex<HashMap<String, Timestamp>>,
}

/// Module, function and name of `Executing state file.managed for [/etc/motd]`, as Salt logs it.
fn executing(line: &str) -> Option<(&str, &str, &str)> {
    let (_, rest) = line.split_once("Executing state ")?;
    let (function, rest) = rest.split_once(" for [")?;
    let (module, function) = function.rsplit_once('.')?;
    Some((module, function, rest.strip_suffix(']')?))
}

impl Listener for Follow<'_> {
    fn output(&self, line: &str) {
        match executing(line) {
            Some((module, function, name)) => {
                let mut began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
                began.entry(format!("{module}.{function} {name}")).or_insert_with(now);
                let (sls, id) = (String::new(), String::new());
                let state = State { sls, id, module: module.into(), function: function.into(), name: name.into() };
                self.progress.began(began.len(), self.of, &state);
            }
            None if line.starts_with("[INFO") => {}
            None => self.listener.output(line),
        }
    }

    fn started(&self, group: u32) {
        self.listener.started(group);
    }

    fn is_stopped(&self) -> bool {
        self.listener.is_stopped()
    }
}
