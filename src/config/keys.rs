//! The table of keys, and how a path is looked up in it.

use std::time::Duration;

use bytesize::ByteSize;

use crate::notification::Placeholder;

use super::units::Kind;
use super::validate;

/// What the names of our variables begin with.
pub(super) const PREFIX: &str = "NOTIFIER_";

/// How alike two names must be, from 0 to 1, for one to be offered for the other.
const ALIKE: f64 = 0.6;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

/// One key.
#[derive(Clone, Copy)]
pub(super) struct Key {
    /// The key's path; `*` stands for a placeholder's name.
    pub(super) name: &'static str,
    /// What it takes.
    pub(super) kind: Kind,
    /// Whether there is no configuration without it.
    pub(super) required: bool,
    /// The Calendar Invite Server's variables for it.
    pub(super) cis: &'static [&'static str],
}

/// Every key there is, in the order of the reference.
pub(super) const KEYS: &[Key] = &[
    key(
        "aws.region",
        Kind::Text(validate::region, "an AWS region, such as `eu-central-1`"),
    )
    .cis(&["REGION"]),
    key(
        "queue.url",
        Kind::Text(
            validate::queue_url,
            "the URL of a standard SQS queue, such as `https://sqs.eu-central-1.amazonaws.com/123456789012/my-queue`",
        ),
    )
    .required()
    .cis(&["SQS_URL"]),
    key("queue.wait_time", time(Duration::ZERO, Duration::from_secs(20), true)),
    key("queue.visibility_timeout", time(Duration::from_secs(5), HOUR, true)),
    key("concurrency", Kind::Count { least: 1, most: 1000 }),
    key(
        "template.repository",
        Kind::Text(validate::repository, "the name of a CodeCommit repository"),
    )
    .cis(&["CODECOMMIT_REPO"]),
    key(
        "template.path",
        Kind::Text(validate::filled, "the template's path in the repository"),
    )
    .cis(&[
        "NEW_EVENT_NOTIFICATION_EMAIL",
        "FAILED_EVENT_NOTIFICATION_EMAIL",
        "EVENT_LIMIT_REACHED_NOTIFICATION_EMAIL",
        "SUCCESSFUL_ENROLLMENT_NOTIFICATION_EMAIL",
    ]),
    key(
        "template.reference",
        Kind::Text(validate::filled, "a branch, a tag or a full commit id"),
    ),
    key("template.file", Kind::Text(validate::filled, "the path of a local file")),
    key("template.ttl", time(Duration::from_secs(10), Duration::from_hours(24), false)),
    key(
        "template.max_bytes",
        Kind::Size { least: ByteSize::kib(1), most: ByteSize::mib(5) },
    ),
    key("message.recipient", POINTER),
    key("message.placeholders.*.field", POINTER).required(),
    key("message.placeholders.*.fallback", POINTER),
    key("message.placeholders.*.default", Kind::Text(validate::any, "text")),
    key(
        "email.sender",
        Kind::Text(
            validate::sender,
            "one address, such as `events@example.com` or `Events <events@example.com>`",
        ),
    )
    .required()
    .cis(&["SENDER"]),
    key(
        "email.subject",
        Kind::Text(validate::filled, "text, with placeholders such as `{summary}` or without"),
    )
    .required()
    .cis(&["SUBJECT"]),
    key("email.reply_to", Kind::Texts(validate::sender, "a list of addresses")),
    key(
        "email.configuration_set",
        Kind::Text(
            validate::configuration_set,
            "up to 64 letters, digits, `-` and `_`: the name of an SES configuration set",
        ),
    ),
    key("email.timeout", time(SECOND, Duration::from_mins(1), false)),
    key("email.max_send_rate", Kind::Rate),
    key("retry.max_elapsed", time(SECOND, Duration::from_hours(11), false)),
    key("shutdown.grace", time(Duration::from_secs(8), Duration::from_mins(2), false)),
    key("health.listen", Kind::Listen),
    key(
        "log.level",
        Kind::Choice(&["trace", "debug", "info", "warn", "error", "off"], "; LOG_LEVEL takes Python's names too"),
    )
    .cis(&["LOG_LEVEL"]),
    key("log.format", Kind::Choice(&["auto", "text", "json"], "")),
];

const POINTER: Kind = Kind::Text(
    validate::pointer,
    "a JSON pointer, such as `/summary` or `/detail/name`",
);

/// What a path names.
pub(super) enum Found {
    /// A key.
    Key(&'static Key),
    /// A section, which holds keys.
    Section,
    /// Nothing.
    Nothing,
}

impl Key {
    const fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    const fn cis(self, cis: &'static [&'static str]) -> Self {
        Self { cis, ..self }
    }
}

/// Looks a path up.
pub(super) fn find(path: &[&str]) -> Found {
    let begins = |key: &&Key| {
        let mut segments = key.name.split('.');
        path.iter()
            .all(|part| segments.next().is_some_and(|segment| fits(segment, part)))
    };
    match KEYS.iter().find(begins) {
        Some(key) if key.name.split('.').count() == path.len() => Found::Key(key),
        Some(_) => Found::Section,
        None => Found::Nothing,
    }
}

/// A key's place in the table; what is no key comes first.
pub(super) fn place(name: &str) -> Option<usize> {
    match find(&name.split('.').collect::<Vec<_>>()) {
        Found::Key(found) => KEYS.iter().position(|key| key.name == found.name),
        Found::Section | Found::Nothing => None,
    }
}

/// The name of our variable for a key.
pub(super) fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.replace('.', "__").to_uppercase())
}

/// The key that was probably meant by a path that is none, or for a
/// misspelt section, the section.
pub(super) fn suggest(path: &[&str], section: bool) -> Option<String> {
    let written = path.join(".");
    let name = path.get(2).copied().unwrap_or("name");
    let mut candidates: Vec<String> = KEYS.iter().map(|key| key.name.replace('*', name)).collect();
    if section {
        candidates = candidates.iter().flat_map(|key| sections(key)).collect();
    }
    if !section && let Some(only) = only_one_ending_alike(&candidates, path) {
        return Some(only);
    }
    candidates
        .into_iter()
        .filter(|key| *key != written)
        .map(|key| (strsim::normalized_damerau_levenshtein(&key, &written), key))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, key)| key)
}

const fn key(name: &'static str, kind: Kind) -> Key {
    Key {
        name,
        kind,
        required: false,
        cis: &[],
    }
}

const fn time(least: Duration, most: Duration, whole_seconds: bool) -> Kind {
    Kind::Time {
        least,
        most,
        whole_seconds,
    }
}

fn fits(segment: &str, part: &str) -> bool {
    segment == part || (segment == "*" && Placeholder::is_name(part))
}

/// The only key of the same section whose name holds the one written, else the
/// only key of any section with the same name.
fn only_one_ending_alike(candidates: &[String], path: &[&str]) -> Option<String> {
    let (last, section) = path.split_last()?;
    let section = section.join(".");
    let parts = |key: &String| {
        key.rsplit_once('.')
            .map_or((String::new(), key.clone()), |(section, name)| {
                (section.to_owned(), name.to_owned())
            })
    };
    let near = |key: &&String| {
        let (its_section, name) = parts(key);
        its_section == section && last.len() > 2 && name.contains(last) && name != *last
    };
    let far = |key: &&String| parts(key).1 == *last && parts(key).0 != section;
    only(candidates.iter().filter(near))
        .or_else(|| only(candidates.iter().filter(far)))
        .cloned()
}

fn only<T>(mut items: impl Iterator<Item = T>) -> Option<T> {
    items.next().filter(|_| items.next().is_none())
}

/// The sections that a key stands in, the outermost first.
fn sections(key: &str) -> Vec<String> {
    key.match_indices('.')
        .map(|(at, _)| key[..at].to_owned())
        .collect()
}

#[cfg(test)]
mod tests;
