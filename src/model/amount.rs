//! Quantities that a person writes: how many, how fast, how long, how many failures.

use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::model::Outcome;

/// A number of hosts, or a share of a stage's hosts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Amount {
    /// So many hosts.
    Count(u32),
    /// So many of a hundred hosts.
    Percent(f64),
}

impl Amount {
    /// The number of hosts this is out of `total`, at least one.
    ///
    /// A share is rounded down: ten percent of 25 hosts are two.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a u32 fits a u32")]
    pub fn of(self, total: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => (f64::from(total) * percent / 100.0).floor() as u32,
        }
        .max(1)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// Hosts that may start in an hour, evenly spaced: `20/h` is one every three minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pace {
    hosts: u32,
    unit: PaceUnit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PaceUnit {
    Hour,
    Minute,
}

impl Pace {
    /// A pace of so many hosts an hour; `None` for zero, which would never end.
    #[must_use]
    pub fn per_hour(hosts: u32) -> Option<Self> {
        (hosts > 0).then_some(Self { hosts, unit: PaceUnit::Hour })
    }

    /// The least time between the starts of two hosts.
    #[must_use]
    pub fn spacing(self) -> SignedDuration {
        let period = match self.unit {
            PaceUnit::Hour => SignedDuration::from_hours(1),
            PaceUnit::Minute => SignedDuration::from_mins(1),
        };
        // Rounded up, so that an hour never holds one start too many.
        let nanos = period.as_nanos();
        let hosts = i128::from(self.hosts);
        SignedDuration::from_nanos_i128((nanos + hosts - 1) / hosts)
    }

    /// Hosts in an hour.
    #[must_use]
    pub fn hosts_per_hour(self) -> f64 {
        match self.unit {
            PaceUnit::Hour => f64::from(self.hosts),
            PaceUnit::Minute => f64::from(self.hosts) * 60.0,
        }
    }
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            PaceUnit::Hour => "h",
            PaceUnit::Minute => "min",
        };
        write!(f, "{}/{unit}", self.hosts)
    }
}

impl std::str::FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("wanted a pace such as `20/h` or `2/min`, found `{text}`");
        let (hosts, unit) = text.split_once('/').ok_or_else(wanted)?;
        let hosts = hosts.trim().parse().map_err(|_| wanted())?;
        let unit = match unit.trim() {
            "h" => PaceUnit::Hour,
            "min" => PaceUnit::Minute,
            _ => return Err(wanted()),
        };
        if hosts == 0 {
            return Err(format!("a pace of `{text}` would never end: wanted at least one host"));
        }
        Ok(Self { hosts, unit })
    }
}

impl TryFrom<String> for Pace {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Pace> for String {
    fn from(pace: Pace) -> Self {
        pace.to_string()
    }
}

/// A declared duration: a mean and a standard deviation, written `12m ± 3m`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Takes {
    /// The mean.
    pub mean: SignedDuration,
    /// One standard deviation; zero when the person gave none.
    pub deviation: SignedDuration,
}

impl Takes {
    /// The time that 19 of 20 tries stay within: the mean and 1.645 standard deviations.
    #[must_use]
    pub fn p95(self) -> SignedDuration {
        self.mean + self.deviation.mul_f64_saturating(1.645)
    }
}

/// Multiplication that a duration from a file cannot overflow.
trait MulSaturating {
    fn mul_f64_saturating(self, factor: f64) -> Self;
}

impl MulSaturating for SignedDuration {
    fn mul_f64_saturating(self, factor: f64) -> Self {
        Self::try_from_secs_f64(self.as_secs_f64() * factor).unwrap_or(Self::MAX)
    }
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.mean)?;
        if !self.deviation.is_zero() {
            write!(f, " ± {:#}", self.deviation)?;
        }
        Ok(())
    }
}

impl std::str::FromStr for Takes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let part = |part: &str| {
            part.trim()
                .parse::<SignedDuration>()
                .ok()
                .filter(|duration| !duration.is_negative())
                .ok_or_else(|| format!("wanted a time such as `12m` or `12m ± 3m`, found `{text}`"))
        };
        let (mean, deviation) = match text.split_once('±').or_else(|| text.split_once("+-")) {
            Some((mean, deviation)) => (part(mean)?, part(deviation)?),
            None => (part(text)?, SignedDuration::ZERO),
        };
        Ok(Self { mean, deviation })
    }
}

/// How many hosts may fail before no further host is started, each way of failing counted apart.
///
/// A limit is the number that stops: `failed = 3` tolerates two. `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Budget<N = Amount> {
    /// Hosts that did not come through, whatever the way.
    pub total: Option<N>,
    /// Hosts on which a step failed.
    pub failed: Option<N>,
    /// Hosts on which a step ran out of time.
    pub timed_out: Option<N>,
    /// Hosts that stopped answering.
    pub unreachable: Option<N>,
    /// Hosts on which a step was cut off.
    pub interrupted: Option<N>,
}

/// No limit at all.
impl<N> Default for Budget<N> {
    fn default() -> Self {
        Self { total: None, failed: None, timed_out: None, unreachable: None, interrupted: None }
    }
}

impl<N: Copy> Budget<N> {
    /// The limit for one way of failing; `None` for an outcome that is no failure.
    #[must_use]
    pub fn limit(&self, outcome: Outcome) -> Option<N> {
        match outcome {
            Outcome::Failed => self.failed,
            Outcome::TimedOut => self.timed_out,
            Outcome::Unreachable => self.unreachable,
            Outcome::Interrupted => self.interrupted,
            Outcome::Changed | Outcome::Unchanged | Outcome::Skipped => None,
        }
    }
}

impl Budget {
    /// The budget in hosts, for a stage or a run of `total` hosts.
    #[must_use]
    pub fn of(self, total: u32) -> Budget<u32> {
        let count = |amount: Option<Amount>| amount.map(|amount| amount.of(total));
        Budget {
            total: count(self.total),
            failed: count(self.failed),
            timed_out: count(self.timed_out),
            unreachable: count(self.unreachable),
            interrupted: count(self.interrupted),
        }
    }
}

impl fmt::Display for Budget<u32> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = [Outcome::Failed, Outcome::TimedOut, Outcome::Unreachable, Outcome::Interrupted];
        let kinds = kinds.into_iter().filter_map(|kind| self.limit(kind).map(|limit| format!("{limit} {kind}")));
        let total = self.total.map(|limit| format!("{limit} failure{}", if limit == 1 { "" } else { "s" }));
        let parts: Vec<_> = total.into_iter().chain(kinds).collect();
        if parts.is_empty() { f.write_str("no number of failures") } else { f.write_str(&parts.join(" or ")) }
    }
}
