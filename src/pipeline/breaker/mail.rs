//! The mail breaker: stops the sending while no mail of ours would be accepted.

mod open;

use std::collections::BTreeMap;

use tokio::time::{Duration, Instant};

use self::open::{Check, Open};
use super::{MailCause, Status, Transition};
use crate::{backoff::Backoff, ports::SendFailureKind};

/// Transient failures of this many distinct messages in a row open the breaker.
pub const TRANSIENT_LIMIT: usize = 3;

/// Opens at once when the mail service refuses every mail of ours, and after transient failures
/// of [`TRANSIENT_LIMIT`] distinct messages in a row; closes when a probe is accepted. Where fewer
/// may be held it opens when all of those have failed, with as many failures in all: else an
/// outage at the start, when one is held, would never be seen for one.
///
/// Messages are known by their keys, which are the same on each delivery. Every send needs a
/// [`Permission`], which is reported or abandoned when the send has ended. While the breaker is
/// open one message at a time is permitted, on a schedule: the one that waits longest untried,
/// and after it the others in turn, so that no message can keep the breaker open by itself.
///
/// A send that began before the opening says little of the time after it. Its failure changes
/// nothing, except that a refusal of every mail explains failures better than they do
/// themselves. Its success does not close the breaker: the service may have taken the request
/// before it failed, and may answer late; and a refusal that came since is the newer word. But
/// where transient failures opened it the success is reason to probe at once.
#[derive(Debug)]
pub struct MailBreaker {
    probes: Backoff,
    /// Grows with each opening and closing, so that a permission tells when it was given.
    epoch: u64,
    /// The messages that failed in a row while it is closed.
    failed: Vec<String>,
    /// How often they did.
    failures: usize,
    /// How many messages may be held.
    room: usize,
    /// For how long one or two messages that fail as probes are believed.
    patience: Duration,
    open: Option<Open>,
    /// The keys of the messages that wait.
    waiting: BTreeMap<Ticket, String>,
    next_number: u64,
}

/// A place among the waiting, in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub(super) u64);

/// What whoever waits at the breaker is told.
#[derive(Debug)]
pub enum Answer<T> {
    /// Go, with this.
    Go(T),
    /// Wait for a change of the breaker, or until this time where one is given.
    Wait {
        /// When to ask again even if nothing changes.
        until: Option<Instant>,
    },
}

/// The right to send one message once.
#[derive(Debug)]
pub struct Permission {
    key: String,
    epoch: u64,
    probe: Option<u64>,
}

/// What the account said when asked whether it may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountSays {
    /// It may.
    Allowed,
    /// It still may not: no probe is worth its message.
    Refused,
    /// It could not be asked: the probe has to find out.
    Unknown,
}

impl Permission {
    /// Whether this send is the probe of an open breaker.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.probe.is_some()
    }
}

impl MailBreaker {
    /// A closed breaker whose probes come after these delays. It believes one or two messages that
    /// fail as probes, again and again, for as long as `patience`. Then another is wanted, which
    /// costs it a receive if the service is down indeed; without it one message that is refused for
    /// ever would hold up all that come after it.
    #[must_use]
    pub fn new(probes: Backoff, patience: Duration) -> Self {
        Self {
            probes,
            epoch: 0,
            failed: Vec::new(),
            failures: 0,
            room: usize::MAX,
            patience,
            open: None,
            waiting: BTreeMap::new(),
            next_number: 0,
        }
    }

    /// Whether it is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Takes in how many messages may be held at once from now on.
    pub fn set_room(&mut self, messages: usize) {
        self.room = messages;
    }

    /// Whether the breaker has neither opened nor closed since the permission was given.
    #[must_use]
    pub fn is_current(&self, permission: &Permission) -> bool {
        permission.epoch == self.epoch
    }

    /// Takes a place for a message that wants to be sent.
    pub fn arrive(&mut self, key: &str) -> Ticket {
        let ticket = Ticket(self.number());
        self.waiting.insert(ticket, key.to_owned());
        ticket
    }

    /// Gives up a place; whether it was still held.
    pub fn leave(&mut self, ticket: Ticket) -> bool {
        self.waiting.remove(&ticket).is_some()
    }

    /// Whether the message with this place may be sent now, as itself or, where
    /// [`Permission::is_probe`] says so, as the probe. The ticket is used up then. One whose place is not held waits for
    /// ever.
    pub fn ask(&mut self, ticket: Ticket, now: Instant) -> Answer<Permission> {
        let number = self.number();
        let Some(open) = &mut self.open else {
            return self.ask_closed(ticket);
        };
        if !open.may_probe(now) {
            return Answer::Wait {
                until: open.probe_in_future(now),
            };
        }
        if open.next(&self.waiting) != Some(ticket) {
            return Answer::Wait { until: None };
        }
        let Some(key) = self.waiting.remove(&ticket) else {
            return Answer::Wait { until: None };
        };
        open.probe = Some(number);
        open.remember_tried(&key, number);
        Answer::Go(Permission {
            key,
            epoch: self.epoch,
            probe: Some(number),
        })
    }

    fn ask_closed(&mut self, ticket: Ticket) -> Answer<Permission> {
        let Some(key) = self.waiting.remove(&ticket) else {
            return Answer::Wait { until: None };
        };
        Answer::Go(Permission {
            key,
            epoch: self.epoch,
            probe: None,
        })
    }

    /// Takes in how a send ended.
    pub fn report(
        &mut self,
        permission: Permission,
        result: Result<(), SendFailureKind>,
        now: Instant,
    ) -> Option<Transition<MailCause>> {
        let current = self.is_current(&permission);
        let Some(open) = &mut self.open else {
            return if current {
                self.report_closed(permission.key, result, now)
            } else {
                None
            };
        };
        if permission.is_probe() {
            return if open.probe == permission.probe {
                self.report_probe(result, now)
            } else {
                None
            };
        }
        if permission.epoch + 1 == self.epoch {
            return open.report_late(result, now);
        }
        None
    }

    /// Takes in that a send did not come about or ended without saying anything of the service:
    /// where it was the probe, the next message may probe at once.
    pub fn abandon(&mut self, permission: &Permission, now: Instant) {
        if let Some(open) = &mut self.open
            && open.probe.is_some()
            && open.probe == permission.probe
        {
            open.probe = None;
            open.probe_at = now;
        }
    }

    /// Whether a message is to be received to be the probe, alone: where a probe is due and none
    /// waits, or where the few that wait have failed so often that they may be to blame. The
    /// answer stays the same until that message arrives here, so that whoever receives it sees to
    /// it that no other is on its way.
    #[must_use]
    pub fn wants_probe_message(&self, now: Instant) -> bool {
        self.open
            .as_ref()
            .is_some_and(|open| open.wants_another(&self.waiting, now))
    }

    /// Whether the account is to be asked now, before a probe.
    #[must_use]
    pub fn account_check_due(&self, now: Instant) -> bool {
        self.open.as_ref().is_some_and(|open| open.may_check(now))
    }

    /// Takes in that the account is being asked: it is no longer due.
    pub fn begin_account_check(&mut self) {
        if let Some(open) = &mut self.open
            && open.check == Check::Due
        {
            open.check = Check::Running;
        }
    }

    /// Takes in what the account said.
    pub fn end_account_check(&mut self, says: AccountSays, now: Instant) {
        let Some(open) = &mut self.open else { return };
        if open.check != Check::Running {
            return;
        }
        match says {
            AccountSays::Allowed | AccountSays::Unknown => open.check = Check::Done,
            AccountSays::Refused => {
                let delay = self.probes.next_delay();
                open.schedule(now + delay);
            }
        }
    }

    /// When something becomes due by itself, where that is in the future.
    #[must_use]
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        self.open
            .as_ref()
            .and_then(|open| open.probe_in_future(now))
    }

    /// What there is to say of it while it is open.
    #[must_use]
    pub fn status(&self) -> Option<Status<MailCause>> {
        self.open.as_ref().map(|open| Status {
            cause: open.cause,
            since: open.since,
        })
    }

    /// How many messages wait at it while it is open.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.open.as_ref().map_or(0, |_| self.waiting.len())
    }

    fn report_closed(
        &mut self,
        key: String,
        result: Result<(), SendFailureKind>,
        now: Instant,
    ) -> Option<Transition<MailCause>> {
        match result {
            Ok(()) => {
                self.forget_failures();
                None
            }
            Err(SendFailureKind::AccountWide(cause)) => {
                Some(self.open(MailCause::Account(cause), now))
            }
            Err(SendFailureKind::Transient | SendFailureKind::OutcomeUnknown) => {
                if !self.failed.contains(&key) {
                    self.failed.push(key);
                }
                self.failures += 1;
                let all = self.failed.len() >= TRANSIENT_LIMIT.min(self.room);
                (all && self.failures >= TRANSIENT_LIMIT)
                    .then(|| self.open(MailCause::Failing, now))
            }
            Err(
                SendFailureKind::Throttled
                | SendFailureKind::Rejected
                | SendFailureKind::UnknownClientError,
            ) => None,
        }
    }

    fn report_probe(
        &mut self,
        result: Result<(), SendFailureKind>,
        now: Instant,
    ) -> Option<Transition<MailCause>> {
        let open = self.open.as_mut()?;
        open.probe = None;
        match result {
            Ok(()) => {
                let open = self.open.take()?;
                self.epoch += 1;
                Some(Transition::Closed {
                    cause: open.cause,
                    open_for: now.duration_since(open.since),
                })
            }
            // The answer concerns this message alone, and the message is done with.
            Err(SendFailureKind::Rejected) => {
                open.probe_at = now;
                None
            }
            // A transient failure does not take back what the service refused.
            Err(failure) => {
                let delay = self.probes.next_delay();
                let changed = match failure {
                    SendFailureKind::AccountWide(cause) => open.change(MailCause::Account(cause)),
                    _ => None,
                };
                open.schedule(now + delay);
                changed
            }
        }
    }

    fn open(&mut self, cause: MailCause, now: Instant) -> Transition<MailCause> {
        self.epoch += 1;
        self.forget_failures();
        self.probes.reset();
        let probe_at = now + self.probes.next_delay();
        self.open = Some(Open::new(cause, now, probe_at, self.patience));
        Transition::Opened { cause }
    }

    fn forget_failures(&mut self) {
        self.failed.clear();
        self.failures = 0;
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }
}

#[cfg(test)]
mod tests;
