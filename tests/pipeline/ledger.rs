//! Nothing is sent twice that this process knows of.

use organizer_notifier::ports::{EntryFailureKind, SendFailureKind};

use crate::rig::{
    Operation, Reaction, Rig, Standing, Step, accept, accept_after, assert_about, fail, millis,
    mins, secs,
};

/// Two copies of one notification, both in the hands of the same daemon.
async fn twins(rig: &Rig, new_id: bool) {
    rig.publish("dana").await;
    rig.queue.duplicate("dana", millis(500), new_id);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_again_since_its_delete_failed_is_only_deleted() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    let mut refused = 0;
    rig.queue.react(move |call| {
        refused += u32::from(call.operation == Operation::Delete);
        if call.operation == Operation::Delete && refused == 1 {
            Reaction::Entry("dana".to_owned(), EntryFailureKind::LeaseLost)
        } else {
            Reaction::Pass
        }
    });
    rig.publish("dana").await;
    rig.until_outcomes("dana", 1).await;
    assert_eq!(rig.queue.state("dana"), Some((1, Standing::InFlight)));
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.outcomes("dana"), ["sent", "duplicate"]);
    assert_eq!(rig.mailer.sends_of("dana").len(), 1);
    daemon.stop().await.is("received 8 = 7 sent + 1 duplicate");
}

#[tokio::test(start_paused = true)]
async fn a_copy_waits_for_its_twin_and_is_a_duplicate_when_that_was_sent() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| accept_after(secs(5)));
    twins(&rig, true).await;
    rig.pass(secs(3)).await;
    assert_eq!(rig.queue.deliveries_of("dana").len(), 2);
    assert_eq!(rig.mailer.sends_of("dana").len(), 1);
    rig.until(|| rig.queue.is_empty()).await;
    assert_about(
        rig.now(),
        rig.mailer.sends_of("dana")[0].at + secs(5),
        millis(100),
    );
    assert_eq!(rig.mailer.times_mailed("dana"), 1);
    daemon.stop().await.is("received 8 = 7 sent + 1 duplicate");
}

#[tokio::test(start_paused = true)]
async fn a_copy_under_the_same_id_becomes_the_same_task_and_is_deleted_with_it() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| accept_after(secs(5)));
    twins(&rig, false).await;
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.mailer.times_mailed("dana"), 1);
    daemon.stop().await.is("received 7 = 7 sent");
}

#[tokio::test(start_paused = true)]
async fn a_copy_takes_its_turn_when_its_twin_fails() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|send| match send.number {
        1 => crate::rig::slow_fail(secs(5), SendFailureKind::Refused),
        2 => fail(SendFailureKind::Refused),
        _ => accept(),
    });
    rig.mailer.script_witnesses(|_| accept());
    twins(&rig, true).await;
    rig.until(|| rig.mailer.times_mailed("dana") == 1).await;
    let sends = rig.mailer.sends_of("dana");
    assert_about(sends[2].at, sends[1].at, millis(10));
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.mailer.times_mailed("dana"), 1);
    daemon
        .stop()
        .await
        .is("received 9 = 7 sent + 1 duplicate + 1 rejected");
}

#[tokio::test(start_paused = true)]
async fn a_copy_takes_its_turn_when_its_twin_panics() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|send| match send.number {
        1 => Step::panic_after(secs(5)),
        _ => accept(),
    });
    twins(&rig, true).await;
    rig.until(|| rig.mailer.times_mailed("dana") == 1).await;
    let sends = rig.mailer.sends_of("dana");
    assert_about(sends[1].at - sends[0].at, secs(5), millis(10));
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.mailer.times_mailed("dana"), 1);
    daemon
        .stop()
        .await
        .is("received 9 = 7 sent + 1 duplicate + 1 panicked");
}

#[tokio::test(start_paused = true)]
async fn a_copy_takes_its_turn_when_its_twin_loses_its_lease() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| fail(SendFailureKind::Throttled));
    twins(&rig, true).await;
    rig.until(|| rig.queue.deliveries_of("dana").len() == 2)
        .await;
    rig.queue.make_first_visible("dana").await;
    rig.queue.steal().await;
    rig.until_outcomes("dana", 1).await;
    assert_eq!(rig.outcomes("dana"), ["lost"]);
    rig.mailer.script(|_| accept());
    rig.until_outcomes("dana", 2).await;
    assert_eq!(rig.outcomes("dana"), ["lost", "sent"]);
    assert_eq!(rig.mailer.times_mailed("dana"), 1);
    daemon.stop().await.is("received 8 = 7 sent + 1 lost");
}

#[tokio::test(start_paused = true)]
async fn a_stop_releases_no_copy_whose_twin_is_being_sent() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| accept_after(secs(8)));
    twins(&rig, true).await;
    rig.pass(secs(2)).await;
    let end = daemon.stop().await;
    end.is("received 8 = 7 sent + 1 duplicate");
    assert_about(end.took, secs(6), millis(200));
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_twin_is_not_the_copys_time() {
    let rig = Rig::with(|settings| settings.max_elapsed = mins(2)).await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| fail(SendFailureKind::Transient));
    twins(&rig, true).await;
    rig.until_outcomes("dana", 2).await;
    assert_eq!(rig.outcomes("dana")[..2], ["deferred", "deferred"]);
    let [first, second] = &rig.queue.deliveries_of("dana")[..2] else {
        panic!("two copies");
    };
    assert!(second.at < first.at + secs(1));
    assert!(rig.outcome_at("dana") > second.at + mins(3));
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_mailed_message_whose_delete_was_lost_on_its_last_receive_must_not_be_redriven() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|send| match send.number {
        1 | 2 => fail(SendFailureKind::Refused),
        _ => accept(),
    });
    rig.mailer.script_witnesses(|_| accept());
    rig.queue.react(|call| match call.operation {
        Operation::Delete => Reaction::Entry("dana".to_owned(), EntryFailureKind::LeaseLost),
        _ => Reaction::Pass,
    });
    rig.publish("dana").await;
    let told = || rig.errors("its mail was sent, so do not redrive it").len();
    rig.until(|| told() == 1).await;
    assert_eq!(rig.outcomes("dana"), ["rejected", "sent"]);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_corrected_event_under_its_old_id_is_mailed_and_the_same_event_again_is_not() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    for address in ["dana@exmaple.com", "dana@example.com", "dana@example.com"] {
        rig.publish_to("dana", address).await;
        rig.until(|| rig.queue.is_empty()).await;
    }
    assert_eq!(rig.outcomes("dana"), ["sent", "sent", "duplicate"]);
    daemon.stop().await.is("received 9 = 8 sent + 1 duplicate");
}
