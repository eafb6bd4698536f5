//! The mails that events must become, worked out without the product's code.

use sandbox::outbox::StoredMail;
use serde_json::{Value, json};

use crate::daemon::world::TEMPLATE;

/// A mail as its reader gets it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) subject: String,
    pub(crate) html: String,
    pub(crate) text: String,
}

/// What an event's placeholders stand for.
pub(crate) struct Values<'a> {
    pub(crate) summary: &'a str,
    pub(crate) organizer: &'a str,
    pub(crate) uid: &'a str,
    pub(crate) events: &'a str,
}

/// An event with the mail that it becomes.
pub(crate) struct Case {
    pub(crate) event: Value,
    pub(crate) expected: Expected,
}

impl From<StoredMail> for Expected {
    fn from(mail: StoredMail) -> Self {
        Self {
            from: mail.from,
            to: mail.to,
            subject: mail.subject,
            html: mail.html.unwrap_or_default(),
            text: mail.text.unwrap_or_default(),
        }
    }
}

impl Expected {
    /// The mail by the fixture's template, of values without odd blanks.
    pub(crate) fn new(to: &[&str], values: &Values<'_>) -> Self {
        Self {
            from: "=?UTF-8?B?Q2FsZW5kYXIgQsO8Y2hlciwgSW5jLg==?= <noreply@example.com>".to_owned(),
            to: to.iter().map(|address| (*address).to_owned()).collect(),
            subject: format!("Registered: {} ({})", values.summary, values.uid),
            html: html(values),
            text: text(values),
        }
    }

    /// In the form of the golden mails, which have an address to reply to besides.
    pub(crate) fn written_out(&self) -> String {
        format!(
            "From: {}\nTo: {}\nReply-To: \"Help, Desk\" <help@example.com>\nSubject: {}\n\n--- text\n{}\n--- html\n{}",
            self.from,
            self.to.join(", "),
            self.subject,
            self.text,
            self.html
        )
    }
}

/// The event of a number: of many kinds, each in its turn.
pub(crate) fn case(number: usize) -> Case {
    let uid = format!("uid-{number:04}-of-an-event");
    let address = format!("person{number:04}@guests.example");
    let organizer = format!("person{number:04}[at]guests.example");
    let mut event = json!({ "uid": uid, "mailto": address, "organizer": organizer, "paid": {} });
    let mut to = vec![address.clone()];
    let mut values = Values {
        summary: "(untitled event)",
        organizer: &organizer,
        uid: &uid,
        events: "1",
    };
    let plain = format!("Meeting {number:04} of many");
    let long = format!("{number:04}{}", " day in the mountains".repeat(7));
    let count = number.to_string();
    match number % 8 {
        0 => values.summary = &plain,
        1 => values.summary = "Ετήσια συνάντηση — 年次会議 🎉 اجتماع",
        2 => {
            values.summary = "{uid}{mailto}{events} \"quoted\" & it's <b>bold</b> &amp; {";
            event["events"] = json!(number);
            values.events = &count;
        }
        3 => {
            values.summary = "12.5";
            event["summary"] = json!(12.5);
            event["events"] = json!(count);
            values.events = &count;
        }
        // Neither summary nor number of events; the organizer is taken from the fallback.
        4 => {
            event["summary"] = Value::Null;
            event["organizer"] = Value::Null;
            values.organizer = &address;
        }
        5 => {
            let second = format!("second{number:04}@guests.example");
            event["mailto"] = json!(format!(" {address} , {second},"));
            to.push(second);
            values.summary = &plain;
        }
        6 => {
            values.summary = "true";
            event["summary"] = json!(true);
            event["unknown"] = json!({ "summary": ["ignored"] });
        }
        _ => values.summary = &long,
    }
    if event.get("summary").is_none() {
        event["summary"] = json!(values.summary);
    }
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    let expected = Expected::new(&to, &values);
    Case { event, expected }
}

/// The template with its placeholders replaced, left to right and once.
fn html(values: &Values<'_>) -> String {
    let mut rest = str::from_utf8(TEMPLATE).unwrap();
    let mut html = String::new();
    while let Some((before, after)) = rest.split_once('{') {
        html.push_str(before);
        let found = [
            ("summary}", values.summary),
            ("mailto}", values.organizer),
            ("uid}", values.uid),
            ("events}", values.events),
        ]
        .into_iter()
        .find_map(|(name, value)| Some((after.strip_prefix(name)?, value)));
        if let Some((left, value)) = found {
            escape(value, &mut html);
            rest = left;
        } else {
            html.push('{');
            rest = after;
        }
    }
    html + rest
}

fn escape(value: &str, html: &mut String) {
    for char in value.chars() {
        match char {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(char),
        }
    }
}

/// The template as a reader of plain text gets it, written by hand.
fn text(values: &Values<'_>) -> String {
    let Values {
        summary,
        organizer,
        uid,
        events,
    } = values;
    format!(
        "Calendar Invite Server (https://calendar.example.com/)

Your event is registered

Hello {organizer},
we’ve registered “{summary}” & are ready to invite your guests.

Event  {summary}
Number  {uid}
Occurrences  {events}

- Look at your event (https://calendar.example.com/events/{uid}?lang=en&from=mail).
- Placeholders are written {{uid}} or {{unknown}}.

https://calendar.example.com/events/{uid}

Questions? Write to help@example.com.
"
    )
}
