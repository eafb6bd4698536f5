//! What the mail service says of its mails: sends without an answer are settled by its events.

use organizer_notifier::ports::{MailPurpose, QueueFailureKind, SendFailureKind};
use serde_json::json;

use crate::rig::{
    Operation, Reaction, Rig, accept, accept_after, assert_about, fail, hang, in_envelope, millis,
    mins, secs,
};

#[tokio::test(start_paused = true)]
async fn a_send_without_an_answer_is_sent_when_its_event_comes() {
    let rig = Rig::with_feedback(secs(2), |_| {}).await;
    let daemon = rig.start_warm().await;
    // The event comes 12 s after the send begins, 2 s after the answer is given up.
    rig.publish_events(secs(12));
    publish_unanswered(&rig).await;
    rig.until_outcomes("dana", 1).await;
    assert_eq!(rig.outcomes("dana"), ["sent"]);
    let sends = rig.mailer.sends_of("dana");
    assert_eq!(sends.len(), 1);
    assert_about(rig.outcome_at("dana") - sends[0].at, secs(12), millis(100));
    let told = rig.said("sent, as an event of SES's shows");
    assert_eq!(told[0].fields["notifier.email.id"], "dana-1");
    rig.until(|| rig.queue.is_empty()).await;
    daemon.stop().await.is("received 7 = 7 sent");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_before_the_answer_is_given_up_ends_no_send_and_stands_for_the_answer()
{
    let rig = Rig::with_feedback(secs(1), |_| {}).await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| hang().but_mailed());
    let names = rig.publish_many("m", 20).await;
    rig.until(|| rig.queue.is_empty()).await;
    for name in &names {
        assert_eq!(rig.mailer.times_mailed(name), 1, "{name}");
        let sent = rig.mailer.sends_of(name)[0].at;
        assert!(rig.outcome_at(name) - sent >= secs(10), "{name}");
    }
    // Nothing has failed: the mail service took each of them.
    assert!(rig.errors("sending has stopped").is_empty());
    daemon.stop().await.is("received 26 = 26 sent");
}

#[tokio::test(start_paused = true)]
async fn without_an_event_the_old_rule_holds_and_says_so() {
    let rig = Rig::with_feedback(secs(1), |_| {}).await;
    let daemon = rig.start_warm().await;
    rig.publish_no_events();
    rig.mailer.script(|send| match send.number {
        1 => hang().but_mailed(),
        _ => accept(),
    });
    rig.publish("dana").await;
    rig.until_outcomes("dana", 1).await;
    let sends = rig.mailer.sends_of("dana");
    assert_about(sends[1].at - sends[0].at, secs(40), secs(2));
    let told = rig.said("no event about this mail came within 30s");
    assert_eq!(told.len(), 1);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn where_no_events_arrive_one_patience_is_waited_and_no_more() {
    let rig = Rig::with_feedback(secs(1), |settings| settings.feedback.patience = secs(3)).await;
    rig.publish_no_events();
    let daemon = rig.start_warm().await;
    rig.pass(secs(5)).await;
    assert_eq!(rig.said("no events arrive in the feedback queue").len(), 1);
    rig.dana_is_sent_again_without_a_wait().await;
    assert_eq!(rig.said("no event is waited for, because").len(), 1);
    // A line a minute.
    rig.pass(mins(3)).await;
    assert_eq!(rig.said("no events arrive in the feedback queue").len(), 4);
    // The next event shows that it hears again.
    rig.publish_events(secs(1));
    rig.mailer.script(|_| accept());
    rig.publish("joe").await;
    rig.until(|| rig.said("events arrive again").len() == 1)
        .await;
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn where_the_feedback_queue_fails_mails_go_their_way() {
    let rig = Rig::with_feedback(secs(1), |_| {}).await;
    rig.feedback.fail(Some(QueueFailureKind::AccessDenied));
    let daemon = rig.start_warm().await;
    rig.dana_is_sent_again_without_a_wait().await;
    rig.pass(mins(3)).await;
    let lines = rig
        .errors("the feedback queue feedback cannot be received from")
        .len();
    assert!((3..=5).contains(&lines), "{lines}");
    assert_eq!(rig.said("by SES's events in feedback").len(), 0);
    assert!(daemon.unready().is_empty());
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_for_its_event_holds_up_nobody() {
    let rig = Rig::with_feedback(secs(25), |settings| settings.concurrency = 1).await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|send| match send.key.as_str() {
        "dana" => hang().but_mailed(),
        _ => accept(),
    });
    rig.publish("dana").await;
    rig.until(|| rig.mailer.sends_of("dana").len() == 1).await;
    rig.publish("joe").await;
    rig.until_outcomes("joe", 1).await;
    assert!(rig.outcomes("dana").is_empty());
    let waited = rig.outcome_at("joe") - rig.mailer.sends_of("dana")[0].at;
    assert!(waited < secs(12), "{waited:?}");
    rig.until_outcomes("dana", 1).await;
    assert_eq!(rig.outcomes("dana"), ["sent"]);
    assert_eq!(rig.mailer.times_mailed("dana"), 1);
    daemon.stop().await.is("received 8 = 8 sent");
}

#[tokio::test(start_paused = true)]
async fn at_a_stop_an_event_is_awaited_to_the_last_moment() {
    let rig = Rig::with_feedback(secs(25), |_| {}).await;
    let daemon = rig.start_warm().await;
    publish_unanswered(&rig).await;
    rig.pass(secs(12)).await;
    let end = daemon.stop().await;
    end.is("received 7 = 7 sent");
    assert_about(end.took, secs(13), secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_mail_whose_event_does_not_come_before_the_end_is_left_to_its_lease() {
    let rig = Rig::with_feedback(mins(5), |_| {}).await;
    let daemon = rig.start_warm().await;
    publish_unanswered(&rig).await;
    rig.pass(secs(12)).await;
    let end = daemon.stop().await;
    end.left_a_send("received 7 = 6 sent + 1 deferred");
    assert!(!rig.queue.is_visible("dana"));
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_what_events_name_is_not_mailed_again() {
    let rig = Rig::with_feedback(secs(1), |_| {}).await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| accept());
    hang_deletes(&rig);
    rig.publish("dana").await;
    rig.until_outcomes("dana", 1).await;
    daemon.kill().await;
    rig.queue.react(|_| Reaction::Pass);
    rig.pass(mins(2)).await;
    rig.feedback.slow_down(secs(2));
    let daemon = rig.start();
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.outcomes("dana"), ["sent", "duplicate"]);
    assert_eq!(rig.mailer.times_mailed("dana"), 1);
    daemon.stop().await.is("received 1 = 1 duplicate");
}

#[tokio::test(start_paused = true)]
async fn an_event_stays_in_its_queue_until_its_mail_is_settled() {
    let rig = Rig::with_feedback(secs(1), |_| {}).await;
    let daemon = rig.start_warm().await;
    publish_unanswered(&rig).await;
    // The event has been read, and no answer has come yet.
    rig.pass(secs(4)).await;
    daemon.kill().await;
    rig.mailer.script(|_| accept());
    rig.pass(mins(2)).await;
    let daemon = rig.start();
    rig.until_outcomes("dana", 1).await;
    assert_eq!(rig.outcomes("dana"), ["duplicate"]);
    assert_eq!(rig.mailer.times_mailed("dana"), 1);
    rig.until(|| rig.feedback.len() == 0).await;
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_too_late_for_a_stop_is_left_to_the_next_process() {
    let rig = Rig::with_feedback(secs(34), |_| {}).await;
    let daemon = rig.start_warm().await;
    publish_unanswered(&rig).await;
    // A delete fails, so that the end takes its time.
    hang_deletes(&rig);
    rig.publish("erin").await;
    rig.pass(secs(12)).await;
    let end = daemon.stop().await;
    end.left_a_send("received 8 = 7 sent + 1 deferred");
    assert!(end.took > secs(22), "{:?}", end.took);
    rig.queue.react(|_| Reaction::Pass);
    rig.mailer.script(|_| accept());
    rig.pass(mins(2)).await;
    let daemon = rig.start();
    rig.until_outcomes("dana", 2).await;
    assert_eq!(rig.outcomes("dana"), ["deferred", "duplicate"]);
    assert_eq!(rig.mailer.times_mailed("dana"), 1);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_before_its_answer_is_not_missed_after_it() {
    let rig = Rig::with_feedback(secs(1), |settings| settings.feedback.patience = secs(5)).await;
    let daemon = rig.start_warm().await;
    rig.pass(secs(10)).await;
    rig.mailer.script(|_| accept_after(secs(4)));
    rig.publish("dana").await;
    rig.until_outcomes("dana", 1).await;
    rig.pass(secs(20)).await;
    assert!(
        rig.said("no events arrive in the feedback queue")
            .is_empty()
    );
    rig.publish_events(secs(12));
    rig.mailer.script(|_| hang().but_mailed());
    rig.publish("erin").await;
    rig.until_outcomes("erin", 1).await;
    assert_eq!(rig.mailer.times_mailed("erin"), 1);
    daemon.stop().await.is("received 8 = 8 sent");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_before_its_witnesss_answer_is_not_missed_after_it() {
    let rig = Rig::with_feedback(secs(1), |settings| settings.feedback.patience = secs(5)).await;
    rig.mailer.script_witnesses(|_| accept_after(secs(4)));
    let daemon = rig.start();
    rig.pass(secs(30)).await;
    assert_eq!(rig.mailer.witnesses().len(), 1);
    assert!(
        rig.said("no events arrive in the feedback queue")
            .is_empty()
    );
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn an_event_ends_a_message_that_waits_for_its_next_attempt() {
    let rig = Rig::with_feedback(secs(100), |settings| settings.feedback.patience = secs(5)).await;
    let daemon = rig.start_warm().await;
    rig.pass(secs(110)).await;
    // The mail goes out, and then nothing does for long.
    rig.mailer.script(|send| match send.number {
        1 => hang().but_mailed(),
        _ => fail(SendFailureKind::Transient),
    });
    rig.publish("dana").await;
    rig.until_outcomes("dana", 1).await;
    assert_eq!(rig.outcomes("dana"), ["sent"]);
    let first = rig.mailer.sends_of("dana")[0].at;
    assert_about(rig.outcome_at("dana") - first, secs(100), secs(1));
    assert_eq!(rig.mailer.times_mailed("dana"), 1);
    daemon.stop().await.is("received 7 = 7 sent");
}

#[tokio::test(start_paused = true)]
async fn where_answers_never_come_events_alone_get_everything_mailed_once() {
    let rig = Rig::with_feedback(secs(13), |_| {}).await;
    rig.mailer.script(|_| hang().but_mailed());
    let names = rig.publish_many("m", 60).await;
    let daemon = rig.start();
    rig.until(|| rig.queue.is_empty()).await;
    for name in &names {
        assert_eq!(rig.mailer.times_mailed(name), 1, "{name}");
    }
    assert!(rig.queue.dead().is_empty());
    assert!(rig.now() < mins(10), "{:?}", rig.now());
    daemon.stop().await.is("received 60 = 60 sent");
}

#[tokio::test(start_paused = true)]
async fn a_trouble_with_a_mail_is_one_line() {
    let rig = Rig::with_feedback(secs(1), |_| {}).await;
    let daemon = rig.start_warm().await;
    rig.publish("dana").await;
    rig.until(|| rig.queue.is_empty()).await;
    let taken = rig.mailer.taken("dana");
    let bounce = taken.event(
        "Bounce",
        (
            "bounce",
            json!({
                "bounceType": "Permanent",
                "bounceSubType": "General",
                "bouncedRecipients": [{
                    "emailAddress": "dana@example.com",
                    "status": "5.1.1 (dana@example.com unknown)",
                    "diagnosticCode": "smtp; 550 5.1.1 <dana@example.com>: user unknown",
                }],
            }),
        ),
    );
    // Both SES and SNS may deliver an event twice.
    rig.feedback.send(&in_envelope(&bounce)).await;
    rig.feedback.send(&bounce.to_string()).await;
    let reject = taken.event("Reject", ("reject", json!({ "reason": "Bad content" })));
    rig.feedback.send(&in_envelope(&reject)).await;
    rig.until(|| rig.feedback.len() == 0).await;
    let told = rig.said("a mail bounced");
    assert_eq!(told.len(), 1);
    let fields = &told[0].fields;
    assert_eq!(fields["notifier.notification.id"], "dana");
    assert_eq!(fields["notifier.email.id"], "dana-1");
    assert_eq!(fields["notifier.email.to"], "d***@example.com");
    assert_eq!(fields["notifier.event.type"], "Permanent");
    assert_eq!(
        fields["notifier.event.status"],
        "5.1.1 (d***@example.com unknown)"
    );
    assert!(fields["notifier.event.diagnostic"].contains("d***@example.com"));
    let rejected = rig.said("will not deliver it");
    assert_eq!(rejected[0].fields["notifier.event.type"], "Bad content");
    daemon.stop().await.is("received 7 = 7 sent");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_event_of_ours_is_told_and_left_or_counted_and_gone() {
    let rig = Rig::with_feedback(secs(1), |_| {}).await;
    let daemon = rig.start_warm().await;
    let greeting = "Successfully validated SNS topic for Amazon SES event publishing.";
    rig.feedback.send(greeting).await;
    rig.publish("dana").await;
    rig.until(|| rig.queue.is_empty()).await;
    let taken = rig.mailer.taken("dana");
    let mut sibling = taken.sent();
    sibling["mail"]["tags"]["queue"] = json!(["other"]);
    rig.feedback.send(&in_envelope(&sibling)).await;
    let mut stranger = taken.sent();
    stranger["mail"]["tags"] = json!({});
    rig.feedback.send(&in_envelope(&stranger)).await;
    rig.until(|| rig.feedback.len() == 0).await;
    assert_eq!(rig.said("events of mails of the queue other").len(), 1);
    rig.feedback.send("not an event").await;
    rig.pass(mins(125)).await;
    assert_eq!(rig.feedback.len(), 1);
    let told = rig.said("the feedback queue feedback holds").len();
    assert!((2..=3).contains(&told), "{told}");
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_second_mail_of_a_message_is_told_once() {
    let rig = Rig::with_feedback(secs(1), |_| {}).await;
    let daemon = rig.start_warm().await;
    rig.publish("dana").await;
    rig.until(|| rig.queue.is_empty()).await;
    let mut twin = rig.mailer.taken("dana");
    twin.email_id = "another".to_owned();
    rig.feedback.send(&in_envelope(&twin.sent())).await;
    let delivered = twin.event("Delivery", ("delivery", json!({})));
    rig.feedback.send(&in_envelope(&delivered)).await;
    rig.until(|| rig.feedback.len() == 0).await;
    assert_eq!(rig.said("a mail was sent twice").len(), 1);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn the_dead_letter_queue_is_no_feedback_queue() {
    let rig = Rig::with_feedback(secs(1), |settings| {
        settings.feedback.queue_url = Some("http://127.0.0.1:4566/000000000000/dead".to_owned());
    })
    .await;
    let why = rig.start().not_started().await;
    assert!(why.contains("dead, the dead-letter queue of"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_backlog_that_cannot_be_read_in_ten_seconds_is_told_and_holds_up_nothing_longer() {
    let rig = Rig::with_feedback(secs(1), |settings| {
        // Else feedback would be deaf by then, and nothing would be waited for.
        settings.feedback.patience = secs(30);
    })
    .await;
    for _ in 0..20 {
        rig.feedback.send("no event, which stays").await;
    }
    rig.feedback.slow_down(secs(6));
    rig.publish("dana").await;
    let daemon = rig.start();
    rig.until_outcomes("dana", 1).await;
    assert_about(rig.outcome_at("dana"), secs(10), secs(2));
    assert_eq!(rig.said("still holds events after 10s").len(), 1);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_a_person_waits_for_is_left_to_them_for_two_minutes() {
    let rig = Rig::with_feedback(secs(1), |_| {}).await;
    let daemon = rig.start_warm().await;
    rig.publish("dana").await;
    rig.until(|| rig.queue.is_empty()).await;
    let mut taken = rig.mailer.taken("dana");
    taken.purpose = MailPurpose::Check;
    rig.until(|| rig.feedback.len() == 0).await;
    let began = rig.now();
    rig.feedback.send(&in_envelope(&taken.sent())).await;
    rig.pass(secs(100)).await;
    assert_eq!(rig.feedback.len(), 1);
    rig.until(|| rig.feedback.len() == 0).await;
    assert!(rig.now() - began < mins(4), "{:?}", rig.now() - began);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_a_person_waits_for_holds_up_no_start() {
    let rig = Rig::with_feedback(secs(1), |_| {}).await;
    let daemon = rig.start_warm().await;
    rig.publish("dana").await;
    rig.until(|| rig.queue.is_empty()).await;
    let mut taken = rig.mailer.taken("dana");
    taken.purpose = MailPurpose::Check;
    rig.until(|| rig.feedback.len() == 0).await;
    drop(daemon.stop().await);
    rig.feedback.send(&in_envelope(&taken.sent())).await;
    rig.publish("erin").await;
    let began = rig.now();
    let daemon = rig.start();
    rig.until_outcomes("erin", 1).await;
    assert!(
        rig.outcome_at("erin") - began < secs(4),
        "{:?}",
        rig.now() - began
    );
    assert!(rig.said("still holds events after").is_empty());
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn the_event_of_the_starts_witness_stands_for_its_answer() {
    let rig = Rig::with_feedback(secs(15), |_| {}).await;
    rig.mailer.script(|_| accept());
    rig.mailer.script_witnesses(|_| hang().but_mailed());
    rig.publish("dana").await;
    let daemon = rig.start();
    rig.until_outcomes("dana", 1).await;
    // A second to read the queue empty, and then the witness's event.
    assert_about(rig.outcome_at("dana"), secs(17), secs(2));
    assert_eq!(rig.outcomes("dana"), ["sent"]);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_may_have_been_mailed_says_so_whatever_its_end_is() {
    let rig = Rig::with_feedback(secs(1), |settings| {
        settings.feedback.patience = secs(2);
        settings.max_elapsed = mins(1);
    })
    .await;
    let daemon = rig.start_warm().await;
    rig.publish_no_events();
    rig.mailer.script(|send| match send.number {
        1 => hang(),
        _ => fail(SendFailureKind::Transient),
    });
    rig.publish("dana").await;
    rig.until_outcomes("dana", 1).await;
    assert_eq!(rig.outcomes("dana"), ["deferred"]);
    let told = rig.said("its time for retries (retry.max_elapsed) is over");
    assert!(
        told[0]
            .text
            .ends_with("one attempt had no answer: the mail may have been sent"),
        "{}",
        told[0].text
    );
    drop(daemon.stop().await);
}

/// A message whose mail goes out, and whose send has no answer.
async fn publish_unanswered(rig: &Rig) {
    rig.mailer.script(|send| match send.key.as_str() {
        "dana" => hang().but_mailed(),
        _ => accept(),
    });
    rig.publish("dana").await;
    rig.until(|| rig.mailer.sends_of("dana").len() == 1).await;
}

fn hang_deletes(rig: &Rig) {
    rig.queue.react(|call| match call.operation {
        Operation::Delete => Reaction::Hang,
        _ => Reaction::Pass,
    });
}
