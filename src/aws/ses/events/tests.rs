//! Events in the shapes that were recorded on AWS.

use std::time::Duration;

use serde_json::{Value, json};

use super::{GREETING, read_letter};
use crate::{
    notification::MailKey,
    ports::{
        MailPurpose,
        events::{Fate, Letter, MailEvent},
    },
};

const ID: &str = "04664e9e-e407-485e-96f2-043fac5d66d5";
const HASH: &str = "ba7816bf8f01cfea";

fn event(kind: &str, detail: (&str, Value)) -> Value {
    let mut event = json!({
        "eventType": kind,
        "mail": {
            "timestamp": "2016-10-14T05:02:16.645Z",
            "source": "sender@example.com",
            "sourceArn": "arn:aws:ses:us-east-1:123456789012:identity/sender@example.com",
            "sendingAccountId": "123456789012",
            "messageId": "0100017c191be45-000000",
            "destination": ["recipient@example.com"],
            "headersTruncated": false,
            "headers": [{"name": "Subject", "value": "Your event"}],
            "commonHeaders": {"from": ["sender@example.com"], "subject": "Your event"},
            "tags": {
                "ses:operation": ["SendEmail"],
                "ses:configuration-set": ["set"],
                "ses:source-ip": ["192.0.2.0"],
                "notification-id": [ID],
                "event": [HASH],
                "queue": ["notify"],
                "traceparent": ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            },
        },
    });
    event[detail.0] = detail.1;
    event
}

fn read(event: &Value) -> MailEvent {
    match read_letter(&event.to_string()) {
        Letter::Event(event) => *event,
        other => panic!("{other:?}"),
    }
}

fn foreign(body: &str) -> String {
    match read_letter(body) {
        Letter::Foreign(what) => what,
        other => panic!("{other:?}"),
    }
}

fn in_sns(message: &str) -> String {
    json!({
        "Type": "Notification",
        "MessageId": "1",
        "TopicArn": "arn:aws:sns:us-east-1:123456789012:feedback",
        "Subject": "Amazon SES Email Event Notification",
        "Message": message,
        "Timestamp": "2016-10-14T05:02:17.000Z",
    })
    .to_string()
}

#[test]
fn an_event_is_the_same_in_an_envelope_raw_and_from_eventbridge() {
    let event = event("Send", ("send", json!({})));
    let raw = read_letter(&event.to_string());
    assert_eq!(read_letter(&in_sns(&event.to_string())), raw);
    let bridged = json!({
        "version": "0",
        "id": "1",
        "detail-type": "Email Sent",
        "source": "aws.ses",
        "account": "123456789012",
        "time": "2016-10-14T05:02:16Z",
        "region": "us-east-1",
        "resources": ["arn:aws:ses:us-east-1:123456789012:configuration-set/set"],
        "detail": event,
    });
    assert_eq!(read_letter(&bridged.to_string()), raw);
    let read = read(&event);
    assert_eq!(read.fate, Fate::Sent);
    assert_eq!(read.email_id, "0100017c191be45-000000");
    assert_eq!(read.key, MailKey::of_tags(ID, HASH));
    assert_eq!(read.queue.as_deref(), Some("notify"));
    assert_eq!(read.purpose, MailPurpose::Organizer);
    assert!(read.traceparent.unwrap().ends_with("-01"));
}

#[test]
fn each_type_has_its_fate_and_its_words() {
    let recipients = json!([{
        "emailAddress": "recipient@example.com",
        "action": "failed",
        "status": "5.1.1",
        "diagnosticCode": "smtp; 550 5.1.1 user unknown",
    }]);
    let cases = [
        ("Send", "send", json!({}), Fate::Sent, None, None),
        (
            "Bounce",
            "bounce",
            json!({"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": recipients}),
            Fate::Bounced,
            Some("Permanent"),
            Some("General"),
        ),
        (
            "Complaint",
            "complaint",
            json!({"complainedRecipients": recipients, "complaintSubType": null, "complaintFeedbackType": "abuse"}),
            Fate::Complained,
            Some("abuse"),
            None,
        ),
        (
            "DeliveryDelay",
            "deliveryDelay",
            json!({"delayType": "MailboxFull", "delayedRecipients": recipients}),
            Fate::Delayed,
            Some("MailboxFull"),
            None,
        ),
        (
            "Reject",
            "reject",
            json!({"reason": "Bad content"}),
            Fate::Rejected,
            Some("Bad content"),
            None,
        ),
        (
            "Rendering Failure",
            "failure",
            json!({"errorMessage": "Attribute 'x' is not present", "templateName": "t"}),
            Fate::NotRendered,
            None,
            None,
        ),
        ("Open", "open", json!({}), Fate::Opened, None, None),
        ("Click", "click", json!({}), Fate::Clicked, None, None),
        (
            "Subscription",
            "subscription",
            json!({}),
            Fate::Subscribed,
            None,
            None,
        ),
    ];
    for (name, field, detail, fate, kind, subkind) in cases {
        let about_somebody = detail.as_object().unwrap().values().any(Value::is_array);
        let read = read(&event(name, (field, detail)));
        assert_eq!(read.fate, fate, "{name}");
        assert_eq!(read.kind.as_deref(), kind, "{name}");
        assert_eq!(read.subkind.as_deref(), subkind, "{name}");
        assert_eq!(read.recipients.len(), usize::from(about_somebody), "{name}");
        if let Some(recipient) = read.recipients.first() {
            assert_eq!(recipient.address, "recipient@example.com");
            assert_eq!(recipient.status.as_deref(), Some("5.1.1"));
        }
    }
}

#[test]
fn a_delivery_tells_how_long_it_took() {
    let delivery = json!({
        "timestamp": "2016-10-19T23:21:04.133Z",
        "processingTimeMillis": 11893,
        "recipients": ["recipient@example.com"],
        "smtpResponse": "250 2.6.0 Message received",
    });
    let read = read(&event("Delivery", ("delivery", delivery)));
    assert_eq!(read.fate, Fate::Delivered);
    assert_eq!(read.took, Some(Duration::from_millis(11893)));
    assert_eq!(read.recipients[0].address, "recipient@example.com");
}

#[test]
fn a_witness_and_a_check_are_told_apart_from_an_organizers_mail() {
    for (tag, purpose) in [
        ("witness", MailPurpose::Witness),
        ("check", MailPurpose::Check),
    ] {
        let mut event = event("Send", ("send", json!({})));
        event["mail"]["tags"][tag] = json!(["true"]);
        assert_eq!(read(&event).purpose, purpose);
    }
}

#[test]
fn a_mail_without_our_tags_has_no_key() {
    let mut event = event("Send", ("send", json!({})));
    event["mail"]["tags"] = json!({ "event": ["conference"], "notification-id": ["17"] });
    assert_eq!(read(&event).key, None);
    event["mail"].as_object_mut().unwrap().remove("tags");
    let read = read(&event);
    assert_eq!((read.key, read.queue), (None, None));
}

#[test]
fn the_greeting_of_a_new_destination_is_no_json() {
    assert_eq!(read_letter(GREETING), Letter::Greeting);
    assert_eq!(read_letter(&in_sns(GREETING)), Letter::Greeting);
}

#[test]
fn what_is_told_of_the_account_is_about_no_mail() {
    let told = json!({
        "version": "0",
        "detail-type": "Sending Status Disabled",
        "source": "aws.ses",
        "detail": { "version": "1.0.0" },
    });
    assert_eq!(read_letter(&told.to_string()), Letter::Other);
}

#[test]
fn what_is_no_event_is_named_without_its_content() {
    let identity = json!({ "notificationType": "Bounce", "mail": { "messageId": "1" } });
    for (body, what) in [
        ("secret".to_owned(), "a message that is no JSON object"),
        (
            "[\"secret\"]".to_owned(),
            "a message that is no JSON object",
        ),
        (
            json!({ "secret": 1 }).to_string(),
            "a JSON message that is no event",
        ),
        (in_sns("secret"), "a notification that holds no event"),
        (in_sns("{\"secret\": 1}"), "a JSON message that is no event"),
        (identity.to_string(), "a notification of an SES identity"),
        (
            json!({ "Type": "SubscriptionConfirmation", "Token": "secret" }).to_string(),
            "an SNS subscription that nobody has confirmed",
        ),
        (
            json!({ "eventType": "Secret", "mail": { "messageId": "1" } }).to_string(),
            "of a type that is not known",
        ),
        (json!({ "eventType": "Send" }).to_string(), "names no mail"),
    ] {
        let said = foreign(&body);
        assert!(said.contains(what), "{said}");
        assert!(!said.to_lowercase().contains("secret"), "{said}");
    }
}
