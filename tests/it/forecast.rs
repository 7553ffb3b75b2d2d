//! What `upshift forecast` says of the window, beside what `upshift run` then does.

use crate::sandbox::Sandbox;

/// A project of one simulated host, whose step takes 20 minutes, in that window.
fn project(window: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("inventory.toml", "[groups.cmp]\nhosts = ['cmp1']\ntransport = 'simulated'\n").write(
        "p.toml",
        &format!(
            "[pipeline]\nname = 'p'\nwindow = {window}\nreserve = '9m'\n[[stage]]\nname = 's'\nhosts = 'cmp'\n\
                 step = [{{ run = 'true', undo = 'true', takes = '20m' }}]\n"
        ),
    );
    sandbox
}

fn forecast(sandbox: &Sandbox) -> String {
    let output = sandbox.upshift(["forecast", "p.toml", "--runs", "100"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_forecast_fits_the_window_that_the_run_obeys() {
    let sandbox = project("'30m'");
    let said = forecast(&sandbox);
    assert!(said.lines().all(|line| line.len() <= 80), "{said}");
    insta::assert_snapshot!(said);
    sandbox.upshift(["run", "p.toml"]).assert().code(15);
    assert_eq!(sandbox.records("host-started"), 0);

    let sandbox = project("'49m'");
    assert!(forecast(&sandbox).contains("\nfits its window of 49m in 100 of 100 runs\n\nstage"));
    sandbox.upshift(["run", "p.toml"]).assert().code(0);

    let sandbox = project("{ opens = '00:00', closes = '23:59' }");
    assert!(forecast(&sandbox).contains("\nfits its window of 23h 59m in 100 of 100 runs\n\nstage"));
}
