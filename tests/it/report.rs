//! The reference night, and the report's formats, from the real thing.

use crate::sandbox::Sandbox;

fn night() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("inventory.toml", "[defaults]\ntransport = 'simulated'\n[groups.cmp]\nhosts = ['cmp[001-080]']\n");
    sandbox.write(
        "night.toml",
        "[pipeline]\nname = 'night'\n[[stage]]\nname = 'computes'\nhosts = 'cmp'\nwindow = '4h'\n\
         cascade = { pace = '20/h', fan-out = 4 }\nstep = [{ name = 'upgrade', run = 'x', takes = '12m' }]\n",
    );
    sandbox.upshift(["run", "night.toml"]).assert().success();
    sandbox
}

fn report(sandbox: &Sandbox, format: &str) -> String {
    String::from_utf8(sandbox.upshift(["report", "--format", format]).output().unwrap().stdout).unwrap()
}

#[test]
fn eighty_hosts_of_12_minutes_at_20_an_hour_are_planned_for_4_hours_and_take_4_hours_9() {
    let sandbox = night();
    let text = report(&sandbox, "text");
    let line = text.lines().find(|line| line.trim_start().starts_with("computes ")).unwrap();
    assert_eq!(
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>(),
        ["computes", "4h", "4h 9m", "9m over", "80/80"]
    );
}

#[test]
fn every_host_is_in_every_format_once() {
    let sandbox = night();
    let csv = report(&sandbox, "csv");
    let json: serde_json::Value = serde_json::from_str(&report(&sandbox, "json")).unwrap();
    for n in 1..=80 {
        let host = format!("cmp{n:03}");
        assert_eq!(csv.matches(&format!(",{host},changed,")).count(), 1, "{host}");
        let hosts = json["hosts"].as_array().unwrap();
        assert_eq!(
            hosts.iter().filter(|of| of["host"] == host.as_str() || of["name"] == host.as_str()).count(),
            1,
            "{host}"
        );
    }
    assert!(report(&sandbox, "html").contains("4h 9m"));
    assert!(
        sandbox.path(".upshift/runs").read_dir().unwrap().all(|run| run.unwrap().path().join("report.html").exists())
    );
}
