//! Deletes that fail: what they hold, and how it ends.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use organizer_notifier::ports::{EntryFailureKind, QueueFailureKind, obstacle::Obstacle};

use crate::rig::{Operation, Reaction, Rig, Standing, assert_about, millis, mins, secs};

fn failing_deletes(rig: &Rig, reaction: Reaction) {
    rig.queue.react(move |call| match call.operation {
        Operation::Delete => reaction.clone(),
        _ => Reaction::Pass,
    });
}

#[tokio::test(start_paused = true)]
async fn deletes_that_fail_keep_leases_and_permits_until_receiving_stops_by_itself() {
    let rig = Rig::with(|settings| settings.concurrency = 4).await;
    let daemon = rig.start_warm().await;
    failing_deletes(&rig, Reaction::Fail(QueueFailureKind::Transient));
    let names = rig.publish_many("event", 20).await;
    rig.pass(secs(5)).await;
    let from = rig.now();
    // Twenty visibility timeouts.
    rig.pass(mins(20)).await;
    assert!(
        rig.queue
            .calls(Operation::Receive)
            .iter()
            .all(|call| call.at < from)
    );
    let mailed: Vec<_> = names
        .iter()
        .filter(|name| rig.mailer.times_mailed(name) > 0)
        .collect();
    assert_eq!(mailed.len(), 4);
    for name in &mailed {
        assert_eq!(rig.queue.state(name), Some((1, Standing::InFlight)));
    }
    rig.queue.react(|_| Reaction::Pass);
    rig.until(|| rig.queue.is_empty()).await;
    assert_about(rig.now(), from + mins(20), secs(10));
    for name in &names {
        assert_eq!(rig.mailer.times_mailed(name), 1);
    }
    daemon.stop().await.is("received 26 = 26 sent");
}

#[tokio::test(start_paused = true)]
async fn deletes_that_have_failed_for_a_minute_are_told_of_once_a_minute() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    failing_deletes(&rig, Reaction::Fail(QueueFailureKind::Transient));
    rig.publish_many("event", 5).await;
    let began = rig.now();
    rig.pass(mins(10)).await;
    let told = rig.errors("deletes keep failing");
    assert!((8..=10).contains(&told.len()), "{}", told.len());
    assert_about(told[0].at, began + mins(1), secs(6));
    assert!(rig.said("deletes work again").is_empty());
    rig.queue.react(|_| Reaction::Pass);
    rig.until(|| rig.queue.is_empty()).await;
    rig.pass(secs(1)).await;
    let over = rig.said("deletes work again after ");
    assert_eq!(over.len(), 1, "once for all of them");
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn deletes_that_are_not_allowed_are_told_of_at_once() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    failing_deletes(&rig, Reaction::Fail(QueueFailureKind::AccessDenied));
    rig.publish("event").await;
    rig.pass(secs(5)).await;
    assert_eq!(rig.errors("deletes keep failing: mails were sent").len(), 1);
    assert_eq!(daemon.unready(), ["deletes keep failing: Scripted"]);
    rig.queue.react(|_| Reaction::Pass);
    rig.until(|| rig.queue.is_empty()).await;
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn deletes_that_are_refused_now_and_then_are_told_once_a_minute() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    let deletes = AtomicUsize::new(0);
    rig.queue.react(move |call| match call.operation {
        Operation::Delete if deletes.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) => {
            Reaction::Fail(QueueFailureKind::AccessDenied)
        }
        _ => Reaction::Pass,
    });
    for number in 0..10 {
        rig.publish(&format!("event-{number}")).await;
        rig.pass(secs(4)).await;
    }
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.errors("deletes keep failing").len(), 1);
    assert_eq!(rig.said("deletes work again").len(), 1);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn deletes_work_again_once_the_last_one_that_failed_does() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    let first = rig.now() + mins(2);
    let last = first + mins(5);
    rig.queue.react(move |call| {
        let is_stubborn = call.names.iter().any(|name| name == "stubborn");
        let until = if is_stubborn { last } else { first };
        match call.operation {
            Operation::Delete if call.at < until => Reaction::Fail(QueueFailureKind::Transient),
            _ => Reaction::Pass,
        }
    });
    rig.publish("stubborn").await;
    // In a call of its own.
    rig.pass(secs(1)).await;
    rig.publish("other").await;
    rig.until(|| rig.queue.state("other").is_none()).await;
    rig.pass(mins(2)).await;
    assert!(rig.said("deletes work again").is_empty());
    rig.until(|| rig.queue.is_empty()).await;
    rig.pass(secs(1)).await;
    let over = rig.said("deletes work again after ");
    assert_eq!(over.len(), 1);
    let lasted = &over[0].text["deletes work again after ".len()..];
    // The last attempt comes within seconds after it works again.
    assert!(lasted == "6m 59s" || lasted.starts_with("7m"), "{lasted}");
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn deletes_that_nobody_looks_at_are_told_of_with_what_stands_in_the_way() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    failing_deletes(&rig, Reaction::Bar(Obstacle::Expired));
    rig.publish("event").await;
    rig.pass(mins(2)).await;
    let told = rig.errors("deletes keep failing");
    let remedy = format!("; {}; a restart before", Obstacle::Expired.remedy());
    assert!(told[0].text.contains(&remedy), "{}", told[0].text);
    rig.queue.react(|_| Reaction::Pass);
    rig.until(|| rig.queue.is_empty()).await;
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn receives_that_nobody_looks_at_are_told_of_with_what_stands_in_the_way() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.queue.react(|call| match call.operation {
        Operation::Receive => Reaction::Bar(Obstacle::Refused),
        _ => Reaction::Pass,
    });
    rig.pass(mins(2)).await;
    let told = rig.errors("nothing can be received");
    assert!(
        told[0].text.contains(Obstacle::Refused.remedy()),
        "{}",
        told[0].text
    );
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_fails_is_tried_again_and_its_neighbours_are_not() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    let mut tries = 0;
    rig.queue.react(move |call| {
        let names_it = call.names.contains(&"bad".to_owned());
        if call.operation == Operation::Delete && names_it {
            tries += 1;
            if tries <= 3 {
                return Reaction::Entry("bad".to_owned(), EntryFailureKind::Transient);
            }
        }
        Reaction::Pass
    });
    rig.publish_all(&["a", "bad", "b"]).await;
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.queue.calls_for(Operation::Delete, "bad").len(), 4);
    for name in ["a", "b"] {
        assert_eq!(rig.queue.calls_for(Operation::Delete, name).len(), 1);
    }
    daemon.stop().await.is("received 9 = 9 sent");
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_hangs_is_repeated_and_one_that_worked_unseen_does_no_harm() {
    for reaction in [
        Reaction::Hang,
        Reaction::FailAfter(QueueFailureKind::Transient),
    ] {
        let rig = Rig::new().await;
        let daemon = rig.start_warm().await;
        let mut calls = 0;
        rig.queue.react(move |call| {
            calls += u32::from(call.operation == Operation::Delete);
            if call.operation == Operation::Delete && calls == 1 {
                reaction.clone()
            } else {
                Reaction::Pass
            }
        });
        rig.publish("dana").await;
        rig.until(|| rig.queue.is_empty()).await;
        rig.until(|| rig.queue.calls_for(Operation::Delete, "dana").len() == 2)
            .await;
        assert!(rig.now() < rig.mailer.sends_of("dana")[0].at + secs(5));
        daemon.stop().await.is("received 7 = 7 sent");
    }
}

#[tokio::test(start_paused = true)]
async fn after_twelve_hours_it_is_given_up_with_a_word_not_to_redrive() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    failing_deletes(&rig, Reaction::Fail(QueueFailureKind::Transient));
    rig.publish("dana").await;
    rig.until_outcomes("dana", 1).await;
    let sent = rig.now();
    rig.until(|| rig.errors("do not redrive").len() == 1).await;
    assert_about(rig.now() - sent, Duration::from_hours(12), mins(2));
    rig.queue.react(|_| Reaction::Pass);
    // It comes again to the process that knows it.
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.outcomes("dana"), ["sent", "duplicate"]);
    assert_eq!(rig.mailer.times_mailed("dana"), 1);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn deletes_go_in_batches() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    let before = rig.queue.calls(Operation::Delete).len();
    rig.publish_many("event", 100).await;
    rig.until(|| rig.queue.is_empty()).await;
    let calls = rig.queue.calls(Operation::Delete).len() - before;
    assert!(calls <= 20, "{calls} calls for 100 messages");
    let lone = rig.now();
    rig.publish("dana").await;
    rig.until(|| rig.queue.is_empty()).await;
    let call = &rig.queue.calls_for(Operation::Delete, "dana")[0];
    assert_about(call.at - lone, millis(25), millis(30));
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_give_back_that_fails_is_repeated() {
    let rig = Rig::new().await;
    rig.queue.send("bad", "no JSON").await;
    let mut calls = 0;
    rig.queue.react(move |call| {
        let gives_back = call.operation == Operation::Change && call.names == ["bad"];
        calls += u32::from(gives_back);
        if gives_back && calls <= 3 {
            Reaction::Fail(QueueFailureKind::Throttled)
        } else {
            Reaction::Pass
        }
    });
    let daemon = rig.start();
    rig.until(|| rig.queue.dead() == ["bad"]).await;
    let [first, second] = &rig.queue.deliveries_of("bad")[..] else {
        panic!("two receives");
    };
    assert!(second.at - first.at < secs(10));
    daemon.stop().await.is("received 2 = 2 rejected");
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_are_told_of_once_a_minute_with_a_count_of_the_others() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.queue.react(|call| match call.operation {
        Operation::Delete | Operation::Change => Reaction::Fail(QueueFailureKind::Transient),
        _ => Reaction::Pass,
    });
    rig.publish_many("event", 30).await;
    rig.pass(mins(10)).await;
    for text in [
        "messages that are done cannot be deleted",
        "leases not renewed",
    ] {
        let told = rig.said(text);
        assert!((1..=11).contains(&told.len()), "{text}: {}", told.len());
        assert_eq!(told[0].fields["notifier.suppressed"], "0", "{text}");
    }
    let told = rig.said("messages that are done cannot be deleted");
    let last = &told.last().unwrap().fields["notifier.suppressed"];
    assert_ne!(last, "0");
    drop(daemon.stop().await);
}
