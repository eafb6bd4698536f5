//! Messages that were refused, while it is not known whose fault that is.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tokio::time::{Duration, Instant};

use super::{DISTINCT_FAILURES_LIMIT, Said};
use crate::{pipeline::breaker::MailCause, ports::AccountCause};

/// So many messages in a row that are refused with a code that was refuted open the breaker, where no
/// witness may tell. Where a quarter of all messages is bad, three in a row come once in 64.
const REFUTED_LIMIT: usize = 10;

/// A suspect tries again no sooner than this after its refusal, and a witness is sent where no other
/// mail was accepted by then.
pub(super) const WITNESS_AFTER: Duration = Duration::from_secs(1);
/// Two refusals of a message and an acceptance between them say something together where they lie
/// within this time. In more of it the service may have changed its mind twice.
pub(super) const TOGETHER: Duration = Duration::from_secs(10);
/// At a low rate, where mails take longer than that, this many mails lie together.
const MAILS_TOGETHER: u32 = 6;
/// So many suspects try again at once. Of those that may, the ones refused last go first, so that
/// their two refusals lie together also where the rate is low.
const RETRIALS_MAX: usize = 4;
/// Without a verdict a suspect tries again this often.
const RETRY_EVERY: Duration = Duration::from_secs(30);
/// A code that turned out to concern one message is known as such for this long.
const REFUTED_FOR: Duration = Duration::from_hours(1);

/// What shows that the service takes mails of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Evidence {
    /// A witness was accepted, of an account of which it is not known that the simulator's word holds
    /// for it.
    UnprovenWitness,
    /// A witness was accepted.
    Witness,
    /// A mail to an organizer was accepted.
    Mail,
}

/// A refusal, and what it would mean if every mail were refused so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) cause: MailCause,
    pub(super) said: Said,
}

/// The suspects, by their keys, and what is known of their refusals.
#[derive(Debug, Default)]
pub(super) struct Suspects {
    by_key: HashMap<String, Suspect>,
    /// The distinct messages that were refused alike since a mail was last accepted, by code.
    alike: BTreeMap<String, Alike>,
    /// Codes that were refused to one message while another was accepted, and until when that counts.
    refuted: HashMap<String, Instant>,
    /// How long one mail takes at the rate in force.
    pub(super) pace: Duration,
}

#[derive(Debug)]
struct Suspect {
    code: String,
    refused_at: Instant,
    first_refused_at: Instant,
    /// What was accepted that began after the refusal.
    acceptance: Option<Evidence>,
    trying: bool,
    hurried: bool,
}

#[derive(Debug)]
struct Alike {
    keys: BTreeSet<String>,
    refusal: Refusal,
}

impl Alike {
    fn is_sandbox(&self) -> bool {
        self.refusal.cause == MailCause::Account(AccountCause::Sandbox)
    }
}

impl Suspects {
    /// Whether the suspect with this key may try again now, beside those that wait with it; or when
    /// it may. Where there is no verdict it does so now and then, for `suspect_hold_max` at most.
    pub(super) fn may_try<'a>(
        &self,
        key: &str,
        waiting: impl Iterator<Item = &'a String>,
        suspect_hold_max: Option<Duration>,
        now: Instant,
    ) -> Result<(), Option<Instant>> {
        let Some(suspect) = self.by_key.get(key) else {
            return Ok(());
        };
        let due = match (suspect.acceptance, suspect_hold_max) {
            (Some(_), _) => suspect.refused_at + WITNESS_AFTER,
            (None, Some(limit)) => {
                (suspect.refused_at + RETRY_EVERY).min(suspect.first_refused_at + limit)
            }
            (None, None) => return Err(None),
        };
        if now < due {
            return Err(Some(due));
        }
        let trying = self.by_key.values().filter(|other| other.trying).count();
        let ready = |other: &&Suspect| {
            other.acceptance.is_some() && other.refused_at + WITNESS_AFTER <= now
        };
        let before = waiting
            .filter_map(|key| self.by_key.get(key))
            .filter(ready)
            .filter(|other| other.refused_at > suspect.refused_at)
            .count();
        if trying + before < RETRIALS_MAX {
            Ok(())
        } else {
            Err(None)
        }
    }

    /// The message with this key is being sent: what was accepted since its refusal, if anything.
    pub(super) fn begin_try(&mut self, key: &str) -> Option<Evidence> {
        let suspect = self.by_key.get_mut(key)?;
        suspect.trying = true;
        suspect.acceptance
    }

    /// Its send has ended without a refusal, or did not come about.
    pub(super) fn end_try(&mut self, key: &str) {
        if let Some(suspect) = self.by_key.get_mut(key) {
            suspect.trying = false;
        }
    }

    /// Whether a second refusal, of a send that began then, says something together with the first: the
    /// two lie within some seconds. Where sends or the rate are slow they may lie further apart, and
    /// after `limit` in any case.
    pub(super) fn lie_together(
        &self,
        key: &str,
        began: Instant,
        limit: Duration,
        now: Instant,
    ) -> bool {
        let answer = now.saturating_duration_since(began);
        let together = TOGETHER.max(self.pace * MAILS_TOGETHER) + 2 * answer;
        self.by_key.get(key).is_some_and(|suspect| {
            let apart = began.saturating_duration_since(suspect.refused_at);
            apart >= WITNESS_AFTER && apart <= together
        }) || self.have_lasted(key, limit, now)
    }

    /// Whether this suspect has been one for as long as `limit`.
    pub(super) fn have_lasted(&self, key: &str, limit: Duration, now: Instant) -> bool {
        let suspect = self.by_key.get(key);
        suspect
            .is_some_and(|suspect| now.saturating_duration_since(suspect.first_refused_at) >= limit)
    }

    /// The message with this key is at fault itself; `refuted` is the code that this refutes.
    pub(super) fn at_fault(&mut self, key: &str, refuted: Option<&str>, now: Instant) {
        if let Some(code) = refuted {
            self.refuted.insert(code.to_owned(), now + REFUTED_FOR);
        }
        self.forget(key);
    }

    /// Takes in a refusal that does not show whose fault it is. It counts among those refused alike
    /// unless it is a try that an acceptance has allowed: else all suspects that are held would count
    /// again after each acceptance.
    pub(super) fn refused(&mut self, key: &str, refusal: Refusal, counts: bool, now: Instant) {
        let code = refusal.said.code.clone();
        let suspect = self
            .by_key
            .entry(key.to_owned())
            .or_insert_with(|| Suspect {
                code: code.clone(),
                refused_at: now,
                first_refused_at: now,
                acceptance: None,
                trying: false,
                hurried: false,
            });
        suspect.code.clone_from(&code);
        suspect.refused_at = now;
        suspect.acceptance = None;
        suspect.trying = false;
        if !counts {
            return;
        }
        let alike = self.alike.entry(code).or_insert_with(|| Alike {
            keys: BTreeSet::new(),
            refusal: refusal.clone(),
        });
        alike.keys.insert(key.to_owned());
        alike.refusal = refusal;
    }

    /// What witnesses of unknown worth showed counts no longer.
    pub(super) fn distrust_unproven(&mut self) {
        for suspect in self.by_key.values_mut() {
            suspect.acceptance = suspect
                .acceptance
                .filter(|evidence| *evidence != Evidence::UnprovenWitness);
        }
    }

    /// Another version of the template is in force: what was accepted before says nothing of it.
    pub(super) fn begin_with_another_template(&mut self) {
        for suspect in self.by_key.values_mut() {
            suspect.acceptance = None;
        }
    }

    /// Takes in that a mail was accepted. `began`: when its send began.
    pub(super) fn accepted(&mut self, began: Instant, evidence: Evidence) {
        let unproven = evidence == Evidence::UnprovenWitness;
        self.alike.retain(|_, alike| unproven && alike.is_sandbox());
        for suspect in self.by_key.values_mut() {
            if suspect.refused_at <= began {
                suspect.acceptance = suspect.acceptance.max(Some(evidence));
            }
        }
    }

    /// What every mail seems to be refused with: as many distinct messages in a row were refused
    /// alike as open the breaker. Where a witness may still tell, only what it cannot tell counts so:
    /// recipients that are not verified, and names that were refuted before. Where none may, a code that
    /// was refuted takes more of them, but no more than `held_max` can be held.
    pub(super) fn refused_alike(
        &self,
        verdict: bool,
        held_max: usize,
        now: Instant,
    ) -> Option<Refusal> {
        let enough = |code: &str, alike: &Alike| {
            let named = alike.refusal.cause != MailCause::Refused;
            let refuted = self.is_refuted(code, now);
            let told = alike.is_sandbox() || (named && refuted);
            let limit = if refuted && !verdict {
                REFUTED_LIMIT.min(held_max).max(DISTINCT_FAILURES_LIMIT)
            } else {
                DISTINCT_FAILURES_LIMIT
            };
            alike.keys.len() >= limit && (!verdict || told)
        };
        let mut alike = self.alike.iter();
        let (_, alike) = alike.find(|(code, alike)| enough(code, alike))?;
        Some(alike.refusal.clone())
    }

    /// Whether a refusal with this code turned out, within the last hour, to concern one message.
    pub(super) fn is_refuted(&self, code: &str, now: Instant) -> bool {
        self.refuted.get(code).is_some_and(|until| now < *until)
    }

    /// Whether a suspect was refused with this code.
    pub(super) fn know(&self, code: &str) -> bool {
        self.by_key.values().any(|suspect| suspect.code == code)
    }

    /// When a witness is due, as far as the suspects say.
    pub(super) fn witness_due(&self) -> Option<Instant> {
        let wanting = self.by_key.values();
        let wanting = wanting.filter(|suspect| suspect.acceptance.is_none() && !suspect.trying);
        wanting
            .map(|suspect| {
                if suspect.hurried {
                    suspect.refused_at
                } else {
                    suspect.refused_at + WITNESS_AFTER
                }
            })
            .min()
    }

    /// This suspect cannot wait: a witness is due at once.
    pub(super) fn hurry(&mut self, key: &str) {
        if let Some(suspect) = self.by_key.get_mut(key) {
            suspect.hurried = true;
        }
    }

    pub(super) fn is_hurried(&self) -> bool {
        self.by_key.values().any(|suspect| suspect.hurried)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    pub(super) fn forget(&mut self, key: &str) {
        self.by_key.remove(key);
        for alike in self.alike.values_mut() {
            alike.keys.remove(key);
        }
    }

    /// The breaker has closed. The time before is nobody's.
    pub(super) fn begin_again(&mut self, now: Instant) {
        self.alike.clear();
        for suspect in self.by_key.values_mut() {
            suspect.first_refused_at = now;
        }
    }
}
