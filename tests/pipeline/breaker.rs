//! The mail breaker: what opens it and what does not, and how it closes.

use std::time::Duration;

use organizer_notifier::ports::{AccountCause, AccountFailureKind, SendFailureKind};

use crate::rig::{
    Daemon, Operation, Rig, Standing, accept, assert_about, facts, fail, millis, mins, secs,
    slow_fail,
};

const STOPPED: &str = "sending has stopped";
const WORKS: &str = "sending works again";

#[tokio::test(start_paused = true)]
async fn three_distinct_messages_that_fail_in_a_row_open_it_and_fewer_do_not() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| fail(SendFailureKind::Transient));
    rig.publish_all(&["a", "b"]).await;
    rig.pass(mins(2)).await;
    assert!(
        rig.errors(STOPPED).is_empty(),
        "two messages are not enough"
    );
    rig.publish("c").await;
    rig.pass(secs(1)).await;
    assert_eq!(rig.errors(STOPPED).len(), 1);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn messages_that_go_out_in_between_keep_it_closed() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer
        .script(|send| match (&send.key[..3], send.number) {
            ("bad", 1) => fail(SendFailureKind::Transient),
            // This says nothing of the service, so that only the first attempts count.
            ("bad", _) => fail(SendFailureKind::Throttled),
            _ => accept(),
        });
    for number in 0..5 {
        for name in [format!("bad-{number}"), format!("good-{number}")] {
            rig.publish(&name).await;
            rig.until(|| !rig.mailer.sends_of(&name).is_empty()).await;
        }
    }
    rig.pass(secs(10)).await;
    assert!(rig.errors(STOPPED).is_empty());
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn each_refusal_of_the_whole_account_opens_it_at_once() {
    for cause in [
        AccountCause::Suspended,
        AccountCause::Paused,
        AccountCause::DailyQuota,
        AccountCause::MailFromNotVerified,
        AccountCause::SenderNotVerified,
        AccountCause::ConfigurationSetMissing,
        AccountCause::Credentials,
        AccountCause::AccessDenied,
    ] {
        let rig = Rig::new().await;
        let daemon = rig.start_warm().await;
        let over = rig.now() + mins(20);
        rig.mailer.script(move |send| {
            if send.at < over {
                fail(SendFailureKind::AccountWide(cause))
            } else {
                accept()
            }
        });
        rig.account.script(move |now| {
            let mut says = facts(50.0);
            says.max_24_hour_send = Some(50_000.0);
            let used_up = cause == AccountCause::DailyQuota && now < over;
            says.sent_last_24_hours = if used_up { 50_000.0 } else { 10.0 };
            Ok(says)
        });
        rig.publish("first").await;
        rig.pass(millis(500)).await;
        assert_eq!(rig.errors(STOPPED).len(), 1, "{cause:?}");
        assert_eq!(rig.mailer.sends_of("first").len(), 1, "{cause:?}");
        // Receives that were under way when it opened are over.
        rig.pass(secs(25)).await;
        rig.publish_many("later", 20).await;
        rig.pass(mins(18)).await;
        let received = rig
            .queue
            .deliveries()
            .iter()
            .filter(|d| d.name.starts_with("later"))
            .count();
        // Where even a witness may not be sent, the messages may be the ones that are refused: with
        // each probe one more is received.
        let most = if cause == AccountCause::AccessDenied {
            20
        } else {
            2
        };
        assert!(received <= most, "{cause:?}: {received} were received");
        assert_eq!(
            rig.errors("sending has been stopped").len(),
            18,
            "one a minute"
        );
        rig.until(|| rig.queue.is_empty()).await;
        assert_eq!(rig.said(WORKS).len(), 1);
        assert_about(rig.now(), over, mins(2));
        daemon.stop().await.is("received 27 = 27 sent");
    }
}

#[tokio::test(start_paused = true)]
async fn what_concerns_one_message_or_our_pace_never_opens_it() {
    for kind in [SendFailureKind::Throttled, SendFailureKind::Refused] {
        let rig = Rig::new().await;
        let daemon = rig.start_warm().await;
        rig.mailer.script(move |_| fail(kind));
        rig.mailer.script_witnesses(|_| accept());
        rig.publish_many("bad", 20).await;
        rig.pass(mins(1)).await;
        assert!(rig.errors(STOPPED).is_empty(), "{kind:?}");
        drop(daemon.stop().await);
    }
}

/// An outage of ten minutes that has opened the breaker, with nothing held and without witnesses; and
/// when it is over.
async fn outage_with_nothing_held() -> (Rig, Daemon, Duration) {
    // Each attempt spends the whole budget, so that nothing is held when the breaker opens.
    let rig = Rig::with(|settings| {
        settings.max_elapsed = secs(1);
        settings.email.witness = false;
    })
    .await;
    let daemon = rig.start_warm().await;
    let over = rig.now() + mins(10);
    rig.mailer.script(move |send| {
        if send.at < over {
            slow_fail(secs(2), SendFailureKind::Transient)
        } else {
            accept()
        }
    });
    rig.publish_many("opener", 3).await;
    rig.until(|| !rig.errors(STOPPED).is_empty()).await;
    (rig, daemon, over)
}

#[tokio::test(start_paused = true)]
async fn with_nothing_held_one_message_at_a_time_is_received_as_the_probe() {
    let (rig, daemon, _) = outage_with_nothing_held().await;
    let opened = rig.now();
    rig.publish_many("later", 30).await;
    rig.pass(mins(9)).await;
    let calls = rig.queue.calls(Operation::Receive);
    let since: Vec<_> = calls.iter().filter(|call| call.at > opened).collect();
    assert!(since.iter().all(|call| call.asked == 1), "one alone");
    let probes = rig
        .mailer
        .sends()
        .iter()
        .filter(|send| send.at > opened)
        .count();
    assert!((5..20).contains(&probes), "{probes} probes");
    assert!(
        rig.mailer
            .sends()
            .iter()
            .filter(|send| send.at > opened)
            .all(|send| send.under_way == 1)
    );
    rig.until(|| !rig.said(WORKS).is_empty()).await;
    rig.pass(mins(20)).await;
    assert!(rig.queue.is_empty());
    assert!(rig.queue.dead().is_empty());
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn while_it_is_open_nothing_is_received_where_messages_are_held() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| fail(SendFailureKind::Transient));
    rig.publish_many("held", 4).await;
    rig.until(|| !rig.errors(STOPPED).is_empty()).await;
    rig.pass(millis(100)).await;
    let before = rig.queue.deliveries().len();
    rig.publish_many("later", 10).await;
    rig.pass(mins(10)).await;
    // A receive that was under way when it opened may still bring its messages.
    assert!(
        rig.queue
            .calls(Operation::Receive)
            .iter()
            .all(|call| call.at <= rig.errors(STOPPED)[0].at)
    );
    assert!(rig.queue.deliveries().len() <= before + 10);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_always_fails_does_not_keep_it_open() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    let over = rig.now() + secs(30);
    rig.mailer.script(move |send| {
        if send.at < over || send.key.starts_with("bad") {
            fail(SendFailureKind::Transient)
        } else {
            accept()
        }
    });
    rig.publish_all(&["bad-1", "bad-2", "good"]).await;
    rig.until(|| !rig.said(WORKS).is_empty()).await;
    assert_about(rig.now(), over, mins(2));
    assert_eq!(rig.mailer.times_mailed("good"), 1);
    rig.publish_many("more", 10).await;
    rig.until(|| (0..10).all(|n| rig.mailer.times_mailed(&format!("more-{n}")) == 1))
        .await;
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_rejected_hands_on_to_the_next_at_once() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    let over = rig.now() + secs(20);
    rig.mailer
        .script(move |send| match (send.at < over, send.key.as_str()) {
            (true, _) => fail(SendFailureKind::Transient),
            (false, "bad") => fail(SendFailureKind::Refused),
            (false, _) => accept(),
        });
    rig.publish_all(&["bad", "dana", "erik"]).await;
    rig.until(|| rig.queue.messages() == ["bad"] || rig.queue.is_empty())
        .await;
    assert_eq!(
        rig.mailer.times_mailed("dana") + rig.mailer.times_mailed("erik"),
        2
    );
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_paused_account_is_asked_and_nothing_is_sent_until_it_allows() {
    for cause in [AccountCause::Paused, AccountCause::Suspended] {
        let rig = Rig::new().await;
        let daemon = rig.start_warm().await;
        let over = rig.now() + mins(15);
        rig.mailer.script(move |send| {
            if send.at < over {
                fail(SendFailureKind::AccountWide(cause))
            } else {
                accept()
            }
        });
        rig.account.script(move |now| {
            let mut says = facts(50.0);
            says.sending_enabled = now >= over;
            Ok(says)
        });
        rig.publish("dana").await;
        rig.pass(mins(14)).await;
        assert_eq!(rig.mailer.sends_of("dana").len(), 1, "{cause:?}");
        assert!(rig.account.reads().len() >= 10);
        rig.until(|| rig.queue.is_empty()).await;
        assert_eq!(rig.mailer.sends_of("dana").len(), 2, "{cause:?}");
        daemon.stop().await.is("received 7 = 7 sent");
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_that_cannot_be_asked_leaves_it_to_a_probe() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.account
        .script(|_| Err(AccountFailureKind::AccessDenied));
    rig.mailer.script(|send| match send.number {
        1..=3 => fail(SendFailureKind::AccountWide(AccountCause::Paused)),
        _ => accept(),
    });
    rig.publish("dana").await;
    rig.until(|| rig.queue.is_empty()).await;
    assert!(rig.account.reads().len() >= 3);
    assert_eq!(rig.mailer.sends_of("dana").len(), 4);
    daemon.stop().await.is("received 7 = 7 sent");
}

#[tokio::test(start_paused = true)]
async fn a_message_behind_it_is_held_under_its_lease() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer
        .script(|_| fail(SendFailureKind::AccountWide(AccountCause::DailyQuota)));
    rig.publish("dana").await;
    for _ in 0..60 {
        rig.pass(mins(1)).await;
        assert_eq!(rig.queue.state("dana"), Some((1, Standing::InFlight)));
    }
    drop(daemon.stop().await);
    rig.pass(secs(21)).await;
    assert_eq!(rig.queue.state("dana"), Some((1, Standing::Visible)));
}

/// A daily quota that is used up for ten minutes; after that `bad` is refused for itself, for ever.
fn with_a_used_up_quota(rig: &Rig) -> Duration {
    let over = rig.now() + mins(10);
    // Mails to the simulator do not count against the quota.
    rig.mailer.script_witnesses(|_| accept());
    rig.mailer.script(move |send| match send.key.as_str() {
        _ if send.at < over => fail(SendFailureKind::AccountWide(AccountCause::DailyQuota)),
        "bad" => fail(SendFailureKind::Refused),
        _ => accept(),
    });
    rig.account.script(move |now| {
        let mut says = facts(50.0);
        says.max_24_hour_send = Some(50_000.0);
        says.sent_last_24_hours = if now < over { 50_000.0 } else { 10.0 };
        Ok(says)
    });
    over
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_always_refused_keeps_no_other_out_once_the_quota_is_back() {
    for concurrency in [1, 2] {
        let rig = Rig::with(|settings| settings.concurrency = concurrency).await;
        let daemon = rig.start_warm().await;
        let over = with_a_used_up_quota(&rig);
        rig.publish("bad").await;
        rig.pass(mins(1)).await;
        let good = rig.publish_many("good", 10).await;
        rig.until(|| good.iter().all(|name| rig.mailer.times_mailed(name) == 1))
            .await;
        assert!(rig.now() < over + mins(5), "{:?}", rig.now() - over);
        rig.until(|| rig.queue.is_empty()).await;
        assert_eq!(
            rig.outcomes("bad"),
            ["rejected"; 2],
            "as often as its receives"
        );
        drop(daemon.stop().await);
    }
}

#[tokio::test(start_paused = true)]
async fn messages_of_which_no_mail_can_be_made_cost_no_probe() {
    let (rig, daemon, over) = outage_with_nothing_held().await;
    rig.pass(over - rig.now()).await;
    for number in 0..12 {
        rig.publish_to(&format!("nobody-{number}"), "").await;
    }
    let good = rig.publish_many("good", 5).await;
    rig.until(|| good.iter().all(|name| rig.mailer.times_mailed(name) == 1))
        .await;
    assert!(rig.now() < over + mins(2), "{:?}", rig.now() - over);
    drop(daemon.stop().await);
}
