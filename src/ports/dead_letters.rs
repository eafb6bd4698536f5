//! What `triage` does with a dead-letter queue beyond what the daemon does with its own queue: it
//! receives messages whole, and sends them to the queue that they came from. The daemon sends to no
//! queue, so these are no part of its world.

use async_trait::async_trait;

use super::{EntryFailure, Failure, QueueFailure, ReceiveRequest, ReceivedMessage};

/// What the publisher's attribute of a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// A text, or a number as it was written.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// An attribute that the publisher gave a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// `String`, `Number` or `Binary`, with the publisher's own suffix.
    pub data_type: String,
    /// Its value.
    pub value: AttributeValue,
}

/// One delivery of one message of a dead-letter queue, with all that the publisher gave it.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// What the daemon would see of it.
    pub message: ReceivedMessage,
    /// All of the publisher's attributes.
    pub attributes: Vec<Attribute>,
    /// The ARN of the queue that it was dead-lettered from, where the queue says so.
    pub came_from: Option<String>,
}

/// The queue that dead letters are received from.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Receives as [`Queue::receive`](super::Queue::receive) does, each message whole.
    async fn receive_whole(&self, request: ReceiveRequest)
    -> Result<Vec<DeadLetter>, QueueFailure>;
}

/// What became of one message that was sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resent {
    /// The queue has taken it.
    Yes,
    /// The queue has not taken it, for this reason.
    No(EntryFailure),
    /// The queue failed over it, for this reason, and may have taken it.
    Maybe(EntryFailure),
    /// The answer says nothing of it.
    Unknown,
}

/// How sending messages again failed as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResendFailureKind {
    /// Asked too often. None was taken.
    Throttled,
    /// Refused, or the queue was not reached. None was taken.
    NotSent,
    /// No answer, or one that does not say: the queue may have taken them, or some.
    Unknown,
}

/// A call that was to send messages again and failed.
pub type ResendFailure = Failure<ResendFailureKind>;

/// The queue that dead letters are sent to.
#[async_trait]
pub trait Resend: Send + Sync {
    /// Sends the bodies, the publisher's attributes and the trace header of up to
    /// [`BATCH_MAX`](super::BATCH_MAX) messages in one attempt. They become new messages, with new ids.
    /// The answers stand in the order of the letters.
    async fn resend(&self, letters: &[&DeadLetter]) -> Result<Vec<Resent>, ResendFailure>;
}
