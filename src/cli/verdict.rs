//! What would become of a message, up to the send: the daemon's own reading and rendering.

use crate::notification::{Composer, Envelope, Mail, Template};

/// What a message body comes to.
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
        let event = match Envelope::open(body) {
            Ok(Envelope::Notification { event, .. }) => event,
            Ok(Envelope::Control { kind }) => return Self::Ignored(kind),
            Err(malformed) => return Self::Rejected(malformed.to_string()),
        };
        match composer.compose(template, &event) {
            Ok(mail) => Self::Mail(Box::new(mail)),
            Err(rejection) => Self::Rejected(rejection.to_string()),
        }
    }
}
