//! A service's clock, as its answers tell it. AWS refuses a signature whose time is off by five minutes, so
//! that a machine with a wrong clock could make no call; and the tasks that share a table need one time.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_sdk_sqs::{
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::BeforeDeserializationInterceptorContextRef,
    },
    error::BoxError,
    primitives::{DateTime, DateTimeFormat},
};
use tokio::time::Instant;

use crate::{mutex::Mutex, ports::obstacle::ClockDifference};

/// An answer's `Date` is cut off to a second: on average it is so much later.
const CUT_OFF: Duration = Duration::from_millis(500);
/// Clocks do not run apart in so short a time, and there are two answers for each mail.
const LEARN_EVERY: Duration = Duration::from_millis(500);
/// Our two clocks may run apart by so much, which is more than they do by themselves.
const STEADY: Duration = Duration::from_secs(1);

/// The service's time. It runs by our clock that nobody sets, from what an answer told last. Clones are the
/// same clock.
#[derive(Clone, Debug, Default)]
pub(super) struct ServiceClock(Arc<Mutex<Option<Told>>>);

/// What an answer told.
#[derive(Clone, Copy, Debug)]
struct Told {
    /// The service's time, since 1970.
    theirs: Duration,
    /// Ours by then, since 1970, which somebody may set.
    ours: Duration,
    at: Instant,
}

impl ServiceClock {
    /// The service's time now, in milliseconds since 1970. Until an answer has told, ours.
    pub(super) fn now_ms(&self) -> i64 {
        let told = *self.0.lock();
        to_ms(told.map_or_else(ours, |told| told.theirs + told.at.elapsed()))
    }

    /// Whether that can be relied on: an answer has told, and since then our clock was not set and this
    /// machine did not sleep.
    pub(super) fn is_sure(&self) -> bool {
        let told = *self.0.lock();
        told.is_some_and(|told| {
            let expected = told.ours + told.at.elapsed();
            expected.abs_diff(ours()) < STEADY
        })
    }

    /// How far the two are apart, as far as an answer has told.
    pub(super) fn difference(&self) -> Option<ClockDifference> {
        let told = (*self.0.lock())?;
        let (theirs, ours) = (told.theirs + told.at.elapsed(), ours());
        Some(ClockDifference::between(ours, theirs))
    }

    /// The service's time at this time of ours, where that can be relied on; else ours.
    pub(super) fn at(&self, ours_then: SystemTime) -> SystemTime {
        let told = *self.0.lock();
        let Some(told) = told.filter(|_| self.is_sure()) else {
            return ours_then;
        };
        let (theirs, ours) = (told.theirs + told.at.elapsed(), ours());
        let then = match theirs.checked_sub(ours) {
            Some(ahead) => ours_then.checked_add(ahead),
            None => ours_then.checked_sub(ours.saturating_sub(theirs)),
        };
        then.unwrap_or(ours_then)
    }

    pub(super) fn learn(&self, date: &str) {
        let told = *self.0.lock();
        // A machine that slept counts no time of it, so what is recent may be wrong.
        let is_recent = told.is_some_and(|told| told.at.elapsed() < LEARN_EVERY);
        if is_recent && self.is_sure() {
            return;
        }
        let theirs = DateTime::from_str(date, DateTimeFormat::HttpDate);
        let theirs = theirs.ok().and_then(|date| date.to_millis().ok());
        if let Some(theirs) = theirs.and_then(|theirs| u64::try_from(theirs).ok()) {
            *self.0.lock() = Some(Told {
                theirs: Duration::from_millis(theirs) + CUT_OFF,
                ours: ours(),
                at: Instant::now(),
            });
        }
    }
}

impl Intercept for ServiceClock {
    fn name(&self) -> &'static str {
        "ServiceClock"
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

/// Our time since 1970.
fn ours() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// A time in milliseconds.
pub(super) fn to_ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(ours_is_off_by: Duration, told_since: Duration) -> ServiceClock {
        let at = Instant::now().checked_sub(told_since).unwrap();
        let theirs = Duration::from_hours(24);
        let ours = ours().checked_sub(told_since + ours_is_off_by).unwrap();
        ServiceClock(Arc::new(Mutex::new(Some(Told { theirs, ours, at }))))
    }

    #[test]
    fn a_services_time_runs_on_whatever_becomes_of_ours() {
        let minute = Duration::from_mins(1);
        for off in [Duration::ZERO, Duration::from_hours(1)] {
            let expected = to_ms(Duration::from_hours(24) + minute);
            let now = told(off, minute).now_ms();
            assert!((expected..expected + 1000).contains(&now), "{now}");
        }
    }

    #[test]
    fn a_clock_that_was_set_or_told_nothing_is_not_relied_on() {
        let minute = Duration::from_mins(1);
        assert!(!ServiceClock::default().is_sure());
        assert!(told(Duration::ZERO, minute).is_sure());
        assert!(!told(Duration::from_secs(3), minute).is_sure());
    }
}
