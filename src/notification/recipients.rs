//! Who a mail goes to: the addresses in a field of an event, as found in the wild.

use std::collections::HashSet;

use super::{
    address::Address,
    characters::is_format,
    rejection::{RECIPIENTS_MAX, Rejection},
    sender::Sender,
};

/// The recipients in a field of an event: one address, or several with commas or semicolons between
/// them.
///
/// The text is an envelope sender as found in the wild, so that blanks, line ends and unseen characters
/// around an address, a comment after it, a display name or `mailto:` before it, and one pair of quotes,
/// single quotes or angle brackets around it (or around all of them) are taken off.
/// Refused is what could break a header; whether an address can be written to is SES's to know.
/// Recipients that differ only in case are one. Empty if there is nothing but commas and blanks.
pub fn recipients(value: &str, sender: &Sender) -> Result<Vec<Address>, Rejection> {
    let mut seen = HashSet::new();
    let mut recipients = Vec::new();
    let parts = split(unwrapped(value))
        .into_iter()
        .map(trimmed)
        .filter(|part| !part.is_empty());
    for (part, position) in parts.zip(1..) {
        let address = Address::parse(bare(part))
            .map_err(|error| Rejection::BadRecipient { position, error })?;
        let key = address.key();
        if key == sender.address().key() {
            return Err(Rejection::OwnAddress(position));
        }
        if seen.insert(key) {
            recipients.push(address);
        }
    }
    if recipients.len() > RECIPIENTS_MAX {
        return Err(Rejection::TooManyRecipients(recipients.len()));
    }
    Ok(recipients)
}

/// Splits at commas and semicolons, except in a closed comment or in closed quotes:
/// `jane@x.com (Doe, Jane)`, `"Doe, Jane" <jane@x.com>`.
fn split(value: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut aside_end = 0;
    // Once a parenthesis or a quote stays open so do all later ones, and nobody needs to look again.
    let (mut closing, mut quoting) = (true, true);
    for (at, c) in value.char_indices() {
        match c {
            '(' if closing && at >= aside_end => match value[at..].find(')') {
                Some(length) => aside_end = at + length,
                None => closing = false,
            },
            '"' if quoting && at >= aside_end => match value[at + 1..].find('"') {
                Some(length) => aside_end = at + 1 + length + 1,
                None => quoting = false,
            },
            ',' | ';' if at >= aside_end => {
                parts.push(&value[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&value[start..]);
    parts
}

/// Takes one pair off that is around several addresses: `<a@x.com,b@y.com>`.
fn unwrapped(value: &str) -> &str {
    match inside(trimmed(value)) {
        Some(inner) if inner.contains([',', ';']) && !inner.contains(['"', '<', '>']) => inner,
        _ => value,
    }
}

/// Takes a trailing comment off, then a display name and its angle brackets, or one pair of quotes around
/// the whole, then the scheme that the field of a calendar has before its address.
fn bare(part: &str) -> &str {
    let part = match part.strip_suffix(')').and_then(|rest| rest.rfind('(')) {
        Some(open) => part[..open].trim_end(),
        None => part,
    };
    let named = part
        .strip_suffix('>')
        .and_then(|rest| rest.rsplit_once('<'));
    let part = trimmed(match named {
        Some((name, inner)) if !name.contains(['<', '>']) => inner,
        _ => inside(part).unwrap_or(part),
    });
    match part.get(..SCHEME.len()) {
        Some(scheme) if scheme.eq_ignore_ascii_case(SCHEME) => trimmed(&part[SCHEME.len()..]),
        _ => part,
    }
}

const SCHEME: &str = "mailto:";

/// Without what nobody sees at either end: white space, and characters that steer how others are shown.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || is_format(c))
}

/// What stands between a pair of quotes, single quotes or angle brackets.
fn inside(text: &str) -> Option<&str> {
    let between = |open, close| text.strip_prefix(open)?.strip_suffix(close);
    between('"', '"')
        .or_else(|| between('\'', '\''))
        .or_else(|| between('<', '>'))
}

#[cfg(test)]
mod tests;
