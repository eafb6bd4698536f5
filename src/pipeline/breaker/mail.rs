//! The mail breaker: stops the sending while no mail of ours would be accepted, and finds out whose
//! fault a refusal is.

mod open;
mod results;
mod suspects;
mod witness;

use std::collections::BTreeMap;

use tokio::time::{Duration, Instant};

pub use self::witness::Standing;
use self::{
    open::{Check, Open},
    suspects::{Evidence, Suspects},
    witness::Witness,
};
use super::{AccountWord, MailCause, Said, Status, Transition};
use crate::backoff::Backoff;

/// Transient failures of this many distinct messages in a row open the breaker. So do refusals of as
/// many with the same code, where no witness can tell whose fault that is.
pub const DISTINCT_FAILURES_LIMIT: usize = 3;

/// Opens at once when the mail service refuses every mail of ours, and after transient failures of
/// [`DISTINCT_FAILURES_LIMIT`] distinct messages in a row; closes when a probe is accepted. At the
/// start it also closes when the role may not mail the simulator: the first message then tells. Where
/// the start's witnesses are refused with a code that names no account-wide cause, a message tells after
/// a minute. If fewer messages may be held, it opens when all of those have failed,
/// with the same number of failures in total. Without this rule it would never see an outage at the
/// start, when only one message is held.
///
/// Most codes of a refusal do not say whose fault it is. A message that is refused with one is a
/// suspect, and at fault only where it is refused again after another mail, begun in between, was
/// accepted. If no mail is accepted by itself within a second, a *witness* is sent to the service's
/// simulator: a mail that differs from the refused one only in what came from the event. Accepted, it
/// is the acceptance that the suspects need; refused with the same code, it opens the breaker. Where
/// it says neither, or may not be sent, refusals of three distinct messages with the same code open the
/// breaker; a message is then at fault when its refusals have lasted for `suspect_hold_max`.
///
/// The probe of an open breaker is a witness, too, and costs no message. A held message probes only
/// where the witness cannot tell: the one that waits longest untried, and after it the others in turn.
/// When each has been the probe, one more is received, so that no message can keep the breaker open by
/// itself. A breaker that sends witnesses is open until the first one is answered, so that a task that
/// cannot mail receives nothing.
///
/// Messages are known by their keys, which are the same on each delivery. Every send needs a
/// [`Permission`], which is reported or abandoned when the send has ended.
///
/// An event of the mail service can show that a send without an answer was accepted. It counts as that
/// send's acceptance, however late it comes.
///
/// A send that began before the opening says little of the time after it. Its failure changes
/// nothing; but a refusal of every mail becomes the cause where transient failures were. Its success
/// does not close the breaker: the service may have taken the request before it stopped working. But
/// where transient failures opened the breaker, it is a reason to probe at once.
#[derive(Debug)]
pub struct MailBreaker {
    settings: MailBreakerSettings,
    probes: Backoff,
    /// Grows with each opening and closing, so that a permission shows when it was given.
    epoch: u64,
    /// The messages that failed in a row while it is closed, and how often each did.
    failed: BTreeMap<String, usize>,
    /// How many messages may be held.
    room: usize,
    suspects: Suspects,
    witness: Witness,
    open: Option<Open>,
    /// The keys of the messages that wait.
    waiting: BTreeMap<Ticket, String>,
    next_number: u64,
    /// Whether a mail or a witness was ever accepted.
    mailed: bool,
    /// Whether a stop has begun: what still waits is on its last receive.
    draining: bool,
    /// Whether to wake those that wait, although the breaker stays closed.
    wake_waiters: bool,
}

/// How a mail breaker works.
#[derive(Clone, Copy, Debug)]
pub struct MailBreakerSettings {
    /// Whether witnesses may be sent.
    pub witness: bool,
    /// The longest that a suspect is held without a verdict.
    pub suspect_hold_max: Duration,
    /// No more probe messages are received once this many wait.
    pub waiting_max: usize,
    /// How the delays of probes and witnesses grow.
    pub backoff: fn() -> Backoff,
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
    /// What was accepted since the message's last refusal, if it is a suspect.
    evidence: Option<Evidence>,
}

/// The right to send one witness.
#[derive(Debug)]
pub struct WitnessPermission {
    epoch: u64,
    is_probe: bool,
}

/// What is left of a permission whose send had no answer: an event may still show that the mail was
/// accepted.
#[derive(Clone, Debug)]
pub struct Unanswered {
    epoch: u64,
    is_probe: bool,
}

/// What the breaker makes of a send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What changed by it.
    pub transition: Option<Transition<MailCause>>,
    /// Whether the message itself is at fault.
    pub at_fault: bool,
}

impl Permission {
    /// Whether this send is the probe of an open breaker.
    pub fn is_probe(&self) -> bool {
        self.is_probe
    }

    /// What is left of it where the send has no answer.
    pub fn unanswered(&self) -> Unanswered {
        Unanswered {
            epoch: self.epoch,
            is_probe: self.is_probe,
        }
    }
}

impl WitnessPermission {
    /// Whether this witness is the probe of an open breaker.
    pub fn is_probe(&self) -> bool {
        self.is_probe
    }

    /// What is left of it where the send has no answer.
    pub fn unanswered(&self) -> Unanswered {
        Unanswered {
            epoch: self.epoch,
            is_probe: self.is_probe,
        }
    }
}

impl MailBreaker {
    /// A breaker that is open until its first probe, where it sends witnesses, else closed.
    pub fn new(settings: MailBreakerSettings, now: Instant) -> Self {
        let start = Open::new(MailCause::Starting, None, now, now, true);
        Self {
            settings,
            probes: (settings.backoff)(),
            epoch: 0,
            failed: BTreeMap::new(),
            room: usize::MAX,
            suspects: Suspects::default(),
            witness: Witness::new(settings.witness, (settings.backoff)()),
            open: settings.witness.then_some(start),
            waiting: BTreeMap::new(),
            next_number: 0,
            mailed: false,
            draining: false,
            wake_waiters: false,
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

    /// Takes in how long one mail takes at the rate in force.
    pub fn set_pace(&mut self, pace: Duration) {
        self.suspects.pace = pace;
    }

    /// Whether the breaker has neither opened nor closed since the permission was given.
    pub fn is_current(&self, permission: &Permission) -> bool {
        permission.epoch == self.epoch
    }

    /// The same of a witness's permission.
    pub fn is_witness_current(&self, permission: &WitnessPermission) -> bool {
        permission.epoch == self.epoch
    }

    /// Whether to wake those that wait, although the breaker stays closed. Asked again it says no.
    pub(super) fn take_wake_waiters(&mut self) -> bool {
        std::mem::take(&mut self.wake_waiters)
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
        let key = self.waiting.get(&ticket).ok_or(None)?;
        match &self.open {
            Some(open) => {
                if self.probes_by_witness() {
                    return Err(None);
                }
                if !open.may_probe(now) {
                    return Err(open.probe_in_future(now));
                }
                if open.next(&self.waiting) != Some(ticket) {
                    return Err(None);
                }
            }
            None if self.suspects.is_empty() => {}
            None => {
                let suspect_hold_max = self.suspect_hold_max();
                let waiting = self.waiting.values();
                self.suspects.may_try(key, waiting, suspect_hold_max, now)?;
            }
        }
        let key = self.waiting.remove(&ticket).ok_or(None)?;
        let turn = self.number();
        if let Some(open) = &mut self.open {
            open.begin_probe(&key, turn);
        }
        Ok(Permission {
            evidence: self.suspects.begin_try(&key),
            key,
            epoch: self.epoch,
            is_probe: self.open.is_some(),
        })
    }

    /// Whether a witness may be sent now: as the probe, or since a suspect has waited for an
    /// acceptance for a second.
    pub fn ask_witness(&mut self, now: Instant) -> Answer<WitnessPermission> {
        let at = match &self.open {
            Some(open) if self.probes_by_witness() => {
                if !open.may_probe(now) {
                    return Err(open.probe_in_future(now));
                }
                self.witness.at(now).ok_or(None)?
            }
            Some(_) => return Err(None),
            None => {
                let due = self.suspects.witness_due().ok_or(None)?;
                self.witness.at(due).ok_or(None)?
            }
        };
        if now < at {
            return Err(Some(at));
        }
        self.witness.begin();
        if let Some(open) = &mut self.open {
            open.probing = true;
        }
        Ok(WitnessPermission {
            epoch: self.epoch,
            is_probe: self.open.is_some(),
        })
    }

    /// Takes in that a send did not come about or ended without saying anything of the service:
    /// where it was the probe, the next message may probe at once.
    pub fn abandon(&mut self, permission: &Permission, now: Instant) {
        self.suspects.end_try(&permission.key);
        self.wake_waiters |= !self.suspects.is_empty();
        if permission.is_probe {
            self.probe_abandoned(now);
        }
    }

    /// The same of a witness.
    pub fn abandon_witness(&mut self, permission: &WitnessPermission, now: Instant) {
        self.witness.abandoned();
        self.wake_waiters = true;
        if permission.is_probe {
            self.probe_abandoned(now);
        }
    }

    /// The message with this key is no longer held.
    pub fn forget(&mut self, key: &str) {
        self.suspects.forget(key);
        self.wake_waiters = true;
    }

    /// The suspect with this key cannot wait for an acceptance to come by itself.
    pub fn hurry(&mut self, key: &str) {
        self.suspects.hurry(key);
        self.wake_waiters = true;
    }

    /// Whether a suspect cannot wait.
    pub fn is_hurried(&self) -> bool {
        self.suspects.is_hurried()
    }

    /// Whether to receive one message as the probe: the witness cannot probe, and each message that
    /// waits, if any, has been the probe already. A task that has not mailed anything since its start
    /// receives one and no more; where no witness can tell, three, and then another one as rarely as a
    /// suspect is given up. The answer stays the same until that message waits here, so the caller
    /// makes sure that no other is on its way.
    pub fn wants_probe_message(&self, now: Instant) -> bool {
        !self.probes_by_witness()
            && self.waiting.len() < self.settings.waiting_max
            && self.open.as_ref().is_some_and(|open| {
                let tells = !open.witness_is_mute && !self.witness.is_mute();
                open.wants_another(&self.waiting, tells, self.settings.suspect_hold_max, now)
            })
    }

    /// Takes in that the message is being received: the next may be after a growing delay.
    pub fn probe_receive_started(&mut self, now: Instant) {
        if let Some(open) = &mut self.open {
            open.receives.started(now);
        }
    }

    /// Takes in that a message ended before it was tried: where it was received as the probe, another
    /// may be received in its place.
    pub fn ended_untried(&mut self, now: Instant) {
        if let Some(open) = &mut self.open {
            open.receives.ended_untried(now);
        }
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
    pub fn end_account_check(&mut self, word: AccountWord, now: Instant) {
        let checked = self.open.as_mut();
        let Some(open) = checked.filter(|open| open.check == Check::Running) else {
            return;
        };
        if word == AccountWord::Refuses {
            open.forget_account();
            open.schedule(now + self.probes.next_delay());
        } else {
            open.end_check(word);
        }
    }

    /// When something becomes due by itself, where that is in the future.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        self.open.as_ref().and_then(|open| open.next_due(now))
    }

    /// What there is to say of it while it is open.
    pub fn status(&self) -> Option<Status<MailCause>> {
        self.open.as_ref().map(|open| Status {
            cause: open.cause,
            since: open.since,
            cause_since: open.cause_since,
        })
    }

    /// In how long the next probe may be sent, while none is under way.
    pub fn next_probe(&self, now: Instant) -> Option<Duration> {
        let open = self.open.as_ref().filter(|open| !open.probing)?;
        let at = if self.probes_by_witness() {
            self.witness.at(open.probe_at)?
        } else {
            open.probe_at
        };
        Some(at.saturating_duration_since(now))
    }

    /// What the mail service said when it opened, or last gave its cause.
    pub fn said(&self) -> Option<Said> {
        self.open.as_ref().and_then(|open| open.said.clone())
    }

    /// How many messages wait at it while it is open.
    pub fn waiting(&self) -> usize {
        self.open.as_ref().map_or(0, |_| self.waiting.len())
    }

    /// Whether there are suspects: then the account says what an accepted witness proves.
    pub fn has_suspects(&self) -> bool {
        !self.suspects.is_empty()
    }

    /// Whether the next probe is a witness.
    fn probes_by_witness(&self) -> bool {
        let open = self.open.as_ref();
        // Where a start has spent its message and nothing is held, nobody but a witness is left.
        let is_last = |open: &Open| self.waiting.is_empty() && open.has_spent_its_message();
        open.is_some_and(|open| {
            !open.witness_is_mute
                && (self.witness.may_probe() || (self.witness.is_allowed() && is_last(open)))
        }) && !self.draining
    }

    /// A stop has begun. What is held on its last receive probes itself now.
    pub fn begin_drain(&mut self) {
        self.draining = true;
        self.wake_waiters = true;
    }

    /// Another version of the template is in force.
    pub fn begin_with_another_template(&mut self) {
        self.suspects.begin_with_another_template();
        self.wake_waiters = true;
    }

    /// Whether a witness that waited for its turn is still wanted.
    pub fn wants_witness(&self, permission: &WitnessPermission) -> bool {
        self.is_witness_current(permission)
            && (permission.is_probe || self.suspects.witness_due().is_some())
    }

    /// The longest that a suspect is held without a verdict; `None` where one may come.
    fn suspect_hold_max(&self) -> Option<Duration> {
        self.witness
            .is_mute()
            .then_some(self.settings.suspect_hold_max)
    }

    fn open(&mut self, cause: MailCause, said: Said, now: Instant) -> Transition<MailCause> {
        self.epoch += 1;
        self.failed.clear();
        self.probes.reset();
        let probe_at = now + self.probes.next_delay();
        self.open = Some(Open::new(cause, Some(said), now, probe_at, !self.mailed));
        Transition::Opened { cause }
    }

    fn close(&mut self, now: Instant) -> Option<Transition<MailCause>> {
        let open = self.open.take()?;
        self.epoch += 1;
        self.suspects.begin_again(now);
        Some(Transition::Closed {
            cause: open.cause,
            open_for: now.duration_since(open.since),
        })
    }

    fn probe_abandoned(&mut self, now: Instant) {
        if let Some(open) = &mut self.open {
            open.probing = false;
            open.probe_at = now;
        }
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }
}

#[cfg(test)]
mod tests;
