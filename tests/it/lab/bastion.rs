//! 80 hosts behind a jump host whose sshd turns connections away (`MaxStartups 10:30:100`).

use super::{HOSTS, Site, pipeline};

#[test]
fn a_busy_bastion_makes_no_host_unreachable() {
    // The names behind the bastion are spread over all hosts.
    let site = Site::of(HOSTS);
    let far = site.far();
    let ended = site.upshift(["ping", "all", "-i", far.to_str().unwrap()]).with(0);
    assert_eq!(ended.out.lines().filter(|line| line.contains("  fine  ")).count(), 80, "{}", ended.out);
    site.upshift(["exec", "all", "-i", far.to_str().unwrap(), "--", "true"]).with(0);
}

#[test]
fn more_at_once_than_the_bastion_takes_is_tried_again_until_it_does() {
    let site = Site::of(HOSTS);
    let far = std::fs::read_to_string(site.far()).unwrap();
    let config = std::fs::read_to_string(site.far().with_file_name("ssh_config")).unwrap();
    // 80 logins at once may take a machine longer than one does.
    site.sandbox.write("ssh_config", &config.replace("ConnectTimeout 10", "ConnectTimeout 60"));
    let far = far.replace("config = \"ssh_config\"", "config = \"ssh_config\"\nat-once = 60");
    site.sandbox.write("far.toml", &far);
    let stage = "fan-out = 80\n[[stage.step]]\nrun = \"true\"";
    site.sandbox.write("up.toml", &pipeline(stage).replace("\"cmp\"", "\"far\""));
    site.upshift(["run", "up.toml", "-i", "far.toml"]).with(0);
    let states = site.report();
    assert_eq!(states.len(), 80, "{states:?}");
    assert!(states.values().all(|state| state == "changed"), "{states:?}");
}
