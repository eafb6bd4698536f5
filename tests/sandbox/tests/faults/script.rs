//! What `PUT /faults` takes, and what it says of what it refuses.

use std::collections::BTreeSet;

use sandbox::faults::{EXAMPLES, Faults};
use sandbox::operations;
use serde_json::{Value, json};

/// What is said of a script that is refused.
fn refusal(script: &Value) -> String {
    let faults = Faults::new();
    let refused = faults.set_json(script.to_string().as_bytes());
    assert!(faults.is_empty(), "{script} is in force");
    refused.expect_err(&script.to_string())
}

fn rule(operation: &str, fault: &Value) -> Value {
    json!([{ "operation": operation, "fault": fault }])
}

#[test]
fn an_operation_that_does_not_exist_is_refused_with_the_one_that_was_meant() {
    for (written, said) in [
        ("ses:SendMail", "did you mean ses:SendEmail?"),
        ("SES:sendemail", "did you mean ses:SendEmail?"),
        ("SendEmail", "did you mean ses:SendEmail?"),
        ("sqs:Recieve*", "did you mean sqs:ReceiveMessage?"),
        ("sqs:Delivery", "did you mean sqs:Deliver?"),
        (
            "nosuch:Thing",
            "known are calls of codecommit, dynamodb, s3, ses, sns, sqs, such as ses:SendEmail, ses:* or *",
        ),
        ("", "known are calls of codecommit"),
        ("s3:Zip", "known are s3:CreateBucket, s3:DeleteObject, "),
    ] {
        let refused = refusal(&rule(written, &json!("hang")));
        assert!(refused.contains(said), "{refused}");
        let named = format!("rule 1 ({written}): no such operation: {written:?}");
        assert!(refused.starts_with(&named), "{refused}");
    }
}

#[test]
fn a_star_at_the_end_stands_for_anything() {
    for pattern in ["*", "sqs:*", "sqs:Get*", "s3:GetObject", "sns:Publish"] {
        let faults = Faults::new();
        let script = rule(pattern, &json!("hang")).to_string();
        faults.set_json(script.as_bytes()).unwrap();
    }
}

#[test]
fn a_fault_is_refused_for_operations_that_it_never_strikes() {
    let duplicate = json!({ "duplicate": {} });
    let entry = json!({ "entry_error": { "code": "InternalError" } });
    for (operation, fault, possible) in [
        ("sqs:SendMessage", &duplicate, "sqs:Deliver"),
        ("sqs:Deliver", &json!("hang"), "calls of codecommit"),
        (
            "sqs:DeleteMessage",
            &entry,
            "sqs:ChangeMessageVisibilityBatch, sqs:DeleteMessageBatch, sqs:SendMessageBatch",
        ),
        (
            "dynamodb:PutItem",
            &json!("unprocessed"),
            "dynamodb:BatchGetItem, dynamodb:BatchWriteItem",
        ),
    ] {
        let refused = refusal(&rule(operation, fault));
        let said = format!("this fault never strikes it, but {possible}");
        assert!(refused.contains(&said), "{refused}");
    }
    for (operation, fault) in [("sqs:*", &duplicate), ("*", &entry)] {
        let script = rule(operation, fault).to_string();
        Faults::new().set_json(script.as_bytes()).unwrap();
    }
}

#[test]
fn what_a_fault_lacks_is_named_with_an_example() {
    let latency = r#"; write it as {"latency": {"min_ms": 100, "max_ms": 2000}}"#;
    for (fault, said, example) in [
        (json!("latency"), "missing field `min_ms`", latency),
        (
            json!({ "latency": { "min_ms": 1 } }),
            "missing field `max_ms`",
            latency,
        ),
        (
            json!({ "latency": { "min_ms": 2, "max_ms": 1 } }),
            "max_ms must not be less than min_ms",
            latency,
        ),
        (json!("error"), "missing field `code`", r#"{"error": {"#),
        (
            json!({ "error": { "code": "A", "status": 200 } }),
            "status must be from 400 to 599",
            r#"{"error": {"#,
        ),
        (
            json!("answer_late"),
            "missing field `after_ms`",
            r#"{"answer_late": {"after_ms": 5000}}"#,
        ),
        (json!("melt"), "unknown variant `melt`", "`latency`"),
        (
            json!({ "hang": {} }),
            "expected unit",
            r#"write it as "hang""#,
        ),
    ] {
        let refused = refusal(&rule("ses:SendEmail", &fault));
        let begins = "rule 1 (ses:SendEmail): fault: ";
        assert!(refused.starts_with(begins), "{refused}");
        assert!(
            refused.contains(said) && refused.contains(example),
            "{refused}"
        );
    }
}

#[test]
fn what_a_rule_lacks_is_named_with_its_place() {
    let sound = json!({ "operation": "*", "fault": "hang" });
    let with = |name: &str, value: Value| {
        let mut rule = sound.clone();
        rule[name] = value;
        json!([sound, rule])
    };
    for (script, said) in [
        (
            json!([sound, { "operation": "*" }]),
            "missing field `fault`",
        ),
        (
            json!([sound, { "fault": "hang" }]),
            "missing field `operation`",
        ),
        (with("shar", json!(1)), "unknown field `shar`"),
        (with("share", json!(2.0)), "share must be between 0 and 1"),
        (with("count", json!(0)), "count must be at least 1"),
        (
            with("window", json!({ "from_ms": 5, "until_ms": 5 })),
            "until_ms must be greater than from_ms",
        ),
        (with("window", json!({})), "missing field `until_ms`"),
    ] {
        let refused = refusal(&script);
        assert!(refused.starts_with("rule 2"), "{refused}");
        assert!(refused.contains(said), "{refused}");
    }
    for (script, said) in [
        (sound.clone(), "missing field `rules`; give a list"),
        (json!({ "seed": "a", "rules": [] }), "seed: invalid type"),
        (json!({ "sede": 1, "rules": [] }), "unknown field `sede`"),
        (json!(7), "give a list of rules"),
    ] {
        let refused = refusal(&script);
        assert!(refused.contains(said), "{refused}");
    }
}

#[test]
fn the_readme_has_an_example_of_every_fault_that_is_taken() {
    let readme = include_str!("../../README.md");
    let melted = refusal(&rule("*", &json!("melt")));
    for (name, example) in EXAMPLES {
        assert!(readme.contains(&format!("| `{example}` |")), "{example}");
        assert!(melted.contains(&format!("`{name}`")), "{melted}");
        let script = format!(r#"[{{"operation": "*", "fault": {example}}}]"#);
        Faults::new().set_json(script.as_bytes()).unwrap();
    }
    // No fault is left out.
    assert_eq!(melted.matches('`').count() / 2 - 1, EXAMPLES.len());
    let scripts: Vec<&str> = readme
        .split("/faults -d '")
        .skip(1)
        .filter_map(|rest| rest.split('\'').next())
        .collect();
    assert_eq!(scripts.len(), 2);
    for script in scripts {
        Faults::new().set_json(script.as_bytes()).unwrap();
    }
}

/// The calls that a service's source tells apart.
fn answered(service: &str, source: &str) -> BTreeSet<String> {
    let is_name = |name: &&str| {
        name.starts_with(char::is_uppercase) && name.chars().all(char::is_alphanumeric)
    };
    let lines = source.lines().map(str::trim);
    let names = lines.filter_map(|line| match service {
        "s3" => line.split_once("=> \"")?.1.split('"').next(),
        _ => line
            .strip_prefix('"')?
            .split_once("\" =>")
            .map(|(name, _)| name),
    });
    let names = names
        .filter(is_name)
        .map(|name| format!("{service}:{name}"));
    names.collect()
}

#[test]
fn every_call_that_is_answered_can_be_named_and_no_other() {
    let sources = [
        ("codecommit", include_str!("../../src/codecommit.rs")),
        ("dynamodb", include_str!("../../src/dynamodb.rs")),
        ("s3", include_str!("../../src/s3/request.rs")),
        ("ses", include_str!("../../src/ses.rs")),
        ("sns", include_str!("../../src/sns.rs")),
        ("sqs", include_str!("../../src/sqs.rs")),
    ];
    let mut all: BTreeSet<String> = sources
        .iter()
        .flat_map(|(service, source)| answered(service, source))
        .collect();
    // A setting of ours, which no fault strikes.
    assert!(all.remove("ses:PutSandboxAccount"));
    assert_eq!(operations::calls().collect::<BTreeSet<_>>(), all);
}
