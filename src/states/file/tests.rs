//! File states in a folder of their own.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use camino::Utf8PathBuf;
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
struct Sandbox {
    _folder: tempfile::TempDir,
    path: Utf8PathBuf,
    compiler: Compiler,
}

impl Sandbox {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap();
        let files = [
            ("app/plain", "one\ntwo\n"),
            ("app/includes", "{% include file %}\n"),
            ("app/template", "{{ name.split('/')[-1] }} {{ x }} {{ y }} {{ extra }} {{ mode }}\n"),
            ("tree/a", "a\n"),
            ("tree/sub/b", "b\n"),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
        let options = json!({"cachedir": path.join("cache").as_str()}).into();
        let facts = Arc::new(facts::Host);
        let subject = Subject { id: "a".to_owned(), grains: Dict::default().into(), options, facts, python2: false };
        let compiler = Compiler::new(subject, Roots(vec![Arc::new(Memory(BTreeMap::from(files)))]), json!({}).into());
        Self { _folder: folder, path, compiler }
    }

    fn state(&self, function: &str, arguments: &str, preview: bool, low: &[Dict]) -> Return {
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
    fn apply(&self, function: &str, arguments: &str) -> Return {
        let before = self.tree();
        let preview = self.state(function, arguments, true, &[]);
        assert_eq!(self.tree(), before, "a preview of {function} changed something");
        let applied = self.state(function, arguments, false, &[]);
        let is_quiet = applied.changes.entries.is_empty() && applied.result == Some(true);
        assert_eq!(preview.result == Some(true), is_quiet, "{preview:?} {applied:?}");
        applied
    }

    /// Applies a state twice; the second time nothing is changed.
    fn settle(&self, function: &str, arguments: &str) -> Return {
        let first = self.apply(function, arguments);
        let (tree, second) = (self.tree(), self.apply(function, arguments));
        assert_eq!((second.result, second.changes.entries.len()), (Some(true), 0), "{}", second.comment);
        assert_eq!(self.tree(), tree);
        first
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.path.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path.join(path)).unwrap()
    }

    fn mode(&self, path: &str) -> u32 {
        fs::metadata(self.path.join(path)).unwrap().permissions().mode() & 0o7777
    }

    /// Everything in the folder: paths, modes, contents and when they were written.
    fn tree(&self) -> Vec<String> {
        let entries = super::clean::walk(&self.path, None).unwrap();
        let described = entries.into_iter().map(|entry| {
            let there = fs::symlink_metadata(&entry.path).unwrap();
            let content = if there.is_file() { fs::read(&entry.path).unwrap() } else { Vec::new() };
            format!("{} {:?} {:?} {content:?}", entry.path, there.permissions(), there.modified().unwrap())
        });
        described.collect()
    }
}

fn change<'a>(applied: &'a Return, key: &str) -> Option<&'a str> {
    applied.changes.get(key).and_then(Data::as_str)
}

#[test]
fn a_file_gets_its_content_and_mode_once() {
    let sandbox = Sandbox::new();
    let new = sandbox.settle("file.managed", "{name: @/f, source: salt://app/plain, mode: 640}");
    assert_eq!((change(&new, "diff"), change(&new, "mode")), (Some("New file"), Some("0640")));
    assert_eq!((sandbox.read("f").as_str(), sandbox.mode("f")), ("one\ntwo\n", 0o640));
    sandbox.write("f", "one\n2\n");
    let changed = sandbox.settle("file.managed", "{name: @/f, source: salt://app/plain, backup: minion}");
    assert_eq!(change(&changed, "diff"), Some("--- \n+++ \n@@ -1,2 +1,2 @@\n one\n-2\n+two\n"));
    let copies =
        fs::read_dir(sandbox.path.join("cache/file_backup").join(sandbox.path.as_str().trim_start_matches('/')));
    assert_eq!((copies.unwrap().count(), sandbox.mode("f")), (1, 0o640));
}

#[test]
fn a_template_sees_its_state_and_context_wins_over_defaults() {
    let sandbox = Sandbox::new();
    let arguments = "{name: @/f, source: salt://app/template, template: jinja, mode: 600,
                      context: {x: 1}, defaults: {x: 2, y: 3}, extra: more}";
    sandbox.settle("file.managed", arguments);
    assert_eq!(sandbox.read("f"), "f 1 3 more 0600\n");
}

#[test]
fn a_template_includes_a_file_of_the_host() {
    let sandbox = Sandbox::new();
    sandbox.write("key", "of the host\n");
    sandbox.settle("file.managed", "{name: @/f, source: salt://app/includes, template: jinja, context: {file: @/key}}");
    assert_eq!(sandbox.read("f"), "of the host\n");
}

#[test]
fn what_is_not_to_be_shown_is_nowhere_in_what_is_said() {
    let sandbox = Sandbox::new();
    sandbox.write("f", "old secret\n");
    let applied = sandbox.settle("file.managed", "{name: @/f, contents: a secret, show_changes: false}");
    assert_eq!(change(&applied, "diff"), Some("<show_changes=False>"));
    assert!(!format!("{applied:?}").contains("secret"));
}

#[test]
fn a_content_that_a_command_refuses_changes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("f", "good\n");
    let before = sandbox.tree();
    let refused = sandbox.state("file.managed", "{name: @/f, contents: bad, check_cmd: grep good}", false, &[]);
    assert_eq!((refused.result, refused.comment.as_str()), (Some(false), "check_cmd execution failed"));
    assert_eq!(sandbox.tree(), before);
    sandbox.settle("file.managed", "{name: @/f, contents: good too, check_cmd: grep -q good}");
    assert_eq!(sandbox.read("f"), "good too\n");
}

#[test]
fn a_link_is_followed_unless_it_is_to_make_way() {
    let sandbox = Sandbox::new();
    sandbox.write("real", "old\n");
    std::os::unix::fs::symlink("real", sandbox.path.join("link")).unwrap();
    sandbox.settle("file.managed", "{name: @/link, contents: new}");
    assert!(sandbox.path.join("link").is_symlink() && sandbox.read("real") == "new\n");
    sandbox.settle("file.managed", "{name: @/link, contents: newer, follow_symlinks: false}");
    assert!(!sandbox.path.join("link").is_symlink() && sandbox.read("real") == "new\n");
}

#[test]
fn what_upshift_cannot_do_is_refused_before_anything_runs() {
    let managed = states::find("file.managed").unwrap();
    for (argument, value) in
        [("template", "mako"), ("source", "ftp://a/b"), ("selinux", "x"), ("attrs", "!"), ("encoding", "koi8-r")]
    {
        let chunk = Dict::from_iter([(Data::from(argument), Data::from(value))]);
        assert!((managed.check)(&Args::new(&chunk)).is_err(), "{argument}");
    }
}

#[test]
fn a_folder_that_is_cleaned_keeps_what_its_requisites_manage() {
    let sandbox = Sandbox::new();
    for file in ["d/kept", "d/old", "d/sub/kept", "d/sub/old", "d/x/y", "d/skipped"] {
        sandbox.write(file, "x\n");
    }
    let chunk = |id: &str, path: &str| {
        let path = sandbox.path.join(path);
        Dict::from_iter(
            [("__id__", id), ("name", path.as_str()), ("fun", "managed")]
                .map(|(key, value)| (key.into(), value.into())),
        )
    };
    let low = [chunk("one", "d/kept"), chunk("two", "d/sub/kept")];
    let arguments = "{name: @/d, clean: true, exclude_pat: 'E@skip', require: [{file: one}, {file: two}]}";
    for preview in [true, false] {
        let cleaned = sandbox.state("file.directory", arguments, preview, &low);
        assert_eq!(cleaned.result, if preview { None } else { Some(true) });
        assert_eq!(sandbox.path.join("d/x").exists(), preview);
    }
    let left: Vec<String> = super::clean::walk(&sandbox.path.join("d"), None)
        .unwrap()
        .into_iter()
        .map(|entry| entry.path.to_string())
        .collect();
    let expected = ["d/kept", "d/skipped", "d/sub", "d/sub/kept"].map(|path| sandbox.path.join(path).to_string());
    assert_eq!(left, expected);
    assert!(sandbox.state("file.directory", arguments, false, &low).changes.entries.is_empty());
}

#[test]
fn folders_links_and_copies_are_made_once() {
    let sandbox = Sandbox::new();
    sandbox.settle("file.directory", "{name: @/a/b/c, makedirs: true, mode: 711}");
    assert_eq!([sandbox.mode("a"), sandbox.mode("a/b/c")], [0o711; 2]);
    sandbox.settle("file.recurse", "{name: @/r, source: salt://tree, file_mode: 600, clean: true}");
    assert_eq!((sandbox.read("r/sub/b").as_str(), sandbox.mode("r/a")), ("b\n", 0o600));
    sandbox.settle("file.symlink", "{name: @/l, target: @/r, user: 0, group: 0}");
    assert_eq!(fs::read_link(sandbox.path.join("l")).unwrap(), sandbox.path.join("r"));
    sandbox.settle("file.hardlink", "{name: @/h, target: @/r/a, user: 0, group: 0}");
    sandbox.settle("file.copy", "{name: @/copy, source: @/r, user: 0, group: 0}");
    assert_eq!(sandbox.read("copy/sub/b"), "b\n");
    sandbox.settle("file.rename", "{name: @/moved, source: @/copy}");
    assert!(!sandbox.path.join("copy").exists() && sandbox.path.join("moved/a").exists());
    sandbox.settle("file.absent", "{name: @/moved}");
    assert!(!sandbox.path.join("moved").exists());
}

#[test]
fn nothing_in_the_way_is_lost_without_force() {
    let sandbox = Sandbox::new();
    sandbox.write("f", "precious\n");
    let before = sandbox.tree();
    for (function, arguments) in [
        ("file.directory", "{name: @/f}"),
        ("file.symlink", "{name: @/f, target: /x, user: 0, group: 0}"),
        ("file.hardlink", "{name: @/f, target: /etc/hostname, user: 0, group: 0}"),
        ("file.recurse", "{name: @/f, source: salt://tree}"),
        ("file.managed", "{name: @/, contents: x}"),
        ("file.managed", "{name: @/missing/f, contents: x}"),
    ] {
        let refused = sandbox.state(function, arguments, false, &[]);
        assert_eq!((refused.result, refused.changes.entries.len()), (Some(false), 0), "{function}");
    }
    assert_eq!(sandbox.tree(), before);
}
