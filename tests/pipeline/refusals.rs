//! Refusals whose code does not say whose fault they are: no good message is dead-lettered for the
//! account's fault, and no bad one stops the good ones.

use organizer_notifier::ports::{
    AccountCause, AccountFailureKind, EntryFailureKind, SendFailureKind,
};

use crate::rig::{
    Daemon, Operation, Reaction, Rig, Send, Step, accept, assert_about, facts, fail, hang, millis,
    mins, refuse, secs,
};

const STOPPED: &str = "sending has stopped";
const DENIED: SendFailureKind = SendFailureKind::AccountWide(AccountCause::AccessDenied);

fn is_bad(send: &Send) -> bool {
    send.key.starts_with("bad")
}

/// Messages whose names begin with `bad` are refused, and all others accepted, witnesses too.
fn refuse_bad_ones(rig: &Rig) {
    rig.mailer.script(|send| {
        if is_bad(send) {
            refuse("MessageRejected")
        } else {
            accept()
        }
    });
}

async fn until_mailed(rig: &Rig, names: &[String]) {
    let mailed = |name: &String| rig.mailer.times_mailed(name) == 1;
    rig.until(|| names.iter().all(mailed)).await;
}

#[tokio::test(start_paused = true)]
async fn one_bad_message_on_a_quiet_queue_is_dead_lettered_within_fifteen_seconds() {
    let rig = Rig::new().await;
    refuse_bad_ones(&rig);
    let daemon = rig.start_warm().await;
    rig.pass(mins(5)).await;
    rig.publish("bad").await;
    let published = rig.now();
    rig.until(|| rig.queue.dead() == ["bad"]).await;
    assert!(
        rig.now() - published <= secs(15),
        "{:?}",
        rig.now() - published
    );
    assert!(rig.errors(STOPPED).is_empty());
    daemon.stop().await.is("received 8 = 6 sent + 2 rejected");
}

#[tokio::test(start_paused = true)]
async fn without_witnesses_one_bad_message_is_dead_lettered_within_twice_the_retry_budget() {
    let rig = Rig::with(|settings| settings.email.witness = false).await;
    refuse_bad_ones(&rig);
    let daemon = rig.start_warm().await;
    rig.publish("bad").await;
    let published = rig.now();
    rig.until(|| rig.queue.dead() == ["bad"]).await;
    let took = rig.now() - published;
    assert!(took <= 2 * rig.settings.max_elapsed, "{took:?}");
    assert!(rig.mailer.witnesses().is_empty());
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn until_a_witness_tells_few_messages_are_received_and_then_all_have_their_verdict() {
    let rig = Rig::with(|settings| settings.concurrency = 2).await;
    let daemon = rig.start_warm().await;
    refuse_bad_ones(&rig);
    let over = rig.now() + secs(15);
    rig.mailer
        .script_witnesses(move |send| if send.at < over { hang() } else { accept() });
    let before = rig.queue.deliveries().len();
    rig.publish_many("bad", 30).await;
    let good = rig.publish_many("good", 5).await;
    rig.pass(secs(15)).await;
    let received = rig.queue.deliveries().len() - before;
    // Two suspects beside the window and two in it, and others after two, four and eight seconds.
    assert!((5..=7).contains(&received), "{received} were received");
    until_mailed(&rig, &good).await;
    rig.until(|| rig.queue.dead().len() == 30).await;
    assert!(rig.now() < over + mins(3), "{:?}", rig.now() - over);
    assert!(rig.errors(STOPPED).is_empty());
    drop(daemon.stop().await);
}

/// Every mail is refused with a code that nobody knows for an hour, under load and with a deploy in
/// its middle: none of the good ones is dead-lettered, and all are mailed when it is over.
async fn outlast(rig: &Rig, from_the_start: bool) -> Daemon {
    let mut daemon = rig.start();
    if !from_the_start {
        rig.publish_many("before", 40).await;
        rig.until(|| rig.queue.is_empty()).await;
    }
    let over = rig.now() + mins(60);
    rig.mailer.script(move |send| {
        if send.at < over {
            refuse("TenantLimitReachedException")
        } else {
            accept()
        }
    });
    if from_the_start {
        drop(daemon.stop().await);
        daemon = rig.start();
    }
    let names = rig.publish_many("good", 60).await;
    rig.pass(mins(20)).await;
    drop(daemon.stop().await);
    let daemon = rig.start();
    rig.pass(mins(39)).await;
    assert!(rig.queue.dead().is_empty(), "{:?}", rig.queue.dead());
    assert!(!rig.errors(STOPPED).is_empty());
    let said = rig.errors(STOPPED)[0].fields["error.type"].clone();
    assert_eq!(said, "TenantLimitReachedException");
    until_mailed(rig, &names).await;
    assert!(rig.now() <= over + mins(5), "{:?}", rig.now() - over);
    assert!(rig.queue.dead().is_empty(), "{:?}", rig.queue.dead());
    daemon
}

#[tokio::test(start_paused = true)]
async fn a_service_that_refuses_every_mail_dead_letters_none() {
    for from_the_start in [true, false] {
        let rig = Rig::new().await;
        let daemon = outlast(&rig, from_the_start).await;
        let witnesses = rig.mailer.witnesses();
        assert!(witnesses.len() > 3, "{witnesses:?}");
        drop(daemon.stop().await);
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_without_a_verdict_dead_letters_none_where_three_are_refused_alike() {
    for allowed in [false, true] {
        for from_the_start in [true, false] {
            let rig = Rig::with(|settings| settings.email.witness = allowed).await;
            rig.mailer.script_witnesses(|_| fail(DENIED));
            drop(outlast(&rig, from_the_start).await.stop().await);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_where_the_account_cannot_be_asked_dead_letters_none() {
    let rig = Rig::new().await;
    rig.account
        .script(|_| Err(AccountFailureKind::AccessDenied));
    drop(outlast(&rig, false).await.stop().await);
}

#[tokio::test(start_paused = true)]
async fn bad_ones_before_and_among_good_ones_do_not_stop_these() {
    let rig = Rig::new().await;
    refuse_bad_ones(&rig);
    let daemon = rig.start_warm().await;
    let bad = rig.publish_many("bad", 100).await;
    let good = rig.publish_many("good", 300).await;
    let published = rig.now();
    until_mailed(&rig, &good).await;
    assert!(
        rig.now() - published <= secs(40),
        "{:?}",
        rig.now() - published
    );
    rig.until(|| rig.queue.dead().len() == bad.len()).await;
    assert!(rig.queue.dead().iter().all(|name| name.starts_with("bad")));
    let at: Vec<_> = rig.mailer.witnesses().iter().map(|send| send.at).collect();
    assert!(
        at.windows(2).all(|pair| pair[1] - pair[0] >= secs(1)),
        "{at:?}"
    );
    assert!(rig.errors(STOPPED).is_empty());
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn bad_ones_do_not_stop_good_ones_without_witnesses_either() {
    let rig = Rig::with(|settings| settings.email.witness = false).await;
    refuse_bad_ones(&rig);
    let daemon = rig.start_warm().await;
    let bad = rig.publish_many("bad", 5).await;
    rig.until(|| !rig.errors(STOPPED).is_empty()).await;
    let good = rig.publish_many("good", 20).await;
    let published = rig.now();
    until_mailed(&rig, &good).await;
    assert!(
        rig.now() - published <= mins(5),
        "{:?}",
        rig.now() - published
    );
    rig.until(|| rig.queue.dead().len() == bad.len()).await;
    assert!(rig.queue.dead().iter().all(|name| name.starts_with("bad")));
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_recipient_that_the_role_may_not_write_to_does_not_stop_the_service() {
    for witness_denied in [false, true] {
        let rig = Rig::new().await;
        rig.mailer
            .script(|send| if is_bad(send) { fail(DENIED) } else { accept() });
        if witness_denied {
            rig.mailer.script_witnesses(|_| fail(DENIED));
        }
        let daemon = rig.start_warm().await;
        rig.publish("bad").await;
        rig.pass(millis(100)).await;
        let good = rig.publish_many("good", 100).await;
        let published = rig.now();
        until_mailed(&rig, &good).await;
        assert!(
            rig.now() - published <= mins(2),
            "{:?}",
            rig.now() - published
        );
        rig.until(|| rig.queue.dead() == ["bad"]).await;
        let opened = rig.errors(STOPPED).len();
        assert!(opened <= 2, "it opened {opened} times");
        drop(daemon.stop().await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_task_that_cannot_mail_receives_nothing() {
    for cause in [
        AccountCause::Suspended,
        AccountCause::SenderNotVerified,
        AccountCause::ConfigurationSetMissing,
        AccountCause::Credentials,
    ] {
        let rig = Rig::new().await;
        rig.mailer
            .script(move |_| fail(SendFailureKind::AccountWide(cause)));
        rig.publish_many("event", 10).await;
        let daemon = rig.start();
        rig.pass(mins(30)).await;
        assert!(rig.queue.deliveries().is_empty(), "{cause:?}");
        assert_eq!(rig.errors(STOPPED).len(), 1, "{cause:?}");
        daemon.stop().await.is("received nothing");
    }
}

#[tokio::test(start_paused = true)]
async fn deploys_while_every_mail_is_refused_spend_no_receive() {
    let rig = Rig::new().await;
    rig.mailer.script(|_| refuse("TenantLimitReachedException"));
    rig.publish_many("event", 10).await;
    for _ in 0..5 {
        let daemon = rig.start();
        rig.pass(secs(50)).await;
        daemon.stop().await.is("received nothing");
    }
    assert_eq!(rig.errors(STOPPED).len(), 5, "each says what SES said");
    assert!(rig.queue.deliveries().is_empty());
    let daemon = rig.start();
    rig.pass(mins(60)).await;
    assert_eq!(rig.queue.deliveries().len(), 1, "one tells, and is held");
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_start_while_the_service_fails_receives_one_message_at_most() {
    for step in [fail(SendFailureKind::Transient), hang()] {
        let rig = Rig::new().await;
        rig.mailer.script(move |_| step);
        rig.publish_many("event", 10).await;
        let daemon = rig.start();
        rig.pass(mins(60)).await;
        assert!(rig.queue.deliveries().len() <= 1);
        assert_eq!(rig.errors(STOPPED).len(), 1);
        drop(daemon.stop().await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_while_one_call_in_five_fails_is_through_within_seconds() {
    for first in 0..5 {
        let rig = Rig::new().await;
        let mut call = first;
        rig.mailer.script(move |_| {
            call += 1;
            match call % 5 {
                0 => fail(SendFailureKind::Transient),
                _ => accept(),
            }
        });
        rig.publish("event").await;
        let daemon = rig.start();
        rig.until(|| rig.mailer.times_mailed("event") == 1).await;
        assert!(rig.now() <= secs(5), "{:?}", rig.now());
        drop(daemon.stop().await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_releases_a_suspect_and_finds_out_about_it_on_its_last_receive() {
    // No word for now, so that it is a suspect when the stop comes.
    let rig = Rig::new().await;
    refuse_bad_ones(&rig);
    let daemon = rig.start_warm().await;
    rig.mailer
        .script_witnesses(|_| fail(SendFailureKind::Throttled));
    rig.publish("bad").await;
    rig.pass(millis(1500)).await;
    daemon.stop().await.is("received 7 = 6 sent + 1 released");
    rig.mailer.script_witnesses(|_| accept());
    let daemon = rig.start();
    rig.until(|| rig.mailer.sends_of("bad").len() == 2).await;
    // It was refused just now, and no witness has been sent yet.
    let end = daemon.stop().await;
    end.is("received 1 = 1 rejected");
    assert_about(end.took, secs(1), millis(500));
}

#[tokio::test(start_paused = true)]
async fn a_suspect_that_is_released_on_its_last_receive_without_a_word_is_told_at_error() {
    let rig = Rig::new().await;
    refuse_bad_ones(&rig);
    let daemon = rig.start_warm().await;
    rig.mailer
        .script_witnesses(|_| fail(SendFailureKind::Throttled));
    rig.publish("bad").await;
    rig.pass(millis(1500)).await;
    drop(daemon.stop().await);
    rig.mailer.script_witnesses(|send| match send.number {
        // The start's own.
        number if number % 2 == 1 && send.at < secs(1) => accept(),
        _ => Step::stuck(),
    });
    let daemon = rig.start();
    rig.pass(secs(2)).await;
    drop(daemon.stop().await);
    let told = rig.errors("before it knew whether the message or the account");
    assert!(told.len() <= 1);
}

#[tokio::test(start_paused = true)]
async fn in_the_sandbox_three_unverified_recipients_in_a_row_stop_it_by_that_name() {
    let rig = Rig::new().await;
    rig.account.script(|_| {
        let mut says = facts(1.0);
        says.production_access = false;
        Ok(says)
    });
    let daemon = rig.start_warm().await;
    rig.mailer
        .script(|_| fail(SendFailureKind::RecipientNotVerified));
    rig.mailer.script_witnesses(|_| accept());
    rig.publish_many("event", 6).await;
    rig.until(|| !rig.errors(STOPPED).is_empty()).await;
    let cause = rig.errors(STOPPED)[0].fields["notifier.breaker.cause"].clone();
    assert_eq!(cause, "sandbox");
    rig.pass(mins(60)).await;
    assert!(rig.queue.dead().is_empty());
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_once_with_the_messages_outcome() {
    let rig = Rig::new().await;
    refuse_bad_ones(&rig);
    let daemon = rig.start_warm().await;
    rig.publish("bad").await;
    rig.until(|| rig.queue.dead() == ["bad"]).await;
    let told = rig.said("Refused");
    let told = told
        .iter()
        .filter(|line| line.level <= tracing::Level::WARN)
        .count();
    assert_eq!(told, 2, "one for each receive");
    drop(daemon.stop().await);
}

#[tokio::test(start_paused = true)]
async fn a_suspect_that_loses_its_lease_is_forgotten_and_judged_anew_when_it_comes_back() {
    let rig = Rig::new().await;
    refuse_bad_ones(&rig);
    let daemon = rig.start_warm().await;
    rig.mailer
        .script_witnesses(|_| fail(SendFailureKind::Throttled));
    rig.queue.react(|call| match call.operation {
        Operation::Change => Reaction::Entry("bad".to_owned(), EntryFailureKind::LeaseLost),
        _ => Reaction::Pass,
    });
    rig.publish("bad").await;
    rig.until_outcomes("bad", 1).await;
    assert_eq!(rig.outcomes("bad"), ["lost"]);
    let before = rig.mailer.sends_of("bad").len();
    rig.queue.react(|_| Reaction::Pass);
    rig.mailer.script_witnesses(|_| accept());
    rig.until_outcomes("bad", 2).await;
    assert_eq!(rig.outcomes("bad"), ["lost", "rejected"]);
    assert_eq!(rig.mailer.sends_of("bad").len(), before + 2);
    drop(daemon.stop().await);
}
