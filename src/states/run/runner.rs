//! Goes through the chunks of a low state and decides for each, when its turn comes, what its requisites mean.
//!
//! A target that has not run yet is run first, whatever its order. What is a `prereq` of something is first tried out,
//! as in a preview. Every chunk ends in exactly one [`Ran`], and what is left when a state fails hard or everything is
//! to stop ends in one that says so.

use std::collections::HashSet;
use std::thread::Scope;

use super::call::{Called, Job};
use super::chunk::{Chunk, Requisite};
use super::place::{Began, Place, UnderWay};
use super::requisites::{Findings, Kind, Standing, Status, weigh};
use super::{How, Options, Progress, Ran, State, listen};
use crate::formula::Data;
use crate::states::returns::dict;
use crate::states::{Host, Return};

/// How often Salt looks again at the requisites of one state before it takes them for endless.
const DEEPEST: usize = 20;

/// How much of the stack is left when more of it is made, and how much.
const RED_ZONE: usize = 256 << 10;
const STACK: usize = 2 << 20;

/// Why nothing further runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Halt {
    Failed,
    Stopped,
}

/// One application of a low state.
pub(super) struct Runner<'s, 'e> {
    host: &'e Host<'e>,
    options: &'e Options,
    progress: &'e dyn Progress,
    scope: &'s Scope<'s, 'e>,
    chunks: &'e [Chunk<'e>],
    /// What ran or runs, by tag. Listeners have tags of their own behind those of the chunks.
    places: Vec<Option<Place<'s>>>,
    /// What was tried out, by tag.
    tried: Vec<Option<Ran>>,
    /// The tags whose requisites are being looked at.
    active: HashSet<usize>,
    /// The chunks that are to be tried out only.
    trials: Vec<bool>,
    /// How many times over each chunk waits for what it was tried out for.
    open: Vec<usize>,
    /// How often each chunk was looked at.
    visits: Vec<usize>,
    /// The chunks that something waits for which was tried out for them.
    waited_for: Vec<bool>,
    /// Salt's `__run_num__` of the next state to end.
    number: usize,
    /// How many have begun, of how many.
    begun: (usize, usize),
    halt: Option<Halt>,
    /// The tags of what runs beside.
    beside: Vec<usize>,
    /// What was to be done at the end and was not.
    left: Vec<State>,
}

impl<'s, 'e> Runner<'s, 'e> {
    pub(super) fn new(
        host: &'e Host<'e>,
        options: &'e Options,
        progress: &'e dyn Progress,
        scope: &'s Scope<'s, 'e>,
        chunks: &'e [Chunk<'e>],
    ) -> Self {
        let none = || chunks.iter().map(|_| None);
        let tags: HashSet<usize> = chunks.iter().map(|chunk| chunk.tag).collect();
        Self {
            host,
            options,
            progress,
            scope,
            chunks,
            places: none().chain(none()).collect(),
            tried: chunks.iter().map(|_| None).collect(),
            active: HashSet::new(),
            trials: vec![false; chunks.len()],
            open: vec![0; chunks.len()],
            visits: vec![0; chunks.len()],
            waited_for: vec![false; chunks.len()],
            number: 0,
            begun: (0, tags.len()),
            halt: None,
            beside: Vec::new(),
            left: Vec::new(),
        }
    }

    /// Runs every chunk, in order.
    pub(super) fn all(&mut self) {
        for at in 0..self.chunks.len() {
            self.look_beside();
            if self.place(at).is_none() {
                self.trials[at] = false;
                self.chunk(at, 0);
                self.halt_if_failed_hard(at);
            }
            self.active.clear();
            if self.is_halted() {
                break;
            }
        }
        self.wait_for_all();
    }

    /// Does what is done at the end, once each, even if a state failed hard before.
    pub(super) fn listeners(&mut self) {
        let due = listen::due(self.chunks, |tag| {
            self.places[tag].as_ref().and_then(Place::as_ended).is_some_and(Ran::is_changed)
        });
        self.begun.1 += due.len();
        let mut is_over = false;
        for at in due {
            let chunk = &self.chunks[at];
            let id = format!("listener_{}", chunk.state.id);
            let state = State { id, function: "mod_watch".to_owned(), ..chunk.state.clone() };
            is_over = is_over || self.is_stopped();
            if is_over {
                self.left.push(state);
                continue;
            }
            let tag = self.chunks.len() + chunk.tag;
            self.start(tag, state, Job::of(chunk, self.options.preview).listening(), None);
            is_over = self.is_failed_hard(at, tag);
        }
    }

    /// What became of every chunk, in the order in which they ended.
    pub(super) fn end(mut self) -> Vec<Ran> {
        self.wait_for_all();
        let mut all: Vec<Ran> = self.places.iter_mut().filter_map(Option::take).map(Place::ended).collect();
        all.sort_by_key(|ran| ran.number);
        let mut seen: HashSet<&State> = all.iter().map(|ran| &ran.state).collect();
        let left = self.chunks.iter().map(|chunk| &chunk.state).chain(&self.left);
        let left: Vec<&State> = left.filter(|state| seen.insert(state)).collect();
        let why = match self.halt {
            Some(Halt::Stopped) => "Not run, as everything was to stop",
            _ => "Not run, as a state before it failed hard",
        };
        let left: Vec<Ran> = left.into_iter().map(|state| self.note(state, How::NotRun, Some(false), why)).collect();
        all.into_iter().chain(left.into_iter().zip(self.number..).map(|(ran, number)| Ran { number, ..ran })).collect()
    }

    /// Runs one chunk, and what it requires before it.
    fn chunk(&mut self, at: usize, depth: usize) {
        if self.is_halted() {
            return;
        }
        let more = usize::from(!self.trials[at] && self.chunks[at].has_prerequired && depth == 0);
        self.open[at] += more;
        // One that requires one that requires one takes a level of the stack each.
        stacker::maybe_grow(RED_ZONE, STACK, || self.decide(at, depth));
        self.open[at] -= more;
    }

    fn decide(&mut self, at: usize, depth: usize) {
        let chunk = &self.chunks[at];
        self.visits[at] += 1;
        if self.visits[at] > DEEPEST + 4 * self.chunks.len() {
            return self.recursive(at);
        }
        if !chunk.has_prerequired {
            self.active.insert(chunk.tag);
        }
        let is_trial = self.trials[at];
        match self.status(at, !is_trial) {
            Status::Unmet => self.unmet(at, depth),
            Status::Fail => self.failed(at),
            Status::Pre => {
                let ran = self.next(at, How::Idle, Some(true), "No changes detected");
                self.tried[chunk.tag] = Some(ran.clone());
                self.end_with(chunk.tag, ran);
            }
            Status::Onfail => self.untriggered(at, "State was not run because onfail req did not change"),
            Status::Onchanges => {
                self.untriggered(at, "State was not run because none of the onchanges reqs changed");
            }
            Status::Change | Status::Met if is_trial => self.tried[chunk.tag] = Some(self.try_out(at)),
            status => self.apply(at, status == Status::Change),
        }
    }

    fn place(&self, at: usize) -> Option<&Place<'s>> {
        self.places[self.chunks[at].tag].as_ref()
    }

    /// What the requisites of a chunk mean for it now.
    fn status(&mut self, at: usize, is_whole: bool) -> Status {
        let chunk = &self.chunks[at];
        let requisites = chunk.requisites.iter().filter(|requisite| is_whole || requisite.kind != Kind::Prerequired);
        let mut found = Findings::default();
        for requisite in requisites {
            if requisite.targets.iter().any(|target| !target.is_there) {
                return Status::Unmet;
            }
            let standings: Vec<Option<Standing>> =
                requisite.chunks().map(|target| self.standing(requisite.kind, target)).collect();
            found.join(weigh(requisite.kind, standings));
        }
        found.status()
    }

    /// What became of a target; if it is under way beside others, this waits for it.
    fn standing(&mut self, kind: Kind, target: usize) -> Option<Standing> {
        let tag = self.chunks[target].tag;
        let ran = if kind == Kind::Prereq {
            self.tried[tag].as_ref()
        } else {
            self.wait_for(tag);
            self.places[tag].as_ref().and_then(Place::as_ended)
        };
        ran.map(|ran| Standing {
            result: ran.ret.result,
            is_changed: ran.is_changed(),
            has_run: ran.how != How::Untriggered,
        })
    }

    /// Runs what a chunk waits for, and then itself.
    fn unmet(&mut self, at: usize, depth: usize) {
        if let Some(lost) = self.lost(at) {
            let ran = self.next(at, How::Held, Some(false), &lost);
            let tag = self.chunks[at].tag;
            if self.trials[at] {
                self.tried[tag] = Some(ran);
            } else {
                self.end_with(tag, ran);
            }
            return;
        }
        let is_whole = !self.trials[at];
        let mut targets = Vec::new();
        // Salt runs nothing for an `onfail_all`, and fails if its targets have not run.
        let (alls, others): (Vec<_>, Vec<_>) =
            self.chunks[at].requisites.iter().partition(|requisite| requisite.kind == Kind::OnfailAll);
        for requisite in others.into_iter().chain(alls) {
            let marks = match requisite.kind {
                Kind::Prereq => Some(&mut self.trials),
                Kind::Prerequired if is_whole => Some(&mut self.waited_for),
                Kind::Prerequired => continue,
                _ => None,
            };
            if let Some(marks) = marks {
                requisite.chunks().for_each(|target| marks[target] = true);
            }
            targets.extend(requisite.chunks());
        }
        for &target in &targets {
            if !self.run_first(at, target) {
                return;
            }
        }
        if self.is_halted() {
            return;
        }
        self.again(at, depth);
        if let Some(&last) = targets.last() {
            self.halt_if_failed_hard(last);
        }
    }

    /// Runs a target of a chunk, unless it has run. `false` if the chunk is not to go on.
    fn run_first(&mut self, at: usize, target: usize) -> bool {
        // What waits for this chunk, and was only tried out for it, is begun anew once: Salt would not come to an end.
        if self.place(target).is_some() || (self.open[target] > 1 && !self.trials[target]) {
            return true;
        }
        let (tag, target_tag) = (self.chunks[at].tag, self.chunks[target].tag);
        if !self.active.contains(&target_tag) {
            self.chunk(target, 0);
            self.halt_if_failed_hard(target);
            return !self.is_halted();
        }
        if !self.waited_for[target] {
            self.recursive(at);
            self.number += 1;
        } else if self.tried[tag].is_none() {
            self.tried[target_tag] = Some(self.try_out(at));
        }
        false
    }

    /// Looks at a chunk again whose targets have run.
    fn again(&mut self, at: usize, depth: usize) {
        let tag = self.chunks[at].tag;
        if self.trials[at] {
            let status = self.status(at, false);
            let mut ran = self.try_out(at);
            if status == Status::Change && !ran.is_changed() {
                ran.ret.changes = dict([("watch", "watch".into())]);
                ran.ret.result = None;
            }
            self.tried[tag] = Some(ran);
        } else if depth + 1 >= DEEPEST {
            self.recursive(at);
        } else {
            self.chunk(at, depth + 1);
        }
    }

    /// A chunk waits for itself, in a way that nobody saw before.
    fn recursive(&mut self, at: usize) {
        let chunk = &self.chunks[at];
        let ran = self.note(&chunk.state, How::Held, Some(false), "Recursive requisite found");
        self.end_with(chunk.tag, ran);
    }

    /// The requisites of a chunk that are not there, in Salt's words.
    fn lost(&self, at: usize) -> Option<String> {
        let mut lost = Vec::new();
        for requisite in &self.chunks[at].requisites {
            let missing = requisite.targets.iter().filter(|target| !target.is_there);
            let missing = missing.map(|target| format!("{:23}{}: {}\n", "", target.state, target.name));
            let missing: String = missing.collect();
            if !missing.is_empty() {
                lost.push(format!("{:19}{}:\n{missing}", "", requisite.kind.name()));
            }
        }
        if lost.is_empty() {
            None
        } else {
            Some(format!("The following requisites were not found:\n{}", lost.concat()))
        }
    }

    /// A requisite of a chunk failed.
    fn failed(&mut self, at: usize) {
        let chunk = &self.chunks[at];
        let ran = if let Some(tried) = &self.tried[chunk.tag] {
            // What it would have changed it has not.
            let ret = Return { changes: dict::<&str>([]), ..tried.ret.clone() };
            Ran { ret, ..self.note(&chunk.state, How::Held, None, "") }
        } else {
            let comment = format!("One or more requisite failed: {}", self.failures(at).join(", "));
            self.note(&chunk.state, How::Held, Some(false), &comment)
        };
        self.number += 1;
        self.tried[chunk.tag] = Some(ran.clone());
        self.end_with(chunk.tag, ran);
    }

    /// The requisites of a chunk that failed, as `sls.ID`.
    fn failures(&self, at: usize) -> Vec<String> {
        let mut failures = Vec::new();
        let is_trial = self.trials[at];
        let requisites = self.chunks[at].requisites.iter();
        let requisites = requisites.filter(|requisite| !is_trial || requisite.kind != Kind::Prerequired);
        for target in requisites.flat_map(Requisite::chunks) {
            let target = &self.chunks[target];
            let ran = self.tried[target.tag].as_ref();
            let ran = ran.or_else(|| self.places[target.tag].as_ref().and_then(Place::as_ended));
            let name = format!("{}.{}", target.state.sls, target.state.id);
            if ran.is_some_and(|ran| ran.ret.result == Some(false)) && !failures.contains(&name) {
                failures.push(name);
            }
        }
        failures
    }

    /// A chunk has no reason to run.
    fn untriggered(&mut self, at: usize, comment: &str) {
        let ran = self.next(at, How::Untriggered, Some(true), comment);
        let tag = self.chunks[at].tag;
        // What it is a `prereq` of is to know that nothing would change. Salt looks again until it gives up.
        if self.trials[at] {
            self.tried[tag] = Some(ran.clone());
        }
        self.end_with(tag, ran);
    }

    /// Calls a chunk without changing anything.
    fn try_out(&mut self, at: usize) -> Ran {
        self.trials[at] = false;
        let chunk = &self.chunks[at];
        let began = Began::now();
        let called = Job::of(chunk, true).once(self.host);
        began.ran(self.number, chunk.state.clone(), called)
    }

    /// Calls a chunk, and what it does about what it watches if that has changed and it has not.
    fn apply(&mut self, at: usize, has_changed: bool) {
        let chunk = &self.chunks[at];
        let job = Job::of(chunk, self.options.preview);
        let watching = has_changed.then(|| job.watching(self.changed(at)));
        self.start(chunk.tag, chunk.state.clone(), job, watching);
    }

    /// What a chunk watches that has changed.
    fn changed(&self, at: usize) -> Vec<Data> {
        let watched = self.chunks[at].targets(Kind::Watch).map(|target| &self.chunks[target]);
        let is_changed =
            |chunk: &&Chunk<'_>| self.places[chunk.tag].as_ref().and_then(Place::as_ended).is_some_and(Ran::is_changed);
        let changed = watched.filter(is_changed).map(|chunk| &chunk.state);
        changed.map(|state| format!("{}: {}", state.module, state.id).into()).collect()
    }

    /// Calls something now, or begins it beside what follows.
    fn start(&mut self, tag: usize, state: State, job: Job<'e>, watching: Option<Job<'e>>) {
        self.begun.0 += 1;
        self.progress.began(self.begun.0, self.begun.1.max(self.begun.0), &state);
        let began = Began::now();
        let host = self.host;
        if !job.chunk.is_parallel {
            if job.has_umask() {
                self.wait_for_all();
            }
            let mut called = job.call(host, &mut self.number);
            if let Some(watching) = watching.filter(|_| called.is_still()) {
                called = watching.call(host, &mut self.number);
            }
            return self.called(tag, began.ran(self.number - 1, state, called));
        }
        let number = self.number;
        self.number += 1;
        if let Some(called) = job.conditions(host) {
            return self.called(tag, began.ran(number, state, called));
        }
        let thread = self.scope.spawn(move || {
            let mut called = job.call_beside(host);
            if let Some(watching) = watching.filter(|_| called.is_still()) {
                called = watching.call_beside(host);
            }
            (called, began.elapsed())
        });
        self.beside.push(tag);
        self.places[tag] = Some(Place::UnderWay(UnderWay { number, state, began, thread }));
    }

    /// Notes what was called. A condition that was cut short has not said anything.
    fn called(&mut self, tag: usize, ran: Ran) {
        if !(ran.how == How::Conditioned && self.is_stopped()) {
            self.end_with(tag, ran);
        }
    }

    fn end_with(&mut self, tag: usize, ran: Ran) {
        self.progress.ended(&ran);
        self.places[tag] = Some(Place::Ended(ran));
    }

    /// A state that did not run, and counts as the next one that did.
    fn next(&mut self, at: usize, how: How, result: Option<bool>, comment: &str) -> Ran {
        let ran = self.note(&self.chunks[at].state, how, result, comment);
        self.number += 1;
        ran
    }

    /// A state that did not run.
    fn note(&self, state: &State, how: How, result: Option<bool>, comment: &str) -> Ran {
        let ret = Return { result, comment: comment.to_owned(), ..Return::default() };
        Began::now().ran(self.number, state.clone(), Called { ret, how })
    }

    /// Waits for a state if it runs beside others.
    fn wait_for(&mut self, tag: usize) {
        if self.beside.contains(&tag)
            && let Some(ran) = self.places[tag].take().map(Place::ended)
        {
            self.beside.retain(|&beside| beside != tag);
            self.end_with(tag, ran);
        }
    }

    fn wait_for_all(&mut self) {
        while let Some(&tag) = self.beside.first() {
            self.wait_for(tag);
        }
    }

    /// Notes what ran beside and has ended.
    fn look_beside(&mut self) {
        let is_over = |place: &Option<Place<'_>>| matches!(place, Some(Place::UnderWay(it)) if it.thread.is_finished());
        let over: Vec<usize> = self.beside.iter().copied().filter(|&tag| is_over(&self.places[tag])).collect();
        for tag in over {
            self.wait_for(tag);
        }
    }

    /// Whether nothing further is to run.
    fn is_halted(&mut self) -> bool {
        self.is_stopped() || self.halt.is_some()
    }

    fn is_stopped(&mut self) -> bool {
        let is_stopped = self.host.listener().is_stopped();
        if is_stopped {
            self.halt = Some(Halt::Stopped);
        }
        is_stopped
    }

    fn halt_if_failed_hard(&mut self, at: usize) {
        if self.halt.is_none() && self.is_failed_hard(at, self.chunks[at].tag) {
            self.halt = Some(Halt::Failed);
        }
    }

    /// Whether a chunk failed under a tag, and that is the end of everything.
    fn is_failed_hard(&self, at: usize, tag: usize) -> bool {
        let is_hard = self.chunks[at].failhard.unwrap_or(self.options.failhard) && !self.options.preview;
        let ran = self.places[tag].as_ref().and_then(Place::as_ended);
        is_hard && ran.is_some_and(|ran| ran.ret.result == Some(false))
    }
}
