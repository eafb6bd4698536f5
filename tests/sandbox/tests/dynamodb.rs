//! `DynamoDB`: its expressions, its conditional writes, its batches, its clock, and its faults.

mod conditions;
mod sdk;

use std::sync::Arc;

use sandbox::clock::Clock;
use sandbox::dynamodb::DynamoDb;
use sandbox::faults::{Fault, Faults, Rule};
use serde_json::{Value, json};

struct World {
    database: DynamoDb,
    faults: Arc<Faults>,
}

impl World {
    /// A table `mails` whose key is the text `id`.
    fn new() -> Self {
        let faults = Arc::new(Faults::default());
        let database = DynamoDb::new(Arc::new(Clock::new()), Arc::clone(&faults));
        let world = Self { database, faults };
        world.done("CreateTable", table("mails"));
        world
    }

    fn done(&self, operation: &str, request: Value) -> Value {
        self.database
            .call(operation, request)
            .unwrap_or_else(|refused| panic!("{operation}: {}", refused.json()))
    }

    /// The code and the text of a refusal.
    fn refused(&self, operation: &str, request: Value) -> (String, String) {
        let Err(refused) = self.database.call(operation, request) else {
            panic!("{operation} is not refused");
        };
        (refused.error.code, refused.error.message)
    }

    fn put(&self, id: &str, more: &Value) {
        let mut item = json!({ "id": { "S": id } });
        for (name, value) in more.as_object().unwrap() {
            item[name] = value.clone();
        }
        self.done("PutItem", json!({ "TableName": "mails", "Item": item }));
    }

    fn get(&self, id: &str) -> Value {
        let request = json!({ "TableName": "mails", "Key": { "id": { "S": id } } });
        self.done("GetItem", request)["Item"].clone()
    }

    fn ids(&self) -> Vec<String> {
        let items = self.database.items("mails").into_iter();
        items
            .map(|item| item["id"]["S"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn table(name: &str) -> Value {
    json!({
        "TableName": name,
        "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": "S" }],
        "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
        "BillingMode": "PAY_PER_REQUEST",
    })
}

fn puts(ids: &[&str]) -> Value {
    let requests: Vec<_> = ids
        .iter()
        .map(|id| json!({ "PutRequest": { "Item": { "id": { "S": id } } } }))
        .collect();
    json!({ "RequestItems": { "mails": requests } })
}

#[tokio::test(start_paused = true)]
async fn a_refused_write_changes_nothing_and_shows_what_is_there_if_asked() {
    let world = World::new();
    world.put("a", &json!({ "n": { "N": "1" } }));
    let mut request = json!({
        "TableName": "mails",
        "Item": { "id": { "S": "a" }, "n": { "N": "2" } },
        "ConditionExpression": "attribute_not_exists(id)",
    });
    let refused = world.database.call("PutItem", request.clone()).unwrap_err();
    assert_eq!(refused.error.code, "ConditionalCheckFailedException");
    assert_eq!(refused.item, None);
    request["ReturnValuesOnConditionCheckFailure"] = json!("ALL_OLD");
    let refused = world.database.call("PutItem", request).unwrap_err();
    let there = json!({ "id": { "S": "a" }, "n": { "N": "1" } });
    assert_eq!(refused.item.as_deref(), Some(&there));
    assert_eq!(world.get("a"), there);
}

#[tokio::test(start_paused = true)]
async fn a_write_shows_what_was_there_if_asked() {
    let world = World::new();
    let put = json!({
        "TableName": "mails", "Item": { "id": { "S": "a" } }, "ReturnValues": "ALL_OLD",
    });
    assert!(world.done("PutItem", put.clone())["Attributes"].is_null());
    assert_eq!(
        world.done("PutItem", put)["Attributes"],
        json!({ "id": { "S": "a" } })
    );
    let delete = json!({
        "TableName": "mails", "Key": { "id": { "S": "a" } }, "ReturnValues": "ALL_OLD",
    });
    assert_eq!(
        world.done("DeleteItem", delete)["Attributes"],
        json!({ "id": { "S": "a" } })
    );
    assert_eq!(world.get("a"), Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_batch_holds_each_key_once_and_no_more_than_it_may() {
    let world = World::new();
    let (code, text) = world.refused("BatchWriteItem", puts(&["a", "a"]));
    assert_eq!(code, "ValidationException");
    assert!(text.contains("duplicates"), "{text}");
    let many: Vec<_> = (0..26).map(|number| number.to_string()).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let (code, _) = world.refused("BatchWriteItem", puts(&many));
    assert_eq!(code, "ValidationException");
    assert!(world.ids().is_empty());
    world.done("BatchWriteItem", puts(&many[..25]));
    assert_eq!(world.ids().len(), 25);
    let keys = |ids: &[&str]| {
        let keys: Vec<_> = ids.iter().map(|id| json!({ "id": { "S": id } })).collect();
        json!({ "RequestItems": { "mails": { "Keys": keys } } })
    };
    let (_, text) = world.refused("BatchGetItem", keys(&["1", "1"]));
    assert!(text.contains("duplicates"), "{text}");
    let found = world.done("BatchGetItem", keys(&["1", "24", "99"]));
    assert_eq!(found["Responses"]["mails"].as_array().unwrap().len(), 2);
    assert_eq!(found["UnprocessedKeys"], json!({}));
}

#[tokio::test(start_paused = true)]
async fn entries_that_a_fault_strikes_come_back_unprocessed() {
    let world = World::new();
    world.faults.add(Rule {
        body_contains: Some("\"b\"".to_owned()),
        ..Rule::new("dynamodb:BatchWriteItem", Fault::Unprocessed)
    });
    let done = world.done("BatchWriteItem", puts(&["a", "b", "c"]));
    let left = done["UnprocessedItems"]["mails"].as_array().unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["PutRequest"]["Item"]["id"]["S"], "b");
    assert_eq!(world.ids(), ["a", "c"]);
}

#[tokio::test(start_paused = true)]
async fn what_has_expired_is_there_until_it_is_swept() {
    let world = World::new();
    let expiry = json!({
        "TableName": "mails",
        "TimeToLiveSpecification": { "Enabled": true, "AttributeName": "expires" },
    });
    world.done("UpdateTimeToLive", expiry);
    let now = world.database.now_millis() / 1000;
    let six_years = 6 * 365 * 86_400;
    for (id, expires) in [
        ("past", now - 60),
        ("later", now + 60),
        ("ancient", now - six_years),
    ] {
        world.put(id, &json!({ "expires": { "N": expires.to_string() } }));
    }
    world.put(
        "text",
        &json!({ "expires": { "S": (now - 60).to_string() } }),
    );
    assert_ne!(world.get("past"), Value::Null);
    assert_eq!(world.database.sweep(), 1);
    assert_eq!(world.ids(), ["ancient", "later", "text"]);
}

#[tokio::test(start_paused = true)]
async fn a_table_says_what_it_was_made_as() {
    let world = World::new();
    let described = world.done("DescribeTable", json!({ "TableName": "mails" }));
    let table = &described["Table"];
    assert_eq!(table["TableStatus"], "ACTIVE");
    assert_eq!(table["KeySchema"][0]["AttributeName"], "id");
    assert_eq!(
        table["BillingModeSummary"]["BillingMode"],
        "PAY_PER_REQUEST"
    );
    let live = world.done("DescribeTimeToLive", json!({ "TableName": "mails" }));
    assert_eq!(
        live["TimeToLiveDescription"]["TimeToLiveStatus"],
        "DISABLED"
    );
    let (code, _) = world.refused("CreateTable", table_again());
    assert_eq!(code, "ResourceInUseException");
    let (code, _) = world.refused("DescribeTable", json!({ "TableName": "other" }));
    assert_eq!(code, "ResourceNotFoundException");
    let (code, _) = world.refused("UpdateItem", json!({ "TableName": "mails" }));
    assert_eq!(code, "UnknownOperationException");
}

fn table_again() -> Value {
    table("mails")
}

#[tokio::test(start_paused = true)]
async fn an_item_needs_its_key_and_keeps_to_the_sizes() {
    let world = World::new();
    let put = |item: Value| json!({ "TableName": "mails", "Item": item });
    for item in [
        json!({}),
        json!({ "id": { "N": "1" } }),
        json!({ "id": { "S": "" } }),
        json!({ "id": { "S": "a" }, "n": { "N": "1e200" } }),
        json!({ "id": { "S": "a" }, "n": { "N": "one" } }),
        json!({ "id": { "S": "a" }, "big": { "S": "x".repeat(410_000) } }),
    ] {
        let (code, text) = world.refused("PutItem", put(item));
        assert_eq!(code, "ValidationException", "{text}");
    }
    let (code, _) = world.refused("PutItem", json!({ "TableName": "mails", "Items": {} }));
    assert!(code.ends_with("Exception"), "{code}");
    assert!(world.ids().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_write_costs_a_unit_whether_its_condition_is_met_or_not() {
    let world = World::new();
    world.put("a", &json!({}));
    let before = world.database.consumed("mails").unwrap().writes;
    world.refused(
        "PutItem",
        json!({
            "TableName": "mails", "Item": { "id": { "S": "a" } },
            "ConditionExpression": "attribute_not_exists(id)",
        }),
    );
    let after = world.database.consumed("mails").unwrap().writes;
    assert!(
        (after - before - 1.0).abs() < f64::EPSILON,
        "{before} {after}"
    );
}
