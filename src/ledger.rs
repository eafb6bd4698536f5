//! What was sent, so that nothing is sent twice.
//!
//! The queue delivers at least once, a delete can fail after the mail has gone, and the mail
//! service has no idempotency token. The ledger narrows that gap: it remembers the keys of what was
//! sent, and lets one copy of a message at a time be sent.

mod memory;
mod shared;

use std::time::Duration;

use async_trait::async_trait;

use crate::ports::CallError;

pub use self::{
    memory::{CAPACITY, MemoryLedger},
    shared::{Parts, SharedLedger, table_key},
};

/// What a ledger makes of an event of the mail service's that says of a mail that it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The mail went out twice: another id of it is known from before. It is true once for each id.
    pub sent_twice: bool,
    /// Who knows now that it was sent.
    pub known: KnownTo,
}

/// Who knows that a mail was sent, of those who may receive its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownTo {
    /// All of them, as far as this ledger reaches.
    All,
    /// This process, which still holds a copy of its message.
    Holder,
    /// This process, since the table that all share cannot be written to.
    ThisTask,
}

/// How many messages were known as sent when they were about to be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// To this process.
    pub memory: u64,
    /// To the table that all share.
    pub table: u64,
}

/// What became of a claim on a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The mail is ours to send.
    Ours,
    /// It was sent, under this id of the mail service's where that is known.
    Sent {
        /// The mail service's id of the mail.
        email_id: Option<String>,
    },
    /// Another receipt of the message is about to send it, or may have sent it.
    Elsewhere,
}

/// Remembers what was sent, by the keys of the mails.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Begins with the key: it is this copy's until the guard is dropped. While another copy here is
    /// being sent, this waits for the outcome of that one. If it was sent, there is no guard, and
    /// nothing is to be sent; if not, the copies take their turns in the order in which they came.
    /// Dropping the future gives up the place in that order.
    async fn begin(&self, key: &str) -> Option<Box<dyn SendGuard>>;

    /// Takes in that an event of the mail service's names the mail with this key: it was sent, under
    /// this id of the mail service's. Whoever waits for that learns it; a send under way goes on.
    async fn hear(&self, key: &str, email_id: &str) -> Heard;

    /// The same of a mail of another queue's, whose events arrive where ours do. `None` where there is
    /// nobody to tell.
    async fn hear_sibling(&self, queue: &str, key: &str, email_id: &str) -> Option<Heard>;

    /// How long a claim may take, for which a lease must last beside the send.
    fn claim_takes(&self) -> Duration;

    /// Whether the key is known as sent, for a message whose worker can no longer say so.
    async fn is_sent(&self, key: &str) -> bool;

    /// How many sent messages are remembered, as far as is known without asking anybody.
    fn size(&self) -> usize;

    /// How many messages were known as sent.
    fn hits(&self) -> Hits;

    /// For how long mails have gone without the table that all tasks share, where there is one and it
    /// cannot be used.
    fn without_table(&self) -> Option<Duration>;
}

/// Who is told that one attempt to claim has failed, and the next follows.
pub type ClaimFailed<'a> = &'a (dyn Fn(&CallError) + Send + Sync);

/// The right to send one message, held by one worker at a time. Dropping it says that the message
/// was not sent, whatever the reason, a panic too; but where a send has begun and nobody has said that
/// it failed, the mail may have gone, and others wait for it as long as a claim lasts.
#[async_trait]
pub trait SendGuard: Send + Sync {
    /// Claims the mail before all who may receive its message: right before each send, when everything
    /// else lets it go. Waits while it cannot be known whose it is, and tells `failed` why each time.
    async fn claim(&self, failed: ClaimFailed<'_>) -> Claimed;

    /// A claim that is waited for has no more time: from now on mails go on what is known here, unless they
    /// are to wait for the others' word as long as it takes.
    fn hurry_claim(&self);

    /// Waits after [`Claimed::Elsewhere`] until it is worth claiming again.
    async fn wait_for_other(&self);

    /// A send is about to begin. False if the claim does not outlast it, or an event has told that the mail
    /// was sent: then it must be claimed again.
    fn begin_send(&self) -> bool;

    /// The send that began was refused or did not reach the mail service.
    fn not_sent(&self);

    /// Records that the message was sent, under this id of the mail service's.
    async fn sent(&self, email_id: &str);

    /// Waits until all who may receive the message can know that it was sent.
    async fn recorded(&self);

    /// The mail service's id of the mail, once an event has told that it was sent.
    fn heard(&self) -> Option<String>;

    /// The same, and asks once what others have recorded, where they may know more.
    async fn look(&self) -> Option<String>;

    /// Waits for such an event.
    async fn hear(&self) -> String;
}

#[cfg(test)]
mod tests;
