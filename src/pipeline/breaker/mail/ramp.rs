//! How messages go again after an outage: few at first, since one success proves little.

/// So many sends at once need no ramp any more: more than are ever held.
const ENOUGH: usize = 4096;

/// Limits the sends under way, and doubles the limit with each that is accepted. All that were held
/// would else be sent at once, and lose an attempt each where the outage goes on.
#[derive(Debug)]
pub(super) struct Ramp {
    limit: usize,
    under_way: usize,
}

impl Ramp {
    /// The probe was the first success.
    pub(super) fn new() -> Self {
        Self {
            limit: 2,
            under_way: 0,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.under_way >= self.limit
    }

    /// A send begins. Always true, to be remembered in its permission.
    pub(super) fn enter(&mut self) -> bool {
        self.under_way += 1;
        true
    }

    /// A send has ended; whether the ramp has with it.
    pub(super) fn leave(&mut self, accepted: bool) -> bool {
        self.under_way = self.under_way.saturating_sub(1);
        if accepted {
            self.limit = self.limit.saturating_mul(2);
        }
        self.limit >= ENOUGH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_go_at_first_and_each_success_doubles_how_many() {
        let mut ramp = Ramp::new();
        ramp.enter();
        assert!(!ramp.is_full());
        ramp.enter();
        assert!(ramp.is_full());
        ramp.leave(false);
        ramp.enter();
        assert!(ramp.is_full(), "a failure lets one more go and no two");
        ramp.leave(true);
        for _ in 0..3 {
            assert!(!ramp.is_full());
            ramp.enter();
        }
        assert!(ramp.is_full());
    }

    #[test]
    fn it_ends_when_it_limits_nothing_any_more() {
        let mut ramp = Ramp::new();
        let successes = (1..100).find(|_| {
            ramp.enter();
            ramp.leave(true)
        });
        assert_eq!(successes, Some(11));
    }
}
