//! A reader that takes its time, or never reads: more progress than a pipe holds, and nobody at its other end.

use rustix::process::Signal;

use crate::sandbox::{Background, Sandbox};

/// Five hundred hosts that are done, and one that fails.
fn project() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(
        "inventory.toml",
        "[groups.cmp]\nhosts = ['cmp[001-500]']\ntransport = 'simulated'\n[groups.web]\nhosts = ['web1']\ntransport = 'local'\n",
    );
    sandbox.write(
        "p.toml",
        "[pipeline]\nname = 'p'\n[[stage]]\nname = 'many'\nhosts = 'cmp'\nstep = [{ run = 'true' }]\n\
         [[stage]]\nname = 'one'\nhosts = 'web'\nstep = [{ run = 'exit 3' }]\n",
    );
    sandbox.write("q.toml", "[pipeline]\nname = 'q'\n[[stage]]\nname = 's'\nstep = [{ run = 'true' }]\n");
    sandbox
}

/// Starts the run and waits until it has ended.
fn ended(sandbox: &Sandbox) -> Background {
    let upshift = sandbox.start(["run", "p.toml", "--progress", "json", "--time-scale", "1000000"]);
    sandbox.until("the run has ended", |sandbox| sandbox.records("ended") == 1);
    upshift
}

#[test]
fn a_reader_that_never_reads_keeps_neither_the_lock_nor_a_person() {
    let sandbox = project();
    let mut upshift = ended(&sandbox);
    sandbox.until("the lock is free", |sandbox| sandbox.upshift(["run", "q.toml"]).output().unwrap().status.success());
    assert_eq!(upshift.exited(), None, "it waits for its reader");
    upshift.signal(Signal::INT);
    sandbox.until("it has ended", |_| upshift.exited() == Some(10));
}

#[test]
fn a_slow_reader_gets_everything() {
    let sandbox = project();
    let upshift = ended(&sandbox);
    let journal = sandbox.journal();
    sandbox.until("the lock is free", |sandbox| sandbox.upshift(["run", "q.toml"]).output().unwrap().status.success());
    let (code, stdout, stderr) = upshift.end();
    assert_eq!(code, 10, "{stderr}");
    assert!(stderr.starts_with("error: "), "{stderr}");
    let lines = stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    assert_eq!(lines.filter(|line| line["kind"] != "progress").collect::<Vec<_>>(), journal);
}
