//! The ledger in this process's memory.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use hashbrown::HashTable;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::coop::unconstrained,
};

use super::{ClaimFailed, Claimed, Heard, Hits, KnownTo, Ledger, SendGuard};
use crate::mutex::Mutex;

/// How many sent messages are remembered. A key takes about 34 bytes, 6.7 MB for all of them: 16 in
/// the list of keys, 4 in that of the mail service's ids and 5 in the table that finds a key in the
/// list, each of which is three quarters full.
pub const CAPACITY: usize = 200_000;

/// How many second ids of mails that went out twice are remembered, so that each is told of once.
const SECOND_IDS_MAX: usize = 1000;

/// Remembers the last [`CAPACITY`] messages that this process sent. Clones are the same ledger; the
/// default is an empty one.
#[derive(Clone, Default)]
pub struct MemoryLedger {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    hasher: RandomState,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sent: Sent,
    /// The messages that are being sent.
    in_progress: HashMap<KeyHash, Copies>,
    second_ids: VecDeque<(KeyHash, IdHash)>,
    hits: u64,
}

/// A keyed hash of a message's key. 128 bits make a chance collision of two keys negligible, and
/// the random key of the hash prevents a deliberate one: a false "already sent" would lose a mail.
type KeyHash = u128;

/// A hash of the mail service's id of a mail. Where two are taken for one, a mail that went out twice
/// is not told of.
type IdHash = u32;

/// Remembers a second id of a mail. True where it is new.
fn is_new(second_ids: &mut VecDeque<(KeyHash, IdHash)>, id: (KeyHash, IdHash)) -> bool {
    if second_ids.contains(&id) {
        return false;
    }
    second_ids.truncate(SECOND_IDS_MAX - 1);
    second_ids.push_front(id);
    true
}

/// The copies of one message: one that is being sent and those that wait behind it.
struct Copies {
    count: usize,
    /// Its one permit is the turn to send. It goes round in the order of arrival, and passes by
    /// whoever has left. Sending the message closes it.
    turns: Arc<Semaphore>,
    /// The mail service's id of the mail, where an event told of it.
    email_id: Option<String>,
}

/// The place of one copy among the [`Copies`] of its message, given up when dropped.
struct Place {
    shared: Arc<Shared>,
    key: KeyHash,
}

/// The copy whose turn it is. Dropping it passes the turn on.
struct Guard {
    place: Place,
    turn: OwnedSemaphorePermit,
}

/// The messages that were sent last.
struct Sent {
    capacity: usize,
    /// Their keys. Once the list is full, the newest key overwrites the oldest.
    keys: Vec<KeyHash>,
    /// The mail service's ids of the mails, each in the slot of its key.
    ids: Vec<IdHash>,
    /// The slot in `keys` that is overwritten next.
    oldest: usize,
    /// The slot in `keys` of each key, found by the key.
    slots: HashTable<u32>,
}

impl MemoryLedger {
    /// Remembers a second id of a mail, which this process need not know otherwise. True where it is new.
    pub(super) fn is_new_second(&self, key: &str, email_id: &str) -> bool {
        let id = (self.shared.hash(key), self.shared.hash_id(email_id));
        is_new(&mut self.shared.state.lock().second_ids, id)
    }

    #[cfg(test)]
    pub(super) fn with_capacity(capacity: usize) -> Self {
        let ledger = Self::default();
        ledger.shared.state.lock().sent.capacity = capacity;
        ledger
    }

    /// How many messages are being sent, and how many copies wait behind them.
    #[cfg(test)]
    pub(super) fn traces(&self) -> (usize, usize) {
        let state = self.shared.state.lock();
        assert_eq!(state.sent.slots.len(), state.sent.keys.len());
        let copies: usize = state.in_progress.values().map(|copies| copies.count).sum();
        (state.in_progress.len(), copies - state.in_progress.len())
    }

    /// The bytes held by what grows with the number of sent messages, from the capacities that
    /// the collections report.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        let state = self.shared.state.lock();
        state.sent.slots.allocation_size()
            + state.sent.keys.capacity() * size_of::<KeyHash>()
            + state.sent.ids.capacity() * size_of::<IdHash>()
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    fn size(&self) -> usize {
        self.shared.state.lock().sent.keys.len()
    }

    fn hits(&self) -> Hits {
        Hits {
            memory: self.shared.state.lock().hits,
            table: 0,
        }
    }

    fn without_table(&self) -> Option<Duration> {
        None
    }

    async fn begin(&self, key: &str) -> Option<Box<dyn SendGuard>> {
        let key = self.shared.hash(key);
        let (place, turns) = {
            let mut state = self.shared.state.lock();
            if state.sent.slot(key).is_some() {
                state.hits += 1;
                return None;
            }
            let copies = state.in_progress.entry(key).or_insert_with(|| Copies {
                count: 0,
                turns: Arc::new(Semaphore::new(1)),
                email_id: None,
            });
            copies.count += 1;
            let place = Place {
                shared: Arc::clone(&self.shared),
                key,
            };
            (place, Arc::clone(&copies.turns))
        };
        // Unconstrained, since a pause that tokio puts in before the copy has its place in the line
        // would let a later copy pass it.
        let Ok(turn) = unconstrained(turns.acquire_owned()).await else {
            self.shared.state.lock().hits += 1;
            return None;
        };
        Some(Box::new(Guard { place, turn }))
    }

    async fn hear(&self, key: &str, email_id: &str) -> Heard {
        let key = self.shared.hash(key);
        let id = self.shared.hash_id(email_id);
        let mut state = self.shared.state.lock();
        let State {
            sent,
            in_progress,
            second_ids,
            ..
        } = &mut *state;
        let first = sent.remember(key, id);
        let is_held = if let Some(copies) = in_progress.get_mut(&key) {
            copies.email_id.get_or_insert_with(|| email_id.to_owned());
            copies.turns.close();
            true
        } else {
            false
        };
        let sent_twice = first != id && is_new(second_ids, (key, id));
        Heard {
            sent_twice,
            known: if is_held {
                KnownTo::Holder
            } else {
                KnownTo::All
            },
        }
    }

    async fn hear_sibling(&self, _queue: &str, _key: &str, _email_id: &str) -> Option<Heard> {
        None
    }

    fn claim_takes(&self) -> Duration {
        Duration::ZERO
    }

    async fn is_sent(&self, key: &str) -> bool {
        let key = self.shared.hash(key);
        self.shared.state.lock().sent.slot(key).is_some()
    }
}

#[async_trait]
impl SendGuard for Guard {
    /// Nobody else is known here.
    async fn claim(&self, _failed: ClaimFailed<'_>) -> Claimed {
        Claimed::Ours
    }

    fn hurry_claim(&self) {}

    async fn wait_for_other(&self) {}

    fn begin_send(&self) -> bool {
        true
    }

    fn not_sent(&self) {}

    async fn recorded(&self) {}

    async fn sent(&self, email_id: &str) {
        let Place { shared, key } = &self.place;
        let id = shared.hash_id(email_id);
        // Where an event named another id, the events of this one will tell.
        shared.state.lock().sent.remember(*key, id);
        // After the key is known as sent, so that the waiters learn it.
        self.turn.semaphore().close();
    }

    fn heard(&self) -> Option<String> {
        // The mail that was accepted closes it too, and then nobody asks.
        if !self.turn.semaphore().is_closed() {
            return None;
        }
        let state = self.place.shared.state.lock();
        let copies = state.in_progress.get(&self.place.key)?;
        copies.email_id.clone()
    }

    async fn look(&self) -> Option<String> {
        self.heard()
    }

    async fn hear(&self) -> String {
        // Its one permit is this copy's, so this ends when it is closed.
        drop(self.turn.semaphore().acquire().await);
        match self.heard() {
            Some(email_id) => email_id,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        if let Some(copies) = state.in_progress.get_mut(&self.key) {
            copies.count -= 1;
            if copies.count == 0 {
                state.in_progress.remove(&self.key);
            }
        }
    }
}

impl Shared {
    fn hash(&self, key: &str) -> KeyHash {
        let half = |which: u8| u128::from(self.hasher.hash_one((which, key)));
        half(0) << 64 | half(1)
    }

    #[expect(clippy::cast_possible_truncation, reason = "half of a hash is a hash")]
    fn hash_id(&self, email_id: &str) -> IdHash {
        self.hasher.hash_one(email_id) as IdHash
    }
}

impl Default for Sent {
    fn default() -> Self {
        Self {
            capacity: CAPACITY,
            keys: Vec::new(),
            ids: Vec::new(),
            oldest: 0,
            slots: HashTable::new(),
        }
    }
}

impl Sent {
    fn slot(&self, key: KeyHash) -> Option<usize> {
        let is_it = |slot: &u32| self.keys[*slot as usize] == key;
        let slot = self.slots.find(table_hash(key), is_it)?;
        Some(*slot as usize)
    }

    /// Remembers a key with the id of its mail, and returns the id that was known first.
    fn remember(&mut self, key: KeyHash, id: IdHash) -> IdHash {
        if let Some(slot) = self.slot(key) {
            return self.ids[slot];
        }
        if self.keys.len() < self.capacity {
            self.keys.push(key);
            self.ids.push(id);
            self.list(self.keys.len() - 1);
            return id;
        }
        let slot = self.oldest;
        self.oldest = (slot + 1) % self.keys.len();
        self.unlist(slot);
        self.keys[slot] = key;
        self.ids[slot] = id;
        // A removal can leave a mark that takes up room like an entry. Once marks fill the table,
        // it would grow although it holds no more than before, so it is filled again.
        if self.slots.len() == self.slots.capacity() {
            self.slots.clear();
            (0..self.keys.len()).for_each(|slot| self.list(slot));
        } else {
            self.list(slot);
        }
        id
    }

    /// Puts the slot of a key into the table.
    fn list(&mut self, slot: usize) {
        let keys = &self.keys;
        let hash_of = |slot: &u32| table_hash(keys[*slot as usize]);
        let slot = narrow(slot);
        self.slots.insert_unique(hash_of(&slot), slot, hash_of);
    }

    /// Takes the slot of a key out of the table.
    fn unlist(&mut self, slot: usize) {
        let is_it = |listed: &u32| *listed == narrow(slot);
        let hash = table_hash(self.keys[slot]);
        if let Ok(entry) = self.slots.find_entry(hash, is_it) {
            entry.remove();
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "at most CAPACITY")]
fn narrow(slot: usize) -> u32 {
    slot as u32
}

/// What the table finds a key by: a key is a hash already.
#[expect(clippy::cast_possible_truncation, reason = "half of a hash is a hash")]
fn table_hash(key: KeyHash) -> u64 {
    key as u64
}
