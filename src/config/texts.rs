//! The texts that keys take: what each becomes, or what is wrong with it.
//!
//! A sentence on what is wrong follows the key, so it does not name it: "is empty".

use std::net::Ipv4Addr;

use axum::http::Uri;

use super::{problem::shown_text, settings::Repository};
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

/// What [`region`] takes.
pub(super) const REGION: &str = "an AWS region, such as `eu-central-1`";

/// An AWS region's name.
pub(super) fn region(text: &str) -> Result<String, String> {
    let fits = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
    name(text, text.chars().all(fits))
}

/// What [`endpoint`] takes.
pub(super) const ENDPOINT: &str =
    "`http://` or `https://` and a host, such as `https://sqs.eu-central-1.amazonaws.com`";

/// The URL of an endpoint of AWS's.
pub(super) fn endpoint(text: &str) -> Result<String, String> {
    filled(text)?;
    let rest = text.split_once("://").filter(|(scheme, _)| {
        ["https", "http"].map(|known| scheme.eq_ignore_ascii_case(known)) != [false; 2]
    });
    let Some((_, rest)) = rest else {
        return Err(refused(
            text,
            "which does not begin with `https://` or `http://`",
        ));
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let of_host = |char: char| char.is_ascii_alphanumeric() || "-._:[]".contains(char);
    let uri = text.parse::<Uri>().ok();
    let host = uri.as_ref().and_then(Uri::host);
    // The last colon of an IPv6 address stands within its brackets.
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    let is_port = |port: &str| port.ends_with(']') || port.parse::<u16>().is_ok();
    if rest.contains(|char: char| char.is_whitespace() || char.is_control()) {
        Err(refused(text, "which contains spaces"))
    } else if authority.is_empty() || authority.starts_with(':') {
        Err(refused(text, "which names no host"))
    } else if host.is_none() || !authority.chars().all(of_host) || !port.is_none_or(is_port) {
        Err(refused(text, "which is not a URL of a host"))
    } else {
        Ok(text.to_owned())
    }
}

/// The name of an SES configuration set.
pub(super) fn configuration_set(text: &str) -> Result<String, String> {
    name(text, is_name(text, "_-", 64))
}

/// The name of a `CodeCommit` repository, or of a bucket, as the Calendar Invite Server writes it.
pub(super) fn repository(text: &str) -> Result<Repository, String> {
    const SCHEME: &str = "s3://";
    match text.split_at_checked(SCHEME.len()) {
        Some((scheme, bucket)) if scheme.eq_ignore_ascii_case(SCHEME) => match bucket_fault(bucket)
        {
            None => Ok(Repository::Bucket(bucket.to_owned())),
            Some(fault) => Err(refused(text, fault)),
        },
        _ => name(text, is_name(text, "._-", 100)).map(Repository::CodeCommit),
    }
}

/// What is wrong with a bucket's name. Access points and their ARNs are not taken.
fn bucket_fault(bucket: &str) -> Option<&'static str> {
    let fits =
        |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || ".-".contains(char);
    let ends = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit();
    if bucket.contains('/') {
        Some("with more than a bucket: folders and the file's name belong into template.path")
    } else if bucket.is_empty() {
        Some("which has no bucket's name")
    } else if !(3..=63).contains(&bucket.len())
        || !bucket.chars().all(fits)
        || !bucket.starts_with(ends)
        || !bucket.ends_with(ends)
        || bucket.contains("..")
        || bucket.parse::<Ipv4Addr>().is_ok()
    {
        Some(
            "whose bucket's name is not valid: it has 3 to 63 lower-case letters, digits, `-` and `.`, \
             begins and ends with a letter or a digit, and is no IP address",
        )
    } else {
        None
    }
}

/// The URL of a standard queue, without a slash at its end.
pub(super) fn queue_url(text: &str) -> Result<String, String> {
    filled(text)?;
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    if let Some(bad) = rest.and_then(|rest| rest.chars().find(|char| "@?#".contains(*char))) {
        return Err(format!("has a `{bad}`, which no queue's URL has"));
    }
    let rest = rest.unwrap_or_default();
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let trimmed = path.strip_suffix('/').unwrap_or(path);
    let name = queue_name(trimmed);
    let wrong = if text.starts_with("arn:") {
        "the queue's ARN and not its URL"
    } else if !text.starts_with("https://") && !text.starts_with("http://") {
        "which does not begin with `https://` or `http://`"
    } else if rest.contains(|char: char| char.is_whitespace() || char.is_control()) {
        "which contains a space"
    } else if host.is_empty() || host.starts_with(':') {
        "which has no host"
    } else if name.is_empty() {
        "which does not end with a queue's name"
    } else if name.strip_suffix(".fifo").is_some() {
        "a FIFO queue, which this service does not support: a held message would hold up its \
         whole group"
    } else if !is_name(name, "-_", 80) {
        "whose last part is not a queue's name"
    } else if is_of_aws(host) && !is_account_and_name(trimmed) {
        "which has no account id before the queue's name: `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`"
    } else {
        let trimmed_off = path.len() - trimmed.len();
        return Ok(text[..text.len() - trimmed_off].to_owned());
    };
    Err(refused(text, wrong))
}

/// Whether this is one of the hosts of SQS at AWS, in any partition. Servers that stand in for AWS have names
/// and paths of their own.
fn is_of_aws(host: &str) -> bool {
    let (name, _port) = host.split_once(':').unwrap_or((host, ""));
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let ends = [
        ".amazonaws.com",
        ".amazonaws.com.cn",
        ".amazonaws.eu",
        ".api.aws",
    ];
    let is_of_sqs = name
        .split('.')
        .any(|label| ["sqs", "sqs-fips", "queue"].contains(&label));
    is_of_sqs && ends.iter().any(|end| name.ends_with(end))
}

fn is_account_and_name(path: &str) -> bool {
    let is_account =
        |text: &str| text.len() == 12 && text.chars().all(|char| char.is_ascii_digit());
    path.split_once('/')
        .is_some_and(|(account, name)| is_account(account) && !name.contains('/'))
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
        Err("is not one address: it has more than one @".to_owned())
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
