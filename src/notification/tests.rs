//! Whole mails, made of real message bodies.

use proptest::prelude::*;

use super::*;

const TEMPLATE: &[u8] = include_bytes!("../../tests/fixtures/template.html");
const GOOGLE: &str = include_str!("../../tests/fixtures/google.sqs-body.json");
const OUTLOOK: &str = include_str!("../../tests/fixtures/outlook.sqs-body.json");
const HOSTILE: &str = include_str!("../../tests/fixtures/html_in_summary.sqs-body.json");

fn placeholder(name: &str, fallback: Option<&str>, default: Option<&str>) -> Placeholder {
    let field = if name == "mailto" { "organizer" } else { name };
    Placeholder {
        name: name.to_owned(),
        field: JsonPointer::parse(&format!("/{field}")).unwrap(),
        fallback: fallback.map(|field| JsonPointer::parse(field).unwrap()),
        default: default.map(str::to_owned),
    }
}

fn declared() -> Placeholders {
    Placeholders::new(vec![
        placeholder("mailto", Some("/mailto"), None),
        placeholder("summary", None, Some("(untitled event)")),
        placeholder("uid", None, None),
        placeholder("events", None, Some("1")),
    ])
}

fn composer() -> Composer {
    Composer::new(
        Sender::parse("Calendar Bücher, Inc. <noreply@example.com>").unwrap(),
        Subject::compile("Registered: {summary} ({uid})", &declared()),
        &[Sender::parse("Help, Desk <help@example.com>").unwrap()],
        JsonPointer::parse("/mailto").unwrap(),
        &declared(),
    )
}

fn event(body: &str) -> Event {
    match composer().open(body).unwrap() {
        Envelope::Notification { event, .. } => event,
        Envelope::Control { kind } => panic!("{kind}"),
    }
}

fn compose(body: &str) -> Result<Mail, Rejection> {
    composer().compose(
        &Template::compile(TEMPLATE, &declared()).unwrap(),
        &event(body),
    )
}

/// Everything that leaves the house.
fn written_out(mail: &Mail) -> String {
    let to: Vec<_> = mail.to.iter().map(Address::as_str).collect();
    format!(
        "From: {}\nTo: {}\nReply-To: {}\nSubject: {}\n\n--- text\n{}\n--- html\n{}",
        mail.from,
        to.join(", "),
        mail.reply_to.join(", "),
        mail.subject,
        mail.text,
        mail.html
    )
}

#[track_caller]
fn assert_golden(body: &str, golden: &str) {
    let mail = written_out(&compose(body).unwrap());
    assert!(mail == golden, "the mail is not the golden one but\n{mail}");
}

#[test]
fn a_google_event_becomes_the_golden_mail() {
    assert_golden(GOOGLE, include_str!("../../tests/golden/google.mail"));
}

#[test]
fn an_outlook_event_becomes_the_golden_mail() {
    assert_golden(OUTLOOK, include_str!("../../tests/golden/outlook.mail"));
}

#[test]
fn a_summary_of_markup_and_braces_arrives_as_it_was_written() {
    assert_golden(
        HOSTILE,
        include_str!("../../tests/golden/html_in_summary.mail"),
    );
    let mail = compose(HOSTILE).unwrap();
    assert_eq!(
        mail.subject,
        "Registered: <script>alert(1)</script>{uid}{mailto} (01jd03s3keyhtml_in_summary)"
    );
    assert!(!mail.html.to_string().contains("<script"));
    assert!(
        mail.html
            .to_string()
            .contains("&lt;script&gt;alert(1)&lt;/script&gt;{uid}{mailto}")
    );
    assert!(mail.text.contains("<script>alert(1)</script>{uid}{mailto}"));
}

#[test]
fn raw_delivery_makes_the_same_mail() {
    let body: serde_json::Value = serde_json::from_str(GOOGLE).unwrap();
    let event = body["Message"].as_str().unwrap();
    assert!(compose(event).unwrap() == compose(GOOGLE).unwrap());
}

#[test]
fn a_field_that_nobody_names_may_be_missing_or_odd() {
    let body = r#"{"mailto": "dana@example.com", "uid": 7, "paid": {}, "organizer": null}"#;
    let mail = compose(body).unwrap();
    assert_eq!(mail.subject, "Registered: (untitled event) (7)");
    assert!(mail.text.contains("Hello dana@example.com,"));
}

#[test]
fn a_rejection_says_what_is_wrong_and_not_what_was_in_it() {
    for (body, text, kind) in [
        (
            r#"{"mailto": "dana@example.com", "summary": "secret"}"#,
            "no field /uid, which the subject's {uid} needs",
            "missing_field",
        ),
        (
            r#"{"uid": "secret"}"#,
            "no recipient in the field /mailto",
            "no_recipient",
        ),
        (
            r#"{"mailto": " ,"}"#,
            "no recipient in the field /mailto",
            "no_recipient",
        ),
        (
            r#"{"mailto": ["secret@example.com"]}"#,
            "the field /mailto is not text but an array",
            "not_text",
        ),
        (
            r#"{"mailto": "secret"}"#,
            "recipient 1 is not a valid address: it is not of the form name@domain",
            "bad_recipient",
        ),
        (
            r#"{"mailto": "Noreply@Example.com"}"#,
            "recipient 1 is the sender itself, which would loop",
            "own_address",
        ),
    ] {
        let rejection = compose(body).unwrap_err();
        assert_eq!(rejection.to_string(), text);
        assert_eq!(rejection.kind(), kind);
        assert!(
            !format!("{rejection:?}").contains("secret"),
            "{rejection:?}"
        );
    }
}

#[test]
fn debug_of_a_mail_shows_its_recipients_masked_and_nothing_else() {
    let mail = compose(GOOGLE).unwrap();
    assert_eq!(format!("{mail:?}"), "Mail { to: [d***@example.com], .. }");
    assert_eq!(format!("{:?}", event(GOOGLE)), "Event { .. }");
}

/// What is needed of the events that Python's own encoder wrote, and the events.
const PYTHON: &str = include_str!("../../tests/fixtures/python-events.jsonl");

#[test]
fn what_the_servers_language_writes_and_reads_is_mailed() {
    let template = Template::compile(TEMPLATE, &declared()).unwrap();
    let mut mailed = 0;
    for line in PYTHON.lines() {
        let written: serde_json::Value = serde_json::from_str(line).unwrap();
        let body = written["event"].as_str().unwrap();
        let notification = serde_json::json!({
            "Type": "Notification", "MessageId": "1", "TopicArn": "a", "Message": body,
        });
        for body in [body, &notification.to_string()] {
            let event = event(body);
            for (name, value) in written["fields"].as_object().unwrap() {
                let field = JsonPointer::parse(&format!("/{name}")).unwrap();
                assert_eq!(
                    event.text(&field).unwrap(),
                    value.as_str(),
                    "{field} of {line}"
                );
            }
            composer().compose(&template, &event).unwrap();
            mailed += 1;
        }
    }
    assert_eq!(mailed, 400);
}

proptest! {
    /// The bounded cousin of `tests/fuzz`: bodies as they come, with pieces cut out, doubled, and put in.
    #[test]
    fn whatever_stands_in_a_body_it_becomes_a_mail_or_a_reason(
        line in 0..200_usize,
        raw in any::<bool>(),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..12_usize, piece()), 0..6),
    ) {
        let template = Template::compile(TEMPLATE, &declared()).unwrap();
        let written: serde_json::Value =
            serde_json::from_str(PYTHON.lines().nth(line).unwrap()).unwrap();
        let mut body = if raw {
            written["event"].as_str().unwrap().to_owned()
        } else {
            GOOGLE.to_owned()
        };
        for (at, length, piece) in cuts {
            let boundary = |mut place: usize| {
                place = place.min(body.len());
                while !body.is_char_boundary(place) {
                    place -= 1;
                }
                place
            };
            let at = at.index(body.len() + 1);
            let range = boundary(at)..boundary(at + length);
            body.replace_range(range, &piece);
        }
        match composer().open(&body) {
            Ok(Envelope::Notification { event, .. }) => {
                if let Err(reason) = composer().compose(&template, &event) {
                    prop_assert!(!reason.to_string().is_empty());
                }
            }
            Ok(Envelope::Control { kind }) => prop_assert!(!kind.is_empty()),
            Err(reason) => prop_assert!(!reason.to_string().is_empty()),
        }
    }
}

/// What JSON and its neighbours are made of.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[{}\\[\\]\",:\\\\ ]{1,4}",
        "\\\\u[dD][89a-fA-F][0-9a-f]{2}",
        prop::sample::select(vec![
            "NaN",
            "-Infinity",
            "1e400",
            "null",
            "\u{feff}",
            "\u{2028}",
            "\u{0}"
        ])
        .prop_map(str::to_owned),
        "\\PC{1,6}",
    ]
}

#[test]
fn what_is_often_taken_for_a_message_is_named() {
    let object = r#"{"Type": "Notification", "MessageId": "2", "TopicArn": "arn", "Message": {"mailto": "d@x.y"}}"#;
    for (body, what) in [
        (object, "an SNS envelope whose Message is an object"),
        (
            r#"{"Messages": [{"Body": "{}"}]}"#,
            "`aws sqs receive-message` prints",
        ),
        (
            r#"{"Records": [{"body": "{}", "eventSource": "aws:sqs"}]}"#,
            "what Lambda is given",
        ),
    ] {
        let error = compose(body).unwrap_err().to_string();
        assert!(
            error.starts_with("no recipient in the field /mailto: this looks like "),
            "{error}"
        );
        assert!(error.contains(what), "{error}");
    }
    let error = compose(r#"{"Messages": 5}"#).unwrap_err().to_string();
    assert_eq!(error, "no recipient in the field /mailto");
    let error = compose(r#"{"mailto": "d@x.y", "Records": []}"#).unwrap_err();
    assert_eq!(error.kind(), "missing_field");
}
