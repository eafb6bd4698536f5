//! The settings as the parts of the daemon take them.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use tracing::Level;

use crate::{
    notification::{Composer, JsonPointer, Placeholders, Sender, Subject},
    ports::SendRate,
    text::misspelt,
};

/// A configuration in which every value is in its range and no two contradict. It has no `Debug`,
/// since some values are addresses.
#[derive(Clone, PartialEq)]
pub struct Settings {
    /// `aws.region`; `None` leaves it to the SDK's own sources.
    pub region: Option<String>,
    /// Where the messages come from.
    pub queue: Queue,
    /// The most mails sent at once, 1 to 1000. A few more messages are held.
    pub concurrency: usize,
    /// Where the template comes from.
    pub template: TemplateSettings,
    /// What is read from a message.
    pub message: Message,
    /// `email.sender`: the mailbox that mails come from. Its bare address is what SES must have
    /// verified.
    pub sender: Sender,
    /// How the mail is sent.
    pub email: Email,
    /// The ledger that all tasks share.
    pub ledger: Ledger,
    /// Where the mail service's events arrive.
    pub feedback: Feedback,
    /// `retry.max_elapsed`: how long one message is retried, 1 second to 11 hours.
    pub max_elapsed: Duration,
    /// `shutdown.grace`: the whole time from the signal to the exit, 8 seconds to 2 minutes.
    pub grace: Duration,
    /// `health.listen`: where the health endpoints listen; `None` where they are off.
    pub health_listen: Option<SocketAddr>,
    /// What is logged, and how.
    pub log: Log,
}

impl Settings {
    /// What turns events into mails.
    pub fn composer(&self) -> Composer {
        Composer::new(
            self.sender.clone(),
            Subject::compile(&self.email.subject, &self.message.placeholders),
            &self.email.reply_to,
            self.message.recipient.clone(),
            &self.message.placeholders,
        )
    }

    /// What looks like a placeholder in the subject and is none, as a sentence; `None` where all is well.
    pub fn doubt_of_subject(&self) -> Option<String> {
        let misspelt = misspelt(&self.email.subject, &self.message.placeholders);
        let misspelt: Vec<_> = misspelt.iter().map(ToString::to_string).collect();
        (!misspelt.is_empty()).then(|| {
            format!(
                "email.subject (SUBJECT) names what is no known placeholder and is mailed as written: {}",
                misspelt.join(", ")
            )
        })
    }
}

/// `queue.*`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Queue {
    /// The URL of a standard queue.
    pub url: String,
    /// How long a receive waits for a message, 0 to 20 whole seconds.
    pub wait_time: Duration,
    /// The length of a lease, 5 seconds to 1 hour in whole seconds.
    pub visibility_timeout: Duration,
}

/// `template.*`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateSettings {
    /// A local file. Where it is given, the template comes from it and from no repository.
    pub file: Option<PathBuf>,
    /// Where it is kept, unless in a file.
    pub repository: Repository,
    /// The file's path in the repository, or the object's key in the bucket.
    pub path: String,
    /// A branch, tag or commit; `None` is the default branch, and all that a bucket has.
    pub reference: Option<String>,
    /// The age at which it is fetched again, 10 seconds to 24 hours.
    pub ttl: Duration,
    /// The most bytes that it may have, 1 KiB to 5 MiB.
    pub max_bytes: u64,
}

/// Where templates are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repository {
    /// In the `CodeCommit` repository of this name.
    CodeCommit(String),
    /// In the S3 bucket of this name.
    Bucket(String),
}

/// A name that nothing has, for commands that need no repository.
impl Default for Repository {
    fn default() -> Self {
        Self::CodeCommit(String::new())
    }
}

/// `message.*`
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The field of the recipients.
    pub recipient: JsonPointer,
    /// The placeholders that templates and the subject may name.
    pub placeholders: Placeholders,
}

/// `email.*` but for the sender.
#[derive(Clone, Default, PartialEq)]
pub struct Email {
    /// The subject, which may hold placeholders.
    pub subject: String,
    /// The mailboxes that answers go to; empty leaves them to the sender.
    pub reply_to: Vec<Sender>,
    /// SES's configuration set.
    pub configuration_set: Option<String>,
    /// How long to wait for SES's answer to a send, 1 to 60 seconds. The mailer waits as long again
    /// for a late answer.
    pub timeout: Duration,
    /// How fast mails go out.
    pub max_send_rate: SendRate,
    /// Whether mails may go to SES's simulator to find out whose fault a refusal is.
    pub witness: bool,
}

/// `ledger.*`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The name of the table; `None` where each task remembers for itself.
    pub table: Option<String>,
    /// How long the table remembers a mail, 1 hour to 365 days.
    pub keep: Duration,
    /// How long a mail waits for a table that fails, 1 second to 10 minutes, before it goes without;
    /// `None` waits as long as it takes.
    pub patience: Option<Duration>,
}

/// `feedback.*`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Feedback {
    /// The URL of the queue that SES's events reach; `None` where they are not read.
    pub queue_url: Option<String>,
    /// How long an event may take to arrive, 1 second to 10 minutes.
    pub patience: Duration,
}

/// `log.*`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    /// The least severe lines that are written; `None` writes none.
    pub level: Option<Level>,
    /// Their format.
    pub format: LogFormat,
}

/// The format of the log's lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// Text.
    Text,
    /// One JSON object to a line.
    Json,
}
