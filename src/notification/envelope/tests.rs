//! Bodies of messages, good and bad.

use serde_json::json;

use super::super::JsonPointer;
use super::*;

/// What is asked for here.
const POINTERS: [&str; 7] = [
    "/uid",
    "/summary",
    "/weight",
    "/Type",
    "/MessageId",
    "/TopicArn",
    "/Message",
];

fn open(body: &str) -> Result<Envelope, Malformed> {
    let pointers = POINTERS.map(|pointer| JsonPointer::parse(pointer).unwrap());
    Envelope::open(body, &Fields::new(&pointers))
}

fn field(event: &Event, pointer: &str) -> Option<String> {
    event
        .text(&JsonPointer::parse(pointer).unwrap())
        .unwrap()
        .map(String::from)
}

fn notification(message: &str) -> String {
    json!({
        "Type": "Notification",
        "MessageId": "2e5cf2b9",
        "TopicArn": "arn:aws:sns:us-west-2:123456789012:new-event-created",
        "Message": message,
    })
    .to_string()
}

fn raw(body: &str) -> Event {
    match open(body) {
        Ok(Envelope::Notification {
            message_id: None,
            attributes,
            event,
            ..
        }) if attributes.is_empty() => event,
        other => panic!("not an event under raw delivery: {other:?}"),
    }
}

#[test]
fn a_notification_is_unwrapped() {
    let body = json!({
        "Type": "Notification",
        "MessageId": "2e5cf2b9",
        "TopicArn": "arn:topic",
        "Subject": null,
        "Message": "\u{feff} {\"uid\": \"1\"}\n",
        "SequenceNumber": "10000000000000000000",
        "MessageAttributes": {
            "traceparent": {"Type": "String", "Value": "00-abc-def-01"},
            "weight": {"Type": "Number", "Value": "5"},
            "blob": {"Type": "Binary", "Value": "AAAA"},
            "broken": {"Type": "String"},
        },
    });
    let body = format!("\u{feff}\r\n {body}\n");
    let Ok(Envelope::Notification {
        message_id,
        attributes,
        event,
        ..
    }) = open(&body)
    else {
        panic!("no notification");
    };
    assert_eq!(message_id.as_deref(), Some("2e5cf2b9"));
    assert_eq!(
        attributes,
        [("traceparent".to_owned(), "00-abc-def-01".to_owned())]
    );
    assert_eq!(field(&event, "/uid").as_deref(), Some("1"));
}

#[test]
fn an_event_that_resembles_an_envelope_is_an_event() {
    for body in [
        json!({"uid": "1"}),
        json!({"uid": "1", "Message": "{}", "Type": "Notification"}),
        json!({"uid": "1", "Message": "{}", "Type": "Notification", "MessageId": "2"}),
        json!({"uid": "1", "Message": {}, "Type": "Notification", "MessageId": "2", "TopicArn": "a"}),
        json!({"uid": "1", "Message": "{}", "Type": 1, "MessageId": "2", "TopicArn": "a"}),
        json!({"uid": "1", "Message": "{}", "Type": "Meeting", "MessageId": "2", "TopicArn": "a"}),
        json!({"uid": "1", "Type": "SubscriptionConfirmation"}),
    ] {
        assert_eq!(
            field(&raw(&body.to_string()), "/uid").as_deref(),
            Some("1"),
            "{body}"
        );
    }
}

#[test]
fn an_envelope_needs_all_four_of_its_fields() {
    let whole: serde_json::Value = serde_json::from_str(&notification("secret")).unwrap();
    for name in ["Type", "MessageId", "TopicArn", "Message"] {
        let mut body = whole.clone();
        body[name] = json!(1);
        assert_eq!(
            field(&raw(&body.to_string()), &format!("/{name}")).as_deref(),
            Some("1")
        );
        body.as_object_mut().unwrap().remove(name);
        assert_eq!(field(&raw(&body.to_string()), &format!("/{name}")), None);
    }
}

#[test]
fn talk_about_the_subscription_is_control() {
    for kind in ["SubscriptionConfirmation", "UnsubscribeConfirmation"] {
        let body = json!({
            "Type": kind, "MessageId": "1", "TopicArn": "a", "Token": "t", "SubscribeURL": "u",
            "Message": "You have chosen to subscribe to the topic a.",
        });
        match open(&body.to_string()) {
            Ok(Envelope::Control { kind: found }) => assert_eq!(found, kind),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn errors_name_the_place_and_not_the_content() {
    for (body, text) in [
        (String::new(), "the body is empty"),
        ("\u{feff} \n".to_owned(), "the body is empty"),
        (
            "secret".to_owned(),
            "the body is not JSON: expected value, found 's' (line 1, column 1)",
        ),
        (
            "{\n  \"a\": secret}".to_owned(),
            "the body is not JSON: expected value, found 's' (line 2, column 8)",
        ),
        (
            "{} {}".to_owned(),
            "the body is not JSON: trailing characters, found '{' (line 1, column 4)",
        ),
        (
            "[\"secret\"]".to_owned(),
            "the body is not a JSON object but an array",
        ),
        (
            "\"secret\"".to_owned(),
            "the body is not a JSON object but a string",
        ),
        ("null".to_owned(), "the body is not a JSON object but null"),
        (notification(""), "the event is empty"),
        (
            notification("secret"),
            "the event is not JSON: expected value, found 's' (line 1, column 1)",
        ),
        (
            notification("[{}]"),
            "the event is not a JSON object but an array",
        ),
        (
            notification("\"{}\""),
            "the event is not a JSON object but a string",
        ),
        (
            "{\"a\": NaN, \"b\": \"\u{1}\"}".to_owned(),
            "the body is not JSON: control character (\\u0000-\\u001F) found while parsing a string, \
             found '\\u{1}' (line 1, column 18)",
        ),
        (
            "{NaN: 1}".to_owned(),
            "the body is not JSON: key must be a string, found 'N' (line 1, column 2)",
        ),
        (
            "{\"a\": nan}".to_owned(),
            "the body is not JSON: expected ident, found 'a' (line 1, column 8)",
        ),
        (
            "{\"a\": 1.}".to_owned(),
            "the body is not JSON: invalid number, found '}' (line 1, column 9)",
        ),
        (
            "{\"a\": \"secret".to_owned(),
            "the body is not JSON: EOF while parsing a string (line 1, column 13)",
        ),
        (
            "{'a': 1}".to_owned(),
            "the body is not JSON: key must be a string, found '\\'' (line 1, column 2)",
        ),
    ] {
        let error = open(&body).unwrap_err();
        assert_eq!(error.to_string(), text, "{body}");
        assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    }
}

#[test]
fn the_last_of_two_fields_of_one_name_wins() {
    let event = raw(r#"{"uid": "1", "weight": 1.0, "uid": "2", "weight": 2.0}"#);
    assert_eq!(field(&event, "/uid").as_deref(), Some("2"));
    assert_eq!(field(&event, "/weight").as_deref(), Some("2.0"));
}

#[test]
fn nesting_of_any_depth_is_passed_over_where_nobody_reads_it() {
    for (open_, close) in [("[", "]"), ("{\"a\":", "}")] {
        let depth = (1 << 20) / (open_.len() + close.len()) - 20;
        let deep = format!("{}0{}", open_.repeat(depth), close.repeat(depth));
        let event = raw(&format!("{{\"a\":{deep},\"uid\":\"1\"}}"));
        assert_eq!(field(&event, "/uid").as_deref(), Some("1"));
        let wanted = raw(&format!("{{\"uid\":{deep}}}"));
        let uid = JsonPointer::parse("/uid").unwrap();
        assert!(
            wanted.text(&uid).is_err(),
            "an object or an array is no text"
        );
    }
}

#[test]
fn a_field_of_an_event_that_nobody_reads_costs_no_mail() {
    let deep = format!("{}0{}", "[".repeat(500), "]".repeat(500));
    for unread in [
        r#""caf\udce9""#,
        r#""\ud83d""#,
        "1e400",
        "NaN",
        "-Infinity",
        "[Infinity,{\"\\udfff\":NaN}]",
        &deep,
    ] {
        for event in [
            format!(r#"{{"description":{unread},"uid":"1"}}"#),
            format!(r#"{{"uid":"1","description":{unread}}}"#),
        ] {
            for body in [event.clone(), notification(&event)] {
                let Ok(Envelope::Notification { event, .. }) = open(&body) else {
                    panic!("no event: {body:.80}");
                };
                assert_eq!(field(&event, "/uid").as_deref(), Some("1"), "{body:.80}");
            }
        }
    }
}

#[test]
fn a_number_that_json_does_not_have_is_no_text() {
    let uid = JsonPointer::parse("/uid").unwrap();
    for constant in ["NaN", "Infinity", "-Infinity"] {
        let event = raw(&format!("{{\"uid\": {constant}}}"));
        assert_eq!(
            event.text(&uid).unwrap_err().to_string(),
            format!("the field /uid is not text but {constant}")
        );
    }
}

#[test]
fn a_body_of_a_megabyte_is_opened() {
    let event = json!({"uid": "1", "summary": "x\"".repeat(300_000)}).to_string();
    let Ok(Envelope::Notification { event, .. }) = open(&notification(&event)) else {
        panic!("no notification");
    };
    assert_eq!(
        field(&event, "/summary").map(|text| text.len()),
        Some(600_000)
    );
}

#[test]
fn debug_hides_the_event_and_the_attributes() {
    let envelope = open(&notification("{\"uid\": \"secret\"}")).unwrap();
    assert!(!format!("{envelope:?}").contains("secret"));
}

#[test]
fn a_field_of_the_envelope_that_nobody_reads_costs_no_mail() {
    let deep = format!("{}0{}", "[".repeat(500), "]".repeat(500));
    for unread in [r#""\ud800""#, "1e999", &deep] {
        let body = notification(r#"{"uid":"1"}"#);
        let body = format!(r#"{{"Subject":{unread},{}"#, &body[1..]);
        let Ok(Envelope::Notification { event, .. }) = open(&body) else {
            panic!("no notification: {unread:.10}");
        };
        assert_eq!(field(&event, "/uid").as_deref(), Some("1"));
    }
}

#[test]
fn the_last_of_two_fields_of_one_name_wins_in_the_envelope_too() {
    let body = notification(r#"{"uid":"1"}"#);
    let twice = format!(r#"{{"Message":"{{}}","MessageId":"first",{}"#, &body[1..]);
    let Ok(Envelope::Notification {
        message_id, event, ..
    }) = open(&twice)
    else {
        panic!("no notification");
    };
    assert_ne!(message_id.as_deref(), Some("first"));
    assert_eq!(field(&event, "/uid").as_deref(), Some("1"));
    // One of another type at the end makes it none of SNS's.
    let odd = format!(r#"{},"MessageId":1}}"#, &body[..body.len() - 1]);
    let Ok(Envelope::Notification { message_id, .. }) = open(&odd) else {
        panic!("no notification");
    };
    assert_eq!(message_id, None);
}
