//! The template in force, and the breaker that stands for it.

use organizer_notifier::{
    notification::{JsonPointer, Placeholder, Placeholders},
    ports::{SendRate, TemplateFailureKind},
};
use serde_json::json;

use crate::rig::{
    Fetch, Operation, Rig, Send, Standing, accept, accept_after, assert_about, millis, mins, secs,
};

const STOPPED: &str = "rendering has stopped";
const GARBAGE: &[u8] = b"\xff\xfe<\x00p\x00";

/// Publishes an event without `uid`.
async fn publish_without_uid(rig: &Rig, name: &str) {
    let event = json!({ "mailto": format!("{name}@example.com"), "summary": name });
    rig.publish_event(name, &event).await;
}

#[tokio::test(start_paused = true)]
async fn the_last_good_one_serves_as_long_as_it_must_with_a_warning_an_hour() {
    for broken in [
        Fetch::Fail(TemplateFailureKind::Transient),
        Fetch::Fail(TemplateFailureKind::Missing),
        Fetch::Fail(TemplateFailureKind::AccessDenied),
        Fetch::Give(GARBAGE),
        Fetch::Give(b"<p> </p>"),
        Fetch::Give(b"<p>no placeholder</p>"),
    ] {
        let rig = Rig::new().await;
        let daemon = rig.start_warm().await;
        let told = broken.clone();
        rig.template.script(move |_| told.clone());
        for hour in 0..3 {
            rig.pass(mins(60)).await;
            let name = format!("event-{hour}");
            rig.publish(&name).await;
            rig.until_outcomes(&name, 1).await;
            assert_eq!(rig.outcomes(&name), ["sent"], "{broken:?}");
        }
        // What is not to be mailed is an error: somebody has committed it.
        let told = match broken {
            Fetch::Give(_) => rig.errors("new template refused").len(),
            _ => rig.said("template not refreshed").len(),
        };
        assert_eq!(told, 3, "{broken:?}");
        assert!(rig.errors(STOPPED).is_empty());
        daemon.stop().await.is("received 9 = 9 sent");
    }
}

#[tokio::test(start_paused = true)]
async fn each_sighup_is_answered_also_where_nothing_is_new() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.template.put("<p> </p>");
    for asked in 1..4 {
        daemon.reload();
        rig.pass(secs(1)).await;
        assert_eq!(rig.errors("new template refused").len(), asked);
    }
    rig.template
        .script(|_| Fetch::Fail(TemplateFailureKind::Transient));
    for asked in 1..4 {
        daemon.reload();
        rig.pass(secs(1)).await;
        assert_eq!(rig.said("template not refreshed").len(), asked);
    }
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn it_is_fetched_once_however_many_messages_want_it() {
    let rig = Rig::new().await;
    rig.template
        .script(|_| Fetch::Slowly(secs(2), b"<p>{summary}</p>"));
    rig.publish_many("event", 200).await;
    let daemon = rig.start();
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.template.fetches().len(), 1);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn it_is_fetched_again_when_it_is_old_whether_there_are_messages_or_not() {
    let rig = Rig::new().await;
    let daemon = rig.start();
    rig.pass(mins(21)).await;
    let fetches = rig.template.fetches();
    assert_eq!(fetches.len(), 5);
    for pair in fetches.windows(2) {
        assert_about(pair[1] - pair[0], mins(5), millis(10));
    }
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_sighup_fetches_it_now() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.template.put("<p>Another {summary}</p>");
    let fetched = rig.template.fetches().len();
    daemon.reload();
    rig.pass(millis(10)).await;
    assert_eq!(rig.template.fetches().len(), fetched + 1);
    assert_eq!(rig.said("the new template").len(), 1);
    rig.publish("dana").await;
    rig.until(|| rig.mailer.times_mailed("dana") == 1).await;
    let html = rig.mailer.last_html();
    assert!(html.starts_with("<p>Another "), "{html}");
    drop(daemon.stop().await);
}

/// A template that names `{uid}`, and five messages without it.
async fn five_that_lack_a_field() -> (Rig, crate::rig::Daemon) {
    let rig = Rig::new().await;
    rig.template.put("<p>{uid}</p>");
    let daemon = rig.start_warm().await;
    for number in 0..4 {
        publish_without_uid(&rig, &format!("lacking-{number}")).await;
    }
    rig.pass(millis(500)).await;
    assert!(rig.errors(STOPPED).is_empty(), "four are not enough");
    publish_without_uid(&rig, "lacking-4").await;
    rig.pass(millis(500)).await;
    assert_eq!(rig.errors(STOPPED).len(), 1);
    (rig, daemon)
}

fn lacking_mailed(rig: &Rig) -> usize {
    let sends = rig.mailer.sends();
    let lacking = |send: &&Send| send.key.starts_with("lacking");
    sends.iter().filter(lacking).count()
}

#[tokio::test(start_paused = true)]
async fn five_messages_that_lack_its_field_are_held_until_it_is_mended() {
    let (rig, daemon) = five_that_lack_a_field().await;
    rig.pass(mins(30)).await;
    assert!(rig.queue.dead().is_empty(), "{:?}", rig.queue.dead());
    assert_eq!(lacking_mailed(&rig), 0);
    let unready = daemon.unready();
    assert!(unready[1].ends_with("5 held: missing_field"), "{unready:?}");
    rig.template.put("<p>{summary}</p>");
    daemon.reload();
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(lacking_mailed(&rig), 5);
    assert!(rig.queue.dead().is_empty());
    let end = daemon.stop().await;
    assert!(end.clean);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_holds_the_field_shows_that_the_others_were_at_fault() {
    let (rig, daemon) = five_that_lack_a_field().await;
    rig.publish_many("whole", 5).await;
    rig.until(|| (0..5).all(|n| rig.mailer.times_mailed(&format!("whole-{n}")) == 1))
        .await;
    assert!(rig.now() < mins(10), "{:?}", rig.now());
    rig.until(|| rig.queue.dead().len() == 5).await;
    assert_eq!(lacking_mailed(&rig), 0);
    let end = daemon.stop().await;
    assert!(end.clean);
}

/// How many messages lack a field, and how many messages are held at once.
const SUSPECTS: [(usize, usize); 4] = [(1, 1), (1, 32), (40, 1), (40, 32)];

/// A template that names `{uid}`, and so many messages without it, received after a start.
async fn first_after_a_start(suspects: usize, concurrency: usize) -> (Rig, crate::rig::Daemon) {
    let rig = Rig::with(|settings| settings.concurrency = concurrency).await;
    rig.template.put("<p>{uid}</p>");
    for number in 0..suspects {
        publish_without_uid(&rig, &format!("lacking-{number}")).await;
    }
    let daemon = rig.start();
    rig.pass(mins(45)).await;
    for number in 0..suspects {
        let state = rig.queue.state(&format!("lacking-{number}"));
        assert_eq!(state, Some((1, Standing::InFlight)), "{number}");
    }
    (rig, daemon)
}

#[tokio::test(start_paused = true)]
async fn ten_messages_of_a_quiet_queue_that_lack_what_a_new_version_names_are_held_until_it_is_mended()
 {
    for concurrency in [1, 32] {
        let rig = Rig::with(|settings| settings.concurrency = concurrency).await;
        let daemon = rig.start_warm().await;
        rig.template.put("<p>{summary} {uid}</p>");
        daemon.reload();
        for number in 0..10 {
            publish_without_uid(&rig, &format!("lacking-{number}")).await;
            rig.pass(mins(5)).await;
        }
        let told = rig.said("a message lacks the field /uid, which the template's {uid} needs");
        assert_eq!(told.len(), 1);
        assert!(
            told[0]
                .text
                .contains("commit or upload a template without {uid}")
        );
        assert_eq!(rig.errors(STOPPED).len(), 1);
        rig.template.put("<p>{summary}</p>");
        daemon.reload();
        rig.until(|| rig.queue.is_empty()).await;
        assert_eq!(lacking_mailed(&rig), 10);
        assert!(rig.queue.dead().is_empty());
        drop(daemon.stop().await);
    }
}

#[tokio::test(start_paused = true)]
async fn messages_that_lack_a_field_first_after_a_start_are_mailed_once_the_template_is_mended() {
    for (suspects, concurrency) in SUSPECTS {
        let (rig, daemon) = first_after_a_start(suspects, concurrency).await;
        rig.template.put("<p>{summary}</p>");
        daemon.reload();
        rig.until(|| rig.queue.is_empty()).await;
        assert_eq!(lacking_mailed(&rig), suspects);
        assert!(rig.queue.dead().is_empty());
        drop(daemon.stop().await);
    }
}

#[tokio::test(start_paused = true)]
async fn messages_that_lack_a_field_first_after_a_start_are_rejected_once_a_mail_is_written() {
    for (suspects, concurrency) in SUSPECTS {
        let (rig, daemon) = first_after_a_start(suspects, concurrency).await;
        let published = rig.now();
        let good = rig.publish_many("whole", 40).await;
        rig.until(|| good.iter().all(|name| rig.mailer.times_mailed(name) == 1))
            .await;
        assert!(rig.now() - published < mins(2), "{:?}", rig.now());
        rig.until(|| rig.queue.dead().len() == suspects).await;
        assert!(rig.now() - published < mins(10), "{:?}", rig.now());
        for number in 0..suspects {
            let name = format!("lacking-{number}");
            assert_eq!(rig.outcomes(&name).first().unwrap(), "rejected", "{name}");
        }
        assert_eq!(lacking_mailed(&rig), 0);
        drop(daemon.stop().await);
    }
}

#[tokio::test(start_paused = true)]
async fn messages_that_lack_different_fields_are_held_and_each_field_is_told_once() {
    let placeholders = ["place", "uid"].map(|name| Placeholder {
        name: name.to_owned(),
        field: JsonPointer::parse(&format!("/{name}")).unwrap(),
        fallback: None,
        default: None,
    });
    let rig = Rig::with(|settings| {
        settings.message.placeholders = Placeholders::new(placeholders.to_vec());
    })
    .await;
    rig.template.put("<p>{place} {uid}</p>");
    let daemon = rig.start();
    for number in 0..12 {
        let mut event = json!({ "mailto": "dana@example.com", "place": "A", "uid": "B" });
        let lacking = ["place", "uid"][number % 2];
        event.as_object_mut().unwrap().remove(lacking);
        rig.publish_event(&format!("lacking-{number}"), &event)
            .await;
        rig.pass(mins(5)).await;
    }
    assert_eq!(rig.said("a message lacks the field").len(), 2);
    assert_eq!(rig.errors(STOPPED).len(), 1);
    rig.template.put("<p>Hello</p>");
    daemon.reload();
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(lacking_mailed(&rig), 12);
    assert!(rig.queue.dead().is_empty());
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_stop_releases_what_lacks_a_field_and_on_its_last_receive_says_so() {
    let rig = Rig::new().await;
    rig.template.put("<p>{uid}</p>");
    publish_without_uid(&rig, "lacking").await;
    for receive in 1..=2 {
        let daemon = rig.start();
        rig.pass(mins(2)).await;
        daemon.stop().await.is("received 1 = 1 released");
        let told = rig.errors("before it knew whether the message or the account");
        assert_eq!(told.len(), receive - 1);
    }
}

#[tokio::test(start_paused = true)]
async fn while_it_is_suspected_one_message_is_received_now_and_then() {
    let (rig, daemon) = five_that_lack_a_field().await;
    let from = rig.now() + secs(25);
    for number in 0..30 {
        publish_without_uid(&rig, &format!("more-{number}")).await;
    }
    rig.pass(mins(10)).await;
    let calls = rig.queue.calls(Operation::Receive);
    let late: Vec<_> = calls.iter().filter(|call| call.at > from).collect();
    assert!(late.iter().all(|call| call.asked == 1), "{late:?}");
    assert!((5..40).contains(&late.len()), "{}", late.len());
    let end = daemon.stop().await;
    assert!(end.clean);
}

#[tokio::test(start_paused = true)]
async fn a_new_version_goes_for_what_is_received_after_it() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|send| match send.key.as_str() {
        "before" => accept_after(secs(5)),
        _ => accept(),
    });
    rig.publish("before").await;
    rig.until(|| !rig.mailer.sends_of("before").is_empty())
        .await;
    assert!(rig.mailer.last_html().contains("before"));
    rig.template.put("<p>New {summary}</p>");
    rig.pass(mins(6)).await;
    rig.publish("after").await;
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.mailer.last_html(), "<p>New after</p>");
    daemon.stop().await.is("received 8 = 8 sent");
}

#[tokio::test(start_paused = true)]
async fn at_a_low_rate_what_lacks_a_field_does_not_keep_out_the_message_that_holds_it() {
    for proven in [false, true] {
        let rig =
            Rig::with(|settings| settings.email.max_send_rate = SendRate::PerSecond(0.2)).await;
        rig.template.put("<p>{uid}</p>");
        let daemon = if proven {
            rig.start_warm().await
        } else {
            rig.start()
        };
        for number in 0..10 {
            publish_without_uid(&rig, &format!("lacking-{number}")).await;
        }
        rig.pass(mins(1)).await;
        let good = rig.publish_many("whole", 2).await;
        let published = rig.now();
        rig.until(|| good.iter().all(|name| rig.mailer.times_mailed(name) == 1))
            .await;
        assert!(
            rig.now() - published < mins(10),
            "{:?}",
            rig.now() - published
        );
        rig.until(|| rig.queue.dead().len() == 10).await;
        assert!(
            rig.now() - published < mins(10),
            "{:?}",
            rig.now() - published
        );
        assert_eq!(lacking_mailed(&rig), 0);
        drop(daemon.stop().await);
    }
}
