//! When a witness may be sent, and what the last ones said.

use std::collections::BTreeSet;

use tokio::time::{Duration, Instant};

use super::suspects::TOGETHER;
use crate::backoff::Backoff;

/// After a witness that was accepted the next is at least this much later.
const AFTER_ACCEPTED: Duration = Duration::from_secs(1);
/// After this many witnesses in a row without a word none is waited for.
const WORDLESS_LIMIT: u32 = 3;
/// What an account says of itself may have changed after this long: one that proved nothing by it is worth
/// another.
const WORTH_ANOTHER_AFTER: Duration = Duration::from_mins(5);
/// On the word of witnesses whose account cannot be asked, this many messages in a row are rejected.
const UNPROVEN_LIMIT: u32 = 3;

/// What an accepted witness proves, by what the account says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Organizers' mails are accepted where the simulator's are: production access, and within quota.
    Good,
    /// The simulator takes mails that the service refuses to organizers.
    Limited,
    /// It cannot be asked.
    Unknown,
}

#[derive(Debug)]
pub(super) struct Witness {
    /// Whether one may be sent at all.
    allowed: bool,
    under_way: bool,
    not_before: Option<Instant>,
    backoff: Backoff,
    /// How many in a row had no word: throttled, failed, unanswered.
    wordless: u32,
    /// Whether the last one with a word said nothing of the suspects.
    mute: bool,
    /// When the last one was accepted, if that proved nothing.
    proved_nothing_at: Option<Instant>,
    /// How many messages were rejected on unproven word since a mail to an organizer was accepted.
    unproven: u32,
    /// What the last one was refused with, and when, until one is accepted.
    refusal: Option<(String, Instant)>,
    /// Codes that witnesses were refused with while mails to organizers were accepted, until one is
    /// accepted.
    own_codes: BTreeSet<String>,
}

impl Witness {
    pub(super) fn new(allowed: bool, backoff: Backoff) -> Self {
        Self {
            allowed,
            under_way: false,
            not_before: None,
            backoff,
            wordless: 0,
            mute: false,
            proved_nothing_at: None,
            unproven: 0,
            refusal: None,
            own_codes: BTreeSet::new(),
        }
    }

    /// Whether one may be the probe of an open breaker.
    pub(super) fn may_probe(&self) -> bool {
        self.allowed && self.wordless < WORDLESS_LIMIT
    }

    /// Whether any may be sent.
    pub(super) fn is_allowed(&self) -> bool {
        self.allowed
    }

    /// Whether it gives no verdict.
    pub(super) fn is_mute(&self) -> bool {
        !self.allowed || self.mute
    }

    /// Whether its word is worth waiting for.
    pub(super) fn may_tell(&self) -> bool {
        !self.is_mute() && self.wordless < WORDLESS_LIMIT
    }

    /// When one that is due then may be sent; `None` while one is under way, or where none may be.
    pub(super) fn at(&self, due: Instant) -> Option<Instant> {
        let free = self.allowed && !self.under_way;
        free.then(|| self.not_before.map_or(due, |at| at.max(due)))
    }

    pub(super) fn begin(&mut self) {
        self.under_way = true;
    }

    /// It was accepted, and that counts or not.
    pub(super) fn accepted(&mut self, standing: Standing, now: Instant) -> bool {
        self.under_way = false;
        self.wordless = 0;
        self.refusal = None;
        // Nothing keeps witnesses away for themselves.
        self.own_codes.clear();
        self.mute = match standing {
            Standing::Good => false,
            Standing::Limited => true,
            Standing::Unknown => self.unproven >= UNPROVEN_LIMIT,
        };
        self.proved_nothing_at = self.mute.then_some(now);
        if self.mute {
            self.not_before = Some(now + self.backoff.next_delay());
        } else {
            self.backoff.reset();
            self.not_before = Some(now + AFTER_ACCEPTED);
        }
        !self.mute
    }

    /// One that had no answer was accepted after all: what was made of its silence counts no longer.
    /// Whether its word counts.
    pub(super) fn heard(&mut self, standing: Standing) -> bool {
        self.wordless = 0;
        match standing {
            Standing::Good => true,
            Standing::Limited => false,
            Standing::Unknown => self.unproven < UNPROVEN_LIMIT,
        }
    }

    /// It was refused with this code, which says something of the suspects or not.
    pub(super) fn refused(&mut self, code: &str, mute: bool, now: Instant) {
        self.refusal = Some((code.to_owned(), now));
        self.proved_nothing_at = None;
        self.under_way = false;
        self.wordless = 0;
        self.mute = mute;
        self.not_before = Some(now + self.backoff.next_delay());
    }

    /// It had no word. Whether that was one too many in a row.
    pub(super) fn had_no_word(&mut self, now: Instant) -> bool {
        self.under_way = false;
        self.wordless += 1;
        self.not_before = Some(now + self.backoff.next_delay());
        self.wordless >= WORDLESS_LIMIT
    }

    /// It did not come about.
    pub(super) fn abandoned(&mut self) {
        self.under_way = false;
    }

    /// A mail to an organizer was accepted whose send began then.
    pub(super) fn mail_accepted(&mut self, began: Instant) {
        self.unproven = 0;
        if let Some((code, at)) = self.refusal.take_if(|(_, at)| *at <= began)
            && began.duration_since(at) <= TOGETHER
        {
            self.own_codes.insert(code);
        }
    }

    /// Whether this code concerned witnesses alone before.
    pub(super) fn is_own(&self, code: &str) -> bool {
        self.own_codes.contains(code)
    }

    /// Whether the last one was refused with this code.
    pub(super) fn is_refused_with(&self, code: &str) -> bool {
        self.refusal
            .as_ref()
            .is_some_and(|(refused, _)| refused == code)
    }

    /// Whether the last one was refused, with a code that never concerned witnesses alone.
    pub(super) fn was_refused_like_all(&self) -> bool {
        self.refusal
            .as_ref()
            .is_some_and(|(code, _)| !self.is_own(code))
    }

    /// Whether the last one proved nothing, for what the account said so long ago that it may say
    /// something else by now.
    pub(super) fn may_prove_more(&self, now: Instant) -> bool {
        self.proved_nothing_at
            .is_some_and(|at| now.saturating_duration_since(at) >= WORTH_ANOTHER_AFTER)
    }

    /// Whether one more message may be rejected on unproven word.
    pub(super) fn trust_unproven(&mut self, now: Instant) -> bool {
        self.unproven += 1;
        if self.unproven > UNPROVEN_LIMIT {
            self.mute = true;
            self.proved_nothing_at = Some(now);
        }
        self.unproven <= UNPROVEN_LIMIT
    }

    /// A held message was the probe in its place: it may have a word again.
    pub(super) fn try_again(&mut self) {
        self.wordless = 0;
    }
}
