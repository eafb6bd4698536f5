//! Signals: stop, stop at once, and what becomes of the messages held.

use std::ops::Range;
use std::time::Duration;

use sandbox::faults::{Fault, Rule};
use sandbox::sqs::Standing;

use crate::daemon::output::assert_accounted;
use crate::daemon::process::Daemon;
use crate::daemon::world::{TEMPLATE, World};

#[tokio::test]
async fn an_idle_daemon_waits_for_its_poll_at_sigterm_and_sigquit_and_a_second_at_sigint_and_says_so_at_any_log_level()
 {
    let worlds = (World::new().await, World::new().await, World::new().await);
    let one = stopped_while_polling(&worlds.0, "TERM", "WARNING", ("4s", 3.0..6.0));
    let other = stopped_while_polling(&worlds.1, "INT", "CRITICAL", ("20s", 0.0..3.0));
    let third = stopped_while_polling(&worlds.2, "QUIT", "ERROR", ("4s", 3.0..6.0));
    tokio::join!(one, other, third);
}

async fn stopped_while_polling(
    world: &World,
    signal: &str,
    level: &str,
    (wait, expected): (&str, Range<f64>),
) {
    let variables = [("LOG_LEVEL", level), ("NOTIFIER_QUEUE__WAIT_TIME", wait)];
    let mut daemon = Daemon::started(world, &variables).await;
    daemon.until("a long poll", || world.receives() == 1).await;
    daemon.signal(signal).await;
    let ended = daemon.ended(Duration::from_secs(10)).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let stopped_in = ended.stopped_in.as_secs_f64();
    assert!(expected.contains(&stopped_in), "{stopped_in} s");
    let told = ended.only_line(&format!("SIG{signal}: receiving stops; "));
    assert!(told.message().contains("within 28s"), "{told:?}");
    let last = ended.last_line().message();
    assert!(
        last.starts_with("stopped after ") && last.ends_with("received nothing"),
        "{last}"
    );
    assert_eq!(world.receives(), 1);
}

#[tokio::test]
async fn what_a_poll_brings_after_sigterm_is_mailed() {
    let world = World::new().await;
    let mut daemon = Daemon::started(&world, &[]).await;
    daemon.until("a long poll", || world.receives() == 1).await;
    daemon.signal("TERM").await;
    daemon.line("SIGTERM: receiving stops; ").await;
    let message = world.publish_numbered(1).await;
    let ended = daemon.ended(Duration::from_secs(10)).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_accounted(&ended.lines);
    assert_eq!(ended.outcomes_of(&message)[0].outcome(), "sent");
    assert!(world.queued().is_empty());
    assert_eq!(world.receives(), 1);
}

#[tokio::test]
async fn a_send_under_way_is_awaited_and_a_message_in_backoff_is_released_at_once() {
    let world = World::new().await;
    // Two messages are held at once only after a first success.
    world.publish_numbered(0).await;
    let mut daemon = Daemon::started(&world, &[]).await;
    daemon
        .until("a first mail", || world.mails().len() == 1)
        .await;
    let of = |fault, number| Rule {
        body_contains: Some(format!("uid-{number:04}")),
        ..Rule::new("ses:SendEmail", fault)
    };
    let slow = Fault::Latency {
        min_ms: 4000,
        max_ms: 4000,
    };
    world.aws().faults.set(vec![
        of(slow, 1),
        of(Fault::error("InternalServiceErrorException", 500), 2),
    ]);
    let slow = world.publish_numbered(1).await;
    let failing = world.publish_numbered(2).await;
    daemon
        .until("a witness and both tries", || {
            world.calls("ses:SendEmail") >= 4
        })
        .await;
    daemon
        .line("a send failed, and its message is held: ")
        .await;
    daemon.signal("TERM").await;
    daemon
        .until("the release", || {
            world
                .queued()
                .iter()
                .any(|message| message.standing == Standing::Visible)
        })
        .await;
    assert_eq!(world.mails().len(), 1, "the slow one is still under way");
    let ended = daemon.ended(Duration::from_secs(15)).await;

    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_accounted(&ended.lines);
    assert_eq!(ended.outcomes_of(&slow)[0].outcome(), "sent");
    assert_eq!(ended.outcomes_of(&failing)[0].outcome(), "released");
    assert_eq!(world.mails().len(), 2);
    let left = world.queued();
    assert_eq!(left.len(), 1);
    assert!(left[0].body.contains("uid-0002") && left[0].receive_count == 1);
}

#[tokio::test]
async fn a_second_signal_gives_a_send_under_way_two_seconds_and_never_releases_it() {
    let world = World::new().await;
    world.set_fault(Rule {
        body_contains: Some("uid-0001".to_owned()),
        ..Rule::new("ses:SendEmail", Fault::Hang)
    });
    let hanging = world.publish_numbered(1).await;
    let mut daemon = Daemon::started(&world, &[]).await;
    daemon
        .until("a witness and a send", || world.calls("ses:SendEmail") == 2)
        .await;
    daemon.signal("TERM").await;
    daemon.line("SIGTERM: receiving stops; ").await;
    daemon.signal("INT").await;
    let ended = daemon.ended(Duration::from_secs(15)).await;

    assert_accounted(&ended.lines);
    ended.only_line("SIGINT again: everything without a send under way is released now");
    let stopped_in = ended.stopped_in.as_secs_f64();
    assert!((1.9..4.5).contains(&stopped_in), "{stopped_in} s");
    let line = &ended.outcomes_of(&hanging)[0];
    assert_eq!(line.outcome(), "deferred");
    assert!(
        line.message().contains("the mail may have been sent"),
        "{line:?}"
    );
    let left = world.queued();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].standing, Standing::InFlight);
}

#[tokio::test]
async fn sigusr1_and_sigusr2_tell_the_state_at_any_time_and_end_nothing() {
    let world = World::without_template(false).await;
    let variables = [("LOG_LEVEL", "ERROR")];
    let mut daemon = Daemon::start(&world, &variables);
    daemon.line("no template: ").await;
    daemon.signal("USR1").await;
    daemon.line("state: starting, ").await;
    world.put_template(TEMPLATE);
    daemon.signal("HUP").await;
    daemon.line("started: queue ").await;

    world.publish_numbered(0).await;
    daemon
        .until("a first mail", || world.mails().len() == 1)
        .await;
    world.set_fault(Rule::new(
        "ses:SendEmail",
        Fault::error("InternalServiceErrorException", 500),
    ));
    world.publish_numbered(1).await;
    daemon
        .until("a send that fails", || world.calls("ses:SendEmail") >= 3)
        .await;
    daemon.signal("USR2").await;
    // The first message is still held where its delete is under way.
    let told = daemon.line(" held, the oldest for ").await;
    let told = told.message();
    for part in [
        "state: ",
        "; rate ",
        "; rendering works; template ",
        "; ledger entries 1, duplicates found 0; ",
        "since the start 2 received",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    daemon.signal("INT").await;
    let ended = daemon.ended(Duration::from_secs(10)).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let last = ended.last_line().message();
    assert!(last.ends_with("received 2 = 1 sent + 1 released"), "{last}");
}
