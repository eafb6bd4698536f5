//! The eye of the benchmark: the mail that each event must become, and which have come.

use sandbox::outbox::StoredMail;
use serde::{Deserialize, Serialize};

pub(crate) const SENDER: &str = "noreply@example.com";
pub(crate) const TEMPLATE: &str = include_str!("../template.html");
/// What a reader without HTML must see, written by hand.
const TEXT: &str = include_str!("../template.txt");

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

impl Verdict {
    pub(crate) fn is_clean(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.wrong == 0
    }
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

pub(crate) fn uid(number: usize) -> String {
    format!("01jd{number:010}event")
}

pub(crate) fn organizer(number: usize) -> String {
    format!("organizer{number}[at]example.com")
}

pub(crate) fn summary(number: usize) -> String {
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
