//! The eye of the throughput benchmark: a run with a mail that is lost, doubled or wrong does not
//! count.

use sandbox::outbox::StoredMail;

use self::throughput::mails::{Mails, SENDER, Verdict, bodies};

/// The parts of the benchmark that are tested.
mod throughput {
    pub(super) mod mails;
}

fn mail(number: usize) -> StoredMail {
    let (html, text) = bodies(number);
    StoredMail {
        from: SENDER.to_owned(),
        to: vec![format!("organizer{number}@example.com")],
        subject: format!("Registered: Planning & review <{number}>"),
        html: Some(html),
        text: Some(text),
        ..StoredMail::default()
    }
}

/// Three events, and the verdict once these mails have come.
fn verdict(mails: &[StoredMail]) -> Verdict {
    let mut seen = Mails::new(true);
    (0..3).for_each(|at| seen.arrived(at));
    for mail in mails {
        seen.took(mail, 10);
    }
    seen.verdict(3)
}

#[test]
fn a_mail_for_each_event_is_a_clean_run() {
    let verdict = verdict(&[mail(1), mail(0), mail(2)]);
    assert!(verdict.is_clean(), "{verdict:?}");
    assert_eq!(verdict.mails, 3);
}

#[test]
fn a_mail_that_never_comes_is_lost() {
    let verdict = verdict(&[mail(1), mail(0)]);
    assert_eq!((verdict.lost, verdict.is_clean()), (1, false));
}

#[test]
fn a_mail_that_comes_again_is_doubled_and_stands_for_no_other() {
    let verdict = verdict(&[mail(1), mail(0), mail(1)]);
    assert_eq!((verdict.lost, verdict.doubled), (1, 1));
}

#[test]
fn a_mail_that_differs_anywhere_is_wrong() {
    let change: [fn(&mut StoredMail); 7] = [
        |mail| mail.html.as_mut().unwrap().push(' '),
        |mail| mail.html = Some(bodies(1).0),
        |mail| mail.text = None,
        |mail| mail.subject = "Registered: Planning & review <1>".to_owned(),
        |mail| mail.to.push("eve@example.net".to_owned()),
        |mail| mail.to = vec!["organizer7@example.com".to_owned()],
        |mail| mail.from = "eve@example.net".to_owned(),
    ];
    for (place, change) in change.into_iter().enumerate() {
        let mut changed = mail(0);
        change(&mut changed);
        let verdict = verdict(&[changed, mail(1), mail(2)]);
        assert_eq!(verdict.wrong, 1, "{place}");
    }
}

#[test]
fn each_event_waits_from_the_queue_to_its_first_mail() {
    let mut seen = Mails::new(true);
    for at in [1, 2, 3] {
        seen.arrived(at);
    }
    for (number, at) in [(0, 9), (2, 5), (0, 99)] {
        seen.took(&mail(number), at);
    }
    assert_eq!((seen.taken(), seen.waits()), (3, vec![2, 8]));
}
