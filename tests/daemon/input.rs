//! Bad and odd input at run time: each message to its outcome, with a text that says why.

use sandbox::outbox::StoredMail;
use serde_json::{Value, json};

use crate::daemon::output::Line;
use crate::daemon::process::{Daemon, Ended};
use crate::daemon::world::{World, numbered, tag};

/// The most that SQS takes.
const MIB: usize = 1024 * 1024;

/// What a body must lead to.
enum Becomes {
    /// A mail to these.
    Mail(Vec<String>),
    /// A dead letter, of this kind and for this reason.
    Rejected(&'static str, String),
    Ignored,
}

/// Sends all bodies, and checks what becomes of each.
async fn assert_becomes(cases: Vec<(String, Becomes)>) -> (Vec<StoredMail>, Ended) {
    let world = World::raw().await;
    let daemon = Daemon::started(&world, &[("LOG_LEVEL", "DEBUG")]).await;
    let mut sent = Vec::new();
    for (body, becomes) in cases {
        sent.push((world.send(&body).await, body, becomes));
    }
    daemon
        .until("an empty queue", || world.queued().is_empty())
        .await;
    let ended = daemon.stop().await;
    let mails = world.mails();
    let dead = world.dead();
    for (id, body, becomes) in sent {
        let short: String = body.chars().take(120).collect();
        let lines = ended.outcomes_of(&id);
        let outcomes: Vec<_> = lines.iter().map(Line::outcome).collect();
        let its_mails: Vec<_> = mails.iter().filter(|mail| tag(mail) == id).collect();
        let its_letters: Vec<_> = dead.iter().filter(|dead| dead.message_id == id).collect();
        match becomes {
            Becomes::Mail(to) => {
                assert_eq!(outcomes, ["sent"], "{short}");
                assert_eq!(its_mails.len(), 1, "{short}");
                assert_eq!(its_mails[0].to, to, "{short}");
                assert!(its_letters.is_empty(), "{short}");
            }
            Becomes::Ignored => {
                assert_eq!(outcomes, ["ignored"], "{short}");
                assert!(its_mails.is_empty() && its_letters.is_empty(), "{short}");
            }
            Becomes::Rejected(kind, reason) => {
                assert_eq!(outcomes, ["rejected", "rejected"], "{short}");
                for (line, receive) in lines.iter().zip(["1 of 2", "2 of 2"]) {
                    assert_eq!(line.message(), format!("rejected: {reason}"), "{short}");
                    assert_eq!(line.text("error.type"), kind, "{short}");
                    assert_eq!(line.text("notifier.receive"), receive);
                    assert_eq!(line.level(), "WARN");
                }
                assert!(its_mails.is_empty(), "{short}");
                assert_eq!(its_letters.len(), 1, "{short}");
                assert!(its_letters[0].body == body, "{short} was changed");
            }
        }
    }
    (mails, ended)
}

fn rejected(kind: &'static str, reason: &str) -> Becomes {
    Becomes::Rejected(kind, reason.to_owned())
}

fn mailed(to: &[&str]) -> Becomes {
    Becomes::Mail(to.iter().map(|address| (*address).to_owned()).collect())
}

/// An event with one field changed, or without it.
fn event_with(field: &str, value: Option<Value>) -> String {
    let mut event = numbered(1);
    match value {
        Some(value) => event[field] = value,
        None => drop(event.as_object_mut().unwrap().remove(field)),
    }
    event.to_string()
}

fn notification(kind: &str, message: &str) -> String {
    json!({
        "Type": kind,
        "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
        "Token": "2336412f37fb687f5d51e6e2425dacbbafa",
        "TopicArn": "arn:aws:sns:us-west-2:123456789012:new-event-created",
        "Message": message,
        "SubscribeURL": "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription",
    })
    .to_string()
}

#[tokio::test]
async fn bodies_that_are_no_events_are_rejected_and_control_messages_ignored() {
    let object = json!({ "text": "a secret of the organizer" });
    let cases = vec![
        (
            numbered(0).to_string(),
            mailed(&["person0000@guests.example"]),
        ),
        (
            "Dear daemon, please mail".to_owned(),
            rejected(
                "not_json",
                "the body is not JSON: expected value, found 'D' (line 1, column 1)",
            ),
        ),
        (
            "  \n ".to_owned(),
            rejected("empty_body", "the body is empty"),
        ),
        (
            "[{\"mailto\": \"dana@example.com\"}]".to_owned(),
            rejected(
                "not_an_object",
                "the body is not a JSON object but an array",
            ),
        ),
        (
            "\"text of the body\"".to_owned(),
            rejected(
                "not_an_object",
                "the body is not a JSON object but a string",
            ),
        ),
        (
            "123456789".to_owned(),
            rejected(
                "not_an_object",
                "the body is not a JSON object but a number",
            ),
        ),
        (
            notification("Notification", "{\"uid\": "),
            rejected(
                "not_json",
                "the event is not JSON: EOF while parsing a value (line 1, column 8)",
            ),
        ),
        (
            notification("Notification", "[1, 2]"),
            rejected(
                "not_an_object",
                "the event is not a JSON object but an array",
            ),
        ),
        (
            event_with("mailto", None),
            rejected("no_recipient", "no recipient in the field /mailto"),
        ),
        (
            event_with("mailto", Some(object.clone())),
            rejected("not_text", "the field /mailto is not text but an object"),
        ),
        (
            event_with("summary", Some(object)),
            rejected("not_text", "the field /summary is not text but an object"),
        ),
        (
            event_with("uid", None),
            rejected(
                "missing_field",
                "no field /uid, which the subject's {uid} needs",
            ),
        ),
        (
            notification("SubscriptionConfirmation", "You have chosen to subscribe"),
            Becomes::Ignored,
        ),
        (
            notification("UnsubscribeConfirmation", "You have chosen to leave"),
            Becomes::Ignored,
        ),
    ];
    assert_becomes(cases).await;
}

#[tokio::test]
async fn odd_recipients_are_read_as_far_as_they_can_be() {
    let unusable = |reason: &str| {
        Becomes::Rejected(
            "bad_recipient",
            format!("recipient 1 is not a valid address: {reason}"),
        )
    };
    let to = |count: usize| {
        (1..=count)
            .map(|number| format!("guest{number:02}@guests.example"))
            .collect::<Vec<_>>()
    };
    let long = format!("{}@guests.example", "l".repeat(65));
    let cases = [
        ("\"dana@example.com\"", mailed(&["dana@example.com"])),
        ("\r\n dana@example.com", mailed(&["dana@example.com"])),
        ("a@x.com,", mailed(&["a@x.com"])),
        ("jane@x.com (jane doe)", mailed(&["jane@x.com"])),
        ("<jane@x.com>", mailed(&["jane@x.com"])),
        ("a@x.com,b@y.com", mailed(&["a@x.com", "b@y.com"])),
        (&to(50).join(","), Becomes::Mail(to(50))),
        (
            &to(51).join(","),
            rejected(
                "too_many_recipients",
                "51 recipients, but at most 50 are allowed",
            ),
        ),
        ("<>", unusable("it is not of the form name@domain")),
        (
            "nobody at all",
            unusable("it contains a space or a control character"),
        ),
        (
            "eve@x.com\r\nBcc: all@x.com",
            unusable("it contains a space or a control character"),
        ),
        (
            "jürgen@x.com",
            unusable("it holds a character before the @ that is not ASCII"),
        ),
        (
            " , ",
            rejected("no_recipient", "no recipient in the field /mailto"),
        ),
        (
            "NoReply@example.com",
            rejected(
                "own_address",
                "recipient 1 is the sender itself, which would loop",
            ),
        ),
        // Whether such an address exists is SES's to say.
        (&long, rejected("BadRequestException", "Illegal address")),
    ];
    let cases = cases
        .into_iter()
        .map(|(mailto, becomes)| (event_with("mailto", Some(json!(mailto))), becomes))
        .collect();
    assert_becomes(cases).await;
}

#[tokio::test]
async fn huge_messages_are_mailed_with_a_subject_of_200_characters_at_most() {
    let summary = "Ünendliche Planung ".repeat(10_000);
    let mut full = numbered(2);
    full["description_html"] = json!("");
    let room = MIB - full.to_string().len();
    full["description_html"] = json!("x".repeat(room));
    let full = full.to_string();
    assert_eq!(full.len(), MIB);
    let cases = vec![
        (
            event_with("summary", Some(json!(summary))),
            mailed(&["person0001@guests.example"]),
        ),
        (full, mailed(&["person0002@guests.example"])),
        (
            "{".repeat(MIB),
            rejected(
                "not_json",
                "the body is not JSON: key must be a string, found '{' (line 1, column 2)",
            ),
        ),
    ];
    let (mails, _) = assert_becomes(cases).await;
    let mail = mails
        .iter()
        .find(|mail| mail.to == ["person0001@guests.example"])
        .unwrap();
    assert_eq!(mail.subject.chars().count(), 200);
    assert!(
        mail.subject.starts_with("Registered: Ünendliche Planung Ü"),
        "{}",
        mail.subject
    );
    assert!(mail.subject.ends_with('…'), "{}", mail.subject);
    assert!(mail.html.as_ref().unwrap().contains(summary.trim_end()));
    assert!(mail.text.as_ref().unwrap().contains(summary.trim_end()));
}
