//! What would become of a message, up to the send: the daemon's own reading and rendering.

use std::fmt;

use clap::ValueEnum;

use crate::notification::{Address, Composer, Envelope, Mail, MailKey, Template};

/// What a verdict says in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Kind {
    /// A mail would be sent.
    Mail,
    /// A control message of the topic, which becomes no mail.
    Ignored,
    /// No retry would help.
    Rejected,
}

impl Kind {
    /// Its name on the command line and in JSON.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Ignored => "ignored",
            Self::Rejected => "rejected",
        }
    }
}

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
        Self::with_key("", body, composer, template).0
    }

    /// The same of a message with this id, and the key that the ledger knows its mail by, where it holds
    /// an event.
    pub(super) fn with_key(
        message_id: &str,
        body: &str,
        composer: &Composer,
        template: &Template,
    ) -> (Self, Option<MailKey>) {
        let (event, key) = match composer.open(body) {
            Ok(Envelope::Notification {
                message_id: notification,
                event,
                hash,
                ..
            }) => {
                let key = MailKey::of_message(notification.as_deref(), message_id, hash);
                (event, key)
            }
            Ok(Envelope::Control { kind }) => return (Self::Ignored(kind), None),
            Err(malformed) => return (Self::Rejected(malformed.to_string()), None),
        };
        let verdict = match composer.compose(template, &event) {
            Ok(mail) => Self::Mail(Box::new(mail)),
            Err(rejection) => Self::Rejected(rejection.to_string()),
        };
        (verdict, Some(key))
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Mail(_) => Kind::Mail,
            Self::Ignored(_) => Kind::Ignored,
            Self::Rejected(_) => Kind::Rejected,
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
