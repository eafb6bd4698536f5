//! Leases: held through everything, and no send without one.

use std::time::Duration;

use organizer_notifier::{
    config::Settings,
    ports::{AccountCause, EntryFailureKind, QueueFailureKind, SendFailureKind, SendRate},
};

use crate::rig::{
    Operation, Reaction, Rig, Standing, Step, accept, accept_after, assert_about, fail, hang,
    millis, mins, secs, slow_fail,
};

const OUR_FAULT: &str = "a bug in this program";

fn out_of_quota() -> crate::rig::Step {
    fail(SendFailureKind::AccountWide(AccountCause::DailyQuota))
}

#[tokio::test(start_paused = true)]
async fn it_is_renewed_at_half_its_length_for_as_long_as_the_message_is_held() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| out_of_quota());
    rig.publish("dana").await;
    rig.pass(mins(10)).await;
    let calls = rig.queue.calls_for(Operation::Change, "dana");
    assert!((19..=21).contains(&calls.len()), "{}", calls.len());
    assert!(calls.iter().all(|call| call.seconds == [60]));
    for pair in calls.windows(2) {
        assert_about(pair[1].at - pair[0].at, secs(30), millis(100));
    }
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn many_are_renewed_ten_to_a_call() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| fail(SendFailureKind::Throttled));
    rig.publish_many("held", 20).await;
    rig.pass(secs(45)).await;
    let calls = rig.queue.calls(Operation::Change);
    assert!(calls.iter().all(|call| call.names.len() <= 10));
    assert!(calls.iter().any(|call| call.names.len() == 10));
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn renewals_that_fail_or_hang_are_repeated_before_the_lease_runs_out() {
    for reaction in [
        Reaction::Hang,
        Reaction::Fail(QueueFailureKind::Transient),
        Reaction::Entry("dana".to_owned(), EntryFailureKind::Transient),
    ] {
        let rig = Rig::new().await;
        let daemon = rig.start_warm().await;
        rig.mailer.script(|_| out_of_quota());
        let mut number = 0;
        rig.queue.react(move |call| {
            number += u32::from(call.operation == Operation::Change);
            // Three of four renewals come to nothing.
            if call.operation == Operation::Change && number % 4 != 0 {
                reaction.clone()
            } else {
                Reaction::Pass
            }
        });
        rig.publish("dana").await;
        for _ in 0..20 {
            rig.pass(mins(1)).await;
            assert_eq!(rig.queue.state("dana"), Some((1, Standing::InFlight)));
        }
        assert!(rig.outcomes("dana").is_empty());
        rig.queue.react(|_| Reaction::Pass);
        drop(daemon.stop().await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_hangs_delays_no_other() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| fail(SendFailureKind::Throttled));
    rig.queue.react(|call| {
        let hangs = call.operation == Operation::Change && call.names.contains(&"stuck".to_owned());
        if hangs {
            Reaction::Hang
        } else {
            Reaction::Pass
        }
    });
    rig.publish("stuck").await;
    rig.pass(secs(12)).await;
    rig.publish("dana").await;
    rig.pass(mins(3)).await;
    assert_eq!(rig.queue.deliveries_of("dana").len(), 1);
    assert!(rig.outcomes("dana").is_empty());
    assert_eq!(rig.outcomes("stuck")[0], "lost");
    rig.queue.react(|_| Reaction::Pass);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn lost_behind_a_breaker_the_message_is_not_sent_by_us() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    let over = rig.now() + mins(5);
    rig.mailer.script(move |send| {
        if send.at < over {
            out_of_quota()
        } else {
            accept()
        }
    });
    rig.publish("dana").await;
    rig.pass(mins(1)).await;
    rig.queue.make_visible("dana").await;
    rig.queue.steal().await;
    rig.until_outcomes("dana", 1).await;
    assert_eq!(rig.outcomes("dana"), ["lost"]);
    rig.pass(mins(10)).await;
    assert_eq!(rig.mailer.times_mailed("dana"), 0);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn renewals_that_never_work_end_in_a_loss_when_the_time_is_over_and_not_later() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| out_of_quota());
    rig.queue.react(|call| match call.operation {
        Operation::Change => Reaction::Fail(QueueFailureKind::Transient),
        _ => Reaction::Pass,
    });
    rig.publish("dana").await;
    let received = rig.now();
    rig.until_outcomes("dana", 1).await;
    assert_eq!(rig.outcomes("dana"), ["lost"]);
    assert_about(rig.now() - received, secs(60), millis(50));
    rig.queue.react(|_| Reaction::Pass);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_handle_that_is_replaced_while_sending_deletes_with_the_new_one() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| accept_after(secs(5)));
    rig.publish("dana").await;
    rig.pass(secs(2)).await;
    rig.queue.make_visible("dana").await;
    rig.until(|| rig.queue.deliveries_of("dana").len() == 2)
        .await;
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.mailer.sends_of("dana").len(), 1);
    assert_about(
        rig.now(),
        rig.mailer.sends_of("dana")[0].at + secs(5),
        millis(100),
    );
    daemon.stop().await.is("received 7 = 7 sent");
}

#[tokio::test(start_paused = true)]
async fn a_handle_that_is_replaced_while_its_delete_is_under_way_is_deleted_again() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.queue.react(|call| match call.operation {
        Operation::Delete => Reaction::LateThere(secs(2)),
        _ => Reaction::Pass,
    });
    rig.publish("dana").await;
    rig.pass(secs(1)).await;
    rig.queue.make_visible("dana").await;
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.queue.calls_for(Operation::Delete, "dana").len(), 2);
    assert_eq!(rig.mailer.sends_of("dana").len(), 1);
    daemon.stop().await.is("received 7 = 7 sent");
}

#[tokio::test(start_paused = true)]
async fn a_release_waits_for_the_renewal_under_way() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| out_of_quota());
    rig.queue.react(|call| match call.operation {
        Operation::Change if call.seconds == [60] => Reaction::LateThere(secs(2)),
        _ => Reaction::Pass,
    });
    rig.publish("dana").await;
    rig.until(|| !rig.queue.calls_for(Operation::Change, "dana").is_empty())
        .await;
    rig.pass(millis(500)).await;
    let end = daemon.stop().await;
    end.is("received 7 = 6 sent + 1 released");
    let asked: Vec<_> = rig
        .queue
        .calls_for(Operation::Change, "dana")
        .iter()
        .map(|call| call.seconds[0])
        .collect();
    assert_eq!(asked[0], 60);
    assert!(asked.len() == 2 && asked[1] <= 21, "{asked:?}");
    rig.pass(secs(asked[1])).await;
    assert_eq!(rig.queue.state("dana"), Some((1, Standing::Visible)));
    assert_about(end.took, millis(1500), millis(200));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_too_short_for_a_send_is_renewed_first() {
    let rig = Rig::with(|settings| {
        settings.queue.visibility_timeout = secs(12);
    })
    .await;
    rig.mailer.script(|send| match send.number {
        1..=8 => fail(SendFailureKind::Throttled),
        _ => accept(),
    });
    rig.publish("dana").await;
    let daemon = rig.start();
    rig.until(|| rig.queue.is_empty()).await;
    let received = rig.queue.deliveries_of("dana")[0].at;
    let renewed: Vec<_> = rig
        .queue
        .calls_for(Operation::Change, "dana")
        .iter()
        .map(|call| call.at)
        .collect();
    for send in rig.mailer.sends_of("dana") {
        let confirmed = renewed.iter().filter(|at| **at <= send.at).max();
        let until = confirmed.copied().unwrap_or(received) + secs(12);
        assert!(
            until >= send.at + secs(10),
            "{send:?} under a lease until {until:?}"
        );
    }
    daemon.stop().await.is("received 1 = 1 sent");
}

#[tokio::test(start_paused = true)]
async fn after_twelve_hours_a_message_is_let_go_without_a_call_that_sqs_refuses() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    let over = rig.now() + Duration::from_hours(13);
    rig.mailer.script(move |send| {
        if send.at < over {
            out_of_quota()
        } else {
            accept()
        }
    });
    rig.publish("dana").await;
    let received = rig.now();
    rig.until_outcomes("dana", 1).await;
    assert_eq!(rig.outcomes("dana"), ["lost"]);
    assert_about(
        rig.outcome_at("dana") - received,
        Duration::from_hours(12) - mins(1),
        // No renewal is long enough for a send any more in the last seconds.
        secs(12),
    );
    assert!(rig.errors(OUR_FAULT).is_empty());
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.mailer.times_mailed("dana"), 1);
    assert!(rig.queue.dead().is_empty());
    daemon.stop().await.is("received 8 = 7 sent + 1 lost");
}

#[tokio::test(start_paused = true)]
async fn one_lost_while_the_mail_goes_changes_nothing() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| accept_after(secs(5)));
    rig.publish("dana").await;
    rig.pass(secs(1)).await;
    rig.queue.react(|call| match call.operation {
        Operation::Change => Reaction::Entry("dana".to_owned(), EntryFailureKind::LeaseLost),
        _ => Reaction::Pass,
    });
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.mailer.times_mailed("dana"), 1);
    daemon.stop().await.is("received 7 = 7 sent");
}

#[tokio::test(start_paused = true)]
async fn while_an_event_may_come_for_one_that_was_lost_its_next_receive_sends_nothing() {
    // The lease ends after 15 s: after the send was given up, and before that.
    for begins_after in [Duration::ZERO, secs(8)] {
        let rig = Rig::with_feedback(secs(20), short).await;
        let daemon = rig.start_warm().await;
        answer_after(&rig, begins_after, hang().but_mailed());
        lose_and_show(&rig).await;
        rig.until(|| rig.queue.is_empty()).await;
        assert_eq!(rig.queue.deliveries_of("dana").len(), 2);
        assert_eq!(rig.mailer.times_mailed("dana"), 1);
        let mut outcomes = rig.outcomes("dana");
        outcomes.sort_unstable();
        assert_eq!(outcomes, ["duplicate", "sent"]);
        daemon.stop().await.is("received 8 = 7 sent + 1 duplicate");
    }
}

#[tokio::test(start_paused = true)]
async fn where_no_event_comes_for_one_that_was_lost_its_next_receive_sends_after_that_time() {
    let rig = Rig::with_feedback(secs(1), short).await;
    let daemon = rig.start_warm().await;
    rig.publish_no_events();
    answer_after(&rig, Duration::ZERO, hang());
    lose_and_show(&rig).await;
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.outcomes("dana"), ["lost", "sent"]);
    let sends = rig.mailer.sends_of("dana");
    assert_about(sends[2].at - sends[1].at, secs(40), millis(100));
    daemon.stop().await.is("received 8 = 7 sent + 1 lost");
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_after_one_was_lost_is_sent_by_its_next_receive_at_once() {
    let rig = Rig::with_feedback(secs(1), short).await;
    let daemon = rig.start_warm().await;
    let refused = slow_fail(secs(9), SendFailureKind::Transient);
    answer_after(&rig, secs(8), refused);
    lose_and_show(&rig).await;
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.outcomes("dana"), ["lost", "sent"]);
    let sends = rig.mailer.sends_of("dana");
    assert_about(sends[2].at - sends[1].at, secs(9), millis(100));
    daemon.stop().await.is("received 8 = 7 sent + 1 lost");
}

#[tokio::test(start_paused = true)]
async fn one_lost_at_a_stop_waits_for_an_event_no_longer_than_that_may_take() {
    // The send begins 12 s before the stop and has no answer for 10 s. The lease ends after 15 s.
    // Settling begins 7 s before the grace of 28 s is over.
    for (patience, took) in [
        (secs(3), secs(3)),
        (secs(15), secs(13)),
        (mins(5), secs(21)),
    ] {
        let rig = Rig::with_feedback(secs(1), |settings| {
            short(settings);
            settings.feedback.patience = patience;
        })
        .await;
        let daemon = rig.start_warm().await;
        rig.publish_no_events();
        answer_after(&rig, Duration::ZERO, hang());
        lose(&rig).await;
        rig.pass(secs(12)).await;
        let end = daemon.stop().await;
        assert_about(end.took, took, millis(500));
        end.is("received 7 = 6 sent + 1 lost");
    }
}

#[tokio::test(start_paused = true)]
async fn a_send_that_its_lease_would_not_outlast_never_begins() {
    let rig = Rig::with(|settings| {
        settings.email.timeout = secs(15);
        settings.email.max_send_rate = SendRate::PerSecond(1.0);
    })
    .await;
    let daemon = rig.start();
    rig.pass(secs(1)).await;
    rig.queue.react(|call| match call.operation {
        Operation::Change => Reaction::Fail(QueueFailureKind::Transient),
        _ => Reaction::Pass,
    });
    let fifty: Vec<_> = (0..50).map(|n| format!("r{n}@example.com")).collect();
    rig.publish_to("first", &fifty.join(",")).await;
    // It waits 50 s for its turn, and its lease, which cannot be renewed, has 10 s left then.
    rig.publish("dana").await;
    rig.until_outcomes("dana", 1).await;
    rig.queue.react(|_| Reaction::Pass);
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.outcomes("dana"), ["lost", "sent"]);
    let again = rig.queue.deliveries_of("dana")[1].at;
    let sends = rig.mailer.sends_of("dana");
    assert!(sends.len() == 1 && sends[0].at >= again, "{sends:?}");
    daemon.stop().await.is("received 3 = 2 sent + 1 lost");
}

#[tokio::test(start_paused = true)]
async fn one_lost_before_its_delete_is_told_as_a_last_receive_if_it_came_again_meanwhile() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| accept_after(secs(8)));
    rig.publish("dana").await;
    rig.until(|| rig.mailer.under_way() == 1).await;
    rig.queue.make_visible("dana").await;
    rig.until(|| rig.queue.deliveries_of("dana").len() == 2)
        .await;
    rig.queue.react(|call| match call.operation {
        Operation::Delete => Reaction::Entry("dana".to_owned(), EntryFailureKind::LeaseLost),
        _ => Reaction::Pass,
    });
    rig.until_outcomes("dana", 1).await;
    rig.pass(secs(5)).await;
    assert_eq!(rig.outcomes("dana"), ["sent"]);
    assert_eq!(rig.errors("on its last receive").len(), 1);
    drop(daemon.stop().await);
}

fn short(settings: &mut Settings) {
    settings.queue.visibility_timeout = secs(30);
}

/// The first attempt fails after this time, the second is answered so, and further ones are accepted.
fn answer_after(rig: &Rig, before: Duration, answer: Step) {
    rig.mailer.script(move |send| match send.number {
        1 => slow_fail(before, SendFailureKind::Transient),
        2 => answer,
        _ => accept(),
    });
}

/// A message whose lease ends with its first renewal, half its length after its receive.
async fn lose(rig: &Rig) {
    let mut is_lost = false;
    rig.queue.react(move |call| {
        if call.operation == Operation::Change && !std::mem::replace(&mut is_lost, true) {
            Reaction::Entry("dana".to_owned(), EntryFailureKind::LeaseLost)
        } else {
            Reaction::Pass
        }
    });
    rig.publish("dana").await;
    rig.until(|| rig.mailer.sends_of("dana").len() == 1).await;
}

/// The same, and it comes again at once.
async fn lose_and_show(rig: &Rig) {
    lose(rig).await;
    rig.until(|| !rig.queue.calls_for(Operation::Change, "dana").is_empty())
        .await;
    rig.queue.make_visible("dana").await;
}
