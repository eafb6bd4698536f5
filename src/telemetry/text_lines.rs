//! The log for people: one short line for each event, and first in it what a person wants.
//!
//! JSON keeps every field. Here a field that the text says already is left out, a few are put in words,
//! and the message's id stands dim at the end. The other ids are shown at `debug`, and where something is wrong.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use tracing::{
    Event, Level, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    fmt::{FmtContext, FormatEvent, FormatFields, format::Writer},
    registry::LookupSpan,
};

use crate::{
    mutex::Mutex,
    text::{format_to_the_millisecond, one_line},
};

const DIM: &str = "\u{1b}[2m";
const YELLOW: &str = "\u{1b}[33m";
const RED: &str = "\u{1b}[1;31m";
const PLAIN: &str = "\u{1b}[0m";

/// What the texts of the lines say themselves.
const SAID: [&str; 12] = [
    "notifier.attempt",
    "notifier.breaker.cause",
    "notifier.breaker.open_s",
    "notifier.dropped",
    "notifier.held",
    "notifier.held.oldest_s",
    "notifier.outcome",
    "notifier.send_rate",
    "notifier.settled_by",
    "notifier.silent_s",
    "template.blob_id",
    "template.commit_id",
];

/// The ids as the lines name them here, of which the first that an event has is shown always.
const IDS: [(&str, &str); 6] = [
    ("messaging.message.id", "message"),
    ("notifier.notification.id", "notification"),
    ("notifier.email.id", "mail"),
    ("aws.request_id", "request"),
    ("trace_id", "trace"),
    ("span_id", "span"),
];

/// Writes events as lines for people.
#[derive(Debug)]
pub(super) struct TextLines {
    /// Whether all ids are shown.
    all_ids: bool,
    /// The date of the last line: each day begins with its date.
    date: Mutex<String>,
}

impl TextLines {
    /// Lines of a log at this level.
    pub(super) fn new(level: LevelFilter) -> Self {
        Self {
            all_ids: level >= LevelFilter::DEBUG,
            date: Mutex::default(),
        }
    }

    /// The time of day, in UTC as in everything that AWS shows; behind a line with the date on a new day.
    fn write_time(&self, line: &mut Writer<'_>, now: SystemTime) -> fmt::Result {
        let now = humantime::format_rfc3339_seconds(now).to_string();
        let (date, time) = now
            .trim_end_matches('Z')
            .split_once('T')
            .unwrap_or_default();
        let mut last = self.date.lock();
        if *last != date {
            dim(line, &format!("-- {date} (UTC)"))?;
            line.write_char('\n')?;
            date.clone_into(&mut last);
        }
        dim(line, time)?;
        line.write_char(' ')
    }
}

impl<S, N> FormatEvent<S, N> for TextLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut line: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut said = Said::default();
        event.record(&mut said);
        self.write_time(&mut line, SystemTime::now())?;
        level(&mut line, *event.metadata().level())?;
        line.write_str(&said.in_words())?;
        // Where something is wrong, another id than the message's may be the point.
        let is_wrong = *event.metadata().level() <= Level::WARN;
        let shown = if self.all_ids || is_wrong {
            said.ids.len()
        } else {
            1
        };
        for (name, id) in said.ids.iter().flatten().take(shown) {
            dim(&mut line, &format!("  {name} {id}"))?;
        }
        for (name, value) in &said.others {
            dim(&mut line, &format!("  {name}={value}"))?;
        }
        line.write_char('\n')?;
        match &said.backtrace {
            Some(backtrace) => writeln!(line, "{backtrace}"),
            None => Ok(()),
        }
    }
}

/// What an event says.
#[derive(Default)]
struct Said {
    text: String,
    to: Option<String>,
    took: Option<String>,
    /// What stands in brackets behind the text.
    facts: Vec<String>,
    ids: [Option<(&'static str, String)>; IDS.len()],
    error_type: Option<String>,
    others: Vec<(String, String)>,
    backtrace: Option<String>,
}

impl Said {
    /// `sent to d***@example.com in 8 ms (receive 1 of 5)`; a text of more words has it all in brackets, and
    /// there `in` would read as if it were still to come.
    fn in_words(&self) -> String {
        let mut words = self.text.clone();
        let to = self.to.iter().map(|to| format!("to {to}"));
        let mut facts: Vec<String> = Vec::new();
        if self.text.contains(' ') {
            let took = self.took.iter().map(|took| format!("after {took}"));
            facts.extend(to.chain(took));
        } else {
            let took = self.took.iter().map(|took| format!("in {took}"));
            words.extend(to.chain(took).map(|fact| format!(" {fact}")));
        }
        facts.extend(self.facts.iter().cloned());
        // Most texts quote it.
        let error_type = self.error_type.as_ref();
        facts.extend(
            error_type
                .filter(|kind| !self.text.contains(*kind))
                .cloned(),
        );
        if !facts.is_empty() {
            words = format!("{words} ({})", facts.join(", "));
        }
        words
    }

    fn take(&mut self, name: &str, value: String) {
        match name {
            "message" => self.text = value,
            "backtrace" => {}
            "notifier.email.to" => self.to = Some(value),
            "notifier.receive" => self.facts.push(format!("receive {value}")),
            "error.type" => self.error_type = Some(value),
            name if SAID.contains(&name) => {}
            name => {
                if let Some(at) = IDS.iter().position(|(id, _)| *id == name) {
                    self.take_id(at, value);
                } else {
                    let name = name.strip_prefix("notifier.").unwrap_or(name);
                    self.others.push((name.to_owned(), value));
                }
            }
        }
    }

    /// Takes an id that no other field has named yet: SNS's raw delivery makes two of them equal.
    fn take_id(&mut self, at: usize, id: String) {
        let is_known = self.ids.iter().flatten().any(|(_, known)| *known == id);
        if !is_known {
            self.ids[at] = Some((IDS[at].1, id));
        }
    }
}

impl Visit for Said {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "notifier.duration_ms" => self.took = Some(duration(value)),
            // The usual number says nothing.
            "notifier.attempts" if value <= 1 => {}
            "notifier.attempts" => self.facts.push(format!("{value} attempts")),
            "notifier.suppressed" if value == 0 => {}
            "notifier.suppressed" => self
                .facts
                .push(format!("{value} like this before it were left out")),
            name => self.take(name, value.to_string()),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(&name(field), one_line(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let value = format!("{value:?}");
        if field.name() == "backtrace" {
            self.backtrace = Some(value);
        } else {
            self.take(&name(field), one_line(&value));
        }
    }
}

/// A field's name without the mark of a raw identifier, as in `error.r#type`.
fn name(field: &Field) -> String {
    field.name().replace("r#", "")
}

fn duration(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format_to_the_millisecond(Duration::from_secs(ms / 1000)),
    }
}

fn level(line: &mut Writer<'_>, level: Level) -> fmt::Result {
    let (colour, word) = match level {
        Level::ERROR => (RED, "ERROR"),
        Level::WARN => (YELLOW, "WARN"),
        // That is what a line is that says nothing of itself.
        Level::INFO => return Ok(()),
        Level::DEBUG => (DIM, "debug"),
        Level::TRACE => (DIM, "trace"),
    };
    coloured(line, colour, word)?;
    line.write_char(' ')
}

fn dim(line: &mut Writer<'_>, text: &str) -> fmt::Result {
    coloured(line, DIM, text)
}

fn coloured(line: &mut Writer<'_>, colour: &str, text: &str) -> fmt::Result {
    if line.has_ansi_escapes() {
        write!(line, "{colour}{text}{PLAIN}")
    } else {
        line.write_str(text)
    }
}

#[cfg(test)]
mod tests;
