//! What the journal has to know of a plan to be read on its own.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::model::Pace;
use crate::model::pattern;
use crate::model::probe::{self, OnBreach};

/// The most hosts of all stages together, so that a slip, or a journal that nobody ran, cannot fill
/// the memory.
pub const MAX_PLACES: usize = 2_000_000;

/// The shape of a plan: hosts, stages and step titles, without what is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// The pipeline's name.
    pub pipeline: String,
    /// The plan's digest.
    pub digest: String,
    /// Whether no host was real.
    pub simulated: bool,
    /// Host names; a host's id is its place here. Folded on disk, order kept.
    #[serde(with = "folded")]
    pub hosts: Vec<String>,
    /// The stages, in order.
    pub stages: Vec<Stage>,
    /// What is measured while the run goes on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<Probe>,
}

/// The shape of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Its name.
    pub name: String,
    /// How long a target may be silent.
    pub max_gap: SignedDuration,
    /// What the run does when one is silent for longer.
    pub on_breach: OnBreach,
    /// The names of its targets.
    pub targets: Vec<String>,
}

impl Probe {
    /// The shape of a planned probe.
    #[must_use]
    pub fn of(probe: &probe::Probe) -> Self {
        Self {
            name: probe.name.clone(),
            max_gap: probe.max_gap,
            on_breach: probe.on_breach,
            targets: probe.targets.iter().map(|target| target.name.clone()).collect(),
        }
    }
}

/// The shape of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Planned time for the whole stage.
    pub window: Option<SignedDuration>,
    /// Hosts that may start in any hour.
    pub pace: Option<Pace>,
    /// Hosts under way at once.
    pub fan_out: u32,
    /// Its hosts as ids, in the order in which they start.
    #[serde(with = "ranges")]
    pub hosts: Vec<u32>,
    /// The titles of its steps.
    pub steps: Vec<String>,
}

impl Outline {
    /// The place of the stage with that name.
    #[must_use]
    pub fn stage(&self, name: &str) -> Option<usize> {
        self.stages.iter().position(|stage| stage.name == name)
    }

    /// The name of a stage's host.
    #[must_use]
    pub fn host_name(&self, stage: u16, host: u32) -> &str {
        &self.hosts[self.stages[usize::from(stage)].hosts[host as usize] as usize]
    }
}

/// Host names as a folded pattern that unfolds in the same order.
mod folded {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(hosts: &[String], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::pattern::fold_in_order(hosts.iter().map(String::as_str)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
        super::pattern::unfold(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Numbers as a list of ascending ranges, `[[0, 79]]` for 0 to 79.
mod ranges {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(hosts: &[u32], serializer: S) -> Result<S::Ok, S::Error> {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for &host in hosts {
            match ranges.last_mut() {
                Some((_, end)) if *end + 1 == host => *end = host,
                _ => ranges.push((host, host)),
            }
        }
        ranges.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u32>, D::Error> {
        let ranges = Vec::<(u32, u32)>::deserialize(deserializer)?;
        if let Some((start, end)) = ranges.iter().find(|(start, end)| start > end) {
            return Err(D::Error::custom(format!("the hosts {start} to {end} run backwards")));
        }
        let total: u64 = ranges.iter().map(|(start, end)| u64::from(end - start) + 1).sum();
        if total > super::pattern::MAX_HOSTS as u64 {
            return Err(D::Error::custom(format!("{total} hosts are more than a stage can have")));
        }
        Ok(ranges.into_iter().flat_map(|(start, end)| start..=end).collect())
    }
}
