use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::*;
use crate::states::Listener;

#[derive(Default)]
struct Heard {
    lines: Mutex<Vec<String>>,
    is_stopped: AtomicBool,
}

impl Listener for Heard {
    fn output(&self, line: &str) {
        self.lines.lock().unwrap().push(line.to_owned());
    }

    fn started(&self, _: u32) {}

    fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }
}

fn run(command: Command) -> (Result<Output, Failed>, Vec<String>) {
    let heard = Heard::default();
    let cannot = command.cannot();
    let output = Running::start(command).map_err(&cannot).and_then(|running| running.attend(&heard, cannot));
    (output, heard.lines.into_inner().unwrap())
}

fn sh(text: &str) -> Command {
    Command::shell("/bin/sh", text)
}

#[test]
fn every_line_is_heard_also_one_without_an_end() {
    let (output, lines) = run(sh("echo one; echo two >&2; printf 'a\\n\\nb'; exit 3"));
    let output = output.unwrap();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str(), output.code), ("one\na\n\nb", "two\n", 3));
    let mut lines = lines;
    lines.sort();
    assert_eq!(lines, ["", "a", "b", "one", "two"]);
}

#[test]
fn more_than_a_pipe_holds_goes_in_and_out() {
    let bytes = vec![b'x'; 3 << 20];
    let (output, lines) = run(Command::new("cat", [""; 0]).stdin(bytes.clone()).quiet());
    assert_eq!(output.unwrap().stdout.len(), bytes.len());
    assert!(lines.is_empty());
    // It reads nothing and is not waited for.
    assert!(run(sh("true").stdin(bytes)).0.unwrap().is_success());
}

#[test]
fn what_is_left_running_holds_nobody_up() {
    let begin = Instant::now();
    let (output, lines) = run(sh("sleep 31 & echo started"));
    assert_eq!((output.unwrap().stdout.as_str(), lines.as_slice()), ("started\n", ["started".to_owned()].as_slice()));
    assert!(begin.elapsed() < Duration::from_secs(9));
}

#[test]
fn a_program_whose_time_is_up_takes_all_that_it_started_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let text = format!("setsid sh -c 'echo $$ > {}; exec sleep 32' & wait", file.display());
    let (output, _) = run(sh(&text).timeout(Some(Duration::from_millis(300))));
    assert!(output.unwrap().timed_out);
    let pid = fs_err::read_to_string(&file).unwrap();
    // It was told to end; the kernel takes its time to do it.
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    let is_gone = || state().is_empty() || state().contains(") Z");
    let begin = Instant::now();
    while !is_gone() && begin.elapsed() < Duration::from_secs(9) {
        std::thread::yield_now();
    }
    assert!(is_gone(), "{}", state());
}

#[test]
fn a_program_that_does_not_start_says_why() {
    let why = |command: Command| run(command).0.unwrap_err().comment;
    assert_eq!(why(Command::new("/no/such", [""; 0])), "cannot run `/no/such`: there is no such program");
    assert_eq!(why(Command::new("/etc/passwd", [""; 0])), "cannot run `/etc/passwd`: it may not be executed");
    assert_eq!(why(sh("true").folder("/no/such")), "cannot run `/bin/sh`: there is no folder `/no/such`");
}

#[test]
fn a_failure_is_told_in_one_line() {
    let output = |text: &str| run(sh(text)).0.unwrap().why();
    assert_eq!(output("echo fine; echo 'E: no space' >&2; echo >&2; false"), "E: no space");
    assert_eq!(output("exit 4"), "it ended with 4");
    assert_eq!(output("kill -9 $$"), "it was ended by signal 9");
}

#[test]
fn settings_stay_when_another_program_starts_it() {
    let command = sh("umask; pwd; echo $ONE $LC_TIME").env("ONE", "1").folder("/usr").umask(0o27);
    assert_eq!(run(command).0.unwrap().stdout, "0027\n/usr\n1 C\n");
}
