//! The nine outcomes, from the queue and back to it.

use std::time::Duration;

use organizer_notifier::ports::SendFailureKind;

use crate::rig::{Operation, Rig, Standing, Step, accept, assert_about, fail, millis, mins, secs};

#[tokio::test(start_paused = true)]
async fn a_sent_message_is_deleted() {
    let rig = Rig::new().await;
    let daemon = rig.start();
    rig.publish("dana").await;
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.mailer.times_mailed("dana"), 1);
    assert_eq!(rig.outcomes("dana"), ["sent"]);
    daemon.stop().await.is("received 1 = 1 sent");
    assert!(rig.queue.dead().is_empty());
}

#[tokio::test(start_paused = true)]
async fn another_copy_of_a_sent_message_is_a_duplicate_and_deleted() {
    let rig = Rig::new().await;
    rig.publish("dana").await;
    rig.queue.duplicate("dana", secs(5), true);
    let daemon = rig.start();
    rig.until_outcomes("dana", 1).await;
    rig.pass(secs(30)).await;
    assert_eq!(rig.mailer.times_mailed("dana"), 1);
    assert!(rig.queue.is_empty());
    daemon.stop().await.is("received 2 = 1 sent + 1 duplicate");
}

#[tokio::test(start_paused = true)]
async fn a_control_message_of_the_topic_is_ignored_and_deleted() {
    let rig = Rig::new().await;
    let body =
        r#"{"Type":"SubscriptionConfirmation","MessageId":"m","TopicArn":"t","Message":"x"}"#;
    rig.queue.send("hello", body).await;
    let daemon = rig.start();
    rig.until(|| rig.queue.is_empty()).await;
    assert!(rig.mailer.sends().is_empty());
    daemon.stop().await.is("received 1 = 1 ignored");
}

/// Rejected for what `send` publishes after it was `held` for so long, it comes back after 2 s and
/// goes to the dead-letter queue right after the second time.
async fn is_rejected_twice(rig: &Rig, held: Duration) {
    let daemon = rig.start();
    rig.until(|| rig.queue.dead() == ["bad"]).await;
    let [first, second] = &rig.queue.deliveries_of("bad")[..] else {
        panic!("two receives are all there are");
    };
    assert_about(second.at - first.at, held + secs(2), millis(200));
    assert_about(rig.now(), second.at + held, millis(300));
    let asked: Vec<_> = rig
        .queue
        .calls_for(Operation::Change, "bad")
        .iter()
        .flat_map(|call| call.seconds.clone())
        .collect();
    assert_eq!(asked, [2, 0]);
    daemon.stop().await.is("received 2 = 2 rejected");
}

#[tokio::test(start_paused = true)]
async fn a_malformed_body_is_rejected_and_dead_letters_after_its_second_receive() {
    let rig = Rig::new().await;
    rig.queue.send("bad", "no JSON").await;
    is_rejected_twice(&rig, Duration::ZERO).await;
    assert!(rig.mailer.sends().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_recipient_that_is_none_is_rejected() {
    let rig = Rig::new().await;
    rig.publish_to("bad", "dana").await;
    is_rejected_twice(&rig, Duration::ZERO).await;
    assert!(rig.mailer.sends().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_missing_field_is_rejected_where_mails_were_written_with_the_template() {
    let rig = Rig::new().await;
    rig.template.put("<p>{uid}</p>");
    let daemon = rig.start_warm().await;
    let event = serde_json::json!({ "mailto": "dana@example.com" });
    rig.publish_event("bad", &event).await;
    rig.until(|| rig.queue.dead() == ["bad"]).await;
    assert!(rig.mailer.sends_of("bad").is_empty());
    daemon.stop().await.is("received 8 = 6 sent + 2 rejected");
}

#[tokio::test(start_paused = true)]
async fn what_the_mail_service_refuses_beside_an_accepted_witness_is_tried_twice_a_receive() {
    let rig = Rig::new().await;
    rig.mailer.script(|_| fail(SendFailureKind::Refused));
    rig.mailer.script_witnesses(|_| accept());
    rig.publish("bad").await;
    is_rejected_twice(&rig, secs(1)).await;
    assert_eq!(rig.mailer.sends_of("bad").len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_alone_fails_is_deferred_then_exhausted_after_four_times_the_budget() {
    let rig = Rig::with(|settings| settings.max_elapsed = mins(2)).await;
    rig.mailer.script(|send| match send.key.as_str() {
        "bad" => fail(SendFailureKind::Transient),
        _ => accept(),
    });
    let daemon = rig.start_warm().await;
    rig.publish("bad").await;
    rig.until_outcomes("bad", 1).await;
    let deferred = rig.outcome_at("bad");
    rig.until(|| rig.queue.is_visible("bad") || rig.queue.deliveries_of("bad").len() == 2)
        .await;
    assert_about(rig.now() - deferred, mins(1), millis(100));
    rig.until_outcomes("bad", 2).await;
    assert_eq!(rig.outcomes("bad"), ["deferred", "exhausted"]);
    let [first, second] = &rig.queue.deliveries_of("bad")[..] else {
        panic!("two receives are all there are");
    };
    assert_about(deferred - first.at, mins(2), secs(1));
    assert_about(rig.outcome_at("bad") - second.at, mins(8), secs(1));
    rig.until(|| rig.queue.dead() == ["bad"]).await;
    assert_eq!(rig.errors("exhausted").len(), 1);
    daemon
        .stop()
        .await
        .is("received 8 = 6 sent + 1 deferred + 1 exhausted");
}

#[tokio::test(start_paused = true)]
async fn a_message_in_backoff_is_released_at_once_by_a_stop() {
    let rig = Rig::new().await;
    rig.mailer.script(|_| fail(SendFailureKind::Throttled));
    rig.publish("dana").await;
    let daemon = rig.start();
    rig.until(|| rig.mailer.sends().len() == 8).await;
    let end = daemon.stop().await;
    end.is("received 1 = 1 released");
    assert!(end.took < secs(2), "{end:?}");
    assert_eq!(rig.queue.state("dana"), Some((1, Standing::Visible)));
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_lease_is_lost_is_left_alone() {
    let rig = Rig::new().await;
    rig.mailer.script(|_| fail(SendFailureKind::Throttled));
    rig.publish("dana").await;
    let daemon = rig.start();
    rig.until(|| rig.mailer.sends().len() == 4).await;
    rig.queue.make_visible("dana").await;
    rig.queue.steal().await;
    rig.until_outcomes("dana", 1).await;
    let sends = rig.mailer.sends().len();
    rig.pass(mins(5)).await;
    assert_eq!(rig.outcomes("dana"), ["lost"]);
    assert_eq!(rig.mailer.sends().len(), sends, "whoever has it sends it");
    assert_eq!(rig.queue.state("dana"), Some((2, Standing::InFlight)));
    daemon.stop().await.is("received 1 = 1 lost");
}

#[tokio::test(start_paused = true)]
async fn a_panic_before_the_mail_leaves_the_message_to_its_lease() {
    let rig = Rig::new().await;
    rig.mailer.script(|send| match send.number {
        1 => Step::panic(),
        _ => accept(),
    });
    rig.mailer.script_witnesses(|_| accept());
    rig.publish("dana").await;
    let daemon = rig.start();
    rig.until_outcomes("dana", 2).await;
    assert_eq!(rig.outcomes("dana"), ["panicked", "sent"]);
    let [first, second] = &rig.queue.deliveries_of("dana")[..] else {
        panic!("two receives");
    };
    assert_about(second.at - first.at, secs(60), millis(100));
    rig.until(|| rig.queue.is_empty()).await;
    daemon.stop().await.is("received 2 = 1 sent + 1 panicked");
}
