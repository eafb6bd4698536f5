//! What an open mail breaker knows: its cause, its schedule, and who has probed.

use std::collections::{BTreeMap, HashMap};

use tokio::time::{Duration, Instant};

use super::{DISTINCT_FAILURES_LIMIT, Ticket};
use crate::{
    pipeline::breaker::{AccountWord, MailCause, Said, Transition, probe_receives::ProbeReceives},
    ports::{AccountCause, SendFailure, SendFailureKind},
};

/// A turn as a probe is forgotten when so many numbers were given out after it: far more than
/// messages are held.
const TURNS_REMEMBERED: u64 = 10_000;

/// The witnesses of a start are believed this long, although nothing else was refused. A deploy or a
/// crash loop in an outage spends no receive meanwhile.
const START_DOUBTED: Duration = Duration::from_mins(1);

#[derive(Debug)]
pub(super) struct Open {
    pub(super) cause: MailCause,
    pub(super) said: Option<Said>,
    pub(super) since: Instant,
    /// Since when for this cause.
    pub(super) cause_since: Instant,
    pub(super) probe_at: Instant,
    /// Whether the probe is under way.
    pub(super) probing: bool,
    pub(super) check: Check,
    /// Whether a witness would say nothing of the cause.
    pub(super) witness_is_mute: bool,
    /// When one more message may be received although some are held.
    pub(super) receives: ProbeReceives,
    /// Whether nothing was accepted since the start.
    since_start: bool,
    /// When each message was the probe last.
    tried: HashMap<String, u64>,
}

/// Whether the account has to be asked before the next probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    Due,
    Running,
    Done,
    /// Done, and the account says that it sends.
    DoneAndSends,
}

impl Open {
    pub(super) fn new(
        cause: MailCause,
        said: Option<Said>,
        now: Instant,
        probe_at: Instant,
        since_start: bool,
    ) -> Self {
        Self {
            cause,
            said,
            since: now,
            cause_since: now,
            probe_at,
            probing: false,
            check: Check::before_probe(cause),
            witness_is_mute: is_beyond_witness(cause),
            receives: ProbeReceives::new(now, probe_at),
            since_start,
            tried: HashMap::new(),
        }
    }

    /// Whether one more message would be a better probe than those that wait: none does, or each has
    /// been the probe.
    pub(super) fn wants_another(
        &self,
        waiting: &BTreeMap<Ticket, String>,
        witness_tells: bool,
        suspect_hold_max: Duration,
        now: Instant,
    ) -> bool {
        // A task that has not mailed anything yet spends few receives: a deploy or a crash loop would
        // spend them again and again. More than one it spends only where nothing else can tell, and more
        // than those that opened the breaker only as slowly as suspects are given up: these may be at
        // fault themselves, and would keep out every other one.
        let affordable = if witness_tells {
            self.tried.is_empty()
        } else {
            self.tried.len() < DISTINCT_FAILURES_LIMIT
                || waiting.is_empty()
                || now.duration_since(self.receives.last()) >= suspect_hold_max
        };
        if self.since_start && !affordable {
            return false;
        }
        let due = now >= self.receives.at() && self.check.is_done() && !self.probing;
        if waiting.is_empty() {
            return due && self.may_probe(now);
        }
        due && waiting.values().all(|key| self.tried.contains_key(key))
    }

    /// Whether a task that has not mailed anything yet has received the one message that it may spend
    /// where a witness can tell.
    pub(super) fn has_spent_its_message(&self) -> bool {
        self.since_start && !self.tried.is_empty()
    }

    pub(super) fn may_check(&self, now: Instant) -> bool {
        !self.probing && self.check == Check::Due && self.probe_at <= now
    }

    pub(super) fn may_probe(&self, now: Instant) -> bool {
        !self.probing && self.check.is_done() && self.probe_at <= now
    }

    pub(super) fn probe_in_future(&self, now: Instant) -> Option<Instant> {
        (!self.probing && self.probe_at > now).then_some(self.probe_at)
    }

    /// When the next probe or the next receive is due, where that is in the future.
    pub(super) fn next_due(&self, now: Instant) -> Option<Instant> {
        let times = [self.probe_at, self.receives.at()];
        let future = times.into_iter().filter(|at| *at > now);
        future.min().filter(|_| !self.probing)
    }

    /// Who probes next: the one that waits longest untried, else whose turn was longest ago.
    pub(super) fn next(&self, waiting: &BTreeMap<Ticket, String>) -> Option<Ticket> {
        let turn = |key: &String| self.tried.get(key).copied().unwrap_or_default();
        let (ticket, _) = waiting
            .iter()
            .min_by_key(|(ticket, key)| (turn(key), **ticket))?;
        Some(*ticket)
    }

    /// The message with this key becomes the probe; `turn` is larger than at any turn before.
    pub(super) fn begin_probe(&mut self, key: &str, turn: u64) {
        self.probing = true;
        self.tried.insert(key.to_owned(), turn);
        self.tried
            .retain(|_, tried| *tried + TURNS_REMEMBERED > turn);
    }

    pub(super) fn schedule(&mut self, at: Instant) {
        self.probe_at = at;
        self.check = Check::before_probe(self.cause);
    }

    /// A probe was refused for itself, though the account says that it has a quota again, or has left the
    /// sandbox. A witness tells then, so that one bad message does not keep out all others.
    pub(super) fn hear_witness_beside_account(&mut self) {
        if self.check == Check::DoneAndSends {
            self.witness_is_mute &= !is_beyond_witness(self.cause);
        }
    }

    /// A witness may tell again, where one can know the cause at all.
    pub(super) fn hear_witness_again(&mut self) {
        self.witness_is_mute &= is_beyond_witness(self.cause);
    }

    /// The account was asked, and does not refuse every mail.
    pub(super) fn end_check(&mut self, word: AccountWord) {
        let sends = match word {
            AccountWord::Sends => true,
            AccountWord::SendsToVerified => self.cause != MailCause::Account(AccountCause::Sandbox),
            AccountWord::Refuses | AccountWord::Nothing => false,
        };
        if sends {
            self.check = Check::DoneAndSends;
        } else {
            self.check = Check::Done;
            self.forget_account();
        }
    }

    /// What the account said before holds no more: what a witness cannot know it cannot tell.
    pub(super) fn forget_account(&mut self) {
        self.witness_is_mute |= is_beyond_witness(self.cause);
    }

    /// Whether it has been open since the start, for nothing that the service said.
    pub(super) fn is_unclear_start(&self) -> bool {
        self.since_start && self.has_no_word()
    }

    /// Whether the service has said nothing since it opened: it fails, or does not answer.
    pub(super) fn has_no_word(&self) -> bool {
        matches!(self.cause, MailCause::Starting | MailCause::Failing)
    }

    /// Whether for long nothing but witnesses was refused, so that they themselves may be at fault.
    pub(super) fn is_only_witnessed(&self, now: Instant) -> bool {
        self.since_start && self.tried.is_empty() && now.duration_since(self.since) >= START_DOUBTED
    }

    /// Whether it is open since mails are refused with this code.
    pub(super) fn is_refused_with(&self, code: &str) -> bool {
        self.cause == MailCause::Refused && self.said.as_ref().is_some_and(|said| said.code == code)
    }

    pub(super) fn change(
        &mut self,
        cause: MailCause,
        said: Said,
        now: Instant,
    ) -> Option<Transition<MailCause>> {
        self.said = Some(said);
        if self.cause == cause {
            return None;
        }
        self.cause = cause;
        self.cause_since = now;
        self.check = Check::before_probe(cause);
        self.witness_is_mute = is_beyond_witness(cause);
        Some(Transition::Changed { cause })
    }

    /// The result of a send that was permitted before the breaker opened.
    pub(super) fn report_late(
        &mut self,
        result: Result<(), &SendFailure>,
        now: Instant,
    ) -> Option<Transition<MailCause>> {
        if self.cause != MailCause::Failing {
            return None;
        }
        match result {
            Ok(()) => {
                self.probe_at = self.probe_at.min(now);
                None
            }
            Err(failure) => {
                let SendFailureKind::AccountWide(cause) = failure.kind else {
                    return None;
                };
                self.change(MailCause::Account(cause), Said::of(failure), now)
            }
        }
    }
}

/// The simulator is outside the daily quota and the sandbox's list of recipients.
fn is_beyond_witness(cause: MailCause) -> bool {
    matches!(
        cause,
        MailCause::Account(AccountCause::DailyQuota | AccountCause::Sandbox)
    )
}

impl Check {
    fn is_done(self) -> bool {
        matches!(self, Self::Done | Self::DoneAndSends)
    }

    /// Suspended and paused accounts, those whose quota is used up and those in the sandbox say so when
    /// asked, which costs no message.
    pub(super) fn before_probe(cause: MailCause) -> Self {
        match cause {
            MailCause::Account(
                AccountCause::Suspended
                | AccountCause::Paused
                | AccountCause::DailyQuota
                | AccountCause::Sandbox,
            ) => Self::Due,
            MailCause::Account(
                AccountCause::MailFromNotVerified
                | AccountCause::SenderNotVerified
                | AccountCause::ConfigurationSetMissing
                | AccountCause::Credentials
                | AccountCause::AccessDenied,
            )
            | MailCause::Starting
            | MailCause::Refused
            | MailCause::Failing => Self::Done,
        }
    }
}
