//! The table's clock, as its answers tell it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_sdk_dynamodb::{
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::BeforeDeserializationInterceptorContextRef,
    },
    error::BoxError,
    primitives::{DateTime, DateTimeFormat},
};

use crate::ports::table::ClockDifference;

/// No answer has told yet.
const UNKNOWN: i64 = i64::MIN;
/// Clocks do not run apart in so short a time, and there are two answers for each mail.
const LEARN_EVERY_MS: u64 = 500;
/// An answer's `Date` is cut off to a second: on average it is so much later.
const CUT_OFF_MS: i64 = 500;

/// How many milliseconds the table's clock is ahead of ours, below zero where it is behind. Clones are
/// the same clock.
#[derive(Clone, Debug)]
pub(super) struct TableClock {
    ahead: Arc<AtomicI64>,
    /// When an answer told last, in our milliseconds since 1970.
    learnt_at: Arc<AtomicI64>,
}

impl Default for TableClock {
    fn default() -> Self {
        Self {
            ahead: Arc::new(AtomicI64::new(UNKNOWN)),
            learnt_at: Arc::new(AtomicI64::new(0)),
        }
    }
}

impl TableClock {
    /// The table's time now, in milliseconds since 1970. Until an answer has told, ours.
    pub(super) fn now_ms(&self) -> i64 {
        let ahead = self.ahead_ms().unwrap_or(0);
        ours_ms().saturating_add(ahead)
    }

    /// How far the two are apart, as far as an answer has told.
    pub(super) fn difference(&self) -> Option<ClockDifference> {
        let ahead = self.ahead_ms()?;
        let size = Duration::from_millis(ahead.unsigned_abs());
        Some(if ahead < 0 {
            ClockDifference::Ahead(size)
        } else {
            ClockDifference::Behind(size)
        })
    }

    fn ahead_ms(&self) -> Option<i64> {
        Some(self.ahead.load(Ordering::Relaxed)).filter(|ahead| *ahead != UNKNOWN)
    }

    fn learn(&self, date: &str) {
        let now = ours_ms();
        if now.abs_diff(self.learnt_at.load(Ordering::Relaxed)) < LEARN_EVERY_MS {
            return;
        }
        self.learnt_at.store(now, Ordering::Relaxed);
        if let Ok(date) = DateTime::from_str(date, DateTimeFormat::HttpDate)
            && let Ok(theirs) = date.to_millis()
        {
            let ahead = theirs.saturating_add(CUT_OFF_MS).saturating_sub(now);
            self.ahead.store(ahead, Ordering::Relaxed);
        }
    }
}

impl Intercept for TableClock {
    fn name(&self) -> &'static str {
        "TableClock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(date) = context.response().headers().get("date") {
            self.learn(date);
        }
        Ok(())
    }
}

fn ours_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, to_ms)
}

/// A time in milliseconds.
pub(super) fn to_ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
