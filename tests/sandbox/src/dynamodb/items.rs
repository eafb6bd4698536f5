//! Writing, reading and deleting one item.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::http::ServiceError;
use super::DynamoDb;
use super::capacity::{Report, read_units, write_units};
use super::errors::{Refusal, invalid, refuse, serialization};
use super::expression::{Condition, condition, projection};
use super::request::{Attributes, one_of, read, required, table_name};
use super::table::{Key, Schema, Table};
use super::value::{Item, item_json, item_size, read_item};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Write {
    table_name: Option<String>,
    /// What `PutItem` writes.
    item: Option<Attributes>,
    /// What `DeleteItem` deletes.
    key: Option<Attributes>,
    condition_expression: Option<String>,
    expression_attribute_names: Option<BTreeMap<String, String>>,
    expression_attribute_values: Option<Attributes>,
    return_values: Option<String>,
    return_values_on_condition_check_failure: Option<String>,
    return_consumed_capacity: Option<String>,
    return_item_collection_metrics: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct GetItem {
    table_name: Option<String>,
    key: Option<Attributes>,
    consistent_read: Option<bool>,
    projection_expression: Option<String>,
    expression_attribute_names: Option<BTreeMap<String, String>>,
    return_consumed_capacity: Option<String>,
}

/// What a write asks beside what it writes.
struct Terms {
    condition: Option<Condition>,
    /// The answer shows what was there.
    old_wanted: bool,
    /// A refusal shows what is there.
    refuser_wanted: bool,
    report: Report,
}

impl DynamoDb {
    pub(super) fn put_item(&self, request: Value) -> Result<Value, Refusal> {
        let mut request: Write = read(request)?;
        unknown("Key", request.key.as_ref())?;
        let item = read_item(required(request.item.take(), "item")?)?;
        let key_of = |schema: &Schema| schema.key_of(&item);
        self.write(request, key_of, |table, key| table.put(key, item.clone()))
    }

    pub(super) fn delete_item(&self, request: Value) -> Result<Value, Refusal> {
        let mut request: Write = read(request)?;
        unknown("Item", request.item.as_ref())?;
        let named = read_item(required(request.key.take(), "key")?)?;
        let key_of = |schema: &Schema| schema.key(&named);
        self.write(request, key_of, |table, key| table.delete(&key))
    }

    pub(super) fn get_item(&self, request: Value) -> Result<Value, ServiceError> {
        let request: GetItem = read(request)?;
        let name = table_name(request.table_name.as_deref())?;
        let report = Report::read(request.return_consumed_capacity.as_deref())?;
        let named = read_item(required(request.key, "key")?)?;
        let wanted = projection(
            request.projection_expression.as_deref(),
            request.expression_attribute_names,
        )?;
        let consistent = request.consistent_read.unwrap_or_default();
        self.with_table(name, |table| {
            let key = table.schema.key(&named)?;
            let found = table.get(&key);
            let units = read_units(found.map_or(0, item_size), consistent);
            let mut answer = json!({});
            if let Some(item) = found {
                answer["Item"] = match &wanted {
                    Some(wanted) => item_json(&wanted.of(item)),
                    None => item_json(item),
                };
            }
            table.consumed.reads += units;
            if let Some(consumed) = report.of(name, units) {
                answer["ConsumedCapacity"] = consumed;
            }
            Ok(answer)
        })
    }

    /// Does `work` where the condition is met. The write costs as much as the larger of what was there and what
    /// is there then.
    fn write(
        &self,
        request: Write,
        key_of: impl FnOnce(&Schema) -> Result<Key, ServiceError>,
        work: impl FnOnce(&mut Table, Key) -> Option<Item>,
    ) -> Result<Value, Refusal> {
        let name = table_name(request.table_name.as_deref())?.to_owned();
        let terms = Terms::read(request)?;
        self.with_table(&name, |table| {
            let key = key_of(&table.schema)?;
            let there = table.get(&key);
            let met = terms.condition.as_ref().is_none_or(|condition| {
                there.map_or_else(
                    || condition.meets(&Item::new()),
                    |item| condition.meets(item),
                )
            });
            let size = there.map_or(0, item_size);
            if !met {
                let refusal = failed(there.filter(|_| terms.refuser_wanted));
                table.consumed.writes += write_units(size);
                self.tell("item_refused", &name, || json!({ "key": key.to_string() }));
                return Ok(Err(refusal));
            }
            let old = work(table, key.clone());
            self.tell_item(&name, table, &key);
            let units = write_units(table.get(&key).map_or(0, item_size).max(size));
            table.consumed.writes += units;
            let mut answer = json!({});
            if let Some(old) = old.filter(|_| terms.old_wanted) {
                answer["Attributes"] = item_json(&old);
            }
            if let Some(consumed) = terms.report.of(&name, units) {
                answer["ConsumedCapacity"] = consumed;
            }
            Ok(Ok(answer))
        })?
    }
}

impl Terms {
    fn read(request: Write) -> Result<Self, ServiceError> {
        let all = ["NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"];
        let returned = one_of(request.return_values.as_deref(), "returnValues", &all)?;
        let on_failure = one_of(
            request.return_values_on_condition_check_failure.as_deref(),
            "returnValuesOnConditionCheckFailure",
            &["NONE", "ALL_OLD"],
        )?;
        // There are no local indexes, so no table has metrics of them.
        one_of(
            request.return_item_collection_metrics.as_deref(),
            "returnItemCollectionMetrics",
            &["NONE", "SIZE"],
        )?;
        if !["NONE", "ALL_OLD"].contains(&returned) {
            return Err(invalid("ReturnValues can only be ALL_OLD or NONE"));
        }
        Ok(Self {
            old_wanted: returned == "ALL_OLD",
            refuser_wanted: on_failure == "ALL_OLD",
            report: Report::read(request.return_consumed_capacity.as_deref())?,
            condition: condition(
                "ConditionExpression",
                request.condition_expression.as_deref(),
                request.expression_attribute_names,
                request.expression_attribute_values,
            )?,
        })
    }
}

fn failed(there: Option<&Item>) -> Refusal {
    Refusal {
        error: refuse(
            "ConditionalCheckFailedException",
            "The conditional request failed",
        ),
        item: there.map(item_json).map(Box::new),
    }
}

/// Either write is read alike, but has no use for what the other writes.
fn unknown(parameter: &str, given: Option<&Attributes>) -> Result<(), ServiceError> {
    match given {
        None => Ok(()),
        Some(_) => Err(serialization(format!("unknown field `{parameter}`"))),
    }
}
