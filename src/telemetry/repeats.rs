//! Lines that one fault would have written many times over.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The most often that a line of one kind is written.
const TELL: Duration = Duration::from_mins(1);

/// Lets one line a minute through and counts the others.
#[derive(Debug, Default)]
pub struct Repeats {
    told: Mutex<(Option<Instant>, u64)>,
}

impl Repeats {
    /// Whether the line is to be written now, and then how many were not since the last.
    pub fn due(&self) -> Option<u64> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, suppressed) = &mut *told;
        if at.is_some_and(|at| at.elapsed() < TELL) {
            *suppressed += 1;
            return None;
        }
        *at = Some(Instant::now());
        Some(std::mem::take(suppressed))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_a_minute_is_due_and_tells_of_the_others() {
        let repeats = Repeats::default();
        assert_eq!(repeats.due(), Some(0));
        advance(Duration::from_secs(59)).await;
        assert_eq!([repeats.due(), repeats.due()], [None, None]);
        advance(Duration::from_secs(1)).await;
        assert_eq!(repeats.due(), Some(2));
        assert_eq!(repeats.due(), None);
    }
}
