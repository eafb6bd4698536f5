//! SES's events as they arrive in a queue: through SNS, in its envelope or raw, or through
//! `EventBridge`.
//!
//! An event is read for what we use of it. The mail's headers, which hold the subject and up to 10 KB,
//! are passed over.

use std::{collections::HashMap, time::Duration};

use serde::Deserialize;

use super::body::tag;
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
    let Ok(form) = serde_json::from_str::<Form>(body) else {
        return foreign("no JSON that an event could stand in");
    };
    match (form.kind.as_deref(), form.source.as_deref()) {
        (Some("Notification"), _) => {
            let message = form.message.unwrap_or_default();
            if is_greeting(&message) {
                return Letter::Greeting;
            }
            match serde_json::from_str(&message) {
                Ok(inner) => event(inner),
                Err(_) => foreign("a notification that holds no event of SES's"),
            }
        }
        (Some("SubscriptionConfirmation"), _) => {
            foreign("the confirmation of a subscription, which nobody has confirmed")
        }
        (_, Some("aws.ses")) => match form.detail {
            Some(detail) if detail.event_type.is_some() => event(*detail),
            // What is told of the account, such as that its sending is enabled again.
            _ => Letter::Other,
        },
        _ => event(form),
    }
}

fn is_greeting(text: &str) -> bool {
    text.trim() == GREETING
}

fn foreign(what: &str) -> Letter {
    Letter::Foreign(what.to_owned())
}

/// A message in any of its forms.
#[derive(Deserialize)]
struct Form {
    /// SNS's.
    #[serde(rename = "Type")]
    kind: Option<String>,
    #[serde(rename = "Message")]
    message: Option<String>,
    /// `EventBridge`'s.
    source: Option<String>,
    detail: Option<Box<Form>>,
    /// SES's.
    #[serde(rename = "eventType")]
    event_type: Option<String>,
    #[serde(rename = "notificationType")]
    notification_type: Option<String>,
    mail: Option<MailOf>,
    bounce: Option<Bounce>,
    complaint: Option<Complaint>,
    delivery: Option<Delivery>,
    #[serde(rename = "deliveryDelay")]
    delay: Option<Delay>,
    reject: Option<Reject>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MailOf {
    message_id: String,
    #[serde(default)]
    tags: HashMap<String, Vec<String>>,
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
fn event(event: Form) -> Letter {
    let fate = match event.event_type.as_deref() {
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
        None => return foreign("JSON that is no event of SES's"),
    };
    let Some(mut mail) = event.mail else {
        return foreign("an event of SES's that names no mail");
    };
    // Each tag is a list, of one value where it is ours.
    let mut tag_of = |name: &str| {
        mail.tags
            .remove(name)
            .and_then(|values| values.into_iter().next())
    };
    let key = tag_of(tag::NOTIFICATION_ID)
        .zip(tag_of(tag::EVENT))
        .and_then(|(id, event)| MailKey::of_tags(&id, &event));
    let purpose = if tag_of(tag::WITNESS).is_some() {
        MailPurpose::Witness
    } else if tag_of(tag::CHECK).is_some() {
        MailPurpose::Check
    } else {
        MailPurpose::Organizer
    };
    let (queue, traceparent) = (tag_of(tag::QUEUE), tag_of(tag::TRACE));
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
