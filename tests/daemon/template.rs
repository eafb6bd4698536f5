//! The template in force: fetched anew when told to, replaced only by a good one.

use crate::daemon::process::{Daemon, mailed};
use crate::daemon::world::{PATH, REPOSITORY, World, numbered, tag};

/// Makes the daemon fetch, and waits until it has.
async fn fetched(world: &World, daemon: &mut Daemon) {
    let before = world.calls("codecommit:GetFile");
    daemon.signal("HUP").await;
    daemon
        .until("a fetch", || world.calls("codecommit:GetFile") > before)
        .await;
}

#[tokio::test]
async fn sighup_fetches_the_template_and_only_a_good_one_replaces_the_last() {
    let world = World::new().await;
    world.put_template(b"<p>First: {uid}</p>");
    let mut daemon = Daemon::started(&world, &[]).await;
    assert_eq!(
        mailed(&world, &daemon).await,
        "<p>First: uid-0000-of-an-event</p>"
    );
    assert_eq!(world.calls("codecommit:GetFile"), 1);

    world.put_template("\u{feff}<p>Second: {uid}</p>".as_bytes());
    fetched(&world, &mut daemon).await;
    daemon.nth_line(2, "template in force: ").await;
    assert_eq!(
        mailed(&world, &daemon).await,
        "<p>Second: uid-0001-of-an-event</p>"
    );
    assert_eq!(world.calls("codecommit:GetFile"), 2);

    let too_large = "x".repeat(1024 * 1024 + 1);
    let bad: [(&[u8], &str); 9] = [
        (b"<p>\xff\xfe garbage</p>", "is not UTF-8 (at byte 3)"),
        (b"", "has no visible text"),
        (too_large.as_bytes(), "has 1048577 bytes"),
        (b" \r\n\t ", "has no visible text"),
        (b"\xff\xfe<\0p\0>\0", "is not UTF-8 (at byte 0)"),
        (
            b"<style>p{color:red}</style><!-- {uid} -->",
            "has no visible text",
        ),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 2463\n",
            "is a Git LFS pointer",
        ),
        (
            b"<p>{uid}</p>\n<<<<<<< HEAD\n<p>a</p>\n=======\n<p>b</p>\n>>>>>>> topic\n",
            "holds merge conflict markers (in line 2)",
        ),
        (
            b"<p>Another file altogether: {events}</p>",
            "names none of the placeholders of the last good one ({uid})",
        ),
    ];
    // Each of these is news, although the last good one has been serving all along.
    for (round, (content, reason)) in bad.into_iter().enumerate() {
        world.put_template(content);
        fetched(&world, &mut daemon).await;
        let told = daemon.nth_line(round + 1, "new template refused").await;
        assert_eq!(told.level(), "ERROR");
        let place = format!("repository {REPOSITORY}, path {PATH}, at its default branch");
        assert!(told.message().contains(&place), "{told:?}");
        assert!(told.message().contains(reason), "{told:?}");
        let uid = world.mails().len();
        assert_eq!(
            mailed(&world, &daemon).await,
            format!("<p>Second: uid-{uid:04}-of-an-event</p>")
        );
    }

    world.put_template(b"<p>Third: {events} {uid}</p>");
    fetched(&world, &mut daemon).await;
    daemon.nth_line(3, "template in force: ").await;
    let third = mailed(&world, &daemon).await;
    assert!(third.starts_with("<p>Third: 1 uid-"), "{third}");
    daemon.stop().await;
    assert!(world.dead().is_empty());
}

#[tokio::test]
async fn a_doubtful_version_serves_and_is_told_of_once_and_sighup_is_answered() {
    let world = World::new().await;
    world.put_template(b"<p>First: {summary} {uid}</p>");
    let mut daemon = Daemon::started(&world, &[]).await;
    let told = daemon.line("template in force: ").await;
    let names = "29 bytes, commit ";
    assert!(told.message().contains(names), "{told:?}");
    assert!(
        told.message().ends_with(", names {summary}, {uid}"),
        "{told:?}"
    );

    fetched(&world, &mut daemon).await;
    let told = daemon.line("template unchanged: ").await;
    assert!(told.message().contains(", commit "), "{told:?}");

    world.put_template(b"<p>Second, and much longer than the first: {sumary} {uid} {other}</p>");
    fetched(&world, &mut daemon).await;
    let told = daemon
        .line("this template is in use, and may be wrong")
        .await;
    assert_eq!(told.level(), "WARN");
    for doubt in [
        "mailed as written: {other}, {sumary} (did you mean {summary}?)",
        "no longer contains {summary}, which the version before it did",
        "has 69 bytes, and the version before it had 29",
    ] {
        assert!(told.message().contains(doubt), "{told:?}");
    }
    fetched(&world, &mut daemon).await;
    daemon.nth_line(2, "template unchanged: ").await;
    let ended = daemon.stop().await;
    ended.only_line("this template is in use, and may be wrong");
}

#[tokio::test]
async fn a_template_that_names_a_field_which_no_event_has_holds_the_messages_until_it_is_mended() {
    let world = World::new().await;
    let mut daemon = Daemon::started(&world, &[("SUBJECT", "Your event")]).await;
    let mut ids = Vec::new();
    for number in 0..8 {
        let mut event = numbered(number);
        event.as_object_mut().unwrap().remove("uid");
        ids.push(world.publish(&event.to_string()).await);
    }
    let opened = daemon
        .line("rendering has stopped, and receiving with it but for probes: ")
        .await;
    assert_eq!(opened.level(), "ERROR");
    assert_eq!(opened.text("notifier.breaker.cause"), "field_missing");
    assert!(opened.message().contains("{uid}"), "{opened:?}");
    world.put_template(b"<p>Mended: {summary}</p>");
    fetched(&world, &mut daemon).await;
    daemon.line("rendering works again after ").await;
    daemon
        .until("all mails", || {
            world.mails().len() >= 8 && world.queued().is_empty()
        })
        .await;
    daemon.stop().await;
    let mut mailed: Vec<_> = world.mails().iter().map(tag).map(str::to_owned).collect();
    mailed.sort();
    ids.sort();
    assert_eq!(mailed, ids);
    assert!(world.dead().is_empty());
}
