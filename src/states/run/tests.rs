//! What becomes of small low states, one behaviour each, as real Salt 3007.15 answered for the same SLS.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::{How, Options, Progress, Ran, State, check, run};
use crate::formula::Dict;
use crate::formula::compile::{Compiler, Subject};
use crate::formula::facts;
use crate::formula::roots::{Memory, Roots};
use crate::formula::sls::Low;
use crate::states::{Host, Listener};

/// One SLS and what becomes of it.
struct Case {
    says: &'static str,
    sls: &'static [&'static str],
    /// Its states in the order in which they end: `ID/name: result: comment`. A `+` is for changes.
    ends: &'static [&'static str],
}

/// Hears nothing; everything is to stop once so many states have ended.
struct Ear(Option<usize>, Arc<std::sync::atomic::AtomicUsize>);

impl Listener for Ear {
    fn output(&self, _: &str) {}
    fn started(&self, _: u32) {}
    fn is_stopped(&self) -> bool {
        self.0.is_some_and(|last| self.1.load(std::sync::atomic::Ordering::SeqCst) >= last)
    }
}

/// Counts what begins and ends.
struct Count {
    begun: Cell<usize>,
    ended: RefCell<Vec<String>>,
    shared: Arc<std::sync::atomic::AtomicUsize>,
}

impl Progress for Count {
    fn began(&self, at: usize, of: usize, _: &State) {
        assert!(at <= of);
        self.begun.set(self.begun.get() + 1);
    }
    fn ended(&self, ran: &Ran) {
        self.ended.borrow_mut().push(ran.state.tag());
        self.shared.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

fn compiler(sls: &str) -> (Compiler, Low) {
    let files: BTreeMap<String, Vec<u8>> = [("one.sls".to_owned(), sls.as_bytes().to_vec())].into();
    let facts = Arc::new(facts::Host);
    let grains = json!({"id": "n1", "shell": "/bin/sh"}).into();
    let subject = Subject { id: "n1".to_owned(), grains, options: Dict::default().into(), facts, python2: false };
    let pillar = json!({"d": {"x": 1}}).into();
    let mut compiler = Compiler::new(subject, Roots(vec![Arc::new(Memory(files))]), pillar);
    let low = compiler.low_state(&["one".to_owned()]).unwrap();
    (compiler, low)
}

/// Applies an SLS; everything is to stop once so many states have ended.
fn apply(sls: &str, options: &Options, last: Option<usize>) -> Vec<Ran> {
    let (compiler, low) = compiler(sls);
    let shared = Arc::default();
    let ear = Ear(last, Arc::clone(&shared));
    let count = Count { begun: Cell::default(), ended: RefCell::default(), shared };
    let all = run(&low, &Host::new(&compiler, &ear), options, &count);
    let ended = all.iter().filter(|ran| ran.how != How::NotRun).count();
    assert_eq!(count.ended.borrow().len(), ended, "every state ends once");
    assert!(count.begun.get() <= ended);
    all
}

/// `ID/name: result: comment`.
fn line(ran: &Ran) -> String {
    let State { id, name, .. } = &ran.state;
    let who = if id == name || *id == format!("listener_{name}") { id.clone() } else { format!("{id}/{name}") };
    let result = match ran.ret.result {
        Some(true) => "ok",
        Some(false) => "failed",
        None => "would",
    };
    let changes = if ran.is_changed() { "+" } else { "" };
    format!("{who}: {result}{changes}: {}", ran.ret.comment.replace('\n', " | "))
}

fn compare(cases: &[Case], options: &Options) {
    for case in cases {
        let sls = case.sls.join("\n");
        let (_, low) = compiler(&sls);
        assert_eq!(check(&low), Ok(()), "{}", case.says);
        let all = apply(&sls, options, None);
        let ran = all.iter().filter(|ran| ran.how != How::NotRun).map(line);
        assert_eq!(ran.collect::<Vec<_>>(), case.ends, "{}", case.says);
    }
}

#[test]
fn states_end_as_with_salt() {
    compare(CASES, &Options::default());
}

#[test]
fn previews_end_as_with_salt() {
    compare(PREVIEWS, &Options { preview: true, ..Options::default() });
}

#[test]
fn when_everything_is_to_stop_nothing_more_begins_and_what_is_left_says_so() {
    let sls = "a: test.nop\nb: test.nop\nc: {test.nop: [listen: [{test: a}]]}\n";
    let all = apply(sls, &Options::default(), Some(1));
    let hows: Vec<_> = all.iter().map(|ran| (ran.state.id.as_str(), ran.how, ran.is_failed())).collect();
    assert_eq!(hows, [("a", How::Ran, false), ("b", How::NotRun, false), ("c", How::NotRun, false)]);
}

#[test]
fn every_state_ends_in_exactly_one_ran_after_a_hard_failure() {
    let sls = "a: test.fail_without_changes\nb: test.nop\nc: {test.nop: [names: [x, y]]}\n";
    let all = apply(sls, &Options { failhard: true, ..Options::default() }, None);
    let numbers: Vec<_> = all.iter().map(|ran| (ran.number, ran.how)).collect();
    assert_eq!(numbers, [(0, How::Ran), (1, How::NotRun), (2, How::NotRun), (3, How::NotRun)]);
}

#[test]
fn a_prereq_of_a_prereq_comes_to_an_end() {
    let sls = "a: {test.nop: [prereq: [{test: b}, {test: b}]]}\nb: {test.nop: [prereq: [{test: c}]]}\n\
               c: test.succeed_with_changes\n";
    let all = apply(sls, &Options::default(), None);
    assert_eq!(all.iter().map(|ran| &ran.state.id).collect::<Vec<_>>(), ["a", "b", "c"]);
}

#[test]
fn a_long_chain_of_requirements_is_no_trouble() {
    let states = (0..3000).map(|n| format!("s{n}: {{test.nop: [require: [{{test: s{}}}]]}}", n + 1));
    let states: Vec<_> = states.chain(["s3000: test.nop".to_owned()]).collect();
    let all = apply(&states.join("\n"), &Options::default(), None);
    assert_eq!((all.len(), all[0].state.id.as_str(), all[3000].ret.result), (3001, "s3000", Some(true)));
}

#[test]
fn one_state_alone_can_be_a_preview() {
    let all = apply("a: {test.succeed_with_changes: [test: true]}", &Options::default(), None);
    assert_eq!(all[0].ret.result, None);
}

#[test]
fn requisites_can_be_disabled() {
    let options = Options { disabled_requisites: vec!["require".to_owned()], ..Options::default() };
    let all = apply("a: {test.nop: [require: [{test: b}]]}\nb: test.nop\n", &options, None);
    assert_eq!(all[0].state.id, "a");
}

#[test]
fn what_ran_can_be_written_and_read() {
    let all = apply("a: test.succeed_with_changes", &Options::default(), None);
    let text = serde_json::to_string(&all).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Ran>>(&text).unwrap(), all);
}

#[test]
fn a_low_state_is_refused_with_all_that_is_wrong_with_it() {
    let sls = "a: {test.configurable_test_state: [chages: true, retry: true]}\nb: test.nopp\n\
               c: {test.nop: [umask: 9, unless: [{fun: file.there}]]}\nd: {test.nop: [x: '__slot__:salt:test.ping()']}\n";
    let errors = check(&compiler(sls).1).unwrap_err();
    let shown: Vec<_> =
        errors.iter().map(|error| format!("{error} | {}", error.hint.as_deref().unwrap_or_default())).collect();
    assert_eq!(
        shown,
        [
            "one.sls:1: `test.configurable_test_state` has no argument `chages` (ID `a`) | did you mean `changes`?",
            "one.sls:2: upshift has no state `test.nopp` (ID `b`) | did you mean `test.nop`?",
            "one.sls:3: `unless` asks `file.there`, which upshift does not have (ID `c`) | ",
            "one.sls:3: `test.nop`: `umask` has to be octal digits, such as `022` (ID `c`) | ",
            "one.sls:4: `x` has a slot (`__slot__:…`), and upshift has none (ID `d`) | ",
        ]
    );
}

const CASES: &[Case] = &[
    Case {
        says: "what is required runs first, whatever the order",
        sls: &["a: {test.succeed_without_changes: [require: [{test: b}]]}", "b: {test.succeed_without_changes: []}"],
        ends: &["b: ok: Success!", "a: ok: Success!"],
    },
    Case {
        says: "a failed requirement holds a state back, and what requires that",
        sls: &[
            "a: {test.fail_without_changes: []}",
            "b: {test.succeed_without_changes: [require: [{test: a}]]}",
            "c: {test.succeed_without_changes: [require: [{test: b}]]}",
        ],
        ends: &[
            "a: failed: Failure!",
            "b: failed: One or more requisite failed: one.a",
            "c: failed: One or more requisite failed: one.b",
        ],
    },
    Case {
        says: "all failures are named",
        sls: &[
            "a: {test.fail_without_changes: []}",
            "b: {test.fail_without_changes: []}",
            "c: {test.succeed_without_changes: [require: [{test: a}, {test: b}]]}",
        ],
        ends: &["a: failed: Failure!", "b: failed: Failure!", "c: failed: One or more requisite failed: one.a, one.b"],
    },
    Case {
        says: "a requirement is met by name, pattern and any state's ID",
        sls: &[
            "a: {test.succeed_without_changes: [name: n]}",
            "b: {test.succeed_without_changes: [require: [{test: n}, {test: '[a]'}, a, id: a]]}",
        ],
        ends: &["a/n: ok: Success!", "b: ok: Success!"],
    },
    Case {
        says: "one of several is enough for require_any",
        sls: &[
            "a: {test.fail_without_changes: []}",
            "b: {test.succeed_without_changes: []}",
            "c: {test.succeed_without_changes: [require_any: [{test: a}, {test: b}]]}",
            "d: {test.succeed_without_changes: [require_any: [{test: a}]]}",
        ],
        ends: &[
            "a: failed: Failure!",
            "b: ok: Success!",
            "c: ok: Success!",
            "d: failed: One or more requisite failed: one.a",
        ],
    },
    Case {
        says: "a change that is watched makes a state act that changed nothing itself",
        sls: &["a: {test.succeed_with_changes: []}", "b: {test.succeed_without_changes: [watch: [{test: a}]]}"],
        ends: &["a: ok+: Success!", "b: ok+: Watch statement fired."],
    },
    Case {
        says: "a state that changed something itself does not act again",
        sls: &["a: {test.succeed_with_changes: []}", "b: {test.succeed_with_changes: [watch: [{test: a}]]}"],
        ends: &["a: ok+: Success!", "b: ok+: Success!"],
    },
    Case {
        says: "nothing is done where nothing that is watched has changed",
        sls: &["a: {test.succeed_without_changes: []}", "b: {test.succeed_without_changes: [watch: [{test: a}]]}"],
        ends: &["a: ok: Success!", "b: ok: Success!"],
    },
    Case {
        says: "what is watched and failed holds a state back",
        sls: &["a: {test.fail_with_changes: []}", "b: {test.succeed_without_changes: [watch: [{test: a}]]}"],
        ends: &["a: failed+: Failure!", "b: failed: One or more requisite failed: one.a"],
    },
    Case {
        says: "watch_any acts if one has changed, though another failed",
        sls: &[
            "a: {test.fail_with_changes: []}",
            "b: {test.succeed_with_changes: []}",
            "c: {test.succeed_without_changes: [watch_any: [{test: a}, {test: b}]]}",
        ],
        ends: &["a: failed+: Failure!", "b: ok+: Success!", "c: ok+: Watch statement fired."],
    },
    Case {
        says: "a failed state acts on a change too, and that counts",
        sls: &["a: {test.succeed_with_changes: []}", "b: {test.fail_without_changes: [watch: [{test: a}]]}"],
        ends: &["a: ok+: Success!", "b: ok+: Watch statement fired."],
    },
    Case {
        says: "onchanges waits for a change of any target",
        sls: &[
            "a: {test.succeed_without_changes: []}",
            "b: {test.succeed_with_changes: []}",
            "c: {test.succeed_without_changes: [onchanges: [{test: a}, {test: b}]]}",
            "d: {test.succeed_without_changes: [onchanges: [{test: a}]]}",
        ],
        ends: &[
            "a: ok: Success!",
            "b: ok+: Success!",
            "c: ok: Success!",
            "d: ok: State was not run because none of the onchanges reqs changed",
        ],
    },
    Case {
        says: "a failed target is one without changes for onchanges",
        sls: &["a: {test.fail_with_changes: []}", "b: {test.succeed_without_changes: [onchanges: [{test: a}]]}"],
        ends: &["a: failed+: Failure!", "b: ok: State was not run because none of the onchanges reqs changed"],
    },
    Case {
        says: "what did not run counts as met for what requires it",
        sls: &[
            "a: {test.succeed_without_changes: []}",
            "b: {test.succeed_without_changes: [onchanges: [{test: a}]]}",
            "c: {test.succeed_without_changes: [require: [{test: b}]]}",
        ],
        ends: &[
            "a: ok: Success!",
            "b: ok: State was not run because none of the onchanges reqs changed",
            "c: ok: Success!",
        ],
    },
    Case {
        says: "onfail runs if one target failed",
        sls: &[
            "a: {test.fail_without_changes: []}",
            "b: {test.succeed_without_changes: []}",
            "c: {test.succeed_without_changes: [onfail: [{test: a}, {test: b}]]}",
            "d: {test.succeed_without_changes: [onfail: [{test: b}]]}",
        ],
        ends: &[
            "a: failed: Failure!",
            "b: ok: Success!",
            "c: ok: Success!",
            "d: ok: State was not run because onfail req did not change",
        ],
    },
    Case {
        says: "onfail_all runs if all targets failed",
        sls: &[
            "a: {test.fail_without_changes: []}",
            "b: {test.fail_without_changes: []}",
            "e: {test.succeed_without_changes: []}",
            "c: {test.succeed_without_changes: [onfail_all: [{test: a}, {test: b}]]}",
            "d: {test.succeed_without_changes: [onfail_all: [{test: a}, {test: e}]]}",
        ],
        ends: &[
            "a: failed: Failure!",
            "b: failed: Failure!",
            "e: ok: Success!",
            "c: ok: Success!",
            "d: ok: State was not run because onfail req did not change",
        ],
    },
    Case {
        says: "onchanges weighs more than onfail",
        sls: &[
            "a: {test.fail_without_changes: []}",
            "b: {test.succeed_with_changes: []}",
            "c: {test.succeed_without_changes: [onfail: [{test: b}], onchanges: [{test: b}]]}",
        ],
        ends: &[
            "a: failed: Failure!",
            "b: ok+: Success!",
            "c: ok: State was not run because onfail req did not change",
        ],
    },
    Case {
        says: "a prereq runs before what would change",
        sls: &["a: {test.succeed_without_changes: [prereq: [{test: b}]]}", "b: {test.succeed_with_changes: []}"],
        ends: &["a: ok: Success!", "b: ok+: Success!"],
    },
    Case {
        says: "a prereq does not run if nothing would change",
        sls: &["a: {test.succeed_without_changes: [prereq: [{test: b}]]}", "b: {test.succeed_without_changes: []}"],
        ends: &["a: ok: No changes detected", "b: ok: Success!"],
    },
    Case {
        says: "a prereq that fails keeps its target from changing anything",
        sls: &["a: {test.fail_without_changes: [prereq: [{test: b}]]}", "b: {test.succeed_with_changes: []}"],
        ends: &["a: failed: Failure!", "b: would: If we weren't testing, this would be successful with changes"],
    },
    Case {
        says: "one change is enough for a prereq of several",
        sls: &[
            "a: {test.succeed_without_changes: [prereq: [{test: b}, {test: c}]]}",
            "b: {test.succeed_without_changes: []}",
            "c: {test.succeed_with_changes: []}",
        ],
        ends: &["a: ok: Success!", "b: ok: Success!", "c: ok+: Success!"],
    },
    Case {
        says: "a target of prereq that comes first is tried out first all the same",
        sls: &["b: {test.succeed_with_changes: []}", "a: {test.succeed_without_changes: [prereq: [{test: b}]]}"],
        ends: &["a: ok: Success!", "b: ok+: Success!"],
    },
    Case {
        says: "what a prereq waits for is done before it is tried out",
        sls: &[
            "a: {test.succeed_without_changes: [prereq: [{test: b}]]}",
            "b: {test.succeed_without_changes: [watch: [{test: c}]]}",
            "c: {test.succeed_with_changes: []}",
        ],
        ends: &["c: ok+: Success!", "a: ok: Success!", "b: ok+: Watch statement fired."],
    },
    Case {
        says: "listeners act once, at the end",
        sls: &[
            "a: {test.succeed_without_changes: [listen: [{test: b}, {test: c}]]}",
            "b: {test.succeed_with_changes: []}",
            "c: {test.succeed_with_changes: []}",
            "d: {test.succeed_without_changes: []}",
        ],
        ends: &[
            "a: ok: Success!",
            "b: ok+: Success!",
            "c: ok+: Success!",
            "d: ok: Success!",
            "listener_a: ok+: Watch statement fired.",
        ],
    },
    Case {
        says: "listeners do nothing without a change",
        sls: &["a: {test.succeed_without_changes: [listen: [{test: b}]]}", "b: {test.succeed_without_changes: []}"],
        ends: &["a: ok: Success!", "b: ok: Success!"],
    },
    Case {
        says: "listen_in is listen from the other side",
        sls: &["a: {test.succeed_with_changes: [listen_in: [{test: b}]]}", "b: {test.succeed_without_changes: []}"],
        ends: &["a: ok+: Success!", "b: ok: Success!", "listener_b: ok+: Watch statement fired."],
    },
    Case {
        says: "a state that fails hard is the last one, and listeners act",
        sls: &[
            "a: {test.succeed_with_changes: []}",
            "l: {test.succeed_without_changes: [listen: [{test: a}]]}",
            "b: {test.fail_without_changes: [failhard: true]}",
            "c: {test.succeed_without_changes: []}",
        ],
        ends: &[
            "a: ok+: Success!",
            "l: ok: Success!",
            "b: failed: Failure!",
            "listener_l: ok+: Watch statement fired.",
        ],
    },
    Case {
        says: "a hard failure in a requirement ends all",
        sls: &[
            "a: {test.succeed_without_changes: [require: [{test: b}]]}",
            "b: {test.fail_without_changes: [failhard: true]}",
            "c: {test.succeed_without_changes: []}",
        ],
        ends: &["b: failed: Failure!"],
    },
    Case {
        says: "onlyif, unless and creates skip a state, and a skipped one does not act",
        sls: &[
            "z: {test.succeed_with_changes: []}",
            "a: {test.succeed_without_changes: [onlyif: ['true', 'false'], watch: [{test: z}]]}",
            "b: {test.succeed_without_changes: [unless: ['true', 'true']]}",
            "c: {test.succeed_without_changes: [creates: /]}",
            "d: {test.succeed_without_changes: [creates: [/, /nowhere]]}",
            "e: {test.succeed_without_changes: [onlyif: 'true', unless: 'true']}",
        ],
        ends: &[
            "z: ok+: Success!",
            "a: ok: onlyif condition is false",
            "b: ok: unless condition is true",
            "c: ok: / exists",
            "d: ok: Success!",
            "e: ok: onlyif condition is true | unless condition is true",
        ],
    },
    Case {
        says: "one false command is enough to run in spite of unless",
        sls: &[
            "a: {test.succeed_without_changes: [unless: ['true', 'false']]}",
            "b: {test.succeed_without_changes: [onlyif: 'true']}",
        ],
        ends: &["a: ok: Success!", "b: ok: Success!"],
    },
    Case {
        says: "a function can be asked instead of a command",
        sls: &[
            "a: {test.succeed_without_changes: [onlyif: [{fun: file.file_exists, args: [/nowhere]}]]}",
            "b: {test.succeed_without_changes: [unless: [{fun: pillar.get, args: [d], get_return: x}]]}",
            "d: {test.succeed_without_changes: [unless: [{fun: pillar.get, args: [d], get_return: y}]]}",
        ],
        ends: &["a: ok: onlyif condition is false", "b: ok: unless condition is true", "d: ok: Success!"],
    },
    Case {
        says: "commands of conditions have the state's folder, variables and shell",
        sls: &[
            "a: {test.succeed_without_changes: [cwd: /usr, env: [{A: b}], 'shell': /bin/sh, unless: '[ $A$PWD = b/usr ]']}",
            "b: {test.succeed_without_changes: [cwd: /nowhere, unless: 'false']}",
            "c: {test.succeed_without_changes: [cwd: /nowhere, cmd_opts_exclude: cwd, onlyif: 'true']}",
            "d: {test.succeed_without_changes: [success_retcodes: 3, unless: exit 3]}",
        ],
        ends: &[
            "a: ok: unless condition is true",
            "b: ok: unless condition is true",
            "c: ok: Success!",
            "d: ok: unless condition is true",
        ],
    },
    Case {
        says: "check_cmd decides how a state ended",
        sls: &[
            "a: {test.succeed_without_changes: [check_cmd: 'false']}",
            "b: {test.fail_without_changes: [check_cmd: ['true']]}",
        ],
        ends: &["a: failed: check_cmd determined the state failed", "b: ok: check_cmd determined the state succeeded"],
    },
    Case {
        says: "a state is repeated until it is right, or often enough",
        sls: &[
            "a: {test.fail_without_changes: [retry: {attempts: 3, interval: 0}]}",
            "b: {test.fail_without_changes: [retry: {attempts: 3, interval: 0, until: false}]}",
            "c: {test.succeed_without_changes: [retry: true]}",
            "d: {test.fail_without_changes: [retry: false]}",
        ],
        ends: &[
            r#"a: failed: Attempt 1: Returned a result of "False", with the following comment: "Failure!" | Attempt 2: Returned a result of "False", with the following comment: "Failure!" | Failure!"#,
            "b: failed: Failure!",
            "c: ok: Success!",
            "d: failed: Failure!",
        ],
    },
    Case {
        says: "parallel states are waited for where they are required",
        sls: &[
            "a: {test.succeed_with_changes: [parallel: true]}",
            "b: {test.fail_without_changes: [parallel: true]}",
            "c: {test.succeed_without_changes: [watch: [{test: a}]]}",
            "d: {test.succeed_without_changes: [require: [{test: b}]]}",
        ],
        ends: &[
            "a: ok+: Success!",
            "b: failed: Failure!",
            "c: ok+: Watch statement fired.",
            "d: failed: One or more requisite failed: one.b",
        ],
    },
    Case {
        says: "repeats beside others are counted after the first attempt",
        sls: &["a: {test.fail_without_changes: [parallel: true, retry: {attempts: 1, interval: 0}]}"],
        ends: &[
            r#"a: failed: Failure! | Attempt 1: Returned a result of "False", with the following comment: "Failure!""#,
        ],
    },
    Case {
        says: "names are states of their own under one ID",
        sls: &["a: {test.nop: [{names: [x, y]}]}", "b: {test.succeed_without_changes: [require: [{test: a}]]}"],
        ends: &["a/x: ok: Success!", "a/y: ok: Success!", "b: ok: Success!"],
    },
];

const PREVIEWS: &[Case] = &[
    Case {
        says: "what would change counts as changed",
        sls: &[
            "a: {test.succeed_with_changes: []}",
            "b: {test.succeed_without_changes: [watch: [{test: a}]]}",
            "c: {test.succeed_without_changes: [onchanges: [{test: a}]]}",
            "d: {test.succeed_without_changes: [require: [{test: a}]]}",
        ],
        ends: &[
            "a: would+: If we weren't testing, this would be successful with changes",
            "b: ok+: Watch statement fired.",
            "c: ok: Success!",
            "d: ok: Success!",
        ],
    },
    Case {
        says: "a prereq of what would change would run",
        sls: &["a: {test.succeed_with_changes: [prereq: [{test: b}]]}", "b: {test.succeed_with_changes: []}"],
        ends: &[
            "a: would+: If we weren't testing, this would be successful with changes",
            "b: would+: If we weren't testing, this would be successful with changes",
        ],
    },
    Case {
        says: "nothing ends a preview early",
        sls: &[
            "a: {test.fail_without_changes: [failhard: true]}",
            "b: {test.succeed_without_changes: []}",
            "c: {test.succeed_without_changes: [onfail: [{test: a}]]}",
        ],
        ends: &["a: failed: If we weren't testing, this would be a failure!", "b: ok: Success!", "c: ok: Success!"],
    },
    Case {
        says: "retry is announced",
        sls: &["a: {test.succeed_without_changes: [retry: true]}"],
        ends: &[
            "a: ok: Success!  The state would be retried every 30 seconds (with a splay of up to 0 seconds) a maximum of 2 times or until a result of True is returned",
        ],
    },
    Case {
        says: "listeners say what they would do",
        sls: &["a: {test.succeed_without_changes: [listen: [{test: b}]]}", "b: {test.succeed_with_changes: []}"],
        ends: &[
            "a: ok: Success!",
            "b: would+: If we weren't testing, this would be successful with changes",
            "listener_a: ok+: Watch statement fired.",
        ],
    },
];
