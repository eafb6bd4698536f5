//! Every name that telemetry uses, in one place. Those of OpenTelemetry's semantic conventions
//! (messaging, RPC, AWS; version 1.44) stand under their own names, ours under `notifier.`.

/// The instrumentation scope of our spans and metrics, and the name of the service where no
/// variable gives one.
pub const SCOPE: &str = "organizer-notifier";
/// The target of all spans. The log leaves it out, so that a span that nobody exports costs nothing.
pub const SPANS: &str = "organizer_notifier::spans";

/// Attributes of the semantic conventions.
pub mod attribute {
    /// `aws_sqs`.
    pub const MESSAGING_SYSTEM: &str = "messaging.system";
    /// `receive`, `process` or `settle`, which the spans are named after.
    pub const OPERATION_NAME: &str = "messaging.operation.name";
    /// `receive`, `process` or `settle`.
    pub const OPERATION_TYPE: &str = "messaging.operation.type";
    /// The queue's name.
    pub const DESTINATION: &str = "messaging.destination.name";
    /// The id that SQS gave the message.
    pub const MESSAGE_ID: &str = "messaging.message.id";
    /// How many messages one call is about.
    pub const BATCH_COUNT: &str = "messaging.batch.message_count";
    /// The queue's URL.
    pub const QUEUE_URL: &str = "aws.sqs.queue.url";
    /// The host of the queue's URL.
    pub const SERVER_ADDRESS: &str = "server.address";
    /// The port of the queue's URL, where it names one.
    pub const SERVER_PORT: &str = "server.port";
    /// What kind of failure it was; absent on success.
    pub const ERROR_TYPE: &str = "error.type";
    /// `aws-api`.
    pub const RPC_SYSTEM: &str = "rpc.system.name";
    /// Service and operation, such as `SESv2/SendEmail`; it tells settling calls apart.
    pub const RPC_METHOD: &str = "rpc.method";
    /// The id to give to AWS support.
    pub const AWS_REQUEST_ID: &str = "aws.request_id";
}

/// Attributes of ours.
pub mod ours {
    /// How a message ended.
    pub const OUTCOME: &str = "notifier.outcome";
    /// How often the message was received, this time included.
    pub const RECEIVE_COUNT: &str = "notifier.receive_count";
    /// The id of the SNS notification.
    pub const NOTIFICATION_ID: &str = "notifier.notification.id";
    /// Which attempt to send this is, from 1.
    pub const ATTEMPT: &str = "notifier.attempt";
    /// The id that SES gave the mail.
    pub const EMAIL_ID: &str = "notifier.email.id";
    /// How many recipients the mail has.
    pub const RECIPIENTS: &str = "notifier.email.recipients";
    /// The commit of the template's version.
    pub const TEMPLATE_COMMIT: &str = "notifier.template.commit_id";
    /// The content of the template's version.
    pub const TEMPLATE_BLOB: &str = "notifier.template.blob_id";
    /// What became of a mail, as the mail service says.
    pub const FATE: &str = "notifier.email.event";
    /// Of which type a bounce is.
    pub const BOUNCE_TYPE: &str = "notifier.bounce.type";
    /// What a message of the feedback queue holds that is no event of a mail of ours.
    pub const LETTER: &str = "notifier.letter";
    /// What settled a send without an answer.
    pub const SETTLED_BY: &str = "notifier.settled_by";
    /// Why feedback is deaf.
    pub const DEAFNESS: &str = "notifier.feedback.deafness";
    /// What knew a message as sent: `memory` or `table`.
    pub const KNOWN_BY: &str = "notifier.ledger.known_by";
    /// Which breaker: `sending` or `rendering`.
    pub const BREAKER: &str = "notifier.breaker";
    /// Why it is open.
    pub const BREAKER_CAUSE: &str = "notifier.breaker.cause";
}

/// Metrics of the semantic conventions.
pub mod metric {
    /// How long a receive or a settling call took, in seconds.
    pub const OPERATION_DURATION: &str = "messaging.client.operation.duration";
    /// How many messages were received.
    pub const CONSUMED: &str = "messaging.client.consumed.messages";
    /// How long a message was worked on, in seconds.
    pub const PROCESS_DURATION: &str = "messaging.process.duration";
    /// How many messages ended, by outcome.
    pub const OUTCOMES: &str = "notifier.outcomes";
    /// How many attempts to send were made, by error type.
    pub const EMAILS: &str = "notifier.emails";
    /// How many mails went to SES's simulator to find out whose fault a refusal is, by error type.
    pub const WITNESSES: &str = "notifier.witnesses";
    /// How old a message was when it was received, in seconds.
    pub const QUEUE_LAG: &str = "notifier.queue.lag";
    /// How often a message had been received.
    pub const RECEIVE_COUNTS: &str = "notifier.receive.count";
    /// How long the lease still lasted when a send began, in seconds.
    pub const LEASE_MARGIN: &str = "notifier.lease.margin";
    /// How many messages are held now.
    pub const HELD: &str = "notifier.messages.held";
    /// How many workers have not come to an outcome.
    pub const BUSY: &str = "notifier.workers.busy";
    /// 1 while a breaker is open, by cause; else 0.
    pub const BREAKER_OPEN: &str = "notifier.breaker.open";
    /// The send rate in force, in recipients per second.
    pub const SEND_RATE: &str = "notifier.send_rate";
    /// How long ago the template was last fetched well, in seconds.
    pub const TEMPLATE_AGE: &str = "notifier.template.age";
    /// How many fetches of the template have ended.
    pub const TEMPLATE_FETCHES: &str = "notifier.template.fetches";
    /// How many messages the ledger knew as sent, by what knew them.
    pub const LEDGER_HITS: &str = "notifier.ledger.hits";
    /// How long claims in the ledger's table took, in seconds.
    pub const CLAIM_DURATION: &str = "notifier.ledger.claim.duration";
    /// How many claims took the place of one that had ended.
    pub const TAKE_OVERS: &str = "notifier.ledger.take_overs";
    /// How many mails went without a claim, since the table could not be used.
    pub const WITHOUT_TABLE: &str = "notifier.ledger.without_table";
    /// How many messages the ledger remembers.
    pub const LEDGER_SIZE: &str = "notifier.ledger.entries";
    /// How many events of our mails were read, by what became of the mail.
    pub const DELIVERIES: &str = "notifier.deliveries";
    /// How long the mail service took from accepting to delivering a mail, in seconds.
    pub const DELIVERY_DURATION: &str = "notifier.delivery.duration";
    /// How old an event was when it was read, in seconds.
    pub const FEEDBACK_LAG: &str = "notifier.feedback.lag";
    /// How many messages of the feedback queue held no event of a mail of ours, by what they were.
    pub const OTHER_LETTERS: &str = "notifier.feedback.other";
    /// 1 while feedback is deaf, by why; else 0.
    pub const FEEDBACK_DEAF: &str = "notifier.feedback.deaf";
    /// How many sends without an answer were settled, by what.
    pub const UNKNOWN_SENDS: &str = "notifier.unknown_sends";
    /// How many receives brought nothing.
    pub const EMPTY_RECEIVES: &str = "notifier.receives.empty";
}
