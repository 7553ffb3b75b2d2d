//! The network fails, and comes back or does not.

use super::{Site, has_every_line, lines, pipeline};

#[test]
fn a_cut_of_10_s_and_one_of_60_s_are_survived() {
    let site = Site::of(3);
    site.sandbox.write("up.toml", &pipeline(&format!("[[stage.step]]\nrun = {:?}", lines(100))));
    let run = site.start(["run", "up.toml"]);
    for host in &site.hosts {
        site.until(host, "test -s /root/count");
    }
    std::thread::scope(|scope| {
        scope.spawn(|| site.lab(["cut", &site.hosts[0], "10"]));
        scope.spawn(|| site.lab(["cut", &site.hosts[1], "60"]));
    });
    run.end().with(0);
    for host in &site.hosts {
        has_every_line(&site.log(host), 100);
        assert_eq!(site.inside(host, "cat /root/count; rm /root/count"), "x");
    }
    assert!(site.states().values().all(|state| state == "changed"));
}

#[test]
fn a_killed_sshd_is_survived() {
    let site = Site::of(2);
    site.sandbox.write("up.toml", &pipeline(&format!("[[stage.step]]\nrun = {:?}", lines(50))));
    let run = site.start(["run", "up.toml"]);
    site.until(&site.hosts[0], "test -s /root/count");
    site.lab(["kill-sshd", &site.hosts[0], "all"]);
    site.lab(["kill-sshd", &site.hosts[1], "sessions"]);
    let ended = run.end().with(0);
    assert!(ended.err.contains("the connection was lost; connecting again"), "{}", ended.err);
    assert!(site.states().values().all(|state| state == "changed"));
    for host in &site.hosts {
        has_every_line(&site.log(host), 50);
        assert_eq!(site.inside(host, "cat /root/count; rm /root/count"), "x");
    }
}

#[test]
fn a_host_that_stays_away_is_unreachable_and_the_others_go_on() {
    let site = Site::with(3, "silence = \"15s\"");
    let lost = site.hosts[1].clone();
    site.sandbox.write("up.toml", &pipeline(&format!("max-failures = 2\n[[stage.step]]\nrun = {:?}", lines(20))));
    let run = site.start(["run", "up.toml"]);
    site.until(&lost, "test -s /root/count");
    site.lab(["cut", &lost]);
    let ended = run.end().with(10);
    site.lab(["heal", &lost]);
    assert!(ended.err.contains("no answer for"), "{}", ended.err);
    let states = site.states();
    assert_eq!(states[&lost], "unreachable");
    assert_eq!(states.values().filter(|state| *state == "changed").count(), 2);
    site.inside(&site.hosts[0], "rm -f /root/count");
}

#[test]
fn a_step_that_went_on_while_its_host_was_unreachable_is_not_run_again() {
    let site = Site::with(1, "silence = \"5s\"");
    let host = &site.hosts[0];
    site.sandbox.write("up.toml", &pipeline("[[stage.step]]\nrun = \"echo x >> /root/count; sleep 75; echo done\""));
    let run = site.start(["run", "up.toml"]);
    site.until(host, "test -s /root/count");
    site.lab(["cut", host]);
    run.end().with(10);
    assert_eq!(site.states()[host], "unreachable");
    site.lab(["heal", host]);
    site.upshift(["resume"]).with(0);
    assert_eq!(site.states()[host], "changed");
    assert_eq!(site.inside(host, "cat /root/count"), "x");
    assert!(site.log(host).ends_with("done\n"), "{}", site.log(host));
}

#[test]
fn a_connection_that_an_earlier_command_left_and_that_leads_nowhere_is_not_the_hosts_fault() {
    let site = Site::of(1);
    let host = &site.hosts[0];
    site.upshift(["ping", "all"]).with(0);
    site.lab(["stop", host]);
    site.lab(["start", host]);
    site.upshift(["ping", "all"]).with(0);
}
