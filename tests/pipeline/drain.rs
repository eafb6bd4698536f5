//! The way to the end.

use organizer_notifier::ports::{AccountCause, QueueFailureKind, SendFailureKind, SendRate};

use crate::rig::{
    Operation, Reaction, Rig, Standing, Step, accept, accept_after, assert_about, fail, millis,
    mins, secs,
};

/// The message is let go: hidden until no receive of the old process can bring it, then visible.
async fn is_given_back(rig: &Rig, name: &str, receive_count: u32) {
    rig.pass(secs(21)).await;
    assert_eq!(
        rig.queue.state(name),
        Some((receive_count, Standing::Visible)),
        "{name}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_idle_daemon_ends_a_second_after_sigint_and_after_its_long_poll_at_sigterm() {
    for (terminated, expected) in [(false, secs(1)), (true, secs(10))] {
        let rig = Rig::new().await;
        let daemon = rig.start_warm().await;
        // In the midst of a long poll.
        rig.pass(secs(70)).await;
        let end = if terminated {
            daemon.signal();
            daemon.end().await
        } else {
            daemon.stop().await
        };
        end.is("received 6 = 6 sent");
        assert_about(end.took, expected, millis(200));
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_that_outlasts_the_grace_is_given_up_in_time_for_settling() {
    let rig = Rig::with(|settings| settings.grace = secs(15)).await;
    let daemon = rig.start_warm().await;
    rig.pass(secs(62)).await;
    daemon.signal();
    let end = daemon.end().await;
    end.is("received 6 = 6 sent");
    assert_about(end.took, secs(8), millis(200));
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_send_to_end_is_sent_and_not_released() {
    let rig = Rig::with(|settings| settings.concurrency = 5).await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| accept_after(secs(2)));
    // Five are being sent and one is held ready.
    rig.publish_many("event", 6).await;
    rig.pass(secs(1)).await;
    assert_eq!(rig.mailer.under_way(), 5);
    let end = daemon.stop().await;
    end.is("received 12 = 12 sent");
}

#[tokio::test(start_paused = true)]
async fn what_a_receive_under_way_brings_is_worked_on() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.pass(secs(30)).await;
    daemon.signal();
    rig.pass(secs(5)).await;
    rig.publish("dana").await;
    let end = daemon.end().await;
    end.is("received 7 = 7 sent");
    assert!(rig.queue.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_receive_under_way_is_waited_for_as_long_as_something_is_held() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| accept_after(secs(8)));
    rig.publish("slow").await;
    rig.pass(secs(1)).await;
    daemon.signal();
    rig.pass(secs(3)).await;
    rig.publish("late").await;
    let end = daemon.end().await;
    end.is("received 8 = 8 sent");
    assert_about(end.took, secs(9), secs(1));
    assert!(rig.queue.is_empty());
}

#[tokio::test(start_paused = true)]
async fn no_receive_starts_after_the_signal() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| accept_after(secs(5)));
    rig.publish_many("event", 100).await;
    rig.pass(secs(7)).await;
    let signalled = rig.now();
    let end = daemon.stop().await;
    assert!(end.clean);
    assert!(
        rig.queue
            .calls(Operation::Receive)
            .iter()
            .all(|call| call.at <= signalled)
    );
    assert!(end.took < secs(12), "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn messages_in_backoff_are_released_at_once() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| fail(SendFailureKind::Transient));
    rig.publish("dana").await;
    rig.pass(mins(5)).await;
    let end = daemon.stop().await;
    end.is("received 7 = 6 sent + 1 released");
    assert!(end.took < millis(1200), "{end:?}");
    is_given_back(&rig, "dana", 1).await;
}

#[tokio::test(start_paused = true)]
async fn messages_behind_a_breaker_are_released_at_once() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer
        .script(|_| fail(SendFailureKind::AccountWide(AccountCause::DailyQuota)));
    let held = rig.publish_many("held", 5).await;
    rig.pass(mins(5)).await;
    let end = daemon.stop().await;
    end.is("received 11 = 6 sent + 5 released");
    assert!(end.took < millis(1200), "{end:?}");
    for name in &held {
        is_given_back(&rig, name, 1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn messages_that_wait_for_the_rate_are_released_at_once() {
    let rig = Rig::with(|settings| settings.email.max_send_rate = SendRate::PerSecond(0.1)).await;
    let daemon = rig.start();
    rig.publish_many("event", 4).await;
    rig.pass(secs(15)).await;
    let end = daemon.stop().await;
    assert!(end.clean && end.took < millis(1200), "{end:?}");
    assert!(end.tally.contains("released"), "{end:?}");
    rig.pass(secs(21)).await;
    assert!(
        rig.queue
            .messages()
            .iter()
            .all(|name| rig.queue.is_visible(name))
    );
    assert!(rig.queue.receive_counts().values().all(|count| *count <= 1));
}

/// A message on its last receive that fails until `works`, counted from the stop.
async fn last_receive_that_works(works: u64) -> (Rig, crate::rig::End) {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|send| match send.number {
        1 | 2 => fail(SendFailureKind::Refused),
        _ => fail(SendFailureKind::Throttled),
    });
    rig.mailer.script_witnesses(|_| accept());
    rig.publish("dana").await;
    rig.until(|| rig.queue.deliveries_of("dana").len() == 2)
        .await;
    rig.pass(secs(1)).await;
    let from = rig.now() + secs(works);
    rig.mailer.script(move |send| {
        if send.at < from {
            fail(SendFailureKind::Throttled)
        } else {
            accept()
        }
    });
    let signalled = rig.now();
    let end = daemon.stop().await;
    let late = rig.mailer.sends().iter().map(|send| send.at).max();
    assert!(late <= Some(signalled + secs(11)), "{late:?}");
    (rig, end)
}

#[tokio::test(start_paused = true)]
async fn a_last_receive_is_finished_first() {
    let (rig, end) = last_receive_that_works(1).await;
    end.is("received 8 = 7 sent + 1 rejected");
    assert!(rig.queue.is_empty() && rig.queue.dead().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_last_receive_that_cannot_be_finished_is_released_when_no_send_may_start() {
    let (rig, end) = last_receive_that_works(60).await;
    end.is("received 8 = 6 sent + 1 rejected + 1 released");
    assert_about(end.took, secs(11), millis(1200));
    assert_eq!(rig.errors("the queue will dead-letter it").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_send_under_way_is_awaited_and_its_message_deleted() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| accept_after(millis(9_500)));
    rig.publish("dana").await;
    rig.until(|| rig.mailer.under_way() == 1).await;
    let end = daemon.stop().await;
    end.is("received 7 = 7 sent");
    assert_about(end.took, millis(9_500), millis(200));
    assert!(rig.queue.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_send_without_answer_is_left_at_the_last_moment_and_never_released() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| Step::stuck());
    rig.publish("dana").await;
    rig.until(|| rig.mailer.under_way() == 1).await;
    let end = daemon.stop().await;
    end.left_a_send("received 7 = 6 sent + 1 deferred");
    assert_about(end.took, secs(21), millis(200));
    assert_eq!(rig.queue.state("dana"), Some((1, Standing::InFlight)));
    let released = |call: &crate::rig::Call| call.seconds.contains(&0);
    assert!(
        !rig.queue
            .calls_for(Operation::Change, "dana")
            .iter()
            .any(released)
    );
    assert_eq!(rig.said("the mail may have been sent").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_releases_what_waits_and_gives_sends_two_seconds() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|send| match send.key.as_str() {
        "quick" => accept_after(secs(4)),
        "slow" => accept_after(secs(9)),
        _ if send.number <= 2 => fail(SendFailureKind::Refused),
        _ => fail(SendFailureKind::Throttled),
    });
    rig.mailer.script_witnesses(|_| accept());
    rig.publish("last").await;
    rig.until(|| rig.queue.deliveries_of("last").len() == 2)
        .await;
    rig.publish_all(&["quick", "slow"]).await;
    rig.until(|| rig.mailer.under_way() == 2).await;
    daemon.signal();
    rig.pass(secs(3)).await;
    assert_eq!(rig.outcomes("last"), ["rejected"], "it still may be sent");
    let second = rig.now();
    daemon.signal();
    let end = daemon.end().await;
    end.left_a_send("received 10 = 7 sent + 1 rejected + 1 deferred + 1 released");
    assert!(end.took < millis(2200), "{end:?}");
    assert_about(rig.outcome_at("last"), second, millis(200));
    assert_eq!(rig.queue.state("slow"), Some((1, Standing::InFlight)));
}

#[tokio::test(start_paused = true)]
async fn deletes_that_hang_to_the_end_are_cut_off_before_telemetry_and_the_last_word() {
    for reaction in [Reaction::Hang, Reaction::Fail(QueueFailureKind::Transient)] {
        let rig = Rig::new().await;
        let daemon = rig.start_warm().await;
        rig.queue.react(move |call| match call.operation {
            Operation::Delete => reaction.clone(),
            _ => Reaction::Pass,
        });
        rig.publish_many("event", 3).await;
        rig.pass(secs(1)).await;
        let end = daemon.stop().await;
        assert_eq!(end.tally, "received 9 = 9 sent");
        assert!(!end.clean);
        assert_about(end.took, millis(24_500), millis(100));
        assert_eq!(rig.errors("do not redrive").len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_signal_cuts_off_deletes_that_hang_as_soon_as_sends() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.queue.react(|call| match call.operation {
        Operation::Delete => Reaction::Hang,
        _ => Reaction::Pass,
    });
    rig.mailer.script(|send| match send.key.as_str() {
        "stuck" => Step::stuck(),
        _ => accept(),
    });
    rig.publish_all(&["dana", "stuck"]).await;
    rig.pass(secs(1)).await;
    daemon.signal();
    rig.pass(secs(1)).await;
    daemon.signal();
    let end = daemon.end().await;
    assert_eq!(end.tally, "received 8 = 7 sent + 1 deferred");
    assert!(!end.clean);
    assert_about(end.took, millis(2_500), millis(100));
}

#[tokio::test(start_paused = true)]
async fn deletes_that_work_again_in_time_end_it_in_good_order() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    let works = rig.now() + secs(15);
    let start = rig.now();
    rig.queue.react(move |call| match call.operation {
        Operation::Delete if call.at < works => Reaction::Hang,
        _ => Reaction::Pass,
    });
    rig.publish("dana").await;
    rig.pass(secs(1)).await;
    let end = daemon.stop().await;
    end.is("received 7 = 7 sent");
    assert!(rig.now() - start < secs(24));
}

#[tokio::test(start_paused = true)]
async fn leases_are_renewed_to_the_end() {
    let rig = Rig::with(|settings| settings.queue.visibility_timeout = secs(12)).await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| Step::stuck());
    rig.publish("dana").await;
    rig.until(|| rig.mailer.under_way() == 1).await;
    let end = daemon.stop().await;
    assert_about(end.took, secs(21), millis(200));
    assert_eq!(rig.queue.state("dana"), Some((1, Standing::InFlight)));
    let renewals = rig.queue.calls_for(Operation::Change, "dana").len();
    assert!(renewals >= 3, "{renewals}");
}

#[tokio::test(start_paused = true)]
async fn a_template_that_is_missing_releases_nothing_since_nothing_is_held() {
    let rig = Rig::new().await;
    rig.template.script(|_| {
        crate::rig::Fetch::Fail(organizer_notifier::ports::TemplateFailureKind::Transient)
    });
    rig.publish("dana").await;
    let daemon = rig.start();
    rig.pass(mins(2)).await;
    let end = daemon.stop().await;
    end.is("received nothing");
    assert!(end.took < millis(1200), "{end:?}");
}
