//! The rules as they are set over HTTP: what is wrong with one is told with its place and an example.

use std::ops::RangeInclusive;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::super::operations::{self, DELIVERY};
use super::{Fault, Faults, Rule};

/// Every fault by its name, with an example as a rule's `fault` has it.
pub const EXAMPLES: &[(&str, &str)] = &[
    (
        "error",
        r#"{"error": {"code": "TooManyRequestsException", "status": 429, "message": "Slow down."}}"#,
    ),
    ("latency", r#"{"latency": {"min_ms": 100, "max_ms": 2000}}"#),
    ("hang", r#""hang""#),
    ("reset_before", r#""reset_before""#),
    ("reset_after", r#""reset_after""#),
    ("answer_late", r#"{"answer_late": {"after_ms": 5000}}"#),
    (
        "entry_error",
        r#"{"entry_error": {"code": "InternalError", "message": "Try again."}}"#,
    ),
    ("unprocessed", r#""unprocessed""#),
    (
        "duplicate",
        r#"{"duplicate": {"after_ms": 500, "new_id": true}}"#,
    ),
];

/// The statuses that say that a service refuses.
const STATUSES: RangeInclusive<u16> = 400..=599;

impl Faults {
    /// Takes the body of `PUT /faults`: a list of rules, or an object of `seed` and `rules`. They take the
    /// place of all that were in force.
    ///
    /// # Errors
    ///
    /// What is wrong with it; nothing has changed then.
    pub fn set_json(&self, body: &[u8]) -> Result<(), String> {
        let (seed, rules) = match serde_json::from_slice(body).map_err(|error| error.to_string())? {
            Value::Array(rules) => (None, rules),
            Value::Object(script) => of_object(script)?,
            _ => return Err("give a list of rules, or an object of `seed` and `rules`".to_owned()),
        };
        let rules = rules.into_iter().enumerate().map(|(at, rule)| {
            let named = match rule.get("operation").and_then(Value::as_str) {
                Some(operation) => format!("rule {} ({operation})", at + 1),
                None => format!("rule {}", at + 1),
            };
            read(rule).map_err(|problem| format!("{named}: {problem}"))
        });
        let rules = rules.collect::<Result<_, _>>()?;
        if let Some(seed) = seed {
            self.seed(seed);
        }
        self.set(rules);
        Ok(())
    }
}

fn of_object(mut script: Map<String, Value>) -> Result<(Option<u64>, Vec<Value>), String> {
    // A rule alone is the likeliest mistake, and it has neither.
    let rules = script.remove("rules");
    let rules = rules.ok_or("missing field `rules`; give a list of rules, or an object with it")?;
    let rules = of_json(rules).map_err(|problem| format!("rules: {problem}"))?;
    let seed = script.remove("seed").unwrap_or_default();
    let seed = of_json(seed).map_err(|problem| format!("seed: {problem}"))?;
    match script.keys().next() {
        Some(name) => Err(format!(
            "unknown field `{name}`, expected `seed` or `rules`"
        )),
        None => Ok((seed, rules)),
    }
}

fn of_json<T: DeserializeOwned>(json: Value) -> Result<T, String> {
    serde_json::from_value(json).map_err(|error| error.to_string())
}

fn read(mut rule: Value) -> Result<Rule, String> {
    if let Some(fault) = rule.get_mut("fault") {
        check_fault(fault)?;
    }
    let rule: Rule = of_json(rule)?;
    check(&rule)?;
    Ok(rule)
}

/// Checks a fault; the name alone of one that has fields stands for it without any.
fn check_fault(fault: &mut Value) -> Result<(), String> {
    let known = example(fault);
    if let Some((name, example)) = known
        && fault.is_string()
        && example.starts_with('{')
    {
        let bare = (name.to_owned(), Value::Object(Map::new()));
        *fault = Value::Object(Map::from_iter([bare]));
    }
    let refused = |problem: String| match known {
        Some((_, example)) => format!("fault: {problem}; write it as {example}"),
        None => format!("fault: {problem}"),
    };
    match of_json(fault.clone()).map_err(refused)? {
        Fault::Error { status, .. } if !STATUSES.contains(&status) => {
            let (first, last) = (STATUSES.start(), STATUSES.end());
            Err(refused(format!("status must be from {first} to {last}")))
        }
        Fault::Latency { min_ms, max_ms } if min_ms > max_ms => {
            Err(refused("max_ms must not be less than min_ms".to_owned()))
        }
        _ => Ok(()),
    }
}

/// The name and the example of the fault that a value means to be.
fn example(fault: &Value) -> Option<(&'static str, &'static str)> {
    let named = match fault {
        Value::String(name) => name,
        Value::Object(fields) => fields.keys().next()?,
        _ => return None,
    };
    EXAMPLES.iter().copied().find(|(name, _)| name == named)
}

/// Refuses a rule that could never strike.
fn check(rule: &Rule) -> Result<(), String> {
    if !(0.0..=1.0).contains(&rule.share) {
        return Err("share must be between 0 and 1".to_owned());
    }
    if rule.count == Some(0) {
        return Err("count must be at least 1".to_owned());
    }
    let empty = |window: &super::Window| window.from_ms >= window.until_ms;
    if rule.window.as_ref().is_some_and(empty) {
        return Err("window: until_ms must be greater than from_ms".to_owned());
    }
    let mut known: Vec<String> = operations::calls().collect();
    known.push(DELIVERY.to_owned());
    operations::check(&rule.operation, &known)?;
    known.retain(|operation| rule.fault.can_strike(operation));
    let never = |_| {
        let possible = operations::listed(&known);
        format!("this fault never strikes it, but {possible}")
    };
    operations::check(&rule.operation, &known).map_err(never)
}

impl Fault {
    /// Whether it can hit an operation, which is a call or a delivery.
    fn can_strike(&self, operation: &str) -> bool {
        let is_batch_of =
            |service: &str| operation.starts_with(service) && operation.contains("Batch");
        match self {
            Self::Duplicate { .. } => operation == DELIVERY,
            Self::EntryError { .. } => is_batch_of("sqs:"),
            Self::Unprocessed => is_batch_of("dynamodb:"),
            _ => operation != DELIVERY,
        }
    }
}
