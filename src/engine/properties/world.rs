//! Random runs: hosts that end in any way, a person who says anything at any time, and crashes.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::{SignedDuration, Timestamp};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::checker::Checker;
use super::plans;
use crate::engine::retry::retry_at;
use crate::engine::sample;
use crate::engine::schedule::decide;
use crate::engine::state::{self, Fate, RunState};
use crate::model::plan::{Action, Plan};
use crate::model::record::{End, Entry, Silent};
use crate::model::{Command, Outcome, Record, Slot, UnitKey, Verdict};

/// No run of these plans takes more turns, unless it never ends.
const TURNS: u32 = 100_000;

/// One run.
pub(super) struct World {
    plan: Plan,
    rng: SmallRng,
    seed: u64,
    /// How much goes wrong on hosts, from none to very much.
    trouble: u32,
    state: RunState,
    checker: Checker,
    log: Vec<Entry>,
    now: Timestamp,
    /// Units under way on hosts, whether upshift lives or not, and when they end.
    due: BTreeMap<(UnitKey, u16), (Timestamp, End)>,
    /// How often the run may yet be cut or told something.
    crashes: u32,
    orders: u32,
    resumes: u32,
}

impl World {
    pub(super) fn new(seed: u64, hosts: u32, trouble: u32) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let plan = plans::plan(&mut rng, hosts);
        let state = RunState::new(std::sync::Arc::new(plan.outline()));
        let busy = rng.random_bool(0.7);
        Self {
            checker: Checker::new(&plan),
            crashes: rng.random_range(0..=3),
            orders: if busy { rng.random_range(0..=12) } else { 0 },
            resumes: 6,
            plan,
            rng,
            seed,
            trouble,
            state,
            log: Vec::new(),
            now: sample::start(),
            due: BTreeMap::new(),
        }
    }

    /// Carries the run on until nothing is left to resume, or nobody resumes it any more.
    pub(super) fn carry_out(mut self) {
        let [mut opened, _] = sample::opening(&self.plan);
        if let Record::Opened(opened) = &mut opened {
            opened.closes = self.closes();
        }
        self.commit(opened);
        self.contact();
        for _ in 0..TURNS {
            if self.turn() {
                self.finish();
                return;
            }
        }
        panic!("the run does not end");
    }

    /// One decision and what follows; whether the run is over for good.
    fn turn(&mut self) -> bool {
        self.checker.recount(&self.plan, &self.state);
        let decision = decide(&self.plan, &self.state, self.now);
        assert_eq!(decision, decide(&self.plan, &self.state, self.now), "the same is decided of the same");
        assert!(decision.wake_at.is_none_or(|at| at > self.now), "nothing is to be done in the past");
        if !decision.records.is_empty() {
            let whole = decision.records.len();
            let crash = self.crashes > 0 && self.rng.random_bool(0.01);
            let kept = if crash { self.rng.random_range(0..=whole) } else { whole };
            for record in decision.records.into_iter().take(kept) {
                self.commit(record);
            }
            if crash {
                self.crash();
            }
            return false;
        }
        if let Some(verdict) = self.state.verdict {
            assert!(self.due.is_empty(), "the run ends and units are under way");
            if verdict == Verdict::Done || self.resumes == 0 {
                return true;
            }
            self.resumes -= 1;
            self.pass_time(3600);
            self.resume();
            return false;
        }
        if self.crashes > 0 && self.rng.random_bool(0.01) {
            self.crash();
            return false;
        }
        let next = self.due.values().map(|(at, _)| *at).chain(decision.wake_at).min();
        if self.orders > 0 && self.rng.random_bool(0.1) {
            self.orders -= 1;
            let most = next.map_or(60, |next| next.duration_since(self.now).as_secs().max(0));
            self.pass_time(most);
            self.order();
            return false;
        }
        if let Some(next) = next {
            self.now = self.now.max(next);
            self.end_due();
        } else {
            assert!(self.state.held.is_some(), "nothing is under way and nothing will happen: a hang");
            self.pass_time(600);
            self.commit(Record::Ordered { command: Command::Release, by: sample::person() });
        }
        false
    }

    /// Commits the ends of what has ended by now.
    fn end_due(&mut self) {
        let ended: Vec<_> = self.due.iter().filter(|(_, (at, _))| *at <= self.now).map(|(key, _)| *key).collect();
        for key in ended {
            let (unit, attempt) = key;
            let (_, end) = self.due.remove(&key).unwrap();
            let is_gate = matches!(self.plan.unit(unit).action, Action::Gate { .. });
            if is_gate && end.outcome.is_failure() && self.state.stopping.is_none() {
                self.commit(Record::Ordered { command: Command::Refuse, by: sample::person() });
            }
            let retry_at = retry_at(&self.plan, &self.state, unit, attempt, &end, self.now);
            self.commit(Record::UnitEnded { unit, attempt, end, retry_at });
        }
    }

    fn order(&mut self) {
        let hosts = self.plan.hosts.iter().map(|host| host.name.clone()).collect::<Vec<_>>();
        let left = self.state.current < self.plan.stages.len();
        let command = match self.rng.random_range(0..20) {
            0..=3 if self.state.held.is_none() => Command::Hold { reason: None },
            4..=6 if self.state.held.is_some() => Command::Release,
            7..=9 if left => Command::Pace { pace: plans::pace(&mut self.rng) },
            10..=13 if left => Command::FanOut { hosts: self.rng.random_range(1..=10) },
            14..=17 => {
                let count = self.rng.random_range(1..=2);
                Command::Skip { hosts: hosts.sample(&mut self.rng, count).cloned().collect() }
            }
            18 => Command::Stop,
            19 => Command::Abort,
            _ => return,
        };
        self.commit(Record::Ordered { command: command.clone(), by: sample::person() });
        if command == Command::Abort {
            for ((unit, _), (at, end)) in &mut self.due {
                if matches!(unit.slot, Slot::Step(_)) && *at > self.now {
                    (*at, *end) = (self.now, End::noted(Outcome::Interrupted, "aborted"));
                }
            }
        }
    }

    /// Upshift is gone for a while; hosts are not.
    fn crash(&mut self) {
        self.crashes -= 1;
        self.pass_time(1800);
        self.resume();
    }

    fn resume(&mut self) {
        let folded = state::fold(&self.state.outline, &self.log).unwrap();
        assert_eq!(format!("{folded:?}"), format!("{:?}", self.state), "the state is the fold of its records");
        let closes = self.closes();
        self.commit(Record::Resumed { by: sample::person(), closes });
        if self.rng.random_bool(0.1) {
            let command = if self.rng.random_bool(0.5) { Command::Stop } else { Command::Abort };
            self.commit(Record::Ordered { command, by: sample::person() });
        }
        if self.rng.random_bool(0.1) {
            // Another crash before any host was contacted.
            self.commit(Record::Resumed { by: sample::person(), closes });
        }
        self.contact();
    }

    fn contact(&mut self) {
        let mut unreachable = Vec::new();
        if self.trouble > 0 && self.rng.random_bool(0.05) {
            let known = (0..).zip(&self.state.out).filter(|(_, out)| out.is_none()).map(|(id, _)| id);
            unreachable = known.filter(|_| self.rng.random_bool(0.2)).collect();
        }
        let unreachable = unreachable.into_iter().map(|host| Silent { host, why: "no route to host".into() });
        self.commit(Record::Contacted { unreachable: unreachable.collect() });
    }

    fn closes(&mut self) -> Option<Timestamp> {
        self.rng
            .random_bool(0.3)
            .then(|| self.now.saturating_add(SignedDuration::from_mins(self.rng.random_range(1..=600))).unwrap())
    }

    fn pass_time(&mut self, most: i64) {
        let seconds = self.rng.random_range(0..=most.max(0));
        self.now = self.now.saturating_add(SignedDuration::from_secs(seconds)).unwrap();
    }

    fn commit(&mut self, record: Record) {
        if let Record::UnitStarted { unit, attempt } = record {
            let (took, end) = self.draw(unit, attempt);
            let at = self.now.saturating_add(took).unwrap();
            assert!(self.due.insert((unit, attempt), (at, end)).is_none(), "a unit is started twice at once");
        }
        let entry = Entry { n: self.log.len() as u64, at: self.now, record };
        let applied = self.state.apply(entry.at, &entry.record);
        self.checker.check(&self.plan, entry.at, &entry.record);
        assert_eq!(applied, Ok(()), "{:?} was decided", entry.record);
        self.log.push(entry);
    }

    /// How long a try takes, and how it ends.
    fn draw(&self, unit: UnitKey, attempt: u16) -> (SignedDuration, End) {
        let mut hasher = DefaultHasher::new();
        (self.seed, unit, attempt).hash(&mut hasher);
        let mut rng = SmallRng::seed_from_u64(hasher.finish());
        let always = matches!(unit.slot, Slot::Always(_));
        let step = self.plan.step(unit);
        let most = if always { step.put_back } else { step.takes.unwrap().mean * 2 };
        let took = SignedDuration::from_secs(rng.random_range(0..=most.as_secs()));
        let fails = [0.0, 0.03, 0.15, 0.5][self.trouble as usize] / if always { 4.0 } else { 1.0 };
        let outcome = if rng.random_bool(fails) {
            let ways = [Outcome::Failed, Outcome::TimedOut, Outcome::Unreachable, Outcome::Interrupted];
            *ways.choose(&mut rng).unwrap()
        } else if rng.random_bool(0.7) {
            Outcome::Changed
        } else {
            Outcome::Unchanged
        };
        (took, End::plain(outcome))
    }

    fn finish(self) {
        let fates = self.state.fates();
        assert_eq!(fates.len(), self.plan.hosts.len(), "every planned host has one fate");
        assert!(!fates.contains(&Fate::UnderWay), "the run is over and a host is under way");
        if self.state.verdict == Some(Verdict::Done) {
            assert!(!fates.contains(&Fate::Left), "the run is done and a host is left");
        }
        let folded = state::fold(&self.state.outline, &self.log).unwrap();
        assert_eq!(format!("{folded:?}"), format!("{:?}", self.state), "the state is the fold of its records");
    }
}
