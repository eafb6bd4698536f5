//! The sending rate and the daily quota, both counted in recipients, on tokio's clock.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::super::http::ServiceError;
use super::error;

const DAY: Duration = Duration::from_hours(24);
/// Sends are counted in slots of this length, so that a day's count stays small.
const SLOT: Duration = Duration::from_secs(1);

/// What was sent of late.
#[derive(Default)]
pub(super) struct Quota {
    bucket: Option<Bucket>,
    day: VecDeque<(Instant, u32)>,
    day_total: u64,
}

/// A second's worth of recipients, refilled evenly.
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Quota {
    /// Takes `recipients` from both, or neither.
    ///
    /// `rate` is in recipients per second, `most_in_a_day` in recipients; negative is without
    /// limit. As AWS has described it, a mail goes whole where at least one recipient is left,
    /// and the next one waits until the rate's debt is paid.
    pub(super) fn take(
        &mut self,
        recipients: u32,
        rate: f64,
        most_in_a_day: f64,
    ) -> Result<(), ServiceError> {
        let now = Instant::now();
        self.forget(now);
        if most_in_a_day >= 0.0 && self.total() + 1.0 > most_in_a_day {
            return Err(throttled("Daily message quota exceeded."));
        }
        self.take_rate(recipients, rate)?;
        self.day_total += u64::from(recipients);
        match self.day.back_mut() {
            Some((slot, count)) if now.duration_since(*slot) < SLOT => *count += recipients,
            _ => self.day.push_back((now, recipients)),
        }
        Ok(())
    }

    /// Takes `recipients` from the rate alone.
    pub(super) fn take_rate(&mut self, recipients: u32, rate: f64) -> Result<(), ServiceError> {
        let now = Instant::now();
        if rate >= 0.0 {
            let size = rate.max(1.0);
            let bucket = self.bucket.get_or_insert(Bucket {
                tokens: size,
                filled: now,
            });
            let grown = now.duration_since(bucket.filled).as_secs_f64() * rate;
            bucket.tokens = (bucket.tokens + grown).min(size);
            bucket.filled = now;
            // Sums of fractions fall short of whole numbers by less than this.
            if bucket.tokens + 1e-6 < 1.0 {
                return Err(throttled("Maximum sending rate exceeded."));
            }
            bucket.tokens -= f64::from(recipients);
        }
        Ok(())
    }

    pub(super) fn sent_last_24_hours(&mut self) -> f64 {
        self.forget(Instant::now());
        self.total()
    }

    fn forget(&mut self, now: Instant) {
        while let Some((slot, count)) = self.day.front() {
            if now.duration_since(*slot) < DAY {
                return;
            }
            self.day_total -= u64::from(*count);
            self.day.pop_front();
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a day's recipients are far below 2^52"
    )]
    fn total(&self) -> f64 {
        self.day_total as f64
    }
}

fn throttled(text: &str) -> ServiceError {
    error(429, "TooManyRequestsException", text)
}
