//! Tables: creating, describing, listing, deleting, and time to live.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Bench, SERIALIZATION, VALIDATION, table, with};
use crate::support::pass;

#[tokio::test(start_paused = true)]
async fn a_table_on_demand_is_described() {
    let bench = Bench::new();
    let created = bench.db.now_millis();
    tokio::time::advance(Duration::from_mins(1)).await;
    bench.put(json!({ "id": { "S": "abc" } }));
    let described = bench.ok("DescribeTable", json!({}))["Table"].clone();
    let told = described["CreationDateTime"].as_f64().unwrap();
    let late = told - Duration::from_millis(created).as_secs_f64();
    assert!(late.abs() < 0.001, "{late}");
    let mut described = described;
    for changing in ["CreationDateTime", "TableId", "BillingModeSummary"] {
        assert!(
            described
                .as_object_mut()
                .unwrap()
                .remove(changing)
                .is_some()
        );
    }
    assert_eq!(
        described,
        json!({
            "TableName": "tab",
            "TableArn": "arn:aws:dynamodb:us-east-1:000000000000:table/tab",
            "TableStatus": "ACTIVE",
            "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
            "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
            "ProvisionedThroughput":
                { "NumberOfDecreasesToday": 0, "ReadCapacityUnits": 0, "WriteCapacityUnits": 0 },
            "DeletionProtectionEnabled": false,
            "ItemCount": 1,
            "TableSizeBytes": 5,
        })
    );
}

#[test]
fn a_table_shows_what_it_was_created_with() {
    let bench = Bench::new();
    let mut request = with(
        table("N"),
        json!({
            "TableName": "other",
            "ProvisionedThroughput": { "ReadCapacityUnits": 3, "WriteCapacityUnits": 4 },
            "SSESpecification": { "Enabled": true, "SSEType": "KMS" },
            "Tags": [{ "Key": "team", "Value": "mail" }],
            "DeletionProtectionEnabled": true,
            "TableClass": "STANDARD_INFREQUENT_ACCESS",
        }),
    );
    request.as_object_mut().unwrap().remove("BillingMode");
    let created = bench.ok("CreateTable", request)["TableDescription"].clone();
    assert_eq!(created["TableStatus"], "CREATING");
    let other = json!({ "TableName": "other" });
    let described = bench.ok("DescribeTable", other.clone())["Table"].clone();
    assert_eq!(described["ProvisionedThroughput"]["ReadCapacityUnits"], 3);
    assert_eq!(described["ProvisionedThroughput"]["WriteCapacityUnits"], 4);
    assert!(described.get("BillingModeSummary").is_none());
    assert_eq!(described["SSEDescription"]["Status"], "ENABLED");
    assert_eq!(
        described["TableClassSummary"]["TableClass"],
        "STANDARD_INFREQUENT_ACCESS"
    );
    assert_eq!(described["DeletionProtectionEnabled"], true);
    let tags = bench.ok(
        "ListTagsOfResource",
        json!({ "ResourceArn": described["TableArn"] }),
    );
    assert_eq!(
        tags,
        json!({ "Tags": [{ "Key": "team", "Value": "mail" }] })
    );
    let message = bench.refused("DeleteTable", other, VALIDATION);
    assert!(message.contains("protected against deletion"), "{message}");
}

#[test]
fn tables_are_listed_and_deleted() {
    let bench = Bench::new();
    for name in ["t-1", "t-2"] {
        bench.ok(
            "CreateTable",
            with(table("S"), json!({ "TableName": name })),
        );
    }
    let again = bench.refused("CreateTable", table("S"), "ResourceInUseException");
    assert_eq!(again, "Table already exists: tab");
    let page = bench.ok("ListTables", json!({ "Limit": 2 }));
    assert_eq!(
        page,
        json!({ "TableNames": ["t-1", "t-2"], "LastEvaluatedTableName": "t-2" })
    );
    let rest = bench.ok("ListTables", json!({ "ExclusiveStartTableName": "t-2" }));
    assert_eq!(rest, json!({ "TableNames": ["tab"] }));
    let deleted = bench.ok("DeleteTable", json!({}));
    assert_eq!(deleted["TableDescription"]["TableStatus"], "DELETING");
    for operation in ["DescribeTable", "DeleteTable", "DescribeTimeToLive"] {
        let message = bench.refused(operation, json!({}), "ResourceNotFoundException");
        assert_eq!(
            message,
            "Requested resource not found: Table: tab not found"
        );
    }
    bench.db.reset();
    assert_eq!(
        bench.ok("ListTables", json!({})),
        json!({ "TableNames": [] })
    );
}

#[test]
fn tables_that_cannot_be_are_refused() {
    let bench = Bench::new();
    let element = |name: &str, kind: &str| json!({ "AttributeName": name, "KeyType": kind });
    let throughput = json!({ "ReadCapacityUnits": 1, "WriteCapacityUnits": 1 });
    let cases: [(Value, &str, &str); 11] = [
        (
            json!({ "KeySchema": [element("id", "HASH"), element("at", "RANGE")] }),
            VALIDATION,
            "a partition key alone",
        ),
        (
            json!({ "KeySchema": [element("id", "RANGE")] }),
            VALIDATION,
            "not a HASH key type",
        ),
        (
            json!({ "KeySchema": [element("other", "HASH")] }),
            VALIDATION,
            "Keys: [other], AttributeDefinitions: [id]",
        ),
        (
            json!({ "AttributeDefinitions": [
                { "AttributeName": "id", "AttributeType": "S" },
                { "AttributeName": "x", "AttributeType": "S" },
            ] }),
            VALIDATION,
            "does not exactly match number of attributes",
        ),
        (
            json!({ "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "BOOL" }] }),
            VALIDATION,
            "enum value set: [B, N, S]",
        ),
        (
            json!({ "ProvisionedThroughput": throughput }),
            VALIDATION,
            "when BillingMode is PAY_PER_REQUEST",
        ),
        (
            json!({ "BillingMode": "PROVISIONED" }),
            VALIDATION,
            "when BillingMode is PROVISIONED",
        ),
        (
            json!({ "BillingMode": "FREE" }),
            VALIDATION,
            "at 'billingMode'",
        ),
        (json!({ "TableName": "t" }), VALIDATION, "at 'tableName'"),
        (json!({ "KeySchema": null }), VALIDATION, "at 'keySchema'"),
        (
            json!({ "GlobalSecondaryIndexes": [] }),
            SERIALIZATION,
            "GlobalSecondaryIndexes",
        ),
    ];
    for (changes, code, problem) in cases {
        let request = with(with(table("S"), json!({ "TableName": "other" })), changes);
        let message = bench.refused("CreateTable", request, code);
        assert!(message.contains(problem), "{message}");
    }
    assert_eq!(
        bench.ok("ListTables", json!({})),
        json!({ "TableNames": ["tab"] })
    );
}

#[tokio::test(start_paused = true)]
async fn time_to_live_is_switched_once_an_hour() {
    let bench = Bench::new();
    let update = |enabled: bool, attribute: &str| {
        let wanted = json!({ "Enabled": enabled, "AttributeName": attribute });
        json!({ "TimeToLiveSpecification": wanted })
    };
    let status = || bench.ok("DescribeTimeToLive", json!({}))["TimeToLiveDescription"].clone();
    assert_eq!(status(), json!({ "TimeToLiveStatus": "DISABLED" }));
    let refused = |request| bench.refused("UpdateTimeToLive", request, VALIDATION);
    assert_eq!(
        refused(update(false, "expires")),
        "TimeToLive is already disabled"
    );
    assert_eq!(
        bench.ok("UpdateTimeToLive", update(true, "expires")),
        update(true, "expires")
    );
    assert_eq!(
        status(),
        json!({ "TimeToLiveStatus": "ENABLED", "AttributeName": "expires" })
    );
    assert_eq!(
        refused(update(true, "expires")),
        "TimeToLive is already enabled"
    );
    assert!(refused(update(true, "until")).contains("current AttributeName is expires"));
    assert!(refused(update(false, "expires")).contains("multiple times within a fixed interval"));
    pass(3600).await;
    bench.ok("UpdateTimeToLive", update(false, "expires"));
    assert_eq!(status(), json!({ "TimeToLiveStatus": "DISABLED" }));
    assert_eq!(bench.db.sweep(), 0);
}
