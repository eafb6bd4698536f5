//! A process that stands still, or whose log nobody reads.

use std::time::Duration;

use serde_json::json;
use tokio::sync::oneshot;

use crate::daemon::output::{assert_accounted, outcomes};
use crate::daemon::process::Daemon;
use crate::daemon::world::{QUEUE, World};

#[tokio::test]
async fn a_process_that_stood_still_does_not_mail_what_went_to_another_meanwhile() {
    let world = World::new().await;
    let lease = ("NOTIFIER_QUEUE__VISIBILITY_TIMEOUT", "5s");
    let timeout = ("NOTIFIER_EMAIL__TIMEOUT", "1s");
    let mut daemon = Daemon::started(&world, &[lease, timeout]).await;
    daemon.until("a long poll", || world.receives() == 1).await;
    daemon.signal("STOP").await;
    let message = world.publish_numbered(1).await;
    daemon
        .until("the answer to the poll", || {
            world
                .queued()
                .iter()
                .all(|message| message.receive_count == 1)
        })
        .await;
    // The lease ends, and another receiver gets the message.
    let receive = json!({ "QueueUrl": QUEUE, "WaitTimeSeconds": 20, "VisibilityTimeout": 60 });
    let other = world.sqs("ReceiveMessage", receive).await;
    assert_eq!(other["Messages"].as_array().unwrap().len(), 1);
    daemon.signal("CONT").await;
    daemon.line("the process stood still for ").await;
    daemon.signal("INT").await;
    let ended = daemon.ended(Duration::from_secs(10)).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_accounted(&ended.lines);
    assert_eq!(ended.outcomes_of(&message)[0].outcome(), "lost");
    assert!(world.mails().is_empty(), "the other one mails it");
}

#[tokio::test]
async fn a_log_that_nobody_reads_stops_nothing() {
    const COUNT: usize = 400;
    let world = World::new().await;
    for number in 0..COUNT {
        world.publish_numbered(number).await;
    }
    // Its lines are more than the pipe holds.
    let (read, reading) = oneshot::channel();
    let mut daemon = Daemon::unread(&world, reading);
    daemon
        .until("all mails", || {
            world.mails().len() == COUNT && world.queued().is_empty()
        })
        .await;
    read.send(()).unwrap();
    daemon.signal("INT").await;
    let ended = daemon.ended(Duration::from_secs(10)).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.len() > 65_536, "{}", ended.stderr.len());
    assert_accounted(&ended.lines);
    assert_eq!(outcomes(&ended.lines).len(), COUNT);
}
