//! What is read whenever metrics are exported.

use std::sync::{Arc, Weak, atomic::Ordering};

use opentelemetry::KeyValue;

use super::{
    breaker::{Cause, Status},
    health_state::Part,
    lease::Leases,
    worker::Shared,
};
use crate::telemetry::names::{metric, ours};

/// Registers the gauges. They read what there is and keep nothing alive.
pub(crate) fn observe(shared: &Arc<Shared>, leases: &Arc<Leases>) {
    let metrics = &shared.instruments.metrics;
    let held = Arc::downgrade(leases);
    metrics.observe(
        metric::HELD,
        "{message}",
        "Messages held under a lease.",
        move || {
            held.upgrade()
                .map(|leases| alone(number(leases.len())))
                .unwrap_or_default()
        },
    );
    let (busy, held) = (Arc::downgrade(shared), Arc::downgrade(leases));
    metrics.observe(
        metric::BUSY,
        "{worker}",
        "Workers on their way to the mail service.",
        move || {
            let (Some(shared), Some(leases)) = (busy.upgrade(), held.upgrade()) else {
                return Vec::new();
            };
            let aside = shared.aside.load(Ordering::Relaxed);
            alone(number(leases.len().saturating_sub(aside)))
        },
    );
    read(
        shared,
        metric::BREAKER_OPEN,
        "1",
        "1 while a breaker is open, by cause.",
        |shared| {
            vec![
                breaker(Part::Sending, shared.mail_gate.status()),
                breaker(Part::Rendering, shared.template_gate.status()),
            ]
        },
    );
    read(
        shared,
        metric::SEND_RATE,
        "{recipient}/s",
        "The send rate in force.",
        |shared| shared.limiter.rate().map(alone).unwrap_or_default(),
    );
    read(
        shared,
        metric::TEMPLATE_AGE,
        "s",
        "Time since the template was fetched well.",
        |shared| {
            let good_at = shared.templates.watch().borrow().good_at;
            good_at
                .map(|at| alone(at.elapsed().as_secs_f64()))
                .unwrap_or_default()
        },
    );
    read(
        shared,
        metric::LEDGER_SIZE,
        "{message}",
        "Sent messages remembered.",
        |shared| alone(number(shared.ledger.len())),
    );
    sum(
        shared,
        metric::LEDGER_HITS,
        "{message}",
        "Messages known as sent.",
        |shared| shared.ledger.hits(),
    );
    sum(
        shared,
        metric::TEMPLATE_FETCHES,
        "{fetch}",
        "Fetches of the template.",
        |shared| shared.templates.watch().borrow().loads,
    );
}

fn read(
    shared: &Arc<Shared>,
    name: &'static str,
    unit: &'static str,
    text: &'static str,
    read: impl Fn(&Shared) -> Vec<(f64, Vec<KeyValue>)> + Send + Sync + 'static,
) {
    let weak: Weak<Shared> = Arc::downgrade(shared);
    shared
        .instruments
        .metrics
        .observe(name, unit, text, move || {
            weak.upgrade()
                .map(|shared| read(&shared))
                .unwrap_or_default()
        });
}

fn sum(
    shared: &Arc<Shared>,
    name: &'static str,
    unit: &'static str,
    text: &'static str,
    read: impl Fn(&Shared) -> u64 + Send + Sync + 'static,
) {
    let weak: Weak<Shared> = Arc::downgrade(shared);
    shared
        .instruments
        .metrics
        .observe_sum(name, unit, text, move || {
            weak.upgrade()
                .map(|shared| read(&shared))
                .unwrap_or_default()
        });
}

fn breaker<C: Cause>(part: Part, status: Option<Status<C>>) -> (f64, Vec<KeyValue>) {
    let mut attributes = vec![KeyValue::new(ours::BREAKER, part.name())];
    match status {
        None => (0.0, attributes),
        Some(status) => {
            attributes.push(KeyValue::new(ours::BREAKER_CAUSE, status.cause.name()));
            (1.0, attributes)
        }
    }
}

fn alone(value: f64) -> Vec<(f64, Vec<KeyValue>)> {
    vec![(value, Vec::new())]
}

#[expect(clippy::cast_precision_loss, reason = "these numbers are small")]
fn number(count: usize) -> f64 {
    count as f64
}
