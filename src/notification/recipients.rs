//! Who a mail goes to: the addresses in a field of an event, as found in the wild.

use std::collections::HashSet;

use super::{
    address::Address,
    rejection::{RECIPIENTS_MAX, Rejection},
    sender::Sender,
};

/// The recipients in a field of an event: one address, or several with commas between them.
///
/// The text is an envelope sender as found in the wild, so that blanks and line ends around an
/// address, a comment after it, and one pair of quotes or angle brackets around it (or around all of
/// them) are taken off.
/// Refused is what could break a header; whether an address can be written to is SES's to know.
/// Recipients that differ only in case are one. Empty if there is nothing but commas and blanks.
pub fn recipients(value: &str, sender: &Sender) -> Result<Vec<Address>, Rejection> {
    let mut seen = HashSet::new();
    let mut recipients = Vec::new();
    let parts = split(unwrapped(value))
        .into_iter()
        .map(str::trim)
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

/// Splits at commas, except in a closed comment: `jane@x.com (Doe, Jane)`.
fn split(value: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut comment_end = 0;
    // Once a parenthesis stays open so do all later ones, and nobody needs to look again.
    let mut closing = true;
    for (at, c) in value.char_indices() {
        match c {
            '(' if closing && at >= comment_end => match value[at..].find(')') {
                Some(length) => comment_end = at + length,
                None => closing = false,
            },
            ',' if at >= comment_end => {
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
    match inside(value.trim()) {
        Some(inner) if inner.contains(',') && !inner.contains(['"', '<', '>']) => inner,
        _ => value,
    }
}

/// Takes a trailing comment off, then one pair of quotes or angle brackets around the whole.
fn bare(part: &str) -> &str {
    let part = match part.strip_suffix(')').and_then(|rest| rest.rfind('(')) {
        Some(open) => part[..open].trim_end(),
        None => part,
    };
    inside(part).map_or(part, str::trim)
}

/// What stands between a pair of quotes or angle brackets.
fn inside(text: &str) -> Option<&str> {
    let between = |open, close| text.strip_prefix(open)?.strip_suffix(close);
    between('"', '"').or_else(|| between('<', '>'))
}

#[cfg(test)]
mod tests;
