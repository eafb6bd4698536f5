//! What is read whenever metrics are exported.

use std::sync::{Arc, Weak};

use super::{
    breaker::{Cause, Status},
    health_state::Part,
    readings::Readings,
};
use crate::telemetry::{
    Instruments,
    metrics::Points,
    names::{metric, ours},
};

/// Registers the gauges. They keep nothing alive.
pub(crate) fn observe(readings: &Arc<Readings>, instruments: &Instruments) {
    let gauge = |name, unit, text, read: fn(&Readings) -> Points| {
        let weak: Weak<Readings> = Arc::downgrade(readings);
        let read = move || weak.upgrade().map(|now| read(&now)).unwrap_or_default();
        instruments.metrics.observe(name, unit, text, read);
    };
    let sum = |name, unit, text, read: fn(&Readings) -> Points| {
        let weak: Weak<Readings> = Arc::downgrade(readings);
        let read = move || weak.upgrade().map(|now| read(&now)).unwrap_or_default();
        instruments.metrics.observe_sum(name, unit, text, read);
    };
    gauge(
        metric::HELD,
        "{message}",
        "Messages held under a lease.",
        |now| count(now.held()),
    );
    gauge(
        metric::BUSY,
        "{worker}",
        "Workers that have not yet handed their mail to SES.",
        |now| count(now.on_the_way()),
    );
    gauge(
        metric::BREAKER_OPEN,
        "1",
        "1 while a breaker is open, by cause.",
        |now| {
            vec![
                breaker(Part::Sending, now.mail()),
                breaker(Part::Rendering, now.template()),
            ]
        },
    );
    gauge(
        metric::SEND_RATE,
        "{recipient}/s",
        "The send rate in force.",
        |now| now.send_rate().map(plain).unwrap_or_default(),
    );
    gauge(
        metric::TEMPLATE_AGE,
        "s",
        "Time since the last successful fetch of the template.",
        |now| now.template_age().map(plain).unwrap_or_default(),
    );
    gauge(
        metric::LEDGER_SIZE,
        "{message}",
        "Sent messages remembered.",
        |now| count(now.ledger_len()),
    );
    sum(
        metric::LEDGER_HITS,
        "{message}",
        "Duplicates, by what knew them (memory or table).",
        |now| {
            let hits = now.ledger_hits();
            let by = |what, hits| (total(hits), vec![(ours::KNOWN_BY, what)]);
            vec![by("memory", hits.memory), by("table", hits.table)]
        },
    );
    sum(
        metric::TEMPLATE_FETCHES,
        "{fetch}",
        "Fetches of the template.",
        |now| plain(total(now.template_fetches())),
    );
}

fn breaker<C: Cause>(
    part: Part,
    status: Option<Status<C>>,
) -> (f64, Vec<(&'static str, &'static str)>) {
    let mut attributes = vec![(ours::BREAKER, part.name())];
    let cause = status.map(|status| status.cause.name());
    attributes.extend(cause.map(|cause| (ours::BREAKER_CAUSE, cause)));
    (if cause.is_some() { 1.0 } else { 0.0 }, attributes)
}

/// One value without attributes.
fn plain(value: f64) -> Points {
    vec![(value, Vec::new())]
}

/// A sum that only grows.
#[expect(clippy::cast_precision_loss, reason = "these numbers are small")]
fn total(number: u64) -> f64 {
    number as f64
}

/// The same of a count.
#[expect(clippy::cast_precision_loss, reason = "these numbers are small")]
fn count(number: usize) -> Points {
    plain(number as f64)
}
