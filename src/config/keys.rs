//! The table of keys: what each takes, and the setting that its value goes to.

use std::sync::LazyLock;

use bytesize::ByteSize;
use figment::value::Value;
use tracing::Level;

use super::{
    draft::{Draft, PlaceholderDraft},
    kinds::{
        Kind, choice, count, duration, listen, patience, rate, size, switch, text, texts,
        whole_seconds,
    },
    settings::LogFormat,
    texts::{
        REGION, configuration_set, filled, pointer, queue_url, region, repository, sender,
        table_name,
    },
};
use crate::notification::Placeholder;

/// What the names of our variables begin with.
pub(super) const PREFIX: &str = "NOTIFIER_";

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

const LEVELS: [(&str, Option<Level>); 6] = [
    ("trace", Some(Level::TRACE)),
    ("debug", Some(Level::DEBUG)),
    ("info", Some(Level::INFO)),
    ("warn", Some(Level::WARN)),
    ("error", Some(Level::ERROR)),
    ("off", None),
];

const FORMATS: [(&str, LogFormat); 3] = [
    ("auto", LogFormat::Auto),
    ("text", LogFormat::Text),
    ("json", LogFormat::Json),
];

/// A part of the configuration that the daemon requires and not every command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// `queue.url`.
    Queue,
    /// `template.repository` and `template.path`, where there is no `template.file`.
    Template,
}

/// Who requires a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Required {
    /// Whoever uses this part.
    Part(Part),
    /// Whoever makes mails.
    Mail,
    /// Its placeholder: the key is required wherever one of the placeholder's other keys is given.
    Placeholder,
}

type Put = Box<dyn Fn(&mut Draft, &str, &Value) -> Result<(), String> + Send + Sync>;

/// One key.
pub(super) struct Row {
    /// The key's path; `*` stands for a placeholder's name.
    pub(super) name: String,
    /// Who requires it, where somebody does.
    pub(super) required: Option<Required>,
    /// The Calendar Invite Server's variables for it.
    pub(super) cis: &'static [&'static str],
    /// Our word for one of the server's.
    pub(super) cis_word: fn(&str) -> &str,
    /// What is allowed, to follow "allowed:".
    pub(super) allowed: String,
    /// The value that a variable or a flag gives.
    pub(super) from_text: fn(&str) -> Value,
    put: Put,
}

/// Every key there is, in the order of the reference.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    static ROWS: LazyLock<Vec<Row>> = LazyLock::new(table);
    ROWS.iter()
}

#[rustfmt::skip] // A table is read by its rows: one to a line, where it fits.
fn table() -> Vec<Row> {
    let url = "the URL of a standard SQS queue, such as \
        `https://sqs.eu-central-1.amazonaws.com/123456789012/my-queue`";
    let mailbox = "one address, such as `events@example.com` or `Events <events@example.com>`";
    let set = "up to 64 letters, digits, `-` and `_`: the name of an SES configuration set";
    let store = "the name of a CodeCommit repository, or `s3://` and the name of an S3 bucket";
    let json_pointer = || text(pointer, "a JSON pointer, such as `/summary` or `/detail/name`");
    vec![
        row("aws.region", text(region, REGION),
            |s, v| s.region = Some(v))
            .cis(&["REGION"]),
        row("queue.url", text(queue_url, url), |s, v| s.queue.url = v)
            .required(Required::Part(Part::Queue))
            .cis(&["SQS_URL"]),
        row("queue.wait_time", whole_seconds(0..=20), |s, v| s.queue.wait_time = v),
        row("queue.visibility_timeout", whole_seconds(5..=HOUR),
            |s, v| s.queue.visibility_timeout = v),
        row("concurrency", count(1..=1000), |s, v| s.concurrency = v),
        row("template.repository", text(repository, store),
            |s, v| s.template.repository = v)
            .required(Required::Part(Part::Template))
            .cis(&["CODECOMMIT_REPO"]),
        row("template.path", text(filled, "the template's path in the repository, or its key in the bucket"),
            |s, v| s.template.path = v)
            .required(Required::Part(Part::Template))
            .cis(&[
                "NEW_EVENT_NOTIFICATION_EMAIL",
                "FAILED_EVENT_NOTIFICATION_EMAIL",
                "EVENT_LIMIT_REACHED_NOTIFICATION_EMAIL",
                "SUCCESSFUL_ENROLLMENT_NOTIFICATION_EMAIL",
            ]),
        row("template.reference", text(filled, "a branch, a tag or a full commit id"),
            |s, v| s.template.reference = Some(v)),
        row("template.file", text(filled, "the path of a local file"),
            |s, v| s.template.file = Some(v.into())),
        row("template.ttl", duration(10..=24 * HOUR), |s, v| s.template.ttl = v),
        row("template.max_bytes", size(ByteSize::kib(1)..=ByteSize::mib(5)),
            |s, v| s.template.max_bytes = v),
        row("message.recipient", json_pointer(), |s, v| s.recipient = Some(v)),
        placeholder_row("field", json_pointer(), |s, v| s.field = Some(v)).required(Required::Placeholder),
        placeholder_row("fallback", json_pointer(), |s, v| s.fallback = Some(v)),
        placeholder_row("default", text(|text| Ok(text.to_owned()), "text"), |s, v| s.default = Some(v)),
        row("email.sender", text(sender, mailbox), |s, v| s.sender = Some(v))
            .required(Required::Mail)
            .cis(&["SENDER"]),
        row("email.subject", text(filled, "text, with placeholders such as `{summary}` or without"),
            |s, v| s.email.subject = v)
            .required(Required::Mail)
            .cis(&["SUBJECT"]),
        row("email.reply_to", texts(sender, "a list of addresses"), |s, v| s.email.reply_to = v),
        row("email.configuration_set", text(configuration_set, set),
            |s, v| s.email.configuration_set = Some(v)),
        row("email.timeout", duration(1..=MINUTE), |s, v| s.email.timeout = v),
        row("email.max_send_rate", rate(), |s, v| s.email.max_send_rate = v),
        row("email.witness", switch(), |s, v| s.email.witness = v),
        row("ledger.table", text(table_name, "3 to 255 letters, digits, `-`, `_` and `.`: the name of a DynamoDB table"),
            |s, v| s.ledger.table = Some(v)),
        row("ledger.keep", duration(HOUR..=365 * 24 * HOUR), |s, v| s.ledger.keep = v),
        row("ledger.patience", patience(1..=10 * MINUTE), |s, v| s.ledger.patience = v),
        row("feedback.queue_url", text(queue_url, url), |s, v| s.feedback.queue_url = Some(v)),
        row("feedback.patience", duration(1..=10 * MINUTE), |s, v| s.feedback.patience = v),
        row("retry.max_elapsed", duration(1..=11 * HOUR), |s, v| s.max_elapsed = v),
        row("shutdown.grace", duration(8..=2 * MINUTE), |s, v| s.grace = v),
        row("health.listen", listen(), |s, v| s.health_listen = v),
        row("log.level", choice(LEVELS, "; LOG_LEVEL takes Python's names too"),
            |s, v| s.log.level = v)
            .cis(&["LOG_LEVEL"])
            .cis_word(our_level),
        row("log.format", choice(FORMATS, ""), |s, v| s.log.format = v),
    ]
}

impl Row {
    fn new<T: 'static>(
        name: impl Into<String>,
        kind: Kind<T>,
        put: impl Fn(&mut Draft, &str, T) + Send + Sync + 'static,
    ) -> Self {
        let read = kind.read;
        Self {
            name: name.into(),
            required: None,
            cis: &[],
            cis_word: |text| text,
            allowed: kind.allowed,
            from_text: kind.from_text,
            put: Box::new(move |draft, placeholder, value| {
                put(draft, placeholder, read(value)?);
                Ok(())
            }),
        }
    }

    /// Puts a value into the draft, for the placeholder of this name where the key is one's; or
    /// says what is wrong with the value and what is allowed.
    pub(super) fn fill(
        &self,
        draft: &mut Draft,
        placeholder: &str,
        value: &Value,
    ) -> Result<(), String> {
        let refused = |wrong| format!("{wrong}; allowed: {}", self.allowed);
        (self.put)(draft, placeholder, value).map_err(refused)
    }

    fn required(mut self, by: Required) -> Self {
        self.required = Some(by);
        self
    }

    fn cis(mut self, variables: &'static [&'static str]) -> Self {
        self.cis = variables;
        self
    }

    fn cis_word(mut self, word: fn(&str) -> &str) -> Self {
        self.cis_word = word;
        self
    }
}

/// A setting's key.
fn row<T: 'static>(name: &str, kind: Kind<T>, put: fn(&mut Draft, T)) -> Row {
    Row::new(name, kind, move |draft, _, value| put(draft, value))
}

/// A key that every placeholder has.
fn placeholder_row<T: 'static>(
    name: &str,
    kind: Kind<T>,
    put: fn(&mut PlaceholderDraft, T),
) -> Row {
    let name = format!("message.placeholders.*.{name}");
    Row::new(name, kind, move |draft, placeholder, value| {
        let placeholder = draft.placeholders.entry(placeholder.to_owned());
        put(placeholder.or_default(), value);
    })
}

/// Our name for one of Python's levels, in any case or by number. Anything else is left for the
/// key's own check.
fn our_level(text: &str) -> &str {
    match text.to_ascii_uppercase().as_str() {
        "NOTSET" | "0" => "trace",
        "DEBUG" | "10" => "debug",
        "INFO" | "20" => "info",
        "WARNING" | "WARN" | "30" => "warn",
        "ERROR" | "40" | "CRITICAL" | "FATAL" | "50" => "error",
        _ => text,
    }
}

/// What a path names.
pub(super) enum Found {
    /// A key.
    Key(&'static Row),
    /// A section, which holds keys.
    Section,
    /// Nothing.
    Nothing,
}

/// Looks a path up.
pub(super) fn find(path: &[&str]) -> Found {
    let begins = |row: &&Row| {
        let mut segments = row.name.split('.');
        path.iter()
            .all(|part| segments.next().is_some_and(|segment| fits(segment, part)))
    };
    match rows().find(begins) {
        Some(row) if row.name.split('.').count() == path.len() => Found::Key(row),
        Some(_) => Found::Section,
        None => Found::Nothing,
    }
}

fn fits(segment: &str, part: &str) -> bool {
    segment == part || (segment == "*" && Placeholder::is_name(part))
}

/// The name of our variable for a key.
pub(super) fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.replace('.', "__").to_uppercase())
}

#[cfg(test)]
mod tests;
