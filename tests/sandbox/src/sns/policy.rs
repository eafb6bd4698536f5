//! Whether a queue's policy lets a topic in, as far as the usual policies say.

use serde_json::Value;

/// Whether a statement allows SNS, or everybody, to send messages that come from this topic.
pub(super) fn lets_in(policy: &str, topic: &str) -> bool {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = list(&policy["Statement"]);
    statements.iter().any(|statement| {
        statement["Effect"] == "Allow"
            && list(&statement["Action"]).iter().any(|action| {
                let action = action.as_str().unwrap_or_default().to_ascii_lowercase();
                ["sqs:sendmessage", "sqs:*", "*"].contains(&action.as_str())
            })
            && is_for_sns(&statement["Principal"])
            && comes_from(&statement["Condition"], topic)
    })
}

fn is_for_sns(principal: &Value) -> bool {
    let named = |kind: &str, name: &str| list(&principal[kind]).iter().any(|one| *one == name);
    principal == "*" || named("AWS", "*") || named("Service", "sns.amazonaws.com")
}

/// Whether a condition on the source, if there is one, names this topic.
fn comes_from(condition: &Value, topic: &str) -> bool {
    let operators = condition.as_object().into_iter().flatten();
    let keys = operators.filter_map(|(_, keys)| keys.as_object()).flatten();
    let mut wanted = keys.filter(|(key, _)| key.eq_ignore_ascii_case("aws:SourceArn"));
    wanted.all(|(_, sources)| list(sources).iter().any(|source| *source == topic))
}

fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}
