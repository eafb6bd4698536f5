//! How fast mails go out.

mod limiter;

use tokio::time::{Duration, Instant};

pub use self::limiter::Limiter;
use crate::ports::SendRate;

/// A message is received only if it can be sent within this time.
pub const RECEIVE_HORIZON: Duration = Duration::from_secs(10);

/// Where the rate is not known, slow start begins with this many recipients per second.
const RATE_FIRST: f64 = 1.0;

/// The lowest rate that throttling leads to, in recipients per second, and as a share of the
/// ceiling; the higher one counts.
const RATE_MIN: f64 = 0.1;
const RATE_MIN_SHARE: f64 = 1.0 / 64.0;

/// The highest rate that slow start reaches, far above any account's.
const RATE_MAX: f64 = 1e6;

/// A reduced rate recovers by this share of the ceiling each second.
const RECOVERY_SHARE: f64 = 1.0 / 60.0;

/// A tenth a minute, as a factor for each second.
const CEILING_GROWTH_FACTOR: f64 = 1.001_589_767_8;

/// The rate is reduced at most once in this time, and adjusted once in each.
const TICK: Duration = Duration::from_secs(1);

/// A smaller debt than this, in recipients, does not count: it comes from the rounding of times.
const DEBT_ROUNDING: f64 = 1e-6;

/// A bucket of recipients, filled at a rate that throttling lowers and time restores.
///
/// A mail goes when the bucket is not in debt, whatever the number of its recipients, and takes one
/// token for each of them, as a debt where the bucket holds fewer: at 1/s a mail to 50 goes at once,
/// and the next after 50 s. An idle bucket saves up a second's worth.
///
/// Throttling halves the rate, at most once a second and not for requests that began before the
/// last halving, down to a 64th of the ceiling or 0.1/s; each second it recovers a sixtieth of
/// the ceiling. So several tasks share one account without knowing of each other.
///
/// The ceiling is the configured or the account's rate. Where neither is known the rate begins
/// with 1/s and doubles each second until the first throttling, and half of it then becomes the
/// ceiling. An unlimited rate that is throttled learns its ceiling from what was taken in the second
/// before. A ceiling that was learned rises by a tenth a minute while it is reached. Rates rise only in
/// seconds that use them, since an unused rate is no evidence that the account allows it.
#[derive(Clone, Debug)]
pub struct RateLimiter {
    setting: SendRate,
    /// Recipients per second; infinite while unlimited.
    rate: f64,
    /// What the rate recovers to, once that is known.
    ceiling: Option<f64>,
    /// Whether throttling taught the ceiling.
    learned: bool,
    /// Recipients that may go at once, without end while unlimited; below zero it is a debt.
    tokens: f64,
    last_halving: Option<Instant>,
    /// Up to when time has been taken into account.
    seen: Instant,
    tick_end: Instant,
    /// Recipients taken in this tick, and in the one before.
    taken: f64,
    taken_before: f64,
}

impl RateLimiter {
    /// A limiter whose bucket holds a second's worth. A fixed rate that is no positive number
    /// counts as unknown.
    pub fn new(setting: SendRate, now: Instant) -> Self {
        let (rate, ceiling) = match setting {
            SendRate::PerSecond(rate) if is_rate(rate) => (rate, Some(rate)),
            SendRate::Unlimited => (f64::INFINITY, None),
            SendRate::PerSecond(_) | SendRate::Account => (RATE_FIRST, None),
        };
        Self {
            setting,
            rate,
            ceiling,
            learned: false,
            tokens: most_tokens(rate),
            last_halving: None,
            seen: now,
            tick_end: now + TICK,
            taken: 0.0,
            taken_before: 0.0,
        }
    }

    /// Takes in the account's rate, in recipients per second. It counts where the account's is
    /// wanted; a reduced rate goes on recovering, to the new ceiling.
    pub fn account_rate(&mut self, rate: f64, now: Instant) {
        if self.setting != SendRate::Account || !is_rate(rate) {
            return;
        }
        self.advance(now);
        let reduced = self
            .ceiling
            .is_some_and(|ceiling| self.learned || self.rate < ceiling);
        self.rate = if reduced {
            self.rate.clamp(lowest(rate), rate)
        } else {
            rate
        };
        (self.ceiling, self.learned) = (Some(rate), false);
        self.tokens = self.tokens.min(most_tokens(self.rate));
    }

    /// Takes as many recipients' worth for one mail, where the bucket is not in debt; at least
    /// one. Whether it did.
    pub fn try_take(&mut self, recipients: usize, now: Instant) -> bool {
        self.advance(now);
        if self.in_debt() {
            return false;
        }
        let recipients = number(recipients.max(1));
        self.taken += recipients;
        self.tokens -= recipients;
        true
    }

    /// Gives back what was taken for a mail that does not go.
    pub fn give_back(&mut self, recipients: usize, now: Instant) {
        self.give_back_late(recipients, Duration::ZERO, now);
    }

    /// The same of what was taken so long ago: what time has restored of it by now is used up.
    pub fn give_back_late(&mut self, recipients: usize, taken_ago: Duration, now: Instant) {
        self.advance(now);
        // An unlimited rate restores at once, and what was taken of it counts all the same.
        let restored = if taken_ago.is_zero() {
            0.0
        } else {
            self.rate * taken_ago.as_secs_f64()
        };
        let left = (number(recipients.max(1)) - restored).max(0.0);
        self.taken = (self.taken - left).max(0.0);
        self.tokens = (self.tokens + left).min(most_tokens(self.rate));
    }

    /// When the bucket will be out of debt, if nothing is taken or throttled until then.
    pub fn ready_at(&self, now: Instant) -> Instant {
        let mut then = self.clone();
        then.advance(now);
        while then.in_debt() {
            let needed = (-then.tokens / then.rate).min(TICK.as_secs_f64());
            // One nanosecond more, so that rounding leaves no debt.
            let ready = then.seen + Duration::from_secs_f64(needed) + Duration::from_nanos(1);
            then.advance(ready.min(then.tick_end));
        }
        then.seen
    }

    /// Takes in that the service throttled a request which began at `began`. Whether the rate was
    /// lowered for it.
    pub fn throttled(&mut self, began: Instant, now: Instant) -> bool {
        self.advance(now);
        if let Some(halving) = self.last_halving
            && (began <= halving || now < halving + TICK)
        {
            return false;
        }
        let before = self.rate;
        if let Some(ceiling) = self.ceiling {
            self.rate = (self.rate / 2.0).max(lowest(ceiling));
        } else {
            if before.is_infinite() {
                self.rate = self.taken.max(self.taken_before).max(RATE_FIRST);
                self.tokens = 0.0;
            }
            self.rate /= 2.0;
            (self.ceiling, self.learned) = (Some(self.rate), true);
        }
        self.tokens = self.tokens.min(most_tokens(self.rate));
        self.last_halving = Some(now);
        self.rate < before
    }

    /// How many more messages may be received, one recipient assumed for each, so that all of
    /// them get out within [`RECEIVE_HORIZON`]. `waiting_recipients` are those of the messages
    /// that are `held` and have yet to take their share. At least one where none is held.
    pub fn receivable(&mut self, waiting_recipients: usize, held: usize, now: Instant) -> usize {
        self.advance(now);
        let filled = self.tokens + self.rate * RECEIVE_HORIZON.as_secs_f64();
        let left = filled - number(waiting_recipients) + DEBT_ROUNDING;
        // The last of them goes with nothing left.
        let more = if left < 0.0 {
            0
        } else {
            whole(left).saturating_add(1)
        };
        more.max(usize::from(held == 0))
    }

    /// The rate now, in recipients per second; `None` where it is unlimited.
    pub fn rate(&self) -> Option<f64> {
        self.rate.is_finite().then_some(self.rate)
    }

    fn in_debt(&self) -> bool {
        self.tokens < -DEBT_ROUNDING
    }

    fn advance(&mut self, now: Instant) {
        while self.seen < now {
            if self.is_at_rest() {
                self.seen = now;
                self.tick_end = now + TICK;
                return;
            }
            let until = now.min(self.tick_end);
            let filled = self.rate * (until - self.seen).as_secs_f64();
            self.tokens = (self.tokens + filled).min(most_tokens(self.rate));
            self.seen = until;
            if until == self.tick_end {
                self.tick();
            }
        }
    }

    /// Whether time alone changes nothing any more, so that idle hours need not be counted out.
    fn is_at_rest(&self) -> bool {
        let full = self.tokens >= most_tokens(self.rate);
        let recovered = self.ceiling.is_none_or(|ceiling| self.rate >= ceiling);
        full && recovered && self.taken == 0.0 && self.taken_before == 0.0
    }

    fn tick(&mut self) {
        let used = self.in_debt() || self.taken >= self.rate / 2.0;
        match self.ceiling {
            None if used => self.rate = (self.rate * 2.0).min(RATE_MAX),
            None => {}
            Some(ceiling) if self.learned && self.rate >= ceiling && used => {
                self.rate = (ceiling * CEILING_GROWTH_FACTOR).min(RATE_MAX);
                self.ceiling = Some(self.rate);
            }
            Some(ceiling) => self.rate = (self.rate + ceiling * RECOVERY_SHARE).min(ceiling),
        }
        self.taken_before = self.taken;
        self.taken = 0.0;
        self.tick_end += TICK;
    }
}

fn is_rate(rate: f64) -> bool {
    rate.is_finite() && rate > 0.0
}

/// Together with the mail that goes with an empty bucket, a second's worth.
fn most_tokens(rate: f64) -> f64 {
    (rate - 1.0).max(0.0)
}

fn lowest(ceiling: f64) -> f64 {
    (ceiling * RATE_MIN_SHARE).max(RATE_MIN).min(ceiling)
}

#[expect(clippy::cast_precision_loss, reason = "recipients are few")]
fn number(recipients: usize) -> f64 {
    recipients as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the whole part of a positive number is wanted, and the cast saturates"
)]
fn whole(number: f64) -> usize {
    number as usize
}

#[cfg(test)]
mod tests;
