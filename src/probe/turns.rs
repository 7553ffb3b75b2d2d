//! What the prober's thread does, a hundred times a second: it hears, judges, tells and looks.
//!
//! A turn that comes late is time in which nothing was measured: that is said before anything is judged.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use super::http::{Failure, Get};
use super::icmp::{Echo, Tag, Version};
use super::looks::{Looked, Looker, Slow};
use super::meter::Meter;
use super::prober::{Event, Never, Request, Tally};
use super::rhythm::Rhythm;
use super::since_boot;
use crate::model::probe::{Look, Probe};

/// Time between two turns: how exact the times of answers are.
const TURN: Duration = Duration::from_millis(10);
/// Time between two tellings of how probes stand.
const TELL: Duration = Duration::from_secs(1);
/// How long every target has for its first answer, at least.
const FIRST: Duration = Duration::from_secs(5);

/// How much longer than its longest gap a probe is waited for at the end, where looks cannot be made.
const GRACE: Duration = Duration::from_secs(10);

/// How a target is looked at, with everything found out.
#[derive(Debug)]
pub(super) enum Way {
    Echo(IpAddr),
    Slow(Slow),
    /// It cannot be looked at, and why: it never answers.
    None(String),
}

impl Way {
    pub(super) fn of(look: &Look, addresses: &HashMap<String, Result<IpAddr, String>>) -> Self {
        let address = |host: &str| addresses.get(host).cloned().unwrap_or_else(|| Err("the name is not known".into()));
        let way = match look {
            Look::Icmp { host } => address(host).map(Self::Echo),
            Look::Tcp { host, port } => {
                address(host).map(|address| Self::Slow(Slow::Tcp(SocketAddr::new(address, *port))))
            }
            Look::Http { url, host } => {
                address(host).and_then(|address| Get::new(url, address)).map(|get| Self::Slow(Slow::Http(get)))
            }
            Look::Run { command } => Ok(Self::Slow(Slow::Run(command.clone()))),
        };
        way.unwrap_or_else(Self::None)
    }

    pub(super) fn is_echo(&self, version: Version) -> bool {
        matches!(self, Self::Echo(address) if Version::of(*address) == version)
    }
}

/// The sockets for echoes.
pub(super) struct Echoes {
    pub(super) v4: Option<Echo>,
    pub(super) v6: Option<Echo>,
}

/// One probe, being measured.
pub(super) struct Measure {
    meter: Meter,
    rhythm: Rhythm,
    ways: Vec<Way>,
    every: Duration,
    max_gap: Duration,
    /// By target: whether its command is still running.
    busy: Vec<bool>,
    /// By target: why its last look was not answered.
    why: Vec<Option<String>>,
    tally: Tally,
    /// When it was last judged.
    judged: Duration,
    /// The look from which on answers are a last word.
    last_word: u64,
}

impl Measure {
    pub(super) fn new(probe: &Probe, ways: Vec<Way>) -> Self {
        let time = |time| Duration::try_from(time).unwrap_or_default();
        let (every, count) = (time(probe.every), ways.len());
        let unknown = |way: &Way| if let Way::None(why) = way { Some(why.clone()) } else { None };
        Self {
            meter: Meter::new(probe),
            rhythm: Rhythm::new(since_boot(), every, count),
            every,
            max_gap: time(probe.max_gap),
            busy: vec![false; count],
            why: ways.iter().map(unknown).collect(),
            ways,
            tally: Tally::default(),
            judged: Duration::ZERO,
            last_word: 0,
        }
    }
}

/// Everything the thread has.
pub(super) struct Turns {
    measures: Vec<Measure>,
    /// The number of each probe's first target, over all probes.
    first: Vec<u32>,
    echoes: Echoes,
    looker: Looker,
    ends: UnboundedReceiver<Looked>,
    tell: UnboundedSender<Event>,
    started: Duration,
    begun: bool,
    /// Until when somebody waits for the last word.
    last_word_by: Option<Duration>,
}

impl Turns {
    pub(super) fn new(
        measures: Vec<Measure>,
        echoes: Echoes,
        looker: Looker,
        ends: UnboundedReceiver<Looked>,
        tell: UnboundedSender<Event>,
    ) -> Self {
        let sizes = measures.iter().scan(0_u32, |sum, measure| {
            let first = *sum;
            *sum += u32::try_from(measure.ways.len()).unwrap_or_default();
            Some(first)
        });
        let first = sizes.collect();
        Self { measures, first, echoes, looker, ends, tell, started: since_boot(), begun: false, last_word_by: None }
    }

    /// Takes turns until nobody can ask for anything any more.
    pub(super) async fn take(mut self, mut asked: UnboundedReceiver<Request>) {
        let (mut last, mut told) = (self.started, self.started);
        loop {
            let now = since_boot();
            self.account_for(last, now);
            last = now;
            self.hear(now);
            match asked.try_recv() {
                Ok(request) => self.obey(&request, now),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return self.end(now),
            }
            self.judge(now);
            if self.begun && now.saturating_sub(told) >= TELL {
                told = now;
                self.tell_standing(now);
            }
            self.look(now);
            tokio::time::sleep(TURN).await;
        }
    }

    fn say(&self, event: Event) {
        // Whoever does not listen any more lets the prober go next.
        let _ = self.tell.send(event);
    }

    /// Says of which time nothing is known, when this turn comes late.
    fn account_for(&mut self, last: Duration, now: Duration) {
        let late = now.saturating_sub(last + TURN);
        for (probe, measure) in self.measures.iter_mut().enumerate() {
            if late > measure.meter.tolerance() {
                measure.meter.stalled(late);
                let _ = self.tell.send(Event::Stalled { probe, from: now.saturating_sub(late), to: now });
            }
        }
    }

    /// Takes in everything that has come since the last turn.
    fn hear(&mut self, now: Duration) {
        for version in [Version::V4, Version::V6] {
            while let Some((Tag { target, look }, from)) = self.echo(version).and_then(Echo::receive) {
                let Some((probe, target)) = self.find(target) else { continue };
                if matches!(self.measures[probe].ways.get(target), Some(Way::Echo(address)) if *address == from) {
                    self.answer(probe, target, look, now);
                }
            }
        }
        while let Ok(Looked { target, look, at, end }) = self.ends.try_recv() {
            let Some((probe, target)) = self.find(target) else { continue };
            let measure = &mut self.measures[probe];
            measure.busy[target] = false;
            match end {
                Ok(()) => self.answer(probe, target, look, at.min(now)),
                Err(Failure::Said(why)) => measure.why[target] = Some(why),
                Err(Failure::Ours) => measure.meter.excuse(target, now),
            }
        }
    }

    fn echo(&self, version: Version) -> Option<&Echo> {
        match version {
            Version::V4 => self.echoes.v4.as_ref(),
            Version::V6 => self.echoes.v6.as_ref(),
        }
    }

    /// The probe of a target, and its place there.
    fn find(&self, target: u32) -> Option<(usize, usize)> {
        let probe = self.first.partition_point(|first| *first <= target).checked_sub(1)?;
        let place = usize::try_from(target - self.first[probe]).ok()?;
        (place < self.measures[probe].ways.len()).then_some((probe, place))
    }

    fn answer(&mut self, probe: usize, target: usize, look: u64, at: Duration) {
        let measure = &mut self.measures[probe];
        measure.tally.answers += 1;
        measure.why[target] = None;
        if let Some(gap) = measure.meter.answer(target, look, at) {
            self.say(Event::Gap { probe, gap });
        }
    }

    fn obey(&mut self, request: &Request, now: Duration) {
        for (probe, measure) in self.measures.iter_mut().enumerate() {
            match request {
                Request::GiveUp => {
                    let targets = measure.meter.give_up(self.started);
                    if !targets.is_empty() {
                        let _ = self.tell.send(Event::Breach { probe, targets, at: now });
                    }
                }
                Request::LastWord => {
                    measure.last_word = measure.rhythm.hasten(now);
                    let by = now + measure.max_gap + measure.every + GRACE;
                    self.last_word_by = self.last_word_by.max(Some(by));
                }
            }
        }
    }

    /// Tells what the silence of targets comes to.
    fn judge(&mut self, now: Duration) {
        for (probe, measure) in self.measures.iter_mut().enumerate() {
            // Targets that fall silent together are told together.
            if now.saturating_sub(measure.judged) < measure.every {
                continue;
            }
            measure.judged = now;
            let targets = measure.meter.breaches(now);
            if !targets.is_empty() {
                let _ = self.tell.send(Event::Breach { probe, targets, at: now });
            }
        }
        if !self.begun {
            self.begin(now);
        }
        let heard = |measure: &Measure| measure.meter.has_heard_since(measure.last_word);
        if let Some(by) = self.last_word_by
            && (now > by || self.measures.iter().all(heard))
        {
            self.last_word_by = None;
            self.say(Event::LastWord);
        }
    }

    /// Says that every target has answered once, or which ones have not in all the time they had.
    fn begin(&mut self, now: Duration) {
        let waits = |measure: &Measure| {
            now.saturating_sub(self.started) < measure.max_gap.max(FIRST) && measure.meter.unanswered().next().is_some()
        };
        if self.measures.iter().any(waits) {
            return;
        }
        let never = self.measures.iter().enumerate().flat_map(|(probe, measure)| {
            let why = |target: usize| measure.why[target].clone().unwrap_or_else(|| "no answer".into());
            measure.meter.unanswered().map(move |target| Never { probe, target, why: why(target) })
        });
        let never = never.collect();
        self.begun = true;
        self.say(Event::Begun(never));
    }

    fn tell_standing(&mut self, now: Duration) {
        let tally = |measure: &Measure| Tally { at: now, silent: measure.meter.silent(now).collect(), ..measure.tally };
        self.say(Event::Standing(self.measures.iter().map(tally).collect()));
    }

    /// Makes the looks that are due.
    fn look(&mut self, now: Duration) {
        for (measure, first) in self.measures.iter_mut().zip(&self.first) {
            for look in measure.rhythm.due(now) {
                let target = measure.rhythm.target(look);
                let number = first + u32::try_from(target).unwrap_or_default();
                match &measure.ways[target] {
                    Way::None(_) => {}
                    Way::Echo(address) => {
                        let echo = if address.is_ipv4() { &self.echoes.v4 } else { &self.echoes.v6 };
                        let tag = Tag { target: number, look };
                        let sent = echo.as_ref().map(|echo| echo.send(*address, tag));
                        if let Some(Err(error)) = sent {
                            match Failure::of(&error) {
                                Failure::Said(why) => measure.why[target] = Some(why),
                                Failure::Ours => measure.meter.excuse(target, now),
                            }
                        }
                    }
                    // A command that is still at it is not started a second time.
                    Way::Slow(Slow::Run(_)) if measure.busy[target] => continue,
                    Way::Slow(slow) => {
                        measure.busy[target] = true;
                        self.looker.look(slow, number, look, measure.every, measure.max_gap);
                    }
                }
                measure.tally.looks += 1;
            }
        }
    }

    /// Tells what is left to tell.
    fn end(&mut self, now: Duration) {
        for (probe, measure) in self.measures.iter().enumerate() {
            for gap in measure.meter.open(now) {
                self.say(Event::Gap { probe, gap });
            }
        }
        self.tell_standing(now);
    }
}
