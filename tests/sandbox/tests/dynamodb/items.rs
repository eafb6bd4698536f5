//! Single items: writing, reading, deleting, and looking through a table.

use serde_json::{Value, json};

use super::{Bench, CONDITION_FAILED, SERIALIZATION, VALIDATION, list, with};

#[test]
fn a_put_replaces_the_whole_item_and_shows_the_old_one() {
    let bench = Bench::new();
    let old = json!({ "id": { "S": "a" }, "x": { "N": "1" } });
    let new = json!({ "id": { "S": "a" }, "y": { "BOOL": false } });
    let first = json!({ "Item": old, "ReturnValues": "ALL_OLD" });
    assert_eq!(bench.ok("PutItem", first), json!({}));
    let second = json!({ "Item": new, "ReturnValues": "ALL_OLD" });
    assert_eq!(bench.ok("PutItem", second), json!({ "Attributes": old }));
    assert_eq!(bench.get("a"), Some(new.clone()));
    assert_eq!(bench.ok("PutItem", json!({ "Item": new })), json!({}));
}

#[test]
fn a_delete_of_nothing_succeeds() {
    let bench = Bench::new();
    let delete = json!({ "Key": { "id": { "S": "a" } }, "ReturnValues": "ALL_OLD" });
    assert_eq!(bench.ok("DeleteItem", delete.clone()), json!({}));
    let item = json!({ "id": { "S": "a" } });
    bench.put(item.clone());
    assert_eq!(
        bench.ok("DeleteItem", delete),
        json!({ "Attributes": item })
    );
    assert!(bench.get("a").is_none());
}

#[test]
fn a_failed_condition_changes_nothing_and_shows_the_item_where_wanted() {
    let bench = Bench::new();
    let item = json!({ "id": { "S": "a" }, "n": { "N": "1" } });
    bench.put(item.clone());
    let put = json!({ "Item": { "id": { "S": "a" } }, "ConditionExpression": "attribute_not_exists(id)" });
    let refusal = bench.call("PutItem", put.clone()).unwrap_err();
    let plain = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException",
        "message": "The conditional request failed",
    });
    assert_eq!(refusal.json(), plain);
    let shown = with(
        put,
        json!({ "ReturnValuesOnConditionCheckFailure": "ALL_OLD" }),
    );
    let refusal = bench.call("PutItem", shown).unwrap_err();
    assert_eq!(refusal.json(), with(plain.clone(), json!({ "Item": item })));
    assert_eq!(bench.get("a"), Some(item));
    // Where there is no item there is none to show.
    let delete = json!({
        "Key": { "id": { "S": "b" } },
        "ConditionExpression": "attribute_exists(id)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    });
    let refusal = bench.call("DeleteItem", delete).unwrap_err();
    assert_eq!(refusal.json(), plain);
}

#[test]
fn a_key_must_fit_the_table() {
    let bench = Bench::new();
    let long = "x".repeat(2049);
    for (item, problem) in [
        (
            json!({ "n": { "N": "1" } }),
            "One or more parameter values were invalid: Missing the key id in the item",
        ),
        (
            json!({ "id": { "N": "1" } }),
            "One or more parameter values were invalid: Type mismatch for key id expected: S actual: N",
        ),
        (
            json!({ "id": { "S": "" } }),
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: id",
        ),
        (
            json!({ "id": { "S": long } }),
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ),
    ] {
        let message = bench.refused("PutItem", json!({ "Item": item }), VALIDATION);
        assert_eq!(message, problem);
    }
    for key in [
        json!({}),
        json!({ "x": { "S": "a" } }),
        json!({ "id": { "N": "1" } }),
        json!({ "id": { "S": "a" }, "x": { "S": "a" } }),
    ] {
        let message = bench.refused("GetItem", json!({ "Key": key }), VALIDATION);
        assert_eq!(
            message,
            "The provided key element does not match the schema"
        );
        bench.refused("DeleteItem", json!({ "Key": key }), VALIDATION);
    }
}

#[test]
fn keys_are_texts_numbers_or_binaries() {
    for (kind, given, same, other) in [
        ("S", "1", "1", "1.0"),
        ("N", "1", "1.0", "10"),
        ("B", "AQ==", "AQ==", "AQE="),
    ] {
        let bench = Bench::with_key(kind);
        let key = |value: &str| json!({ "id": { kind: value } });
        bench.put(key(given));
        let found = |value: &str| {
            let answer = bench.ok("GetItem", json!({ "Key": key(value) }));
            answer.get("Item").is_some()
        };
        assert!(found(same), "{kind}");
        assert!(!found(other), "{kind}");
    }
}

#[test]
fn parameters_that_it_does_not_know_are_refused() {
    let bench = Bench::new();
    let put = json!({ "Item": { "id": { "S": "a" } } });
    for (operation, request, unknown) in [
        (
            "PutItem",
            with(put.clone(), json!({ "Expected": {} })),
            "Expected",
        ),
        ("PutItem", with(put.clone(), json!({ "Key": {} })), "Key"),
        (
            "GetItem",
            json!({ "Key": { "id": { "S": "a" } }, "AttributesToGet": ["id"] }),
            "AttributesToGet",
        ),
        (
            "DeleteItem",
            json!({ "Key": { "id": { "S": "a" } }, "Item": {} }),
            "Item",
        ),
        ("Scan", json!({ "IndexName": "other" }), "IndexName"),
    ] {
        let message = bench.refused(operation, request, SERIALIZATION);
        assert!(message.contains(unknown), "{message}");
    }
    for (changes, problem) in [
        (
            json!({ "ReturnValues": "ALL_NEW" }),
            "ReturnValues can only be ALL_OLD or NONE",
        ),
        (
            json!({ "ReturnValues": "SOME" }),
            "Member must satisfy enum value set",
        ),
        (
            json!({ "ReturnConsumedCapacity": "ALL" }),
            "Member must satisfy enum value set",
        ),
        (
            json!({ "ReturnValuesOnConditionCheckFailure": "SOME" }),
            "Member must satisfy enum value set",
        ),
        (json!({ "Item": null }), "Value null at 'item' failed"),
        (
            json!({ "TableName": "t" }),
            "length greater than or equal to 3",
        ),
        (
            json!({ "TableName": "a table" }),
            "regular expression pattern",
        ),
    ] {
        let message = bench.refused("PutItem", with(put.clone(), changes), VALIDATION);
        assert!(message.contains(problem), "{message}");
    }
    assert!(bench.db.items("tab").is_empty());
    let message = bench.refused("UpdateItem", json!({}), "UnknownOperationException");
    assert!(message.contains("UpdateItem"), "{message}");
}

#[test]
fn a_table_may_be_named_by_its_arn() {
    let bench = Bench::new();
    let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/tab";
    bench.ok(
        "PutItem",
        json!({ "TableName": arn, "Item": { "id": { "S": "a" } } }),
    );
    assert!(bench.get("a").is_some());
    let other = json!({ "TableName": "other", "Item": { "id": { "S": "a" } } });
    let message = bench.refused("PutItem", other, "ResourceNotFoundException");
    assert_eq!(message, "Requested resource not found");
}

#[test]
fn a_scan_goes_through_the_table_page_by_page() {
    let bench = Bench::new();
    for index in 0..5 {
        bench.put(
            json!({ "id": { "S": format!("item-{index}") }, "n": { "N": index.to_string() } }),
        );
    }
    let mut pages = Vec::new();
    let mut start = Value::Null;
    loop {
        let request =
            json!({ "Limit": 2, "ExclusiveStartKey": start, "ReturnConsumedCapacity": "TOTAL" });
        let page = bench.ok("Scan", request);
        assert_eq!(page["ConsumedCapacity"]["CapacityUnits"], json!(0.5));
        pages.push(list(&page["Items"]).len());
        match page.get("LastEvaluatedKey") {
            Some(last) => start = last.clone(),
            None => break,
        }
    }
    assert_eq!(pages, [2, 2, 1]);
    let filtered = json!({
        "FilterExpression": "n > :n",
        "ProjectionExpression": "n",
        "ExpressionAttributeValues": { ":n": { "N": "3" } },
    });
    let page = bench.ok("Scan", filtered);
    assert_eq!(
        page,
        json!({ "Items": [{ "n": { "N": "4" } }], "Count": 1, "ScannedCount": 5 })
    );
    bench.refused("Scan", json!({ "Limit": 0 }), VALIDATION);
}

#[test]
fn a_page_of_a_scan_holds_a_megabyte() {
    let bench = Bench::new();
    for index in 0..4 {
        bench.put(
            json!({ "id": { "S": format!("item-{index}") }, "v": { "S": "x".repeat(400_000) } }),
        );
    }
    let page = bench.ok("Scan", json!({}));
    assert_eq!(page["Count"], 3);
    let rest = json!({ "ExclusiveStartKey": page["LastEvaluatedKey"] });
    assert_eq!(bench.ok("Scan", rest)["Count"], 1);
}

#[tokio::test(start_paused = true)]
async fn an_item_past_its_time_stays_until_it_is_swept() {
    let bench = Bench::new();
    let specification = json!({ "Enabled": true, "AttributeName": "expires" });
    bench.ok(
        "UpdateTimeToLive",
        json!({ "TimeToLiveSpecification": specification }),
    );
    let now = bench.db.now_millis() / 1000;
    let year = 365 * 24 * 3600;
    let ends = |id: &str, end: Value| bench.put(json!({ "id": { "S": id }, "expires": end }));
    ends("soon", json!({ "N": (now + 100).to_string() }));
    ends("past", json!({ "N": (now - 1).to_string() }));
    ends("long past", json!({ "N": (now - 6 * year).to_string() }));
    ends("text", json!({ "S": (now - 1).to_string() }));
    bench.put(json!({ "id": { "S": "endless" } }));

    // It is read and met by conditions as any other.
    assert!(bench.get("past").is_some());
    let claim = json!({ "Item": { "id": { "S": "past" } }, "ConditionExpression": "attribute_not_exists(id)" });
    bench.refused("PutItem", claim, CONDITION_FAILED);

    assert_eq!(bench.db.sweep(), 1);
    assert!(bench.get("past").is_none());
    assert_eq!(bench.db.items("tab").len(), 4);
    // Milliseconds are no seconds, and lie far ahead.
    ends("millis", json!({ "N": (now * 1000).to_string() }));
    crate::support::pass(101).await;
    assert_eq!(bench.db.sweep(), 1);
    assert!(bench.get("soon").is_none());
    bench.db.set_clock_ahead(-1_000_000);
    ends("sooner", json!({ "N": (now - 10).to_string() }));
    assert_eq!(bench.db.sweep(), 0);
}
