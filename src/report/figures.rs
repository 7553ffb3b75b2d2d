//! What follows from the figures of a run: sums, differences, groups, names.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::timing::{Group, Host, Order, Session, Stage, Standing, Timing, Visit};
use crate::engine::state::Fate;
use crate::model::{Outcome, Slot, pattern};

impl Timing {
    /// How long the run took, or has taken so far.
    #[must_use]
    pub fn took(&self) -> SignedDuration {
        self.ended.duration_since(self.started)
    }

    /// What was left of the window at the end, or is left now; negative when it had closed.
    #[must_use]
    pub fn slack(&self) -> Option<SignedDuration> {
        let since = self.silent.unwrap_or_default();
        self.closes.map(|closes| closes.duration_since(self.ended).saturating_sub(since))
    }

    /// The sum of planned windows, when every stage has one.
    #[must_use]
    pub fn planned(&self) -> Option<SignedDuration> {
        let mut windows = self.stages.iter().map(|stage| stage.planned);
        let sum = windows.try_fold(SignedDuration::ZERO, |sum, window| Some(sum.saturating_add(window?)));
        sum.filter(|_| !self.stages.is_empty())
    }

    /// How far the run is from the sum of planned windows; `None` while it may yet need more.
    #[must_use]
    pub fn difference(&self) -> Option<SignedDuration> {
        let difference = self.took().saturating_sub(self.planned()?);
        let is_over = self.stages.iter().all(|stage| stage.is_over);
        (is_over || difference.is_positive()).then_some(difference)
    }

    /// Things changed, and on how many hosts.
    #[must_use]
    pub fn changes(&self) -> (u64, usize) {
        let changed = self.hosts.iter().filter(|host| host.changes > 0);
        (self.hosts.iter().map(|host| u64::from(host.changes)).sum(), changed.count())
    }

    /// Time between the sessions.
    #[must_use]
    pub fn stopped(&self) -> SignedDuration {
        stopped_within(&self.sessions, self.started, self.ended)
    }

    /// Shows moments in this time zone; without it they are in UTC.
    #[must_use]
    pub fn in_zone(mut self, zone: TimeZone) -> Self {
        self.zone = zone;
        self
    }

    /// Restricts the lists of hosts to these; the figures of run and stages stay those of all hosts.
    ///
    /// # Errors
    ///
    /// Returns the first name that is not in the plan.
    pub fn only(mut self, names: &[String]) -> Result<Self, String> {
        let id = |name: &String| self.hosts.iter().position(|host| host.name == *name).ok_or_else(|| name.clone());
        let mut ids = names.iter().map(id).collect::<Result<Vec<_>, _>>()?;
        ids.sort_unstable();
        ids.dedup();
        self.only = Some(ids);
        Ok(self)
    }

    /// Whether the lists of hosts have the host with this id.
    #[must_use]
    pub fn shows(&self, id: usize) -> bool {
        self.only.as_ref().is_none_or(|only| only.binary_search(&id).is_ok())
    }

    /// The hosts that the lists have, with their ids.
    pub fn shown(&self) -> impl Iterator<Item = (usize, &Host)> {
        self.hosts.iter().enumerate().filter(|(id, _)| self.shows(*id))
    }

    /// Hosts by what they came to and why, the worst first, larger groups before smaller ones.
    #[must_use]
    pub fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: BTreeMap<_, Group<'_>> = BTreeMap::new();
        for (_, host) in self.shown() {
            let group = || Group { fate: host.fate, cause: &host.cause, hosts: Vec::new() };
            groups.entry((rank(host.fate), &host.cause)).or_insert_with(group).hosts.push(host);
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort_by_key(|group| (Reverse(rank(group.fate)), Reverse(group.hosts.len())));
        groups
    }

    /// How many hosts came to what, the worst first.
    #[must_use]
    pub fn counts(&self) -> Vec<(Fate, usize)> {
        count(self.hosts.iter().map(|host| host.fate))
    }
}

impl Stage {
    /// From its first start to its end, or so far; `None` when it did not begin.
    #[must_use]
    pub fn actual(&self) -> Option<SignedDuration> {
        self.started.map(|started| self.ended.duration_since(started))
    }

    /// How far the actual time is from the planned one; `None` while the stage may yet need more.
    #[must_use]
    pub fn difference(&self) -> Option<SignedDuration> {
        let difference = self.actual()?.saturating_sub(self.planned?);
        (self.is_over || difference.is_positive()).then_some(difference)
    }

    /// How many hosts came to what, the worst first.
    #[must_use]
    pub fn counts(&self) -> Vec<(Fate, usize)> {
        count(self.hosts.iter().map(|visit| visit.fate))
    }

    /// Hosts that came through.
    #[must_use]
    pub fn succeeded(&self) -> usize {
        self.hosts.iter().filter(|visit| came_through(visit.fate)).count()
    }

    /// The hosts that took longest, at most so many, the slowest first.
    #[must_use]
    pub fn slowest(&self, most: usize) -> Vec<(&Visit, SignedDuration)> {
        let mut hosts: Vec<_> = self.hosts.iter().filter_map(|visit| Some((visit, visit.took?))).collect();
        hosts.sort_by_key(|(_, took)| Reverse(*took));
        hosts.truncate(most);
        hosts
    }

    /// Things changed.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.hosts.iter().map(|visit| u64::from(visit.changes)).sum()
    }

    /// Tries beyond the first of a step.
    #[must_use]
    pub fn retries(&self) -> u32 {
        self.hosts.iter().map(|visit| visit.retries).sum()
    }

    /// The title of a unit.
    #[must_use]
    pub fn title(&self, slot: Slot) -> String {
        let title = self.steps.get(slot.step()).map_or("", |step| step.title.as_str());
        match slot {
            Slot::Step(_) => title.to_owned(),
            Slot::Always(_) => format!("put back: {title}"),
        }
    }
}

impl Visit {
    /// When it was first taken up.
    #[must_use]
    pub fn started(&self) -> Option<Timestamp> {
        self.spans.first().map(|(start, _)| *start)
    }

    /// When the stage was last done with it; `None` while it has it in hand.
    #[must_use]
    pub fn ended(&self) -> Option<Timestamp> {
        self.spans.last().and_then(|(_, end)| *end)
    }

    /// What the last try of the unit that cut it short said.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        let slot = self.failed_at?;
        self.tries.iter().rev().find(|attempt| attempt.slot == slot)?.note.as_deref()
    }
}

impl Order {
    /// How long a hold lasted.
    #[must_use]
    pub fn lasted(&self) -> Option<SignedDuration> {
        self.until.map(|until| until.duration_since(self.at))
    }
}

impl Group<'_> {
    /// The hosts' names, folded.
    #[must_use]
    pub fn pattern(&self) -> String {
        pattern::fold(self.hosts.iter().map(|host| host.name.as_str()))
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(verdict) => verdict.fmt(f),
            Self::UnderWay => f.write_str("under way"),
            Self::Crashed => f.write_str("crashed: no upshift holds it"),
        }
    }
}

/// What a fate is called.
#[must_use]
pub fn fate_name(fate: Fate) -> String {
    match fate {
        Fate::Ended(outcome) => outcome.to_string(),
        Fate::Left => "not started".into(),
        Fate::UnderWay => "under way".into(),
    }
}

/// Whether a host ended as it should.
#[must_use]
pub fn came_through(fate: Fate) -> bool {
    matches!(fate, Fate::Ended(Outcome::Changed | Outcome::Unchanged))
}

/// The time between sessions that lies within a span.
pub(super) fn stopped_within(sessions: &[Session], from: Timestamp, to: Timestamp) -> SignedDuration {
    let gaps = sessions.iter().zip(sessions.iter().skip(1)).map(|(one, next)| {
        let (start, end) = (one.ended.max(from), next.started.min(to));
        end.duration_since(start).max(SignedDuration::ZERO)
    });
    gaps.fold(SignedDuration::ZERO, SignedDuration::saturating_add)
}

/// The order in which fates are shown: failures, then what is open, then what came through.
fn rank(fate: Fate) -> u8 {
    match fate {
        Fate::Ended(outcome) if outcome.is_failure() => 10 + outcome as u8,
        Fate::UnderWay => 9,
        Fate::Left => 8,
        Fate::Ended(outcome) => outcome as u8,
    }
}

fn count(fates: impl Iterator<Item = Fate>) -> Vec<(Fate, usize)> {
    let mut counts: Vec<(Fate, usize)> = Vec::new();
    for fate in fates {
        match counts.iter_mut().find(|(other, _)| *other == fate) {
            Some((_, count)) => *count += 1,
            None => counts.push((fate, 1)),
        }
    }
    counts.sort_by_key(|(fate, _)| Reverse(rank(*fate)));
    counts
}
