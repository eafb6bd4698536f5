//! Which events were read, so that one that comes twice is told once.

use std::{
    collections::{HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
};

use crate::mutex::Mutex;

/// So many are remembered: what comes twice comes soon.
const SEEN_MAX: usize = 20_000;

/// The events that were read last, by a hash of their content.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    hasher: RandomState,
    known: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Seen {
    /// Whether the event is read for the first time.
    pub(super) fn is_new(&self, event: impl std::hash::Hash) -> bool {
        let mut state = self.0.lock();
        let hash = state.hasher.hash_one(event);
        if !state.known.insert(hash) {
            return false;
        }
        state.order.push_back(hash);
        if state.order.len() > SEEN_MAX
            && let Some(oldest) = state.order.pop_front()
        {
            state.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_new_once_until_many_others_have_come() {
        let seen = Seen::default();
        assert!(seen.is_new("a"));
        assert!(!seen.is_new("a"));
        for number in 0..SEEN_MAX {
            assert!(seen.is_new(number));
        }
        assert!(seen.is_new("a"));
        let state = seen.0.lock();
        assert_eq!((state.known.len(), state.order.len()), (SEEN_MAX, SEEN_MAX));
    }
}
