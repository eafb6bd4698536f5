//! What is published: events as CIS's `create_new_event_record` publishes them, and one that is
//! none.

use serde_json::{Value, json};

/// One message to the topic.
pub(crate) struct Event {
    /// What is special about it, for a person.
    pub(crate) what: &'static str,
    /// The stem of its files' names.
    pub(crate) stem: &'static str,
    /// What is published, as it stands.
    pub(crate) message: String,
    /// What SES does with its mail.
    pub(crate) ses: Ses,
}

/// What SES does with a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ses {
    /// It answers, and delivers it.
    Delivers,
    /// The recipient's server does not know the address.
    Bounces,
    /// It takes the mail, and its answer gets lost.
    LosesItsAnswer,
}

/// An address that no server knows, and the summary whose mail gets no answer.
pub(crate) const UNKNOWN_ADDRESS: &str = "gone@example.net";
pub(crate) const UNANSWERED: &str = "Retrospective";

pub(crate) fn all() -> Vec<Event> {
    let whole = cis(
        "01jd0quarterly",
        "dana@example.com",
        "Quarterly planning",
        &json!(1),
    );
    // Cut within the summary, as by a publisher that was stopped while it wrote.
    let cut = whole.split_inclusive("Quarterly").next();
    vec![
        Event {
            what: "a plain event",
            stem: "1-plain",
            message: whole.clone(),
            ses: Ses::Delivers,
        },
        Event {
            what: "one with HTML and braces in its summary",
            stem: "2-html-and-braces",
            message: cis(
                "01jd1markup",
                "eve@example.net",
                "<script>alert(1)</script> & {uid}",
                &json!(1),
            ),
            ses: Ses::Delivers,
        },
        Event {
            what: "one in Japanese, on three dates",
            stem: "3-japanese",
            message: cis(
                "01jd2hanami",
                "hana@example.org",
                "桜のお花見と計画会議",
                &json!("3"),
            ),
            ses: Ses::Delivers,
        },
        Event {
            what: "one to an address that no server knows",
            stem: "4-bounces",
            message: cis("01jd3gone", UNKNOWN_ADDRESS, "Kick-off", &json!(1)),
            ses: Ses::Bounces,
        },
        Event {
            what: "one whose mail SES takes, and whose answer gets lost",
            stem: "5-unanswered",
            message: cis("01jd4retro", "ida@example.com", UNANSWERED, &json!(1)),
            ses: Ses::LosesItsAnswer,
        },
        Event {
            what: "one that breaks off in the middle",
            stem: "6-broken-off",
            message: cut.unwrap_or_default().to_owned(),
            ses: Ses::Delivers,
        },
    ]
}

/// An event with the fields that CIS gives it. `dates` is a number or a numeric string there.
fn cis(uid: &str, mailto: &str, summary: &str, dates: &Value) -> String {
    let organizer = mailto.replace('@', "[at]");
    let key = format!("event#{uid}");
    json!({
        "uid": uid,
        "return_path": mailto,
        "method": "request",
        "mailto": mailto,
        "sequence": 0,
        "status": "confirmed",
        "location": "Room 5, HQ",
        "original_uid": format!("{uid}@calendar.example.com"),
        "prodid": "-//google inc//google calendar 70.9054//en",
        "summary": summary,
        "organizer": organizer,
        "description_html": "Agenda:<br>1. Review<br>2. Plan",
        "location_html": "Room 5, HQ",
        "summary_html": null,
        "pk": key,
        "sk": key,
        "created": 1_795_327_630,
        "dtstamp": 1_795_327_630,
        "dtstart": 1_796_144_400,
        "dtend": 1_796_148_000,
        "last_modified": 1_795_327_630,
        "invite_limit": 1500,
        "invite_limit_notification": false,
        "original_organizer": organizer,
        "tenant": "thirtyone",
        "events": dates,
        "paid": {},
    })
    .to_string()
}
