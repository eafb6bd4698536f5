//! A message that cannot be sent now is held and retried in place, as long as its own time lasts.

use organizer_notifier::ports::{SendFailureKind, SendRate};

use crate::rig::{
    Rig, Step, accept, accept_after, assert_about, fail, hang, mins, secs, slow_fail,
};

#[tokio::test(start_paused = true)]
async fn an_outage_of_twenty_minutes_costs_each_message_one_receive() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    let over = rig.now() + mins(20);
    rig.mailer.script(move |send| {
        if send.at < over {
            fail(SendFailureKind::Transient)
        } else {
            accept()
        }
    });
    let held = rig.publish_many("held", 5).await;
    rig.pass(mins(19)).await;
    for name in &held {
        assert_eq!(rig.queue.state(name).unwrap().0, 1);
    }
    rig.until(|| rig.queue.is_empty()).await;
    assert!(rig.now() >= over);
    assert_about(rig.now(), over, mins(2));
    for name in &held {
        assert_eq!(rig.queue.deliveries_of(name).len(), 1);
        assert_eq!(rig.mailer.times_mailed(name), 1);
    }
    daemon.stop().await.is("received 11 = 11 sent");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_breaker_is_not_the_messages_time() {
    let rig = Rig::with(|settings| settings.max_elapsed = mins(2)).await;
    let daemon = rig.start_warm().await;
    let over = rig.now() + mins(60);
    rig.mailer.script(move |send| {
        if send.at < over {
            fail(SendFailureKind::Transient)
        } else {
            accept()
        }
    });
    let held = rig.publish_many("held", 4).await;
    rig.until(|| rig.queue.is_empty()).await;
    for name in &held {
        assert_eq!(rig.outcomes(name), ["sent"]);
    }
    daemon.stop().await.is("received 10 = 10 sent");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_the_rate_is_not_the_messages_time() {
    let rig = Rig::with(|settings| {
        settings.max_elapsed = secs(20);
        settings.email.max_send_rate = SendRate::PerSecond(1.0);
    })
    .await;
    // The second waits 50 s for the debt of the first, and fails once then.
    rig.mailer
        .script(|send| match (send.key.as_str(), send.number) {
            ("second", 1) => fail(SendFailureKind::Throttled),
            _ => accept(),
        });
    let daemon = rig.start();
    rig.publish_to("first", &recipients(50)).await;
    rig.publish("second").await;
    rig.until(|| rig.queue.is_empty()).await;
    assert!(rig.now() > secs(50));
    assert_eq!(rig.outcomes("second"), ["sent"]);
    daemon.stop().await.is("received 2 = 2 sent");
}

#[tokio::test(start_paused = true)]
async fn probes_are_the_messages_time() {
    let rig = Rig::with(|settings| settings.max_elapsed = mins(1)).await;
    let daemon = rig.start_warm().await;
    rig.mailer
        .script(|_| slow_fail(secs(9), SendFailureKind::Transient));
    let held = rig.publish_many("held", 3).await;
    rig.until(|| held.iter().all(|name| !rig.outcomes(name).is_empty()))
        .await;
    for name in &held {
        assert_eq!(rig.outcomes(name), ["deferred"]);
        // Seven times nine seconds are more than a minute.
        assert_eq!(rig.mailer.sends_of(name).len(), 7);
    }
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn retries_begin_soon_and_are_never_more_than_a_minute_apart() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| fail(SendFailureKind::Transient));
    rig.publish("bad").await;
    rig.until_outcomes("bad", 1).await;
    let times: Vec<_> = rig
        .mailer
        .sends_of("bad")
        .iter()
        .map(|send| send.at)
        .collect();
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps[0] <= secs(1) && gaps[1] <= secs(2), "{gaps:?}");
    assert!(gaps.iter().all(|gap| *gap <= secs(61)), "{gaps:?}");
    assert!(gaps.len() < 100, "{gaps:?}");
    daemon.stop().await.is("received 7 = 6 sent + 1 deferred");
}

#[tokio::test(start_paused = true)]
async fn a_message_without_answers_is_tried_twice_at_each_receive() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| hang());
    rig.publish("dana").await;
    rig.until_outcomes("dana", 1).await;
    assert_eq!(rig.mailer.sends_of("dana").len(), 2);
    rig.until_outcomes("dana", 2).await;
    assert_eq!(rig.outcomes("dana"), ["deferred", "exhausted"]);
    assert_eq!(rig.mailer.sends_of("dana").len(), 4);
    assert_eq!(rig.errors("the mail may have been sent").len(), 1);
    rig.until(|| rig.queue.dead() == ["dana"]).await;
    daemon
        .stop()
        .await
        .is("received 8 = 6 sent + 1 deferred + 1 exhausted");
}

#[tokio::test(start_paused = true)]
async fn a_change_of_the_queues_max_receive_count_is_followed() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.queue.set_max_receive_count(3).await;
    rig.pass(mins(6)).await;
    rig.mailer.script(|_| hang());
    rig.publish("dana").await;
    rig.until(|| rig.queue.dead() == ["dana"]).await;
    assert_eq!(rig.outcomes("dana"), ["deferred", "deferred", "exhausted"]);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn while_ses_hangs_messages_that_may_have_been_mailed_are_held_and_not_put_back() {
    let rig = Rig::with(|settings| settings.email.witness = false).await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| hang());
    let mut names = rig.publish_many("first", 3).await;
    rig.until(|| !rig.errors("sending has stopped").is_empty())
        .await;
    names.extend(rig.publish_many("event", 30).await);
    rig.pass(mins(10)).await;
    let received = rig.queue.deliveries().len() - 6;
    assert!(received <= 16, "{received} were received");
    let ended: Vec<_> = names.iter().flat_map(|name| rig.outcomes(name)).collect();
    assert!(
        ended.is_empty(),
        "none is put back while it lasts: {ended:?}"
    );
    rig.mailer.script(|_| accept());
    rig.until(|| rig.queue.is_empty()).await;
    assert!(rig.queue.dead().is_empty());
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn with_a_small_window_too_messages_that_may_have_been_mailed_leave_room_for_the_next_probe()
{
    for concurrency in [1, 2, 4] {
        let rig = Rig::with(|settings| {
            settings.email.witness = false;
            settings.concurrency = concurrency;
        })
        .await;
        let daemon = rig.start_warm().await;
        let over = rig.now() + mins(6);
        rig.mailer
            .script(move |send| if send.at < over { hang() } else { accept() });
        rig.publish_many("event", 30).await;
        rig.pass(mins(6)).await;
        let before = rig.mailer.mails().len();
        rig.until(|| rig.mailer.mails().len() > before).await;
        assert!(rig.now() < over + mins(2), "{concurrency}: {:?}", rig.now());
        daemon.kill().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_while_ses_hangs_ends_with_the_hang_however_long_it_lasts() {
    for minutes in [5, 10, 40] {
        let rig = Rig::new().await;
        let over = rig.now() + mins(minutes);
        rig.mailer
            .script(move |send| if send.at < over { hang() } else { accept() });
        rig.mailer
            .script_witnesses(move |send| if send.at < over { hang() } else { accept() });
        rig.publish_many("event", 3).await;
        let daemon = rig.start();
        rig.pass(mins(minutes)).await;
        rig.until(|| rig.queue.is_empty()).await;
        assert!(rig.now() < over + mins(5), "{minutes}: {:?}", rig.now());
        assert!(rig.queue.dead().is_empty());
        daemon.kill().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_mail_without_answer_that_went_out_is_sent_twice_at_most() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|send| match send.number {
        1 => hang().but_mailed(),
        _ => accept(),
    });
    rig.publish("dana").await;
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.mailer.times_mailed("dana"), 2);
    daemon.stop().await.is("received 7 = 7 sent");
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_is_known_not_to_have_sent_is_not_limited_to_two() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|send| match send.number {
        1..=6 => fail(SendFailureKind::Transient),
        _ => accept(),
    });
    rig.publish("dana").await;
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.mailer.times_mailed("dana"), 1);
    daemon.stop().await.is("received 7 = 7 sent");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_never_returns_is_aborted_at_its_bound_and_costs_no_neighbour() {
    let rig = Rig::with(|settings| settings.max_elapsed = mins(5)).await;
    let daemon = rig.start_warm().await;
    rig.mailer
        .script(|send| match (send.key.as_str(), send.number) {
            ("stuck", 1) => Step::stuck(),
            _ => accept_after(secs(1)),
        });
    rig.publish("stuck").await;
    let began = rig.now();
    let neighbours = rig.publish_many("neighbour", 20).await;
    rig.until_outcomes("stuck", 1).await;
    assert_eq!(rig.outcomes("stuck"), ["panicked"]);
    assert_about(rig.now() - began, mins(5) + secs(20) + mins(1), secs(2));
    for name in &neighbours {
        assert_eq!(rig.queue.deliveries_of(name).len(), 1);
        assert_eq!(rig.mailer.times_mailed(name), 1);
    }
    // Its lease is dropped, and the ledger's guard with it: the next receive sends it.
    rig.until(|| rig.queue.is_empty()).await;
    assert_eq!(rig.outcomes("stuck"), ["panicked", "sent"]);
    daemon.stop().await.is("received 28 = 27 sent + 1 panicked");
}

fn recipients(count: usize) -> String {
    let all: Vec<_> = (0..count).map(|n| format!("r{n}@example.com")).collect();
    all.join(",")
}
