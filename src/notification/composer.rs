//! From an event to its mail.

use std::{fmt, iter};

use super::{
    address::Address,
    envelope::{Envelope, Malformed},
    event::{Event, Fields},
    html::Html,
    placeholder::Placeholders,
    pointer::JsonPointer,
    recipients::recipients,
    rejection::Rejection,
    sender::Sender,
    subject::Subject,
    template::Template,
};

/// Turns events into mails, as configured.
#[derive(Debug, Clone)]
pub struct Composer {
    sender: Sender,
    /// The values of the headers.
    from: String,
    reply_to: Vec<String>,
    subject: Subject,
    recipient: JsonPointer,
    /// All that a mail can need of an event.
    fields: Fields,
}

/// A mail ready to be sent, all of it UTF-8. `Debug` shows addresses masked and nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// The value of the `From` header, ASCII.
    pub from: String,
    /// One to [`RECIPIENTS_MAX`](super::RECIPIENTS_MAX) different recipients.
    pub to: Vec<Address>,
    /// The mailboxes of the `Reply-To` header, ASCII.
    pub reply_to: Vec<String>,
    /// One line of at most [`SUBJECT_MAX_CHARS`](super::SUBJECT_MAX_CHARS).
    pub subject: String,
    /// The HTML part.
    pub html: Html,
    /// The text part.
    pub text: String,
}

impl Composer {
    /// `recipient` is the field of the event that holds whom to write to; templates name no other
    /// placeholders than these.
    pub fn new(
        sender: Sender,
        subject: Subject,
        reply_to: &[Sender],
        recipient: JsonPointer,
        placeholders: &Placeholders,
    ) -> Self {
        let declared = placeholders.iter();
        let fields = declared.flat_map(|one| iter::once(&one.field).chain(&one.fallback));
        Self {
            fields: Fields::new(fields.chain([&recipient])),
            from: sender.header(),
            reply_to: reply_to.iter().map(Sender::header).collect(),
            sender,
            subject,
            recipient,
        }
    }

    /// Finds the event in the body of an SQS message.
    pub fn open(&self, body: &str) -> Result<Envelope, Malformed> {
        Envelope::open(body, &self.fields)
    }

    /// The mail that an event becomes. Only the fields that the template and the subject name are
    /// needed, and the recipient.
    pub fn compose(&self, template: &Template, event: &Event) -> Result<Mail, Rejection> {
        let to = self.recipients(event)?;
        let subject = self.subject.render(event)?;
        let bodies = template.render(event)?;
        Ok(Mail {
            from: self.from.clone(),
            to,
            reply_to: self.reply_to.clone(),
            subject,
            html: bodies.html,
            text: bodies.text,
        })
    }

    /// A witness: the mail to this address that differs from every organizer's only in what comes from
    /// an event.
    pub fn witness(&self, template: &Template, to: Address) -> Mail {
        let bodies = template.render_neutral();
        Mail {
            from: self.from.clone(),
            to: vec![to],
            reply_to: self.reply_to.clone(),
            subject: self.subject.render_neutral(),
            html: bodies.html,
            text: bodies.text,
        }
    }

    fn recipients(&self, event: &Event) -> Result<Vec<Address>, Rejection> {
        let field = &self.recipient;
        let value = event.text(field)?.unwrap_or_default();
        let to = recipients(value, &self.sender)?;
        if to.is_empty() {
            return Err(Rejection::NoRecipient {
                field: field.clone(),
                instead: event.instead(),
            });
        }
        Ok(to)
    }
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail")
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}
