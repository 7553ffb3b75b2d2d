//! Answers to gates, typed at the terminal that upshift was started from.
//!
//! The terminal is read only while a gate waits and upshift is in the foreground: the kernel stops a job
//! that reads in the background (`termios(3)`, SIGTTIN), and there it stays. What was typed before the
//! question is never an answer to it.

use std::io::{Stdin, stdin};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::termios::{QueueSelector, tcflush, tcgetpgrp};
use tokio::sync::{mpsc, watch};

use crate::engine::control::Told;
use crate::engine::dispatcher::WaitingGate;
use crate::model::{Command, Person};

/// Time between two looks at the terminal.
const LOOK: Duration = Duration::from_millis(200);

/// Lets the person at the terminal answer the gate that waits with `y` or `n`, until the run has ended.
pub(super) fn listen(gate: watch::Receiver<WaitingGate>, tell: mpsc::UnboundedSender<Told>, by: Person) {
    std::thread::spawn(move || {
        let stdin = stdin();
        // Whose question was there before what is read now, and whose has its answer.
        let (mut asked, mut answered) = (None, None);
        while !tell.is_closed() {
            std::thread::sleep(LOOK);
            let waiting = *gate.borrow();
            let waiting = waiting.filter(|_| is_in_foreground(&stdin));
            if waiting != asked {
                asked = waiting;
                if waiting.is_some() {
                    let _ = tcflush(&stdin, QueueSelector::IFlush);
                }
            } else if waiting.is_some()
                && waiting != answered
                && let Some(command) = read(&stdin).as_deref().and_then(answer)
            {
                answered = waiting;
                let _ = tell.send(Told { command, by: by.clone(), reply: None });
            }
        }
    });
}

/// Whether reading does not stop this process.
fn is_in_foreground(stdin: &Stdin) -> bool {
    match tcgetpgrp(stdin) {
        Ok(group) => group == getpgrp(),
        // Another session's terminal, as `su -c` leaves it, stops nobody.
        Err(error) => error == Errno::NOTTY,
    }
}

/// A line, when there is one. It is read past `Stdin`, which would wait for the rest of a part.
fn read(stdin: &Stdin) -> Option<String> {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(stdin, PollFlags::IN)], Some(&at_once)).ok().filter(|ready| *ready > 0)?;
    // The longest line that a terminal gives.
    let mut line = [0; 4096];
    let length = rustix::io::read(stdin, &mut line).ok()?;
    Some(String::from_utf8_lossy(&line[..length]).into_owned())
}

fn answer(line: &str) -> Option<Command> {
    match line.trim().to_lowercase().as_str() {
        "y" | "yes" => Some(Command::Pass),
        "n" | "no" => Some(Command::Refuse),
        _ => None,
    }
}
