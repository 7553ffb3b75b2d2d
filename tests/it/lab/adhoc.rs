//! `exec` and `copy` on real hosts.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::Site;

#[test]
fn what_hosts_say_alike_is_said_once_and_the_worst_host_is_the_exit_code() {
    let site = Site::of(3);
    let ended = site.upshift(["exec", "cmp", "--", "echo same; id -un"]).with(0);
    assert_eq!(ended.out.matches("same").count(), 1, "{}", ended.out);
    assert!(ended.out.contains("root"), "{}", ended.out);
    let one = &site.hosts[1];
    let ended = site.upshift(["exec", "cmp", "--", &format!("test $(hostname) != {one}")]).with(10);
    assert!(format!("{}{}", ended.out, ended.err).contains(&format!("{one}: exit code 1")), "{ended:?}");
    // It is agentless: nothing of it is left.
    site.inside(one, "rm -rf /var/lib/upshift");
    site.upshift(["exec", one, "--", "true"]).with(0);
    assert_eq!(site.inside(one, "ls /var/lib/upshift 2>&1 | grep -c 'No such'"), "1");
}

#[test]
fn a_host_that_freezes_under_a_command_is_named_and_the_others_are_shown() {
    let site = Site::of(3);
    let frozen = &site.hosts[2];
    let exec = site.start(["exec", "cmp", "--", "touch /root/started; sleep 3; echo done"]);
    site.until(frozen, "test -e /root/started");
    site.lab(["freeze", frozen]);
    let ended = exec.end();
    site.lab(["thaw", frozen]);
    let ended = ended.with(10);
    assert!(ended.err.contains(&format!("{frozen}: unreachable: the connection was lost")), "{ended:?}");
    assert!(ended.out.contains("done"), "{ended:?}");
}

#[test]
fn a_file_arrives_whole_though_the_connection_is_cut_and_travels_once() {
    let site = Site::of(2);
    let mut text = String::new();
    for n in 0..2_000_000 {
        let _ = writeln!(text, "{n} of a large file");
    }
    site.sandbox.write("large", &text);
    let digest = Sha256::digest(&text).iter().fold(String::new(), |digest, byte| format!("{digest}{byte:02x}"));
    // About 15 s at this rate.
    site.lab(["rate", &site.hosts[0], "20000"]);
    let copy = site.start(["copy", "cmp", "large", "/srv/large"]);
    site.until(&site.hosts[0], "find /var/lib/upshift/files -size +4M | grep -q .");
    site.lab(["cut", &site.hosts[0], "10"]);
    let ended = copy.end();
    site.lab(["rate", &site.hosts[0], "0"]);
    ended.with(0);
    for host in &site.hosts {
        assert_eq!(site.inside(host, "sha256sum < /srv/large | cut -d' ' -f1"), digest);
    }
    let ended = site.upshift(["copy", "cmp", "large", "/srv/large"]).with(0);
    assert!(ended.out.contains("unchanged"), "{ended:?}");
    for host in &site.hosts {
        site.inside(host, "rm -rf /srv/large /var/lib/upshift/files");
    }
}

#[test]
fn formulas_are_compiled_for_each_host_with_its_own_grains_and_answers() {
    let site = Site::of(3);
    site.sandbox
        .write(
            "formulas/here.sls",
            "{% if salt['file.file_exists']('/root/odd') %}\n{{ raise('odd on ' ~ grains.id) }}\n{% endif %}\n\
             {{ grains.id }}:\n  cmd.run:\n    - name: echo {{ salt['cmd.run']('hostname') }} {{ grains.osfinger }}\n",
        )
        .write("formulas/far.sls", "{% if false %}{{ salt['frob.nicate']() }}{% endif %}\n");
    let ended = site.upshift(["formula", "check", "cmp", "here"]).with(0);
    assert!(ended.out.contains(": 1 state\n"), "{ended:?}");
    // What one host answers differently is said for that host alone.
    site.inside(&site.hosts[1], "touch /root/odd");
    let ended = site.upshift(["formula", "check", "cmp", "here"]).with(2);
    site.inside(&site.hosts[1], "rm /root/odd");
    assert!(ended.out.contains(&format!("{}: here.sls:2: odd on {}", site.hosts[1], site.hosts[1])), "{ended:?}");
    assert_eq!(ended.out.matches("odd on").count(), 2, "{ended:?}");
    // A function that nobody has is listed although no host comes by it.
    let ended = site.upshift(["formula", "check", "cmp", "far"]).with(2);
    assert!(ended.out.contains("far.sls:1: upshift does not have the function `frob.nicate`"), "{ended:?}");
}
