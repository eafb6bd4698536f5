//! What the pipeline needs of the outside world, in our own types: a [`Queue`] to receive from, a
//! [`TemplateSource`], a [`Mailer`] and the [`Account`] behind it.
//!
//! `aws/` implements these over the AWS SDK; tests implement them as they need. No method retries:
//! each says what happened to its one call, and the caller decides what follows.

pub mod dead_letters;
pub mod events;
pub mod inspect;
pub mod obstacle;
mod remedies;
pub mod table;
mod template;

use std::{
    collections::BTreeMap,
    error::Error as StdError,
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use thiserror::Error;

pub use self::remedies::Remedy;
pub use self::template::{
    BucketFailureKind, TemplateFailure, TemplateFailureKind, TemplateFile, TemplateSource,
    TemplateVersion,
};
use self::{events::Feedback, obstacle::Obstacle, table::LedgerTable};
use crate::notification::{Mail, MailKey, masked_text};

/// The most messages of one receive and the most entries of one batch call.
pub const BATCH_MAX: usize = 10;

/// The whole outside world: what the pipeline needs, built in one place and handed on as it is.
#[derive(Clone)]
pub struct World {
    /// Where messages come from.
    pub queue: Arc<dyn Queue>,
    /// What sends the mails.
    pub mailer: Arc<dyn Mailer>,
    /// The mail service's account.
    pub account: Arc<dyn Account>,
    /// Where the template is kept.
    pub templates: Arc<dyn TemplateSource>,
    /// Where all tasks remember what was sent, where that is configured.
    pub table: Option<Arc<dyn LedgerTable>>,
    /// Where the mail service's events arrive, where that is configured.
    pub feedback: Option<Feedback>,
}

/// The queue's name, which its URL ends with.
pub fn queue_name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}

/// Whether two URLs or ARNs name one queue of the region: account and name are the same.
pub fn is_same_queue(one: &str, other: &str) -> bool {
    let separators = ['/', ':'];
    let ends = |text: &str| {
        let mut parts = text.trim_end_matches('/').rsplit(separators);
        Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
    };
    ends(one).is_some() && ends(one) == ends(other)
}

/// What proves to the queue that a message is ours: valid for one receive of one message.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ReceiptHandle(pub String);

impl ReceiptHandle {
    /// A handle that no queue ever gave: settling it proves the right to settle and touches no
    /// message.
    pub fn made_up() -> Self {
        Self("organizer-notifier-proves-its-rights".to_owned())
    }
}

impl fmt::Debug for ReceiptHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReceiptHandle(…)")
    }
}

/// One delivery of one message.
#[derive(Clone)]
pub struct ReceivedMessage {
    /// The queue's own id of the message, the same on each delivery.
    pub id: String,
    /// The handle of this delivery.
    pub receipt: ReceiptHandle,
    /// What the publisher wrote, not yet looked at.
    pub body: String,
    /// How often the message was received, this time included; at least 1.
    pub receive_count: u32,
    /// When the message entered its first queue, where the queue says so.
    pub sent_at: Option<SystemTime>,
    /// Carriers of a trace context, by name: `AWSTraceHeader`, `traceparent`, `tracestate`.
    pub trace_carriers: BTreeMap<String, String>,
}

impl fmt::Debug for ReceivedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedMessage")
            .field("id", &self.id)
            .field("receive_count", &self.receive_count)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The queue's redrive policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redrive {
    /// After this many receives the next one moves the message to the dead-letter queue.
    pub max_receive_count: u32,
    /// The dead-letter queue's ARN.
    pub dead_letter_queue: String,
}

/// What the queue says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueFacts {
    /// Where rejected messages go; without it they come back until their retention ends.
    pub redrive: Option<Redrive>,
    /// How long the queue keeps a message, counted from when it was sent.
    pub retention: Duration,
    /// The visibility timeout that the queue gives where a receive asks for none.
    pub default_visibility: Duration,
}

/// One receive request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveRequest {
    /// The most messages wanted: 1 to [`BATCH_MAX`].
    pub max_messages: usize,
    /// How long the queue may wait for a first message: whole seconds, at most 20.
    pub wait: Duration,
    /// The visibility timeout asked for: whole seconds, at most 12 h.
    pub visibility: Duration,
}

/// The queue that messages come from.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Reads the queue's attributes.
    async fn describe(&self) -> Result<QueueFacts, QueueFailure>;

    /// Proves the right to receive, and receives nothing.
    async fn may_receive(&self) -> Result<(), QueueFailure>;

    /// Receives up to `max_messages`. An empty answer is `Ok` with no message. The messages are
    /// invisible to others for `visibility`, counted by the queue from some moment before this
    /// returns; keeping or renewing that is the caller's.
    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<ReceivedMessage>, QueueFailure>;

    /// Deletes up to [`BATCH_MAX`] messages. The answers stand in the order of the handles. `Err` means that
    /// the whole call failed and says nothing of any entry. Empty input is a no-op.
    async fn delete(
        &self,
        receipts: &[ReceiptHandle],
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure>;

    /// Makes up to [`BATCH_MAX`] messages invisible for the given times from now (whole seconds; zero makes
    /// one visible at once). Answers as [`Queue::delete`] does.
    async fn change_visibility(
        &self,
        changes: &[(ReceiptHandle, Duration)],
    ) -> Result<Vec<Result<(), EntryFailure>>, QueueFailure>;
}

/// Whom a mail is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MailPurpose {
    /// An organizer.
    Organizer,
    /// The mail service's simulator: a witness.
    Witness,
    /// The mail service's simulator: a person wants to see that its events arrive.
    Check,
}

/// What the mail service repeats in its events about a mail, so that they can be matched. The name of
/// the queue that the mailer works for comes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tags<'a> {
    /// Which mail it is.
    pub key: &'a MailKey,
    /// Whom it is for.
    pub purpose: MailPurpose,
    /// The span of the send as W3C writes it, where there is one.
    pub traceparent: Option<&'a str>,
}

impl<'a> Tags<'a> {
    /// The tags of an organizer's mail.
    pub const fn of(key: &'a MailKey) -> Self {
        Self {
            key,
            purpose: MailPurpose::Organizer,
            traceparent: None,
        }
    }
}

/// What sends the mail.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends one mail in one attempt. `Ok` holds the mail service's id of the accepted mail. The mail is
    /// passed by value, so that it can be freed once the request is made of it.
    async fn send(&self, mail: Box<Mail>, tags: Tags<'_>) -> Result<String, SendFailure>;
}

/// How fast mails may go out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum SendRate {
    /// As fast as the mail service allows the account.
    #[default]
    Account,
    /// At most this many recipients per second; more than zero.
    PerSecond(f64),
    /// As fast as mails come, until the service throttles.
    Unlimited,
}

/// How far the mail service trusts the account. Only these states tell what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnforcementStatus {
    /// Nothing is wrong, or nothing that we know.
    Healthy,
    /// Under review: without improvement the service pauses its sending.
    Probation,
    /// Its sending is shut down.
    Shutdown,
}

/// What the mail service says of our account.
#[derive(Clone, Debug, PartialEq)]
pub struct AccountFacts {
    /// Recipients per second.
    pub max_send_rate: f64,
    /// Recipients in 24 hours; `None` is unlimited.
    pub max_24_hour_send: Option<f64>,
    /// Recipients in the last 24 hours.
    pub sent_last_24_hours: f64,
    /// Whether sending is enabled at all.
    pub sending_enabled: bool,
    /// How far the mail service trusts the account.
    pub enforcement_status: EnforcementStatus,
    /// Whether the account has left the sandbox.
    pub production_access: bool,
}

impl AccountFacts {
    /// Whether the quota of 24 hours leaves room for a mail.
    pub fn is_within_quota(&self) -> bool {
        self.max_24_hour_send
            .is_none_or(|most| self.sent_last_24_hours < most)
    }
}

/// The mail service's account.
#[async_trait]
pub trait Account: Send + Sync {
    /// Reads the account's quotas and state.
    async fn facts(&self) -> Result<AccountFacts, AccountFailure>;
}

/// What is known of a call that failed, for people and for telemetry. `Display` shows addresses
/// masked: refusals quote senders, recipients and the names of sessions. An obstacle stands before what
/// was said.
#[derive(Debug, Error)]
pub struct CallError {
    /// The service's name of the operation, such as `SendEmail`.
    pub operation: &'static str,
    /// The service's error code, or `timeout`, `connection`, `request`, `response` where no
    /// service answered; from a bounded set, so fit for `error.type`.
    pub code: String,
    /// What the service said. It may quote an address: mask it before it is logged.
    pub message: String,
    /// The id to give to AWS support, where there was an answer.
    pub request_id: Option<String>,
    /// What kept it from being looked at, where it is that.
    pub obstacle: Option<Obstacle>,
    /// The error behind it.
    #[source]
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.obstacle {
            Some(obstacle) => write!(f, "{} ({})", obstacle.describe(), self.said()),
            None => f.write_str(&self.said()),
        }
    }
}

impl CallError {
    /// Operation, code and text, with masked addresses.
    pub fn said(&self) -> String {
        let (operation, code) = (self.operation, &self.code);
        let text = masked_text(&self.message);
        if operation == code {
            format!("{code}: {text}")
        } else {
            format!("{operation}: {code}: {text}")
        }
    }

    /// A call that failed on our side of the wire, in the words of the error behind it.
    pub fn local(
        operation: &'static str,
        code: &str,
        source: impl StdError + Send + Sync + 'static,
    ) -> Self {
        Self {
            operation,
            code: code.to_owned(),
            message: source.to_string(),
            request_id: None,
            obstacle: None,
            source: Some(Box::new(source)),
        }
    }
}

/// A call that failed, with what that means for whoever made it.
#[derive(Debug, Error)]
#[error("{error}")]
pub struct Failure<K> {
    /// What it means.
    pub kind: K,
    /// What was said; boxed, since errors are rare and results are moved a lot.
    #[source]
    pub error: Box<CallError>,
}

impl<K> Failure<K> {
    /// A failure of this kind.
    pub fn new(kind: K, error: CallError) -> Self {
        let error = Box::new(error);
        Self { kind, error }
    }
}

/// How a call on the queue failed as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueFailureKind {
    /// Asked too often, or too much is in flight.
    Throttled,
    /// No answer, a server's error, or one that we do not know: it may pass.
    Transient,
    /// There is no such queue.
    NotFound,
    /// We may not, or our credentials are not accepted.
    AccessDenied,
    /// The queue's encryption key cannot be used.
    Encryption,
}

/// A call on the queue that failed as a whole.
pub type QueueFailure = Failure<QueueFailureKind>;

impl QueueFailure {
    /// Whether waiting does not help: somebody has to change the queue or our rights.
    pub fn is_definite(&self) -> bool {
        match self.kind {
            QueueFailureKind::NotFound
            | QueueFailureKind::AccessDenied
            | QueueFailureKind::Encryption => true,
            QueueFailureKind::Throttled | QueueFailureKind::Transient => false,
        }
    }
}

/// How one entry of a batch failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryFailureKind {
    /// The receipt handle no longer holds the message.
    LeaseLost,
    /// It may succeed when tried again.
    Transient,
    /// The queue refuses what we asked for: a fault of ours.
    Refused,
}

/// One entry of a batch that failed while the call succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{code}: {message}")]
pub struct EntryFailure {
    /// What it means.
    pub kind: EntryFailureKind,
    /// The queue's error code.
    pub code: String,
    /// What the queue said.
    pub message: String,
}

/// Why no mail can be sent at the moment. Most causes concern every message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccountCause {
    /// The account may not send any more.
    Suspended,
    /// Sending is paused for the account or the configuration set.
    Paused,
    /// The quota of 24 hours is used up.
    DailyQuota,
    /// The MAIL FROM domain is not verified.
    MailFromNotVerified,
    /// The sender's identity is not verified.
    SenderNotVerified,
    /// The configuration set does not exist.
    ConfigurationSetMissing,
    /// Our credentials are missing, expired or wrong.
    Credentials,
    /// Our role lacks the permission to send: to anybody, or only to this recipient.
    AccessDenied,
    /// The account is in SES's sandbox, where only verified addresses get mail.
    Sandbox,
}

/// How a send failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendFailureKind {
    /// Refused since we send faster than the account may. Not sent.
    Throttled,
    /// The service failed and said so, or was not reached. Not sent.
    Transient,
    /// The request was written and no answer came: sent or not, nobody knows.
    OutcomeUnknown,
    /// Refused, as every other mail of ours would be. Not sent.
    AccountWide(AccountCause),
    /// Refused with a code that does not say whose fault it is: this mail's alone, or every mail's of
    /// ours. Not sent.
    Refused,
    /// Refused since the recipient's address is not verified, as in SES's sandbox. Not sent.
    RecipientNotVerified,
}

impl SendFailureKind {
    /// Whether it passes by itself, and says nothing against the mail.
    pub fn is_temporary(self) -> bool {
        matches!(
            self,
            Self::Throttled | Self::Transient | Self::OutcomeUnknown
        )
    }
}

/// A send that failed.
pub type SendFailure = Failure<SendFailureKind>;

/// How reading the account failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountFailureKind {
    /// We may not, or our credentials are not accepted.
    AccessDenied,
    /// Anything else: it may pass.
    Transient,
}

/// A reading of the account that failed.
pub type AccountFailure = Failure<AccountFailureKind>;
