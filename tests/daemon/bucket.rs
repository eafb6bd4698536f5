//! The template in a bucket: by one variable, at little cost, and when S3 or the bucket has a fault.

use std::time::Duration;

use sandbox::faults::{Fault, Rule};

use crate::daemon::process::{Daemon, mailed};
use crate::daemon::world::{PATH, World};

const BUCKET: &str = "email-templates-of-ours";
const IN_BUCKET: [(&str, &str); 1] = [("CODECOMMIT_REPO", "s3://email-templates-of-ours")];
const FETCH: &str = "s3:GetObject";
/// What is said of an earlier template that serves on.
const SERVES_ON: &str =
    "; mails go on, and it is fetched again by itself; a process that starts now has none";
const NOT_REFRESHED: &str = "template not refreshed, the last good one stays in use: ";

/// With this template in the bucket, and none in `CodeCommit`.
async fn world(template: &str) -> World {
    let world = World::without_template(false).await;
    put(&world, template);
    world
}

fn put(world: &World, template: &str) {
    let s3 = &world.aws().s3;
    s3.put(BUCKET, PATH, template.as_bytes()).unwrap();
}

/// Makes the daemon fetch, and waits until it asks.
async fn fetched(world: &World, daemon: &mut Daemon) {
    let before = world.calls(FETCH);
    daemon.signal("HUP").await;
    daemon
        .until("a fetch", || world.calls(FETCH) > before)
        .await;
}

fn place() -> String {
    format!("(bucket {BUCKET}, key {PATH})")
}

#[tokio::test]
async fn one_variable_and_a_restart_take_the_template_from_a_bucket() {
    let world = World::new().await;
    world.put_template(b"<p>Of CodeCommit: {summary}</p>");
    put(&world, "<p>Of S3: {summary}</p>");
    let daemon = Daemon::started(&world, &[]).await;
    assert_eq!(
        mailed(&world, &daemon).await,
        "<p>Of CodeCommit: Meeting 0000 of many</p>"
    );
    daemon.stop().await;
    assert_eq!(world.calls(FETCH), 0);
    let before = world.calls("codecommit:GetFile");

    let mut daemon = Daemon::started(&world, &IN_BUCKET).await;
    let told = daemon.line("template in force: ").await;
    let place = format!("bucket {BUCKET}, key {PATH}");
    assert!(told.message().contains(&place), "{told:?}");
    assert_eq!(
        mailed(&world, &daemon).await,
        "<p>Of S3: Meeting 0001 of many</p>"
    );
    daemon.stop().await;
    assert_eq!(world.calls("codecommit:GetFile"), before);
    assert!(world.dead().is_empty());
}

#[tokio::test]
async fn an_unchanged_object_costs_no_body_in_four_of_five_fetches() {
    let world = world("<p>First: {summary}</p>").await;
    let s3 = &world.aws().s3;
    let mut daemon = Daemon::started(&world, &IN_BUCKET).await;
    for _ in 0..4 {
        fetched(&world, &mut daemon).await;
    }
    daemon
        .until("four answers without a body", || s3.unchanged() == 4)
        .await;
    assert_eq!(world.calls(FETCH), 5);
    assert_eq!(
        mailed(&world, &daemon).await,
        "<p>First: Meeting 0000 of many</p>"
    );
    put(&world, "<p>Second: {summary}</p>");
    fetched(&world, &mut daemon).await;
    daemon.nth_line(2, "template in force: ").await;
    assert_eq!(
        mailed(&world, &daemon).await,
        "<p>Second: Meeting 0001 of many</p>"
    );
    assert_eq!((world.calls(FETCH), s3.unchanged()), (6, 4));
    daemon.stop().await;
}

#[tokio::test]
async fn the_last_good_one_serves_while_s3_is_down_longer_than_the_template_may_age() {
    let world = world("<p>Before: {summary}</p>").await;
    let variables = [IN_BUCKET[0], ("NOTIFIER_TEMPLATE__TTL", "10s")];
    let mut daemon = Daemon::started(&world, &variables).await;
    world.set_fault(Rule::new(FETCH, Fault::error("ServiceUnavailable", 503)));
    let told = daemon.line(NOT_REFRESHED).await;
    assert_eq!(told.level(), "WARN");
    let expected = format!(
        "{NOT_REFRESHED}GetObject: ServiceUnavailable: Injected by the sandbox. {}; check the AWS Health \
         Dashboard and the network to S3{SERVES_ON}",
        place()
    );
    assert_eq!(told.message(), expected);
    let age = told.0["notifier.template.age_s"].as_u64().unwrap();
    assert!(age >= 10, "{told:?}");
    assert_eq!(
        mailed(&world, &daemon).await,
        "<p>Before: Meeting 0000 of many</p>"
    );
    world.aws().faults.clear();
    put(&world, "<p>After: {summary}</p>");
    fetched(&world, &mut daemon).await;
    daemon.nth_line(2, "template in force: ").await;
    assert_eq!(
        mailed(&world, &daemon).await,
        "<p>After: Meeting 0001 of many</p>"
    );
    let ended = daemon.stop().await;
    ended.only_line(NOT_REFRESHED);
    assert!(world.dead().is_empty());
}

#[tokio::test]
async fn the_last_good_one_serves_after_the_object_was_deleted_and_the_bucket_given_away() {
    let world = world("<p>Still here: {summary}</p>").await;
    let s3 = &world.aws().s3;
    s3.keep_versions(BUCKET, true).unwrap();
    put(&world, "<p>Still there: {summary}</p>");
    let mut daemon = Daemon::started(&world, &IN_BUCKET).await;
    let version = daemon.line("template in force: ").await;
    assert_eq!(version.text("template.commit_id").len(), 32, "{version:?}");

    s3.delete(BUCKET, PATH).unwrap();
    fetched(&world, &mut daemon).await;
    let told = daemon.line(NOT_REFRESHED).await;
    let expected = format!(
        "{NOT_REFRESHED}GetObject: NoSuchKey: The specified key does not exist. {}; check template.path, \
         which is the object's whole key, or put the object there{SERVES_ON}",
        place()
    );
    assert_eq!(told.message(), expected);

    s3.give_away(BUCKET).unwrap();
    fetched(&world, &mut daemon).await;
    let told = daemon.nth_line(2, NOT_REFRESHED).await;
    assert_eq!(told.level(), "WARN");
    let denied = format!("GetObject: AccessDenied: Access Denied {}; ", place());
    assert!(told.message().contains(&denied), "{told:?}");
    for part in [
        "without s3:ListBucket on the bucket S3 denies access to an object that is not there, too",
        "allow the role in the bucket's policy if the bucket is another account's",
    ] {
        assert!(told.message().contains(part), "{told:?}");
    }
    assert_eq!(
        mailed(&world, &daemon).await,
        "<p>Still there: Meeting 0000 of many</p>"
    );
    daemon.stop().await;
}

#[tokio::test]
async fn a_bucket_that_cannot_be_read_is_told_at_the_start_and_no_message_is_touched() {
    let world = World::without_template(false).await;
    let s3 = &world.aws().s3;
    s3.create(BUCKET, "eu-west-1").unwrap();
    world.publish_numbered(1).await;
    let mut daemon = Daemon::start(&world, &IN_BUCKET);
    let told = daemon.line("no template: ").await;
    assert_eq!(told.level(), "ERROR");
    let expected = format!(
        "no template: GetObject: PermanentRedirect: the bucket is in eu-west-1 {}; keep the template in a \
         bucket of the daemon's own region (aws.region, REGION); it is fetched again by itself, but a \
         start is given up after 3m of refusals",
        place()
    );
    assert_eq!(told.message(), expected);
    daemon.signal("TERM").await;
    let ended = daemon.ended(Duration::from_secs(10)).await;
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_eq!(world.receives(), 0);
}

#[tokio::test]
async fn a_bucket_of_somebody_elses_is_taken_as_soon_as_its_policy_admits_us() {
    const OTHER: &str = "their-templates";
    let world = World::without_template(false).await;
    let s3 = &world.aws().s3;
    s3.put(OTHER, PATH, b"<p>Theirs: {summary}</p>").unwrap();
    s3.give_away(OTHER).unwrap();
    let variables = [("CODECOMMIT_REPO", "s3://their-templates")];
    let mut daemon = Daemon::start(&world, &variables);
    let told = daemon.line("no template: GetObject: AccessDenied: ").await;
    assert_eq!(told.level(), "ERROR");
    daemon
        .until("a second fetch", || world.calls(FETCH) >= 2)
        .await;
    assert_eq!(world.receives(), 0);
    s3.admit(OTHER).unwrap();
    daemon.line("started: queue ").await;
    assert_eq!(
        mailed(&world, &daemon).await,
        "<p>Theirs: Meeting 0000 of many</p>"
    );
    // A refusal holds the start up, as an outage would not.
    let ended = daemon.stop().await;
    let place = |text| ended.stderr.find(text).unwrap();
    assert!(place("template in force: ") < place("started: queue "));
}
