//! Real hosts that fall silent under a step: the gap is tied to it, and the run waits for a person.

use super::{Site, pipeline};

#[test]
fn a_host_that_is_cut_off_under_its_step_holds_the_run_until_it_is_released() {
    let site = Site::of(3);
    let cut = site.hosts[1].clone();
    site.sandbox.write(
        "up.toml",
        &(pipeline(
            // By the time it has started, the hosts have answered since the one before it ended.
            "fan-out = 1\n[[stage.step]]\nname = \"upgrade\"\nrun = \"sleep 2; touch /root/started; sleep 5; rm /root/started\"",
        ) + "\n[[probe]]\nname = \"tenants\"\nicmp = \"cmp\"\ntcp = \"cmp:22\"\nmax-gap = \"1500ms\"\n"),
    );
    let run = site.start(["run", "up.toml"]);
    site.until(&cut, "test -e /root/started");
    site.lab(["cut", &cut]);
    let status = || site.upshift(["status", "--json"]).with(0).out;
    let waited = std::time::Instant::now();
    while !status().contains("\"state\":\"held\"") {
        assert!(waited.elapsed().as_secs() < 60, "the run is not held: {}", status());
    }
    let said = site.upshift(["status"]).with(0).out;
    assert!(said.contains("held by upshift") && said.contains("probe tenants: 2 of 6 silent"), "{said}");
    site.lab(["heal", &cut]);
    while status().contains("\"silent\":") && !status().contains("\"silent\":0") {
        assert!(waited.elapsed().as_secs() < 90, "it does not answer again: {}", status());
    }
    // The step went on meanwhile; the last host waits for the person.
    site.until(&cut, "test ! -e /root/started");
    assert_eq!(site.inside(&site.hosts[2], "ls /root/started 2>/dev/null"), "");
    site.upshift(["release"]).with(0);
    run.end().with(0);
    assert!(site.states().values().all(|state| state == "changed"));

    let report = site.upshift(["report", "--format", "json"]).with(0).out;
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let probe = &report["probes"][0];
    let breaches = probe["breaches"].as_array().unwrap();
    assert!(!breaches.is_empty());
    for breach in breaches {
        assert!(breach["target"].as_str().unwrap().starts_with(&cut), "{breach}");
        assert_eq!(breach["under_way"], serde_json::json!([{ "stage": "computes", "step": "upgrade", "hosts": cut }]));
        assert!(breach["silent_s"].as_f64().unwrap() > 1.5, "{breach}");
    }
    for target in probe["targets"].as_array().unwrap() {
        let well = !target["name"].as_str().unwrap().starts_with(&cut);
        assert_eq!(target["longest"]["silent_s"].as_f64().unwrap_or_default() < 1.5, well, "{target}");
    }
}
