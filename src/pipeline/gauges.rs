//! What is read whenever metrics are exported.

use std::sync::{Arc, atomic::Ordering};

use super::{
    breaker::{Cause, Status},
    health_state::Part,
    lease::Leases,
    worker::Shared,
};
use crate::telemetry::{
    metrics::Readings,
    names::{metric, ours},
};

/// Registers the gauges and sums. They read what there is and keep nothing alive.
pub(crate) fn observe(shared: &Arc<Shared>, leases: &Arc<Leases>) {
    let metrics = &shared.instruments.metrics;
    let gauge = |name, unit, text, read: fn(&Shared, &Leases) -> Readings| {
        let (shared, leases) = (Arc::downgrade(shared), Arc::downgrade(leases));
        metrics.observe(name, unit, text, move || {
            match (shared.upgrade(), leases.upgrade()) {
                (Some(shared), Some(leases)) => read(&shared, &leases),
                _ => Vec::new(),
            }
        });
    };
    gauge(
        metric::HELD,
        "{message}",
        "Messages held under a lease.",
        |_, leases| plain(number(leases.len())),
    );
    gauge(
        metric::BUSY,
        "{worker}",
        "Workers on their way to the mail service.",
        |shared, leases| {
            let aside = shared.aside.load(Ordering::Relaxed);
            plain(number(leases.len().saturating_sub(aside)))
        },
    );
    gauge(
        metric::BREAKER_OPEN,
        "1",
        "1 while a breaker is open, by cause.",
        |shared, _| {
            vec![
                breaker(Part::Sending, shared.mail_gate.status()),
                breaker(Part::Rendering, shared.template_gate.status()),
            ]
        },
    );
    gauge(
        metric::SEND_RATE,
        "{recipient}/s",
        "The send rate in force.",
        |shared, _| shared.limiter.rate().map(plain).unwrap_or_default(),
    );
    gauge(
        metric::TEMPLATE_AGE,
        "s",
        "Time since the template was fetched well.",
        |shared, _| {
            let good_at = shared.templates.watch().borrow().good_at;
            let age = good_at.map(|at| at.elapsed().as_secs_f64());
            age.map(plain).unwrap_or_default()
        },
    );
    gauge(
        metric::LEDGER_SIZE,
        "{message}",
        "Sent messages remembered.",
        |shared, _| plain(number(shared.ledger.len())),
    );
    let sum = |name, unit, text, read: fn(&Shared) -> u64| {
        let shared = Arc::downgrade(shared);
        metrics.observe_sum(name, unit, text, move || {
            shared.upgrade().map_or(0, |shared| read(&shared))
        });
    };
    sum(
        metric::LEDGER_HITS,
        "{message}",
        "Messages known as sent.",
        |shared| shared.ledger.hits(),
    );
    sum(
        metric::TEMPLATE_FETCHES,
        "{fetch}",
        "Fetches of the template.",
        |shared| shared.templates.watch().borrow().loads,
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
fn plain(value: f64) -> Readings {
    vec![(value, Vec::new())]
}

#[expect(clippy::cast_precision_loss, reason = "these numbers are small")]
fn number(count: usize) -> f64 {
    count as f64
}
