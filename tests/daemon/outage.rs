//! The mail service in trouble: nothing is lost, nothing goes twice, nothing good is dead-lettered.

use std::collections::BTreeMap;

use sandbox::faults::{Fault, Rule, Window};

use crate::daemon::output::Line;
use crate::daemon::process::{Daemon, Ended};
use crate::daemon::world::{World, tag};

/// Publishes events of these numbers and gives their SNS message ids.
async fn publish(world: &World, numbers: std::ops::Range<usize>) -> Vec<String> {
    let mut ids = Vec::new();
    for number in numbers {
        ids.push(world.publish_numbered(number).await);
    }
    ids
}

/// Waits until all have been mailed, stops, and checks that each went once.
async fn assert_each_mailed_once(world: &World, daemon: Daemon, ids: &[String]) -> Ended {
    daemon
        .until("all mails and an empty queue", || {
            world.mails().len() >= ids.len() && world.queued().is_empty()
        })
        .await;
    let ended = daemon.stop().await;
    let mut sent = BTreeMap::new();
    for mail in world.mails() {
        *sent.entry(tag(&mail).to_owned()).or_insert(0) += 1;
    }
    let expected: BTreeMap<_, _> = ids.iter().map(|id| (id.clone(), 1)).collect();
    assert_eq!(sent, expected);
    assert!(world.dead().is_empty(), "{:?}", world.dead());
    // Held, not put back: each was received once.
    for id in ids {
        let [line]: [Line; 1] = ended.outcomes_of(id).try_into().unwrap();
        assert_eq!(line.text("notifier.receive"), "1 of 2");
    }
    ended
}

#[tokio::test]
async fn four_seconds_of_failing_sends_are_held_through() {
    let world = World::new().await;
    // Work has to have begun: until then one message at a time is tried.
    let mut ids = publish(&world, 0..30).await;
    let mut daemon = Daemon::started(&world, &[]).await;
    daemon
        .until("the first mails", || world.mails().len() == 30)
        .await;
    let fault = Fault::error("InternalServiceErrorException", 500);
    world.set_fault(Rule {
        window: Some(Window {
            from_ms: 0,
            until_ms: 4000,
        }),
        ..Rule::new("ses:SendEmail", fault)
    });
    ids.extend(publish(&world, 30..90).await);
    let opened = daemon
        .line("sending has stopped, and receiving with it but for probes: ")
        .await;
    assert_eq!(opened.level(), "ERROR");
    assert_eq!(opened.text("notifier.breaker.cause"), "failing");
    for part in ["SES fails or does not answer", "AWS Health Dashboard"] {
        assert!(opened.message().contains(part), "{opened:?}");
    }
    let closed = daemon.line("sending works again after ").await;
    assert_eq!(closed.level(), "INFO");
    let ended = assert_each_mailed_once(&world, daemon, &ids).await;
    ended.only_line("sending has stopped");
    ended.only_line("sending works again");
}

#[tokio::test]
async fn a_paused_account_holds_one_message_and_is_asked_before_it_is_tried_again() {
    let world = World::new().await;
    world
        .aws()
        .ses
        .update_account(|account| account.paused = true);
    let ids = publish(&world, 0..10).await;
    let mut daemon = Daemon::started(&world, &[]).await;
    let opened = daemon
        .line("sending has stopped, and receiving with it but for probes: ")
        .await;
    assert_eq!(opened.text("notifier.breaker.cause"), "paused");
    assert!(
        opened.message().contains("put-account-sending-attributes"),
        "{opened:?}"
    );
    let asked = world.calls("ses:GetAccount");
    daemon
        .until("another question", || world.calls("ses:GetAccount") > asked)
        .await;
    assert_eq!(world.calls("ses:SendEmail"), 1, "the witness");
    let received = |message: &&sandbox::sqs::MessageState| message.receive_count > 0;
    assert_eq!(world.queued().iter().filter(received).count(), 0);
    world
        .aws()
        .ses
        .update_account(|account| account.paused = false);
    daemon.line("sending works again after ").await;
    let ended = assert_each_mailed_once(&world, daemon, &ids).await;
    ended.only_line("sending has stopped");
}

#[tokio::test]
async fn throttling_of_every_fifth_send_slows_the_daemon_and_opens_no_breaker() {
    let world = World::new().await;
    world.aws().faults.seed(7);
    world.set_fault(Rule {
        share: 0.2,
        ..Rule::new(
            "ses:SendEmail",
            Fault::error("TooManyRequestsException", 429),
        )
    });
    let ids = publish(&world, 0..100).await;
    let daemon = Daemon::started(&world, &[]).await;
    let ended = assert_each_mailed_once(&world, daemon, &ids).await;
    assert!(
        !ended.stderr.contains("sending has stopped"),
        "{}",
        ended.stderr
    );
    assert!(world.calls("ses:SendEmail") > 105);
}
