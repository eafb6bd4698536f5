//! The load: events as the Calendar Invite Server publishes them.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::mails::{organizer, summary, uid};

pub(crate) const QUEUE: &str = "notify-organizer";
pub(crate) const FEEDBACK: &str = "feedback";
pub(crate) const TABLE: &str = "mails";
pub(crate) const SET: &str = "notifications";
pub(crate) const REPOSITORY: &str = "templates";
pub(crate) const TEMPLATE_PATH: &str = "new_event.html";
pub(crate) const SUBJECT: &str = "Registered: {summary}";

/// What one run is made of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) messages: usize,
    /// Bytes of a field in each event that nobody reads, made so that a parser which keeps it needs some
    /// fifty times as many.
    pub(crate) padding: usize,
    /// Arrivals per second, at random intervals; without it the queue is always full.
    pub(crate) per_second: Option<f64>,
    pub(crate) sqs: Latency,
    pub(crate) ses: Latency,
    /// Whether every mail must be that of its event. The bare loop sends one mail for all.
    pub(crate) verify: bool,
    pub(crate) events: Events,
    /// Whether there is a table for what was sent, which answers after 3 ms.
    pub(crate) table: bool,
    /// Whether AWS is asked over TLS.
    pub(crate) tls: bool,
    /// How long the run goes on after its last mail, or where there are none.
    pub(crate) rest: Duration,
    /// How long all of it may take.
    pub(crate) patience: Duration,
}

/// What becomes of SES's two events of each mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Events {
    /// The subject reads none.
    Unread,
    /// The subject reads them.
    Read,
    /// The subject reads, and none arrives.
    Lost,
}

/// How long a service takes before it looks at a request, drawn evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) min_ms: u64,
    pub(crate) max_ms: u64,
}

impl Latency {
    pub(crate) fn exactly(ms: u64) -> Self {
        Self {
            min_ms: ms,
            max_ms: ms,
        }
    }

    pub(crate) fn is_zero(self) -> bool {
        self == Self::default()
    }
}

/// The body of an SQS message as SNS makes it.
pub(crate) fn body(number: usize, padding: usize) -> String {
    let organizer = organizer(number);
    let address = address(number);
    let mut event = json!({
        "uid": uid(number),
        "return_path": address,
        "method": "request",
        "mailto": address,
        "sequence": 0,
        "status": "confirmed",
        "location": "Room 5, HQ",
        "original_uid": format!("{number}@calendar.example"),
        "prodid": "-//example inc//example calendar 70.9054//en",
        "summary": summary(number),
        "organizer": organizer,
        "description_html": "Agenda:<br>1. Review<br>2. Plan",
        "location_html": "Room 5, HQ",
        "summary_html": summary(number),
        "pk": format!("event#{}", uid(number)),
        "sk": format!("event#{}", uid(number)),
        "created": 1_795_327_630,
        "dtstamp": 1_795_327_630,
        "dtstart": 1_796_144_400,
        "dtend": 1_796_148_000,
        "last_modified": 1_795_327_630,
        "invite_limit": 1500,
        "invite_limit_notification": false,
        "original_organizer": organizer,
        "tenant": "thirtyone",
        "events": number,
        "paid": {},
    });
    if padding > 0 {
        event["attachments"] = vec![json!({ "": 0 }); padding / r#"{"":0},"#.len()].into();
    }
    json!({
        "Type": "Notification",
        "MessageId": format!("{number:08x}-832f-43f0-bfd6-28e110b66b3f"),
        "TopicArn": "arn:aws:sns:us-east-1:000000000000:new-event-created",
        "Message": event.to_string(),
        "Timestamp": "2026-11-22T06:07:10.566Z",
        "SignatureVersion": "2",
        "Signature": "c2lnbmVk".repeat(43),
        "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-4bf1111ddb9b460fad8ad1382bf7dea3.pem",
        "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=arn:aws:sns:us-east-1:000000000000:new-event-created:2bcfbf39-05c3-41de-beaa-fcfcc21c8f55",
    })
    .to_string()
}

fn address(number: usize) -> String {
    format!("organizer{number}@example.com")
}
