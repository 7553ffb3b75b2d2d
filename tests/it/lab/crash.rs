//! upshift itself is killed.

use super::{Site, has_every_line, lines, pipeline};

#[test]
fn apt_runs_once_on_6_hosts_though_upshift_is_killed_under_it() {
    let site = Site::of(6);
    site.sandbox.write(
        "up.toml",
        &pipeline(
            "[[stage.step]]\n\
             run = \"rm -f /var/log/contrail-upgrades.log; apt-get -qq update; apt-get -qq -y install --allow-downgrades contrail-vrouter-agent=3.0.2\"\n\
             [[stage.step]]\n\
             run = \"apt-get -qq -y install contrail-vrouter-agent=3.1.1\"\n\
             [[stage.step]]\n\
             wait = { unit = \"contrail-vrouter-agent\", timeout = \"30s\" }",
        ),
    );
    let run = site.start(["run", "up.toml"]);
    // In the middle of the second apt, on one of them at least.
    site.until(&site.hosts[3], "grep -q 3.0.2 /var/log/contrail-upgrades.log && pgrep -x apt-get");
    run.kill();
    site.upshift(["resume"]).with(0);
    for host in &site.hosts {
        let configured = site.inside(host, "cat /var/log/contrail-upgrades.log");
        assert_eq!(configured, "configured 3.0.2\nconfigured 3.1.1", "{host}");
        assert_eq!(site.inside(host, "ls /var/lib/upshift/spool"), "", "{host}");
    }
    assert!(site.states().values().all(|state| state == "changed"));
}

#[test]
fn upshift_is_killed_again_and_again_and_no_line_is_lost_or_run_twice() {
    let site = Site::of(2);
    site.sandbox.write("up.toml", &pipeline(&format!("[[stage.step]]\nrun = {:?}", lines(60))));
    let mut run = site.start(["run", "up.toml"]);
    site.until(&site.hosts[0], "test -s /root/count");
    for _ in 0..3 {
        std::thread::sleep(std::time::Duration::from_millis(700));
        run.kill();
        run = site.start(["resume"]);
    }
    run.end().with(0);
    for host in &site.hosts {
        has_every_line(&site.log(host), 60);
        assert_eq!(site.inside(host, "cat /root/count; rm /root/count"), "x");
    }
    assert!(site.states().values().all(|state| state == "changed"));
}

#[test]
fn the_agent_is_killed_and_the_step_goes_on() {
    let site = Site::of(1);
    let host = &site.hosts[0];
    site.sandbox.write("up.toml", &pipeline(&format!("[[stage.step]]\nrun = {:?}", lines(40))));
    let run = site.start(["run", "up.toml"]);
    site.until(host, "test -s /root/count");
    site.inside(host, "pkill -KILL -f 'agent serve'");
    run.end().with(0);
    has_every_line(&site.log(host), 40);
    assert_eq!(site.inside(host, "cat /root/count; rm /root/count"), "x");
    assert_eq!(site.states()[host], "changed");
}

#[test]
fn what_is_on_record_is_cleared_away_on_the_host() {
    let site = Site::of(1);
    let steps = "[[stage.step]]\nrun = \"true\"\n[[stage.step]]\nrun = \"sleep 1; ls /var/lib/upshift/spool | sed 's/.*[.]cmp/steps: cmp/'\"";
    site.sandbox.write("up.toml", &pipeline(steps));
    site.upshift(["run", "up.toml"]).with(0);
    let host = &site.hosts[0];
    assert!(site.log(host).ends_with(&format!("\nsteps: {host}.step2.1\n")), "{}", site.log(host));
    assert_eq!(site.inside(host, "ls /var/lib/upshift/spool"), "");
}
