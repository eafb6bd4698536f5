//! Mail addresses as SES takes them: a mailbox with an optional display name, in ASCII.

use super::super::http::ServiceError;
use super::bad_request;

/// Characters that a local part may hold only in quotes.
const SPECIALS: &str = "()<>,;:\\[]@";
/// RFC 5321's most octets of a local part.
const MOST_LOCAL: usize = 64;
const MOST_ADDRESS: usize = 320;

/// The bare address of a mailbox such as `Dana <dana@example.com>`.
pub(super) fn mailbox(text: &str) -> Result<&str, ServiceError> {
    let trimmed = text.trim_matches(' ');
    let Some(head) = trimmed.strip_suffix('>') else {
        check(trimmed)?;
        return Ok(trimmed);
    };
    let (display, address) = head
        .rsplit_once('<')
        .ok_or_else(|| bad_request("Illegal address"))?;
    check_display(display.trim_matches(' '))?;
    check(address)?;
    Ok(address)
}

/// Refuses what is not `local@domain`.
pub(super) fn check(address: &str) -> Result<(), ServiceError> {
    if address.is_empty() {
        return Err(bad_request("Invalid email address ."));
    }
    if address.len() > MOST_ADDRESS {
        return Err(bad_request(format!(
            "Address length is more than {MOST_ADDRESS} characters long"
        )));
    }
    let local_length = if address.starts_with('"') {
        quoted_length(address)?
    } else {
        address.find('@').unwrap_or(address.len())
    };
    let (local, rest) = address.split_at(local_length);
    check_local(local)?;
    let domain = rest
        .strip_prefix('@')
        .ok_or_else(|| bad_request("Missing final '@domain'"))?;
    if domain.contains('@') {
        return Err(bad_request("Illegal address"));
    }
    if local.is_empty() {
        return Err(bad_request("Missing local name"));
    }
    if local.len() > MOST_LOCAL {
        return Err(bad_request("Illegal address"));
    }
    check_domain(domain)
}

pub(super) fn check_domain(domain: &str) -> Result<(), ServiceError> {
    let problem = if domain.is_empty() {
        "Missing domain"
    } else if domain.chars().any(|c| c.is_ascii_control() || c == ' ') {
        "Domain contains control or whitespace"
    } else if domain
        .chars()
        .any(|c| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'))
    {
        "Domain contains illegal character"
    } else if domain.starts_with('.') {
        "Domain starts with dot"
    } else if domain.ends_with('.') {
        "Domain ends with dot"
    } else if domain.contains("..") {
        "Domain contains dot-dot"
    } else {
        return Ok(());
    };
    Err(bad_request(problem))
}

fn check_local(local: &str) -> Result<(), ServiceError> {
    // SES has no SMTPUTF8, and says so with the words for control characters.
    let quoted = local.starts_with('"');
    let unprintable = |c: char| c.is_ascii_control() || !c.is_ascii() || (c == ' ' && !quoted);
    let problem = if local.chars().any(unprintable) {
        "Local address contains control or whitespace"
    } else if quoted {
        return Ok(());
    } else if local.contains('"') {
        "Quote not at start of local address"
    } else if local.contains(|c| SPECIALS.contains(c)) {
        "Local address contains illegal character"
    } else if local.starts_with('.') {
        "Local address starts with dot"
    } else if local.ends_with('.') {
        "Local address ends with dot"
    } else if local.contains("..") {
        "Local address contains dot-dot"
    } else {
        return Ok(());
    };
    Err(bad_request(problem))
}

/// A display name is ASCII (other text as RFC 2047 words), quoted where it holds specials.
fn check_display(display: &str) -> Result<(), ServiceError> {
    let whole_quoted =
        display.starts_with('"') && quoted_length(display).is_ok_and(|n| n == display.len());
    let clean = display.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    if clean && (whole_quoted || !display.contains(|c| c == '"' || SPECIALS.contains(c))) {
        return Ok(());
    }
    Err(bad_request("Illegal address"))
}

/// The octets of the quoted string at the start, quotes included.
fn quoted_length(text: &str) -> Result<usize, ServiceError> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return Ok(at + 1),
            '\\' if !escaped => escaped = true,
            _ => escaped = false,
        }
    }
    Err(bad_request("Unterminated quote"))
}
