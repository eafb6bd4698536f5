//! What was sent, so that nothing is sent twice.
//!
//! The queue delivers at least once, a delete can fail after the mail has gone, and the mail
//! service has no idempotency token. The ledger narrows that gap: it remembers the keys of what was
//! sent, and lets one copy of a message at a time be sent.

mod memory;

use std::fmt;

use async_trait::async_trait;

pub use self::memory::{CAPACITY, MemoryLedger};

/// Remembers what was sent. A key names a notification: the topic's message id, or the queue's
/// where the delivery is raw.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Claims the key. While another copy is being sent, this waits for the outcome of that one. If
    /// it was sent, the claim is [`Claim::AlreadySent`]; if not, the copies take their turns in the
    /// order in which they came. Dropping the future gives up the place in that order.
    async fn begin(&self, key: &str) -> Claim;

    /// Whether the key is known as sent, for a message whose worker can no longer say so.
    async fn is_sent(&self, key: &str) -> bool;

    /// How many sent messages are remembered, as far as is known without asking anybody.
    fn len(&self) -> usize;

    /// Whether none is.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many messages were known as sent when they were claimed.
    fn hits(&self) -> u64;
}

/// The answer to a message that wants to be sent.
pub enum Claim {
    /// It was sent: send nothing.
    AlreadySent,
    /// It is yours to send, until the guard is dropped.
    Yours(Box<dyn SendGuard>),
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadySent => f.write_str("AlreadySent"),
            Self::Yours(_) => f.write_str("Yours"),
        }
    }
}

/// The right to send one message, held by one worker at a time. Dropping it says that the message
/// was not sent, whatever the reason, a panic too.
#[async_trait]
pub trait SendGuard: Send {
    /// Records that the message was sent.
    async fn sent(self: Box<Self>);
}

#[cfg(test)]
mod tests;
