//! What was sent, so that nothing is sent twice.
//!
//! The queue delivers at least once, a delete can fail after the mail has gone, and the mail
//! service has no idempotency token. The ledger narrows that gap: it remembers the keys of what was
//! sent, and lets one copy of a message at a time be sent.

mod memory;

use async_trait::async_trait;

pub use self::memory::{CAPACITY, MemoryLedger};

/// What a ledger makes of an event of the mail service's that says of a mail that it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The mail is known as sent, or is from now on.
    Sent,
    /// It was sent before under another id: the mail went out twice. Each id is told of once.
    SentTwice,
    /// The mail is known as sent from now on, but a copy of its message is still held, so that only this
    /// process knows.
    InProgress,
}

/// Remembers what was sent, by the keys of the mails.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Claims the key: it is ours to send until the guard is dropped. While another copy is being
    /// sent, this waits for the outcome of that one. If it was sent, there is no guard, and nothing is
    /// to be sent; if not, the copies take their turns in the order in which they came. Dropping the
    /// future gives up the place in that order.
    async fn begin(&self, key: &str) -> Option<Box<dyn SendGuard>>;

    /// Takes in that an event of the mail service's names the mail with this key: it was sent, under
    /// this id of the mail service's. Whoever waits for that learns it; a send under way goes on.
    async fn hear(&self, key: &str, email_id: &str) -> Heard;

    /// Whether the key is known as sent, for a message whose worker can no longer say so.
    async fn is_sent(&self, key: &str) -> bool;

    /// How many sent messages are remembered, as far as is known without asking anybody.
    fn size(&self) -> usize;

    /// How many messages were known as sent when they were claimed.
    fn hits(&self) -> u64;
}

/// The right to send one message, held by one worker at a time. Dropping it says that the message
/// was not sent, whatever the reason, a panic too.
#[async_trait]
pub trait SendGuard: Send + Sync {
    /// Records that the message was sent, under this id of the mail service's.
    async fn sent(&self, email_id: &str);

    /// The mail service's id of the mail, once an event has told that it was sent.
    fn heard(&self) -> Option<String>;

    /// Waits for such an event.
    async fn hear(&self) -> String;
}

#[cfg(test)]
mod tests;
