//! What an open mail breaker knows: its cause, its schedule, and who has probed.

use std::collections::{BTreeMap, HashMap};

use tokio::time::{Duration, Instant};

use super::{TRANSIENT_LIMIT, Ticket};
use crate::{
    pipeline::breaker::{MailCause, Transition},
    ports::{AccountCause, SendFailureKind},
};

/// A turn as a probe is forgotten when so many numbers were given out after it: far more than
/// messages are held.
const TURNS_REMEMBERED: u64 = 10_000;

/// A message that failed as the probe this often is no good probe.
const PROBE_FAILURES_MAX: u32 = 3;

#[derive(Debug)]
pub(super) struct Open {
    pub(super) cause: MailCause,
    pub(super) since: Instant,
    /// Until when even a few messages are believed that fail again and again.
    believed_until: Instant,
    pub(super) probe_at: Instant,
    /// Whether the probe is under way.
    pub(super) probing: bool,
    pub(super) check: Check,
    tried: HashMap<String, Tried>,
}

/// What is known of a message that was the probe; the default is that of one untried.
#[derive(Clone, Copy, Debug, Default)]
struct Tried {
    /// When its last turn was.
    turn: u64,
    times: u32,
}

/// Whether the account has to be asked before the next probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    Due,
    Running,
    Done,
}

impl Open {
    pub(super) fn new(
        cause: MailCause,
        now: Instant,
        probe_at: Instant,
        patience: Duration,
    ) -> Self {
        Self {
            cause,
            since: now,
            believed_until: now + patience,
            probe_at,
            probing: false,
            check: Check::before_probe(cause),
            tried: HashMap::new(),
        }
    }

    /// Whether a message from the queue would be a better probe than those that wait: where none
    /// waits, one is needed when the probe is due. A few that have failed again and again may be
    /// to blame themselves; as many as open a closed breaker are believed.
    pub(super) fn wants_another(&self, waiting: &BTreeMap<Ticket, String>, now: Instant) -> bool {
        if waiting.is_empty() {
            return self.may_probe(now);
        }
        !self.probing
            && self.check == Check::Done
            && now >= self.believed_until
            && waiting.len() < TRANSIENT_LIMIT
            && waiting
                .values()
                .all(|key| self.tried(key).times >= PROBE_FAILURES_MAX)
    }

    pub(super) fn may_check(&self, now: Instant) -> bool {
        !self.probing && self.check == Check::Due && self.probe_at <= now
    }

    pub(super) fn may_probe(&self, now: Instant) -> bool {
        !self.probing && self.check == Check::Done && self.probe_at <= now
    }

    pub(super) fn probe_in_future(&self, now: Instant) -> Option<Instant> {
        (!self.probing && self.probe_at > now).then_some(self.probe_at)
    }

    /// Who probes next: the one that waits longest untried, else whose turn was longest ago.
    pub(super) fn next(&self, waiting: &BTreeMap<Ticket, String>) -> Option<Ticket> {
        let (ticket, _) = waiting
            .iter()
            .min_by_key(|(ticket, key)| (self.tried(key).turn, **ticket))?;
        Some(*ticket)
    }

    /// The message with this key becomes the probe; `turn` is larger than at any turn before.
    pub(super) fn begin_probe(&mut self, key: &str, turn: u64) {
        self.probing = true;
        let times = self.tried(key).times + 1;
        self.tried.insert(key.to_owned(), Tried { turn, times });
        self.tried
            .retain(|_, tried| tried.turn + TURNS_REMEMBERED > turn);
    }

    fn tried(&self, key: &str) -> Tried {
        self.tried.get(key).copied().unwrap_or_default()
    }

    pub(super) fn schedule(&mut self, at: Instant) {
        self.probe_at = at;
        self.check = Check::before_probe(self.cause);
    }

    pub(super) fn change(&mut self, cause: MailCause) -> Option<Transition<MailCause>> {
        if self.cause == cause {
            return None;
        }
        self.cause = cause;
        Some(Transition::Changed { cause })
    }

    /// The result of a send that was permitted before the breaker opened.
    pub(super) fn report_late(
        &mut self,
        result: Result<(), SendFailureKind>,
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
            Err(SendFailureKind::AccountWide(cause)) => {
                let changed = self.change(MailCause::Account(cause));
                self.check = Check::before_probe(self.cause);
                changed
            }
            Err(_) => None,
        }
    }
}

impl Check {
    /// Suspended and paused accounts say so when asked, which costs no message.
    pub(super) fn before_probe(cause: MailCause) -> Self {
        match cause {
            MailCause::Account(AccountCause::Suspended | AccountCause::Paused) => Self::Due,
            _ => Self::Done,
        }
    }
}
