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
/// of [`TRANSIENT_LIMIT`] distinct messages in a row; closes when a probe is accepted. If fewer
/// messages may be held, it opens when all of those have failed, with the same number of failures
/// in total. Without this rule it would never see an outage at the start, when only one message is
/// held.
///
/// Messages are known by their keys, which are the same on each delivery. Every send needs a
/// [`Permission`], which is reported or abandoned when the send has ended. While the breaker is
/// open one message at a time is permitted, on a schedule: the one that waits longest untried,
/// and after it the others in turn, so that no message can keep the breaker open by itself.
///
/// A send that began before the opening says little of the time after it. Its failure changes
/// nothing, except that a refusal of every mail explains failures better than they do
/// themselves. Its success does not close the breaker: the service may have taken the request
/// before it failed, and may answer late, and a refusal that came since is newer. But if transient
/// failures opened the breaker, the success is a reason to probe at once.
#[derive(Debug)]
pub struct MailBreaker {
    probes: Backoff,
    /// Grows with each opening and closing, so that a permission shows when it was given.
    epoch: u64,
    /// The messages that failed in a row while it is closed, and how often each did.
    failed: BTreeMap<String, usize>,
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

/// What whoever waits at the breaker is told: to go, with this, or to wait for a change of the
/// breaker, or until this time where one is given.
pub type Answer<T> = Result<T, Option<Instant>>;

/// The right to send one message once.
#[derive(Debug)]
pub struct Permission {
    key: String,
    epoch: u64,
    is_probe: bool,
}

impl Permission {
    /// Whether this send is the probe of an open breaker.
    pub fn is_probe(&self) -> bool {
        self.is_probe
    }
}

impl MailBreaker {
    /// A closed breaker whose probes come after these delays. It believes one or two messages that
    /// fail as probes, again and again, for as long as `patience`. Then another is wanted, which
    /// costs it a receive if the service is down indeed; without it one message that is refused for
    /// ever would hold up all that come after it.
    pub fn new(probes: Backoff, patience: Duration) -> Self {
        Self {
            probes,
            epoch: 0,
            failed: BTreeMap::new(),
            room: usize::MAX,
            patience,
            open: None,
            waiting: BTreeMap::new(),
            next_number: 0,
        }
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Takes in how many messages may be held at once from now on.
    pub fn set_room(&mut self, messages: usize) {
        self.room = messages;
    }

    /// Whether the breaker has neither opened nor closed since the permission was given.
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
    /// [`Permission::is_probe`] says so, as the probe. The ticket is used up then. One whose place is
    /// not held waits for ever.
    pub fn ask(&mut self, ticket: Ticket, now: Instant) -> Answer<Permission> {
        if let Some(open) = &self.open {
            if !open.may_probe(now) {
                return Err(open.probe_in_future(now));
            }
            if open.next(&self.waiting) != Some(ticket) {
                return Err(None);
            }
        }
        let key = self.waiting.remove(&ticket).ok_or(None)?;
        let turn = self.number();
        if let Some(open) = &mut self.open {
            open.begin_probe(&key, turn);
        }
        Ok(Permission {
            key,
            epoch: self.epoch,
            is_probe: self.open.is_some(),
        })
    }

    /// Takes in how a send ended.
    pub fn report(
        &mut self,
        permission: Permission,
        result: Result<(), SendFailureKind>,
        now: Instant,
    ) -> Option<Transition<MailCause>> {
        // Nothing but its probe closes an open breaker, so that a probe is always of this opening.
        if permission.is_probe {
            return self.report_probe(result, now);
        }
        let current = self.is_current(&permission);
        match &mut self.open {
            None if current => self.report_closed(permission.key, result, now),
            Some(open) if permission.epoch + 1 == self.epoch => open.report_late(result, now),
            _ => None,
        }
    }

    /// Takes in that a send did not come about or ended without saying anything of the service:
    /// where it was the probe, the next message may probe at once.
    pub fn abandon(&mut self, permission: &Permission, now: Instant) {
        if let Some(open) = &mut self.open
            && permission.is_probe
        {
            open.probing = false;
            open.probe_at = now;
        }
    }

    /// Whether to receive one message as the probe: a probe is due and no message waits, or the few
    /// that wait have failed so often that they may be the cause. The answer stays the same until
    /// that message arrives here, so the caller must make sure that no other is on its way.
    pub fn wants_probe_message(&self, now: Instant) -> bool {
        self.open
            .as_ref()
            .is_some_and(|open| open.wants_another(&self.waiting, now))
    }

    /// Whether the account is to be asked now, before a probe. It is being asked then, and no
    /// longer due.
    pub fn begin_account_check(&mut self, now: Instant) -> bool {
        match &mut self.open {
            Some(open) if open.may_check(now) => {
                open.check = Check::Running;
                true
            }
            _ => false,
        }
    }

    /// Takes in what the account said: that it refuses all mails still, so that no probe is worth its
    /// message, or anything else, which is for the probe to find out.
    pub fn end_account_check(&mut self, refused: bool, now: Instant) {
        let checked = self.open.as_mut();
        let Some(open) = checked.filter(|open| open.check == Check::Running) else {
            return;
        };
        if refused {
            open.schedule(now + self.probes.next_delay());
        } else {
            open.check = Check::Done;
        }
    }

    /// When something becomes due by itself, where that is in the future.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        self.open
            .as_ref()
            .and_then(|open| open.probe_in_future(now))
    }

    /// What there is to say of it while it is open.
    pub fn status(&self) -> Option<Status<MailCause>> {
        self.open.as_ref().map(|open| Status {
            cause: open.cause,
            since: open.since,
        })
    }

    /// How many messages wait at it while it is open.
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
                self.failed.clear();
                None
            }
            Err(SendFailureKind::AccountWide(cause)) => {
                Some(self.open(MailCause::Account(cause), now))
            }
            Err(SendFailureKind::Transient | SendFailureKind::OutcomeUnknown) => {
                *self.failed.entry(key).or_default() += 1;
                let all = self.failed.len() >= TRANSIENT_LIMIT.min(self.room);
                let failures: usize = self.failed.values().sum();
                (all && failures >= TRANSIENT_LIMIT).then(|| self.open(MailCause::Failing, now))
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
        open.probing = false;
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
        self.failed.clear();
        self.probes.reset();
        let probe_at = now + self.probes.next_delay();
        self.open = Some(Open::new(cause, now, probe_at, self.patience));
        Transition::Opened { cause }
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }
}

#[cfg(test)]
mod tests;
