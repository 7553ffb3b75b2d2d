//! A record as one line of JSON, with names where the state has numbers.
//!
//! The shape of these lines is public: `--progress json` prints them, and journals of released
//! formats stay readable for ever.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::model::outline::MAX_PLACES;
use crate::model::probe::UnderWay;
use crate::model::record::{Breached, End, Entry, Opened, Silent};
use crate::model::{Command, Outcome, Outline, Person, Record, Slot, UnitKey, Verdict};

/// The journal's format. Raised when an older upshift could misread what a newer one writes.
pub const FORMAT: u64 = 1;

/// The hash of a line: the first 128 bits of SHA-256, in hexadecimal.
pub(super) type Hash = String;

/// What stands before the first line.
pub(super) const NO_HASH: &str = "00000000000000000000000000000000";

/// One line, without its own hash.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    n: u64,
    at: Timestamp,
    prev: Hash,
    #[serde(flatten, borrow)]
    body: Body<'a>,
}

/// A record with names.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Body<'a> {
    Opened {
        format: u64,
        #[serde(flatten)]
        opened: Box<Opened>,
    },
    Resumed {
        by: Person,
        closes: Option<Timestamp>,
    },
    Contacted {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unreachable: Vec<SilentHost>,
    },
    StageStarted {
        stage: Name<'a>,
    },
    HostStarted {
        stage: Name<'a>,
        host: Name<'a>,
    },
    UnitStarted {
        #[serde(flatten)]
        unit: Unit<'a>,
    },
    UnitEnded {
        #[serde(flatten)]
        unit: Unit<'a>,
        #[serde(flatten)]
        end: End,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<Timestamp>,
    },
    HostEnded {
        stage: Name<'a>,
        host: Name<'a>,
        state: Outcome,
    },
    StageEnded {
        stage: Name<'a>,
    },
    Ordered {
        #[serde(flatten)]
        command: Command,
        by: Person,
    },
    ProbeBreached {
        probe: Name<'a>,
        targets: Vec<Name<'a>>,
        silent: SignedDuration,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        under_way: Vec<UnderWay>,
    },
    ProbeRecovered {
        probe: Name<'a>,
        targets: Vec<Recovered<'a>>,
    },
    Ended {
        verdict: Verdict,
    },
}

/// A target that answers again.
#[derive(Serialize, Deserialize)]
struct Recovered<'a> {
    target: Name<'a>,
    silent: SignedDuration,
}

type Name<'a> = std::borrow::Cow<'a, str>;

/// A unit with names; steps are counted from one, as a person does.
#[derive(Serialize, Deserialize)]
struct Unit<'a> {
    stage: Name<'a>,
    host: Name<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    always: Option<u16>,
    title: Name<'a>,
    attempt: u16,
}

impl<'a> Unit<'a> {
    fn new(outline: &'a Outline, key: UnitKey, attempt: u16) -> Self {
        let stage = &outline.stages[usize::from(key.stage)];
        let (step, always) = match key.slot {
            Slot::Step(step) => (Some(step + 1), None),
            Slot::Always(step) => (None, Some(step + 1)),
        };
        Self {
            stage: Name::from(&stage.name),
            host: Name::from(outline.host_name(key.stage, key.host)),
            step,
            always,
            title: Name::from(&stage.steps[key.slot.step()]),
            attempt,
        }
    }

    fn key(&self, names: &Names) -> Result<UnitKey, String> {
        let (stage, host) = names.host(&self.stage, &self.host)?;
        let steps = names.outline.stages[usize::from(stage)].steps.len();
        let slot = match (self.step, self.always) {
            (Some(step), None) if (1..=steps).contains(&usize::from(step)) => Slot::Step(step - 1),
            (None, Some(step)) if (1..=steps).contains(&usize::from(step)) => Slot::Always(step - 1),
            _ => return Err(format!("stage `{}` has no such step", self.stage)),
        };
        Ok(UnitKey { stage, host, slot })
    }
}

/// The way from names back to numbers.
pub(super) struct Names {
    pub(super) outline: std::sync::Arc<Outline>,
    /// By stage, host names to places.
    places: Vec<HashMap<String, u32>>,
    /// By probe, names of targets to places.
    targets: Vec<HashMap<String, u32>>,
}

impl Names {
    pub(super) fn new(outline: std::sync::Arc<Outline>) -> Self {
        let places = outline.stages.iter().map(|stage| {
            (0..).zip(&stage.hosts).map(|(place, &id)| (outline.hosts[id as usize].clone(), place)).collect()
        });
        let targets =
            outline.probes.iter().map(|probe| (0..).zip(&probe.targets).map(|(n, name)| (name.clone(), n)).collect());
        Self { places: places.collect(), targets: targets.collect(), outline }
    }

    fn stage(&self, name: &str) -> Result<u16, String> {
        let stage = self.outline.stage(name).and_then(|stage| u16::try_from(stage).ok());
        stage.ok_or_else(|| format!("the plan has no stage `{name}`"))
    }

    fn host(&self, stage: &str, host: &str) -> Result<(u16, u32), String> {
        let place = self.stage(stage)?;
        match self.places[usize::from(place)].get(host) {
            Some(host) => Ok((place, *host)),
            None => Err(format!("stage `{stage}` has no host `{host}`")),
        }
    }

    fn probe(&self, name: &str) -> Result<u16, String> {
        let place = self.outline.probes.iter().position(|probe| probe.name == name);
        let place = place.and_then(|place| u16::try_from(place).ok());
        place.ok_or_else(|| format!("the plan has no probe `{name}`"))
    }

    fn target(&self, probe: u16, name: &str) -> Result<u32, String> {
        match self.targets[usize::from(probe)].get(name) {
            Some(target) => Ok(*target),
            None => Err(format!("the probe has no target `{name}`")),
        }
    }

    fn id(&self, host: &str) -> Result<u32, String> {
        let id = self.outline.hosts.iter().position(|name| name == host).and_then(|id| u32::try_from(id).ok());
        id.ok_or_else(|| format!("the plan has no host `{host}`"))
    }
}

/// A host that did not answer, as a line has it.
#[derive(Serialize, Deserialize)]
struct SilentHost {
    host: String,
    why: String,
}

/// A record as a line without its line end, and the line's hash.
///
/// The last member is always `hash`, over everything before it.
#[must_use]
pub fn to_json(entry: &Entry, prev: &str, outline: &Outline) -> (String, Hash) {
    let stage_name = |stage: u16| Name::from(&outline.stages[usize::from(stage)].name);
    let host_name = |stage, host| Name::from(outline.host_name(stage, host));
    let body = match &entry.record {
        Record::Opened(opened) => Body::Opened { format: FORMAT, opened: opened.clone() },
        Record::Resumed { by, closes } => Body::Resumed { by: by.clone(), closes: *closes },
        Record::Contacted { unreachable } => {
            let named = |silent: &Silent| SilentHost {
                host: outline.hosts[silent.host as usize].clone(),
                why: silent.why.clone(),
            };
            Body::Contacted { unreachable: unreachable.iter().map(named).collect() }
        }
        Record::StageStarted { stage } => Body::StageStarted { stage: stage_name(*stage) },
        Record::HostStarted { stage, host } => {
            Body::HostStarted { stage: stage_name(*stage), host: host_name(*stage, *host) }
        }
        Record::UnitStarted { unit, attempt } => Body::UnitStarted { unit: Unit::new(outline, *unit, *attempt) },
        Record::UnitEnded { unit, attempt, end, retry_at } => {
            Body::UnitEnded { unit: Unit::new(outline, *unit, *attempt), end: end.clone(), retry_at: *retry_at }
        }
        Record::HostEnded { stage, host, state } => {
            Body::HostEnded { stage: stage_name(*stage), host: host_name(*stage, *host), state: *state }
        }
        Record::StageEnded { stage } => Body::StageEnded { stage: stage_name(*stage) },
        Record::Ordered { command, by } => Body::Ordered { command: command.clone(), by: by.clone() },
        Record::Breached(breached) => {
            let probe = &outline.probes[usize::from(breached.probe)];
            Body::ProbeBreached {
                probe: Name::from(&probe.name),
                targets: breached.targets.iter().map(|target| Name::from(&probe.targets[*target as usize])).collect(),
                silent: breached.silent,
                under_way: breached.under_way.clone(),
            }
        }
        Record::Recovered { probe, targets } => {
            let probe = &outline.probes[usize::from(*probe)];
            let named = |(target, silent): &(u32, SignedDuration)| Recovered {
                target: Name::from(&probe.targets[*target as usize]),
                silent: *silent,
            };
            Body::ProbeRecovered { probe: Name::from(&probe.name), targets: targets.iter().map(named).collect() }
        }
        Record::Ended { verdict } => Body::Ended { verdict: *verdict },
    };
    let line = Line { n: entry.n, at: entry.at, prev: prev.to_owned(), body };
    let mut text = serde_json::to_string(&line).unwrap_or_else(|error| unreachable!("records are plain data: {error}"));
    let hash = hash(text.as_bytes());
    text.pop();
    text.push_str(",\"hash\":\"");
    text.push_str(&hash);
    text.push_str("\"}");
    (text, hash)
}

fn hash(bytes: &[u8]) -> Hash {
    let mut text = crate::model::hash::Hash::of(bytes).to_string();
    text.truncate(32);
    text
}

/// What reading a line gives.
pub(super) struct Parsed {
    pub(super) entry: Entry,
    pub(super) hash: Hash,
}

/// What is wrong with a line.
pub(super) enum Wrong {
    Damaged(String),
    Newer(u64),
}

/// Reads a line back; `names` is `None` for the first one.
pub(super) fn from_json(text: &str, n: u64, prev: &str, names: Option<&Names>) -> Result<Parsed, Wrong> {
    let damaged = |what: &str| Wrong::Damaged(what.to_owned());
    let (body, found) = text
        .strip_suffix("\"}")
        .and_then(|text| text.rsplit_once(",\"hash\":\""))
        .ok_or_else(|| damaged("the line has no hash"))?;
    let whole = format!("{body}}}");
    if hash(whole.as_bytes()) != found {
        return Err(damaged("the line does not match its hash"));
    }
    if names.is_none() {
        #[derive(Deserialize)]
        struct Head {
            format: u64,
        }
        let head: Head = serde_json::from_str(&whole).map_err(|error| Wrong::Damaged(error.to_string()))?;
        if head.format > FORMAT {
            return Err(Wrong::Newer(head.format));
        }
    }
    let line: Line = serde_json::from_str(&whole).map_err(|error| Wrong::Damaged(error.to_string()))?;
    if line.n != n {
        return Err(Wrong::Damaged(format!("wanted record {n}, found record {}", line.n)));
    }
    if line.prev != prev {
        return Err(damaged("the line does not follow from the one before it"));
    }
    let record = record(line.body, names).map_err(Wrong::Damaged)?;
    Ok(Parsed { entry: Entry { n, at: line.at, record }, hash: found.to_owned() })
}

fn record(body: Body, names: Option<&Names>) -> Result<Record, String> {
    let Some(names) = names else {
        return match body {
            Body::Opened { opened, .. } => Ok(Record::Opened(opened)),
            _ => Err("the first record does not open the run".into()),
        };
    };
    Ok(match body {
        Body::Opened { .. } => return Err("the run is opened twice".into()),
        Body::Resumed { by, closes } => Record::Resumed { by, closes },
        Body::Contacted { unreachable } => {
            let known = |silent: SilentHost| Ok(Silent { host: names.id(&silent.host)?, why: silent.why });
            Record::Contacted { unreachable: unreachable.into_iter().map(known).collect::<Result<_, String>>()? }
        }
        Body::StageStarted { stage } => Record::StageStarted { stage: names.stage(&stage)? },
        Body::HostStarted { stage, host } => {
            let (stage, host) = names.host(&stage, &host)?;
            Record::HostStarted { stage, host }
        }
        Body::UnitStarted { unit } => Record::UnitStarted { unit: unit.key(names)?, attempt: unit.attempt },
        Body::UnitEnded { unit, end, retry_at } => {
            Record::UnitEnded { unit: unit.key(names)?, attempt: unit.attempt, end, retry_at }
        }
        Body::HostEnded { stage, host, state } => {
            let (stage, host) = names.host(&stage, &host)?;
            Record::HostEnded { stage, host, state }
        }
        Body::StageEnded { stage } => Record::StageEnded { stage: names.stage(&stage)? },
        Body::Ordered { command, by } => Record::Ordered { command, by },
        Body::ProbeBreached { probe, targets, silent, under_way } => {
            let probe = names.probe(&probe)?;
            let targets = targets.iter().map(|target| names.target(probe, target)).collect::<Result<_, _>>()?;
            Record::Breached(Box::new(Breached { probe, targets, silent, under_way }))
        }
        Body::ProbeRecovered { probe, targets } => {
            let probe = names.probe(&probe)?;
            let target = |found: &Recovered| Ok((names.target(probe, &found.target)?, found.silent));
            Record::Recovered { probe, targets: targets.iter().map(target).collect::<Result<_, String>>()? }
        }
        Body::Ended { verdict } => Record::Ended { verdict },
    })
}

/// Whether the outline can be worked with: every stage has hosts, and every number in it names one of its own.
pub(super) fn check(outline: &Outline) -> Result<(), String> {
    let places: usize = outline.stages.iter().map(|stage| stage.hosts.len()).sum();
    if places > MAX_PLACES {
        return Err(format!("its stages have {places} hosts together, and {MAX_PLACES} are the most"));
    }
    for stage in &outline.stages {
        if stage.hosts.is_empty() {
            return Err(format!("stage `{}` has no hosts", stage.name));
        }
        let mut seen = vec![false; outline.hosts.len()];
        for &id in &stage.hosts {
            match seen.get_mut(id as usize) {
                None => {
                    let hosts = outline.hosts.len();
                    return Err(format!("stage `{}` has host number {id}, and there are {hosts}", stage.name));
                }
                Some(seen) if *seen => return Err(format!("stage `{}` has host number {id} twice", stage.name)),
                Some(seen) => *seen = true,
            }
        }
    }
    Ok(())
}
