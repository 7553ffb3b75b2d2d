//! File states in a folder of their own.

use fs_err as fs;

use crate::formula::{Data, Dict};
use crate::states::sandbox::{Sandbox, change};
use crate::states::{self, Args};

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
fn with_recurse_the_folder_itself_is_put_right_only_along_with_something_else() {
    let sandbox = Sandbox::new();
    sandbox.write("d/f", "");
    let before = sandbox.mode("d");
    let arguments = "{name: @/d, dir_mode: 700, recurse: [ignore_files]}";
    assert!(sandbox.state("file.directory", arguments, false, &[]).changes.entries.is_empty());
    assert_eq!(sandbox.mode("d"), before);
    sandbox.settle("file.directory", "{name: @/d, dir_mode: 700, file_mode: 600, recurse: [mode]}");
    assert_eq!((sandbox.mode("d"), sandbox.mode("d/f")), (0o700, 0o600));
}

#[test]
fn a_template_includes_a_file_of_the_host() {
    let sandbox = Sandbox::new();
    sandbox.write("key", "of the host\n");
    let arguments = "{name: @/f, source: salt://app/includes, template: jinja, context: {file: @/key}}";
    sandbox.settle("file.managed", arguments);
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
fn a_name_that_ends_in_a_slash_is_a_folder() {
    let sandbox = Sandbox::new();
    sandbox.write("f", "x\n");
    sandbox.settle("file.copy", "{name: @/copies/, source: @/f, makedirs: true, user: 0, group: 0}");
    assert_eq!(sandbox.read("copies/f"), "x\n");
    let refused = sandbox.state("file.copy", "{name: @/none/, source: @/f, user: 0, group: 0}", false, &[]);
    assert!(refused.result == Some(false) && !sandbox.path.join("none").exists());
    sandbox.settle("file.rename", "{name: @/moved/, source: @/f, makedirs: true}");
    assert_eq!(sandbox.read("moved/f"), "x\n");
    let touched = sandbox.state("file.touch", "{name: @/empty/, makedirs: true}", false, &[]);
    assert!(touched.result == Some(true) && sandbox.path.join("empty").is_dir());
}

#[test]
fn a_file_that_is_not_to_be_replaced_needs_no_source() {
    let sandbox = Sandbox::new();
    sandbox.write("f", "x\n");
    sandbox.settle("file.managed", "{name: @/f, source: [salt://nowhere], replace: false, mode: 600}");
    assert_eq!((sandbox.read("f").as_str(), sandbox.mode("f")), ("x\n", 0o600));
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
