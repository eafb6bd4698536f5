//! What `check` asks of the outside world beyond what the daemon needs for its work.

use std::time::SystemTime;

use async_trait::async_trait;

use super::{CallError, QueueFacts};

/// The kind of refusal, as far as the operator's remedy depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// There are no credentials, or they are not accepted.
    Credentials,
    /// The role lacks the right to make the call.
    Denied,
    /// What was asked about does not exist.
    NotFound,
    /// An encryption key cannot be used.
    Encryption,
    /// No answer came.
    Unreachable,
    /// Anything else.
    Other,
}

/// How a queue encrypts its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// It does not.
    Off,
    /// With a key of the queue service itself.
    Managed,
    /// With this key of KMS: an id, an alias or an ARN.
    Key(String),
}

/// A queue in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueDetails {
    /// What the daemon knows of it, too.
    pub facts: QueueFacts,
    /// How it encrypts.
    pub encryption: Encryption,
    /// About how many messages can be received.
    pub waiting: u64,
    /// About how many have been received and not settled.
    pub in_flight: u64,
}

/// Reads what the daemon does not read, and proves rights. Changes nothing.
#[async_trait]
pub trait Inspect: Send + Sync {
    /// Whether there are credentials, and when they expire, if they do. Only a call can show
    /// whether AWS accepts them.
    async fn credentials(&self) -> Result<Option<SystemTime>, Box<CallError>>;

    /// Reads a queue's attributes.
    async fn queue(&self, url: &str) -> Result<QueueDetails, Box<CallError>>;

    /// Proves the right to receive by a request that the queue has to refuse for another reason.
    async fn may_receive(&self, url: &str) -> Result<(), Box<CallError>>;

    /// Whether mail may be sent from an address or a domain; `None` where the mail service does
    /// not know it.
    async fn identity(&self, name: &str) -> Result<Option<bool>, Box<CallError>>;

    /// Whether a configuration set sends; `None` if none has that name.
    async fn configuration_set(&self, name: &str) -> Result<Option<bool>, Box<CallError>>;

    /// When a commit was made.
    async fn commit_time(
        &self,
        repository: &str,
        commit_id: &str,
    ) -> Result<Option<SystemTime>, Box<CallError>>;
}
