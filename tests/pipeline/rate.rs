//! The rate: pacing, and receiving no more than goes out soon.

use std::time::Duration;

use organizer_notifier::ports::{AccountFailureKind, SendFailureKind, SendRate};

use crate::rig::{
    Rig, Standing, accept, accept_after, assert_about, facts, fail, millis, mins, secs, slow_fail,
};

async fn rig_at(rate: SendRate) -> Rig {
    Rig::with(|settings| settings.email.max_send_rate = rate).await
}

/// How many mails went out in this span.
fn mailed(rig: &Rig, from: Duration, to: Duration) -> usize {
    let mails = rig.mailer.mails();
    mails
        .iter()
        .filter(|(at, _)| (from..to).contains(at))
        .count()
}

#[tokio::test(start_paused = true)]
async fn at_one_a_second_mails_to_fifty_go_every_fifty_seconds() {
    let rig = rig_at(SendRate::PerSecond(1.0)).await;
    let daemon = rig.start();
    let fifty: Vec<_> = (0..50).map(|n| format!("r{n}@example.com")).collect();
    for name in ["first", "second", "third"] {
        rig.publish_to(name, &fifty.join(",")).await;
    }
    rig.until(|| rig.queue.is_empty()).await;
    let times: Vec<_> = rig.mailer.mails().iter().map(|(at, _)| *at).collect();
    assert_about(times[1] - times[0], secs(50), millis(300));
    assert_about(times[2] - times[1], secs(50), millis(300));
    daemon.stop().await.is("received 3 = 3 sent");
}

#[tokio::test(start_paused = true)]
async fn mails_go_at_the_rate_that_was_set() {
    let rig = rig_at(SendRate::PerSecond(5.0)).await;
    rig.publish_many("event", 100).await;
    let daemon = rig.start();
    rig.until(|| rig.queue.is_empty()).await;
    let times: Vec<_> = rig.mailer.mails().iter().map(|(at, _)| *at).collect();
    let took = times[99] - times[0];
    assert_about(took, secs(20), secs(2));
    for window in times.windows(11) {
        assert!(
            window[10] - window[0] >= secs(1),
            "a second's worth is the most that is saved up"
        );
    }
    daemon.stop().await.is("received 100 = 100 sent");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_received_that_would_not_go_out_in_ten_seconds() {
    let rig = rig_at(SendRate::PerSecond(1.0)).await;
    let names = rig.publish_many("event", 60).await;
    let daemon = rig.start();
    let mut most = 0;
    while !rig.queue.is_empty() {
        rig.pass(millis(100)).await;
        let held = names
            .iter()
            .filter(|name| matches!(rig.queue.state(name), Some((_, Standing::InFlight))));
        most = most.max(held.count());
    }
    assert!((8..=12).contains(&most), "{most}");
    daemon.stop().await.is("received 60 = 60 sent");
}

#[tokio::test(start_paused = true)]
async fn sixty_four_that_are_throttled_at_once_halve_the_rate_once() {
    let rig = Rig::with(|settings| {
        settings.email.max_send_rate = SendRate::PerSecond(64.0);
        settings.concurrency = 64;
    })
    .await;
    rig.publish_many("warm", 70).await;
    let daemon = rig.start();
    rig.until(|| rig.queue.is_empty()).await;
    rig.pass(secs(10)).await;
    let from = rig.now();
    rig.mailer.script(move |send| {
        if send.at < from + millis(500) {
            slow_fail(secs(1), SendFailureKind::Throttled)
        } else {
            accept()
        }
    });
    rig.publish_many("event", 300).await;
    rig.until(|| rig.queue.is_empty()).await;
    let sends = rig.mailer.sends();
    let count = |a, b| {
        sends
            .iter()
            .filter(|send| (from + secs(a)..from + secs(b)).contains(&send.at))
            .count()
    };
    assert_eq!(count(0, 1), 64, "all at once");
    // Half of 64 a second, recovering by one a second.
    let after = count(4, 6);
    assert!((60..80).contains(&after), "{after} in two seconds");
    daemon.stop().await.is("received 370 = 370 sent");
}

#[tokio::test(start_paused = true)]
async fn the_accounts_rate_is_taken_at_boot_and_every_five_minutes() {
    let rig = rig_at(SendRate::Account).await;
    rig.account
        .script(|now| Ok(facts(if now < mins(4) { 2.0 } else { 10.0 })));
    rig.publish_many("event", 2000).await;
    let daemon = rig.start();
    rig.pass(mins(10)).await;
    assert_about(rig.account.reads()[0], secs(0), millis(10));
    assert_about(rig.account.reads()[1], mins(5), millis(100));
    let slow = mailed(&rig, mins(2), mins(3));
    let fast = mailed(&rig, mins(6), mins(7));
    assert!((118..=122).contains(&slow), "{slow}");
    assert!((590..=610).contains(&fast), "{fast}");
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn without_the_account_sending_starts_with_one_a_second_and_doubles() {
    for kind in [
        AccountFailureKind::AccessDenied,
        AccountFailureKind::Transient,
    ] {
        let rig = rig_at(SendRate::Account).await;
        rig.account.script(move |_| Err(kind));
        rig.publish_many("event", 400).await;
        let daemon = rig.start();
        rig.until(|| rig.queue.is_empty()).await;
        let per_second: Vec<_> = (0..6).map(|n| mailed(&rig, secs(n), secs(n + 1))).collect();
        assert!(per_second[0] <= 2 && per_second[1] <= 4, "{per_second:?}");
        assert!(per_second[5] >= 4 * per_second[2], "{per_second:?}");
        assert_eq!(rig.said("the account's send rate is not known").len(), 1);
        daemon.stop().await.is("received 400 = 400 sent");
    }
}

#[tokio::test(start_paused = true)]
async fn a_throttled_mail_is_sent_again_and_nobody_is_deferred() {
    let rig = rig_at(SendRate::PerSecond(100.0)).await;
    // The account allows 10 a second, whatever the settings say.
    let mut window = (Duration::ZERO, 0);
    rig.mailer.script(move |send| {
        if send.at >= window.0 + secs(1) {
            window = (send.at, 0);
        }
        window.1 += 1;
        if window.1 <= 10 {
            accept_after(millis(100))
        } else {
            fail(SendFailureKind::Throttled)
        }
    });
    rig.publish_many("event", 300).await;
    let daemon = rig.start();
    rig.until(|| rig.queue.is_empty()).await;
    daemon.stop().await.is("received 300 = 300 sent");
    assert!(rig.now() < mins(3), "{:?}", rig.now());
}
