//! Receiving: how many, how often, and what after an error.

use std::time::Duration;

use organizer_notifier::ports::{QueueFailureKind, SendFailureKind};

use crate::rig::{
    Call, Operation, Reaction, Rig, accept_after, assert_about, fail, millis, mins, secs,
};

fn receives(rig: &Rig, from: Duration) -> Vec<Call> {
    let mut calls = rig.queue.calls(Operation::Receive);
    calls.retain(|call| call.at >= from);
    calls
}

#[tokio::test(start_paused = true)]
async fn an_idle_queue_is_asked_three_times_a_minute_one_at_a_time() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.pass(secs(30)).await;
    let from = rig.now();
    rig.pass(mins(10)).await;
    let calls = receives(&rig, from);
    assert!((29..=31).contains(&calls.len()), "{}", calls.len());
    assert!(
        calls
            .iter()
            .all(|call| call.under_way == 1 && call.asked == 10)
    );
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn no_more_is_asked_for_than_there_are_permits() {
    let rig = Rig::with(|settings| settings.concurrency = 3).await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| accept_after(secs(1)));
    let from = rig.now();
    rig.publish_many("event", 30).await;
    rig.until(|| rig.queue.is_empty()).await;
    assert!(receives(&rig, from).iter().all(|call| call.asked <= 3));
    assert!(rig.mailer.sends().iter().all(|send| send.under_way <= 3));
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn with_every_permit_taken_nothing_is_asked_for() {
    let rig = Rig::with(|settings| settings.concurrency = 2).await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| fail(SendFailureKind::Throttled));
    rig.publish_many("event", 10).await;
    rig.pass(secs(1)).await;
    let from = rig.now();
    rig.pass(mins(5)).await;
    assert!(receives(&rig, from).is_empty());
    assert_eq!(
        rig.queue
            .receive_counts()
            .values()
            .filter(|count| **count > 0)
            .count(),
        2
    );
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn under_load_several_receives_are_under_way() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.queue.react(|call| match call.operation {
        Operation::Receive => Reaction::LateBack(millis(300)),
        _ => Reaction::Pass,
    });
    rig.mailer.script(|_| accept_after(secs(1)));
    let from = rig.now();
    rig.publish_many("event", 300).await;
    rig.until(|| rig.queue.is_empty()).await;
    let most = receives(&rig, from).iter().map(|call| call.under_way).max();
    assert!(most >= Some(3), "{most:?}");
    daemon.stop().await.is("received 306 = 306 sent");
}

#[tokio::test(start_paused = true)]
async fn after_a_receive_that_was_not_full_the_next_waits_twenty_milliseconds() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.pass(secs(25)).await;
    let before = receives(&rig, Duration::ZERO).len();
    rig.publish("one").await;
    let came = rig.now();
    rig.pass(secs(1)).await;
    let next = &receives(&rig, Duration::ZERO)[before];
    assert_about(next.at - came, millis(20), millis(3));
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_trickle_fills_batches() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    let from = rig.now();
    for number in 0..200 {
        rig.publish(&format!("event-{number}")).await;
        rig.pass(millis(2)).await;
    }
    rig.until(|| rig.queue.is_empty()).await;
    let calls = receives(&rig, from).len();
    assert!(calls < 100, "{calls} receives for 200 messages");
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn bursts_in_a_trickle_leave_no_receives_behind_that_break_its_batches() {
    let rig = Rig::with(|settings| settings.concurrency = 64).await;
    let daemon = rig.start_warm().await;
    let from = rig.now();
    for number in 0..60 {
        // Fifteen at once: one receive is full, and says that there may be more.
        rig.publish_many(&format!("burst-{number}"), 15).await;
        rig.pass(millis(50)).await;
    }
    rig.until(|| rig.queue.is_empty()).await;
    let calls = receives(&rig, from).len();
    assert!(calls < 240, "{calls} receives for 900 messages");
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn errors_back_off_to_a_minute_and_end_by_themselves() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.queue.react(|call| match call.operation {
        Operation::Receive => Reaction::Fail(QueueFailureKind::Transient),
        _ => Reaction::Pass,
    });
    let from = rig.now();
    rig.pass(mins(60)).await;
    let calls = receives(&rig, from);
    let gaps: Vec<_> = calls
        .windows(2)
        .map(|pair| pair[1].at - pair[0].at)
        .collect();
    assert!(gaps.iter().all(|gap| *gap <= secs(61)), "{gaps:?}");
    assert!((60..240).contains(&calls.len()), "{}", calls.len());
    let told = rig.errors("nothing can be received").len();
    assert!((30..=60).contains(&told), "about one line a minute: {told}");
    rig.queue.react(|_| Reaction::Pass);
    rig.publish("dana").await;
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.said("receiving works again").len(), 1);
    daemon.stop().await.is("received 7 = 7 sent");
}

#[tokio::test(start_paused = true)]
async fn a_stop_cuts_a_pause_after_errors_short() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.queue.react(|call| match call.operation {
        Operation::Receive => Reaction::Fail(QueueFailureKind::Throttled),
        _ => Reaction::Pass,
    });
    rig.pass(mins(10)).await;
    let end = daemon.stop().await;
    end.is("received 6 = 6 sent");
    assert!(end.took < secs(1), "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn empty_answers_that_come_at_once_do_not_spin() {
    let rig = Rig::with(|settings| settings.queue.wait_time = secs(0)).await;
    let daemon = rig.start_warm().await;
    let from = rig.now();
    rig.pass(mins(1)).await;
    let calls = receives(&rig, from).len();
    assert!(calls <= 62, "{calls}");
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_worked_on_while_receiving_fails() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|send| match send.number {
        1..=5 => fail(SendFailureKind::Throttled),
        _ => accept_after(secs(1)),
    });
    rig.publish("dana").await;
    rig.until(|| rig.queue.deliveries_of("dana").len() == 1)
        .await;
    rig.queue.react(|call| match call.operation {
        Operation::Receive => Reaction::Fail(QueueFailureKind::AccessDenied),
        _ => Reaction::Pass,
    });
    rig.until(|| rig.queue.is_empty()).await;
    daemon.stop().await.is("received 7 = 7 sent");
}

#[tokio::test(start_paused = true)]
async fn more_messages_than_were_asked_for_are_worked_on_as_far_as_there_is_room() {
    let rig = Rig::with(|settings| settings.concurrency = 1).await;
    let daemon = rig.start_warm().await;
    rig.queue.give_more(2);
    rig.publish_many("event", 4).await;
    rig.until(|| rig.queue.is_empty()).await;
    let counts = rig.queue.deliveries();
    let first = counts
        .iter()
        .filter(|delivered| delivered.name.starts_with("event"));
    assert!(first.count() <= 6, "{counts:?}");
    assert!(rig.queue.dead().is_empty());
    assert!(rig.mailer.mails().len() >= 10);
    daemon.stop().await;
}
