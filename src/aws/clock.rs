//! A service's clock, as its answers tell it. AWS refuses a signature whose time is off by five minutes, so
//! that a machine with a wrong clock could make no call; and the tasks that share a table need one time.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_sdk_sqs::{
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        http::HttpResponse,
        interceptors::{
            BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
        },
    },
    error::BoxError,
    operation::RequestId,
    primitives::{DateTime, DateTimeFormat},
};
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use tokio::time::Instant;

use crate::{mutex::Mutex, ports::obstacle::ClockDifference};

/// An answer's `Date` is cut off to a second: on average it is so much later.
const CUT_OFF: Duration = Duration::from_millis(500);
/// Clocks do not run apart in so short a time, and there are two answers for each mail.
const LEARN_EVERY: Duration = Duration::from_millis(500);
/// A receive that waits for messages takes 30 s at most. What takes longer than this may have lain unread.
const ANSWERED_WITHIN: Duration = Duration::from_secs(40);
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

    /// Learns from an answer to what was sent then.
    pub(super) fn hear(&self, answer: &HttpResponse, sent: Option<Instant>) {
        let Some(date) = answer.headers().get("date") else {
            return;
        };
        // What is before the service may have a clock of its own, or have kept an answer; and a process
        // that stood still has not read it when it came.
        let is_theirs = answer.request_id().is_some() && answer.headers().get("age").is_none();
        if !is_theirs || sent.is_some_and(|sent| sent.elapsed() > ANSWERED_WITHIN) {
            return;
        }
        if answer.status().is_success() {
            self.learn(date);
        } else {
            // What refuses a signature for its time tells the right one.
            self.learn_at_once(date);
        }
    }

    /// Takes an answer's date for the service's time now, unless one was told just now.
    pub(super) fn learn(&self, date: &str) {
        let told = *self.0.lock();
        // A machine that slept counts no time of it, so what is recent may be wrong.
        let is_recent = told.is_some_and(|told| told.at.elapsed() < LEARN_EVERY);
        if !is_recent || !self.is_sure() {
            self.learn_at_once(date);
        }
    }

    fn learn_at_once(&self, date: &str) {
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

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(Sent(Instant::now()));
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let sent = config.load::<Sent>().map(|sent| sent.0);
        self.hear(context.response(), sent);
        Ok(())
    }
}

/// When a call's last attempt was sent.
#[derive(Debug)]
struct Sent(Instant);

impl Storable for Sent {
    type Storer = StoreReplace<Self>;
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
    use aws_smithy_runtime_api::client::{
        interceptors::context::{Input, InterceptorContext},
        orchestrator::HttpRequest,
        runtime_components::RuntimeComponentsBuilder,
    };
    use aws_smithy_types::body::SdkBody;
    use tokio::time::advance;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    /// An answer whose date is so much later than our time.
    fn answer(status: u16, ahead: Duration) -> HttpResponse {
        let date = DateTime::from(SystemTime::now() + ahead);
        let date = date.fmt(DateTimeFormat::HttpDate).unwrap();
        let mut answer = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
        answer.headers_mut().insert("date", date);
        answer.headers_mut().insert("x-amzn-requestid", "1");
        answer
    }

    /// One call, answered so after this time.
    async fn hear(clock: &ServiceClock, took: Duration, answer: HttpResponse) {
        let mut context = InterceptorContext::new(Input::erase(()));
        context.set_request(HttpRequest::empty());
        let components = RuntimeComponentsBuilder::for_tests().build().unwrap();
        let mut config = ConfigBag::base();
        let sent = clock.read_before_transmit(&(&context).into(), &components, &mut config);
        sent.unwrap();
        advance(took).await;
        context.set_response(answer);
        let heard = clock.read_before_deserialization(&(&context).into(), &components, &mut config);
        heard.unwrap();
    }

    /// How far a clock is behind the service's, in whole minutes.
    fn minutes_behind(clock: &ServiceClock) -> Option<u64> {
        match clock.difference()? {
            ClockDifference::Behind(by) => Some((by.as_secs() + 30) / 60),
            ClockDifference::Ahead(_) => Some(0),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_a_cache_kept_tells_no_time() {
        let clock = ServiceClock::default();
        let mut cached = answer(200, HOUR);
        cached.headers_mut().insert("age", "60");
        hear(&clock, Duration::ZERO, cached).await;
        assert_eq!(minutes_behind(&clock), None);
        hear(&clock, Duration::ZERO, answer(200, HOUR)).await;
        assert_eq!(minutes_behind(&clock), Some(60));
    }

    #[tokio::test(start_paused = true)]
    async fn what_stands_before_the_service_tells_no_time() {
        for status in [200, 403, 502] {
            let clock = ServiceClock::default();
            hear(&clock, Duration::ZERO, answer(status, HOUR)).await;
            let mut of_a_gateway = answer(status, 2 * HOUR);
            of_a_gateway.headers_mut().remove("x-amzn-requestid");
            hear(&clock, Duration::from_secs(1), of_a_gateway).await;
            assert_eq!(minutes_behind(&clock), Some(60), "{status}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_may_have_lain_unread_tells_no_time() {
        let clock = ServiceClock::default();
        hear(&clock, Duration::from_secs(41), answer(200, HOUR)).await;
        assert_eq!(minutes_behind(&clock), None);
        // As long as a poll may take.
        hear(&clock, Duration::from_secs(30), answer(200, HOUR)).await;
        assert_eq!(minutes_behind(&clock), Some(60));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_tells_the_time_at_once() {
        let clock = ServiceClock::default();
        hear(&clock, Duration::ZERO, answer(200, HOUR)).await;
        hear(&clock, Duration::ZERO, answer(200, 2 * HOUR)).await;
        assert_eq!(minutes_behind(&clock), Some(60), "it was told just now");
        hear(&clock, Duration::ZERO, answer(403, 2 * HOUR)).await;
        assert_eq!(minutes_behind(&clock), Some(120));
    }

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
