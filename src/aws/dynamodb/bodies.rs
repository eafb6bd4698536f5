//! The bodies of what is written for each mail: a claim, and a batch of records. The SDK would write the same
//! ones out of many values on the heap. A test holds ours against the SDK's.

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{OWNER, SENDING, SENT, STATE, UNTIL};
use crate::ports::table::SentMail;

/// A claim as it is written.
pub(super) struct ClaimBody<'a> {
    pub(super) table: &'a str,
    pub(super) key: &'a str,
    pub(super) owner: &'a str,
    /// Claims of the same receipt's that may stand.
    pub(super) earlier: &'a [String],
    /// The table's time, in milliseconds, as the two below.
    pub(super) now: i64,
    pub(super) until: i64,
    /// In seconds.
    pub(super) expires: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PutItem<'a> {
    table_name: &'a str,
    item: Item<'a>,
    condition_expression: &'a str,
    expression_attribute_names: Names,
    expression_attribute_values: Values<'a>,
    return_values: &'a str,
    return_values_on_condition_check_failure: &'a str,
}

#[derive(Serialize)]
struct Item<'a> {
    id: Text<'a>,
    state: Text<'a>,
    owner: Text<'a>,
    until: Number,
    expires: Number,
}

#[derive(Serialize)]
struct Names {
    #[serde(rename = "#state")]
    state: &'static str,
    #[serde(rename = "#owner")]
    owner: &'static str,
    #[serde(rename = "#until")]
    until: &'static str,
}

/// The values of the condition.
struct Values<'a> {
    now: i64,
    owner: &'a str,
    earlier: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Text<'a> {
    s: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Number {
    n: Digits,
}

/// Numbers go as text.
struct Digits(i64);

impl Serialize for Digits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut values = serializer.serialize_map(None)?;
        values.serialize_entry(":sending", &Text { s: SENDING })?;
        values.serialize_entry(":now_ms", &number(self.now))?;
        values.serialize_entry(":now_s", &number(self.now / 1000))?;
        values.serialize_entry(":owner0", &Text { s: self.owner })?;
        for (place, owner) in (1..).zip(self.earlier) {
            values.serialize_entry(&format!(":owner{place}"), &Text { s: owner })?;
        }
        values.end()
    }
}

impl ClaimBody<'_> {
    /// The condition under which the claim is written.
    fn condition(&self) -> String {
        let earlier = (1..=self.earlier.len()).map(|place| format!(", :owner{place}"));
        format!(
            "attribute_not_exists(id) OR expires < :now_s OR \
             (#state = :sending AND (#until < :now_ms OR #owner IN (:owner0{})))",
            earlier.collect::<String>()
        )
    }

    /// The request, as JSON.
    pub(super) fn write(&self) -> Vec<u8> {
        let request = PutItem {
            table_name: self.table,
            item: Item {
                id: Text { s: self.key },
                state: Text { s: SENDING },
                owner: Text { s: self.owner },
                until: number(self.until),
                expires: number(self.expires),
            },
            condition_expression: &self.condition(),
            expression_attribute_names: Names {
                state: STATE,
                owner: OWNER,
                until: UNTIL,
            },
            expression_attribute_values: Values {
                now: self.now,
                owner: self.owner,
                earlier: self.earlier,
            },
            return_values: "ALL_OLD",
            return_values_on_condition_check_failure: "ALL_OLD",
        };
        let mut body = Vec::with_capacity(1024);
        // Neither texts nor memory refuse to be written.
        drop(serde_json::to_writer(&mut body, &request));
        body
    }
}

/// A batch of records, as a `BatchWriteItem` request.
pub(super) fn records(table: &str, sent: &[SentMail], expires: i64) -> Vec<u8> {
    let request = BatchWriteItem {
        request_items: Records {
            table,
            sent,
            expires,
        },
    };
    // About 250 bytes each.
    let mut body = Vec::with_capacity(256 * (sent.len() + 1));
    drop(serde_json::to_writer(&mut body, &request));
    body
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct BatchWriteItem<'a> {
    request_items: Records<'a>,
}

struct Records<'a> {
    table: &'a str,
    sent: &'a [SentMail],
    expires: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WriteRequest<'a> {
    put_request: PutRequest<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PutRequest<'a> {
    item: Record<'a>,
}

#[derive(Serialize)]
struct Record<'a> {
    id: Text<'a>,
    state: Text<'a>,
    email_id: Text<'a>,
    expires: Number,
}

impl Serialize for Records<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let request = |mail| WriteRequest {
            put_request: PutRequest {
                item: Record::of(mail, self.expires),
            },
        };
        let requests: Vec<_> = self.sent.iter().map(request).collect();
        let mut tables = serializer.serialize_map(Some(1))?;
        tables.serialize_entry(self.table, &requests)?;
        tables.end()
    }
}

impl<'a> Record<'a> {
    fn of(mail: &'a SentMail, expires: i64) -> Self {
        Self {
            id: Text { s: &mail.key },
            state: Text { s: SENT },
            email_id: Text { s: &mail.email_id },
            expires: number(expires),
        }
    }
}

fn number(n: i64) -> Number {
    Number { n: Digits(n) }
}

#[cfg(test)]
mod tests;
