//! What condition expressions mean, and which are none.

use serde_json::{Value, json};

use super::World;

/// An item with something of each kind.
fn item() -> Value {
    json!({
        "n": { "N": "10" }, "word": { "S": "sending" }, "flag": { "BOOL": true },
        "tags": { "SS": ["x", "y"] }, "tree": { "M": { "a": { "L": [{ "N": "1" }, { "N": "2" }] } } },
        "#odd": { "S": "odd" }, "nothing": { "NULL": true },
    })
}

/// Whether the condition holds for the item; values are `:1` 1, `:9` 9, `:10` 10.0, `:text`, `:x`.
fn holds(condition: &str) -> bool {
    let world = World::new();
    world.put("a", &item());
    let mut values = json!({
        ":1": { "N": "1" }, ":9": { "N": "9" }, ":10": { "N": "10.0" }, ":text": { "S": "sending" },
        ":x": { "S": "x" }, ":kind": { "S": "N" },
    });
    let used = |name: &String| {
        let after = condition.split(name.as_str()).skip(1);
        let mut next = after.map(|rest| rest.chars().next());
        next.any(|char| char.is_none_or(|char| !char.is_ascii_alphanumeric()))
    };
    values.as_object_mut().unwrap().retain(|name, _| used(name));
    let mut request = json!({
        "TableName": "mails",
        "Item": { "id": { "S": "a" } },
        "ConditionExpression": condition,
    });
    if values != json!({}) {
        request["ExpressionAttributeValues"] = values;
    }
    if condition.contains("#o") {
        request["ExpressionAttributeNames"] = json!({ "#o": "#odd" });
    }
    match world.database.call("PutItem", request) {
        Ok(_) => true,
        Err(refused) if refused.error.code == "ConditionalCheckFailedException" => false,
        Err(refused) => panic!("{condition}: {}", refused.json()),
    }
}

#[tokio::test(start_paused = true)]
async fn conditions_mean_what_they_say() {
    let cases = [
        ("attribute_exists(n)", true),
        ("attribute_exists(m)", false),
        ("attribute_not_exists(m)", true),
        ("n = :10", true),
        ("n <> :10", false),
        ("n > :9", true),
        ("n < :9", false),
        ("n >= :10 AND n <= :10", true),
        ("n BETWEEN :9 AND :10", true),
        ("n BETWEEN :1 AND :9", false),
        ("n IN (:1, :9, :10)", true),
        ("n IN (:1, :9)", false),
        // Numbers are compared as numbers, and what is of another kind is never less or more.
        ("word < :10", false),
        ("n = :text", false),
        ("gone = :1", false),
        ("gone < :1", false),
        ("attribute_type(n, :kind)", true),
        ("attribute_type(word, :kind)", false),
        ("begins_with(word, :text)", true),
        ("begins_with(word, :x)", false),
        ("contains(tags, :x)", true),
        ("contains(word, :x)", false),
        ("size(word) < :10", true),
        ("size(tags) = :1", false),
        ("tree.a[0] = :1", true),
        ("tree.a[1] = :1", false),
        ("attribute_exists(tree.a[2])", false),
        ("#o = :x", false),
        ("attribute_exists(#o)", true),
        ("NOT n = :9", true),
        ("NOT attribute_exists(n) OR n = :10", true),
        // AND binds more tightly than OR.
        ("n = :10 OR n = :9 AND n = :1", true),
        ("(n = :10 OR n = :9) AND n = :1", false),
    ];
    for (condition, expected) in cases {
        assert_eq!(holds(condition), expected, "{condition}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_condition_is_refused() {
    let world = World::new();
    let cases = [
        ("", json!({})),
        ("n", json!({})),
        ("n =", json!({})),
        ("n = 1", json!({})),
        ("n == :v", json!({ ":v": { "N": "1" } })),
        ("(n = :v", json!({ ":v": { "N": "1" } })),
        ("n = :v)", json!({ ":v": { "N": "1" } })),
        ("((n = :v))", json!({ ":v": { "N": "1" } })),
        ("n = :v AND", json!({ ":v": { "N": "1" } })),
        ("n = :v", json!({})),
        (
            "n = :v",
            json!({ ":v": { "N": "1" }, ":unused": { "N": "1" } }),
        ),
        ("exists(n)", json!({})),
        ("attribute_exists(:v)", json!({ ":v": { "N": "1" } })),
        ("begins_with(n, :v)", json!({ ":v": { "N": "1" } })),
        ("#n = :v", json!({ ":v": { "N": "1" } })),
        // Reserved words, in any case.
        ("state = :v", json!({ ":v": { "S": "sent" } })),
        ("Owner = :v", json!({ ":v": { "S": "o" } })),
        ("until < :v", json!({ ":v": { "N": "1" } })),
    ];
    for (condition, values) in cases {
        let mut request = json!({
            "TableName": "mails",
            "Item": { "id": { "S": "a" } },
            "ConditionExpression": condition,
        });
        if values != json!({}) {
            request["ExpressionAttributeValues"] = values;
        }
        let answer = world.database.call("PutItem", request);
        let Err(refused) = answer else {
            panic!("{condition} is taken");
        };
        assert_eq!(refused.error.code, "ValidationException", "{condition}");
    }
    assert!(world.ids().is_empty());
}
