//! By how much AWS's clock differs from ours. AWS refuses a signature whose time is off by five minutes,
//! so that a machine with a wrong clock could make no call at all. Each answer tells AWS's time.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, SystemTime},
};

use aws_sdk_sqs::primitives::{DateTime, DateTimeFormat};
use aws_smithy_runtime_api::http::Headers;

use crate::mutex::Mutex;

/// An answer that was longer on its way tells nothing: it may have lain anywhere.
const ON_THE_WAY_MAX: Duration = Duration::from_mins(15);

/// What the last answer told.
#[derive(Debug, Default)]
pub(super) struct Skew {
    /// What is to be added to our time, in milliseconds.
    ms: AtomicI64,
    /// The date that this was taken from, so that many answers within a second are read once.
    told: Mutex<String>,
}

impl Skew {
    /// AWS's time at this time of ours.
    pub(super) fn applied_to(&self, ours: SystemTime) -> SystemTime {
        let ms = self.ms.load(Ordering::Relaxed);
        let size = Duration::from_millis(ms.unsigned_abs());
        let theirs = if ms < 0 {
            ours.checked_sub(size)
        } else {
            ours.checked_add(size)
        };
        theirs.unwrap_or(ours)
    }

    /// Learns from an answer to a request that was sent at this time and has been answered now.
    pub(super) fn learn(&self, sent: SystemTime, answered: SystemTime, answer: &Headers) {
        let Some(date) = answer.get("date") else {
            return;
        };
        // One that a cache gives is old.
        if answer.get("age").is_some() {
            return;
        }
        let mut told = self.told.lock();
        let elapsed = answered.duration_since(sent).unwrap_or_default();
        if *told == date || elapsed > ON_THE_WAY_MAX {
            return;
        }
        let Ok(date_time) = DateTime::from_str(date, DateTimeFormat::HttpDate) else {
            return;
        };
        let Ok(theirs) = SystemTime::try_from(date_time) else {
            return;
        };
        date.clone_into(&mut told);
        let ours = sent + elapsed / 2;
        let ms = match theirs.duration_since(ours) {
            Ok(ahead) => to_ms(ahead),
            Err(behind) => -to_ms(behind.duration()),
        };
        self.ms.store(ms, Ordering::Relaxed);
    }
}

fn to_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
