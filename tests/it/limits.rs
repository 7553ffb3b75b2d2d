//! Few open files: a run goes slower, and is never wrong about a step.

use crate::sandbox::Sandbox;

/// Forty hosts, all at once, with one command each.
fn project(command: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("inventory.toml", "[groups.web]\nhosts = ['web[01-40]']\ntransport = 'local'\n");
    sandbox.write(
        "p.toml",
        &format!(
            "[pipeline]\nname = 'p'\n[[stage]]\nname = 's'\nhosts = 'web'\nfan-out = 40\nstep = [{{ run = '{command}' }}]\n"
        ),
    );
    sandbox
}

#[test]
fn too_few_open_files_end_no_step_and_start_none_twice() {
    let sandbox = project("echo {{ host.name }} >> done; sleep 0.5");
    // Both limits: forty hosts under way need far more.
    let output = sandbox.upshift_after("ulimit -n 70", ["run", "p.toml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let mut done: Vec<_> = sandbox.read("done").lines().map(str::to_owned).collect();
    done.sort();
    assert_eq!(done, (1..=40).map(|n| format!("web{n:02}")).collect::<Vec<_>>());
    assert_eq!(sandbox.records("unit-started"), 40);
}

#[test]
fn a_run_takes_all_the_open_files_it_may_have() {
    let sandbox = project("ulimit -Sn >> limits");
    sandbox.upshift_after("ulimit -Sn 70; ulimit -Hn 5000", ["run", "p.toml"]).assert().success();
    assert_eq!(sandbox.read("limits"), "5000\n".repeat(40));
}
