//! What calls cost: write units of 1 KB, read units of 4 KB, half of one where the read need not be consistent.

use serde::Serialize;
use serde_json::{Value, json};

use super::super::http::ServiceError;
use super::request::one_of;

const WRITE_UNIT: usize = 1024;
const READ_UNIT: usize = 4096;

/// Units that a table's calls have cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Consumed {
    /// Read units.
    pub reads: f64,
    /// Write units.
    pub writes: f64,
}

/// Whether the answer says what the call cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    Nothing,
    Total,
    /// With the table's part of its own; there are no indexes.
    Indexes,
}

impl Report {
    pub(super) fn read(given: Option<&str>) -> Result<Self, ServiceError> {
        let set = ["NONE", "TOTAL", "INDEXES"];
        Ok(match one_of(given, "returnConsumedCapacity", &set)? {
            "TOTAL" => Self::Total,
            "INDEXES" => Self::Indexes,
            _ => Self::Nothing,
        })
    }

    /// What a call on this table cost, as the answer has it.
    pub(super) fn of(self, table: &str, units: f64) -> Option<Value> {
        match self {
            Self::Nothing => None,
            Self::Total => Some(json!({ "TableName": table, "CapacityUnits": units })),
            Self::Indexes => Some(json!({
                "TableName": table,
                "CapacityUnits": units,
                "Table": { "CapacityUnits": units },
            })),
        }
    }
}

/// Writing an item of this size, or failing to.
pub(super) fn write_units(size: usize) -> f64 {
    units(size, WRITE_UNIT)
}

/// Reading this much.
pub(super) fn read_units(size: usize, consistent: bool) -> f64 {
    let units = units(size, READ_UNIT);
    if consistent { units } else { units / 2.0 }
}

fn units(size: usize, unit: usize) -> f64 {
    f64::from(u32::try_from(size.div_ceil(unit).max(1)).unwrap_or(u32::MAX))
}
