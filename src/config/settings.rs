//! The settings as the parts of the daemon take them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tracing::level_filters::LevelFilter;

/// A configuration in which every value is in its range and no two contradict.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// How AWS is reached.
    pub aws: Aws,
    /// Where the messages come from.
    pub queue: Queue,
    /// The most mails sent at once, 1 to 1000. A few more messages are held, see
    /// [`Window`](crate::pipeline::window::Window).
    pub concurrency: usize,
    /// Where the template comes from.
    pub template: TemplateSettings,
    /// What is read from a message.
    pub message: Message,
    /// How the mail is sent.
    pub email: Email,
    /// How long is retried.
    pub retry: Retry,
    /// How the daemon stops.
    pub shutdown: Shutdown,
    /// Where health is told.
    pub health: Health,
    /// What is logged, and how.
    pub log: Log,
}

/// `aws.*`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aws {
    /// The region; `None` leaves it to the SDK's own sources.
    pub region: Option<String>,
}

/// `queue.*`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// The URL of a standard queue.
    pub url: String,
    /// How long a receive waits for a message, 0 to 20 whole seconds.
    pub wait_time: Duration,
    /// The length of a lease, 5 seconds to 1 hour in whole seconds.
    pub visibility_timeout: Duration,
}

/// `template.*`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateSettings {
    /// Where it is fetched.
    pub source: TemplateLocation,
    /// The age at which it is fetched again, 10 seconds to 24 hours.
    pub ttl: Duration,
    /// The most bytes that it may have, 1 KiB to 5 MiB.
    pub max_bytes: u64,
}

/// Where a template is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateLocation {
    /// In a `CodeCommit` repository.
    CodeCommit {
        /// The repository's name.
        repository: String,
        /// The file's path in the repository.
        path: String,
        /// A branch, tag or commit; `None` is the default branch.
        reference: Option<String>,
    },
    /// In a local file.
    File(PathBuf),
}

/// `message.*`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The JSON pointer of the recipients' field.
    pub recipient: String,
    /// The placeholders by name.
    pub placeholders: BTreeMap<String, Placeholder>,
}

/// `message.placeholders.NAME.*`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placeholder {
    /// The JSON pointer of the field that gives the value.
    pub field: String,
    /// The JSON pointer of the field for events without the first.
    pub fallback: Option<String>,
    /// The value for events with neither.
    pub default: Option<String>,
}

/// `email.*`. Its `Debug` shows no address.
#[derive(Clone, PartialEq)]
pub struct Email {
    /// An address, with a display name or without.
    pub sender: String,
    /// The subject, which may hold placeholders.
    pub subject: String,
    /// The addresses that answers go to; empty leaves them to the sender.
    pub reply_to: Vec<String>,
    /// SES's configuration set.
    pub configuration_set: Option<String>,
    /// How long a send is awaited, 1 to 60 seconds; a late answer is listened for as long again.
    pub timeout: Duration,
    /// How fast mails go out.
    pub max_send_rate: SendRate,
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Email")
            .field("configuration_set", &self.configuration_set)
            .field("timeout", &self.timeout)
            .field("max_send_rate", &self.max_send_rate)
            .finish_non_exhaustive()
    }
}

/// How fast mails go out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SendRate {
    /// As fast as SES allows the account.
    Account,
    /// At most so many recipients per second, 0.01 to 10000.
    PerSecond(f64),
    /// As fast as they come.
    Unlimited,
}

/// `retry.*`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// How long one message is retried, 1 second to 11 hours.
    pub max_elapsed: Duration,
}

/// `shutdown.*`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shutdown {
    /// The whole time from the signal to the exit, 8 seconds to 2 minutes.
    pub grace: Duration,
}

/// `health.*`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Where the health endpoints listen; `None` where they are off.
    pub listen: Option<SocketAddr>,
}

/// `log.*`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The least severe lines that are written.
    pub level: LevelFilter,
    /// Their format.
    pub format: LogFormat,
}

/// The format of the log's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// Text.
    Text,
    /// One JSON object to a line.
    Json,
}
