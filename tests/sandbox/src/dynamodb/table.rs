//! A table: its key, its items, and what it says of itself.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

use super::super::http::ServiceError;
use super::capacity::Consumed;
use super::errors::invalid;
use super::number::Number;
use super::ttl::Ttl;
use super::value::{Attribute, Item, item_size};

/// Bytes of one item.
const MOST_ITEM_BYTES: usize = 400 * 1024;
/// Bytes of a partition key's value.
const MOST_KEY_BYTES: usize = 2048;
/// AWS leaves what ended longer ago than this alone.
const OLDEST_SWEPT_SECONDS: u64 = 5 * 365 * 24 * 3600;

/// A key's value in its only form, for finding its item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(Vec<u8>);

/// The partition key of a table.
#[derive(Debug)]
pub(super) struct Schema {
    pub(super) attribute: String,
    /// `S`, `N` or `B`.
    pub(super) kind: String,
}

/// A table and all that is in it.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) schema: Schema,
    /// What `DescribeTable` says that never changes.
    pub(super) description: Value,
    pub(super) tags: Vec<Value>,
    pub(super) deletion_protected: bool,
    pub(super) ttl: Ttl,
    pub(super) consumed: Consumed,
    items: BTreeMap<Key, Item>,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl Table {
    pub(super) fn new(
        schema: Schema,
        description: Value,
        tags: Vec<Value>,
        deletion_protected: bool,
    ) -> Self {
        Self {
            schema,
            description,
            tags,
            deletion_protected,
            ttl: Ttl::default(),
            consumed: Consumed::default(),
            items: BTreeMap::new(),
        }
    }

    pub(super) fn get(&self, key: &Key) -> Option<&Item> {
        self.items.get(key)
    }

    /// Puts an item in the place of the one with the same key, which it gives.
    pub(super) fn put(&mut self, key: Key, item: Item) -> Option<Item> {
        self.items.insert(key, item)
    }

    pub(super) fn delete(&mut self, key: &Key) -> Option<Item> {
        self.items.remove(key)
    }

    pub(super) fn items(&self) -> impl Iterator<Item = (&Key, &Item)> {
        self.items.iter()
    }

    /// What `DescribeTable` says.
    pub(super) fn describe(&self, status: &str) -> Value {
        let bytes: usize = self.items.values().map(item_size).sum();
        let mut description = self.description.clone();
        description["TableStatus"] = json!(status);
        description["ItemCount"] = json!(self.items.len());
        description["TableSizeBytes"] = json!(bytes);
        description
    }

    /// Removes what ended before this second; gives how many.
    pub(super) fn sweep(&mut self, now_seconds: u64) -> usize {
        let Some(attribute) = self.ttl.attribute() else {
            return 0;
        };
        let now = Number::from(now_seconds);
        let oldest = Number::from(now_seconds.saturating_sub(OLDEST_SWEPT_SECONDS));
        let before = self.items.len();
        self.items.retain(|_, item| match item.get(attribute) {
            Some(Attribute::N(end)) => *end >= now || *end < oldest,
            _ => true,
        });
        before - self.items.len()
    }
}

impl Schema {
    /// The key of an item that is to be written, which must be in order.
    pub(super) fn key_of(&self, item: &Item) -> Result<Key, ServiceError> {
        let name = &self.attribute;
        let value = item.get(name).ok_or_else(|| {
            invalid(format!(
                "One or more parameter values were invalid: Missing the key {name} in the item"
            ))
        })?;
        if value.kind() != self.kind {
            return Err(invalid(format!(
                "One or more parameter values were invalid: Type mismatch for key {name} expected: {} actual: {}",
                self.kind,
                value.kind()
            )));
        }
        if item_size(item) > MOST_ITEM_BYTES {
            return Err(invalid("Item size has exceeded the maximum allowed size"));
        }
        self.sound(value)
    }

    /// The key that a request names: the key attribute alone.
    pub(super) fn key(&self, named: &Item) -> Result<Key, ServiceError> {
        match named.get(&self.attribute) {
            Some(value) if named.len() == 1 && value.kind() == self.kind => self.sound(value),
            _ => Err(invalid(
                "The provided key element does not match the schema",
            )),
        }
    }

    fn sound(&self, value: &Attribute) -> Result<Key, ServiceError> {
        let (bytes, what) = match value {
            Attribute::S(text) => (text.clone().into_bytes(), "string"),
            Attribute::B(bytes) => (bytes.clone(), "binary"),
            Attribute::N(number) => (number.to_string().into_bytes(), "number"),
            _ => {
                return Err(invalid(
                    "The provided key element does not match the schema",
                ));
            }
        };
        if bytes.is_empty() {
            return Err(invalid(format!(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty {what} value. Key: {}",
                self.attribute
            )));
        }
        if bytes.len() > MOST_KEY_BYTES {
            // The missing space is AWS's.
            return Err(invalid(
                "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes",
            ));
        }
        Ok(Key(bytes))
    }
}
