//! Where an ad hoc command stands: who is done, and who is waited for.

use std::time::Duration;

use jiff::SignedDuration;

use crate::model::{Outcome, pattern, span};
use crate::report::screen::text::{Line, Style, clean, cut, width};

/// Hosts that are shown by name.
const ROWS: usize = 8;

/// Hosts that are named in a line of text, as a pattern no longer than this.
const NAMES: usize = 60;

/// What is told of a host, by its place.
#[derive(Debug, Clone)]
pub enum News {
    /// It is being connected to.
    Connecting(usize),
    /// The command was started there.
    Started(usize),
    /// The last line of what it wrote there, when there was one.
    Said(usize, Option<String>),
    /// It ended.
    Ended(usize, Outcome),
    /// A person wants all of it to end.
    Stopping,
}

#[derive(Debug, Clone)]
enum Phase {
    Waiting,
    Connecting { since: Duration },
    Running { since: Duration, heard: Duration, line: Option<String> },
    Ended(Outcome),
}

/// Every host of a command. Times count from its beginning.
#[derive(Debug)]
pub struct Progress {
    hosts: Vec<(String, Phase)>,
    stopping: bool,
}

/// A host that is waited for.
struct Awaited<'a> {
    host: &'a str,
    since: Duration,
    /// Since when nothing was heard of it, and the last thing that was; `None` while it is connected to.
    heard: Option<(Duration, Option<&'a str>)>,
}

impl Progress {
    /// Before anything was started.
    #[must_use]
    pub fn new(hosts: impl IntoIterator<Item = String>) -> Self {
        Self { hosts: hosts.into_iter().map(|host| (host, Phase::Waiting)).collect(), stopping: false }
    }

    /// Takes in news that came at a time.
    pub fn take(&mut self, news: News, at: Duration) {
        let (place, phase) = match news {
            News::Stopping => return self.stopping = true,
            News::Connecting(place) => (place, Phase::Connecting { since: at }),
            News::Started(place) => (place, Phase::Running { since: at, heard: at, line: None }),
            News::Ended(place, outcome) => (place, Phase::Ended(outcome)),
            News::Said(place, said) => {
                if let Some((_, Phase::Running { heard, line, .. })) = self.hosts.get_mut(place) {
                    *heard = at;
                    *line = said.or(line.take());
                }
                return;
            }
        };
        if let Some((_, of)) = self.hosts.get_mut(place) {
            *of = phase;
        }
    }

    /// Whoever is waited for, longest first.
    fn awaited(&self) -> Vec<Awaited<'_>> {
        let mut awaited: Vec<_> = self
            .hosts
            .iter()
            .filter_map(|(host, phase)| match phase {
                Phase::Connecting { since } => Some(Awaited { host, since: *since, heard: None }),
                Phase::Running { since, heard, line } => {
                    Some(Awaited { host, since: *since, heard: Some((*heard, line.as_deref())) })
                }
                Phase::Waiting | Phase::Ended(_) => None,
            })
            .collect();
        awaited.sort_by_key(|awaited| awaited.since);
        awaited
    }

    /// How many hosts ended, and how many of them came short.
    fn ended(&self) -> (usize, usize) {
        let ended = self.hosts.iter().filter_map(|(_, phase)| match phase {
            Phase::Ended(outcome) => Some(*outcome),
            _ => None,
        });
        ended.fold((0, 0), |(all, short), outcome| (all + 1, short + usize::from(outcome >= Outcome::Skipped)))
    }

    /// The picture for a terminal of that width.
    #[must_use]
    pub fn frame(&self, now: Duration, room: usize, colour: bool) -> Vec<String> {
        let (ended, short) = self.ended();
        let awaited = self.awaited();
        let waiting = self.hosts.len() - ended - awaited.len();
        let mut head = Line::new(Style::Strong, &format!("{ended}/{} ended", self.hosts.len()));
        if short > 0 {
            head.push(Style::Plain, " · ").push(Style::Bad, &format!("{short} came short"));
        }
        head.push(Style::Plain, &format!(" · {} under way", awaited.len()));
        if waiting > 0 {
            head.push(Style::Plain, &format!(" · {waiting} waiting"));
        }
        head.push(Style::Plain, &format!(" · {}", glance(now)));
        if self.stopping {
            head.push(Style::Warn, " · stopping");
        }
        let name = awaited.iter().take(ROWS).map(|awaited| awaited.host.len()).max().unwrap_or(0).min(room / 3);
        let time = awaited.first().map_or(0, |awaited| glance(now.saturating_sub(awaited.since)).len());
        let mut lines = vec![head];
        lines.extend(awaited.iter().take(ROWS).map(|awaited| awaited.row(now, name, time)));
        if awaited.len() > ROWS {
            lines.push(Line::new(Style::Dim, &format!("  … and {} more", awaited.len() - ROWS)));
        }
        lines.iter().map(|line| line.render(room, colour)).collect()
    }

    /// One line on who is waited for; `None` when nobody is.
    #[must_use]
    pub fn line(&self, now: Duration) -> Option<String> {
        let awaited = self.awaited();
        let longest = awaited.first()?;
        let (ended, short) = self.ended();
        let short = if short > 0 { format!(" ({short} came short)") } else { String::new() };
        let names = pattern::fold(awaited.iter().map(|awaited| awaited.host));
        let names = if width(&names) > NAMES { format!("{} hosts", awaited.len()) } else { names };
        let longest = format!("{} {}", longest.host, longest.words(now));
        Some(clean(&format!("{ended} of {} hosts ended{short}; waits for {names}: {longest}", self.hosts.len())))
    }
}

impl Awaited<'_> {
    fn row(&self, now: Duration, name: usize, time: usize) -> Line {
        let mut line = Line::new(Style::Plain, &format!("  {}", cut(self.host, name)));
        let since = glance(now.saturating_sub(self.since));
        line.pad(4 + name).push(Style::Plain, &format!("{since:>time$}"));
        match self.heard {
            None => {
                line.push(Style::Dim, "  connecting");
            }
            Some((heard, said)) => {
                let quiet = now.saturating_sub(heard);
                if quiet >= QUIET && heard > self.since {
                    line.push(Style::Warn, &format!("  quiet for {}", glance(quiet)));
                } else if quiet >= QUIET {
                    line.push(Style::Warn, "  said nothing yet");
                }
                if let Some(said) = said {
                    line.push(Style::Dim, &format!("  {said}"));
                }
            }
        }
        line
    }

    fn words(&self, now: Duration) -> String {
        let since = glance(now.saturating_sub(self.since));
        match self.heard {
            None => format!("connecting for {since}"),
            Some((_, None)) => format!("for {since}, without a word"),
            Some((heard, Some(said))) => {
                format!("for {since}, last heard of {} ago: {said}", glance(now.saturating_sub(heard)))
            }
        }
    }
}

/// A host that says nothing for longer than this is worth a word.
const QUIET: Duration = Duration::from_secs(10);

fn glance(time: Duration) -> String {
    span::glance(SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX))
}
