//! Calls one state: its conditions, its function, `check_cmd`, and all of it again for `retry`.

use std::borrow::Cow;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::Mode;

use super::chunk::Chunk;
use super::retry::{self, Retry};
use super::{How, conditions};
use crate::formula::{Data, Dict};
use crate::states::{Args, Call, Failed, Host, Return, Run, arguments};

/// Time between two looks at whether everything is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// Something to call, and with what.
#[derive(Clone)]
pub(super) struct Job<'e> {
    pub(super) chunk: &'e Chunk<'e>,
    low: Cow<'e, Dict>,
    run: Option<Run>,
    how: How,
    preview: bool,
}

/// What a call came to.
pub(super) struct Called {
    pub(super) ret: Return,
    pub(super) how: How,
}

impl Called {
    /// Whether nothing changed, though no condition kept it from changing.
    pub(super) fn is_still(&self) -> bool {
        self.ret.changes.entries.is_empty() && self.how != How::Conditioned
    }
}

impl<'e> Job<'e> {
    /// The state itself.
    pub(super) fn of(chunk: &'e Chunk<'e>, preview: bool) -> Self {
        let run = chunk.function.map(|function| function.run);
        Self { chunk, low: Cow::Borrowed(chunk.low), run, how: How::Ran, preview: preview || chunk.is_preview }
    }

    /// What the state does when something that it watches has changed: `changed` has `state: ID` of each.
    pub(super) fn watching(&self, changed: Vec<Data>) -> Self {
        let mut low = self.chunk.low.clone();
        low.insert("__reqs__", changed);
        let run = self.chunk.function.and_then(|function| function.watch);
        Self { low: Cow::Owned(low), run, how: How::Watched, ..self.clone() }
    }

    /// What the state does at the end, when something that it listens to has changed.
    pub(super) fn listening(&self) -> Self {
        let run = self.chunk.function.and_then(|function| function.watch);
        Self { run, how: How::Listened, ..self.clone() }
    }

    /// Whether the state sets the umask of the whole process while it runs.
    pub(super) fn has_umask(&self) -> bool {
        self.low.has("umask")
    }

    /// Calls it once. `retry` and its kind are not its business.
    pub(super) fn once(&self, host: &Host<'_>) -> Called {
        match self.conditions(host) {
            Some(called) => called,
            None => self.carry_out(host),
        }
    }

    /// What the conditions make of it, unless it runs.
    pub(super) fn conditions(&self, host: &Host<'_>) -> Option<Called> {
        match conditions::skip(host, &self.low) {
            Ok(None) => None,
            Ok(Some(ret)) => Some(self.checked(host, Called { ret, how: How::Conditioned })),
            Err(why) => Some(Called { ret: why.into(), how: self.how }),
        }
    }

    /// Calls the function, whatever the conditions say.
    fn carry_out(&self, host: &Host<'_>) -> Called {
        let call = Call { host, args: Args::new(&self.low), preview: self.preview };
        let umask = self.low.get("umask").and_then(arguments::text).and_then(|mask| u32::from_str_radix(&mask, 8).ok());
        let umask = umask.map(Umask::set);
        let ret = match self.run {
            Some(run) => run(&call).unwrap_or_else(Return::from),
            None => Failed::from(self.missing()).into(),
        };
        drop(umask);
        self.checked(host, Called { ret, how: self.how })
    }

    fn missing(&self) -> String {
        let state = &self.chunk.state;
        let function = if self.how == How::Ran { state.function.as_str() } else { "mod_watch" };
        format!("State '{}.{function}' was not found in SLS '{}'\n", state.module, state.sls)
    }

    /// What `check_cmd` makes of it, unless that is an argument of the function's own.
    fn checked(&self, host: &Host<'_>, mut called: Called) -> Called {
        let is_own = self.chunk.function.is_some_and(|function| function.has_argument("check_cmd"));
        if let Some(commands) = self.low.get("check_cmd").filter(|_| !is_own)
            && let Err(why) = conditions::check(host, &self.low, commands, &mut called.ret)
        {
            called.ret = why.into();
        }
        called
    }

    /// Calls it as often as `retry` says. `number` counts the attempts.
    pub(super) fn call(&self, host: &Host<'_>, number: &mut usize) -> Called {
        let retry = Retry::of(&self.low);
        let mut comments = Vec::new();
        let mut attempts = 0;
        loop {
            let mut called = self.once(host);
            *number += 1;
            attempts += 1;
            let Some(retry) = retry else { return called };
            if self.preview {
                called.ret.comment = retry.announce(&called.ret.comment);
                return called;
            }
            if retry.is_due(called.ret.result, attempts) && sleep(host, retry.pause()) {
                comments.push(retry::attempt(attempts, called.ret.result, &called.ret.comment));
                continue;
            }
            comments.push(called.ret.comment);
            called.ret.comment = comments.join("\n");
            return called;
        }
    }

    /// Calls it beside other states, its conditions having been asked. Here `attempts` are those after the first one,
    /// as with Salt.
    pub(super) fn call_beside(&self, host: &Host<'_>) -> Called {
        let mut called = self.carry_out(host);
        let Some(retry) = Retry::of(&self.low) else { return called };
        if self.preview {
            called.ret.comment = retry.announce(&called.ret.comment);
            return called;
        }
        let mut attempts = 0;
        while retry.is_due(called.ret.result, attempts) && sleep(host, retry.pause()) {
            attempts += 1;
            let before = called.ret.comment;
            called = self.carry_out(host);
            let Return { result, comment, .. } = &called.ret;
            let attempt = if comment.is_empty() { String::new() } else { retry::attempt(attempts, *result, comment) };
            called.ret.comment = format!("{before}\n{attempt}");
        }
        called
    }
}

/// Waits; `false` if everything is to stop meanwhile.
fn sleep(host: &Host<'_>, pause: Duration) -> bool {
    let begun = Instant::now();
    while !host.listener().is_stopped() {
        let left = pause.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return true;
        }
        thread::sleep(left.min(LOOK));
    }
    false
}

/// The umask of the process, set until this is dropped.
struct Umask(Mode);

impl Umask {
    fn set(mask: u32) -> Self {
        Self(rustix::process::umask(Mode::from_raw_mode(mask)))
    }
}

impl Drop for Umask {
    fn drop(&mut self) {
        rustix::process::umask(self.0);
    }
}
