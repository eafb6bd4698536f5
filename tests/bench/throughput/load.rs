//! The load: events as the Calendar Invite Server publishes them, and the mail that each must become.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::sandbox::outbox::StoredMail;

pub(crate) const QUEUE: &str = "notify-organizer";
pub(crate) const REPOSITORY: &str = "templates";
pub(crate) const TEMPLATE_PATH: &str = "new_event.html";
pub(crate) const SENDER: &str = "noreply@example.com";
pub(crate) const SUBJECT: &str = "Registered: {summary}";
pub(crate) const TEMPLATE: &str = include_str!("../template.html");
/// What a reader without HTML must see, written by hand.
const TEXT: &str = include_str!("../template.txt");

/// What one run is made of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) messages: usize,
    /// Arrivals per second, at random intervals; without it the queue is always full.
    pub(crate) per_second: Option<f64>,
    pub(crate) sqs: Latency,
    pub(crate) ses: Latency,
    /// Whether every mail must be that of its event. The bare loop sends one mail for all.
    pub(crate) verify: bool,
    /// How long the run goes on after its last mail, or where there are none.
    pub(crate) rest: Duration,
    /// How long all of it may take.
    pub(crate) patience: Duration,
}

/// How long a service takes before it looks at a request, drawn evenly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) min_ms: u64,
    pub(crate) max_ms: u64,
}

/// What became of the messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    pub(crate) mails: usize,
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    pub(crate) wrong: usize,
}

/// Which mails have come.
#[derive(Debug)]
pub(crate) struct Mails {
    template: Form,
    text: Form,
    verify: bool,
    /// By event: when it arrived in the queue and when its mail was taken, in microseconds.
    times: Vec<(u64, Option<u64>)>,
    verdict: Verdict,
}

/// A text with places for an event's values.
#[derive(Debug)]
struct Form(Vec<Part>);

#[derive(Debug)]
enum Part {
    Literal(&'static str),
    Organizer,
    Summary { escaped: bool },
    Uid,
    Events,
}

impl Latency {
    pub(crate) fn exactly(ms: u64) -> Self {
        Self {
            min_ms: ms,
            max_ms: ms,
        }
    }

    pub(crate) fn is_zero(self) -> bool {
        self == Self::default()
    }
}

impl Verdict {
    pub(crate) fn is_clean(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.wrong == 0
    }
}

/// The body of an SQS message as SNS makes it.
pub(crate) fn body(number: usize) -> String {
    let organizer = organizer(number);
    let address = address(number);
    let event = json!({
        "uid": uid(number),
        "return_path": address,
        "method": "request",
        "mailto": address,
        "sequence": 0,
        "status": "confirmed",
        "location": "Room 5, HQ",
        "original_uid": format!("{number}@calendar.example"),
        "prodid": "-//example inc//example calendar 70.9054//en",
        "summary": summary(number),
        "organizer": organizer,
        "description_html": "Agenda:<br>1. Review<br>2. Plan",
        "location_html": "Room 5, HQ",
        "summary_html": summary(number),
        "pk": format!("event#{}", uid(number)),
        "sk": format!("event#{}", uid(number)),
        "created": 1_795_327_630,
        "dtstamp": 1_795_327_630,
        "dtstart": 1_796_144_400,
        "dtend": 1_796_148_000,
        "last_modified": 1_795_327_630,
        "invite_limit": 1500,
        "invite_limit_notification": false,
        "original_organizer": organizer,
        "tenant": "thirtyone",
        "events": number,
        "paid": {},
    });
    json!({
        "Type": "Notification",
        "MessageId": format!("{number:08x}-832f-43f0-bfd6-28e110b66b3f"),
        "TopicArn": "arn:aws:sns:us-east-1:000000000000:new-event-created",
        "Message": event.to_string(),
        "Timestamp": "2026-11-22T06:07:10.566Z",
        "SignatureVersion": "2",
        "Signature": "c2lnbmVk".repeat(43),
        "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-4bf1111ddb9b460fad8ad1382bf7dea3.pem",
        "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=arn:aws:sns:us-east-1:000000000000:new-event-created:2bcfbf39-05c3-41de-beaa-fcfcc21c8f55",
    })
    .to_string()
}

/// The HTML and the text of an event's mail.
pub(crate) fn bodies(number: usize) -> (String, String) {
    let written = |form: Form| {
        let mut text = String::new();
        form.each(number, |part| {
            text.push_str(part);
            true
        });
        text
    };
    (
        written(Form::new(TEMPLATE, true)),
        written(Form::new(TEXT, false)),
    )
}

fn uid(number: usize) -> String {
    format!("01jd{number:010}event")
}

fn address(number: usize) -> String {
    format!("organizer{number}@example.com")
}

fn organizer(number: usize) -> String {
    format!("organizer{number}[at]example.com")
}

fn summary(number: usize) -> String {
    format!("Planning & review <{number}>")
}

fn number_in(address: &str) -> Option<usize> {
    let rest = address.strip_prefix("organizer")?;
    rest.strip_suffix("@example.com")?.parse().ok()
}

impl Form {
    /// `escaped` where values are to be HTML.
    fn new(text: &'static str, escaped: bool) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((place, part, name)) = next_place(rest, escaped) {
            let (before, after) = rest.split_at(place);
            parts.push(Part::Literal(before));
            parts.push(part);
            rest = after.split_at(name.len()).1;
        }
        parts.push(Part::Literal(rest));
        Self(parts)
    }

    /// Gives each part in turn as long as `go_on` says so; whether it always did.
    fn each(&self, number: usize, mut go_on: impl FnMut(&str) -> bool) -> bool {
        self.0.iter().all(|part| match part {
            Part::Literal(text) => go_on(text),
            Part::Organizer => go_on(&organizer(number)),
            Part::Summary { escaped: false } => go_on(&summary(number)),
            Part::Summary { escaped: true } => {
                go_on(&format!("Planning &amp; review &lt;{number}&gt;"))
            }
            Part::Uid => go_on(&uid(number)),
            Part::Events => go_on(&number.to_string()),
        })
    }

    fn is(&self, number: usize, text: &str) -> bool {
        let mut rest = text;
        let begins = self.each(number, |part| match rest.strip_prefix(part) {
            Some(after) => {
                rest = after;
                true
            }
            None => false,
        });
        begins && rest.is_empty()
    }
}

fn next_place(text: &str, escaped: bool) -> Option<(usize, Part, &'static str)> {
    [
        ("{mailto}", Part::Organizer),
        ("{summary}", Part::Summary { escaped }),
        ("{uid}", Part::Uid),
        ("{events}", Part::Events),
    ]
    .into_iter()
    .filter_map(|(name, part)| Some((text.find(name)?, part, name)))
    .min_by_key(|(place, _, _)| *place)
}

impl Mails {
    pub(crate) fn new(verify: bool) -> Self {
        Self {
            template: Form::new(TEMPLATE, true),
            text: Form::new(TEXT, false),
            verify,
            times: Vec::new(),
            verdict: Verdict::default(),
        }
    }

    /// The next event arrives in the queue.
    pub(crate) fn arrived(&mut self, at_micros: u64) {
        self.times.push((at_micros, None));
    }

    /// A mail was taken.
    pub(crate) fn took(&mut self, mail: &StoredMail, at_micros: u64) {
        self.verdict.mails += 1;
        if !self.verify {
            return;
        }
        let [to] = mail.to.as_slice() else {
            self.verdict.wrong += 1;
            return;
        };
        let Some(number) = number_in(to).filter(|number| *number < self.times.len()) else {
            self.verdict.wrong += 1;
            return;
        };
        let html = mail.html.as_deref().unwrap_or_default();
        let text = mail.text.as_deref().unwrap_or_default();
        let right = mail.from == SENDER
            && mail.cc.is_empty()
            && mail.bcc.is_empty()
            && mail.subject.strip_prefix("Registered: ") == Some(&summary(number))
            && self.template.is(number, html)
            && self.text.is(number, text);
        self.verdict.wrong += usize::from(!right);
        if let Some((_, taken)) = self.times.get_mut(number) {
            self.verdict.doubled += usize::from(taken.is_some());
            taken.get_or_insert(at_micros);
        }
    }

    pub(crate) fn taken(&self) -> usize {
        self.verdict.mails
    }

    /// The verdict on a run of so many messages.
    pub(crate) fn verdict(&self, messages: usize) -> Verdict {
        let lost = if self.verify {
            let came = self.times.iter().filter(|(_, taken)| taken.is_some());
            messages - came.count()
        } else {
            messages.saturating_sub(self.verdict.mails)
        };
        Verdict {
            lost,
            ..self.verdict.clone()
        }
    }

    /// How long each event took from the queue to its mail, in microseconds, shortest first.
    pub(crate) fn waits(&self) -> Vec<u64> {
        let waited =
            |(arrived, taken): &(u64, Option<u64>)| Some(taken.as_ref()?.saturating_sub(*arrived));
        let mut waits: Vec<_> = self.times.iter().filter_map(waited).collect();
        waits.sort_unstable();
        waits
    }
}
