//! Checks of texts, and of settings against each other.
//!
//! A check says what is wrong without the key, so that the sentence can follow
//! it: "is empty".

use crate::notification::{JsonPointer, PointerError, Sender, SenderError};
use crate::text::format_to_the_millisecond;
use crate::timing::{SETTLING_TIME, TELEMETRY_FLUSH_TIME, lease_call_timeout};

use super::problem::shown_text;
use super::settings::Settings;

/// Two settings that do not go together.
pub(super) struct Contradiction {
    /// The key to correct.
    pub(super) key: &'static str,
    /// The key that it contradicts.
    pub(super) other: &'static str,
    /// What is wrong and what is allowed.
    pub(super) message: String,
}

/// The settings that do not go together.
pub(super) fn contradictions(settings: &Settings) -> Vec<Contradiction> {
    let timeout = settings.email.timeout;
    let grace = settings.shutdown.grace;
    let lease = settings.queue.visibility_timeout;
    let end = TELEMETRY_FLUSH_TIME + SETTLING_TIME;
    let renewal = lease_call_timeout(lease);
    let mut found = Vec::new();
    if grace <= end + timeout {
        found.push(Contradiction {
            key: "shutdown.grace",
            other: "email.timeout",
            message: format!(
                "is {}, in which no mail can be sent: its last {} belong to settling and telemetry, and no send starts later than email.timeout ({}) before them; allowed: more than {}, or a shorter email.timeout",
                format_to_the_millisecond(grace),
                format_to_the_millisecond(end),
                format_to_the_millisecond(timeout),
                format_to_the_millisecond(end + timeout),
            ),
        });
    }
    if timeout + renewal >= lease {
        found.push(Contradiction {
            key: "queue.visibility_timeout",
            other: "email.timeout",
            message: format!(
                "is {}, in which no send fits: a message is sent only while its lease outlasts email.timeout ({}), and renewing the lease can take {} of it; allowed: more than the two together, or a shorter email.timeout",
                format_to_the_millisecond(lease),
                format_to_the_millisecond(timeout),
                format_to_the_millisecond(renewal),
            ),
        });
    }
    found
}

/// Takes any text.
#[expect(
    clippy::unnecessary_wraps,
    reason = "it stands in the table beside checks that refuse"
)]
pub(super) fn any(_: &str) -> Result<(), String> {
    Ok(())
}

/// Refuses blank text.
pub(super) fn filled(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        Err("is empty".to_owned())
    } else {
        Ok(())
    }
}

/// An AWS region's name.
pub(super) fn region(text: &str) -> Result<(), String> {
    filled(text)?;
    let fits = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
    if text.chars().all(fits) {
        Ok(())
    } else {
        Err(format!("is {}", shown_text(text)))
    }
}

/// The URL of a standard queue.
pub(super) fn queue_url(text: &str) -> Result<(), String> {
    filled(text)?;
    let is = || format!("is {}", shown_text(text));
    if text.starts_with("arn:") {
        return Err(format!("{}, the queue's ARN and not its URL", is()));
    }
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .ok_or_else(|| {
            format!(
                "{}, which does not begin with `https://` or `http://`",
                is()
            )
        })?;
    if let Some(bad) = rest.chars().find(|char| "@?#".contains(*char)) {
        return Err(format!("holds a `{bad}`, which no queue's URL has"));
    }
    if rest
        .chars()
        .any(|char| char.is_whitespace() || char.is_control())
    {
        return Err(format!("{}, which holds blanks", is()));
    }
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let name = path.rsplit('/').next().unwrap_or_default();
    if host.is_empty() || host.starts_with(':') {
        return Err(format!("{}, which names no host", is()));
    }
    if name.is_empty() {
        return Err(format!("{}, which does not end with a queue's name", is()));
    }
    if name.strip_suffix(".fifo").is_some() {
        return Err(format!(
            "{}, a FIFO queue: SNS and this service use a standard one, and a held message would hold up its whole group",
            is()
        ));
    }
    if !is_name(name, "-_", 80) {
        return Err(format!("{}, whose last part is not a queue's name", is()));
    }
    Ok(())
}

/// The name of a `CodeCommit` repository.
pub(super) fn repository(text: &str) -> Result<(), String> {
    filled(text)?;
    let is = || format!("is {}", shown_text(text));
    if text.to_ascii_lowercase().starts_with("s3://") {
        return Err(format!(
            "{}, and a template from S3 is not supported: name a CodeCommit repository, or set template.file instead",
            is()
        ));
    }
    if is_name(text, "._-", 100) {
        Ok(())
    } else {
        Err(is())
    }
}

/// The name of an SES configuration set.
pub(super) fn configuration_set(text: &str) -> Result<(), String> {
    filled(text)?;
    if is_name(text, "_-", 64) {
        Ok(())
    } else {
        Err(format!("is {}", shown_text(text)))
    }
}

/// A JSON pointer (RFC 6901) to a field.
pub(super) fn pointer(text: &str) -> Result<(), String> {
    filled(text)?;
    let is = || format!("is {}", shown_text(text));
    match JsonPointer::parse(text) {
        Ok(_) => Ok(()),
        Err(PointerError::NoSlash) => Err(format!("{}, which does not begin with `/`", is())),
        Err(PointerError::Tilde) => Err(format!("{}, in which a `~` is not written `~0`", is())),
    }
}

/// One address, with a display name or without. The value is never shown.
pub(super) fn sender(text: &str) -> Result<(), String> {
    filled(text)?;
    let sender = Sender::parse(text).map_err(|error| match error {
        SenderError::Address(error) => format!("is not one address: {error}"),
        SenderError::Brackets => {
            "is not one address: its angle brackets are not around its end".to_owned()
        }
        SenderError::Name => {
            "has a display name with control characters, or with quotes other than around the whole"
                .to_owned()
        }
    })?;
    // Of a recipient that is for SES to say, once; of the sender it would say so for every mail.
    if sender.address().as_str().matches('@').count() == 1 {
        Ok(())
    } else {
        Err("is not one address: it holds more than one @".to_owned())
    }
}

fn is_name(text: &str, punctuation: &str, most: usize) -> bool {
    let fits = |char: char| char.is_ascii_alphanumeric() || punctuation.contains(char);
    !text.is_empty() && text.len() <= most && text.chars().all(fits)
}

#[cfg(test)]
mod tests;
