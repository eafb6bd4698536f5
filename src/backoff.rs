//! How long to wait before the next attempt.

use std::time::Duration;

use ::backoff::{ExponentialBackoff, ExponentialBackoffBuilder, backoff::Backoff as _};

/// The longest delay of every policy here.
pub const LONGEST_DELAY: Duration = Duration::from_mins(1);

/// How far a delay may be from its interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// Anything from zero to the interval, each as likely: for many that failed at once.
    Full,
    /// Up to a quarter less or more: for one that is expected after about the interval.
    Quarter,
    /// Exactly the interval: for tests.
    Off,
}

/// Delays that double until they reach a cap. It never gives up: the caller that asks for delays
/// also knows when to stop. Sleeping is the caller's.
#[derive(Clone, Debug)]
pub struct Backoff {
    policy: ExponentialBackoff,
    cap: Duration,
}

impl Backoff {
    /// Intervals from `initial`, doubling up to `cap`; no delay is longer than `cap`, jitter
    /// included.
    pub fn new(initial: Duration, cap: Duration, jitter: Jitter) -> Self {
        let cap = cap.max(initial);
        // The crate draws from an interval's both sides, so that half the interval and a factor
        // of 1 are what gives zero to the interval.
        let (part, factor) = match jitter {
            Jitter::Full => (2, 1.0),
            Jitter::Quarter => (1, 0.25),
            Jitter::Off => (1, 0.0),
        };
        let policy = ExponentialBackoffBuilder::new()
            .with_initial_interval(initial / part)
            .with_max_interval(cap / part)
            .with_multiplier(2.0)
            .with_randomization_factor(factor)
            .with_max_elapsed_time(None)
            .build();
        Self { policy, cap }
    }

    /// Between attempts of one message or one call, and between polls that fail: 0.5 s doubling to
    /// 60 s, full jitter.
    pub fn retries() -> Self {
        Self::new(Duration::from_millis(500), LONGEST_DELAY, Jitter::Full)
    }

    /// Between a breaker's probes: about 1 s doubling to 60 s.
    pub fn probes() -> Self {
        Self::new(Duration::from_secs(1), LONGEST_DELAY, Jitter::Quarter)
    }

    /// The delay before the next attempt; the one after is about twice as long.
    pub fn next_delay(&mut self) -> Duration {
        // Without a bound on the elapsed time the policy always has an answer.
        self.policy.next_backoff().unwrap_or(self.cap).min(self.cap)
    }

    /// Begins again with the first interval, as after a success.
    pub fn reset(&mut self) {
        self.policy.reset();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(backoff: &mut Backoff, count: usize) -> Vec<f64> {
        (0..count)
            .map(|_| backoff.next_delay().as_secs_f64())
            .collect()
    }

    #[test]
    fn without_jitter_half_a_second_doubles_to_a_minute() {
        let mut backoff = Backoff::new(Duration::from_millis(500), LONGEST_DELAY, Jitter::Off);
        assert_eq!(
            seconds(&mut backoff, 10),
            [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
        );
    }

    #[test]
    fn a_reset_begins_again() {
        let mut backoff = Backoff::new(Duration::from_secs(1), LONGEST_DELAY, Jitter::Off);
        seconds(&mut backoff, 20);
        backoff.reset();
        assert_eq!(seconds(&mut backoff, 3), [1.0, 2.0, 4.0]);
    }

    #[test]
    fn full_jitter_spreads_evenly_between_zero_and_the_interval() {
        let delays: Vec<f64> = (0..4000)
            .map(|_| Backoff::retries().next_delay().as_secs_f64())
            .collect();
        assert!(delays.iter().all(|delay| (0.0..=0.500_001).contains(delay)));
        // Each quarter holds a thousand, give or take far more than chance does.
        for quarter in 0..4 {
            let from = f64::from(quarter) * 0.125;
            let held = delays
                .iter()
                .filter(|delay| (from..from + 0.125).contains(*delay))
                .count();
            assert!((800..1200).contains(&held), "{held} from {from}");
        }
    }

    #[test]
    fn the_first_probe_comes_after_about_a_second() {
        for _ in 0..200 {
            let delay = Backoff::probes().next_delay().as_secs_f64();
            assert!((0.75..=1.250_001).contains(&delay), "{delay}");
        }
    }

    #[test]
    fn a_cap_below_the_first_interval_is_raised_to_it() {
        let mut backoff = Backoff::new(Duration::from_secs(5), Duration::ZERO, Jitter::Off);
        assert_eq!(seconds(&mut backoff, 2), [5.0, 5.0]);
    }

    proptest! {
        #[test]
        fn no_delay_is_longer_than_its_interval_or_the_cap(
            initial_ms in 1_u64..10_000,
            cap_ms in 1_u64..100_000,
            attempts in 1_usize..80,
        ) {
            let initial = Duration::from_millis(initial_ms);
            let cap = Duration::from_millis(cap_ms).max(initial);
            let mut full = Backoff::new(initial, cap, Jitter::Full);
            let mut quarter = Backoff::new(initial, cap, Jitter::Quarter);
            let mut off = Backoff::new(initial, cap, Jitter::Off);
            // The policy counts in floating point: a few nanoseconds are lost or won on the way.
            let slack = Duration::from_micros(1);
            for _ in 0..attempts {
                let interval = off.next_delay();
                prop_assert!(interval <= cap);
                prop_assert!(full.next_delay() <= (interval + slack).min(cap));
                prop_assert!(quarter.next_delay() <= (interval * 5 / 4 + slack).min(cap));
            }
        }
    }
}
