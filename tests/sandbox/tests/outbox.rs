//! The outbox as JSON and as pages.

mod deleting;
mod pages;
mod refusals;
mod source;

use std::sync::mpsc;

use sandbox::outbox::{Outbox, StoredMail};
use sandbox::{Running, Sandbox};

use crate::wire::{Answer, request};

/// What a browser sends with each request for a page.
const BROWSER: &str = "accept: text/html,application/xhtml+xml,*/*;q=0.8";

fn mail(id: &str, subject: &str, to: &str) -> StoredMail {
    StoredMail {
        id: id.to_owned(),
        time: "2026-11-22T06:07:10.566Z".to_owned(),
        from: "Calendar <noreply@example.com>".to_owned(),
        to: vec![to.to_owned()],
        subject: subject.to_owned(),
        html: Some("<p>Hello</p>".to_owned()),
        text: Some("Hello".to_owned()),
        ..StoredMail::default()
    }
}

async fn start(mails: impl IntoIterator<Item = StoredMail>) -> Running {
    let running = Sandbox::start().await;
    for mail in mails {
        running.sandbox.outbox.add(mail);
    }
    running
}

/// A page as a browser gets it.
async fn page(running: &Running, path: &str) -> Answer {
    request(running, &format!("GET {path}"), &[BROWSER], "").await
}

fn ids(running: &Running) -> Vec<String> {
    let mails = running.sandbox.outbox.mails();
    mails.into_iter().map(|mail| mail.id).collect()
}

fn hostile() -> StoredMail {
    StoredMail {
        to: vec!["\"><img src=x>@example.com".to_owned()],
        subject: "<script>alert(1)</script> %%main%%".to_owned(),
        html: Some("<p class=\"a\">it's</p><script>alert(2)</script>".to_owned()),
        text: Some("</pre><script>alert(3)</script>".to_owned()),
        headers: vec![("X-A".to_owned(), "<b>".to_owned())],
        ..mail("0100-a", "", "")
    }
}

#[test]
fn the_json_holds_every_mail_whole() {
    let outbox = Outbox::new();
    outbox.add(hostile());
    let json = outbox.json();
    let mail = &json["mails"][0];
    assert_eq!(mail["subject"], hostile().subject);
    assert_eq!(mail["html"], hostile().html.unwrap());
    assert_eq!(mail["headers"][0][1], "<b>");
    assert!(mail["cc"].as_array().unwrap().is_empty());
    outbox.clear();
    assert!(outbox.json()["mails"].as_array().unwrap().is_empty());
    assert_eq!(outbox.taken(), 0);
}

#[test]
fn mails_to_the_simulator_stand_apart() {
    let outbox = Outbox::new();
    outbox.observe(|mail| assert_eq!(mail.id, "organizers"));
    for (id, to) in [
        ("organizers", "dana@example.com"),
        ("simulators", "Nobody <success+1@simulator.amazonses.com>"),
    ] {
        outbox.add(StoredMail {
            id: id.to_owned(),
            to: vec![to.to_owned()],
            ..StoredMail::default()
        });
    }
    assert_eq!(outbox.taken(), 1);
    assert_eq!(outbox.mails()[0].id, "organizers");
    assert_eq!(outbox.taken_simulated(), 1);
    assert_eq!(outbox.simulated()[0].id, "simulators");
    let json = outbox.json();
    assert_eq!(json["mails"].as_array().unwrap().len(), 1);
    assert_eq!(json["simulated"][0]["id"], "simulators");
    outbox.clear();
    assert_eq!(outbox.taken_simulated(), 0);
}

#[test]
fn a_bounded_outbox_drops_the_oldest_and_counts_all() {
    let outbox = Outbox::new();
    outbox.keep_at_most(2);
    for id in ["a", "b", "c"] {
        outbox.add(StoredMail {
            id: id.to_owned(),
            ..StoredMail::default()
        });
    }
    let ids: Vec<String> = outbox.mails().into_iter().map(|mail| mail.id).collect();
    assert_eq!(ids, ["b", "c"]);
    assert_eq!(outbox.taken(), 3);
}

#[test]
fn an_observer_sees_every_mail_that_is_taken() {
    let outbox = Outbox::new();
    outbox.keep_at_most(1);
    let (seen, ids) = mpsc::channel();
    outbox.observe(move |mail| seen.send(mail.id.clone()).unwrap());
    for id in ["a", "b", "c"] {
        outbox.add(StoredMail {
            id: id.to_owned(),
            ..StoredMail::default()
        });
    }
    assert_eq!(ids.try_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
}
