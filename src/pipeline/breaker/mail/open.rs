//! What an open mail breaker knows: its cause, its schedule, and who has probed.

use std::collections::{BTreeMap, HashMap};

use tokio::time::{Duration, Instant};

use super::{TRANSIENT_LIMIT, Ticket};
use crate::{
    pipeline::breaker::{MailCause, Transition},
    ports::{AccountCause, SendFailureKind},
};

/// How many messages are remembered as tried: far more than are held.
const TRIED_LIMIT: usize = 1024;

/// A message that failed as the probe this often is no good probe.
const PROBE_FAILURES_MAX: u32 = 3;

#[derive(Debug)]
pub(super) struct Open {
    pub(super) cause: MailCause,
    pub(super) since: Instant,
    /// Until when even a few messages are believed that fail again and again.
    believed_until: Instant,
    pub(super) probe_at: Instant,
    /// The probe under way.
    pub(super) probe: Option<u64>,
    pub(super) check: Check,
    tried: HashMap<String, Tried>,
}

#[derive(Clone, Copy, Debug)]
struct Tried {
    /// When its last turn was.
    number: u64,
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
            probe: None,
            check: Check::before_probe(cause),
            tried: HashMap::new(),
        }
    }

    /// Whether a message from the queue would be a better probe than those that wait: where none
    /// waits, one is needed when the probe is due. A few that have failed again and again may be
    /// to blame themselves; as many as open a closed breaker are believed.
    pub(super) fn wants_another(&self, waiting: &BTreeMap<Ticket, String>, now: Instant) -> bool {
        let times = |key: &str| self.tried.get(key).map_or(0, |tried| tried.times);
        if waiting.is_empty() {
            return self.may_probe(now);
        }
        self.probe.is_none()
            && self.check == Check::Done
            && now >= self.believed_until
            && waiting.len() < TRANSIENT_LIMIT
            && waiting.values().all(|key| times(key) >= PROBE_FAILURES_MAX)
    }

    pub(super) fn may_check(&self, now: Instant) -> bool {
        self.probe.is_none() && self.check == Check::Due && self.probe_at <= now
    }

    pub(super) fn may_probe(&self, now: Instant) -> bool {
        self.probe.is_none() && self.check == Check::Done && self.probe_at <= now
    }

    pub(super) fn probe_in_future(&self, now: Instant) -> Option<Instant> {
        (self.probe.is_none() && self.probe_at > now).then_some(self.probe_at)
    }

    /// Who probes next: the one that waits longest untried, else whose turn was longest ago.
    pub(super) fn next(&self, waiting: &BTreeMap<Ticket, String>) -> Option<Ticket> {
        let turn = |key: &str| self.tried.get(key).map_or(0, |tried| tried.number);
        waiting
            .iter()
            .min_by_key(|(ticket, key)| (turn(key), **ticket))
            .map(|(ticket, _)| *ticket)
    }

    pub(super) fn remember_tried(&mut self, key: &str, number: u64) {
        let before = self.tried.get(key);
        let tried = Tried {
            number,
            times: before.map_or(0, |tried| tried.times) + 1,
        };
        self.tried.insert(key.to_owned(), tried);
        if self.tried.len() > TRIED_LIMIT {
            let oldest = self.tried.iter().min_by_key(|(_, tried)| tried.number);
            if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                self.tried.remove(&key);
            }
        }
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
