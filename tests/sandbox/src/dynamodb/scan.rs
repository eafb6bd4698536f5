//! Reading a whole table, page by page.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::http::ServiceError;
use super::DynamoDb;
use super::capacity::{Report, read_units};
use super::errors::invalid;
use super::expression::filter_and_projection;
use super::request::{Attributes, limit, read, table_name};
use super::value::{item_json, item_size, read_item};

/// Bytes of items that one page looks at.
const MOST_BYTES: usize = 1 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Scan {
    table_name: Option<String>,
    limit: Option<i64>,
    exclusive_start_key: Option<Attributes>,
    consistent_read: Option<bool>,
    filter_expression: Option<String>,
    projection_expression: Option<String>,
    expression_attribute_names: Option<BTreeMap<String, String>>,
    expression_attribute_values: Option<Attributes>,
    return_consumed_capacity: Option<String>,
}

impl DynamoDb {
    pub(super) fn scan(&self, request: Value) -> Result<Value, ServiceError> {
        let request: Scan = read(request)?;
        let name = table_name(request.table_name.as_deref())?;
        let report = Report::read(request.return_consumed_capacity.as_deref())?;
        let most = limit(request.limit, usize::MAX >> 1)?;
        let start = request.exclusive_start_key.map(read_item).transpose()?;
        let (filter, projection) = filter_and_projection(
            request.filter_expression.as_deref(),
            request.projection_expression.as_deref(),
            request.expression_attribute_names,
            request.expression_attribute_values,
        )?;
        self.with_table(name, |table| {
            let after = start
                .map(|start| table.schema.key(&start))
                .transpose()
                .map_err(|_| invalid("The provided starting key is invalid"))?;
            let attribute = &table.schema.attribute;
            let mut found = Vec::new();
            let (mut scanned, mut bytes, mut last) = (0, 0, None);
            for (key, item) in table.items() {
                if after.as_ref().is_some_and(|after| key <= after) {
                    continue;
                }
                scanned += 1;
                bytes += item_size(item);
                if filter.as_ref().is_none_or(|filter| filter.meets(item)) {
                    found.push(match &projection {
                        Some(projection) => item_json(&projection.of(item)),
                        None => item_json(item),
                    });
                }
                // A page that is full does not know whether anything follows.
                if scanned == most || bytes > MOST_BYTES {
                    last = item
                        .get(attribute)
                        .map(|key| json!({ attribute: key.json() }));
                    break;
                }
            }
            let units = read_units(bytes, request.consistent_read.unwrap_or_default());
            table.consumed.reads += units;
            let mut answer = json!({
                "Items": found,
                "Count": found.len(),
                "ScannedCount": scanned,
            });
            if let Some(last) = last {
                answer["LastEvaluatedKey"] = last;
            }
            if let Some(consumed) = report.of(name, units) {
                answer["ConsumedCapacity"] = consumed;
            }
            Ok(answer)
        })
    }
}
