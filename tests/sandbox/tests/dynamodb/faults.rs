//! What goes wrong on purpose, and the wire's own signs: checksum, clock, and the pages for people.

use sandbox::Sandbox;
use sandbox::faults::{Fault, Rule};
use serde_json::{Value, json};

use super::{Bench, list, table};
use crate::wire::request;

const THROTTLED: &str = "ProvisionedThroughputExceededException";

fn left_where(operation: &str, body_contains: &str) -> Rule {
    Rule {
        body_contains: Some(body_contains.to_owned()),
        ..Rule::new(operation, Fault::Unprocessed)
    }
}

#[test]
fn writes_of_a_batch_come_back_unprocessed() {
    let bench = Bench::new();
    let put = |id: &str| json!({ "PutRequest": { "Item": { "id": { "S": id } } } });
    let batch = json!({ "RequestItems": { "tab": [put("good"), put("bad")] } });
    bench
        .faults
        .add(left_where("dynamodb:BatchWriteItem", "bad"));
    let answer = bench.ok("BatchWriteItem", batch.clone());
    let left = json!({ "tab": [put("bad")] });
    assert_eq!(answer, json!({ "UnprocessedItems": left }));
    assert_eq!(bench.db.items("tab"), [json!({ "id": { "S": "good" } })]);
    // Where nothing can be done the call is refused.
    bench.refused("BatchWriteItem", json!({ "RequestItems": left }), THROTTLED);
    bench.faults.clear();
    bench.ok("BatchWriteItem", batch);
    assert_eq!(bench.db.items("tab").len(), 2);
}

#[test]
fn keys_of_a_batch_come_back_unprocessed() {
    let bench = Bench::new();
    bench.put(json!({ "id": { "S": "good" } }));
    bench.put(json!({ "id": { "S": "bad" } }));
    let key = |id: &str| json!({ "id": { "S": id } });
    bench.faults.add(left_where("dynamodb:BatchGetItem", "bad"));
    let wanted = json!({ "Keys": [key("bad"), key("good")], "ProjectionExpression": "id" });
    let answer = bench.ok("BatchGetItem", json!({ "RequestItems": { "tab": wanted } }));
    assert_eq!(list(&answer["Responses"]["tab"]), [key("good")]);
    let left = json!({ "tab": { "Keys": [key("bad")], "ProjectionExpression": "id" } });
    assert_eq!(answer["UnprocessedKeys"], left);
    bench.refused("BatchGetItem", json!({ "RequestItems": left }), THROTTLED);
}

#[test]
fn a_share_of_a_batch_comes_back() {
    let bench = Bench::new();
    bench.faults.add(Rule {
        share: 0.5,
        ..Rule::new("dynamodb:BatchWriteItem", Fault::Unprocessed)
    });
    let puts: Vec<_> = (0..25)
        .map(|index| json!({ "PutRequest": { "Item": { "id": { "S": index.to_string() } } } }))
        .collect();
    let answer = bench.ok("BatchWriteItem", json!({ "RequestItems": { "tab": puts } }));
    let left = list(&answer["UnprocessedItems"]["tab"]).len();
    assert!((5..20).contains(&left), "{left}");
    assert_eq!(bench.db.items("tab").len(), 25 - left);
}

#[tokio::test]
async fn the_wire_has_a_checksum_a_date_and_an_id() {
    let running = Sandbox::start().await;
    let call = async |operation: &str, body: &Value| {
        let target = format!("x-amz-target: DynamoDB_20120810.{operation}");
        request(&running, "POST /", &[&target], &body.to_string()).await
    };
    let listed = call("ListTables", &json!({})).await;
    assert_eq!(listed.body, "{\"TableNames\":[]}");
    assert!(listed.has("x-amz-crc32: 1315925753\r\n"), "{}", listed.head);
    assert!(listed.has("content-type: application/x-amz-json-1.0\r\n"));
    assert!(listed.has("x-amzn-requestid: "));
    let refused = call("UpdateItem", &json!({})).await;
    assert_eq!(refused.status, 400);
    assert!(refused.has("x-amz-crc32: "));
    assert_eq!(
        refused.json(),
        json!({
            "__type": "com.amazon.coral.service#UnknownOperationException",
            "Message": "The local DynamoDB does not know UpdateItem.",
        })
    );
    let invalid = call("DescribeTable", &json!({})).await;
    assert_eq!(
        invalid.json()["__type"],
        "com.amazon.coral.validate#ValidationException"
    );
    let unknown = call("DescribeTable", &json!({ "TableName": "none" })).await;
    assert_eq!(
        unknown.json()["__type"],
        "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"
    );
    let fault = Fault::error(THROTTLED, 400);
    running
        .sandbox
        .faults
        .set(vec![Rule::new("dynamodb:ListTables", fault)]);
    let struck = call("ListTables", &json!({})).await;
    assert_eq!(
        struck.json()["__type"],
        "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"
    );
    assert_eq!(running.sandbox.calls()["dynamodb:ListTables"], 2);
}

#[tokio::test]
async fn the_clock_of_the_tables_is_set_apart() {
    let running = Sandbox::start().await;
    let hour = 3_600_000;
    let body = json!({ "ahead_ms": -hour }).to_string();
    let set = request(&running, "PUT /dynamodb/clock", &[], &body).await;
    assert_eq!(set.status, 204, "{}", set.body);
    let bad = request(&running, "PUT /dynamodb/clock", &[], "{}").await;
    assert_eq!(bad.status, 400);
    let target = ["x-amz-target: DynamoDB_20120810.ListTables"];
    let tables = request(&running, "POST /", &target, "{}").await;
    let target = ["x-amz-target: AmazonSQS.ListQueues"];
    let queues = request(&running, "POST /", &target, "{}").await;
    let behind = queues.date().duration_since(tables.date()).unwrap();
    assert!((3599..=3601).contains(&behind.as_secs()), "{behind:?}");
    let now = running.sandbox.clock.now_millis();
    let apart = now - running.sandbox.dynamodb.now_millis();
    assert!((3_599_000..=3_601_000).contains(&apart), "{apart}");
    running.sandbox.reset();
    assert_eq!(running.sandbox.dynamodb.clock_ahead(), 0);
}

#[tokio::test]
async fn every_service_tells_the_time() {
    let running = Sandbox::start().await;
    let before = std::time::SystemTime::now() - std::time::Duration::from_secs(2);
    let form = "content-type: application/x-www-form-urlencoded";
    for (first_line, header, body) in [
        ("POST /", "x-amz-target: AmazonSQS.ListQueues", "{}"),
        (
            "POST /",
            "x-amz-target: CodeCommit_20150413.ListRepositories",
            "{}",
        ),
        ("POST /", "x-amz-target: DynamoDB_20120810.ListTables", "{}"),
        ("POST /", form, "Action=ListTopics"),
        ("GET /v2/email/account", "accept: application/json", ""),
        ("GET /v2/email/nothing", "accept: application/json", ""),
    ] {
        let answer = request(&running, first_line, &[header], body).await;
        assert!(answer.date() > before, "{header}: {}", answer.head);
    }
}

#[tokio::test]
async fn the_page_shows_the_tables_and_sweeps_them() {
    let running = Sandbox::start().await;
    let db = &running.sandbox.dynamodb;
    db.call("CreateTable", table("S")).unwrap();
    let specification = json!({ "Enabled": true, "AttributeName": "expires" });
    let update = json!({ "TableName": "tab", "TimeToLiveSpecification": specification });
    db.call("UpdateTimeToLive", update).unwrap();
    let end = (db.now_millis() / 1000 - 10).to_string();
    let item = json!({ "id": { "S": "a" }, "expires": { "N": end } });
    db.call("PutItem", json!({ "TableName": "tab", "Item": item }))
        .unwrap();
    let shown = request(&running, "GET /dynamodb", &[], "").await.json();
    assert_eq!(
        shown,
        json!({
            "clock_ahead_ms": 0,
            "tables": { "tab": {
                "ttl_attribute": "expires",
                "consumed": { "reads": 0.0, "writes": 1.0 },
                "items": [item],
            } },
        })
    );
    let swept = request(&running, "POST /dynamodb/sweep", &[], "").await;
    assert_eq!(swept.json(), json!({ "removed": 1 }));
    assert!(db.items("tab").is_empty());
}
