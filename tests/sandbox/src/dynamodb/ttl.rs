//! Time to live: switching it on and off. Who sweeps is somebody else.

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use super::super::http::ServiceError;
use super::super::lock;
use super::DynamoDb;
use super::errors::{invalid, no_such_table};
use super::request::{OfTable, read, required, table_name};

/// AWS takes no second change within an hour.
const BETWEEN_CHANGES: Duration = Duration::from_hours(1);

/// Whether a table's items have an end.
#[derive(Debug, Default)]
pub(super) struct Ttl {
    attribute: Option<String>,
    changed: Option<Instant>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Update {
    table_name: Option<String>,
    time_to_live_specification: Option<Specification>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Specification {
    enabled: Option<bool>,
    attribute_name: Option<String>,
}

impl Ttl {
    /// The attribute that holds an item's end, where it is on.
    pub(super) fn attribute(&self) -> Option<&str> {
        self.attribute.as_deref()
    }

    fn change(&mut self, enabled: bool, attribute: &str) -> Result<(), ServiceError> {
        match (&self.attribute, enabled) {
            (Some(current), _) if current != attribute => {
                return Err(invalid(format!(
                    "TimeToLive is active on a different AttributeName: current AttributeName is {current}"
                )));
            }
            (Some(_), true) => return Err(invalid("TimeToLive is already enabled")),
            (None, false) => return Err(invalid("TimeToLive is already disabled")),
            _ => {}
        }
        if self
            .changed
            .is_some_and(|changed| changed.elapsed() < BETWEEN_CHANGES)
        {
            return Err(invalid(
                "Time to live has been modified multiple times within a fixed interval",
            ));
        }
        self.attribute = enabled.then(|| attribute.to_owned());
        self.changed = Some(Instant::now());
        Ok(())
    }
}

impl DynamoDb {
    pub(super) fn update_time_to_live(&self, request: Value) -> Result<Value, ServiceError> {
        let request: Update = read(request)?;
        let name = table_name(request.table_name.as_deref())?;
        let wanted = required(
            request.time_to_live_specification,
            "timeToLiveSpecification",
        )?;
        let enabled = required(wanted.enabled, "timeToLiveSpecification.enabled")?;
        let attribute = required(
            wanted.attribute_name,
            "timeToLiveSpecification.attributeName",
        )?;
        if attribute.is_empty() {
            return Err(invalid(
                "TimeToLiveSpecification.AttributeName must be non empty",
            ));
        }
        let mut tables = lock(&self.tables);
        let table = tables.get_mut(name).ok_or_else(|| no_such_table(name))?;
        table.ttl.change(enabled, &attribute)?;
        Ok(json!({
            "TimeToLiveSpecification": { "Enabled": enabled, "AttributeName": attribute },
        }))
    }

    pub(super) fn describe_time_to_live(&self, request: Value) -> Result<Value, ServiceError> {
        let request: OfTable = read(request)?;
        let name = table_name(request.table_name.as_deref())?;
        let tables = lock(&self.tables);
        let table = tables.get(name).ok_or_else(|| no_such_table(name))?;
        let description = match table.ttl.attribute() {
            Some(attribute) => {
                json!({ "TimeToLiveStatus": "ENABLED", "AttributeName": attribute })
            }
            None => json!({ "TimeToLiveStatus": "DISABLED" }),
        };
        Ok(json!({ "TimeToLiveDescription": description }))
    }
}
