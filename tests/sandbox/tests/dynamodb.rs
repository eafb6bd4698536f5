//! `DynamoDB`: its tables, items, expressions and time to live.

mod batches;
mod conditions;
mod faults;
mod items;
mod projections;
mod sdk;
mod tables;
mod values;

use std::sync::Arc;

use sandbox::clock::Clock;
use sandbox::dynamodb::{DynamoDb, Refusal};
use sandbox::faults::Faults;
use serde_json::{Map, Value, json};

const CONDITION_FAILED: &str = "ConditionalCheckFailedException";
const VALIDATION: &str = "ValidationException";
const SERIALIZATION: &str = "SerializationException";

/// `DynamoDB` with the table `tab`, whose key is the text `id`; requests that name no table go to it.
struct Bench {
    db: DynamoDb,
    faults: Arc<Faults>,
}

impl Bench {
    fn new() -> Self {
        Self::with_key("S")
    }

    fn with_key(kind: &str) -> Self {
        let faults = Arc::new(Faults::new());
        let db = DynamoDb::new(Arc::new(Clock::new()), faults.clone());
        let bench = Self { db, faults };
        bench.ok("CreateTable", table(kind));
        bench
    }

    fn call(&self, operation: &str, mut request: Value) -> Result<Value, Refusal> {
        let whole_account = operation.starts_with("Batch") || operation.starts_with("List");
        if !whole_account && request.get("TableName").is_none() {
            request["TableName"] = json!("tab");
        }
        self.db.call(operation, request)
    }

    fn ok(&self, operation: &str, request: Value) -> Value {
        match self.call(operation, request) {
            Ok(answer) => answer,
            Err(refusal) => panic!("{operation} was refused: {refusal:?}"),
        }
    }

    /// The text of the refusal, which has this code.
    fn refused(&self, operation: &str, request: Value, code: &str) -> String {
        match self.call(operation, request) {
            Ok(answer) => panic!("{operation} was answered: {answer}"),
            Err(refusal) => {
                assert_eq!(refusal.error.code, code, "{refusal:?}");
                assert_eq!(refusal.error.status, 400);
                refusal.error.message
            }
        }
    }

    fn put(&self, item: Value) {
        let request = Map::from_iter([("Item".to_owned(), item)]);
        self.ok("PutItem", Value::Object(request));
    }

    /// The item with this text as its key.
    fn get(&self, id: &str) -> Option<Value> {
        let key = json!({ "Key": { "id": { "S": id } }, "ConsistentRead": true });
        self.ok("GetItem", key).get("Item").cloned()
    }
}

/// A request for the table `tab` with a key of this type.
fn table(kind: &str) -> Value {
    json!({
        "TableName": "tab",
        "AttributeDefinitions": [{ "AttributeName": "id", "AttributeType": kind }],
        "KeySchema": [{ "AttributeName": "id", "KeyType": "HASH" }],
        "BillingMode": "PAY_PER_REQUEST",
    })
}

/// The items as a list, out of an answer or a look.
fn list(value: &Value) -> Vec<Value> {
    value.as_array().unwrap().clone()
}

/// `base` with what `changes` holds.
fn with(mut base: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else {
        panic!("no object: {changes}");
    };
    base.as_object_mut().unwrap().extend(changes);
    base
}
