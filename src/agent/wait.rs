//! Waits until something is true, by looking at it again and again.
//!
//! A look that hangs is given up and counts as not true: it never uses up the step's time by itself.

use std::fs::File;
use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use camino::Utf8Path;
use jiff::SignedDuration;
use regex::Regex;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use crate::agent::command::Ended;
use crate::agent::output;
use crate::agent::step::{Carrying, describe, pattern};
use crate::agent::watch::{Received, Stop};
use crate::model::Outcome;
use crate::model::plan::Wait;
use crate::model::record::End;

/// The least time between two looks.
const LEAST_EVERY: Duration = Duration::from_millis(10);
/// A look gets at least this long, however often it is repeated.
const LEAST_LOOK: Duration = Duration::from_secs(1);
/// A look at a network address or a file gets at most this long.
const LONGEST_LOOK: Duration = Duration::from_secs(10);
/// A command gets at least this long: the tools of a cloud may need many seconds to answer.
const LEAST_COMMAND: Duration = Duration::from_mins(1);

/// What one look saw.
enum Saw {
    True,
    /// Not true, and why.
    Not(String),
    Stop(Stop),
}

/// Looks every so often until it is true or the step has to end.
pub(super) fn until_true(carrying: &mut Carrying, what: &Wait, every: SignedDuration) -> End {
    let every = Duration::try_from(every).unwrap_or_default().max(LEAST_EVERY);
    let until = match what {
        Wait::Run { until: Some(until), .. } => match pattern(until) {
            Ok(until) => Some(until),
            Err(reason) => return End::noted(Outcome::Failed, reason),
        },
        _ => None,
    };
    let mut last = None;
    loop {
        let stop = match look(carrying, what, until.as_ref(), every) {
            Saw::True => return End::plain(Outcome::Unchanged),
            Saw::Stop(stop) => {
                last.get_or_insert_with(|| "no answer yet".to_owned());
                Some(stop)
            }
            Saw::Not(why) => {
                last = Some(why);
                carrying.watch.sleep(every)
            }
        };
        if let Some(stop) = stop {
            return carrying.watch.end(stop, last.as_deref());
        }
    }
}

fn look(carrying: &mut Carrying, what: &Wait, until: Option<&Regex>, every: Duration) -> Saw {
    let limit = (every * 5).clamp(LEAST_LOOK, LONGEST_LOOK).min(carrying.watch.left());
    match what {
        Wait::Run { command, .. } => match look_by_command(carrying, command, until, (every * 5).max(LEAST_COMMAND)) {
            Ok(saw) => saw,
            Err(error) => Saw::Not(error.to_string()),
        },
        Wait::Unit(unit) => match look_at_unit(carrying, unit, limit.max(LEAST_COMMAND)) {
            Ok(saw) => saw,
            Err(error) => Saw::Not(error.to_string()),
        },
        Wait::Tcp(address) => {
            let address = address.clone();
            aside(carrying, limit, move || connect(&address, limit))
        }
        Wait::Http(url) => {
            let url = url.clone();
            aside(carrying, limit, move || get(&url, limit))
        }
        Wait::File(path) => {
            let path = carrying.order.folder.join(path);
            aside(carrying, limit, move || exists(&path))
        }
    }
}

/// Looks in a thread, since a name server or a network file system may not answer for minutes. A
/// thread that is given up ends with the step's process.
fn aside(carrying: &Carrying, limit: Duration, look: impl FnOnce() -> Result<(), String> + Send + 'static) -> Saw {
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::spawn(move || sender.send(look()));
    // A moment more than the look gets, so that it says itself what it saw.
    match carrying.watch.receive(&receiver, limit + Duration::from_millis(50), || ()) {
        Received::Value(Ok(())) => Saw::True,
        Received::Value(Err(why)) => Saw::Not(why),
        Received::Stop(stop) => Saw::Stop(stop),
        Received::Overdue => Saw::Not(no_answer(limit)),
        Received::Nothing => Saw::Not("the look itself went wrong".into()),
    }
}

fn look_by_command(carrying: &mut Carrying, command: &str, until: Option<&Regex>, limit: Duration) -> io::Result<Saw> {
    let file = carrying.folder.open_look()?;
    let saw = match carrying.command(command, &file, limit)? {
        Ended::Stopped(stop) => {
            show(carrying, &file)?;
            return Ok(Saw::Stop(stop));
        }
        Ended::Overdue => Saw::Not(no_answer(limit)),
        Ended::Unknown => Saw::Not("nobody knows how the command ended".into()),
        Ended::Exited(status) if !status.success() => Saw::Not(describe(status)),
        Ended::Exited(_) => match until {
            Some(until) if !until.is_match(&output::tail(&file, 0, super::step::MATCHED)?) => {
                Saw::Not(format!("the output did not match `{until}`"))
            }
            _ => Saw::True,
        },
    };
    // The looks in between would only repeat each other.
    if matches!(saw, Saw::True) || carrying.watch.stop().is_some() {
        show(carrying, &file)?;
    }
    Ok(saw)
}

/// Asks systemd whether a unit is active (`systemctl(1)`).
fn look_at_unit(carrying: &mut Carrying, unit: &str, limit: Duration) -> io::Result<Saw> {
    let quoted = shlex::try_quote(unit).map_err(io::Error::other)?;
    let command = format!("systemctl show --property=LoadState,ActiveState,SubState -- {quoted}");
    let file = carrying.folder.open_look()?;
    let status = match carrying.command(&command, &file, limit)? {
        Ended::Stopped(stop) => return Ok(Saw::Stop(stop)),
        Ended::Overdue => return Ok(Saw::Not(no_answer(limit))),
        Ended::Unknown => return Ok(Saw::Not("nobody knows how the command ended".into())),
        Ended::Exited(status) => status,
    };
    let text = output::tail(&file, 0, super::step::MATCHED)?;
    let value = |name| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    Ok(match (value("LoadState"), value("ActiveState"), value("SubState")) {
        (_, Some("active"), _) => Saw::True,
        (Some("not-found"), ..) => Saw::Not(format!("there is no unit `{unit}`")),
        (_, Some(active), Some(sub)) => Saw::Not(format!("`{unit}` is {active} ({sub})")),
        _ => {
            let why = output::last_line(&text).unwrap_or_else(|| describe(status));
            Saw::Not(format!("systemd does not say how `{unit}` is: {why}"))
        }
    })
}

/// Puts what a look wrote into the step's output.
fn show(carrying: &Carrying, look: &File) -> io::Result<()> {
    carrying.say(&output::tail(look, 0, 64 * 1024)?);
    Ok(())
}

fn connect(address: &str, limit: Duration) -> Result<(), String> {
    let begun = Instant::now();
    let mut why = "the name has no address".to_owned();
    for address in address.to_socket_addrs().map_err(|error| reason(&error, limit))? {
        let left = limit.saturating_sub(begun.elapsed()).max(Duration::from_millis(1));
        match TcpStream::connect_timeout(&address, left) {
            Ok(_) => return Ok(()),
            Err(error) => why = reason(&error, limit),
        }
    }
    Err(why)
}

fn get(url: &str, limit: Duration) -> Result<(), String> {
    let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(RootCerts::PlatformVerifier).build();
    // A service is asked directly and says itself how it is: neither a proxy nor the place that it
    // redirects to may answer in its name.
    let agent = ureq::Agent::config_builder()
        .tls_config(tls)
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .timeout_global(Some(limit))
        .user_agent("upshift")
        .build()
        .new_agent();
    match agent.get(url).call() {
        Ok(answer) if answer.status().as_u16() < 400 => Ok(()),
        Ok(answer) => Err(format!("HTTP status {}", answer.status().as_u16())),
        Err(ureq::Error::Io(error)) => Err(reason(&error, limit)),
        Err(ureq::Error::Timeout(_)) => Err(no_answer(limit)),
        Err(error) => Err(output::quotation(&error.to_string())),
    }
}

fn exists(path: &Utf8Path) -> Result<(), String> {
    match path.metadata() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(format!("`{path}` is not there")),
        Err(error) => Err(format!("`{path}`: {error}")),
    }
}

fn reason(error: &io::Error, limit: Duration) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset => "connection reset".into(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => no_answer(limit),
        io::ErrorKind::UnexpectedEof => "the connection was closed without an answer".into(),
        _ => output::quotation(&error.to_string()),
    }
}

fn no_answer(limit: Duration) -> String {
    let limit = SignedDuration::try_from(limit).unwrap_or_default().round(jiff::Unit::Millisecond).unwrap_or_default();
    format!("no answer within {limit:#}")
}
