//! What a person reads of the answers, and while they are waited for.

use std::sync::Arc;
use std::time::Duration;

use insta::assert_snapshot;

use super::text::{self, To};
use super::{Answer, News, Output, Progress, Recorder, groups, json};
use crate::model::{Outcome, pattern};

fn output(bytes: &[u8]) -> Arc<Output> {
    let mut recorder = Recorder::default();
    recorder.write(bytes);
    Arc::new(recorder.finish())
}

fn exited(code: i32, stdout: &str, stderr: &str) -> Answer {
    let outcome = if code == 0 { Outcome::Changed } else { Outcome::Failed };
    Answer {
        code: Some(code),
        stdout: output(stdout.as_bytes()),
        stderr: output(stderr.as_bytes()),
        took: Some(Duration::from_millis(1500)),
        ..Answer::not_started(outcome, None)
    }
}

fn ended(outcome: Outcome, why: &str) -> Answer {
    Answer::not_started(outcome, Some(why.into()))
}

/// What is written, with what goes to stderr marked.
fn written(answers: &[(&str, Answer)]) -> String {
    let hosts: Vec<Vec<String>> = answers.iter().map(|(hosts, _)| pattern::unfold(hosts).unwrap()).collect();
    let named = hosts
        .iter()
        .zip(answers)
        .flat_map(|(hosts, (_, answer))| hosts.iter().map(move |host| (host.as_str(), answer)));
    let mut written = String::new();
    let mut begins = true;
    let mut put = |to, _, bytes: &[u8]| {
        for piece in String::from_utf8_lossy(bytes).split_inclusive('\n') {
            if begins {
                written += if to == To::Stdout { "1| " } else { "2| " };
            }
            written += piece;
            begins = piece.ends_with('\n');
        }
        Ok(())
    };
    text::write(&groups(named), &mut put).unwrap();
    // Blanks at the end of a line would not survive an editor.
    written.replace("| \n", "|\n")
}

#[test]
fn what_hosts_say_the_same_is_said_once_and_failures_come_last() {
    let answers = [
        ("cmp[003,017]", exited(1, "", "cat: /nope: No such file or directory\n")),
        ("cmp[001-002]", exited(0, "12.3\n", "")),
        ("cmp[004-016]", exited(0, "12.4\n", "")),
        ("cmp044", ended(Outcome::Unreachable, "no route to host")),
        ("cmp[050-052]", exited(0, "", "")),
    ];
    assert_snapshot!(written(&answers), @r#"
1| cmp[004-016]: 12.4
2| cmp[050-052]: no output
1| cmp[001-002]: 12.3
2| cmp[003,017]: exit code 1: cat: /nope: No such file or directory
2| cmp044: unreachable: no route to host
"#);
}

#[test]
fn several_lines_stand_below_their_hosts_as_they_came() {
    let answers = [
        ("cmp[001-003]", exited(0, "a\n  b\n\n", "")),
        ("cmp004", exited(0, "c\nwithout an end", "warning: 1\nwarning: 2\n")),
        ("cmp005", exited(0, "ok\n", "note\n")),
        ("cmp006", exited(2, "half\n", "one\ntwo\n")),
        ("cmp007", exited(3, "", "\n")),
        (
            "cmp008",
            Answer {
                stdout: output(b"so far"),
                stderr: output(b"waiting\n"),
                took: Some(Duration::ZERO),
                ..ended(Outcome::TimedOut, "ended after 2s")
            },
        ),
    ];
    assert_snapshot!(written(&answers), @r#"
1| cmp[001-003] (3 hosts):
1| a
1|   b
1|
1|
1| cmp004:
1| c
1| without an end
2|
2| cmp004: stderr:
2| warning: 1
2| warning: 2
1|
1| cmp005: ok
2| cmp005: stderr: note
1| cmp006: half
2|
2| cmp006: exit code 2, stderr:
2| one
2| two
2|
2| cmp007: exit code 3
1| cmp008: so far
2| cmp008: stderr: waiting
2| cmp008: timed out: ended after 2s
"#);
}

#[test]
fn what_was_left_out_is_said_where_it_was() {
    let long: Vec<u8> = (0..200_000).flat_map(|n: u32| format!("{n:05}\n").into_bytes()).collect();
    let answer = Answer { stdout: output(&long), ..exited(0, "", "") };
    let text = written(&[("cmp001", answer)]);
    let lines: Vec<_> = text.lines().collect();
    let gap = lines.iter().position(|line| line.contains("left out")).unwrap();
    assert_snapshot!(lines[gap - 2..gap + 2].join("\n"), @r#"
1| 43689
1| 4369
1| [775712 bytes are left out here; --output-dir keeps them all]
1|
"#);
}

#[test]
fn a_terminal_gets_nothing_that_it_would_obey() {
    let visible = |bytes: &[u8]| String::from_utf8(text::visible(bytes).into_owned()).unwrap();
    assert_eq!(visible("naïve\tplain\n".as_bytes()), "naïve\tplain\n");
    assert_eq!(visible(b"\x1b[31mred\x1b[0m\x07 \x1b]0;title\x07"), "^[[31mred^[[0m^G ^[]0;title^G");
    assert_eq!(visible(b"line\r\n50%\r100%\x7f"), "line\n50%^M100%^?");
    assert_eq!(visible("\u{202e}x\u{9b}31m".as_bytes()), "<U+202E>x<U+009B>31m");
    assert_eq!(visible(b"\xff\xc3(\n"), "<FF><C3>(\n");
}

#[test]
fn json_loses_nothing_that_was_kept() {
    let binary = Answer { stdout: output(b"\xff\x00a\n"), ..exited(1, "", "no\n") };
    assert_snapshot!(json::line("cmp001", &binary), @r#"
{"exit_code":1,"host":"cmp001","outcome":"failed","seconds":1.5,"stderr":"no\n","stdout":"�\u0000a\n","stdout_base64":"/wBhCg==","why":null}
"#);
    assert_snapshot!(json::line("cmp044", &ended(Outcome::Unreachable, "no route to host")), @r#"
{"exit_code":null,"host":"cmp044","outcome":"unreachable","seconds":null,"stderr":"","stdout":"","why":"no route to host"}
"#);
}

#[test]
fn whoever_is_waited_for_is_named_with_its_last_words() {
    let at = Duration::from_secs;
    let mut progress = Progress::new(pattern::unfold("cmp[001-014]").unwrap());
    for place in 0..12 {
        progress.take(News::Connecting(place), at(0));
        if place != 3 {
            progress.take(News::Started(place), at(1));
        }
    }
    progress.take(News::Ended(0, Outcome::Changed), at(2));
    progress.take(News::Ended(1, Outcome::Failed), at(2));
    progress.take(News::Said(4, Some("Unpacking contrail-vrouter-agent (3.1.1) over (3.0.2) …".into())), at(3));
    progress.take(News::Said(4, None), at(4));
    progress.take(News::Said(5, Some("a\u{1b}[2J moved cursor".into())), at(14));
    assert_snapshot!(progress.frame(at(16), 72, false).join("\n"), @r#"
2/14 ended · 1 came short · 10 under way · 2 waiting · 16s
  cmp004  16s  connecting
  cmp003  15s  said nothing yet
  cmp005  15s  quiet for 12s  Unpacking contrail-vrouter-agent (3.1.1)…
  cmp006  15s  a [2J moved cursor
  cmp007  15s  said nothing yet
  cmp008  15s  said nothing yet
  cmp009  15s  said nothing yet
  cmp010  15s  said nothing yet
  … and 2 more
"#);
    assert_snapshot!(progress.line(at(16)).unwrap(), @"2 of 14 hosts ended (1 came short); waits for cmp[003-012]: cmp004 connecting for 16s");
    progress.take(News::Stopping, at(16));
    for place in 2..12 {
        progress.take(News::Ended(place, Outcome::Interrupted), at(17));
    }
    assert_snapshot!(progress.frame(at(17), 72, false).join("\n"), @"12/14 ended · 11 came short · 0 under way · 2 waiting · 17s · stopping");
    assert_eq!(progress.line(at(17)), None);
}
