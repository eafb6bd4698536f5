//! The ledger in this process's memory.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use hashbrown::HashTable;
use tokio::sync::oneshot;

use super::{Claim, Ledger, SendGuard};

/// How many sent messages are remembered. A key takes about 28 bytes, 5.5 MB for all of them: 16 in
/// a queue that says which is the oldest, and 5 in a table of places in it, each of which is three
/// quarters full.
pub const CAPACITY: usize = 200_000;

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

/// What was sent last.
#[derive(Default)]
struct Sent {
    /// The keys, the oldest first, numbered on and on.
    order: VecDeque<KeyHash>,
    /// The number of the oldest.
    first: u32,
    /// The number of each key, found by the key.
    numbers: HashTable<u32>,
}

/// A keyed hash of a message's key. At 128 bits no two keys meet by chance, and since the hash's
/// own key is random none meet by design: a false "already sent" would lose a mail.
type KeyHash = u128;

struct State {
    capacity: usize,
    sent: Sent,
    /// Who waits behind each message that is being sent, in order.
    in_progress: HashMap<KeyHash, VecDeque<Waiter>>,
    next_number: u64,
    hits: u64,
}

struct Waiter {
    number: u64,
    answer: oneshot::Sender<Answer>,
}

/// What a waiter is told. A turn is the guard itself, so that one told to nobody is passed on.
enum Answer {
    AlreadySent,
    YourTurn(Guard),
}

struct Guard {
    shared: Arc<Shared>,
    key: KeyHash,
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
    pub(super) fn with_capacity(capacity: usize) -> Self {
        let ledger = Self::default();
        let mut state = ledger.shared.lock();
        state.capacity = capacity;
        // Soon at its end, where it begins anew.
        state.sent.first = u32::MAX - 1500;
        drop(state);
        ledger
    }

    /// How many messages are being sent, and how many wait behind them.
    #[cfg(test)]
    pub(super) fn traces(&self) -> (usize, usize) {
        let state = self.shared.lock();
        assert_eq!(state.sent.numbers.len(), state.sent.order.len());
        let waiting = state.in_progress.values().map(VecDeque::len).sum();
        (state.in_progress.len(), waiting)
    }

    /// The bytes held by what grows with the number of sent messages, from the capacities that
    /// the collections report.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let state = self.shared.lock();
        state.sent.numbers.allocation_size() + state.sent.order.capacity() * size_of::<KeyHash>()
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    fn len(&self) -> usize {
        self.shared.lock().sent.order.len()
    }

    fn hits(&self) -> u64 {
        self.shared.lock().hits
    }

    async fn begin(&self, key: &str) -> Claim {
        let key = self.shared.hash(key);
        let (place, answer) = {
            let mut state = self.shared.lock();
            if state.sent.contains(key) {
                state.hits += 1;
                return Claim::AlreadySent;
            }
            let number = state.number();
            let Some(waiters) = state.in_progress.get_mut(&key) else {
                state.in_progress.insert(key, VecDeque::new());
                drop(state);
                return Claim::Yours(Box::new(self.shared.guard(key)));
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
        self.shared.lock().sent.contains(key)
    }
}

#[async_trait]
impl SendGuard for Guard {
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

    fn guard(self: &Arc<Self>, key: KeyHash) -> Guard {
        Guard {
            shared: Arc::clone(self),
            key,
            armed: true,
        }
    }

    /// Gives the turn to the first who still waits, or forgets the message. Answers go out with
    /// the lock free, since one that cannot be taken drops its guard.
    fn pass_on(self: &Arc<Self>, key: KeyHash) {
        loop {
            let waiter = {
                let mut state = self.lock();
                let waiter = state
                    .in_progress
                    .get_mut(&key)
                    .and_then(VecDeque::pop_front);
                if waiter.is_none() {
                    state.in_progress.remove(&key);
                }
                waiter
            };
            let Some(waiter) = waiter else { return };
            let guard = self.guard(key);
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
            sent: Sent::default(),
            in_progress: HashMap::new(),
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
        if !self.sent.contains(key) {
            if self.sent.order.len() >= self.capacity {
                self.sent.forget_oldest();
            }
            self.sent.remember(key);
        }
        self.in_progress.remove(&key).unwrap_or_default()
    }
}

impl Sent {
    fn contains(&self, key: KeyHash) -> bool {
        let is_it = |number: &u32| self.key(*number) == key;
        self.numbers.find(place(key), is_it).is_some()
    }

    fn remember(&mut self, key: KeyHash) {
        // What is forgotten leaves marks in the table, which would double once they have filled it:
        // an eighth of it stays free.
        let room = self.numbers.num_buckets() / 8 * 7;
        if self.numbers.len() == self.numbers.capacity() && self.numbers.len() < room {
            self.numbers.clear();
            for index in 0..self.order.len() {
                self.number(index);
            }
        }
        self.order.push_back(key);
        self.number(self.order.len() - 1);
    }

    fn forget_oldest(&mut self) {
        let Some(&oldest) = self.order.front() else {
            return;
        };
        let first = self.first;
        let is_it = |number: &u32| *number == first;
        if let Ok(entry) = self.numbers.find_entry(place(oldest), is_it) {
            entry.remove();
        }
        self.order.pop_front();
        self.first = first.wrapping_add(1);
    }

    /// Puts the number of the key at this place in the order into the table.
    fn number(&mut self, index: usize) {
        let Self {
            order,
            first,
            numbers,
        } = self;
        let place_of = |number: &u32| place(order[index_of(*number, *first)]);
        let number = u32::try_from(index).map_or(*first, |index| first.wrapping_add(index));
        numbers.insert_unique(place_of(&number), number, place_of);
    }

    fn key(&self, number: u32) -> KeyHash {
        self.order[index_of(number, self.first)]
    }
}

/// Where in the order the key with this number stands.
fn index_of(number: u32, first: u32) -> usize {
    number.wrapping_sub(first) as usize
}

/// Where in the table a key is looked for: a key is a hash already.
#[expect(clippy::cast_possible_truncation, reason = "half of a hash is a hash")]
fn place(key: KeyHash) -> u64 {
    key as u64
}
