//! Two runs want the same host.

use super::{Site, lines, pipeline};

#[test]
fn the_second_of_two_upshifts_is_refused_and_told_whose_the_host_is() {
    let site = Site::of(2);
    let other = crate::sandbox::Sandbox::new();
    site.sandbox.write("up.toml", &pipeline(&format!("[[stage.step]]\nrun = {:?}", lines(150))));
    other.write("up.toml", &site.sandbox.read("up.toml")).write("inventory.toml", &site.sandbox.read("inventory.toml"));
    let second = |arguments: &[&str]| {
        let mut command = site.command(arguments.iter().copied());
        super::Ended::of(command.current_dir(other.path("")).output().unwrap())
    };
    let run = site.start(["run", "up.toml"]);
    site.until(&site.hosts[0], "test -s /root/count");
    let ended = second(&["run", "up.toml"]).with(16);
    assert!(ended.err.contains(&format!("{}: run ", site.hosts[0])), "{}", ended.err);
    assert!(ended.err.contains("it is going on, and 1 more host is held"), "{}", ended.err);
    // Nothing of it is left.
    assert!(std::fs::read_dir(other.path(".upshift/runs")).is_ok_and(|mut runs| runs.next().is_none()));
    let ended = second(&["unlock", "all"]).with(16);
    assert!(ended.out.contains("kept by run"), "{}", ended.out);
    // Killed, it still has its hosts: its steps go on there.
    run.kill();
    let ended = second(&["run", "up.toml"]).with(16);
    assert!(ended.err.contains("it is not connected, and one of its steps is under way here"), "{}", ended.err);
    assert!(ended.err.contains("` goes on with it where it was started; or, when it is given up"), "{}", ended.err);
    site.upshift(["resume"]).with(0);
    assert!(site.states().values().all(|state| state == "changed"));
    // Ended, it has them no more.
    second(&["run", "up.toml"]).with(0);
    for host in &site.hosts {
        assert_eq!(site.inside(host, "cat /root/count; rm /root/count"), "x\nx");
    }
}

#[test]
fn hosts_of_a_run_that_never_comes_back_are_unlocked_by_a_person() {
    let site = Site::of(1);
    let other = crate::sandbox::Sandbox::new();
    site.sandbox.write("up.toml", &pipeline("[[stage.step]]\nrun = \"touch /root/started; sleep 2\""));
    other.write("up.toml", &site.sandbox.read("up.toml")).write("inventory.toml", &site.sandbox.read("inventory.toml"));
    let run = site.start(["run", "up.toml"]);
    site.until(&site.hosts[0], "test -e /root/started");
    run.kill();
    site.until(&site.hosts[0], "! pgrep -f 'agent ste[p]'");
    let second = |arguments: &[&str]| {
        let mut command = site.command(arguments.iter().copied());
        super::Ended::of(command.current_dir(other.path("")).output().unwrap())
    };
    let ended = second(&["run", "up.toml"]).with(16);
    assert!(ended.err.contains(&format!("`upshift unlock {}`", site.hosts[0])), "{}", ended.err);
    assert!(second(&["unlock", "all"]).with(0).out.contains("taken from run"));
    second(&["run", "up.toml"]).with(0);
    site.inside(&site.hosts[0], "rm /root/started");
}
