//! The figures of probes, and how they read as text.
//!
//! Breaches are those of the journal. Gaps and how long was measured come from what the probes wrote; where that is
//! missing, it is said that nothing was measured, and never that nothing was silent.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::layout::{Moments, count, hang};
use super::timing::Timing;
use crate::model::outline;
use crate::model::probe::{Line, OnBreach, UnderWay, during, some};
use crate::model::record::{Breached, between};
use crate::model::span::short;

/// Breaches that are shown one by one.
const MOST: usize = 10;
/// Targets that are shown with their availability.
const WORST: usize = 3;

/// The figures of one probe.
#[derive(Debug, Clone)]
pub struct Probe {
    /// Its name.
    pub name: String,
    /// How long a target may be silent.
    pub max_gap: SignedDuration,
    /// What the run does when one is silent for longer.
    pub on_breach: OnBreach,
    /// Every target.
    pub targets: Vec<Target>,
    /// For how long it measured, real time.
    pub measured: SignedDuration,
    /// Time between that in which upshift itself stood still.
    pub not_measured: SignedDuration,
    /// Looks that were made.
    pub looks: u64,
    /// Looks that were answered.
    pub answers: u64,
    /// Targets that were silent for too long, in order.
    pub breaches: Vec<Breach>,
}

/// The figures of one target.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name.
    pub name: String,
    /// The sum of its gaps.
    pub silent: SignedDuration,
    /// How many gaps.
    pub gaps: u32,
    /// The longest one.
    pub longest: Option<Gap>,
}

/// A time without an answer. Moments are real time.
#[derive(Debug, Clone, PartialEq)]
pub struct Gap {
    /// The last answer before.
    pub from: Timestamp,
    /// The first answer afterwards, or the end of measuring.
    pub to: Timestamp,
    /// Whether it ended with an answer.
    pub answered: bool,
    /// What was under way when it began.
    pub under_way: Vec<UnderWay>,
}

impl Gap {
    /// How long it was.
    #[must_use]
    pub fn length(&self) -> SignedDuration {
        between(self.from, self.to)
    }
}

/// A target that was silent for too long.
#[derive(Debug, Clone, PartialEq)]
pub struct Breach {
    /// The target.
    pub target: String,
    /// When it was noticed, by the run's clock.
    pub at: Timestamp,
    /// How long it was silent, real time; `None` when it did not answer again.
    pub lasted: Option<SignedDuration>,
    /// How long it had been silent when it was noticed.
    pub noticed: SignedDuration,
    /// What was under way when it fell silent.
    pub under_way: Vec<UnderWay>,
}

impl Probe {
    pub(super) fn new(shape: &outline::Probe) -> Self {
        let target =
            |name: &String| Target { name: name.clone(), silent: SignedDuration::ZERO, gaps: 0, longest: None };
        Self {
            name: shape.name.clone(),
            max_gap: shape.max_gap,
            on_breach: shape.on_breach,
            targets: shape.targets.iter().map(target).collect(),
            measured: SignedDuration::ZERO,
            not_measured: SignedDuration::ZERO,
            looks: 0,
            answers: 0,
            breaches: Vec::new(),
        }
    }

    pub(super) fn breached(&mut self, at: Timestamp, breached: &Breached) {
        let breach = |target: &u32| Breach {
            target: self.targets[*target as usize].name.clone(),
            at,
            lasted: None,
            noticed: breached.silent,
            under_way: breached.under_way.clone(),
        };
        let breaches: Vec<_> = breached.targets.iter().map(breach).collect();
        self.breaches.extend(breaches);
    }

    pub(super) fn recovered(&mut self, targets: &[(u32, SignedDuration)]) {
        for (target, silent) in targets {
            let name = &self.targets[*target as usize].name;
            if let Some(breach) = self.breaches.iter_mut().rev().find(|breach| breach.target == *name) {
                breach.lasted = Some(*silent);
            }
        }
    }

    /// Takes in what the probe wrote.
    fn read(&mut self, lines: &[Line]) {
        let places: HashMap<String, usize> =
            self.targets.iter().enumerate().map(|(place, target)| (target.name.clone(), place)).collect();
        // Of each session the last line counts that says how far it was measured.
        let mut session: Option<(Timestamp, Timestamp, u64, u64)> = None;
        for line in lines {
            match line {
                Line::Began { at } => {
                    self.close(session.replace((*at, *at, 0, 0)));
                }
                Line::Measured { until, looks, answers } => {
                    session = session.map(|(from, to, ..)| (from, to.max(*until), *looks, *answers));
                }
                Line::NotMeasured { from, to } => self.not_measured += between(*from, *to),
                Line::Gap { target, from, to, answered, under_way, .. } => {
                    session = session.map(|(began, so_far, looks, answers)| (began, so_far.max(*to), looks, answers));
                    let Some(target) = places.get(target).map(|place| &mut self.targets[*place]) else { continue };
                    let gap = Gap { from: *from, to: *to, answered: *answered, under_way: under_way.clone() };
                    target.gaps += 1;
                    target.silent += gap.length();
                    if target.longest.as_ref().is_none_or(|longest| longest.length() < gap.length()) {
                        target.longest = Some(gap);
                    }
                }
            }
        }
        self.close(session);
        self.measured = (self.measured - self.not_measured).max(SignedDuration::ZERO);
    }

    fn close(&mut self, session: Option<(Timestamp, Timestamp, u64, u64)>) {
        let Some((from, to, looks, answers)) = session else { return };
        self.measured += between(from, to);
        self.looks += looks;
        self.answers += answers;
    }

    /// The share of the time measured in which a target answered, from 0 to 100; `None` when nothing was measured.
    #[must_use]
    pub fn available(&self, target: &Target) -> Option<f64> {
        let measured = self.measured.as_secs_f64();
        (measured > 0.0).then(|| (100.0 * (1.0 - target.silent.as_secs_f64() / measured)).clamp(0.0, 100.0))
    }

    /// The same over all targets.
    #[must_use]
    pub fn availability(&self) -> Option<f64> {
        let shares = self.targets.iter().map(|target| self.available(target)).collect::<Option<Vec<_>>>()?;
        #[expect(clippy::cast_precision_loss, reason = "a probe has some thousand targets")]
        let mean = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
        Some(mean)
    }

    /// The target with the longest gap, and the gap.
    #[must_use]
    pub fn longest(&self) -> Option<(&Target, &Gap)> {
        let gaps = self.targets.iter().filter_map(|target| Some((target, target.longest.as_ref()?)));
        gaps.max_by_key(|(_, gap)| gap.length())
    }

    /// Targets that were silent, the one that was silent for longest first.
    #[must_use]
    pub fn worst(&self) -> Vec<&Target> {
        let mut silent: Vec<_> = self.targets.iter().filter(|target| target.gaps > 0).collect();
        silent.sort_by_key(|target| std::cmp::Reverse(target.silent));
        silent
    }
}

impl Timing {
    /// Adds what probes wrote, each by its name.
    #[must_use]
    pub fn with_probes(mut self, mut lines: impl FnMut(&str) -> Vec<Line>) -> Self {
        for probe in &mut self.probes {
            probe.read(&lines(&probe.name));
        }
        self
    }
}

/// A share as people read it: never whole while anything is missing.
pub(super) fn percent(share: f64) -> String {
    if share >= 100.0 { "100%".into() } else { format!("{:.3}%", (share * 1000.0).floor() / 1000.0) }
}

/// How long and how well a probe measured.
pub(super) fn overall(probe: &Probe) -> String {
    let targets = count(probe.targets.len(), "target");
    let Some(availability) = probe.availability() else { return format!("{targets}, not measured") };
    let stood_still = if probe.not_measured.is_zero() {
        String::new()
    } else {
        format!(", but for {} in which upshift itself stood still", short(probe.not_measured))
    };
    format!("{targets}, available {}, measured for {}{stood_still}", percent(availability), short(probe.measured))
}

/// The longest gap of a probe.
pub(super) fn longest(probe: &Probe, moments: &Moments<'_>) -> Option<String> {
    let (target, gap) = probe.longest()?;
    let open = if gap.answered { "" } else { ", still silent when measuring ended" };
    let (length, at) = (short(gap.length()), moments.clock(gap.from));
    Some(format!("{length}: {} at {at}{open}; {}", target.name, during(&gap.under_way)))
}

/// Breaches as they happened: those that were noticed together in one line.
pub(super) fn breaches(probe: &Probe) -> Vec<(Timestamp, String)> {
    let mut together: Vec<(&Breach, Vec<&Breach>)> = Vec::new();
    for breach in &probe.breaches {
        match together.last_mut() {
            Some((first, all)) if first.at == breach.at && first.lasted.is_some() == breach.lasted.is_some() => {
                all.push(breach);
            }
            _ => together.push((breach, vec![breach])),
        }
    }
    let words = |(first, all): &(&Breach, Vec<&Breach>)| {
        let names: Vec<_> = all.iter().map(|breach| &breach.target).collect();
        let lasted = all.iter().filter_map(|breach| breach.lasted).max();
        let how = match lasted {
            Some(lasted) => format!("for {}", short(lasted)),
            None => format!("for more than {}, and still when measuring ended", short(first.noticed)),
        };
        (first.at, format!("{} silent {how}; {}", some(&names), during(&first.under_way)))
    };
    together.iter().map(words).collect()
}

/// The probes as text.
pub(super) fn text(timing: &Timing) -> String {
    let moments = Moments::of(timing);
    let sections = timing.probes.iter().map(|probe| one(probe, &moments));
    let sections: String = sections.collect();
    if sections.is_empty() { sections } else { format!("probes\n{sections}") }
}

fn one(probe: &Probe, moments: &Moments<'_>) -> String {
    let mut text = hang(&format!("  {}  ", probe.name), &overall(probe));
    if probe.availability().is_none() && probe.breaches.is_empty() {
        return text;
    }
    if let Some(longest) = longest(probe, moments) {
        text += &hang("    longest gap  ", &longest);
    }
    let worst = probe.worst();
    if worst.len() > 1 {
        let share = |target: &&Target| Some(format!("{} {}", target.name, percent(probe.available(target)?)));
        let named: Vec<_> = worst.iter().take(WORST).filter_map(share).collect();
        let gaps = count(worst.len(), "target");
        text += &hang("    with gaps    ", &format!("{gaps}, the worst {}", named.join(", ")));
    }
    let breaches = breaches(probe);
    let number = if breaches.is_empty() { "none".to_owned() } else { probe.breaches.len().to_string() };
    text += &hang("    breaches     ", &format!("{number} longer than {}", short(probe.max_gap)));
    for (at, words) in breaches.iter().take(MOST) {
        text += &hang(&format!("      {}  ", moments.clock(*at)), words);
    }
    if breaches.len() > MOST {
        text += &format!("      and {} more: `--format json`\n", breaches.len() - MOST);
    }
    text
}
