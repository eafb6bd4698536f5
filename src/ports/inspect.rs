//! What `check` asks of the outside world beyond what the daemon needs for its work.

use std::time::SystemTime;

use async_trait::async_trait;

use super::{CallError, QueueFacts, QueueFailure, events::Fate, obstacle::Obstacle};

/// The kind of refusal, as far as the operator's remedy depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// There are no credentials, or they are not accepted, for this reason.
    Credentials(Obstacle),
    /// The role lacks the right to make the call.
    Denied,
    /// What was asked about does not exist.
    NotFound,
    /// An encryption key cannot be used.
    Encryption,
    /// No answer came, and what stands in the way, where that is known.
    Unreachable(Option<Obstacle>),
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
    /// Who else may do what with it, as JSON, where it has a policy.
    pub policy: Option<String>,
    /// About how many messages can be received.
    pub waiting: u64,
    /// About how many have been received and not settled.
    pub in_flight: u64,
}

/// How far a DNS record that the mail service asks for has been found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It is there.
    Found,
    /// It is looked for.
    Pending,
    /// It is not there, or was and is gone.
    Missing,
    /// Nobody has asked for it.
    Unasked,
}

/// How an identity's mails are signed (DKIM).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Whether signing is switched on.
    pub is_on: bool,
    /// Whether the records with its key are found.
    pub records: Proof,
    /// Whether its key has fewer than 2048 bits.
    pub is_weak: bool,
}

/// What the mail service knows of an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityDetails {
    /// Whether mail may be sent from it.
    pub verified: bool,
    /// The configuration set of mails that name none.
    pub configuration_set: Option<String>,
    /// How its mails are signed.
    pub signature: Signature,
    /// The domain of its MAIL FROM, where it has one of its own, and whether its records are found.
    pub mail_from: Option<(String, Proof)>,
    /// Whether bounces and complaints are mailed to the sender.
    pub forwards_feedback: bool,
}

/// Where the events of a configuration set's mails go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventDestination {
    /// Its name.
    pub name: String,
    /// Whether it is on.
    pub enabled: bool,
    /// The events that it publishes.
    pub fates: Vec<Fate>,
    /// Where they go.
    pub target: EventTarget,
}

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventTarget {
    /// To this topic, by its ARN.
    Topic(String),
    /// To this event bus, by its ARN.
    Bus(String),
    /// To a service that no queue can be subscribed to.
    Other,
}

/// Why the mail service does not deliver to an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    /// Whether a recipient has complained; else a mail has bounced.
    pub complained: bool,
    /// When that was, where the service says so.
    pub since: Option<SystemTime>,
}

/// Reads what the daemon does not read, and proves rights. Changes nothing.
#[async_trait]
pub trait Inspect: Send + Sync {
    /// Whether there are credentials, and when they expire, if they do. Only a call can show
    /// whether AWS accepts them.
    async fn credentials(&self) -> Result<Option<SystemTime>, Box<CallError>>;

    /// Reads a queue's attributes.
    async fn queue(&self, url: &str) -> Result<QueueDetails, QueueFailure>;

    /// What the mail service knows of an address or a domain; `None` where it does not know it.
    async fn identity(&self, name: &str) -> Result<Option<IdentityDetails>, Box<CallError>>;

    /// Whether a configuration set sends; `None` if none has that name.
    async fn configuration_set(&self, name: &str) -> Result<Option<bool>, Box<CallError>>;

    /// Where the events of a configuration set's mails go.
    async fn event_destinations(&self, set: &str) -> Result<Vec<EventDestination>, Box<CallError>>;

    /// Whether the mail service does not deliver to an address.
    async fn suppression(&self, address: &str) -> Result<Option<Suppression>, Box<CallError>>;

    /// When a commit was made.
    async fn commit_time(
        &self,
        repository: &str,
        commit_id: &str,
    ) -> Result<Option<SystemTime>, Box<CallError>>;
}
