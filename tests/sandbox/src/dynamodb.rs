//! `DynamoDB`: tables with a partition key alone, items, conditions and time to live, all in memory.
//!
//! What takes AWS seconds, such as creating a table, or an hour, such as switching time to live on, is done at
//! once. Items past their time stay until [`DynamoDb::sweep`], as they do for days in AWS.

mod batch;
mod capacity;
mod errors;
mod expression;
mod items;
mod number;
mod request;
mod scan;
mod table;
mod tables;
mod ttl;
mod value;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Value, json};

use self::capacity::Consumed;
use self::errors::{no_such_resource, refuse};
use self::table::{Key, Table};
use self::value::item_json;
use super::clock::Clock;
use super::faults::Faults;
use super::history::History;
use super::http::ServiceError;
use super::lock;

pub use self::errors::Refusal;

/// A local `DynamoDB` account; tables are told apart by name alone, whatever the region.
pub struct DynamoDb {
    clock: Arc<Clock>,
    faults: Arc<Faults>,
    tables: Mutex<BTreeMap<String, Table>>,
    /// How far its clock is ahead of the others', in milliseconds.
    ahead_millis: AtomicI64,
    history: OnceLock<Arc<History>>,
}

impl DynamoDb {
    /// No tables yet.
    pub fn new(clock: Arc<Clock>, faults: Arc<Faults>) -> Self {
        Self {
            clock,
            faults,
            tables: Mutex::default(),
            ahead_millis: AtomicI64::new(0),
            history: OnceLock::new(),
        }
    }

    /// Writes down from now on what is written and deleted.
    pub fn record(&self, history: Arc<History>) {
        self.history.get_or_init(|| history);
    }

    /// Writes a record of this table down.
    fn tell(&self, kind: &str, table: &str, fields: impl FnOnce() -> Value) {
        if let Some(history) = self.history.get() {
            history.note(kind, || {
                let mut record = fields();
                record["table"] = json!(table);
                record
            });
        }
    }

    /// Writes down what became of the item under this key: what is there now, or nothing.
    fn tell_item(&self, name: &str, table: &Table, key: &Key) {
        self.tell(
            "item",
            name,
            || json!({ "key": key.to_string(), "item": table.get(key).map(item_json) }),
        );
    }

    /// Answers one operation of the JSON protocol as for a caller in us-east-1.
    pub fn call(&self, operation: &str, request: Value) -> Result<Value, Refusal> {
        self.call_from("us-east-1", operation, request)
    }

    /// Answers one operation of the JSON protocol; new tables belong to the caller's region.
    pub fn call_from(
        &self,
        region: &str,
        operation: &str,
        request: Value,
    ) -> Result<Value, Refusal> {
        let answer = match operation {
            // Only these have more to say than an error's text.
            "PutItem" => return self.put_item(request),
            "DeleteItem" => return self.delete_item(request),
            "GetItem" => self.get_item(request),
            "BatchGetItem" => self.batch_get_item(request),
            "BatchWriteItem" => self.batch_write_item(request),
            "Scan" => self.scan(request),
            "CreateTable" => self.create_table(region, request),
            "DescribeTable" => self.describe_table(request),
            "DeleteTable" => self.delete_table(request),
            "ListTables" => self.list_tables(request),
            "ListTagsOfResource" => self.list_tags(request),
            "UpdateTimeToLive" => self.update_time_to_live(request),
            "DescribeTimeToLive" => self.describe_time_to_live(request),
            unknown => Err(refuse(
                "UnknownOperationException",
                format!("The local DynamoDB does not know {unknown}."),
            )),
        };
        answer.map_err(Refusal::from)
    }

    /// Every item of a table as on the wire, in the order of their keys; nothing where there is no such table.
    pub fn items(&self, table: &str) -> Vec<Value> {
        let tables = lock(&self.tables);
        let items = tables.get(table).into_iter().flat_map(Table::items);
        items.map(|(_, item)| item_json(item)).collect()
    }

    /// The read and write units that calls have cost so far, failed conditions included; nothing where there is
    /// no such table.
    pub fn consumed(&self, table: &str) -> Option<Consumed> {
        lock(&self.tables).get(table).map(|table| table.consumed)
    }

    /// Removes the items of all tables that are past their time, as AWS does within days; gives how many.
    pub fn sweep(&self) -> usize {
        let now = self.now_millis() / 1000;
        let mut tables = lock(&self.tables);
        let swept = tables.iter_mut().map(|(name, table)| {
            let count = table.sweep(now);
            self.tell("swept", name, || json!({ "count": count }));
            count
        });
        swept.sum()
    }

    /// Sets the clock of this service ahead of the others', or behind them by a negative number: its `Date`
    /// headers, the times it tells, and what it sweeps.
    pub fn set_clock_ahead(&self, millis: i64) {
        self.ahead_millis.store(millis, Ordering::Relaxed);
    }

    /// How far its clock is ahead, in milliseconds.
    pub fn clock_ahead(&self) -> i64 {
        self.ahead_millis.load(Ordering::Relaxed)
    }

    /// Milliseconds since the epoch, by this service's clock.
    pub fn now_millis(&self) -> u64 {
        self.clock
            .now_millis()
            .saturating_add_signed(self.clock_ahead())
    }

    /// The tables with all that is in them, for people to look at.
    pub fn json(&self) -> Value {
        let tables = lock(&self.tables);
        let tables: BTreeMap<_, _> = tables
            .iter()
            .map(|(name, table)| {
                let items: Vec<_> = table.items().map(|(_, item)| item_json(item)).collect();
                let shown = json!({
                    "ttl_attribute": table.ttl.attribute(),
                    "consumed": table.consumed,
                    "items": items,
                });
                (name, shown)
            })
            .collect();
        json!({ "clock_ahead_ms": self.clock_ahead(), "tables": tables })
    }

    /// Deletes every table and sets the clock right.
    pub fn reset(&self) {
        lock(&self.tables).clear();
        self.set_clock_ahead(0);
    }

    /// Runs `work` on the table that a request on items names.
    fn with_table<T>(
        &self,
        name: &str,
        work: impl FnOnce(&mut Table) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let mut tables = lock(&self.tables);
        work(tables.get_mut(name).ok_or_else(no_such_resource)?)
    }
}
