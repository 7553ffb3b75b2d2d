//! Journals that were cut by a crash, at every record and inside lines, and journals that are damaged.

use camino::{Utf8Path, Utf8PathBuf};
use jiff::{SignedDuration, Timestamp};

use crate::engine::simulate::simulate;
use crate::engine::state::{self, Fate, RunState};
use crate::engine::{draw, sample};
use crate::journal::{self, Error, Journal, Writer};
use crate::model::plan::Plan;
use crate::model::record::{End, Entry};
use crate::model::{Budget, Outcome, Pace, Record, Slot, UnitKey, Verdict};

/// Three stages over so many hosts, with tries that fail and an `always`.
fn plan(hosts: &[u32]) -> Plan {
    let stage = |(n, &hosts): (usize, &u32)| {
        let mut prepare = sample::step("prepare", hosts, SignedDuration::from_mins(2));
        prepare.failure_rate = 0.2;
        prepare.retries = 3;
        let upgrade = sample::step("upgrade", hosts, SignedDuration::from_mins(10));
        let mut stage = sample::stage(&format!("stage{n}"), hosts, vec![sample::with_always(prepare), upgrade]);
        stage.budget = Budget { total: Some(3), ..Budget::default() };
        stage.fan_out = 16;
        stage.pace = (n == 1).then(|| Pace::per_hour(240)).flatten();
        stage.settle = SignedDuration::from_secs(30);
        stage
    };
    let mut plan = sample::plan(*hosts.iter().max().unwrap(), hosts.iter().enumerate().map(stage).collect());
    for (n, stage) in plan.stages.iter_mut().enumerate() {
        // The last hosts of the inventory, the first, and then the last again: most are in one stage only.
        let offset = if n == 1 { 0 } else { u32::try_from(plan.hosts.len() - stage.hosts.len()).unwrap() };
        stage.hosts.iter_mut().for_each(|id| *id += offset);
    }
    plan
}

/// 200 hosts over three stages, one after the other.
fn two_hundred() -> Plan {
    let mut plan = plan(&[50, 200, 50]);
    plan.stages[0].hosts = (0..50).collect();
    plan.stages[1].hosts = (50..150).collect();
    for step in &mut plan.stages[1].steps {
        step.units.truncate(100);
    }
    plan
}

/// Third tries come through; what `fails` names never does.
fn drawn(plan: &Plan, unit: UnitKey, attempt: u16, fails: Option<UnitKey>) -> (SignedDuration, End) {
    let (took, end) = draw::unit(plan, unit, attempt);
    match fails {
        Some(fails) if fails == unit => (took, End::noted(Outcome::Failed, "never works")),
        _ if attempt > 2 => (took, End::plain(Outcome::Changed)),
        _ => (took, end),
    }
}

/// Carries a run on from where it stands, and returns what happened.
fn carry_on(plan: &Plan, state: &mut RunState, now: Timestamp, fails: Option<UnitKey>) -> Vec<(Timestamp, Record)> {
    let mut happened = Vec::new();
    let draws = |unit, attempt| drawn(plan, unit, attempt, fails);
    simulate(plan, state, now, draws, |_, at, record| happened.push((at, record.clone())));
    happened
}

/// A folder in memory where there is one, since a journal syncs every record.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn file(folder: &tempfile::TempDir) -> Utf8PathBuf {
    Utf8Path::from_path(folder.path()).unwrap().join("journal.jsonl")
}

/// A whole run in a journal, and how it ended.
fn recorded(plan: &Plan, fails: Option<UnitKey>) -> (Vec<u8>, RunState) {
    let folder = folder();
    let mut writer = Writer::create(&file(&folder), std::sync::Arc::new(plan.outline())).unwrap();
    let mut state = sample::opened(plan);
    writer.append(sample::start(), sample::opening(plan).to_vec()).unwrap();
    for (at, record) in carry_on(plan, &mut state, sample::start(), fails) {
        writer.append(at, vec![record]).unwrap();
    }
    (std::fs::read(file(&folder)).unwrap(), state)
}

/// Where each line begins, and where the last one ends.
fn boundaries(bytes: &[u8]) -> Vec<usize> {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).collect()
}

fn resumed() -> [Record; 2] {
    [Record::Resumed { by: sample::person(), closes: None }, Record::Contacted { unreachable: Vec::new() }]
}

/// How a unit's try ended.
type UnitEnd = (UnitKey, u16, Outcome);

fn unit_end(record: &Record) -> Option<UnitEnd> {
    match record {
        Record::UnitEnded { unit, attempt, end, .. } => Some((*unit, *attempt, end.outcome)),
        _ => None,
    }
}

/// The ends in order of their units, each of which there is once.
fn each_once(mut ends: Vec<UnitEnd>) -> Vec<UnitEnd> {
    ends.sort_unstable_by_key(|(unit, attempt, _)| (*unit, *attempt));
    assert!(ends.windows(2).all(|pair| (pair[0].0, pair[0].1) != (pair[1].0, pair[1].1)), "a unit finished twice");
    ends
}

/// Resumes a run after each of its records, and hands over how it ended with the ends of its units.
fn resume_after_every_record(
    plan: &Plan,
    entries: &[Entry],
    fails: Option<UnitKey>,
    judge: impl Fn(usize, &RunState, Vec<UnitEnd>) + Sync,
) {
    let part = |first: usize| {
        let mut state = RunState::new(std::sync::Arc::new(plan.outline()));
        let mut ended = Vec::new();
        for (n, entry) in entries.iter().enumerate() {
            state.apply(entry.at, &entry.record).unwrap();
            ended.extend(unit_end(&entry.record));
            if n % 2 == first && state.verdict != Some(Verdict::Done) {
                let mut state = state.clone();
                for record in resumed() {
                    state.apply(entry.at, &record).unwrap();
                }
                let mut ends = ended.clone();
                let draws = |unit, attempt| drawn(plan, unit, attempt, fails);
                simulate(plan, &mut state, entry.at, draws, |_, _, record| ends.extend(unit_end(record)));
                judge(n, &state, each_once(ends));
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| part(1));
        part(0);
    });
}

#[test]
fn a_run_cut_after_any_record_ends_as_if_it_had_not_been_cut() {
    let plan = two_hundred();
    let (bytes, whole) = recorded(&plan, None);
    assert_eq!(whole.verdict, Some(Verdict::Done));
    let entries = journal::parse("journal", &bytes).unwrap().entries;
    let wanted = each_once(entries.iter().filter_map(|entry| unit_end(&entry.record)).collect());
    assert!(wanted.iter().any(|(.., outcome)| outcome.is_failure()), "tries fail in this run");
    resume_after_every_record(&plan, &entries, None, |n, state, ends| {
        assert_eq!(state.verdict, whole.verdict, "cut after record {n}");
        assert_eq!(state.fates(), whole.fates(), "cut after record {n}");
        assert_eq!(ends, wanted, "cut after record {n}");
    });
}

#[test]
fn a_run_with_a_tolerated_failure_cut_after_any_record_comes_to_the_same_fates() {
    let plan = plan(&[30, 30, 15]);
    let fails = UnitKey { stage: 0, host: 20, slot: Slot::Step(1) };
    let id = plan.stages[0].hosts[20] as usize;
    let (bytes, whole) = recorded(&plan, Some(fails));
    assert_eq!(whole.verdict, Some(Verdict::Failed));
    assert_eq!(whole.fates()[id], Fate::Ended(Outcome::Failed));
    let entries = journal::parse("journal", &bytes).unwrap().entries;
    resume_after_every_record(&plan, &entries, Some(fails), |n, state, ends| {
        assert_eq!(state.verdict, whole.verdict, "cut after record {n}");
        assert_eq!(state.fates(), whole.fates(), "cut after record {n}");
        // The host that failed is tried again by a resume; no other host carries out anything twice.
        let through = ends.iter().filter(|(unit, _, outcome)| {
            matches!(unit.slot, Slot::Step(_))
                && plan.stages[usize::from(unit.stage)].hosts[unit.host as usize] as usize != id
                && !outcome.is_failure()
        });
        let steps: usize =
            plan.stages.iter().map(|stage| 2 * stage.hosts.iter().filter(|&&host| host as usize != id).count()).sum();
        assert_eq!(through.count(), steps, "cut after record {n}");
    });
}

#[test]
fn a_journal_cut_anywhere_is_whole_again_after_it_was_opened() {
    let plan = plan(&[6, 12, 6]);
    let (bytes, whole) = recorded(&plan, None);
    let entries = journal::parse("journal", &bytes).unwrap().entries;
    let boundaries = boundaries(&bytes);
    let folder = folder();
    let file = file(&folder);
    for (n, line) in boundaries.windows(2).enumerate() {
        for cut in [line[0], line[0] + 1, usize::midpoint(line[0], line[1]), line[1] - 1] {
            std::fs::write(&file, &bytes[..cut]).unwrap();
            let read = journal::read(&file);
            if n == 0 {
                assert!(matches!(read, Err(Error::Empty { .. })), "nothing was opened");
                continue;
            }
            let read = read.unwrap();
            assert_eq!(read.entries, entries[..n], "cut at byte {cut}");
            let now = read.entries.last().unwrap().at;
            let mut writer = Writer::open(&file, &read).unwrap();
            assert_eq!(std::fs::metadata(&file).unwrap().len(), line[0] as u64, "what was torn is cut off");
            // Carrying all of these runs on to their end would be slow; each record boundary is above.
            if n % 10 != 0 {
                continue;
            }
            let mut state = state::fold(&read.outline, &read.entries).unwrap();
            writer.append(now, resumed().to_vec()).unwrap();
            for record in resumed() {
                state.apply(now, &record).unwrap();
            }
            for (at, record) in carry_on(&plan, &mut state, now, None) {
                writer.append(at, vec![record]).unwrap();
            }
            let again = journal::read(&file).unwrap();
            let carried = state::fold(&again.outline, &again.entries).unwrap();
            assert_eq!(carried.verdict, whole.verdict);
            assert_eq!(carried.fates(), whole.fates());
        }
    }
}

/// A journal of a small run.
fn small() -> (Plan, Vec<u8>, usize) {
    let mut plan = plan(&[2]);
    plan.stages[0].fan_out = 2;
    let (bytes, _) = recorded(&plan, None);
    let lines = boundaries(&bytes).len() - 1;
    (plan, bytes, lines)
}

/// The line at which a journal is refused.
fn refused_at(bytes: &[u8]) -> usize {
    match journal::parse("journal", bytes) {
        Err(Error::Damaged { line, .. }) => line,
        other => panic!("a damaged journal is {other:?}"),
    }
}

#[test]
fn a_flipped_byte_is_refused_at_its_line() {
    let (_, bytes, lines) = small();
    let mut line = 1;
    // Without its line end, the last line is one that was torn.
    for at in 0..bytes.len() - 1 {
        for flip in [0x01, 0x80] {
            let mut bytes = bytes.clone();
            bytes[at] ^= flip;
            assert_eq!(refused_at(&bytes), line, "byte {at} was flipped");
        }
        line += usize::from(bytes[at] == b'\n');
    }
    assert_eq!(line, lines);
}

#[test]
fn a_line_too_many_too_few_or_out_of_place_is_refused_where_it_is() {
    let (_, bytes, count) = small();
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    assert_eq!(lines.len(), count);
    for n in 0..count {
        let mut twice = lines.clone();
        twice.insert(n, lines[n]);
        assert_eq!(refused_at(&twice.concat()), n + 2, "line {} is there twice", n + 1);
        if n + 1 == count {
            continue;
        }
        let mut without = lines.clone();
        without.remove(n);
        assert_eq!(refused_at(&without.concat()), n + 1, "line {} is gone", n + 1);
        for other in n + 1..count {
            let mut swapped = lines.clone();
            swapped.swap(n, other);
            assert_eq!(refused_at(&swapped.concat()), n + 1, "lines {} and {} are swapped", n + 1, other + 1);
        }
    }
    for garbage in ["\n", "{}\n", "garbage\n", "{\"n\":1,\"hash\":\"0\"}\n", "\0\0\0\n", "\",\"hash\":\"\"}\n"] {
        let bytes = [&bytes, garbage.as_bytes()].concat();
        assert_eq!(refused_at(&bytes), count + 1, "{garbage:?} was appended");
    }
}

#[test]
fn zeros_that_a_power_failure_left_are_cut_off() {
    let (_, bytes, count) = small();
    let folder = folder();
    let file = file(&folder);
    std::fs::write(&file, [&bytes, &[0_u8; 4096][..]].concat()).unwrap();
    let journal: Journal = journal::read(&file).unwrap();
    assert_eq!(journal.entries.len(), count);
    let mut writer = Writer::open(&file, &journal).unwrap();
    writer.append(sample::start(), resumed().to_vec()).unwrap();
    assert_eq!(journal::read(&file).unwrap().entries.len(), count + 2);
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_reading_a_journal_panic(at in 0_usize..6000, garbage: Vec<u8>) {
        let (_, bytes, _) = small();
        let at = at.min(bytes.len());
        let _ = journal::parse("journal", &[&bytes[..at], &garbage, &bytes[at..]].concat());
        let _ = journal::parse("journal", &garbage);
    }
}
