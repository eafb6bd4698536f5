//! Whatever keeps mails from going out is told: a line a minute, and not ready meanwhile.

use std::time::Duration;

use organizer_notifier::ports::{AccountCause, QueueFailureKind, SendFailureKind, SendRate};

use crate::rig::{
    Daemon, Line, Operation, Reaction, Rig, accept, assert_about, fail, hang, mins, secs,
};

const SILENT: &str = "no mail has been accepted for";

/// Lets an hour pass, in which the daemon is never ready once a minute of it has gone by.
async fn an_hour_unready(rig: &Rig, daemon: &Daemon) {
    rig.pass(secs(61)).await;
    for _ in 0..59 {
        let unready = daemon.unready().join(", ");
        assert!(unready.contains(SILENT), "{unready}");
        rig.pass(mins(1)).await;
    }
}

/// One line in each minute from a minute after `began` on.
#[track_caller]
fn assert_each_minute(lines: &[Line], began: Duration, minutes: usize) {
    let times: Vec<_> = lines.iter().map(|line| line.at - began).collect();
    assert!(times.len().abs_diff(minutes) <= 1, "{times:?}");
    assert_about(times[0], secs(63), secs(3));
    for pair in times.windows(2) {
        assert_about(pair[1] - pair[0], secs(60), secs(5));
    }
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_throttling_is_told_each_minute_and_costs_no_message() {
    let rig = Rig::with(|settings| settings.email.max_send_rate = SendRate::PerSecond(8.0)).await;
    let daemon = rig.start_warm().await;
    rig.pass(mins(10)).await;
    rig.mailer.script(|_| fail(SendFailureKind::Throttled));
    let began = rig.now();
    let names = rig.publish_many("event", 4).await;
    an_hour_unready(&rig, &daemon).await;
    assert_eq!(
        daemon.unready().last().unwrap(),
        "no mail has been accepted for 1h 1s, 4 held: Scripted"
    );
    let told = rig.errors(SILENT);
    assert_each_minute(&told, began, 59);
    let text = &told[1].text;
    assert!(
        text.contains(": 4 messages are held, the oldest for 2m"),
        "{text}"
    );
    let (_, failure) = text.split_once("; ").unwrap();
    let (failure, rate) = failure.split_once("; the rate is ").unwrap();
    let rate = rate.strip_suffix(" recipients/s").unwrap();
    assert!((0.1..8.0).contains(&rate.parse::<f64>().unwrap()), "{text}");
    assert_eq!(
        failure,
        "the last failure: SendEmail: Scripted: Throttled; look for another program that uses up the \
         account's rate, or ask for a higher one in Service Quotas; what is held goes on by itself then"
    );
    assert_eq!(told[1].fields["error.type"], "Scripted");
    assert_eq!(told[1].fields["notifier.held"], "4");
    assert!(names.iter().all(|name| rig.outcomes(name).is_empty()));
    rig.mailer.script(|_| accept());
    rig.until(|| rig.queue.is_empty()).await;
    assert!(rig.now() - began < mins(65), "{:?}", rig.now() - began);
    assert!(daemon.unready().is_empty());
    for name in &names {
        assert_eq!(rig.outcomes(name), ["sent"]);
        assert_eq!(rig.queue.deliveries_of(name).len(), 1);
        assert_eq!(rig.mailer.times_mailed(name), 1);
    }
    assert!(rig.queue.dead().is_empty());
    let told = rig.errors(SILENT).len();
    rig.pass(mins(10)).await;
    assert_eq!(rig.errors(SILENT).len(), told);
    daemon.stop().await.is("received 10 = 10 sent");
}

#[tokio::test(start_paused = true)]
async fn one_message_that_fails_beside_nothing_else_is_told_each_minute() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| fail(SendFailureKind::Transient));
    let began = rig.now();
    rig.publish("dana").await;
    rig.pass(mins(10)).await;
    let told = rig.errors(SILENT);
    assert_each_minute(&told, began, 9);
    assert!(told[0].text.contains("1 message is held, the oldest for"));
    assert!(told[0].text.contains(", and no other here; "));
    assert!(told[0].text.contains("the rate is unlimited"));
    assert!(told[0].text.ends_with(
        "SendEmail: Scripted: Transient; check the AWS Health Dashboard and the network to SES; what is \
         held goes on by itself then; the rate is unlimited"
    ));
    assert!(daemon.unready()[0].starts_with(SILENT));
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_waits_for_the_rate_alone_is_told_without_a_failure() {
    let rig = Rig::with(|settings| settings.email.max_send_rate = SendRate::PerSecond(0.2)).await;
    let daemon = rig.start_warm().await;
    let fifty: Vec<_> = (0..50).map(|n| format!("r{n}@example.com")).collect();
    rig.publish_to("first", &fifty.join(",")).await;
    rig.publish("second").await;
    rig.until(|| rig.queue.is_empty()).await;
    let told = rig.errors(SILENT);
    assert!((3..=5).contains(&told.len()), "{told:?}");
    assert!(
        told[0]
            .text
            .ends_with("; nothing has failed since the last mail; the rate is 0.2 recipients/s")
    );
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn other_mails_that_are_accepted_are_no_silence_and_idleness_is_none() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|send| match send.key.as_str() {
        "bad" => fail(SendFailureKind::Transient),
        _ => accept(),
    });
    rig.publish("bad").await;
    for number in 0..20 {
        rig.publish(&format!("good-{number}")).await;
        rig.pass(secs(30)).await;
        assert!(daemon.unready().is_empty(), "{:?}", daemon.unready());
    }
    assert!(rig.errors(SILENT).is_empty());
    rig.mailer.script(|_| accept());
    rig.until(|| rig.queue.is_empty()).await;
    let told = rig.errors(SILENT).len();
    rig.pass(mins(60)).await;
    assert!(daemon.unready().is_empty());
    assert_eq!(rig.errors(SILENT).len(), told);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_witnesses_close_again_and_again_ends_no_silence() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script_witnesses(|_| accept());
    rig.mailer.script(|_| fail(SendFailureKind::Transient));
    let before = rig.mailer.witnesses().len();
    let began = rig.now();
    rig.publish_many("event", 6).await;
    rig.pass(mins(10)).await;
    let witnesses = rig.mailer.witnesses().len() - before;
    assert!(witnesses >= 5, "{witnesses}");
    assert_each_minute(&rig.errors(SILENT), began, 9);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_and_the_silence_behind_it_are_told_in_one_line_a_minute() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| fail(SendFailureKind::Transient));
    rig.publish_many("event", 5).await;
    let began = rig.now();
    rig.pass(mins(20)).await;
    let mut told = rig.errors("the oldest for");
    told.retain(|line| line.at >= began);
    assert_each_minute(&told, began, 19);
    assert!(told[5].text.contains("sending has been stopped for"));
    assert!(daemon.unready().iter().any(|why| why.starts_with(SILENT)));
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn deletes_that_keep_failing_are_no_silence_and_leave_the_daemon_unready_until_one_works() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.queue.react(|call| match call.operation {
        Operation::Delete => Reaction::Fail(QueueFailureKind::Transient),
        _ => Reaction::Pass,
    });
    rig.publish("dana").await;
    rig.pass(secs(59)).await;
    assert!(daemon.unready().is_empty());
    rig.pass(mins(10)).await;
    assert_eq!(daemon.unready(), ["deletes keep failing: Scripted"]);
    assert!(rig.errors(SILENT).is_empty(), "the mail went out");
    rig.queue.react(|_| Reaction::Pass);
    rig.until(|| rig.queue.is_empty()).await;
    assert!(daemon.unready().is_empty());
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_never_answers_is_told_after_its_wait_and_ten_seconds() {
    let rig = Rig::new().await;
    rig.queue.react(|call| match call.operation {
        Operation::Receive => Reaction::TimeOut(secs(30)),
        _ => Reaction::Pass,
    });
    let daemon = rig.start();
    rig.until(|| !rig.queue.calls(Operation::Receive).is_empty())
        .await;
    let began = rig.queue.calls(Operation::Receive)[0].at;
    rig.pass(mins(1)).await;
    let told = rig.errors("nothing can be received");
    assert_about(told[0].at - began, secs(30), secs(1));
    assert_eq!(daemon.unready(), ["receiving fails: Scripted"]);
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_receive_that_fails_within_its_wait_is_not_told_at_once() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    let mut failed = false;
    rig.queue.react(move |call| {
        if call.operation == Operation::Receive && !failed {
            failed = true;
            return Reaction::TimeOut(secs(15));
        }
        Reaction::Pass
    });
    rig.pass(mins(2)).await;
    assert!(rig.errors("nothing can be received").is_empty());
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_mail_service_that_never_answers_is_told_by_its_first_timeout_and_then_each_minute() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| hang());
    rig.publish_many("event", 8).await;
    let began = rig.now();
    let limit = rig.settings.email.timeout * 2;
    rig.until(|| !rig.said("a send failed").is_empty()).await;
    let first = rig.said("a send failed")[0].at;
    assert!(first - began <= limit, "{:?}", first - began);
    rig.pass(mins(10)).await;
    let told = rig.errors("the oldest for");
    assert_each_minute(&told, began, 9);
    assert!(!daemon.unready().is_empty());
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_mail_service_that_never_answers_from_the_start_is_told_by_its_first_timeout() {
    let rig = Rig::new().await;
    rig.mailer.script(|_| hang());
    let daemon = rig.start();
    rig.until(|| !rig.mailer.witnesses().is_empty()).await;
    let began = rig.mailer.witnesses()[0].at;
    rig.pass(mins(10)).await;
    let told =
        rig.said("a test mail to SES's mailbox simulator failed, and another is sent: SendEmail: Scripted: OutcomeUnknown");
    assert_eq!(told[0].level, tracing::Level::WARN);
    assert!(told[0].at - began <= rig.settings.email.timeout * 2);
    let later = &told[1..];
    assert!(later.iter().all(|line| line.level == tracing::Level::DEBUG));
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_cause_that_follows_another_is_told_with_its_own_time() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    let paused = SendFailureKind::AccountWide(AccountCause::Paused);
    rig.mailer.script(move |_| fail(paused));
    rig.publish("event").await;
    rig.pass(mins(4)).await;
    let told = rig.errors("sending has been stopped for");
    assert!(!told.is_empty());
    assert!(
        told.iter()
            .all(|line| !line.text.contains("for this cause"))
    );
    let suspended = SendFailureKind::AccountWide(AccountCause::Suspended);
    rig.mailer.script(move |_| fail(suspended));
    // The change itself, and two minutes' lines.
    let lines = || rig.errors("SES has suspended the account");
    rig.until(|| lines().len() == 3).await;
    let changed = lines()[0].at;
    for Line { at, text, .. } in &lines()[1..] {
        let (_, rest) = text.split_once(", the last ").expect(text);
        let (last, _) = rest.split_once(" of it for this cause: ").expect(text);
        let last = humantime::parse_duration(last).expect(text);
        assert_about(last, *at - changed, secs(1));
    }
    drop(daemon.stop().await);
}
