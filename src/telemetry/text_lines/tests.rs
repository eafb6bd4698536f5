//! Lines for people, as they are written.

use std::{io, sync::Arc};

use tracing::{debug, error, info, subscriber::with_default, warn};
use tracing_subscriber::{Layer, fmt, layer::SubscriberExt, registry};

use super::*;

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The lines that are written of what `says` logs, without date and time of day.
fn lines(level: LevelFilter, colours: bool, says: impl FnOnce()) -> Vec<String> {
    let written = Written::default();
    let out = written.clone();
    let lines = fmt::layer()
        .with_writer(move || out.clone())
        .event_format(TextLines::new(level))
        .with_ansi(colours)
        .with_filter(level);
    with_default(registry().with(lines), says);
    let text = String::from_utf8(written.0.lock().clone()).unwrap();
    let mut lines = text.lines();
    assert!(lines.next().unwrap().contains(" (UTC)"), "{text}");
    let behind_time = |line: &str| line.split_once(' ').unwrap().1.to_owned();
    lines.map(behind_time).collect()
}

fn sent() {
    info!(
        notifier.outcome = "sent",
        notifier.receive = "1 of 5",
        messaging.message.id = "9590ecf5",
        notifier.notification.id = "04664e9e",
        notifier.email.to = "d***@example.com",
        notifier.email.id = "0100",
        notifier.attempts = 1_u64,
        notifier.duration_ms = 8_u64,
        error.r#type = None::<&str>,
        "sent"
    );
}

#[test]
fn a_sent_mail_is_a_short_sentence() {
    assert_eq!(
        lines(LevelFilter::INFO, false, sent),
        ["sent to d***@example.com in 8 ms (receive 1 of 5)  message 9590ecf5"]
    );
}

#[test]
fn at_debug_all_ids_are_shown_but_none_twice() {
    assert_eq!(
        lines(LevelFilter::DEBUG, false, || {
            sent();
            debug!(
                messaging.message.id = "a",
                notifier.notification.id = "a",
                "received"
            );
        }),
        [
            "sent to d***@example.com in 8 ms (receive 1 of 5)  message 9590ecf5  notification \
             04664e9e  mail 0100",
            "debug received  message a",
        ]
    );
}

#[test]
fn where_something_is_wrong_all_ids_are_shown() {
    assert_eq!(
        lines(LevelFilter::INFO, false, || {
            warn!(
                notifier.notification.id = "04664e9e",
                notifier.email.id = "0100",
                "a mail was sent twice"
            );
        }),
        ["WARN a mail was sent twice  notification 04664e9e  mail 0100"]
    );
}

#[test]
fn what_the_text_does_not_say_stands_in_brackets_and_what_it_says_is_left_out() {
    assert_eq!(
        lines(LevelFilter::INFO, false, || {
            warn!(
                notifier.outcome = "deferred",
                notifier.receive = "2 of 5",
                notifier.attempts = 3_u64,
                notifier.duration_ms = 61_500_u64,
                notifier.email.to = "d***@example.com",
                error.r#type = "Throttled",
                "deferred, its time is over: Throttled: too many"
            );
            error!(
                error.r#type = "timeout",
                notifier.suppressed = 4_u64,
                "no answer came"
            );
            info!(
                notifier.suppressed = 0_u64,
                notifier.event.status = "5.1.1",
                "one bounced"
            );
        }),
        [
            "WARN deferred, its time is over: Throttled: too many (to d***@example.com, after 1m 1s, \
             receive 2 of 5, 3 attempts)",
            "ERROR no answer came (4 like this before it were left out, timeout)",
            "one bounced  event.status=5.1.1",
        ]
    );
}

#[test]
fn a_foreign_text_stays_in_its_line_and_drives_no_terminal() {
    let said = "a\nb\u{1b}[31m";
    assert_eq!(
        lines(LevelFilter::INFO, false, || info!(uid = said, "got {said}")),
        ["got a b [31m  uid=a b [31m"]
    );
}

#[test]
fn colours_show_how_grave_a_line_is_and_what_may_be_skipped() {
    let said = lines(LevelFilter::INFO, true, || {
        error!(messaging.message.id = "a", "wrong");
    });
    assert_eq!(
        said,
        ["\u{1b}[1;31mERROR\u{1b}[0m wrong\u{1b}[2m  message a\u{1b}[0m"]
    );
}

#[test]
fn a_new_day_begins_with_its_date() {
    let lines = TextLines::new(LevelFilter::INFO);
    let written = |s| {
        let mut text = String::new();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(s);
        lines.write_time(&mut Writer::new(&mut text), now).unwrap();
        text
    };
    assert_eq!(written(86_398), "-- 1970-01-01 (UTC)\n23:59:58 ");
    assert_eq!(written(86_399), "23:59:59 ");
    assert_eq!(written(86_400), "-- 1970-01-02 (UTC)\n00:00:00 ");
}

#[test]
fn a_duration_is_as_exact_as_a_person_reads_it() {
    let read = [8, 999, 1_000, 59_999, 60_000, 3_661_000].map(duration);
    assert_eq!(
        read,
        ["8 ms", "999 ms", "1.0 s", "59.9 s", "1m", "1h 1m 1s"]
    );
}
