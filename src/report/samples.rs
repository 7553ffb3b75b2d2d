//! Runs that tests and eyes look at: simulated, cut, stopped, resumed.

use jiff::{SignedDuration, Timestamp};

use super::timing::Timing;
use crate::engine::sample::{opening, person, plan, stage, start, step, with_always};
use crate::engine::simulate::simulate;
use crate::engine::state::RunState;
use crate::model::plan::{Plan, Stage};
use crate::model::record::{End, Entry, Opened, Silent};
use crate::model::{Budget, Command, Outcome, Pace, Record, Slot, UnitKey};

/// A run that is carried on record by record.
pub(super) struct Sample {
    pub(super) plan: Plan,
    pub(super) entries: Vec<Entry>,
    state: RunState,
    now: Timestamp,
}

pub(super) fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// A unit that comes through after what its step declares.
pub(super) fn well(plan: &Plan) -> impl FnMut(UnitKey, u16) -> (SignedDuration, End) + use<> {
    let takes: Vec<Vec<_>> =
        plan.stages.iter().map(|stage| stage.steps.iter().map(|step| step.expected.p50).collect()).collect();
    move |unit: UnitKey, _| match unit.slot {
        Slot::Step(step) => (takes[usize::from(unit.stage)][usize::from(step)], End::plain(Outcome::Changed)),
        Slot::Always(_) => (SignedDuration::from_secs(1), End::plain(Outcome::Changed)),
    }
}

impl Sample {
    pub(super) fn open(plan: Plan, closes: Option<Timestamp>) -> Self {
        let [mut opened, contacted] = opening(&plan);
        if let Record::Opened(opened) = &mut opened {
            opened.closes = closes;
            opened.plan.digest = "3fa9c0417be2".repeat(5) + "0000";
        }
        let Record::Opened(content) = &opened else { unreachable!() };
        let Opened { plan: outline, .. } = &**content;
        let state = RunState::new(std::sync::Arc::new(outline.clone()));
        let mut sample = Self { plan, entries: Vec::new(), state, now: start() };
        sample.add(opened);
        sample.add(contacted);
        sample
    }

    pub(super) fn add(&mut self, record: Record) {
        self.state.apply(self.now, &record).unwrap();
        self.entries.push(Entry { n: self.entries.len() as u64, at: self.now, record });
    }

    /// Waits, then someone says something.
    pub(super) fn order(&mut self, wait: SignedDuration, command: Command) {
        self.now += wait;
        self.add(Record::Ordered { command, by: person() });
    }

    /// Goes on until the end, or to the last record before a moment.
    pub(super) fn go(
        &mut self,
        until: Option<SignedDuration>,
        draw: impl FnMut(UnitKey, u16) -> (SignedDuration, End),
    ) {
        let until = until.map(|until| start() + until);
        let from = self.entries.len();
        let mut state = self.state.clone();
        let entries = &mut self.entries;
        simulate(&self.plan, &mut state, self.now, draw, |_, at, record| {
            if until.is_none_or(|until| at <= until) {
                entries.push(Entry { n: entries.len() as u64, at, record: record.clone() });
            }
        });
        for entry in &self.entries[from..] {
            self.state.apply(entry.at, &entry.record).unwrap();
            self.now = entry.at;
        }
        self.now = until.filter(|_| self.state.verdict.is_none()).unwrap_or(self.now);
    }

    /// Forgets all but the first records, as a crash does; what opens the run stays.
    pub(super) fn cut(&mut self, records: usize) {
        self.entries.truncate(records.max(2));
        self.state = RunState::new(self.state.outline.clone());
        for entry in &self.entries {
            self.state.apply(entry.at, &entry.record).unwrap();
            self.now = entry.at;
        }
    }

    /// Whether what is under way is still in the current stage after a resume. The engine refuses
    /// the end of a unit in a later stage when hosts of an earlier one are taken up again.
    pub(super) fn can_resume(&self) -> bool {
        let mut state = self.state.clone();
        state.apply(self.now, &Record::Resumed { by: person(), closes: None }).unwrap();
        let later = |stage: &crate::engine::state::StageState| !stage.under_way.is_empty();
        state.stages.iter().skip(state.current + 1).all(|stage| !later(stage))
    }

    pub(super) fn resume(&mut self, wait: SignedDuration, closes: Option<Timestamp>) {
        self.now += wait;
        self.add(Record::Resumed { by: person(), closes });
        self.add(Record::Contacted { unreachable: Vec::new() });
    }

    pub(super) fn timing(&self) -> Timing {
        Timing::new(&self.entries, None, self.now, false).unwrap()
    }
}

/// The stage of 80 computes in three steps that take 12 minutes, at 20 an hour.
pub(super) fn computes(hosts: u32) -> Stage {
    let steps = vec![
        with_always(step("out of scheduling", hosts, SignedDuration::from_secs(20))),
        step("apply opencontrail.compute", hosts, SignedDuration::from_secs(600)),
        step("wait http://host:8085/", hosts, SignedDuration::from_secs(99)),
    ];
    let mut stage = stage("computes", hosts, steps);
    stage.pace = Pace::per_hour(20);
    stage.fan_out = 4;
    stage.window = Some(minutes(240));
    stage.budget = Budget::default();
    stage
}

/// The run that the issue asks about.
pub(super) fn eighty() -> Sample {
    let mut plan = plan(80, vec![computes(80)]);
    plan.pipeline = "opencontrail-3.1.1".into();
    let mut sample = Sample::open(plan, Some(start() + minutes(300)));
    let draw = well(&sample.plan);
    sample.go(None, draw);
    sample
}

/// Five stages with failures, retries, holds, a stop and a resume; notes are hostile.
pub(super) fn eventful() -> Sample {
    let single = |name: &str, title: &str, takes: i64, window: i64| {
        let mut one = stage(name, 1, vec![step(title, 1, minutes(takes))]);
        one.window = Some(minutes(window));
        one
    };
    let mut control = stage("control", 3, vec![step("apply opencontrail.control", 3, minutes(18))]);
    control.fan_out = 1;
    control.window = Some(minutes(60));
    let mut computes = computes(80);
    computes.steps[1].retries = 2;
    computes.steps[1].timeout = minutes(30);
    let mut all = plan(
        80,
        vec![
            single("pull", "pull model.git", 9, 10),
            single("formula", "install opencontrail", 1, 2),
            single("backup", "backup mariadb", 11, 10),
            control,
            computes,
        ],
    );
    all.pipeline = "opencontrail-3.1.1".into();
    let mut sample = Sample::open(all, Some(start() + minutes(360)));
    let draw = || uneven(|host| host % 17 == 3, |host| host % 23 == 11);
    sample.go(Some(minutes(130)), draw());
    sample.order(minutes(1), Command::Hold { reason: Some("tenants report <b>slow</b> disks".into()) });
    sample.go(Some(minutes(151)), draw());
    sample.order(minutes(1), Command::Release);
    sample.order(minutes(1), Command::Pace { pace: Pace::per_hour(30).unwrap() });
    sample.go(Some(minutes(200)), draw());
    sample.order(minutes(1), Command::Skip { hosts: vec!["cmp061".into(), "cmp062".into()] });
    sample.order(minutes(1), Command::Stop);
    sample.go(None, draw());
    sample.resume(minutes(9 * 60), Some(start() + minutes(18 * 60)));
    sample.go(None, uneven(|host| host % 17 == 3, |_| false));
    sample
}

/// Steps that vary with the host, retry, and fail where they are told to.
fn uneven(
    fails: impl Fn(u32) -> bool,
    silent: impl Fn(u32) -> bool,
) -> impl FnMut(UnitKey, u16) -> (SignedDuration, End) {
    move |unit, attempt| {
        let spread = |seconds: u32| SignedDuration::from_secs(i64::from(unit.host * 7919 % seconds));
        match (unit.stage, unit.slot) {
            (0, _) => {
                (minutes(9), End { changes: 14, pulled: Some(Box::new(pulled())), ..End::plain(Outcome::Changed) })
            }
            (1..=3, _) => (minutes([0, 1, 11, 19][usize::from(unit.stage)]), End::plain(Outcome::Changed)),
            (_, Slot::Step(1)) if fails(unit.host) => (
                minutes(4) + spread(200),
                End::noted(Outcome::Failed, "1 of 48 states failed: `contrail_packages`: <script>alert(1)</script>"),
            ),
            (_, Slot::Step(1)) if silent(unit.host) => {
                (minutes(2), End::noted(Outcome::Unreachable, "no answer for 30s"))
            }
            (_, Slot::Step(1)) if unit.host == 40 => {
                (minutes(30), End::noted(Outcome::TimedOut, "still going after 30m"))
            }
            (_, Slot::Step(1)) if unit.host % 13 == 5 && attempt == 1 => {
                (minutes(2), End::noted(Outcome::Failed, "=HYPERLINK(\"x\"): apt is locked, \"dpkg\""))
            }
            (_, Slot::Step(1)) => (minutes(8) + spread(200), End { changes: 12, ..End::plain(Outcome::Changed) }),
            (_, Slot::Step(2)) => (SignedDuration::from_secs(60) + spread(90), End::plain(Outcome::Unchanged)),
            _ => (SignedDuration::from_millis(1_300), End::plain(Outcome::Unchanged)),
        }
    }
}

fn pulled() -> crate::model::record::Pulled {
    crate::model::record::Pulled {
        repo: "https://git.example.net/cloud/model.git".into(),
        into: "model".into(),
        commit: "9c0417be2a53fa9c0417be2a53fa9c0417be2a53".into(),
        since: Some("1b7be2a53fa9c0417be2a53fa9c0417be2a53fa9".into()),
        commits: 41,
        files: 112,
    }
}

/// 2000 hosts at 400 an hour, some of which fail.
pub(super) fn two_thousand() -> Sample {
    let mut big = computes(2000);
    big.pace = Pace::per_hour(400);
    big.fan_out = 100;
    big.window = Some(minutes(300));
    let mut first = stage("backup", 1, vec![step("backup mariadb", 1, minutes(9))]);
    first.window = Some(minutes(10));
    let mut sample = Sample::open(plan(2000, vec![first, big]), Some(start() + minutes(360)));
    sample.go(None, |unit, attempt| match unit.stage {
        0 => (minutes(9), End::plain(Outcome::Changed)),
        _ => uneven(|host| host % 97 == 3, |host| host % 131 == 11)(UnitKey { stage: 4, ..unit }, attempt),
    });
    sample
}

/// One host that takes seconds.
pub(super) fn one_host() -> Sample {
    let mut only = stage("web", 1, vec![step("apply nginx", 1, SignedDuration::from_millis(4_300))]);
    only.window = Some(minutes(1));
    let mut sample = Sample::open(plan(1, vec![only]), None);
    let draw = well(&sample.plan);
    sample.go(None, draw);
    sample
}

/// A run whose upshift was killed in the middle.
pub(super) fn crashed() -> Sample {
    let mut sample = Sample::open(plan(12, vec![computes(12)]), Some(start() + minutes(90)));
    let draw = well(&sample.plan);
    sample.go(Some(minutes(20)), draw);
    sample.now += minutes(14);
    sample
}

/// A run that ended before anything was started.
pub(super) fn unreachable() -> Sample {
    let mut sample = Sample::open(plan(12, vec![computes(12)]), Some(start() + minutes(90)));
    sample.entries.pop();
    sample.state = RunState::new(sample.state.outline.clone());
    for entry in &sample.entries {
        sample.state.apply(entry.at, &entry.record).unwrap();
    }
    sample.now += SignedDuration::from_secs(10);
    let unreachable = [(3, "no route to host"), (4, "no route to host"), (10, "its host key is not in known_hosts")];
    let unreachable = unreachable.map(|(host, why)| Silent { host, why: why.into() }).to_vec();
    sample.add(Record::Contacted { unreachable });
    sample.go(None, |_, _| unreachable!());
    sample
}

/// A run of one host that has not begun.
pub(super) fn one_host_plan() -> Sample {
    Sample::open(plan(1, vec![stage("web", 1, vec![step("apply nginx", 1, minutes(1))])]), None)
}

/// Two stages over the same hosts, with retries and a hold on nothing.
pub(super) fn plan_of(hosts: u32) -> Plan {
    let mut first = stage("first", hosts, vec![with_always(step("one", hosts, minutes(1)))]);
    first.steps[0].retries = 1;
    first.fan_out = 3;
    first.budget = Budget { total: Some(20), ..Budget::default() };
    first.window = Some(minutes(20));
    let mut second = computes(hosts);
    second.fan_out = 5;
    plan(hosts, vec![first, second])
}
