//! Parts that fail: the daemon stops, in as good an order as it can.

use crate::rig::{Operation, Reaction, Rig, accept_after, fail, mins, secs};
use organizer_notifier::ports::SendFailureKind;

fn panics_at(rig: &Rig, operation: Operation) {
    rig.queue.react(move |call| {
        if call.operation == operation {
            Reaction::Panic
        } else {
            Reaction::Pass
        }
    });
}

#[tokio::test(start_paused = true)]
async fn a_poller_that_panics_begins_the_drain() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| accept_after(secs(5)));
    rig.publish_many("event", 3).await;
    rig.pass(secs(1)).await;
    panics_at(&rig, Operation::Receive);
    let end = daemon.end().await;
    assert_eq!(end.tally, "received 9 = 9 sent");
    assert!(!end.clean);
    assert_eq!(rig.errors("the poller panicked").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lease_keeper_that_panics_begins_the_drain() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|send| match send.key.as_str() {
        "waiting" => fail(SendFailureKind::Throttled),
        _ => accept_after(secs(5)),
    });
    rig.publish("waiting").await;
    rig.pass(secs(1)).await;
    let mut renewals = 0;
    rig.queue.react(move |call| {
        renewals += u32::from(call.operation == Operation::Change);
        if call.operation == Operation::Change && renewals == 1 {
            Reaction::Panic
        } else {
            Reaction::Pass
        }
    });
    let end = daemon.end().await;
    assert_eq!(end.counts.received(), 7);
    assert!(!end.clean);
    assert!(rig.now() < mins(2), "{:?}", rig.now());
    assert_eq!(rig.errors("the lease keeper panicked").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_settler_that_panics_begins_the_drain() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    panics_at(&rig, Operation::Delete);
    rig.publish("dana").await;
    let end = daemon.end().await;
    assert_eq!(end.tally, "received 7 = 7 sent");
    assert!(!end.clean);
    assert_eq!(rig.errors("the settler panicked").len(), 1);
    assert_eq!(rig.errors("do not redrive").len(), 1, "it was mailed");
    assert!(end.took < secs(28));
}

#[tokio::test(start_paused = true)]
async fn a_helper_that_panics_begins_the_drain_and_is_named() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| accept_after(secs(5)));
    rig.account.script(|_| panic!("the script says so"));
    // The account is read every five minutes.
    rig.until(|| rig.now() > secs(298)).await;
    rig.publish("dana").await;
    let end = daemon.end().await;
    assert_eq!(end.tally, "received 7 = 7 sent");
    assert!(!end.clean);
    assert_eq!(rig.errors("the account's reader panicked").len(), 1);
    let told = rig.said("with problems");
    assert_eq!(told.len(), 1);
    assert!(
        !told[0].text.contains("stopped after 0.0 s"),
        "{}",
        told[0].text
    );
}

#[tokio::test(start_paused = true)]
async fn a_fetcher_of_the_template_that_panics_begins_the_drain() {
    let rig = Rig::new().await;
    let daemon = rig.start_warm().await;
    rig.mailer.script(|_| accept_after(secs(5)));
    rig.publish_many("event", 3).await;
    rig.pass(secs(1)).await;
    rig.template.script(|_| panic!("the script says so"));
    daemon.reload();
    let end = daemon.end().await;
    assert_eq!(end.tally, "received 9 = 9 sent");
    assert!(!end.clean);
    assert_eq!(
        rig.errors("the fetcher of the template ended early").len(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_fetcher_that_panics_before_the_first_template_ends_the_boot() {
    let rig = Rig::new().await;
    rig.template.script(|_| panic!("the script says so"));
    let end = rig.start().end().await;
    assert_eq!(end.tally, "received nothing");
    assert!(!end.clean);
}
