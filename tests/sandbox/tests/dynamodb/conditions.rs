//! The grammar of conditions: what they mean, and what is refused.

use serde_json::{Map, Value, json};

use super::{Bench, CONDITION_FAILED, VALIDATION, with};

/// The item that conditions are held against.
fn item() -> Value {
    json!({
        "id": { "S": "a" },
        "n": { "N": "10" },
        "s": { "S": "abcd" },
        "b": { "B": "AQID" },
        "yes": { "BOOL": true },
        "nil": { "NULL": true },
        "ss": { "SS": ["x", "y"] },
        "ns": { "NS": ["1", "2"] },
        "bs": { "BS": ["AQ==", "Ag=="] },
        "l": { "L": [{ "N": "1" }, { "M": { "in": { "S": "deep" } } }] },
        "m": { "M": { "x": { "L": [{ "S": "zero" }] }, "y": { "N": "1" } } },
    })
}

/// Values that conditions use: those that stand in `source` are given.
fn values(source: &str) -> Map<String, Value> {
    let all = json!({
        ":abc": { "S": "abc" }, ":abcd": { "S": "abcd" }, ":x": { "S": "x" }, ":deep": { "S": "deep" },
        ":zero": { "S": "zero" }, ":n9": { "N": "9" }, ":n10": { "N": "10.0" }, ":n100": { "N": "1e2" },
        ":n1": { "N": "1" }, ":n4": { "N": "4" }, ":n2": { "N": "2" }, ":s10": { "S": "10" }, ":bin": { "B": "AQI=" },
        ":yes": { "BOOL": true }, ":nil": { "NULL": true }, ":yx": { "SS": ["y", "x"] },
        ":n21": { "NS": ["2", "1.0"] }, ":map": { "M": { "in": { "S": "deep" } } }, ":list": { "L": [] },
        ":type_s": { "S": "S" }, ":type_m": { "S": "M" }, ":type_bool": { "S": "BOOL" }, ":type_null": { "S": "NULL" },
        ":type_q": { "S": "Q" }, ":empty": { "S": "" },
    });
    placeholders(source, ':', all)
}

fn names(source: &str) -> Map<String, Value> {
    let all = json!({ "#n": "n", "#m": "m", "#x": "x", "#in": "in", "#not": "not.there" });
    placeholders(source, '#', all)
}

fn placeholders(source: &str, sign: char, all: Value) -> Map<String, Value> {
    let end = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let used: Vec<_> = source
        .split(sign)
        .skip(1)
        .map(|rest| format!("{sign}{}", rest.split(end).next().unwrap()))
        .collect();
    let Value::Object(all) = all else {
        unreachable!()
    };
    let used = all.into_iter().filter(|(key, _)| used.contains(key));
    used.collect()
}

/// A deletion of the item on this condition.
fn deletion(source: &str) -> Value {
    let mut request = json!({ "Key": { "id": { "S": "a" } }, "ConditionExpression": source });
    for (parameter, given) in [
        ("ExpressionAttributeNames", names(source)),
        ("ExpressionAttributeValues", values(source)),
    ] {
        if !given.is_empty() {
            request[parameter] = Value::Object(given);
        }
    }
    request
}

fn meets(source: &str) -> bool {
    let bench = Bench::new();
    bench.put(item());
    match bench.call("DeleteItem", deletion(source)) {
        Ok(_) => true,
        Err(refusal) => {
            assert_eq!(
                refusal.error.code, CONDITION_FAILED,
                "{source}: {refusal:?}"
            );
            false
        }
    }
}

#[test]
fn conditions_mean_what_aws_documents() {
    let met = [
        // Comparisons: numbers as numbers, and within one type alone.
        "n = :n10",
        "n > :n9",
        "n < :n100",
        "n >= :n10 AND n <= :n10",
        "n <> :s10",
        "s <> :abc",
        "s > :abc",
        "b > :bin",
        "yes = :yes",
        "nil = :nil",
        "ss = :yx",
        "ns = :n21",
        "l[1] = :map",
        ":n9 < n",
        // What is not there differs from everything.
        "gone <> :abc",
        "NOT gone = :abc",
        "n BETWEEN :n9 AND :n100",
        "n BETWEEN :n10 AND :n10",
        "s IN (:x, :abcd)",
        "n IN (:n10)",
        // Functions.
        "attribute_exists(s)",
        "attribute_exists(nil)",
        "attribute_exists(m.x[0])",
        "attribute_not_exists(gone)",
        "attribute_not_exists(m.x[1])",
        "attribute_not_exists(s.x)",
        "attribute_not_exists(#not)",
        "attribute_type(s, :type_s)",
        "attribute_type(m, :type_m)",
        "attribute_type(yes, :type_bool)",
        "attribute_type(nil, :type_null)",
        "begins_with(s, :abc)",
        "begins_with(s, :empty)",
        "begins_with(b, :bin)",
        "contains(s, :abc)",
        "contains(ss, :x)",
        "contains(ns, :n1)",
        "contains(l, :map)",
        "contains(b, :bin)",
        "size(s) = :n4",
        "size(ss) = :n2",
        "size(l) < :n4",
        "size(m) BETWEEN :n1 AND :n2",
        // Paths.
        "l[1].#in = :deep",
        "m.x[0] = :zero",
        "#m.#x[0] = :zero",
        "#m . #x [ 0 ] = :zero",
        // Precedence: NOT before AND before OR.
        "n = :n10 OR n = :n9 AND s = :abc",
        "(n = :n10 OR n = :n9) AND s = :abcd",
        "NOT n = :n9 AND s = :abcd",
        "NOT (n = :n9 AND s = :abcd)",
        "not n = :n9 and n between :n9 and :n10 and s in (:abcd) or s = :abc",
        "n BETWEEN :n9 AND :n100 AND s = :abcd",
        "(n) = (:n10)",
        "(attribute_exists(s))",
    ];
    for source in met {
        assert!(meets(source), "{source}");
    }
    let failed = [
        "n = :s10",
        "n = :n9",
        "n < :n9",
        "s < :n9",
        "n <> :n10",
        "gone = :abc",
        "gone < :n9",
        "gone = elsewhere",
        "gone BETWEEN :n9 AND :n10",
        "gone IN (:abc)",
        "n BETWEEN :abc AND :abcd",
        "n IN (:s10, :n9)",
        "NOT n = :n10",
        "attribute_exists(gone)",
        "attribute_exists(l[2])",
        "attribute_exists(s[0])",
        "attribute_not_exists(s)",
        "attribute_type(gone, :type_s)",
        "attribute_type(n, :type_s)",
        "begins_with(n, :abc)",
        "begins_with(s, :x)",
        "begins_with(gone, :abc)",
        "contains(s, :n10)",
        "contains(ns, :x)",
        "contains(n, :n10)",
        "size(n) < :n100",
        "size(gone) = :n4",
        "(n = :n10 OR n = :n9) AND s = :abc",
        "NOT (n = :n10 OR s = :abc)",
        "NOT n = :n10 OR s = :abc",
        "n = :n9 OR s = :abc AND n = :n10",
    ];
    for source in failed {
        assert!(!meets(source), "{source}");
    }
}

/// Each condition is refused with AWS's words, and nothing is done.
fn refuses(cases: &[(&str, &str)]) {
    for (source, problem) in cases {
        let bench = Bench::new();
        bench.put(item());
        let message = bench.refused("DeleteItem", deletion(source), VALIDATION);
        assert_eq!(message, format!("Invalid ConditionExpression: {problem}"));
        assert!(bench.get("a").is_some(), "{source}");
    }
}

#[test]
fn what_is_no_condition_is_a_syntax_error() {
    refuses(&[
        ("", "The expression can not be empty;"),
        ("  ", "The expression can not be empty;"),
        ("n", "Syntax error; token: \"<EOF>\", near: \"n\""),
        ("n :n9", "Syntax error; token: \":n9\", near: \"n :n9\""),
        ("n = ", "Syntax error; token: \"<EOF>\", near: \"=\""),
        (
            "n = :n9 AND",
            "Syntax error; token: \"<EOF>\", near: \"AND\"",
        ),
        (
            "n AND s = :abc",
            "Syntax error; token: \"AND\", near: \"n AND s\"",
        ),
        ("(n = :n9", "Syntax error; token: \"<EOF>\", near: \":n9\""),
        ("n = :n9)", "Syntax error; token: \")\", near: \":n9)\""),
        ("n == :n9", "Syntax error; token: \"=\", near: \"== :n9\""),
        ("n != :n9", "Syntax error; token: \"!\", near: \"n !=\""),
        ("n = 9", "Syntax error; token: \"9\", near: \"= 9\""),
        ("n = é", "Syntax error; token: \"é\", near: \"= é\""),
        ("n = 'x'", "Syntax error; token: \"'\", near: \"= 'x\""),
        (
            "n BETWEEN :n9",
            "Syntax error; token: \"<EOF>\", near: \":n9\"",
        ),
        ("n IN :n9", "Syntax error; token: \":n9\", near: \"IN :n9\""),
        ("n IN ()", "Syntax error; token: \")\", near: \"()\""),
        ("l[x] = :n9", "Syntax error; token: \"x\", near: \"[x]\""),
        ("m..x = :n9", "Syntax error; token: \".\", near: \"..x\""),
        ("_n = :n9", "Syntax error; token: \"_n\", near: \"_n =\""),
        (
            "(n = :n9) = :n9",
            "Syntax error; token: \"=\", near: \") = :n9\"",
        ),
        (
            "NOT NOT n = :n9",
            "Syntax error; token: \"NOT\", near: \"NOT NOT n\"",
        ),
        ("((n = :n9))", "The expression has redundant parentheses;"),
        ("n = ((:n9))", "The expression has redundant parentheses;"),
    ]);
}

#[test]
fn words_and_functions_out_of_place_are_refused() {
    refuses(&[
        (
            "status = :n9",
            "Attribute name is a reserved keyword; reserved keyword: status",
        ),
        (
            "m.Value = :n9",
            "Attribute name is a reserved keyword; reserved keyword: Value",
        ),
        (
            "attribute_exists(TTL)",
            "Attribute name is a reserved keyword; reserved keyword: TTL",
        ),
        ("exists(n)", "Invalid function name; function: exists"),
        ("Size(s) = :n9", "Invalid function name; function: Size"),
        (
            "size(s)",
            "The function is not allowed to be used this way in an expression; function: size",
        ),
        (
            "attribute_exists(s) = :yes",
            "The function is not allowed to be used this way in an expression; function: attribute_exists",
        ),
        (
            "contains(s)",
            "Incorrect number of operands for operator or function; operator or function: contains, number of operands: 1",
        ),
        (
            "attribute_exists(s, n)",
            "Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 2",
        ),
    ]);
}

#[test]
fn operands_that_do_not_fit_are_refused() {
    refuses(&[
        (
            "attribute_exists(:abc)",
            "Operator or function requires a document path; operator or function: attribute_exists",
        ),
        (
            "attribute_type(:abc, :type_s)",
            "Operator or function requires a document path; operator or function: attribute_type",
        ),
        (
            "attribute_type(s, :n9)",
            "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: N",
        ),
        (
            "attribute_type(s, :type_q)",
            "Invalid attribute type name found; type: Q, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
        ),
        (
            "begins_with(s, :n9)",
            "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
        ),
        (
            "size(:n9) = :n4",
            "Incorrect operand type for operator or function; operator or function: size, operand type: N",
        ),
        (
            "n < :yes",
            "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL",
        ),
        (
            "n BETWEEN :list AND :n9",
            "Incorrect operand type for operator or function; operator or function: BETWEEN, operand type: L",
        ),
        (
            "n BETWEEN :abc AND :n9",
            "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {S:abc}, upper bound operand: AttributeValue: {N:9}",
        ),
        (
            "n BETWEEN :n10 AND :n9",
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {N:10}, upper bound operand: AttributeValue: {N:9}",
        ),
        (
            "m.x[0] = m.#x[0]",
            "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [m, x, [0]]",
        ),
        (
            "l[9999999999] = :n9",
            "List index is not within the allowable range; index: [9999999999]",
        ),
        (
            "#gone = :n9",
            "An expression attribute name used in the document path is not defined; attribute name: #gone",
        ),
        (
            "n = :gone",
            "An expression attribute value used in expression is not defined; attribute value: :gone",
        ),
    ]);
}

#[test]
fn placeholders_must_be_sound_and_used() {
    let base = json!({ "Item": { "id": { "S": "a" } } });
    let condition = json!({ "ConditionExpression": "attribute_not_exists(id)" });
    let number = json!({ ":a": { "N": "1" } });
    let cases = [
        (
            json!({ "ExpressionAttributeNames": { "#a": "b" } }),
            "ExpressionAttributeNames can only be specified when using expressions",
        ),
        (
            json!({ "ExpressionAttributeValues": number }),
            "ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null",
        ),
        (
            with(condition.clone(), json!({ "ExpressionAttributeNames": {} })),
            "ExpressionAttributeNames must not be empty",
        ),
        (
            with(
                condition.clone(),
                json!({ "ExpressionAttributeValues": {} }),
            ),
            "ExpressionAttributeValues must not be empty",
        ),
        (
            with(
                condition.clone(),
                json!({ "ExpressionAttributeNames": { "a": "b" } }),
            ),
            "ExpressionAttributeNames contains invalid key: Syntax error; key: \"a\"",
        ),
        (
            with(
                condition.clone(),
                json!({ "ExpressionAttributeValues": { ":": { "N": "1" } } }),
            ),
            "ExpressionAttributeValues contains invalid key: Syntax error; key: \":\"",
        ),
        (
            with(
                condition.clone(),
                json!({ "ExpressionAttributeValues": { ":a": { "N": "x" } } }),
            ),
            "ExpressionAttributeValues contains invalid value: The parameter cannot be converted to a numeric value: x for key :a",
        ),
        (
            with(
                condition.clone(),
                json!({ "ExpressionAttributeNames": { "#b": "b", "#a": "a" } }),
            ),
            "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a, #b}",
        ),
        (
            with(condition, json!({ "ExpressionAttributeValues": number })),
            "Value provided in ExpressionAttributeValues unused in expressions: keys: {:a}",
        ),
    ];
    for (changes, problem) in cases {
        let bench = Bench::new();
        let message = bench.refused("PutItem", with(base.clone(), changes), VALIDATION);
        assert_eq!(message, problem);
        assert!(bench.get("a").is_none());
    }
}

#[test]
fn expressions_have_limits() {
    let bench = Bench::new();
    let refused = |source: String| bench.refused("DeleteItem", deletion(&source), VALIDATION);
    let long = format!("attribute_exists({})", "x".repeat(4096));
    assert!(refused(long).contains("exceeded the maximum allowed size; expression size: 4114"));
    let many = vec!["a<:n9"; 301].join(" OR ");
    assert!(refused(many).contains("too many operators; operator count: 301"));
    let list = vec![":n9"; 101].join(",");
    let problem = "IN operator is provided with too many operands; number of operands: 101";
    assert!(refused(format!("n IN ({list})")).contains(problem));
    let deep = vec!["a"; 33].join(".");
    let problem = "too many nesting levels; nesting levels: 33";
    assert!(refused(format!("attribute_exists({deep})")).contains(problem));
    for (nested, problem) in [
        ("(", "nested too deeply"),
        ("size(", "nested too deeply"),
        ("a=:n9 OR (", "too many operators"),
    ] {
        let unclosed = nested.repeat(4000 / nested.len());
        assert!(refused(unclosed).contains(problem));
    }
}

#[test]
fn no_reserved_word_stands_bare() {
    let reserved = "ABORT AND BETWEEN bucket Comment counter data Date day DELETE end hash IN Item key keys last \
                    list name Names NOT number OR order owner range set size state Status time timestamp token \
                    ttl type until USER uuid value values view where year zone";
    let free = "id email_id expires sent sender states data1";
    let bench = Bench::new();
    let is_refused = |word: &&str| {
        let request = deletion(&format!("attribute_exists({word})"));
        let refusal = bench.call("DeleteItem", request).unwrap_err();
        refusal.error.code == VALIDATION
    };
    let words = reserved.split_whitespace().chain(free.split_whitespace());
    let refused: Vec<_> = words.filter(is_refused).collect();
    assert_eq!(refused, reserved.split_whitespace().collect::<Vec<_>>());
}
