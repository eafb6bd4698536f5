//! The texts that keys take: what each becomes, or what is wrong with it.
//!
//! A sentence on what is wrong follows the key, so it does not name it: "is empty".

use super::problem::shown_text;
use crate::{
    notification::{JsonPointer, Sender},
    ports::queue_name,
};

/// Takes all text but blank one.
pub(super) fn filled(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        Err("is empty".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

/// An AWS region's name.
pub(super) fn region(text: &str) -> Result<String, String> {
    let fits = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
    name(text, text.chars().all(fits))
}

/// The name of an SES configuration set.
pub(super) fn configuration_set(text: &str) -> Result<String, String> {
    name(text, is_name(text, "_-", 64))
}

/// The name of a `CodeCommit` repository.
pub(super) fn repository(text: &str) -> Result<String, String> {
    if text.to_ascii_lowercase().starts_with("s3://") {
        return Err(refused(
            text,
            "and a template from S3 is not supported: name a CodeCommit repository, or set template.file instead",
        ));
    }
    name(text, is_name(text, "._-", 100))
}

/// The URL of a standard queue.
pub(super) fn queue_url(text: &str) -> Result<String, String> {
    filled(text)?;
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    if let Some(bad) = rest.and_then(|rest| rest.chars().find(|char| "@?#".contains(*char))) {
        return Err(format!("holds a `{bad}`, which no queue's URL has"));
    }
    let rest = rest.unwrap_or_default();
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let name = queue_name(path);
    let wrong = if text.starts_with("arn:") {
        "the queue's ARN and not its URL"
    } else if !text.starts_with("https://") && !text.starts_with("http://") {
        "which does not begin with `https://` or `http://`"
    } else if rest.contains(|char: char| char.is_whitespace() || char.is_control()) {
        "which contains spaces"
    } else if host.is_empty() || host.starts_with(':') {
        "which names no host"
    } else if name.is_empty() {
        "which does not end with a queue's name"
    } else if name.strip_suffix(".fifo").is_some() {
        "a FIFO queue: SNS and this service use a standard one, and a held message would hold up its whole group"
    } else if !is_name(name, "-_", 80) {
        "whose last part is not a queue's name"
    } else {
        return Ok(text.to_owned());
    };
    Err(refused(text, wrong))
}

/// A table's name. An ARN would name a table that is not ours.
pub(super) fn table_name(text: &str) -> Result<String, String> {
    let fits = is_name(text, "-_.", 255) && text.len() >= 3;
    name(text, fits)
}

/// A JSON pointer (RFC 6901) to a field.
pub(super) fn pointer(text: &str) -> Result<JsonPointer, String> {
    filled(text)?;
    JsonPointer::parse(text).map_err(|error| refused(text, &error.to_string()))
}

/// One address, with a display name or without. The value is never shown.
pub(super) fn sender(text: &str) -> Result<Sender, String> {
    filled(text)?;
    let sender = Sender::parse(text).map_err(|error| error.to_string())?;
    // SES refuses a recipient with two @ once. It would refuse such a sender for every mail.
    if sender.address().as_str().matches('@').count() == 1 {
        Ok(sender)
    } else {
        Err("is not one address: it holds more than one @".to_owned())
    }
}

/// A text that is not blank and fits.
fn name(text: &str, fits: bool) -> Result<String, String> {
    let name = filled(text)?;
    Some(name)
        .filter(|_| fits)
        .ok_or_else(|| format!("is {}", shown_text(text)))
}

fn is_name(text: &str, punctuation: &str, most: usize) -> bool {
    let fits = |char: char| char.is_ascii_alphanumeric() || punctuation.contains(char);
    !text.is_empty() && text.len() <= most && text.chars().all(fits)
}

fn refused(text: &str, wrong: &str) -> String {
    format!("is {}, {wrong}", shown_text(text))
}

#[cfg(test)]
mod tests;
