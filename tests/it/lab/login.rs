//! Getting in: keys, users, and the place for upshift itself.

use super::{Site, pipeline};

#[test]
fn a_wrong_host_key_is_never_accepted() {
    let site = Site::of(2);
    let wrong = site.hosts[0].clone();
    site.lab(["rekey", &wrong]);
    let ping = site.upshift(["ping", "all"]);
    site.sandbox.write("up.toml", &pipeline("[[stage.step]]\nrun = \"echo x >> /root/count\""));
    let run = site.upshift(["run", "up.toml"]);
    site.lab(["rekey", &wrong, "back"]);
    let ping = ping.with(14);
    assert!(
        ping.out.contains(&format!("{wrong}  host key: its host key is not the one in known_hosts")),
        "{}",
        ping.out
    );
    assert!(ping.out.contains(&format!("{}  fine", site.hosts[1])), "{}", ping.out);
    assert!(run.with(14).err.contains("not the one in known_hosts"));
    assert_eq!(site.states()[&wrong], "unreachable");
    for host in &site.hosts {
        assert_eq!(site.inside(host, "cat /root/count"), "");
    }
}

#[test]
fn an_unknown_host_key_is_never_accepted() {
    let site = Site::of(1);
    let known = site.sandbox.path("known_hosts");
    std::fs::write(&known, "").unwrap();
    let options = format!("options = [\"UserKnownHostsFile={}\", \"StrictHostKeyChecking=no\"]", known.display());
    site.sandbox.write("inventory.toml", &site.inventory("", &options));
    let ended = site.upshift(["ping", "all"]).with(14);
    assert!(ended.out.contains("host key: its host key is not in known_hosts"), "{}", ended.out);
    assert_eq!(std::fs::read_to_string(known).unwrap(), "");
}

#[test]
fn a_user_becomes_root_with_sudo_or_is_told_why_not() {
    let site = Site::of(1);
    site.sandbox.write("up.toml", &pipeline("[[stage.step]]\nrun = \"id -un; pwd\""));
    site.sandbox.write("inventory.toml", &site.inventory("", "user = \"operator\""));
    site.upshift(["run", "up.toml"]).with(0);
    assert!(site.log(&site.hosts[0]).ends_with("\nroot\n/root\n"), "{}", site.log(&site.hosts[0]));
    site.sandbox.write("inventory.toml", &site.inventory("", "user = \"plain\""));
    let ended = site.upshift(["ping", "all"]).with(14);
    assert!(ended.out.contains("no root: sudo does not make this user root"), "{}", ended.out);
    let own = "user = \"plain\"\nbecome = false\nfolder = \"/home/plain/.upshift\"";
    site.sandbox.write("inventory.toml", &site.inventory("", own));
    site.upshift(["run", "up.toml"]).with(0);
    assert!(site.log(&site.hosts[0]).ends_with("\nplain\n/home/plain\n"), "{}", site.log(&site.hosts[0]));
    site.sandbox.write("inventory.toml", &site.inventory("", "user = \"nobody-known\""));
    let ended = site.upshift(["ping", "all"]).with(14);
    assert!(ended.out.contains("no login: it does not let this user in"), "{}", ended.out);
}

#[test]
fn a_place_where_nothing_may_be_run_is_named_with_the_setting_that_helps() {
    let site = Site::of(1);
    let host = &site.hosts[0];
    site.inside(host, "mkdir -p /srv/noexec && mount -t tmpfs -o noexec tmpfs /srv/noexec");
    site.sandbox.write("inventory.toml", &site.inventory("", "folder = \"/srv/noexec/upshift\""));
    let ended = site.upshift(["ping", "all"]);
    site.inside(host, "umount /srv/noexec");
    let ended = ended.with(14);
    assert!(ended.out.contains("no agent: upshift cannot be run from `/srv/noexec/upshift`"), "{}", ended.out);
    assert!(ended.err.contains("`folder` in the inventory"), "{}", ended.err);
    // A noexec /tmp, on the other hand, is nothing to upshift.
    site.inside(host, "mount -t tmpfs -o noexec tmpfs /tmp");
    site.sandbox.write("inventory.toml", &site.inventory("", ""));
    let ended = site.upshift(["ping", "all"]);
    site.inside(host, "umount /tmp");
    ended.with(0);
}

#[test]
fn an_upshift_for_another_processor_is_not_sent() {
    let site = Site::of(1);
    let mut program = std::fs::read(site.binary()).unwrap();
    program[18..20].copy_from_slice(&0xb7_u16.to_le_bytes());
    std::fs::write(site.sandbox.path("upshift-aarch64"), program).unwrap();
    site.sandbox.write("inventory.toml", &site.inventory("", "agent = \"upshift-aarch64\""));
    let ended = site.upshift(["ping", "all"]).with(14);
    assert!(ended.out.contains("no agent: it is x86_64, and this upshift is built for aarch64"), "{}", ended.out);
    assert!(ended.err.contains("build upshift for x86_64, and name that file as `agent`"), "{}", ended.err);
}

#[test]
fn what_arrives_damaged_is_not_kept() {
    let site = Site::of(1);
    let host = &site.hosts[0];
    // A gzip that cuts off the end, as a broken disk or a hostile hand might.
    site.inside(host, "rm -rf /var/lib/upshift; printf '#!/bin/sh\\n/bin/gzip \"$@\" | head -c 100000\\n' > /usr/local/bin/gzip; chmod 755 /usr/local/bin/gzip");
    let ended = site.upshift(["ping", "all"]);
    site.inside(host, "rm /usr/local/bin/gzip");
    assert!(ended.with(14).out.contains("what arrived is not what was sent"));
    assert_eq!(site.inside(host, "ls /var/lib/upshift/agent"), "");
    site.upshift(["ping", "all"]).with(0);
}

#[test]
fn without_sudo_it_says_that_there_is_none() {
    let site = Site::of(1);
    let host = &site.hosts[0];
    site.sandbox.write("inventory.toml", &site.inventory("", "user = \"operator\""));
    site.inside(host, "mv /usr/bin/sudo /usr/bin/sudo.away");
    let ended = site.upshift(["ping", "all"]);
    site.inside(host, "mv /usr/bin/sudo.away /usr/bin/sudo");
    let ended = ended.with(14);
    assert!(ended.out.contains("no root: there is no sudo to become root with"), "{}", ended.out);
}

#[test]
fn a_host_that_is_frozen_from_the_start_is_silent_and_not_unreachable_for_another_reason() {
    let site = Site::with(2, "timeout = \"3s\"");
    site.lab(["freeze", &site.hosts[0]]);
    let ended = site.upshift(["ping", "all"]);
    site.lab(["thaw", &site.hosts[0]]);
    let ended = ended.with(14);
    assert!(ended.out.contains("silent: it takes the connection and then says nothing"), "{}", ended.out);
    assert!(ended.out.contains(&format!("{}  fine", site.hosts[1])), "{}", ended.out);
}
