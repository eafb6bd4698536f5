//! The ledger in this process's memory.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::{Claim, Ledger, SendGuard};

/// How many sent messages are remembered. A key takes about 44 bytes, 8.7 MB for all of them: 17
/// bytes in a table that is three quarters full, and 16 in a queue that says which is the oldest.
pub const CAPACITY: usize = 200_000;

/// How many messages' counts of unknown attempts are remembered; those in progress keep theirs.
const UNKNOWN_CAPACITY: usize = 20_000;

/// Remembers the last [`CAPACITY`] messages that this process sent. Clones are the same ledger.
#[derive(Clone, Default)]
pub struct MemoryLedger {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    hasher: RandomState,
    state: Mutex<State>,
}

/// A keyed hash of a message's key. At 128 bits no two keys meet by chance, and since the hash's
/// own key is random none meet by design: a false "already sent" would lose a mail.
type KeyHash = u128;

struct State {
    capacity: usize,
    unknown_capacity: usize,
    sent: HashSet<KeyHash>,
    /// The same keys, the oldest first.
    sent_order: VecDeque<KeyHash>,
    /// Who waits behind each message that is being sent, in order.
    in_progress: HashMap<KeyHash, VecDeque<Waiter>>,
    unknown: HashMap<KeyHash, Unknown>,
    /// When each count of [`State::unknown`] changed last, the oldest first.
    unknown_order: BTreeMap<u64, KeyHash>,
    next_number: u64,
    hits: u64,
}

struct Waiter {
    number: u64,
    answer: oneshot::Sender<Answer>,
}

struct Unknown {
    attempts: u32,
    number: u64,
}

/// What a waiter is told. A turn is the guard itself, so that one told to nobody is passed on.
enum Answer {
    AlreadySent,
    YourTurn(Guard),
}

struct Guard {
    shared: Arc<Shared>,
    key: KeyHash,
    unknown_attempts: u32,
    /// Whether dropping it passes the turn on.
    armed: bool,
}

/// A place in the order behind a message being sent, given up when dropped.
struct Place<'a> {
    shared: &'a Shared,
    key: KeyHash,
    number: u64,
}

impl MemoryLedger {
    /// An empty ledger.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    #[cfg(test)]
    pub(super) fn with_capacities(capacity: usize, unknown_capacity: usize) -> Self {
        let ledger = Self::default();
        let mut state = ledger.shared.lock();
        state.capacity = capacity;
        state.unknown_capacity = unknown_capacity;
        drop(state);
        ledger
    }

    /// How many messages are being sent, how many wait behind them, and how many counts of
    /// unknown attempts are kept.
    #[cfg(test)]
    pub(super) fn traces(&self) -> (usize, usize, usize) {
        let state = self.shared.lock();
        assert_eq!(state.sent.len(), state.sent_order.len());
        assert_eq!(state.unknown.len(), state.unknown_order.len());
        let waiting = state.in_progress.values().map(VecDeque::len).sum();
        (state.in_progress.len(), waiting, state.unknown.len())
    }

    /// The bytes held by what grows with the number of sent messages, from the capacities that
    /// the collections report.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let state = self.shared.lock();
        // The table keeps an eighth free, and a byte of its own for each place.
        let places = state.sent.capacity() / 7 * 8;
        places * (size_of::<KeyHash>() + 1) + state.sent_order.capacity() * size_of::<KeyHash>()
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    fn len(&self) -> usize {
        self.shared.lock().sent.len()
    }

    fn hits(&self) -> u64 {
        self.shared.lock().hits
    }

    async fn begin(&self, key: &str) -> Claim {
        let key = self.shared.hash(key);
        let (place, answer) = {
            let mut state = self.shared.lock();
            if state.sent.contains(&key) {
                state.hits += 1;
                return Claim::AlreadySent;
            }
            let number = state.number();
            let Some(waiters) = state.in_progress.get_mut(&key) else {
                state.in_progress.insert(key, VecDeque::new());
                let unknown_attempts = state.unknown_attempts(key);
                drop(state);
                return Claim::Yours(Box::new(self.shared.guard(key, unknown_attempts)));
            };
            let (sender, receiver) = oneshot::channel();
            waiters.push_back(Waiter {
                number,
                answer: sender,
            });
            let place = Place {
                shared: &self.shared,
                key,
                number,
            };
            (place, receiver)
        };
        let answer = answer.await;
        drop(place);
        match answer {
            Ok(Answer::YourTurn(guard)) => Claim::Yours(Box::new(guard)),
            // A waiter's sender is dropped unused only by its own `Place`, which lives until here.
            Ok(Answer::AlreadySent) | Err(_) => {
                self.shared.lock().hits += 1;
                Claim::AlreadySent
            }
        }
    }

    async fn is_sent(&self, key: &str) -> bool {
        let key = self.shared.hash(key);
        self.shared.lock().sent.contains(&key)
    }
}

#[async_trait]
impl SendGuard for Guard {
    fn unknown_attempts(&self) -> u32 {
        self.unknown_attempts
    }

    async fn note_unknown(&mut self) {
        self.unknown_attempts = self.unknown_attempts.saturating_add(1);
        self.shared
            .lock()
            .set_unknown(self.key, self.unknown_attempts);
    }

    async fn sent(mut self: Box<Self>) {
        self.armed = false;
        let waiters = self.shared.lock().finish(self.key);
        for waiter in waiters {
            // A waiter that has gone needs no answer.
            drop(waiter.answer.send(Answer::AlreadySent));
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if mem::take(&mut self.armed) {
            self.shared.pass_on(self.key);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if let Some(waiters) = state.in_progress.get_mut(&self.key) {
            waiters.retain(|waiter| waiter.number != self.number);
        }
    }
}

impl Shared {
    fn hash(&self, key: &str) -> KeyHash {
        let half = |which: u8| u128::from(self.hasher.hash_one((which, key)));
        half(0) << 64 | half(1)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock, so that a poisoned state is a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn guard(self: &Arc<Self>, key: KeyHash, unknown_attempts: u32) -> Guard {
        Guard {
            shared: Arc::clone(self),
            key,
            unknown_attempts,
            armed: true,
        }
    }

    /// Gives the turn to the first who still waits, or forgets the message. Answers go out with
    /// the lock free, since one that cannot be taken drops its guard.
    fn pass_on(self: &Arc<Self>, key: KeyHash) {
        loop {
            let (waiter, unknown_attempts) = {
                let mut state = self.lock();
                let waiter = state
                    .in_progress
                    .get_mut(&key)
                    .and_then(VecDeque::pop_front);
                if waiter.is_none() {
                    state.in_progress.remove(&key);
                }
                (waiter, state.unknown_attempts(key))
            };
            let Some(waiter) = waiter else { return };
            let guard = self.guard(key, unknown_attempts);
            match waiter.answer.send(Answer::YourTurn(guard)) {
                Err(Answer::YourTurn(mut guard)) => guard.armed = false,
                _ => return,
            }
        }
    }
}

impl Default for State {
    fn default() -> Self {
        Self {
            capacity: CAPACITY,
            unknown_capacity: UNKNOWN_CAPACITY,
            sent: HashSet::new(),
            sent_order: VecDeque::new(),
            in_progress: HashMap::new(),
            unknown: HashMap::new(),
            unknown_order: BTreeMap::new(),
            next_number: 0,
            hits: 0,
        }
    }
}

impl State {
    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// Remembers the message as sent, and hands over who waited for it.
    fn finish(&mut self, key: KeyHash) -> VecDeque<Waiter> {
        if let Some(unknown) = self.unknown.remove(&key) {
            self.unknown_order.remove(&unknown.number);
        }
        if self.sent.insert(key) {
            self.sent_order.push_back(key);
        }
        while self.sent_order.len() > self.capacity {
            if let Some(oldest) = self.sent_order.pop_front() {
                self.sent.remove(&oldest);
            }
        }
        self.in_progress.remove(&key).unwrap_or_default()
    }

    fn unknown_attempts(&self, key: KeyHash) -> u32 {
        self.unknown.get(&key).map_or(0, |unknown| unknown.attempts)
    }

    fn set_unknown(&mut self, key: KeyHash, attempts: u32) {
        let number = self.number();
        let before = self.unknown.insert(key, Unknown { attempts, number });
        if let Some(before) = before {
            self.unknown_order.remove(&before.number);
        }
        self.unknown_order.insert(number, key);
        while self.unknown_order.len() > self.unknown_capacity {
            if let Some((_, oldest)) = self.unknown_order.pop_first() {
                self.unknown.remove(&oldest);
            }
        }
    }
}
