//! Lines that would come again and again for as long as something is broken.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// What keeps happening is told of this often.
const TELL: Duration = Duration::from_mins(1);

/// One kind of line: its first is told, and then one a minute at most.
#[derive(Debug, Default)]
pub(crate) struct Repeat(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    told: Option<Instant>,
    untold: u64,
}

impl Repeat {
    /// Counts one more. Where it is to be told, returns how many before it were not.
    pub(crate) fn due(&self) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.told.is_some_and(|at| at.elapsed() < TELL) {
            state.untold += 1;
            return None;
        }
        state.told = Some(Instant::now());
        Some(std::mem::take(&mut state.untold))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_is_told_and_then_one_a_minute_with_a_count_of_the_others() {
        let repeat = Repeat::default();
        assert_eq!(repeat.due(), Some(0));
        for _ in 0..3 {
            advance(Duration::from_secs(15)).await;
            assert_eq!(repeat.due(), None);
        }
        advance(Duration::from_secs(15)).await;
        assert_eq!(repeat.due(), Some(3));
        assert_eq!(repeat.due(), None);
        advance(TELL * 10).await;
        assert_eq!(repeat.due(), Some(1));
    }
}
