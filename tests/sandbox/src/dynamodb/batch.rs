//! Several items at once: what a batch may hold, and what comes back unprocessed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::http::ServiceError;
use super::super::lock;
use super::DynamoDb;
use super::capacity::{Report, read_units, write_units};
use super::errors::{constraint, invalid, no_such_resource, throughput_exceeded};
use super::expression::{Projection, projection};
use super::request::{Attributes, check_name, named, one_of, read, required};
use super::table::{Key, Table};
use super::value::{Item, item_json, item_size, read_item};

const MOST_WRITES: usize = 25;
const MOST_KEYS: usize = 100;
/// Bytes of items in one answer; what would exceed it comes back unprocessed.
const MOST_READ_BYTES: usize = 16 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct BatchWriteItem {
    request_items: Option<BTreeMap<String, Vec<Value>>>,
    return_consumed_capacity: Option<String>,
    return_item_collection_metrics: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct WriteRequest {
    put_request: Option<PutRequest>,
    delete_request: Option<DeleteRequest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct PutRequest {
    item: Option<Attributes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct DeleteRequest {
    key: Option<Attributes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct BatchGetItem {
    request_items: Option<BTreeMap<String, Value>>,
    return_consumed_capacity: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct KeysAndAttributes {
    keys: Option<Vec<Attributes>>,
    consistent_read: Option<bool>,
    projection_expression: Option<String>,
    expression_attribute_names: Option<BTreeMap<String, String>>,
}

/// One write of a batch.
enum Write {
    Put(Item),
    Delete(Item),
}

/// What is wanted of one table.
struct Wanted {
    /// As the request had it, to give back what is not processed.
    asked: Value,
    keys: Vec<Item>,
    consistent: bool,
    projection: Option<Projection>,
}

impl DynamoDb {
    pub(super) fn batch_write_item(&self, request: Value) -> Result<Value, ServiceError> {
        let request: BatchWriteItem = read(request)?;
        let report = Report::read(request.return_consumed_capacity.as_deref())?;
        one_of(
            request.return_item_collection_metrics.as_deref(),
            "returnItemCollectionMetrics",
            &["NONE", "SIZE"],
        )?;
        let asked = filled(request.request_items)?;
        for requests in asked.values() {
            check_length(requests, "requestItems", MOST_WRITES)?;
        }
        let total: usize = asked.values().map(Vec::len).sum();
        if total > MOST_WRITES {
            return Err(invalid(
                "Too many items requested for the BatchWriteItem call",
            ));
        }
        let mut writes = Vec::with_capacity(total);
        for (table, requests) in asked {
            for request in requests {
                writes.push((table.clone(), Write::read(request.clone())?, request));
            }
        }
        let mut tables = lock(&self.tables);
        let mut seen = BTreeSet::new();
        for (given, write, _) in &writes {
            let name = named(given);
            let table = tables.get(name).ok_or_else(no_such_resource)?;
            if !seen.insert((name, write.key(table)?)) {
                return Err(duplicates());
            }
        }
        let mut unprocessed: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let mut units: BTreeMap<String, f64> = BTreeMap::new();
        let mut done = 0;
        for (given, write, request) in writes {
            let entry = request.to_string();
            if self
                .faults
                .unprocessed("dynamodb:BatchWriteItem", entry.as_bytes())
            {
                unprocessed.entry(given).or_default().push(request);
                continue;
            }
            let name = named(&given);
            let table = tables.get_mut(name).ok_or_else(no_such_resource)?;
            let key = write.key(table)?;
            let cost = write.apply(table)?;
            self.tell_item(name, table, &key);
            *units.entry(given).or_default() += cost;
            done += 1;
        }
        if done == 0 {
            return Err(throughput_exceeded());
        }
        let mut answer = json!({ "UnprocessedItems": unprocessed });
        tell_consumed(&mut answer, report, &units);
        Ok(answer)
    }

    pub(super) fn batch_get_item(&self, request: Value) -> Result<Value, ServiceError> {
        let request: BatchGetItem = read(request)?;
        let report = Report::read(request.return_consumed_capacity.as_deref())?;
        let mut wanted = BTreeMap::new();
        for (table, asked) in filled(request.request_items)? {
            wanted.insert(table, Wanted::read(asked)?);
        }
        if wanted
            .values()
            .map(|wanted| wanted.keys.len())
            .sum::<usize>()
            > MOST_KEYS
        {
            return Err(invalid(
                "Too many items requested for the BatchGetItem call",
            ));
        }
        let mut tables = lock(&self.tables);
        let mut keys = Vec::new();
        for (given, wanted) in &wanted {
            let table = tables.get(named(given)).ok_or_else(no_such_resource)?;
            let mut own = BTreeMap::new();
            for (index, key) in wanted.keys.iter().enumerate() {
                if own.insert(table.schema.key(key)?, index).is_some() {
                    return Err(duplicates());
                }
            }
            keys.push(own);
        }
        let mut answer = json!({ "Responses": {}, "UnprocessedKeys": {} });
        let mut units: BTreeMap<String, f64> = BTreeMap::new();
        let mut room = MOST_READ_BYTES;
        let mut done = 0;
        // Not in the order of the request, as in AWS: in that of the keys.
        for ((given, mut wanted), keys) in wanted.into_iter().zip(keys) {
            let table = tables.get_mut(named(&given)).ok_or_else(no_such_resource)?;
            let asked = wanted.asked["Keys"].take();
            let mut items = Vec::new();
            let mut unprocessed = Vec::new();
            for (key, index) in keys {
                let found = table.get(&key);
                let size = found.map_or(0, item_size);
                let entry = asked[index].to_string();
                if size > room
                    || self
                        .faults
                        .unprocessed("dynamodb:BatchGetItem", entry.as_bytes())
                {
                    unprocessed.push(asked[index].clone());
                    continue;
                }
                items.extend(found.map(|item| match &wanted.projection {
                    Some(projection) => item_json(&projection.of(item)),
                    None => item_json(item),
                }));
                let cost = read_units(size, wanted.consistent);
                table.consumed.reads += cost;
                *units.entry(given.clone()).or_default() += cost;
                room -= size;
                done += 1;
            }
            answer["Responses"][&given] = json!(items);
            if !unprocessed.is_empty() {
                wanted.asked["Keys"] = json!(unprocessed);
                answer["UnprocessedKeys"][&given] = wanted.asked;
            }
        }
        if done == 0 {
            return Err(throughput_exceeded());
        }
        tell_consumed(&mut answer, report, &units);
        Ok(answer)
    }
}

impl Write {
    fn read(request: Value) -> Result<Self, ServiceError> {
        let request: WriteRequest = read(request)?;
        match (request.put_request, request.delete_request) {
            (Some(put), None) => {
                read_item(required(put.item, "requestItems.member.putRequest.item")?).map(Self::Put)
            }
            (None, Some(delete)) => read_item(required(
                delete.key,
                "requestItems.member.deleteRequest.key",
            )?)
            .map(Self::Delete),
            (Some(_), Some(_)) => Err(invalid(
                "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
            )),
            (None, None) => Err(invalid(
                "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
            )),
        }
    }

    fn key(&self, table: &Table) -> Result<Key, ServiceError> {
        match self {
            Self::Put(item) => table.schema.key_of(item),
            Self::Delete(key) => table.schema.key(key),
        }
    }

    /// Does it and gives what it cost.
    fn apply(self, table: &mut Table) -> Result<f64, ServiceError> {
        let key = self.key(table)?;
        let (size, old) = match self {
            Self::Put(item) => (item_size(&item), table.put(key, item)),
            Self::Delete(_) => (0, table.delete(&key)),
        };
        let cost = write_units(size.max(old.as_ref().map_or(0, item_size)));
        table.consumed.writes += cost;
        Ok(cost)
    }
}

impl Wanted {
    fn read(asked: Value) -> Result<Self, ServiceError> {
        let KeysAndAttributes {
            keys,
            consistent_read,
            projection_expression,
            expression_attribute_names,
        } = read(asked.clone())?;
        let keys = required(keys, "requestItems.member.keys")?;
        check_length(&keys, "requestItems.member.keys", MOST_KEYS)?;
        let projection = projection(projection_expression.as_deref(), expression_attribute_names)?;
        Ok(Self {
            asked,
            keys: keys.into_iter().map(read_item).collect::<Result<_, _>>()?,
            consistent: consistent_read.unwrap_or_default(),
            projection,
        })
    }
}

/// The requests by table, of which there must be some.
fn filled<T>(given: Option<BTreeMap<String, T>>) -> Result<BTreeMap<String, T>, ServiceError> {
    let given = required(given, "requestItems")?;
    if given.is_empty() {
        let wanted = "Member must have length greater than or equal to 1";
        return Err(constraint("'{}'", "requestItems", wanted));
    }
    for table in given.keys() {
        check_name(named(table), "requestItems")?;
    }
    Ok(given)
}

fn check_length<T>(list: &[T], parameter: &str, most: usize) -> Result<(), ServiceError> {
    if (1..=most).contains(&list.len()) {
        return Ok(());
    }
    Err(constraint(
        &format!("of {} elements", list.len()),
        parameter,
        &format!(
            "Map value must satisfy constraint: [Member must have length less than or equal to {most}, Member must have length greater than or equal to 1]"
        ),
    ))
}

fn duplicates() -> ServiceError {
    invalid("Provided list of item keys contains duplicates")
}

fn tell_consumed(answer: &mut Value, report: Report, units: &BTreeMap<String, f64>) {
    let told: Vec<_> = units
        .iter()
        .filter_map(|(table, units)| report.of(table, *units))
        .collect();
    if report != Report::Nothing {
        answer["ConsumedCapacity"] = json!(told);
    }
}
