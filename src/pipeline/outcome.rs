//! How a message ends, and what then happens to it at the queue.

use std::{fmt, time::Duration};

/// How a message ended: every received message has exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// The mail service accepted the mail.
    Sent,
    /// The ledger knows it as sent; nothing was sent.
    Duplicate,
    /// A control message of the topic, not an event.
    Ignored,
    /// No retry can help.
    Rejected,
    /// It could not be sent this time and comes back by itself.
    Deferred,
    /// It could not be sent, and this was its last receive: the queue dead-letters it.
    Exhausted,
    /// The daemon stopped before the send began. Another one may take the message, at once or as
    /// soon as no receive of this process can bring it.
    Released,
    /// The lease was lost before the send: the receiver that holds the message now deals with it.
    Lost,
    /// Its worker panicked or overran its bound.
    Panicked,
}

impl Outcome {
    /// All of them, in the order in which they are counted and shown.
    pub const ALL: [Self; 9] = [
        Self::Sent,
        Self::Duplicate,
        Self::Ignored,
        Self::Rejected,
        Self::Deferred,
        Self::Exhausted,
        Self::Released,
        Self::Lost,
        Self::Panicked,
    ];

    /// Its name in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Rejected => "rejected",
            Self::Deferred => "deferred",
            Self::Exhausted => "exhausted",
            Self::Released => "released",
            Self::Lost => "lost",
            Self::Panicked => "panicked",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is to be done with a message at the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// Delete it: its work is done.
    Delete,
    /// Make it visible again after this time, counted from now; zero is at once.
    Visible {
        /// Whole seconds, at most an hour.
        after: Duration,
    },
    /// Let its lease run out: nothing is asked of the queue.
    Leave,
}

/// What happened to a message, as its worker saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The mail service accepted the mail.
    Sent,
    /// An event of the mail service's shows that it accepted the mail, whatever its answer was.
    SentByEvent,
    /// The ledger that all share knows it as sent, after an attempt here that had no answer.
    SentByRecord,
    /// The ledger knew it as sent, or another copy was sent while this one waited.
    AlreadySent,
    /// It was a control message of the topic.
    ControlMessage,
    /// It cannot be mailed, now or later: malformed, incomplete, or refused by the mail service.
    Rejected,
    /// Its retry budget is spent, and its mail is known not to have gone.
    BudgetSpent,
    /// Attempts without an answer have reached their limit: it may have been mailed.
    UnknownAtLimit,
    /// The daemon stops, and no send of it was under way.
    Drained,
    /// The daemon stops while it is not known whose fault its refusal or its missing field is.
    DrainedUnjudged,
    /// The daemon stops, and its send has not been answered: it may have been mailed.
    DrainedInSend,
    /// Its lease was lost before its send began.
    LeaseLost,
    /// Its worker panicked or was aborted.
    Panicked {
        /// Whether the ledger knows it as sent nevertheless.
        sent: bool,
    },
}

impl Ending {
    /// The daemon stops while an event may still come for its send. Whose lease is lost is not ours to put
    /// off.
    pub fn unsettled(lease_is_lost: bool) -> Self {
        if lease_is_lost {
            Self::LeaseLost
        } else {
            Self::DrainedInSend
        }
    }
}

/// Decides what a message's ending means and what to do with it, given how often it was received
/// (this time included) and the queue's limit, where it has one.
///
/// A send that a stop cut short is not released: visible at once, it would be mailed a second
/// time within the second. Its lease runs out instead, which gives the first mail's traces time
/// to be seen. It counts as deferred, since it comes back by itself later, or as exhausted where
/// it cannot, since then a person has to find out whether it was mailed.
pub fn conclude(
    ending: Ending,
    receive_count: u32,
    max_receive_count: Option<u32>,
) -> (Outcome, Settlement) {
    let last = is_last_receive(receive_count, max_receive_count);
    let unsent = if last {
        Outcome::Exhausted
    } else {
        Outcome::Deferred
    };
    match ending {
        Ending::Sent | Ending::SentByEvent | Ending::SentByRecord => {
            (Outcome::Sent, Settlement::Delete)
        }
        Ending::AlreadySent => (Outcome::Duplicate, Settlement::Delete),
        Ending::ControlMessage => (Outcome::Ignored, Settlement::Delete),
        Ending::Rejected => (
            Outcome::Rejected,
            visible_unless(last, rejected_delay(receive_count)),
        ),
        Ending::BudgetSpent | Ending::UnknownAtLimit => {
            (unsent, visible_unless(last, deferred_delay(receive_count)))
        }
        Ending::Drained | Ending::DrainedUnjudged => (
            Outcome::Released,
            Settlement::Visible {
                after: Duration::ZERO,
            },
        ),
        Ending::DrainedInSend => (unsent, Settlement::Leave),
        Ending::LeaseLost => (Outcome::Lost, Settlement::Leave),
        Ending::Panicked { sent: true } => (Outcome::Panicked, Settlement::Delete),
        Ending::Panicked { sent: false } => (Outcome::Panicked, Settlement::Leave),
    }
}

/// Whether the queue dead-letters the message the next time that anybody asks for it. Without a
/// redrive policy there is no last receive.
pub fn is_last_receive(receive_count: u32, max_receive_count: Option<u32>) -> bool {
    max_receive_count.is_some_and(|max| receive_count >= max)
}

/// How much of its own time a message may spend on attempts: `max_elapsed`, or four times as much
/// on its last receive, after which nobody tries again.
pub fn retry_budget(
    max_elapsed: Duration,
    receive_count: u32,
    max_receive_count: Option<u32>,
) -> Duration {
    if is_last_receive(receive_count, max_receive_count) {
        max_elapsed.saturating_mul(4)
    } else {
        max_elapsed
    }
}

/// The messages of one run: how many came and how they ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    received: u64,
    ended: [u64; Outcome::ALL.len()],
}

impl Tally {
    /// Counts messages that were received.
    pub fn receive(&mut self, messages: u64) {
        self.received += messages;
    }

    /// Counts one message's outcome.
    pub fn end(&mut self, outcome: Outcome) {
        self.ended[outcome as usize] += 1;
    }

    /// How many were received.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// How many ended so.
    pub fn count(&self, outcome: Outcome) -> u64 {
        self.ended[outcome as usize]
    }

    /// What has been received by now and what became of it: `3 received, 2 sent, 1 duplicate`.
    pub fn so_far(&self) -> String {
        let ended = Outcome::ALL
            .into_iter()
            .filter(|outcome| self.count(*outcome) > 0);
        let ended = ended.map(|outcome| format!(", {} {outcome}", self.count(outcome)));
        format!("{} received{}", self.received, ended.collect::<String>())
    }

    /// Whether every received message has ended in one outcome.
    pub fn balanced(&self) -> bool {
        self.received == self.ended.iter().sum::<u64>()
    }
}

/// `received 3 = 2 sent + 1 duplicate`, with `≠` where the sums differ, or `received nothing`.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::default() {
            return f.write_str("received nothing");
        }
        let relation = if self.balanced() { '=' } else { '≠' };
        write!(f, "received {} {relation} ", self.received)?;
        let counted = Outcome::ALL
            .into_iter()
            .filter(|outcome| self.count(*outcome) > 0);
        let mut separator = "";
        for outcome in counted {
            write!(f, "{separator}{} {outcome}", self.count(outcome))?;
            separator = " + ";
        }
        if separator.is_empty() {
            f.write_str("0")?;
        }
        Ok(())
    }
}

/// At once on the last receive, since the queue's next step is to dead-letter it.
fn visible_unless(last: bool, after: Duration) -> Settlement {
    Settlement::Visible {
        after: if last { Duration::ZERO } else { after },
    }
}

/// `min(2^receives, 30)` s.
fn rejected_delay(receive_count: u32) -> Duration {
    let seconds = 2_u64.saturating_pow(receive_count.max(1));
    Duration::from_secs(seconds.min(30))
}

/// 1 min × 4^(receives − 1), at most 1 h.
fn deferred_delay(receive_count: u32) -> Duration {
    let minutes = 4_u64.saturating_pow(receive_count.saturating_sub(1));
    Duration::from_mins(minutes.min(60))
}

#[cfg(test)]
mod tests;
