//! What the requisites of a state come to, once it is known what became of their targets.
//!
//! Nothing here runs anything: [`weigh`] looks at the targets of one requisite, [`Findings::status`] at all of them.

/// The kinds of requisites, in the order in which their targets are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Require,
    RequireAny,
    Watch,
    WatchAny,
    Prereq,
    Onfail,
    OnfailAny,
    OnfailAll,
    Onchanges,
    OnchangesAny,
    /// The other end of a `prereq`: what is tried out first waits for what is to run before it.
    Prerequired,
}

impl Kind {
    pub(super) const ALL: [Self; 11] = [
        Self::Require,
        Self::RequireAny,
        Self::Watch,
        Self::WatchAny,
        Self::Prereq,
        Self::Onfail,
        Self::OnfailAny,
        Self::OnfailAll,
        Self::Onchanges,
        Self::OnchangesAny,
        Self::Prerequired,
    ];

    /// What an SLS calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Require => "require",
            Self::RequireAny => "require_any",
            Self::Watch => "watch",
            Self::WatchAny => "watch_any",
            Self::Prereq => "prereq",
            Self::Onfail => "onfail",
            Self::OnfailAny => "onfail_any",
            Self::OnfailAll => "onfail_all",
            Self::Onchanges => "onchanges",
            Self::OnchangesAny => "onchanges_any",
            Self::Prerequired => "prerequired",
        }
    }

    fn is_onfail(self) -> bool {
        matches!(self, Self::Onfail | Self::OnfailAny | Self::OnfailAll)
    }

    fn is_onchanges(self) -> bool {
        matches!(self, Self::Onchanges | Self::OnchangesAny)
    }

    fn is_watch(self) -> bool {
        matches!(self, Self::Watch | Self::WatchAny)
    }

    /// Whether one good target makes up for bad ones.
    fn is_any(self) -> bool {
        matches!(self, Self::RequireAny | Self::WatchAny | Self::OnfailAny | Self::OnchangesAny | Self::Onfail)
    }
}

/// What became of a target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) result: Option<bool>,
    pub(super) is_changed: bool,
    /// Whether it was not left out by `onfail` or `onchanges`.
    pub(super) has_run: bool,
}

/// Something that was found out about the targets.
#[derive(Debug, Clone, Copy)]
#[repr(u16)]
enum Finding {
    /// One has not run.
    Unmet = 1,
    /// One failed.
    Fail = 1 << 1,
    /// Nothing would change in one that was tried out.
    Pre = 1 << 2,
    /// Something would.
    PreMet = 1 << 3,
    /// One did not fail.
    Onfail = 1 << 4,
    /// One changed nothing.
    Onchanges = 1 << 5,
    /// One changed something.
    OnchangesMet = 1 << 6,
    /// One that is watched changed something.
    Change = 1 << 7,
    /// One is as it should be.
    Met = 1 << 8,
}

/// What was found out about the targets of requisites.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Findings(u16);

/// What the requisites of a state mean for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// A target has not run yet.
    Unmet,
    /// A target failed.
    Fail,
    /// Nothing would change in what it is a `prereq` of.
    Pre,
    /// What its `onfail` waits for did not fail.
    Onfail,
    /// What its `onchanges` waits for did not change.
    Onchanges,
    /// It runs, and something that it watches has changed.
    Change,
    /// It runs.
    Met,
}

impl Findings {
    fn add(&mut self, finding: Finding) {
        self.0 |= finding as u16;
    }

    fn remove(&mut self, finding: Finding) {
        self.0 &= !(finding as u16);
    }

    fn has(self, finding: Finding) -> bool {
        self.0 & finding as u16 != 0
    }

    /// Adds what was found out about another requisite.
    pub(super) fn join(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// What all of it means.
    pub(super) fn status(self) -> Status {
        if self.has(Finding::Unmet) {
            Status::Unmet
        } else if self.has(Finding::Fail) {
            Status::Fail
        } else if self.has(Finding::Pre) {
            if self.has(Finding::PreMet) { Status::Met } else { Status::Pre }
        } else if self.has(Finding::Onfail) && !self.has(Finding::OnchangesMet) {
            Status::Onfail
        } else if self.has(Finding::Onchanges) && !self.has(Finding::OnchangesMet) {
            Status::Onchanges
        } else if self.has(Finding::Change) {
            Status::Change
        } else if self.has(Finding::Onfail) {
            Status::Onfail
        } else {
            Status::Met
        }
    }
}

/// What the targets of one requisite come to; `None` is one that has not run.
pub(super) fn weigh(kind: Kind, targets: impl IntoIterator<Item = Option<Standing>>) -> Findings {
    let mut found = Findings::default();
    for target in targets {
        match target {
            None => found.add(Finding::Unmet),
            Some(standing) => look(kind, standing, &mut found),
        }
    }
    let is_good = found.has(Finding::Met);
    if kind.is_any() {
        if is_good || found.has(Finding::Change) || found.has(Finding::OnchangesMet) {
            found.remove(Finding::Fail);
        }
        if found.has(Finding::OnchangesMet) {
            found.remove(Finding::Onchanges);
        }
        if is_good {
            found.remove(Finding::Onfail);
        }
    }
    if kind == Kind::OnfailAll && found.has(Finding::Onfail) {
        found.remove(Finding::Met);
    }
    found
}

fn look(kind: Kind, target: Standing, found: &mut Findings) {
    let is_failed = target.result == Some(false);
    if kind.is_onfail() {
        // One that failed is what an `onfail` waits for, so it counts as a good one below.
        if target.result == Some(true) {
            return found.add(Finding::Onfail);
        }
    } else if kind.is_onchanges() {
        let is_met = target.is_changed && !is_failed;
        return found.add(if is_met { Finding::OnchangesMet } else { Finding::Onchanges });
    } else if is_failed {
        return found.add(Finding::Fail);
    }
    match (kind, target.result) {
        _ if kind.is_watch() && target.is_changed => return found.add(Finding::Change),
        (Kind::Prereq, Some(_)) => return found.add(Finding::Pre),
        (Kind::Prerequired, Some(_)) => return,
        (Kind::Prereq, None) => found.add(Finding::PreMet),
        _ => {}
    }
    if target.has_run {
        found.add(Finding::Met);
    }
}
