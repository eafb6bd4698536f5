//! The template in a bucket: by one variable, at little cost, and when S3 or the bucket has a fault.

use sandbox::faults::{Fault, Rule};

use crate::daemon::process::Daemon;
use crate::daemon::world::{PATH, World, tag};

const BUCKET: &str = "email-templates-of-ours";
const IN_BUCKET: [(&str, &str); 1] = [("CODECOMMIT_REPO", "s3://email-templates-of-ours")];
const FETCH: &str = "s3:GetObject";

/// With this template in the bucket.
async fn world(template: &str) -> World {
    let world = World::without_template(false).await;
    put(&world, template);
    world
}

fn put(world: &World, template: &str) {
    let s3 = &world.aws().s3;
    s3.put(BUCKET, PATH, template.as_bytes()).unwrap();
}

/// Publishes an event and gives the HTML of its mail.
async fn mailed(world: &World, daemon: &Daemon) -> String {
    let already = world.mails().len();
    world.publish_numbered(already).await;
    daemon
        .until("a mail", || world.mails().len() > already)
        .await;
    world.mails()[already].html.clone().unwrap()
}

/// Makes the daemon fetch, and waits until it has.
async fn fetched(world: &World, daemon: &mut Daemon) {
    let before = world.calls(FETCH);
    daemon.signal("HUP").await;
    daemon
        .until("a fetch", || world.calls(FETCH) > before)
        .await;
}

#[tokio::test]
async fn one_variable_and_a_restart_take_the_template_from_a_bucket() {
    let world = World::new().await;
    world.put_template(b"<p>Of CodeCommit: {summary}</p>");
    put(&world, "<p>Of S3: {summary}</p>");
    let mut daemon = Daemon::started(&world, &[]).await;
    assert_eq!(
        mailed(&world, &daemon).await,
        "<p>Of CodeCommit: Meeting 0000 of many</p>"
    );
    daemon.stop().await;
    assert_eq!(world.calls(FETCH), 0);
    let before = world.calls("codecommit:GetFile");

    let mut daemon = Daemon::started(&world, &IN_BUCKET).await;
    let told = daemon.nth_line(1, "template in force: ").await;
    let place = format!("bucket {BUCKET}, key {PATH}");
    assert!(told.message().contains(&place), "{told:?}");
    assert_eq!(
        mailed(&world, &daemon).await,
        "<p>Of S3: Meeting 0001 of many</p>"
    );
    daemon.stop().await;
    assert_eq!(world.calls("codecommit:GetFile"), before);
    let mails = world.mails();
    assert_ne!(tag(&mails[0]), tag(&mails[1]));
}
