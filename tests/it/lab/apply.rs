//! Formulas are applied on real hosts.

use std::os::unix::fs::PermissionsExt as _;

use super::{Site, pipeline};

/// A site with a formula that manages files and takes its time.
fn site(count: usize) -> Site {
    let site = Site::of(count);
    let states = "/etc/app.conf:
  file.managed:
    - source: salt://app/app.conf
    - template: jinja
    - mode: 640
slow:
  cmd.run:
    - name: echo x >> /root/slow; sleep 8; echo slept
    - unless: test -e /root/done
    - require: [{file: /etc/app.conf}]
done:
  cmd.run:
    - name: touch /root/done
    - creates: /root/done
    - require: [{cmd: slow}]
";
    site.sandbox.write("formulas/app/init.sls", states);
    site.sandbox.write("formulas/app/app.conf", "host = {{ grains.id }}\npassword = {{ pillar.app.password }}\n");
    site.sandbox.write("pillar/top.sls", "base: {'*': [app]}\n");
    site.sandbox.write("pillar/app.sls", "app: {password: top-secret-of-{{ grains.id }}}\n");
    site.sandbox.write(
        "up.toml",
        &formulas(&pipeline("[[stage.step]]\napply = [\"app\"]\non-interrupt = \"retry\"\nretries = 2")),
    );
    site
}

fn formulas(pipeline: &str) -> String {
    let keys = "[pipeline]\nformulas = [\"formulas\"]\npillar = [\"pillar\"]\nsecret = [\"app:password\"]\n";
    pipeline.replacen("[pipeline]\n", keys, 1)
}

#[test]
fn a_preview_changes_nothing_an_apply_does_and_a_second_one_has_nothing_to_do() {
    let site = site(2);
    let apply = ["apply", "cmp", "app", "--pillar-root", "pillar", "--secret", "app:*"];
    let preview = site.upshift(apply.into_iter().chain(["--preview"])).with(0);
    assert!(preview.out.contains("would change: file.managed /etc/app.conf"), "{}", preview.out);
    for host in &site.hosts {
        assert_eq!(site.inside(host, "ls /etc/app.conf /root/slow 2>&1 | grep -c 'No such'"), "2");
    }
    let ended = site.upshift(apply).with(0);
    assert!(ended.out.contains("6 states on 2 hosts: 6 changed"), "{}", ended.out);
    for host in &site.hosts {
        let text = format!("host = {host}\npassword = top-secret-of-{host}");
        assert_eq!(site.inside(host, "cat /etc/app.conf"), text);
        assert_eq!(site.inside(host, "stat -c %a /etc/app.conf"), "640");
        // Its pillar is nowhere else, and it knows no other's.
        assert_eq!(site.inside(host, "grep -rl top-secret /var/lib/upshift /run /tmp /var/tmp /var/log; true"), "");
    }
    let shown = format!("{preview:?}{ended:?}");
    assert!(!shown.contains("top-secret"), "{shown}");
    let again = site.upshift(apply).with(0);
    assert!(again.out.contains("6 states on 2 hosts: 6 unchanged"), "{}", again.out);
}

#[test]
fn a_plan_asks_hosts_what_its_formulas_would_change() {
    let site = site(2);
    let host = &site.hosts[1];
    let planned = site.upshift(["plan", "up.toml", "--preview", "--hosts", host]).with(0);
    assert!(planned.out.contains("would change: file.managed /etc/app.conf"), "{}", planned.out);
    assert!(planned.out.contains("3 states: 3 would change"), "{}", planned.out);
    assert!(!format!("{planned:?}").contains("top-secret"), "{planned:?}");
    for host in &site.hosts {
        assert_eq!(site.inside(host, "ls /etc/app.conf /root/slow 2>&1 | grep -c 'No such'"), "2");
    }
}

#[test]
fn formula_files_keep_their_modes_and_links_on_the_way() {
    let site = site(1);
    let states = "/srv/tree:\n  file.recurse: [{source: 'salt://kept/files'}, {file_mode: keep}, {keep_symlinks: true}]\n\
                  /srv/run:\n  file.managed: [{source: 'salt://kept/pike/run'}, {mode: keep}]\n";
    site.sandbox.write("formulas/kept/init.sls", states);
    site.sandbox.write("formulas/kept/files/run", "#!/bin/sh\n");
    let at = |path: &str| site.sandbox.path(format!("formulas/kept/{path}"));
    std::fs::set_permissions(at("files/run"), std::fs::Permissions::from_mode(0o750)).unwrap();
    std::os::unix::fs::symlink("run", at("files/start")).unwrap();
    std::os::unix::fs::symlink("files", at("pike")).unwrap();
    site.upshift(["apply", "cmp", "kept"]).with(0);
    let found = site.inside(&site.hosts[0], "stat -c '%a %n' /srv/tree/run /srv/run; readlink /srv/tree/start");
    assert_eq!(found, "750 /srv/tree/run\n750 /srv/run\nrun");
    let again = site.upshift(["apply", "cmp", "kept"]).with(0);
    assert!(again.out.contains("2 states: 2 unchanged"), "{}", again.out);
}

#[test]
fn a_call_on_a_host_and_a_run_keep_out_of_each_others_way() {
    let site = site(1);
    let host = &site.hosts[0];
    site.sandbox.write("formulas/slow/init.sls", "slow:\n  cmd.run:\n    - name: touch /root/slow; sleep 300\n");
    let call = "cd /root && mkdir -p formulas && cat >formulas/quick.sls <<<'quick: {test.nop: []}' && $(ls -d /var/lib/upshift/agent/* | head -1) call quick";
    let run = site.start(["apply", "cmp", "slow"]);
    site.until(host, "test -e /root/slow");
    let refused = site.inside(host, &format!("bash -c {} 2>&1; echo $?", shlex::try_quote(call).unwrap()));
    assert!(refused.contains("this machine is not free: run") && refused.ends_with("16"), "{refused}");
    site.inside(host, "pkill -f 'sleep 30[0]'");
    run.end();
    let done = site.inside(host, &format!("bash -c {} 2>&1; echo $?", shlex::try_quote(call).unwrap()));
    assert!(done.contains("1 unchanged") && done.ends_with('0'), "{done}");
}

#[test]
fn states_go_on_when_the_connection_is_cut_and_upshift_is_killed() {
    let site = site(2);
    let run = site.start(["run", "up.toml"]);
    site.hosts.iter().for_each(|host| site.until(host, "test -s /root/slow"));
    site.lab(["cut", &site.hosts[0], "5"]);
    run.kill();
    site.upshift(["resume"]).with(0);
    for host in &site.hosts {
        assert_eq!(site.inside(host, "cat /root/slow; ls /root/done"), "x\n/root/done");
        assert!(site.log(host).contains("slept"), "{}", site.log(host));
    }
    assert!(site.states().values().all(|state| state == "changed"));
}

#[test]
fn what_the_power_cut_off_is_done_again_from_the_state_that_was_under_way() {
    let site = site(1);
    let host = &site.hosts[0];
    let run = site.start(["run", "up.toml"]);
    site.until(host, "test -s /root/slow");
    site.inside(host, "pkill -KILL -f 'agent ste[p]'");
    run.end().with(0);
    assert_eq!(site.inside(host, "cat /root/slow; ls /root/done"), "x\nx\n/root/done");
}

#[test]
fn a_formula_that_wants_what_upshift_does_not_have_touches_nothing() {
    let site = site(1);
    site.sandbox.write(
        "formulas/bad/init.sls",
        "/etc/bad:\n  file.managed:\n    - contents: x\nuser:\n  keystoneng.user_present\n",
    );
    let ended = site.upshift(["apply", "cmp", "bad"]).with(10);
    assert!(ended.err.contains("bad/init.sls:4: upshift has no state `keystoneng.user_present`"), "{}", ended.err);
    assert_eq!(ended.out, "");
    assert_eq!(site.inside(&site.hosts[0], "ls /etc/bad 2>&1 | grep -c 'No such'"), "1");
}

#[test]
fn formulas_with_modules_of_their_own_go_through_the_salt_of_the_host() {
    let site = site(2);
    let [with, without] = &site.hosts[..] else { panic!("two hosts") };
    let module = "def said(name, word):
    ret = {'name': name, 'result': True, 'changes': {}, 'comment': 'as it should be'}
    if __salt__['greeting.read'](name) != word:
        ret.update(result=None if __opts__['test'] else True, changes={name: word}, comment='said')
        if not __opts__['test']:
            open(name, 'w').write(word)
    return ret
";
    let reader = "import os\n\ndef read(path):\n    return open(path).read() if os.path.exists(path) else None\n";
    site.sandbox.write("formulas/_states/greeting.py", module);
    site.sandbox.write("formulas/_modules/greeting.py", reader);
    let states = "/etc/greeting:\n  greeting.said:\n    - word: {{ pillar.app.password }}\n";
    site.sandbox.write("formulas/own/init.sls", states);
    site.sandbox
        .write("formulas/own/wrong.sls", "/etc/wrong:\n  file.managed:\n    - contents: {{ nothing.at.all }}\n");
    site.inside(with, "ln -s /opt/salt/bin/salt-call /usr/local/bin; mkdir -p /etc/salt/minion.d; echo 'enable_fqdns_grains: false' >/etc/salt/minion.d/lab.conf");
    let apply = |host: &str, sls: &str, more: &[&str]| {
        let fixed = ["apply", host, sls, "--engine", "salt", "--pillar-root", "pillar", "--secret", "app:*"];
        site.upshift(fixed.into_iter().chain(more.iter().copied()))
    };
    let ended = apply(without, "own", &[]).with(10);
    assert!(ended.err.contains("this host has no `salt-call`"), "{}", ended.err);
    let preview = apply(with, "own", &["--preview"]).with(0);
    assert!(preview.out.contains("would change: greeting.said /etc/greeting"), "{}", preview.out);
    assert_eq!(site.inside(with, "ls /etc/greeting 2>&1 | grep -c 'No such'"), "1");
    let changed = apply(with, "own", &[]).with(0);
    assert!(changed.out.contains("1 state: 1 changed"), "{}", changed.out);
    assert_eq!(site.inside(with, "cat /etc/greeting"), format!("top-secret-of-{with}"));
    let again = apply(with, "own", &[]).with(0);
    assert!(again.out.contains("1 unchanged"), "{}", again.out);
    let wrong = apply(with, "own.wrong", &[]).with(10);
    assert!(wrong.err.contains("nothing was touched") && wrong.err.contains("nothing"), "{}", wrong.err);
    let shown = format!("{preview:?}{changed:?}{again:?}");
    assert!(!shown.contains("top-secret"), "{shown}");
    assert_eq!(
        site.inside(
            with,
            "find /run/upshift/salt -mindepth 1 -type d; grep -rl top-secret /var/cache /var/log /tmp /run; true"
        ),
        ""
    );
    site.inside(with, "rm -r /usr/local/bin/salt-call /etc/salt");
}

#[test]
fn what_an_agent_that_is_killed_was_running_for_a_state_is_ended() {
    let site = site(1);
    let host = &site.hosts[0];
    site.sandbox
        .write("formulas/long/init.sls", "long:\n  cmd.run:\n    - name: echo $$ >/root/long; sleep 300 & wait\n");
    let run = site.start(["apply", "cmp", "long"]);
    site.until(host, "test -s /root/long");
    site.inside(host, "pkill -KILL -f 'agent ste[p]'");
    let ended = run.end().with(10);
    assert!(ended.err.contains("its command was still going and was ended"), "{}", ended.err);
    assert_eq!(site.inside(host, "kill -0 $(cat /root/long) 2>&1 | grep -c 'No such process'"), "1");
}
