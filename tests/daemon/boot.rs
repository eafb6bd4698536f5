//! Start: what is missing is waited for, and after three minutes told with its remedy.

use std::time::Duration;

use crate::daemon::process::{Daemon, Ended};
use crate::daemon::world::{PATH, QUEUE, REPOSITORY, TEMPLATE, World};

/// Within this a process has given up, which takes it three minutes.
const GIVES_UP: Duration = Duration::from_secs(200);

fn assert_gave_up(ended: &Ended) {
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    let lived = ended.lived.as_secs_f64();
    assert!((180.0..195.0).contains(&lived), "gave up after {lived} s");
    assert_eq!(ended.last_line().level(), "ERROR");
}

#[tokio::test]
async fn a_queue_or_a_template_that_is_not_there_ends_the_process_after_three_minutes() {
    let world = World::new().await;
    let queue = world.environment()[1].1.replace(QUEUE, "outbox");
    let no_queue = Daemon::start(&world, &[("SQS_URL", &queue)]);
    let path = [("NEW_EVENT_NOTIFICATION_EMAIL", "notifications/none.html")];
    let no_template = Daemon::start(&world, &path);
    let (no_queue, no_template) =
        tokio::join!(no_queue.ended(GIVES_UP), no_template.ended(GIVES_UP));

    assert_gave_up(&no_queue);
    let last = no_queue.last_line().message();
    for part in [
        "not started: the queue ",
        &queue,
        "does not exist",
        "check queue.url (SQS_URL) and the region",
    ] {
        assert!(last.contains(part), "{part:?} is not in {last}");
    }
    let told = no_queue.lines_with("not started yet: the queue ");
    assert!(
        told.len() == 3 && told[0].message().contains(&queue),
        "{told:?}"
    );

    assert_gave_up(&no_template);
    let last = no_template.last_line().message();
    for part in [
        "not started: no template: ",
        "FileDoesNotExistException",
        "repository email-templates, path notifications/none.html, at its default branch",
        "check template.repository (CODECOMMIT_REPO), template.path (NEW_EVENT_NOTIFICATION_EMAIL) and template.reference, or make again what is missing",
    ] {
        assert!(last.contains(part), "{part:?} is not in {last}");
    }
    let first = no_template.only_line("no template: ");
    assert!(
        first.message().contains("notifications/none.html"),
        "{first:?}"
    );
    assert_eq!(world.receives(), 0);
}

#[tokio::test]
async fn a_template_that_is_added_while_starting_is_taken_and_no_message_is_touched_before() {
    let world = World::without_template(false).await;
    world.publish_numbered(1).await;
    let mut daemon = Daemon::start(&world, &[("NOTIFIER_TEMPLATE__REFERENCE", "main")]);
    let told = daemon.line("no template: ").await;
    assert_eq!(told.level(), "ERROR");
    let place = format!("repository {REPOSITORY}, path {PATH}, at main");
    assert!(told.message().contains(&place), "{told:?}");
    daemon
        .until("a second fetch", || world.calls("codecommit:GetFile") >= 2)
        .await;
    assert_eq!(world.receives(), 0);
    world.put_template(TEMPLATE);
    daemon.until("a mail", || world.mails().len() == 1).await;
    daemon.stop().await;
    assert!(world.queued().is_empty() && world.dead().is_empty());
}

#[tokio::test]
async fn sigterm_while_starting_ends_at_once_and_in_good_order() {
    let world = World::without_template(false).await;
    let mut daemon = Daemon::start(&world, &[]);
    daemon.line("no template: ").await;
    daemon.signal("TERM").await;
    let ended = daemon.ended(Duration::from_secs(10)).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let last = ended.last_line().message();
    assert_eq!(
        last,
        "SIGTERM while starting: stopped, nothing was received"
    );
    assert!(ended.stopped_in < Duration::from_secs(2));
    assert_eq!(world.receives(), 0);
}

#[tokio::test]
async fn a_feedback_queue_that_is_not_there_is_told_by_its_key_and_holds_up_no_mail() {
    let world = World::new().await;
    let url = world.environment()[1].1.replace(QUEUE, "nope");
    let mut daemon = Daemon::start(&world, &[("NOTIFIER_FEEDBACK__QUEUE_URL", &url)]);
    let line = daemon
        .line("the feedback queue nope cannot be received from")
        .await;
    assert_eq!(line.level(), "ERROR");
    let message = line.message();
    assert!(
        message.contains("check feedback.queue_url (NOTIFIER_FEEDBACK__QUEUE_URL)"),
        "{message}"
    );
    let started = daemon.line("started: queue").await;
    assert!(!started.message().contains("SES's events"), "{started:?}");
    world.publish_numbered(1).await;
    daemon.until("a mail", || world.mails().len() == 1).await;
    daemon.signal("INT").await;
    assert_eq!(daemon.ended(Duration::from_secs(15)).await.code, 0);
}
