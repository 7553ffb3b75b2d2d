//! A host itself fails: frozen, restarted, full, down.

use std::time::Instant;

use super::{Ended, Site, pipeline};

#[test]
fn a_frozen_host_is_named_in_time_and_the_others_go_on() {
    let site = Site::with(3, "silence = \"20s\"");
    let frozen = site.hosts[1].clone();
    site.sandbox.write(
        "up.toml",
        &pipeline("max-failures = 2\n[[stage.step]]\nrun = \"touch /root/started; sleep 3; rm /root/started\""),
    );
    let run = site.start(["run", "up.toml"]);
    site.until(&frozen, "test -e /root/started");
    site.lab(["freeze", &frozen]);
    let begun = Instant::now();
    let ended = run.end().with(10);
    // The keepalive notices after 30 s, and then the host may be silent for 20 s.
    assert!(begun.elapsed().as_secs() < 75, "{:?}", begun.elapsed());
    site.lab(["thaw", &frozen]);
    assert!(ended.err.contains(&format!("{frozen} unreachable")), "{}", ended.err);
    let states = site.states();
    assert_eq!(states[&frozen], "unreachable");
    assert_eq!(states.values().filter(|state| *state == "changed").count(), 2);
}

#[test]
fn a_host_that_restarts_under_a_step_is_interrupted_or_tried_again_as_the_step_says() {
    let site = Site::of(2);
    let step = "run = \"echo x >> /root/count; test -e /root/restarted || { touch /root/restarted; sync; sleep 30; }\"";
    for (on_interrupt, code, state, count) in [("fail", 10, "interrupted", "x"), ("retry", 0, "changed", "x\nx")] {
        site.sandbox.write(
            "up.toml",
            &pipeline(&format!("max-failures = 3\n[[stage.step]]\n{step}\non-interrupt = \"{on_interrupt}\"")),
        );
        let run = site.start(["run", "up.toml"]);
        for host in &site.hosts {
            site.until(host, "test -e /root/restarted");
        }
        site.lab(["reboot", &site.hosts[0]]);
        site.lab(["stop", &site.hosts[1]]);
        site.lab(["start", &site.hosts[1]]);
        let ended = run.end().with(code);
        if code != 0 {
            assert!(ended.err.contains("the host restarted while it was under way"), "{}", ended.err);
        }
        let states = site.states();
        assert!(states.values().all(|found| found == state), "{states:?}");
        for host in &site.hosts {
            assert_eq!(site.inside(host, "cat /root/count; rm -f /root/count /root/restarted"), count);
        }
    }
}

#[test]
fn a_reboot_step_ends_when_the_host_is_back_with_another_boot() {
    let site = Site::of(2);
    site.sandbox.write(
        "up.toml",
        &pipeline("[[stage.step]]\nreboot = true\ntimeout = \"1m\"\n[[stage.step]]\nrun = \"cat /proc/sys/kernel/random/boot_id\""),
    );
    let before: Vec<_> =
        site.hosts.iter().map(|host| site.inside(host, "cat /proc/sys/kernel/random/boot_id")).collect();
    site.upshift(["run", "up.toml"]).with(0);
    for (host, before) in site.hosts.iter().zip(before) {
        let log = site.log(host);
        assert!(!log.contains(&before), "{log}");
        assert!(log.contains(&site.inside(host, "cat /proc/sys/kernel/random/boot_id")), "{log}");
    }
    assert!(site.states().values().all(|state| state == "changed"));
}

#[test]
fn a_full_disk_is_said_and_nothing_runs_there() {
    let site = Site::of(2);
    let full = site.hosts[0].clone();
    site.upshift(["ping", "all"]).with(0);
    site.lab(["fill", &full]);
    site.sandbox.write("up.toml", &pipeline("max-failures = 2\n[[stage.step]]\nrun = \"echo x >> /run/count\""));
    let ended = site.upshift(["run", "up.toml"]);
    site.lab(["unfill", &full]);
    assert!(ended.err.to_lowercase().contains("no space left"), "{}", ended.err);
    assert_eq!(site.inside(&full, "cat /run/count"), "");
    match ended {
        // It could not even be claimed.
        Ended { code: 14, .. } => assert_eq!(site.inside(&site.hosts[1], "cat /run/count"), ""),
        ended => {
            ended.with(10);
            assert_eq!(site.states()[&full], "failed");
            assert_eq!(site.inside(&site.hosts[1], "cat /run/count; rm /run/count"), "x");
        }
    }
}

#[test]
fn there_is_no_room_for_upshift_and_it_says_so() {
    let site = Site::of(1);
    let full = &site.hosts[0];
    site.inside(full, "rm -rf /var/lib/upshift");
    site.lab(["fill", full]);
    let ended = site.upshift(["ping", "all"]);
    site.lab(["unfill", full]);
    let ended = ended.with(14);
    assert!(ended.out.contains("no agent: upshift cannot be kept there"), "{}", ended.out);
    assert!(ended.out.to_lowercase().contains("no space left"), "{}", ended.out);
    assert!(ended.err.contains("`folder` in the inventory names another place"), "{}", ended.err);
    assert_eq!(site.inside(full, "ls /var/lib/upshift/agent"), "");
    site.upshift(["ping", "all"]).with(0);
}

#[test]
fn a_host_that_is_down_from_the_start_stops_everything_unless_it_is_skipped() {
    let site = Site::of(3);
    let down = site.hosts[2].clone();
    site.lab(["stop", &down]);
    site.sandbox.write("up.toml", &pipeline("[[stage.step]]\nrun = \"echo x >> /root/count\""));
    let ended = site.upshift(["run", "up.toml"]).with(14);
    let whys = ["no route to host", "connection timed out"];
    assert!(whys.iter().any(|why| ended.err.contains(&format!("{down} ({why})"))), "{}", ended.err);
    assert_eq!(site.inside(&site.hosts[0], "cat /root/count"), "");
    let states = site.states();
    assert_eq!(states[&down], "unreachable");
    let ended = site.upshift(["resume", "--skip", &down]);
    site.lab(["start", &down]);
    ended.with(0);
    let states = site.states();
    assert_eq!(states[&down], "skipped");
    assert_eq!(states.values().filter(|state| *state == "changed").count(), 2);
    for host in &site.hosts[..2] {
        assert_eq!(site.inside(host, "cat /root/count; rm /root/count"), "x");
    }
}
