//! The rate as throttling and time change it.

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A limiter with a clock of its own.
struct Bench {
    limiter: RateLimiter,
    now: Instant,
}

impl Bench {
    fn new(setting: SendRate) -> Self {
        let now = Instant::now();
        Self {
            limiter: RateLimiter::new(setting, now),
            now,
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn take(&mut self, recipients: usize) -> bool {
        self.limiter.try_take(recipients, self.now)
    }

    /// Takes single recipients for so many seconds, as fast as it goes; how many in each.
    fn drain(&mut self, seconds: usize) -> Vec<usize> {
        (0..seconds)
            .map(|_| {
                let mut taken = 0;
                let end = self.now + SECOND;
                while self.limiter.ready_at(self.now) < end {
                    self.now = self.limiter.ready_at(self.now);
                    assert!(self.take(1));
                    taken += 1;
                }
                self.now = end;
                taken
            })
            .collect()
    }

    fn throttle(&mut self) -> bool {
        self.limiter.throttled(self.now, self.now)
    }

    fn rate(&mut self) -> f64 {
        self.limiter.advance(self.now);
        self.limiter.rate().expect("it is limited")
    }
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-6
}

#[test]
fn fifty_recipients_at_one_a_second_go_and_the_next_after_fifty_seconds() {
    let mut bench = Bench::new(SendRate::PerSecond(1.0));
    assert!(bench.take(50));
    let ready = bench.limiter.ready_at(bench.now) - bench.now;
    assert!(close(ready.as_secs_f64(), 50.0), "{ready:?}");
    bench.pass(SECOND * 49);
    assert!(!bench.take(1));
    bench.pass(SECOND + Duration::from_millis(1));
    assert!(bench.take(1));
}

#[test]
fn an_idle_bucket_saves_up_a_second_of_mails() {
    let mut bench = Bench::new(SendRate::PerSecond(14.0));
    bench.pass(SECOND * 3600);
    let burst = (0..100).filter(|_| bench.take(1)).count();
    assert_eq!(burst, 14);
    // The burst took the first of the next second's too.
    assert_eq!(bench.drain(3), [13, 14, 14]);
}

#[test]
fn the_accounts_rate_replaces_slow_start() {
    let mut bench = Bench::new(SendRate::Account);
    assert!(close(bench.rate(), 1.0));
    bench.limiter.account_rate(14.0, bench.now);
    assert!(close(bench.rate(), 14.0));
    bench.limiter.account_rate(f64::NAN, bench.now);
    bench.limiter.account_rate(0.0, bench.now);
    assert!(close(bench.rate(), 14.0));
}

#[test]
fn the_accounts_rate_does_not_lift_a_fixed_or_reduced_one() {
    let mut fixed = Bench::new(SendRate::PerSecond(2.0));
    fixed.limiter.account_rate(14.0, fixed.now);
    assert!(close(fixed.rate(), 2.0));
    let mut reduced = Bench::new(SendRate::Account);
    reduced.limiter.account_rate(14.0, reduced.now);
    assert!(reduced.throttle());
    reduced.limiter.account_rate(28.0, reduced.now);
    assert!(close(reduced.rate(), 7.0));
    reduced.pass(SECOND * 60);
    assert!(close(reduced.rate(), 28.0));
}

#[test]
fn an_unknown_rate_doubles_each_second_until_it_is_throttled_and_half_becomes_the_ceiling() {
    let mut bench = Bench::new(SendRate::Account);
    assert_eq!(bench.drain(5), [1, 2, 4, 8, 16]);
    assert!(close(bench.rate(), 32.0));
    assert!(bench.throttle());
    assert!(close(bench.rate(), 16.0));
    assert_eq!(bench.limiter.ceiling, Some(16.0));
}

#[test]
fn an_unknown_rate_does_not_rise_in_idle_hours() {
    let mut bench = Bench::new(SendRate::Account);
    bench.drain(3);
    let rate = bench.rate();
    bench.pass(SECOND * 36_000);
    assert!(close(bench.rate(), rate));
}

#[test]
fn a_learned_ceiling_rises_by_a_tenth_in_each_minute_that_reaches_it() {
    let mut bench = Bench::new(SendRate::Account);
    bench.drain(6);
    bench.throttle();
    let ceiling = bench.rate();
    bench.drain(60);
    let after = bench.limiter.ceiling.expect("it was learned");
    assert!(
        (after / ceiling - 1.1).abs() < 0.005,
        "{ceiling} to {after}"
    );
    bench.pass(SECOND * 36_000);
    assert!(bench.rate() < after * 1.01);
}

#[test]
fn sixty_four_throttled_answers_at_once_are_one_halving() {
    let mut bench = Bench::new(SendRate::PerSecond(64.0));
    let began = bench.now;
    bench.pass(SECOND / 10);
    let lowered = (0..64)
        .filter(|_| bench.limiter.throttled(began, bench.now))
        .count();
    assert_eq!(lowered, 1);
    // Nor do those of the same time that come later.
    bench.pass(SECOND * 3);
    assert!(!bench.limiter.throttled(began, bench.now));
}

#[test]
fn throttling_halves_at_most_once_a_second_down_to_a_64th_or_a_tenth_a_second() {
    for (ceiling, lowest) in [(640.0, 10.0), (2.0, 0.1), (0.05, 0.05)] {
        let mut bench = Bench::new(SendRate::PerSecond(ceiling));
        let mut halvings = 0;
        for _ in 0..400 {
            halvings += u32::from(bench.throttle());
            bench.pass(SECOND / 4);
            assert!(bench.limiter.rate().unwrap() >= lowest);
        }
        // Between two halvings it recovers a sixtieth of the ceiling, hence not quite the lowest.
        assert!(bench.limiter.rate().unwrap() <= lowest + ceiling / 30.0);
        assert!(halvings <= 100);
    }
}

#[test]
fn a_reduced_rate_recovers_a_sixtieth_of_the_ceiling_a_second() {
    let mut bench = Bench::new(SendRate::PerSecond(60.0));
    assert!(bench.throttle());
    for rate in 31..=60 {
        bench.pass(SECOND);
        assert!(close(bench.rate(), f64::from(rate)));
    }
    bench.pass(SECOND);
    assert!(close(bench.rate(), 60.0));
}

#[test]
fn an_unlimited_rate_that_is_throttled_learns_its_ceiling_from_what_was_taken() {
    let mut bench = Bench::new(SendRate::Unlimited);
    for _ in 0..100 {
        assert!(bench.take(1));
    }
    assert_eq!(bench.limiter.rate(), None);
    bench.pass(SECOND + SECOND / 100);
    assert!(bench.throttle());
    assert!(close(bench.rate(), 50.0));
    assert!(bench.take(100) && !bench.take(1));
    let mut idle = Bench::new(SendRate::Unlimited);
    assert!(idle.throttle());
    assert!(close(idle.rate(), 0.5));
}

#[test]
fn as_much_is_received_as_gets_out_within_ten_seconds_and_one_where_none_is_held() {
    let mut bench = Bench::new(SendRate::PerSecond(1.0));
    let now = bench.now;
    let limiter = &mut bench.limiter;
    // One at once and one after each of ten seconds.
    assert_eq!(limiter.receivable(0, 0, now), 11);
    assert_eq!(limiter.receivable(4, 4, now), 7);
    assert_eq!(limiter.receivable(10, 10, now), 1);
    assert_eq!(limiter.receivable(11, 11, now), 0);
    assert!(limiter.try_take(50, now));
    assert_eq!(limiter.receivable(0, 1, now), 0);
    assert_eq!(limiter.receivable(0, 0, now), 1);
    assert_eq!(limiter.receivable(usize::MAX, 0, now), 1);
    assert_eq!(limiter.receivable(0, 1, now + SECOND * 40), 1);
    let mut unlimited = Bench::new(SendRate::Unlimited);
    let now = unlimited.now;
    assert_eq!(unlimited.limiter.receivable(9, 9, now), usize::MAX);
}

proptest! {
    #[test]
    fn no_window_lets_more_through_than_rate_and_burst_and_one_mail(
        rate in 0.05_f64..200.0,
        steps in prop::collection::vec((0_u64..3000, 1_usize..51), 1..300),
    ) {
        let mut bench = Bench::new(SendRate::PerSecond(rate));
        let mut went: Vec<(Instant, f64)> = Vec::new();
        for (millis, recipients) in steps {
            bench.pass(Duration::from_millis(millis));
            if bench.take(recipients) {
                went.push((bench.now, number(recipients)));
            }
        }
        for (index, (from, _)) in went.iter().enumerate() {
            let mut sum = 0.0;
            for (to, recipients) in &went[index..] {
                sum += recipients;
                let allowed = rate * (*to - *from).as_secs_f64() + rate.max(1.0) + recipients;
                prop_assert!(sum <= allowed + 1e-3, "{} in a window of {}", sum, allowed);
            }
        }
    }

    #[test]
    fn the_rate_stays_between_its_bounds_and_a_debt_is_always_paid(
        setting in prop_oneof![
            Just(SendRate::Account),
            Just(SendRate::Unlimited),
            (0.05_f64..500.0).prop_map(SendRate::PerSecond),
        ],
        steps in prop::collection::vec((0_u64..5000, 1_usize..51, 0_u8..4), 1..200),
    ) {
        let mut bench = Bench::new(setting);
        for (millis, recipients, what) in steps {
            bench.pass(Duration::from_millis(millis));
            match what {
                0 => { bench.throttle(); }
                1 => bench.limiter.account_rate(number(recipients), bench.now),
                _ => { bench.take(recipients); }
            }
            if let (Some(rate), Some(ceiling)) = (bench.limiter.rate(), bench.limiter.ceiling) {
                prop_assert!(rate <= ceiling + 1e-9 && rate >= lowest(ceiling) - 1e-9);
            }
            let ready = bench.limiter.ready_at(bench.now);
            prop_assert!(ready - bench.now < SECOND * 1100);
            prop_assert!(bench.limiter.clone().try_take(1, ready));
            prop_assert!(bench.limiter.receivable(50, 0, bench.now) >= 1);
        }
    }
}

#[test]
fn a_share_that_is_given_back_late_is_worth_what_time_has_not_restored() {
    let start = Instant::now();
    let mut rate = RateLimiter::new(SendRate::PerSecond(2.0), start);
    let at = |seconds| start + Duration::from_secs(seconds);
    assert!(rate.try_take(21, start));
    // Twenty are owed, and six are restored.
    rate.give_back_late(21, Duration::from_secs(3), at(3));
    assert!(rate.try_take(1, at(3)), "its own debt does not stop it");
    // All that was taken is restored by now: there is nothing to give back.
    let mut rate = RateLimiter::new(SendRate::PerSecond(2.0), start);
    for _ in 0..8 {
        let taken = rate.try_take(1, start);
        rate.give_back_late(1, Duration::from_secs(1), start);
        assert!(taken || rate.in_debt());
    }
    assert!(
        !rate.try_take(1, start),
        "those that come late go one by one"
    );
}
