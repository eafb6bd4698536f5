//! Batches: their limits, what they do, and what comes back unprocessed.

use serde_json::{Value, json};

use super::{Bench, SERIALIZATION, VALIDATION, list, table, with};

fn put(id: &str) -> Value {
    json!({ "PutRequest": { "Item": { "id": { "S": id } } } })
}

fn delete(id: &str) -> Value {
    json!({ "DeleteRequest": { "Key": { "id": { "S": id } } } })
}

fn writes(requests: &[Value]) -> Value {
    json!({ "RequestItems": { "tab": requests } })
}

fn keys(ids: &[&str]) -> Value {
    let keys: Vec<_> = ids.iter().map(|id| json!({ "id": { "S": id } })).collect();
    json!({ "RequestItems": { "tab": { "Keys": keys } } })
}

#[test]
fn a_batch_puts_and_deletes() {
    let bench = Bench::new();
    bench.put(json!({ "id": { "S": "old" }, "v": { "S": "x".repeat(1500) } }));
    let request = with(
        writes(&[put("a"), delete("old"), delete("gone"), put("b")]),
        json!({ "ReturnConsumedCapacity": "TOTAL" }),
    );
    let answer = bench.ok("BatchWriteItem", request);
    assert_eq!(
        answer,
        json!({
            "UnprocessedItems": {},
            "ConsumedCapacity": [{ "TableName": "tab", "CapacityUnits": 5.0 }],
        })
    );
    let items = bench.db.items("tab");
    assert_eq!(
        items,
        [json!({ "id": { "S": "a" } }), json!({ "id": { "S": "b" } })]
    );
}

#[test]
fn a_batch_reads_what_is_there() {
    let bench = Bench::new();
    bench.put(json!({ "id": { "S": "a" }, "n": { "N": "1" } }));
    bench.put(json!({ "id": { "S": "b" }, "n": { "N": "2" } }));
    let request = with(
        keys(&["b", "gone", "a"]),
        json!({ "ReturnConsumedCapacity": "TOTAL" }),
    );
    let answer = bench.ok("BatchGetItem", request);
    assert_eq!(list(&answer["Responses"]["tab"]).len(), 2);
    assert_eq!(answer["UnprocessedKeys"], json!({}));
    assert_eq!(answer["ConsumedCapacity"][0]["CapacityUnits"], 1.5);
    let mut consistent = keys(&["a"]);
    consistent["ReturnConsumedCapacity"] = json!("TOTAL");
    consistent["RequestItems"]["tab"]["ConsistentRead"] = json!(true);
    consistent["RequestItems"]["tab"]["ProjectionExpression"] = json!("#n");
    consistent["RequestItems"]["tab"]["ExpressionAttributeNames"] = json!({ "#n": "n" });
    let answer = bench.ok("BatchGetItem", consistent);
    assert_eq!(
        answer["Responses"],
        json!({ "tab": [{ "n": { "N": "1" } }] })
    );
    assert_eq!(answer["ConsumedCapacity"][0]["CapacityUnits"], 1.0);
    let none = bench.ok("BatchGetItem", keys(&["gone"]));
    assert_eq!(none["Responses"], json!({ "tab": [] }));
}

#[test]
fn a_batch_spans_tables() {
    let bench = Bench::new();
    bench.ok(
        "CreateTable",
        with(table("S"), json!({ "TableName": "other" })),
    );
    let request = json!({ "RequestItems": { "tab": [put("a")], "other": [put("a"), put("b")] } });
    bench.ok("BatchWriteItem", request);
    let asked = |ids: &[&str]| keys(ids)["RequestItems"]["tab"].clone();
    let request = json!({ "RequestItems": { "tab": asked(&["a"]), "other": asked(&["b", "a"]) } });
    let answer = bench.ok("BatchGetItem", request);
    assert_eq!(list(&answer["Responses"]["tab"]).len(), 1);
    assert_eq!(list(&answer["Responses"]["other"]).len(), 2);
}

#[test]
fn a_batch_with_anything_wrong_does_nothing() {
    let bench = Bench::new();
    let duplicates = "Provided list of item keys contains duplicates";
    let many: Vec<_> = (0..26).map(|index| put(&index.to_string())).collect();
    let empty_key = json!({ "PutRequest": { "Item": { "id": { "S": "" } } } });
    let both = with(put("b"), delete("b"));
    let no_value = json!({ "PutRequest": { "Item": { "id": { "S": "b" }, "v": {} } } });
    for (requests, problem) in [
        (vec![put("a"), put("a")], duplicates),
        (vec![put("a"), delete("a")], duplicates),
        (many.clone(), "less than or equal to 25"),
        (
            vec![put("a"), empty_key],
            "cannot contain an empty string value",
        ),
        (vec![put("a"), both], "more than one datatypes set"),
        (
            vec![put("a"), json!({})],
            "Supplied AttributeValue is empty",
        ),
        (vec![put("a"), no_value], "Supplied AttributeValue is empty"),
        (vec![], "Member must have length"),
    ] {
        let message = bench.refused("BatchWriteItem", writes(&requests), VALIDATION);
        assert!(message.contains(problem), "{message}");
    }
    let spread = json!({ "RequestItems": { "tab": many[..13], "other": many[13..] } });
    let message = bench.refused("BatchWriteItem", spread, VALIDATION);
    assert!(message.contains("Too many items requested"), "{message}");
    let nothing = json!({ "RequestItems": {} });
    bench.refused("BatchWriteItem", nothing.clone(), VALIDATION);
    bench.refused("BatchGetItem", nothing, VALIDATION);
    let unknown = json!({ "RequestItems": { "tab": [put("a")], "other": [put("a")] } });
    bench.refused("BatchWriteItem", unknown, "ResourceNotFoundException");
    let update = json!({ "RequestItems": { "tab": [{ "UpdateRequest": {} }] } });
    bench.refused("BatchWriteItem", update, SERIALIZATION);
    assert!(bench.db.items("tab").is_empty());

    let hundred_and_one: Vec<_> = (0..101).map(|index| index.to_string()).collect();
    let hundred_and_one: Vec<_> = hundred_and_one.iter().map(String::as_str).collect();
    for (request, problem) in [
        (keys(&["a", "b", "a"]), duplicates),
        (keys(&hundred_and_one), "less than or equal to 100"),
        (keys(&[]), "greater than or equal to 1"),
        (keys(&["a", ""]), "cannot contain an empty string value"),
    ] {
        let message = bench.refused("BatchGetItem", request, VALIDATION);
        assert!(message.contains(problem), "{message}");
    }
    bench.ok("BatchGetItem", keys(&hundred_and_one[..100]));
}

#[test]
fn the_same_number_is_the_same_key() {
    let bench = Bench::with_key("N");
    let put = |number: &str| json!({ "PutRequest": { "Item": { "id": { "N": number } } } });
    let message = bench.refused(
        "BatchWriteItem",
        writes(&[put("1"), put("1.0")]),
        VALIDATION,
    );
    assert!(message.contains("duplicates"), "{message}");
}

#[test]
fn an_answer_holds_16_megabytes_and_the_rest_comes_back() {
    let bench = Bench::new();
    let ids: Vec<_> = (0..50).map(|index| format!("{index:02}")).collect();
    for id in &ids {
        bench.put(json!({ "id": { "S": id }, "v": { "S": "x".repeat(400_000) } }));
    }
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let mut request = keys(&ids);
    request["RequestItems"]["tab"]["ConsistentRead"] = json!(true);
    let answer = bench.ok("BatchGetItem", request);
    let got = list(&answer["Responses"]["tab"]).len();
    let left = &answer["UnprocessedKeys"]["tab"];
    assert_eq!((got, list(&left["Keys"]).len()), (41, 9));
    assert_eq!(left["ConsistentRead"], true);
    let rest = json!({ "RequestItems": answer["UnprocessedKeys"] });
    let answer = bench.ok("BatchGetItem", rest);
    assert_eq!(list(&answer["Responses"]["tab"]).len(), 9);
}
