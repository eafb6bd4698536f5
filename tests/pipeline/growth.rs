//! The growing window: one message first, at boot and after an outage.

use organizer_notifier::ports::{AccountCause, SendFailureKind};

use crate::rig::{Operation, Rig, Standing, accept, accept_after, fail, millis, mins, secs};

#[tokio::test(start_paused = true)]
async fn at_boot_the_permits_double_with_each_mail() {
    let rig = Rig::new().await;
    rig.mailer.script(|_| accept_after(secs(1)));
    rig.mailer.script_witnesses(|_| accept());
    rig.publish_many("event", 60).await;
    let daemon = rig.start();
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.queue.calls(Operation::Receive)[0].asked, 1);
    let sends = rig.mailer.sends();
    let begun = |second| sends.iter().filter(|send| send.at < secs(second)).count();
    // One mail allows two messages, those two eight, and those eight all 32; a message keeps its
    // permit until it is deleted.
    assert_eq!([begun(1), begun(2)], [1, 3]);
    assert!((9..=11).contains(&begun(3)), "{}", begun(3));
    assert_eq!(sends.iter().map(|send| send.under_way).max(), Some(32));
    daemon.stop().await.is("received 60 = 60 sent");
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_one_message_goes_first() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    let over = rig.now() + mins(5);
    rig.mailer.script(move |send| {
        if send.at < over {
            fail(SendFailureKind::AccountWide(AccountCause::DailyQuota))
        } else {
            accept_after(secs(1))
        }
    });
    rig.publish("probe").await;
    rig.pass(mins(1)).await;
    let waiting = rig.publish_many("event", 60).await;
    rig.until(|| !rig.said("sending works again").is_empty())
        .await;
    let closed = rig.said("sending works again")[0].at;
    rig.until(|| {
        waiting
            .iter()
            .all(|name| rig.mailer.times_mailed(name) == 1)
    })
    .await;
    let sends = rig.mailer.sends();
    let first = |within| {
        let wave = sends
            .iter()
            .filter(move |send| send.at >= closed && send.at < closed + within);
        wave.map(|send| send.under_way).max().unwrap_or_default()
    };
    let received_early = rig
        .queue
        .deliveries()
        .iter()
        .filter(|delivered| delivered.name.starts_with("event") && delivered.at < closed)
        .count();
    // The probe was the first success, so that two go next.
    assert!(first(millis(900)) <= 2 + received_early);
    assert!(first(secs(60)) >= 16);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_deploy_during_an_outage_burns_one_receive() {
    let rig = Rig::new().await;
    let old = rig.start_warm().await;
    let over = rig.now() + mins(20);
    rig.mailer.script(move |send| {
        if send.at < over {
            fail(SendFailureKind::Transient)
        } else {
            accept()
        }
    });
    let held = rig.publish_many("held", 5).await;
    let more = rig.publish_many("more", 20).await;
    rig.pass(mins(2)).await;
    let before = rig.queue.deliveries().len();
    drop(old.stop().await);
    let new = rig.start();
    rig.pass(mins(10)).await;
    assert_eq!(rig.queue.deliveries().len(), before + 1);
    rig.until(|| rig.queue.is_empty()).await;
    for name in held.iter().chain(&more) {
        assert_eq!(rig.mailer.times_mailed(name), 1, "{name}");
    }
    assert!(rig.queue.dead().is_empty());
    drop(new.stop().await);
}

#[tokio::test(start_paused = true)]
async fn each_turn_of_a_crash_loop_burns_one_receive() {
    let rig = Rig::new().await;
    rig.mailer.script(|_| accept_after(secs(3)));
    rig.mailer.script_witnesses(|_| accept());
    rig.publish_many("event", 40).await;
    for turn in 1..=5 {
        let daemon = rig.start();
        rig.pass(secs(2)).await;
        daemon.kill().await;
        assert_eq!(rig.queue.deliveries().len(), turn);
    }
    let received = rig.queue.receive_counts();
    assert!(received.values().all(|count| *count <= 1), "{received:?}");
}

#[tokio::test(start_paused = true)]
async fn while_the_first_fails_no_second_is_received() {
    let rig = Rig::new().await;
    rig.mailer.script(|_| fail(SendFailureKind::Transient));
    rig.publish_many("event", 10).await;
    let daemon = rig.start();
    rig.pass(mins(14)).await;
    assert_eq!(rig.queue.deliveries().len(), 1);
    assert_eq!(rig.queue.state("event-0"), Some((1, Standing::InFlight)));
    daemon.stop().await.is("received 1 = 1 released");
}

#[tokio::test(start_paused = true)]
async fn one_message_that_is_refused_for_ever_holds_up_the_others_for_one_retry_budget_only() {
    let rig = Rig::new().await;
    rig.mailer.script(|send| match send.key.as_str() {
        "event-0" => fail(SendFailureKind::Transient),
        _ => accept(),
    });
    rig.publish_many("event", 10).await;
    let daemon = rig.start();
    rig.pass(mins(17)).await;
    for event in 1..10 {
        assert_eq!(rig.mailer.times_mailed(&format!("event-{event}")), 1);
    }
    assert!(rig.queue.dead().is_empty());
    drop(daemon.stop().await);
}
