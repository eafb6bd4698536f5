//! What only the text of SES's refusal tells.

use crate::ports::AccountCause;

/// How SES says, under whatever code, that the fault is the account's: how the text begins, and what
/// follows somewhere. Only the beginning is sure to be SES's own word: what follows may quote a mail,
/// whose organizer could otherwise stop the sending by its subject.
const ACCOUNT_WIDE: [(&str, &str, AccountCause); 10] = [
    ("sending paused for", "account", AccountCause::Paused),
    (
        "sending paused for",
        "configuration set",
        AccountCause::Paused,
    ),
    ("sending is paused for", "account", AccountCause::Paused),
    ("sending disabled for", "account", AccountCause::Paused),
    ("sending is disabled for", "account", AccountCause::Paused),
    ("sending for the account", "paused", AccountCause::Paused),
    ("sending suspended for", "account", AccountCause::Suspended),
    (
        "sending is suspended for",
        "account",
        AccountCause::Suspended,
    ),
    (
        "account has been",
        "suspended from sending",
        AccountCause::Suspended,
    ),
    (
        "configuration set",
        "does not exist",
        AccountCause::ConfigurationSetMissing,
    ),
];

/// What stands before these texts where an SMTP server or a proxy hands them on, or SES varies them.
const BEFORE: [&str; 4] = ["554 ", "message rejected: ", "email ", "your "];

/// What concerns every mail, where the text says that something does.
pub(super) fn account_cause(message: &str) -> Option<AccountCause> {
    let lower = message.to_ascii_lowercase();
    let text = BEFORE.iter().fold(lower.trim_start(), |text, before| {
        text.strip_prefix(before).unwrap_or(text)
    });
    ACCOUNT_WIDE.iter().find_map(|(begin, within, cause)| {
        let rest = text.strip_prefix(begin)?;
        rest.contains(within).then_some(*cause)
    })
}
