//! What would become of a message, up to the send: the daemon's own reading and rendering.

use std::fmt;

use crate::notification::{Address, Composer, Envelope, Mail, Template};

/// What becomes of a message body.
pub(super) enum Verdict {
    /// This mail would be sent.
    Mail(Box<Mail>),
    /// It is a control message of the topic, of this kind: deleted without a mail.
    Ignored(String),
    /// No retry would help, for this reason.
    Rejected(String),
}

impl Verdict {
    /// Takes a message body as far as a mail.
    pub(super) fn of(body: &str, composer: &Composer, template: &Template) -> Self {
        let event = match composer.open(body) {
            Ok(Envelope::Notification { event, .. }) => event,
            Ok(Envelope::Control { kind }) => return Self::Ignored(kind),
            Err(malformed) => return Self::Rejected(malformed.to_string()),
        };
        match composer.compose(template, &event) {
            Ok(mail) => Self::Mail(Box::new(mail)),
            Err(rejection) => Self::Rejected(rejection.to_string()),
        }
    }

    /// Its name in JSON.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Mail(_) => "mail",
            Self::Ignored(_) => "ignored",
            Self::Rejected(_) => "rejected",
        }
    }

    /// Why there is no mail.
    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::Mail(_) => None,
            Self::Ignored(reason) | Self::Rejected(reason) => Some(reason),
        }
    }
}

/// The verdict on one line, with masked addresses.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mail(mail) => write!(f, "would be sent to {}", masked(mail).join(", ")),
            Self::Ignored(kind) => write!(f, "ignored: {kind} of the topic, no event"),
            Self::Rejected(reason) => write!(f, "rejected: {reason}"),
        }
    }
}

/// The recipients, masked.
pub(super) fn masked(mail: &Mail) -> Vec<String> {
    mail.to.iter().map(Address::to_string).collect()
}
