//! Events become mails.

use std::collections::{BTreeMap, BTreeSet};

use organizer_notifier::config::{Flags, load};
use organizer_notifier::notification::{Address, Envelope, Template};
use serde_json::{Value, json};

use crate::daemon::expected::{Case, Expected, Values, case};
use crate::daemon::output::Line;
use crate::daemon::process::Daemon;
use crate::daemon::world::{TEMPLATE, World, tag};

const SAMPLES: [(&str, &str); 3] = [
    (
        include_str!("../fixtures/google.sqs-body.json"),
        include_str!("../golden/google.mail"),
    ),
    (
        include_str!("../fixtures/outlook.sqs-body.json"),
        include_str!("../golden/outlook.mail"),
    ),
    (
        include_str!("../fixtures/html_in_summary.sqs-body.json"),
        include_str!("../golden/html_in_summary.mail"),
    ),
];

#[tokio::test]
async fn three_hundred_published_events_become_three_hundred_mails_each_once() {
    let world = World::new().await;
    let daemon = Daemon::start(&world, &[]);
    let mut expected = BTreeMap::new();
    let mut golden = BTreeMap::new();
    for number in 0..300 {
        if let Some((body, mail)) = SAMPLES.get(number % 50) {
            let body: Value = serde_json::from_str(body).unwrap();
            let id = world.publish(body["Message"].as_str().unwrap()).await;
            golden.insert(id, *mail);
        } else {
            let Case {
                event,
                expected: mail,
            } = case(number);
            let event = event.to_string();
            assert_eq!(composed(&world, &event), mail, "{event}");
            expected.insert(world.publish(&event).await, mail);
        }
    }
    let mut malformed = BTreeSet::new();
    for body in ["", "{", "[]", "null", "no JSON at all", "\"text\""].map(|body| format!("{body} "))
    {
        malformed.insert(world.send(&body).await);
    }
    assert_eq!(expected.len() + golden.len(), 300);
    let done = || world.mails().len() >= 300 && world.dead().len() >= 6;
    daemon.until("300 mails and 6 dead letters", done).await;
    daemon
        .until("an empty queue", || world.queued().is_empty())
        .await;
    let ended = daemon.stop().await;

    assert!(ended.stopped_in.as_secs() < 5, "{:?}", ended.stopped_in);
    let last = ended.last_line().message();
    assert!(
        last.contains("received 312 = 300 sent + 12 rejected"),
        "{last}"
    );
    let dead: BTreeSet<_> = world
        .dead()
        .into_iter()
        .map(|dead| dead.message_id)
        .collect();
    assert_eq!(dead, malformed);
    let mails = world.mails();
    assert_eq!(mails.len(), 300);
    for mail in mails {
        let id = tag(&mail).to_owned();
        let automatic = ("Auto-Submitted".to_owned(), "auto-generated".to_owned());
        assert_eq!(mail.headers, [automatic]);
        assert!(mail.cc.is_empty() && mail.bcc.is_empty() && mail.reply_to.is_empty());
        let [line] = ended.outcomes_of(&id).try_into().unwrap();
        assert_eq!(line.text("notifier.email.id"), mail.id);
        assert_eq!(line.text("notifier.receive"), "1 of 2");
        assert!(line.text("notifier.email.to").contains("***@"), "{line:?}");
        let mail = Expected::from(mail);
        if let Some(golden) = golden.remove(&id) {
            assert_eq!(mail.written_out(), golden);
        } else {
            assert_eq!(Some(mail), expected.remove(&id), "{id}");
        }
    }
}

#[tokio::test]
async fn raw_delivery_works_as_well_and_addresses_are_masked_at_every_level() {
    let world = World::raw().await;
    let variables = [
        ("SENDER", "Διοργάνωση <noreply@example.com>"),
        ("SUBJECT", "[Reminder] {events} × {summary}"),
        ("LOG_LEVEL", "DEBUG"),
    ];
    let daemon = Daemon::started(&world, &variables).await;
    let event = json!({
        "uid": "01jd-raw-delivery",
        "mailto": "\"dana.organizer@bücher.example\"",
        "organizer": "dana.organizer[at]bücher.example",
        "summary": "Line one\r\nBcc: eve@example.net\u{202e}\u{0}",
        "events": 3,
        "Message": "not an envelope",
        "Type": "Notification",
    });
    world.publish(&event.to_string()).await;
    daemon.until("a mail", || !world.mails().is_empty()).await;
    let ended = daemon.stop().await;

    let [mail] = world.mails().try_into().ok().expect("not one mail");
    assert_eq!(
        mail.from,
        "=?UTF-8?B?zpTOuc6/z4HOs86szr3Pic+Dzrc=?= <noreply@example.com>"
    );
    assert_eq!(mail.to, ["dana.organizer@xn--bcher-kva.example"]);
    assert_eq!(mail.subject, "[Reminder] 3 × Line one Bcc: eve@example.net");
    let [line]: [Line; 1] = ended.outcomes_of(tag(&mail)).try_into().unwrap();
    assert_eq!(line.outcome(), "sent");
    assert_eq!(line.text("notifier.email.to"), "d***@xn--bcher-kva.example");
}

#[test]
fn the_mails_expected_here_are_the_golden_ones() {
    let [(_, google), (_, outlook), (_, hostile)] = SAMPLES;
    for (golden, to, summary, uid) in [
        (
            google,
            "dana.organizer@example.com",
            "Quarterly planning",
            "01jd00s3keygoogle",
        ),
        (
            outlook,
            "lee.chan@contoso.example",
            "Budget ; review, Q4 & beyond",
            "01jd01s3keyoutlook",
        ),
        (
            hostile,
            "eve@example.net",
            "<script>alert(1)</script>{uid}{mailto}",
            "01jd03s3keyhtml_in_summary",
        ),
    ] {
        let organizer = to.replace('@', "[at]");
        let values = Values {
            summary,
            organizer: &organizer,
            uid,
            events: "1",
        };
        assert_eq!(Expected::new(&[to], &values).written_out(), golden);
    }
}

/// The mail by the product's own pure part.
fn composed(world: &World, event: &str) -> Expected {
    let flags = Flags::default();
    let settings = load(&[], &flags, world.environment()).unwrap().settings;
    let template = Template::compile(TEMPLATE, &settings.message.placeholders).unwrap();
    let composer = settings.composer();
    let Ok(Envelope::Notification { event, .. }) = composer.open(event) else {
        panic!("{event} is no event");
    };
    let mail = composer.compose(&template, &event).unwrap();
    Expected {
        from: mail.from,
        to: mail
            .to
            .iter()
            .map(Address::as_str)
            .map(str::to_owned)
            .collect(),
        subject: mail.subject,
        html: mail.html.to_string(),
        text: mail.text,
    }
}
