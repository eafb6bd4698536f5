//! One queue: a model without input or output, whose caller tells it the time.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::super::history::History;
use super::super::http::ServiceError;
use super::attributes::Attributes;
use super::errors::{error, invalid_handle, invalid_value};
use super::handle::Receipt;
use super::message::Message;
use super::operations::name_in;

/// How many received messages a queue holds at most.
pub(super) const MOST_IN_FLIGHT: usize = 120_000;
const LONGEST_VISIBILITY_SECONDS: u64 = 43_200;

/// All times are milliseconds since the epoch. [`Queue::advance`] comes before every use.
#[derive(Debug)]
pub(super) struct Queue {
    pub arn: String,
    pub attributes: Attributes,
    pub tags: BTreeMap<String, String>,
    pub created_at: u64,
    pub modified_at: u64,
    pub purged_at: Option<u64>,
    /// Wakes long polls when something may have become visible.
    pub changed: Arc<Notify>,
    /// Told apart in receipt handles, so that another queue's are refused.
    identity: u64,
    entries: BTreeMap<u64, Entry>,
    /// (visible since, key): the order of receiving.
    visible: BTreeSet<(u64, u64)>,
    /// What draws the next message, where the order of receiving is random.
    shuffled: Option<StdRng>,
    /// (until, key) of delayed and in-flight messages.
    timed: BTreeSet<(u64, u64)>,
    /// (sent, key): the order of expiry.
    by_age: BTreeSet<(u64, u64)>,
    in_flight: usize,
    next_key: u64,
    next_serial: u64,
    history: Arc<History>,
}

#[derive(Debug)]
struct Entry {
    message: Message,
    state: State,
    last_receive: Option<u64>,
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Visible { since: u64 },
    Delayed { until: u64 },
    InFlight { received_at: u64, until: u64 },
}

/// What one attempt to receive brought.
#[derive(Debug, Default)]
pub(super) struct Received {
    /// Each message as it stands after the receive, with its receipt handle.
    pub messages: Vec<(Message, String)>,
    /// Messages whose receives were used up: the caller moves them.
    pub dead: Vec<Message>,
}

impl Queue {
    pub(super) fn new(
        arn: String,
        attributes: Attributes,
        identity: u64,
        history: Arc<History>,
        now: u64,
    ) -> Self {
        Self {
            arn,
            attributes,
            tags: BTreeMap::new(),
            created_at: now,
            modified_at: now,
            purged_at: None,
            changed: Arc::default(),
            identity,
            entries: BTreeMap::new(),
            visible: BTreeSet::new(),
            shuffled: None,
            timed: BTreeSet::new(),
            by_age: BTreeSet::new(),
            in_flight: 0,
            next_key: 0,
            next_serial: 0,
            history,
        }
    }

    /// Writes a record of this queue down, with the fields that `fill` sets.
    pub(super) fn tell(&self, kind: &str, fill: impl FnOnce(&mut Value)) {
        self.history.note(kind, || {
            let mut record = json!({ "queue": name_in(&self.arn) });
            fill(&mut record);
            record
        });
    }

    /// Writes the queue's attributes down.
    pub(super) fn tell_attributes(&self) {
        self.tell("queue", |record| {
            record["attributes"] = self.attributes.iter().collect();
        });
    }

    /// The same as [`Queue::tell`], of one message.
    fn tell_of(&self, kind: &str, key: u64, fields: impl FnOnce() -> Value) {
        self.tell(kind, |record| {
            record["key"] = json!(key);
            if let (Value::Object(record), Value::Object(fields)) = (record, fields()) {
                record.extend(fields);
            }
        });
    }

    /// Makes visible what has waited long enough and drops what is older than the retention.
    pub(super) fn advance(&mut self, now: u64) {
        while let Some(&(until, key)) = self.timed.first()
            && until <= now
        {
            self.tell_of("visible", key, || {
                let state = self.entries.get(&key).map(|entry| entry.state);
                let was = match state {
                    Some(State::InFlight { .. }) => "in_flight",
                    _ => "delayed",
                };
                json!({ "at": until, "was": was })
            });
            self.place(key, State::Visible { since: until });
        }
        let retention = self.attributes.retention_millis();
        while let Some(&(sent_at, key)) = self.by_age.first()
            && sent_at + retention <= now
        {
            if let Some(message) = self.remove(key) {
                self.tell_of(
                    "expired",
                    key,
                    || json!({ "message": message.id.to_string() }),
                );
            }
        }
    }

    /// When the next delayed or in-flight message becomes visible by itself.
    pub(super) fn next_change(&self) -> Option<u64> {
        self.timed.first().map(|(until, _)| *until)
    }

    /// `how` it came stands in the history.
    pub(super) fn add(&mut self, message: Message, how: &str, delay_millis: u64, now: u64) {
        let key = self.next_key;
        self.next_key += 1;
        self.tell_of("arrived", key, || {
            json!({
                "message": message.id.to_string(),
                "how": how,
                "visible_at": now + delay_millis,
                "sent_at": message.sent_at,
                "body": message.content.body,
            })
        });
        self.by_age.insert((message.sent_at, key));
        let state = if delay_millis == 0 {
            State::Visible { since: now }
        } else {
            State::Delayed {
                until: now + delay_millis,
            }
        };
        self.index(key, state);
        let entry = Entry {
            message,
            state,
            last_receive: None,
        };
        self.entries.insert(key, entry);
        self.changed.notify_waiters();
    }

    /// Takes up to `most` visible messages. With `most_receives`, messages that would exceed it
    /// leave the queue instead.
    pub(super) fn receive(
        &mut self,
        most: usize,
        visibility_millis: u64,
        most_receives: Option<u32>,
        now: u64,
    ) -> Received {
        let mut received = Received::default();
        let mut keys = Vec::new();
        while keys.len() < most
            && self.in_flight < MOST_IN_FLIGHT
            && let Some(key) = self.next_visible()
        {
            let serial = self.next_serial;
            let Some(entry) = self.entries.get_mut(&key) else {
                break;
            };
            if most_receives.is_some_and(|most| entry.message.receive_count >= most) {
                if let Some(message) = self.remove(key) {
                    self.tell_of("dead", key, || {
                        json!({ "message": message.id.to_string(), "count": message.receive_count })
                    });
                    received.dead.push(message);
                }
                continue;
            }
            self.next_serial += 1;
            entry.last_receive = Some(serial);
            entry.message.receive_count += 1;
            entry.message.first_received_at.get_or_insert(now);
            let handle = Receipt { key, serial }.encode(self.identity);
            self.history.note("received", || {
                json!({
                    "queue": name_in(&self.arn),
                    "key": key,
                    "message": entry.message.id.to_string(),
                    "handle": handle,
                    "count": entry.message.receive_count,
                    "until": now + visibility_millis,
                })
            });
            received.messages.push((entry.message.clone(), handle));
            keys.push(key);
            let until = now + visibility_millis;
            self.place(
                key,
                State::InFlight {
                    received_at: now,
                    until,
                },
            );
        }
        if visibility_millis == 0 {
            // Only now, so that one call does not take the same message twice.
            for key in keys {
                self.place(key, State::Visible { since: now });
            }
        }
        received
    }

    fn next_visible(&mut self) -> Option<u64> {
        let place = match &mut self.shuffled {
            Some(random) if !self.visible.is_empty() => random.random_range(0..self.visible.len()),
            _ => 0,
        };
        self.visible.iter().nth(place).map(|(_, key)| *key)
    }

    /// Draws from now on what is received next.
    pub(super) fn shuffle(&mut self, seed: u64) {
        self.shuffled = Some(StdRng::seed_from_u64(seed));
    }

    /// Deletes by the handle of the latest receive, whether or not its visibility has run out.
    /// A superseded handle and that of a deleted message succeed and do nothing.
    pub(super) fn delete(&mut self, handle: &str) -> Result<(), ServiceError> {
        let receipt = self.receipt(handle)?;
        if self
            .entries
            .get(&receipt.key)
            .is_some_and(|entry| entry.last_receive == Some(receipt.serial))
        {
            self.remove(receipt.key);
            self.tell_deleted(receipt.key, handle, true);
        } else {
            self.tell_deleted(receipt.key, handle, false);
        }
        Ok(())
    }

    fn tell_deleted(&self, key: u64, handle: &str, gone: bool) {
        self.tell_of("deleted", key, || json!({ "handle": handle, "gone": gone }));
    }

    pub(super) fn change_visibility(
        &mut self,
        handle: &str,
        seconds: u64,
        now: u64,
    ) -> Result<(), ServiceError> {
        let receipt = self.receipt(handle)?;
        let Some(entry) = self
            .entries
            .get(&receipt.key)
            .filter(|entry| entry.last_receive == Some(receipt.serial))
        else {
            return Err(invalid_value(
                handle,
                "ReceiptHandle",
                "Message does not exist or is not available for visibility timeout change.",
            ));
        };
        let State::InFlight { received_at, .. } = entry.state else {
            return Err(error(
                "MessageNotInflight",
                "The specified message isn't in flight.",
            ));
        };
        if (now - received_at) / 1000 + seconds > LONGEST_VISIBILITY_SECONDS {
            return Err(invalid_value(
                seconds,
                "VisibilityTimeout",
                "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
            ));
        }
        let state = if seconds == 0 {
            State::Visible { since: now }
        } else {
            State::InFlight {
                received_at,
                until: now + seconds * 1000,
            }
        };
        self.place(receipt.key, state);
        self.tell_of("visibility", receipt.key, || {
            let until = now + seconds * 1000;
            json!({ "handle": handle, "seconds": seconds, "until": until })
        });
        // A shorter time is earlier than what the long polls sleep towards.
        self.changed.notify_waiters();
        Ok(())
    }

    pub(super) fn purge(&mut self) {
        self.tell("purged", |_| {});
        self.entries.clear();
        self.visible.clear();
        self.timed.clear();
        self.by_age.clear();
        self.in_flight = 0;
    }

    /// How many messages were received so far, each as often as it was.
    pub(super) fn handed_out(&self) -> u64 {
        self.next_serial
    }

    pub(super) fn visible_count(&self) -> usize {
        self.visible.len()
    }

    pub(super) fn in_flight_count(&self) -> usize {
        self.in_flight
    }

    pub(super) fn delayed_count(&self) -> usize {
        self.timed.len() - self.in_flight
    }

    /// Every message with its state, in the order of arrival.
    pub(super) fn messages(&self) -> impl Iterator<Item = (&Message, State)> {
        self.entries
            .values()
            .map(|entry| (&entry.message, entry.state))
    }

    pub(super) fn key_of(&self, handle: &str) -> Option<u64> {
        self.receipt(handle).ok().map(|receipt| receipt.key)
    }

    fn receipt(&self, handle: &str) -> Result<Receipt, ServiceError> {
        Receipt::decode(handle, self.identity).ok_or_else(|| invalid_handle(handle))
    }

    fn place(&mut self, key: u64, state: State) {
        if let Some(entry) = self.entries.get_mut(&key) {
            let before = mem::replace(&mut entry.state, state);
            self.unindex(key, before);
            self.index(key, state);
        }
    }

    fn remove(&mut self, key: u64) -> Option<Message> {
        let entry = self.entries.remove(&key)?;
        self.by_age.remove(&(entry.message.sent_at, key));
        self.unindex(key, entry.state);
        if self.in_flight + 1 == MOST_IN_FLIGHT {
            self.changed.notify_waiters();
        }
        Some(entry.message)
    }

    fn index(&mut self, key: u64, state: State) {
        match state {
            State::Visible { since } => {
                self.visible.insert((since, key));
            }
            State::Delayed { until } => {
                self.timed.insert((until, key));
            }
            State::InFlight { until, .. } => {
                self.timed.insert((until, key));
                self.in_flight += 1;
            }
        }
    }

    fn unindex(&mut self, key: u64, state: State) {
        match state {
            State::Visible { since } => {
                self.visible.remove(&(since, key));
            }
            State::Delayed { until } => {
                self.timed.remove(&(until, key));
            }
            State::InFlight { until, .. } => {
                self.timed.remove(&(until, key));
                self.in_flight -= 1;
            }
        }
    }
}
