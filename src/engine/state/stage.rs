//! Where a stage stands with its hosts.

use jiff::Timestamp;

use super::host::{HostState, Phase};
use super::{Applied, IllegalRecord, illegal};
use crate::model::record::End;
use crate::model::{Outcome, Pace, Slot, UnitKey};

/// Where a stage stands.
#[derive(Debug, Clone, Default)]
pub struct StageState {
    /// When it first began.
    pub started_at: Option<Timestamp>,
    /// When it was done with all its hosts.
    pub ended_at: Option<Timestamp>,
    /// Its hosts, in the plan's order.
    pub hosts: Vec<HostState>,
    /// The places of the hosts that have started and not ended.
    pub under_way: Vec<u32>,
    /// Those of them without a unit under way, by place: the only ones that a decision can move on.
    pub pending: Vec<u32>,
    /// Hosts that have not started.
    pub waiting: u32,
    /// No host before this place is waiting.
    pub first_waiting: u32,
    /// Hosts that ended, by outcome in the order of [`Outcome::ALL`].
    pub ended: [u32; 7],
    /// Hosts that came short, by outcome, counted from the moment it is known.
    pub failures: [u32; 7],
    /// When a host last started; pace counts from here.
    pub last_start: Option<Timestamp>,
    /// The pace a person asked for while the run went on.
    pub pace: Option<Pace>,
    /// The fan-out a person asked for while the run went on.
    pub fan_out: Option<u32>,
}

impl StageState {
    /// Hosts that came short in any way.
    #[must_use]
    pub fn failed(&self) -> u32 {
        self.failures.iter().sum()
    }

    /// Hosts that ended as they should.
    #[must_use]
    pub fn succeeded(&self) -> u32 {
        self.ended[Outcome::Unchanged as usize] + self.ended[Outcome::Changed as usize]
    }

    /// Hosts that ended, in whatever way.
    #[must_use]
    pub fn done(&self) -> u32 {
        self.ended.iter().sum()
    }

    pub(super) fn host(&mut self, host: u32) -> Result<&mut HostState, IllegalRecord> {
        self.hosts.get_mut(host as usize).ok_or_else(|| IllegalRecord(format!("host {host} is not in the stage")))
    }

    pub(super) fn start_host(&mut self, at: Timestamp, place: u32) -> Applied {
        let host = self.host(place)?;
        if host.phase != Phase::Waiting {
            return illegal(format!("host {place} starts twice"));
        }
        if host.highest == u16::MAX {
            return illegal(format!("host {place} has used up its tries"));
        }
        host.phase = Phase::Idle { since: at };
        host.base = host.highest;
        host.started_at.get_or_insert(at);
        self.under_way.push(place);
        self.add_pending(place);
        self.last_start = Some(at);
        self.leave_waiting(place);
        Ok(())
    }

    pub(super) fn add_pending(&mut self, place: u32) {
        let at = self.pending.partition_point(|&other| other < place);
        self.pending.insert(at, place);
    }

    pub(super) fn leave_waiting(&mut self, place: u32) {
        self.waiting -= 1;
        if place == self.first_waiting {
            let rest = self.hosts[place as usize..].iter().position(|host| host.phase == Phase::Waiting);
            let rest = rest.unwrap_or(self.hosts.len() - place as usize);
            self.first_waiting += u32::try_from(rest).unwrap_or(u32::MAX);
        }
    }

    pub(super) fn start_unit(&mut self, at: Timestamp, unit: UnitKey, attempt: u16) -> Applied {
        let host = self.host(unit.host)?;
        let expected = match host.phase {
            Phase::Retrying { slot, attempt: next, .. } if slot == unit.slot => attempt == next,
            // What a retry was waiting for is dropped when the host is cut short.
            Phase::Idle { .. } | Phase::Retrying { .. } => attempt == host.base + 1,
            _ => false,
        };
        let in_turn = match unit.slot {
            Slot::Step(step) => step >= host.cursor && host.put_back.is_none(),
            Slot::Always(step) => host.put_back.is_none_or(|last| {
                step < last || matches!(host.phase, Phase::Retrying { slot: Slot::Always(again), .. } if again == step)
            }),
        };
        if !expected || !in_turn {
            return illegal(format!("attempt {attempt} of {:?} starts on host {} out of turn", unit.slot, unit.host));
        }
        if let Slot::Always(step) = unit.slot {
            host.put_back = Some(step);
        }
        host.highest = host.highest.max(attempt);
        host.retries += u32::from(attempt > host.base + 1);
        host.phase = Phase::Running { slot: unit.slot, attempt, since: at };
        self.pending.retain(|&other| other != unit.host);
        Ok(())
    }

    /// Ends a unit's try; says whether that leaves the host newly stuck.
    pub(super) fn end_unit(
        &mut self,
        at: Timestamp,
        unit: UnitKey,
        attempt: u16,
        end: &End,
        retry_at: Option<Timestamp>,
    ) -> Result<bool, IllegalRecord> {
        let host = self.host(unit.host)?;
        match host.phase {
            Phase::Running { slot, attempt: running, .. } if slot == unit.slot && running == attempt => {}
            _ => {
                return Err(IllegalRecord(format!(
                    "attempt {attempt} of {:?} ends on host {} and was not running",
                    unit.slot, unit.host
                )));
            }
        }
        let retrying = match (retry_at, attempt.checked_add(1)) {
            (None, _) => None,
            (Some(at), Some(attempt)) => Some(Phase::Retrying { slot: unit.slot, attempt, at }),
            (Some(_), None) => {
                return Err(IllegalRecord(format!("host {} has no further try of {:?}", unit.host, unit.slot)));
            }
        };
        self.add_pending(unit.host);
        let host = self.host(unit.host)?;
        if end.outcome.is_failure() {
            host.note.clone_from(&end.note);
        }
        if let Some(retrying) = retrying {
            host.phase = retrying;
            return Ok(false);
        }
        host.phase = Phase::Idle { since: at };
        host.changes = host.changes.saturating_add(end.changes);
        host.changed |= end.outcome == Outcome::Changed && matches!(unit.slot, Slot::Step(_));
        match unit.slot {
            Slot::Step(step) if !end.outcome.is_failure() => {
                host.cursor = step + 1;
                host.reached = host.reached.max(step + 1);
            }
            Slot::Step(_) => {
                host.cut = host.cut.max(Some(end.outcome));
                host.failed_at = Some(unit.slot);
                self.failures[end.outcome as usize] += 1;
            }
            Slot::Always(_) if end.outcome.is_failure() => {
                let newly = !host.stuck;
                host.stuck = true;
                if host.cut.is_none_or(|cut| !cut.is_failure()) {
                    host.failed_at = Some(unit.slot);
                    self.failures[Outcome::Failed as usize] += u32::from(newly);
                }
                return Ok(newly);
            }
            Slot::Always(_) => {}
        }
        Ok(false)
    }

    pub(super) fn end_host(&mut self, at: Timestamp, place: u32, state: Outcome) -> Applied {
        let host = self.host(place)?;
        match host.phase {
            Phase::Waiting if state == Outcome::Skipped => {
                host.phase = Phase::Ended(state);
                host.ended_at = Some(at);
                self.leave_waiting(place);
            }
            Phase::Idle { .. } | Phase::Retrying { .. } => {
                host.phase = Phase::Ended(state);
                host.ended_at = Some(at);
                // An abort ends a host between two steps, and no unit of it came short.
                let counted = host.stuck || host.cut.is_some_and(Outcome::is_failure);
                self.failures[state as usize] += u32::from(state.is_failure() && !counted);
                self.under_way.retain(|&other| other != place);
                self.pending.retain(|&other| other != place);
            }
            _ => return illegal(format!("host {place} ends out of turn")),
        }
        self.ended[state as usize] += 1;
        Ok(())
    }

    pub(super) fn resume(&mut self, steps: u16, skipped: impl Fn(usize) -> bool) {
        for (place, host) in self.hosts.iter_mut().enumerate() {
            match host.phase {
                Phase::Ended(state) if (state.is_failure() || state == Outcome::Skipped) && !skipped(place) => {
                    self.ended[state as usize] -= 1;
                    self.waiting += 1;
                    self.first_waiting = self.first_waiting.min(u32::try_from(place).unwrap_or(u32::MAX));
                    // Steps that have an `always` were taken back by it, so the host starts over and
                    // runs those again; when only the putting back failed, only that is done again.
                    let only_stuck = host.stuck && host.reached >= steps;
                    host.cursor = if only_stuck { steps } else { 0 };
                    host.phase = Phase::Waiting;
                    host.put_back = None;
                    host.cut = None;
                    host.stuck = false;
                    host.failed_at = None;
                    host.ended_at = None;
                }
                _ => {}
            }
        }
        self.failures = [0; 7];
        for host in &self.under_way {
            let host = &self.hosts[*host as usize];
            let stuck = host.stuck.then_some(Outcome::Failed);
            if let Some(failure) = host.cut.filter(|cut| cut.is_failure()).or(stuck) {
                self.failures[failure as usize] += 1;
            }
        }
        if self.waiting > 0 {
            self.ended_at = None;
        }
    }
}
