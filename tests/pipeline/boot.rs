//! Boot: everything proved before a message is touched.

use organizer_notifier::ports::{QueueFailureKind, TemplateFailureKind, obstacle::Obstacle};

use crate::rig::{Fetch, Operation, Reaction, Rig, assert_about, millis, mins, secs};

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_refused_for_three_minutes_ends_it() {
    for (operation, kind) in [
        (Operation::Describe, QueueFailureKind::NotFound),
        (Operation::Describe, QueueFailureKind::AccessDenied),
        (Operation::ProveReceive, QueueFailureKind::AccessDenied),
        (Operation::Delete, QueueFailureKind::AccessDenied),
        (Operation::Change, QueueFailureKind::AccessDenied),
        (Operation::Change, QueueFailureKind::Encryption),
    ] {
        let rig = Rig::new().await;
        rig.queue.react(move |call| {
            if call.operation == operation {
                Reaction::Fail(kind)
            } else {
                Reaction::Pass
            }
        });
        rig.publish("dana").await;
        let reason = rig.start().not_started().await;
        assert!(reason.contains("/q cannot be used"), "{reason}");
        assert_about(rig.now(), mins(3), secs(7));
        assert_eq!(rig.errors("not started yet: the queue ").len(), 3);
        assert!(rig.queue.deliveries().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn rights_that_come_late_are_waited_for() {
    let rig = Rig::new().await;
    let began = rig.now();
    let mut calls = 0;
    rig.queue.react(move |call| {
        calls += u32::from(call.operation == Operation::Delete);
        if call.operation == Operation::Delete && calls <= 10 {
            Reaction::Fail(QueueFailureKind::AccessDenied)
        } else {
            Reaction::Pass
        }
    });
    rig.publish("dana").await;
    let daemon = rig.start();
    rig.until(|| rig.queue.is_empty()).await;
    assert!(rig.now() - began > secs(20));
    assert_eq!(rig.errors("not started yet").len(), 1);
    daemon.stop().await.is("received 1 = 1 sent");
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_waited_for_as_long_as_it_takes() {
    for kind in [QueueFailureKind::Transient, QueueFailureKind::Throttled] {
        let rig = Rig::new().await;
        rig.queue.react(move |_| Reaction::Fail(kind));
        rig.publish("dana").await;
        let daemon = rig.start();
        rig.pass(mins(60)).await;
        assert!((58..=61).contains(&rig.errors("not started yet").len()));
        rig.queue.react(|_| Reaction::Pass);
        rig.until(|| rig.queue.is_empty()).await;
        daemon.stop().await.is("received 1 = 1 sent");
    }
}

#[tokio::test(start_paused = true)]
async fn a_template_that_is_refused_for_three_minutes_ends_it() {
    for broken in [
        Fetch::Fail(TemplateFailureKind::Missing),
        Fetch::Fail(TemplateFailureKind::AccessDenied),
        Fetch::Give(b"\xff\xfe"),
        Fetch::Give(b"  "),
    ] {
        let rig = Rig::new().await;
        let told = broken.clone();
        rig.template.script(move |_| told.clone());
        rig.publish("dana").await;
        let reason = rig.start().not_started().await;
        assert!(reason.contains("no template"), "{reason}");
        assert_about(rig.now(), mins(3), secs(61));
        assert!(rig.now() >= mins(3), "{broken:?}");
        assert_eq!(rig.errors("not started yet: no template").len(), 2);
        assert!(rig.queue.deliveries().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_template_that_is_added_in_time_starts_it() {
    let rig = Rig::new().await;
    rig.template.script(|now| {
        if now < secs(40) {
            Fetch::Fail(TemplateFailureKind::Missing)
        } else {
            Fetch::Give(b"<p>{summary}</p>")
        }
    });
    rig.publish("dana").await;
    let daemon = rig.start();
    rig.until(|| rig.queue.is_empty()).await;
    daemon.stop().await.is("received 1 = 1 sent");
}

#[tokio::test(start_paused = true)]
async fn a_template_that_may_come_is_waited_for_before_anything_is_received() {
    let rig = Rig::new().await;
    rig.template.script(|now| {
        if now < mins(10) {
            Fetch::Fail(TemplateFailureKind::Transient)
        } else {
            Fetch::Give(b"<p>{summary}</p>")
        }
    });
    rig.publish("dana").await;
    let daemon = rig.start();
    rig.pass(mins(9)).await;
    assert!(rig.queue.deliveries().is_empty());
    assert!(rig.said("started: queue q").is_empty());
    assert!((7..=9).contains(&rig.errors("not started yet: no template").len()));
    rig.until(|| rig.queue.is_empty()).await;
    daemon.stop().await.is("received 1 = 1 sent");
}

#[tokio::test(start_paused = true)]
async fn a_signal_while_starting_ends_it_in_good_order() {
    let rig = Rig::new().await;
    rig.queue
        .react(|_| Reaction::Fail(QueueFailureKind::Transient));
    rig.publish("dana").await;
    let daemon = rig.start();
    rig.pass(mins(3)).await;
    let end = daemon.stop().await;
    end.is("received nothing");
    assert!(end.took < millis(100));
    assert!(rig.queue.deliveries().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_sighup_while_starting_fetches_the_template() {
    let rig = Rig::new().await;
    rig.queue
        .react(|_| Reaction::Fail(QueueFailureKind::Transient));
    let daemon = rig.start();
    rig.pass(secs(10)).await;
    daemon.reload();
    rig.pass(millis(10)).await;
    assert_eq!(rig.template.fetches().len(), 2);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn the_plan_is_told_in_one_line() {
    let rig = Rig::new().await;
    let daemon = rig.start();
    rig.pass(secs(1)).await;
    let plan = &rig.said("started: ")[0].text;
    for part in [
        "queue q",
        "after 2 receives",
        "4d",
        "32",
        "1m",
        "unlimited",
        "28s",
    ] {
        assert!(plan.contains(part), "{plan} lacks {part}");
    }
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_refused_template_is_not_kept_waiting_by_a_queue_that_may_come_back() {
    let rig = Rig::new().await;
    rig.queue
        .react(|_| Reaction::Fail(QueueFailureKind::Transient));
    rig.template
        .script(|_| Fetch::Fail(TemplateFailureKind::Missing));
    let reason = rig.start().not_started().await;
    assert!(reason.contains("no template"), "{reason}");
    assert_about(rig.now(), mins(3), secs(7));
}

#[tokio::test(start_paused = true)]
async fn patience_counts_from_the_first_refusal_in_a_row() {
    let rig = Rig::new().await;
    rig.queue.react(|call| {
        let at = call.at.as_secs();
        Reaction::Fail(match at {
            0..50 | 100.. => QueueFailureKind::AccessDenied,
            _ => QueueFailureKind::Transient,
        })
    });
    let reason = rig.start().not_started().await;
    assert!(reason.contains("/q cannot be used"), "{reason}");
    assert_about(rig.now(), secs(100 + 180), secs(10));
}

/// Nobody looks at any call on the queue.
fn bar_the_queue(rig: &Rig) {
    rig.queue.react(|_| Reaction::Bar(Obstacle::Refused));
}

#[tokio::test(start_paused = true)]
async fn what_keeps_the_queue_from_being_asked_is_told_alone_for_a_minute() {
    let rig = Rig::new().await;
    bar_the_queue(&rig);
    rig.template
        .script(|_| Fetch::Fail(TemplateFailureKind::Missing));
    let daemon = rig.start();
    rig.pass(secs(58)).await;
    assert_eq!(rig.errors("not started yet: the queue").len(), 1);
    assert!(rig.errors("no template").is_empty());
    // It may be the queue's trouble alone: the template's is told, and ends the start in its time.
    rig.pass(secs(10)).await;
    assert_eq!(rig.errors("no template").len(), 1);
    let reason = daemon.not_started().await;
    assert!(reason.starts_with("no template: "), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_sighup_is_answered_also_where_the_queue_is_not_reached() {
    let rig = Rig::new().await;
    bar_the_queue(&rig);
    let daemon = rig.start();
    rig.pass(secs(5)).await;
    assert!(rig.said("template in force").is_empty());
    daemon.reload();
    rig.pass(secs(1)).await;
    assert_eq!(rig.said("template in force").len(), 1);
    rig.queue.react(|_| Reaction::Pass);
    rig.until(|| rig.said("started: ").len() == 1).await;
    drop(daemon.stop().await);
}
