//! `upshift formula` as a person types it.

use std::path::Path;
use std::process::Command;

use super::sandbox::Sandbox;

/// Runs a command; the exit code, stdout and stderr.
fn run<'a>(sandbox: &Sandbox, arguments: impl IntoIterator<Item = &'a str>) -> (i32, String, String) {
    let output = sandbox.upshift(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn web() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox
        .write(
            "formulas/web/init.sls",
            "{% from 'web/map.jinja' import web with context %}\n\
             web-package:\n  pkg.installed:\n    - name: {{ web.package }}\n\
             web-config:\n  file.managed:\n    - name: /etc/web.conf\n    - source: salt://web/files/web.conf.j2\n    \
             - template: jinja\n    - require:\n      - pkg: web-package\n",
        )
        .write("formulas/web/map.jinja", "{% set web = salt['grains.filter_by']({'Debian': {'package': 'nginx'}}) %}\n")
        .write("formulas/web/files/web.conf.j2", "listen {{ pillar.web.port }}\nas {{ as }}\n")
        .write("grains.yaml", "{os: Debian, os_family: Debian, id: web01}\n");
    sandbox
}

#[test]
fn show_prints_the_low_state_in_three_ways() {
    let sandbox = web();
    let (code, text, error) = run(&sandbox, ["formula", "show", "web", "--grains", "grains.yaml"]);
    assert_eq!((code, error.as_str()), (0, ""));
    assert_eq!(
        text,
        "web-package: pkg.installed nginx  (web)\n\
         web-config: file.managed /etc/web.conf  (web)\n    source: salt://web/files/web.conf.j2\n    \
         template: jinja\n    require: [{pkg: web-package}]\n2 states\n"
    );
    let (_, json, _) = run(&sandbox, ["formula", "show", "web", "--grains", "grains.yaml", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[1]["require"][0]["pkg"], "web-package");
    assert_eq!(json[1]["order"], 10001);
    let (_, yaml, _) = run(&sandbox, ["formula", "show", "web", "-g", "grains.yaml", "-f", "yaml"]);
    assert!(yaml.starts_with("- ") && yaml.contains("  name: nginx\n"), "{yaml}");
}

#[test]
fn a_top_file_and_a_pillar_tree_say_what_a_host_gets() {
    let sandbox = web();
    sandbox
        .write("formulas/top.sls", "base:\n  'G@os:Debian and I@web:port':\n    - web\n")
        .write("pillar/top.sls", "base:\n  'web*':\n    - ports\n")
        .write("pillar/ports.sls", "web:\n  port: {{ 8000 + 80 }}\n");
    let (code, text, error) = run(&sandbox, ["formula", "show", "-g", "grains.yaml", "--pillar-root", "pillar"]);
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(text.ends_with("2 states\n"), "{text}");
    let render =
        ["formula", "render", "formulas/web/files/web.conf.j2", "-g", "grains.yaml", "--pillar-root", "pillar"];
    let (_, text, error) = run(&sandbox, render.into_iter().chain(["--context", "{as: www-data}"]));
    assert_eq!((text.as_str(), error.as_str()), ("listen 8080\nas www-data\n", ""));
}

#[test]
fn an_error_names_every_place_that_leads_to_it() {
    let sandbox = web();
    sandbox.write("formulas/web/map.jinja", "\n{% set web = pillar.nothing.there %}\n");
    let (code, text, error) = run(&sandbox, ["formula", "show", "web", "--grains", "grains.yaml"]);
    assert_eq!((code, text.as_str()), (2, ""));
    assert_eq!(
        error,
        "error: web/map.jinja:2: `pillar.nothing` is undefined\n      \
         2 | {% set web = pillar.nothing.there %}\n  from web/init.sls:1\n"
    );
    sandbox.write("formulas/web/init.sls", "a:\n  cmd.run:\n    - name: |\n   echo\n");
    let (_, _, error) = run(&sandbox, ["formula", "show", "web", "--grains", "grains.yaml"]);
    assert!(error.starts_with("error: web/init.sls (rendered):4: "), "{error}");
    sandbox.write("formulas/web/init.sls", "#!py\ndef run():\n  return {}\n");
    let (_, _, error) = run(&sandbox, ["formula", "show", "web", "--grains", "grains.yaml"]);
    assert!(error.starts_with("error: web/init.sls:1: upshift does not have the renderer `py`"), "{error}");
    sandbox.write("formulas/web/init.sls", "{{ salt['frob.nicate'](1) }}\n");
    let (_, _, error) = run(&sandbox, ["formula", "show", "web", "--grains", "grains.yaml"]);
    assert!(error.starts_with("error: web/init.sls:1: upshift does not have the function `frob.nicate`"), "{error}");
    let (_, _, error) = run(&sandbox, ["formula", "show", "webs", "--grains", "grains.yaml"]);
    assert!(error.contains("hint: did you mean `web`?"), "{error}");
}

#[test]
fn missing_requisites_and_circles_are_refused_before_anything_runs() {
    let sandbox = Sandbox::new();
    sandbox.write("formulas/a.sls", "x:\n  test.nop:\n    - require:\n      - test: y\n");
    let (code, _, error) = run(&sandbox, ["formula", "show", "a", "-g", "{id: a}"]);
    assert_eq!(code, 2);
    assert!(error.contains("test: y"), "{error}");
    let (code, text, _) = run(&sandbox, ["formula", "show", "a", "-g", "{id: a}", "--unchecked"]);
    assert_eq!((code, text.ends_with("1 state\n")), (0, true));
    sandbox.write(
        "formulas/a.sls",
        "x:\n  test.nop:\n    - require: [{test: y}]\ny:\n  test.nop:\n    - watch: [{test: z}]\nz:\n  test.nop:\n    \
         - require: [{test: x}]\n",
    );
    let (code, _, error) = run(&sandbox, ["formula", "show", "a", "-g", "{id: a}"]);
    assert_eq!(code, 2);
    assert!(["x", "y", "z"].iter().all(|id| error.contains(id)), "{error}");
}

#[test]
fn hosts_that_are_not_there_are_said_of_what_was_typed() {
    let sandbox = web();
    sandbox.write("inventory.toml", "[groups.web]\nhosts = ['web01']\n");
    let (code, _, err) = run(&sandbox, ["apply", "wbe", "web"]);
    assert_eq!(code, 2, "{err}");
    assert!(err.starts_with("error: `wbe` selects the group `wbe`, which the inventory does not have\n"), "{err}");
    assert!(!sandbox.path(".upshift").exists());
}

#[test]
fn recorded_answers_stand_in_for_a_host() {
    let sandbox = Sandbox::new();
    sandbox
        .write("formulas/a.sls", "x:\n  test.nop:\n    - name: {{ salt['cmd.run']('uname -r') }}\n")
        .write("facts.yaml", "- {function: cmd.run, args: ['uname -r'], answer: 6.1.0}\n");
    let (code, text, _) = run(&sandbox, ["formula", "show", "a", "-g", "{id: a}", "--facts", "facts.yaml"]);
    assert_eq!((code, text.as_str()), (0, "x: test.nop 6.1.0  (a)\n1 state\n"));
    let (code, _, error) = run(&sandbox, ["formula", "show", "a", "-g", "{id: a}"]);
    assert_eq!(code, 2);
    assert!(error.contains("record it as {\"function\":\"cmd.run\",\"args\":[\"uname -r\"]"), "{error}");
}

#[test]
fn formulas_come_from_git_at_a_commit_and_from_a_package() {
    let sandbox = web();
    let folder = sandbox.path("formulas");
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(&folder).args(["-c", "user.name=a", "-c", "user.email=a@example.net"]).args(arguments);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "first"]);
    let commit = git(&["rev-parse", "HEAD"]);
    sandbox.write("formulas/web/map.jinja", "{% set web = {'package': 'apache2'} %}\n");
    git(&["commit", "-q", "-a", "-m", "second"]);
    let show = |from: &[&str]| {
        let arguments = ["formula", "show", "web", "-g", "grains.yaml"].into_iter().chain(from.iter().copied());
        run(&sandbox, arguments.collect::<Vec<_>>())
    };
    let url = folder.to_str().unwrap();
    let (code, text, error) = show(&["--git", &format!("{url}@{commit}")]);
    assert!(code == 0 && text.contains("pkg.installed nginx"), "{text}{error}");
    let (code, text, error) = show(&["--git", &format!("{url}@main")]);
    assert!(code == 0 && text.contains("pkg.installed apache2"), "{text}{error}");
    let (code, _, error) = show(&["--git", &format!("{url}@nowhere")]);
    assert!(code == 2 && error.contains("has no branch or tag `nowhere`"), "{error}");

    let package = sandbox.path("package");
    let env = package.join("usr/share/salt-formulas/env/web");
    std::fs::create_dir_all(&env).unwrap();
    copy(&folder.join("web"), &env);
    sandbox.write(
        "package/DEBIAN/control",
        "Package: web-formula\nVersion: 1\nArchitecture: all\nMaintainer: a <a@example.net>\nDescription: a\n",
    );
    let built = Command::new("dpkg-deb").arg("--build").arg(&package).arg(sandbox.path("web.deb")).output().unwrap();
    assert!(built.status.success(), "{built:?}");
    let (code, text, error) = show(&["--package", "web.deb"]);
    assert!(code == 0 && text.contains("pkg.installed apache2"), "{text}{error}");
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&to).unwrap();
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn check_compiles_for_this_machine_too_and_lists_what_upshift_does_not_have() {
    let sandbox = Sandbox::new();
    sandbox
        .write("inventory.toml", "[groups.here]\nhosts = [\"a\", \"b\"]\ntransport = \"local\"\n")
        .write("formulas/a/init.sls", "{{ grains.id }}:\n  test.nop: []\n")
        .write("formulas/a/other.sls", "{# salt['no.such']() #}\n{{ salt['frob.nicate']() }}\n");
    let (code, text, _) = run(&sandbox, ["formula", "check", "here", "a"]);
    assert_eq!(
        (code, text.as_str()),
        (2, "a,b: 1 state\na/other.sls:2: upshift does not have the function `frob.nicate`\n")
    );
    std::fs::remove_file(sandbox.path("formulas/a/other.sls")).unwrap();
    let (code, text, error) = run(&sandbox, ["formula", "check", "here", "a"]);
    assert_eq!((code, text.as_str(), error.as_str()), (0, "a,b: 1 state\n", "all 2 hosts answer\n"));
}
