//! States in a folder of their own: applied after a preview, and twice, while everything in the folder is watched.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use serde_json::json;

use crate::formula::compile::{Compiler, Subject};
use crate::formula::roots::{Memory, Roots};
use crate::formula::yaml::{self, Mappings};
use crate::formula::{Data, Dict, facts};
use crate::states::{self, Args, Call, Host, Listener, Return};

struct Deaf;

impl Listener for Deaf {
    fn output(&self, _: &str) {}
    fn started(&self, _: u32) {}
    fn is_stopped(&self) -> bool {
        false
    }
}

/// A folder, and formulas with some files.
pub(super) struct Sandbox {
    _folder: Option<tempfile::TempDir>,
    pub(super) path: Utf8PathBuf,
    compiler: Compiler,
}

impl Sandbox {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
        Self { _folder: Some(folder), ..Self::at(path) }
    }

    /// A folder that is there and stays.
    pub(super) fn at(path: Utf8PathBuf) -> Self {
        let files = [
            ("app/plain", "one\ntwo\n"),
            ("app/includes", "{% include file %}\n"),
            ("app/template", "{{ name.split('/')[-1] }} {{ x }} {{ y }} {{ extra }} {{ mode }}\n"),
            ("tree/a", "a\n"),
            ("tree/sub/b", "b\n"),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
        let place = |name: &str| path.join(name).into_string();
        let options = json!({
            "aliases.file": place("aliases"),
            "cachedir": place("cache"),
            "conf_file": place("minion"),
            "docker.url": format!("unix://{path}/docker.sock"),
            "hosts.file": place("hosts"),
        });
        let options = options.into();
        let facts = Arc::new(facts::Host);
        let subject = Subject { id: "a".to_owned(), grains: Dict::default().into(), options, facts, python2: false };
        let compiler = Compiler::new(subject, Roots(vec![Arc::new(Memory(BTreeMap::from(files)))]), json!({}).into());
        Self { _folder: None, path, compiler }
    }

    pub(super) fn state(&self, function: &str, arguments: &str, preview: bool, low: &[Dict]) -> Return {
        let text = arguments.replace("@/", &format!("{}/", self.path));
        let arguments = yaml::load(&text, Mappings::Ordered).unwrap();
        let function = states::find(function).unwrap();
        let call = Call {
            host: &Host::new(&self.compiler, &Deaf).with_low(low),
            args: Args::new(arguments.as_dict().unwrap()),
            preview,
        };
        (function.check)(&call.args).unwrap();
        (function.run)(&call).unwrap_or_else(Return::from)
    }

    /// Applies a state after a preview of it, which changes nothing and finds the same.
    pub(super) fn apply(&self, function: &str, arguments: &str) -> Return {
        let before = self.tree();
        let preview = self.state(function, arguments, true, &[]);
        assert_eq!(self.tree(), before, "a preview of {function} changed something");
        let applied = self.state(function, arguments, false, &[]);
        let is_quiet = applied.changes.entries.is_empty() && applied.result == Some(true);
        assert_eq!(preview.result == Some(true), is_quiet, "{preview:?} {applied:?}");
        applied
    }

    /// Applies a state twice; the second time nothing is changed.
    pub(super) fn settle(&self, function: &str, arguments: &str) -> Return {
        let first = self.apply(function, arguments);
        let (tree, second) = (self.tree(), self.apply(function, arguments));
        assert_eq!((second.result, second.changes.entries.len()), (Some(true), 0), "{}", second.comment);
        assert_eq!(self.tree(), tree);
        first
    }

    pub(super) fn write(&self, path: &str, content: &str) {
        let path = self.path.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(super) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path.join(path)).unwrap()
    }

    pub(super) fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.path.join(path)).unwrap().permissions().mode() & 0o7777
    }

    /// Everything in the folder: paths, modes, contents and when they were written.
    pub(super) fn tree(&self) -> Vec<String> {
        let mut tree = Vec::new();
        describe(&self.path, &mut tree);
        tree
    }
}

fn describe(folder: &Utf8Path, tree: &mut Vec<String>) {
    let mut paths: Vec<_> = folder.read_dir_utf8().unwrap().map(|entry| entry.unwrap().into_path()).collect();
    paths.sort();
    for path in paths {
        let there = fs::symlink_metadata(&path).unwrap();
        let content = if there.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        tree.push(format!("{path} {:?} {:?} {content:?}", there.permissions(), there.modified().unwrap()));
        if there.is_dir() {
            describe(&path, tree);
        }
    }
}

/// A text among the changes.
pub(super) fn change<'a>(applied: &'a Return, key: &str) -> Option<&'a str> {
    applied.changes.get(key).and_then(Data::as_str)
}
