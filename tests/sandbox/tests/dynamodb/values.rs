//! Values: numbers of 38 digits, what no item may hold, and how large things are.

use serde_json::{Value, json};

use super::{Bench, SERIALIZATION, VALIDATION};

#[test]
fn numbers_come_back_in_plain_decimal() {
    let bench = Bench::new();
    let most = "9".repeat(38);
    for (given, shown) in [
        ("0", "0"),
        ("-0.00", "0"),
        ("007", "7"),
        ("+1.50", "1.5"),
        ("-12.34", "-12.34"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1e3", "1000"),
        ("1.25E-3", "0.00125"),
        ("120e-1", "12"),
        (most.as_str(), most.as_str()),
        ("1e-130", &format!("0.{}1", "0".repeat(129))),
        ("9.9e125", &format!("99{}", "0".repeat(124))),
    ] {
        bench.put(json!({ "id": { "S": "a" }, "n": { "N": given } }));
        assert_eq!(
            bench.get("a").unwrap()["n"],
            json!({ "N": shown }),
            "{given}"
        );
    }
}

#[test]
fn numbers_are_ordered_as_numbers() {
    let bench = Bench::new();
    let ascending = [
        "-1e30", "-100", "-9.5", "-9", "-0.001", "0", "1e-130", "0.05", "0.5", "1", "9", "10",
        "10.5", "123", "1e30",
    ];
    for (at, low) in ascending.iter().enumerate() {
        bench.put(json!({ "id": { "S": "a" }, "n": { "N": low } }));
        for (other_at, other) in ascending.iter().enumerate() {
            let below = json!({
                "TableName": "tab",
                "FilterExpression": "n < :n",
                "ExpressionAttributeValues": { ":n": { "N": other } },
            });
            let found = bench.ok("Scan", below)["Count"] == json!(1);
            assert_eq!(found, at < other_at, "{low} < {other}");
        }
    }
}

#[test]
fn values_that_aws_refuses_are_refused() {
    let bench = Bench::new();
    let too_many = "1".repeat(39);
    let cases = [
        (
            json!({ "N": "x" }),
            "cannot be converted to a numeric value: x",
        ),
        (json!({ "N": "" }), "cannot be converted to a numeric value"),
        (
            json!({ "N": "1e" }),
            "cannot be converted to a numeric value: 1e",
        ),
        (
            json!({ "N": " 1" }),
            "cannot be converted to a numeric value",
        ),
        (
            json!({ "N": "0x1" }),
            "cannot be converted to a numeric value",
        ),
        (
            json!({ "N": "NaN" }),
            "cannot be converted to a numeric value",
        ),
        (json!({ "N": too_many }), "more than 38 significant digits"),
        (json!({ "N": "1e126" }), "Number overflow"),
        (json!({ "N": "1e99999999999999999999" }), "Number overflow"),
        (json!({ "N": "-1e-131" }), "Number underflow"),
        (json!({}), "Supplied AttributeValue is empty"),
        (json!({ "S": null }), "Supplied AttributeValue is empty"),
        (json!({ "S": "a", "N": "1" }), "more than one datatypes set"),
        (json!({ "NULL": false }), "must have the value of true"),
        (json!({ "SS": [] }), "An string set  may not be empty"),
        (json!({ "NS": [] }), "An number set  may not be empty"),
        (json!({ "BS": [] }), "Binary sets should not be empty"),
        (
            json!({ "SS": ["a", "a"] }),
            "Input collection contains duplicates",
        ),
        (
            json!({ "NS": ["1", "1.0"] }),
            "Input collection contains duplicates",
        ),
        (
            json!({ "L": [{ "M": { "x": { "N": "x" } } }] }),
            "numeric value: x",
        ),
    ];
    for (value, problem) in cases {
        let item = json!({ "Item": { "id": { "S": "a" }, "v": value } });
        let message = bench.refused("PutItem", item, VALIDATION);
        assert!(message.contains(problem), "{value}: {message}");
    }
    for value in [
        json!({ "N": 1 }),
        json!({ "S": 1 }),
        json!({ "BOOL": "true" }),
        json!({ "B": "?" }),
        json!({ "L": {} }),
        json!({ "M": [] }),
        json!({ "X": "a" }),
        json!("a"),
    ] {
        let item = json!({ "Item": { "id": { "S": "a" }, "v": value } });
        bench.refused("PutItem", item, SERIALIZATION);
    }
    assert!(bench.get("a").is_none());
}

#[test]
fn values_may_be_empty_where_they_are_no_key() {
    let bench = Bench::new();
    let item = json!({
        "id": { "S": "a" }, "s": { "S": "" }, "b": { "B": "" }, "l": { "L": [] }, "m": { "M": {} },
    });
    bench.put(item.clone());
    assert_eq!(bench.get("a"), Some(item));
}

#[test]
fn maps_and_lists_lie_up_to_32_deep() {
    let bench = Bench::new();
    let nested = |levels: usize| {
        (0..levels).fold(json!({ "S": "in" }), |inner, level| match level % 2 {
            0 => json!({ "L": [inner] }),
            _ => json!({ "M": { "x": inner } }),
        })
    };
    bench.put(json!({ "id": { "S": "a" }, "v": nested(32) }));
    let item = json!({ "Item": { "id": { "S": "a" }, "v": nested(33) } });
    let message = bench.refused("PutItem", item, VALIDATION);
    assert!(message.contains("32 levels deep"), "{message}");
}

#[test]
fn an_item_holds_400_kilobytes_with_its_names() {
    let bench = Bench::new();
    // The names take `id` and `v`, the key one byte.
    let item = |bytes: usize| json!({ "id": { "S": "a" }, "v": { "S": "x".repeat(bytes) } });
    bench.put(item(409_600 - 4));
    let too_large = json!({ "Item": item(409_600 - 3) });
    let message = bench.refused("PutItem", too_large, VALIDATION);
    assert_eq!(message, "Item size has exceeded the maximum allowed size");
}

#[test]
fn calls_cost_what_the_documentation_says() {
    let bench = Bench::new();
    let units = |operation: &str, mut request: Value| {
        request["ReturnConsumedCapacity"] = json!("TOTAL");
        let answer = bench.ok(operation, request);
        assert_eq!(answer["ConsumedCapacity"]["TableName"], "tab");
        answer["ConsumedCapacity"]["CapacityUnits"]
            .as_f64()
            .unwrap()
    };
    let put =
        |bytes: usize| json!({ "Item": { "id": { "S": "a" }, "v": { "S": "x".repeat(bytes) } } });
    let key = json!({ "Key": { "id": { "S": "a" } } });
    let consistent = json!({ "Key": { "id": { "S": "a" } }, "ConsistentRead": true });
    assert!((units("GetItem", key.clone()) - 0.5).abs() < f64::EPSILON);
    let expected = [
        ("PutItem", put(1020), 1.0),
        ("PutItem", put(1021), 2.0),
        ("PutItem", put(5000), 5.0),
        ("GetItem", key.clone(), 1.0),
        ("GetItem", consistent, 2.0),
        // The larger of old and new.
        ("PutItem", put(0), 5.0),
        ("PutItem", put(2000), 2.0),
        ("DeleteItem", key.clone(), 2.0),
        ("DeleteItem", key, 1.0),
    ];
    for (operation, request, cost) in expected {
        let found = units(operation, request);
        assert!((found - cost).abs() < f64::EPSILON, "{operation}: {found}");
    }
    let answer = bench.ok("PutItem", put(0));
    assert!(answer.get("ConsumedCapacity").is_none());
}

#[test]
fn a_failed_condition_costs_too() {
    let bench = Bench::new();
    bench.put(json!({ "id": { "S": "a" }, "v": { "S": "x".repeat(2000) } }));
    let before = bench.db.consumed("tab").unwrap();
    let put = json!({ "Item": { "id": { "S": "a" } }, "ConditionExpression": "attribute_not_exists(id)" });
    bench.refused("PutItem", put, super::CONDITION_FAILED);
    let after = bench.db.consumed("tab").unwrap();
    assert!((after.writes - before.writes - 2.0).abs() < f64::EPSILON);
    assert!(bench.db.consumed("other").is_none());
}
