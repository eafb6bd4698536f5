//! SES's events as they arrive in a queue: through SNS, in its envelope or raw, or through
//! `EventBridge`.
//!
//! An event is read for what we use of it. The mail's headers, which hold the subject and up to 10 KB,
//! are passed over.

use std::{borrow::Cow, time::Duration};

use serde::{Deserialize, de::IgnoredAny};

use crate::{
    notification::MailKey,
    ports::{
        MailPurpose,
        events::{EventRecipient, Fate, Letter, MailEvent},
    },
};

/// What SES writes to a topic when a destination is made for it, as recorded on AWS. It is no JSON.
const GREETING: &str = "Successfully validated SNS topic for Amazon SES event publishing.";

/// Reads the body of a message of the feedback queue.
pub fn read_letter(body: &str) -> Letter {
    if is_greeting(body) {
        return Letter::Greeting;
    }
    let Some(form) = read(body) else {
        return foreign("a message that is no JSON object");
    };
    match (words(form.kind.as_ref()), words(form.source.as_ref())) {
        (Some("Notification"), _) => {
            let message = form.message.map_or(Cow::Borrowed(""), |text| text.0);
            if is_greeting(&message) {
                return Letter::Greeting;
            }
            match read(&message) {
                Some(inner) => event(inner),
                None => foreign("a notification that holds no event of SES's"),
            }
        }
        (Some("SubscriptionConfirmation"), _) => foreign(
            "an SNS subscription that nobody has confirmed: open the SubscribeURL in it, \
                     or no event arrives",
        ),
        (_, Some("aws.ses")) => match form.detail {
            Some(detail) if detail.event_type.is_some() => event(*detail),
            // What is told of the account, such as that its sending is enabled again.
            _ => Letter::Other,
        },
        _ => event(form),
    }
}

fn read(text: &str) -> Option<Form<'_>> {
    // A list would do as well for serde.
    let is_object = text.trim_start().starts_with('{');
    is_object.then(|| serde_json::from_str(text).ok()).flatten()
}

fn is_greeting(text: &str) -> bool {
    text.trim() == GREETING
}

fn words<'a>(text: Option<&'a Text<'_>>) -> Option<&'a str> {
    text.map(|text| &*text.0)
}

fn foreign(what: &str) -> Letter {
    Letter::Foreign(what.to_owned())
}

/// A text that is not copied where it holds no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A message in any of its forms. What holds no escapes is not copied.
#[derive(Deserialize)]
struct Form<'a> {
    /// SNS's.
    #[serde(borrow, default, rename = "Type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default, rename = "Message")]
    message: Option<Text<'a>>,
    /// `EventBridge`'s.
    #[serde(borrow, default)]
    source: Option<Text<'a>>,
    #[serde(borrow, default)]
    detail: Option<Box<Form<'a>>>,
    /// SES's.
    #[serde(borrow, default, rename = "eventType")]
    event_type: Option<Text<'a>>,
    #[serde(default, rename = "notificationType")]
    notification_type: Option<IgnoredAny>,
    #[serde(borrow, default)]
    mail: Option<MailOf<'a>>,
    #[serde(default)]
    bounce: Option<Bounce>,
    #[serde(default)]
    complaint: Option<Complaint>,
    #[serde(default)]
    delivery: Option<Delivery>,
    #[serde(default, rename = "deliveryDelay")]
    delay: Option<Delay>,
    #[serde(default)]
    reject: Option<Reject>,
}

#[derive(Deserialize)]
struct MailOf<'a> {
    #[serde(rename = "messageId")]
    message_id: String,
    #[serde(borrow, default)]
    tags: Tags<'a>,
}

/// Our tags. Each is a list, of one value where it is ours; SES's own are passed over.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Tags<'a> {
    #[serde(borrow, rename = "notification-id")]
    notification_id: Vec<Text<'a>>,
    #[serde(borrow)]
    event: Vec<Text<'a>>,
    #[serde(borrow)]
    queue: Vec<Text<'a>>,
    #[serde(borrow)]
    traceparent: Vec<Text<'a>>,
    witness: Vec<IgnoredAny>,
    check: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
struct Bounce {
    #[serde(rename = "bounceType")]
    kind: Option<String>,
    #[serde(rename = "bounceSubType")]
    subkind: Option<String>,
    #[serde(default, rename = "bouncedRecipients")]
    recipients: Vec<Recipient>,
}

#[derive(Deserialize)]
struct Complaint {
    #[serde(rename = "complaintFeedbackType")]
    kind: Option<String>,
    #[serde(rename = "complaintSubType")]
    subkind: Option<String>,
    #[serde(default, rename = "complainedRecipients")]
    recipients: Vec<Recipient>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delivery {
    processing_time_millis: Option<u64>,
    #[serde(default)]
    recipients: Vec<String>,
}

#[derive(Deserialize)]
struct Delay {
    #[serde(rename = "delayType")]
    kind: Option<String>,
    #[serde(default, rename = "delayedRecipients")]
    recipients: Vec<Recipient>,
}

#[derive(Deserialize)]
struct Reject {
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    email_address: Option<String>,
    status: Option<String>,
    diagnostic_code: Option<String>,
}

/// The event of SES's that this is.
fn event(event: Form<'_>) -> Letter {
    let fate = match words(event.event_type.as_ref()) {
        Some("Send") => Fate::Sent,
        Some("Delivery") => Fate::Delivered,
        Some("DeliveryDelay") => Fate::Delayed,
        Some("Bounce") => Fate::Bounced,
        Some("Complaint") => Fate::Complained,
        Some("Reject") => Fate::Rejected,
        // With a blank, as recorded on AWS.
        Some("Rendering Failure") => Fate::NotRendered,
        Some("Open") => Fate::Opened,
        Some("Click") => Fate::Clicked,
        Some("Subscription") => Fate::Subscribed,
        Some(_) => return foreign("an event of SES's of a type that is not known"),
        None if event.notification_type.is_some() => {
            return foreign(
                "a notification of an SES identity, which carries no tags: use an event destination of \
                 the configuration set",
            );
        }
        None => return foreign("a JSON message that is no event of SES's"),
    };
    let Some(mail) = event.mail else {
        return foreign("an event of SES's that names no mail");
    };
    let tags = mail.tags;
    let key = tags
        .notification_id
        .first()
        .zip(tags.event.first())
        .and_then(|(id, event)| MailKey::of_tags(&id.0, &event.0));
    let purpose = if !tags.witness.is_empty() {
        MailPurpose::Witness
    } else if !tags.check.is_empty() {
        MailPurpose::Check
    } else {
        MailPurpose::Organizer
    };
    let first = |values: Vec<Text<'_>>| values.into_iter().next().map(|text| text.0.into_owned());
    let (queue, traceparent) = (first(tags.queue), first(tags.traceparent));
    let (kind, subkind, recipients) = about(
        fate,
        event.bounce,
        event.complaint,
        event.delay,
        event.reject,
    );
    let delivered = event.delivery.unwrap_or(Delivery {
        processing_time_millis: None,
        recipients: Vec::new(),
    });
    let to = delivered
        .recipients
        .into_iter()
        .map(|address| EventRecipient {
            address,
            ..EventRecipient::default()
        });
    Letter::Event(Box::new(MailEvent {
        fate,
        email_id: mail.message_id,
        queue,
        key,
        purpose,
        traceparent,
        kind,
        subkind,
        recipients: recipients
            .into_iter()
            .map(Recipient::read)
            .chain(to)
            .collect(),
        took: delivered.processing_time_millis.map(Duration::from_millis),
    }))
}

type About = (Option<String>, Option<String>, Vec<Recipient>);

/// The kind of a trouble, and whom it is about.
fn about(
    fate: Fate,
    bounce: Option<Bounce>,
    complaint: Option<Complaint>,
    delay: Option<Delay>,
    reject: Option<Reject>,
) -> About {
    let about = match fate {
        Fate::Bounced => bounce.map(|one| (one.kind, one.subkind, one.recipients)),
        Fate::Complained => complaint.map(|one| (one.kind, one.subkind, one.recipients)),
        Fate::Delayed => delay.map(|one| (one.kind, None, one.recipients)),
        Fate::Rejected => reject.map(|one| (one.reason, None, Vec::new())),
        _ => None,
    };
    about.unwrap_or_default()
}

impl Recipient {
    fn read(self) -> EventRecipient {
        EventRecipient {
            address: self.email_address.unwrap_or_default(),
            status: self.status,
            diagnostic: self.diagnostic_code,
        }
    }
}

#[cfg(test)]
mod tests;
