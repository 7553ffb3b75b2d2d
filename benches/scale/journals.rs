//! How fast the real dispatcher commits to a real disk, and how fast a journal is read again.

use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use camino::Utf8Path;
use jiff::Timestamp;
use upshift::engine::clock::Clock;
use upshift::engine::dispatcher::{Checks, Dispatcher, Gates};
use upshift::engine::draw;
use upshift::engine::executor::Executor;
use upshift::engine::news::News;
use upshift::engine::simulate::simulate;
use upshift::engine::state::{self, RunState};
use upshift::journal::{self, Run, Writer};
use upshift::model::record::Entry;
use upshift::model::{History, Outline, Plan, Record, Verdict};

use crate::decisions::person;
use crate::{Figures, cloud, decisions, median};

pub(super) fn measure(figures: &mut Figures) {
    // Not the system's folder for such things, which may be memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder can be made");
    let folder = Utf8Path::from_path(folder.path()).expect("the folder's name is text");
    let inventory = cloud::inventory(10_000, 100);
    let stage = "[[stage]]\nname = 'computes'\nhosts = 'cmp'\nfan-out = 500\n\
                 step = [{ run = 'upgrade', takes = '12m ± 3m' }]";
    let plan = Arc::new(cloud::plan(stage, &inventory));
    let run = Run { id: "scale".into(), folder: folder.to_owned() };

    let raw_before = raw_sync(folder);
    let before = Written::now();
    let start = Instant::now();
    let records = carry_out(plan, &run);
    let took = start.elapsed();
    let length = std::fs::metadata(run.journal_file()).expect("the journal is there").len();
    let syncs = before.appends(length);
    let raw_after = raw_sync(folder);

    let what = "dispatcher, 10 000 hosts of one step";
    let rate = f64::from(records) / took.as_secs_f64();
    figures.number_of_at_least(&format!("{what}: records a second, on disk"), rate, 2000.0);
    figures.number(&format!("{what}: records"), f64::from(records));
    figures.number(&format!("{what}: syncs"), f64::from(syncs));
    figures.time(&format!("{what}: time a sync, with all there is to it"), took / syncs);
    figures.time("the same disk before: 250 bytes more and fdatasync, alone", raw_before);
    figures.time("the same disk after: 250 bytes more and fdatasync, alone", raw_after);

    let text = hundred_thousand(&cloud::rolling("fan-out = 500", &inventory));
    let read = median(3, || journal::parse("journal", &text).expect("the journal is well"));
    figures.time("journal: reading 100 000 records", read);
    let journal = journal::parse("journal", &text).expect("the journal is well");
    let fold = median(3, || state::fold(&journal.outline, &journal.entries).expect("the journal is legal"));
    figures.time("journal: folding 100 000 records", fold);
}

/// Carries a plan out, without waiting for its hosts; the number of records.
fn carry_out(plan: Arc<Plan>, run: &Run) -> u32 {
    let outline = Arc::new(plan.outline());
    let journal = Writer::create(&run.journal_file(), outline.clone()).expect("the journal can be made");
    let (news, reporter) = std::sync::mpsc::channel();
    let counter = std::thread::spawn(move || {
        let committed = reporter.iter().filter(|news| matches!(news, News::Committed(_)));
        u32::try_from(committed.count()).unwrap_or(u32::MAX)
    });
    let (executor, finished) = Executor::new(
        plan.clone(),
        run.clone(),
        "5eed",
        History::default(),
        run.folder.clone(),
        &person(),
        news.clone(),
    )
    .expect("nothing has to be connected");
    let (_tell, told) = tokio::sync::mpsc::unbounded_channel();
    let [opened, _] = decisions::opening(&plan);
    let dispatcher = Dispatcher {
        plan,
        state: RunState::new(outline),
        journal,
        clock: Clock::new(Timestamp::UNIX_EPOCH, Timestamp::UNIX_EPOCH, None),
        executor,
        finished,
        told,
        news,
        gates: Gates { passed: HashSet::new(), person: None, by: person() },
        probes: None,
        checks: Checks::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    let verdict = runtime.block_on(dispatcher.run(vec![opened])).expect("the run ends");
    assert_eq!(verdict, Verdict::Done);
    counter.join().expect("the reporter ends")
}

/// What this process has written so far.
struct Written {
    calls: u64,
    bytes: u64,
}

impl Written {
    fn now() -> Self {
        let counters = std::fs::read_to_string("/proc/self/io").expect("Linux counts");
        let counter = |name: &str| {
            let line = counters.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|number| number.trim().parse().ok()).expect("Linux counts")
        };
        Self { calls: counter("syscw:"), bytes: counter("wchar:") }
    }

    /// The calls since then that appended to a journal of that length; each was followed by one sync.
    ///
    /// The other calls wake a thread, and write eight bytes.
    fn appends(&self, length: u64) -> u32 {
        let now = Self::now();
        let wakes = (now.bytes - self.bytes - length) / 8;
        u32::try_from(now.calls - self.calls - wakes).expect("a count")
    }
}

/// What the disk alone takes, as a median.
fn raw_sync(folder: &Utf8Path) -> Duration {
    let mut file = std::fs::File::create(folder.join("raw")).expect("a file can be made");
    median(501, || {
        file.write_all(&[b'x'; 250]).expect("the disk has room");
        file.sync_data().expect("the disk works");
    })
}

/// The first hundred thousand records of a run, as its journal has them.
fn hundred_thousand(plan: &Plan) -> Vec<u8> {
    let mut state = decisions::fresh(plan);
    let mut journal = String::new();
    let (mut n, mut hash) = (0, "0".repeat(32));
    let mut add = |outline: &Outline, at: Timestamp, record: &Record| {
        if n < 100_000 {
            let (line, line_hash) = journal::to_json(&Entry { n, at, record: record.clone() }, &hash, outline);
            journal.push_str(&line);
            journal.push('\n');
            (n, hash) = (n + 1, line_hash);
        }
    };
    let start = Timestamp::UNIX_EPOCH;
    for record in decisions::opening(plan) {
        add(&state.outline, start, &record);
    }
    let watch = |state: &RunState, at: Timestamp, record: &Record| add(&state.outline, at, record);
    simulate(plan, &mut state, start, |unit, attempt| draw::unit(plan, unit, attempt), watch);
    journal.into_bytes()
}
