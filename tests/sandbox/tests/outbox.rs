//! The outbox as JSON and as pages.

use std::collections::BTreeMap;
use std::sync::mpsc;

use sandbox::outbox::{Outbox, StoredMail};

fn hostile() -> StoredMail {
    StoredMail {
        id: "0100-a".to_owned(),
        time: "2026-11-22T06:07:10.566Z".to_owned(),
        from: "Calendar <noreply@example.com>".to_owned(),
        to: vec!["\"><img src=x>@example.com".to_owned()],
        subject: "<script>alert(1)</script> %%main%%".to_owned(),
        html: Some("<p class=\"a\">it's</p><script>alert(2)</script>".to_owned()),
        text: Some("</pre><script>alert(3)</script>".to_owned()),
        headers: vec![("X-A".to_owned(), "<b>".to_owned())],
        ..StoredMail::default()
    }
}

#[test]
fn no_value_of_a_mail_becomes_markup_of_the_page() {
    let outbox = Outbox::new();
    outbox.add(hostile());
    let list = outbox.page(&BTreeMap::new());
    let mail = outbox.mail_page("0100-a", &BTreeMap::new()).unwrap();
    for page in [&list, &mail] {
        assert!(!page.contains("<script>alert"), "{page}");
        assert!(!page.contains("<img"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; %%main%%"));
    }
    assert!(mail.contains("&lt;b&gt;"));
}

#[test]
fn the_html_part_stands_in_a_frame_without_rights() {
    let outbox = Outbox::new();
    outbox.add(hostile());
    let page = outbox.mail_page("0100-a", &BTreeMap::new()).unwrap();
    assert!(page.contains("sandbox=\"\""));
    assert!(page.contains("srcdoc=\"&lt;p class=&quot;a&quot;&gt;it&apos;s&lt;/p&gt;"));
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
    let page = outbox.page(&BTreeMap::new());
    let apart = page.find("simulator, read by nobody").unwrap();
    assert!(page.find("dana@example.com").unwrap() < apart);
    assert!(page.find("success+1@").unwrap() > apart);
    assert!(outbox.mail_page("simulators", &BTreeMap::new()).is_some());
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
    assert!(outbox.mail_page("a", &BTreeMap::new()).is_none());
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
