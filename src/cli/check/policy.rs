//! Whether a queue's policy lets a publisher in.

use serde_json::Value;

const SEND: &str = "sqs:sendmessage";

/// Whether a policy lets this service send messages that come from this ARN. Conditions of an `Allow`
/// that are not about the source are taken to hold; a `Deny` counts only where it has none, since the
/// usual ones (no TLS, another account) do not concern the service.
pub(super) fn lets_in(policy: &str, service: &str, source: &str) -> bool {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = texts_or_objects(&policy["Statement"]);
    let about = |statement: &&Value| {
        let actions = texts(&statement["Action"]);
        let may_send = actions
            .iter()
            .any(|action| fits(&action.to_ascii_lowercase(), SEND));
        may_send && is_for(&statement["Principal"], service)
    };
    let about: Vec<_> = statements.into_iter().filter(about).collect();
    let allows = |one: &&Value| one["Effect"] == "Allow" && comes_from(one, source);
    let denies = |one: &&Value| one["Effect"] == "Deny" && one["Condition"].is_null();
    about.iter().any(allows) && !about.iter().any(denies)
}

fn is_for(principal: &Value, service: &str) -> bool {
    if principal == "*" {
        return true;
    }
    let named = |kind: &str| texts(&principal[kind]);
    named("Service").contains(&service) || named("AWS").contains(&"*")
}

/// Whether the statement's conditions on the source, if there are any, fit it.
fn comes_from(statement: &Value, source: &str) -> bool {
    let operators = statement["Condition"].as_object();
    let mut wanted = operators
        .into_iter()
        .flatten()
        .filter_map(|(_, keys)| keys.as_object())
        .flatten()
        .filter(|(key, _)| key.eq_ignore_ascii_case("aws:sourcearn"));
    wanted.all(|(_, patterns)| texts(patterns).iter().any(|pattern| fits(pattern, source)))
}

/// Whether a text fits a pattern in which `*` stands for any text.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<_> = parts.collect();
    let Some((last, between)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in between {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// A text, or those of a list.
fn texts(value: &Value) -> Vec<&str> {
    texts_or_objects(value)
        .into_iter()
        .filter_map(Value::as_str)
        .collect()
}

fn texts_or_objects(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:feedback";
    const SNS: &str = "sns.amazonaws.com";

    fn policy(changes: &Value) -> String {
        let mut statement = json!({
            "Effect": "Allow",
            "Principal": { "Service": SNS },
            "Action": "sqs:SendMessage",
            "Resource": "*",
            "Condition": { "ArnEquals": { "aws:SourceArn": TOPIC } },
        });
        for (name, value) in changes.as_object().unwrap() {
            statement[name] = value.clone();
        }
        json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
    }

    #[test]
    fn the_usual_forms_of_a_policy_let_the_topic_in() {
        for changes in [
            json!({}),
            json!({ "Action": ["sqs:GetQueueUrl", "SQS:SendMessage"] }),
            json!({ "Action": "sqs:Send*" }),
            json!({ "Principal": "*" }),
            json!({ "Principal": { "AWS": "*" } }),
            json!({ "Condition": null }),
            json!({ "Condition": { "ArnLike": { "AWS:SourceArn": ["arn:x", "arn:aws:sns:*:*:feed*"] } } }),
            json!({ "Condition": { "StringEquals": { "aws:SourceAccount": "123456789012" } } }),
        ] {
            assert!(lets_in(&policy(&changes), SNS, TOPIC), "{changes}");
        }
    }

    #[test]
    fn anything_else_does_not() {
        for changes in [
            json!({ "Effect": "Deny" }),
            json!({ "Action": "sqs:ReceiveMessage" }),
            json!({ "Principal": { "Service": "events.amazonaws.com" } }),
            json!({ "Principal": { "AWS": "arn:aws:iam::123456789012:root" } }),
            json!({ "Condition": { "ArnEquals": { "aws:SourceArn": "arn:aws:sns:eu-central-1:1:other" } } }),
        ] {
            assert!(!lets_in(&policy(&changes), SNS, TOPIC), "{changes}");
        }
        assert!(!lets_in("", SNS, TOPIC));
        assert!(!lets_in("{}", SNS, TOPIC));
    }

    #[test]
    fn a_deny_counts_where_it_is_for_everybody() {
        let with = |deny: Value| {
            let mut policy: Value = serde_json::from_str(&policy(&json!({}))).unwrap();
            policy["Statement"].as_array_mut().unwrap().push(deny);
            policy.to_string()
        };
        let mut deny =
            json!({ "Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*" });
        assert!(!lets_in(&with(deny.clone()), SNS, TOPIC));
        for condition in [
            json!({ "Bool": { "aws:SecureTransport": "false" } }),
            json!({ "ArnNotEquals": { "aws:SourceArn": TOPIC } }),
        ] {
            deny["Condition"] = condition;
            assert!(lets_in(&with(deny.clone()), SNS, TOPIC), "{deny}");
        }
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, fit) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("*b*d", "abcd", true),
            ("*d*b", "abcd", false),
        ] {
            assert_eq!(fits(pattern, text), fit, "{pattern} {text}");
        }
    }
}
