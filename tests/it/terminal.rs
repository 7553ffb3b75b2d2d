//! At a terminal, with a shell that has job control.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::tcgetpgrp;

use crate::sandbox::Sandbox;

/// `bash` at a terminal of its own.
struct Shell<'a> {
    sandbox: &'a Sandbox,
    bash: Child,
    terminal: File,
}

impl<'a> Shell<'a> {
    fn new(sandbox: &'a Sandbox) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let terminal = openpt(flags).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let inside = || ioctl_tiocgptpeer(&terminal, flags).unwrap();
        let mut command = Command::new("setsid");
        command.args(["--ctty", "bash", "--norc", "--noprofile", "-i"]);
        command.stdin(inside()).stdout(inside()).stderr(inside());
        let bash = sandbox.settle(&mut command).env("TERM", "xterm").spawn().unwrap();
        let terminal = File::from(terminal);
        // A terminal that nobody reads would take nothing more.
        let mut screen = terminal.try_clone().unwrap();
        std::thread::spawn(move || while screen.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {});
        Self { sandbox, bash, terminal }
    }

    fn types(&mut self, text: &str) {
        self.terminal.write_all(text.as_bytes()).unwrap();
    }

    /// The upshift that carries the run out.
    fn upshift(&self) -> Pid {
        let pid = self.sandbox.journal()[0]["by"]["pid"].as_i64().unwrap();
        Pid::from_raw(i32::try_from(pid).unwrap()).unwrap()
    }

    fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.upshift())).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
    }

    /// Whether nothing stops upshift for as long as it takes it to look at the terminal three times.
    fn goes_on(&self) -> bool {
        (0..30).all(|_| {
            std::thread::sleep(std::time::Duration::from_millis(25));
            !self.is_stopped()
        })
    }

    /// Brings upshift into the foreground.
    fn foreground(&mut self) {
        self.types("fg\n");
        self.sandbox.until("it is in the foreground", |_| tcgetpgrp(&self.terminal).ok() == Some(self.upshift()));
    }
}

impl Drop for Shell<'_> {
    fn drop(&mut self) {
        // A run that is not over would wait at its gate for ever.
        if std::thread::panicking() && !self.sandbox.journal().is_empty() {
            let _ = kill_process(self.upshift(), Signal::KILL);
        }
        let _ = self.bash.kill();
        let _ = self.bash.wait();
    }
}

#[test]
fn a_run_in_the_background_goes_on_and_a_gate_takes_only_what_is_typed_after_its_question() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "p.toml",
        "[pipeline]\nname = 'p'\n[[stage]]\nname = 's'\nstep = [{ gate = 'begin?' }, { run = 'sleep 1' }, { gate = 'end?' }]\n",
    );
    let ordered = || -> Vec<_> {
        let journal = sandbox.journal().into_iter();
        journal.filter(|record| record["kind"] == "ordered").map(|record| record["command"].clone()).collect()
    };
    let mut shell = Shell::new(&sandbox);
    shell.types(concat!(env!("CARGO_BIN_EXE_upshift"), " run p.toml &\n"));
    sandbox.until("the first gate waits", |sandbox| sandbox.records("unit-started") == 1);
    assert!(shell.goes_on(), "a gate waits in the background");

    shell.foreground();
    // What is typed in the moment before it asks is thrown away, Ctrl-Z as well.
    sandbox.until("Ctrl-Z stops it", |_| {
        shell.types("\x1a");
        shell.is_stopped()
    });
    shell.types("bg\n");
    sandbox.until("it goes on in the background", |_| !shell.is_stopped());
    assert!(shell.goes_on(), "a gate waits in the background again");
    assert_eq!(ordered(), [""; 0]);

    shell.foreground();
    sandbox.until("the first gate is passed", |sandbox| {
        shell.types("y\n");
        sandbox.records("unit-ended") == 1
    });
    shell.types("y\ny");
    sandbox.until("the second gate waits", |sandbox| sandbox.records("unit-started") == 3);
    assert!(shell.goes_on());
    assert_eq!(ordered(), ["pass"], "typed before the second question");
    shell.types("n\n");
    sandbox.until("the run has ended", |sandbox| sandbox.records("ended") == 1);
    assert_eq!(ordered(), ["pass", "refuse"]);
}
