//! A person says something to a run from a second terminal.

use super::{Site, has_every_line, lines, pipeline};

#[test]
fn stop_ends_what_is_under_way_and_starts_nothing_more() {
    let site = Site::of(3);
    site.sandbox.write("up.toml", &pipeline(&format!("fan-out = 1\n[[stage.step]]\nrun = {:?}", lines(20))));
    let run = site.start(["run", "up.toml"]);
    site.until(&site.hosts[0], "test -s /root/count");
    site.upshift(["stop"]).with(0);
    run.end().with(11);
    has_every_line(&site.log(&site.hosts[0]), 20);
    assert_eq!(site.inside(&site.hosts[1], "cat /root/count"), "");
    let states = site.states();
    assert_eq!(states.values().filter(|state| *state == "changed").count(), 1, "{states:?}");
    site.upshift(["resume"]).with(0);
    assert!(site.states().values().all(|state| state == "changed"));
    for host in &site.hosts {
        assert_eq!(site.inside(host, "cat /root/count; rm /root/count"), "x");
    }
}

#[test]
fn abort_ends_the_whole_process_group_on_the_host_and_puts_it_back() {
    let site = Site::of(2);
    site.sandbox.write(
        "up.toml",
        &pipeline("[[stage.step]]\nrun = \"touch /root/started; (sleep 4711; true) | cat; true\"\nalways = \"rm /root/started\""),
    );
    let run = site.start(["run", "up.toml"]);
    for host in &site.hosts {
        site.until(host, "test -e /root/started && pgrep -f 'sleep 471[1]'");
    }
    site.upshift(["abort"]).with(0);
    run.end().with(11);
    for host in &site.hosts {
        assert_eq!(site.inside(host, "pgrep -f 'sleep 471[1]'; ls /root/started 2>/dev/null"), "");
    }
    let states = site.states();
    assert!(states.values().all(|state| state == "interrupted"), "{states:?}");
}

#[test]
fn a_timeout_ends_the_whole_process_group_on_the_host() {
    let site = Site::of(1);
    site.sandbox.write("up.toml", &pipeline("[[stage.step]]\nrun = \"(sleep 4712; true) | cat\"\ntimeout = \"2s\""));
    site.upshift(["run", "up.toml"]).with(10);
    assert_eq!(site.states()[&site.hosts[0]], "timed out");
    assert_eq!(site.inside(&site.hosts[0], "pgrep -f 'sleep 471[2]'"), "");
}

#[test]
fn a_skipped_host_is_put_back_after_its_step_and_the_others_go_on() {
    let site = Site::of(3);
    site.sandbox.write(
        "up.toml",
        &pipeline("fan-out = 2\n[[stage.step]]\nrun = \"echo 1 >> /root/count; sleep 3\"\nalways = \"echo always >> /root/count\"\n[[stage.step]]\nrun = \"echo 2 >> /root/count\""),
    );
    let run = site.start(["run", "up.toml"]);
    site.until(&site.hosts[0], "test -s /root/count");
    site.upshift(["skip", &site.hosts[0]]).with(0);
    site.upshift(["skip", &site.hosts[2]]).with(0);
    run.end().with(0);
    let states = site.states();
    assert_eq!(states.values().map(String::as_str).collect::<Vec<_>>(), ["skipped", "changed", "skipped"]);
    let counts: Vec<_> =
        site.hosts.iter().map(|host| site.inside(host, "cat /root/count; rm -f /root/count")).collect();
    assert_eq!(counts, ["1\nalways", "1\n2\nalways", ""]);
}
