//! The line of state that `SIGUSR1` asks for.

use std::time::Duration;

use tracing::info;

use super::{
    stalls::{held_in_words, in_brackets, lasting},
    steps::rate_in_words,
};
use crate::{
    pipeline::{
        breaker::{Cause, Said, Status},
        health_state::Part,
        outcome::Tally,
        readings::Readings,
    },
    telemetry::LIFECYCLE,
    text::format_duration,
};

/// Says what goes on now.
pub(crate) fn state(now: &Readings, tally: &Tally) {
    let (mail, said) = (now.mail(), now.mail_said());
    let facts = [
        held(now),
        format!("rate {}", rate_in_words(now.send_rate())),
        part(Part::Sending, mail.as_ref(), said.as_ref()) + &next_probe(now),
        part(Part::Rendering, now.template().as_ref(), None),
        template(now),
        ledger(now),
    ];
    let facts: Vec<_> = facts.into_iter().chain(feedback(now)).collect();
    let cause = mail.map(|status| status.cause.name());
    info!(
        target: LIFECYCLE,
        { notifier.breaker.cause = cause, notifier.held = now.held(), notifier.held.oldest_s = now.oldest_held().as_secs(), notifier.send_rate = now.send_rate() },
        "state: {}; since the start {}",
        facts.join("; "),
        tally.so_far()
    );
}

fn held(now: &Readings) -> String {
    let words = held_in_words(now.held(), now.oldest_held());
    match now.on_the_way() {
        0 => words,
        count => format!("{words}, {count} to be sent or being sent"),
    }
}

fn part<C: Cause>(part: Part, status: Option<&Status<C>>, said: Option<&Said>) -> String {
    let name = part.name();
    match status {
        None => format!("{name} works"),
        Some(status) if status.cause.is_start() => format!("{name} has not been tried yet"),
        Some(status) => format!(
            "{name} has been stopped for {}: {}{}",
            lasting(status),
            status.cause.words(said).0,
            in_brackets(said)
        ),
    }
}

fn next_probe(now: &Readings) -> String {
    match now.next_probe() {
        Some(time) if now.mail().is_some_and(|status| !status.cause.is_start()) => {
            format!(", next probe in {}", format_duration(time))
        }
        _ => String::new(),
    }
}

fn template(now: &Readings) -> String {
    let Some(in_force) = now.template_in_force() else {
        return "no template yet".to_owned();
    };
    let age = now.template_age().unwrap_or_default();
    let failure = now.template_failure();
    let failure = failure.map(|failure| format!(", and a fetch has failed since: {failure}"));
    format!(
        "template {} fetched {} ago{}",
        in_force.version.short_id(),
        format_duration(Duration::try_from_secs_f64(age).unwrap_or_default()),
        failure.unwrap_or_default()
    )
}

fn ledger(now: &Readings) -> String {
    let hits = now.ledger_hits();
    let without = now.without_table();
    let without = without.map(|time| format!(", for {} without its table", format_duration(time)));
    format!(
        "ledger entries {}, duplicates found {}{}",
        now.ledger_len(),
        hits.memory + hits.table,
        without.unwrap_or_default()
    )
}

fn feedback(now: &Readings) -> Option<String> {
    now.has_feedback().then(|| match now.deafness() {
        None => "SES's events arrive".to_owned(),
        Some(deafness) => format!("SES's events do not arrive: {deafness}"),
    })
}
