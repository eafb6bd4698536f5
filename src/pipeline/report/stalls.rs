//! Lines while nothing gets out: once a minute while a breaker is open or no mail is accepted.

use std::{mem, sync::Arc, time::Duration};

use tokio::time::sleep;
use tracing::error;

use super::steps::{self, rate_in_words};
use crate::{
    pipeline::{
        breaker::{Cause, Said, Status},
        health_state::Part,
        progress::{Progress, Silence},
        readings::Readings,
    },
    telemetry::{LIFECYCLE, throttle::Throttle},
    text::format_duration,
};

/// While a breaker is open or no mail is accepted a line says so this often.
const STILL_OPEN_EVERY: Duration = Duration::from_mins(1);

/// How often the reporter checks whether it is so.
const RECHECK_EVERY: Duration = Duration::from_secs(5);

/// Says once a minute what is held while a breaker is open or no mail is accepted. Runs until dropped.
pub(crate) async fn stalls(readings: Arc<Readings>, progress: Arc<Progress>) {
    let throttle = Throttle::every(STILL_OPEN_EVERY);
    let mut rate = readings.send_rate();
    loop {
        sleep(RECHECK_EVERY).await;
        let before = mem::replace(&mut rate, readings.send_rate());
        if rate != before {
            steps::rate_changed(before, rate);
        }
        let mail = readings
            .mail()
            .filter(|status| is_old(status) && !status.cause.is_start());
        let template = readings.template().filter(is_old);
        let stopped = mail.is_some() || template.is_some();
        let silence = progress.silence().filter(|_| !stopped);
        // All share one limit: both breakers' lines stand together, and tell of the silence too.
        if (stopped || silence.is_some()) && throttle.due().is_some() {
            if let Some(status) = mail {
                still_open(
                    Part::Sending,
                    &status,
                    readings.mail_said().as_ref(),
                    &readings,
                );
            }
            if let Some(status) = template {
                still_open(Part::Rendering, &status, None, &readings);
            }
            if let Some(silence) = silence {
                silent(&silence, readings.send_rate());
            }
        }
    }
}

/// Whether a breaker has been open for so long that a line says so.
fn is_old<C: Cause>(status: &Status<C>) -> bool {
    status.since.elapsed() >= STILL_OPEN_EVERY
}

fn still_open<C: Cause>(part: Part, status: &Status<C>, said: Option<&Said>, readings: &Readings) {
    let open_for = status.since.elapsed();
    let (held, oldest) = (readings.held(), readings.oldest_held());
    error!(
        target: LIFECYCLE,
        { notifier.breaker.cause = status.cause.name(), error.r#type = said.map(|said| &*said.code), notifier.breaker.open_s = open_for.as_secs(), notifier.held = held, notifier.held.oldest_s = oldest.as_secs() },
        "{} has been stopped for {}: {}{}; {}",
        part.name(),
        lasting(status),
        status.cause.words(said).0,
        in_brackets(said),
        held_in_words(held, oldest),
    );
}

/// For how long a breaker has been open, and for this cause where another came before it.
pub(super) fn lasting<C>(status: &Status<C>) -> String {
    let open_for = format_duration(status.since.elapsed());
    let later = status.cause_since.saturating_duration_since(status.since);
    if later < Duration::from_secs(1) {
        return open_for;
    }
    let for_this = format_duration(status.cause_since.elapsed());
    format!("{open_for}, the last {for_this} of it for this cause")
}

/// Messages wait and no mail is accepted, whatever the reason.
fn silent(silence: &Silence, rate: Option<f64>) {
    let failure = silence.failure.as_ref();
    error!(
        target: LIFECYCLE,
        { error.r#type = failure.map(|said| &*said.code), notifier.silent_s = silence.lasts.as_secs(), notifier.held = silence.held, notifier.held.oldest_s = silence.oldest.as_secs(), notifier.send_rate = rate },
        "no mail has been accepted for {}: {}{}; {}; the rate is {}",
        format_duration(silence.lasts),
        held_in_words(silence.held, silence.oldest),
        if silence.held == 1 {
            ", and no other here"
        } else {
            ""
        },
        match failure {
            Some(Said {
                text,
                remedy: Some(remedy),
                ..
            }) => format!("the last failure: {text}; {remedy}; what is held goes on by itself then"),
            Some(said) => format!("the last failure: {}", said.text),
            None => "nothing has failed since the last mail".to_owned(),
        },
        rate_in_words(rate),
    );
}

pub(super) fn held_in_words(count: usize, oldest: Duration) -> String {
    let messages = match count {
        0 => return "no message is held".to_owned(),
        1 => "1 message is".to_owned(),
        count => format!("{count} messages are"),
    };
    format!(
        "{messages} held, the oldest for {}",
        format_duration(oldest)
    )
}

/// What the service said, as it stands behind what that means.
pub(super) fn in_brackets(said: Option<&Said>) -> String {
    said.map(|said| format!(" ({})", said.text))
        .unwrap_or_default()
}
