//! Several daemons, or one after another, over one table.

use std::time::Duration;

use organizer_notifier::ports::{
    QueueFailureKind, SendFailureKind, SendRate,
    table::{ClockDifference, TableFailureKind},
};
use tokio::time::advance;

use crate::rig::{
    Daemon, Item, Rig, accept, accept_after, assert_about, fail, hang, millis, mins, secs,
};

fn is_sent(rig: &Rig, name: &str) -> bool {
    matches!(
        rig.table.item(&format!("q#{name}")),
        Some(Item::Sent { .. })
    )
}

/// A daemon that sends dana's mail, which takes so long, and receives nothing more.
async fn sending_last(rig: &Rig, takes: Duration) -> Daemon {
    let daemon = rig.start_warm().await;
    rig.mailer.script(move |_| accept_after(takes));
    rig.publish("dana").await;
    rig.until(|| rig.mailer.sends_of("dana").len() == 1).await;
    daemon.signal();
    daemon
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_another_daemon_gets_waits_and_is_a_duplicate() {
    let rig = Rig::with_table(|_| {}).await;
    let one = sending_last(&rig, secs(5)).await;
    rig.queue.duplicate("dana", millis(500), true);
    let other = rig.start();
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.mailer.times_mailed("dana"), 1);
    one.end().await.is("received 7 = 7 sent");
    other.stop().await.is("received 1 = 1 duplicate");
    assert!(is_sent(&rig, "dana"));
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_daemon_had_sent_is_known_by_its_event() {
    let rig = Rig::with_feedback(secs(3), |settings| {
        settings.ledger.table = Some("mails".to_owned());
    })
    .await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| hang().but_mailed());
    rig.publish("dana").await;
    rig.until(|| rig.mailer.times_mailed("dana") == 1).await;
    daemon.kill().await;
    assert!(!is_sent(&rig, "dana"));
    rig.mailer.script(|_| accept());
    let next = rig.start();
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.mailer.times_mailed("dana"), 1);
    assert!(is_sent(&rig, "dana"));
    next.stop().await.is("received 1 = 1 duplicate");
}

#[tokio::test(start_paused = true)]
async fn without_events_the_mail_of_a_killed_daemon_goes_again_once_its_claim_has_ended() {
    let rig = Rig::with_table(|settings| settings.queue.visibility_timeout = secs(15)).await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| hang());
    rig.publish("dana").await;
    rig.until(|| rig.mailer.sends_of("dana").len() == 1).await;
    daemon.kill().await;
    rig.mailer.script(|_| accept());
    let next = rig.start();
    rig.until(|| rig.queue.is_empty()).await;
    let sends = rig.mailer.sends_of("dana");
    assert_about(sends[1].at - sends[0].at, secs(28), secs(2));
    next.stop().await.is("received 1 = 1 sent");
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_before_a_restart_is_a_duplicate_after_a_redrive() {
    let rig = Rig::with_table(|_| {}).await;
    let daemon = rig.start_warm().await;
    rig.publish("dana").await;
    rig.until(|| rig.queue.is_empty()).await;
    daemon.stop().await.is("received 7 = 7 sent");
    let next = rig.start();
    rig.publish("dana").await;
    rig.until_outcomes("dana", 2).await;
    assert_eq!(rig.outcomes("dana"), ["sent", "duplicate"]);
    next.stop().await.is("received 1 = 1 duplicate");
}

#[tokio::test(start_paused = true)]
async fn a_mail_that_did_not_go_is_free_for_whoever_receives_its_message_next() {
    let rig = Rig::with_table(|settings| settings.max_elapsed = secs(1)).await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| fail(SendFailureKind::Transient));
    rig.publish("dana").await;
    rig.until_outcomes("dana", 1).await;
    rig.pass(millis(100)).await;
    assert_eq!(rig.table.item("q#dana"), None);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_released_at_a_stop_has_no_claim() {
    let rig = Rig::with_table(|_| {}).await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| fail(SendFailureKind::Transient));
    rig.publish("dana").await;
    rig.until(|| rig.mailer.sends_of("dana").len() >= 2).await;
    drop(daemon.stop().await);
    assert_eq!(rig.table.item("q#dana"), None);
    rig.mailer.script(|_| accept());
    let next = rig.start();
    rig.until(|| rig.queue.is_empty()).await;
    next.stop().await.is("received 1 = 1 sent");
}

#[tokio::test(start_paused = true)]
async fn at_the_end_of_a_stop_that_the_process_slept_through_a_slow_table_takes_away_no_outcome() {
    let rig = Rig::with_table(|_| {}).await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| hang());
    rig.publish("dana").await;
    rig.until(|| rig.mailer.sends_of("dana").len() == 1).await;
    rig.table.answer_after(millis(900));
    daemon.signal();
    rig.pass(millis(1)).await;
    // Past the moment at which workers must return.
    advance(secs(26)).await;
    let end = daemon.end().await;
    assert_eq!(end.tally, "received 7 = 6 sent + 1 released");
    assert!(end.took <= secs(1), "{:?}", end.took);
    assert_eq!(rig.outcomes("dana"), ["released"]);
}

#[tokio::test(start_paused = true)]
async fn a_table_that_fails_holds_mails_up_for_its_patience_and_no_longer() {
    let rig = Rig::with_table(|_| {}).await;
    let daemon = rig.start_warm().await;
    rig.table.fail(TableFailureKind::Transient);
    let began = rig.now();
    let names = rig.publish_many("m", 40).await;
    rig.until(|| rig.queue.is_empty()).await;
    assert_about(rig.now() - began, secs(11), secs(3));
    assert_eq!(rig.said("mails are sent without it").len(), 1);
    assert!(daemon.unready().is_empty());
    rig.pass(mins(3)).await;
    assert_eq!(
        rig.said("mails are sent without it").len(),
        4,
        "a line a minute"
    );
    rig.table.fail(None);
    rig.pass(secs(10)).await;
    assert_eq!(rig.said("mails answers again after").len(), 1);
    for name in &names {
        assert_eq!(rig.mailer.times_mailed(name), 1, "{name}");
        assert!(is_sent(&rig, name), "{name}");
    }
    daemon.stop().await.is("received 46 = 46 sent");
}

#[tokio::test(start_paused = true)]
async fn a_table_that_refuses_claims_now_and_then_is_told_once_a_minute() {
    let rig = Rig::with_table(|_| {}).await;
    let daemon = rig.start_warm().await;
    for number in 0..120 {
        rig.table.fail_only("PutItem", TableFailureKind::Throttled);
        rig.publish(&format!("m-{number}")).await;
        rig.pass(millis(200)).await;
        rig.table.fail(None);
        rig.pass(millis(800)).await;
    }
    let told = rig
        .said("mails cannot be claimed in the ledger's table mails")
        .len();
    assert!((2..=3).contains(&told), "{told}");
    let over = rig.said("mails answers again after").len();
    assert!(over.abs_diff(told) <= 1, "{over} {told}");
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn where_mails_wait_for_the_table_as_long_as_it_takes_the_silence_names_it() {
    let rig = Rig::with_table(|settings| settings.ledger.patience = None).await;
    let daemon = rig.start_warm().await;
    rig.table.fail(TableFailureKind::Transient);
    rig.publish("dana").await;
    rig.pass(mins(2)).await;
    let silent = rig.errors("no mail has been accepted for");
    let text = &silent[0].text;
    assert!(text.contains("the last failure: PutItem: "), "{text}");
    rig.table.fail(None);
    rig.until(|| rig.queue.is_empty()).await;
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn an_event_stays_in_its_queue_until_the_table_has_it() {
    let rig = Rig::with_feedback(millis(500), |settings| {
        settings.ledger.table = Some("mails".to_owned());
    })
    .await;
    let daemon = rig.start_warm().await;
    rig.pass(secs(8)).await;
    rig.table.fail(TableFailureKind::Transient);
    rig.publish("dana").await;
    rig.until(|| rig.queue.is_empty()).await;
    rig.pass(mins(2)).await;
    assert_eq!(rig.feedback.len(), 1);
    rig.table.fail(None);
    rig.pass(mins(2)).await;
    assert_eq!(rig.feedback.len(), 0);
    assert!(is_sent(&rig, "dana"));
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_message_whose_record_cannot_be_written_is_deleted_after_two_seconds() {
    let rig = Rig::with_table(|_| {}).await;
    let daemon = rig.start_warm().await;
    rig.table.batches_take(0);
    rig.publish("dana").await;
    rig.until(|| rig.queue.is_empty()).await;
    let sent = rig.mailer.sends_of("dana")[0].at;
    assert_about(rig.now() - sent, secs(2), millis(200));
    rig.table.batches_take(None);
    rig.pass(secs(2)).await;
    assert!(is_sent(&rig, "dana"));
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_not_there_ends_the_start_and_says_so() {
    let rig = Rig::with_table(|_| {}).await;
    rig.table.fail(TableFailureKind::NotFound);
    let daemon = rig.start();
    let reason = daemon.not_started().await;
    assert!(
        reason.contains("the ledger's table mails cannot be used"),
        "{reason}"
    );
    assert!(reason.contains("check ledger.table"), "{reason}");
    assert_eq!(
        rig.errors("not started yet: the ledger's table mails")
            .len(),
        3
    );
}

#[tokio::test(start_paused = true)]
async fn a_table_that_does_not_answer_does_not_hold_up_the_start() {
    let rig = Rig::with_table(|_| {}).await;
    rig.table.fail(TableFailureKind::Transient);
    let daemon = rig.start();
    rig.publish("dana").await;
    rig.until(|| rig.queue.is_empty()).await;
    assert!(rig.now() < secs(3), "{:?}", rig.now());
    let plan = "only this task's duplicates are known until the table mails answers";
    assert_eq!(rig.said(plan).len(), 1);
    rig.table.fail(None);
    rig.pass(secs(10)).await;
    assert!(is_sent(&rig, "dana"));
    daemon.stop().await.is("received 1 = 1 sent");
}

/// A daemon that has dana on its last receive, and waits for the claim of one that was killed while it sent.
/// Events that do not come are waited for, so that the claim lasts 58 s.
async fn waits_for_a_killed_ones_claim() -> (Rig, Daemon) {
    let rig = Rig::with_feedback(secs(1), |settings| {
        settings.ledger.table = Some("mails".to_owned());
        settings.queue.visibility_timeout = secs(15);
    })
    .await;
    let daemon = rig.start_warm().await;
    rig.publish_no_events();
    rig.mailer.script(|_| hang());
    rig.publish("dana").await;
    rig.until(|| rig.mailer.sends_of("dana").len() == 1).await;
    daemon.kill().await;
    let next = rig.start();
    rig.pass(secs(45)).await;
    assert_eq!(rig.mailer.sends_of("dana").len(), 1);
    (rig, next)
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_for_another_daemons_claim_is_released_at_a_stop() {
    let (_rig, next) = waits_for_a_killed_ones_claim().await;
    next.stop().await.is("received 1 = 1 released");
}

#[tokio::test(start_paused = true)]
async fn an_event_that_reaches_another_daemon_settles_a_send_whose_own_daemon_hears_nothing() {
    let rig = Rig::with_feedback(secs(3), |settings| {
        settings.ledger.table = Some("mails".to_owned());
        settings.feedback.patience = secs(20);
    })
    .await;
    rig.publish_no_events();
    let one = rig.start_warm().await;
    rig.pass(secs(25)).await;
    rig.mailer.script(|_| hang().but_mailed());
    rig.publish("dana").await;
    // Its send ends without an answer after 10 s, and others have heard of it by then.
    rig.pass(secs(8)).await;
    rig.table.others_record("q#dana", "mail-1");
    rig.until_outcomes("dana", 1).await;
    assert_eq!(rig.outcomes("dana"), ["sent"]);
    assert_eq!(rig.mailer.times_mailed("dana"), 1);
    drop(one.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_an_hour_off_is_told_at_the_start_and_one_of_seconds_is_not() {
    let rig = Rig::with_table(|_| {}).await;
    rig.table.differs_by(ClockDifference::Behind(secs(3)));
    let daemon = rig.start_warm().await;
    assert!(rig.said("this machine's clock is").is_empty());
    drop(daemon.stop().await);
    rig.table.differs_by(ClockDifference::Ahead(mins(60)));
    let daemon = rig.start_warm().await;
    let told =
        rig.said("this machine's clock is 60 min 0 s ahead of the clock of the ledger's table");
    assert_eq!(told.len(), 1);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_another_daemon_has_sent_by_the_stop_is_no_dead_letter() {
    let (rig, next) = waits_for_a_killed_ones_claim().await;
    // Between two looks at the table others record it, and the stop is in a hurry.
    rig.table.others_record("q#dana", "mail-1");
    next.signal();
    next.stop().await.is("received 1 = 1 duplicate");
    assert!(rig.queue.dead().is_empty());
}

#[tokio::test(start_paused = true)]
async fn among_others_few_mails_without_an_event_of_any_prove_nothing_and_many_do() {
    let rig = Rig::with_feedback(secs(1), |settings| {
        settings.ledger.table = Some("mails".to_owned());
        settings.feedback.patience = secs(5);
    })
    .await;
    rig.publish_no_events();
    let daemon = rig.start_warm().await;
    rig.publish_many("few", 20).await;
    rig.pass(mins(2)).await;
    assert!(rig.said("no events arrive").is_empty());
    rig.publish_many("many", 40).await;
    rig.pass(secs(30)).await;
    let told = rig.said("no events arrive in the feedback queue feedback for this task");
    assert_eq!(told.len(), 1);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn where_the_feedback_queue_is_refused_nobody_hears_and_nothing_is_waited_for() {
    let rig = Rig::with_feedback(secs(1), |settings| {
        settings.ledger.table = Some("mails".to_owned());
    })
    .await;
    rig.feedback.fail(Some(QueueFailureKind::NotFound));
    let daemon = rig.start_warm().await;
    rig.dana_is_sent_again_without_a_wait().await;
    assert_eq!(rig.said("no event is waited for, because").len(), 1);
    drop(daemon.stop().await);
}

/// A daemon that holds dana on its last receive, and whose table does not answer any more.
async fn holds_its_last_receive(patience: Option<Duration>) -> (Rig, Daemon) {
    let rig = Rig::with_table(|settings| settings.ledger.patience = patience).await;
    let first = rig.start_warm().await;
    rig.table.fail(TableFailureKind::Transient);
    rig.publish("dana").await;
    rig.until(|| rig.queue.deliveries_of("dana").len() == 1)
        .await;
    first.kill().await;
    rig.table.fail(None);
    let next = rig.start();
    rig.pass(secs(5)).await;
    rig.table.fail(TableFailureKind::Transient);
    rig.until(|| rig.queue.deliveries_of("dana").len() == 2)
        .await;
    rig.pass(secs(1)).await;
    assert!(rig.mailer.sends_of("dana").is_empty());
    (rig, next)
}

#[tokio::test(start_paused = true)]
async fn at_a_stop_a_last_receive_does_not_wait_for_the_table_until_it_is_dead_lettered() {
    let (rig, daemon) = holds_its_last_receive(Some(mins(5))).await;
    let end = daemon.stop().await;
    assert_about(end.took, secs(2), secs(2));
    end.is("received 1 = 1 sent");
    assert!(rig.queue.dead().is_empty());
}

#[tokio::test(start_paused = true)]
async fn where_the_table_is_waited_for_as_long_as_it_takes_a_stop_mails_nothing_without_it() {
    let (rig, daemon) = holds_its_last_receive(None).await;
    daemon.stop().await.is("received 1 = 1 released");
    assert!(rig.mailer.sends_of("dana").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_denied_is_told_once_a_minute_and_one_failed_batch_is_not() {
    let rig = Rig::with_feedback(secs(1), |settings| {
        settings.ledger.table = Some("mails".to_owned());
    })
    .await;
    let daemon = rig.start_warm().await;
    rig.table
        .fail_only("BatchGetItem", TableFailureKind::AccessDenied);
    for number in 0..30 {
        rig.publish(&format!("m-{number}")).await;
        rig.pass(secs(2)).await;
    }
    let told = rig.said("cannot be read or deleted").len();
    assert!((1..=2).contains(&told), "{told}");
    for number in 0..30 {
        rig.table
            .fail_only("BatchWriteItem", TableFailureKind::Throttled);
        rig.publish(&format!("n-{number}")).await;
        rig.pass(millis(300)).await;
        rig.table.fail(None);
        rig.pass(millis(700)).await;
    }
    assert!(rig.said("sent mails cannot be written").is_empty());
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn mails_that_waited_for_a_table_keep_the_rate_once_they_go_without_it() {
    let rig = Rig::with_table(|settings| {
        settings.concurrency = 64;
        settings.email.max_send_rate = SendRate::PerSecond(5.0);
    })
    .await;
    let daemon = rig.start_warm().await;
    rig.table.fail(TableFailureKind::Transient);
    let names = rig.publish_many("m", 40).await;
    rig.until(|| rig.queue.is_empty()).await;
    let mails = rig.mailer.mails();
    let (began, _) = mails.iter().find(|(_, key)| names.contains(key)).unwrap();
    let within = |time| {
        let first = |(at, _): &&(Duration, String)| *at >= *began && *at <= *began + time;
        mails.iter().filter(first).count()
    };
    assert!(within(secs(1)) <= 11, "{} in one second", within(secs(1)));
    assert!(within(secs(4)) <= 26, "{} in four seconds", within(secs(4)));
    drop(daemon.stop().await);
}
