//! The body of a `SendEmail` request. The SDK would write the same one, at a sixth of what a message
//! costs: it copies a mail three times and looks at each byte by itself. Here most of a mail, the
//! text of its template, is escaped for JSON once per version. A test holds our body against the
//! SDK's.

use std::sync::Arc;

use serde::Serialize;

use crate::{
    mutex::Mutex,
    notification::{Address, Mail, Segment},
    ports::{MailPurpose, Tags},
};

/// The tags under which a configuration set's events name the mail.
pub(in crate::aws) mod tag {
    /// The notification's id.
    pub(in crate::aws) const NOTIFICATION_ID: &str = "notification-id";
    /// The hash of the event.
    pub(in crate::aws) const EVENT: &str = "event";
    /// The queue that the message came from.
    pub(in crate::aws) const QUEUE: &str = "queue";
    /// The span of the send.
    pub(in crate::aws) const TRACE: &str = "traceparent";
    /// Only a witness has it.
    pub(in crate::aws) const WITNESS: &str = "witness";
    /// Only a mail has it that a person sends to see that its events arrive.
    pub(in crate::aws) const CHECK: &str = "check";
}
/// The value of a tag that says yes by being there.
const YES: &str = "true";
/// What a body holds beside subject, text and HTML, and what escapes add to them, as a first guess.
const FRAME: usize = 1024;

/// Writes the bodies of a mailer's requests.
#[derive(Default)]
pub(super) struct BodyWriter {
    configuration_set: Option<String>,
    queue: String,
    escaped: Mutex<EscapedTemplate>,
}

/// The template that the last mail was made of, and its segments escaped for JSON, with an empty
/// text in the place of each value. It keeps the template alive, so that no other can come to stand
/// at the same address and be taken for it.
#[derive(Default)]
struct EscapedTemplate {
    template: Arc<[Segment]>,
    literals: Vec<String>,
}

impl BodyWriter {
    /// For mails with this configuration set, about messages of the queue with this name.
    pub(super) fn new(configuration_set: Option<String>, queue: &str) -> Self {
        Self {
            configuration_set,
            queue: queue.to_owned(),
            ..Self::default()
        }
    }

    /// The request for one mail, as JSON.
    pub(super) fn write(&self, mail: &Mail, tags: Tags<'_>) -> Vec<u8> {
        let to: Vec<_> = mail.to.iter().map(Address::as_str).collect();
        let values = mail.html.values().iter().map(|value| in_json(value));
        let values: Vec<_> = values.collect();
        let mut escaped = self.escaped.lock();
        if !Arc::ptr_eq(&escaped.template, mail.html.template()) {
            *escaped = EscapedTemplate::new(mail.html.template());
        }
        let segments = escaped.template.iter().zip(&escaped.literals);
        let html = segments.map(|(segment, literal)| match segment {
            Segment::Literal(_) => literal,
            Segment::Value(index) => values.get(*index).unwrap_or(literal),
        });
        let length = html.clone().map(String::len).sum::<usize>();
        let mut body = Vec::with_capacity(FRAME + mail.text.len() + length);
        append(&mut body, r#"{"Destination":{"ToAddresses":"#, &to);
        append(&mut body, r#"},"FromEmailAddress":"#, &mail.from);
        if !mail.reply_to.is_empty() {
            append(&mut body, r#","ReplyToAddresses":"#, &mail.reply_to);
        }
        let when = |purpose| Some(YES).filter(|_| tags.purpose == purpose);
        let tags = [
            (tag::NOTIFICATION_ID, Some(tags.key.notification_id())),
            (tag::EVENT, Some(tags.key.event())),
            // A command that needs no queue has none.
            (
                tag::QUEUE,
                Some(&*self.queue).filter(|name| !name.is_empty()),
            ),
            (tag::TRACE, tags.traceparent),
            (tag::WITNESS, when(MailPurpose::Witness)),
            (tag::CHECK, when(MailPurpose::Check)),
        ];
        let tags = tags.into_iter();
        let tags = tags.filter_map(|(name, value)| {
            Some(Tag {
                name,
                value: value?,
            })
        });
        append(&mut body, r#","EmailTags":"#, &tags.collect::<Vec<_>>());
        if let Some(set) = &self.configuration_set {
            append(&mut body, r#","ConfigurationSetName":"#, set);
        }
        // Without a charset SES reads 7-bit ASCII.
        let subject = r#","Content":{"Simple":{"Subject":{"Charset":"UTF-8","Data":"#;
        append(&mut body, subject, &mail.subject);
        // RFC 3834: keeps out-of-office replies from answering a confirmation.
        body.extend(br#"},"Headers":[{"Name":"Auto-Submitted","Value":"auto-generated"}]"#);
        let text = r#","Body":{"Text":{"Charset":"UTF-8","Data":"#;
        append(&mut body, text, &mail.text);
        body.extend(br#"},"Html":{"Charset":"UTF-8","Data":""#);
        html.for_each(|piece| body.extend(piece.as_bytes()));
        body.extend(br#""}}}}}"#);
        body
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Tag<'a> {
    name: &'a str,
    value: &'a str,
}

impl EscapedTemplate {
    fn new(template: &Arc<[Segment]>) -> Self {
        let literal = |segment: &Segment| match segment {
            Segment::Literal(text) => in_json(text),
            Segment::Value(_) => String::new(),
        };
        Self {
            template: Arc::clone(template),
            literals: template.iter().map(literal).collect(),
        }
    }
}

/// Appends what stands before a value, and the value as JSON.
fn append(body: &mut Vec<u8>, before: &str, value: &(impl Serialize + ?Sized)) {
    body.extend(before.as_bytes());
    // Neither texts nor memory refuse to be written.
    drop(serde_json::to_writer(body, value));
}

/// A text as it stands between the quotes of a JSON string.
fn in_json(text: &str) -> String {
    let mut quoted = serde_json::to_string(text).unwrap_or_default();
    quoted.pop();
    quoted.drain(..1);
    quoted
}

#[cfg(test)]
mod tests;
