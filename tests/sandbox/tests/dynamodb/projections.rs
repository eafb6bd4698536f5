//! Which parts of an item a read gives.

use serde_json::{Value, json};

use super::{Bench, VALIDATION, with};

fn bench() -> Bench {
    let bench = Bench::new();
    bench.put(json!({
        "id": { "S": "a" },
        "n": { "N": "1" },
        "l": { "L": [{ "S": "0" }, { "M": { "x": { "N": "1" }, "y": { "N": "2" } } }, { "S": "2" }] },
        "m": { "M": { "x": { "M": { "deep": { "BOOL": true } } }, "y": { "NULL": true } } },
    }));
    bench
}

fn request(projection: &str) -> Value {
    json!({ "Key": { "id": { "S": "a" } }, "ProjectionExpression": projection })
}

#[test]
fn a_projection_gives_the_parts_that_are_there() {
    let bench = bench();
    for (projection, expected) in [
        ("id", json!({ "id": { "S": "a" } })),
        ("n, id", json!({ "id": { "S": "a" }, "n": { "N": "1" } })),
        ("gone", json!({})),
        ("n.x, m.gone, l[7]", json!({})),
        (
            "m.x.deep",
            json!({ "m": { "M": { "x": { "M": { "deep": { "BOOL": true } } } } } }),
        ),
        // Elements close up, in the order of the list.
        (
            "l[2], l[0]",
            json!({ "l": { "L": [{ "S": "0" }, { "S": "2" }] } }),
        ),
        (
            "l[1].y, m.y",
            json!({ "l": { "L": [{ "M": { "y": { "N": "2" } } }] }, "m": { "M": { "y": { "NULL": true } } } }),
        ),
    ] {
        let answer = bench.ok("GetItem", request(projection));
        assert_eq!(answer["Item"], expected, "{projection}");
    }
    let named = with(
        request("#x"),
        json!({ "ExpressionAttributeNames": { "#x": "n" } }),
    );
    let answer = bench.ok("GetItem", named);
    assert_eq!(answer["Item"], json!({ "n": { "N": "1" } }));
}

#[test]
fn a_projection_that_aws_refuses_is_refused() {
    let bench = bench();
    for (projection, problem) in [
        ("", "The expression can not be empty;"),
        ("n,", "Syntax error; token: \"<EOF>\", near: \",\""),
        ("n m", "Syntax error; token: \"m\", near: \"n m\""),
        ("size(n)", "Syntax error; token: \"(\", near: \"size(n\""),
        ("(n)", "Syntax error; token: \"(\", near: \"(n\""),
        (
            "state",
            "Attribute name is a reserved keyword; reserved keyword: state",
        ),
        (
            "#x",
            "An expression attribute name used in the document path is not defined; attribute name: #x",
        ),
        (
            "n, n",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]",
        ),
        (
            "m.x.deep, m.x",
            "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [m, x, deep], path two: [m, x]",
        ),
        (
            "m.x, m[0]",
            "Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [m, x], path two: [m, [0]]",
        ),
    ] {
        let message = bench.refused("GetItem", request(projection), VALIDATION);
        assert_eq!(message, format!("Invalid ProjectionExpression: {problem}"));
    }
    let unused = with(
        request("n"),
        json!({ "ExpressionAttributeNames": { "#x": "n" } }),
    );
    let message = bench.refused("GetItem", unused, VALIDATION);
    assert!(
        message.contains("unused in expressions: keys: {#x}"),
        "{message}"
    );
}
